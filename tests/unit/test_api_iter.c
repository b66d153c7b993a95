#include "engine/api.h"

#include "base/alloc.h"
#include "tests/support/fake_backend.h"
#include "tests/support/test.h"

#include <stdio.h>
#include <string.h>

static const struct neap_place at = {.bucket = "b", .key = {"k", 1}};
static const struct neap_bytes none = {NULL, 0};

struct iter_test {
    struct fake fake;
    struct neap neap;
    struct neap_error error;
    struct neap_call call;
    struct neap_iter *iter;
};

static void iter_setup(struct iter_test *test)
{
    memset(test, 0, sizeof *test);
    fake_init(&test->fake);
    test->neap.backend = &test->fake.backend;
    test->call.size = sizeof test->call;
    test->call.ret_error = &test->error;
}

static void iter_end(struct iter_test *test)
{
    neap_iter_free(test->iter);
    fake_done(&test->fake);
}

/* The names that are left, as "a:2 b:4 "; freed. */
static const char *names_left(struct iter_test *test, char *text, size_t size)
{
    struct neap_item item;
    size_t used = 0;
    int error;

    text[0] = 0;
    while (!(error = neap_next(test->iter, &item, 0)))
        used += (size_t)snprintf(text + used, size - used, "%.*s:%d ", (int)item.name.size,
                                 (const char *)item.name.data, (int)item.type);
    CHECK_ERROR(error, NEAP_END);
    CHECK_ERROR(neap_next(test->iter, &item, 0), NEAP_END);
    neap_iter_free(test->iter);
    test->iter = NULL;
    return text;
}

TEST(an_iterator_goes_from_page_to_page)
{
    struct iter_test test;
    char text[100];

    iter_setup(&test);
    CHECK_OK(neap_keys(&test.neap, "b", none, NULL, &test.iter));
    CHECK_EQUAL(test.fake.path.size, 0);
    CHECK_TEXT(names_left(&test, text, sizeof text), "");
    fake_item(&test.fake, 0, NEAP_LWW, "a", 1);
    fake_item(&test.fake, 0, NEAP_SET, "a", 1);
    fake_item(&test.fake, 1, NEAP_SET, "b", 1);
    fake_item(&test.fake, 2, NEAP_MAP, "c", 1);
    CHECK_OK(neap_items(&test.neap, &at, NEAP_MAP, (struct neap_bytes){"a", 1}, NULL, &test.iter));
    CHECK_HEX(test.fake.path, "6b 00 01 06");
    CHECK(test.fake.page.from_is_name);
    CHECK_EQUAL(test.fake.page.from.size, 1);
    CHECK_TEXT(names_left(&test, text, sizeof text), "a:2 a:5 b:5 c:6 ");
    CHECK_EQUAL(test.fake.calls, 4);
    iter_end(&test);
}

TEST(a_page_that_cannot_be_had_may_be_asked_for_again)
{
    struct neap_item item;
    struct iter_test test;
    char text[100];

    iter_setup(&test);
    fake_item(&test.fake, 0, NEAP_LWW, "a", 1);
    fake_item(&test.fake, 1, NEAP_SET, "b", 1);
    CHECK_OK(neap_items(&test.neap, &at, NEAP_SET, none, NULL, &test.iter));
    CHECK_OK(neap_next(test.iter, &item, 3));
    test.fake.code = NEAP_UNCERTAIN;
    item.number = 8;
    CHECK_ERROR(neap_next(test.iter, &item, 3), NEAP_UNAVAILABLE);
    CHECK_EQUAL(test.fake.page.timeout_ms, 3);
    CHECK_EQUAL(item.number, 8);
    test.fake.code = 0;
    CHECK_TEXT(names_left(&test, text, sizeof text), "b:5 ");
    iter_end(&test);
}

