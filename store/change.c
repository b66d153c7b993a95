#include "store/change.h"

#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/hole.h"
#include "store/merkle.h"
#include "store/session_keep.h"
#include "store/tally.h"

/* Keys of settled cells that one change deals with. A residue may list millions, and a commit must
 * not take seconds: the rest waits for the next change. */
enum { SETTLE_PAGE = 256 << 10 };

void change_end(struct change *change)
{
    context_done(&change->context);
    context_done(&change->horizon);
    residues_done(change->fresh, change->fresh_count);
    buffer_done(&change->bytes_old);
    buffer_done(&change->bytes_new);
    *change = (struct change){0};
}

int change_begin(struct change *change, struct shard *shard, struct batch *batch)
{
    int error;

    *change = (struct change){
        .shard = shard,
        .batch = batch,
        .mark = batch_set_mark(batch),
        .residue_next = shard->residue_next,
    };
    buffer_init(&change->bytes_old, STORED_SIZE_MAX);
    buffer_init(&change->bytes_new, STORED_SIZE_MAX);
    error = context_copy(&change->context, &shard->context);
    if (!error)
        error = context_copy(&change->horizon, &shard->horizon);
    if (error)
        change_end(change);
    return error;
}

void change_abort(struct change *change)
{
    batch_rollback(change->batch, change->mark);
    change_end(change);
}

/* Equal in every respect: with another nonce it is another history. */
static bool residue_same(const struct context *a, const struct context *b)
{
    for (size_t i = 0; i < a->count; i++) {
        if (i >= b->count || a->entries[i].id != b->entries[i].id ||
            a->entries[i].n != b->entries[i].n || a->entries[i].nonce != b->entries[i].nonce)
            return false;
    }
    return a->count == b->count;
}

/* Among the residues, one that says the same. Those of the shard may be ahead of the trimming that
 * the commit does, so what looks different may be equal: that only costs a record. As does not to
 * look among old ones, when there are very many: it is the newest that come again. */
static uint64_t residue_search(const struct change *change, const struct context *beyond)
{
    const struct shard *shard = change->shard;
    size_t count = shard->residues_count;
    size_t oldest = count > SHARD_RESIDUES_MAX ? count - SHARD_RESIDUES_MAX : 0;

    for (size_t i = change->fresh_count; i-- > 0;) {
        if (residue_same(&change->fresh[i].context, beyond))
            return change->fresh[i].ref;
    }
    for (size_t i = count; i-- > oldest;) {
        if ((shard->residues[i].stays || !change->filled) &&
            residue_same(&shard->residues[i].context, beyond))
            return shard->residues[i].ref;
    }
    return 0;
}

static int residue_write(const struct change *change, const struct residue *residue)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;

    buffer_init(&bytes, STORED_SIZE_MAX);
    writer_init(&writer, &bytes);
    context_write(&writer, &residue->context);
    if (!writer.error) {
        key_residue(&key, change->shard->id, residue->ref);
        writer.error = batch_put(change->batch, DISK_META, key_slice(&key), buffer_slice(&bytes));
    }
    buffer_done(&bytes);
    return writer.error;
}

static int residue_add(struct change *change, const struct context *beyond, uint64_t *ret_ref)
{
    struct residue *fresh, *residue;
    int error;

    fresh = mem_reserve(change->fresh, change->fresh_count, &change->fresh_room, 1, sizeof *fresh);
    if (!fresh)
        return NEAP_NOMEM;
    change->fresh = fresh;
    residue = &change->fresh[change->fresh_count];
    *residue = (struct residue){.ref = change->residue_next, .stays = change->filled != NULL};
    error = context_copy(&residue->context, beyond);
    if (!error)
        error = residue_write(change, residue);
    if (error) {
        context_done(&residue->context);
        return error;
    }
    change->fresh_count++;
    change->residue_next++;
    *ret_ref = residue->ref;
    return 0;
}

/* What the merged cell knows beyond the context that the shard is about to have: in a hole, beyond
 * what is then known of all that is there. */
static int change_beyond(const struct change *change, const struct slot *slot,
                         const struct knowledge *know_theirs, struct context *ret_beyond)
{
    int error = knowledge_join(know_theirs, ret_beyond);

    if (!error && slot->residue)
        error = context_join(ret_beyond, &slot->residue->context);
    if (!error)
        error = context_beyond(ret_beyond, change->filled ? change->filled : &change->context,
                               ret_beyond);
    return error;
}

static int change_residue(struct change *change, const struct slot *slot,
                          const struct knowledge *know_theirs, uint64_t *common, uint64_t *ret_ref)
{
    bool plain = !know_theirs->residue || know_theirs->residue->count == 0;
    uint64_t ref = 0;
    struct context beyond = {0};
    int error;

    if (BROKEN("no-residue")) {
        *ret_ref = 0;
        return 0;
    }
    if (common && *common != RESIDUE_UNKNOWN && plain &&
        (!slot->residue || slot->residue->ref == *common)) {
        *ret_ref = *common;
        return 0;
    }
    error = change_beyond(change, slot, know_theirs, &beyond);
    if (!error && beyond.count > 0) {
        ref = residue_search(change, &beyond);
        if (ref == 0)
            error = residue_add(change, &beyond, &ref);
    }
    context_done(&beyond);
    if (error)
        return error;
    if (common && plain && !slot->residue)
        *common = ref;
    *ret_ref = ref;
    return 0;
}

