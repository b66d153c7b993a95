/* 'Y' [shard] [collection]  [version, count], or [version, nil] when the disk doesn't know */
#include "store/tally.h"

#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "base/pack.h"
#include "store/store.h"

/* So many cells of a field are stepped over before it is worth a new seek. */
enum { RECORD_VERSION = 1, RECORD_SIZE_MAX = 16, SKIP_STEPS = 16 };
enum { BUCKET_SIZE = sizeof(uint64_t) };

struct tally {
    uint64_t count; /* while it is counted: of what is before the cursor */
    uint64_t steps; /* of passes: which of them a change has seen */
    bool counting;
    bool kept;            /* the disk has a number: it goes with the next change */
    struct buffer cursor; /* a cell key without its shard; empty: the start */
    size_t size;
    uint8_t name[]; /* of the collection */
};

struct tallies {
    struct tally **items; /* by name */
    size_t count, room;
    size_t counting; /* of them */
};

static struct slice tally_name(const struct tally *tally)
{
    return slice_of(tally->name, tally->size);
}

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
static int tally_add(struct tallies *tallies, struct slice name, struct tally **ret_tally)
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

static void tally_remove(struct tallies *tallies, size_t at)
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

static int tallies_open(struct shard *shard)
{
    if (!shard->tallies)
        shard->tallies = mem_new(sizeof(*shard->tallies));
    return shard->tallies ? 0 : NEAP_NOMEM;
}

/* From the start, again. */
static void tally_restart(struct tallies *tallies, struct tally *tally)
{
    tallies->counting += !tally->counting;
    tally->counting = true;
    tally->count = 0;
    tally->steps++;
    buffer_clear(&tally->cursor);
}

static void tally_end(struct tallies *tallies, struct tally *tally)
{
    tallies->counting -= tally->counting;
    tally->counting = false;
    tally->steps++;
    buffer_done(&tally->cursor);
    buffer_init(&tally->cursor, KEY_CURSOR_MAX);
}

/* ---- the disk ---- */

static int record_write(const struct shard *shard, struct batch *batch, const struct tally *tally,
                        bool known)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;

    buffer_init(&bytes, RECORD_SIZE_MAX);
    writer_init(&writer, &bytes);
    write_array(&writer, 2);
    write_u64(&writer, RECORD_VERSION);
    if (known)
        write_u64(&writer, tally->count);
    else
        write_nil(&writer);
    key_tally(&key, shard->id, tally_name(tally));
    if (!writer.error)
        writer.error = batch_put(batch, DISK_META, key_slice(&key), buffer_slice(&bytes));
    buffer_done(&bytes);
    return writer.error;
}

static int record_delete(const struct shard *shard, struct batch *batch, const struct tally *tally)
{
    struct key key;

    key_tally(&key, shard->id, tally_name(tally));
    return batch_delete(batch, DISK_META, key_slice(&key));
}

static int record_load(struct shard *shard, struct slice key, struct slice value)
{
    struct reader reader;
    struct tally *tally;
    uint64_t count;
    bool known;
    int error;

    reader_init(&reader, value);
    read_array_of(&reader, 2);
    if (!key_tally_is(key) || read_u64(&reader) != RECORD_VERSION)
        return NEAP_CORRUPT;
    known = !read_nil(&reader);
    count = known ? read_u64(&reader) : 0;
    if (reader_end(&reader))
        return NEAP_CORRUPT;
    error = tallies_open(shard);
    if (!error)
        error = tally_add(shard->tallies, key_tally_collection(key), &tally);
    if (error || !known)
        return error;
    tally_end(shard->tallies, tally);
    tally->count = count;
    tally->kept = true;
    return 0;
}

int tallies_load(struct shard *shard, const struct view *view)
{
    struct slice key, value;
    struct key from, end;
    struct scan *scan;
    int error;

    key_shard_meta_prefix(&from, 'Y', shard->id);
    key_end(&from, &end);
    error = view_scan(view, DISK_META, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        error = record_load(shard, key, value);
        if (error)
            break;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

int tallies_drop(struct batch *batch)
{
    struct key from, end;

    key_meta(&from, 'Y');
    key_end(&from, &end);
    return batch_delete_range(batch, DISK_META, key_slice(&from), key_slice(&end));
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
static int move_make(struct shard *shard, struct batch *batch, struct tally *tally, int change)
{
    struct move move = {
        .change = change, .was_kept = tally->kept, .steps = tally->steps, .size = tally->size};
    int error = 0;

    if (tally->kept && !BROKEN("tally-stays"))
        error = record_write(shard, batch, tally, false);
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
    int error = move_make(shard, batch, tally, 0);

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
static int child_read(struct path_cursor *walk)
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
    error = child_read(walk);
    above->child = above->path.size - walk->left.size;
    return error;
}

static int stored_is_live(struct slice key, struct slice value, struct cell *cell, bool *ret_live)
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
        error = stored_is_live(found, value, &cell, &live);
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
        return move_make(shard, batch, tally, 0); /* the pass is still to come there */
    if (change < 0 && !tally->count)
        return move_doubt(shard, batch, tally);
    return move_make(shard, batch, tally, change);
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
    error = record_delete(shard, batch, tallies->items[least]);
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

/* ---- counting ---- */

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
    error = child_read(&walk);
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
    error = stored_is_live(key, value, &pass->cell, &live);
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
        error = tally->kept ? move_make(shard, batch, tally, 0) : 0;
        if (!error)
            tally_end(tallies, tally);
    } else if (error == NEAP_CORRUPT) {
        if (!record_delete(shard, batch, tally))
            tally_remove(tallies, at);
    }
    /* What was passed before an error is counted, but the cursor isn't behind it. */
    if (error && error != NEAP_BUSY && error != NEAP_CORRUPT)
        tally_restart(tallies, tally);
    return error == NEAP_BUSY ? 0 : error;
}

/* ---- saving ---- */

static int tally_save(const struct shard *shard, struct batch *batch, struct tally *tally)
{
    int error;

    if (tally->kept)
        return 0;
    if (!tally->counting && !tally->count)
        return record_delete(shard, batch, tally);
    error = record_write(shard, batch, tally, !tally->counting);
    if (!error)
        tally->kept = !tally->counting;
    return error;
}

static int shard_tallies_save(struct disk *disk, struct shard *shard, struct batch *batch)
{
    int error = 0;

    for (size_t i = 0; shard->tallies && i < shard->tallies->count && !error; i++) {
        error = tally_save(shard, batch, shard->tallies->items[i]);
        if (!error && batch_bytes(batch) >= FLUSH_BYTES)
            error = batch_flush(batch, disk, false);
    }
    return error;
}

int tallies_save(struct store *store)
{
    struct batch *batch;
    bool any = false;
    int error;

    for (size_t i = 0; i < store->shards_count; i++)
        any |= store->shards[i]->tallies != NULL;
    error = any ? batch_new(store->disk, &batch) : NEAP_END;
    if (error)
        return error == NEAP_END ? 0 : error;
    for (size_t i = 0; i < store->shards_count && !error; i++)
        error = shard_tallies_save(store->disk, store->shards[i], batch);
    if (!error && !batch_is_empty(batch))
        error = batch_flush(batch, store->disk, true);
    batch_free(batch);
    return error;
}
