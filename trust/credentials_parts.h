/* The insides of credentials. Only for the files of this folder, and for tests of them. */
#ifndef NEAP_TRUST_CREDENTIALS_PARTS_H
#define NEAP_TRUST_CREDENTIALS_PARTS_H
#include <stdatomic.h>

#include "trust/certificate.h"
#include "trust/credentials.h"

struct credentials {
    atomic_uint held;
    char *directory;
    struct cluster cluster;
    bool has_cluster, has_ca;
    struct principal principal;
    mbedtls_x509_crt ca;    /* when has_ca */
    mbedtls_x509_crt chain; /* own, and that of the CA, which who knows its fingerprint needs */
    mbedtls_pk_context key;
    uint8_t ca_fingerprint[FINGERPRINT_SIZE];
};

/* What mbedTLS asks of a session (trust/tls.h) for each certificate that the other side shows, the
 * one that is its own (depth 0) last. */
int tls_verify(void *tls, mbedtls_x509_crt *certificate, int depth, uint32_t *flags);
#endif
