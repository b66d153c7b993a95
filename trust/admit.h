/* The desk at which certificates are handed out: whoever has the CA's key in his cluster directory.
 * A request comes from somebody whose certificate was checked already: the bearer of a token, who
 * becomes what the token gives, once; or somebody who is one already, whose own is made anew. A
 * request names nobody and no rights, so it cannot ask for other ones. */
#ifndef NEAP_TRUST_ADMIT_H
#define NEAP_TRUST_ADMIT_H
#include "trust/papers.h"
#include "trust/ticket.h"

/* The text of the CA's files; desk_close(). */
struct desk {
    struct buffer cluster, ca, key; /* the first and the last are secret */
    uint64_t id;                    /* of the cluster */
};

/* REFUSED: there is no CA's key in it, or one that others may read; NOTFOUND, INVALID, NOMEM, IO.
 * *error says what. */
int desk_open(const char *directory, struct desk *ret_desk, struct neap_error *error);
void desk_close(struct desk *desk);
/* Papers for whoever has the key of this request. `seconds`: 0, what is usual. */
int desk_sign(const struct desk *desk, struct slice request, const struct principal *who,
              uint64_t now_s, uint64_t seconds, struct buffer *ret_papers,
              struct neap_error *error);

/* By whom, when, and who is not to be admitted in any case. */
struct admitting {
    const char *directory;
    uint64_t now_s;
    bool (*is_revoked)(void *arg, const struct principal *who); /* NULL: nobody is */
    void *arg;
};

/* One request of a link with this principal. What becomes of a token is durable before this
 * returns; of one directory one call at a time. The papers are secret. Errors: REFUSED: he gets
 * none, and why; INVALID: the request is none; others: try again. */
int admit(const struct admitting *admitting, const struct principal *who, struct slice request,
          struct buffer *ret_papers, struct neap_error *error);
#endif
