/* Holes as their readers see them: as damage, which they are. */
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/hole.h"
#include "store/keys.h"

struct disk_holes {
    struct disk disk;
    struct disk *inner;
    atomic_bool any;       /* holes there may be, in some state that is still read */
    atomic_uint snapshots; /* that are held */
    atomic_bool hit;       /* the latest error is ours */
};

struct holes_iter {
    struct disk_iter iter;
    struct disk_holes *holes;
    struct disk_iter *inner;
    struct key stop; /* the first hole on the way */
    int error;       /* sticks */
};

static struct disk_holes *holes_of(struct disk *disk)
{
    return (struct disk_holes *)disk;
}

static int holes_hit(struct disk_holes *holes)
{
    atomic_store(&holes->hit, true);
    return NEAP_CORRUPT;
}

/* ---- looking ---- */

static int meta_scan(struct disk *disk, struct disk_snapshot *snapshot, const struct key *prefix,
                     struct disk_iter **ret_iter)
{
    struct key end;

    key_end(prefix, &end);
    return disk->ops->scan(disk, snapshot, DISK_META, key_slice(prefix), key_slice(&end), ret_iter);
}

/* The whole keys of cells between which a hole lies. */
static int hole_range(struct slice key, struct slice value, struct key *ret_from,
                      struct key *ret_end)
{
    struct reader reader;
    struct slice from, to;

    if (!key_hole_is(key))
        return NEAP_CORRUPT;
    reader_init(&reader, value);
    (void)read_array(&reader, UINT32_MAX);
    to = read_bin(&reader, KEY_CURSOR_MAX);
    if (reader.error)
        return NEAP_CORRUPT;
    from = key_hole_from(key);
    key_cells_range(ret_from, ret_end, key_shard_of(key), from, to);
    return 0;
}

/* The first hole that has keys of [from, to). NOTFOUND: there is none. */
static int holes_find(struct disk *disk, struct disk_snapshot *snapshot, const struct key *prefix,
                      struct slice from, struct slice to, struct key *ret_from)
{
    struct slice key, value;
    struct disk_iter *iter;
    struct key start, end;
    int error = meta_scan(disk, snapshot, prefix, &iter);

    if (error)
        return error;
    while (!(error = iter->ops->next(iter, &key, &value))) {
        error = hole_range(key, value, &start, &end);
        if (error)
            break;
        if (to.size > 0 && slice_compare(key_slice(&start), to) >= 0)
            continue;
        if (slice_compare(key_slice(&end), from) > 0)
            break;
    }
    iter->ops->close(iter);
    if (!error)
        *ret_from = start;
    return error == NEAP_END ? NEAP_NOTFOUND : error;
}

/* ---- the disk ---- */

static int cell_look(struct disk_holes *holes, struct disk_snapshot *snapshot, struct slice key)
{
    struct key prefix, next, start;
    int error;

    if (!key_cell_is(key) || !atomic_load(&holes->any))
        return 0;
    key_shard_meta_prefix(&prefix, 'D', bytes_get_u64(key.data));
    memcpy(next.bytes, key.data, key.size);
    next.bytes[key.size] = 0;
    next.size = key.size + 1;
    error = holes_find(holes->inner, snapshot, &prefix, key, key_slice(&next), &start);
    if (!error)
        return holes_hit(holes);
    return error == NEAP_NOTFOUND ? 0 : error;
}

static int holes_get(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                     struct slice key, struct buffer *ret_value)
{
    struct disk_holes *holes = holes_of(disk);
    /* First the holes: one that is closed meanwhile has its cells by then. */
    int error = family == DISK_CELLS ? cell_look(holes, snapshot, key) : 0;

    if (error)
        return error;
    return holes->inner->ops->get(holes->inner, snapshot, family, key, ret_value);
}

static int iter_next(struct disk_iter *iter, struct slice *ret_key, struct slice *ret_value)
{
    struct holes_iter *pass = (struct holes_iter *)iter;
    struct slice key, value;
    int error = pass->error;

    if (!error)
        error = pass->inner->ops->next(pass->inner, &key, &value);
    if (error == NEAP_END || (!error && slice_compare(key, key_slice(&pass->stop)) >= 0))
        error = holes_hit(pass->holes);
    pass->error = error;
    if (error)
        return error;
    *ret_key = key;
    *ret_value = value;
    return 0;
}

static void iter_close(struct disk_iter *iter)
{
    struct holes_iter *pass = (struct holes_iter *)iter;

    pass->inner->ops->close(pass->inner);
    mem_free(pass);
}

static const struct disk_iter_ops iter_ops = {.next = iter_next, .close = iter_close};

