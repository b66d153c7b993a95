#include "tests/sim/run.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum {
    STEP_MS = 40,
    GARBLED_MS = 10000,
    REST_MS_MAX = 20000,
    REST_MS_MAX_SLOW = 1800000, /* with small chunks: one is a round trip */
    REST_LOOK_MS = 500,
    LOG_MAX = 100000
};

/* Where no log is cut early and no directory goes back, a pull is always enough. */
static bool nobody_compared(struct world *world, struct result *result)
{
    const char *name;
    uint64_t count;
    if (world->options.amnesia || world->options.log_max < LOG_MAX)
        return true;
    for (size_t i = 0; i < world->nodes_count; i++) {
        const struct sim_node *node = &world->nodes[i];
        for (size_t j = 0; gossip_count(node->wheel.engine.gossip, j, &name, &count); j++) {
            if (strcmp(name, "stale") != 0 || count == 0)
                continue;
            snprintf(result->why, sizeof result->why, "%s had to compare", node->name);
            return false;
        }
    }
    return true;
}

static bool run_rest(struct world *world, struct load *load, struct result *result)
{
    uint64_t healed = world->now_ms;
    uint64_t rest_ms_max = world->options.chunk_size ? REST_MS_MAX_SLOW : REST_MS_MAX;
    for (;;) {
        if (!world_run(world, world->now_ms + REST_LOOK_MS))
            return false;
        if (world_agrees(world, result->why, sizeof result->why))
            break;
        if (world->now_ms > healed + rest_ms_max)
            return false;
    }
    result->rest_ms = world->now_ms - healed;
    result->why[0] = 0;
    return nobody_compared(world, result) && load_holds(load, result->why, sizeof result->why);
}

static void run_steps(struct world *world, struct load *load, struct faults *faults, uint64_t steps)
{
    for (uint64_t step = 0; step < steps; step++) {
        size_t node = (size_t)world_below(world, world->nodes_count);
        if (!world_run(world, world->now_ms + world_below(world, STEP_MS)))
            return;
        if (world->nodes[node].up && world_below(world, 4) > 0)
            load_write(load, node);
        if (world_below(world, 12) == 0)
            faults_step(faults);
    }
}

bool run_seed(const struct run *run, struct result *ret_result)
{
    struct world *world = mem_new(sizeof *world);
    struct rng rng;
    rng_init(&rng, run->seed);
    struct world_options options = {
        .seed = run->seed,
        .nodes = run->nodes ? run->nodes : 2 + rng_below(&rng, 4),
        .log_max = rng_chance(&rng, 50) ? 40 : LOG_MAX,
        .chunk_size = rng_chance(&rng, 30) ? 0 : (size_t)100 << rng_below(&rng, 6),
        .heartbeat_ms = 200 + (uint32_t)rng_below(&rng, 800),
        .delay_ms_max = rng_chance(&rng, 50) ? 5 : 80,
        .amnesia = run->amnesia < 0 ? rng_chance(&rng, 40) : run->amnesia > 0,
        .garble = run->garble,
        .starve = run->starve < 0 ? rng_chance(&rng, 20) : run->starve > 0,
        .print = run->print};
    must(world);
    world_open(world, &options);
    struct load *load = load_new(world, 1 + (size_t)rng_below(&rng, 3));
    struct faults *faults = faults_new(world, load);
    *ret_result = (struct result){0};
    for (size_t i = 0; i < world->nodes_count; i++)
        sim_start(world, i);
    run_steps(world, load, faults, run->steps);
    faults_heal(faults);
    bool fine = run->garble ? world_run(world, world->now_ms + GARBLED_MS)
                            : run_rest(world, load, ret_result);
    if (world->failed[0])
        snprintf(ret_result->why, sizeof ret_result->why, "%s", world->failed);
    if (!fine && run->print)
        world_dump(world);
    ret_result->digest = world->digest;
    ret_result->acknowledged = load_acknowledged(load);
    ret_result->events = world->order;
    for (size_t i = 0; i < world->nodes_count; i++)
        ret_result->crashes += world->nodes[i].crashes;
    world_close(world);
    faults_free(faults);
    load_free(load);
    mem_free(world);
    return fine;
}
