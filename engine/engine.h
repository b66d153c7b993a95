/* The node as a state machine: an event in, effects out. No IO, no clock, no threads. */
#ifndef NEAP_ENGINE_ENGINE_H
#define NEAP_ENGINE_ENGINE_H
#include "engine/backend.h"
#include "engine/counting.h"
#include "engine/enlist.h"
#include "engine/expiring.h"
#include "engine/placing.h"
#include "engine/serve.h"
#include "engine/subscribe.h"
#include "engine/trees.h"
#include "gossip/ask.h"
#include "gossip/gossip.h"

enum event_kind {
    EVENT_WRITE,     /* a caller's write */
    EVENT_SYNC,      /* a caller wants all that was written to be durable */
    EVENT_NET,       /* from the net door, not a client's */
    EVENT_TICK,      /* engine_deadline() has come */
    EVENT_ISOLATE,   /* operator: cut this node off, or back on */
    EVENT_ASK,       /* questions to peers; is done when they have ended, turns later */
    EVENT_COUNT,     /* a caller counts what is too large to be scanned at each call */
    EVENT_CLOSE,     /* it is about to be closed: calls of other nodes are let go of */
    EVENT_LEAVE,     /* the last of all: others are told */
    EVENT_SUBSCRIBE, /* operator: other buckets are held from now on */
    EVENT_WORK,      /* an operator's work on shards, that may write; is durable when it is done */
    EVENT_CALL       /* run on the wheel's thread, between steps: reads of engine state (status) */
};

struct engine;

struct event {
    enum event_kind kind;
    struct write *write;   /* EVENT_WRITE: borrowed until it is done */
    struct net_event *net; /* EVENT_NET: borrowed; the wheel ends its message */
    bool isolated;
    struct count *count;             /* EVENT_COUNT: borrowed until it is done */
    struct subscribing *subscribing; /* EVENT_SUBSCRIBE: borrowed until it is done */
    struct ask *ask; /* EVENT_ASK: borrowed until it is done; its owner is the event */
    void (*call)(void *arg, struct engine *engine);
    int (*work)(void *arg, struct engine *engine, struct now now, struct batch *batch);
    void *arg;
    bool when_stopped;  /* EVENT_CALL: also when the node has stopped */
    int code;           /* out: valid when done */
    void *waiter;       /* whoever is told: the threads' business */
    struct event *next; /* queues' business */
};

/* What is complete, once the batch is durable (or committed, for nosync writes). */
struct done {
    struct event **events;
    size_t count, room;
};

struct engine {
    struct store store;
    struct gossip *gossip; /* NULL: alone */
    struct trees trees;
    struct expiring expiring;
    struct serving serving;  /* calls of other nodes' callers */
    struct placing *placing; /* NULL: there are no rings */
    struct enlist enlist;
    struct trace *trace;
    uint32_t sync_ms;        /* unsynced writes are synced after so long */
    uint64_t unsynced_since; /* mono_ms, 0: nothing unsynced */
    uint64_t tick_after;     /* mono_ms: after a tick that failed, no other before this */
    bool wants_sync;         /* this turn's commit must be a synced one */
    uint64_t log_max;        /* of a node without gossip, which has its own */
    bool ids_due;            /* without gossip: some shard needs another replica id */
    bool ids_stay;           /* that failed once: not again before a restart */
    struct engine_counts {
        uint64_t writes, repeats, events, turns, syncs, errors;
    } counts;
    struct neap_error error; /* the last one that was nobody's: for status */
};

enum { WRITE_SHARDS_MAX = TOKEN_PARTS_MAX, TICK_AGAIN_MS = 100 };

/* One event, which is done by it, but for EVENT_ASK when it is under way: its own error is in
 * event->code. Comes back only what stops the node: IO. Room for the event must be in `done`. What
 * goes wrong in an event of the net (NOMEM, CORRUPT) costs the link, and is counted. */
int engine_step(struct engine *engine, struct now now, struct event *event, struct batch *batch,
                struct outbox *outbox, struct done *done);
/* The asks that have ended, into `done`, which has room for ASKS_ALL_MAX. At the end of a turn. */
void engine_asked(struct engine *engine, struct now now, struct done *done);
/* End of the turn, before the commit: pushes, if all that is written will be durable before they
 * leave (rule 8): when this turn's commit is a synced one, or when nothing is unsynced. */
int engine_flush(struct engine *engine, struct now now, struct batch *batch, struct outbox *outbox);
/* Must the commit of this turn be a synced one? */
bool engine_must_sync(const struct engine *engine, const struct outbox *outbox);
/* In mono_ms; UINT64_MAX: none. */
uint64_t engine_deadline(const struct engine *engine, struct now now);

/* Keeps for the status what went wrong and is nobody's call. */
void engine_note(struct engine *engine, int code, const char *where);
/* Is it a write that can be tried at all? INVALID, LIMIT, REFUSED; the text names the place. */
int write_check(const struct write *write, struct neap_error *error);
/* All ops of a write or none (write.c); the token gets the dots. The code is the write's own. */
int engine_write(struct engine *engine, struct now now, struct write *write, struct batch *batch);
/* Writes with an id (write_once.c). Was it done before? Then its token and what its level waits for
 * are there. ret_ops: of what it asks for. INVALID: the id is of another write. STALE: it was given
 * by another node, or may be forgotten. */
int write_recall(const struct engine *engine, struct write *write, const struct batch *batch,
                 struct digest *ret_ops, bool *ret_repeat);
/* It is done, and its names are in it; those that nobody asked for go. */
int write_remember(struct write *write, struct batch *batch, struct digest ops);
#endif
