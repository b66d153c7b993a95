/* What is done with a cluster directory (trust/credentials.h says what is in it): making one,
 * asking for what belongs in it, and giving others what belongs in theirs. Nothing is written over
 * that cannot be made again. Errors: REFUSED (it is there already, it does not fit, keys that
 * others may read), NOTFOUND, INVALID, LIMIT, NOMEM, IO; *error says what to do. */
#ifndef NEAP_TRUST_DIRECTORY_H
#define NEAP_TRUST_DIRECTORY_H
#include "trust/admit.h"
#include "trust/invitation.h"

/* A new cluster, and its first node. On error nothing is left of it but the directory. */
int directory_make(const char *directory, uint64_t now_s, struct neap_error *error);
/* A cluster file alone: its text. Secret. */
int cluster_text(uint64_t id, struct buffer *ret_text, struct neap_error *error);

/* A token: its bearer becomes `grants`, whose cluster is filled in, and whose id too when it is 0.
 * He has `ttl_s` for it (0: ISSUE_JOIN_S), and his certificate is valid for `seconds` (0: what is
 * usual). Tokens that were over long ago go (trust/tickets.h). */
int directory_token(const char *directory, struct principal *grants, uint64_t now_s, uint64_t ttl_s,
                    uint64_t seconds, struct buffer *ret_line, struct neap_error *error);
/* The same for a request that came as a file. */
int directory_sign(const char *directory, struct slice request, struct principal *grants,
                   uint64_t now_s, uint64_t seconds, struct buffer *ret_papers,
                   struct neap_error *error);

/* A request for whoever's directory this is or will be, which is made when it is not there: with
 * the key that is in it, or a new one, which stays. */
int directory_request(const char *directory, struct buffer *ret_request, struct neap_error *error);
/* What was answered becomes its files. `fingerprint`: of the CA that is believed; NULL: the one in
 * the directory, and any when there is none. REFUSED when it is for somebody else than before. */
int directory_take(const char *directory, struct slice papers,
                   const uint8_t fingerprint[FINGERPRINT_SIZE], struct issued *ret_issued,
                   struct neap_error *error);
/* A new certificate for whom it is, where the CA's key is in it. */
int directory_renew(const char *directory, uint64_t now_s, struct issued *ret_issued,
                    struct neap_error *error);
#endif
