/* Work on the trees of shards (store/merkle.h) while nothing else is to do: those that are missing
 * or too full are built, and each shard is read again now and then and held against its tree. In
 * steps, so that nobody waits for it: TREES_CELLS cells a turn, and a pause after each. */
#ifndef NEAP_ENGINE_TREES_H
#define NEAP_ENGINE_TREES_H
#include "gossip/task.h"

enum {
    TREES_CELLS = 4096,      /* a step: 2 ms */
    TREES_BUILD_MS = 4,      /* between steps of a build that is missed... */
    TREES_SCRUB_MAX = 80000, /* cells a second of a scrub: 50 ms between steps, 4 % of a core */
    TREES_BUSY = 4,          /* times as long while callers write */
    TREES_LOOK_MS = 1000,    /* between looks for work, while something happens */
    TREES_AGAIN_MS = 10000   /* after a shard that can't be read */
};

struct trees {
    bool kept;
    uint64_t next_at;          /* mono_ms of the next step */
    uint64_t looked_at;        /* ... of the last one */
    bool idle;                 /* it found nothing to do, nor will one until something happens */
    uint64_t from;             /* the shard whose turn it is, or the next one */
    uint64_t counts_from;      /* the same, of counts (engine/counting.h) */
    uint64_t scrub_ms;         /* between rounds of scrubs; 0: none */
    uint32_t scrub_max;        /* cells a second; 0: TREES_SCRUB_MAX */
    uint64_t writes, written;  /* by callers: so far, and at the last step */
    uint64_t scrub_at;         /* the next round; 0: not known yet */
    uint64_t scrub_from;       /* the next shard of the round that runs... */
    bool scrubs;               /* ... if one does */
    bool scrubs_rest;          /* by order of an operator: no shard is begun */
    uint64_t scrubs_ms;        /* mono_ms: when the round began */
    bool scrubs_ended;         /* it came to its end */
    uint64_t round_buckets, round_cells, round_differed; /* that it has read */
    uint64_t builds, scrubbed; /* shards, since opening: for status */
    uint64_t differed;         /* of those, whose cells were not what the tree said */
};

/* One step, if it is time. CORRUPT and LIMIT of a scan are not returned: they are noted by whoever
 * reads the cells for a better reason, and the shard is tried again later. IO, NOMEM. */
int trees_tick(struct trees *trees, struct store *store, struct gossip *gossip, struct now now,
               struct batch *batch, struct trace *trace);
/* Something has happened that may have made work: there is a look soon. */
void trees_wake(struct trees *trees, struct now now);
uint64_t trees_deadline(const struct trees *trees); /* mono_ms; UINT64_MAX: none */
/* A round of scrubs begins at once; who orders one takes a pause back. */
void trees_scrub(struct trees *trees);
/* The scrub of one shard. BUSY: its tree is being built, or scrubbed already. NOMEM. */
int trees_scrub_one(struct trees *trees, struct shard *shard);

/* The builds and scrubs that there are, and the round of scrubs (gossip/task.h). */
int trees_tasks(const struct trees *trees, const struct store *store, task_each each, void *arg);
/* Of BUILD and SCRUB of a shard, of ROUND. NOTFOUND; REFUSED: a tree that is missing is built in
 * any case, and only paused. */
int trees_task_order(struct trees *trees, struct store *store, enum task_kind kind, uint64_t shard,
                     enum task_order order);
#endif
