/* What can be read of a damaged directory is copied, and what is missing is known. */
#include "store/salvage.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "store/batch.h"
#include "tests/support/test.h"

/* ---- a disk on which some keys can't be read ---- */

struct rotten {
    struct disk disk;
    struct disk *inner;
    enum disk_family family;
    const char *const *keys; /* NULL at the end; a key that ends in '*' is a beginning */
};

struct rotten_iter {
    struct disk_iter iter;
    struct disk_iter *inner;
    struct rotten *rotten;
    enum disk_family family;
};

static bool is_rotten(const struct rotten *rotten, enum disk_family family, struct slice key)
{
    for (const char *const *at = rotten->keys; family == rotten->family && *at; at++) {
        size_t size = strlen(*at);
        bool starts = size > 0 && (*at)[size - 1] == '*';

        if (starts ? slice_starts(key, slice_of(*at, size - 1)) : slice_equal(key, slice_text(*at)))
            return true;
    }
    return false;
}

static int rotten_next(struct disk_iter *iter, struct slice *ret_key, struct slice *ret_value)
{
    struct rotten_iter *pass = (struct rotten_iter *)iter;
    int error = pass->inner->ops->next(pass->inner, ret_key, ret_value);

    return !error && is_rotten(pass->rotten, pass->family, *ret_key) ? NEAP_CORRUPT : error;
}

static void rotten_close(struct disk_iter *iter)
{
    struct rotten_iter *pass = (struct rotten_iter *)iter;

    pass->inner->ops->close(pass->inner);
    mem_free(pass);
}

static int rotten_scan(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                       struct slice from, struct slice to, struct disk_iter **ret_iter)
{
    static const struct disk_iter_ops ops = {.next = rotten_next, .close = rotten_close};
    struct rotten *rotten = (struct rotten *)disk;
    struct rotten_iter *pass = mem_new(sizeof *pass);
    int error;

    if (!pass)
        return NEAP_NOMEM;
    *pass = (struct rotten_iter){.iter.ops = &ops, .rotten = rotten, .family = family};
    error = rotten->inner->ops->scan(rotten->inner, snapshot, family, from, to, &pass->inner);
    if (error) {
        mem_free(pass);
        return error;
    }
    *ret_iter = &pass->iter;
    return 0;
}

static const struct disk_ops rotten_ops = {.scan = rotten_scan};

/* ---- copies ---- */

enum { KEYS = 200 };

static struct disk *disk_of_keys(void)
{
    struct batch *batch;
    struct disk *disk;
    char key[16];

    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(batch_new(disk, &batch));
    for (unsigned family = 0; family < DISK_FAMILIES; family++) {
        for (int i = 0; i < KEYS; i++) {
            snprintf(key, sizeof key, "K%03d", i);
            CHECK_OK(batch_put(batch, (enum disk_family)family, slice_text(key), slice_text(key)));
        }
    }
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
    return disk;
}

static size_t keys_count(struct disk *disk, enum disk_family family)
{
    struct view view = {.disk = disk};
    struct slice key, value, none = {NULL, 0};
    struct scan *scan;
    size_t count = 0;

    CHECK_OK(view_scan(&view, family, none, none, &scan));
    while (!scan_next(scan, &key, &value)) {
        CHECK_BYTES(key, value);
        count++;
    }
    scan_close(scan);
    return count;
}

struct copy {
    struct disk *from, *to;
    struct gaps gaps;
    int error;
};

static struct copy copy_without(enum disk_family family, const char *const *keys)
{
    struct copy copy = {.from = disk_of_keys()};
    struct rotten rotten = {.inner = copy.from, .family = family, .keys = keys};

    rotten.disk.ops = &rotten_ops;
    CHECK_OK(disk_mem_open(&copy.to));
    copy.error = salvage_copy(&rotten.disk, copy.to, &copy.gaps);
    return copy;
}

static void copy_done(struct copy *copy)
{
    gaps_done(&copy->gaps);
    disk_close(copy->from);
    disk_close(copy->to);
}

static void check_gap(const struct copy *copy, size_t index, const char *after, const char *before)
{
    CHECK(index < copy->gaps.count);
    CHECK_SLICE(buffer_slice(&copy->gaps.items[index].after), after);
    CHECK_SLICE(buffer_slice(&copy->gaps.items[index].before), before);
}

