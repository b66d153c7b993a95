/* Lists of peers: what people write, checked. */
#ifndef NEAP_ENGINE_NODE_CLUSTER_H
#define NEAP_ENGINE_NODE_CLUSTER_H
#include "gossip/gossip.h"
#include "trust/cluster.h"

struct peer_list {
    char *text; /* the addresses point into it */
    const char *addresses[PEERS_MAX];
    size_t count;
};

/* Addresses with commas between them; `own` is left out, so that one list may serve all nodes.
 * Zeroed on error. */
int peer_list_read(const char *text, const char *own, struct peer_list *ret_list,
                   struct neap_error *error);
void peer_list_done(struct peer_list *list);
#endif
