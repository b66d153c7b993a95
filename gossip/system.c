#include "gossip/system.h"

#include "base/error.h"
#include "store/keys.h"
#include "store/slot.h"
#include "store/store.h"

static int cell_visit(struct slice key, struct slice value, struct cell *cell, system_visit visit,
                      void *arg)
{
    struct slice bytes;
    uint64_t ref;
    int error;

    if (!key_cell_is(key) || stored_split(value, &ref, &bytes))
        return NEAP_CORRUPT;
    error = cell_decode(bytes, cell);
    if (error)
        return error == NEAP_NOMEM ? error : NEAP_CORRUPT;
    return cell->count ? visit(arg, key_cell_path(key), cell) : 0;
}

int system_each(const struct view *view, struct slice prefix, system_visit visit, void *arg)
{
    uint64_t shard = bucket_id(SYSTEM_BUCKET);
    struct slice key, value;
    struct key from, end;
    struct scan *scan;
    struct cell cell;
    int error;

    key_cell(&from, shard, shard, prefix);
    key_end(&from, &end);
    error = view_scan(view, DISK_CELLS, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    cell_init(&cell);
    while (!(error = scan_next(scan, &key, &value))) {
        error = cell_visit(key, value, &cell, visit, arg);
        if (error)
            break;
    }
    cell_done(&cell);
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}
