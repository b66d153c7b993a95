/* The insides of credentials. Only for the files of this folder. */
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

#endif
