/* Callers who write and read at levels: beside the load, in a bucket of their own and by a fourth
 * of the seeds. Each write adds one element that nobody ever removes, so what must be where can be
 * told by what callers were told alone: check_quorums.c does. What threads do in production (wait
 * until enough nodes have a write, ask what they have seen) the world does here, by the same
 * functions (engine/cover.h, engine/survey.h). */
#ifndef NEAP_SIM_QUORUMS_H
#define NEAP_SIM_QUORUMS_H
#include "engine/token.h"
#include "sim/world.h"

enum { PLEDGES = 64, INQUIRIES = 8 };

#define QUORUM_BUCKET "quorum"
#define QUORUM_RING_BUCKET "quorum@main" /* by half of those seeds, on a ring that changes */

enum pledge_state {
    PLEDGE_NONE,
    PLEDGE_ASKED,   /* its write is under way */
    PLEDGE_WAITS,   /* it is durable there, and others have to have it */
    PLEDGE_ACKED,   /* its caller was told so */
    PLEDGE_REFUSED, /* nothing happened, its caller was told */
    PLEDGE_OPEN     /* nobody knows */
};

/* An element, and what its caller was told of it. */
struct pledge {
    uint64_t serial, shard;
    enum pledge_state state;
    enum neap_level level;
    size_t node;
    uint64_t epoch, until_ms, acked; /* moment */
    struct token awaited;
    unsigned need;      /* so many nodes have it, when ACKED */
    uint32_t destroyed; /* bits of nodes whose directory was lost since it was asked for */
};

/* A read that waits until its node has what others have seen. */
struct inquiry {
    bool waits;
    size_t node;
    uint64_t epoch, until_ms, began; /* moment */
    unsigned need;
    enum neap_level level;
    uint64_t shard;
    struct context seen;
};

struct quorums {
    struct world *world;
    bool ring;
    uint64_t layouts;        /* that were made */
    uint64_t ids[NODES_MAX]; /* of nodes, as they began last; 0: never */
    bool doubled;            /* two of them had one: a copy of a directory */
    uint64_t asked, serial, moment;
    size_t pending; /* events without an answer */
    struct pledge pledges[PLEDGES];
    struct inquiry inquiries[INQUIRIES];
    uint64_t acked, refused, uncertain, reads, unread; /* how they ended */
};

void quorums_init(struct quorums *quorums, struct world *world);
void quorums_free(struct quorums *quorums);
/* What can be told is told to who waits for it; then perhaps a call, by the seed of a step. */
void quorums_call(struct quorums *quorums, uint64_t seed);
bool quorums_are_done(const struct quorums *quorums);
/* One of its events, whose waiter it is, has ended. `lost`: its process did first. */
void quorums_ended(struct quorums *quorums, size_t node, struct event *event, bool lost);
/* A directory was lost there; or a process has begun, and parts of it may have been damaged. */
void quorums_replaced(struct quorums *quorums, size_t node);
void quorums_started(struct quorums *quorums, size_t node);

/* Do two levels meet: does a read at the one see what was written at the other? */
bool levels_meet(const struct quorums *quorums, enum neap_level write, enum neap_level read);
/* 1: it has the element; 0: it has not; negative: nobody can say. */
int pledge_is_at(const struct world *world, size_t node, const struct pledge *pledge);
/* The same of the cluster at rest: of a ring, of who holds the slot. */
int pledge_is_kept(const struct quorums *quorums, const struct pledge *pledge);
/* Nodes that have a say. */
unsigned quorums_members(const struct world *world);
/* Is anything lost that no directory took with it? Then nothing is certain. */
bool quorums_spoilt(const struct world *world);
#endif
