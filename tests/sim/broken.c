/* Each rule broken on purpose, in objects of this program only: the simulated world must notice. */
#include <stdio.h>
#include <string.h>

#include "base/broken.h"
#include "tests/sim/run.h"

static const char *rule_now = "";

bool broken(const char *rule)
{
    return !strcmp(rule, rule_now);
}

static const struct rule {
    const char *name;
    int amnesia;
    uint64_t seeds; /* within which it must be noticed */
} rules[] = {
    {"send-first", 0, 200},    {"names-nothing", 0, 20},   {"confirm-alone", 1, 1000},
    {"cut-blind", 0, 20},      {"later-is-newer", 0, 200}, {"never-pull", 0, 20},
    {"never-compare", 0, 100}, {"compare-claims", 0, 100},
};

static bool is_noticed(const struct rule *rule)
{
    struct run run = {.steps = 400, .amnesia = rule->amnesia, .starve = 0};
    struct result result;
    rule_now = rule->name;
    for (run.seed = 1; run.seed <= rule->seeds; run.seed++) {
        if (!run_seed(&run, &result)) {
            printf("# %s: seed %llu: %s\n", rule->name, (unsigned long long)run.seed, result.why);
            return true;
        }
    }
    return false;
}

int main(void)
{
    static const struct rule nothing = {"", -1, 50};
    size_t count = sizeof rules / sizeof *rules;
    int status = is_noticed(&nothing);
    printf("%sok 1 - nothing_is_noticed_when_nothing_is_broken\n", status ? "not " : "");
    for (size_t i = 0; i < count; i++) {
        bool noticed = is_noticed(&rules[i]);
        printf("%sok %zu - %s_is_noticed\n", noticed ? "" : "not ", i + 2, rules[i].name);
        status |= !noticed;
    }
    printf("1..%zu\n", count + 1);
    return status;
}
