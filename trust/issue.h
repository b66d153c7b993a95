/* Making keys, certificates and requests: text (PEM) in, text out, no files, by mbedTLS. Keys are
 * ECDSA on P-256, signatures over SHA-256. What is made is safe to be parsed as X.509 by others;
 * who somebody is stands in URIs (trust/principal.h), as subject's alternative names. PEM that
 * comes out ends with a zero byte which its size does not count; PEM that goes in needs none.
 * Buffers of keys end with secret_done() (trust/secret.h). Errors of all: NOMEM; INVALID: text that
 * is not what it should be; LIMIT: larger than a handshake may carry; REFUSED: the key
 * does not fit; *error says more. */
#ifndef NEAP_TRUST_ISSUE_H
#define NEAP_TRUST_ISSUE_H
#include "neap.h"
#include "trust/principal.h"

enum {
    ISSUE_PEM_MAX = 16 << 10,   /* of text that is read or made */
    ISSUE_SKEW_S = 10 * 60,     /* so long before now it is valid, for clocks that are behind */
    ISSUE_NODE_S = 365 * 86400, /* how long, by kind: see issue_span() */
    ISSUE_DEVICE_S = 30 * 86400,
    ISSUE_CLIENT_S = 365 * 86400,
    ISSUE_JOIN_S = 10 * 60,
    ISSUE_AUTHORITY_S = 20 * 365 * 86400
};
#define PEM_CERTIFICATE_BEGIN "-----BEGIN CERTIFICATE-----\n"
#define PEM_CERTIFICATE_END "-----END CERTIFICATE-----\n"
enum { ISSUE_CLIENT = 1, ISSUE_SERVER = 2, ISSUE_BOTH = 3 }; /* which end of a link */

/* When it is valid: seconds since 1970, both included; to the year 2049. */
struct issue_span {
    uint64_t from_s, until_s;
};

/* Who signs. */
struct issuer {
    struct slice certificate, key; /* PEM */
};

/* What a certificate says; issue_read(). */
struct issued {
    struct principal principal; /* NONE: of the CA */
    bool authority;
    struct issue_span span;
    uint8_t fingerprint[FINGERPRINT_SIZE]; /* SHA-256 of it */
    char serial[64];                       /* hex */
};

/* From ISSUE_SKEW_S ago until that kind is over; `seconds` 0: what is usual for it. */
struct issue_span issue_span(enum principal_kind kind, uint64_t now_s, uint64_t seconds);

int issue_key(struct buffer *ret_key, struct neap_error *error);
/* The CA of a cluster: signed by itself, may sign certificates but no other CA. */
int issue_authority(struct slice key, uint64_t cluster, struct issue_span span,
                    struct buffer *ret_certificate, struct neap_error *error);
/* A request for a certificate over this key: says no more than the key, and that its maker has it.
 * What he becomes is decided by who signs. */
int issue_request(struct slice key, struct buffer *ret_request, struct neap_error *error);
/* A certificate for the key of the request, whose signature is checked. It ends with the CA's at
 * the latest. `usage`: ISSUE_BOTH for all but tests. */
int issue_sign(const struct issuer *issuer, struct slice request, const struct principal *principal,
               struct issue_span span, unsigned usage, struct buffer *ret_certificate,
               struct neap_error *error);

/* Nothing is checked but the form: for showing it. issued_done() in the end. */
int issue_read(struct slice certificate, struct issued *ret_issued, struct neap_error *error);
void issued_done(struct issued *issued);
/* Of the public key in a request: the same key, the same bytes. */
int issue_request_print(struct slice request, uint8_t ret_print[FINGERPRINT_SIZE],
                        struct neap_error *error);
/* Is it signed by that CA, for now, and is the key (size 0: none is asked) its key? REFUSED: no,
 * and why. */
int issue_check(struct slice authority, struct slice certificate, struct slice key,
                struct neap_error *error);
/* Is it the key of that certificate? REFUSED, INVALID. */
int issue_pair(struct slice certificate, struct slice key, struct neap_error *error);

/* PEM of one block as DER and back, for what must be short. `label`: "CERTIFICATE"... */
int issue_der(struct slice pem, struct buffer *ret_der, struct neap_error *error);
int issue_pem(struct slice der, bool key, struct buffer *ret_pem, struct neap_error *error);
/* 64 unpredictable bits that are not 0. */
uint64_t issue_id(void);
#endif
