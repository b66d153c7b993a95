/* Passes over the cells of a map or a set that count what is in it. */
#include <string.h>

#include "base/error.h"
#include "store/tally_state.h"

/* So many cells of a field are stepped over before it is worth a new seek. */
enum { SKIP_STEPS = 16 };

struct pass {
    struct tally *tally;
    struct view view;
    struct scan *scan;
    struct key from, end;
    struct slice counted; /* the name that was counted last, in `name` */
    struct key name;
    struct cell cell;
    size_t left;    /* cells that it may still look at */
    unsigned steps; /* over cells of the name that was counted */
};

static int pass_seek(struct pass *pass)
{
    scan_close(pass->scan);
    pass->scan = NULL;
    pass->steps = 0;
    return view_scan(&pass->view, DISK_CELLS, key_slice(&pass->from), key_slice(&pass->end),
                     &pass->scan);
}

/* How much of a path (with its bucket) names what is in the collection. */
static int child_size(const struct tally *tally, struct slice path, size_t *ret_size)
{
    struct path_cursor walk;
    int error;

    path_cursor_init(&walk, slice_of(path.data + tally->size, path.size - tally->size));
    walk.last = (enum neap_type)tally->name[tally->size - 1];
    error = tally_child(&walk);
    *ret_size = path.size - walk.left.size;
    path_cursor_done(&walk);
    return error && error != NEAP_NOMEM ? NEAP_CORRUPT : error;
}

/* One cell. BUSY: it had as many as it might; the cursor is where a name begins. */
static int pass_take(struct pass *pass, struct slice key, struct slice value)
{
    const struct slice path = slice_of(key.data + 8, key.size - 8);
    struct tally *tally = pass->tally;
    struct slice child;
    size_t size = 0;
    bool again, live = false;
    int error = child_size(tally, path, &size);

    if (error)
        return error;
    child = slice_of(path.data, size);
    again = slice_equal(child, key_slice(&pass->name));
    if (!again && !pass->left) {
        error = buffer_set(&tally->cursor, child);
        return error ? error : NEAP_BUSY;
    }
    pass->left -= pass->left > 0;
    if (!again) {
        memcpy(pass->name.bytes, child.data, child.size);
        pass->name.size = child.size;
    }
    error = tally_cell_is_live(key, value, &pass->cell, &live);
    if (error || !live)
        return error;
    tally->count++;
    pass->counted = key_slice(&pass->name);
    return 0;
}

static int pass_run(struct pass *pass)
{
    struct slice key, value;
    int error = pass_seek(pass);

    while (!error && !(error = scan_next(pass->scan, &key, &value))) {
        const struct slice path = slice_of(key.data + 8, key.size - 8);

        if (!pass->counted.size || !slice_starts(path, pass->counted)) {
            pass->counted.size = 0;
            error = pass_take(pass, key, value);
        } else if (++pass->steps == SKIP_STEPS) {
            memcpy(pass->from.bytes + 8, pass->counted.data, pass->counted.size);
            pass->from.size = 8 + pass->counted.size;
            key_end(&pass->from, &pass->from);
            error = pass_seek(pass);
        }
    }
    return error;
}

static void pass_begin(struct pass *pass, const struct shard *shard, struct batch *batch)
{
    const struct tally *tally = pass->tally;
    struct slice from = tally->cursor.size ? buffer_slice(&tally->cursor) : tally_name(tally);

    pass->view = batch_view(batch);
    cell_init(&pass->cell);
    key_shard_prefix(&pass->end, shard->id);
    pass->from = pass->end;
    memcpy(pass->from.bytes + 8, from.data, from.size);
    pass->from.size += from.size;
    memcpy(pass->end.bytes + 8, tally->name, tally->size);
    pass->end.size += tally->size;
    key_end(&pass->end, &pass->end);
}

static size_t tally_due(const struct tallies *tallies)
{
    size_t at = 0;

    while (!tallies->items[at]->counting)
        at++;
    return at;
}

int tally_step(struct shard *shard, struct batch *batch, size_t cells_max)
{
    struct tallies *tallies = shard->tallies;
    struct pass pass = {.left = cells_max};
    struct tally *tally;
    size_t at;
    int error;

    if (!tally_is_due(shard))
        return NEAP_END;
    at = tally_due(tallies);
    pass.tally = tally = tallies->items[at];
    pass_begin(&pass, shard, batch);
    error = pass_run(&pass);
    scan_close(pass.scan);
    cell_done(&pass.cell);
    tally->steps++;
    if (error == NEAP_END) {
        error = tally->kept ? tally_move_by(shard, batch, tally, 0) : 0;
        if (!error)
            tally_end(tallies, tally);
    } else if (error == NEAP_CORRUPT) {
        if (!tally_delete_record(shard, batch, tally))
            tally_remove(tallies, at);
    }
    /* What was passed before an error is counted, but the cursor isn't behind it. */
    if (error && error != NEAP_BUSY && error != NEAP_CORRUPT)
        tally_restart(tallies, tally);
    return error == NEAP_BUSY ? 0 : error;
}
