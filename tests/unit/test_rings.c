/* Rings as they are read from the system's bucket, and what is asked of them. */
#include "gossip/rings.h"

#include <string.h>

#include "tests/unit/ring_cases.h"

/* ---- names ---- */

TEST(a_bucket_says_where_it_is_placed)
{
    struct slice ring;
    unsigned slot;

    CHECK(bucket_ring("orders@main", &ring));
    CHECK_SLICE(ring, "main");
    CHECK(!bucket_ring("orders", &ring));
    CHECK(!bucket_ring("@main/3", &ring));
    CHECK(shard_ring("@main/4095", &ring, &slot));
    CHECK_SLICE(ring, "main");
    CHECK_EQUAL(slot, 4095);
    CHECK(shard_ring("@main/0", &ring, &slot));
    CHECK(!shard_ring("@main/4096", &ring, &slot));
    CHECK(!shard_ring("@main/01", &ring, &slot));
    CHECK(!shard_ring("@main/", &ring, &slot));
    CHECK(!shard_ring("@main/1x", &ring, &slot));
    CHECK(!shard_ring("@/1", &ring, &slot));
    CHECK(!shard_ring("orders@main", &ring, &slot));
    CHECK_ERROR(ring_name_check(slice_text("Main")), NEAP_INVALID);
    CHECK_ERROR(ring_name_check(slice_text("")), NEAP_INVALID);
    CHECK_OK(ring_name_check(slice_text("main-2")));
    CHECK_OK(ring_zone_check(slice_text("eu-west-1a")));
    CHECK_ERROR(ring_zone_check(slice_text("a b")), NEAP_INVALID);
}

/* ---- reading ---- */

static int two_rings(void *argument)
{
    struct pair_of_nodes nodes;
    struct rings rings = {0}, copy = {0};
    struct made made[2];
    int error;

    (void)argument;
    memset(made, 0, sizeof made);
    error = nodes_open(&nodes);
    if (!error)
        error = ring_make(NULL, "abc", SLOTS, &made[0]);
    if (!error)
        error = ring_make(NULL, "abcabc", 4, &made[1]);
    if (!error)
        error = made_put(&nodes, "main", &made[0], 1);
    if (!error)
        error = made_put(&nodes, "a-b", &made[1], 1);
    if (!error)
        error = ring_put(&nodes, "main", RING_BUCKETS, 0, slice_text("orders@main"));
    if (!error)
        error = ring_put(&nodes, "planned", RING_STAGED, A, slice_text("?"));
    if (!error)
        error = rings_read_as(&nodes, A, &rings);
    if (!error)
        error = rings_copy(&rings, &copy);
    if (!error) {
        const struct ring *ring = rings_of_bucket(&copy, "orders@main");
        uint64_t owners[LAYOUT_OWNERS_MAX], members[RING_MEMBERS_MAX];
        unsigned slot;

        CHECK_EQUAL(copy.count, 2);
        CHECK(ring && !rings_of_bucket(&copy, "orders@planned"));
        CHECK_EQUAL(ring->slots, SLOTS);
        CHECK(ring_has_bucket(ring, bucket_id("orders@main")));
        CHECK(!ring_has_bucket(ring, bucket_id("other@main")));
        CHECK(ring_coordinates(ring, A) && !ring_coordinates(ring, D));
        CHECK(rings_shard(&copy, bucket_id("@main/3"), &slot) == ring);
        CHECK_EQUAL(slot, 3);
        CHECK(!rings_shard(&copy, bucket_id("@main/16"), &slot));
        CHECK(rings_holds(&copy, bucket_id("@main/3"), A));
        CHECK(!rings_holds(&copy, bucket_id("@main/3"), D));
        CHECK_EQUAL(ring_owners(ring_newest(ring), 3, owners), 3);
        CHECK_EQUAL(ring_members(ring, 3, members), 3);
        CHECK(rings_find(&copy, slice_text("a-b")));
    }
    rings_done(&rings);
    rings_done(&copy);
    layout_done(&made[0].layout.layout);
    layout_done(&made[1].layout.layout);
    nodes_close(&nodes);
    return error;
}

/* Nodes of one zone: a slot has three owners of five, and others have others. */
TEST(a_batch_needs_one_node_that_holds_all_of_it)
{
    uint64_t shards[SLOTS + 1] = {bucket_id("mesh")};
    struct pair_of_nodes nodes;
    struct rings rings = {0};
    struct made made;
    unsigned with = 0, without = 0;
    char name[RING_SHARD_NAME_MAX];

    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(ring_make(NULL, "aaaaa", SLOTS, &made));
    CHECK_OK(made_put(&nodes, "main", &made, 1));
    CHECK_OK(rings_read_as(&nodes, A, &rings));
    for (unsigned slot = 0; slot < SLOTS; slot++)
        shards[slot + 1] = bucket_id(ring_shard_name(&rings.rings[0], slot, name));
    CHECK(rings_have_one(&rings, shards, 0));
    CHECK(rings_have_one(&rings, shards, 2));
    CHECK(!rings_have_one(&rings, shards, SLOTS + 1));
    for (size_t i = 1; i + 2 <= SLOTS; i++) {
        bool one = false;

        for (uint64_t node = A; node <= E; node++)
            one = one || (rings_holds(&rings, shards[i], node) &&
                          rings_holds(&rings, shards[i + 1], node) &&
                          rings_holds(&rings, shards[i + 2], node));
        CHECK_EQUAL(rings_have_one(&rings, shards + i, 3), one);
        with += one;
        without += !one;
    }
    CHECK(with > 0 && without > 0);
    rings_done(&rings);
    layout_done(&made.layout.layout);
    nodes_close(&nodes);
}

