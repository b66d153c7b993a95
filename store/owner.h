/* Whose replica ids are, as far as others may not use them (docs/decisions/0081): who claimed one
 * first, by his certificate. It stays, whatever becomes of the events.
 *   'B' [shard 8][replica id 8] -> [version, kind, id] */
#ifndef NEAP_STORE_OWNER_H
#define NEAP_STORE_OWNER_H
#include "store/batch.h"

struct owner {
    uint64_t kind, id; /* the caller's: a kind of principal, and which */
};

/* NOTFOUND: nobody's yet. FORMAT: of a later version. CORRUPT, IO, NOMEM. */
int owner_read(const struct view *view, uint64_t shard, uint64_t replica, struct owner *ret_owner);
int owner_write(struct batch *batch, uint64_t shard, uint64_t replica, const struct owner *owner);
#endif
