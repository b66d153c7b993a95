#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/batch.h"
#include "store/hole.h"

int view_get(const struct view *view, enum disk_family family, struct slice key,
             struct buffer *ret_value)
{
    if (view->batch) {
        struct slice value = {0};
        enum batch_kind kind = batch_find(view->batch, family, key, &value);

        if (kind == BATCH_PUT || kind == BATCH_DELETE) {
            int error = disk_holes_look(view->disk, view->snapshot, family, key);

            if (error)
                return error;
            return kind == BATCH_PUT ? buffer_set(ret_value, value) : NEAP_NOTFOUND;
        }
    }
    return view->disk->ops->get(view->disk, view->snapshot, family, key, ret_value);
}

/* Two streams in key order, of which the batch's wins: one pass merges them. */
struct scan {
    const struct batch *batch;
    enum disk_family family;
    struct disk_iter *iter;
    struct slice disk_key, disk_value; /* when disk_ready */
    bool disk_ready, disk_ended;
    struct batch_cursor cursor; /* when batch_ready */
    bool batch_ready;
    int error; /* sticks: a pass that failed does not go on */
    size_t to_size;
    uint8_t to[];
};

static struct slice scan_to(const struct scan *scan)
{
    return slice_of(scan->to, scan->to_size);
}

/* The batch is not bounded by itself, as the disk is. */
static void scan_settle_batch(struct scan *scan, bool ready)
{
    scan->batch_ready =
        ready && (scan->to_size == 0 || slice_compare(scan->cursor.key, scan_to(scan)) < 0);
}

int view_scan(const struct view *view, enum disk_family family, struct slice from, struct slice to,
              struct scan **ret_scan)
{
    struct scan *scan = mem_new(sizeof(*scan) + to.size);
    int error;

    if (!scan)
        return NEAP_NOMEM;
    scan->batch = view->batch;
    scan->family = family;
    scan->to_size = to.size;
    if (to.size)
        memcpy(scan->to, to.data, to.size);
    error = view->disk->ops->scan(view->disk, view->snapshot, family, from, to, &scan->iter);
    if (error) {
        mem_free(scan);
        return error;
    }
    if (scan->batch)
        scan_settle_batch(scan, batch_seek(scan->batch, family, from, &scan->cursor));
    *ret_scan = scan;
    return 0;
}

/* Makes the disk's next key known that no range of the batch hides and the batch itself does not
 * decide: such a key comes from the batch's stream, or not at all. */
static int scan_fill_disk(struct scan *scan)
{
    while (!scan->disk_ready && !scan->disk_ended) {
        struct slice ignored;
        int error = scan->iter->ops->next(scan->iter, &scan->disk_key, &scan->disk_value);

        if (error == NEAP_END)
            scan->disk_ended = true;
        else if (error)
            return error;
        else
            scan->disk_ready = !scan->batch || batch_find(scan->batch, scan->family, scan->disk_key,
                                                          &ignored) == BATCH_NONE;
    }
    return 0;
}

static bool scan_batch_is_first(const struct scan *scan)
{
    return scan->batch_ready &&
           (!scan->disk_ready || slice_compare(scan->cursor.key, scan->disk_key) < 0);
}

static void scan_step_batch(struct scan *scan)
{
    scan_settle_batch(scan, batch_step(&scan->cursor));
}

int scan_next(struct scan *scan, struct slice *ret_key, struct slice *ret_value)
{
    if (!scan->error)
        scan->error = scan_fill_disk(scan);
    if (scan->error)
        return scan->error;
    while (scan_batch_is_first(scan)) {
        struct batch_cursor at = scan->cursor;

        scan_step_batch(scan);
        if (at.kind != BATCH_PUT)
            continue;
        *ret_key = at.key;
        *ret_value = at.value;
        return 0;
    }
    if (!scan->disk_ready)
        return NEAP_END;
    *ret_key = scan->disk_key;
    *ret_value = scan->disk_value;
    scan->disk_ready = false;
    return 0;
}

void scan_close(struct scan *scan)
{
    if (!scan)
        return;
    scan->iter->ops->close(scan->iter);
    mem_free(scan);
}
