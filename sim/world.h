/* A simulated world: nodes that are the real wheel on the memory disk, a net and clocks of our own,
 * and one heap of things to come. One seed decides everything, so that a run can be repeated. */
#ifndef NEAP_SIM_WORLD_H
#define NEAP_SIM_WORLD_H
#include "base/hash.h"
#include "base/rng.h"
#include "engine/wheel.h"
#include "sim/disk.h"

enum { NODES_MAX = 8, SIM_INBOX_MAX = 4096, SIM_QUEUE_MAX = 1 << 20 };

/* ---- what is to come ---- */

enum thing_kind {
    THING_TURN,    /* a node turns its wheel */
    THING_TICK,    /* a node's deadline */
    THING_ARRIVE,  /* the head of one direction of a link */
    THING_CONNECT, /* the outcome of a dial */
    THING_RESTART, /* a node's process begins */
    THING_CALL     /* whatever a test wants */
};

struct sim_link; /* sim/net.h */

struct thing {
    uint64_t at, order;
    enum thing_kind kind;
    size_t node; /* and the epoch in which it was meant */
    uint64_t epoch;
    struct sim_link *link;
    unsigned side;
    uint64_t dialed; /* THING_CONNECT: the dialler's number */
    size_t target;
    void (*call)(void *arg);
    void *arg;
};

/* ---- the net ---- */

/* From one node to another. What is wrong there: all zero is a good way. */
struct sim_way {
    bool cut;
    unsigned delay_ms, jitter_ms;         /* beyond the usual */
    unsigned bytes_per_s;                 /* of each link; 0: no limit */
    unsigned loses, duplicates, reorders; /* percent of messages */
    unsigned garbles;                     /* percent of messages get other bits */
};

/* An open end, as its node calls it. */
struct sim_line {
    uint64_t number;
    struct sim_link *link;
    unsigned side;
};

/* ---- nodes ---- */

struct sim_node {
    struct net net; /* first: the door of this node */
    struct clock clock;
    struct trace trace;
    struct world *world;
    size_t index;
    char name[8], address[32];
    struct disk *disk;    /* what is there: for whoever looks on */
    struct disk *above;   /* what the wheel has: the door, with its holes */
    bool had_holes;       /* when its turn began */
    struct sim_disk door; /* before it: what the wheel gets, faults and all */
    struct directory_mark mark;
    uint64_t went_back; /* its directory did, in place, to the history's mark that is one less than
                         * this, and nobody says so; 0: no */
    struct wheel wheel;
    bool up;
    uint64_t epoch; /* of the process */
    uint64_t log_max_falls;
    struct rng entropy;
    int64_t skew_ms;                 /* of its wall clock */
    int drift;                       /* permille that it runs too fast; -1000: it stands still */
    uint64_t drift_from_ms;          /* since then */
    uint64_t boot_ms;                /* its monotonic clock began then */
    bool off;                        /* the machine: it boots when the process starts */
    bool away;                       /* nobody starts it, but a hand */
    bool lets_go;                    /* of buckets, now or once: it may refuse to write them */
    uint64_t slow_ms, slow_until_ms; /* every turn takes that much longer to come */
    uint64_t paused_until_ms;        /* no turn before */
    uint64_t effects_left;           /* power fails before the last of them; 0: it does not */
    struct event **inbox;
    size_t inbox_count;
    struct event *asks[ASKS_ALL_MAX + TURN_EVENTS_MAX]; /* under way: done by a later turn */
    size_t asks_count;
    uint64_t turn_at; /* of the THING_TURN in the heap; 0 none */
    uint64_t tick_at; /* of the THING_TICK in the heap; 0 none */
    uint64_t accepted_next;
    struct sim_line *lines;
    size_t lines_count, lines_room;
    const char *peers[NODES_MAX];
    size_t peers_count;
    struct gossip_options gossip;
    uint64_t turns, crashes, starts;
    uint64_t compares, compares_resumed; /* of openings that have ended */
};

