/* What the parts of issue share: mbedTLS's objects, of text, with our errors. */
#ifndef NEAP_TRUST_ISSUE_MBED_H
#define NEAP_TRUST_ISSUE_MBED_H
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#include "trust/issue.h"

int mbed_fail(struct neap_error *error, int number, const char *what);

/* Of PEM; the objects need their _free() only when it was 0. One certificate, no more. */
int mbed_certificate(struct slice pem, mbedtls_x509_crt *ret_certificate, struct neap_error *error);
int mbed_key(struct slice pem, mbedtls_pk_context *ret_key, struct neap_error *error);
/* Its own signature is right, and its key is one of ours. */
int mbed_request(struct slice pem, mbedtls_x509_csr *ret_request, struct neap_error *error);
#endif
