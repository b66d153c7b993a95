#include "engine/changes.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "crdt/expiry.h"
#include "store/keys.h"
#include "store/shard_record.h"
#include "store/slot.h"

enum { POSITION_VERSION = 1, FLAG_UNDER_WAY = 1, FLAG_ALL = 2, FLAG_BEGUN = 4, FLAGS_ALL = 7 };

/* ---- positions ---- */

void changes_init(struct changes_at *at, uint64_t shard)
{
    *at = (struct changes_at){.shard = shard, .all = true};
    buffer_init(&at->path, NEAP_PATH_MAX);
}

void changes_done(struct changes_at *at)
{
    context_done(&at->told);
    context_done(&at->goal);
    buffer_done(&at->path);
}

int changes_after(struct changes_at *at, const struct context *context)
{
    at->all = false;
    return context_copy(&at->told, context);
}

const struct context *changes_needs(const struct changes_at *at)
{
    return at->under_way && at->all ? &at->goal : &at->told;
}

/* [version, shard, reader, flags, told, goal, path] */
int changes_encode(const struct changes_at *at, struct buffer *ret_bytes)
{
    struct writer writer;

    buffer_clear(ret_bytes);
    writer_init(&writer, ret_bytes);
    write_array(&writer, 7);
    write_u64(&writer, POSITION_VERSION);
    write_u64(&writer, at->shard);
    write_u64(&writer, at->reader);
    write_u64(&writer, (at->under_way ? FLAG_UNDER_WAY : 0u) | (at->all ? FLAG_ALL : 0u) |
                           (at->begun ? FLAG_BEGUN : 0u));
    context_write(&writer, &at->told);
    context_write(&writer, &at->goal);
    write_bin(&writer, buffer_slice(&at->path));
    return writer.error;
}

int changes_decode(struct slice bytes, struct changes_at *at)
{
    struct reader reader;
    struct slice path;
    uint64_t version, shard, flags;

    reader_init(&reader, bytes);
    read_array_of(&reader, 7);
    version = read_u64(&reader);
    shard = read_u64(&reader);
    at->reader = read_u64(&reader);
    flags = read_u64(&reader);
    context_read(&reader, &at->told);
    context_read(&reader, &at->goal);
    path = read_bin(&reader, NEAP_PATH_MAX);
    if (reader_end(&reader) || version != POSITION_VERSION || flags > FLAGS_ALL)
        return reader.error == NEAP_NOMEM ? NEAP_NOMEM : NEAP_INVALID;
    if (shard != at->shard)
        return NEAP_STALE;
    at->under_way = flags & FLAG_UNDER_WAY;
    at->all = flags & FLAG_ALL;
    at->begun = flags & FLAG_BEGUN;
    return buffer_set(&at->path, path);
}

/* ---- items ---- */

void change_item_write(struct writer *writer, const struct change_item *item)
{
    write_array(writer, 6);
    write_u64(writer, item->kind);
    write_u64(writer, (uint64_t)item->type);
    write_bin(writer, item->path);
    write_i64(writer, item->number);
    write_bin(writer, item->value);
    write_u64(writer, item->expires_ms);
}

void change_item_read(struct reader *reader, struct change_item *ret_item)
{
    struct change_item item = {0};
    enum neap_type type = NEAP_ANY;
    uint64_t kind, told;

    read_array_of(reader, 6);
    kind = read_u64(reader);
    told = read_u64(reader);
    item.path = read_bin(reader, NEAP_PATH_MAX);
    item.number = read_i64(reader);
    item.value = read_bin(reader, NEAP_VALUE_MAX);
    item.expires_ms = read_u64(reader);
    if (!reader->error && (kind < NEAP_CHANGED || kind > NEAP_ALL_END))
        reader_fail(reader, NEAP_INVALID);
    if (!reader->error && kind <= NEAP_GONE && path_check(item.path, &type))
        reader_fail(reader, NEAP_INVALID);
    if (reader->error || told != (uint64_t)type) {
        reader_fail(reader, NEAP_INVALID);
        return;
    }
    item.kind = (unsigned)kind;
    item.type = type;
    *ret_item = item;
}

/* ---- pages ---- */

struct feed {
    const struct page_request *request;
    struct changes_at *at;
    struct page *page;
    struct view view;
    struct context context, horizon; /* of the view */
    struct buffer stored;
    struct cell cell;
};

