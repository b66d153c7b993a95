#include "tests/unit/disk_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"

struct slice text(const char *bytes)
{
    return slice_text(bytes);
}

static struct batch *batch_for(struct disk *disk)
{
    struct batch *batch = NULL;

    CHECK_OK(batch_new(disk, &batch));
    return batch;
}

static void batch_write_out(struct batch *batch, struct disk *disk, bool sync)
{
    CHECK_OK(disk->ops->commit(disk, batch, sync));
    batch_free(batch);
}

void disk_put(struct disk *disk, enum disk_family family, const char *key, const char *value,
              bool sync)
{
    struct batch *batch = batch_for(disk);

    CHECK_OK(batch_put(batch, family, text(key), text(value)));
    batch_write_out(batch, disk, sync);
}

const char *disk_text(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                      const char *key)
{
    static char shown[256];
    struct buffer value;
    int error;

    buffer_init(&value, sizeof shown - 1);
    error = disk->ops->get(disk, snapshot, family, text(key), &value);
    if (!error)
        snprintf(shown, sizeof shown, "%.*s", (int)value.size, (const char *)value.data);
    else
        snprintf(shown, sizeof shown, "%s", error == NEAP_NOTFOUND ? "-" : error_name(error));
    buffer_done(&value);
    return shown;
}

const char *scan_text(const struct view *view, enum disk_family family, const char *from,
                      const char *to)
{
    static char shown[1024];
    struct slice key, value;
    struct scan *scan = NULL;
    size_t used = 0;
    int error;

    shown[0] = 0;
    CHECK_OK(view_scan(view, family, text(from), text(to), &scan));
    while (!(error = scan_next(scan, &key, &value)))
        used += (size_t)snprintf(shown + used, sizeof shown - used, "%.*s=%.*s ", (int)key.size,
                                 (const char *)key.data, (int)value.size, (const char *)value.data);
    CHECK_ERROR(error, NEAP_END);
    CHECK_ERROR(scan_next(scan, &key, &value), NEAP_END);
    scan_close(scan);
    return shown;
}

void disk_case_gives_back_what_was_put(struct room *room)
{
    struct batch *batch = batch_for(room->disk);

    CHECK_TEXT(disk_text(room->disk, NULL, DISK_CELLS, "a"), "-");
    disk_put(room->disk, DISK_CELLS, "a", "1", false);
    disk_put(room->disk, DISK_CELLS, "b", "", true);
    CHECK_TEXT(disk_text(room->disk, NULL, DISK_CELLS, "a"), "1");
    CHECK_TEXT(disk_text(room->disk, NULL, DISK_CELLS, "b"), "");
    disk_put(room->disk, DISK_CELLS, "a", "2", false);
    CHECK_TEXT(disk_text(room->disk, NULL, DISK_CELLS, "a"), "2");
    CHECK_OK(batch_delete(batch, DISK_CELLS, text("a")));
    CHECK_OK(batch_delete(batch, DISK_CELLS, text("never there")));
    batch_write_out(batch, room->disk, true);
    CHECK_TEXT(disk_text(room->disk, NULL, DISK_CELLS, "a"), "-");
}

void disk_case_keeps_families_apart(struct room *room)
{
    disk_put(room->disk, DISK_CELLS, "k", "cells", false);
    disk_put(room->disk, DISK_LOG, "k", "log", false);
    disk_put(room->disk, DISK_META, "k", "meta", false);
    CHECK_TEXT(disk_text(room->disk, NULL, DISK_CELLS, "k"), "cells");
    CHECK_TEXT(disk_text(room->disk, NULL, DISK_LOG, "k"), "log");
    CHECK_TEXT(disk_text(room->disk, NULL, DISK_META, "k"), "meta");
}

