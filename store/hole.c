#include "store/hole.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/crate.h"
#include "store/take.h"

enum { HOLE_FIELDS = 4, HOLE_SIZE_MAX = 1 << 20 };
/* Cells here that the peer has not, dealt with in one step. */
enum { LOCAL_PAGE = 256 << 10 };

/* ---- records ---- */

static void hole_init(struct hole *hole)
{
    *hole = (struct hole){0};
    buffer_init(&hole->from, KEY_CURSOR_MAX);
    buffer_init(&hole->to, KEY_CURSOR_MAX);
}

void hole_done(struct hole *hole)
{
    buffer_done(&hole->from);
    buffer_done(&hole->to);
    context_done(&hole->need);
    context_done(&hole->got);
}

int hole_read(struct slice key, struct slice value, struct hole *ret_hole)
{
    struct hole hole;
    struct reader reader;
    struct slice to, cause;
    int error;

    if (!key_hole_is(key))
        return NEAP_CORRUPT;
    hole_init(&hole);
    reader_init(&reader, value);
    read_array_of(&reader, HOLE_FIELDS);
    to = read_bin(&reader, KEY_CURSOR_MAX);
    (void)context_read(&reader, &hole.need); /* its error sticks in the reader */
    (void)context_read(&reader, &hole.got);
    cause = read_str(&reader, HOLE_CAUSE_MAX - 1);
    error = reader_end(&reader);
    if (error && error != NEAP_NOMEM)
        error = NEAP_CORRUPT;
    if (!error)
        error = buffer_set(&hole.from, key_hole_from(key));
    if (!error)
        error = buffer_set(&hole.to, to);
    if (error) {
        hole_done(&hole);
        return error;
    }
    snprintf(hole.cause, sizeof hole.cause, "%.*s", (int)cause.size, (const char *)cause.data);
    *ret_hole = hole;
    return 0;
}

/* With another end, or other knowledge, than it has. */
static int hole_write_as(struct batch *batch, uint64_t shard, const struct hole *hole,
                         struct slice from, struct slice to, const struct context *got)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;

    buffer_init(&bytes, HOLE_SIZE_MAX);
    writer_init(&writer, &bytes);
    write_array(&writer, HOLE_FIELDS);
    write_bin(&writer, to);
    context_write(&writer, &hole->need);
    context_write(&writer, got);
    write_str(&writer, hole->cause);
    key_hole(&key, shard, from);
    if (!writer.error)
        writer.error = batch_put(batch, DISK_META, key_slice(&key), buffer_slice(&bytes));
    buffer_done(&bytes);
    return writer.error;
}

int hole_write(struct batch *batch, uint64_t shard, const struct hole *hole)
{
    return hole_write_as(batch, shard, hole, buffer_slice(&hole->from), buffer_slice(&hole->to),
                         &hole->got);
}

static int holes_reserve(struct shard *shard)
{
    struct hole *holes =
        mem_reserve(shard->holes, shard->holes_count, &shard->holes_room, 1, sizeof *holes);

    if (!holes)
        return NEAP_NOMEM;
    shard->holes = holes;
    return 0;
}

