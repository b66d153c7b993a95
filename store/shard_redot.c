/* Directories that went back in time (rule 9). */
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "base/sorted.h"
#include "store/change.h"
#include "store/hole.h"
#include "store/session_keep.h"

/* ---- what others have seen of me ---- */

bool shard_released(const struct shard *shard)
{
    return shard->confirmed || BROKEN("release-early") ||
           context_get(&shard->context, shard->replica) == shard->opened_at;
}

struct context_entry shard_quote(const struct shard *shard, uint64_t id)
{
    const struct context_entry *known = context_find(&shard->context, id);
    struct context_entry quote = known ? *known : (struct context_entry){.id = id};

    if (id == shard->replica && !shard_released(shard))
        return (struct context_entry){id, shard->opened_at, shard->opened_nonce};
    for (size_t i = 0; i < shard->residues_count && !BROKEN("hello-seen-only"); i++) {
        known = context_find(&shard->residues[i].context, id);
        if (known && known->n > quote.n)
            quote = *known;
    }
    /* Cells may have been compared with that, and found equal, of which no residue tells. */
    known = context_find(&shard->session.start, id);
    return known && known->n > quote.n ? *known : quote;
}

/* Was event n made by the opening that should have made it? */
static bool openings_fit(const struct opening *openings, size_t count, uint64_t n, uint32_t nonce)
{
    for (size_t i = count; i-- > 0;) {
        if (openings[i].since < n)
            return openings[i].nonce == nonce;
    }
    return true;
}

/* Is this an event of my id that I made, and have told? */
static bool event_is_mine(const struct shard *shard, uint64_t n, uint32_t nonce)
{
    uint64_t counter = context_get(&shard->context, shard->replica);

    if (n <= (BROKEN("hello-current-counter") ? counter : shard->opened_at))
        return true;
    return (shard->confirmed || BROKEN("release-early")) && n <= counter &&
           openings_fit(shard->openings, shard->openings_count, n, nonce);
}

enum quote_verdict shard_check_quote(const struct shard *shard, const struct context_entry *quote)
{
    if (quote->id != shard->replica)
        return QUOTE_FINE; /* of an id that I have left */
    if (quote->n > 0 && !event_is_mine(shard, quote->n, quote->nonce) &&
        !opening_has_more(shard, quote->n, quote->nonce))
        return QUOTE_ROLLBACK;
    return shard->confirmed ? QUOTE_FINE : QUOTE_CONFIRMS;
}

int shard_confirm(struct shard *shard, struct batch *batch)
{
    int error;

    must(!shard->leaving);
    if (shard->confirmed)
        return 0;
    shard->confirmed = true;
    error = shard_save(shard, batch);
    if (error)
        shard->confirmed = false;
    return error;
}

/* The entry of an id with the highest n. */
static struct context_entry known_of(const struct context *context, const struct context *residues,
                                     size_t count, uint64_t id)
{
    const struct context_entry *known = context_find(context, id);
    struct context_entry highest = known ? *known : (struct context_entry){.id = id};

    for (size_t i = 0; i < count; i++) {
        known = context_find(&residues[i], id);
        if (known && known->n > highest.n)
            highest = *known;
    }
    return highest;
}

int shard_admit(struct shard *shard, const struct context *context, const struct context *residues,
                size_t residues_count)
{
    struct context_entry known = known_of(context, residues, residues_count, shard->replica);
    bool renamed = shard_is_renamed(shard, context);

    for (size_t i = 0; i < residues_count && !renamed; i++)
        renamed = shard_is_renamed(shard, &residues[i]);
    if (renamed) {
        shard->went_back = true;
        shard->heard = (struct context_entry){0};
        return NEAP_STALE;
    }
    if (known.n > 0 && !event_is_mine(shard, known.n, known.nonce) && !BROKEN("no-redot")) {
        shard->went_back = !opening_has_more(shard, known.n, known.nonce);
        shard->heard = known;
        if (!BROKEN("redot-late"))
            return NEAP_STALE;
    }
    for (size_t i = 0; i < shard->promises_count && !BROKEN("no-promise"); i++) {
        const struct promise *promise = &shard->promises[i];

        known = known_of(context, residues, residues_count, promise->replica);
        if (!openings_fit(promise->openings, promise->openings_count, known.n, known.nonce))
            return NEAP_STALE;
    }
    return 0;
}

