#include "store/batch.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/unit/disk_cases.h"

static struct disk *disk;
static struct batch *batch;

static void begin(void)
{
    disk = NULL;
    batch = NULL;
    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(batch_new(disk, &batch));
}

static void end(void)
{
    batch_free(batch);
    disk_close(disk);
}

static int show(void *arg, enum batch_kind kind, enum disk_family family, struct slice key,
                struct slice value)
{
    static const char letters[] = "?rpd";
    char *shown = arg, line[64];

    snprintf(line, sizeof line, "%c%u:%.*s,%.*s ", letters[kind], (unsigned)family, (int)key.size,
             (const char *)key.data, (int)value.size, (const char *)value.data);
    snprintf(shown + strlen(shown), 256 - strlen(shown), "%s", line);
    return 0;
}

static const char *batch_text(void)
{
    static char shown[256];

    shown[0] = 0;
    CHECK_OK(batch_each(batch, show, shown));
    return shown;
}

TEST(a_batch_gives_ranges_first_then_writes_in_key_order)
{
    begin();
    CHECK(batch_is_empty(batch));
    CHECK_OK(batch_put(batch, DISK_META, text("m"), text("1")));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("b"), text("1")));
    CHECK_OK(batch_delete(batch, DISK_CELLS, text("a")));
    CHECK_OK(batch_delete_range(batch, DISK_LOG, text("x"), text("z")));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("b"), text("2")));
    CHECK_TEXT(batch_text(), "r1:x,z d0:a, p0:b,2 p2:m,1 ");
    CHECK(!batch_is_empty(batch));
    batch_clear(batch);
    CHECK(batch_is_empty(batch));
    CHECK_EQUAL(batch_bytes(batch), 0);
    CHECK_TEXT(batch_text(), "");
    end();
}

TEST(a_range_takes_earlier_writes_out_of_the_batch)
{
    begin();
    CHECK_OK(batch_put(batch, DISK_CELLS, text("b"), text("1")));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("d"), text("1")));
    CHECK_OK(batch_put(batch, DISK_LOG, text("b"), text("1")));
    CHECK_OK(batch_delete_range(batch, DISK_CELLS, text("a"), text("d")));
    CHECK_TEXT(batch_text(), "r0:a,d p0:d,1 p1:b,1 ");
    CHECK_OK(batch_put(batch, DISK_CELLS, text("c"), text("2")));
    CHECK_TEXT(batch_text(), "r0:a,d p0:c,2 p0:d,1 p1:b,1 ");
    end();
}

TEST(an_empty_range_does_nothing)
{
    begin();
    CHECK_OK(batch_delete_range(batch, DISK_CELLS, text("b"), text("b")));
    CHECK_OK(batch_delete_range(batch, DISK_CELLS, text("c"), text("b")));
    CHECK(batch_is_empty(batch));
    end();
}

TEST(going_back_to_a_mark_undoes_everything_after_it)
{
    batch_mark outer, inner;

    begin();
    CHECK_OK(batch_put(batch, DISK_CELLS, text("a"), text("1")));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("b"), text("1")));
    outer = batch_set_mark(batch);
    CHECK_OK(batch_put(batch, DISK_CELLS, text("a"), text("2")));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("c"), text("2")));
    inner = batch_set_mark(batch);
    CHECK_OK(batch_delete_range(batch, DISK_CELLS, text("a"), text("z")));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("d"), text("3")));
    CHECK_TEXT(batch_text(), "r0:a,z p0:d,3 ");
    batch_rollback(batch, inner);
    CHECK_TEXT(batch_text(), "p0:a,2 p0:b,1 p0:c,2 ");
    CHECK_OK(batch_delete(batch, DISK_CELLS, text("b")));
    batch_rollback(batch, outer);
    CHECK_TEXT(batch_text(), "p0:a,1 p0:b,1 ");
    batch_forget(batch);
    end();
}

TEST(going_back_to_the_start_leaves_an_empty_batch)
{
    batch_mark mark;

    begin();
    mark = batch_set_mark(batch);
    CHECK_OK(batch_put(batch, DISK_CELLS, text("a"), text("2")));
    CHECK_OK(batch_delete_range(batch, DISK_CELLS, text("a"), text("z")));
    batch_rollback(batch, mark);
    CHECK(batch_is_empty(batch));
    CHECK_EQUAL(batch_bytes(batch), 0);
    end();
}

