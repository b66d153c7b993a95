/* Two doors of the real net on loopback, one of which dials the other, and what they tell. */
#ifndef NEAP_TESTS_NET_PAIR_H
#define NEAP_TESTS_NET_PAIR_H
#include <pthread.h>

#include "gossip/net.h"

enum { EVENTS_MAX = 64 };

struct inbox {
    struct net_sink sink;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct net_event events[EVENTS_MAX];
    unsigned count, taken;
};

void inbox_init(struct inbox *inbox);
struct net_event *inbox_take(struct inbox *inbox); /* waits for it */
bool inbox_is_empty(struct inbox *inbox);
void inbox_done(struct inbox *inbox);

struct pair {
    struct inbox here, there;
    struct net *near, *far;
    uint64_t far_link;
    char address[64];
};

/* Link 1 of `near` is far_link there. */
void pair_open(struct pair *pair, uint32_t handshake_ms, size_t queue_max);
/* Only `far` listens, and nobody has dialled. Without credentials it is plain. */
void pair_listen(struct pair *pair, const struct net_nng_options *near,
                 const struct net_nng_options *far);
void pair_dial(struct pair *pair);
void pair_close(struct pair *pair);

/* A client's call that goes on beside: a thread of its own asks and waits for the answer. */
struct asking {
    struct net_call *call;
    const char *question;
    pthread_t thread;
    struct buffer reply;
    int error;
};

void asking_start(struct asking *asking, struct net_call *call, const char *question);
int asking_end(struct asking *asking); /* what net_call() said; then `reply` is the caller's */
struct slice pattern(uint8_t *bytes, size_t size);
int raw_connect(struct net *net);
/* How often that was counted. */
uint64_t net_counted(struct net *net, const char *name);
#endif
