#include "store/disk_cache.h"

#include <pthread.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "tests/unit/disk_cases.h"

enum { ROOMY = 64 << 10 };

static struct disk *mem_disk(void)
{
    struct disk *disk = NULL;

    CHECK_OK(disk_mem_open(&disk));
    return disk;
}

static struct disk *cached(struct disk *inner, size_t size)
{
    struct disk *disk = NULL;

    CHECK_OK(disk_cache_open(inner, size, &disk));
    return disk;
}

static void room_reopen(struct room *room)
{
    struct disk *inner = disk_cache_leave(room->disk);

    disk_mem_crash(inner);
    room->disk = cached(inner, ROOMY);
}

#define X(name)                                                                        \
    TEST(cached_disk_##name)                                                           \
    {                                                                                  \
        struct room room = {.disk = cached(mem_disk(), ROOMY), .reopen = room_reopen}; \
        disk_case_##name(&room);                                                       \
        disk_close(room.disk);                                                         \
    }                                                                                  \
    TEST(cached_disk_of_few_cells_##name)                                              \
    {                                                                                  \
        struct room room = {.disk = cached(mem_disk(), 0), .reopen = room_reopen};     \
        disk_case_##name(&room);                                                       \
        disk_close(room.disk);                                                         \
    }
DISK_CASES(X)
#undef X

TEST(what_was_read_once_is_not_asked_of_the_disk_again)
{
    struct disk *inner = mem_disk(), *disk = cached(inner, ROOMY);

    disk_put(disk, DISK_CELLS, "a", "1", false);
    disk_put(disk, DISK_META, "a", "meta", false);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "1");
    disk_mem_fault(inner, DISK_FAULT_GET, 0, 100, NEAP_CORRUPT);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "1");
    CHECK_TEXT(disk_text(disk, NULL, DISK_META, "a"), "CORRUPT");
    disk_put(disk, DISK_CELLS, "a", "two", false);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "two");
    disk_put(disk, DISK_CELLS, "a", "it has grown, and so has another place now", false);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"),
               "it has grown, and so has another place now");
    CHECK_EQUAL(disk_cache_count(disk).cells, 1);
    CHECK_EQUAL(disk_cache_count(disk).hits, 3);
    CHECK_EQUAL(disk_cache_count(disk).misses, 1);
    disk_close(disk);
}

TEST(what_was_only_written_takes_no_room)
{
    struct disk *disk = cached(mem_disk(), ROOMY);

    disk_put(disk, DISK_CELLS, "a", "1", false);
    CHECK_EQUAL(disk_cache_count(disk).cells, 0);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "b"), "-");
    CHECK_EQUAL(disk_cache_count(disk).cells, 0);
    disk_close(disk);
}

TEST(a_snapshot_does_not_see_what_is_cached)
{
    struct disk *disk = cached(mem_disk(), ROOMY);
    struct disk_snapshot *snapshot = NULL;

    disk_put(disk, DISK_CELLS, "a", "1", false);
    CHECK_OK(disk->ops->snapshot(disk, &snapshot));
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "1");
    disk_put(disk, DISK_CELLS, "a", "2", false);
    CHECK_TEXT(disk_text(disk, snapshot, DISK_CELLS, "a"), "1");
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "2");
    disk->ops->release(disk, snapshot);
    disk_close(disk);
}

static int commit_two(struct disk *disk, enum disk_family range)
{
    struct batch *batch = NULL;
    int error;

    CHECK_OK(batch_new(disk, &batch));
    if (range != DISK_FAMILIES)
        CHECK_OK(batch_delete_range(batch, range, text("a"), text("c")));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("b"), text("2")));
    error = disk->ops->commit(disk, batch, false);
    batch_free(batch);
    return error;
}

static void read_three(struct disk *disk)
{
    disk_put(disk, DISK_CELLS, "a", "1", false);
    disk_put(disk, DISK_CELLS, "b", "1", false);
    disk_put(disk, DISK_CELLS, "c", "1", false);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "1");
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "b"), "1");
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "c"), "1");
    CHECK_EQUAL(disk_cache_count(disk).cells, 3);
}

TEST(what_is_forgotten_is_read_again)
{
    struct disk *disk = cached(mem_disk(), ROOMY);

    read_three(disk);
    disk_cache_forget(disk);
    CHECK_EQUAL(disk_cache_count(disk).cells, 0);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "1");
    CHECK_EQUAL(disk_cache_count(disk).cells, 1);
    disk = disk_cache_leave(disk);
    disk_cache_forget(disk); /* that is none */
    disk_close(disk);
}

TEST(a_range_of_cells_that_goes_takes_them_along)
{
    struct disk *disk = cached(mem_disk(), ROOMY);

    read_three(disk);
    CHECK_OK(commit_two(disk, DISK_CELLS));
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "a"), "-");
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "b"), "2");
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "c"), "1");
    disk_close(disk);
}

TEST(a_range_of_another_family_takes_nothing)
{
    struct disk *disk = cached(mem_disk(), ROOMY);

    read_three(disk);
    CHECK_OK(commit_two(disk, DISK_LOG));
    CHECK_EQUAL(disk_cache_count(disk).cells, 3);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "b"), "2");
    disk_close(disk);
}

