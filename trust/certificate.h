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
/* "20261231235959"; LIMIT: after 9999. */
enum { STAMP_MAX = 64 };
int certificate_stamp(uint64_t seconds, char ret_text[STAMP_MAX], struct neap_error *error);
/* PEM with a zero byte behind it, not counted; one certificate or several, all of them. INVALID,
 * NOMEM. */
int certificate_parse(struct slice pem, mbedtls_x509_crt *ret_certificate);
int certificate_key_parse(struct slice pem, mbedtls_pk_context *ret_key);
/* On P-256: what we make, and the only ones that links admit. */
bool certificate_key_is_ours(const mbedtls_pk_context *key);
void certificate_fingerprint(const mbedtls_x509_crt *certificate,
                             uint8_t ret_fingerprint[FINGERPRINT_SIZE]);
/* Random bytes of the system, for mbedTLS and for ourselves. Never fails, and gives 0. */
int certificate_random(void *nothing, unsigned char *ret_bytes, size_t size);
/* NEAP_NOMEM for what mbedTLS says when there is none, else `otherwise`. */
int certificate_error(int rv, int otherwise);
#endif
