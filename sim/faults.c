/* The faults a world can have: the table, and what they have in common. */
#include "sim/fault.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/check.h"
#include "sim/load.h"

enum { IMAGES_MAX = 6 };

/* A directory as it was. */
struct image {
    struct disk *disk;
    size_t node;
};

struct faults {
    struct world *world;
    struct image images[IMAGES_MAX];
    size_t images_count;
    bool isolated[NODES_MAX];
};

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
    for (size_t i = 0; i < faults->images_count; i++)
        disk_close(faults->images[i].disk);
    mem_free(faults);
}

static struct sim_node *node_draw(struct faults *faults, struct rng *rng)
{
    return &faults->world->nodes[rng_below(rng, faults->world->nodes_count)];
}

static void restart_later(struct world *world, size_t node, struct rng *rng)
{
    world_after(world, 100 + rng_below(rng, 8000),
                (struct thing){.kind = THING_RESTART, .node = node});
}

/* ---- the net ---- */

static void strike_cut(struct faults *faults, struct rng *rng)
{
    struct world *world = faults->world;
    uint64_t sides = rng_u64(rng);
    world_note(world, "cut in two");
    for (size_t a = 0; a < world->nodes_count; a++) {
        for (size_t b = 0; b < world->nodes_count; b++)
            world->cut[a][b] = (sides >> a & 1) != (sides >> b & 1);
    }
}

static void strike_oneway(struct faults *faults, struct rng *rng)
{
    struct sim_node *a = node_draw(faults, rng), *b = node_draw(faults, rng);
    world_note(faults->world, "cut %s > %s", a->name, b->name);
    faults->world->cut[a->index][b->index] = a != b;
}

static void strike_mend(struct faults *faults, struct rng *rng)
{
    (void)rng;
    world_note(faults->world, "no more cuts");
    memset(faults->world->cut, 0, sizeof faults->world->cut);
    memset(faults->world->delay_ms, 0, sizeof faults->world->delay_ms);
}

static void strike_reset(struct faults *faults, struct rng *rng)
{
    struct sim_node *a = node_draw(faults, rng), *b = node_draw(faults, rng);
    world_note(faults->world, "reset %s %s", a->name, b->name);
    net_reset(faults->world, a->index, b->index);
}

static void strike_delay(struct faults *faults, struct rng *rng)
{
    struct sim_node *a = node_draw(faults, rng), *b = node_draw(faults, rng);
    faults->world->delay_ms[a->index][b->index] = (unsigned)rng_below(rng, 1500);
}

static void isolate(struct faults *faults, struct sim_node *node, bool isolated)
{
    if (!node->up)
        return;
    struct event *event = mem_new(sizeof *event);
    must(event);
    event->kind = EVENT_ISOLATE;
    event->isolated = isolated;
    faults->isolated[node->index] = isolated;
    sim_post(faults->world, node->index, event);
}

static void strike_isolate(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    isolate(faults, node, !faults->isolated[node->index]);
}

/* ---- nodes ---- */

static void strike_stop(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    if (!node->up)
        return;
    sim_stop(faults->world, node->index);
    restart_later(faults->world, node->index, rng);
}

static void strike_crash(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    if (!node->up)
        return;
    sim_crash(faults->world, node->index);
    restart_later(faults->world, node->index, rng);
}

static void strike_effect(struct faults *faults, struct rng *rng)
{
    node_draw(faults, rng)->crash_percent = rng_chance(rng, 50) ? 0 : (unsigned)rng_below(rng, 20);
}

static void strike_slow(struct faults *faults, struct rng *rng)
{
    node_draw(faults, rng)->slow_ms = rng_below(rng, 4) ? 0 : rng_below(rng, 300);
}

/* ---- disks ---- */

static void strike_write(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    if (!node->up)
        return;
    node->disk_fails = true;
    disk_mem_fault(node->disk, rng_below(rng, 2) ? DISK_FAULT_COMMIT : DISK_FAULT_SYNC,
                   (unsigned)rng_below(rng, 20), 1, NEAP_IO);
}

/* ---- clocks ---- */

static void strike_skew(struct faults *faults, struct rng *rng)
{
    node_draw(faults, rng)->skew_ms = (int64_t)rng_below(rng, 100000) - 50000;
}

/* ---- lives ---- */

/* An image of events that may get other names later would bring them back under both: a limit of
 * rule 9 (docs/guarantees.md), so none is taken then. */
static bool all_is_released(const struct sim_node *node)
{
    for (size_t i = 0; node->up && i < node->wheel.engine.store.shards_count; i++) {
        if (!shard_released(node->wheel.engine.store.shards[i]))
            return false;
    }
    return node->up;
}

static void image_take(struct faults *faults, struct sim_node *node, struct rng *rng)
{
    struct disk *disk = node->disk;
    struct image *image;
    if (!all_is_released(node) || disk->ops->sync(disk))
        return;
    if (faults->images_count < IMAGES_MAX) {
        image = &faults->images[faults->images_count++];
    } else {
        image = &faults->images[rng_below(rng, IMAGES_MAX)];
        disk_close(image->disk);
    }
    image->node = node->index;
    must(disk_mem_copy(disk, &image->disk) == 0);
}