/* END: it does not fit into this page any more. The first one always does. */
static int feed_put(struct feed *feed, const struct change_item *item)
{
    struct buffer *items = &feed->page->items;
    size_t size = items->size;
    struct writer writer;

    writer_init(&writer, items);
    change_item_write(&writer, item);
    if (writer.error && writer.error != NEAP_LIMIT)
        return writer.error;
    if (!writer.error && (!size || items->size <= feed->request->size_max)) {
        feed->page->count++;
        return 0;
    }
    items->size = size;
    return size ? NEAP_END : NEAP_LIMIT;
}

/* The cell as a reader has it; feed->cell holds it, and is changed. */
static int feed_cell(struct feed *feed, struct slice path, bool gone_too)
{
    struct change_item item = {.kind = NEAP_GONE, .path = path};
    struct neap_item found = {0};
    int error;

    if (path_check(path, &item.type))
        return NEAP_CORRUPT;
    (void)cell_hide(item.type, &feed->cell, feed->request->hide_ms);
    if (type_is_live(item.type, &feed->cell)) {
        item.kind = NEAP_CHANGED;
        error = type_item(item.type, &feed->cell, &found);
        if (error && error != NEAP_LIMIT) /* a number that leaves the range: the end of it */
            return error == NEAP_NOMEM ? error : NEAP_CORRUPT;
        item.number = found.number;
        item.value = slice_of(found.value.data, found.value.size);
        item.expires_ms = cell_lasts(item.type, &feed->cell);
    } else if (!gone_too) {
        return 0;
    }
    error = feed_put(feed, &item);
    return error ? error : buffer_set(&feed->at->path, path);
}

/* All that was under way was told. */
static int feed_arrive(struct feed *feed)
{
    struct changes_at *at = feed->at;
    int error = context_join(&at->told, &at->goal);

    context_clear(&at->goal);
    buffer_clear(&at->path);
    at->under_way = at->all = at->begun = false;
    return error;
}

/* ---- all cells ---- */

static int feed_all_begin(struct feed *feed)
{
    struct changes_at *at = feed->at;
    int error = context_copy(&at->goal, &feed->context);

    at->under_way = at->all = true;
    at->begun = false;
    buffer_clear(&at->path);
    return error;
}

/* END: the page is full. */
static int feed_cells(struct feed *feed, struct scan *scan)
{
    struct slice key, value;
    uint64_t ref;
    int error;

    while (!(error = scan_next(scan, &key, &value))) {
        if (slice_equal(key_cell_path(key), buffer_slice(&feed->at->path)))
            continue;
        error = cell_stored(value, &ref, &feed->cell);
        if (!error)
            error = feed_cell(feed, key_cell_path(key), false);
        if (error)
            return error;
    }
    return error == NEAP_END ? 0 : error;
}

