#include "sim/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { GAP_MS_MAX = 40, LOG_MAX = 100000, FAULT_PERCENT_MAX = 12, NODES_DRAWN_MAX = 5 };

static void world_draw(struct plan *plan, const struct settings *settings, struct rng *rng)
{
    plan->world = (struct world_options){.seed = settings->seed, .print = settings->trace};
    size_t nodes = 2 + (size_t)rng_below(rng, NODES_DRAWN_MAX - 1);
    plan->world.nodes = settings->nodes ? settings->nodes : nodes;
    plan->world.log_max = rng_chance(rng, 50) ? 40 : LOG_MAX;
    if (rng_chance(rng, 70))
        plan->world.chunk_size = (size_t)100 << rng_below(rng, 6);
    plan->world.heartbeat_ms = 200 + (uint32_t)rng_below(rng, 800);
    plan->world.delay_ms_max = rng_chance(rng, 50) ? 5 : 80;
}

/* A part of the faults that are allowed: what hides behind one fault shows without it. */
static void faults_draw(struct plan *plan, const struct settings *settings, struct rng *rng)
{
    uint64_t part = rng_u64(rng);
    if (rng_chance(rng, 50))
        part |= rng_u64(rng);
    plan->faults = settings->faults & part;
}

static const struct fault_kind *fault_draw(uint64_t set, struct rng *rng)
{
    size_t count = 0, at;
    for (size_t i = 0; i < faults_count(); i++)
        count += set >> i & 1;
    at = (size_t)rng_below(rng, count);
    for (size_t i = 0; i < faults_count(); i++) {
        if ((set >> i & 1) && at-- == 0)
            return faults_at(i);
    }
    return NULL;
}

void plan_make(struct plan *ret_plan, const struct settings *settings)
{
    struct rng rng;
    rng_init(&rng, settings->seed);
    *ret_plan = (struct plan){.count = settings->events};
    world_draw(ret_plan, settings, &rng);
    faults_draw(ret_plan, settings, &rng);
    unsigned percent = 1 + (unsigned)rng_below(&rng, FAULT_PERCENT_MAX);
    ret_plan->steps = mem_new_array(settings->events, sizeof *ret_plan->steps);
    must(ret_plan->steps);
    for (uint32_t i = 0; i < settings->events; i++) {
        struct step *step = &ret_plan->steps[i];
        *step = (struct step){.number = i + 1, .gap_ms = (uint32_t)rng_below(&rng, GAP_MS_MAX)};
        if (ret_plan->faults && rng_chance(&rng, percent))
            step->fault = fault_draw(ret_plan->faults, &rng);
        step->seed = rng_u64(&rng);
    }
}

void plan_done(struct plan *plan)
{
    mem_free(plan->steps);
    *plan = (struct plan){0};
}

/* "3,17-20" as one range after the other. False: at the end, or bad (*list is not at the end). */
static bool range_next(const char **list, unsigned long *ret_from, unsigned long *ret_to)
{
    char *end;
    if (**list < '0' || **list > '9')
        return false;
    *ret_from = *ret_to = strtoul(*list, &end, 10);
    if (*end == '-' && end[1] >= '0' && end[1] <= '9')
        *ret_to = strtoul(end + 1, &end, 10);
    if (*end != 0 && *end != ',')
        return false;
    *list = end + (*end == ',');
    return true;
}

bool plan_only(struct plan *plan, const char *only)
{
    bool *kept = mem_new_array(plan->count, sizeof *kept);
    unsigned long from, to;
    size_t count = 0;
    uint32_t gap = 0;
    must(kept);
    while (range_next(&only, &from, &to)) {
        for (size_t i = 0; i < plan->count; i++)
            kept[i] |= plan->steps[i].number >= from && plan->steps[i].number <= to;
    }
    for (size_t i = 0; i < plan->count; i++) {
        gap += plan->steps[i].gap_ms;
        if (!kept[i])
            continue;
        plan->steps[count] = plan->steps[i];
        plan->steps[count++].gap_ms = gap;
        gap = 0;
    }
    plan->count = count;
    mem_free(kept);
    return *only == 0;
}

void plan_numbers(const struct plan *plan, struct buffer *ret_text)
{
    for (size_t i = 0; i < plan->count; i++) {
        size_t last = i;
        char text[32];
        while (last + 1 < plan->count &&
               plan->steps[last + 1].number == plan->steps[last].number + 1)
            last++;
        const char *comma = i ? "," : "";
        if (last > i)
            snprintf(text, sizeof text, "%s%u-%u", comma, plan->steps[i].number,
                     plan->steps[last].number);
        else
            snprintf(text, sizeof text, "%s%u", comma, plan->steps[i].number);
        must(buffer_append(ret_text, slice_text(text)) == 0);
        i = last;
    }
}
