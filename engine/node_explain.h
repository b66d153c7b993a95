/* What explain and diff share: what is here, what a peer answers, whose events are whose. */
#ifndef NEAP_ENGINE_NODE_EXPLAIN_H
#define NEAP_ENGINE_NODE_EXPLAIN_H
#include "engine/explain.h"
#include "engine/node.h"

struct explaining {
    struct node *node;
    struct neap_error *error;
    struct explain explain;
    uint64_t shard;
    struct buffer prefix, question, answer; /* answer: this node's own */
    struct ask ask;
    int code;
};

void explain_init(struct explaining *explaining, struct node *node, bool differing_only,
                  struct neap_error *error);
void explain_done(struct explaining *explaining);
void explain_side_done(struct explain_side *side);
/* On the wheel's thread: all peers as sides, whose ids are whose, and what this node has seen of
 * the shard (NULL: it has none). NOMEM. */
int explain_here(struct explaining *explaining, struct engine *engine, const struct shard *shard);
/* What one of the sides has answered, or why not. NOMEM. */
int explain_answer(struct explaining *explaining, const struct ask_answer *answer);
#endif
