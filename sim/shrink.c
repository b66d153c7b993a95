#include "sim/shrink.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { SIZE_SMALL = 40 };

struct shrink {
    const struct settings *settings;
    const struct result *failure;
    unsigned runs, runs_max;
};

/* Who complains: the text before the first colon. */
static bool same_complaint(const char *a, const char *b)
{
    size_t size = strcspn(a, ":");
    return size == strcspn(b, ":") && !memcmp(a, b, size);
}

static struct plan copy_of(const struct plan *plan)
{
    struct plan copy = *plan;
    copy.steps = mem_new_array(plan->count, sizeof *copy.steps);
    must(copy.steps);
    if (plan->count)
        memcpy(copy.steps, plan->steps, plan->count * sizeof *copy.steps);
    return copy;
}

/* Leaves out those that aren't kept, if it then still fails the same way. */
static bool keep(struct shrink *shrink, struct plan *plan, const bool *kept)
{
    struct plan smaller = copy_of(plan);
    struct result result;
    plan_keep(&smaller, kept);
    if (smaller.count == plan->count || shrink->runs >= shrink->runs_max) {
        plan_done(&smaller);
        return false;
    }
    shrink->runs++;
    bool fails = !run_plan(&smaller, shrink->settings, &result) &&
                 same_complaint(result.why, shrink->failure->why);
    if (fails) {
        struct plan whole = *plan;
        *plan = smaller;
        smaller = whole;
    }
    plan_done(&smaller);
    return fails;
}

static bool *choice_new(const struct plan *plan)
{
    bool *kept = mem_new_array(plan->count, sizeof *kept);
    must(kept);
    return kept;
}

static bool without(struct shrink *shrink, struct plan *plan, size_t from, size_t to)
{
    bool *kept = choice_new(plan);
    for (size_t i = 0; i < plan->count; i++)
        kept[i] = i < from || i >= to;
    bool fails = keep(shrink, plan, kept);
    mem_free(kept);
    return fails;
}

/* All faults of a kind at once: what is left then says what it takes. */
static void without_kinds(struct shrink *shrink, struct plan *plan)
{
    for (size_t kind = 0; kind < faults_count(); kind++) {
        bool *kept = choice_new(plan);
        for (size_t i = 0; i < plan->count; i++)
            kept[i] = plan->steps[i].fault != faults_at(kind);
        keep(shrink, plan, kept);
        mem_free(kept);
    }
}

/* Where one step less makes another history of it, any other half may fail as well as the next. */
static void without_some(struct shrink *shrink, struct plan *plan, unsigned runs)
{
    struct rng rng;
    rng_init(&rng, shrink->settings->seed);
    for (unsigned i = 0; i < runs && plan->count > SIZE_SMALL; i++) {
        bool *kept = choice_new(plan);
        unsigned percent = 10 + (unsigned)rng_below(&rng, 60);
        for (size_t j = 0; j < plan->count; j++)
            kept[j] = !rng_chance(&rng, percent);
        keep(shrink, plan, kept);
        mem_free(kept);
    }
}

/* Once over all, from the end on: what comes last depends on what was before, not the other way. */
static bool sweep(struct shrink *shrink, struct plan *plan, size_t size)
{
    bool found = false;
    size_t to = plan->count;
    while (to > 0 && shrink->runs < shrink->runs_max) {
        size_t from = to > size ? to - size : 0;
        if (without(shrink, plan, from, to))
            found = true;
        to = from;
    }
    return found;
}

/* Large parts first. Where only small ones can go it would take too long. */
static void sweeps(struct shrink *shrink, struct plan *plan)
{
    for (size_t size = (plan->count + 1) / 2; size > 1; size = (size + 1) / 2) {
        if (plan->count / size > shrink->runs_max / 4)
            break;
        sweep(shrink, plan, size);
    }
}

unsigned shrink_plan(struct plan *plan, const struct settings *settings,
                     const struct result *failure, unsigned runs)
{
    struct settings quiet = *settings;
    struct shrink shrink = {.settings = &quiet, .failure = failure, .runs_max = runs};
    bool print = plan->world.print;
    quiet.trace = plan->world.print = false;
    /* What comes after the failure isn't needed. */
    size_t done = 0;
    while (done < plan->count && plan->steps[done].number <= failure->step)
        done++;
    if (done < plan->count)
        without(&shrink, plan, done, plan->count);
    without_kinds(&shrink, plan);
    sweeps(&shrink, plan);
    if (plan->count > SIZE_SMALL) {
        without_some(&shrink, plan, runs / 4);
        sweeps(&shrink, plan);
    }
    while (shrink.runs < runs && sweep(&shrink, plan, 1))
        ;
    plan->world.print = print;
    return shrink.runs;
}