TEST(a_batch_has_a_limit_and_is_unchanged_past_it)
{
    enum { SIZE = 64 << 20 };
    uint8_t *bytes = mem_new(SIZE);
    unsigned i;

    begin();
    CHECK(bytes);
    for (i = 0; i < BATCH_SIZE_MAX / SIZE - 1; i++)
        CHECK_OK(batch_put(batch, DISK_CELLS, text("a"), slice_of(bytes, SIZE)));
    CHECK_ERROR(batch_put(batch, DISK_CELLS, text("b"), slice_of(bytes, SIZE)), NEAP_LIMIT);
    CHECK_OK(batch_put(batch, DISK_CELLS, text("b"), slice_of(bytes, 1)));
    CHECK_ERROR(batch_put(batch, DISK_CELLS, text("b"), slice_of(bytes, BATCH_SIZE_MAX)),
                NEAP_LIMIT);
    mem_free(bytes);
    end();
}

TEST(what_must_be_one_commit_is_not_limited)
{
    enum { SIZE = 64 << 20 };
    uint8_t *bytes = mem_new(SIZE);
    batch_mark mark;

    begin();
    CHECK(bytes);
    mark = batch_set_mark(batch);
    batch_set_unlimited(batch, true);
    for (unsigned i = 0; i <= BATCH_SIZE_MAX / SIZE; i++)
        CHECK_OK(batch_put(batch, DISK_CELLS, text("a"), slice_of(bytes, SIZE)));
    batch_set_unlimited(batch, false);
    CHECK(batch_bytes(batch) > BATCH_SIZE_MAX);
    CHECK_OK(batch_put(batch, DISK_CELLS, text("b"), slice_of(bytes, SIZE)));
    batch_rollback(batch, mark);
    CHECK_EQUAL(batch_bytes(batch), 0);
    CHECK_ERROR(batch_put(batch, DISK_CELLS, text("b"), slice_of(bytes, BATCH_SIZE_MAX)),
                NEAP_LIMIT);
    mem_free(bytes);
    end();
}

static int write_some(void *argument)
{
    struct batch *some = NULL;
    batch_mark mark;
    int error = batch_new(argument, &some);
    unsigned i;

    if (error)
        return error;
    mark = batch_set_mark(some);
    for (i = 0; !error && i < 40; i++) {
        char key[8];

        snprintf(key, sizeof key, "%u", i);
        error = batch_put(some, DISK_CELLS, text(key), text("value"));
        if (!error && i % 7 == 3)
            error = batch_delete_range(some, DISK_CELLS, text("1"), text("3"));
    }
    batch_rollback(some, mark);
    if (!batch_is_empty(some))
        error = NEAP_INVALID;
    batch_free(some);
    return error;
}

TEST(a_batch_without_memory_can_be_undone)
{
    begin();
    test_alloc_sweep(write_some, disk);
    end();
}

static int fail_at_put(void *arg, enum batch_kind kind, enum disk_family family, struct slice key,
                       struct slice value)
{
    unsigned *visits = arg;

    (void)family;
    (void)key;
    (void)value;
    ++*visits;
    return kind == BATCH_PUT ? NEAP_NOMEM : 0;
}

TEST(a_visit_ends_at_the_first_error)
{
    unsigned visits = 0;

    begin();
    CHECK_OK(batch_put(batch, DISK_CELLS, text("a"), text("2")));
    CHECK_OK(batch_put(batch, DISK_LOG, text("a"), text("2")));
    CHECK_OK(batch_delete_range(batch, DISK_META, text("a"), text("z")));
    CHECK_ERROR(batch_each(batch, fail_at_put, &visits), NEAP_NOMEM);
    CHECK_EQUAL(visits, 2);
    end();
}

static void undo_note(void *arg, const void *note)
{
    int *total = arg;

    *total -= *(const int *)note;
}

static int note(int *total, int number)
{
    int error = batch_add_undo(batch, undo_note, total, slice_of(&number, sizeof number));

    if (!error)
        *total += number;
    return error;
}

TEST(what_moves_with_a_batch_is_undone_with_it)
{
    batch_mark first, second;
    int total = 0;

    begin();
    CHECK_OK(note(&total, 1)); /* no mark: nothing to go back to */
    first = batch_set_mark(batch);
    CHECK_OK(note(&total, 2));
    CHECK_OK(batch_put(batch, DISK_META, text("m"), text("1")));
    second = batch_set_mark(batch);
    CHECK_OK(note(&total, 4));
    batch_rollback(batch, second);
    CHECK_EQUAL(total, 3);
    CHECK_TEXT(batch_text(), "p2:m,1 ");
    batch_rollback(batch, first);
    CHECK_EQUAL(total, 1);
    CHECK(batch_is_empty(batch));
    end();
}
