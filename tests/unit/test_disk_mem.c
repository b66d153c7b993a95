#include <pthread.h>

#include "base/alloc.h"
#include "tests/unit/disk_cases.h"

static void room_reopen(struct room *room)
{
    disk_mem_crash(room->disk);
}

#define X(name)                                     \
    TEST(memory_disk_##name)                        \
    {                                               \
        struct room room = {.reopen = room_reopen}; \
        CHECK_OK(disk_mem_open(&room.disk));        \
        disk_case_##name(&room);                    \
        disk_close(room.disk);                      \
    }
DISK_CASES(X)
#undef X

TEST(families_have_names)
{
    CHECK_TEXT(disk_family_name(DISK_CELLS), "cells");
    CHECK_TEXT(disk_family_name(DISK_LOG), "log");
    CHECK_TEXT(disk_family_name(DISK_META), "meta");
}

static struct disk *disk_new(void)
{
    struct disk *disk = NULL;

    CHECK_OK(disk_mem_open(&disk));
    return disk;
}

TEST(a_crash_loses_what_was_not_synced)
{
    struct disk *disk = disk_new();
    struct view view = {.disk = disk};

    disk_put(disk, DISK_CELLS, "a", "1", true);
    disk_put(disk, DISK_CELLS, "b", "2", false);
    disk_put(disk, DISK_META, "c", "3", false);
    CHECK_EQUAL(disk_mem_unsynced(disk), 2);
    CHECK_OK(disk_mem_crash(disk));
    CHECK_EQUAL(disk_mem_unsynced(disk), 0);
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "a=1 ");
    CHECK_TEXT(scan_text(&view, DISK_META, "", ""), "");
    disk_put(disk, DISK_CELLS, "b", "4", true);
    CHECK_OK(disk_mem_crash(disk));
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "a=1 b=4 ");
    disk_close(disk);
}

TEST(a_crash_may_keep_the_first_of_the_unsynced_commits)
{
    struct disk *disk = disk_new();
    struct view view = {.disk = disk};
    struct batch *batch = NULL;

    disk_put(disk, DISK_CELLS, "a", "1", true);
    disk_put(disk, DISK_CELLS, "a", "2", false);
    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(batch_delete_range(batch, DISK_CELLS, text("a"), text("b")));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("c"), text("3")));
    CHECK_OK(disk->ops->commit(disk, batch, false));
    batch_free(batch);
    disk_put(disk, DISK_CELLS, "d", "4", false);
    disk_mem_crash_keep(disk, 2);
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "c=3 ");
    CHECK_OK(disk_mem_crash(disk));
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "c=3 ");
    disk_close(disk);
}

TEST(a_copy_is_of_the_synced_state_and_lives_alone)
{
    struct disk *disk = disk_new(), *copy = NULL;

    disk_put(disk, DISK_CELLS, "a", "1", true);
    disk_put(disk, DISK_CELLS, "a", "2", false);
    CHECK_OK(disk_mem_copy(disk, &copy));
    CHECK_TEXT(disk_text(copy, NULL, DISK_CELLS, "a"), "1");
    disk_put(copy, DISK_CELLS, "a", "3", true);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "2");
    disk_close(disk);
    CHECK_TEXT(disk_text(copy, NULL, DISK_CELLS, "a"), "3");
    disk_close(copy);
}

TEST(faults_come_when_ordered)
{
    struct disk *disk = disk_new();
    struct view view = {.disk = disk};
    struct slice key, value;
    struct scan *scan = NULL;
    struct neap_error error = {0};

    disk_put(disk, DISK_CELLS, "a", "1", true);
    disk_put(disk, DISK_CELLS, "b", "2", true);
    disk_mem_fault(disk, DISK_FAULT_GET, 1, 2, NEAP_CORRUPT);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "1");
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "CORRUPT");
    disk->ops->error(disk, &error);
    CHECK_EQUAL(error.code, NEAP_CORRUPT);
    CHECK(error.text[0]);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "x"), "CORRUPT");
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "1");
    disk_mem_fault(disk, DISK_FAULT_SCAN, 1, 1, NEAP_IO);
    CHECK_OK(view_scan(&view, DISK_CELLS, text(""), text(""), &scan));
    CHECK_OK(scan_next(scan, &key, &value));
    CHECK_ERROR(scan_next(scan, &key, &value), NEAP_IO);
    CHECK_ERROR(scan_next(scan, &key, &value), NEAP_IO); /* a failed pass does not go on */
    scan_close(scan);
    disk_close(disk);
}

static int try_put(struct disk *disk, const char *key, const char *value)
{
    struct batch *batch = NULL;
    int error;

    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(batch_put(batch, DISK_CELLS, text(key), text(value)));
    error = disk->ops->commit(disk, batch, true);
    batch_free(batch);
    return error;
}

