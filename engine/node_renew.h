/* A node's own certificate, made anew in time (trust/renewal.h). */
#ifndef NEAP_ENGINE_NODE_RENEW_H
#define NEAP_ENGINE_NODE_RENEW_H
#include "engine/node.h"

/* Asks whoever is at this address, and puts what he gives into the node's cluster directory. */
struct renew_asking {
    int (*ask)(void *arg, const char *address, struct neap_error *error);
    void *arg;
};

/* One look, by the node's clock: what is due is done, which may take seconds. NULL: over links of
 * its own. Of one thread at a time. */
void node_renew(struct node *node, const struct renew_asking *asking);
/* The thread that does so now and then; nothing for nodes without certificates. NOMEM. */
int node_renew_start(struct node *node);
void node_renew_stop(struct node *node); /* when the node is being closed; fine without a start */
#endif
