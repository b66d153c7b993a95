/* What a node does while the data of a ring moves (gossip/ring_track.h, docs/decisions/0094): of
 * each slot that it owns in a new layout it asks the owners in older ones what they have, waits
 * until it has that, and says how far it is. On the wheel; what moves moves by push, pull and
 * compare. */
#ifndef NEAP_ENGINE_PLACING_H
#define NEAP_ENGINE_PLACING_H
#include "engine/survey.h"
#include "gossip/ring_track.h"
#include "store/batch.h"

enum { PLACING_LANES = 8, PLACING_AGAIN_MS = 1000, PLACING_ASK_MS = 5000, PLACING_NAMES = 16 };

struct engine;

/* One slot that is looked after. */
struct placing_lane {
    enum { LANE_FREE, LANE_ASKS, LANE_RESTS, LANE_WAITS } state;
    unsigned slot;
    char name[RING_SHARD_NAME_MAX];
    struct survey survey;
    struct context need; /* of LANE_WAITS: what has to be here */
    uint64_t again_ms;   /* of LANE_RESTS */
};

struct placing {
    uint64_t version; /* of the rings that were looked at last */
    uint64_t news;    /* and the state of gossip */
    uint64_t again_ms;
    bool again;
    /* The layout that is being fetched. */
    bool runs;
    char ring[RING_NAME_MAX + 1];
    uint64_t stamp;
    unsigned next; /* slots before it are taken up */
    struct placing_lane lanes[PLACING_LANES];
    /* Buckets that were written to and are not in their ring's set of names yet. */
    char names[PLACING_NAMES][NEAP_BUCKET_MAX + 1];
    size_t names_count;
    /* Fetched, and perhaps not told yet. */
    char told_ring[RING_NAME_MAX + 1];
    uint64_t told_stamp;
};

/* In each turn, before its commit. IO. */
int placing_work(struct engine *engine, struct now now, struct batch *batch, struct outbox *outbox);
/* A bucket of the ring was written to: with this turn, or when it is written to again, all nodes
 * hear its name. */
void placing_name(struct engine *engine, const struct ring *ring, const char *bucket);
bool placing_asked(struct engine *engine, struct now now, struct ask *ask); /* one of its own */
uint64_t placing_deadline(const struct engine *engine, struct now now);
void placing_done(struct engine *engine);
#endif