TEST(a_commit_that_failed_leaves_nothing_of_its_cells)
{
    struct disk *inner = mem_disk(), *disk = cached(inner, ROOMY);

    read_three(disk);
    disk_mem_fault(inner, DISK_FAULT_COMMIT, 0, 1, NEAP_NOMEM);
    CHECK_ERROR(commit_two(disk, DISK_FAMILIES), NEAP_NOMEM);
    CHECK_EQUAL(disk_cache_count(disk).cells, 0);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "b"), "1");
    CHECK_OK(commit_two(disk, DISK_FAMILIES));
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "b"), "2");
    disk_close(disk);
}

/* However long it goes on, the newest are there and the room stays what it was. */
TEST(the_newest_cells_take_the_room_of_the_oldest)
{
    struct disk *disk = cached(mem_disk(), 8 << 10);
    struct rng rng;
    uint64_t hits;
    char key[16];

    rng_init(&rng, 1);
    for (unsigned i = 0; i < 3000; i++) {
        char value[80] = {0};

        snprintf(key, sizeof key, "%u", i % 700);
        memset(value, 'x', rng_below(&rng, sizeof value - 1));
        disk_put(disk, DISK_CELLS, key, value, false);
        CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, key), value);
    }
    CHECK(disk_cache_count(disk).cells >= 20 && disk_cache_count(disk).cells <= 200);
    hits = disk_cache_count(disk).hits;
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "0") ? "" : NULL, "");
    for (unsigned i = 3000 - 5; i < 3000; i++) {
        snprintf(key, sizeof key, "%u", i % 700);
        (void)disk_text(disk, NULL, DISK_CELLS, key);
    }
    CHECK_EQUAL(disk_cache_count(disk).hits, hits + 5);
    disk_close(disk);
}

TEST(a_cell_that_would_drive_out_most_others_is_not_kept)
{
    struct disk *disk = cached(mem_disk(), 0);
    struct batch *batch = NULL;
    struct buffer value;
    uint8_t large[1024] = {0};

    CHECK_OK(batch_new(disk, &batch));
    buffer_init(&value, sizeof large);
    CHECK_OK(batch_put(batch, DISK_CELLS, text("a"), slice_of(large, sizeof large)));
    CHECK_OK(batch_flush(batch, disk, false));
    CHECK_OK(disk->ops->get(disk, NULL, DISK_CELLS, text("a"), &value));
    CHECK_EQUAL(value.size, sizeof large);
    CHECK_EQUAL(disk_cache_count(disk).cells, 0);
    buffer_done(&value);
    batch_free(batch);
    disk_close(disk);
}

static int open_one(void *argument)
{
    struct disk *disk = NULL;
    int error = disk_cache_open(argument, ROOMY, &disk);

    if (!error)
        CHECK(disk_cache_leave(disk) == argument);
    return error;
}

TEST(opening_a_cache_survives_want_of_memory)
{
    struct disk *inner = mem_disk();

    test_alloc_sweep(open_one, inner);
    CHECK(disk_cache_leave(inner) == inner);
    disk_close(inner);
}

/* ---- threads ---- */

enum { WRITES = 2000, CELLS = 12, READERS = 3 };

static uint64_t number_at(struct disk *disk, unsigned cell)
{
    const uint8_t key = (uint8_t)('a' + cell);
    struct buffer value;
    uint64_t number = 0;

    buffer_init(&value, 64);
    if (!disk->ops->get(disk, NULL, DISK_CELLS, slice_of(&key, 1), &value))
        number = bytes_get_u64(value.data);
    buffer_done(&value);
    return number;
}

/* Each commit raises all cells to the same number: whoever has seen one raised sees no other one
 * that isn't, nor the same one as it was. */
static void *read_backwards(void *argument)
{
    struct disk *disk = argument;
    uint64_t seen = 0;
    uintptr_t failed = 0;

    for (unsigned i = 0; seen < WRITES && i < 100 * WRITES; i++) {
        uint64_t number = number_at(disk, i * 5 % CELLS);

        failed += number < seen;
        seen = number;
    }
    return (void *)failed;
}

TEST(readers_in_other_threads_see_commits_as_a_whole)
{
    struct disk *disk = cached(mem_disk(), 0);
    struct batch *batch = NULL;
    pthread_t threads[READERS];
    uint8_t value[24] = {0};
    void *failed;

    CHECK_OK(batch_new(disk, &batch));
    for (unsigned i = 0; i < READERS; i++)
        CHECK(pthread_create(&threads[i], NULL, read_backwards, disk) == 0);
    for (uint64_t n = 1; n <= WRITES; n++) {
        bytes_put_u64(value, n);
        for (unsigned cell = 0; cell < CELLS; cell++) {
            const uint8_t key = (uint8_t)('a' + cell);

            CHECK_EQUAL(number_at(disk, cell), n - 1);
            CHECK_OK(
                batch_put(batch, DISK_CELLS, slice_of(&key, 1), slice_of(value, 8 + n / 8 % 16)));
        }
        CHECK_OK(batch_flush(batch, disk, false));
    }
    for (unsigned i = 0; i < READERS; i++) {
        CHECK(pthread_join(threads[i], &failed) == 0);
        CHECK_EQUAL((uintptr_t)failed, 0);
    }
    CHECK(disk_cache_count(disk).hits > 0);
    batch_free(batch);
    disk_close(disk);
}
