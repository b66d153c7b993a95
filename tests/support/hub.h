/* A net within the process: nodes of a test find each other by address and talk through a hub, from
 * whatever threads they have. */
#ifndef NEAP_TEST_HUB_H
#define NEAP_TEST_HUB_H
#include <pthread.h>

#include "gossip/net.h"

enum { HUB_NODES = 64, HUB_LINKS = 64 };

/* One end of a link. */
struct hub_end {
    struct hub_net *net; /* NULL: it is down */
    uint64_t link;
    enum net_side side;
    bool waits;           /* a message was delivered, and ready() has not been called */
    struct buffer *queue; /* messages on their way to this end, oldest first */
    size_t queue_count;
};

struct hub_link {
    struct hub_end ends[2];
};

struct hub {
    pthread_mutex_t lock;
    struct hub_net *nets[HUB_NODES];
    size_t nets_count;
    struct hub_link links[HUB_LINKS];
    uint64_t accepted_next;
    uint64_t messages;
};

struct hub_net {
    struct net net;
    struct hub *hub;
    const char *address;
    struct net_sink *sink;
    bool stopped;
    const struct principal *shows; /* whose certificate others see; NULL: none */
    /* Called before each send, with the message; under the hub's lock. NULL: nothing. */
    void (*before_send)(void *arg, struct slice message);
    void *arg;
};

void hub_init(struct hub *hub);
void hub_done(struct hub *hub);
/* For node_options.net_open: `arg` is a struct hub_net with hub and address filled in. It must
 * live until the net is freed. */
int hub_open(void *arg, struct net_sink *sink, struct net **ret_net, struct neap_error *error);

/* A client of the node at `address`: one link, one request at a time. */
struct hub_client {
    struct hub_net net;
    struct net_sink sink;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool up, down, replied;
    struct buffer reply;
};
int hub_client_open(struct hub_client *client, struct hub *hub, const char *address);
/* The same at the listener of that side, with that certificate (may be NULL). */
int hub_client_open_as(struct hub_client *client, struct hub *hub, const char *address,
                       enum net_side side, const struct principal *shows);
int hub_client_call(struct hub_client *client, struct slice request);
void hub_client_close(struct hub_client *client);
#endif
