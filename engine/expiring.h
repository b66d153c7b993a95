/* The turns in which values expire (docs/decisions/0075): the mark moves, and what this node may
 * remove of what is hidden then is removed by events, a few at a time. */
#ifndef NEAP_ENGINE_EXPIRING_H
#define NEAP_ENGINE_EXPIRING_H
#include "gossip/gossip.h"
#include "store/keys.h"
#include "store/store.h"

enum {
    EXPIRING_REST_MS = 100,    /* from one turn to the next */
    EXPIRING_CELLS = 64,       /* that one turn looks at */
    EXPIRING_AGAIN_MS = 60000, /* what was passed over is looked at again... */
    EXPIRING_SOON_MS = 1000,   /* ... or when it waits for its bucket to be confirmed */
    EXPIRING_GRACE_MS = 60000  /* what others made goes so long after it expired everywhere */
};

struct expiring {
    uint64_t rest_until; /* mono_ms */
    uint64_t again_at;   /* mono_ms: the index is looked at from its start; 0: no need */
    bool more;           /* there is more to look at than one turn did */
    struct key from;     /* what is before it was looked at; empty: the start */
    uint64_t removed;    /* events, since opening: for status */
};

/* The turn, if it is time. *ret_sync: its commit must be a synced one. NOMEM, IO. */
int expiring_tick(struct expiring *expiring, struct store *store, struct gossip *gossip,
                  struct now now, struct batch *batch, bool *ret_sync);
uint64_t expiring_deadline(const struct expiring *expiring, const struct store *store,
                           struct now now); /* mono_ms; UINT64_MAX: none */
/* Tells readers when they are to ask for a turn. At the end of each turn of the wheel. */
void expiring_publish(const struct expiring *expiring, struct store *store, struct now now);
#endif