TEST(a_copy_of_what_is_whole_has_no_gaps)
{
    static const char *const none[] = {NULL};
    struct copy copy = copy_without(DISK_CELLS, none);

    CHECK_OK(copy.error);
    CHECK_EQUAL(copy.gaps.count, 0);
    for (unsigned i = 0; i < DISK_FAMILIES; i++)
        CHECK_EQUAL(keys_count(copy.to, (enum disk_family)i), KEYS);
    copy_done(&copy);
}

TEST(a_copy_lacks_what_cant_be_read_and_nothing_else)
{
    static const char *const keys[] = {"K010", "K05*", "K100", "K198", "K199", NULL};
    struct copy copy = copy_without(DISK_LOG, keys);

    CHECK_OK(copy.error);
    CHECK_EQUAL(copy.gaps.count, 4);
    check_gap(&copy, 0, "K009", "K011");
    check_gap(&copy, 1, "K049", "K060");
    check_gap(&copy, 2, "K099", "K101");
    check_gap(&copy, 3, "K197", "");
    CHECK_EQUAL(copy.gaps.items[0].family, DISK_LOG);
    CHECK_EQUAL(keys_count(copy.to, DISK_LOG), KEYS - 14);
    CHECK_EQUAL(keys_count(copy.to, DISK_CELLS), KEYS);
    copy_done(&copy);
}

TEST(what_comes_before_the_first_key_is_a_gap)
{
    static const char *const keys[] = {"K000", NULL};
    struct copy copy = copy_without(DISK_CELLS, keys);

    CHECK_OK(copy.error);
    CHECK_EQUAL(copy.gaps.count, 1);
    check_gap(&copy, 0, "", "K001");
    copy_done(&copy);
}

TEST(where_nothing_can_be_read_there_is_one_gap)
{
    static const char *const keys[] = {"K*", NULL};
    struct copy copy = copy_without(DISK_CELLS, keys);

    CHECK_OK(copy.error);
    CHECK_EQUAL(copy.gaps.count, 1);
    check_gap(&copy, 0, "", "");
    CHECK_EQUAL(keys_count(copy.to, DISK_CELLS), 0);
    CHECK_EQUAL(keys_count(copy.to, DISK_META), KEYS);
    copy_done(&copy);
}

TEST(a_directory_whose_records_cant_be_read_is_not_copied)
{
    static const char *const keys[] = {"K100", NULL};
    struct copy copy = copy_without(DISK_META, keys);

    CHECK_ERROR(copy.error, NEAP_CORRUPT);
    copy_done(&copy);
}

static int copy_run(void *arg)
{
    static const char *const keys[] = {"K010", "K05*", NULL};
    struct rotten rotten = {.inner = arg, .family = DISK_CELLS, .keys = keys};
    struct gaps gaps = {0};
    struct disk *to = NULL;
    int error = disk_mem_open(&to);

    rotten.disk.ops = &rotten_ops;
    if (!error)
        error = salvage_copy(&rotten.disk, to, &gaps);
    gaps_done(&gaps);
    disk_close(to);
    return error;
}

TEST(copies_survive_failing_allocations)
{
    struct disk *from = disk_of_keys();

    test_alloc_sweep(copy_run, from);
    disk_close(from);
}

/* Counts and indexes: they are made again. */
TEST(what_is_made_of_cells_is_not_copied)
{
    struct disk *from, *to;
    struct batch *batch;
    struct gaps gaps = {0};

    CHECK_OK(disk_mem_open(&from));
    CHECK_OK(disk_mem_open(&to));
    CHECK_OK(batch_new(from, &batch));
    CHECK_OK(batch_put(batch, DISK_META, slice_text("Sshard"), slice_text("Sshard")));
    CHECK_OK(batch_put(batch, DISK_META, slice_text("Xentry"), slice_text("Xentry")));
    CHECK_OK(batch_put(batch, DISK_META, slice_text("Ycount"), slice_text("Ycount")));
    CHECK_OK(from->ops->commit(from, batch, true));
    batch_free(batch);
    CHECK_OK(salvage_copy(from, to, &gaps));
    CHECK_EQUAL(gaps.count, 0);
    CHECK_EQUAL(keys_count(to, DISK_META), 1);
    gaps_done(&gaps);
    disk_close(from);
    disk_close(to);
}