/* END: the page is full. */
static int feed_all(struct feed *feed)
{
    struct changes_at *at = feed->at;
    struct key from, end;
    struct scan *scan;
    int error = at->begun ? 0 : feed_put(feed, &(struct change_item){.kind = NEAP_ALL_BEGIN});

    if (error)
        return error;
    at->begun = true;
    key_cell(&from, at->shard, at->shard, buffer_slice(&at->path));
    key_cell(&end, at->shard, at->shard, slice_of(NULL, 0));
    key_end(&end, &end);
    error = view_scan(&feed->view, DISK_CELLS, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    error = feed_cells(feed, scan);
    scan_close(scan);
    return error ? error : feed_put(feed, &(struct change_item){.kind = NEAP_ALL_END});
}

/* ---- from the log ---- */

static bool feed_is_past(const struct feed *feed)
{
    for (size_t i = 0; i < feed->horizon.count; i++) {
        const struct context_entry *entry = &feed->horizon.entries[i];

        if (context_get(&feed->at->told, entry->id) < entry->n)
            return true;
    }
    return false;
}

static int feed_goal(struct feed *feed)
{
    struct changes_at *at = feed->at;
    uint64_t room = CHANGES_EVENTS_MAX;
    int error = 0;

    for (size_t i = 0; i < feed->context.count && room && !error; i++) {
        struct context_entry entry = feed->context.entries[i];
        uint64_t told = context_get(&at->told, entry.id);

        if (told >= entry.n)
            continue;
        if (entry.n - told > room)
            entry = (struct context_entry){.id = entry.id, .n = told + room};
        room -= entry.n - told;
        error = context_raise(&at->goal, entry.id, entry.n, entry.nonce);
    }
    at->under_way = at->goal.count > 0;
    return error;
}

static int path_compare(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

/* The paths that the events have changed, one after the other in `bytes`, each with its size. */
static int feed_paths(struct feed *feed, struct buffer *bytes, size_t *ret_count)
{
    struct changes_at *at = feed->at;
    int error = 0;

    *ret_count = 0;
    for (size_t i = 0; i < at->goal.count && !error; i++) {
        const struct context_entry *goal = &at->goal.entries[i];
        uint64_t from = context_get(&at->told, goal->id);
        struct scan *scan = NULL;

        error = log_scan(&feed->view, at->shard, goal->id, from, goal->n, &scan);
        for (uint64_t n = from + 1; n <= goal->n && !error; n++) {
            struct log_entry entry;

            error = log_next(scan, n, &entry);
            if (!error && entry.bucket != at->shard)
                error = NEAP_CORRUPT;
            if (!error)
                error = key_page_add(bytes, entry.path);
            *ret_count += !error;
        }
        scan_close(scan);
    }
    return error;
}

/* END: the page is full. */
static int feed_tell(struct feed *feed, struct slice *paths, size_t count)
{
    struct slice told = buffer_slice(&feed->at->path);
    uint64_t ref;
    int error = 0;

    qsort(paths, count, sizeof *paths, path_compare);
    for (size_t i = 0; i < count && !error; i++) {
        struct key key;

        if ((i && slice_equal(paths[i], paths[i - 1])) ||
            (told.size && slice_compare(paths[i], told) <= 0))
            continue;
        key_cell(&key, feed->at->shard, feed->at->shard, paths[i]);
        error = view_get(&feed->view, DISK_CELLS, key_slice(&key), &feed->stored);
        cell_clear(&feed->cell);
        if (!error)
            error = cell_stored(buffer_slice(&feed->stored), &ref, &feed->cell);
        else if (error == NEAP_NOTFOUND)
            error = 0;
        if (!error)
            error = feed_cell(feed, paths[i], true);
        told = buffer_slice(&feed->at->path);
    }
    return error;
}

/* END: the page is full. */
static int feed_log(struct feed *feed)
{
    struct slice *paths = NULL;
    struct buffer bytes;
    size_t count, at = 0;
    int error;

    buffer_init(&bytes, CHANGES_EVENTS_MAX * (NEAP_PATH_MAX + 8));
    error = feed_paths(feed, &bytes, &count);
    if (!error && count > 0 && !(paths = mem_new_array(count, sizeof *paths)))
        error = NEAP_NOMEM;
    for (size_t i = 0; i < count && !error; i++)
        (void)key_page_next(&bytes, &at, &paths[i]);
    if (!error)
        error = feed_tell(feed, paths, count);
    mem_free(paths);
    buffer_done(&bytes);
    return error;
}

/* ---- ---- */

static int feed_run(struct feed *feed)
{
    struct changes_at *at = feed->at;
    int error = 0;

    if (!at->all && feed_is_past(feed))
        error = feed_all_begin(feed);
    else if (at->all && !at->under_way)
        error = feed_all_begin(feed);
    else if (!at->under_way)
        error = feed_goal(feed);
    if (error || !at->under_way)
        return error;
    error = at->all ? feed_all(feed) : feed_log(feed);
    if (error)
        return error == NEAP_END ? 0 : error;
    return feed_arrive(feed);
}

static int feed_open(struct feed *feed)
{
    struct shard_record record = {0};
    struct buffer bytes;
    int error;

    buffer_init(&bytes, RECORD_SIZE_MAX);
    error = shard_record_read(&feed->view, feed->at->shard, &bytes, &record);
    if (!error)
        error = context_copy(&feed->context, &record.context);
    if (!error)
        error = context_copy(&feed->horizon, &record.horizon);
    shard_record_done(&record);
    buffer_done(&bytes);
    return error == NEAP_NOTFOUND ? 0 : error;
}

int changes_read(struct disk *disk, const struct page_request *request, struct changes_at *at,
                 struct page *ret_page)
{
    struct feed feed = {.request = request, .at = at, .page = ret_page, .view = {.disk = disk}};
    int error;

    buffer_clear(&ret_page->items);
    ret_page->count = 0;
    buffer_init(&feed.stored, STORED_SIZE_MAX);
    cell_init(&feed.cell);
    error = disk->ops->snapshot(disk, &feed.view.snapshot);
    if (!error)
        error = feed_open(&feed);
    if (!error)
        error = feed_run(&feed);
    disk->ops->release(disk, feed.view.snapshot);
    context_done(&feed.context);
    context_done(&feed.horizon);
    cell_done(&feed.cell);
    buffer_done(&feed.stored);
    if (!error)
        error = changes_encode(at, &ret_page->cursor);
    if (error)
        buffer_clear(&ret_page->items);
    return error;
}