/* ---- promises ---- */

void promises_done(struct shard *shard)
{
    for (size_t i = 0; i < shard->promises_count; i++)
        mem_free(shard->promises[i].openings);
    mem_free(shard->promises);
}

void shard_claim(const struct shard *shard, struct shard_claim *ret_claim)
{
    ret_claim->replica = shard->replica;
    ret_claim->opened_at = shard->opened_at;
    memcpy(ret_claim->openings, shard->openings, sizeof shard->openings);
    ret_claim->openings_count = shard->openings_count;
}

static struct promise *promise_find(const struct shard *shard, uint64_t node)
{
    for (size_t i = 0; i < shard->promises_count; i++) {
        if (shard->promises[i].node == node)
            return &shard->promises[i];
    }
    return NULL;
}

/* The promise of a node, which may be a new one without openings. */
static int promise_make(struct shard *shard, uint64_t node, struct promise **ret_promise)
{
    struct promise *promise = promise_find(shard, node);

    if (!promise && shard->promises_count == PROMISES_MAX)
        return NEAP_LIMIT;
    if (!promise) {
        struct promise *promises = mem_reserve(shard->promises, shard->promises_count,
                                               &shard->promises_room, 1, sizeof *promises);

        if (!promises)
            return NEAP_NOMEM;
        shard->promises = promises;
        promise = &shard->promises[shard->promises_count++];
        *promise = (struct promise){.node = node};
    }
    *ret_promise = promise;
    return 0;
}

static int claim_check(const struct shard_claim *claim)
{
    if (claim->openings_count > OPENINGS_MAX)
        return NEAP_LIMIT;
    for (size_t i = 0; i < claim->openings_count; i++) {
        uint64_t least = i > 0 ? claim->openings[i - 1].since : claim->opened_at;

        if (claim->openings[i].since < least)
            return NEAP_INVALID;
    }
    return 0;
}

/* Kept: the openings that were told, up to opened_at those told before. One whose events my context
 * covers is not needed when there are too many. */
int shard_promise(struct shard *shard, uint64_t node, const struct shard_claim *claim)
{
    struct promise *promise;
    struct opening *openings;
    size_t kept = 0, skip = 0;
    int error = claim_check(claim);

    if (!error)
        error = promise_make(shard, node, &promise);
    if (error)
        return error;
    if (promise->replica == claim->replica && !BROKEN("promise-last")) {
        while (kept < promise->openings_count && promise->openings[kept].since < claim->opened_at)
            kept++;
    }
    if (kept + claim->openings_count > OPENINGS_MAX) {
        skip = kept + claim->openings_count - OPENINGS_MAX;
        skip = skip < kept ? skip : kept;
    }
    openings = mem_new_array(kept - skip + claim->openings_count, sizeof *openings);
    if (!openings)
        return NEAP_NOMEM;
    if (kept > skip)
        memcpy(openings, promise->openings + skip, (kept - skip) * sizeof *openings);
    memcpy(openings + kept - skip, claim->openings, claim->openings_count * sizeof *openings);
    mem_free(promise->openings);
    promise->openings = openings;
    promise->openings_count = kept - skip + claim->openings_count;
    promise->replica = claim->replica;
    return 0;
}

void shard_promise_forget(struct shard *shard, uint64_t node)
{
    struct promise *promise = promise_find(shard, node);

    if (!promise)
        return;
    mem_free(promise->openings);
    *promise = shard->promises[--shard->promises_count];
}

/* ---- re-dotting ---- */

/* The events of one opening. */
struct part {
    uint64_t after; /* the counter at its first event is one more */
    struct context_entry name;
};

struct redot {
    struct change change;
    uint64_t old, replica, top, counter;
    struct part *parts;
    size_t parts_count, parts_room;
    struct sorted *cells; /* whole keys of the cells that the events changed */
};

size_t shard_redot_ids(const struct shard *shard)
{
    return shard->confirmed ? 1 : shard->openings_count;
}

static struct dot redot_name(const struct redot *redot, struct dot dot)
{
    size_t i = redot->parts_count;

