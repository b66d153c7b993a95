/* Events and cells for others: what a replica gives (rules 4, 6 and 7). */

#include "base/broken.h"
#include "base/error.h"
#include "store/crate.h"

/* Is the vector below my horizon, where my log tells nothing? For one id, or (0) for any. */
static bool shard_is_past(const struct shard *shard, const struct context *since, uint64_t only_id)
{
    for (size_t i = 0; i < shard->horizon.count; i++) {
        const struct context_entry *entry = &shard->horizon.entries[i];

        if ((only_id == 0 || entry->id == only_id) && context_get(since, entry->id) < entry->n)
            return true;
    }
    return false;
}

/* The cell of a log entry into the crate, unless it is there. */
static int entry_add(struct crate *crate, const struct view *view, const struct log_entry *entry,
                     struct buffer *scratch)
{
    static const uint8_t absent[] = {0, 0x90}; /* as stored: no residue, no dots */
    uint32_t number;
    struct key key;
    int error;

    if (!crate_find(crate, entry->bucket, entry->path, &number)) {
        key_cell(&key, crate->shard->id, entry->bucket, entry->path);
        error = view_get(view, DISK_CELLS, key_slice(&key), scratch);
        if (error && error != NEAP_NOTFOUND)
            return error;
        error = crate_add(crate, entry->bucket, entry->path,
                          error ? slice_of(absent, sizeof absent) : buffer_slice(scratch), &number);
        if (error)
            return error;
    }
    return crate_add_event(crate, entry->dot, entry->nonce, number);
}

/* Events of one id after `from`, until the crate is full (LIMIT). */
static int events_add(struct crate *crate, const struct view *view, uint64_t id, uint64_t from,
                      uint64_t to, size_t size_max, struct buffer *scratch)
{
    struct scan *scan;
    int error = log_scan(view, crate->shard->id, id, from, to, &scan);

    if (error)
        return error;
    for (uint64_t n = from + 1; n <= to && !error; n++) {
        struct log_entry entry;

        if (crate->chunk.events_count > 0 && crate->size >= size_max) {
            error = NEAP_LIMIT;
            break;
        }
        error = log_next(scan, n, &entry);
        if (!error)
            error = entry_add(crate, view, &entry, scratch);
    }
    scan_close(scan);
    return error;
}

static int chunk_fill(struct crate *crate, const struct view *view, const struct context *since,
                      uint64_t only_id, size_t size_max)
{
    const struct context *context = &crate->shard->context;
    struct buffer scratch;
    int error = 0;

    buffer_init(&scratch, STORED_SIZE_MAX);
    for (size_t i = 0; i < context->count && !error; i++) {
        uint64_t id = context->entries[i].id, have = context_get(since, id);

        if (have < context->entries[i].n && (only_id == 0 || only_id == id))
            error = events_add(crate, view, id, have, context->entries[i].n, size_max, &scratch);
    }
    buffer_done(&scratch);
    if (error == NEAP_LIMIT && crate->chunk.events_count > 0)
        return 0;
    return error;
}

static int events_give(const struct shard *shard, const struct view *view,
                       const struct context *since, uint64_t only_id, size_t size_max, bool horizon,
                       struct buffer *ret_chunk)
{
    struct crate crate;
    int error;

    if (!shard_released(shard))
        return NEAP_BUSY;
    if (shard_is_past(shard, since, only_id) && !BROKEN("no-horizon"))
        return NEAP_STALE;
    error = crate_init(&crate, shard, CHUNK_EVENTS);
    if (error)
        return error;
    if (!horizon)
        context_clear(&crate.chunk.horizon);
    error = chunk_fill(&crate, view, since, only_id, size_max);
    if (!error)
        error = crate.chunk.events_count == 0 ? NEAP_END : crate_encode(&crate, ret_chunk);
    crate_done(&crate);
    return error;
}

int shard_chunk(const struct shard *shard, const struct view *view, const struct context *since,
                uint64_t only_id, size_t size_max, struct buffer *ret_chunk)
{
    return events_give(shard, view, since, only_id, size_max, false, ret_chunk);
}

int shard_changed(const struct shard *shard, const struct view *view, const struct context *since,
                  size_t size_max, struct buffer *ret_chunk)
{
    return events_give(shard, view, since, 0, size_max, true, ret_chunk);
}

int shard_cell_message(const struct shard *shard, const struct view *view, uint64_t bucket,
                       struct slice path, struct buffer *ret_message)
{
    static const uint8_t absent[] = {0, 0x90};
    struct buffer bytes;
    struct crate crate;
    struct key key;
    uint32_t number;
    int error;

    if (path.size > NEAP_PATH_MAX)
        return NEAP_LIMIT;
    if (!shard_released(shard))
        return NEAP_BUSY;
    error = crate_init(&crate, shard, CHUNK_CELL);
    if (error)
        return error;
    context_clear(&crate.chunk.horizon);
    buffer_init(&bytes, STORED_SIZE_MAX);
    key_cell(&key, shard->id, bucket, path);
    error = view_get(view, DISK_CELLS, key_slice(&key), &bytes);
    if (!error || error == NEAP_NOTFOUND)
        error = crate_add(&crate, bucket, path,
                          error ? slice_of(absent, sizeof absent) : buffer_slice(&bytes), &number);
    if (!error)
        error = crate_encode(&crate, ret_message);
    buffer_done(&bytes);
    crate_done(&crate);
    return error;
}
