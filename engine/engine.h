/* The node as a state machine: an event in, effects out. No IO, no clock, no threads. */
#ifndef NEAP_ENGINE_ENGINE_H
#define NEAP_ENGINE_ENGINE_H
#include "engine/backend.h"
#include "gossip/gossip.h"

enum event_kind {
    EVENT_WRITE,   /* a caller's write */
    EVENT_SYNC,    /* a caller wants all that was written to be durable */
    EVENT_NET,     /* from the net door, not a client's */
    EVENT_TICK,    /* engine_deadline() has come */
    EVENT_ISOLATE, /* operator: cut this node off, or back on */
    EVENT_CALL     /* run on the wheel's thread, between steps: reads of engine state (status) */
};

struct event {
    enum event_kind kind;
    struct write *write;        /* EVENT_WRITE: borrowed until it is done */
    struct net_event *net;      /* EVENT_NET: borrowed; the wheel frees it */
    bool isolated;
    void (*call)(void *arg, void *engine);
    void *arg;
    int code;                   /* out: valid when done */
    void *waiter;               /* whoever is told: the threads' business */
    struct event *next;         /* queues' business */
};

/* What is complete, once the batch is durable (or committed, for nosync writes). */
struct done {
    struct event **events;
    size_t count, room;
};

struct engine {
    struct store store;
    struct gossip *gossip;     /* NULL: alone */
    struct trace *trace;
    uint32_t sync_ms;          /* unsynced writes are synced after so long */
    uint64_t unsynced_since;   /* mono_ms, 0: nothing unsynced */
    bool wants_sync;           /* this turn's commit must be a synced one */
    uint64_t log_max;
    struct engine_counts {
        uint64_t writes, events, turns, syncs, errors;
    } counts;
};

/* One event. An error is the event's own (put into event->code, the event done at once), but for
 * NOMEM in net events, IO and CORRUPT, which come back and stop the node. */
int engine_step(struct engine *engine, struct now now, struct event *event, struct batch *batch,
                struct outbox *outbox, struct done *done);
/* End of the turn, before the commit: pushes. */
int engine_flush(struct engine *engine, struct now now, struct batch *batch,
                 struct outbox *outbox);
uint64_t engine_deadline(const struct engine *engine, struct now now); /* mono_ms; UINT64_MAX none */
#endif
