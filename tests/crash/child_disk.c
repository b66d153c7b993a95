/* child_disk DIRECTORY: checks that the commits in a RocksDB disk are the first N without a gap,
 * says "have N", then commits on until it is killed. Some commits are synced, and for those it says
 * "ack N", which covers the ones before. Exit 3: there is a gap.
 * With NOSYNC=1 in the environment it acknowledges what is not synced, which a power loss must
 * show.
 *
 * Commit i writes cell i mod SLOTS and entry i of the log, and "last" = i to meta, so that a commit
 * that is there in part is seen. Every now and then it cuts the log. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/rng.h"
#include "store/batch.h"

enum { SLOTS = 1000, LOG_CUT = 64, VALUE_MAX = 200 << 10, MEMORY = 1 << 20 };

static uint8_t expected[VALUE_MAX + 8];

static _Noreturn void fail(const char *what, uint64_t number)
{
    printf("broken: %s %" PRIu64 "\n", what, number);
    fflush(stdout);
    _exit(3);
}

static void check(int error, const char *what)
{
    if (error) {
        printf("%s: %s\n", what, error_name(error));
        fflush(stdout);
        _exit(4);
    }
}

/* Some values span many blocks of the WAL, and some fill a memtable; most do not. */
static struct slice value_of(uint64_t number)
{
    struct rng rng;
    size_t size, i;

    rng_init(&rng, number);
    size = 8 + rng_below(&rng, rng_below(&rng, 50) == 0 ? VALUE_MAX - 8 : 400);
    for (i = 0; i < size; i += 8)
        bytes_put_u64(expected + i, rng_u64(&rng));
    bytes_put_u64(expected, number);
    return slice_of(expected, size);
}

static bool sync_of(uint64_t number)
{
    struct rng rng;

    rng_init(&rng, ~number);
    return rng_chance(&rng, 30);
}

static struct slice number_key(uint64_t number, uint8_t ret_key[8])
{
    bytes_put_u64(ret_key, number);
    return slice_of(ret_key, 8);
}

/* The last commit that cut the log at or before `last` left entries from here on. */
static uint64_t log_start(uint64_t last)
{
    uint64_t cut = last / LOG_CUT * LOG_CUT;

    return cut > LOG_CUT ? cut - LOG_CUT : 1;
}

static uint64_t last_read(const struct view *view)
{
    struct buffer value;
    uint64_t last = 0;
    int error;

    buffer_init(&value, 8);
    error = view_get(view, DISK_META, slice_text("last"), &value);
    if (error != NEAP_NOTFOUND)
        check(error, "meta");
    if (!error)
        last = value.size == 8 ? bytes_get_u64(value.data) : UINT64_MAX;
    buffer_done(&value);
    return last;
}

static void cells_check(const struct view *view, uint64_t last)
{
    struct slice key, value;
    struct scan *scan = NULL;
    uint64_t slot, number, count = 0;
    int error;

    check(view_scan(view, DISK_CELLS, slice_text(""), slice_text(""), &scan), "scan");
    while ((error = scan_next(scan, &key, &value)) == 0) {
        slot = key.size == 8 ? bytes_get_u64(key.data) : SLOTS;
        /* The last number up to `last` that falls into the slot. */
        number = last >= slot ? last - (last - slot) % SLOTS : 0;
        if (slot >= SLOTS || number == 0 || !slice_equal(value, value_of(number)))
            fail("cell of commit", number);
        count++;
    }
    if (error != NEAP_END)
        check(error, "cells");
    if (count != (last < SLOTS ? last : SLOTS))
        fail("number of cells", count);
    scan_close(scan);
}

static void log_check(const struct view *view, uint64_t last)
{
    struct slice key, value;
    struct scan *scan = NULL;
    uint64_t number = log_start(last);
    int error;

    check(view_scan(view, DISK_LOG, slice_text(""), slice_text(""), &scan), "scan");
    while ((error = scan_next(scan, &key, &value)) == 0) {
        if (key.size != 8 || bytes_get_u64(key.data) != number || number > last)
            fail("log at commit", number);
        number++;
    }
    if (error != NEAP_END)
        check(error, "log");
    if (number != last + 1)
        fail("end of log", number);
    scan_close(scan);
}

static void commit(struct disk *disk, struct batch *batch, uint64_t number, bool sync)
{
    uint8_t key[8], end[8];

    batch_clear(batch);
    if (number % LOG_CUT == 0 && log_start(number) > 1)
        check(batch_delete_range(batch, DISK_LOG, number_key(0, key),
                                 number_key(log_start(number), end)),
              "range");
    check(batch_put(batch, DISK_CELLS, number_key(number % SLOTS, key), value_of(number)), "put");
    check(batch_put(batch, DISK_LOG, number_key(number, key), slice_text("entry")), "put");
    check(batch_put(batch, DISK_META, slice_text("last"), number_key(number, key)), "put");
    check(disk->ops->commit(disk, batch, sync), "commit");
}

int main(int argc, char **argv)
{
    struct disk_rocks_options options = {.create = true, .memory_max = MEMORY};
    const char *nosync = getenv("NOSYNC");
    struct neap_error error = {0};
    struct disk *disk = NULL;
    struct batch *batch = NULL;
    struct view view;
    bool suspect = false;
    uint64_t last;

    if (argc != 2)
        return 2;
    options.path = argv[1];
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (disk_rocks_open(&options, &disk, &suspect, &error)) {
        printf("cannot open: %s\n", error.text);
        return 4;
    }
    view = (struct view){.disk = disk};
    last = last_read(&view);
    cells_check(&view, last);
    log_check(&view, last);
    printf("have %" PRIu64 "%s\n", last, suspect ? " suspect" : "");
    check(batch_new(disk, &batch), "batch");
    for (;;) {
        bool acknowledge;

        last++;
        acknowledge = sync_of(last);
        commit(disk, batch, last, acknowledge && !(nosync && nosync[0] == '1'));
        if (acknowledge && printf("ack %" PRIu64 "\n", last) < 0)
            return 5;
    }
}