TEST(a_listing_goes_on_after_the_item_where_it_was)
{
    static const char *const lefts[] = {"a:2 a:5 b:5 c:6 ", "a:5 b:5 c:6 ", "b:5 c:6 ", "c:6 ", ""};
    struct neap_buffer position = {0};
    struct neap_item item;
    struct iter_test test;
    char text[100];
    size_t given, i;

    iter_setup(&test);
    fake_item(&test.fake, 0, NEAP_LWW, "a", 1);
    fake_item(&test.fake, 0, NEAP_SET, "a", 1);
    fake_item(&test.fake, 1, NEAP_SET, "b", 1);
    fake_item(&test.fake, 1, NEAP_MAP, "c", 1);
    for (given = 0; given <= 4; given++) {
        CHECK_OK(neap_keys(&test.neap, "b", none, NULL, &test.iter));
        for (i = 0; i < given; i++)
            CHECK_OK(neap_next(test.iter, &item, 0));
        CHECK_OK(neap_iter_token(test.iter, &position));
        CHECK_TEXT(names_left(&test, text, sizeof text), lefts[given]);
        test.call.resume = (struct neap_bytes){position.data, position.size};
        if (given >= 3) /* the node seeks to the name, so its first page starts there */
            test.fake.pages_count = 0;
        CHECK_OK(neap_keys(&test.neap, "b", none, &test.call, &test.iter));
        if (given) {
            CHECK_EQUAL(test.fake.page.from.size, 1);
            CHECK(test.fake.page.from_is_name);
        }
        if (given < 3)
            CHECK_TEXT(names_left(&test, text, sizeof text), lefts[given]);
        neap_iter_free(test.iter);
        test.iter = NULL;
        test.fake.pages_count = 2;
    }
    neap_buffer_free(&position);
    iter_end(&test);
}

TEST(a_position_is_good_for_its_listing_only)
{
    struct neap_buffer position = {0};
    struct iter_test test;

    iter_setup(&test);
    CHECK_OK(neap_keys(&test.neap, "b", none, NULL, &test.iter));
    CHECK_OK(neap_iter_token(test.iter, &position));
    neap_iter_free(test.iter);
    test.iter = NULL;
    test.call.resume = (struct neap_bytes){position.data, position.size};
    CHECK_ERROR(neap_keys(&test.neap, "c", none, &test.call, &test.iter), NEAP_STALE);
    CHECK_ERROR(neap_items(&test.neap, &at, NEAP_SET, none, &test.call, &test.iter), NEAP_STALE);
    CHECK_ERROR(neap_keys(&test.neap, "b", (struct neap_bytes){"a", 1}, &test.call, &test.iter),
                NEAP_INVALID);
    test.call.resume.size--;
    CHECK_ERROR(neap_keys(&test.neap, "b", none, &test.call, &test.iter), NEAP_INVALID);
    CHECK(strstr(test.error.text, "call.resume"));
    test.call.resume = (struct neap_bytes){NULL, 2};
    CHECK_ERROR(neap_keys(&test.neap, "b", none, &test.call, &test.iter), NEAP_INVALID);
    CHECK(!test.iter);
    neap_buffer_free(&position);
    iter_end(&test);
}

