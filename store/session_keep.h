/* A compare that is under way outlives the process (rule 7, docs/decisions/0016): how far it has
 * come is written with each page that it takes. Inside of store/. */
#ifndef NEAP_STORE_SESSION_KEEP_H
#define NEAP_STORE_SESSION_KEEP_H
#include "store/chunk.h"
#include "store/shard.h"

/* Where a session will be, when the chunk or page is in. All is borrowed. */
struct session_next {
    bool changed;                 /* past the cells */
    struct slice cursor;          /* cells: the next one to compare */
    const struct context *seen;   /* changed: how far the peer's log was read */
    const struct context *target; /* changed */
    const struct context *horizon;
};

/* No effect on a session without a name (shard_compare_name). */
int session_keep(struct shard *shard, struct batch *batch, const struct session_next *next);
/* What was kept goes; to be called with whatever must not happen while a session may go on. */
int session_drop(struct shard *shard, struct batch *batch);
/* What was kept is taken up, if `same_life`. What can't be read is none. NOMEM, IO, CORRUPT. */
int session_load(struct shard *shard, const struct view *view, bool same_life);
#endif
