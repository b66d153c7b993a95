/* Certificates, as mbedTLS holds them. Only for the files of this folder. */
#ifndef NEAP_TRUST_CERTIFICATE_H
#define NEAP_TRUST_CERTIFICATE_H
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "neap.h"
#include "trust/principal.h"

/* What certificates and signatures are allowed to be made of: ECDSA on P-256 with SHA-256. */
extern const mbedtls_x509_crt_profile certificate_profile;

/* Who it names: URIs among the alternative names, never anything else. INVALID: none, or not of the
 * form of trust/principal.h; LIMIT, NOMEM. */
int certificate_principal(const mbedtls_x509_crt *certificate, struct principal *ret_principal);
uint64_t certificate_time_ms(const mbedtls_x509_time *time); /* since 1970 */
/* PEM with a zero byte behind it, not counted; one certificate or several, all of them. INVALID,
 * NOMEM. */
int certificate_parse(struct slice pem, mbedtls_x509_crt *ret_certificate);
int certificate_key_parse(struct slice pem, mbedtls_pk_context *ret_key); /* P-256 only */
/* Random bytes of the system, for mbedTLS. */
int certificate_random(void *nothing, unsigned char *ret_bytes, size_t size);
/* NEAP_NOMEM for what mbedTLS says when there is none, else `otherwise`. */
int certificate_error(int rv, int otherwise);
#endif
