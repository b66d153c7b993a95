/* The wheel: one turn, the same code in production and in the simulator. Its order is the
 * durability contract: 1 step each event, 2 commit the one batch, 3 only then send, 4 only then
 * complete callers. A failed commit stops the node. */
#ifndef NEAP_ENGINE_WHEEL_H
#define NEAP_ENGINE_WHEEL_H
#include <stdatomic.h>

#include "engine/engine.h"

/* Past TURN_BYTES the events that are left get a commit of their own, in the same call. */
enum { TURN_EVENTS_MAX = 256, TURN_BYTES = 8 << 20, OUTBOX_BYTES_MAX = 64 << 20 };
/* Those of a turn, and asks that end in it. */
enum { DONE_MAX = TURN_EVENTS_MAX + ASKS_ALL_MAX };

struct wheel {
    struct engine engine;
    struct disk *disk;
    struct net *net; /* NULL: alone */
    struct batch *batch;
    struct outbox outbox;
    struct done done;
    int stopped;             /* 0, or why the node stopped: every later event gets it */
    struct neap_error error; /* text for that */
    /* Something that was committed is not synced yet. True before the commit, so that whoever finds
     * it false after reading the disk has read only what is durable. Any thread. */
    atomic_bool unsynced;
    /* For the simulator: asked before each effect ("commit", "send", "done"); true: power fails
     * here, the turn ends, `crashed` is set and the wheel turns no more. */
    bool (*crash)(void *arg, const char *before);
    void *crash_arg;
    bool crashed;
};

struct wheel_options {
    struct disk *disk; /* borrowed */
    struct net *net;   /* borrowed; NULL: alone */
    struct clock *clock;
    const struct directory_mark *mark;
    bool suspect;
    const struct gossip_options *gossip; /* NULL: alone */
    struct trace *trace;
    uint32_t sync_ms;
    uint64_t log_max;
    const char *subscribe; /* the list from now on (store/subscription.h); NULL: as it is on disk */
    /* With trees: the key of the cluster, and their bounds. NULL: without, as for a node alone. */
    const struct hash_key *cluster_key;
    unsigned tree_bits; /* 2^so many leaves a shard, at most (store_tree_bits) */
    uint64_t scrub_ms;  /* each shard is read again so often; 0: never */
    uint32_t scrub_max; /* cells a second of that; 0: TREES_SCRUB_MAX */
};

/* On error nothing is left open. */
int wheel_open(struct wheel *wheel, const struct wheel_options *options, struct neap_error *error);
/* At a clean close, when nothing is queued: trees and counts are written, so that the next opening
 * need not make them. What fails costs that and nothing else. */
void wheel_save_trees(struct wheel *wheel);
void wheel_close(struct wheel *wheel); /* zeroed is fine; what is unsynced stays so: EVENT_SYNC */
/* Steps up to TURN_EVENTS_MAX events, commits, sends. Completed events are in wheel->done.events
 * (each with its code) until the next turn: the caller tells the waiters. All are, unless
 * `crashed`, or asks that are under way, which are among those of a later turn. Messages of
 * EVENT_NET are freed, and their links told to receive again. */
void wheel_turn(struct wheel *wheel, struct now now, struct event **events, size_t count);
#endif
