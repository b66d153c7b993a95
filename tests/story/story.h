/* Stories: a few nodes in a simulated world, and the trace that they must leave. */
#ifndef NEAP_STORY_H
#define NEAP_STORY_H
#include "sim/world.h"
#include "tests/support/test.h"

struct story {
    struct world world;
};

/* Nodes A, B... that know of each other and are down. */
void story_begin(struct story *story, size_t nodes);
/* Nothing failed, and all nodes agree when `agree`. */
void story_end(struct story *story, bool agree);
void story_run(struct story *story, uint64_t ms);
/* One durable increment of the counter `key` of bucket "box". */
void story_add(struct story *story, size_t node, const char *key);
int64_t story_count(struct story *story, size_t node, const char *key);
void story_isolate(struct story *story, size_t node, bool isolated);
/* A stranger opens a link to the node and says this; nothing for an empty text. */
void story_stranger(struct story *story, size_t node, struct slice message);
/* What was said since the last look: without times, digests and what is left out by `only`, the
 * name of a node (NULL: of all). */
void story_told(struct story *story, const char *only, const char *expected);
uint64_t story_counted(struct story *story, size_t node, const char *reason);
#endif
