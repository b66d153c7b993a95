#include "sim/shrink.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

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

/* Without steps [from, to), if it then still fails the same way. */
static bool without(struct shrink *shrink, struct plan *plan, size_t from, size_t to)
{
    struct plan smaller = copy_of(plan);
    bool *kept = mem_new_array(plan->count, sizeof *kept);
    struct result result;
    must(kept);
    for (size_t i = 0; i < plan->count; i++)
        kept[i] = i < from || i >= to;
    plan_keep(&smaller, kept);
    mem_free(kept);
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
    for (size_t size = (plan->count + 1) / 2; size > 1; size = (size + 1) / 2)
        sweep(&shrink, plan, size);
    while (shrink.runs < runs && sweep(&shrink, plan, 1))
        ;
    plan->world.print = print;
    return shrink.runs;
}
