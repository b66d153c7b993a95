#include "sim/disk.h"

#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "crdt/types.h"
#include "sim/check.h"
#include "sim/escrow.h"
#include "sim/load.h"
#include "store/salvage.h"
#include "store/slot.h"

static struct sim_disk *disk_of(struct disk *disk)
{
    return (struct sim_disk *)disk;
}

static struct disk *behind(const struct sim_disk *disk)
{
    return disk->node->disk;
}

static uint64_t now_ms(const struct sim_disk *disk)
{
    return disk->node->world->now_ms;
}

/* ---- orders ---- */

/* Is it this call's turn to fail? */
static bool order_strikes(struct sim_disk *disk, struct disk_order *order)
{
    if (!order->active)
        return false;
    if (order->after > 0) {
        order->after--;
        return false;
    }
    if (order->count > 0)
        order->count--;
    else if (now_ms(disk) >= order->until_ms)
        order->active = false;
    if (order->active)
        disk->done++;
    return order->active;
}

static int disk_fails(struct sim_disk *disk, int code, const char *what)
{
    disk->hurt |= 1U << -code;
    return error_set(&disk->error, code, "simulated disk: %s", what);
}

void disk_fail_write(struct sim_disk *disk, uint64_t after, enum disk_failure failure)
{
    disk->write = (struct disk_order){.active = true, .after = after, .count = 1};
    disk->write_failure = failure;
}

void disk_fail_sync(struct sim_disk *disk, uint64_t after)
{
    disk->sync = (struct disk_order){.active = true, .after = after, .count = 1};
}

void disk_fail_read(struct sim_disk *disk, uint64_t after, uint64_t count, uint64_t until_ms,
                    int code)
{
    disk->read = (struct disk_order){
        .active = true, .after = after, .count = count, .until_ms = until_ms, .code = code};
}

void disk_fill(struct sim_disk *disk, uint64_t after, uint64_t until_ms)
{
    disk->full = (struct disk_order){.active = true, .after = after, .until_ms = until_ms};
}

void disk_slow(struct sim_disk *disk, uint64_t sync_ms, uint64_t until_ms)
{
    disk->slow_ms = sync_ms;
    disk->slow_until_ms = until_ms;
}

static void tear_end(struct sim_disk *disk)
{
    disk_close(disk->tear_back);
    disk->tear_back = NULL;
    disk->damage = DISK_WHOLE;
    disk->torn = false;
}

void disk_tear(struct sim_disk *disk, enum disk_damage damage, unsigned after, uint64_t mark)
{
    tear_end(disk);
    disk->damage = damage;
    disk->tear_after = after;
    disk->tear_mark = mark;
    if (damage == DISK_SYNCED)
        must(disk_mem_copy(behind(disk), &disk->tear_back) == 0);
}

void disk_mend(struct sim_disk *disk)
{
    disk->write.active = disk->sync.active = disk->read.active = disk->full.active = false;
    disk->slow_until_ms = 0;
    tear_end(disk);
}

/* ---- rot ---- */

static bool rot_is_at(const struct disk_rot *rot, enum disk_family family, struct slice key)
{
    return rot->family == family && slice_equal(slice_of(rot->key, rot->size), key);
}

static bool is_rotten(const struct sim_disk *disk, enum disk_family family, struct slice key)
{
    for (size_t i = 0; i < disk->rot_count; i++) {
        if (!disk->rot[i].healed && !disk->rot[i].lost && rot_is_at(&disk->rot[i], family, key))
            return true;
    }
    return false;
}

/* What is stored has no dots: it is kept for what its node knows of it alone. */
static bool is_bare(struct slice value)
{
    struct slice cell;
    uint64_t ref;
    return stored_split(value, &ref, &cell) == 0 && cell.size == 1;
}

static bool disk_has_live(const struct sim_disk *disk, struct slice key, struct buffer *value)
{
    struct disk *inner = behind(disk);
    return inner->ops->get(inner, NULL, DISK_CELLS, key, value) == 0 &&
           !is_bare(buffer_slice(value));
}

/* What expires, and a no that is spent, is removed by the node that wrote it, wherever it is lost:
 * once nobody has it, there is nothing that could come back. */
