/* Faults of disks: orders for the door before the memory disk (sim/disk.h). */
#include <stdio.h>

#include "base/error.h"
#include "sim/check.h"
#include "sim/faults.h"
#include "sim/find.h"
#include "sim/load.h"

static void strike_write(struct faults *faults, struct rng *rng)
{
    static const char *const words[] = {"nothing of it is there", "it may go with the power",
                                        "all of it is there"};
    struct sim_node *node = node_draw(faults, rng);
    uint64_t after = rng_below(rng, 20);
    enum disk_failure failure = (enum disk_failure)rng_below(rng, 3);
    world_note(faults->world, "%s: a write will fail, and %s", node->name, words[failure]);
    disk_fail_write(&node->door, after, failure);
}

static void strike_sync(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    uint64_t after = rng_below(rng, 20);
    world_note(faults->world, "%s: a sync will fail", node->name);
    disk_fail_sync(&node->door, after);
}

static void strike_torn(struct faults *faults, struct rng *rng)
{
    static const char *const words[] = {"", "and tear the last write", "and damage a log",
                                        "and damage what is synced from now on"};
    struct sim_node *node = node_draw(faults, rng);
    enum disk_damage damage = (enum disk_damage)(DISK_TAIL + rng_below(rng, 3));
    unsigned after = (unsigned)rng_below(rng, damage == DISK_SYNCED ? 400 : 80);
    if (damage == DISK_SYNCED)
        node = node_settled(faults, node);
    if (!node)
        return;
    world_note(faults->world, "%s: power will fail %s", node->name, words[damage]);
    disk_tear(&node->door, damage, after, load_history(faults->world->load)->ended);
}

static void strike_full(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    uint64_t after = rng_below(rng, 10);
    uint64_t lasts_ms = 100 + rng_below(rng, 8000);
    world_note(faults->world, "%s: the disk gets full", node->name);
    disk_fill(&node->door, after, faults->world->now_ms + lasts_ms);
}

static void strike_read(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    uint64_t after = rng_below(rng, 100);
    uint64_t count = rng_below(rng, 4);
    uint64_t lasts_ms = count ? 0 : rng_below(rng, 3000);
    int code = rng_chance(rng, 50) ? NEAP_IO : NEAP_CORRUPT;
    world_note(faults->world, "%s: reads will fail (%s)", node->name, error_name(code));
    disk_fail_read(&node->door, after, count, faults->world->now_ms + lasts_ms, code);
}

/* What rots on all replicas is lost for good: so only one at a time is damaged. */
static bool others_rot(const struct world *world, const struct sim_node *node)
{
    bool rot = false;
    for (size_t i = 0; i < world->nodes_count; i++) {
        const struct sim_node *other = &world->nodes[i];
        rot |= other != node && (disk_rotten(&other->door) > 0 || sim_has_holes(other));
    }
    return rot;
}

/* Whoever lacks events of a node whose log has gaps catches up by comparing with it, and what it
 * has lost without a word is lost by that on all: the limit of rule 7. So no node has both. */
static bool disk_has_lost(const struct sim_node *node)
{
    return disk_find_lost(&node->door, slice_of(NULL, 0)) != NULL;
}

static void strike_rot(struct faults *faults, struct rng *rng)
{
    static const enum disk_family families[] = {DISK_CELLS, DISK_CELLS, DISK_CELLS, DISK_LOG,
                                                DISK_META};
    struct sim_node *node = node_draw(faults, rng);
    enum disk_family family = families[rng_below(rng, sizeof families / sizeof *families)];
    family = family == DISK_LOG && faults->copied ? DISK_CELLS : family;
    size_t count = disk_rot_candidates(&node->door, family);
    uint64_t at = count ? rng_below(rng, count) : 0;
    if (others_rot(faults->world, node) || (family == DISK_LOG && disk_has_lost(node)))
        return;
    if (!disk_rot_at(&node->door, family, at))
        return;
    faults->log_rots |= family == DISK_LOG;
    world_note(faults->world, "%s: value %llu of %s rots", node->name, (unsigned long long)at,
               disk_family_name(family));
}

