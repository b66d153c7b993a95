/* Whole clusters under faults, seed by seed: sim [--seed S] [--seeds N] [--nodes K] [--steps M]
 * [--amnesia 0|1] [--starve 0|1] [--garble] [--trace]. Prints TAP. A seed that fails is run again
 * by its number: sim --seed S --trace. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/run.h"

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

/* One TAP line for so many seeds. */
static bool run_seeds(struct run run, uint64_t first, uint64_t seeds, unsigned number,
                      const char *promise)
{
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
    printf("# %llu events, %llu crashes, %llu acknowledged writes, at rest within %llu ms\n",
           (unsigned long long)events, (unsigned long long)crashes,
           (unsigned long long)acknowledged, (unsigned long long)longest);
    printf("%sok %u - %llu_of_%llu_seeds_%s\n", failed ? "not " : "", number,
           (unsigned long long)(seeds - failed), (unsigned long long)seeds, promise);
    return !failed;
}

int main(int argc, char **argv)
{
    struct run run = {.steps = argument(argc, argv, "--steps", 400),
                      .nodes = (size_t)argument(argc, argv, "--nodes", 0),
                      .amnesia = (int)argument(argc, argv, "--amnesia", (uint64_t)-1),
                      .starve = (int)argument(argc, argv, "--starve", (uint64_t)-1),
                      .print = flag(argc, argv, "--trace")};
    uint64_t first = argument(argc, argv, "--seed", 1);
    uint64_t seeds = argument(argc, argv, "--seeds", flag(argc, argv, "--seed") ? 1 : 300);
    bool fine = true;
    if (!flag(argc, argv, "--garble"))
        fine = run_seeds(run, first, seeds, 1, "agree_in_the_end");
    struct run garbled = run;
    garbled.garble = true;
    if (flag(argc, argv, "--garble") || !run.print)
        fine = run_seeds(garbled, first, (seeds + 4) / 5, 2, "stand_garbled_messages") && fine;
    run.seed = first;
    run.print = false;
    bool same = repeats(&run);
    printf("%sok 3 - the_same_seed_gives_the_same_history\n", same ? "" : "not ");
    printf("1..3\n");
    return !fine || !same;
}