static bool is_over(const struct sim_disk *disk, struct slice key, struct buffer *value)
{
    const struct world *world = disk->node->world;
    enum neap_type type;
    if (bytes_get_u64(key.data) != bucket_id(EXPIRY_BUCKET) &&
        (path_check(key_cell_path(key), &type) || !type_collects(type)))
        return false;
    for (size_t i = 0; i < world->nodes_count; i++)
        if (disk_has_live(&world->nodes[i].door, key, value))
            return false;
    return true;
}

static const struct disk_rot *lost_find(const struct sim_disk *disk, struct slice prefix, bool over)
{
    struct buffer value;
    const struct disk_rot *found = NULL;
    buffer_init(&value, 64 << 20);
    for (size_t i = 0; !found && i < disk->rot_count; i++) {
        const struct disk_rot *rot = &disk->rot[i];
        struct slice key = slice_of(rot->key, rot->size);
        if (!rot->lost || rot->size < prefix.size ||
            !slice_equal(slice_of(rot->key, prefix.size), prefix))
            continue;
        if (!disk_has_live(disk, key, &value) && (over || !is_over(disk, key, &value)))
            found = rot;
    }
    buffer_done(&value);
    return found;
}

const struct disk_rot *disk_find_lost(const struct sim_disk *disk, struct slice prefix)
{
    return lost_find(disk, prefix, false);
}

bool disk_lacks(const struct sim_disk *disk, struct slice key)
{
    return lost_find(disk, key, true);
}

static void rot_drop(struct sim_disk *disk, size_t at)
{
    mem_free(disk->rot[at].key);
    disk->rot[at] = disk->rot[--disk->rot_count];
}

/* A commit was synced, and all before it: what they wrote over is gone for good. */
static void rot_settle(struct sim_disk *disk)
{
    for (size_t i = disk->rot_count; i-- > 0;) {
        if (disk->rot[i].healed)
            rot_drop(disk, i);
    }
}

/* Only so many of the commits that were not synced are left: the others healed nothing. */
static void rot_keep(struct sim_disk *disk, size_t commits)
{
    for (size_t i = disk->rot_count; i-- > 0;) {
        if (disk->rot[i].healed > commits)
            disk->rot[i].healed = 0;
        else if (disk->rot[i].healed)
            rot_drop(disk, i);
    }
}

static void rot_clear(struct sim_disk *disk)
{
    while (disk->rot_count > 0)
        rot_drop(disk, 0);
}

size_t disk_rotten(const struct sim_disk *disk)
{
    size_t count = 0;
    for (size_t i = 0; i < disk->rot_count; i++)
        count += disk->rot[i].healed == 0 && !disk->rot[i].lost;
    return count;
}

/* What was lost here is back. A node that is comparing may have been told before that there is no
 * such cell, and claims so when it ends. */
static void loss_outlives(const struct sim_disk *disk, const struct disk_rot *rot)
{
    struct world *world = disk->node->world;
    struct slice key = slice_of(rot->key, rot->size);
    for (size_t i = 0; rot->lost && i < world->nodes_count; i++) {
        struct sim_node *other = &world->nodes[i];
        const struct shard *shard =
            other->up ? store_find(&other->wheel.engine.store, bytes_get_u64(rot->key)) : NULL;
        if (other != disk->node && shard && shard->session.id && !disk_find_lost(&other->door, key))
            (void)disk_lose_too(&other->door, key);
    }
}

bool disk_rots(const struct sim_disk *disk, enum disk_family family)
{
    bool rots = false;
    for (size_t i = 0; i < disk->rot_count; i++)
        rots |= !disk->rot[i].healed && !disk->rot[i].lost && disk->rot[i].family == family;
    return rots;
}

