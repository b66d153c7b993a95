/* Pages of cells. */
#include "base/error.h"
#include "store/chunk.h"
#include "store/keys.h"
#include "tests/unit/shard_cases.h"

enum { CELLS = 20 };

static struct place a;

static void open_filled(void)
{
    char key[4] = "k00";

    CHECK_OK(place_open(&a, 1));
    for (int i = 0; i < CELLS; i++) {
        key[2] = (char)('a' + i);
        CHECK_OK(place_set(&a, key, "value"));
    }
}

/* Each page follows the one before, each cell comes once and in order. */
static void walk(size_t size, size_t pages_least)
{
    struct view view = batch_view(a.batch);
    struct buffer page, next;
    uint64_t cells = 0, sum = 0;
    size_t pages = 0;

    buffer_init(&page, WIRE_MAX);
    buffer_init(&next, KEY_CURSOR_MAX);
    do {
        struct chunk chunk;
        struct buffer from;

        buffer_init(&from, KEY_CURSOR_MAX);
        CHECK_OK(buffer_set(&from, buffer_slice(&next)));
        CHECK_OK(shard_page(a.shard, &view, buffer_slice(&next), size, &page, &next, &cells));
        CHECK_OK(chunk_decode(buffer_slice(&page), CHUNK_PAGE, &chunk));
        CHECK_EQUAL(chunk.cells_count, cells);
        CHECK_BYTES(chunk.from, buffer_slice(&from));
        CHECK_EQUAL(chunk.to_end, next.size == 0);
        CHECK(chunk.to_end || slice_equal(chunk.to, buffer_slice(&next)));
        chunk_done(&chunk);
        buffer_done(&from);
        sum += cells;
        pages++;
    } while (next.size > 0);
    CHECK_EQUAL(sum, CELLS);
    CHECK(pages >= pages_least);
    buffer_done(&page);
    buffer_done(&next);
}

TEST(pages_follow_each_other_and_have_every_cell)
{
    open_filled();
    walk(1, CELLS);
    walk(300, 3);
    walk(CHUNK_SIZE, 1);
    place_close(&a);
}

TEST(a_page_is_what_its_parts_make)
{
    struct view view;
    struct buffer page, again;
    struct chunk chunk;

    open_filled();
    view = batch_view(a.batch);
    buffer_init(&page, WIRE_MAX);
    buffer_init(&again, WIRE_MAX);
    CHECK_OK(shard_compare_page(a.shard, &view, slice_of(NULL, 0), 500, &page));
    CHECK_OK(chunk_decode(buffer_slice(&page), CHUNK_PAGE, &chunk));
    CHECK_OK(chunk_encode(&chunk, &again));
    CHECK_BYTES(buffer_slice(&again), buffer_slice(&page));
    chunk_done(&chunk);
    buffer_done(&page);
    buffer_done(&again);
    place_close(&a);
}

TEST(an_empty_shard_has_one_page_without_cells)
{
    struct view view;
    struct buffer page, next;
    uint64_t cells = 9;

    CHECK_OK(place_open(&a, 1));
    view = batch_view(a.batch);
    buffer_init(&page, WIRE_MAX);
    buffer_init(&next, KEY_CURSOR_MAX);
    CHECK_OK(shard_page(a.shard, &view, slice_of(NULL, 0), CHUNK_SIZE, &page, &next, &cells));
    CHECK_EQUAL(cells, 0);
    CHECK_EQUAL(next.size, 0);
    buffer_done(&page);
    buffer_done(&next);
    place_close(&a);
}

static int one_page(void *arg)
{
    struct view view = batch_view(a.batch);
    struct buffer page, next;
    int error;

    (void)arg;
    buffer_init(&page, WIRE_MAX);
    buffer_init(&next, KEY_CURSOR_MAX);
    error = shard_page(a.shard, &view, slice_of(NULL, 0), 300, &page, &next, NULL);
    buffer_done(&page);
    buffer_done(&next);
    return error;
}

TEST(a_page_without_memory_is_none)
{
    open_filled();
    test_alloc_sweep(one_page, NULL);
    place_close(&a);
}
