#include "store/expiry.h"

#include "base/broken.h"
#include "base/error.h"
#include "base/pack.h"
#include "crdt/expiry.h"

enum { MARK_SIZE_MAX = 32 };

/* ---- time ---- */

int expiry_first(const struct view *view, uint64_t from, uint64_t *ret_first)
{
    struct expiry_entry entry;
    struct slice key, value;
    struct key first, end;
    struct scan *scan;
    int error;

    key_expiry_from(&first, from);
    key_meta(&end, 'E');
    key_end(&end, &end);
    error = view_scan(view, DISK_META, key_slice(&first), key_slice(&end), &scan);
    if (error)
        return error;
    error = scan_next(scan, &key, &value);
    if (!error)
        *ret_first = expiry_entry_read(key, &entry) ? entry.expires : from;
    else if (error == NEAP_END)
        *ret_first = EXPIRY_NEVER;
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

int expiry_open(const struct view *view, uint64_t wall_ms, struct expiry *ret_expiry,
                uint64_t *ret_next)
{
    struct buffer bytes;
    struct reader reader;
    struct key key;
    uint64_t mark = 0;
    int error;

    buffer_init(&bytes, MARK_SIZE_MAX);
    key_meta(&key, 'M');
    error = view_get(view, DISK_META, key_slice(&key), &bytes);
    if (!error) {
        reader_init(&reader, buffer_slice(&bytes));
        mark = read_u64(&reader);
        error = reader_end(&reader) ? NEAP_CORRUPT : 0;
    }
    buffer_done(&bytes);
    if (error && error != NEAP_NOTFOUND)
        return error;
    if (BROKEN("expiry-clock-back"))
        mark = 0;
    atomic_store(&ret_expiry->mark, mark);
    atomic_store(&ret_expiry->due, wall_ms); /* until the first turn has told */
    atomic_store(&ret_expiry->told, 0);
    ret_expiry->clock = mark > wall_ms ? mark : wall_ms;
    ret_expiry->wall = wall_ms;
    ret_expiry->next_mark = 0;
    error = expiry_first(view, 0, ret_next);
    if (!error && *ret_next == EXPIRY_NEVER)
        atomic_store(&ret_expiry->due, UINT64_MAX);
    return error;
}

uint64_t expiry_now(struct expiry *expiry, uint64_t wall_ms)
{
    if (wall_ms > expiry->wall)
        expiry->clock += wall_ms - expiry->wall;
    expiry->wall = wall_ms;
    if (expiry->clock < wall_ms || BROKEN("expiry-clock-back"))
        expiry->clock = wall_ms;
    return expiry->clock;
}

int expiry_put_mark(struct expiry *expiry, struct batch *batch, uint64_t clock)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;

    if (clock <= atomic_load(&expiry->mark) && !BROKEN("expiry-clock-back"))
        return 0;
    buffer_init(&bytes, MARK_SIZE_MAX);
    writer_init(&writer, &bytes);
    write_u64(&writer, clock);
    key_meta(&key, 'M');
    if (!writer.error)
        writer.error = batch_put(batch, DISK_META, key_slice(&key), buffer_slice(&bytes));
    buffer_done(&bytes);
    if (!writer.error)
        expiry->next_mark = clock;
    return writer.error;
}

void expiry_committed(struct expiry *expiry)
{
    if (expiry->next_mark)
        atomic_store(&expiry->mark, expiry->next_mark);
    expiry->next_mark = 0;
}

/* ---- the index ---- */

int expiry_move(const struct shard *shard, struct batch *batch, const struct slot *slot,
                const struct cell *cell)
{
    enum neap_type type;
    uint64_t old, new;
    struct key key;
    int error = 0;

    if (path_check(slot->path, &type) || BROKEN("expiry-unlisted"))
        return 0; /* no cell of ours */
    old = slot->stored ? cell_expires(type, &slot->cell) : 0;
    new = cell_expires(type, cell);
    if (old == new)
        return 0;
    if (old) {
        key_expiry(&key, old, shard->id, slot->bucket, slot->path);
        error = batch_delete(batch, DISK_META, key_slice(&key));
    }
    if (!error && new) {
        key_expiry(&key, new, shard->id, slot->bucket, slot->path);
        error = batch_put(batch, DISK_META, key_slice(&key), slice_of(NULL, 0));
        if (shard->clock && new < shard->clock->expires_next)
            shard->clock->expires_next = new;
    }
    return error;
}

bool expiry_entry_read(struct slice key, struct expiry_entry *ret_entry)
{
    if (!key_expiry_is(key))
        return false;
    ret_entry->expires = bytes_get_u64(key.data + 1);
    ret_entry->shard = bytes_get_u64(key.data + 9);
    ret_entry->bucket = bytes_get_u64(key.data + 17);
    ret_entry->path = slice_of(key.data + 25, key.size - 25);
    return true;
}

int expiry_forget(struct batch *batch, const struct expiry_entry *entry)
{
    struct key key;

    key_expiry(&key, entry->expires, entry->shard, entry->bucket, entry->path);
    return batch_delete(batch, DISK_META, key_slice(&key));
}