/* batch_visit: whatever this writes over is rotten no longer. */
static int rot_heal(void *arg, enum batch_kind kind, enum disk_family family, struct slice key,
                    struct slice value)
{
    struct sim_disk *disk = arg;
    for (size_t i = 0; i < disk->rot_count; i++) {
        struct disk_rot *rot = &disk->rot[i];
        struct slice at = slice_of(rot->key, rot->size);
        bool hit = kind == BATCH_RANGE ? slice_compare(at, key) >= 0 && slice_compare(at, value) < 0
                                       : slice_equal(at, key);
        if (hit && rot->family == family && !rot->healed &&
            (!rot->lost || (kind == BATCH_PUT && !is_bare(value)))) {
            rot->healed = disk_mem_unsynced(behind(disk));
            loss_outlives(disk, rot);
        }
    }
    return 0;
}

/* The commit is in the disk behind; when it was synced there, that has forgotten its number. */
static void rot_committed(struct sim_disk *disk, const struct batch *batch)
{
    if (disk->rot_count == 0)
        return;
    if (disk_mem_unsynced(behind(disk)) > 0) {
        (void)batch_each(batch, rot_heal, disk);
        return;
    }
    for (size_t i = 0; i < disk->rot_count; i++) {
        struct disk_rot *rot = &disk->rot[i];
        struct slice value;
        enum batch_kind kind =
            batch_find(batch, rot->family, slice_of(rot->key, rot->size), &value);
        if (kind != BATCH_NONE && (!rot->lost || (kind == BATCH_PUT && !is_bare(value)))) {
            rot->healed = 1;
            loss_outlives(disk, rot);
        }
    }
    rot_settle(disk);
}

/* The keys whose stored value is the synced one, which is what can rot: the first of them, or the
 * one at `*at`. */
static bool rot_seek(struct sim_disk *disk, enum disk_family family, uint64_t at,
                     struct buffer *ret_key, size_t *ret_count)
{
    static const struct slice whole;
    struct disk *synced;
    struct view view = {.disk = behind(disk)};
    struct buffer old;
    struct scan *scan;
    struct slice key, value;
    bool found = false;
    must(disk_mem_copy(behind(disk), &synced) == 0);
    buffer_init(&old, 64 << 20);
    must(view_scan(&view, family, whole, whole, &scan) == 0);
    *ret_count = 0;
    while (!found && scan_next(scan, &key, &value) == 0) {
        if (is_rotten(disk, family, key) || synced->ops->get(synced, NULL, family, key, &old) ||
            !slice_equal(buffer_slice(&old), value))
            continue;
        found = (*ret_count)++ == at;
        if (found)
            must(buffer_set(ret_key, key) == 0);
    }
    scan_close(scan);
    buffer_done(&old);
    disk_close(synced);
    return found;
}

size_t disk_rot_candidates(struct sim_disk *disk, enum disk_family family)
{
    size_t count;
    (void)rot_seek(disk, family, UINT64_MAX, NULL, &count);
    return count;
}

bool disk_rot_at(struct sim_disk *disk, enum disk_family family, uint64_t at)
{
    struct disk_rot *rot = &disk->rot[disk->rot_count];
    struct buffer key;
    size_t count;
    buffer_init(&key, 1 << 20);
    bool found = disk->rot_count < DISK_ROT_MAX && rot_seek(disk, family, at, &key, &count);
    if (found) {
        *rot = (struct disk_rot){.family = family, .size = key.size, .key = mem_new(key.size)};
        must(rot->key);
        memcpy(rot->key, key.data, key.size);
        disk->rot_count++;
    }
    buffer_done(&key);
    return found;
}

/* ---- loss ---- */

bool disk_lose_too(struct sim_disk *disk, struct slice key)
{
    if (disk->rot_count == DISK_ROT_MAX)
        return false;
    struct disk_rot *rot = &disk->rot[disk->rot_count++];
    *rot = (struct disk_rot){
        .family = DISK_CELLS, .lost = true, .size = key.size, .key = mem_new(key.size)};
    must(rot->key);
    memcpy(rot->key, key.data, key.size);
    return true;
}