struct world_options {
    uint64_t seed;
    size_t nodes;
    uint64_t log_max;
    size_t chunk_size;     /* 0: as usual */
    size_t compare_few;    /* 0: as usual */
    size_t pushed_max;     /* shards of which a last push is kept; 0: as usual */
    uint64_t bulk_max;     /* bytes a second; 0: any */
    uint32_t heartbeat_ms; /* 0: 1000. Silence is five of them */
    uint32_t scrub_ms;     /* between two rounds; 0: SIM_SCRUB_MS */
    unsigned delay_ms_max; /* of messages */
    bool print;            /* trace lines to stdout */
    bool device;           /* the last node is one: its certificate names its buckets */
    bool mixed;            /* every other process speaks the next version, which is faked */
    bool ring;             /* the bucket of quorums is on one */
    bool steady;           /* the world leaves nothing to chance: for stories */
};

struct world {
    struct world_options options;
    struct rng rng;
    uint64_t now_ms, order;
    struct thing *heap;
    size_t heap_count, heap_room;
    struct sim_node nodes[NODES_MAX];
    size_t nodes_count;
    bool cut[NODES_MAX][NODES_MAX];            /* [from][to]: for tests; faults have their own */
    bool full[NODES_MAX][NODES_MAX];           /* the same: links take nothing more */
    struct sim_way ways[NODES_MAX][NODES_MAX]; /* [from][to] */
    struct sim_link **links;
    size_t links_count, links_room;
    uint64_t spoilt;      /* messages that were lost, doubled, or overtaken */
    struct digest digest; /* over all trace lines */
    uint64_t lines;
    struct buffer text; /* trace lines kept, when wanted */
    bool keep_text;
    const char *only; /* of a node of this name, when kept */
    char failed[512]; /* the first thing that must not be */
    /* A write has ended. `lost`: its process did first. */
    void (*write_done)(struct world *world, size_t node, struct event *event, bool lost);
    struct load *load;
    struct checks *checks; /* NULL: none */
    struct oracle *oracle; /* what happened, for checkers; NULL: nobody watches */
    void *story;           /* what a test wants to find again */
    uint64_t faults;       /* that struck */
    bool amnesia;          /* some directory went back in time: events may be lost */
    uint64_t left;         /* the same of a node that gave the names it had then to other events */
    bool garbles;          /* some messages arrive with other bytes: nothing is promised then */
    bool starves;          /* memory runs out now and then */
    uint64_t starve_at;    /* the number of the allocation that fails; 0: none */
};