void disk_case_takes_any_bytes_as_keys(struct room *room)
{
    static const char *const keys[] = {"00", "00 00", "00 01", "00 ff", "01",
                                       "7f", "80",    "ff",    "ff 00", "ff ff"};
    struct batch *batch = batch_for(room->disk);
    struct view view = {.disk = room->disk};
    struct scan *scan = NULL;
    struct slice key, value;
    uint8_t bytes[8];
    size_t i;

    for (i = sizeof keys / sizeof *keys; i > 0; i--)
        CHECK_OK(batch_put(batch, DISK_CELLS, test_unhex(keys[i - 1], bytes, sizeof bytes),
                           text(keys[i - 1])));
    batch_write_out(batch, room->disk, false);
    CHECK_OK(view_scan(&view, DISK_CELLS, text(""), text(""), &scan));
    for (i = 0; i < sizeof keys / sizeof *keys; i++) {
        CHECK_OK(scan_next(scan, &key, &value));
        CHECK_HEX(key, keys[i]);
        CHECK_SLICE(value, keys[i]);
    }
    CHECK_ERROR(scan_next(scan, &key, &value), NEAP_END);
    scan_close(scan);
}

void disk_case_scans_in_key_order_within_bounds(struct room *room)
{
    struct view view = {.disk = room->disk};

    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "");
    disk_put(room->disk, DISK_CELLS, "b", "2", false);
    disk_put(room->disk, DISK_CELLS, "d", "4", false);
    disk_put(room->disk, DISK_CELLS, "a", "1", true);
    disk_put(room->disk, DISK_CELLS, "c", "3", false);
    disk_put(room->disk, DISK_LOG, "bb", "not of this family", false);
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "a=1 b=2 c=3 d=4 ");
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "b", "d"), "b=2 c=3 ");
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "b", ""), "b=2 c=3 d=4 ");
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "aa", "c\x01"), "b=2 c=3 ");
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "e", ""), "");
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "c", "c"), "");
}

void disk_case_deletes_ranges_before_puts_of_the_same_batch(struct room *room)
{
    struct view view = {.disk = room->disk};
    struct batch *batch = batch_for(room->disk);

    disk_put(room->disk, DISK_CELLS, "a", "1", false);
    disk_put(room->disk, DISK_CELLS, "b", "1", false);
    disk_put(room->disk, DISK_CELLS, "c", "1", false);
    disk_put(room->disk, DISK_CELLS, "d", "1", false);
    CHECK_OK(batch_put(batch, DISK_CELLS, text("bb"), text("goes")));
    CHECK_OK(batch_delete_range(batch, DISK_CELLS, text("b"), text("d")));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("c"), text("new")));
    batch_write_out(batch, room->disk, true);
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "a=1 c=new d=1 ");
}

void disk_case_snapshots_and_scans_do_not_move(struct room *room)
{
    struct disk *disk = room->disk;
    struct disk_snapshot *snapshot = NULL;
    struct view now = {.disk = disk}, then;
    struct slice key, value;
    struct scan *scan = NULL;

    disk_put(disk, DISK_CELLS, "a", "1", false);
    disk_put(disk, DISK_CELLS, "b", "1", false);
    CHECK_OK(disk->ops->snapshot(disk, &snapshot));
    then = (struct view){.disk = disk, .snapshot = snapshot};
    CHECK_OK(view_scan(&now, DISK_CELLS, text(""), text(""), &scan));
    disk_put(disk, DISK_CELLS, "a", "2", true);
    disk_put(disk, DISK_CELLS, "aa", "2", true);
    CHECK_TEXT(disk_text(disk, snapshot, DISK_CELLS, "a"), "1");
    CHECK_TEXT(disk_text(disk, snapshot, DISK_CELLS, "aa"), "-");
    CHECK_TEXT(scan_text(&then, DISK_CELLS, "", ""), "a=1 b=1 ");
    CHECK_TEXT(scan_text(&now, DISK_CELLS, "", ""), "a=2 aa=2 b=1 ");
    CHECK_OK(scan_next(scan, &key, &value));
    CHECK_SLICE(value, "1");
    disk_put(disk, DISK_CELLS, "ab", "3", true);
    CHECK_OK(scan_next(scan, &key, &value));
    CHECK_SLICE(key, "b");
    scan_close(scan);
    disk->ops->release(disk, snapshot);
    disk->ops->release(disk, NULL);
}

