/* The cells of the system's bucket, which every node holds, as a view has them: for what is kept in
 * memory of it and read anew when the bucket has changed. */
#ifndef NEAP_GOSSIP_SYSTEM_H
#define NEAP_GOSSIP_SYSTEM_H
#include "crdt/cell.h"
#include "store/batch.h"

/* Each is gone through in order of paths; those without dots are not. What it borrows is valid
 * during the call. An error ends it. */
typedef int (*system_visit)(void *arg, struct slice path, const struct cell *cell);
/* All whose path begins with `prefix`. CORRUPT, IO, NOMEM, LIMIT, or what `visit` gave. */
int system_each(const struct view *view, struct slice prefix, system_visit visit, void *arg);
#endif
