#include <string.h>

#include "base/alloc.h"
#include "base/pack.h"
#include "tests/support/test.h"

/* A reader of bytes given in hex. */
static struct reader reader_hex(const char *hex)
{
    static uint8_t bytes[1024];
    struct reader reader;

    reader_init(&reader, test_unhex(hex, bytes, sizeof bytes));
    return reader;
}

static void check_u64(uint64_t value, const char *hex)
{
    struct buffer buffer;
    struct writer writer;
    struct reader reader;

    buffer_init(&buffer, 16);
    writer_init(&writer, &buffer);
    write_u64(&writer, value);
    CHECK_OK(writer.error);
    CHECK_HEX(buffer_slice(&buffer), hex);
    reader_init(&reader, buffer_slice(&buffer));
    CHECK_EQUAL(read_u64(&reader), value);
    CHECK_OK(reader_end(&reader));
    buffer_done(&buffer);
}

TEST(unsigned_integers_go_there_and_back)
{
    check_u64(0, "00");
    check_u64(127, "7f");
    check_u64(128, "cc 80");
    check_u64(255, "cc ff");
    check_u64(256, "cd 0100");
    check_u64(65535, "cd ffff");
    check_u64(65536, "ce 00010000");
    check_u64(UINT32_MAX, "ce ffffffff");
    check_u64((uint64_t)UINT32_MAX + 1, "cf 0000000100000000");
    check_u64(UINT64_MAX, "cf ffffffffffffffff");
}

static void check_i64(int64_t value, const char *hex)
{
    struct buffer buffer;
    struct writer writer;
    struct reader reader;

    buffer_init(&buffer, 16);
    writer_init(&writer, &buffer);
    write_i64(&writer, value);
    CHECK_OK(writer.error);
    CHECK_HEX(buffer_slice(&buffer), hex);
    reader_init(&reader, buffer_slice(&buffer));
    CHECK_EQUAL(read_i64(&reader), value);
    CHECK_OK(reader_end(&reader));
    buffer_done(&buffer);
}

TEST(signed_integers_go_there_and_back)
{
    check_i64(0, "00");
    check_i64(127, "7f");
    check_i64(128, "cc 80");
    check_i64(65535, "cd ffff");
    check_i64(65536, "ce 00010000");
    check_i64((int64_t)UINT32_MAX + 1, "cf 0000000100000000");
    check_i64(INT64_MAX, "cf 7fffffffffffffff");
    check_i64(-1, "ff");
    check_i64(-32, "e0");
    check_i64(-33, "d0 df");
    check_i64(-128, "d0 80");
    check_i64(-129, "d1 ff7f");
    check_i64(-32768, "d1 8000");
    check_i64(-32769, "d2 ffff7fff");
    check_i64(INT32_MIN, "d2 80000000");
    check_i64((int64_t)INT32_MIN - 1, "d3 ffffffff7fffffff");
    check_i64(INT64_MIN, "d3 8000000000000000");
}

/* The head that comes before `size` bytes, in both byte formats. */
static void check_sized(size_t size, const char *bin_head, const char *str_head)
{
    char *text = mem_resize(NULL, size + 1);
    struct buffer buffer;
    struct writer writer;
    struct reader reader;
    struct slice found;

    CHECK(text);
    memset(text, 'x', size);
    text[size] = 0;
    buffer_init(&buffer, 1 << 20);
    writer_init(&writer, &buffer);
    write_bin(&writer, slice_of(text, size));
    CHECK_HEX(slice_of(buffer.data, buffer.size - size), bin_head);
    write_str(&writer, text);
    CHECK_OK(writer.error);
    reader_init(&reader, buffer_slice(&buffer));
    found = read_bin(&reader, size);
    CHECK_EQUAL(found.size, size);
    CHECK_HEX(slice_of(reader.left.data, reader.left.size - size), str_head);
    found = read_str(&reader, size);
    CHECK_OK(reader_end(&reader));
    CHECK_SLICE(found, text);
    buffer_done(&buffer);
    mem_free(text);
}

