#include "tests/unit/disk_cases.h"

static struct disk *disk;
static struct batch *batch;

static void begin(void)
{
    disk = NULL;
    batch = NULL;
    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(batch_new(disk, &batch));
    disk_put(disk, DISK_CELLS, "a", "1", false);
    disk_put(disk, DISK_CELLS, "b", "1", false);
    disk_put(disk, DISK_CELLS, "c", "1", false);
    disk_put(disk, DISK_CELLS, "e", "1", false);
}

static void end(void)
{
    batch_free(batch);
    disk_close(disk);
}

TEST(a_view_merges_the_batch_over_the_disk)
{
    struct view view;

    begin();
    view = batch_view(batch);
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "a=1 b=1 c=1 e=1 ");
    CHECK_OK(batch_put(batch, DISK_CELLS, text("b"), text("2")));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("d"), text("2")));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("f"), text("2")));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("0"), text("2")));
    CHECK_OK(batch_delete(batch, DISK_CELLS, text("c")));
    CHECK_OK(batch_delete(batch, DISK_CELLS, text("not there")));
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "0=2 a=1 b=2 d=2 e=1 f=2 ");
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "b", "e"), "b=2 d=2 ");
    end();
}

TEST(a_range_hides_what_is_on_the_disk)
{
    struct buffer value;
    struct view view;

    begin();
    view = batch_view(batch);
    CHECK_OK(batch_put(batch, DISK_CELLS, text("aa"), text("2")));
    CHECK_OK(batch_delete_range(batch, DISK_CELLS, text("a"), text("c")));
    disk_put(disk, DISK_LOG, "b", "of another family", false);
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "c=1 e=1 ");
    CHECK_TEXT(scan_text(&view, DISK_LOG, "", ""), "b=of another family ");
    CHECK_OK(batch_put(batch, DISK_CELLS, text("b"), text("3")));
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "b=3 c=1 e=1 ");
    buffer_init(&value, 8);
    CHECK_ERROR(view_get(&view, DISK_CELLS, text("a"), &value), NEAP_NOTFOUND);
    CHECK_ERROR(view_get(&view, DISK_CELLS, text("aa"), &value), NEAP_NOTFOUND);
    CHECK_OK(view_get(&view, DISK_CELLS, text("b"), &value));
    CHECK_SLICE(buffer_slice(&value), "3");
    CHECK_OK(view_get(&view, DISK_CELLS, text("c"), &value));
    CHECK_SLICE(buffer_slice(&value), "1");
    buffer_done(&value);
    end();
}

TEST(a_view_of_a_snapshot_may_have_a_batch_over_it)
{
    struct disk_snapshot *snapshot = NULL;
    struct view view;

    begin();
    CHECK_OK(disk->ops->snapshot(disk, &snapshot));
    disk_put(disk, DISK_CELLS, "a", "9", true);
    CHECK_OK(batch_put(batch, DISK_CELLS, text("b"), text("2")));
    view = (struct view){.disk = disk, .snapshot = snapshot, .batch = batch};
    CHECK_TEXT(scan_text(&view, DISK_CELLS, "", ""), "a=1 b=2 c=1 e=1 ");
    disk->ops->release(disk, snapshot);
    end();
}

TEST(an_error_in_a_pass_is_never_its_end)
{
    struct slice key, value;
    struct scan *scan = NULL;
    struct view view;

    begin();
    view = batch_view(batch);
    CHECK_OK(batch_put(batch, DISK_CELLS, text("0"), text("2")));
    disk_mem_fault(disk, DISK_FAULT_SCAN, 1, 1, NEAP_CORRUPT);
    CHECK_OK(view_scan(&view, DISK_CELLS, text(""), text(""), &scan));
    CHECK_OK(scan_next(scan, &key, &value));
    CHECK_OK(scan_next(scan, &key, &value));
    CHECK_ERROR(scan_next(scan, &key, &value), NEAP_CORRUPT);
    CHECK_ERROR(scan_next(scan, &key, &value), NEAP_CORRUPT);
    scan_close(scan);
    scan_close(NULL);
    end();
}

static int read_all(void *argument)
{
    struct slice key, value;
    struct scan *scan = NULL;
    struct buffer got;
    int error;

    buffer_init(&got, 8);
    error = view_get(argument, DISK_CELLS, text("a"), &got);
    buffer_done(&got);
    if (!error)
        error = view_scan(argument, DISK_CELLS, text("a"), text("z"), &scan);
    while (!error)
        error = scan_next(scan, &key, &value);
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

TEST(reading_survives_want_of_memory)
{
    struct view view;

    begin();
    view = batch_view(batch);
    CHECK_OK(batch_put(batch, DISK_CELLS, text("b"), text("2")));
    test_alloc_sweep(read_all, &view);
    end();
}
