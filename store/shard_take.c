/* Events and cells from others (rules 3, 4 and 6). */
#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/hole.h"
#include "store/session_keep.h"
#include "store/take.h"

/* ---- from somebody who may speak for some ids alone ---- */

bool guard_has(const struct shard_guard *guard, uint64_t id)
{
    for (size_t i = 0; i < guard->count; i++)
        if (guard->ids[i] == id)
            return true;
    return false;
}

/* What he says of others' events can't be checked until they are here. */
bool shard_covers_but(const struct shard *shard, const struct context *context,
                      const struct shard_guard *guard)
{
    size_t at = 0;

    for (size_t i = 0; i < context->count; i++) {
        const struct context_entry *entry = &context->entries[i];
        const struct context_entry *known = context_next(&shard->context, &at, entry->id);

        if ((!known || entry->n > known->n) && !guard_has(guard, entry->id))
            return false;
    }
    return true;
}

static int guard_check(const struct shard *shard, const struct chunk *chunk)
{
    if (!shard->guard)
        return 0;
    for (size_t i = 0; i < chunk->runs_count; i++)
        if (chunk->runs[i].to > context_get(&shard->context, chunk->runs[i].id) &&
            !guard_has(shard->guard, chunk->runs[i].id) && !BROKEN("any-dots"))
            return NEAP_REFUSED;
    if (BROKEN("any-knowledge") || BROKEN("any-dots"))
        return 0;
    if (!shard_covers_but(shard, &chunk->context, shard->guard))
        return NEAP_BUSY;
    for (size_t i = 0; i < chunk->residues_count; i++)
        if (!shard_covers_but(shard, &chunk->residues[i], shard->guard))
            return NEAP_BUSY;
    return 0;
}

/* Dots that are not new are as they are here: nobody is believed what others once wrote. */
static void guard_cell(const struct shard *shard, const struct cell *mine, struct cell *theirs)
{
    size_t kept = 0;

    if (!shard->guard || BROKEN("old-dots-believed"))
        return;
    for (size_t i = 0; i < theirs->count; i++) {
        struct cell_entry entry = theirs->entries[i];
        const struct cell_entry *known = cell_find(mine, entry.dot);

        if (known)
            entry = *known;
        else if (entry.dot.n <= context_get(&shard->context, entry.dot.id))
            continue;
        theirs->entries[kept++] = entry;
    }
    theirs->count = kept;
}

/* ---- cells ---- */

static int take(struct change *change, const struct chunk *chunk, const struct chunk_cell *item,
                bool differing, uint64_t *common)
{
    struct view view = batch_view(change->batch);
    struct knowledge know = chunk_knowledge(chunk, item);
    struct cell theirs;
    struct slot slot;
    int error;

    view.disk = disk_holes_under(view.disk);
    cell_init(&theirs);
    error = slot_load(change->shard, &view, item->bucket, item->path, &change->bytes_old, &slot);
    if (!error)
        error = cell_decode(item->bytes, &theirs);
    if (!error)
        guard_cell(change->shard, &slot.cell, &theirs);
    if (!error && !(differing && cell_same(&slot.cell, &theirs)))
        error = change_merge(change, &slot, &theirs, &know, common);
    slot_done(&slot);
    cell_done(&theirs);
    return error;
}

/* In a hole that is filled a cell knows what was known of all of it, and what the context does. In
 * one that isn't nothing can be taken but pages that fill it (store/hole.h), which say what is
 * known. */
static int take_known(struct change *change, const struct chunk *chunk,
                      const struct chunk_cell *item, bool differing, uint64_t *common)
{
    const struct hole *hole = hole_find(change->shard, item->bucket, item->path);
    struct context known = {0};
    int error;

    if (!hole || change->known || BROKEN("hole-takes"))
        return take(change, chunk, item, differing, common);
    if (!hole_is_filled(hole))
        return NEAP_CORRUPT;
    error = context_copy(&known, &change->shard->context);
    if (!error)
        error = context_join(&known, &hole->got);
    if (!error) {
        change->known = &known;
        error = take(change, chunk, item, differing, common);
        change->known = NULL;
    }
    context_done(&known);
    return error;
}

int take_cell(struct change *change, const struct chunk *chunk, const struct chunk_cell *item,
              uint64_t *common)
{
    return take_known(change, chunk, item, false, common);
}

