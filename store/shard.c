#include "store/shard.h"

#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "base/version.h"
#include "store/change.h"
#include "store/hole.h"
#include "store/merkle.h"
#include "store/session_keep.h"
#include "store/tally.h"

enum record_state { RECORD_UNCONFIRMED, RECORD_CONFIRMED, RECORD_LEAVING };

enum { RECORD_VERSION = 1, RECORD_VERSION_MIN = 1 };
enum { RECORD_FIELDS = 13, RECORD_SIZE_MAX = 1 << 20, NAME_SIZE_MAX = 255 };

/* ---- the record ---- */

static struct versions record_reads(void)
{
    return (struct versions){.oldest = RECORD_VERSION_MIN, .newest = RECORD_VERSION};
}

/* What the 'S' key of a shard holds. */
struct shard_record {
    struct slice name; /* borrowed */
    uint64_t life, replica;
    struct context context, horizon;
    uint64_t residue_next;
    uint64_t opened_at;
    uint32_t opened_nonce;
    bool confirmed, leaving;
    struct opening openings[OPENINGS_MAX];
    size_t openings_count;
    struct former formers[FORMERS_MAX];
    size_t formers_count;
    uint64_t earlier[EARLIER_MAX];
    size_t earlier_count;
};

static void shard_record_done(struct shard_record *record)
{
    context_done(&record->context);
    context_done(&record->horizon);
}

int shard_record_write(const struct shard *shard, struct batch *batch,
                       const struct context *context, const struct context *horizon,
                       uint64_t residue_next)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;

    buffer_init(&bytes, RECORD_SIZE_MAX);
    writer_init(&writer, &bytes);
    write_array(&writer, RECORD_FIELDS);
    write_u64(&writer, RECORD_VERSION);
    write_str(&writer, shard->name);
    write_u64(&writer, shard->life);
    write_u64(&writer, shard->replica);
    context_write(&writer, context);
    context_write(&writer, horizon);
    write_u64(&writer, residue_next);
    write_u64(&writer, shard->opened_at);
    write_u64(&writer, shard->opened_nonce);
    write_u64(&writer, shard->confirmed ? RECORD_CONFIRMED
                       : shard->leaving ? RECORD_LEAVING
                                        : RECORD_UNCONFIRMED);
    write_array(&writer, (uint32_t)shard->openings_count * 2);
    for (size_t i = 0; i < shard->openings_count; i++) {
        write_u64(&writer, shard->openings[i].since);
        write_u64(&writer, shard->openings[i].nonce);
    }
    write_array(&writer, (uint32_t)shard->formers_count * 2);
    for (size_t i = 0; i < shard->formers_count; i++) {
        write_u64(&writer, shard->formers[i].id);
        write_u64(&writer, shard->formers[i].n);
    }
    write_array(&writer, (uint32_t)shard->earlier_count);
    for (size_t i = 0; i < shard->earlier_count; i++)
        write_u64(&writer, shard->earlier[i]);
    if (!writer.error) {
        key_shard(&key, shard->id);
        writer.error = batch_put(batch, DISK_META, key_slice(&key), buffer_slice(&bytes));
    }
    buffer_done(&bytes);
    return writer.error;
}

static uint32_t read_u32(struct reader *reader)
{
    uint64_t value = read_u64(reader);

    if (value > UINT32_MAX)
        reader_fail(reader, NEAP_INVALID);
    return (uint32_t)value;
}

static void openings_read(struct reader *reader, struct shard_record *record)
{
    uint64_t state;
    uint32_t count;

    record->opened_at = read_u64(reader);
    record->opened_nonce = read_u32(reader);
    state = read_u64(reader);
    record->confirmed = state == RECORD_CONFIRMED;
    record->leaving = state == RECORD_LEAVING;
    count = read_array(reader, OPENINGS_MAX * 2);
    if (state > RECORD_LEAVING || count % 2 != 0)
        reader_fail(reader, NEAP_INVALID);
    for (uint32_t i = 0; i < count / 2 && !reader->error; i++) {
        record->openings[i].since = read_u64(reader);
        record->openings[i].nonce = read_u32(reader);
        record->openings_count = i + 1;
    }
}

static void formers_read(struct reader *reader, struct shard_record *record)
{
    uint32_t count = read_array(reader, FORMERS_MAX * 2);

    if (count % 2 != 0)
        reader_fail(reader, NEAP_INVALID);
    for (uint32_t i = 0; i < count / 2 && !reader->error; i++) {
        record->formers[i].id = read_u64(reader);
        record->formers[i].n = read_u64(reader);
        record->formers_count = i + 1;
    }
}

static void earlier_read(struct reader *reader, struct shard_record *record)
{
    uint32_t count = read_array(reader, EARLIER_MAX);

    for (uint32_t i = 0; i < count && !reader->error; i++)
        record->earlier[record->earlier_count++] = read_u64(reader);
}

/* What follows may have changed with the version: other fields, and more or less of them. */
static int version_read(struct reader *reader)
{
    uint32_t fields = read_array(reader, UINT32_MAX);
    int code = version_check(read_u64(reader), record_reads());

    if (!code && fields != RECORD_FIELDS)
        code = NEAP_CORRUPT;
    return reader->error ? NEAP_CORRUPT : code;
}

