/* Pages of members by their scores, and ranks, as a node reads them from its disk. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/read.h"
#include "store/ranking.h"
#include "store/store.h"
#include "tests/support/rig.h"

static int write_score(struct rig *rig, const char *member, enum op_kind kind, int64_t number)
{
    uint8_t bytes[128];
    struct buffer path = {.data = bytes, .room = sizeof bytes, .size_max = sizeof bytes};
    struct write_op op = {.bucket = "a", .op = {.kind = kind, .number = number}};
    struct write write = {.ops = &op, .count = 1};

    CHECK_OK(path_level(&path, slice_text("s"), NEAP_SCORES));
    CHECK_OK(path_element(&path, slice_text(member)));
    op.path = buffer_slice(&path);
    return rig_write(rig, &write);
}

static void set(struct rig *rig, const char *member, int64_t score)
{
    CHECK_OK(write_score(rig, member, OP_SCORE_SET, score));
}

static struct page_request scores_of(int64_t high, int64_t low)
{
    return (struct page_request){.bucket = "a",
                                 .path = rig_path("s", NEAP_SCORES),
                                 .kind = PAGE_SCORES,
                                 .high = high,
                                 .low = low,
                                 .size_max = 1 << 16};
}

static void page_text(const struct page *page, char *ret_text, size_t size)
{
    struct reader reader;
    struct neap_item item;
    size_t used = 0;

    ret_text[0] = 0;
    reader_init(&reader, buffer_slice(&page->items));
    while (reader.left.size && !reader.error) {
        page_item_read(&reader, &item);
        used += (size_t)snprintf(ret_text + used, size - used, "%.*s %" PRId64 ",",
                                 (int)item.name.size, (const char *)item.name.data, item.number);
    }
    CHECK_OK(reader.error);
}

#define CHECK_PAGE(rig, request, expected)                 \
    do {                                                   \
        struct page page_;                                 \
        char text_[400];                                   \
        page_init(&page_, 1 << 16);                        \
        CHECK_OK(page_read((rig)->disk, request, &page_)); \
        page_text(&page_, text_, sizeof text_);            \
        CHECK_TEXT(text_, expected);                       \
        page_done(&page_);                                 \
    } while (0)

TEST(pages_are_in_the_order_of_scores_and_go_on_where_they_ended)
{
    struct page_request request = scores_of(INT64_MAX, INT64_MIN);
    struct page page;
    uint8_t cursor[64];
    struct rig rig;
    char text[400], all[400] = "";
    size_t used = 0;

    rig_open(&rig);
    for (int i = 0; i < 9; i++) {
        (void)snprintf(text, sizeof text, "m%d", i);
        set(&rig, text, i * 4 % 9);
    }
    request.size_max = 1; /* one member in each */
    page_init(&page, 1 << 16);
    for (int pages = 1;; pages++) {
        CHECK_OK(page_read(rig.disk, &request, &page));
        page_text(&page, text, sizeof text);
        used += (size_t)snprintf(all + used, sizeof all - used, "%s", text);
        CHECK(pages <= 9);
        if (!page.cursor.size)
            break;
        CHECK_EQUAL(page.count, 1);
        memcpy(cursor, page.cursor.data, page.cursor.size);
        request.from = slice_of(cursor, page.cursor.size);
    }
    CHECK_TEXT(all, "m2 8,m4 7,m6 6,m8 5,m1 4,m3 3,m5 2,m7 1,m0 0,");
    page_done(&page);
    rig_close(&rig);
}

TEST(a_cursor_from_anywhere_stays_in_the_range)
{
    struct page_request request = scores_of(5, 2);
    uint8_t wrong[3 * NEAP_PATH_MAX];
    struct page page;
    struct rig rig;

    rig_open(&rig);
    set(&rig, "a", 6);
    set(&rig, "b", 4);
    memset(wrong, 0, sizeof wrong);
    request.from = slice_of(wrong, 8); /* before all scores */
    CHECK_PAGE(&rig, &request, "b 4,");
    memset(wrong, 0xff, sizeof wrong);
    CHECK_PAGE(&rig, &request, "");
    page_init(&page, 1 << 16);
    request.from = slice_of(wrong, sizeof wrong);
    CHECK_ERROR(page_read(rig.disk, &request, &page), NEAP_INVALID);
    request.from = slice_of(NULL, 0);
    request.path = rig_path("s", NEAP_SET);
    CHECK_ERROR(page_read(rig.disk, &request, &page), NEAP_INVALID);
    request.path = slice_text("no path");
    CHECK_ERROR(page_read(rig.disk, &request, &page), NEAP_INVALID);
    page_done(&page);
    rig_close(&rig);
}

