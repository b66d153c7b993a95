#include "store/identity.h"

#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "base/pack.h"
#include "store/format.h"
#include "store/keys.h"

/* 'I' [node, life or nil, former, reason, mark]   'H' [stamp]   'A' [number] */
enum { IDENTITY_FIELDS = 5, MARK_FIELDS = 5, RECORD_SIZE_MAX = 256 };

/* What 'I' says. A life of 0 stands for none. */
struct identity_record {
    uint64_t node, life, former;
    enum identity_reason reason;
    struct directory_mark mark;
};

const char *identity_reason_text(enum identity_reason reason)
{
    switch (reason) {
    case IDENTITY_NEW:
        return "new directory";
    case IDENTITY_RESTORED:
        return "restored from a backup";
    case IDENTITY_COPIED:
        return "copied directory";
    case IDENTITY_MOVED:
        return "moved to another machine";
    case IDENTITY_SUSPECT:
        return "damaged write-ahead log";
    case IDENTITY_REASONS:
        break;
    }
    return "unknown";
}

/* Zero stands for "none", so it is never drawn. */
static uint64_t draw_u64(struct clock *clock)
{
    uint64_t drawn = clock->ops->entropy(clock);

    return drawn ? drawn : 1;
}

static uint32_t draw_u32(struct clock *clock)
{
    uint32_t drawn = (uint32_t)(clock->ops->entropy(clock) >> 32);

    return drawn ? drawn : 1;
}

static int meta_get(const struct view *view, char kind, struct buffer *ret_value)
{
    struct key key;

    key_meta(&key, kind);
    return view_get(view, DISK_META, key_slice(&key), ret_value);
}

static int meta_put(struct batch *batch, char kind, const struct writer *writer)
{
    struct key key;

    if (writer->error)
        return writer->error;
    key_meta(&key, kind);
    return batch_put(batch, DISK_META, key_slice(&key), buffer_slice(writer->buffer));
}

static int view_is_empty(const struct view *view, bool *ret_empty)
{
    unsigned family;

    for (family = 0; family < DISK_FAMILIES; family++) {
        struct slice none = slice_of(NULL, 0), key, value;
        struct scan *scan = NULL;
        int error = view_scan(view, (enum disk_family)family, none, none, &scan);

        if (!error)
            error = scan_next(scan, &key, &value);
        scan_close(scan);
        if (error != NEAP_END) {
            *ret_empty = false;
            return error;
        }
    }
    *ret_empty = true;
    return 0;
}

static void mark_read(struct reader *reader, struct directory_mark *ret_mark)
{
    struct slice machine;

    read_array_of(reader, MARK_FIELDS);
    ret_mark->directory = read_u64(reader);
    ret_mark->directory_birth_ns = read_u64(reader);
    ret_mark->file = read_u64(reader);
    ret_mark->file_birth_ns = read_u64(reader);
    machine = read_bin(reader, sizeof(ret_mark->machine));
    if (machine.size == sizeof(ret_mark->machine))
        memcpy(ret_mark->machine, machine.data, machine.size);
    else
        reader_fail(reader, NEAP_INVALID);
}

static void mark_write(struct writer *writer, const struct directory_mark *mark)
{
    write_array(writer, MARK_FIELDS);
    write_u64(writer, mark->directory);
    write_u64(writer, mark->directory_birth_ns);
    write_u64(writer, mark->file);
    write_u64(writer, mark->file_birth_ns);
    write_bin(writer, slice_of(mark->machine, sizeof(mark->machine)));
}

static int identity_record_read(struct slice bytes, struct identity_record *ret_record)
{
    struct identity_record record = {0};
    struct reader reader;
    uint64_t reason;

    reader_init(&reader, bytes);
    read_array_of(&reader, IDENTITY_FIELDS);
    record.node = read_u64(&reader);
    if (!read_nil(&reader))
        record.life = read_u64(&reader);
    record.former = read_u64(&reader);
    reason = read_u64(&reader);
    mark_read(&reader, &record.mark);
    if (reader_end(&reader) || record.node == 0 || reason >= IDENTITY_REASONS)
        return NEAP_CORRUPT;
    record.reason = (enum identity_reason)reason;
    *ret_record = record;
    return 0;
}

