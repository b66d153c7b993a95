#include "store/keys.h"

#include <string.h>

#include "tests/support/test.h"

static struct key made, other;

TEST(cell_keys_are_shard_bucket_path)
{
    key_cell(&made, 1, 0x0203, slice_text("pa"));
    CHECK_HEX(key_slice(&made), "00 00 00 00 00 00 00 01 00 00 00 00 00 00 02 03 70 61");
    CHECK(key_cell_is(key_slice(&made)));
    CHECK_EQUAL(key_cell_bucket(key_slice(&made)), 0x0203);
    CHECK_SLICE(key_cell_path(key_slice(&made)), "pa");
    key_cell(&made, 1, 2, slice_of(NULL, 0));
    CHECK(!key_cell_is(key_slice(&made)));
}

TEST(log_keys_are_shard_dot)
{
    struct dot dot = {.id = 0xfedcba9876543210u, .n = 7}, found;

    key_log(&made, 2, dot);
    CHECK_HEX(key_slice(&made), "00 00 00 00 00 00 00 02 fe dc ba 98 76 54 32 10"
                                "00 00 00 00 00 00 00 07");
    CHECK(key_log_is(key_slice(&made)));
    found = key_log_dot(key_slice(&made));
    CHECK_EQUAL(found.id, dot.id);
    CHECK_EQUAL(found.n, dot.n);
    CHECK(!key_log_is(slice_of(made.bytes, made.size - 1)));
}

TEST(meta_keys_start_with_their_letter)
{
    key_meta(&made, 'F');
    CHECK_SLICE(key_slice(&made), "F");
    key_shard(&made, 0x41);
    CHECK_HEX(key_slice(&made), "53 00 00 00 00 00 00 00 41");
    CHECK_EQUAL(key_shard_of(key_slice(&made)), 0x41);
    key_residue(&made, 1, 2);
    CHECK_HEX(key_slice(&made), "52 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02");
    CHECK(key_residue_is(key_slice(&made)));
    CHECK_EQUAL(key_residue_ref(key_slice(&made)), 2);
    key_unsettled(&made, 1, 2, 3, slice_text("p"));
    CHECK_HEX(key_slice(&made), "55 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02"
                                "00 00 00 00 00 00 00 03 70");
    CHECK(key_unsettled_is(key_slice(&made)));
    CHECK(!key_residue_is(key_slice(&made)));
    CHECK_EQUAL(key_shard_of(key_slice(&made)), 1);
    CHECK_EQUAL(key_residue_ref(key_slice(&made)), 2);
    CHECK_EQUAL(key_unsettled_bucket(key_slice(&made)), 3);
    CHECK_SLICE(key_unsettled_path(key_slice(&made)), "p");
    key_session(&made, 1);
    CHECK_HEX(key_slice(&made), "43 00 00 00 00 00 00 00 01");
    key_tree(&made, 1);
    CHECK_HEX(key_slice(&made), "54 00 00 00 00 00 00 00 01");
    key_tree_part(&made, 1, 2);
    CHECK_HEX(key_slice(&made), "54 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00 02");
    CHECK_EQUAL(key_shard_of(key_slice(&made)), 1);
}

TEST(keys_sort_as_their_numbers_do)
{
    key_log(&made, 1, (struct dot){.id = 5, .n = 255});
    key_log(&other, 1, (struct dot){.id = 5, .n = 256});
    CHECK(slice_compare(key_slice(&made), key_slice(&other)) < 0);
    key_log(&made, 1, (struct dot){.id = 6, .n = 1});
    CHECK(slice_compare(key_slice(&other), key_slice(&made)) < 0);
}

TEST(the_end_of_a_prefix_is_after_all_its_keys_and_before_the_next)
{
    key_shard_prefix(&made, 7);
    key_end(&made, &other);
    CHECK_HEX(key_slice(&other), "00 00 00 00 00 00 00 08");
    key_shard_meta_prefix(&made, 'R', 0xff);
    key_end(&made, &other);
    CHECK_HEX(key_slice(&other), "52 00 00 00 00 00 00 01");
    key_end(&made, &made);
    CHECK_BYTES(key_slice(&made), key_slice(&other));
}

TEST(even_a_prefix_of_ff_only_has_an_end)
{
    static uint8_t path[NEAP_PATH_MAX];

    key_shard_prefix(&made, UINT64_MAX);
    key_end(&made, &other);
    CHECK(other.size > 0);
    memset(path, 0xff, sizeof path);
    key_cell(&made, UINT64_MAX, UINT64_MAX, slice_of(path, sizeof path));
    CHECK(slice_compare(key_slice(&made), key_slice(&other)) < 0);
}

static void add_long_path(void *argument)
{
    key_cell(&made, 1, 2, slice_of(argument, KEY_SIZE_MAX));
}

TEST(a_path_that_does_not_fit_is_a_mistake_of_ours)
{
    static uint8_t path[KEY_SIZE_MAX];

    CHECK_DIES(add_long_path, path);
}