TEST(after_a_failed_write_the_disk_takes_no_more_until_reopened)
{
    struct disk *disk = disk_new();

    CHECK_OK(try_put(disk, "a", "1"));
    disk_mem_fault(disk, DISK_FAULT_COMMIT, 0, 1, NEAP_NOMEM);
    CHECK_ERROR(try_put(disk, "a", "2"), NEAP_NOMEM);
    CHECK_OK(try_put(disk, "a", "3"));
    disk_mem_fault(disk, DISK_FAULT_COMMIT, 0, 1, NEAP_IO);
    CHECK_ERROR(try_put(disk, "a", "4"), NEAP_IO);
    CHECK_ERROR(try_put(disk, "a", "5"), NEAP_IO);
    CHECK_ERROR(disk->ops->sync(disk), NEAP_IO);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "3");
    CHECK_OK(disk_mem_crash(disk));
    CHECK_OK(try_put(disk, "a", "6"));
    disk_mem_fault(disk, DISK_FAULT_SYNC, 0, 1, NEAP_IO);
    disk_put(disk, DISK_CELLS, "a", "7", false);
    CHECK_ERROR(disk->ops->sync(disk), NEAP_IO);
    CHECK_ERROR(try_put(disk, "a", "8"), NEAP_IO);
    CHECK_OK(disk_mem_crash(disk));
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "6");
    disk_close(disk);
}

/* Whatever allocation fails, a commit changes all or nothing. Looking at that takes memory as well,
 * so the sweep is done by hand. */
static int commit_once(struct disk *disk)
{
    struct batch *batch = NULL;
    int error = batch_new(disk, &batch);

    if (error)
        return error;
    error = batch_put(batch, DISK_CELLS, text("a"), text("2"));
    if (!error)
        error = batch_delete(batch, DISK_CELLS, text("b"));
    if (!error)
        error = batch_delete_range(batch, DISK_CELLS, text("c"), text("f"));
    if (!error)
        error = batch_put(batch, DISK_CELLS, text("d"), text("2"));
    if (!error)
        error = batch_put(batch, DISK_LOG, text("l"), text("2"));
    if (!error)
        error = disk->ops->commit(disk, batch, false);
    batch_free(batch);
    return error;
}

TEST(a_commit_without_memory_changes_nothing)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f"};
    struct disk *disk = disk_new();
    struct view view = {.disk = disk};
    uint64_t call, live = 0;
    int error = NEAP_NOMEM;
    size_t i;

    for (i = 0; i < 6; i++)
        disk_put(disk, DISK_CELLS, keys[i], "1", true);
    live = mem_live();
    for (call = 1; error; call++) {
        mem_fail_at(call, 0);
        error = commit_once(disk);
        mem_fail_at(0, 0);
        if (!error)
            break;
        CHECK_ERROR(error, NEAP_NOMEM);
        CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "a=1 b=1 c=1 d=1 e=1 f=1 ");
        CHECK_TEXT(scan_text(&view, DISK_LOG, "", ""), "");
        CHECK(mem_live() <= live + 1); /* the list of unsynced versions may have come to be */
    }
    CHECK(call > 20);
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "a=2 d=2 f=1 ");
    CHECK_TEXT(scan_text(&view, DISK_LOG, "", ""), "l=2 ");
    disk_close(disk);
}

static int open_and_copy(void *argument)
{
    struct disk *disk = NULL, *copy = NULL;
    struct disk_iter *iter = NULL;
    int error = disk_mem_open(&disk);

    (void)argument;
    if (!error)
        error = disk_mem_copy(disk, &copy);
    if (!error)
        error = copy->ops->scan(copy, NULL, DISK_LOG, text("a"), text("b"), &iter);
    if (iter)
        iter->ops->close(iter);
    disk_close(copy);
    disk_close(disk);
    return error;
}

TEST(opening_a_memory_disk_survives_want_of_memory)
{
    test_alloc_sweep(open_and_copy, NULL);
}

/* One writer, readers that must see whole commits only. For the thread sanitizer, most of all. */
static void *read_pairs(void *argument)
{
    struct disk *disk = argument;
    uintptr_t torn = 0;
    unsigned i;

    for (i = 0; i < 300; i++) {
        struct disk_snapshot *snapshot = NULL;
        struct buffer first, second;

        buffer_init(&first, 16);
        buffer_init(&second, 16);
        torn += disk->ops->snapshot(disk, &snapshot) != 0;
        torn += disk->ops->get(disk, snapshot, DISK_CELLS, slice_text("a"), &first) != 0;
        torn += disk->ops->get(disk, snapshot, DISK_LOG, slice_text("b"), &second) != 0;
        torn += !slice_equal(buffer_slice(&first), buffer_slice(&second));
        disk->ops->release(disk, snapshot);
        buffer_done(&first);
        buffer_done(&second);
    }
    return (void *)torn;
}

TEST(readers_in_other_threads_see_whole_commits)
{
    struct disk *disk = disk_new();
    struct batch *batch = NULL;
    pthread_t threads[3];
    unsigned i;

    CHECK_OK(batch_new(disk, &batch));
    for (i = 0; i < 500; i++) {
        CHECK_OK(batch_put(batch, DISK_CELLS, text("a"), slice_of(&i, sizeof i)));
        CHECK_OK(batch_put(batch, DISK_LOG, text("b"), slice_of(&i, sizeof i)));
        CHECK_OK(disk->ops->commit(disk, batch, i % 3 == 0));
        batch_clear(batch);
        if (i < 3)
            CHECK_EQUAL(pthread_create(&threads[i], NULL, read_pairs, disk), 0);
    }
    for (i = 0; i < 3; i++) {
        void *torn = NULL;

        CHECK_EQUAL(pthread_join(threads[i], &torn), 0);
        CHECK(!torn);
    }
    batch_free(batch);
    disk_close(disk);
}
