#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/read.h"
#include "store/keys.h"
#include "tests/support/rig.h"

static void write_ops(struct rig *rig, struct write_op *ops, size_t count)
{
    struct write write = {.ops = ops, .count = count};

    CHECK_OK(rig_write(rig, &write));
}

/* Items as text: "name type number value, ...". */
static void page_text(const struct page *page, char *ret_text, size_t size)
{
    struct reader reader;
    struct neap_item item;
    size_t used = 0;

    ret_text[0] = '\0';
    reader_init(&reader, buffer_slice(&page->items));
    while (reader.left.size && !reader.error) {
        page_item_read(&reader, &item);
        used += (size_t)snprintf(ret_text + used, size - used, "%.*s %d %" PRId64 " %.*s,",
                                 (int)item.name.size, (const char *)item.name.data, (int)item.type,
                                 item.number, (int)item.value.size, (const char *)item.value.data);
        CHECK(used < size);
    }
    CHECK_OK(reader.error);
}

static void page_is(struct rig *rig, struct page_request *request, const char *expected)
{
    struct page page;
    char text[2000];

    page_init(&page, 1 << 20);
    if (!request->size_max)
        request->size_max = 1 << 16;
    CHECK_OK(page_read(rig->disk, request, &page));
    page_text(&page, text, sizeof text);
    CHECK_TEXT(text, expected);
    CHECK_EQUAL(page.cursor.size, 0);
    page_done(&page);
}

static void fill(struct rig *rig)
{
    struct write_op ops[] = {
        rig_lww("a", "title", "text"),
        rig_add("a", "count", 42),
        rig_set_add("a", "tags", "red"),
        rig_set_add("a", "tags", "blue"),
        rig_set_add("a", "count", "also"),
        rig_lww("a", "x", "1"),
        rig_lww("a", "x", "2"),
        rig_lww("a", "y", "1"),
        rig_lww("other", "elsewhere", "no"),
        rig_lww("a", "z", "last"),
    };

    ops[6].path = rig_field("map", "field", NEAP_LWW);
    ops[7].path = rig_field("map", "number", NEAP_COUNTER);
    ops[7].op = (struct op){.kind = OP_COUNTER_ADD, .number = -7};
    ops[5].path = rig_path("flag", NEAP_FLAG);
    ops[5].op = (struct op){.kind = OP_FLAG_ON};
    write_ops(rig, ops, sizeof ops / sizeof *ops);
}

TEST(the_keys_of_a_bucket_are_listed_by_name_and_type)
{
    struct rig rig;
    struct page_request request = {.bucket = "a"};

    rig_open(&rig);
    fill(&rig);
    page_is(&rig, &request,
            "count 4 42 ,count 5 0 ,flag 3 1 ,map 6 0 ,tags 5 0 ,title 2 0 text,z 2 0 last,");
    request.bucket = "nothing";
    page_is(&rig, &request, "");
    rig_close(&rig);
}

TEST(fields_and_elements_are_listed_below_their_place)
{
    struct rig rig;
    struct page_request request = {.bucket = "a"};

    rig_open(&rig);
    fill(&rig);
    request.path = rig_path("map", NEAP_MAP);
    page_is(&rig, &request, "field 2 0 2,number 4 -7 ,");
    request.path = rig_path("tags", NEAP_SET);
    page_is(&rig, &request, "blue 5 0 ,red 5 0 ,");
    request.path = rig_path("tagS", NEAP_SET);
    page_is(&rig, &request, "");
    rig_close(&rig);
}

TEST(a_register_shows_its_first_sibling_and_how_many)
{
    static const struct context nothing;
    struct rig rig;
    struct page_request request = {.bucket = "a"};
    struct write_op ops[2];

    rig_open(&rig);
    for (size_t i = 0; i < 2; i++)
        ops[i] = (struct write_op){.bucket = "a",
                                   .path = rig_path("r", NEAP_REGISTER),
                                   .op = {.kind = OP_REGISTER_SET,
                                          .value = slice_text(i ? "two" : "one"),
                                          .seen = &nothing}};
    write_ops(&rig, ops, 2);
    page_is(&rig, &request, "r 1 2 one,");
    rig_close(&rig);
}

TEST(a_page_may_start_at_a_name)
{
    struct rig rig;
    struct page_request request = {.bucket = "a", .from_is_name = true};

    rig_open(&rig);
    fill(&rig);
    request.from = slice_text("tags");
    page_is(&rig, &request, "tags 5 0 ,title 2 0 text,z 2 0 last,");
    request.from = slice_text("tah");
    page_is(&rig, &request, "title 2 0 text,z 2 0 last,");
    request.from = slice_text("zz");
    page_is(&rig, &request, "");
    request.path = rig_path("tags", NEAP_SET);
    request.from = slice_text("c");
    page_is(&rig, &request, "red 5 0 ,");
    request.path = rig_path("map", NEAP_MAP);
    request.from = slice_text("number");
    page_is(&rig, &request, "number 4 -7 ,");
    request.from = slice_text("");
    page_is(&rig, &request, "field 2 0 2,number 4 -7 ,");
    rig_close(&rig);
}

