#include "base/text.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/support/test.h"

TEST(hex_digits_go_round)
{
    const uint8_t bytes[] = {0x00, 0x9a, 0xff, 0x10};
    uint8_t read[4];
    char text[9];

    hex_write(slice_of(bytes, sizeof bytes), text);
    CHECK_TEXT(text, "009aff10");
    CHECK(hex_read(text, read, sizeof read));
    CHECK(!memcmp(read, bytes, sizeof bytes));
    CHECK(hex_read("9a and more", read, 1));
    CHECK_EQUAL(read[0], 0x9a);
    hex_write(slice_of(NULL, 0), text);
    CHECK_TEXT(text, "");
}

TEST(what_is_no_digit_gives_nothing)
{
    static const char *const wrong[] = {"", "0", "00112", "0011223g", "AABBCCDD", "0011 233", "-1"};
    uint8_t read[4] = {7, 7, 7, 7};
    uint64_t number = 7;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        CHECK(!hex_read(wrong[i], read, sizeof read));
        CHECK(!hex_read_u64(wrong[i], &number));
    }
    CHECK_EQUAL(read[0], 7);
    CHECK_EQUAL(number, 7);
    CHECK(hex_read_u64("00c0ffee00c0ffee", &number));
    CHECK_EQUAL(number, 0x00c0ffee00c0ffee);
}

TEST(blanks_at_both_ends_go)
{
    char text[] = " \t in the\tmiddle \r", blank[] = " \t ", none[] = "";

    CHECK_TEXT(text_trim(text), "in the\tmiddle");
    CHECK_TEXT(text_trim(blank), "");
    CHECK_TEXT(text_trim(none), "");
}

static int parents(void *unused)
{
    static const char *const pairs[][2] = {{"/a/b", "/a"}, {"a/b/", "a"}, {"/a", "/"}, {"a", "."},
                                           {"/", "/"},     {"a//", "."},  {"", "."}};

    (void)unused;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *parent = text_parent(pairs[i][0]);

        if (!parent)
            return NEAP_NOMEM;
        CHECK_TEXT(parent, pairs[i][1]);
        mem_free(parent);
    }
    return 0;
}

TEST(a_path_is_in_a_directory)
{
    test_alloc_sweep(parents, NULL);
}
