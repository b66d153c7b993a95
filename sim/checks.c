/* All checkers, and whoever tells them. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/check.h"
#include "sim/oracle.h"

/* At rest they are asked in this order, but for the first one: what is cheap and basic comes first.
 * check_contexts feeds the oracle, so it is told of everything before those that ask the oracle;
 * but it looks at every cell when it is asked. */
static const struct checker *const table[] = {
    &check_contexts, &check_durable, &check_bounds,       &check_rest,
    &check_equal,    &check_frugal,  &check_acknowledged, &check_removed,
    &check_sessions, &check_bounded, &check_expiry,       &check_trees,
    &check_counts,   &check_verify,  &check_asks,         &check_pushes,
    &check_quorums,  &check_members};
enum { CHECKERS = sizeof table / sizeof *table };

struct checks {
    void *states[CHECKERS];
    struct oracle *oracle;
};

size_t checks_count(void)
{
    return CHECKERS;
}

const struct checker *checks_at(size_t index)
{
    return table[index];
}

struct checks *checks_new(struct world *world)
{
    struct checks *checks = mem_new(sizeof *checks);
    must(checks);
    checks->oracle = world->oracle = oracle_new();
    for (size_t i = 0; i < CHECKERS; i++)
        checks->states[i] = table[i]->begin ? table[i]->begin(world) : NULL;
    return checks;
}

void checks_free(struct checks *checks)
{
    for (size_t i = 0; checks && i < CHECKERS; i++) {
        if (table[i]->end)
            table[i]->end(checks->states[i]);
    }
    if (checks)
        oracle_free(checks->oracle);
    mem_free(checks);
}

/* Whatever a checker needs of memory is the world's, and doesn't fail. */
#define TELL(world, function, ...)                                                \
    for (size_t i = 0; (world)->checks && i < CHECKERS; i++) {                    \
        if (table[i]->function)                                                   \
            table[i]->function((world), (world)->checks->states[i], __VA_ARGS__); \
    }

void checks_commit(struct world *world, size_t node, const struct batch *batch, bool sync)
{
    TELL(world, commit, node, batch, sync)
}

void checks_committed(struct world *world, size_t node, bool sync, int error)
{
    TELL(world, committed, node, sync, error)
}

void checks_started(struct world *world, size_t node)
{
    TELL(world, started, node)
}

void checks_replaced(struct world *world, size_t node)
{
    TELL(world, replaced, node)
}

void checks_sent(struct world *world, size_t node, const struct message *message)
{
    TELL(world, sent, node, message)
}

void checks_answered(struct world *world, const struct record *record)
{
    TELL(world, answered, record)
}

void checks_asked(struct world *world, size_t node, const struct ask *ask, int code)
{
    TELL(world, asked, node, ask, code)
}

void checks_step(struct world *world)
{
    for (size_t i = 0; world->checks && i < CHECKERS; i++) {
        if (table[i]->step)
            table[i]->step(world, world->checks->states[i]);
    }
}

bool checks_hold(struct world *world, char *ret_why, size_t size)
{
    for (size_t asked = 1; asked <= CHECKERS; asked++) {
        size_t i = asked % CHECKERS;
        int head = snprintf(ret_why, size, "%s: ", table[i]->name);
        if (table[i]->holds &&
            !table[i]->holds(world, world->checks->states[i], ret_why + head, size - (size_t)head))
            return false;
    }
    ret_why[0] = 0;
    return true;
}

bool world_agrees(struct world *world, char *ret_why, size_t size)
{
    return check_equal.holds(world, NULL, ret_why, size) &&
           check_rest.holds(world, NULL, ret_why, size);
}
