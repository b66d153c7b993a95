#include "sim/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { FAULT_PERCENT_MAX = 12, FEW_FAULTS = 3, MOOD_STEPS_MIN = 20, MOOD_STEPS_MAX = 200 };

#define PICK(rng, table) (table)[rng_below((rng), sizeof(table) / sizeof *(table))]

/* ---- the world ---- */

static size_t nodes_draw(struct rng *rng)
{
    static const size_t nodes[] = {2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6, 8};
    return PICK(rng, nodes);
}

static void world_draw(struct plan *plan, const struct settings *settings, struct rng *rng)
{
    static const uint64_t logs[] = {4, 40, 40, 200, 100000, 100000, 100000};
    static const size_t chunks[] = {0, 0, 0, 0, 0, 100, 200, 400, 800, 1600, 3200, 6400};
    static const uint32_t beats[] = {200, 300, 500, 700, 1000, 1000, 2000};
    static const unsigned delays[] = {1, 5, 5, 20, 80, 80, 200};
    plan->world = (struct world_options){.seed = settings->seed,
                                         .print = settings->trace,
                                         .mixed = settings->mixed || settings->seed % 16 == 7,
                                         .ring = settings->ring};
    size_t nodes = nodes_draw(rng);
    plan->world.nodes = settings->nodes ? settings->nodes : nodes;
    plan->world.log_max = PICK(rng, logs);
    plan->world.chunk_size = PICK(rng, chunks);
    /* Few have a limit, and no draw: the others stay what they were. */
    plan->world.bulk_max = settings->seed % 16 == 11 ? 2000 + settings->seed % 7 * 2000 : 0;
    plan->world.heartbeat_ms = PICK(rng, beats);
    plan->world.delay_ms_max = PICK(rng, delays);
    /* There are few shards: so that not all of them have a place. */
    plan->world.pushed_max = settings->seed % 8 == 5 ? 2 : 0;
    /* Trees are small here: with half of the seeds that is no reason to use them. */
    plan->world.compare_few = settings->seed * UINT64_C(0x9e3779b97f4a7c15) >> 63;
}

/* ---- faults ---- */

/* What chance says of a fault with this seed, whatever other faults there are: so a plan stays what
 * it is when the table grows, or when faults that it doesn't use are not allowed any more. */