static int holes_scan(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                      struct slice from, struct slice to, struct disk_iter **ret_iter)
{
    struct disk_holes *holes = holes_of(disk);
    struct disk *inner = holes->inner;
    struct holes_iter *pass;
    struct key prefix, stop;
    int error = NEAP_NOTFOUND;

    if (family == DISK_CELLS && atomic_load(&holes->any)) {
        key_meta(&prefix, 'D');
        error = holes_find(inner, snapshot, &prefix, from, to, &stop);
    }
    if (error == NEAP_NOTFOUND)
        return inner->ops->scan(inner, snapshot, family, from, to, ret_iter);
    if (error)
        return error;
    pass = mem_new(sizeof *pass);
    if (!pass)
        return NEAP_NOMEM;
    *pass = (struct holes_iter){.iter.ops = &iter_ops, .holes = holes, .stop = stop};
    error = inner->ops->scan(inner, snapshot, family, from, to, &pass->inner);
    if (error) {
        mem_free(pass);
        return error;
    }
    *ret_iter = &pass->iter;
    return 0;
}

static int holes_any(struct disk *disk, bool *ret_any)
{
    struct slice key, value;
    struct disk_iter *iter;
    struct key prefix;
    int error;

    key_meta(&prefix, 'D');
    error = meta_scan(disk, NULL, &prefix, &iter);
    if (error)
        return error;
    error = iter->ops->next(iter, &key, &value);
    iter->ops->close(iter);
    if (error && error != NEAP_END)
        return error;
    *ret_any = !error;
    return 0;
}

/* The last one was closed, and nobody reads a state of before. */
static void holes_look(struct disk_holes *holes)
{
    bool any = true;

    if (atomic_load(&holes->any) && atomic_load(&holes->snapshots) == 0 &&
        !holes_any(holes->inner, &any) && !any)
        atomic_store(&holes->any, false);
}

static int holes_commit(struct disk *disk, const struct batch *batch, bool sync)
{
    struct disk_holes *holes = holes_of(disk);
    int error = holes->inner->ops->commit(holes->inner, batch, sync);

    if (!error)
        holes_look(holes);
    return error;
}

static int holes_sync(struct disk *disk)
{
    return holes_of(disk)->inner->ops->sync(holes_of(disk)->inner);
}

static int holes_snapshot(struct disk *disk, struct disk_snapshot **ret_snapshot)
{
    struct disk_holes *holes = holes_of(disk);
    int error;

    atomic_fetch_add(&holes->snapshots, 1);
    error = holes->inner->ops->snapshot(holes->inner, ret_snapshot);
    if (error)
        atomic_fetch_sub(&holes->snapshots, 1);
    return error;
}

static void holes_release(struct disk *disk, struct disk_snapshot *snapshot)
{
    struct disk_holes *holes = holes_of(disk);

    if (!snapshot)
        return;
    holes->inner->ops->release(holes->inner, snapshot);
    atomic_fetch_sub(&holes->snapshots, 1);
}

static void holes_error(struct disk *disk, struct neap_error *ret_error)
{
    struct disk_holes *holes = holes_of(disk);

    if (atomic_exchange(&holes->hit, false))
        error_set(ret_error, NEAP_CORRUPT,
                  "what was here was in a damaged file: it waits for a peer that has it");
    else
        holes->inner->ops->error(holes->inner, ret_error);
}

static void holes_trust(struct disk *disk)
{
    disk_trust(holes_of(disk)->inner);
}

static int holes_checkpoint(struct disk *disk, const char *path, uint64_t *ret_sequence,
                            struct neap_error *error)
{
    return holes_of(disk)->inner->ops->checkpoint(holes_of(disk)->inner, path, ret_sequence, error);
}

static void holes_close(struct disk *disk)
{
    disk_close(disk_holes_leave(disk));
}

#define HOLES_OPS                                                                     \
    .get = holes_get, .scan = holes_scan, .commit = holes_commit, .sync = holes_sync, \
    .snapshot = holes_snapshot, .release = holes_release, .error = holes_error,       \
    .trust = holes_trust, .close = holes_close

/* A disk that has no copies must not seem to have them. */
static const struct disk_ops holes_ops = {HOLES_OPS};
static const struct disk_ops holes_copy_ops = {HOLES_OPS, .checkpoint = holes_checkpoint};

static bool is_holes(const struct disk *disk)
{
    return disk->ops == &holes_ops || disk->ops == &holes_copy_ops;
}

int disk_holes_open(struct disk *inner, struct disk **ret_disk)
{
    struct disk_holes *holes;
    bool any;
    int error = holes_any(inner, &any);

    if (error)
        return error;
    if (!any || BROKEN("holes-unseen")) {
        *ret_disk = inner;
        return 0;
    }
    holes = mem_new(sizeof *holes);
    if (!holes)
        return NEAP_NOMEM;
    holes->disk.ops = inner->ops->checkpoint ? &holes_copy_ops : &holes_ops;
    holes->inner = inner;
    atomic_init(&holes->any, true);
    atomic_init(&holes->snapshots, 0);
    atomic_init(&holes->hit, false);
    *ret_disk = &holes->disk;
    return 0;
}

int disk_holes_look(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                    struct slice key)
{
    return is_holes(disk) && family == DISK_CELLS ? cell_look(holes_of(disk), snapshot, key) : 0;
}

struct disk *disk_holes_under(struct disk *disk)
{
    return is_holes(disk) ? holes_of(disk)->inner : disk;
}

struct disk *disk_holes_leave(struct disk *disk)
{
    struct disk *inner = disk_holes_under(disk);

    if (inner != disk)
        mem_free(disk);
    return inner;
}