void disk_case_keeps_synced_commits_over_a_reopening(struct room *room)
{
    struct view view = {0};

    disk_put(room->disk, DISK_CELLS, "a", "1", true);
    disk_put(room->disk, DISK_LOG, "b", "2", false);
    CHECK_OK(room->disk->ops->sync(room->disk));
    room->reopen(room);
    view.disk = room->disk;
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "a=1 ");
    CHECK_TEXT(scan_text(&view, DISK_LOG, "", ""), "b=2 ");
    disk_put(room->disk, DISK_CELLS, "c", "3", true);
    room->reopen(room);
    view.disk = room->disk;
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "a=1 c=3 ");
}

void disk_case_syncs_earlier_commits_with_later_ones(struct room *room)
{
    disk_put(room->disk, DISK_CELLS, "a", "1", false);
    disk_put(room->disk, DISK_META, "b", "2", true);
    room->reopen(room);
    CHECK_TEXT(disk_text(room->disk, NULL, DISK_CELLS, "a"), "1");
    disk_put(room->disk, DISK_CELLS, "c", "3", false);
    batch_write_out(batch_for(room->disk), room->disk, true); /* empty, but synced */
    room->reopen(room);
    CHECK_TEXT(disk_text(room->disk, NULL, DISK_CELLS, "c"), "3");
}

void disk_case_takes_large_values(struct room *room)
{
    enum { SIZE = 3 << 20 };
    struct batch *batch = batch_for(room->disk);
    uint8_t *bytes = malloc(SIZE);
    struct buffer value;

    CHECK(bytes);
    memset(bytes, 'x', SIZE);
    bytes[SIZE - 1] = 'y';
    CHECK_OK(batch_put(batch, DISK_CELLS, text("large"), slice_of(bytes, SIZE)));
    CHECK(batch_bytes(batch) >= SIZE);
    batch_write_out(batch, room->disk, true);
    room->reopen(room);
    buffer_init(&value, SIZE);
    CHECK_OK(room->disk->ops->get(room->disk, NULL, DISK_CELLS, text("large"), &value));
    CHECK(slice_equal(buffer_slice(&value), slice_of(bytes, SIZE)));
    buffer_done(&value);
    free(bytes);
}

void disk_case_refuses_values_over_the_limit_of_the_buffer(struct room *room)
{
    struct buffer value;

    disk_put(room->disk, DISK_CELLS, "a", "12345", false);
    buffer_init(&value, 4);
    CHECK_ERROR(room->disk->ops->get(room->disk, NULL, DISK_CELLS, text("a"), &value), NEAP_LIMIT);
    CHECK_EQUAL(value.size, 0);
    buffer_done(&value);
}

/* The plain array: keys are numbers of two bytes, 0 stands for no value. */
enum { PLAIN_KEYS = 40 };

struct plain {
    unsigned values[PLAIN_KEYS + 1];
};

static struct slice plain_key(unsigned number, uint8_t ret_key[2])
{
    ret_key[0] = (uint8_t)(number / 7);
    ret_key[1] = (uint8_t)(number % 7);
    return slice_of(ret_key, 2);
}

static void plain_check_scan(const struct plain *plain, const struct view *view, unsigned from,
                             unsigned to)
{
    uint8_t from_bytes[2], to_bytes[2], key_bytes[2];
    struct slice key, value;
    struct scan *scan = NULL;

    CHECK_OK(
        view_scan(view, DISK_CELLS, plain_key(from, from_bytes), plain_key(to, to_bytes), &scan));
    for (; from < to; from++) {
        if (!plain->values[from])
            continue;
        CHECK_OK(scan_next(scan, &key, &value));
        CHECK_BYTES(key, plain_key(from, key_bytes));
        CHECK_BYTES(value, slice_of(&plain->values[from], sizeof(unsigned)));
    }
    CHECK_ERROR(scan_next(scan, &key, &value), NEAP_END);
    scan_close(scan);
}

