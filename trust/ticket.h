/* What a token gives, and whether it was used: a file of the node that made it (tokens/ID in the
 * cluster directory), as text. A token works once: the key that it was used with may ask again, and
 * gets the same; another one may not. */
#ifndef NEAP_TRUST_TICKET_H
#define NEAP_TRUST_TICKET_H
#include "trust/issue.h"

#define TICKETS_DIRECTORY "tokens"
enum { TICKET_FAILURES_MAX = 3, TICKET_NAME_MAX = 17 };

struct ticket {
    struct principal grants; /* who the bearer becomes; its id is the token's */
    uint64_t until_s;        /* since 1970 */
    uint64_t seconds;        /* of the certificate that is made; 0: what is usual */
    unsigned failures;
    bool used;
    uint8_t key[FINGERPRINT_SIZE]; /* of the public key, when used */
};

/* INVALID, NOMEM: *error says what. ticket_done() in the end. */
int ticket_read(struct slice text, struct ticket *ret_ticket, struct neap_error *error);
int ticket_write(const struct ticket *ticket, struct buffer *ret_text);
void ticket_done(struct ticket *ticket);
/* A request with this key. 0: he may have it; the ticket may have changed, and must be kept before
 * he gets it. REFUSED: why not, and what to do; it has not changed. */
int ticket_use(struct ticket *ticket, const uint8_t key[FINGERPRINT_SIZE], uint64_t now_s,
               struct neap_error *error);
/* A request that was none: after TICKET_FAILURES_MAX of them nobody is admitted. */
void ticket_fail(struct ticket *ticket);
/* The file's name: 16 hex digits. */
void ticket_name(uint64_t id, char ret_name[TICKET_NAME_MAX]);
#endif
