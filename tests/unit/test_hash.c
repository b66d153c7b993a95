#include "base/hash.h"
#include "tests/support/test.h"

static const struct hash_key key = {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};

/* The published vectors (vectors.h of the authors' code): key 00..0f, message 00, 01 .. of the
 * length that is the index. */
TEST(hashes_of_64_bits_are_the_published_ones)
{
    static const uint64_t expected[] = {
        0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
        0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
        0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
        0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
        0x3f2acc7f57c29bdb,
    };
    uint8_t message[17];
    size_t size;

    for (size = 0; size < 17; size++) {
        CHECK_EQUAL(hash_64(&key, slice_of(message, size)), expected[size]);
        message[size] = (uint8_t)size;
    }
}

TEST(hashes_of_128_bits_are_the_published_ones)
{
    static const char *const expected[] = {
        "a3817f04ba25a8e66df67214c7550293", "da87c1d86b99af44347659119b22fc45",
        "8177228da4a45dc7fca38bdef60affe4", "9c70b60c5267a94e5f33b6b02985ed51",
        "f88164c12d9c8faf7d0f6e7c7bcd5579", "1368875980776f8854527a07690e9627",
        "14eeca338b208613485ea0308fd7a15e", "a1f1ebbed8dbc153c0b84aa61ff08239",
        "3b62a9ba6258f5610f83e264f31497b4", "264499060ad9baabc47f8b02bb6d71ed",
        "00110dc378146956c95447d3f3d0fbba", "0151c568386b6677a2b4dc6f81e5dc18",
        "d626b266905ef35882634df68532c125", "9869e247e9c08b10d029934fc4b952f7",
        "31fcefac66d7de9c7ec7485fe4494902", "5493e99933b0a8117e08ec0f97cfc3d9",
        "6ee2a4ca67b054bbfd3315bf85230577",
    };
    uint8_t message[17];
    char text[33];
    size_t size;

    for (size = 0; size < 17; size++) {
        digest_text(hash_128(&key, slice_of(message, size)), text);
        CHECK_TEXT(text, expected[size]);
        message[size] = (uint8_t)size;
    }
}

TEST(the_key_decides_the_hash)
{
    struct hash_key other = key;

    other.bytes[15] ^= 1;
    CHECK(hash_64(&key, slice_text("a")) != hash_64(&other, slice_text("a")));
    CHECK(!digest_equal(hash_128(&key, slice_text("a")), hash_128(&other, slice_text("a"))));
    CHECK_EQUAL(hash_64(&key, slice_of(NULL, 0)), hash_64(&key, slice_text("")));
}

TEST(a_sum_of_digests_carries)
{
    struct digest sum = {0, UINT64_MAX}, one = {0, 1}, most = {UINT64_MAX, UINT64_MAX};

    digest_add(&sum, one);
    CHECK(digest_equal(sum, (struct digest){1, 0}));
    sum = most;
    digest_add(&sum, most);
    CHECK(digest_equal(sum, (struct digest){UINT64_MAX, UINT64_MAX - 1}));
    CHECK(!digest_equal(sum, most));
    CHECK(!digest_equal((struct digest){1, 2}, (struct digest){2, 2}));
}

TEST(what_was_added_to_a_sum_can_be_subtracted)
{
    struct digest sum = {5, 1}, other = {7, UINT64_MAX};

    digest_add(&sum, other);
    digest_subtract(&sum, other);
    CHECK(digest_equal(sum, (struct digest){5, 1}));
    digest_subtract(&sum, (struct digest){0, 2});
    CHECK(digest_equal(sum, (struct digest){4, UINT64_MAX}));
}

TEST(a_sum_of_digests_has_no_order)
{
    struct digest there = {0}, back = {0};
    uint8_t i;

    for (i = 0; i < 100; i++)
        digest_add(&there, hash_128(&key, slice_of(&i, 1)));
    for (i = 100; i-- > 0;)
        digest_add(&back, hash_128(&key, slice_of(&i, 1)));
    CHECK(digest_equal(there, back));
}

TEST(a_digest_prints_as_32_digits)
{
    char text[33];

    digest_text((struct digest){0x0123456789abcdef, 0xfedcba9876543210}, text);
    CHECK_TEXT(text, "0123456789abcdeffedcba9876543210");
}

/* Changing this splits every bucket from its data. */
TEST(the_number_of_a_name_never_changes)
{
    CHECK_EQUAL(hash_name(slice_text("")), 0xe5efb56b513afb9e);
    CHECK_EQUAL(hash_name(slice_text("carts")), 0x35d1c0c1e6da0bb1);
}