    if (dot.id != redot->old || dot.n <= redot->top)
        return dot;
    while (i > 1 && redot->parts[i - 1].after >= dot.n)
        i--;
    must(i > 0);
    return (struct dot){redot->parts[i - 1].name.id, dot.n - redot->parts[i - 1].after};
}

/* The event after those that the parts have. */
static int redot_add(struct redot *redot, uint64_t n, uint32_t nonce)
{
    struct part *part = redot->parts_count > 0 ? &redot->parts[redot->parts_count - 1] : NULL;

    if (!part || part->name.nonce != nonce) {
        struct part *parts =
            mem_reserve(redot->parts, redot->parts_count, &redot->parts_room, 1, sizeof *parts);

        if (!parts)
            return NEAP_NOMEM;
        redot->parts = parts;
        part = &parts[redot->parts_count++];
        part->after = n - 1;
        part->name.id = renamed_id(redot->old, redot->top, nonce);
        part->name.nonce = nonce;
    }
    part->name.n = n - part->after;
    return 0;
}

/* One log entry under its new name; the cell that it names is noted. */
static int redot_entry(struct redot *redot, struct slice key, struct slice value)
{
    struct change *change = &redot->change;
    const struct shard *shard = change->shard;
    struct log_entry entry;
    struct key cell;
    int error = log_entry_read(key, value, &entry);

    if (!error)
        error = redot_add(redot, entry.dot.n, entry.nonce);
    if (!error)
        error = log_put(shard, change->batch, redot_name(redot, entry.dot), entry.nonce,
                        entry.bucket, entry.path);
    if (error)
        return error;
    key_cell(&cell, shard->id, entry.bucket, entry.path);
    return sorted_put(redot->cells, key_slice(&cell), slice_of(NULL, 0), 0);
}

/* The log has all of them, as it is not cut beyond opened_at before the shard is released. */
static int redot_log(struct redot *redot)
{
    const struct shard *shard = redot->change.shard;
    struct view view = batch_view(redot->change.batch);
    struct buffer value;
    struct key key;
    int error = 0;

    buffer_init(&value, KEY_SIZE_MAX);
    for (uint64_t n = redot->top + 1; n <= redot->counter && !error; n++) {
        key_log(&key, shard->id, (struct dot){redot->old, n});
        error = view_get(&view, DISK_LOG, key_slice(&key), &value);
        if (error == NEAP_NOTFOUND)
            error = NEAP_CORRUPT;
        if (!error)
            error = redot_entry(redot, key_slice(&key), buffer_slice(&value));
    }
    buffer_done(&value);
    if (!error)
        error = log_cut(shard, redot->change.batch, redot->old, redot->top, redot->counter);
    return error;
}

static int redot_cell(struct redot *redot, struct slice key)
{
    struct change *change = &redot->change;
    struct view view = batch_view(change->batch);
    struct cell renamed;
    struct slot slot;
    int error;

    /* In a hole there is nothing of these events any more, as nobody else has them. */
    view.disk = disk_holes_under(view.disk);
    error = slot_load(change->shard, &view, key_cell_bucket(key), key_cell_path(key),
                      &change->bytes_old, &slot);
    cell_init(&renamed);
    for (size_t i = 0; i < slot.cell.count && !error; i++)
        error = cell_add(&renamed, redot_name(redot, slot.cell.entries[i].dot),
                         slot.cell.entries[i].payload);
    if (!error && !cell_same_dots(&renamed, &slot.cell))
        error = slot_store(change->shard, change->batch, &slot, &renamed,
                           slot.residue ? slot.residue->ref : 0, &change->bytes_new);
    cell_done(&renamed);
    slot_done(&slot);
    return error;
}

/* The old id goes back to what was told of it, and comes again from others like any other. */
static int redot_contexts(struct redot *redot)
{
    struct change *change = &redot->change;
    struct context *context = &change->context;
    int error = 0;

    if (redot->counter > redot->top && !BROKEN("redot-keeps-context"))
        context_clip(context, redot->old, redot->top, change->shard->opened_nonce);
    for (size_t i = 0; i < redot->parts_count && !error; i++) {
        const struct context_entry *name = &redot->parts[i].name;

        if (context->count == CONTEXT_IDS_MAX)
            return NEAP_LIMIT;
        if (context_find(context, name->id))
            return NEAP_CORRUPT; /* whoever tells of such an id is refused before (shard_admit) */
        error = context_raise(context, name->id, name->n, name->nonce);
    }
    if (!error && !context_find(context, redot->replica) && context->count == CONTEXT_IDS_MAX)
        return NEAP_LIMIT; /* also when nothing has to be renamed: no event could follow */
    return error;
}