int take_differing(struct change *change, const struct chunk *chunk, const struct chunk_cell *item,
                   uint64_t *common)
{
    return take_known(change, chunk, item, true, common);
}

int take_absent(struct change *change, const struct chunk *chunk, const struct chunk_cell *item,
                uint64_t *common)
{
    struct knowledge know = chunk_knowledge(chunk, item);
    struct cell theirs;
    struct slot slot;
    int error;

    if (hole_find(change->shard, item->bucket, item->path))
        return take_known(change, chunk, item, false, common);
    slot_absent(change->shard, item->bucket, item->path, &change->bytes_old, &slot);
    cell_init(&theirs);
    error = cell_decode(item->bytes, &theirs);
    if (!error && (theirs.count > 0 || know.residue))
        error = change_adopt(change, &slot, &theirs, item->bytes, &know, common);
    slot_done(&slot);
    cell_done(&theirs);
    return error;
}

int take_gone(struct change *change, const struct chunk *chunk, struct slice key, uint64_t *common)
{
    static const uint8_t no_dots[] = {0x90};
    const struct chunk_cell item = {
        .bucket = bytes_get_u64(key.data),
        .path = slice_of(key.data + 8, key.size - 8),
        .bytes = slice_of(no_dots, sizeof no_dots),
        .residue = CHUNK_SETTLED,
    };

    return take_differing(change, chunk, &item, common);
}

int take_admit(struct shard *shard, const struct chunk *chunk)
{
    int error = chunk->shard == shard->id ? 0 : NEAP_INVALID;

    for (size_t i = 0; i < chunk->cells_count && !error; i++) {
        if (!shard_has_bucket(shard, chunk->cells[i].bucket))
            error = NEAP_INVALID;
    }
    if (!error)
        error = guard_check(shard, chunk);
    if (!error)
        error = shard_admit(shard, &chunk->context, chunk->residues, chunk->residues_count);
    return error;
}

int take_decode(struct shard *shard, struct slice bytes, enum chunk_kind kind,
                struct chunk *ret_chunk)
{
    int error = chunk_decode(bytes, kind, ret_chunk);

    if (error)
        return error;
    error = take_admit(shard, ret_chunk);
    if (error)
        chunk_done(ret_chunk);
    return error;
}

/* How far `progress` comes with the runs of a chunk: raised in place. *ret_fresh: some are new. */
static enum taken runs_follow(const struct chunk *chunk, enum chunk_source source,
                              const struct context *before, struct context *progress,
                              int *ret_error)
{
    enum taken taken = TAKEN_NOTHING;

    *ret_error = 0;
    for (size_t i = 0; i < chunk->runs_count && !*ret_error; i++) {
        const struct chunk_run *run = &chunk->runs[i];
        bool gaps = source == CHUNK_PUSH && BROKEN("accept-gaps");

        if (run->from > context_get(progress, run->id) + 1 && !gaps)
            return TAKEN_BEHIND;
        if (run->to > context_get(before, run->id))
            taken = TAKEN;
        *ret_error = context_raise(progress, run->id, run->to, run->nonce);
    }
    return taken;
}

/* Marks the cells that an event beyond `before` changed. */
static void cells_mark(const struct chunk *chunk, const struct context *before, bool *marks)
{
    for (size_t i = 0; i < chunk->runs_count; i++) {
        const struct chunk_run *run = &chunk->runs[i];
        uint64_t have = context_get(before, run->id);

        for (uint64_t n = run->from; n <= run->to; n++) {
            if (n > have)
                marks[chunk->event_cells[run->first + (n - run->from)]] = true;
        }
    }
}

static int cells_take(struct change *change, const struct chunk *chunk,
                      const struct context *before)
{
    bool *marks = mem_new_array(chunk->cells_count, sizeof *marks);
    uint64_t common = RESIDUE_UNKNOWN;
    int error = 0;

    if (!marks)
        return NEAP_NOMEM;
    cells_mark(chunk, before, marks);
    for (size_t i = 0; i < chunk->cells_count && !error; i++) {
        if (marks[i])
            error = take_cell(change, chunk, &chunk->cells[i], &common);
    }
    mem_free(marks);
    return error;
}