/* Stamps of what was taken move the clock, unless they are too far ahead: then they are counted. */
static void change_stamps(struct change *change, struct slice path, const struct cell *theirs)
{
    struct shard_clock *clock = change->shard->clock;
    enum neap_type type;
    struct slice value;
    uint64_t stamp;

    if (!clock || path_check(path, &type) || !type_has_stamps(type))
        return;
    for (size_t i = 0; i < theirs->count; i++) {
        if (!type_stamped(type, theirs->entries[i].payload, &value, &stamp) &&
            !hlc_see(clock->hlc, stamp, clock->wall_ms))
            change->stamps_ahead++;
    }
}

bool cell_same(const struct cell *a, const struct cell *b)
{
    if (!cell_same_dots(a, b))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!slice_equal(a->entries[i].payload, b->entries[i].payload))
            return false;
    }
    return true;
}

int change_merge(struct change *change, struct slot *slot, const struct cell *theirs,
                 const struct knowledge *know_theirs, uint64_t *common)
{
    struct knowledge know_mine = {
        .context = change->known ? change->known : &change->shard->context,
        .residue = slot->residue ? &slot->residue->context : NULL,
    };
    struct cell merged;
    unsigned healed = 0;
    uint64_t ref = 0;
    bool same = false;
    int error;

    cell_init(&merged);
    error = cell_merge(&slot->cell, &know_mine, theirs, know_theirs, &merged, &healed);
    if (!error)
        error = change_residue(change, slot, know_theirs, common, &ref);
    if (!error) {
        same = cell_same(&slot->cell, &merged);
        same = same && ref == (slot->residue ? slot->residue->ref : 0);
        if (!same)
            error =
                slot_store(change->shard, change->batch, slot, &merged, ref, &change->bytes_new);
    }
    /* Its loss was not seen, so it has not been counted. */
    if (!error && healed > 0)
        error = tally_doubt(change->shard, change->batch, slot->bucket, slot->path);
    if (!error) {
        change->merged++;
        change->stored += !same;
        change->healed += healed;
        change_stamps(change, slot->path, theirs);
    }
    cell_done(&merged);
    return error;
}

/* Without a residue nothing but the context knows what was here. */
static bool change_is_new(const struct change *change, const struct cell *theirs)
{
    const struct knowledge know = {.context = &change->shard->context};

    for (size_t i = 0; i < theirs->count; i++) {
        if (knowledge_has(&know, theirs->entries[i].dot))
            return false;
    }
    return theirs->count > 0;
}

int change_adopt(struct change *change, struct slot *slot, const struct cell *theirs,
                 struct slice encoded, const struct knowledge *know_theirs, uint64_t *common)
{
    uint64_t ref = 0;
    int error;

    if (!change_is_new(change, theirs))
        return change_merge(change, slot, theirs, know_theirs, common);
    error = change_residue(change, slot, know_theirs, common, &ref);
    if (!error)
        error = slot_adopt(change->shard, change->batch, slot, theirs, encoded, ref,
                           &change->bytes_new);
    if (!error) {
        change->merged++;
        change->stored++;
        change_stamps(change, slot->path, theirs);
    }
    return error;
}

/* Copies keys of the range, up to a page of them. END: all were copied. */
static int keys_collect(const struct change *change, const struct key *from, const struct key *end,
                        struct buffer *ret_keys)
{
    struct view view = batch_view(change->batch);
    struct scan *scan;
    struct slice key, value;
    int error = view_scan(&view, DISK_META, key_slice(from), key_slice(end), &scan);

    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value)) && ret_keys->size < SETTLE_PAGE) {
        error = key_unsettled_is(key) ? key_page_add(ret_keys, key) : NEAP_CORRUPT;
        if (error)
            break;
    }
    scan_close(scan);
    return error;
}

/* An empty cell that was kept for its residue alone goes, and so does its place in the list. */
static int cell_settle(struct change *change, const struct residue *residue, struct slice listed)
{
    struct view view = batch_view(change->batch);
    struct slot slot;
    int error;

    /* In a hole it may be lost: then only its place in the list goes. */
    view.disk = disk_holes_under(view.disk);
    error = slot_load(change->shard, &view, key_unsettled_bucket(listed),
                      key_unsettled_path(listed), &change->bytes_old, &slot);
    if (!error && slot.stored && slot.cell.count == 0 && slot.residue == residue)
        error = batch_delete(change->batch, DISK_CELLS, key_slice(&slot.key));
    if (!error)
        error = batch_delete(change->batch, DISK_META, listed);
    slot_done(&slot);
    return error;
}

