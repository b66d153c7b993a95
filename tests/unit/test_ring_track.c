/* What nodes say while a ring's data moves (tests/property/ring.c has whatever may come). */
#include "gossip/ring_track.h"

#include <string.h>

#include "gossip/roster.h"
#include "tests/unit/ring_cases.h"

/* What each node says in one move, from 1 to 2, and what follows from it. */
TEST(a_move_goes_from_counting_over_syncing_to_reading)
{
    struct pair_of_nodes nodes;
    struct rings rings = {0};
    struct made made[2];
    struct ring_facts facts = {.counts = {true, true}, .under_way = UINT64_MAX};
    struct ring_track track;
    uint64_t who;

    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(ring_make(NULL, "abc", SLOTS, &made[0]));
    CHECK_OK(made_put(&nodes, "main", &made[0], 1));
    CHECK_OK(ring_make(&made[0], "abca", SLOTS, &made[1]));
    CHECK_OK(made_put(&nodes, "main", &made[1], 2));
    for (unsigned step = RING_STEP_COUNT; step < RING_STEP_DONE; step++) {
        CHECK_OK(rings_read_as(&nodes, A, &rings));
        CHECK_EQUAL(ring_waits(rings.rings, 1, &who), step);
        CHECK_EQUAL(who, A);
        CHECK_EQUAL(ring_may_sync(rings.rings, 1), step >= RING_STEP_SYNC);
        CHECK_EQUAL(rings.rings[0].reads, step >= RING_STEP_READ);
        CHECK_EQUAL(ring_coordinates(rings.rings, A), true);
        facts.caught_up[1] = step >= RING_STEP_SYNC;
        for (uint64_t node = A; node <= D; node++) {
            CHECK_OK(rings_read_as(&nodes, node, &rings));
            CHECK_EQUAL(ring_must_sync(rings.rings, node, 1), step <= RING_STEP_SYNC);
            CHECK(ring_track(rings.rings, node, &facts, &track));
            CHECK_OK(ring_track_put(&nodes, "main", &track));
        }
    }
    CHECK_OK(rings_read_as(&nodes, E, &rings));
    CHECK_EQUAL(rings.rings[0].layouts_count, 1);
    CHECK_EQUAL(rings.rings[0].left_count, 1);
    CHECK_EQUAL(rings.rings[0].left[0], made[0].layout.stamp);
    CHECK_EQUAL(ring_waits(rings.rings, 0, &who), RING_STEP_DONE);
    CHECK(!ring_track(rings.rings, E, &facts, &track));
    rings_done(&rings);
    layout_done(&made[0].layout.layout);
    layout_done(&made[1].layout.layout);
    nodes_close(&nodes);
}

/* Nodes A to D: layout 1 of A, B, C; 2 of all; what each says is `tracks`. */
struct case_of_four {
    struct pair_of_nodes nodes;
    struct made made[2];
    struct rings rings;
};

static void four_open(struct case_of_four *four, const char *zones_after)
{
    memset(four, 0, sizeof *four);
    CHECK_OK(nodes_open(&four->nodes));
    CHECK_OK(ring_make(NULL, "abc", SLOTS, &four->made[0]));
    CHECK_OK(made_put(&four->nodes, "main", &four->made[0], 1));
    CHECK_OK(ring_make(&four->made[0], zones_after, SLOTS, &four->made[1]));
    CHECK_OK(made_put(&four->nodes, "main", &four->made[1], 2));
}

static void four_close(struct case_of_four *four)
{
    rings_done(&four->rings);
    layout_done(&four->made[0].layout.layout);
    layout_done(&four->made[1].layout.layout);
    nodes_close(&four->nodes);
}

/* It counts and has synced both, and one more. */
static void four_says(struct case_of_four *four, uint64_t node, unsigned reads, uint64_t counts_too)
{
    uint64_t one = four->made[0].layout.stamp, two = four->made[1].layout.stamp;
    struct ring_track track = {.node = node,
                               .reads = reads == 2 ? two : one,
                               .counts = {one, two, counts_too},
                               .counts_count = counts_too ? 3 : 2,
                               .synced = {two},
                               .synced_count = 1};

    CHECK_OK(ring_track_put(&four->nodes, "main", &track));
}

static const struct ring *four_as(struct case_of_four *four, uint64_t me)
{
    CHECK_OK(rings_read_as(&four->nodes, me, &four->rings));
    return four->rings.rings;
}

TEST(who_hears_of_a_layout_that_he_has_not_got_decides_nothing)
{
    struct case_of_four four;

    four_open(&four, "abca");
    for (uint64_t node = A; node <= C; node++)
        four_says(&four, node, 1, 0);
    four_says(&four, D, 1, (uint64_t)3 << 32);
    CHECK_EQUAL(four_as(&four, A)->reads, 0);
    CHECK(!ring_may_sync(four.rings.rings, 1));
    four_says(&four, D, 1, 0);
    CHECK_EQUAL(four_as(&four, A)->reads, 1);
    four_close(&four);
}