static int identity_record_write(struct batch *batch, const struct identity_record *record,
                                 struct buffer *scratch)
{
    struct writer writer;

    buffer_clear(scratch);
    writer_init(&writer, scratch);
    write_array(&writer, IDENTITY_FIELDS);
    write_u64(&writer, record->node);
    if (record->life)
        write_u64(&writer, record->life);
    else
        write_nil(&writer);
    write_u64(&writer, record->former);
    write_u64(&writer, record->reason);
    mark_write(&writer, &record->mark);
    return meta_put(batch, 'I', &writer);
}

/* The record as it is on disk, and the format; zeroed for an empty directory. */
static int identity_record_load(const struct view *view, struct buffer *scratch,
                                struct identity_record *ret_record, uint32_t *ret_format,
                                struct neap_error *error)
{
    bool empty = false;
    int failed = format_read(view, format_reads(), ret_format, error);

    if (failed == NEAP_NOTFOUND) {
        failed = view_is_empty(view, &empty);
        if (!failed && !empty)
            failed =
                error_set(error, NEAP_CORRUPT,
                          "a database, but none of this program's, or its first record is lost");
        return failed;
    }
    if (failed)
        return failed;
    failed = meta_get(view, 'I', scratch);
    if (failed == NEAP_CORRUPT)
        return failed; /* a block: the disk names its file */
    if (!failed)
        failed = identity_record_read(buffer_slice(scratch), ret_record);
    if (failed == NEAP_NOTFOUND || failed == NEAP_CORRUPT)
        return error_set(error, NEAP_CORRUPT, "the record of the directory's identity is %s",
                         failed == NEAP_NOTFOUND ? "missing" : "damaged");
    return failed;
}

static bool marks_differ(const struct directory_mark *a, const struct directory_mark *b)
{
    return a->directory != b->directory || a->directory_birth_ns != b->directory_birth_ns ||
           a->file != b->file || a->file_birth_ns != b->file_birth_ns;
}

/* Must the life end, and why? The first reason that holds is the one that says most. */
static bool life_ends(const struct identity_record *record, const struct directory_mark *mark,
                      bool suspect, enum identity_reason *ret_reason)
{
    if (record->node == 0)
        *ret_reason = IDENTITY_NEW;
    else if (record->life == 0)
        *ret_reason = IDENTITY_RESTORED;
    else if (suspect)
        *ret_reason = IDENTITY_SUSPECT;
    else if (BROKEN("mark-ignored"))
        return false;
    else if (memcmp(record->mark.machine, mark->machine, sizeof(mark->machine)) != 0)
        *ret_reason = IDENTITY_MOVED;
    else if (marks_differ(&record->mark, mark))
        *ret_reason = IDENTITY_COPIED;
    else
        return false;
    return true;
}

static int identity_renew(struct identity_record *record, const struct directory_mark *mark,
                          struct clock *clock, struct batch *batch, struct buffer *scratch)
{
    if (record->node == 0)
        record->node = mark->node ? mark->node : draw_u64(clock);
    if (record->life)
        record->former = record->life;
    record->life = record->former && BROKEN("life-kept") ? record->former : draw_u64(clock);
    record->mark = *mark;
    return identity_record_write(batch, record, scratch);
}

/* A certificate names a node, and a directory is of one. */
static int node_check(const struct identity_record *record, const struct directory_mark *mark,
                      struct neap_error *error)
{
    if (!mark->node || !record->node || record->node == mark->node)
        return 0;
    return error_set(error, NEAP_REFUSED,
                     "this data directory is of node %016llx, and the certificate names node "
                     "%016llx: use the cluster directory of that node, another data directory, or "
                     "a certificate for that id",
                     (unsigned long long)record->node, (unsigned long long)mark->node);
}

