#include "sim/run.h"
#include "gossip/task.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/task.h"
#include "sim/check.h"

enum { GARBLED_MS = 10000, ROUNDS_FEW = 100, CHUNK_SMALL = 800, CHUNK_USUAL = 65536 };
enum { STEP_BYTES = 200 }; /* in each replica, for each step */

uint64_t run_round_ms(const struct plan *plan)
{
    return plan->world.heartbeat_ms + 2 * (uint64_t)plan->world.delay_ms_max;
}

/* Most worlds need a few rounds (half of them 2, nine of ten 15), a compare in small chunks one for
 * each chunk. Of 6,000 seeds with 1,000 steps none needed more than 49 with chunks as usual, and
 * none more than 370 with the smallest, for which the bound is 900. A limit of what is taken and
 * given may be what all wait for, and so may the rest after what an operator has cancelled. */
uint32_t run_rounds_max(const struct plan *plan)
{
    uint64_t chunk = plan->world.chunk_size ? plan->world.chunk_size : CHUNK_USUAL;
    if (chunk < CHUNK_SMALL)
        chunk = CHUNK_SMALL;
    uint64_t rounds = ROUNDS_FEW + plan->count * CHUNK_SMALL / chunk;
    rounds += TASK_CANCEL_REST_MS / run_round_ms(plan);
    if (plan->world.bulk_max) /* of what one node has to give to all others */
        rounds += plan->count * STEP_BYTES * plan->world.nodes * 1000 / plan->world.bulk_max /
                  run_round_ms(plan);
    return (uint32_t)rounds;
}

/* Rounds of looking until everything holds. */
static bool run_rest(struct world *world, const struct plan *plan, struct result *result)
{
    uint64_t healed = world->now_ms;
    for (result->rounds = 1;; result->rounds++) {
        if (!world_run(world, world->now_ms + run_round_ms(plan)))
            return false;
        if (checks_hold(world, result->why, sizeof result->why))
            break;
        if (result->rounds >= run_rounds_max(plan))
            return false;
    }
    result->rest_ms = world->now_ms - healed;
    return true;
}

static void step_do(struct world *world, const struct step *step, struct faults *faults)
{
    struct rng rng;
    rng_init(&rng, step->seed);
    if (step->fault) {
        world->faults++;
        world_note(world, "step %u: fault %s: %s", step->number, step->fault->name,
                   step->fault->about);
        step->fault->strike(faults, &rng);
    } else {
        world_note(world, "step %u: call", step->number);
        load_call(world->load, &rng);
        load_more(world->load, step->seed);
    }
}

static bool run_steps(struct world *world, const struct plan *plan, struct faults *faults,
                      struct result *result)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct step *step = &plan->steps[i];
        if (!world_run(world, world->now_ms + step->gap_ms))
            return false;
        result->step = step->number;
        step_do(world, step, faults);
        checks_step(world);
    }
    if (!net_sealed(world))
        return false;
    if (world->failed[0])
        return false;
    result->step++;
    return true;
}

static void run_count(const struct world *world, struct result *result)
{
    result->digest = world->digest;
    result->calls = load_calls(world->load);
    result->acknowledged = load_history(world->load)->sure;
    result->faults = world->faults;
    result->things = world->order;
    result->simulated_ms = world->now_ms;
    for (size_t i = 0; i < world->nodes_count; i++)
        result->crashes += world->nodes[i].crashes;
    for (size_t i = 0; i < world->nodes_count; i++) {
        result->compares += world->nodes[i].compares;
        result->compares_resumed += world->nodes[i].compares_resumed;
        if (world->nodes[i].up)
            sim_compares(&world->nodes[i], &result->compares, &result->compares_resumed);
    }
}

static bool run_world(struct world *world, const struct plan *plan, const struct settings *settings,
                      struct result *result)
{
    struct load *load = load_new(world, settings->workload);
    struct faults *faults = faults_new(world);
    world->checks = checks_new(world);
    world_note(world,
               "%zu nodes, log of %" PRIu64 ", chunks of %zu bytes (0: as usual), %" PRIu64
               " bytes/s in bulk (0: any), heartbeat %" PRIu32 " ms, delays to %u ms",
               plan->world.nodes, plan->world.log_max, plan->world.chunk_size, plan->world.bulk_max,
               plan->world.heartbeat_ms, plan->world.delay_ms_max);
    for (size_t i = 0; i < world->nodes_count; i++)
        sim_start(world, i);
    bool fine = run_steps(world, plan, faults, result);
    if (fine) {
        bool garbled = world->garbles;
        faults_heal(faults);
        fine =
            garbled ? world_run(world, world->now_ms + GARBLED_MS) : run_rest(world, plan, result);
    }
    if (world->failed[0])
        snprintf(result->why, sizeof result->why, "%s", world->failed);
    if (!fine && settings->trace)
        world_dump(world);
    run_count(world, result);
    world_close(world);
    checks_free(world->checks);
    faults_free(faults);
    load_free(load);
    return fine;
}

bool run_plan(const struct plan *plan, const struct settings *settings, struct result *ret_result)
{
    uint64_t live = mem_live();
    struct world *world = mem_new(sizeof *world);
    must(world);
    *ret_result = (struct result){0};
    world_open(world, &plan->world);
    bool fine = run_world(world, plan, settings, ret_result);
    mem_free(world);
    if (fine && mem_live() != live) {
        snprintf(ret_result->why, sizeof ret_result->why,
                 "memory: %" PRIu64 " blocks are not freed", mem_live() - live);
        fine = false;
    }
    return fine;
}

bool run_seed(const struct settings *settings, struct result *ret_result)
{
    struct plan plan;
    plan_make(&plan, settings);
    if (settings->only)
        must(plan_only(&plan, settings->only));
    bool fine = run_plan(&plan, settings, ret_result);
    plan_done(&plan);
    return fine;
}
