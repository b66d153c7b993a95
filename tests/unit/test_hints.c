/* What a peer lacks, and whom the log is kept for. */
#include "gossip/hints.h"

#include "base/alloc.h"
#include "tests/unit/gossip_nodes.h"

static struct pair_of_nodes nodes;

/* Of side 0, which has one peer; to be given to hints_done(). */
static struct hints hints_now(void)
{
    struct hints hints;

    CHECK_OK(gossip_hints(nodes.sides[0].gossip, box(&nodes, 0), &hints));
    CHECK_EQUAL(hints.count, 1);
    CHECK_EQUAL(hints.members, 1);
    return hints;
}

static void begin(void)
{
    meet_with_box(&nodes);
    CHECK_OK(nodes_run(&nodes, 3000));
}

TEST(at_rest_nothing_is_lacking_and_nothing_is_kept)
{
    struct hints hints;

    begin();
    hints = hints_now();
    CHECK_EQUAL(hints.log, 0);
    CHECK_EQUAL(hints.hints[0].way, HINT_NONE);
    CHECK_EQUAL(hints.hints[0].events + hints.hints[0].alone + hints.hints[0].cut, 0);
    CHECK_EQUAL(hints.hints[0].since_ms, 0);
    CHECK(hints.hints[0].connected && hints.hints[0].open && hints.hints[0].member);
    CHECK(hints.hints[0].heard_ms > 0 && hints.hints[0].node);
    hints_done(&hints);
    nodes_close(&nodes);
}

TEST(what_a_peer_lacks_is_an_interval_of_the_log_with_an_age)
{
    struct hints hints;
    uint64_t began_ms;

    begin();
    CHECK_OK(gossip_isolate(nodes.sides[0].gossip, true, &nodes.sides[0].outbox));
    began_ms = nodes.now.wall_ms;
    for (unsigned i = 0; i < 3; i++)
        CHECK_OK(nodes_write(&nodes, 0, "pears", 1));
    CHECK_OK(nodes_run(&nodes, 500));
    CHECK_OK(nodes_write(&nodes, 0, "pears", 1));
    CHECK_OK(nodes_run(&nodes, 500));
    hints = hints_now();
    CHECK_EQUAL(hints.log, 4);
    CHECK_EQUAL(hints.hints[0].way, HINT_LOG);
    CHECK_EQUAL(hints.hints[0].events, 4);
    CHECK_EQUAL(hints.hints[0].alone, 4);
    CHECK(!hints.hints[0].connected && !hints.hints[0].open);
    /* Of the first of them, not of the latest. */
    CHECK(hints.hints[0].since_ms >= began_ms && hints.hints[0].since_ms <= began_ms + 100);
    hints_done(&hints);
    CHECK_OK(gossip_isolate(nodes.sides[0].gossip, false, &nodes.sides[0].outbox));
    CHECK_OK(nodes_run(&nodes, 10000));
    hints = hints_now();
    CHECK_EQUAL(hints.log, 0);
    CHECK_EQUAL(hints.hints[0].way, HINT_NONE);
    CHECK_EQUAL(hints.hints[0].since_ms, 0);
    hints_done(&hints);
    nodes_close(&nodes);
}

TEST(where_the_log_was_cut_a_peer_compares)
{
    struct hints hints;

    begin();
    nodes.sides[0].gossip->options.log_max = 8;
    CHECK_OK(gossip_isolate(nodes.sides[0].gossip, true, &nodes.sides[0].outbox));
    for (unsigned i = 0; i < 20; i++)
        CHECK_OK(nodes_write(&nodes, 0, "pears", 1));
    CHECK_OK(nodes_run(&nodes, 500));
    hints = hints_now();
    CHECK(hints.log <= 8);
    CHECK_EQUAL(hints.log_max, 8);
    CHECK_EQUAL(hints.hints[0].way, HINT_COMPARE);
    CHECK_EQUAL(hints.hints[0].events, hints.log);
    CHECK_EQUAL(hints.hints[0].events + hints.hints[0].cut, 20);
    hints_done(&hints);
    nodes_close(&nodes);
}

TEST(of_who_was_never_heard_nothing_is_known)
{
    struct hints hints;

    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    hints = hints_now();
    CHECK_EQUAL(hints.hints[0].way, HINT_UNKNOWN);
    CHECK_EQUAL(hints.hints[0].events, 1);
    CHECK_EQUAL(hints.hints[0].alone, 1);
    CHECK_EQUAL(hints.hints[0].heard_ms, 0);
    hints_done(&hints);
    nodes_close(&nodes);
}

static int hints_again(void *argument)
{
    struct hints hints = {0};
    int error = gossip_hints(nodes.sides[0].gossip, box(&nodes, 0), &hints);

    (void)argument;
    if (error)
        CHECK_EQUAL(hints.count, 0);
    hints_done(&hints);
    return error;
}

TEST(hints_without_memory_are_none)
{
    begin();
    CHECK_OK(gossip_isolate(nodes.sides[0].gossip, true, &nodes.sides[0].outbox));
    CHECK_OK(nodes_write(&nodes, 0, "pears", 1));
    test_alloc_sweep(hints_again, NULL);
    nodes_close(&nodes);
}
