#include "store/shard_record.h"

#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "base/version.h"
#include "store/change.h"

enum record_state { RECORD_UNCONFIRMED, RECORD_CONFIRMED, RECORD_LEAVING };

enum { RECORD_VERSION = 1, RECORD_VERSION_MIN = 1 };
enum { RECORD_FIELDS = 13, NAME_SIZE_MAX = 255 };

static struct versions record_reads(void)
{
    return (struct versions){.oldest = RECORD_VERSION_MIN, .newest = RECORD_VERSION};
}

void shard_record_done(struct shard_record *record)
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
    code = version_read(&reader, record_reads(), RECORD_FIELDS);
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

int shard_record_read(const struct view *view, uint64_t shard, struct buffer *bytes,
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