/* A cell that a disk has lost without a word, or has otherwise. */
TEST(what_its_cell_does_not_say_is_not_listed)
{
    struct page_request request = scores_of(INT64_MAX, INT64_MIN);
    uint64_t shard = bucket_id("a");
    struct batch *batch;
    struct rig rig;
    struct key key;

    rig_open(&rig);
    set(&rig, "a", 6);
    CHECK_OK(batch_new(rig.disk, &batch));
    key_ranking(&key, shard, shard, request.path, 9, slice_of("a\0\1", 3));
    CHECK_OK(batch_put(batch, DISK_META, key_slice(&key), slice_of(NULL, 0)));
    key_ranking(&key, shard, shard, request.path, 8, slice_of("gone\0\1", 6));
    CHECK_OK(batch_put(batch, DISK_META, key_slice(&key), slice_of(NULL, 0)));
    CHECK_OK(rig.disk->ops->commit(rig.disk, batch, true));
    batch_free(batch);
    CHECK_PAGE(&rig, &request, "a 6,");
    rig_close(&rig);
}

TEST(a_rank_is_told_with_its_member_or_there_is_none)
{
    struct page_request request = scores_of(0, 0);
    struct page page;
    struct rig rig;

    rig_open(&rig);
    set(&rig, "a", 6);
    set(&rig, "b", 7);
    set(&rig, "c", 6);
    request.kind = PAGE_RANK;
    request.from = slice_text("c");
    page_init(&page, 1 << 16);
    CHECK_OK(page_read(rig.disk, &request, &page));
    CHECK_EQUAL(page.count, 2);
    CHECK(page.items.size > 0);
    request.from = slice_text("d");
    CHECK_OK(page_read(rig.disk, &request, &page));
    CHECK_EQUAL(page.items.size, 0);
    page_done(&page);
    rig_close(&rig);
}

TEST(what_cant_be_read_is_an_error)
{
    struct page_request request = scores_of(INT64_MAX, INT64_MIN);
    struct page page;
    struct rig rig;

    rig_open(&rig);
    set(&rig, "a", 6);
    page_init(&page, 1 << 16);
    disk_mem_fault(rig.disk, DISK_FAULT_GET, 0, 1, NEAP_CORRUPT);
    CHECK_ERROR(page_read(rig.disk, &request, &page), NEAP_CORRUPT);
    CHECK_EQUAL(page.items.size, 0);
    disk_mem_fault(rig.disk, DISK_FAULT_SCAN, 0, 1, NEAP_IO);
    CHECK_ERROR(page_read(rig.disk, &request, &page), NEAP_IO);
    page_done(&page);
    rig_close(&rig);
}

struct short_page {
    struct rig *rig;
    enum page_kind kind;
};

static int read_short(void *argument)
{
    const struct short_page *short_page = argument;
    struct page_request request = scores_of(INT64_MAX, INT64_MIN);
    struct page page;
    int error;

    request.kind = short_page->kind;
    request.from = request.kind == PAGE_RANK ? slice_text("b") : request.from;
    request.want_token = true;
    page_init(&page, 1 << 16);
    token_init(&request.token);
    error = page_read(short_page->rig->disk, &request, &page);
    CHECK_EQUAL(page.items.size > 0, !error);
    token_done(&request.token);
    page_done(&page);
    return error;
}

TEST(pages_of_scores_say_when_memory_is_short)
{
    struct rig rig;

    rig_open(&rig);
    set(&rig, "a", 6);
    set(&rig, "b", 5);
    test_alloc_sweep(read_short, &((struct short_page){&rig, PAGE_SCORES}));
    test_alloc_sweep(read_short, &((struct short_page){&rig, PAGE_RANK}));
    rig_close(&rig);
}
