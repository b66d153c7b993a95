/* The table of numbers, and how they move with what is written. */
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/tally_state.h"

enum { BUCKET_SIZE = sizeof(uint64_t) };

/* ---- the table ---- */

static size_t tally_at(const struct tallies *tallies, struct slice name)
{
    size_t low = 0, high = tallies->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (slice_compare(tally_name(tallies->items[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct tally *tally_find(const struct tallies *tallies, struct slice name)
{
    size_t at = tallies ? tally_at(tallies, name) : 0;

    if (!tallies || at == tallies->count || !slice_equal(tally_name(tallies->items[at]), name))
        return NULL;
    return tallies->items[at];
}

/* One that is to be counted from the start. */
int tally_add(struct tallies *tallies, struct slice name, struct tally **ret_tally)
{
    size_t at = tally_at(tallies, name);
    struct tally **items =
        mem_reserve(tallies->items, tallies->count, &tallies->room, 1, sizeof(*items));
    struct tally *tally = items ? mem_new(sizeof(*tally) + name.size) : NULL;

    if (items)
        tallies->items = items;
    if (!tally)
        return NEAP_NOMEM;
    tally->counting = true;
    tally->size = name.size;
    memcpy(tally->name, name.data, name.size);
    buffer_init(&tally->cursor, KEY_CURSOR_MAX);
    memmove(items + at + 1, items + at, (tallies->count - at) * sizeof(*items));
    items[at] = tally;
    tallies->count++;
    tallies->counting++;
    *ret_tally = tally;
    return 0;
}

static void tally_free(struct tally *tally)
{
    buffer_done(&tally->cursor);
    mem_free(tally);
}

void tally_remove(struct tallies *tallies, size_t at)
{
    tallies->counting -= tallies->items[at]->counting;
    tally_free(tallies->items[at]);
    tallies->count--;
    memmove(tallies->items + at, tallies->items + at + 1,
            (tallies->count - at) * sizeof(struct tally *));
}

void tallies_free(struct tallies *tallies)
{
    if (!tallies)
        return;
    for (size_t i = 0; i < tallies->count; i++)
        tally_free(tallies->items[i]);
    mem_free(tallies->items);
    mem_free(tallies);
}

int tallies_open(struct shard *shard)
{
    if (!shard->tallies)
        shard->tallies = mem_new(sizeof(*shard->tallies));
    return shard->tallies ? 0 : NEAP_NOMEM;
}

/* From the start, again. */
void tally_restart(struct tallies *tallies, struct tally *tally)
{
    tallies->counting += !tally->counting;
    tally->counting = true;
    tally->count = 0;
    tally->steps++;
    buffer_clear(&tally->cursor);
}

void tally_end(struct tallies *tallies, struct tally *tally)
{
    tallies->counting -= tally->counting;
    tally->counting = false;
    tally->steps++;
    buffer_done(&tally->cursor);
    buffer_init(&tally->cursor, KEY_CURSOR_MAX);
}

/* ---- what moves with a batch ---- */

struct move {
    int change;    /* of the count */
    bool was_kept; /* before it */
    uint64_t steps;
    size_t size;
    uint8_t name[KEY_CURSOR_MAX];
};

/* A pass that has gone on meanwhile may have seen it. */
static void move_undo(void *arg, const void *note)
{
    struct shard *shard = arg;
    const struct move *move = note;
    struct tally *tally = tally_find(shard->tallies, slice_of(move->name, move->size));

    if (!tally || BROKEN("tally-keeps-undone"))
        return;
    tally->kept = move->was_kept;
    if (tally->steps != move->steps)
        tally_restart(shard->tallies, tally);
    else
        tally->count -= (uint64_t)(int64_t)move->change;
}

/* The disk doesn't know it from here on. Takes effect as a whole or not at all. */
int tally_move_by(struct shard *shard, struct batch *batch, struct tally *tally, int change)
{
    struct move move = {
        .change = change, .was_kept = tally->kept, .steps = tally->steps, .size = tally->size};
    int error = 0;

    if (tally->kept && !BROKEN("tally-stays"))
        error = tally_put_record(shard, batch, tally, false);
    if (error)
        return error;
    memcpy(move.name, tally->name, tally->size);
    error = batch_add_undo(batch, move_undo, shard,
                           slice_of(&move, offsetof(struct move, name) + tally->size));
    if (error)
        return error;
    tally->kept = false;
    tally->count += (uint64_t)(int64_t)change;
    return 0;
}

static int move_doubt(struct shard *shard, struct batch *batch, struct tally *tally)
{
    int error = tally_move_by(shard, batch, tally, 0);

    if (!error)
        tally_restart(shard->tallies, tally);
    return error;
}

/* The collections that a cell is in, from the object down. */
struct above {
    struct slice path;
    struct path_cursor walk;
    size_t collection; /* so much of the path names it, */
    size_t child;      /* and so much what is in it and is, or has, the cell */
};

static bool has_children(enum neap_type type)
{
    return type_below((unsigned)type) != BELOW_NOTHING;
}

/* What is below the level that was read last: a field, or an element. */
int tally_child(struct path_cursor *walk)
{
    struct path_level level;
    struct slice element;

    return type_below((unsigned)walk->last) == BELOW_FIELDS ? path_cursor_level(walk, &level)
                                                            : path_cursor_element(walk, &element);
}

/* END: there are no more. Paths of cells are whole. */
static int above_next(struct above *above)
{
    struct path_cursor *walk = &above->walk;
    struct path_level level;
    int error = 0;

    if (!walk->last)
        error = path_cursor_level(walk, &level);
    if (error || !has_children(walk->last) || !walk->left.size)
        return error ? error : NEAP_END;
    above->collection = above->path.size - walk->left.size;
    error = tally_child(walk);
    above->child = above->path.size - walk->left.size;
    return error;
}

int tally_cell_is_live(struct slice key, struct slice value, struct cell *cell, bool *ret_live)
{
    enum neap_type type;
    uint64_t ref;
    int error = cell_stored(value, &ref, cell);

    if (!error && path_check(key_cell_path(key), &type))
        error = NEAP_CORRUPT;
    if (!error)
        *ret_live = type_is_live(type, cell);
    return error;
}

/* Is anything live in the first `size` bytes of the slot's path but its own cell? */
static int others_live(struct batch *batch, const struct slot *slot, size_t size, bool *ret_live)
{
    const struct slice key = key_slice(&slot->key);
    struct view view = batch_view(batch);
    struct key prefix, end;
    struct slice found, value;
    struct scan *scan;
    struct cell cell;
    bool live = false;
    int error;

    prefix.size = KEY_CELL_HEAD + size;
    memcpy(prefix.bytes, key.data, prefix.size);
    key_end(&prefix, &end);
    error = view_scan(&view, DISK_CELLS, key_slice(&prefix), key_slice(&end), &scan);
    if (error)
        return error;
    cell_init(&cell);
    while (!live && !(error = scan_next(scan, &found, &value))) {
        error = tally_cell_is_live(found, value, &cell, &live);
        if (error)
            break;
        live = live && !slice_equal(found, key);
    }
    cell_done(&cell);
    scan_close(scan);
    if (error && error != NEAP_END)
        return error;
    *ret_live = live;
    return 0;
}

static int tally_change(struct shard *shard, struct batch *batch, struct tally *tally,
                        const struct slot *slot, const struct above *above, int change)
{
    const struct slice key = slice_of(slot->key.bytes + 8, slot->key.size - 8);
    bool others = false;
    int error = 0;

    if (above->child < above->path.size)
        error = others_live(batch, slot, above->child, &others);
    /* In a hole nobody can tell: then it is counted when that is closed. */
    if (error == NEAP_CORRUPT)
        return move_doubt(shard, batch, tally);
    if (error || others)
        return error;
    if (tally->counting && slice_compare(key, buffer_slice(&tally->cursor)) >= 0)
        return tally_move_by(shard, batch, tally, 0); /* the pass is still to come there */
    if (change < 0 && !tally->count)
        return move_doubt(shard, batch, tally);
    return tally_move_by(shard, batch, tally, change);
}

static int above_begin(struct above *above, const struct tallies *tallies, struct slice path)
{
    *above = (struct above){.path = path};
    path_cursor_init(&above->walk, path);
    return tallies && tallies->count ? 0 : NEAP_END;
}

int tally_move(struct shard *shard, struct batch *batch, const struct slot *slot, bool live)
{
    struct above above;
    int error = above_begin(&above, shard->tallies, slot->path);

    if (BROKEN("tally-forgets") && !live)
        error = NEAP_END;
    while (!error && !(error = above_next(&above))) {
        const struct slice name = slice_of(slot->key.bytes + 8, BUCKET_SIZE + above.collection);
        struct tally *tally = tally_find(shard->tallies, name);

        if (tally)
            error = tally_change(shard, batch, tally, slot, &above, live ? 1 : -1);
    }
    path_cursor_done(&above.walk);
    return error == NEAP_END ? 0 : error;
}

static int doubt_all(struct shard *shard, struct batch *batch)
{
    int error = 0;

    for (size_t i = 0; shard->tallies && i < shard->tallies->count && !error; i++)
        error = move_doubt(shard, batch, shard->tallies->items[i]);
    return error;
}

int tally_doubt(struct shard *shard, struct batch *batch, uint64_t bucket, struct slice path)
{
    struct above above;
    struct key key;
    int error = above_begin(&above, shard->tallies, path);

    if (!error && !path.size)
        return doubt_all(shard, batch);
    key_cell(&key, shard->id, bucket, path);
    while (!error && !(error = above_next(&above))) {
        struct tally *tally =
            tally_find(shard->tallies, slice_of(key.bytes + 8, BUCKET_SIZE + above.collection));

        if (tally)
            error = move_doubt(shard, batch, tally);
    }
    path_cursor_done(&above.walk);
    return error == NEAP_END ? 0 : error;
}

/* ---- numbers ---- */

int tally_get(const struct shard *shard, struct slice collection, uint64_t *ret_count)
{
    const struct tally *tally = tally_find(shard->tallies, collection);

    if (!tally || tally->counting)
        return tally ? NEAP_BUSY : NEAP_NOTFOUND;
    *ret_count = tally->count;
    return 0;
}

bool tally_nth(const struct shard *shard, size_t n, struct slice *ret_name, uint64_t *ret_count)
{
    const struct tallies *tallies = shard->tallies;

    for (size_t i = 0; tallies && i < tallies->count; i++) {
        if (tallies->items[i]->counting || n-- > 0)
            continue;
        *ret_name = tally_name(tallies->items[i]);
        *ret_count = tallies->items[i]->count;
        return true;
    }
    return false;
}

bool tally_is_due(const struct shard *shard)
{
    return shard->tallies && shard->tallies->counting > 0;
}

/* Whole levels, the last of a type that has something in it. */
static int collection_check(struct slice collection)
{
    struct slice path;
    enum neap_type last;
    size_t size;
    int error;

    if (collection.size <= BUCKET_SIZE)
        return NEAP_INVALID;
    path = slice_of(collection.data + BUCKET_SIZE, collection.size - BUCKET_SIZE);
    error = path_levels(path, &size, &last);
    if (!error && (size < path.size || !has_children(last)))
        error = NEAP_INVALID;
    return error;
}

/* Room for one more. */
static int tallies_thin(struct shard *shard, struct batch *batch)
{
    struct tallies *tallies = shard->tallies;
    size_t least = 0;
    int error;

    if (tallies->count < TALLIES_MAX)
        return 0;
    for (size_t i = 1; i < tallies->count; i++)
        if (tallies->items[i]->count < tallies->items[least]->count)
            least = i;
    error = tally_delete_record(shard, batch, tallies->items[least]);
    if (!error)
        tally_remove(tallies, least);
    return error;
}

int tally_begin(struct shard *shard, struct batch *batch, struct slice collection)
{
    struct tally *tally = tally_find(shard->tallies, collection);
    int error = tally ? 0 : collection_check(collection);

    if (tally || error)
        return error;
    error = tallies_open(shard);
    if (!error)
        error = tallies_thin(shard, batch);
    return error ? error : tally_add(shard->tallies, collection, &tally);
}
