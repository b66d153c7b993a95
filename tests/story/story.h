/* Stories: a few nodes in a simulated world, and the text of what they said and did, which is the
 * assertion. Callers' words are in that text as well: "A add tags ripe", "A has tags: ripe". */
#ifndef NEAP_STORY_H
#define NEAP_STORY_H
#include "sim/world.h"
#include "tests/support/test.h"

struct story {
    struct world world;
    bool detail; /* links (dials, hellos, ends) and cuts of logs are told, too */
    bool wrote;
};

/* Nodes A, B... that know of each other and are down. With NEAP_BREAK=NAME in the environment that
 * rule is broken (sim/rules.c): then some story must fail. */
void story_begin(struct story *story, const struct world_options *options);
/* So many nodes that are up and know each other; the text is empty again. */
void story_meet(struct story *story, size_t nodes);
/* Nothing failed, and all nodes agree when `agree`. */
void story_end(struct story *story, bool agree);
void story_run(struct story *story, uint64_t ms);

/* A durable write in the words of the tool `neap`, where K is [BUCKET:]KEY[/FIELD], of bucket "box"
 * unless said otherwise; "once ID " before it gives it an id, for callers that ask again;
 * "quorum " makes it wait for more than half of the nodes, for 5 ms at most:
 *   incr K N, set K VALUE, put K VALUE (a register, in place of what this node has seen), on K,
 *   off K, add K MEMBER, remove K MEMBER, delete K (all that is there); allow K MEMBER and bar K
 *   MEMBER, of a set where removals win; tally K N, of an exact counter; stock K N, of a bounded
 *   one */
void story_do(struct story *story, size_t node, const char *words);
/* Writes into the text what that node has there. */
void story_show(struct story *story, size_t node, const char *key);
/* The same of all nodes that are up. */
void story_show_all(struct story *story, const char *key);

void story_cut(struct story *story, size_t a, size_t b, bool cut); /* both ways */
void story_isolate(struct story *story, size_t node, bool isolated);
/* The node must be down. Its directory is that of `from` as it is now, or empty (NULL). */
void story_replace(struct story *story, size_t node, struct disk *from);

/* What was said since the last look: without times, digests, and what is left out by `only`, the
 * name of a node (NULL: of all). Notes of the world, "- ...", always are in it. */
void story_told(struct story *story, const char *only, const char *expected);
void story_forget(struct story *story); /* what was said so far */
/* Writes into the text the node's history, but for scrubs: what, of which bucket, how it ended. */
void story_history(struct story *story, size_t node);
uint64_t story_counted(struct story *story, size_t node, const char *reason);
#endif