void world_open(struct world *world, const struct world_options *options);
void world_close(struct world *world);
/* Things up to this time. False once something failed. */
bool world_run(struct world *world, uint64_t until_ms);
void world_fail(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_note(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* into the trace */

void world_after(struct world *world, uint64_t delay_ms, struct thing thing);
/* What the world itself does in the middle of a turn must not run out of memory. */
void world_feed(struct world *world);
void world_starve(struct world *world);
uint64_t world_below(struct world *world, uint64_t bound);

void sim_start(struct world *world, size_t node);
/* It begins no more calls of other nodes; returns how many it has begun. Then sim_stop(). */
size_t sim_ending(struct world *world, size_t node);
void sim_stop(struct world *world, size_t node); /* in good order: synced */
/* Power fails: what is not synced may go. */
/* Adds what the shards of a node that is up have counted. */
void sim_compares(const struct sim_node *node, uint64_t *compares, uint64_t *resumed);
void sim_crash(struct world *world, size_t node);
/* The process dies; what it wrote is the kernel's, and stays. */
void sim_kill(struct world *world, size_t node);
/* No turns until then; its clocks go on, and what comes waits. In the past: it goes on at once. */
void sim_pause(struct world *world, size_t node, uint64_t until_ms);
/* Of its process, and of those that come. */
void sim_set_log_max(struct world *world, size_t node, uint64_t log_max);
/* Its wall clock is so far off from now on, and gets so many permille wrong. */
void sim_set_clock(struct sim_node *node, int64_t skew_ms, int drift);
int64_t sim_skew(const struct sim_node *node); /* of its wall clock, now */
void sim_post(struct world *world, size_t node, struct event *event);
/* An operator of this node, which is up, asks its peers; the checkers are told what comes of it. */
/* An operator's order; the first three are an enum task_order. Of SCRUB and REPAIR `task` plays no
 * part. */
enum sim_order_kind { SIM_PAUSE, SIM_RESUME, SIM_CANCEL, SIM_SCRUB, SIM_REPAIR };
void sim_order(struct world *world, size_t node, enum sim_order_kind kind, enum task_kind task,
               uint64_t shard);
/* An operator subscribes to a name or glob, or no longer does; the node must be up. */
void sim_subscribe(struct world *world, size_t node, bool adds, const char *entry);
void sim_ask(struct world *world, size_t node, enum ask_kind kind, uint64_t shard, uint64_t for_ms);
/* What others have otherwise, with what is under way. */
void sim_diff(struct world *world, size_t node, uint64_t shard, uint64_t for_ms);
struct now sim_now(const struct sim_node *node);
struct shard *sim_shard(struct world *world, size_t node, const char *bucket);
/* The process must be down: the directory is replaced. */
void sim_set_disk(struct world *world, size_t node, struct disk *disk);
/* An operator throws the directory away, whatever it was good for. The process goes down. */
void sim_wipe(struct world *world, size_t node);
/* Its directory went back in place, and not all others have answered yet. What it says its events
 * are called may be the names of others: tokens of such a node are good for itself alone. */
bool sim_is_unsure(const struct sim_node *node);
/* It is sure now, or has another directory: its `went_back` becomes its world's `left`. */
void sim_leave(struct sim_node *node);
/* Is one of its shards sure already? Then that future is left, too. A process is asked before it
 * ends, as it may be sure of less when it begins again. */
void sim_leaves(struct sim_node *node);
/* Some node has lost a cell, and it is not back yet. */
bool sim_lost(const struct world *world);
/* Ranges of keys that a damaged file took with it, and that are not back yet. */
bool sim_has_holes(const struct sim_node *node);
bool sim_in_hole(const struct sim_node *node, struct slice key); /* the key of a cell */
/* Is this error, which its callers get or it stopped with, no fault of neap's? Its disk gave it in
 * this very turn (IO, CORRUPT), or memory is scarce (NOMEM). For those told of what a turn did. */
bool sim_excuses(const struct sim_node *node, int code);

/* ---- world.c, node.c: for each other ---- */
void world_line(struct world *world, const char *who, const char *text); /* into the trace */
void node_init(struct world *world, size_t node);
void node_down(struct world *world, size_t node, bool says); /* to its peers, as kernels do */
void node_turn(struct world *world, size_t node);
void node_tick(struct world *world, size_t node);

/* ---- net.c ---- */
extern const struct net_ops sim_net_ops;
void net_connect(struct world *world, const struct thing *thing);
void net_arrive(struct world *world, const struct thing *thing);
/* Its ends are closed; when it can't say so, the other sides mostly learn it all the same. */
/* Nothing is where a device wrote and may not, or read and may not. False: world_fail() says what.
 */
bool net_sealed(struct world *world);
void net_node_gone(struct world *world, size_t node, bool says);
void net_reset(struct world *world, size_t a, size_t b); /* all links between the two break */
void net_reset_spoilt(struct world *world); /* those that have not been streams at some time */
void net_hurry(struct world *world);        /* what waits for slow ways that are so no longer */
void net_free(struct world *world);
size_t net_open_links(const struct world *world, size_t a, size_t b);

/* ---- load.c: what callers do ---- */
struct load;
struct workload;
struct load *load_new(struct world *world, const struct workload *workload);
void load_free(struct load *load);
/* One call through some node, if it is up. */
void load_call(struct load *load, struct rng *rng);
uint64_t load_calls(const struct load *load);
/* The history of all calls: for checkers. */
struct history *load_history(struct load *load);
/* What else callers do (sim/escrow.h), by the seed of a step; and their books, NULL: there are none
 * with this seed. */
void load_more(struct load *load, uint64_t seed);
struct escrow *load_escrow(struct load *load);
bool load_is_done(const struct load *load); /* nobody waits for an answer */

/* ---- for people ---- */
void world_dump(struct world *world);
/* Equal and at rest? As the checkers of those names say. */
bool world_agrees(struct world *world, char *ret_why, size_t size);
#endif