int identity_open(const struct view *view, const struct directory_mark *mark, bool suspect,
                  struct clock *clock, struct batch *batch, struct identity *ret_identity,
                  struct neap_error *error)
{
    struct identity_record record = {0};
    batch_mark before = batch_set_mark(batch);
    struct buffer scratch;
    uint32_t format = 0;
    bool fresh = false;
    int failed;

    buffer_init(&scratch, RECORD_SIZE_MAX);
    failed = identity_record_load(view, &scratch, &record, &format, error);
    if (!failed)
        failed = node_check(&record, mark, error);
    /* What is written from now on is in the newest form. */
    if (!failed && format != FORMAT_VERSION)
        failed = format_write(batch, FORMAT_VERSION);
    if (!failed) {
        fresh = life_ends(&record, mark, suspect, &record.reason);
        if (fresh)
            failed = identity_renew(&record, mark, clock, batch, &scratch);
    }
    buffer_done(&scratch);
    if (failed) {
        batch_rollback(batch, before);
        return failed;
    }
    *ret_identity = (struct identity){.node = record.node,
                                      .life = record.life,
                                      .former = record.former,
                                      .nonce = BROKEN("nonce-same") ? 1 : draw_u32(clock),
                                      .fresh_life = fresh,
                                      .reason = record.reason};
    return 0;
}

int identity_forget_life(const struct view *view, struct batch *batch)
{
    struct identity_record record = {0};
    struct buffer scratch;
    uint32_t format;
    int error;

    buffer_init(&scratch, RECORD_SIZE_MAX);
    error = identity_record_load(view, &scratch, &record, &format, NULL);
    if (!error && record.node == 0)
        error = NEAP_NOTFOUND;
    if (!error) {
        record.former = record.life ? record.life : record.former;
        record.life = 0;
        error = identity_record_write(batch, &record, &scratch);
    }
    buffer_done(&scratch);
    return error;
}

static int number_read(const struct view *view, char kind, uint64_t *ret_number)
{
    struct buffer scratch;
    struct reader reader;
    uint64_t number;
    int error;

    buffer_init(&scratch, RECORD_SIZE_MAX);
    error = meta_get(view, kind, &scratch);
    if (!error) {
        reader_init(&reader, buffer_slice(&scratch));
        read_array_of(&reader, 1);
        number = read_u64(&reader);
        if (reader_end(&reader))
            error = NEAP_CORRUPT;
        else
            *ret_number = number;
    }
    buffer_done(&scratch);
    return error;
}

static int number_put(struct batch *batch, char kind, uint64_t number)
{
    struct buffer scratch;
    struct writer writer;
    int error;

    buffer_init(&scratch, RECORD_SIZE_MAX);
    writer_init(&writer, &scratch);
    write_array(&writer, 1);
    write_u64(&writer, number);
    error = meta_put(batch, kind, &writer);
    buffer_done(&scratch);
    return error;
}

int incarnation_read(const struct view *view, uint64_t *ret_incarnation)
{
    uint64_t number = 0;
    int error = number_read(view, 'A', &number);

    if (error && error != NEAP_NOTFOUND)
        return error;
    *ret_incarnation = number;
    return 0;
}

int incarnation_put(struct batch *batch, uint64_t incarnation)
{
    return number_put(batch, 'A', incarnation);
}

int hlc_mark_open(const struct view *view, struct hlc *hlc)
{
    uint64_t stamp = 0;
    int error = number_read(view, 'H', &stamp);

    if (!error && stamp > hlc->last)
        hlc->last = stamp;
    return error == NEAP_NOTFOUND ? 0 : error;
}

int hlc_mark_keep(struct batch *batch, const struct hlc *hlc, uint64_t *mark)
{
    uint64_t next;
    int error;

    if (hlc->last < *mark)
        return 0;
    next = hlc->last + ((uint64_t)HLC_MARK_AHEAD_MS << 16);
    error = number_put(batch, 'H', next);
    if (!error)
        *mark = next;
    return error;
}
