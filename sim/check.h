/* Checkers. Each is a file of its own, check_NAME.c, that keeps what it needs to know of a world,
 * is told what happens there, and fails the world at the first promise broken. All are in one table
 * (checks.c); most care for few of these functions, and leave the others NULL. */
#ifndef NEAP_SIM_CHECK_H
#define NEAP_SIM_CHECK_H
#include "gossip/message.h"
#include "sim/history.h"
#include "sim/world.h"

struct checker {
    const char *name;                    /* as failures name it */
    const char *promise;                 /* in a line, for people */
    void *(*begin)(struct world *world); /* its state; NULL: none */
    void (*end)(void *state);
    /* A commit is about to be applied: the disk still is as it was. */
    void (*commit)(struct world *world, void *state, size_t node, const struct batch *batch,
                   bool sync);
    /* A commit or sync has come back. */
    void (*committed)(struct world *world, void *state, size_t node, bool sync, int error);
    /* A process began; its engine has read what its disk kept. */
    void (*started)(struct world *world, void *state, size_t node);
    /* The directory of a node was replaced: by an older one, another's, or none. */
    void (*replaced)(struct world *world, void *state, size_t node);
    void (*sent)(struct world *world, void *state, size_t node, const struct message *message);
    /* A caller's operation got its answer. */
    void (*answered)(struct world *world, void *state, const struct record *record);
    /* An operator's ask has ended, with this code. */
    void (*asked)(struct world *world, void *state, size_t node, const struct ask *ask, int code);
    /* After each step of the plan. */
    void (*step)(struct world *world, void *state);
    /* Asked at rest, again and again until all hold or rounds run out: then this was the failure.
     * Those before it in the table hold already. */
    bool (*holds)(struct world *world, void *state, char *ret_why, size_t size);
};

extern const struct checker check_acknowledged, check_asks, check_bounded, check_bounds,
    check_contexts, check_counts, check_durable, check_equal, check_expiry, check_frugal,
    check_members, check_pushes, check_quorums, check_removed, check_rest, check_sessions,
    check_trees, check_verify;

struct checks; /* the state of all */
struct checks *checks_new(struct world *world);
void checks_free(struct checks *checks);
/* One for each function above; nothing when world->checks is NULL. */
void checks_commit(struct world *world, size_t node, const struct batch *batch, bool sync);
void checks_committed(struct world *world, size_t node, bool sync, int error);
void checks_started(struct world *world, size_t node);
void checks_replaced(struct world *world, size_t node);
void checks_sent(struct world *world, size_t node, const struct message *message);
void checks_answered(struct world *world, const struct record *record);
void checks_asked(struct world *world, size_t node, const struct ask *ask, int code);
void checks_step(struct world *world);
bool checks_hold(struct world *world, char *ret_why, size_t size); /* "name: why" */
size_t checks_count(void);
const struct checker *checks_at(size_t index);
#endif
