#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tests/sim/world.h"

enum { IMAGES_MAX = 6 };

/* A directory as it was. */
struct image {
    struct disk *disk;
    size_t node;
};

struct faults {
    struct world *world;
    struct load *load;
    struct image images[IMAGES_MAX];
    size_t images_count;
    bool isolated[NODES_MAX];
};

struct faults *faults_new(struct world *world, struct load *load)
{
    struct faults *faults = mem_new(sizeof *faults);
    must(faults);
    faults->world = world;
    faults->load = load;
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

static void restart_later(struct world *world, size_t node)
{
    world_after(world, 100 + world_below(world, 8000),
                (struct thing){.kind = THING_RESTART, .node = node});
}

static void isolate(struct faults *faults, size_t node, bool isolated)
{
    struct world *world = faults->world;
    if (!world->nodes[node].up)
        return;
    struct event *event = mem_new(sizeof *event);
    must(event);
    event->kind = EVENT_ISOLATE;
    event->isolated = isolated;
    faults->isolated[node] = isolated;
    sim_post(world, node, event);
}

/* ---- the net ---- */

static void cut_in_two(struct world *world)
{
    uint64_t sides = rng_u64(&world->rng);
    world_note(world, "cut in two");
    for (size_t a = 0; a < world->nodes_count; a++) {
        for (size_t b = 0; b < world->nodes_count; b++)
            world->cut[a][b] = (sides >> a & 1) != (sides >> b & 1);
    }
}

static void net_fault(struct faults *faults, size_t a, size_t b)
{
    struct world *world = faults->world;
    switch (world_below(world, 6)) {
    case 0:
        cut_in_two(world);
        break;
    case 1:
        world_note(world, "cut %s > %s", world->nodes[a].name, world->nodes[b].name);
        world->cut[a][b] = a != b;
        break;
    case 2:
        world_note(world, "reset %s %s", world->nodes[a].name, world->nodes[b].name);
        net_reset(world, a, b);
        break;
    case 3:
        world->delay_ms[a][b] = (unsigned)world_below(world, 1500);
        break;
    default:
        world_note(world, "no more cuts");
        memset(world->cut, 0, sizeof world->cut);
        memset(world->delay_ms, 0, sizeof world->delay_ms);
        break;
    }
}

/* ---- memory ---- */

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

static void image_take(struct faults *faults, size_t node)
{
    struct disk *disk = faults->world->nodes[node].disk;
    struct image *image;
    if (!all_is_released(&faults->world->nodes[node]))
        return;
    if (disk->ops->sync(disk))
        return;
    if (faults->images_count < IMAGES_MAX) {
        image = &faults->images[faults->images_count++];
    } else {
        image = &faults->images[world_below(faults->world, IMAGES_MAX)];
        disk_close(image->disk);
    }
    image->node = node;
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

static void amnesia_fault(struct faults *faults, size_t node)
{
    struct world *world = faults->world;
    const char *name = world->nodes[node].name;
    struct disk *disk = NULL;
    uint64_t what = world_below(world, 8);
    if (what < 3 || faults->images_count == 0) {
        image_take(faults, node);
        return;
    }
    const struct image *image = &faults->images[world_below(world, faults->images_count)];
    if (what == 3) {
        must(disk_mem_open(&disk) == 0);
        world_note(world, "wipe %s", name);
    } else if (image->node == node && what < 7) {
        must(disk_mem_copy(image->disk, &disk) == 0);
        world_note(world, "roll %s back", name);
    } else {
        must(disk_mem_copy(image->disk, &disk) == 0);
        world_note(world, "restore %s from a backup of %s", name, world->nodes[image->node].name);
        forget_life(disk);
    }
    load_doubt(faults->load, node);
    sim_crash(world, node);
    sim_set_disk(world, node, disk);
    restart_later(world, node);
}

/* ---- all ---- */

void faults_step(struct faults *faults)
{
    struct world *world = faults->world;
    size_t a = (size_t)world_below(world, world->nodes_count);
    size_t b = (size_t)world_below(world, world->nodes_count);
    struct sim_node *node = &world->nodes[a];
    switch (world_below(world, 10)) {
    case 0:
        node->crash_percent = (unsigned)world_below(world, 20);
        break;
    case 1:
        node->crash_percent = 0;
        node->slow_ms = world_below(world, 4) ? 0 : world_below(world, 300);
        break;
    case 2:
        if (!node->up)
            break;
        if (world_below(world, 2))
            sim_stop(world, a);
        else
            sim_crash(world, a);
        restart_later(world, a);
        break;
    case 3:
        if (node->up && world_below(world, 3) == 0) {
            node->disk_fails = true;
            disk_mem_fault(node->disk, world_below(world, 2) ? DISK_FAULT_COMMIT : DISK_FAULT_SYNC,
                           (unsigned)world_below(world, 20), 1, NEAP_IO);
        }
        node->skew_ms = (int64_t)world_below(world, 100000) - 50000;
        break;
    case 4:
        isolate(faults, a, !faults->isolated[a]);
        break;
    case 5:
        if (world->options.amnesia)
            amnesia_fault(faults, a);
        break;
    default:
        net_fault(faults, a, b);
        break;
    }
}

void faults_heal(struct faults *faults)
{
    struct world *world = faults->world;
    world_note(world, "heal");
    world->options.starve = false;
    memset(world->cut, 0, sizeof world->cut);
    memset(world->delay_ms, 0, sizeof world->delay_ms);
    for (size_t i = 0; i < world->nodes_count; i++) {
        if (world->nodes[i].disk_fails)
            sim_crash(world, i);
        disk_mem_fault(world->nodes[i].disk, DISK_FAULT_COMMIT, 0, 0, 0);
        disk_mem_fault(world->nodes[i].disk, DISK_FAULT_SYNC, 0, 0, 0);
        world->nodes[i].disk_fails = false;
        world->nodes[i].crash_percent = 0;
        world->nodes[i].slow_ms = 0;
        world->nodes[i].skew_ms = 0;
        sim_start(world, i);
        isolate(faults, i, false);
    }
}