/* One that somebody reads from may be read from, unless what he says names another. */
TEST(what_others_read_from_is_known_to_be_ready)
{
    struct case_of_four four;

    four_open(&four, "abca");
    four_says(&four, A, 2, (uint64_t)3 << 32);
    CHECK_EQUAL(four_as(&four, B)->reads, 0);
    four_says(&four, A, 2, 0);
    CHECK_EQUAL(four_as(&four, B)->reads, 1);
    CHECK(ring_coordinates(four.rings.rings, D));
    four_close(&four);
}

/* Node C leaves: from when it reads from the next layout on it hands its calls to others. */
TEST(who_is_not_in_the_layout_that_he_reads_from_does_not_coordinate)
{
    struct case_of_four four;

    four_open(&four, "ab");
    CHECK(ring_coordinates(four_as(&four, C), C));
    four_says(&four, C, 2, 0);
    CHECK(!ring_coordinates(four_as(&four, C), C));
    CHECK_EQUAL(four.rings.rings[0].layouts_count, 2);
    four_says(&four, A, 2, 0);
    four_says(&four, B, 2, 0);
    CHECK_EQUAL(four_as(&four, C)->layouts_count, 1);
    CHECK(!ring_coordinates(four.rings.rings, C));
    four_close(&four);
}

TEST(a_superseded_layout_counts_until_its_nodes_have_left_it)
{
    struct case_of_four four;
    struct made other;
    bool wins;

    four_open(&four, "abca");
    CHECK_OK(ring_make(&four.made[0], "abcb", SLOTS, &other));
    CHECK_OK(made_put(&four.nodes, "main", &other, 2));
    wins = four.made[1].layout.stamp > other.layout.stamp;
    CHECK_EQUAL(four_as(&four, A)->layouts_count, 3);
    for (uint64_t node = A; node <= C; node++)
        four_says(&four, node, 2, 0);
    CHECK_EQUAL(four_as(&four, A)->layouts_count, 2);
    four_says(&four, D, 2, 0);
    CHECK_EQUAL(four_as(&four, A)->layouts_count, wins ? 1 : 2);
    layout_done(&other.layout.layout);
    four_close(&four);
}

TEST(who_is_skipped_is_not_waited_for_and_does_not_answer_until_he_has_caught_up)
{
    struct case_of_four four;
    struct buffer bytes;

    four_open(&four, "abca");
    for (uint64_t node = A; node <= C; node++)
        four_says(&four, node, 1, 0);
    CHECK_EQUAL(four_as(&four, A)->reads, 0);
    buffer_init(&bytes, 16);
    CHECK_OK(ring_skip_pack(four.made[1].layout.stamp, &bytes));
    CHECK_OK(ring_put(&four.nodes, "main", RING_SKIP, D, buffer_slice(&bytes)));
    buffer_done(&bytes);
    CHECK_EQUAL(four_as(&four, A)->reads, 1);
    CHECK(ring_answers(four.rings.rings, A) && !ring_answers(four.rings.rings, D));
    CHECK(ring_must_sync(four_as(&four, D), D, 1) && ring_may_sync(four.rings.rings, 1));
    four_says(&four, D, 1, 0);
    CHECK(ring_answers(four_as(&four, A), D));
    four_close(&four);
}

TEST(who_is_forgotten_is_not_waited_for)
{
    struct roster_row row = {.node = D, .weight = 1};
    struct case_of_four four;
    struct buffer path, bytes;

    four_open(&four, "abca");
    for (uint64_t node = A; node <= C; node++)
        four_says(&four, node, 1, 0);
    CHECK_EQUAL(four_as(&four, A)->reads, 0);
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&bytes, 1024);
    CHECK_OK(roster_path(ROSTER_FORGOTTEN, D, &path));
    CHECK_OK(roster_encode(&row, &bytes));
    CHECK_OK(ring_place(&four.nodes, buffer_slice(&path), OP_LWW_SET, buffer_slice(&bytes)));
    buffer_done(&path);
    buffer_done(&bytes);
    CHECK_EQUAL(four_as(&four, A)->reads, 1);
    CHECK_EQUAL(four.rings.rings[0].skips_count, 1);
    four_close(&four);
}

/* Calls that are under way hold back what a node says. */
TEST(a_node_says_no_more_than_its_calls_allow)
{
    struct case_of_four four;
    struct ring_facts facts = {.counts = {true, false}, .under_way = UINT64_MAX};
    struct ring_track track;

    four_open(&four, "abca");
    CHECK(ring_track(four_as(&four, A), A, &facts, &track));
    CHECK_EQUAL(track.counts_count, 1);
    CHECK_EQUAL(track.reads, four.made[0].layout.stamp);
    for (uint64_t node = A; node <= D; node++)
        four_says(&four, node, 1, 0);
    facts.under_way = four.made[0].layout.stamp;
    CHECK(!ring_track(four_as(&four, A), A, &facts, &track));
    facts.under_way = four.made[1].layout.stamp;
    CHECK(ring_track(four.rings.rings, A, &facts, &track));
    CHECK_EQUAL(track.reads, four.made[1].layout.stamp);
    four_close(&four);
}
