/* A log tells a member that was away all that it lacks, unless the log was cut for its length, a
 * directory went back in time, or it let go of the bucket: then nobody has to compare cells. */
#include "base/alloc.h"
#include "base/error.h"
#include "gossip/state.h"
#include "sim/find.h"

struct state {
    bool excused;
};

static void *begin(struct world *world)
{
    struct state *state = mem_new(sizeof *state);
    (void)world;
    must(state);
    return state;
}

static void end(void *state)
{
    mem_free(state);
}

/* Counts are those of a process, which may end before the next look: so a cut is seen when it is
 * committed. */
static void commit(struct world *world, void *memory, size_t index, const struct batch *batch,
                   bool sync)
{
    struct state *state = memory;
    const struct sim_node *node = &world->nodes[index];
    (void)batch;
    (void)sync;
    if (node->up)
        state->excused |= node->wheel.engine.gossip->counts[REASON_log_cut_early] > 0;
}

static bool is_frugal(struct world *world, struct state *state, struct why why)
{
    const struct sim_node *comparer = NULL;
    /* Whoever believes a lie may cut what its device lacks. */
    state->excused |= world->amnesia || world->garbles || world->options.device;
    for (size_t i = 0; i < world->nodes_count && !state->excused; i++) {
        const struct sim_node *node = &world->nodes[i];
        state->excused |= node->lets_go; /* it gets again what it let go of */
        if (!node->up)
            continue;
        const uint64_t *counts = node->wheel.engine.gossip->counts;
        if (counts[REASON_stale] > 0)
            comparer = node;
    }
    return state->excused || !comparer ||
           differs(why, "%s has to compare, and no log was cut", comparer->name);
}

static void step(struct world *world, void *state)
{
    char text[200];
    struct why why = {text, sizeof text};
    if (!is_frugal(world, state, why))
        world_fail(world, "frugal: %s", text);
}

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    return is_frugal(world, state, (struct why){ret_why, size});
}

const struct checker check_frugal = {.name = "frugal",
                                     .promise = "who was away pulls, and need not compare",
                                     .begin = begin,
                                     .end = end,
                                     .commit = commit,
                                     .step = step,
                                     .holds = holds};
