/* The wheel: one turn, the same code in production and in the simulator. Its order is the
 * durability contract: 1 step each event, 2 commit the one batch, 3 only then send, 4 only then
 * complete callers. A failed commit stops the node. */
#ifndef NEAP_ENGINE_WHEEL_H
#define NEAP_ENGINE_WHEEL_H
#include "engine/engine.h"

enum { TURN_EVENTS_MAX = 256 };

struct wheel {
    struct engine engine;
    struct disk *disk;
    struct net *net; /* NULL: alone */
    struct batch *batch;
    struct outbox outbox;
    struct done done;
    int stopped;             /* 0, or why the node stopped: every later event gets it */
    struct neap_error error; /* text for that */
    /* For the simulator: asked before each effect; true: power fails here, the turn ends. */
    bool (*crash)(void *arg, const char *before);
    void *crash_arg;
};

struct wheel_options {
    struct disk *disk;   /* borrowed */
    struct net *net;     /* borrowed; NULL: alone */
    struct clock *clock;
    const struct directory_mark *mark;
    bool suspect;
    const struct gossip_options *gossip; /* NULL: alone */
    struct trace *trace;
    uint32_t sync_ms;
    uint64_t log_max;
};

int wheel_open(struct wheel *wheel, const struct wheel_options *options, struct neap_error *error);
void wheel_close(struct wheel *wheel);
/* Steps up to TURN_EVENTS_MAX events, commits, sends. Completed events are in wheel->done.events
 * (each with its code) until the next turn: the caller tells the waiters. */
void wheel_turn(struct wheel *wheel, struct now now, struct event **events, size_t count);
#endif
