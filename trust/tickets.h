/* All the tokens that were made in a cluster directory (trust/ticket.h): to show them, to take one
 * back, and to let go of those that are over. Errors: NOTFOUND, REFUSED, INVALID, NOMEM, IO; *error
 * says what. */
#ifndef NEAP_TRUST_TICKETS_H
#define NEAP_TRUST_TICKETS_H
#include "trust/ticket.h"

/* So long after its time a token that was used, or was not, is remembered: who comes late with it
 * is told why he is not let in. */
enum { TICKETS_KEPT_S = 7 * 86400 };

/* Calls `each` for each token, in the order of their ids; an error of its own ends that and is
 * returned, and it says in *error what it is. `id` is that of the file. A file that cannot be read
 * is left out, and counted. */
int tickets_each(const char *directory,
                 int (*each)(void *arg, uint64_t id, const struct ticket *ticket,
                             struct neap_error *error),
                 void *arg, size_t *ret_damaged, struct neap_error *error);
/* Its file goes, whatever is in it. */
int tickets_remove(const char *directory, uint64_t id, struct neap_error *error);
/* Removes those whose time was over TICKETS_KEPT_S ago. */
int tickets_prune(const char *directory, uint64_t now_s, struct neap_error *error);
/* "open", "used", "expired", "burnt": what ticket_use() by another key would say. */
const char *ticket_state(const struct ticket *ticket, uint64_t now_s);
#endif