/* Every replica of the shard is up, has seen the same and is settled: the same is stored. */
static bool is_everywhere(struct world *world, struct slice key, struct slice cell)
{
    uint64_t id = bytes_get_u64(key.data), ref;
    const struct shard *first = store_find(&world->nodes[0].wheel.engine.store, id);
    struct buffer value;
    struct slice other;
    bool same = first != NULL;
    buffer_init(&value, 64 << 20);
    for (size_t i = 0; same && i < world->nodes_count; i++) {
        struct sim_node *node = &world->nodes[i];
        const struct shard *shard = node->up ? store_find(&node->wheel.engine.store, id) : NULL;
        same = shard && shard_released(shard) && !shard->session.id &&
               context_equal(&shard->context, &first->context) &&
               node->disk->ops->get(node->disk, NULL, DISK_CELLS, key, &value) == 0 &&
               stored_split(buffer_slice(&value), &ref, &other) == 0 && slice_equal(other, cell) &&
               !residue_find(shard, ref);
    }
    buffer_done(&value);
    return same;
}

/* The cell at `at`, or the next one that all others hold, so that it can come back: what only this
 * node has is lost for good. */
static bool lose_at(struct sim_node *node, uint64_t at, struct buffer *ret_key)
{
    struct scan *scan = scan_of(node, DISK_CELLS);
    struct slice key, value, cell;
    uint64_t ref;
    bool found = false;
    for (uint64_t i = 0; !found && scan_next(scan, &key, &value) == 0; i++) {
        must(stored_split(value, &ref, &cell) == 0);
        found = i >= at && is_everywhere(node->world, key, cell);
        if (found)
            must(buffer_set(ret_key, key) == 0);
    }
    scan_close(scan);
    return found;
}

/* Until it is back no caller touches the cell: whoever writes what its node has lost spreads the
 * loss, which is the limit of rule 7. So nobody must be about to. */
static void strike_lose(struct faults *faults, struct rng *rng)
{
    struct world *world = faults->world;
    struct sim_node *node = up_draw(faults, rng);
    uint64_t at = rng_below(rng, 64);
    struct buffer key;
    char text[120];
    if (!node || world->nodes_count < 3 || !load_is_done(world->load) || sim_lost(world) ||
        disk_rots(&node->door, DISK_LOG))
        return;
    buffer_init(&key, 1 << 20);
    if ((lose_at(node, at, &key) || lose_at(node, 0, &key)) &&
        disk_lose(&node->door, buffer_slice(&key))) {
        path_text(key_cell_path(buffer_slice(&key)), text, sizeof text);
        world_note(world, "%s: %s is lost", node->name, text);
    }
    buffer_done(&key);
}

static void strike_slow(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    uint64_t sync_ms = 5 + rng_below(rng, 300);
    uint64_t lasts_ms = 100 + rng_below(rng, 10000);
    world_note(faults->world, "%s: a sync takes %llu ms", node->name, (unsigned long long)sync_ms);
    disk_slow(&node->door, sync_ms, faults->world->now_ms + lasts_ms);
}

/* A node whose scrub meets rot is started again, which salvages its directory. Where the records
 * of its shards themselves are rotten, it is thrown away. */
static void heal(struct faults *faults)
{
    struct world *world = faults->world;
    for (size_t i = 0; i < world->nodes_count; i++) {
        struct sim_node *node = &world->nodes[i];
        disk_mend(&node->door);
        if (node->up && disk_find_lost(&node->door, slice_of(NULL, 0)))
            trees_scrub(&node->wheel.engine.trees); /* the others will when it is time */
        if (disk_rotten(&node->door) == 0)
            continue;
        node->door.damaged = true;
        if (node->up)
            sim_crash(world, i);
        if (!disk_rots(&node->door, DISK_META))
            continue;
        world_note(world, "%s has rotten records: its directory is thrown away", node->name);
        sim_wipe(world, i);
    }
}

static const struct fault_kind kinds[] = {
    {"write", "a write fails: it may be there or not", FAULTS_DISK, false, strike_write},
    {"sync", "a sync fails: the disk takes no more writes", FAULTS_DISK, false, strike_sync},
    {"torn", "power fails in a write, and damages what it wrote or more", FAULTS_DISK, false,
     strike_torn},
    {"full", "there is no room on a disk for a while", FAULTS_DISK, false, strike_full},
    {"read", "reads fail, once or for a while", FAULTS_DISK, false, strike_read},
    {"rot", "a stored value no longer passes its checksum", FAULTS_DISK, false, strike_rot},
    {"lose", "a stored cell is gone, and no checksum tells", FAULTS_DISK, false, strike_lose},
    {"slowdisk", "syncs take their time", FAULTS_DISK, false, strike_slow},
};

const struct fault_group_file faults_of_disk = {
    .kinds = kinds,
    .count = sizeof kinds / sizeof *kinds,
    .heal = heal,
};
