/* Pages of changes, from the log and from all cells. */
#include "engine/changes.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/unit/shard_cases.h"

static struct place place;
static struct changes_at at;
static struct page page;

static void begin(void)
{
    memset(&place, 0, sizeof place);
    CHECK_OK(place_open(&place, 1));
    changes_init(&at, place.shard->id);
    page_init(&page, 1 << 16);
}

static void end(void)
{
    page_done(&page);
    changes_done(&at);
    place_close(&place);
}

static int read_page(size_t size_max)
{
    const struct page_request request = {.size_max = size_max};

    return changes_read(place.disk, &request, &at, &page);
}

/* "a:3 b:gone { }": counters by number, registers by value. */
static const char *page_text(void)
{
    static char text[4000];
    struct change_item item = {0};
    struct path_level level;
    struct path_cursor walk;
    struct reader reader;
    size_t used = 0;

    text[0] = 0;
    reader_init(&reader, buffer_slice(&page.items));
    while (reader.left.size) {
        change_item_read(&reader, &item);
        CHECK_OK(reader.error);
        path_cursor_init(&walk, item.path);
        if (item.kind <= NEAP_GONE) {
            CHECK_OK(path_cursor_level(&walk, &level));
            used += (size_t)snprintf(text + used, sizeof text - used, "%.*s:", (int)level.name.size,
                                     (const char *)level.name.data);
        }
        path_cursor_done(&walk);
        if (item.kind == NEAP_CHANGED && item.type == NEAP_COUNTER)
            used += (size_t)snprintf(text + used, sizeof text - used, "%d ", (int)item.number);
        else if (item.kind == NEAP_CHANGED)
            used += (size_t)snprintf(text + used, sizeof text - used, "%.*s ", (int)item.value.size,
                                     (const char *)item.value.data);
        else
            used += (size_t)snprintf(text + used, sizeof text - used, "%s ",
                                     item.kind == NEAP_GONE        ? "gone"
                                     : item.kind == NEAP_ALL_BEGIN ? "{"
                                                                   : "}");
    }
    return text;
}

static void next_is(const char *expected)
{
    CHECK_OK(read_page(1 << 16));
    CHECK_TEXT(page_text(), expected);
}

static void cut_all(void)
{
    CHECK_OK(shard_truncate(place.shard, place.batch, &place.shard->context));
    CHECK_OK(place_commit(&place));
}

TEST(first_comes_all_that_is_there_then_what_changes)
{
    begin();
    next_is("{ } ");
    CHECK_OK(place_add(&place, "b", 2));
    CHECK_OK(place_set(&place, "a", "red"));
    CHECK_OK(place_commit(&place));
    next_is("a:red b:2 ");
    next_is("");
    for (unsigned i = 0; i < 5; i++)
        CHECK_OK(place_add(&place, "b", 1));
    CHECK_OK(place_remove(&place, "a"));
    CHECK_OK(place_commit(&place));
    next_is("a:gone b:7 ");
    next_is("");
    end();
}

TEST(what_is_cut_from_the_log_is_told_as_all)
{
    begin();
    CHECK_OK(place_set(&place, "a", "red"));
    CHECK_OK(place_set(&place, "c", "blue"));
    CHECK_OK(place_commit(&place));
    next_is("{ a:red c:blue } ");
    CHECK_OK(place_remove(&place, "a"));
    CHECK_OK(place_add(&place, "b", 1));
    CHECK_OK(place_commit(&place));
    cut_all();
    next_is("{ b:1 c:blue } ");
    next_is("");
    CHECK_OK(place_add(&place, "b", 1));
    CHECK_OK(place_commit(&place));
    next_is("b:2 ");
    end();
}

/* Each page has one item at least, wherever it ends; a position can be kept as bytes at each. */
static void in_pages(size_t size, const char *expected)
{
    char all[4000] = "";
    size_t used = 0;

    do {
        struct buffer bytes;

        CHECK_OK(read_page(size));
        used += (size_t)snprintf(all + used, sizeof all - used, "%s", page_text());
        CHECK(used < sizeof all);
        buffer_init(&bytes, PAGE_CURSOR_MAX);
        CHECK_OK(buffer_set(&bytes, buffer_slice(&page.cursor)));
        changes_done(&at);
        changes_init(&at, place.shard->id);
        CHECK_OK(changes_decode(buffer_slice(&bytes), &at));
        buffer_done(&bytes);
    } while (page.count);
    CHECK_TEXT(all, expected);
}

