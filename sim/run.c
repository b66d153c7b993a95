#include "sim/run.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/check.h"

enum {
    GARBLED_MS = 10000,
    REST_MS_MAX = 20000,
    REST_MS_MAX_SLOW = 1800000, /* with small chunks: one is a round trip */
    REST_LOOK_MS = 500
};

/* Rounds of looking until everything holds. */
static bool run_rest(struct world *world, struct result *result)
{
    uint64_t healed = world->now_ms;
    uint64_t rest_ms_max = world->options.chunk_size ? REST_MS_MAX_SLOW : REST_MS_MAX;
    for (;;) {
        if (!world_run(world, world->now_ms + REST_LOOK_MS))
            return false;
        if (checks_hold(world, result->why, sizeof result->why))
            break;
        if (world->now_ms > healed + rest_ms_max)
            return false;
    }
    result->rest_ms = world->now_ms - healed;
    return true;
}

static void run_steps(struct world *world, const struct plan *plan, struct faults *faults,
                      struct result *result)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        struct rng rng;
        if (!world_run(world, world->now_ms + step->gap_ms))
            return;
        rng_init(&rng, step->seed);
        if (step->fault) {
            world->faults++;
            step->fault->strike(faults, &rng);
        } else {
            load_call(world->load, &rng);
        }
        result->step = step->number;
        checks_step(world);
    }
    result->step++;
}

bool run_plan(const struct plan *plan, const struct settings *settings, struct result *ret_result)
{
    struct world *world = mem_new(sizeof *world);
    must(world);
    world_open(world, &plan->world);
    struct load *load = load_new(world, settings->workload);
    struct faults *faults = faults_new(world);
    world->checks = checks_new(world);
    *ret_result = (struct result){0};
    for (size_t i = 0; i < world->nodes_count; i++)
        sim_start(world, i);
    run_steps(world, plan, faults, ret_result);
    bool garbled = world->garbles;
    faults_heal(faults);
    bool fine =
        garbled ? world_run(world, world->now_ms + GARBLED_MS) : run_rest(world, ret_result);
    if (world->failed[0])
        snprintf(ret_result->why, sizeof ret_result->why, "%s", world->failed);
    if (!fine && settings->trace)
        world_dump(world);
    ret_result->digest = world->digest;
    ret_result->calls = load_calls(load);
    ret_result->acknowledged = load_history(load)->sure;
    ret_result->faults = world->faults;
    ret_result->things = world->order;
    for (size_t i = 0; i < world->nodes_count; i++)
        ret_result->crashes += world->nodes[i].crashes;
    world_close(world);
    checks_free(world->checks);
    faults_free(faults);
    load_free(load);
    mem_free(world);
    return fine;
}

bool run_seed(const struct settings *settings, struct result *ret_result)
{
    struct plan plan;
    plan_make(&plan, settings);
    if (settings->only)
        plan_only(&plan, settings->only);
    bool fine = run_plan(&plan, settings, ret_result);
    plan_done(&plan);
    return fine;
}