int shard_record_refuse(struct slice bytes, struct neap_error *error)
{
    struct reader reader;

    reader_init(&reader, bytes);
    (void)read_array(&reader, UINT32_MAX);
    return version_refuse(read_u64(&reader), record_reads(), "the record of a bucket", error);
}

static int shard_record_decode(struct slice bytes, struct shard_record *record)
{
    struct reader reader;
    int code;

    reader_init(&reader, bytes);
    code = version_read(&reader);
    if (code)
        return code;
    record->name = read_str(&reader, NAME_SIZE_MAX);
    record->life = read_u64(&reader);
    record->replica = read_u64(&reader);
    context_read(&reader, &record->context);
    context_read(&reader, &record->horizon);
    record->residue_next = read_u64(&reader);
    openings_read(&reader, record);
    formers_read(&reader, record);
    earlier_read(&reader, record);
    if (reader_end(&reader))
        return reader.error == NEAP_NOMEM ? NEAP_NOMEM : NEAP_CORRUPT;
    if (memchr(record->name.data, 0, record->name.size) || record->residue_next == 0 ||
        !context_covers(&record->context, &record->horizon))
        return NEAP_CORRUPT;
    return 0;
}

/* Looks for event n of the id in the log. */
static int log_nonce(const struct view *view, uint64_t shard, struct dot dot,
                     struct buffer *scratch, uint32_t *ret_nonce)
{
    struct log_entry entry;
    struct key key;
    int error;

    key_log(&key, shard, dot);
    error = view_get(view, DISK_LOG, key_slice(&key), scratch);
    if (!error)
        error = log_entry_read(key_slice(&key), buffer_slice(scratch), &entry);
    if (!error)
        *ret_nonce = entry.nonce;
    return error;
}

/* Events made since the record was written are in the log, and there without a gap: the last is
 * found by doubling and then halving the step. */
static int context_raise_by_log(const struct view *view, uint64_t shard, uint64_t id,
                                struct context *context)
{
    uint64_t last = context_get(context, id), step = 1;
    bool doubling = true;
    uint32_t nonce = 0, found;
    struct buffer scratch;
    int error = 0;

    buffer_init(&scratch, KEY_SIZE_MAX);
    while (step > 0) {
        error = log_nonce(view, shard, (struct dot){id, last + step}, &scratch, &found);
        if (error && error != NEAP_NOTFOUND)
            break;
        if (!error) {
            last += step;
            nonce = found;
        } else {
            doubling = false;
        }
        step = doubling ? step * 2 : step / 2;
    }
    buffer_done(&scratch);
    if (error && error != NEAP_NOTFOUND)
        return error;
    return context_raise(context, id, last, nonce);
}

static int shard_record_read(const struct view *view, uint64_t shard, struct buffer *bytes,
                             struct shard_record *record)
{
    struct key key;
    int error;

    key_shard(&key, shard);
    error = view_get(view, DISK_META, key_slice(&key), bytes);
    if (!error)
        error = shard_record_decode(buffer_slice(bytes), record);
    if (!error && !BROKEN("counter-again"))
        error = context_raise_by_log(view, shard, record->replica, &record->context);
    return error;
}

int shard_context_read(const struct view *view, uint64_t shard, struct context *ret_context)
{
    struct shard_record record = {0};
    struct buffer bytes;
    int error;

    buffer_init(&bytes, RECORD_SIZE_MAX);
    error = shard_record_read(view, shard, &bytes, &record);
    if (!error) {
        struct context old = *ret_context;

        *ret_context = record.context;
        record.context = old;
    }
    shard_record_done(&record);
    buffer_done(&bytes);
    return error;
}

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

static int reset_write(struct shard *shard, struct batch *batch, uint64_t replica)
{
    static const struct context nothing;
    struct shard written = *shard; /* only looked at by the record */
    struct key prefix;
    int error;

    key_shard_prefix(&prefix, shard->id);
    error = range_delete(batch, DISK_CELLS, &prefix);
    if (!error)
        error = range_delete(batch, DISK_LOG, &prefix);
    key_shard_meta_prefix(&prefix, 'R', shard->id);
    if (!error)
        error = range_delete(batch, DISK_META, &prefix);
    key_shard_meta_prefix(&prefix, 'U', shard->id);
    if (!error)
        error = range_delete(batch, DISK_META, &prefix);
    key_shard_meta_prefix(&prefix, 'T', shard->id);
    if (!error)
        error = range_delete(batch, DISK_META, &prefix);
    key_shard_meta_prefix(&prefix, 'X', shard->id);
    if (!error)
        error = range_delete(batch, DISK_META, &prefix);
    key_shard_meta_prefix(&prefix, 'Y', shard->id);
    if (!error)
        error = range_delete(batch, DISK_META, &prefix);
    key_session(&prefix, shard->id);
    if (!error)
        error = range_delete(batch, DISK_META, &prefix);
    key_shard_meta_prefix(&prefix, 'D', shard->id);
    if (!error)
        error = range_delete(batch, DISK_META, &prefix);
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
    return bucket == shard->id;
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
