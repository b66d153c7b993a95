/* Questions to other nodes, for calls of operators: on the caller's thread, which sleeps until the
 * answers are there. The questions go out in a turn of the wheel as an event (EVENT_ASK), which is
 * done when the last answer has come or its time is over; nobody polls.
 *
 * How to ask (explain is an example, engine/node_explain.c):
 *   1. A kind: a name in enum ask_kind and a row in the table of gossip/ask.c, with the function
 *      that answers it on the peer's wheel, from its shard and a view.
 *   2. struct ask ask = {.kind = ..., .shard = ..., .bytes = ...}; node_ask(); then for each of
 *      ask.answers look at `end`, `code`, and decode `bytes` as what they are: bytes of a peer.
 *   3. ask_done(), also after errors. For the next page, an ask to that `node`.
 * In the simulator, where there are no threads: an event of kind EVENT_ASK; it is among the done of
 * a later turn. */
#ifndef NEAP_ENGINE_NODE_ASK_H
#define NEAP_ENGINE_NODE_ASK_H
#include "engine/node.h"

enum { ASK_MS = 5000 }; /* a good time for one question */

/* ask->until_ms is filled in from timeout_ms (0: ASK_MS). 0: each answer says for itself whether
 * there is one; a node without peers has no answers. Else none is there, and *error says why:
 * REFUSED (this node is alone), NOTFOUND (no such peer), BUSY (too many asks at once), UNAVAILABLE
 * (it is being closed), NOMEM, LIMIT, or why the node has stopped. */
int node_ask(struct node *node, struct ask *ask, uint32_t timeout_ms, struct neap_error *error);
#endif
