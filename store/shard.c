#include "store/shard.h"

#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "store/change.h"
#include "store/hole.h"
#include "store/merkle.h"
#include "store/session_keep.h"
#include "store/shard_record.h"
#include "store/tally.h"

/* ---- life ---- */

static int shard_alloc(struct slice name, uint64_t id, struct shard **ret_shard)
{
    struct shard *shard = mem_new(sizeof *shard);

    if (!shard)
        return NEAP_NOMEM;
    shard->id = id;
    shard->residue_next = 1;
    buffer_init(&shard->bytes_old, STORED_SIZE_MAX);
    buffer_init(&shard->bytes_new, STORED_SIZE_MAX);
    buffer_init(&shard->session.cursor, KEY_CURSOR_MAX);
    shard->name = mem_new(name.size + 1);
    if (!shard->name) {
        shard_free(shard);
        return NEAP_NOMEM;
    }
    if (name.size > 0)
        memcpy(shard->name, name.data, name.size);
    *ret_shard = shard;
    return 0;
}

void shard_free(struct shard *shard)
{
    if (!shard)
        return;
    mem_free(shard->name);
    context_done(&shard->context);
    context_done(&shard->horizon);
    context_done(&shard->stable);
    context_done(&shard->session.start);
    context_done(&shard->session.seen);
    context_done(&shard->session.target);
    context_done(&shard->session.horizon);
    buffer_done(&shard->session.cursor);
    residues_done(shard->residues, shard->residues_count);
    promises_done(shard);
    holes_done(shard);
    merkle_free(shard->tree);
    tallies_free(shard->tallies);
    buffer_done(&shard->bytes_old);
    buffer_done(&shard->bytes_new);
    mem_free(shard);
}

int shard_save(struct shard *shard, struct batch *batch)
{
    int error =
        shard_record_write(shard, batch, &shard->context, &shard->horizon, shard->residue_next);

    if (!error)
        shard->recorded = true;
    return error;
}

int shard_new(struct batch *batch, const char *name, uint64_t replica, uint32_t nonce,
              struct shard **ret_shard)
{
    struct shard *shard;
    int error = shard_alloc(slice_text(name), hash_name(slice_text(name)), &shard);

    if (error)
        return error;
    shard->life = replica;
    shard->nonce = nonce;
    shard_set_new_id(shard, replica);
    shard->collect_to = 0; /* it has made nothing yet */
    error = shard_save(shard, batch);
    if (error) {
        shard_free(shard);
        return error;
    }
    *ret_shard = shard;
    return 0;
}

/* One 'R' record into the table, which stays sorted as the keys are. */
static int residue_load(struct shard *shard, struct slice key, struct slice value)
{
    struct residue residue = {0};
    struct reader reader;
    int error;

    if (!key_residue_is(key))
        return NEAP_CORRUPT;
    error = residues_reserve(shard, 1);
    if (error)
        return error;
    residue.ref = key_residue_ref(key);
    reader_init(&reader, value);
    error = context_read(&reader, &residue.context);
    if (!error)
        error = reader_end(&reader);
    if (error || residue.ref == 0 || residue.ref >= shard->residue_next) {
        context_done(&residue.context);
        return error == NEAP_NOMEM ? NEAP_NOMEM : NEAP_CORRUPT;
    }
    residue.stays = holes_are_open(shard, slice_of(NULL, 0), slice_of(NULL, 0));
    must(residue.stays || !context_beyond(&residue.context, &shard->context, &residue.context));
    shard->settling += residue.context.count == 0;
    shard->residues[shard->residues_count++] = residue;
    return 0;
}

