/* neap-sim: whole clusters under faults, seed by seed (docs/man/neap-sim.1). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/rules.h"
#include "sim/run.h"

static const char *argument(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (!strcmp(argv[i], name))
            return argv[i + 1];
    }
    return otherwise;
}

static uint64_t number(int argc, char **argv, const char *name, const char *otherwise)
{
    return strtoull(argument(argc, argv, name, otherwise), NULL, 10);
}

int main(int argc, char **argv)
{
    struct settings settings = {.seed = number(argc, argv, "--seed", "1"),
                                .nodes = (size_t)number(argc, argv, "--nodes", "0"),
                                .events = (uint32_t)number(argc, argv, "--events", "1000"),
                                .workload = &workload_default,
                                .only = argument(argc, argv, "--only", NULL),
                                .trace = argument(argc, argv, "--trace", NULL) != NULL};
    uint64_t seeds = number(argc, argv, "--seeds", "1"), failed = 0, things = 0;
    char why[200];
    rules_break(rules_find(argument(argc, argv, "--break", "")));
    if (!faults_parse(argument(argc, argv, "--faults", "all"), &settings.faults, why, sizeof why)) {
        fprintf(stderr, "%s\n", why);
        return 2;
    }
    for (uint64_t i = 0; i < seeds; i++) {
        struct result result;
        if (!run_seed(&settings, &result)) {
            failed++;
            printf("seed %llu, step %u: %s\n", (unsigned long long)settings.seed, result.step,
                   result.why);
        }
        things += result.things;
        settings.seed++;
    }
    printf("%llu seeds, %llu failed, %llu things\n", (unsigned long long)seeds,
           (unsigned long long)failed, (unsigned long long)things);
    return failed > 0;
}
