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

/* May a node listen or connect there? With certificates (`trusted`) only with TLS, or on a Unix
 * socket, whose mode says who may; without them only on this machine. `what` begins the message. */
int address_check(const char *address, bool trusted, const char *what, struct neap_error *error);
/* What others are told to connect to: not an address that means "anywhere here". */
const char *address_told(const char *address);
/* Addresses with commas between them; `own` is left out, so that one list may serve all nodes.
 * Zeroed on error. */
int peer_list_read(const char *text, const char *own, bool trusted, struct peer_list *ret_list,
                   struct neap_error *error);
void peer_list_done(struct peer_list *list);

/* The record of this node in the member list, from what people say; INVALID, LIMIT, REFUSED. */
struct advertising {
    const char *advertise, *listen, *name, *zone; /* NULL: not given */
    unsigned weight;                              /* 0: the default */
};
int own_row(const struct advertising *from, bool trusted, struct roster_row *ret_row,
            struct neap_error *error);
#endif