static int residues_load(struct shard *shard, const struct view *view)
{
    struct key from, end;
    struct slice key, value;
    struct scan *scan;
    int error;

    key_shard_meta_prefix(&from, 'R', shard->id);
    key_end(&from, &end);
    error = view_scan(view, DISK_META, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        error = residue_load(shard, key, value);
        if (error)
            break;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

static void shard_add_opening(struct shard *shard, struct opening opening)
{
    if (shard->openings_count == OPENINGS_MAX)
        memmove(shard->openings, shard->openings + 1,
                --shard->openings_count * sizeof *shard->openings);
    shard->openings[shard->openings_count++] = opening;
}

/* An id that was drawn in this opening: nobody can have seen anything of it. */
void shard_set_new_id(struct shard *shard, uint64_t replica)
{
    shard->replica = replica;
    shard->opened_at = 0;
    shard->opened_nonce = 0;
    shard->confirmed = true;
    shard->leaving = false;
    shard->went_back = false;
    shard->drawn = true;
    shard->disowned = false;
    shard->openings[0] = (struct opening){.since = 0, .nonce = shard->nonce};
    shard->openings_count = 1;
    shard->collect_to = UINT64_MAX;
}

/* Rule 9: opened_at moves only past what was confirmed; what an unconfirmed opening left behind
 * stays suspect. Openings that made nothing are forgotten; of very many, the oldest. */
static void shard_reopen(struct shard *shard, const struct shard_record *record)
{
    const struct context_entry *own = context_find(&shard->context, record->replica);
    uint64_t counter = own ? own->n : 0;

    shard->replica = record->replica;
    shard->opened_at = record->opened_at;
    shard->opened_nonce = record->opened_nonce;
    if (record->confirmed || BROKEN("reopen-trusts")) {
        shard->opened_at = counter;
        shard->opened_nonce = own ? own->nonce : 0;
    } else {
        for (size_t i = 0; i < record->openings_count; i++) {
            if (record->openings[i].since < counter || BROKEN("idle-openings"))
                shard_add_opening(shard, record->openings[i]);
        }
    }
    shard_add_opening(shard, (struct opening){.since = counter, .nonce = shard->nonce});
    shard->confirmed = false;
    shard->collect_to = UINT64_MAX;
    shard->drawn = false;
}

/* Under names that another future of the directory may have given as well. */
static bool has_unconfirmed(const struct shard *shard, const struct shard_record *record)
{
    return !record->confirmed &&
           context_get(&shard->context, record->replica) > record->opened_at &&
           !BROKEN("life-leaves-suspects");
}

static void formers_load(struct shard *shard, const struct shard_record *record)
{
    memcpy(shard->formers, record->formers, sizeof shard->formers);
    shard->formers_count = record->formers_count;
}

bool shard_is_own(const struct shard *shard, uint64_t id)
{
    bool own = id == shard->replica;

    for (size_t i = 0; i < shard->earlier_count && !own; i++)
        own = shard->earlier[i] == id;
    return own;
}

void shard_add_earlier(struct shard *shard, uint64_t id)
{
    for (size_t i = 0; i < shard->earlier_count; i++)
        if (shard->earlier[i] == id)
            return;
    if (shard->earlier_count == EARLIER_MAX)
        memmove(shard->earlier, shard->earlier + 1,
                --shard->earlier_count * sizeof *shard->earlier);
    shard->earlier[shard->earlier_count++] = id;
}

int shard_load(const struct view *view, uint64_t id, uint64_t replica, uint32_t nonce,
               struct shard **ret_shard)
{
    struct shard_record record = {0};
    struct shard *shard = NULL;
    struct buffer bytes;
    int error;

    buffer_init(&bytes, RECORD_SIZE_MAX);
    error = shard_record_read(view, id, &bytes, &record);
    if (!error)
        error = shard_alloc(record.name, id, &shard);
    if (!error) {
        shard->life = replica;
        shard->nonce = nonce;
        shard->tree_kept = true;
        shard->context = record.context;
        shard->horizon = record.horizon;
        shard->residue_next = record.residue_next;
        record.context = record.horizon = (struct context){0};
        memcpy(shard->earlier, record.earlier, sizeof shard->earlier);
        shard->earlier_count = record.earlier_count;
        if (record.life == replica || has_unconfirmed(shard, &record))
            shard_reopen(shard, &record);
        else
            shard_set_new_id(shard, replica);
        if (shard->replica != record.replica && context_get(&shard->context, record.replica))
            shard_add_earlier(shard, record.replica);
        shard->leaving = !shard->confirmed && (record.leaving || record.life != replica);
        error = holes_load(shard, view);
        if (!error && !BROKEN("residues-lost"))
            error = residues_load(shard, view);
        /* What a copy or a backup brings along is the other directory's to spend. */
        if (record.life == replica && !shard->leaving)
            formers_load(shard, &record);
        if (!error)
            error = session_load(shard, view, record.life == replica);
        if (!error)
            error = tallies_load(shard, view);
    }
    shard_record_done(&record);
    buffer_done(&bytes);
    if (error) {
        shard_free(shard);
        return error;
    }
    *ret_shard = shard;
    return 0;
}

/* ---- reset ---- */

static int range_delete(struct batch *batch, enum disk_family family, const struct key *prefix)
{
    struct key end;

    key_end(prefix, &end);
    return batch_delete_range(batch, family, key_slice(prefix), key_slice(&end));
}

int shard_clear(uint64_t shard, struct batch *batch)
{
    static const char kinds[] = "RUTXYD";
    struct key prefix;
    int error;

    key_shard_prefix(&prefix, shard);
    error = range_delete(batch, DISK_CELLS, &prefix);
    if (!error)
        error = range_delete(batch, DISK_LOG, &prefix);
    for (const char *kind = kinds; *kind && !error; kind++) {
        key_shard_meta_prefix(&prefix, *kind, shard);
        error = range_delete(batch, DISK_META, &prefix);
    }
    key_session(&prefix, shard);
    return error ? error : range_delete(batch, DISK_META, &prefix);
}

static int reset_write(struct shard *shard, struct batch *batch, uint64_t replica)
{
    static const struct context nothing;
    struct shard written = *shard; /* only looked at by the record */
    int error = shard_clear(shard->id, batch);

    shard_set_new_id(&written, replica);
    written.formers_count = written.earlier_count = 0;
    if (!error)
        error = shard_record_write(&written, batch,
                                   BROKEN("keep-context-after-drop") ? &shard->context : &nothing,
                                   &nothing, shard->residue_next);
    return error;
}

int shard_reset(struct shard *shard, struct batch *batch, uint64_t replica)
{
    batch_mark mark = batch_set_mark(batch);
    int error = reset_write(shard, batch, replica);

    if (error) {
        batch_rollback(batch, mark);
        return error;
    }
    shard_compare_stop(shard);
    if (!BROKEN("keep-context-after-drop"))
        context_clear(&shard->context);
    context_clear(&shard->horizon);
    residues_done(shard->residues, shard->residues_count);
    shard->residues = NULL;
    shard->residues_count = shard->residues_room = shard->settling = 0;
    holes_done(shard);
    if (shard->tree)
        merkle_clear(shard->tree);
    tallies_free(shard->tallies);
    shard->tallies = NULL;
    shard_set_new_id(shard, replica);
    shard->formers_count = shard->earlier_count = 0;
    shard->recorded = true;
    return 0;
}

/* The nonce of my event n, of those that this opening or unconfirmed ones before it made. */
static uint32_t nonce_of(const struct shard *shard, uint64_t n)
{
    for (size_t i = shard->openings_count; i-- > 0;) {
        if (shard->openings[i].since < n)
            return shard->openings[i].nonce;
    }
    return shard->opened_nonce;
}

/* ---- a damaged log ---- */

/* The highest event of the id that a cell names. */
static int cells_highest(const struct view *view, uint64_t shard, uint64_t id, uint64_t *ret_n)
{
    struct slice key, value;
    struct key from, end;
    struct scan *scan;
    struct cell cell;
    uint64_t ref;
    int error;

    key_shard_prefix(&from, shard);
    key_end(&from, &end);
    error = view_scan(view, DISK_CELLS, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    cell_init(&cell);
    while (!(error = scan_next(scan, &key, &value))) {
        error = cell_stored(value, &ref, &cell);
        if (error)
            break;
        for (size_t i = 0; i < cell.count; i++) {
            if (cell.entries[i].dot.id == id && cell.entries[i].dot.n > *ret_n)
                *ret_n = cell.entries[i].dot.n;
        }
    }
    cell_done(&cell);
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

/* ... and the log. */
static int log_highest(const struct view *view, uint64_t shard, uint64_t id, uint64_t *ret_n)
{
    struct slice key, value;
    struct key from, end;
    struct scan *scan;
    int error;

    key_log(&from, shard, (struct dot){id, *ret_n});
    key_log(&end, shard, (struct dot){id, UINT64_MAX});
    error = view_scan(view, DISK_LOG, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        if (key_log_is(key) && key_log_dot(key).n > *ret_n)
            *ret_n = key_log_dot(key).n;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

/* `shard` is made for the record alone. */
static int log_forget(const struct view *view, struct batch *batch, struct shard *shard,
                      struct shard_record *record)
{
    uint64_t n = context_get(&record->context, record->replica);
    struct key prefix;
    int error = cells_highest(view, shard->id, record->replica, &n);

    if (!error)
        error = log_highest(view, shard->id, record->replica, &n);
    shard->life = record->life;
    shard->opened_at = record->opened_at;
    shard->opened_nonce = record->opened_nonce;
    for (size_t i = 0; i < record->openings_count; i++)
        shard->openings[shard->openings_count++] = record->openings[i];
    if (!error)
        error = context_raise(&record->context, record->replica, n, nonce_of(shard, n));
    shard->replica = record->replica;
    shard->opened_at = n;
    shard->openings_count = 0;
    shard->confirmed = true;
    key_shard_prefix(&prefix, shard->id);
    if (!error)
        error = range_delete(batch, DISK_LOG, &prefix);
    if (!error)
        error = shard_record_write(shard, batch, &record->context, &record->context,
                                   record->residue_next);
    return error;
}

int shard_forget_log(const struct view *view, struct batch *batch, uint64_t id)
{
    struct shard_record record = {0};
    struct shard *shard = NULL;
    struct buffer bytes;
    int error;

    buffer_init(&bytes, RECORD_SIZE_MAX);
    error = shard_record_read(view, id, &bytes, &record);
    if (!error)
        error = shard_alloc(record.name, id, &shard);
    if (!error)
        error = log_forget(view, batch, shard, &record);
    shard_free(shard);
    shard_record_done(&record);
    buffer_done(&bytes);
    return error;
}

/* ---- small questions ---- */

bool shard_is_alone(const struct shard *shard)
{
    return shard->residues_count == 0 &&
           (shard->context.count == 0 ||
            (shard->context.count == 1 && shard->context.entries[0].id == shard->replica));
}

/* A mesh bucket is a shard of its own; slots of rings, which hold many, are to come. */
bool shard_has_bucket(const struct shard *shard, uint64_t bucket)
{
    /* A slot of a ring has whatever is placed on the ring. */
    return shard->name[0] == '@' ? bucket != shard->id : bucket == shard->id;
}

struct shard_mark shard_set_mark(const struct shard *shard)
{
    return (struct shard_mark){
        .counter = context_get(&shard->context, shard->replica),
        .recorded = shard->recorded,
    };
}

void shard_rollback(struct shard *shard, struct shard_mark mark)
{
    uint64_t made = context_get(&shard->context, shard->replica) - mark.counter;

    must(context_get(&shard->context, shard->replica) >= mark.counter);
    context_clip(&shard->context, shard->replica, mark.counter, nonce_of(shard, mark.counter));
    shard->recorded = mark.recorded;
    shard->counts.events_own -= made;
}

uint64_t shard_log_count_of(const struct shard *shard, uint64_t id)
{
    return context_get(&shard->context, id) - context_get(&shard->horizon, id);
}

uint64_t shard_log_count(const struct shard *shard)
{
    const struct context *horizon = &shard->horizon;
    uint64_t count = 0;

    /* The context covers the horizon, so that the sums differ by what lies between. */
    for (size_t i = 0; i < shard->context.count; i++)
        count += shard->context.entries[i].n;
    for (size_t i = 0; i < horizon->count; i++)
        count -= horizon->entries[i].n;
    return count;
}
