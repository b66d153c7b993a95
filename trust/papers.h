/* What somebody gets who is admitted: his certificate, the CA's, and, unless he is a client, the
 * cluster file. One text, the same over a link and as a file that is carried. */
#ifndef NEAP_TRUST_PAPERS_H
#define NEAP_TRUST_PAPERS_H
#include "trust/issue.h"

struct papers {
    struct slice cluster;         /* text of the cluster file; empty: none */
    struct slice certificate, ca; /* PEM */
};

enum { PAPERS_MAX = 48 << 10 };

/* Secret when the cluster file is in it. LIMIT, NOMEM. */
int papers_write(const struct papers *papers, struct buffer *ret_text);
/* Borrows from the text. INVALID: not of this form. */
int papers_read(struct slice text, struct papers *ret_papers, struct neap_error *error);
/* Do they belong together, are they valid now, and is this the key (PEM) of the certificate? `ca`:
 * what is believed so far; size 0: nothing. REFUSED, INVALID, NOMEM. issued_done() when 0. */
int papers_check(const struct papers *papers, struct slice key, struct slice ca,
                 struct issued *ret_issued, struct neap_error *error);
#endif
