/* The faults a world can have: the table of their groups, and what they have in common. */
#include "sim/faults.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

static const struct fault_group_file *const groups[] = {
    &faults_of_net,  &faults_of_node,   &faults_of_disk,  &faults_of_clock,
    &faults_of_life, &faults_of_memory, &faults_of_trust,
};
enum { GROUPS = sizeof groups / sizeof *groups };

struct faults *faults_new(struct world *world)
{
    struct faults *faults = mem_new(sizeof *faults);
    must(faults);
    faults->world = world;
    return faults;
}

void faults_free(struct faults *faults)
{
    if (!faults)
        return;
    for (size_t i = 0; i < GROUPS; i++) {
        if (groups[i]->done)
            groups[i]->done(faults);
    }
    mem_free(faults);
}

struct sim_node *node_draw(struct faults *faults, struct rng *rng)
{
    return &faults->world->nodes[rng_below(rng, faults->world->nodes_count)];
}

struct sim_node *up_draw(struct faults *faults, struct rng *rng)
{
    struct world *world = faults->world;
    size_t up = 0;
    for (size_t i = 0; i < world->nodes_count; i++)
        up += world->nodes[i].up;
    uint64_t at = rng_below(rng, up ? up : 1);
    for (size_t i = 0; i < world->nodes_count; i++) {
        if (world->nodes[i].up && at-- == 0)
            return &world->nodes[i];
    }
    world_note(world, "nobody is up");
    return NULL;
}

uint64_t lasting_draw(struct rng *rng, uint64_t least_ms)
{
    uint64_t lasts_ms = least_ms << rng_below(rng, 8);
    return lasts_ms + rng_below(rng, lasts_ms);
}

uint64_t restart_later(struct world *world, size_t node, struct rng *rng)
{
    uint64_t delay_ms = lasting_draw(rng, 20);
    world_after(world, delay_ms, (struct thing){.kind = THING_RESTART, .node = node});
    return delay_ms;
}

/* ---- memory ---- */

static void starve_end(void *arg)
{
    struct faults *faults = arg;
    if (faults->world->now_ms >= faults->starves_until_ms)
        faults->world->starves = false;
}

static void strike_starve(struct faults *faults, struct rng *rng)
{
    uint64_t lasts_ms = lasting_draw(rng, 100);
    world_note(faults->world, "starve: some turns lack memory, for %llu ms",
               (unsigned long long)lasts_ms);
    faults->world->starves = true;
    faults->starves_until_ms = faults->world->now_ms + lasts_ms;
    world_after(faults->world, lasts_ms,
                (struct thing){.kind = THING_CALL, .call = starve_end, .arg = faults});
}

static void memory_heal(struct faults *faults)
{
    faults->world->starves = false;
}

static const struct fault_kind memory_kinds[] = {
    {"starve", "memory runs out", FAULTS_MEMORY, false, strike_starve},
};

const struct fault_group_file faults_of_memory = {
    .kinds = memory_kinds,
    .count = sizeof memory_kinds / sizeof *memory_kinds,
    .heal = memory_heal,
};

/* ---- all ---- */

size_t faults_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < GROUPS; i++)
        count += groups[i]->count;
    return count;
}

const struct fault_kind *faults_at(size_t index)
{
    size_t group = 0;
    while (index >= groups[group]->count)
        index -= groups[group++]->count;
    return &groups[group]->kinds[index];
}

const char *fault_group_name(enum fault_group group)
{
    static const char *const names[] = {"net", "node", "disk", "clock", "life", "memory", "trust"};
    return names[group];
}

bool faults_parse(const char *list, uint64_t *ret_set, char *ret_why, size_t size)
{
    uint64_t set = 0;
    while (*list) {
        bool takes = *list == '-', known = false;
        const char *word = list + takes;
        size_t length = strcspn(word, ",");
        for (size_t i = 0; i < faults_count(); i++) {
            const char *group = fault_group_name(faults_at(i)->group);
            bool all = length == 3 && !strncmp(word, "all", 3) && !faults_at(i)->apart;
            bool of_group =
                strlen(group) == length && !strncmp(word, group, length) && !faults_at(i)->apart;
            bool itself =
                strlen(faults_at(i)->name) == length && !strncmp(word, faults_at(i)->name, length);
            if (!all && !of_group && !itself)
                continue;
            known = true;
            set = takes ? set & ~(UINT64_C(1) << i) : set | UINT64_C(1) << i;
        }
        if (!known && !(length == 4 && !strncmp(word, "none", 4))) {
            snprintf(ret_why, size, "there is no fault '%.*s'", (int)length, word);
            return false;
        }
        list = word + length;
        list += *list == ',';
    }
    *ret_set = set;
    return true;
}

void faults_heal(struct faults *faults)
{
    struct world *world = faults->world;
    world_note(world, "heal");
    for (size_t i = 0; i < GROUPS; i++) {
        if (groups[i]->heal)
            groups[i]->heal(faults);
    }
    for (size_t i = 0; i < world->nodes_count; i++) {
        sim_start(world, i);
        isolate(faults, &world->nodes[i], false);
        if (faults->subscribed && world->nodes[i].up)
            sim_subscribe(world, i, true, "*");
    }
}
