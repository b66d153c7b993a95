#include "store/slot.h"

#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/expiry.h"
#include "store/heat.h"
#include "store/merkle.h"
#include "store/ranking.h"
#include "store/tally.h"
#include "store/tree_keep.h"

enum { REF_SIZE_MAX = 8, LOG_HEAD = 12 };

/* ---- a stored cell ---- */

int stored_split(struct slice value, uint64_t *ret_ref, struct slice *ret_cell)
{
    uint64_t ref = 0;
    size_t size;

    if (value.size == 0)
        return NEAP_INVALID;
    size = value.data[0];
    if (size > REF_SIZE_MAX || value.size < 1 + size || (size > 0 && value.data[1] == 0))
        return NEAP_INVALID;
    for (size_t i = 1; i <= size; i++)
        ref = ref << 8 | value.data[i];
    *ret_ref = ref;
    *ret_cell = slice_of(value.data + 1 + size, value.size - 1 - size);
    return 0;
}

static int ref_encode(uint64_t ref, struct buffer *scratch)
{
    uint8_t head[1 + REF_SIZE_MAX];
    uint8_t size = 0;

    while (size < REF_SIZE_MAX && ref >> (8 * size) != 0)
        size++;
    head[0] = size;
    for (uint8_t i = 0; i < size; i++)
        head[size - i] = (uint8_t)(ref >> (8 * i));
    buffer_clear(scratch);
    return buffer_append(scratch, slice_of(head, 1u + size));
}

static int stored_encode(const struct cell *cell, uint64_t ref, struct buffer *scratch)
{
    int error = ref_encode(ref, scratch);

    return error ? error : cell_encode(cell, scratch);
}

const struct residue *residue_find(const struct shard *shard, uint64_t ref)
{
    size_t low = 0, high = shard->residues_count;

    if (ref == 0)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (shard->residues[middle].ref < ref)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < shard->residues_count && shard->residues[low].ref == ref)
        return &shard->residues[low];
    return NULL;
}

int residues_reserve(struct shard *shard, size_t more)
{
    struct residue *residues = mem_reserve(shard->residues, shard->residues_count,
                                           &shard->residues_room, more, sizeof *residues);

    if (!residues)
        return NEAP_NOMEM;
    shard->residues = residues;
    return 0;
}

void residues_done(struct residue *residues, size_t count)
{
    for (size_t i = 0; i < count; i++)
        context_done(&residues[i].context);
    mem_free(residues);
}

void slot_absent(const struct shard *shard, uint64_t bucket, struct slice path,
                 struct buffer *bytes, struct slot *ret_slot)
{
    must(path.size <= NEAP_PATH_MAX);
    key_cell(&ret_slot->key, shard->id, bucket, path);
    ret_slot->bucket = bucket;
    ret_slot->path = key_cell_path(key_slice(&ret_slot->key));
    ret_slot->bytes = bytes;
    ret_slot->stored = false;
    ret_slot->residue = NULL;
    cell_init(&ret_slot->cell);
}

int slot_load(const struct shard *shard, const struct view *view, uint64_t bucket,
              struct slice path, struct buffer *bytes, struct slot *ret_slot)
{
    uint64_t ref = 0;
    struct slice encoded;
    int error;

    slot_absent(shard, bucket, path, bytes, ret_slot);
    error = view_get(view, DISK_CELLS, key_slice(&ret_slot->key), bytes);
    if (error == NEAP_NOTFOUND)
        return 0;
    if (error)
        return error;
    if (stored_split(buffer_slice(bytes), &ref, &encoded))
        return NEAP_CORRUPT;
    error = cell_decode(encoded, &ret_slot->cell);
    if (error)
        return error == NEAP_NOMEM ? NEAP_NOMEM : NEAP_CORRUPT;
    ret_slot->stored = true;
    ret_slot->residue = residue_find(shard, ref);
    return 0;
}

int cells_scan(const struct view *view, uint64_t shard, struct slice from, struct slice to,
               struct scan **ret_scan)
{
    struct key first, end;