bool disk_lose(struct sim_disk *disk, struct slice key)
{
    struct disk *inner = behind(disk);
    struct buffer value;
    struct batch *batch;
    buffer_init(&value, 64 << 20);
    bool there = disk->rot_count < DISK_ROT_MAX && disk_mem_unsynced(inner) == 0 &&
                 !is_rotten(disk, DISK_CELLS, key) &&
                 inner->ops->get(inner, NULL, DISK_CELLS, key, &value) == 0;
    buffer_done(&value);
    if (!there)
        return false;
    must(batch_new(inner, &batch) == 0);
    must(batch_delete(batch, DISK_CELLS, key) == 0);
    must(inner->ops->commit(inner, batch, true) == 0);
    batch_free(batch);
    disk->done++;
    return disk_lose_too(disk, key);
}

/* ---- reading ---- */

static int read_fails(struct sim_disk *disk, enum disk_family family, struct slice key)
{
    if (order_strikes(disk, &disk->read))
        return disk_fails(disk, disk->read.code, "a read fails");
    if (is_rotten(disk, family, key)) {
        disk->done++;
        disk->met_rot = true;
        disk->damaged |= !BROKEN("damage-forgotten");
        return disk_fails(disk, NEAP_CORRUPT, "the checksum of a value is wrong");
    }
    return 0;
}

static int door_get(struct disk *door, struct disk_snapshot *snapshot, enum disk_family family,
                    struct slice key, struct buffer *ret_value)
{
    struct sim_disk *disk = disk_of(door);
    struct disk *inner = behind(disk);
    int error = 0;
    if (disk->read.active || disk->rot_count)
        error = read_fails(disk, family, key);
    return error ? error : inner->ops->get(inner, snapshot, family, key, ret_value);
}

struct door_iter {
    struct disk_iter iter;
    struct sim_disk *disk;
    enum disk_family family;
    struct disk_iter *inner;
    int error; /* a pass doesn't go on behind damage */
};

static int iter_next(struct disk_iter *iter, struct slice *ret_key, struct slice *ret_value)
{
    struct door_iter *pass = (struct door_iter *)iter;
    struct slice key, value;
    int error = pass->error;
    if (!error)
        error = pass->inner->ops->next(pass->inner, &key, &value);
    if (!error)
        error = pass->error = read_fails(pass->disk, pass->family, key);
    if (error)
        return error;
    *ret_key = key;
    *ret_value = value;
    return 0;
}

static void iter_close(struct disk_iter *iter)
{
    struct door_iter *pass = (struct door_iter *)iter;
    pass->inner->ops->close(pass->inner);
    mem_free(pass);
}

static const struct disk_iter_ops iter_ops = {.next = iter_next, .close = iter_close};

static int door_scan(struct disk *door, struct disk_snapshot *snapshot, enum disk_family family,
                     struct slice from, struct slice to, struct disk_iter **ret_iter)
{
    struct sim_disk *disk = disk_of(door);
    struct disk *inner = behind(disk);
    struct disk_iter *pass;
    int error = inner->ops->scan(inner, snapshot, family, from, to, &pass);
    if (error)
        return error;
    if (disk->read.active || disk->rot_count) {
        world_feed(disk->node->world);
        struct door_iter *wrap = mem_new(sizeof *wrap);
        must(wrap);
        world_starve(disk->node->world);
        *wrap = (struct door_iter){
            .iter.ops = &iter_ops, .disk = disk, .family = family, .inner = pass};
        pass = &wrap->iter;
    }
    *ret_iter = pass;
    return 0;
}

/* ---- writing ---- */

static int disk_breaks(struct sim_disk *disk, const char *what)
{
    disk->broken = true;
    return disk_fails(disk, NEAP_IO, what);
}

/* The text of the first failure says more than another one. */
static int disk_refuses(struct sim_disk *disk)
{
    disk->hurt |= 1U << -NEAP_IO;
    return NEAP_IO;
}

static void disk_synced(struct sim_disk *disk)
{
    rot_settle(disk);
    if (now_ms(disk) < disk->slow_until_ms) {
        uint64_t from = disk->free_at_ms > now_ms(disk) ? disk->free_at_ms : now_ms(disk);
        disk->free_at_ms = from + disk->slow_ms;
        disk->done++;
    }
}

