/* The cluster file, and lists of peers: what people write, checked. */
#ifndef NEAP_ENGINE_NODE_CLUSTER_H
#define NEAP_ENGINE_NODE_CLUSTER_H
#include "base/hash.h"
#include "gossip/gossip.h"

/* What `neap init` makes; whoever can read it is of the cluster. */
struct cluster {
    uint64_t id;
    struct hash_key key; /* of hashes that nodes compare */
};

/* Lines `cluster = 16 hex digits` and `key = 64 (or 32) hex digits`; `#` begins a comment. REFUSED
 * when others than its owner may read it; NOTFOUND, INVALID: *error says what. */
int cluster_read(const char *path, struct cluster *ret_cluster, struct neap_error *error);
/* The same from text; `path` is for messages. */
int cluster_parse(const char *text, const char *path, struct cluster *ret_cluster,
                  struct neap_error *error);

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
