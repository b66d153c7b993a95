/* Which buckets this node holds, changed while it runs (docs/decisions/0093). */
#ifndef NEAP_ENGINE_SUBSCRIBE_H
#define NEAP_ENGINE_SUBSCRIBE_H
#include "store/batch.h"

struct engine;
struct shard;

enum subscribe_what {
    SUBSCRIBE_ADD,
    SUBSCRIBE_REMOVE,
    SUBSCRIBE_DROP /* what is on its way out goes at once, whoever lacks it */
};

struct subscribing {
    enum subscribe_what what;
    const char *entry; /* a name or glob; of DROP: of which of them */
    uint64_t dropped;  /* out: buckets... */
    uint64_t lost;     /* ... and the events in them that nobody else is known to have */
};

/* REFUSED: nothing can be written; INVALID, LIMIT: no such name or glob, too many. */
int engine_subscribe(struct engine *engine, struct subscribing *subscribing, struct batch *batch);
/* Events of the shard that are known to be nowhere else. */
uint64_t engine_unshared(const struct engine *engine, const struct shard *shard);
#endif