void shard_disown(struct shard *shard)
{
    shard->disowned = true;
}

static void former_add(struct shard *shard, uint64_t id, uint64_t n)
{
    if (shard->formers_count == FORMERS_MAX)
        memmove(shard->formers, shard->formers + 1,
                --shard->formers_count * sizeof *shard->formers);
    shard->formers[shard->formers_count++] = (struct former){id, n};
}

/* Whose rights this directory may come to have back: nobody else goes on with these ids. */
static void redot_formers(const struct redot *redot, struct shard *shard, bool theirs)
{
    if (theirs) {
        shard->formers_count = 0;
        return;
    }
    if (redot->top > 0)
        former_add(shard, redot->old, redot->top);
    for (size_t i = 0; i < redot->parts_count; i++)
        if (redot->parts[i].name.id != redot->replica)
            former_add(shard, redot->parts[i].name.id, redot->parts[i].name.n);
}

static void redot_earlier(const struct redot *redot, struct shard *shard)
{
    if (redot->top > 0)
        shard_add_earlier(shard, redot->old);
    for (size_t i = 0; i < redot->parts_count; i++)
        if (redot->parts[i].name.id != redot->replica)
            shard_add_earlier(shard, redot->parts[i].name.id);
}

static int redot_write(struct redot *redot)
{
    const struct sorted_entry *entry;
    struct shard written;
    int error = redot_log(redot);

    entry = sorted_seek(redot->cells, slice_of(NULL, 0));
    for (; entry && !error; entry = sorted_next(redot->cells, entry))
        error = redot_cell(redot, entry->key);
    if (!error)
        error = redot_contexts(redot);
    if (!error && redot->counter > redot->top)
        error =
            holes_write_clipped(redot->change.shard, redot->change.batch, redot->old, redot->top);
    written = *redot->change.shard; /* only looked at by the record */
    redot_formers(redot, &written, written.leaving || written.disowned);
    redot_earlier(redot, &written);
    shard_set_new_id(&written, redot->replica);
    if (!error)
        error = session_drop(redot->change.shard, redot->change.batch);
    if (!error)
        error = shard_record_write(&written, redot->change.batch, &redot->change.context,
                                   &redot->change.horizon, redot->change.residue_next);
    return error;
}

static void redot_end(struct redot *redot)
{
    struct shard *shard = redot->change.shard;
    struct context old = shard->context;

    shard->context = redot->change.context;
    redot->change.context = old;
    old = shard->horizon;
    shard->horizon = redot->change.horizon;
    redot->change.horizon = old;
    if (redot->counter > redot->top)
        holes_clip(shard, redot->old, redot->top);
    shard_compare_stop(shard);
    redot_formers(redot, shard, shard->leaving || shard->disowned);
    redot_earlier(redot, shard);
    shard_set_new_id(shard, redot->replica);
    shard->recorded = true;
    shard->counts.redotted += redot->counter - redot->top;
    change_end(&redot->change);
}

/* No residue knows of my own events, so none has to be clipped: what would have brought it was
 * refused (shard_admit). */
int shard_redot(struct shard *shard, struct batch *batch)
{
    struct redot redot = {.old = shard->replica,
                          .counter = context_get(&shard->context, shard->replica)};
    int error = change_begin(&redot.change, shard, batch);

    if (error)
        return error;
    /* What has been told keeps its names: there, only the next events are safe. */
    redot.top = shard->confirmed ? redot.counter : shard->opened_at;
    redot.replica = renamed_id(redot.old, redot.top, shard->nonce);
    error = sorted_new(&redot.cells);
    /* All names change at once: were there a limit, a long history would keep its id for ever. */
    batch_set_unlimited(batch, true);
    if (!error)
        error = redot_write(&redot);
    batch_set_unlimited(batch, false);
    sorted_free(redot.cells);
    if (error)
        change_abort(&redot.change);
    else
        redot_end(&redot);
    mem_free(redot.parts);
    return error;
}
