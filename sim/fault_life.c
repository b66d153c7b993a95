/* Faults of the lives of directories: lost, or gone back in time. */
#include <string.h>

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
    return node->up && disk_rotten(&node->door) == 0 && !sim_has_holes(node) &&
           !sim_lost(node->world) && disk->ops->sync(disk) == 0;
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

/* ---- images ---- */

static void image_drop(struct faults *faults, size_t at)
{
    disk_close(faults->images[at].disk);
    memmove(&faults->images[at], &faults->images[at + 1],
            (--faults->images_count - at) * sizeof *faults->images);
}

/* A directory that went back in place gives the names of the events that it lost to others once no
 * other node knows of them. Then no image that does must come back, of whatever node: a limit of
 * rule 9 (docs/guarantees.md). Whoever was asked when that became sure didn't know of them. */
static void images_forget(struct faults *faults)
{
    struct world *world = faults->world;
    for (size_t i = 0; i < world->nodes_count; i++) {
        sim_leaves(&world->nodes[i]);
        if (!sim_is_unsure(&world->nodes[i]))
            sim_leave(&world->nodes[i]);
    }
    for (size_t i = faults->images_count; i-- > 0 && world->left;) {
        if (faults->images[i].mark >= world->left)
            image_drop(faults, i);
    }
    world->left = 0;
}

/* The oldest are at the front. */
static void image_take(struct faults *faults, struct sim_node *node, struct rng *rng)
{
    node = node_settled(faults, node);
    if (!node)
        return;
    if (faults->images_count == IMAGES_MAX)
        image_drop(faults, (size_t)rng_below(rng, IMAGES_MAX));
    struct image *image = &faults->images[faults->images_count++];
    *image = (struct image){.node = node->index, .mark = load_history(faults->world->load)->ended};
    must(disk_mem_copy(node->disk, &image->disk) == 0);
    world_note(faults->world, "an image of %s", node->name);
}

/* Which image, of this node or (NULL) of any; SIZE_MAX: there is none, and now one is taken. */
static size_t image_draw(struct faults *faults, const struct sim_node *of, struct sim_node *node,
                         struct rng *rng)
{
    size_t count = 0;
    bool takes = rng_chance(rng, 40);
    images_forget(faults);
    if (sim_lost(faults->world)) /* a directory that goes may have the last good copy of a cell */
        return SIZE_MAX;
    for (size_t i = 0; i < faults->images_count; i++)
        count += !of || faults->images[i].node == of->index;
    if (count == 0 || takes) {
        image_take(faults, node, rng);
        return SIZE_MAX;
    }
    count = (size_t)rng_below(rng, count);
    for (size_t i = 0;; i++) {
        if ((!of || faults->images[i].node == of->index) && count-- == 0)
            return i;
    }
}

static struct disk *disk_copy(struct disk *disk)
{
    struct disk *copy;
    must(disk_mem_copy(disk, &copy) == 0);
    return copy;
}

/* As backups are written. */
static void forget_life(struct disk *disk)
{
    struct batch *batch;
    must(batch_new(disk, &batch) == 0);
    struct view view = batch_view(batch);
    if (identity_forget_life(&view, batch) == 0)
        must(disk->ops->commit(disk, batch, true) == 0);
    batch_free(batch);
}

/* What the node acknowledged by that mark is in its new directory. */
static void replace(struct faults *faults, struct sim_node *node, struct disk *disk, uint64_t mark,
                    struct rng *rng)
{
    struct world *world = faults->world;
    faults->copied = faults->lost = true;
    sim_crash(world, node->index);
    history_doubt_since(load_history(world->load), node->index, mark);
    sim_set_disk(world, node->index, disk);
    restart_later(world, node->index, rng);
}

/* ---- strikes ---- */

static void strike_wipe(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    if (sim_lost(faults->world) ||
        faults->subscribed) /* it may have the last good copy of a cell */
        return;
    faults->lost = true;
    world_note(faults->world, "wipe %s", node->name);
    sim_wipe(faults->world, node->index);
    restart_later(faults->world, node->index, rng);
}

static void strike_restore(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    struct sim_node *from = node_draw(faults, rng);
    size_t at = image_draw(faults, NULL, from, rng);
    if (at == SIZE_MAX || faults->log_rots || faults->subscribed)
        return;
    const struct image *image = &faults->images[at];
    world_note(faults->world, "restore %s from a backup of %s", node->name,
               faults->world->nodes[image->node].name);
    struct disk *disk = disk_copy(image->disk);
    forget_life(disk);
    replace(faults, node, disk, image->node == node->index ? image->mark : 0, rng);
}

/* Its later images are of a future that is left with this (a limit, too). */
static void strike_rollback(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    size_t at = image_draw(faults, node, node, rng);
    if (at == SIZE_MAX || faults->log_rots || faults->subscribed)
        return;
    world_note(faults->world, "roll %s back", node->name);
    replace(faults, node, disk_copy(faults->images[at].disk), faults->images[at].mark, rng);
    node->went_back = faults->images[at].mark + 1;
    for (size_t i = faults->images_count; i-- > at + 1;) {
        if (faults->images[i].node == node->index)
            image_drop(faults, i);
    }
}

/* Both go on: one of them where the directory was made, so that it is the other one that must
 * notice. */
static void strike_clone(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    struct sim_node *from = node_settled(faults, node_draw(faults, rng));
    if (!from || from == node || faults->log_rots || faults->subscribed)
        return;
    world_note(faults->world, "%s gets a copy of the directory of %s", node->name, from->name);
    replace(faults, node, disk_copy(from->disk), 0, rng);
}

/* Nothing is lost; but nobody can know that. */
static void strike_moved(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    bool machine = rng_chance(rng, 50);
    bool gently = rng_chance(rng, 50);
    world_note(faults->world, "%s moves to another %s", node->name,
               machine ? "machine" : "file system");
    if (gently)
        sim_stop(faults->world, node->index);
    else
        sim_crash(faults->world, node->index);
    if (machine)
        node->mark.machine[1]++;
    else
        node->mark.directory += NODES_MAX;
    restart_later(faults->world, node->index, rng);
}

static void done(struct faults *faults)
{
    while (faults->images_count > 0)
        image_drop(faults, 0);
}

static const struct fault_kind kinds[] = {
    {"wipe", "a disk is lost", FAULTS_LIFE, false, strike_wipe},
    {"restore", "a node gets a backup, of itself or of another", FAULTS_LIFE, false,
     strike_restore},
    {"rollback", "a directory goes back in time in place, and nobody says so", FAULTS_LIFE, false,
     strike_rollback},
    {"clone", "a node gets a copy of a directory in use", FAULTS_LIFE, false, strike_clone},
    {"moved", "a directory moves to another machine or file system", FAULTS_LIFE, false,
     strike_moved},
};

const struct fault_group_file faults_of_life = {
    .kinds = kinds,
    .count = sizeof kinds / sizeof *kinds,
    .done = done,
};