TEST(bytes_and_text_go_there_and_back)
{
    check_sized(0, "c4 00", "a0");
    check_sized(1, "c4 01", "a1");
    check_sized(31, "c4 1f", "bf");
    check_sized(32, "c4 20", "d9 20");
    check_sized(255, "c4 ff", "d9 ff");
    check_sized(256, "c5 0100", "da 0100");
    check_sized(65535, "c5 ffff", "da ffff");
    check_sized(65536, "c6 00010000", "db 00010000");
}

static void check_array(uint32_t count, const char *head)
{
    struct buffer buffer;
    struct writer writer;
    struct reader reader;
    uint32_t i;

    buffer_init(&buffer, 1 << 20);
    writer_init(&writer, &buffer);
    write_array(&writer, count);
    CHECK_HEX(buffer_slice(&buffer), head);
    for (i = 0; i < count; i++)
        write_nil(&writer);
    CHECK_OK(writer.error);
    reader_init(&reader, buffer_slice(&buffer));
    CHECK_EQUAL(read_array(&reader, count), count);
    for (i = 0; i < count; i++)
        CHECK(read_nil(&reader));
    CHECK(!read_nil(&reader));
    CHECK_OK(reader_end(&reader));
    buffer_done(&buffer);
}

TEST(arrays_go_there_and_back)
{
    check_array(0, "90");
    check_array(15, "9f");
    check_array(16, "dc 0010");
    check_array(65535, "dc ffff");
    check_array(65536, "dd 00010000");
}

/* What is wrong for every function that reads: none may take it, nor may read_any. */
static void check_nobody_reads(struct reader reader)
{
    struct reader any = reader;
    struct slice nothing = read_any(&any);

    CHECK(!nothing.data && !nothing.size);
    CHECK_ERROR(any.error, NEAP_INVALID);
    any = reader;
    CHECK_EQUAL(read_u64(&any), 0);
    CHECK_ERROR(any.error, NEAP_INVALID);
    any = reader;
    CHECK_EQUAL(read_i64(&any), 0);
    CHECK_ERROR(any.error, NEAP_INVALID);
    any = reader;
    CHECK_EQUAL(read_bin(&any, SIZE_MAX).size, 0);
    CHECK_ERROR(any.error, NEAP_INVALID);
    any = reader;
    CHECK_EQUAL(read_str(&any, SIZE_MAX).size, 0);
    CHECK_ERROR(any.error, NEAP_INVALID);
    any = reader;
    CHECK_EQUAL(read_array(&any, UINT32_MAX), 0);
    CHECK_ERROR(any.error, NEAP_INVALID);
    any = reader;
    CHECK(!read_nil(&any));
}

static void check_refused(const char *hex)
{
    check_nobody_reads(reader_hex(hex));
}

/* A head with more than enough behind it for any body: only the head can be wrong. */
static void check_head(const char *hex, bool fine)
{
    static uint8_t bytes[70000];
    struct slice head = test_unhex(hex, bytes, 8);
    struct reader reader;

    memset(bytes + head.size, 0, sizeof bytes - head.size);
    reader_init(&reader, slice_of(bytes, sizeof bytes));
    if (!fine) {
        check_nobody_reads(reader);
        return;
    }
    CHECK(read_any(&reader).size > head.size);
    CHECK_OK(reader.error);
}

TEST(integers_in_a_longer_form_than_needed_are_refused)
{
    check_refused("cc 00");
    check_refused("cc 7f");
    check_refused("cd 00ff");
    check_refused("ce 0000ffff");
    check_refused("cf 00000000ffffffff");
    check_refused("d0 ff");
    check_refused("d0 e0");
    check_refused("d1 ff80");
    check_refused("d2 ffff8000");
    check_refused("d3 ffffffff80000000");
    /* Positive numbers in signed formats. */
    check_refused("d0 7f");
    check_refused("d0 00");
    check_refused("d1 00ff");
    check_refused("d1 7fff");
    check_refused("d2 7fffffff");
    check_refused("d3 7fffffffffffffff");
}

