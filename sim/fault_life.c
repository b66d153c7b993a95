/* Faults of the lives of directories: lost, or gone back in time. */
#include "base/error.h"
#include "sim/check.h"
#include "sim/faults.h"
#include "sim/load.h"

static bool is_settled(struct sim_node *node)
{
    struct disk *disk = &node->door.disk;
    for (size_t i = 0; node->up && i < node->wheel.engine.store.shards_count; i++) {
        if (!shard_released(node->wheel.engine.store.shards[i]))
            return false;
    }
    return node->up && disk_rotten(&node->door) == 0 && disk->ops->sync(disk) == 0;
}

struct sim_node *node_settled(struct faults *faults, struct sim_node *node)
{
    struct world *world = faults->world;
    for (size_t i = 0; i < world->nodes_count; i++) {
        struct sim_node *other = &world->nodes[(node->index + i) % world->nodes_count];
        if (is_settled(other))
            return other;
    }
    return NULL;
}

static void image_take(struct faults *faults, struct sim_node *node, struct rng *rng)
{
    struct image *image;
    node = node_settled(faults, node);
    if (!node)
        return;
    if (faults->images_count < IMAGES_MAX) {
        image = &faults->images[faults->images_count++];
    } else {
        image = &faults->images[rng_below(rng, IMAGES_MAX)];
        disk_close(image->disk);
    }
    image->node = node->index;
    must(disk_mem_copy(node->disk, &image->disk) == 0);
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

static void done(struct faults *faults)
{
    for (size_t i = 0; i < faults->images_count; i++)
        disk_close(faults->images[i].disk);
}

static const struct fault_kind kinds[] = {
    {"wipe", "a disk is lost", FAULTS_LIFE, false, strike_wipe},
    {"restore", "a directory goes back in time", FAULTS_LIFE, false, strike_restore},
};

const struct fault_group_file faults_of_life = {
    .kinds = kinds,
    .count = sizeof kinds / sizeof *kinds,
    .done = done,
};