/* It fails; but what of it is there? */
static int commit_breaks(struct sim_disk *disk, const struct batch *batch,
                         enum disk_failure failure, const char *what)
{
    struct disk *inner = behind(disk);
    world_feed(disk->node->world);
    if (failure != DISK_NOTHING) {
        must(inner->ops->commit(inner, batch, failure == DISK_EVERYTHING) == 0);
        rot_committed(disk, batch);
    }
    world_starve(disk->node->world);
    return disk_breaks(disk, what);
}

static int disk_commit(struct sim_disk *disk, const struct batch *batch, bool sync)
{
    struct disk *inner = behind(disk);
    if (disk->broken)
        return disk_refuses(disk);
    if (order_strikes(disk, &disk->full))
        return commit_breaks(disk, batch, DISK_NOTHING, "no space left on device");
    if (order_strikes(disk, &disk->write))
        return commit_breaks(disk, batch, disk->write_failure, "a write fails");
    if (sync && order_strikes(disk, &disk->sync))
        return commit_breaks(disk, batch, DISK_LATER, "a sync fails");
    int error = inner->ops->commit(inner, batch, sync);
    if (!error)
        rot_committed(disk, batch);
    if (!error && sync)
        disk_synced(disk);
    return error;
}

static int door_commit(struct disk *door, const struct batch *batch, bool sync)
{
    struct sim_disk *disk = disk_of(door);
    struct world *world = disk->node->world;
    if (!world->checks)
        return disk_commit(disk, batch, sync);
    world_feed(world);
    checks_commit(world, disk->node->index, batch, sync);
    world_starve(world);
    int error = disk_commit(disk, batch, sync);
    world_feed(world);
    checks_committed(world, disk->node->index, sync, error);
    world_starve(world);
    return error;
}

static int disk_sync(struct sim_disk *disk)
{
    struct disk *inner = behind(disk);
    if (disk->broken)
        return disk_refuses(disk);
    if (order_strikes(disk, &disk->sync))
        return disk_breaks(disk, "a sync fails");
    int error = inner->ops->sync(inner);
    if (!error)
        disk_synced(disk);
    return error;
}

static int door_sync(struct disk *door)
{
    struct sim_disk *disk = disk_of(door);
    struct world *world = disk->node->world;
    int error = disk_sync(disk);
    world_feed(world);
    checks_committed(world, disk->node->index, true, error);
    world_starve(world);
    return error;
}

/* ---- the rest of a disk ---- */

static int door_snapshot(struct disk *door, struct disk_snapshot **ret_snapshot)
{
    struct disk *inner = behind(disk_of(door));
    return inner->ops->snapshot(inner, ret_snapshot);
}

static void door_release(struct disk *door, struct disk_snapshot *snapshot)
{
    struct disk *inner = behind(disk_of(door));
    inner->ops->release(inner, snapshot);
}

static void door_error(struct disk *door, struct neap_error *ret_error)
{
    *ret_error = disk_of(door)->error;
}

static void door_trust(struct disk *door)
{
    disk_of(door)->suspect = false;
}

static void door_close(struct disk *door)
{
    must(!door); /* it is part of its node */
}

static const struct disk_ops door_ops = {
    .get = door_get,
    .scan = door_scan,
    .commit = door_commit,
    .sync = door_sync,
    .snapshot = door_snapshot,
    .release = door_release,
    .error = door_error,
    .trust = door_trust,
    .close = door_close,
};

void sim_disk_init(struct sim_disk *disk, struct sim_node *node)
{
    *disk = (struct sim_disk){.disk.ops = &door_ops, .node = node};
}

void sim_disk_done(struct sim_disk *disk)
{
    rot_clear(disk);
    tear_end(disk);
}

/* ---- power ---- */

bool disk_loses_power(struct sim_disk *disk)
{
    static const size_t unsynced[] = {[DISK_TAIL] = 1, [DISK_MIDDLE] = 2, [DISK_SYNCED] = 0};
    if (disk->damage == DISK_WHOLE || disk->torn)
        return false;
    if (disk->tear_after > 0) {
        disk->tear_after--;
        return false;
    }
    disk->torn = disk_mem_unsynced(behind(disk)) >= unsynced[disk->damage];
    return disk->torn;
}