TEST(pages_of_any_size_tell_the_same)
{
    begin();
    for (unsigned i = 0; i < 6; i++)
        CHECK_OK(place_set(&place, (const char *[]){"a", "b", "c"}[i % 3], "x"));
    CHECK_OK(place_commit(&place));
    in_pages(1, "{ a:x b:x c:x } ");
    CHECK_OK(place_add(&place, "d", 1));
    CHECK_OK(place_add(&place, "e", 2));
    CHECK_OK(place_remove(&place, "b"));
    CHECK_OK(place_commit(&place));
    in_pages(1, "b:gone d:1 e:2 ");
    CHECK_OK(place_add(&place, "d", 1));
    CHECK_OK(place_commit(&place));
    in_pages(40, "d:2 ");
    end();
}

TEST(what_changes_under_way_is_told_after)
{
    begin();
    CHECK_OK(place_add(&place, "a", 1));
    CHECK_OK(place_set(&place, "b", "x"));
    CHECK_OK(place_commit(&place));
    CHECK_OK(read_page(1));
    CHECK_TEXT(page_text(), "{ ");
    CHECK_OK(read_page(1));
    CHECK_TEXT(page_text(), "a:1 ");
    CHECK_OK(place_add(&place, "a", 9)); /* passed already */
    CHECK_OK(place_remove(&place, "b"));
    CHECK_OK(place_commit(&place));
    next_is("} ");
    next_is("a:10 b:gone ");
    end();
}

TEST(more_events_than_fit_into_a_page_come_in_several)
{
    char key[20];
    size_t told = 0;

    begin();
    next_is("{ } ");
    for (unsigned i = 0; i < 3 * CHANGES_EVENTS_MAX / 2; i++) {
        snprintf(key, sizeof key, "%u", i);
        CHECK_OK(place_add(&place, key, 1));
    }
    CHECK_OK(place_commit(&place));
    do {
        CHECK_OK(read_page(1 << 10));
        CHECK(page.items.size <= 1 << 10);
        told += page.count;
    } while (page.count);
    CHECK_EQUAL(told, 3 * CHANGES_EVENTS_MAX / 2);
    end();
}

TEST(a_position_is_of_its_bucket_and_nothing_else_is_one)
{
    struct changes_at other;
    struct buffer bytes;

    begin();
    buffer_init(&bytes, PAGE_CURSOR_MAX);
    CHECK_OK(place_add(&place, "a", 1));
    CHECK_OK(place_commit(&place));
    next_is("{ a:1 } ");
    CHECK_OK(buffer_set(&bytes, buffer_slice(&page.cursor)));
    changes_init(&other, place.shard->id + 1);
    CHECK_ERROR(changes_decode(buffer_slice(&bytes), &other), NEAP_STALE);
    changes_done(&other);
    for (size_t size = 0; size < bytes.size; size++) {
        changes_init(&other, place.shard->id);
        CHECK_ERROR(changes_decode(slice_of(bytes.data, size), &other), NEAP_INVALID);
        changes_done(&other);
    }
    buffer_done(&bytes);
    end();
}

static int sweep(void *argument)
{
    struct changes_at old = {0};
    int error;

    changes_init(&old, place.shard->id);
    page_init(&page, 1 << 16);
    error = changes_decode(*(struct slice *)argument, &old);
    at = old;
    if (!error)
        error = read_page(1 << 16);
    page_done(&page);
    changes_done(&at);
    return error;
}

TEST(a_page_without_memory_is_none)
{
    struct buffer bytes;
    struct slice position;

    begin();
    buffer_init(&bytes, PAGE_CURSOR_MAX);
    CHECK_OK(changes_encode(&at, &bytes));
    CHECK_OK(place_set(&place, "a", "x"));
    CHECK_OK(place_commit(&place));
    page_done(&page);
    changes_done(&at);
    position = buffer_slice(&bytes);
    test_alloc_sweep(sweep, &position);
    changes_init(&at, place.shard->id);
    page_init(&page, 1 << 16);
    next_is("{ a:x } ");
    CHECK_OK(buffer_set(&bytes, buffer_slice(&page.cursor)));
    CHECK_OK(place_remove(&place, "a"));
    CHECK_OK(place_commit(&place));
    page_done(&page);
    changes_done(&at);
    position = buffer_slice(&bytes);
    test_alloc_sweep(sweep, &position);
    buffer_done(&bytes);
    place_close(&place);
}