/* The context has come to cover a residue: `keys` is filled with what is settled of it. The residue
 * goes when nothing is left of its list; *ret_gone says so. */
static int residue_settle(struct change *change, const struct residue *residue, struct buffer *keys,
                          bool *ret_gone)
{
    size_t at = keys->size;
    struct slice listed;
    struct key key, end;
    int error;

    key_unsettled(&key, change->shard->id, residue->ref, 0, slice_of(NULL, 0));
    key.size -= sizeof(uint64_t);
    key_end(&key, &end);
    error = keys_collect(change, &key, &end, keys);
    *ret_gone = error == NEAP_END;
    if (error == NEAP_END)
        error = 0;
    while (!error && key_page_next(keys, &at, &listed))
        error = cell_settle(change, residue, listed);
    key_residue(&key, change->shard->id, residue->ref);
    if (!error && *ret_gone)
        error = batch_delete(change->batch, DISK_META, key_slice(&key));
    return error;
}

/* What a cell knows in a hole counts until the context counts there, too. */
static bool residue_stays(const struct shard *shard, const struct residue *residue)
{
    const struct slice all = {0};

    return residue->stays && holes_are_open(shard, all, all);
}

/* What one change does of it: up to a page of keys, the residues in their order. */
static int change_settle(struct change *change)
{
    const struct shard *shard = change->shard;
    struct buffer keys;
    bool gone = true;
    int error = 0;

    change->moves = !context_equal(&change->context, &shard->context);
    change->settled = 0;
    if (!change->moves && shard->settling == 0)
        return 0;
    buffer_init(&keys, SETTLE_PAGE + KEY_SIZE_MAX + 2);
    for (; change->settled < shard->residues_count && !error; change->settled++) {
        const struct residue *residue = &shard->residues[change->settled];

        if (!residue_stays(shard, residue) && context_covers(&change->context, &residue->context))
            error = residue_settle(change, residue, &keys, &gone);
        if (!gone)
            break;
    }
    buffer_done(&keys);
    return error;
}

/* Cuts the residues down to what goes beyond the context, and drops those of which nothing is left,
 * neither there nor in their lists. */
static void residues_trim(struct shard *shard, size_t settled)
{
    size_t kept = 0;

    shard->settling = 0;
    for (size_t i = 0; i < shard->residues_count; i++) {
        struct residue *residue = &shard->residues[i];

        /* Into itself it takes no memory, so it can't fail. */
        must(residue_stays(shard, residue) ||
             !context_beyond(&residue->context, &shard->context, &residue->context));
        if (residue->context.count == 0 && i < settled) {
            context_done(&residue->context);
            continue;
        }
        shard->settling += residue->context.count == 0;
        shard->residues[kept++] = *residue;
    }
    shard->residues_count = kept;
}

static void residues_move(struct shard *shard, struct change *change)
{
    if (change->moves || shard->settling > 0)
        residues_trim(shard, change->settled);
    for (size_t i = 0; i < change->fresh_count; i++)
        shard->residues[shard->residues_count++] = change->fresh[i];
    change->fresh_count = 0;
}

static void change_move(struct change *change)
{
    struct shard *shard = change->shard;
    struct context old = shard->context;

    shard->context = change->context;
    change->context = old;
    old = shard->horizon;
    shard->horizon = change->horizon;
    change->horizon = old;
    residues_move(shard, change);
    if (shard->tree && shard->residues_count == 0)
        merkle_settle(shard->tree);
    shard->residue_next = change->residue_next;
    shard->recorded = true;
    shard->counts.events_taken += change->events;
    shard->counts.healed += change->healed;
    shard->counts.stamps_ahead += change->stamps_ahead;
}

int change_commit(struct change *change)
{
    struct shard *shard = change->shard;
    int error = change_settle(change);

    /* What is taken now was not there when a session that was stopped has compared cells; one that
     * goes on keeps itself. */
    if (!error && shard->session.peer == 0)
        error = session_drop(shard, change->batch);
    if (!error && change->fresh_count > 0)
        error = residues_reserve(shard, change->fresh_count);
    if (!error)
        error = shard_record_write(shard, change->batch, &change->context, &change->horizon,
                                   change->residue_next);
    if (error) {
        change_abort(change);
        return error;
    }
    change_move(change);
    change_end(change);
    return 0;
}

void shard_holes_filled(struct shard *shard)
{
    const struct slice all = {0};

    for (size_t i = 0; i < shard->residues_count && !holes_are_open(shard, all, all); i++) {
        struct residue *residue = &shard->residues[i];

        if (!residue->stays)
            continue;
        residue->stays = false;
        must(!context_beyond(&residue->context, &shard->context, &residue->context));
        shard->settling += residue->context.count == 0;
    }
}

int shard_settle(struct shard *shard, struct batch *batch)
{
    struct change change;
    int error;

    if (shard->settling == 0)
        return 0;
    error = change_begin(&change, shard, batch);
    return error ? error : change_commit(&change);
}