static void forget_life(struct disk *disk)
{
    struct batch *batch;
    must(batch_new(disk, &batch) == 0);
    struct view view = batch_view(batch);
    if (identity_forget_life(&view, batch) == 0)
        must(disk->ops->commit(disk, batch, true) == 0);
    batch_free(batch);
}

static void replace(struct faults *faults, struct sim_node *node, struct disk *disk,
                    struct rng *rng)
{
    history_doubt(load_history(faults->world->load), node->index);
    sim_crash(faults->world, node->index);
    sim_set_disk(faults->world, node->index, disk);
    restart_later(faults->world, node->index, rng);
}

static void strike_wipe(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    struct disk *disk;
    must(disk_mem_open(&disk) == 0);
    world_note(faults->world, "wipe %s", node->name);
    replace(faults, node, disk, rng);
}

/* A directory of this node, or a backup of any, comes back. */
static void strike_restore(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    const struct image *image;
    struct disk *disk = NULL;
    if (faults->images_count == 0 || rng_chance(rng, 50)) {
        image_take(faults, node, rng);
        return;
    }
    image = &faults->images[rng_below(rng, faults->images_count)];
    must(disk_mem_copy(image->disk, &disk) == 0);
    if (image->node == node->index && rng_chance(rng, 75)) {
        world_note(faults->world, "roll %s back", node->name);
    } else {
        world_note(faults->world, "restore %s from a backup of %s", node->name,
                   faults->world->nodes[image->node].name);
        forget_life(disk);
    }
    replace(faults, node, disk, rng);
}

/* ---- memory ---- */

static void strike_starve(struct faults *faults, struct rng *rng)
{
    (void)rng;
    faults->world->starves = true;
}

static void strike_garble(struct faults *faults, struct rng *rng)
{
    (void)rng;
    faults->world->garbles = true;
}

/* ---- all ---- */

static const struct fault_kind table[] = {
    {"cut", "the net parts into two halves", FAULTS_NET, false, strike_cut},
    {"oneway", "one node does not reach another", FAULTS_NET, false, strike_oneway},
    {"mend", "all cuts and delays end", FAULTS_NET, false, strike_mend},
    {"reset", "the links between two nodes break", FAULTS_NET, false, strike_reset},
    {"delay", "messages of one node to another are late", FAULTS_NET, false, strike_delay},
    {"isolate", "an operator takes a node off the net, or back", FAULTS_NET, false, strike_isolate},
    {"stop", "a process stops in good order", FAULTS_NODE, false, strike_stop},
    {"crash", "power fails", FAULTS_NODE, false, strike_crash},
    {"effect", "power fails before some effect of a turn", FAULTS_NODE, false, strike_effect},
    {"slow", "a node is slow", FAULTS_NODE, false, strike_slow},
    {"write", "the disk fails a write or a sync", FAULTS_DISK, false, strike_write},
    {"skew", "a clock is off", FAULTS_CLOCK, false, strike_skew},
    {"wipe", "a disk is lost", FAULTS_LIFE, false, strike_wipe},
    {"restore", "a directory goes back in time", FAULTS_LIFE, false, strike_restore},
    {"starve", "memory runs out", FAULTS_MEMORY, false, strike_starve},
    {"garble", "messages arrive with other bytes", FAULTS_NET, true, strike_garble},
};

size_t faults_count(void)
{
    return sizeof table / sizeof *table;
}

const struct fault_kind *faults_at(size_t index)
{
    return &table[index];
}

const char *fault_group_name(enum fault_group group)
{
    static const char *const names[] = {"net", "node", "disk", "clock", "life", "memory"};
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
            const char *group = fault_group_name(table[i].group);
            bool all = length == 3 && !strncmp(word, "all", 3) && !table[i].apart;
            bool of_group =
                strlen(group) == length && !strncmp(word, group, length) && !table[i].apart;
            bool itself = strlen(table[i].name) == length && !strncmp(word, table[i].name, length);
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
    world->starves = world->garbles = false;
    memset(world->cut, 0, sizeof world->cut);
    memset(world->delay_ms, 0, sizeof world->delay_ms);
    for (size_t i = 0; i < world->nodes_count; i++) {
        struct sim_node *node = &world->nodes[i];
        if (node->disk_fails)
            sim_crash(world, i);
        disk_mem_fault(node->disk, DISK_FAULT_COMMIT, 0, 0, 0);
        disk_mem_fault(node->disk, DISK_FAULT_SYNC, 0, 0, 0);
        node->disk_fails = false;
        node->crash_percent = 0;
        node->slow_ms = 0;
        node->skew_ms = 0;
        sim_start(world, i);
        isolate(faults, node, false);
    }
}
