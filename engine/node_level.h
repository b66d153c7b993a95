/* Reads at a level, on the caller's thread: docs/decisions/0092. */
#ifndef NEAP_ENGINE_NODE_LEVEL_H
#define NEAP_ENGINE_NODE_LEVEL_H
#include "engine/node.h"

struct level_read {
    const char *bucket;    /* or the name of its slot's shard */
    const char *name;      /* of the bucket, and... */
    struct slice path;     /* ... what is read, or... */
    unsigned slot, slots;  /* ... as of a page */
    enum neap_level level; /* one that there is */
    uint64_t until_ms;
    uint32_t timeout_ms; /* for people */
};

/* Does this node hold it still, where it was? Layouts change while a read waits. */
bool node_reads_here(struct node *node, const struct level_read *want);
/* Returns when this node holds all that enough nodes had seen of the bucket when it was called; for
 * levels up to ONE, and where there are no others, at once. UNAVAILABLE: too few nodes can be
 * reached, which is told at once, or it came to that, or what they have did not come in time.
 * STALE: this node does not hold it any more, and need not get it. NOMEM, IO, CORRUPT. */
int node_level(struct node *node, const struct level_read *want, struct neap_error *error);
#endif