static uint64_t lot(uint64_t seed, const struct fault_kind *kind)
{
    struct rng rng;
    for (const char *at = kind->name; *at; at++)
        seed = (seed ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    rng_init(&rng, seed);
    return rng_u64(&rng);
}

static size_t faults_in(uint64_t set)
{
    size_t count = 0;
    for (size_t i = 0; i < faults_count(); i++)
        count += set >> i & 1;
    return count;
}

/* A part of the faults that are allowed: what hides behind one fault shows without it. Whoever
 * names but a few wants them all. */
static void faults_draw(struct plan *plan, const struct settings *settings, struct rng *rng)
{
    static const uint64_t parts[] = {0, 15, 30, 30, 50, 50, 50, 70, 70, 100};
    uint64_t percent = PICK(rng, parts);
    uint64_t seed = rng_u64(rng);
    if (faults_in(settings->faults) <= FEW_FAULTS)
        percent = 100;
    for (size_t i = 0; i < faults_count(); i++) {
        if ((settings->faults >> i & 1) && lot(seed, faults_at(i)) % 100 < percent)
            plan->faults |= UINT64_C(1) << i;
    }
}

/* Whoever draws the highest lot for this step. */
static const struct fault_kind *fault_draw(uint64_t set, uint64_t seed)
{
    const struct fault_kind *best = NULL;
    uint64_t highest = 0;
    for (size_t i = 0; i < faults_count(); i++) {
        uint64_t drawn = set >> i & 1 ? lot(seed, faults_at(i)) : 0;
        if (set >> i & 1 && (!best || drawn > highest)) {
            best = faults_at(i);
            highest = drawn;
        }
    }
    return best;
}

/* ---- steps ---- */

/* How steps follow each other, for a while. */
struct mood {
    uint32_t left; /* steps */
    uint32_t gap_ms_max;
    uint32_t burst; /* so many come at once, after a gap that is as many times as long */
    unsigned fault_percent;
};

static void mood_draw(struct mood *mood, bool lasts, unsigned fault_percent, struct rng *rng)
{
    static const uint32_t gaps[] = {2, 10, 20, 40, 40, 40, 40, 80, 150};
    static const uint32_t bursts[] = {1, 1, 1, 1, 4, 20, 100};
    static const unsigned storms[] = {0, 1, 1, 1, 3};
    mood->gap_ms_max = PICK(rng, gaps);
    mood->burst = PICK(rng, bursts);
    unsigned storm = PICK(rng, storms);
    uint32_t left = MOOD_STEPS_MIN + (uint32_t)rng_below(rng, MOOD_STEPS_MAX - MOOD_STEPS_MIN);
    mood->fault_percent = lasts ? fault_percent : fault_percent * storm;
    mood->left = lasts ? UINT32_MAX : left;
}

static uint32_t gap_draw(const struct mood *mood, uint32_t number, struct rng *rng)
{
    uint32_t gap = (uint32_t)rng_below(rng, mood->gap_ms_max * mood->burst);
    return number % mood->burst == 0 ? gap : 0;
}

static void steps_draw(struct plan *plan, struct rng *rng)
{
    struct mood mood = {0};
    unsigned percent = 1 + (unsigned)rng_below(rng, FAULT_PERCENT_MAX);
    bool even = rng_chance(rng, 50);
    for (uint32_t i = 0; i < plan->count; i++) {
        struct step *step = &plan->steps[i];
        if (mood.left-- == 0)
            mood_draw(&mood, even, percent, rng);
        step->number = i + 1;
        step->gap_ms = gap_draw(&mood, step->number, rng);
        bool fault = rng_chance(rng, mood.fault_percent);
        step->seed = rng_u64(rng);
        if (fault)
            step->fault = fault_draw(plan->faults, step->seed);
    }
}

void plan_make(struct plan *ret_plan, const struct settings *settings)
{
    struct rng rng;
    rng_init(&rng, settings->seed);
    *ret_plan = (struct plan){.count = settings->events};
    world_draw(ret_plan, settings, &rng);
    faults_draw(ret_plan, settings, &rng);
    for (size_t i = 0; i < faults_count(); i++)
        ret_plan->world.device |=
            (ret_plan->faults >> i & 1) && faults_at(i)->group == FAULTS_TRUST;
    ret_plan->steps = mem_new_array(settings->events, sizeof *ret_plan->steps);
    must(ret_plan->steps);
    steps_draw(ret_plan, &rng);
}

void plan_done(struct plan *plan)
{
    mem_free(plan->steps);
    *plan = (struct plan){0};
}

uint64_t plan_used(const struct plan *plan)
{
    uint64_t set = 0;
    for (size_t i = 0; i < plan->count; i++) {
        for (size_t j = 0; plan->steps[i].fault && j < faults_count(); j++)
            set |= (uint64_t)(plan->steps[i].fault == faults_at(j)) << j;
    }
    /* With them one node is a device, also where none of their steps is left. */
    for (size_t j = 0; plan->world.device && j < faults_count(); j++)
        if (faults_at(j)->group == FAULTS_TRUST)
            set |= plan->faults & (uint64_t)1 << j;
    return set;
}

/* ---- lists of steps ---- */

/* "3,17-20" as one range after the other. False: at the end, or bad (*list is not at the end). */
static bool range_next(const char **list, unsigned long *ret_from, unsigned long *ret_to)
{
    char *end;
    if (**list < '0' || **list > '9')
        return false;
    *ret_from = *ret_to = strtoul(*list, &end, 10);
    if (*end == '-' && end[1] >= '0' && end[1] <= '9')
        *ret_to = strtoul(end + 1, &end, 10);
    if ((*end != 0 && *end != ',') || *ret_from == 0 || *ret_to < *ret_from)
        return false;
    *list = end + (*end == ',');
    return true;
}

/* Numbers of steps rise, so a range is a stretch of them. */
static void stretch_keep(const struct plan *plan, bool *kept, unsigned long from, unsigned long to)
{
    size_t low = 0, high = plan->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (plan->steps[middle].number < from)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < plan->count && plan->steps[low].number <= to; low++)
        kept[low] = true;
}

void plan_keep(struct plan *plan, const bool *kept)
{
    size_t count = 0;
    uint64_t gap = 0;
    for (size_t i = 0; i < plan->count; i++) {
        gap += plan->steps[i].gap_ms;
        if (!kept[i])
            continue;
        plan->steps[count] = plan->steps[i];
        plan->steps[count++].gap_ms = gap;
        gap = 0;
    }
    plan->count = count;
}

bool plan_only(struct plan *plan, const char *only)
{
    bool *kept = mem_new_array(plan->count, sizeof *kept);
    unsigned long from, to, last = plan->count ? plan->steps[plan->count - 1].number : 0;
    bool good = true;
    must(kept);
    if (!strcmp(only, PLAN_NONE))
        only = "";
    else
        good = *only != 0;
    while (good && range_next(&only, &from, &to)) {
        stretch_keep(plan, kept, from, to);
        good = to <= last;
    }
    if (good && *only == 0)
        plan_keep(plan, kept);
    mem_free(kept);
    return good && *only == 0;
}

void plan_numbers(const struct plan *plan, struct buffer *ret_text)
{
    if (plan->count == 0)
        must(buffer_append(ret_text, slice_text(PLAN_NONE)) == 0);
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
