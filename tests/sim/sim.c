/* Whole clusters under faults, seed by seed: sim [--seed S] [--seeds N] [--nodes K] [--steps M]
 * [--amnesia 0|1] [--trace]. Prints TAP; a seed that fails is run again by its number. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tests/sim/world.h"

enum { STEP_MS = 40, REST_MS_MAX = 90000, REST_LOOK_MS = 500 };

struct run {
    uint64_t seed, steps;
    size_t nodes;  /* 0: the seed decides */
    int amnesia;   /* -1: the seed decides */
    bool print;
};

struct result {
    struct digest digest;
    uint64_t rest_ms, acknowledged, crashes, events;
    char why[512];
};

static bool run_rest(struct world *world, struct load *load, struct result *result)
{
    uint64_t healed = world->now_ms;
    for (;;) {
        if (!world_run(world, world->now_ms + REST_LOOK_MS))
            return false;
        if (world_agrees(world, result->why, sizeof result->why))
            break;
        if (world->now_ms > healed + REST_MS_MAX)
            return false;
    }
    result->rest_ms = world->now_ms - healed;
    result->why[0] = 0;
    return load_holds(load, result->why, sizeof result->why);
}

static void run_steps(struct world *world, struct load *load, struct faults *faults,
                      uint64_t steps)
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

static bool run_seed(const struct run *run, struct result *ret_result)
{
    struct world *world = mem_new(sizeof *world);
    struct rng rng;
    rng_init(&rng, run->seed);
    struct world_options options = {.seed = run->seed,
                                    .nodes = run->nodes ? run->nodes : 2 + rng_below(&rng, 4),
                                    .log_max = rng_chance(&rng, 50) ? 40 : 100000,
                                    .delay_ms_max = rng_chance(&rng, 50) ? 5 : 80,
                                    .amnesia = run->amnesia < 0 ? rng_chance(&rng, 40)
                                                                : run->amnesia > 0,
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
    bool fine = run_rest(world, load, ret_result);
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

/* The same seed gives the same history, line by line. */
static bool repeats(const struct run *run)
{
    struct result first, second;
    run_seed(run, &first);
    run_seed(run, &second);
    return digest_equal(first.digest, second.digest);
}

static uint64_t argument(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (!strcmp(argv[i], name))
            return strtoull(argv[i + 1], NULL, 10);
    }
    return otherwise;
}

static bool flag(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], name))
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    struct run run = {.steps = argument(argc, argv, "--steps", 400),
                      .nodes = (size_t)argument(argc, argv, "--nodes", 0),
                      .amnesia = (int)argument(argc, argv, "--amnesia", (uint64_t)-1),
                      .print = flag(argc, argv, "--trace")};
    uint64_t first = argument(argc, argv, "--seed", 1);
    uint64_t seeds = argument(argc, argv, "--seeds", flag(argc, argv, "--seed") ? 1 : 200);
    uint64_t failed = 0, events = 0, crashes = 0, acknowledged = 0, longest = 0;
    for (uint64_t i = 0; i < seeds; i++) {
        struct result result;
        run.seed = first + i;
        if (!run_seed(&run, &result)) {
            failed++;
            printf("# seed %llu: %s\n", (unsigned long long)run.seed, result.why);
        }
        events += result.events;
        crashes += result.crashes;
        acknowledged += result.acknowledged;
        longest = result.rest_ms > longest ? result.rest_ms : longest;
    }
    printf("# %llu seeds, %llu events, %llu crashes, %llu acknowledged writes, at rest within "
           "%llu ms\n",
           (unsigned long long)seeds, (unsigned long long)events, (unsigned long long)crashes,
           (unsigned long long)acknowledged, (unsigned long long)longest);
    printf("%sok 1 - %llu_of_%llu_seeds_agree_in_the_end\n", failed ? "not " : "",
           (unsigned long long)(seeds - failed), (unsigned long long)seeds);
    run.seed = first;
    run.print = false;
    bool same = repeats(&run);
    printf("%sok 2 - the_same_seed_gives_the_same_history\n1..2\n", same ? "" : "not ");
    return failed || !same;
}
