#include <string.h>

#include "base/alloc.h"
#include "tests/support/test.h"

TEST(slices_compare_as_memory_and_a_prefix_comes_first)
{
    struct slice empty = slice_of(NULL, 0);

    CHECK(slice_compare(slice_text("a"), slice_text("b")) < 0);
    CHECK(slice_compare(slice_text("b"), slice_text("ab")) > 0);
    CHECK(slice_compare(slice_text("a"), slice_text("ab")) < 0);
    CHECK(slice_compare(slice_text("ab"), slice_text("a")) > 0);
    CHECK(slice_compare(slice_text("\x7f"), slice_text("\x80")) < 0);
    CHECK_EQUAL(slice_compare(slice_text("ab"), slice_text("ab")), 0);
    CHECK_EQUAL(slice_compare(empty, slice_text("")), 0);
    CHECK(slice_compare(empty, slice_text("a")) < 0);
}

TEST(slices_are_equal_by_content)
{
    struct slice empty = slice_of(NULL, 0);

    CHECK(slice_equal(slice_text("ab"), slice_of("abc", 2)));
    CHECK(!slice_equal(slice_text("ab"), slice_text("ac")));
    CHECK(!slice_equal(slice_text("ab"), slice_text("abc")));
    CHECK(slice_equal(empty, slice_text("")));
    CHECK_EQUAL(slice_text(NULL).size, 0);
}

TEST(a_slice_starts_with_its_prefixes)
{
    CHECK(slice_starts(slice_text("abc"), slice_text("ab")));
    CHECK(slice_starts(slice_text("abc"), slice_text("abc")));
    CHECK(slice_starts(slice_text("abc"), slice_of(NULL, 0)));
    CHECK(slice_starts(slice_of(NULL, 0), slice_of(NULL, 0)));
    CHECK(!slice_starts(slice_text("abc"), slice_text("abcd")));
    CHECK(!slice_starts(slice_text("abc"), slice_text("b")));
}

TEST(integers_are_stored_in_the_order_of_numbers)
{
    uint8_t bytes[8];

    bytes_put_u64(bytes, 0x0102030405060708);
    CHECK_HEX(slice_of(bytes, 8), "01 02 03 04 05 06 07 08");
    CHECK_EQUAL(bytes_get_u64(bytes), 0x0102030405060708);
    bytes_put_u64(bytes, UINT64_MAX);
    CHECK(bytes_get_u64(bytes) == UINT64_MAX);
}

TEST(a_buffer_takes_exactly_its_limit)
{
    struct buffer buffer;
    size_t i;

    buffer_init(&buffer, 100);
    for (i = 0; i < 100; i++)
        CHECK_OK(buffer_append_u8(&buffer, (uint8_t)i));
    CHECK_EQUAL(buffer.room, 100);
    CHECK_ERROR(buffer_append_u8(&buffer, 1), NEAP_LIMIT);
    CHECK_ERROR(buffer_reserve(&buffer, 1), NEAP_LIMIT);
    CHECK_ERROR(buffer_reserve(&buffer, SIZE_MAX), NEAP_LIMIT);
    CHECK_OK(buffer_append(&buffer, slice_of(NULL, 0)));
    CHECK_EQUAL(buffer_slice(&buffer).size, 100);
    CHECK_EQUAL(buffer.data[99], 99);
    buffer_done(&buffer);
    CHECK_EQUAL(buffer_slice(&buffer).size, 0);
    buffer_done(&buffer);
}

TEST(a_zeroed_buffer_is_empty_and_takes_nothing)
{
    struct buffer buffer = {0};

    CHECK_ERROR(buffer_append_u8(&buffer, 1), NEAP_LIMIT);
    CHECK_EQUAL(buffer_slice(&buffer).size, 0);
    buffer_clear(&buffer);
    buffer_done(&buffer);
}

TEST(a_buffer_without_limit_takes_no_more_than_it_needs)
{
    struct buffer buffer;

    buffer_init(&buffer, SIZE_MAX);
    CHECK_OK(buffer_append(&buffer, slice_text("abcdefgh")));
    CHECK_SLICE(buffer_slice(&buffer), "abcdefgh");
    CHECK(buffer.room <= 64);
    CHECK_OK(buffer_reserve(&buffer, 1000));
    CHECK(buffer.room >= 1008 && buffer.room < 2048);
    CHECK_ERROR(buffer_reserve(&buffer, SIZE_MAX - 8), NEAP_NOMEM);
    CHECK_SLICE(buffer_slice(&buffer), "abcdefgh");
    buffer_done(&buffer);
}

TEST(a_buffer_may_be_fed_from_itself)
{
    struct buffer buffer;
    int i;

    buffer_init(&buffer, 4096);
    CHECK_OK(buffer_append(&buffer, slice_text("ab")));
    for (i = 0; i < 10; i++)
        CHECK_OK(buffer_append(&buffer, buffer_slice(&buffer)));
    CHECK_EQUAL(buffer.size, 2048);
    for (i = 0; i < 2048; i += 2)
        CHECK(buffer.data[i] == 'a' && buffer.data[i + 1] == 'b');
    CHECK_OK(buffer_set(&buffer, slice_of(buffer.data + 1, 3)));
    CHECK_SLICE(buffer_slice(&buffer), "bab");
    buffer_done(&buffer);
}

TEST(setting_replaces_and_clearing_keeps_the_memory)
{
    struct buffer buffer;
    uint8_t *data;

    buffer_init(&buffer, 10);
    CHECK_OK(buffer_set(&buffer, slice_text("long text")));
    data = buffer.data;
    CHECK_OK(buffer_set(&buffer, slice_text("short")));
    CHECK_SLICE(buffer_slice(&buffer), "short");
    CHECK_ERROR(buffer_set(&buffer, slice_text("much too long")), NEAP_LIMIT);
    CHECK_SLICE(buffer_slice(&buffer), "short");
    buffer_clear(&buffer);
    CHECK_EQUAL(buffer.size, 0);
    CHECK(buffer.data == data);
    CHECK_OK(buffer_set(&buffer, slice_of(NULL, 0)));
    buffer_done(&buffer);
}

/* Grows a buffer step by step; a step that fails must leave it as it was. */
static int grow(void *argument)
{
    static const char text[] = "0123456789012345678901234567890123456789";
    struct buffer buffer;
    int error = 0, i;

    (void)argument;
    buffer_init(&buffer, 4096);
    for (i = 0; i < 40 && !error; i++) {
        size_t size = buffer.size;

        error = i % 8 == 7 ? buffer_set(&buffer, slice_text("start"))
                           : buffer_append(&buffer, slice_text(text));
        if (error)
            CHECK_EQUAL(buffer.size, size);
    }
    buffer_done(&buffer);
    return error;
}

TEST(a_buffer_without_memory_stays_as_it_was)
{
    test_alloc_sweep(grow, NULL);
}
