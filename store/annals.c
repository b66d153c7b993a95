#include "store/annals.h"

#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "base/pack.h"
#include "base/version.h"
#include "store/keys.h"

enum { ANNALS_VERSION = 1, ANNALS_FIELDS = 14 };

static const char *const words[ANNALS_KINDS_END] = {
#define X(name, word) word,
    ANNALS_KINDS(X)
#undef X
};

const char *annals_word(enum annals_kind kind)
{
    must(kind < ANNALS_KINDS_END);
    return words[kind];
}

bool annals_is_incident(enum annals_kind kind)
{
    return kind > ANNALS_SCRUB;
}

/* ---- records ---- */

static struct slice cut(struct slice text)
{
    return slice_of(text.data, text.size < ANNALS_TEXT_MAX ? text.size : ANNALS_TEXT_MAX);
}

static int entry_put(struct annals *annals, struct batch *batch, const struct annals_entry *entry)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;

    buffer_init(&bytes, ANNALS_ENTRY_MAX);
    writer_init(&writer, &bytes);
    write_array(&writer, ANNALS_FIELDS);
    write_u64(&writer, ANNALS_VERSION);
    write_u64(&writer, entry->kind);
    write_u64(&writer, entry->began_ms);
    write_u64(&writer, entry->ended_ms);
    write_u64(&writer, entry->shard);
    write_u64(&writer, entry->replica);
    write_u64(&writer, entry->node);
    write_u64(&writer, entry->cells);
    write_u64(&writer, entry->times);
    write_bin(&writer, cut(entry->bucket));
    write_bin(&writer, cut(entry->peer));
    write_bin(&writer, cut(entry->key));
    write_bin(&writer, cut(entry->cause));
    write_bin(&writer, cut(entry->end));
    key_annals(&key, entry->number);
    if (!writer.error && !BROKEN("history-forgets"))
        writer.error = batch_put(batch, DISK_META, key_slice(&key), buffer_slice(&bytes));
    buffer_done(&bytes);
    annals->written |= !writer.error;
    return writer.error;
}

static int entry_decode(struct slice key, struct slice value, struct annals_entry *ret_entry)
{
    const struct versions reads = {.oldest = ANNALS_VERSION, .newest = ANNALS_VERSION};
    struct annals_entry entry = {0};
    struct reader reader;
    uint32_t fields;
    uint64_t kind;
    int code;

    if (!key_annals_is(key))
        return NEAP_CORRUPT;
    reader_init(&reader, value);
    fields = read_array(&reader, UINT32_MAX);
    code = version_check(read_u64(&reader), reads);
    if (!reader.error && code)
        return code;
    kind = read_u64(&reader);
    entry.number = key_annals_number(key);
    entry.began_ms = read_u64(&reader);
    entry.ended_ms = read_u64(&reader);
    entry.shard = read_u64(&reader);
    entry.replica = read_u64(&reader);
    entry.node = read_u64(&reader);
    entry.cells = read_u64(&reader);
    entry.times = read_u64(&reader);
    entry.bucket = read_bin(&reader, ANNALS_TEXT_MAX);
    entry.peer = read_bin(&reader, ANNALS_TEXT_MAX);
    entry.key = read_bin(&reader, ANNALS_TEXT_MAX);
    entry.cause = read_bin(&reader, ANNALS_TEXT_MAX);
    entry.end = read_bin(&reader, ANNALS_TEXT_MAX);
    if (reader_end(&reader) || fields != ANNALS_FIELDS || kind >= ANNALS_KINDS_END)
        return NEAP_CORRUPT;
    entry.kind = (enum annals_kind)kind;
    *ret_entry = entry;
    return 0;
}

/* It borrows from `bytes`. NOTFOUND. */
static int entry_get(struct batch *batch, uint64_t number, struct buffer *bytes,
                     struct annals_entry *ret_entry)
{
    struct view view = batch_view(batch);
    struct key key;
    int error;

    key_annals(&key, number);
    error = view_get(&view, DISK_META, key_slice(&key), bytes);
    return error ? error : entry_decode(key_slice(&key), buffer_slice(bytes), ret_entry);
}

/* All of them, the oldest first. */
static int scan_begin(const struct view *view, struct scan **ret_scan)
{
    struct key from, end;

    key_meta(&from, 'J');
    key_end(&from, &end);
    return view_scan(view, DISK_META, key_slice(&from), key_slice(&end), ret_scan);
}

/* ---- what lasts ---- */

static void annals_undo(void *arg, const void *note)
{
    memcpy(arg, note, sizeof(struct annals));
}

/* What is done to it from now on goes back with the batch. */
static int annals_move(struct annals *annals, struct batch *batch)
{
    return batch_add_undo(batch, annals_undo, annals, slice_of(annals, sizeof *annals));
}

static void open_add(struct annals *annals, const struct annals_entry *entry)
{
    annals->open[annals->open_count++] = (struct annals_open){.number = entry->number,
                                                                 .shard = entry->shard,
                                                                 .node = entry->node,
                                                                 .kind = entry->kind};
}

static void open_remove(struct annals *annals, uint64_t number)
{
    size_t kept = 0;

    for (size_t i = 0; i < annals->open_count; i++)
        if (annals->open[i].number != number)
            annals->open[kept++] = annals->open[i];
    annals->open_count = kept;
}