/* What was synced since is gone: what this node alone acknowledged is in doubt. */
static void crash_back(struct sim_disk *disk)
{
    struct sim_node *node = disk->node;
    struct world *world = node->world;
    struct disk *back = disk->tear_back;
    disk->tear_back = NULL;
    world_note(world, "%s: damage in what it had synced", node->name);
    if (world->load)
        history_doubt_since(load_history(world->load), node->index, disk->tear_mark);
    sim_set_disk(world, node->index, back);
    disk->suspect = true;
}

/* So many commits of those that were not synced are there. */
static size_t crash_keeps(struct sim_disk *disk, size_t unsynced)
{
    struct world *world = disk->node->world;
    if (!disk->torn || unsynced == 0)
        return (size_t)world_below(world, unsynced + 1);
    if (disk->damage == DISK_MIDDLE && unsynced > 1) {
        world_note(world, "%s: damage in the middle of a log", disk->node->name);
        disk->suspect = true;
        return (size_t)world_below(world, unsynced - 1);
    }
    return (size_t)world_below(world, unsynced);
}

void disk_crash(struct sim_disk *disk)
{
    bool back = disk->torn && disk->damage == DISK_SYNCED;
    size_t kept = crash_keeps(disk, disk_mem_unsynced(behind(disk)));
    disk->done += disk->torn;
    disk_mem_crash_keep(behind(disk), kept);
    rot_keep(disk, kept);
    if (back)
        crash_back(disk);
    if (disk->torn)
        tear_end(disk);
}

/* ---- salvage ---- */

/* What is rotten is not in the copy. */
static void rot_leave(struct sim_disk *disk)
{
    for (size_t i = disk->rot_count; i-- > 0;) {
        if (!disk->rot[i].lost)
            rot_drop(disk, i);
    }
}

static int salvage_to(struct sim_disk *disk, struct disk *copy)
{
    struct sim_node *node = disk->node;
    struct gaps gaps = {0};
    bool suspect = false;
    int error = salvage_copy(&disk->disk, copy, &gaps);
    if (!error) {
        world_note(node->world, "%s: its directory is salvaged: %zu gaps", node->name, gaps.count);
        error = salvage_record(copy, &gaps, "it rots", &suspect);
    }
    if (!error && gaps.count > 0 && node->world->load) {
        history_doubt(load_history(node->world->load), node->index);
        if (load_escrow(node->world->load))
            escrow_doubt(load_escrow(node->world->load), node->index);
    }
    if (!error && suspect) { /* it may have forgotten how far its own events went */
        disk->suspect = node->world->amnesia = true;
        sim_leave(node);
        checks_replaced(node->world, node->index);
    }
    gaps_done(&gaps);
    return error;
}

/* As the disk on files does when it opens a directory that is known to be damaged. */
static int disk_salvage(struct sim_disk *disk)
{
    struct disk *copy;
    if (!disk->damaged || disk_rots(disk, DISK_META))
        return 0;
    must(disk_mem_open(&copy) == 0);
    int error = salvage_to(disk, copy);
    if (error) {
        disk_close(copy);
        return error;
    }
    disk_close(disk->node->disk);
    disk->node->disk = copy;
    rot_leave(disk);
    disk->damaged = false;
    return 0;
}

int disk_reopen(struct sim_disk *disk)
{
    struct world *world = disk->node->world;
    disk->broken = disk->met_rot = false;
    disk->hurt = 0;
    disk->free_at_ms = 0;
    disk->error = (struct neap_error){0};
    if (disk->full.active && now_ms(disk) < disk->full.until_ms) {
        disk->full.after = world_below(world, 4);
        if (disk->full.after == 0)
            return disk_fails(disk, NEAP_IO, "no space left on device");
    }
    /* What a process that was killed left in a log is read, and written to tables at once. */
    must(behind(disk)->ops->sync(behind(disk)) == 0);
    rot_settle(disk);
    return disk_salvage(disk);
}

void disk_replaced(struct sim_disk *disk)
{
    rot_clear(disk);
    tear_end(disk);
    disk->suspect = disk->damaged = false;
}

bool disk_gave(const struct sim_disk *disk, int code)
{
    return code < 0 && (disk->hurt >> -code & 1);
}
