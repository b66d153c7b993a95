/* Calls about buckets that this node does not hold, on the caller's thread: docs/decisions/0096. */
#ifndef NEAP_ENGINE_NODE_FORWARD_H
#define NEAP_ENGINE_NODE_FORWARD_H
#include "engine/node.h"

/* Can such a call be handed on? EDGE never is, and a node alone has nobody. */
bool node_forwards(const struct node *node, enum neap_level level);
/* False: some of it is another's. */
bool node_holds_write(struct node *node, const struct write *write);

/* As node_write() and so on, of what this node does not hold. BUSY: too many are under way, here or
 * there; UNAVAILABLE: nobody who holds it can be reached, and nothing was done; UNCERTAIN: a write
 * was handed on, and there was no answer. REFUSED: EDGE, a node alone; an id (once). */
int node_forward_write(struct node *node, struct write *write, uint64_t until_ms);
int node_forward_read(struct node *node, struct read *read, const char *shard,
                      struct buffer *ret_cell, uint64_t until_ms);
int node_forward_page(struct node *node, struct page_request *request, const char *shard,
                      struct page *ret_page, uint64_t until_ms);
#endif
