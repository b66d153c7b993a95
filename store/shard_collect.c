/* What some types leave in a cell until all members have it (rule 10): the log is the list of what
 * is to be looked at again. An event that left something stays there until all members have it, and
 * then, before its entry is cut, its maker looks whether that is spent. */
#include "base/broken.h"
#include "base/error.h"
#include "store/slot.h"

enum { COLLECT_BYTES = 64 << 10, COLLECT_EVENTS = 1000 };

/* Paths of cells that own events of (*at, to] have changed and that may have to be collected, as
 * many as fit; *at is moved behind the last entry that was looked at. */
static int entries_collect(const struct shard *shard, const struct batch *batch, uint64_t to,
                           uint64_t *at, struct buffer *ret_paths)
{
    struct view view = batch_view(batch);
    struct scan *scan;
    int error = log_scan(&view, shard->id, shard->replica, *at, to, &scan);

    if (error)
        return error;
    for (size_t count = 0; !error && *at < to && count < COLLECT_EVENTS; count++) {
        struct log_entry entry;
        enum neap_type type;

        error = log_next(scan, *at + 1, &entry);
        if (error || ret_paths->size + entry.path.size > COLLECT_BYTES)
            break;
        if (shard_has_bucket(shard, entry.bucket) && !path_check(entry.path, &type) &&
            type_collects(type))
            error = key_page_add(ret_paths, entry.path);
        if (!error)
            ++*at;
    }
    scan_close(scan);
    return error;
}

static int paths_collect(struct shard *shard, struct batch *batch, const struct buffer *paths,
                         uint64_t *events)
{
    const struct op op = {.kind = OP_COLLECT};
    struct slice path;
    size_t at = 0;
    int error = 0;

    while (!error && key_page_next(paths, &at, &path)) {
        struct dot dot = {0};

        error = shard_write(shard, batch, shard->id, path, &op, &dot);
        *events += !error && dot.n > 0;
    }
    return error;
}

int shard_collect(struct shard *shard, struct batch *batch, uint64_t to, uint64_t *ret_to,
                  uint64_t *ret_events)
{
    struct shard_mark shard_mark = shard_set_mark(shard);
    uint64_t at = context_get(&shard->horizon, shard->replica), events = 0, last;
    batch_mark mark = batch_set_mark(batch);
    struct buffer paths;
    int error = 0;

    if (shard->collect_to == UINT64_MAX)
        shard->collect_to = context_get(&shard->context, shard->replica);
    last = to < shard->collect_to ? to : shard->collect_to;
    *ret_to = to;
    if (ret_events)
        *ret_events = 0;
    if (at >= last || BROKEN("collects-nothing"))
        return 0;
    buffer_init(&paths, COLLECT_BYTES + KEY_SIZE_MAX + 2);
    error = entries_collect(shard, batch, last, &at, &paths);
    if (!error)
        error = paths_collect(shard, batch, &paths, &events);
    buffer_done(&paths);
    if (error) {
        batch_rollback(batch, mark);
        shard_rollback(shard, shard_mark);
        return error;
    }
    if (at < last)
        *ret_to = at;
    if (ret_events)
        *ret_events = events;
    return 0;
}