TEST(what_is_not_a_place_is_refused)
{
    struct rig rig;
    struct page_request request = {.bucket = "a", .size_max = 1000};
    struct page page;

    rig_open(&rig);
    page_init(&page, 1000);
    request.path = rig_path("title", NEAP_LWW);
    CHECK_ERROR(page_read(rig.disk, &request, &page), NEAP_INVALID);
    CHECK(strstr(request.error.text, "a/title"));
    request.path = rig_element("tags", "red");
    CHECK_ERROR(page_read(rig.disk, &request, &page), NEAP_INVALID);
    request.path = slice_text("garbage");
    CHECK_ERROR(page_read(rig.disk, &request, &page), NEAP_INVALID);
    page_done(&page);
    rig_close(&rig);
}

/* ---- many ---- */

enum { MANY = 300 };

static void fill_many(struct rig *rig)
{
    static struct write_op ops[2];
    char key[16], element[16];

    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof key, "k%03d", i);
        snprintf(element, sizeof element, "e%03d", i);
        ops[0] = rig_set_add("a", key, "x");
        ops[1] = rig_set_add("a", "big", element);
        write_ops(rig, ops, 2);
    }
}

static uint64_t count_pages(struct rig *rig, struct page_request *request, unsigned *ret_pages)
{
    struct page page;
    struct buffer from;
    uint64_t count = 0;
    char text[40000], last[16] = "";

    buffer_init(&from, 3 * NEAP_PATH_MAX);
    *ret_pages = 0;
    do {
        page_init(&page, 1 << 20);
        request->from = buffer_slice(&from);
        CHECK_OK(page_read(rig->disk, request, &page));
        CHECK(page.count > 0 || !page.cursor.size);
        count += page.count;
        ++*ret_pages;
        page_text(&page, text, sizeof text);
        /* In order, also from page to page. */
        if (text[0]) {
            CHECK(strncmp(text, last, 4) > 0);
            snprintf(last, sizeof last, "%.4s", text);
        }
        CHECK_OK(buffer_set(&from, buffer_slice(&page.cursor)));
        page_done(&page);
    } while (from.size);
    buffer_done(&from);
    return count;
}

TEST(pages_follow_each_other_without_gap_or_repeat)
{
    struct rig rig;
    struct page_request request = {.bucket = "a"};
    unsigned pages = 0;

    rig_open(&rig);
    fill_many(&rig);
    request.size_max = 100;
    CHECK_EQUAL(count_pages(&rig, &request, &pages), MANY + 1);
    CHECK(pages > MANY / 12);
    request.size_max = 1 << 20;
    CHECK_EQUAL(count_pages(&rig, &request, &pages), MANY + 1);
    CHECK_EQUAL(pages, 1);
    request.size_max = 1; /* one item always fits */
    request.path = rig_path("big", NEAP_SET);
    CHECK_EQUAL(count_pages(&rig, &request, &pages), MANY);
    CHECK_EQUAL(pages, MANY);
    rig_close(&rig);
}

TEST(counting_takes_no_page)
{
    struct rig rig;
    struct page_request request = {.bucket = "a", .count_only = true, .size_max = 1};
    struct page page;

    rig_open(&rig);
    fill_many(&rig);
    page_init(&page, 1);
    CHECK_OK(page_read(rig.disk, &request, &page));
    CHECK_EQUAL(page.count, MANY + 1);
    CHECK_EQUAL(page.items.size, 0);
    CHECK_EQUAL(page.cursor.size, 0);
    page_done(&page);
    rig_close(&rig);
}

TEST(what_was_removed_is_not_listed)
{
    struct rig rig;
    struct page_request request = {.bucket = "a"};
    struct write_op remove = {.bucket = "a", .prefix = true, .op = {.kind = OP_REMOVE}};

    rig_open(&rig);
    fill(&rig);
    remove.path = rig_path("tags", NEAP_SET);
    write_ops(&rig, &remove, 1);
    remove.path = rig_path("map", NEAP_MAP);
    write_ops(&rig, &remove, 1);
    page_is(&rig, &request, "count 4 42 ,count 5 0 ,flag 3 1 ,title 2 0 text,z 2 0 last,");
    rig_close(&rig);
}

