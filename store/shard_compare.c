/* Catching up by comparing cells, and mending damage (rule 7). */
#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "store/hole.h"
#include "store/session_keep.h"
#include "store/take.h"

/* Cells here that the peer has not, dealt with in one step; the rest of the page waits for the
 * next. */
enum { LOCAL_PAGE = 256 << 10 };

int shard_compare_begin(struct shard *shard, uint64_t session, const struct context *start)
{
    struct context copy = {0}, seen = {0};
    int error;

    must(session != 0);
    if (shard->session.id != 0)
        return NEAP_BUSY;
    error = shard_admit(shard, start, NULL, 0);
    if (!error)
        error = context_copy(&copy, start);
    if (!error)
        error = context_copy(&seen, start);
    if (error) {
        context_done(&copy);
        return error;
    }
    shard_compare_stop(shard);
    context_done(&shard->session.start);
    context_done(&shard->session.seen);
    shard->session.id = session;
    shard->session.start = copy;
    shard->session.seen = seen;
    context_clear(&shard->session.horizon);
    shard->session.phase = COMPARE_CELLS;
    shard->counts.compares++;
    return 0;
}

void shard_compare_name(struct shard *shard, uint64_t peer, uint64_t replica)
{
    shard->session.peer = peer;
    shard->session.replica = replica;
}

void shard_compare_stop(struct shard *shard)
{
    shard->session.id = shard->session.peer = shard->session.replica = 0;
    context_clear(&shard->session.horizon);
    context_clear(&shard->session.start);
    context_clear(&shard->session.seen);
    context_clear(&shard->session.target);
    buffer_clear(&shard->session.cursor);
    shard->session.phase = COMPARE_CELLS;
}

/* ---- a page ---- */

/* Keys of my own cells in a range, without the shard. */
struct local {
    struct buffer keys;
    size_t at;
    struct slice next; /* when has_next */
    bool has_next;
    struct buffer end; /* behind the last one that was collected, if there are more; else empty */
};

static int local_collect(struct local *local, const struct shard *shard, const struct batch *batch,
                         const struct chunk *page)
{
    struct slice to = page->to_end ? slice_of(NULL, 0) : page->to;
    struct view view = batch_view(batch);

    if (holes_are_open(shard, page->from, to))
        return NEAP_CORRUPT;
    view.disk = disk_holes_under(view.disk);
    return cells_collect(&view, shard->id, page->from, to, LOCAL_PAGE, &local->keys, &local->end);
}

static void local_step(struct local *local)
{
    local->has_next = key_page_next(&local->keys, &local->at, &local->next);
}

/* The peer has no such cell: it removed what it knows of it. */
static int absent_take(struct change *change, const struct chunk *page, struct slice key,
                       uint64_t *common)
{
    return BROKEN("compare-only-adds") ? 0 : take_gone(change, page, key, common);
}

static int present_take(struct change *change, const struct chunk *page,
                        const struct chunk_cell *item, bool absent_here, uint64_t *common)
{
    if (absent_here)
        return take_absent(change, page, item, common);
    if (item->residue != CHUNK_SETTLED && !BROKEN("skip-unsettled"))
        return take_cell(change, page, item, common);
    return take_differing(change, page, item, common);
}

/* My cells and those of the page, together in their order. */
static int page_merge(struct change *change, const struct chunk *page, struct local *local)
{
    struct slice end = buffer_slice(&local->end);
    uint64_t common = RESIDUE_UNKNOWN;
    struct slice theirs;
    struct key key;
    int error = 0;

    local_step(local);
    for (size_t i = 0; i < page->cells_count && !error; i++) {
        bool absent_here = true;

        key_cell(&key, 0, page->cells[i].bucket, page->cells[i].path);
        theirs = slice_of(key.bytes + 8, key.size - 8);
        if (end.size > 0 && slice_compare(theirs, end) >= 0)
            break;
        while (!error && local->has_next && slice_compare(local->next, theirs) <= 0) {
            absent_here = !slice_equal(local->next, theirs);
            if (absent_here)
                error = absent_take(change, page, local->next, &common);
            local_step(local);
        }
        if (!error)
            error = present_take(change, page, &page->cells[i], absent_here, &common);
    }
    for (; !error && local->has_next; local_step(local))
        error = absent_take(change, page, local->next, &common);
    return error;
}

/* Where the next page begins; at the end, what the peer changed meanwhile comes next. */
static void session_advance(struct compare_session *session, struct chunk *page,
                            struct buffer *cursor)
{
    struct buffer old_cursor = session->cursor;
    struct context old_target = session->target;

    session->cursor = *cursor;
    *cursor = old_cursor;
    if (session->cursor.size > 0)
        return;
    session->target = page->context;
    page->context = old_target;
    old_target = session->horizon;
    session->horizon = page->horizon;
    page->horizon = old_target;
    session->phase = COMPARE_CHANGED;
    if (context_covers(&session->seen, &session->target) || BROKEN("skip-changed"))
        session->phase = COMPARE_DONE;
}

static int page_take(struct shard *shard, struct batch *batch, struct chunk *page,
                     struct local *local, struct buffer *cursor)
{
    struct change change;
    int error = local_collect(local, shard, batch, page);

    if (!error && local->end.size > 0)
        error = buffer_set(cursor, buffer_slice(&local->end));
    else if (!error && !page->to_end)
        error = buffer_set(cursor, page->to);
    if (!error)
        error = change_begin(&change, shard, batch);
    if (error)
        return error;
    error = page_merge(&change, page, local);
    if (!error)
        error = session_keep(shard, batch,
                             &(struct session_next){.changed = cursor->size == 0,
                                                    .cursor = buffer_slice(cursor),
                                                    .seen = &shard->session.seen,
                                                    .target = &page->context,
                                                    .horizon = &page->horizon});
    if (error)
        change_abort(&change);
    else
        error = change_commit(&change);
    return error;
}