static void plain_check(const struct plain *plain, const struct view *view, struct rng *rng)
{
    unsigned number = (unsigned)rng_below(rng, PLAIN_KEYS);
    uint8_t bytes[2];
    struct buffer value;
    int error;

    plain_check_scan(plain, view, number, (unsigned)rng_below(rng, PLAIN_KEYS));
    plain_check_scan(plain, view, 0, PLAIN_KEYS);
    buffer_init(&value, 16);
    error = view_get(view, DISK_CELLS, plain_key(number, bytes), &value);
    CHECK_ERROR(error, plain->values[number] ? 0 : NEAP_NOTFOUND);
    if (!error)
        CHECK_BYTES(buffer_slice(&value), slice_of(&plain->values[number], sizeof(unsigned)));
    buffer_done(&value);
}

static void plain_change(struct plain *plain, struct batch *batch, struct rng *rng)
{
    unsigned number = (unsigned)rng_below(rng, PLAIN_KEYS), end;
    uint8_t bytes[2], end_bytes[2];

    switch (rng_below(rng, 8)) {
    case 0:
        end = (unsigned)rng_below(rng, PLAIN_KEYS + 1);
        CHECK_OK(batch_delete_range(batch, DISK_CELLS, plain_key(number, bytes),
                                    plain_key(end, end_bytes)));
        for (; number < end; number++)
            plain->values[number] = 0;
        break;
    case 1:
    case 2:
        CHECK_OK(batch_delete(batch, DISK_CELLS, plain_key(number, bytes)));
        plain->values[number] = 0;
        break;
    default:
        plain->values[number] = 1 + (unsigned)rng_below(rng, 1000000);
        CHECK_OK(batch_put(batch, DISK_CELLS, plain_key(number, bytes),
                           slice_of(&plain->values[number], sizeof(unsigned))));
    }
}

/* A step that is undone, or not: with marks within marks. */
static void plain_step(struct plain *plain, struct batch *batch, struct rng *rng, unsigned depth)
{
    struct plain before = *plain;
    batch_mark mark = batch_set_mark(batch);
    size_t bytes = batch_bytes(batch);
    unsigned i, changes = (unsigned)rng_below(rng, 5);

    for (i = 0; i < changes; i++)
        plain_change(plain, batch, rng);
    if (depth > 0)
        plain_step(plain, batch, rng, depth - 1);
    if (rng_chance(rng, 50)) {
        batch_rollback(batch, mark);
        *plain = before;
        CHECK_EQUAL(batch_bytes(batch), bytes);
    }
}

void disk_case_agrees_with_a_plain_array_over_random_histories(struct room *room)
{
    uint64_t seed = test_number("SEED", 1), steps = test_number("STEPS", 300);
    struct plain plain = {0}, committed = {0}, frozen = {0};
    struct disk_snapshot *snapshot = NULL;
    struct batch *batch = batch_for(room->disk);
    struct rng rng;

    rng_init(&rng, seed);
    while (steps-- > 0) {
        struct view view = batch_view(batch);
        struct view now = {.disk = room->disk}, then = {.disk = room->disk, .snapshot = snapshot};

        if (rng_chance(&rng, 70))
            plain_step(&plain, batch, &rng, (unsigned)rng_below(&rng, 3));
        else
            plain_change(&plain, batch, &rng);
        plain_check(&plain, &view, &rng);
        plain_check(&committed, &now, &rng);
        if (snapshot)
            plain_check(&frozen, &then, &rng);
        if (rng_chance(&rng, 20)) {
            room->disk->ops->release(room->disk, snapshot);
            CHECK_OK(room->disk->ops->snapshot(room->disk, &snapshot));
            frozen = committed;
        }
        if (rng_chance(&rng, 30)) {
            CHECK_OK(room->disk->ops->commit(room->disk, batch, rng_chance(&rng, 30)));
            batch_clear(batch);
            CHECK(batch_is_empty(batch));
            committed = plain;
        } else if (rng_chance(&rng, 30)) {
            batch_forget(batch);
        }
    }
    room->disk->ops->release(room->disk, snapshot);
    batch_free(batch);
}
