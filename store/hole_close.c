/* The end of holes (store/hole.h). */
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/change.h"
#include "store/hole.h"

/* Keys of cells in a hole that are dealt with in one step. */
enum { CLOSE_PAGE = 256 << 10 };

int hole_give_up(struct shard *shard, struct batch *batch, size_t index)
{
    struct hole *hole = &shard->holes[index];
    struct context none = {0}, need = hole->need;
    int error;

    hole->need = none;
    error = hole_write(batch, shard->id, hole);
    hole->need = error ? need : none;
    if (error)
        return error;
    context_done(&need);
    shard_holes_filled(shard);
    return 0;
}

static void hole_remove(struct shard *shard, size_t index)
{
    hole_done(&shard->holes[index]);
    memmove(shard->holes + index, shard->holes + index + 1,
            (shard->holes_count - index - 1) * sizeof *shard->holes);
    shard->holes_count--;
}

struct annals_entry hole_entry(const struct shard *shard, uint64_t wall_ms,
                                  char ret_key[ANNALS_TEXT_MAX])
{
    const struct hole *hole = &shard->holes[0];
    struct slice from = buffer_slice(&hole->from);

    ret_key[0] = '\0';
    if (from.size > 8)
        path_text(slice_of(from.data + 8, from.size - 8), ret_key, ANNALS_TEXT_MAX);
    return (struct annals_entry){.kind = ANNALS_UNREADABLE,
                                  .began_ms = wall_ms,
                                  .shard = shard->id,
                                  .replica = shard->replica,
                                  .bucket = slice_text(shard->name),
                                  .key = slice_text(ret_key),
                                  .cause = slice_text(hole->cause)};
}

/* ---- cells that nobody else will tell of ---- */

static bool cell_is_known(const struct change *change, const struct slot *slot)
{
    const struct knowledge know = {.context = &change->context,
                                   .residue = slot->residue ? &slot->residue->context : NULL};

    for (size_t i = 0; i < slot->cell.count; i++) {
        if (!knowledge_has(&know, slot->cell.entries[i].dot))
            return false;
    }
    return true;
}

/* From now on it knows by itself what was known of it in the hole. */
static int cell_keep(struct change *change, const struct view *view, struct slice key,
                     const struct hole *hole, uint64_t *common)
{
    const struct knowledge know = {.context = &hole->got};
    uint64_t bucket = bytes_get_u64(key.data);
    struct slot slot;
    int error = slot_load(change->shard, view, bucket, slice_of(key.data + 8, key.size - 8),
                          &change->bytes_old, &slot);

    if (!error && !cell_is_known(change, &slot) && !BROKEN("hole-forgets"))
        error = change_merge(change, &slot, &slot.cell, &know, common);
    slot_done(&slot);
    return error;
}

static int cells_keep(struct change *change, const struct hole *hole, struct buffer *rest)
{
    struct view view = batch_view(change->batch);
    uint64_t common = RESIDUE_UNKNOWN;
    struct buffer keys;
    struct slice key;
    size_t at = 0;
    int error;

    view.disk = disk_holes_under(view.disk);
    buffer_init(&keys, CLOSE_PAGE + 2 * KEY_SIZE_MAX);
    error = cells_collect(&view, change->shard->id, buffer_slice(&hole->from),
                          buffer_slice(&hole->to), CLOSE_PAGE, &keys, rest);
    while (!error && key_page_next(&keys, &at, &key))
        error = cell_keep(change, &view, key, hole, &common);
    buffer_done(&keys);
    return error;
}

/* ---- closing ---- */

/* The record goes, or what is left of the hole gets one. */
static int record_move(struct shard *shard, struct batch *batch, const struct hole *hole,
                       const struct buffer *rest)
{
    struct hole left = *hole; /* only looked at */
    struct key key;
    int error;

    key_hole(&key, shard->id, buffer_slice(&hole->from));
    error = batch_delete(batch, DISK_META, key_slice(&key));
    left.from = *rest;
    if (!error && rest->size > 0)
        error = hole_write(batch, shard->id, &left);
    return error;
}

int hole_close(struct shard *shard, struct batch *batch, size_t index, bool *ret_closed)
{
    struct hole *hole = &shard->holes[index];
    struct buffer rest, from;
    struct change change;
    int error = change_begin(&change, shard, batch);

    if (error)
        return error;
    buffer_init(&rest, KEY_CURSOR_MAX);
    if (!context_covers(&shard->context, &hole->got))
        error = cells_keep(&change, hole, &rest);
    if (!error)
        error = record_move(shard, batch, hole, &rest);
    if (error)
        change_abort(&change);
    else
        error = change_commit(&change);
    if (!error) {
        *ret_closed = rest.size == 0;
        from = hole->from;
        hole->from = rest;
        rest = from;
        if (*ret_closed)
            hole_remove(shard, index);
        shard_holes_filled(shard);
    }
    buffer_done(&rest);
    return error;
}