uint64_t annals_find(const struct annals *annals, enum annals_kind kind, uint64_t shard,
                      uint64_t node)
{
    for (size_t i = 0; i < annals->open_count; i++) {
        const struct annals_open *open = &annals->open[i];

        if (open->kind == kind && open->shard == shard && open->node == node)
            return open->number;
    }
    return 0;
}

int annals_load(struct annals *annals, const struct view *view)
{
    struct annals loaded = {.first = 1, .next = 1};
    struct annals_entry entry;
    struct slice key, value;
    struct scan *scan;
    int error = scan_begin(view, &scan);

    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        if (!key_annals_is(key))
            continue;
        if (loaded.next == 1)
            loaded.first = key_annals_number(key);
        loaded.next = key_annals_number(key) + 1;
        /* One that can't be read is no reason not to open. */
        if (!entry_decode(key, value, &entry) && !entry.ended_ms &&
            loaded.open_count < ANNALS_OPEN_MAX)
            open_add(&loaded, &entry);
    }
    scan_close(scan);
    if (error != NEAP_END)
        return error;
    loaded.opened = loaded.next;
    *annals = loaded;
    return 0;
}

/* ---- writing ---- */

/* That ended, and the next one. */
static bool is_same(const struct annals_entry *a, const struct annals_entry *b)
{
    return a->kind == b->kind && a->ended_ms && a->shard == b->shard && a->node == b->node &&
           b->began_ms < a->ended_ms + ANNALS_BURST_MS &&
           slice_equal(a->peer, cut(b->peer)) &&
           (b->ended_ms ? slice_equal(a->end, cut(b->end)) : slice_equal(a->cause, cut(b->cause)));
}

/* Into the newest one, if that says the same; one that lasts goes on there. NOTFOUND: it does not.
 */
static int entry_fold(struct annals *annals, struct batch *batch,
                      const struct annals_entry *entry)
{
    struct annals_entry last;
    struct buffer bytes;
    int error = NEAP_NOTFOUND;

    buffer_init(&bytes, ANNALS_ENTRY_MAX);
    if (annals->next > annals->first)
        error = entry_get(batch, annals->next - 1, &bytes, &last);
    if (!error && !is_same(&last, entry))
        error = NEAP_NOTFOUND;
    if (!error && !entry->ended_ms)
        error = annals_move(annals, batch);
    if (!error) {
        last.ended_ms = entry->ended_ms;
        last.end = entry->end;
        last.cells += entry->cells;
        last.times++;
        error = entry_put(annals, batch, &last);
    }
    if (!error && !entry->ended_ms)
        open_add(annals, &last);
    buffer_done(&bytes);
    return error;
}

/* The oldest go, until there is room for one. */
static int entries_drop(struct annals *annals, struct batch *batch)
{
    int error = 0;

    while (!error && annals->next - annals->first >= ANNALS_MAX) {
        struct key key;

        key_annals(&key, annals->first);
        error = batch_delete(batch, DISK_META, key_slice(&key));
        if (!error)
            open_remove(annals, annals->first++);
    }
    return error;
}

static int entry_add(struct annals *annals, struct batch *batch,
                     const struct annals_entry *entry)
{
    struct annals_entry made = *entry;
    int error = annals_move(annals, batch);

    if (!error)
        error = entries_drop(annals, batch);
    if (error)
        return error;
    made.number = annals->next;
    made.times = 1;
    error = entry_put(annals, batch, &made);
    if (error)
        return error;
    annals->next++;
    if (!made.ended_ms)
        open_add(annals, &made);
    return 0;
}

int annals_add(struct annals *annals, struct batch *batch, const struct annals_entry *entry)
{
    batch_mark mark = batch_set_mark(batch);
    int error;

    if (!entry->ended_ms && annals->open_count == ANNALS_OPEN_MAX)
        return NEAP_LIMIT;
    error = entry_fold(annals, batch, entry);
    if (error == NEAP_NOTFOUND)
        error = entry_add(annals, batch, entry);
    if (error)
        batch_rollback(batch, mark);
    return error;
}

int annals_end(struct annals *annals, struct batch *batch, uint64_t number, uint64_t wall_ms,
                const char *how)
{
    batch_mark mark = batch_set_mark(batch);
    struct annals_entry entry;
    struct buffer bytes;
    int error = annals_move(annals, batch);

    buffer_init(&bytes, ANNALS_ENTRY_MAX);
    if (!error)
        error = entry_get(batch, number, &bytes, &entry);
    if (!error) {
        entry.ended_ms = wall_ms ? wall_ms : 1;
        entry.end = slice_text(how);
        error = entry_put(annals, batch, &entry);
    }
    buffer_done(&bytes);
    if (!error || error == NEAP_NOTFOUND)
        open_remove(annals, number);
    else
        batch_rollback(batch, mark);
    return error == NEAP_NOTFOUND ? 0 : error;
}

/* ---- reading ---- */

int annals_read(const struct view *view, size_t count, annals_each each, void *arg,
                 uint64_t *ret_kept, uint64_t *ret_dropped)
{
    struct annals annals;
    struct annals_entry entry;
    struct slice key, value;
    struct scan *scan;
    int error = annals_load(&annals, view);

    if (!error)
        error = scan_begin(view, &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value)) &&
           !(error = entry_decode(key, value, &entry))) {
        if (annals.next - entry.number <= count)
            error = each(arg, &entry);
        if (error)
            break;
    }
    scan_close(scan);
    if (error != NEAP_END)
        return error;
    if (ret_kept)
        *ret_kept = annals.next - annals.first;
    if (ret_dropped)
        *ret_dropped = annals.first - 1;
    return 0;
}