TEST(sizes_in_a_longer_form_than_needed_are_refused)
{
    static const struct {
        const char *refused, *fine;
    } heads[] = {
        {"c5 0000", "c4 01"},     {"c5 00ff", "c5 0100"},
        {"c6 00000001", "c4 ff"}, {"c6 0000ffff", "c6 00010000"},
        {"d9 00", "a1"},          {"d9 1f", "d9 20"},
        {"da 0001", "bf"},        {"da 00ff", "da 0100"},
        {"db 00000001", "d9 ff"}, {"db 0000ffff", "db 00010000"},
        {"dc 0001", "91"},        {"dc 000f", "dc 0010"},
        {"dd 00000001", "9f"},    {"dd 0000ffff", "dd 00010000"},
    };
    size_t i;

    for (i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        check_head(heads[i].refused, false);
        check_head(heads[i].fine, true);
    }
}

TEST(kinds_that_we_do_not_use_are_refused)
{
    check_refused("c2"); /* booleans */
    check_refused("c3");
    check_refused("c1"); /* never used */
    check_refused("80"); /* maps */
    check_refused("81 01 01");
    check_refused("8f");
    check_refused("de 0001 01 01");
    check_refused("df 00000001 01 01");
    check_refused("ca 3f800000"); /* floats */
    check_refused("cb 3ff0000000000000");
    check_refused("d4 01 00"); /* extensions */
    check_refused("d5 01 0000");
    check_refused("d6 01 00000000");
    check_refused("d7 01 0000000000000000");
    check_refused("d8 01 00000000000000000000000000000000");
    check_refused("c7 01 01 00");
    check_refused("c8 0001 01 00");
    check_refused("c9 00000001 01 00");
}

TEST(values_that_end_too_early_are_refused)
{
    check_refused("");
    check_refused("cc");
    check_refused("cd 01");
    check_refused("ce 010000");
    check_refused("cf 01000000000000");
    check_refused("d0");
    check_refused("d1 80");
    check_refused("d2 800000");
    check_refused("d3 80000000000000");
    check_refused("c4");
    check_refused("c4 01");
    check_refused("c5 0100 00");
    check_refused("c6 ffffffff 00");
    check_refused("a1");
    check_refused("d9 20 61");
    check_refused("da 01");
    check_refused("db ffffffff 61");
    check_refused("91");
    check_refused("9f c0 c0");
    check_refused("dc 0010 c0");
    check_refused("dd ffffffff c0");
}

TEST(each_function_reads_its_own_kind_only)
{
    static const char *const values[] = {"c0", "05", "ff", "c4 01 61", "a1 61", "91 c0"};
    struct reader reader;
    int i, positive, negative;

    for (i = 0; i < 6; i++) {
        positive = i == 1;
        negative = i == 2;
        reader = reader_hex(values[i]);
        CHECK_EQUAL(read_u64(&reader), positive ? 5 : 0);
        CHECK_EQUAL(reader_end(&reader) == 0, positive);
        reader = reader_hex(values[i]);
        CHECK_EQUAL(read_i64(&reader), positive ? 5 : negative ? -1 : 0);
        CHECK_EQUAL(reader_end(&reader) == 0, positive || negative);
        reader = reader_hex(values[i]);
        CHECK_EQUAL(read_bin(&reader, 10).size, i == 3);
        CHECK_EQUAL(reader_end(&reader) == 0, i == 3);
        reader = reader_hex(values[i]);
        CHECK_EQUAL(read_str(&reader, 10).size, i == 4);
        CHECK_EQUAL(reader_end(&reader) == 0, i == 4);
        reader = reader_hex(values[i]);
        CHECK_EQUAL(read_array(&reader, 10), i == 5);
        CHECK_EQUAL(reader.error == 0, i == 5);
        reader = reader_hex(values[i]);
        CHECK_EQUAL(read_nil(&reader), i == 0);
        CHECK_EQUAL(reader_end(&reader) == 0, i == 0);
        CHECK_OK(reader.error);
    }
    reader = reader_hex("cf 8000000000000000");
    CHECK_EQUAL(read_i64(&reader), 0);
    CHECK_ERROR(reader_end(&reader), NEAP_INVALID);
}