/* A cell that is stored only for its residue: it remembers a removal. */
TEST(a_cell_without_dots_is_not_listed)
{
    static const uint8_t empty[] = {1, 1, 0x90};
    struct rig rig;
    struct page_request request = {.bucket = "a"};
    struct batch *batch = NULL;
    struct key key;
    uint64_t id = bucket_id("a");

    rig_open(&rig);
    CHECK_OK(batch_new(rig.disk, &batch));
    key_cell(&key, id, id, rig_path("gone", NEAP_LWW));
    CHECK_OK(batch_put(batch, DISK_CELLS, key_slice(&key), slice_of(empty, sizeof empty)));
    key_cell(&key, id, id, rig_element("set", "gone"));
    CHECK_OK(batch_put(batch, DISK_CELLS, key_slice(&key), slice_of(empty, sizeof empty)));
    CHECK_OK(rig.disk->ops->commit(rig.disk, batch, true));
    page_is(&rig, &request, "");
    batch_free(batch);
    rig_close(&rig);
}

/* Listing keys must not read every element of a large set. */
TEST(what_is_below_a_name_is_skipped)
{
    struct rig rig;
    struct spy_disk spy;
    struct page_request request = {.bucket = "a", .size_max = 1 << 20};
    struct page page;

    rig_open(&rig);
    fill_many(&rig);
    spy_disk_init(&spy, rig.disk);
    page_init(&page, 1 << 20);
    CHECK_OK(page_read(&spy.disk, &request, &page));
    CHECK_EQUAL(page.count, MANY + 1);
    CHECK_EQUAL(atomic_load(&spy.scans), 2);
    page_done(&page);
    rig_close(&rig);
}

TEST(a_names_odd_bytes_come_back)
{
    struct rig rig;
    struct page_request request = {.bucket = "a", .size_max = 1000};
    uint8_t name[] = {0, 1, 0xff, 0, 0};
    uint8_t path_bytes[64];
    struct buffer path = {.data = path_bytes, .room = 64, .size_max = 64};
    struct write_op op = {.bucket = "a", .op = {.kind = OP_LWW_SET, .value = slice_text("v")}};
    struct page page;
    struct reader reader;
    struct neap_item item;

    rig_open(&rig);
    CHECK_OK(path_level(&path, slice_of(name, sizeof name), NEAP_LWW));
    op.path = buffer_slice(&path);
    write_ops(&rig, &op, 1);
    page_init(&page, 1000);
    CHECK_OK(page_read(rig.disk, &request, &page));
    reader_init(&reader, buffer_slice(&page.items));
    page_item_read(&reader, &item);
    CHECK_OK(reader_end(&reader));
    CHECK_BYTES(slice_of(item.name.data, item.name.size), slice_of(name, sizeof name));
    page_done(&page);
    rig_close(&rig);
}

TEST(the_token_of_a_page_is_its_context)
{
    struct rig rig;
    struct page_request request = {.bucket = "a", .want_token = true, .size_max = 1000};
    struct page page;
    struct shard *shard;

    rig_open(&rig);
    fill(&rig);
    shard = rig_shard(&rig, "a");
    page_init(&page, 1000);
    CHECK_OK(page_read(rig.disk, &request, &page));
    CHECK(context_equal(token_find(&request.token, shard->id), &shard->context));
    token_done(&request.token);
    page_done(&page);
    rig_close(&rig);
}

static int page_with_less_memory(void *arg)
{
    struct rig *rig = arg;
    struct page_request request = {.bucket = "a", .want_token = true, .size_max = 60};
    struct page page;
    int error;

    page_init(&page, 1000);
    error = page_read(rig->disk, &request, &page);
    if (error && (page.items.size || page.cursor.size || request.token.count))
        error = NEAP_CORRUPT;
    token_done(&request.token);
    page_done(&page);
    return error;
}

TEST(a_page_short_of_memory_says_so)
{
    struct rig rig;

    rig_open(&rig);
    fill(&rig);
    test_alloc_sweep(page_with_less_memory, &rig);
    rig_close(&rig);
}

TEST(a_corrupt_cell_ends_the_page_with_an_error)
{
    struct rig rig;
    struct page_request request = {.bucket = "a", .size_max = 1000};
    struct page page;

    rig_open(&rig);
    fill(&rig);
    page_init(&page, 1000);
    disk_mem_fault(rig.disk, DISK_FAULT_SCAN, 2, 1, NEAP_CORRUPT);
    CHECK_ERROR(page_read(rig.disk, &request, &page), NEAP_CORRUPT);
    CHECK_EQUAL(page.items.size, 0);
    page_done(&page);
    rig_close(&rig);
}
