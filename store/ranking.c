#include "store/ranking.h"

#include <string.h>

#include "base/error.h"

/* Highest first: the bytes of the complement, moved so that the lowest number is 0. */
static uint64_t score_order(int64_t score)
{
    return ~((uint64_t)score ^ (uint64_t)1 << 63);
}

void key_ranking_prefix(struct key *ret_key, uint64_t shard, uint64_t bucket, struct slice path)
{
    must(path.size <= NEAP_PATH_MAX);
    key_shard_meta_prefix(ret_key, 'X', shard);
    bytes_put_u64(ret_key->bytes + ret_key->size, bucket);
    ret_key->size += sizeof(uint64_t);
    if (path.size > 0)
        memcpy(ret_key->bytes + ret_key->size, path.data, path.size);
    ret_key->size += path.size;
}

void key_ranking(struct key *ret_key, uint64_t shard, uint64_t bucket, struct slice path,
                 int64_t score, struct slice member)
{
    must(path.size + member.size <= NEAP_PATH_MAX);
    key_ranking_prefix(ret_key, shard, bucket, path);
    bytes_put_u64(ret_key->bytes + ret_key->size, score_order(score));
    ret_key->size += RANKING_SCORE;
    if (member.size > 0)
        memcpy(ret_key->bytes + ret_key->size, member.data, member.size);
    ret_key->size += member.size;
}

int ranking_split(struct slice key, const struct key *prefix, int64_t *ret_score,
                  struct slice *ret_member)
{
    size_t head = prefix->size + RANKING_SCORE;

    if (key.size <= head || !slice_starts(key, key_slice(prefix)))
        return NEAP_CORRUPT;
    *ret_score = (int64_t)(~bytes_get_u64(key.data + prefix->size) ^ (uint64_t)1 << 63);
    *ret_member = slice_of(key.data + head, key.size - head);
    return 0;
}

/* How much of a member's path is that of the set. */
static int set_size(struct slice path, size_t *ret_size)
{
    enum neap_type last;
    int error = path_levels(path, ret_size, &last);

    return error || type_below((unsigned)last) != BELOW_ELEMENT ? NEAP_CORRUPT : 0;
}

static void entry_key(const struct slot *slot, uint64_t shard, size_t set, int64_t score,
                      struct key *ret_key)
{
    key_ranking(ret_key, shard, slot->bucket, slice_of(slot->path.data, set), score,
                slice_of(slot->path.data + set, slot->path.size - set));
}

int ranking_move(const struct shard *shard, struct batch *batch, const struct slot *slot,
                 const struct cell *cell)
{
    int64_t before = 0, after = 0;
    bool was = !score_value(&slot->cell, &before), is = !score_value(cell, &after);
    struct key key;
    size_t set = 0;
    int error;

    if (was == is && before == after)
        return 0;
    error = set_size(slot->path, &set);
    if (!error && was) {
        entry_key(slot, shard->id, set, before, &key);
        error = batch_delete(batch, DISK_META, key_slice(&key));
    }
    if (!error && is) {
        entry_key(slot, shard->id, set, after, &key);
        error = batch_put(batch, DISK_META, key_slice(&key), slice_of(NULL, 0));
    }
    return error;
}

/* ---- from the cells ---- */

static int entry_make(struct batch *batch, struct slice key, struct slice value, struct cell *cell)
{
    const struct slice path = key_cell_path(key);
    enum neap_type type;
    struct key entry;
    uint64_t ref;
    int64_t score;
    size_t set = 0;
    int error = path_check(path, &type);

    /* What cannot be read as a cell is for those who read cells to tell. */
    if (error)
        return error == NEAP_NOMEM ? error : 0;
    if (type != NEAP_SCORES)
        return 0;
    error = cell_stored(value, &ref, cell);
    if (!error)
        error = set_size(path, &set);
    if (error || score_value(cell, &score))
        return error;
    key_ranking(&entry, bytes_get_u64(key.data), key_cell_bucket(key), slice_of(path.data, set),
                score, slice_of(path.data + set, path.size - set));
    return batch_put(batch, DISK_META, key_slice(&entry), slice_of(NULL, 0));
}

static int entries_make(struct disk *disk, struct batch *batch)
{
    const struct view view = {.disk = disk};
    struct slice key, value;
    struct scan *scan;
    struct cell cell;
    int error = view_scan(&view, DISK_CELLS, slice_of(NULL, 0), slice_of(NULL, 0), &scan);

    if (error)
        return error;
    cell_init(&cell);
    while (!(error = scan_next(scan, &key, &value))) {
        error = key_cell_is(key) ? entry_make(batch, key, value, &cell) : 0;
        if (!error && batch_bytes(batch) >= FLUSH_BYTES)
            error = batch_flush(batch, disk, false);
        if (error)
            break;
    }
    cell_done(&cell);
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

int rankings_make(struct disk *disk)
{
    struct batch *batch;
    struct key from, end;
    int error = batch_new(disk, &batch);

    if (error)
        return error;
    key_meta(&from, 'X');
    key_end(&from, &end);
    error = batch_delete_range(batch, DISK_META, key_slice(&from), key_slice(&end));
    if (!error)
        error = batch_flush(batch, disk, false);
    if (!error)
        error = entries_make(disk, batch);
    if (!error && !batch_is_empty(batch))
        error = batch_flush(batch, disk, false);
    batch_free(batch);
    return error;
}