TEST(what_is_over_a_limit_is_refused)
{
    struct reader reader = reader_hex("c4 03 616263");

    CHECK_EQUAL(read_bin(&reader, 2).size, 0);
    CHECK_ERROR(reader_end(&reader), NEAP_LIMIT);
    reader = reader_hex("a3 616263");
    CHECK_EQUAL(read_str(&reader, 2).size, 0);
    CHECK_ERROR(reader_end(&reader), NEAP_LIMIT);
    reader = reader_hex("93 01 02 03");
    CHECK_EQUAL(read_array(&reader, 2), 0);
    CHECK_ERROR(reader_end(&reader), NEAP_LIMIT);
    /* A hostile count is never returned, whatever the caller's limit. */
    reader = reader_hex("dd ffffffff 00000000");
    CHECK_EQUAL(read_array(&reader, UINT32_MAX), 0);
    CHECK_ERROR(reader_end(&reader), NEAP_INVALID);
}

TEST(an_array_of_another_length_is_refused)
{
    struct reader reader = reader_hex("92 01 02");

    read_array_of(&reader, 2);
    CHECK_EQUAL(read_u64(&reader), 1);
    CHECK_EQUAL(read_u64(&reader), 2);
    CHECK_OK(reader_end(&reader));
    reader = reader_hex("92 01 02");
    read_array_of(&reader, 1);
    CHECK_ERROR(reader_end(&reader), NEAP_INVALID);
    reader = reader_hex("91 01");
    read_array_of(&reader, 2);
    CHECK_ERROR(reader_end(&reader), NEAP_INVALID);
}

TEST(the_first_error_sticks_and_later_reads_give_nothing)
{
    struct reader reader = reader_hex("05 c4 03 616263 07");

    CHECK_EQUAL(read_u64(&reader), 5);
    (void)read_bin(&reader, 1);
    CHECK_ERROR(reader.error, NEAP_LIMIT);
    CHECK_EQUAL(reader.left.size, 0);
    CHECK_EQUAL(read_u64(&reader), 0);
    CHECK_EQUAL(read_i64(&reader), 0);
    CHECK_EQUAL(read_str(&reader, 9).size, 0);
    CHECK_EQUAL(read_array(&reader, 9), 0);
    CHECK_EQUAL(read_any(&reader).size, 0);
    CHECK(!read_nil(&reader));
    reader_fail(&reader, NEAP_CORRUPT);
    CHECK_ERROR(reader_end(&reader), NEAP_LIMIT);
    reader = reader_hex("05");
    reader_fail(&reader, 0);
    CHECK_EQUAL(read_u64(&reader), 5);
    reader_fail(&reader, NEAP_CORRUPT);
    CHECK_ERROR(reader_end(&reader), NEAP_CORRUPT);
}

TEST(trailing_bytes_are_refused)
{
    struct reader reader = reader_hex("05 00");

    CHECK_EQUAL(read_u64(&reader), 5);
    CHECK_ERROR(reader_end(&reader), NEAP_INVALID);
    reader = reader_hex("");
    CHECK_OK(reader_end(&reader));
}

TEST(any_value_is_given_as_its_bytes)
{
    static const char *const values[] = {"c0",    "05",      "cd 0100",
                                         "ff",    "d1 ff7f", "a3 616263",
                                         "c4 00", "90",      "93 01 92 a1 61 c4 01 00 90"};
    struct reader reader;
    size_t i;

    for (i = 0; i < sizeof values / sizeof values[0]; i++) {
        reader = reader_hex(values[i]);
        CHECK_HEX(read_any(&reader), values[i]);
        CHECK_OK(reader_end(&reader));
    }
    reader = reader_hex("92 01 02 91 03");
    CHECK_HEX(read_any(&reader), "92 01 02");
    CHECK_HEX(read_any(&reader), "91 03");
    CHECK_OK(reader_end(&reader));
}