TEST(rings_are_read_as_they_are)
{
    CHECK_OK(two_rings(NULL));
}

TEST(rings_survive_failing_allocations)
{
    test_alloc_sweep(two_rings, NULL);
}

TEST(what_is_corrupt_leaves_what_was_read_before)
{
    struct pair_of_nodes nodes;
    struct rings rings = {0};
    struct made made;

    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(ring_make(NULL, "abc", SLOTS, &made));
    CHECK_OK(made_put(&nodes, "main", &made, 1));
    CHECK_OK(rings_read_as(&nodes, A, &rings));
    CHECK_OK(ring_put(&nodes, "main", RING_TRACK, B, slice_text("nonsense")));
    CHECK_ERROR(rings_read_as(&nodes, A, &rings), NEAP_CORRUPT);
    CHECK_EQUAL(rings.count, 1);
    rings_done(&rings);
    layout_done(&made.layout.layout);
    nodes_close(&nodes);
}

/* The key must be what its bytes come to. */
TEST(a_layout_under_another_name_is_corrupt)
{
    struct pair_of_nodes nodes;
    struct rings rings = {0};
    struct buffer bytes;
    struct made made;

    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(ring_make(NULL, "abc", SLOTS, &made));
    CHECK_OK(made_pack(&made, 1, &bytes));
    CHECK_OK(ring_put(&nodes, "main", RING_LAYOUT, (uint64_t)2 << 32, buffer_slice(&bytes)));
    CHECK_ERROR(rings_read_as(&nodes, A, &rings), NEAP_CORRUPT);
    buffer_done(&bytes);
    layout_done(&made.layout.layout);
    nodes_close(&nodes);
}

/* Two layouts of version 2: one wins, everywhere the same, and both are active. */
TEST(of_two_layouts_of_a_version_one_is_superseded)
{
    struct pair_of_nodes nodes;
    struct rings rings = {0};
    struct made first, made[2];
    const struct ring *ring;
    unsigned winner;

    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(ring_make(NULL, "abc", SLOTS, &first));
    CHECK_OK(made_put(&nodes, "main", &first, 1));
    CHECK_OK(ring_make(&first, "abca", SLOTS, &made[0]));
    CHECK_OK(made_put(&nodes, "main", &made[0], 2));
    CHECK_OK(ring_make(&first, "abcab", SLOTS, &made[1]));
    CHECK_OK(made_put(&nodes, "main", &made[1], 2));
    winner = made[1].layout.stamp > made[0].layout.stamp;
    CHECK_OK(rings_read_as(&nodes, A, &rings));
    ring = rings_find(&rings, slice_text("main"));
    CHECK_EQUAL(ring->layouts_count, 3);
    CHECK_EQUAL(ring_newest(ring)->stamp, made[winner].layout.stamp);
    CHECK(!ring->layouts[0].superseded && ring->layouts[1].superseded);
    CHECK(!ring->layouts[2].superseded);
    CHECK_EQUAL(ring_reading(ring)->stamp, first.layout.stamp);
    CHECK(!ring_coordinates(ring, D));
    rings_done(&rings);
    layout_done(&first.layout.layout);
    layout_done(&made[0].layout.layout);
    layout_done(&made[1].layout.layout);
    nodes_close(&nodes);
}

TEST(a_ring_that_was_made_twice_has_the_slots_of_the_winner)
{
    struct pair_of_nodes nodes;
    struct rings rings = {0};
    struct made made[2];

    CHECK_OK(nodes_open(&nodes));
    for (unsigned i = 0; i < 2; i++) {
        CHECK_OK(ring_make(NULL, "abc", (unsigned)SLOTS << i, &made[i]));
        CHECK_OK(made_put(&nodes, "main", &made[i], 1));
    }
    CHECK_OK(rings_read_as(&nodes, A, &rings));
    CHECK_EQUAL(rings.rings[0].strange, 1);
    CHECK_EQUAL(rings.rings[0].layouts_count, 1);
    CHECK_EQUAL(rings.rings[0].slots,
                made[made[1].layout.stamp > made[0].layout.stamp].layout.layout.slots);
    rings_done(&rings);
    layout_done(&made[0].layout.layout);
    layout_done(&made[1].layout.layout);
    nodes_close(&nodes);
}