TEST(iterators_check_their_arguments)
{
    struct neap_buffer buffer = {0};
    struct neap_item item;
    struct iter_test test;

    iter_setup(&test);
    CHECK_ERROR(neap_keys(NULL, "b", none, NULL, &test.iter), NEAP_INVALID);
    CHECK_ERROR(neap_keys(&test.neap, NULL, none, NULL, &test.iter), NEAP_INVALID);
    CHECK_ERROR(neap_keys(&test.neap, "b", none, NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_keys(&test.neap, "b", (struct neap_bytes){NULL, 1}, NULL, &test.iter),
                NEAP_INVALID);
    CHECK_ERROR(neap_keys(&test.neap, "b", (struct neap_bytes){"x", 5000}, NULL, &test.iter),
                NEAP_LIMIT);
    CHECK_ERROR(neap_items(&test.neap, &at, NEAP_LWW, none, NULL, &test.iter), NEAP_INVALID);
    CHECK_ERROR(neap_items(&test.neap, &at, NEAP_ANY, none, NULL, &test.iter), NEAP_INVALID);
    CHECK_ERROR(neap_items(&test.neap, NULL, NEAP_SET, none, NULL, &test.iter), NEAP_INVALID);
    CHECK_ERROR(neap_items(&test.neap, &at, NEAP_SET, none, NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_register_values(&test.neap, &at, NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_register_values(&test.neap, NULL, NULL, &test.iter), NEAP_INVALID);
    CHECK_ERROR(neap_stats(NULL, &test.iter), NEAP_INVALID);
    CHECK_ERROR(neap_stats(&test.neap, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_next(NULL, &item, 0), NEAP_INVALID);
    CHECK_ERROR(neap_iter_token(NULL, &buffer), NEAP_INVALID);
    neap_iter_free(NULL);
    CHECK_EQUAL(test.fake.calls, 0);
    CHECK(!test.iter);
    CHECK_OK(neap_keys(&test.neap, "b", none, NULL, &test.iter));
    CHECK_ERROR(neap_next(test.iter, NULL, 0), NEAP_INVALID);
    CHECK_ERROR(neap_iter_token(test.iter, NULL), NEAP_INVALID);
    iter_end(&test);
}

TEST(statistics_are_names_and_numbers)
{
    struct neap_buffer buffer = {0};
    struct neap_item item;
    struct iter_test test;

    iter_setup(&test);
    fake_item(&test.fake, 0, NEAP_ANY, "writes", 42);
    CHECK_OK(neap_stats(&test.neap, &test.iter));
    CHECK(test.fake.page.stats);
    CHECK_OK(neap_next(test.iter, &item, 0));
    CHECK_SLICE(slice_of(item.name.data, item.name.size), "writes");
    CHECK_EQUAL(item.number, 42);
    CHECK_ERROR(neap_iter_token(test.iter, &buffer), NEAP_INVALID);
    CHECK_ERROR(neap_next(test.iter, &item, 0), NEAP_END);
    neap_iter_free(test.iter);
    test.iter = NULL;
    test.fake.code = NEAP_IO;
    CHECK_ERROR(neap_stats(&test.neap, &test.iter), NEAP_IO);
    iter_end(&test);
}

TEST(a_page_from_elsewhere_that_is_none_is_an_error)
{
    struct neap_item item;
    struct iter_test test;

    iter_setup(&test);
    fake_item(&test.fake, 0, NEAP_LWW, "a", 0);
    test.fake.pages[0].items.size--;
    CHECK_OK(neap_keys(&test.neap, "b", none, NULL, &test.iter));
    CHECK_ERROR(neap_next(test.iter, &item, 0), NEAP_CORRUPT);
    iter_end(&test);
}

TEST(values_of_a_register_come_one_by_one)
{
    struct iter_test test;
    struct neap_item item;
    struct buffer bytes;
    struct cell cell;

    iter_setup(&test);
    cell_init(&cell);
    buffer_init(&bytes, 100);
    CHECK_OK(neap_register_values(&test.neap, &at, NULL, &test.iter));
    CHECK_ERROR(neap_next(test.iter, &item, 0), NEAP_END);
    neap_iter_free(test.iter);
    CHECK_OK(cell_add(&cell, (struct dot){1, 1}, slice_text("one")));
    CHECK_OK(cell_add(&cell, (struct dot){2, 1}, slice_text("two")));
    CHECK_OK(cell_encode(&cell, &bytes));
    test.fake.cell = buffer_slice(&bytes);
    CHECK_OK(neap_register_values(&test.neap, &at, NULL, &test.iter));
    CHECK_OK(neap_next(test.iter, &item, 0));
    CHECK_EQUAL(item.type, NEAP_REGISTER);
    CHECK_SLICE(slice_of(item.value.data, item.value.size), "one");
    CHECK_OK(neap_next(test.iter, &item, 0));
    CHECK_SLICE(slice_of(item.value.data, item.value.size), "two");
    CHECK_ERROR(neap_next(test.iter, &item, 0), NEAP_END);
    CHECK_ERROR(neap_next(test.iter, &item, 0), NEAP_END);
    cell_done(&cell);
    buffer_done(&bytes);
    iter_end(&test);
}

static int iter_sweep(void *argument)
{
    struct iter_test *test = argument;
    struct neap_buffer position = {0}, token = {0};
    struct neap_iter *iter = NULL;
    struct neap_item item;
    int error;

    test->call.ret_token = &token;
    error = neap_items(&test->neap, &at, NEAP_MAP, none, &test->call, &iter);
    if (error)
        CHECK(!iter && !token.size);
    while (!error)
        error = neap_next(iter, &item, 0);
    if (error == NEAP_END)
        error = neap_iter_token(iter, &position);
    neap_iter_free(iter);
    iter = NULL;
    if (!error)
        error = neap_register_values(&test->neap, &at, &test->call, &iter);
    neap_iter_free(iter);
    neap_buffer_free(&position);
    neap_buffer_free(&token);
    return error;
}

TEST(iterators_survive_failed_allocations)
{
    struct iter_test test;

    iter_setup(&test);
    fake_item(&test.fake, 0, NEAP_LWW, "a", 1);
    fake_item(&test.fake, 1, NEAP_LWW, "a longer name that will not fit into what was there before",
              1);
    test.fake.dot = (struct dot){1, 1};
    test.fake.cell = slice_of("\x90", 1);
    test_alloc_sweep(iter_sweep, &test);
    iter_end(&test);
}