TEST(nesting_is_limited_to_eight)
{
    struct reader reader = reader_hex("91 91 91 91 91 91 91 91 01");

    CHECK_EQUAL(read_any(&reader).size, 9);
    CHECK_OK(reader_end(&reader));
    reader = reader_hex("91 91 91 91 91 91 91 91 91 01");
    CHECK_EQUAL(read_any(&reader).size, 0);
    CHECK_ERROR(reader_end(&reader), NEAP_LIMIT);
    /* What is done does not count. */
    reader = reader_hex("92 91 91 91 91 91 91 91 01 91 91 91 91 91 91 90");
    CHECK_EQUAL(read_any(&reader).size, 16);
    CHECK_OK(reader_end(&reader));
}

TEST(a_mistake_inside_is_found_in_any_value)
{
    static const char *const values[] = {"92 01 cc 05", "92 01 80", "91 91 c5 0001 00"};
    size_t i;

    for (i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct reader reader = reader_hex(values[i]);

        CHECK_EQUAL(read_any(&reader).size, 0);
        CHECK_ERROR(reader_end(&reader), NEAP_INVALID);
    }
}

/* Any bytes at all: whatever reads, reads within the input and takes no memory; and a value that is
 * taken is the one way to write it. */
TEST(short_inputs_of_all_kinds_are_read_within_bounds)
{
    uint64_t calls = mem_calls();
    unsigned first, second, size;

    for (first = 0; first < 256; first++)
        for (second = 0; second < 256; second++)
            for (size = 0; size <= 4; size++) {
                uint8_t bytes[4] = {(uint8_t)first, (uint8_t)second, 0xff, 1};
                struct reader reader;
                struct slice any;

                reader_init(&reader, slice_of(bytes, size));
                any = read_any(&reader);
                CHECK(any.size <= size);
                CHECK(reader.error ? !any.data && !reader.left.size : any.data == bytes);
                CHECK(reader.error || any.size + reader.left.size == size);
            }
    CHECK_EQUAL(mem_calls(), calls);
}

TEST(what_does_not_fit_is_not_written)
{
    struct buffer buffer;
    struct writer writer;

    buffer_init(&buffer, 8);
    writer_init(&writer, &buffer);
    write_array(&writer, 2);
    write_bin(&writer, slice_text("too long"));
    CHECK_ERROR(writer.error, NEAP_LIMIT);
    CHECK_HEX(buffer_slice(&buffer), "92");
    write_u64(&writer, 1);
    write_i64(&writer, -1);
    write_nil(&writer);
    write_array(&writer, 1);
    write_str(&writer, "a");
    write_raw(&writer, slice_text("\x01"));
    CHECK_ERROR(writer.error, NEAP_LIMIT);
    CHECK_HEX(buffer_slice(&buffer), "92");
    buffer_done(&buffer);
}

TEST(a_body_over_four_gibibytes_is_refused)
{
    struct buffer buffer;
    struct writer writer;

    buffer_init(&buffer, SIZE_MAX);
    writer_init(&writer, &buffer);
    write_bin(&writer, slice_of("", (size_t)UINT32_MAX + 1));
    CHECK_ERROR(writer.error, NEAP_LIMIT);
    CHECK_EQUAL(buffer.size, 0);
    buffer_done(&buffer);
}

TEST(packed_bytes_are_written_as_they_are)
{
    struct buffer buffer;
    struct writer writer;

    buffer_init(&buffer, 100);
    writer_init(&writer, &buffer);
    write_array(&writer, 2);
    write_raw(&writer, slice_of("\x92\x01\x02", 3));
    write_i64(&writer, -5);
    CHECK_OK(writer.error);
    CHECK_HEX(buffer_slice(&buffer), "92 92 01 02 fb");
    buffer_done(&buffer);
}

static int write_all(void *argument)
{
    struct buffer buffer;
    struct writer writer;
    int i;

    (void)argument;
    buffer_init(&buffer, 1 << 16);
    writer_init(&writer, &buffer);
    for (i = 0; i < 50; i++) {
        write_array(&writer, 3);
        write_u64(&writer, 1000);
        write_bin(&writer, slice_text("bytes"));
        write_str(&writer, "text");
    }
    buffer_done(&buffer);
    return writer.error;
}

TEST(a_writer_without_memory_says_so)
{
    test_alloc_sweep(write_all, NULL);
}
