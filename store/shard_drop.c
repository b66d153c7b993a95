/* A shard that is not subscribed to any more goes from this directory, and from nowhere else. */
#include "base/error.h"
#include "store/change.h"
#include "store/expiry.h"
#include "store/keys.h"

/* Its part of the index of what expires, which is in the order of time: all of that is read. */
static int expiries_find(const struct view *view, uint64_t shard, struct buffer *page)
{
    struct expiry_entry entry;
    struct slice key, value;
    struct key from, end;
    struct scan *scan;
    int error;

    key_meta(&from, 'E');
    key_end(&from, &end);
    error = view_scan(view, DISK_META, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        if (expiry_entry_read(key, &entry) && entry.shard == shard)
            error = key_page_add(page, key);
        if (error)
            break;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

static int expiries_erase(uint64_t shard, struct batch *batch)
{
    struct view view = batch_view(batch);
    struct buffer page;
    struct slice key;
    size_t at = 0;
    int error;

    buffer_init(&page, BATCH_SIZE_MAX);
    error = expiries_find(&view, shard, &page);
    while (!error && key_page_next(&page, &at, &key))
        error = batch_delete(batch, DISK_META, key);
    buffer_done(&page);
    return error;
}

static int record_erase(uint64_t shard, struct batch *batch)
{
    struct key key, end;
    int error;

    key_shard_meta_prefix(&key, 'B', shard);
    key_end(&key, &end);
    error = batch_delete_range(batch, DISK_META, key_slice(&key), key_slice(&end));
    key_shard(&key, shard);
    return error ? error : batch_delete(batch, DISK_META, key_slice(&key));
}

int shard_erase(const struct shard *shard, struct batch *batch)
{
    batch_mark mark = batch_set_mark(batch);
    int error = shard_clear(shard->id, batch);

    if (!error)
        error = expiries_erase(shard->id, batch);
    if (!error)
        error = record_erase(shard->id, batch);
    if (error)
        batch_rollback(batch, mark);
    return error;
}