static int log_take(struct change *change, const struct chunk *chunk, const struct context *before)
{
    int error = 0;

    for (size_t i = 0; i < chunk->runs_count; i++) {
        const struct chunk_run *run = &chunk->runs[i];
        uint64_t have = context_get(before, run->id);

        for (uint64_t n = run->from; n <= run->to && !error; n++) {
            const struct chunk_cell *cell =
                &chunk->cells[chunk->event_cells[run->first + (n - run->from)]];

            if (n > have) {
                error = log_put(change->shard, change->batch, (struct dot){run->id, n}, run->nonce,
                                cell->bucket, cell->path);
                change->events++;
            }
        }
    }
    return error;
}

/* Push and pull: the context comes as far as the chunk is complete, and no further. */
static int events_take(struct shard *shard, struct batch *batch, const struct chunk *chunk,
                       enum chunk_source source, enum taken *ret_taken)
{
    struct change change;
    enum taken taken;
    int error = change_begin(&change, shard, batch);

    if (error)
        return error;
    taken = runs_follow(chunk, source, &shard->context, &change.context, &error);
    if (!error && taken == TAKEN && BROKEN("merge-context-early"))
        error = context_join(&change.context, &chunk->context);
    if (!error && taken == TAKEN)
        error = cells_take(&change, chunk, &shard->context);
    if (!error && taken == TAKEN && !BROKEN("log-own-only"))
        error = log_take(&change, chunk, &shard->context);
    if (!error && taken == TAKEN && source == CHUNK_PUSH && change.fresh_count > 0 &&
        shard->residues_count + change.fresh_count > SHARD_RESIDUES_MAX)
        taken = TAKEN_BEHIND;
    if (error || taken != TAKEN)
        change_abort(&change);
    else
        error = change_commit(&change);
    if (!error)
        *ret_taken = taken;
    return error;
}

/* The changed part of a compare: cells only, and how far the peer's log has been read. */
static int changed_take(struct shard *shard, struct batch *batch, struct chunk *chunk,
                        enum taken *ret_taken)
{
    struct compare_session *session = &shard->session;
    struct context seen = {0};
    struct change change;
    enum taken taken = TAKEN_NOTHING;
    int error = change_begin(&change, shard, batch);

    if (error)
        return error;
    error = context_copy(&seen, &session->seen);
    if (!error)
        taken = runs_follow(chunk, CHUNK_CHANGED, &session->seen, &seen, &error);
    if (!error && taken == TAKEN)
        error = cells_take(&change, chunk, &session->seen);
    if (!error && taken == TAKEN)
        error = session_keep(shard, batch,
                             &(struct session_next){.changed = true,
                                                    .seen = &seen,
                                                    .target = &session->target,
                                                    .horizon = &chunk->horizon});
    if (error || taken != TAKEN)
        change_abort(&change);
    else
        error = change_commit(&change);
    if (!error && taken == TAKEN) {
        struct context old = session->seen;

        session->seen = seen;
        seen = old;
        old = session->horizon;
        session->horizon = chunk->horizon;
        chunk->horizon = old;
        if (context_covers(&session->seen, &session->target))
            session->phase = COMPARE_DONE;
    }
    context_done(&seen);
    if (!error)
        *ret_taken = taken;
    return error;
}

static void taken_count(struct shard *shard, enum taken taken)
{
    shard->counts.duplicates += taken == TAKEN_NOTHING;
    shard->counts.behind += taken == TAKEN_BEHIND;
}

int shard_take_chunk(struct shard *shard, struct batch *batch, struct chunk *chunk,
                     enum chunk_source source, enum taken *ret_taken)
{
    enum taken taken = TAKEN_BUSY;
    bool busy;
    int error = take_admit(shard, chunk);

    if (error)
        return error;
    if (source == CHUNK_CHANGED)
        busy = shard->session.id == 0 || shard->session.phase != COMPARE_CHANGED;
    else
        busy = shard->session.id != 0 && !(source == CHUNK_PUSH && BROKEN("push-during-compare"));
    if (!busy && source == CHUNK_CHANGED)
        error = changed_take(shard, batch, chunk, &taken);
    else if (!busy)
        error = events_take(shard, batch, chunk, source, &taken);
    if (!error) {
        if (source == CHUNK_CHANGED && taken == TAKEN && BROKEN("merge-later-context"))
            error = context_copy(&shard->session.start, &chunk->context);
        taken_count(shard, taken);
        *ret_taken = taken;
    }
    return error;
}

int shard_take(struct shard *shard, struct batch *batch, struct slice bytes,
               enum chunk_source source, enum taken *ret_taken)
{
    struct chunk chunk;
    int error = chunk_decode(bytes, CHUNK_EVENTS, &chunk);

