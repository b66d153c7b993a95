/* What the parts of issue share: mbedTLS's objects, of text, with our errors. */
#ifndef NEAP_TRUST_ISSUE_MBED_H
#define NEAP_TRUST_ISSUE_MBED_H
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#include "trust/issue.h"

/* The system's chance, for one call. */
struct chance {
    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context drbg;
};

int mbed_fail(struct neap_error *error, int number, const char *what);
int chance_open(struct chance *ret_chance, struct neap_error *error);
void chance_close(struct chance *chance);

/* Of PEM; the objects need their _free() only when it was 0. One certificate, no more. */
int mbed_certificate(struct slice pem, mbedtls_x509_crt *ret_certificate, struct neap_error *error);
int mbed_key(struct slice pem, mbedtls_pk_context *ret_key, struct neap_error *error);
/* Its own signature is right, and its key is one of ours. */
int mbed_request(struct slice pem, mbedtls_x509_csr *ret_request, struct neap_error *error);

/* "20261231235959"; LIMIT: after 9999 */
enum { STAMP_MAX = 64 };
int stamp_write(uint64_t seconds, char ret_text[STAMP_MAX], struct neap_error *error);
#endif