int holes_load(struct shard *shard, const struct view *view)
{
    struct key from, end;
    struct slice key, value;
    struct scan *scan;
    int error;

    key_shard_meta_prefix(&from, 'D', shard->id);
    key_end(&from, &end);
    error = view_scan(view, DISK_META, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        error = holes_reserve(shard);
        if (!error)
            error = hole_read(key, value, &shard->holes[shard->holes_count]);
        if (error)
            break;
        shard->holes_count++;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

void holes_done(struct shard *shard)
{
    for (size_t i = 0; i < shard->holes_count; i++)
        hole_done(&shard->holes[i]);
    mem_free(shard->holes);
    shard->holes = NULL;
    shard->holes_count = shard->holes_room = 0;
}

/* ---- keys and knowledge ---- */

static bool is_before(struct slice key, struct slice end)
{
    return end.size == 0 || slice_compare(key, end) < 0;
}

bool hole_has(const struct hole *hole, struct slice key)
{
    return slice_compare(key, buffer_slice(&hole->from)) >= 0 &&
           is_before(key, buffer_slice(&hole->to));
}

bool hole_gains(const struct hole *hole, const struct context *theirs)
{
    for (size_t i = 0; i < hole->need.count; i++) {
        const struct context_entry *need = &hole->need.entries[i];
        uint64_t n = context_get(theirs, need->id);

        if ((n < need->n ? n : need->n) > context_get(&hole->got, need->id))
            return true;
    }
    return false;
}

bool hole_is_filled(const struct hole *hole)
{
    return context_covers(&hole->got, &hole->need) || BROKEN("hole-any-page");
}

const struct hole *hole_find(const struct shard *shard, uint64_t bucket, struct slice path)
{
    struct key key;

    if (shard->holes_count == 0)
        return NULL;
    key_cell(&key, shard->id, bucket, path);
    for (size_t i = 0; i < shard->holes_count; i++) {
        if (hole_has(&shard->holes[i], slice_of(key.bytes + 8, key.size - 8)))
            return &shard->holes[i];
    }
    return NULL;
}

bool holes_are_open(const struct shard *shard, struct slice from, struct slice to)
{
    for (size_t i = 0; i < shard->holes_count; i++) {
        const struct hole *hole = &shard->holes[i];

        if (is_before(buffer_slice(&hole->from), to) && is_before(from, buffer_slice(&hole->to)) &&
            !hole_is_filled(hole))
            return true;
    }
    return false;
}

int holes_write_clipped(const struct shard *shard, struct batch *batch, uint64_t id, uint64_t n)
{
    int error = 0;

    for (size_t i = 0; i < shard->holes_count && !error; i++) {
        struct hole clipped = shard->holes[i]; /* only looked at, but for what it needs */

        clipped.need = (struct context){0};
        error = context_copy(&clipped.need, &shard->holes[i].need);
        if (!error && context_get(&clipped.need, id) > n)
            context_clip(&clipped.need, id, n, 0);
        if (!error)
            error = hole_write(batch, shard->id, &clipped);
        context_done(&clipped.need);
    }
    return error;
}

void holes_clip(struct shard *shard, uint64_t id, uint64_t n)
{
    for (size_t i = 0; i < shard->holes_count; i++) {
        if (context_get(&shard->holes[i].need, id) > n)
            context_clip(&shard->holes[i].need, id, n, 0);
    }
}

/* What of the hole is outside of [from, to) stays as it is. */
static int hole_carve(struct batch *batch, uint64_t shard, const struct hole *hole,
                      struct slice from, struct slice to)
{
    struct slice begin = buffer_slice(&hole->from), end = buffer_slice(&hole->to);
    struct key key;
    int error;

    if (!is_before(begin, to) || !is_before(from, end))
        return 0;
    key_hole(&key, shard, begin);
    error = batch_delete(batch, DISK_META, key_slice(&key));
    if (!error && slice_compare(begin, from) < 0)
        error = hole_write_as(batch, shard, hole, begin, from, &hole->got);
    if (!error && to.size > 0 && is_before(to, end))
        error = hole_write_as(batch, shard, hole, to, end, &hole->got);
    return error;
}

int holes_carve(const struct view *view, struct batch *batch, uint64_t shard, struct slice from,
                struct slice to)
{
    struct shard scratch = {.id = shard};
    int error = holes_load(&scratch, view);

    for (size_t i = 0; i < scratch.holes_count && !error; i++)
        error = hole_carve(batch, shard, &scratch.holes[i], from, to);
    holes_done(&scratch);
    return error;
}

/* ---- giving ---- */

static int page_fill(struct crate *crate, struct scan *scan, size_t size_max,
                     struct buffer *ret_next)
{
    struct slice key, value;
    struct key last = {.size = 0};
    uint32_t number;
    int error;

    while (!(error = scan_next(scan, &key, &value))) {
        if (!key_cell_is(key))
            return NEAP_CORRUPT;
        error = crate->cells_count > 0 && crate->size >= size_max
                    ? NEAP_LIMIT
                    : crate_add(crate, key_cell_bucket(key), key_cell_path(key), value, &number);
        if (error == NEAP_LIMIT && crate->cells_count > 0)
            return buffer_set(ret_next, slice_of(key.data + 8, key.size - 8));
        if (error)
            return error;
        memcpy(last.bytes, key.data, key.size);
        last.size = key.size;
    }
    if (error != NEAP_CORRUPT || crate->cells_count == 0)
        return error == NEAP_END ? 0 : error;
    /* Up to where the damage here begins, which is right behind the last cell. */
    last.bytes[last.size++] = 0;
    return buffer_set(ret_next, slice_of(last.bytes + 8, last.size - 8));
}

int hole_page(const struct shard *shard, const struct view *view, struct slice from,
              struct slice to, size_t size_max, struct buffer *ret_page)
{
    struct scan *scan = NULL;
    struct buffer next;
    struct crate crate;
    int error;

    if (from.size > KEY_CURSOR_MAX || to.size > KEY_CURSOR_MAX)
        return NEAP_LIMIT;
    if (!shard_released(shard))
        return NEAP_BUSY;
    error = crate_init(&crate, shard, CHUNK_PAGE);
    if (error)
        return error;
    buffer_init(&next, KEY_CURSOR_MAX);
    error = buffer_set(&next, to);
    if (!error)
        error = cells_scan(view, shard->id, from, to, &scan);
    if (!error)
        error = page_fill(&crate, scan, size_max, &next);
    scan_close(scan);
    if (!error)
        error = crate_encode_page(&crate, from, buffer_slice(&next), ret_page);
    buffer_done(&next);
    crate_done(&crate);
    return error;
}

/* ---- taking ---- */

/* A page that is put into a hole. */
struct filling {
    struct change change;
    const struct chunk *page;
    struct hole *hole;
    size_t index;
    struct buffer end; /* how far; empty: the end of the shard */
    struct buffer local;
    struct context got; /* then */
    struct hole rest;   /* what is left of the hole behind `end` */
    bool has_rest;
};

static int filling_end(struct filling *filling)
{
    struct slice to = buffer_slice(&filling->hole->to);
    bool whole = filling->page->to_end || !is_before(filling->page->to, to);

    return buffer_set(&filling->end, whole ? to : filling->page->to);
}

static bool page_has(const struct chunk *page, struct slice key, size_t *at)
{
    for (; *at < page->cells_count; ++*at) {
        struct key cell;
        int order;

        key_cell(&cell, 0, page->cells[*at].bucket, page->cells[*at].path);
        order = slice_compare(slice_of(cell.bytes + 8, cell.size - 8), key);
        if (order >= 0)
            return order == 0;
    }
    return false;
}

/* Both sides by rule 3: first what only I have, then what the page has. */
static int filling_merge(struct filling *filling)
{
    const struct chunk *page = filling->page;
    uint64_t common = RESIDUE_UNKNOWN;
    size_t at = 0, found = 0;
    struct slice key;
    int error = 0;

    while (!error && key_page_next(&filling->local, &at, &key)) {
        if (!page_has(page, key, &found))
            error = take_gone(&filling->change, page, key, &common);
    }
    for (size_t i = 0; i < page->cells_count && !error; i++) {
        struct key cell;

        key_cell(&cell, 0, page->cells[i].bucket, page->cells[i].path);
        if (!is_before(slice_of(cell.bytes + 8, cell.size - 8), buffer_slice(&filling->end)))
            break;
        error = take_cell(&filling->change, page, &page->cells[i], &common);
    }
    return error;
}

/* What is left of the hole, in the batch. */
static int filling_write(struct filling *filling)
{
    struct batch *batch = filling->change.batch;
    const struct hole *hole = filling->hole;
    uint64_t shard = filling->change.shard->id;
    struct slice from = buffer_slice(&hole->from), to = buffer_slice(&hole->to),
                 end = buffer_slice(&filling->end);
    int error = hole_write_as(batch, shard, hole, from, end, &filling->got);

    filling->has_rest = !slice_equal(end, to);
    if (!error && filling->has_rest)
        error = hole_write_as(batch, shard, hole, end, to, &hole->got);
    return error;
}

/* And in memory, all that it will need. */
static int filling_prepare(struct filling *filling)
{
    const struct hole *hole;
    int error = holes_reserve(filling->change.shard);

    filling->hole = &filling->change.shard->holes[filling->index];
    hole = filling->hole;
    hole_init(&filling->rest);
    if (error || !filling->has_rest)
        return error;
    memcpy(filling->rest.cause, hole->cause, sizeof hole->cause);
    error = buffer_set(&filling->rest.from, buffer_slice(&filling->end));
    if (!error)
        error = buffer_set(&filling->rest.to, buffer_slice(&hole->to));
    if (!error)
        error = context_copy(&filling->rest.need, &hole->need);
    if (!error)
        error = context_copy(&filling->rest.got, &hole->got);
    return error;
}

/* Nothing can fail any more: what is not needed is left in `filling`, to be freed. */
static void filling_move(struct filling *filling)
{
    struct shard *shard = filling->change.shard;
    struct hole *hole = filling->hole;
    size_t index = filling->index;
    struct buffer end = filling->end;
    struct context got = filling->got;

    filling->end = hole->to;
    hole->to = end;
    filling->got = hole->got;
    hole->got = got;
    if (filling->has_rest) {
        memmove(hole + 2, hole + 1, (shard->holes_count - index - 1) * sizeof *hole);
        hole[1] = filling->rest;
        shard->holes_count++;
        filling->rest = (struct hole){0};
    }
}

static int filling_run(struct filling *filling, struct shard *shard, struct batch *batch)
{
    struct view view = batch_view(batch);
    int error = change_begin(&filling->change, shard, batch);

    if (error)
        return error;
    error = context_copy(&filling->got, &filling->hole->got);
    if (!error)
        error = context_join(&filling->got, &filling->page->context);
    filling->change.filled = &filling->got;
    view.disk = disk_holes_under(view.disk);
    filling->change.known = &filling->hole->got;
    if (!error)
        error = filling_end(filling);
    /* Keys that are here already, from other pages. Very many make the page a shorter one. */
    if (!error)
        error =
            cells_collect(&view, shard->id, buffer_slice(&filling->hole->from),
                          buffer_slice(&filling->end), LOCAL_PAGE, &filling->local, &filling->end);
    if (!error)
        error = filling_merge(filling);
    filling->change.healed = filling->change.stored;
    if (!error)
        error = filling_write(filling);
    if (!error)
        error = filling_prepare(filling);
    if (error) {
        change_abort(&filling->change);
        return error;
    }
    return change_commit(&filling->change);
}

int hole_take(struct shard *shard, struct batch *batch, struct slice bytes, enum taken *ret_taken)
{
    struct filling filling = {.index = 0};
    struct chunk page;
    int error = take_decode(shard, bytes, CHUNK_PAGE, &page);

    if (error)
        return error;
    while (filling.index < shard->holes_count &&
           !slice_equal(buffer_slice(&shard->holes[filling.index].from), page.from))
        filling.index++;
    if (filling.index == shard->holes_count) {
        *ret_taken = TAKEN_NOTHING;
        chunk_done(&page);
        return 0;
    }
    filling.page = &page;
    filling.hole = &shard->holes[filling.index];
    buffer_init(&filling.end, KEY_CURSOR_MAX);
    buffer_init(&filling.local, LOCAL_PAGE + 2 * KEY_SIZE_MAX);
    error = filling_run(&filling, shard, batch);
    if (!error) {
        filling.change.shard = shard;
        filling_move(&filling);
        shard_holes_filled(shard);
        *ret_taken = TAKEN;
    }
    buffer_done(&filling.end);
    buffer_done(&filling.local);
    context_done(&filling.got);
    hole_done(&filling.rest);
    chunk_done(&page);
    return error;
}