/* Is it the one that comes next? */
static int page_fits(const struct compare_session *session, const struct chunk *page)
{
    int order = slice_compare(page->from, buffer_slice(&session->cursor));

    if (session->id == 0 || session->phase != COMPARE_CELLS ||
        (!context_covers(&page->context, &session->start) && !BROKEN("resume-anywhere")))
        return NEAP_STALE;
    return order == 0 ? 0 : order < 0 ? NEAP_END : NEAP_BUSY;
}

int shard_compare_take(struct shard *shard, struct batch *batch, struct slice bytes)
{
    struct compare_session *session = &shard->session;
    struct local local;
    struct buffer cursor;
    struct chunk page;
    int error = take_decode(shard, bytes, CHUNK_PAGE, &page);

    if (error)
        return error;
    error = page_fits(session, &page);
    if (error) {
        chunk_done(&page);
        return error;
    }
    local.at = 0;
    buffer_init(&local.keys, LOCAL_PAGE + KEY_SIZE_MAX + 2);
    buffer_init(&local.end, KEY_CURSOR_MAX);
    buffer_init(&cursor, KEY_CURSOR_MAX);
    error = page_take(shard, batch, &page, &local, &cursor);
    if (!error) {
        shard->counts.cells_taken += page.cells_count;
        session_advance(session, &page, &cursor);
    }
    buffer_done(&local.keys);
    buffer_done(&local.end);
    buffer_done(&cursor);
    chunk_done(&page);
    return error;
}

/* ---- the end ---- */

/* What comes in this way is in no log of mine: the horizon says so. */
static int end_prepare(struct change *change, const struct context *start,
                       const struct context *peer_horizon)
{
    struct context beyond = {0};
    int error = context_beyond(start, &change->context, &beyond);

    if (!error && !BROKEN("compare-in-log"))
        error = context_join(&change->horizon, &beyond);
    if (!error)
        error = context_join(&change->horizon, peer_horizon);
    if (!error)
        error = context_join(&change->context, start);
    context_done(&beyond);
    for (size_t i = 0; i < change->horizon.count && !error; i++) {
        uint64_t id = change->horizon.entries[i].id;

        error = log_cut(change->shard, change->batch, id, context_get(&change->shard->horizon, id),
                        change->horizon.entries[i].n);
    }
    return error;
}

int shard_compare_end(struct shard *shard, struct batch *batch, const struct context *peer_horizon)
{
    struct change change;
    int error;

    if (shard->session.id == 0 || shard->session.phase != COMPARE_DONE ||
        (!context_covers(&shard->session.start, peer_horizon) && !BROKEN("compare-too-slow")) ||
        shard_admit(shard, &shard->session.start, NULL, 0)) {
        shard_compare_stop(shard);
        return NEAP_STALE;
    }
    error = change_begin(&change, shard, batch);
    if (error)
        return error;
    error = end_prepare(&change, &shard->session.start, peer_horizon);
    if (!error)
        error = session_drop(shard, batch);
    if (error)
        change_abort(&change);
    else
        error = change_commit(&change);
    if (!error)
        shard_compare_stop(shard);
    return error;
}

/* ---- damage ---- */

static int repair_merge(struct shard *shard, struct batch *batch, const struct chunk *page,
                        enum taken *ret_taken)
{
    uint64_t common = RESIDUE_UNKNOWN;
    struct change change;
    int error = change_begin(&change, shard, batch);

    if (error)
        return error;
    /* What the peer has not stored it can't have removed, as it knows no more than I do. */
    for (size_t i = 0; i < page->cells_count && !error; i++)
        error = present_take(&change, page, &page->cells[i], false, &common);
    *ret_taken = change.stored > 0 ? TAKEN : TAKEN_NOTHING;
    if (!error && change.stored > 0)
        return change_commit(&change);
    change_abort(&change);
    return error;
}

int shard_repair_take(struct shard *shard, struct batch *batch, struct slice bytes,
                      enum taken *ret_taken)
{
    struct chunk page;
    enum taken taken;
    int error = take_decode(shard, bytes, CHUNK_PAGE, &page);

    if (error)
        return error;
    if (shard->session.id != 0)
        taken = TAKEN_BUSY;
    else if (!context_equal(&shard->context, &page.context))
        taken = TAKEN_BEHIND;
    else
        error = repair_merge(shard, batch, &page, &taken);
    chunk_done(&page);
    if (!error)
        *ret_taken = taken;
    return error;
}

/* ---- the log ---- */

int shard_truncate(struct shard *shard, struct batch *batch, const struct context *stable)
{
    struct change change;
    bool cuts = false;
    int error = change_begin(&change, shard, batch);

    if (error)
        return error;
    for (size_t i = 0; i < shard->context.count && !error; i++) {
        const struct context_entry *known = &shard->context.entries[i];
        uint64_t n = context_get(stable, known->id);
        uint64_t from = context_get(&shard->horizon, known->id);

        n = n < known->n ? n : known->n;
        /* What is not released may have to be re-dotted, which needs the log. */
        if (known->id == shard->replica && !shard_released(shard) && n > shard->opened_at &&
            !BROKEN("cut-suspect"))
            n = shard->opened_at;
        if (n <= from)
            continue;
        cuts = true;
        error = log_cut(shard, batch, known->id, from, n);
        if (!error && !BROKEN("no-horizon"))
            error = context_raise(&change.horizon, known->id, n, 0);
    }
    if (error || !cuts)
        change_abort(&change);
    else
        error = change_commit(&change);
    return error;
}