    key_cells_range(&first, &end, shard, from, to);
    return view_scan(view, DISK_CELLS, key_slice(&first), key_slice(&end), ret_scan);
}

int cells_collect(const struct view *view, uint64_t shard, struct slice from, struct slice to,
                  size_t size_max, struct buffer *keys, struct buffer *rest)
{
    struct slice key, value;
    struct scan *scan;
    int error = cells_scan(view, shard, from, to, &scan);

    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        struct slice bare = slice_of(key.data + 8, key.size - 8);

        if (!key_cell_is(key))
            error = NEAP_CORRUPT;
        if (!error && keys->size >= size_max) {
            error = buffer_set(rest, bare);
            break;
        }
        if (!error)
            error = key_page_add(keys, bare);
        if (error)
            break;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

void slot_done(struct slot *slot)
{
    cell_done(&slot->cell);
}

static void tree_undo(void *arg, const void *note)
{
    if (!BROKEN("tree-keeps-undone"))
        merkle_undo(arg, note);
}

/* The last step of a store, as only a rollback takes it back. `stored` is the new cell as stored,
 * empty when it goes. */
static int slot_count(const struct shard *shard, struct batch *batch, const struct slot *slot,
                      struct slice stored, bool unsettled)
{
    const struct slice key = key_slice(&slot->key);
    const struct slice path = slice_of(key.data + 8, key.size - 8);
    struct slice old = {0}, cell = {0};
    struct merkle_delta delta;
    uint64_t ref;
    int error;

    if (!shard->tree || (stored.size == 0 && BROKEN("tree-forgets")))
        return 0;
    /* It will be built from what is here then. */
    if (!shard->tree->ready && !shard->tree->build)
        return 0;
    must(!slot->stored || !stored_split(buffer_slice(slot->bytes), &ref, &old));
    must(stored.size == 0 || !stored_split(stored, &ref, &cell));
    delta = merkle_delta(&shard->tree->key, path, old, cell, unsettled);
    merkle_apply(shard->tree, path, &delta);
    error = batch_add_undo(batch, tree_undo, shard->tree, slice_of(&delta, sizeof delta));
    if (error)
        merkle_undo(shard->tree, &delta);
    return error;
}

/* What is kept beside the cells. */
static int slot_derive(struct shard *shard, struct batch *batch, const struct slot *slot,
                       const struct cell *cell)
{
    enum neap_type type;
    bool live;
    int error = 0;

    if (path_check(slot->path, &type))
        return 0;
    if (shard->heat)
        heat_add(shard->heat, shard->id, slice_of(slot->key.bytes + 8, slot->key.size - 8));
    if (type == NEAP_SCORES)
        error = ranking_move(shard, batch, slot, cell);
    if (error || !shard->tallies)
        return error;
    live = type_is_live(type, cell);
    return live == type_is_live(type, &slot->cell) ? 0 : tally_move(shard, batch, slot, live);
}

int slot_store(struct shard *shard, struct batch *batch, const struct slot *slot,
               const struct cell *cell, uint64_t ref, struct buffer *scratch)
{
    uint64_t listed_old =
        slot->stored && slot->cell.count == 0 && slot->residue ? slot->residue->ref : 0;
    uint64_t listed_new = cell->count == 0 ? ref : 0;
    struct key key;
    int error = tree_drop(shard, batch);

    if (error)
        return error;
    buffer_clear(scratch);
    if (cell->count == 0 && ref == 0 && !BROKEN("tombstones")) {
        error = slot->stored ? batch_delete(batch, DISK_CELLS, key_slice(&slot->key)) : 0;
    } else {
        error = stored_encode(cell, ref, scratch);
        if (!error)
            error = batch_put(batch, DISK_CELLS, key_slice(&slot->key), buffer_slice(scratch));
    }
    if (!error && listed_old != 0 && listed_old != listed_new) {
        key_unsettled(&key, shard->id, listed_old, slot->bucket, slot->path);
        error = batch_delete(batch, DISK_META, key_slice(&key));
    }
    if (!error && listed_new != 0 && listed_old != listed_new && !BROKEN("residue-unlisted")) {
        key_unsettled(&key, shard->id, listed_new, slot->bucket, slot->path);
        error = batch_put(batch, DISK_META, key_slice(&key), slice_of(NULL, 0));
    }
    if (!error)
        error = slot_derive(shard, batch, slot, cell);
    if (!error)
        error = expiry_move(shard, batch, slot, cell);
    if (!error)
        error = slot_count(shard, batch, slot, buffer_slice(scratch), ref != 0);
    return error;
}

int slot_adopt(struct shard *shard, struct batch *batch, const struct slot *slot,
               const struct cell *cell, struct slice encoded, uint64_t ref, struct buffer *scratch)
{
    int error = tree_drop(shard, batch);

    must(!slot->stored);
    if (!error)
        error = ref_encode(ref, scratch);
    if (!error)
        error = buffer_append(scratch, encoded);
    if (!error)
        error = batch_put(batch, DISK_CELLS, key_slice(&slot->key), buffer_slice(scratch));
    if (!error)
        error = slot_derive(shard, batch, slot, cell);
    if (!error)
        error = expiry_move(shard, batch, slot, cell);
    return error ? error : slot_count(shard, batch, slot, buffer_slice(scratch), ref != 0);
}

/* ---- log ---- */

int log_put(const struct shard *shard, struct batch *batch, struct dot dot, uint32_t nonce,
            uint64_t bucket, struct slice path)
{
    uint8_t value[LOG_HEAD + NEAP_PATH_MAX];
    struct key key;

    must(path.size <= NEAP_PATH_MAX);
    for (int i = 0; i < 4; i++)
        value[i] = (uint8_t)(nonce >> (24 - 8 * i));
    bytes_put_u64(value + 4, bucket);
    if (path.size > 0)
        memcpy(value + LOG_HEAD, path.data, path.size);
    key_log(&key, shard->id, dot);
    return batch_put(batch, DISK_LOG, key_slice(&key), slice_of(value, LOG_HEAD + path.size));
}

int log_entry_read(struct slice key, struct slice value, struct log_entry *ret_entry)
{
    if (!key_log_is(key) || value.size < LOG_HEAD || value.size > LOG_HEAD + NEAP_PATH_MAX)
        return NEAP_CORRUPT;
    ret_entry->dot = key_log_dot(key);
    ret_entry->nonce = (uint32_t)value.data[0] << 24 | (uint32_t)value.data[1] << 16 |
                       (uint32_t)value.data[2] << 8 | value.data[3];
    ret_entry->bucket = bytes_get_u64(value.data + 4);
    ret_entry->path = slice_of(value.data + LOG_HEAD, value.size - LOG_HEAD);
    return 0;
}

int log_scan(const struct view *view, uint64_t shard, uint64_t id, uint64_t from, uint64_t to,
             struct scan **ret_scan)
{
    struct key first, end;

    key_log(&first, shard, (struct dot){id, from + 1});
    key_log(&end, shard, (struct dot){id, to});
    key_end(&end, &end);
    return view_scan(view, DISK_LOG, key_slice(&first), key_slice(&end), ret_scan);
}

int log_next(struct scan *scan, uint64_t n, struct log_entry *ret_entry)
{
    struct slice key, value;
    int error = scan_next(scan, &key, &value);

    if (!error)
        error = log_entry_read(key, value, ret_entry);
    /* Above the horizon the log has no gaps. */
    return error == NEAP_END || (!error && ret_entry->dot.n != n) ? NEAP_CORRUPT : error;
}

int log_cut(const struct shard *shard, struct batch *batch, uint64_t id, uint64_t from, uint64_t to)
{
    struct key first, last, end;

    if (from >= to)
        return 0;
    key_log(&first, shard->id, (struct dot){id, from + 1});
    key_log(&last, shard->id, (struct dot){id, to});
    key_end(&last, &end);
    return batch_delete_range(batch, DISK_LOG, key_slice(&first), key_slice(&end));
}
