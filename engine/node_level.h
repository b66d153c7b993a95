/* Reads at a level, on the caller's thread: docs/decisions/0092. */
#ifndef NEAP_ENGINE_NODE_LEVEL_H
#define NEAP_ENGINE_NODE_LEVEL_H
#include "engine/node.h"

struct level_read {
    const char *bucket;
    enum neap_level level; /* one that there is */
    uint64_t until_ms;
    uint32_t timeout_ms; /* for people */
};

/* Returns when this node holds all that enough nodes had seen of the bucket when it was called; for
 * levels up to ONE, and where there are no others, at once. UNAVAILABLE: too few nodes can be
 * reached, which is told at once, or it came to that, or what they have did not come in time.
 * NOMEM, IO, CORRUPT. */
int node_level(struct node *node, const struct level_read *want, struct neap_error *error);
#endif