    if (!error)
        error = shard_take_chunk(shard, batch, &chunk, source, ret_taken);
    chunk_done(&chunk);
    return error;
}

/* ---- one cell ---- */

int shard_take_cell(struct shard *shard, struct batch *batch, struct slice message,
                    enum taken *ret_taken)
{
    struct change change;
    struct chunk chunk;
    enum taken taken = TAKEN;
    int error = take_decode(shard, message, CHUNK_CELL, &chunk);

    if (error)
        return error;
    if (shard->session.id != 0) {
        taken = TAKEN_BUSY;
    } else {
        error = change_begin(&change, shard, batch);
        if (!error) {
            error = take_differing(&change, &chunk, &chunk.cells[0], NULL);
            if (!error && change.merged == 0)
                taken = TAKEN_NOTHING;
            if (!error && change.fresh_count > 0 &&
                shard->residues_count + change.fresh_count > SHARD_RESIDUES_MAX)
                taken = TAKEN_BEHIND;
            if (error || taken != TAKEN)
                change_abort(&change);
            else
                error = change_commit(&change);
        }
    }
    chunk_done(&chunk);
    if (!error)
        *ret_taken = taken;
    return error;
}

/* What a merge of messages holds so far. */
struct merging {
    struct chunk chunk; /* what is known, and the names */
    struct cell cell;
    struct buffer bytes; /* the cell's */
    struct buffer bytes_new;
};

static int merging_add(struct merging *merging, struct slice message)
{
    struct knowledge know = {.context = &merging->chunk.context}, know_theirs;
    struct cell theirs, merged;
    struct chunk chunk;
    int error = chunk_decode(message, CHUNK_CELL, &chunk);

    if (error)
        return error;
    cell_init(&theirs);
    cell_init(&merged);
    if (chunk.shard != merging->chunk.shard ||
        chunk_cell_compare(&chunk.cells[0], &merging->chunk.cells[0]) != 0)
        error = NEAP_INVALID;
    know_theirs = chunk_knowledge(&chunk, &chunk.cells[0]);
    if (!error)
        error = cell_decode(chunk.cells[0].bytes, &theirs);
    if (!error)
        error = cell_merge(&merging->cell, &know, &theirs, &know_theirs, &merged, NULL);
    buffer_clear(&merging->bytes_new);
    if (!error)
        error = cell_encode(&merged, &merging->bytes_new);
    if (!error)
        error = knowledge_join(&know_theirs, &merging->chunk.context);
    if (!error)
        error = buffer_set(&merging->bytes, buffer_slice(&merging->bytes_new));
    if (!error)
        error = cell_decode(buffer_slice(&merging->bytes), &merging->cell);
    cell_done(&theirs);
    cell_done(&merged);
    chunk_done(&chunk);
    return error;
}

int cell_messages_merge(const struct slice *messages, size_t count, struct buffer *ret_message)
{
    struct merging merging = {.chunk = {0}};
    struct buffer bytes;
    int error;

    if (count == 0)
        return NEAP_INVALID;
    error = chunk_decode(messages[0], CHUNK_CELL, &merging.chunk);
    if (error)
        return error;
    cell_init(&merging.cell);
    buffer_init(&merging.bytes, STORED_SIZE_MAX);
    buffer_init(&merging.bytes_new, STORED_SIZE_MAX);
    buffer_init(&bytes,
                ret_message->size_max < CHUNK_BYTES_MAX ? ret_message->size_max : CHUNK_BYTES_MAX);
    /* The first is merged into nothing that knows nothing. */
    context_clear(&merging.chunk.context);
    for (size_t i = 0; i < count && !error; i++)
        error = merging_add(&merging, messages[i]);
    merging.chunk.cells[0].bytes = buffer_slice(&merging.bytes);
    merging.chunk.cells[0].residue = CHUNK_SETTLED;
    merging.chunk.kind = CHUNK_CELL;
    while (merging.chunk.residues_count > 0)
        context_done(&merging.chunk.residues[--merging.chunk.residues_count]);
    if (!error)
        error = chunk_encode(&merging.chunk, &bytes);
    if (!error)
        error = buffer_set(ret_message, buffer_slice(&bytes));
    cell_done(&merging.cell);
    buffer_done(&merging.bytes);
    buffer_done(&merging.bytes_new);
    buffer_done(&bytes);
    chunk_done(&merging.chunk);
    return error;
}
