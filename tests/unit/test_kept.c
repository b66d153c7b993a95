/* The log is kept for who reads changes, for a while. */
#include "gossip/kept.h"

#include "tests/unit/gossip_nodes.h"

static struct pair_of_nodes nodes;

static void begin(void)
{
    meet_with_box(&nodes);
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_EQUAL(shard_log_count(box(&nodes, 0)), 0);
}

static int keep(uint64_t reader, const struct context *context)
{
    return gossip_keep(nodes.sides[0].gossip, nodes.now, bucket_id("box"), reader, context);
}

TEST(what_a_reader_has_not_had_stays_until_it_has)
{
    begin();
    CHECK_OK(keep(7, &box(&nodes, 0)->context));
    CHECK_EQUAL(gossip_kept(nodes.sides[0].gossip, bucket_id("box")), 1);
    CHECK_EQUAL(gossip_kept(nodes.sides[0].gossip, bucket_id("bag")), 0);
    for (unsigned i = 0; i < 3; i++)
        CHECK_OK(nodes_write(&nodes, i % 2, "pears", 1));
    CHECK_OK(nodes_run(&nodes, 5000));
    CHECK_EQUAL(shard_log_count(box(&nodes, 0)), 3);
    CHECK_EQUAL(shard_log_count(box(&nodes, 1)), 0);
    CHECK_OK(keep(7, &box(&nodes, 0)->context));
    CHECK_OK(nodes_run(&nodes, 100));
    CHECK_EQUAL(shard_log_count(box(&nodes, 0)), 0);
    nodes_close(&nodes);
}

TEST(who_does_not_come_again_is_forgotten)
{
    begin();
    CHECK_OK(keep(7, &box(&nodes, 0)->context));
    CHECK_OK(nodes_write(&nodes, 0, "pears", 1));
    CHECK_OK(nodes_run(&nodes, KEPT_LOG_MS / 2));
    CHECK_EQUAL(shard_log_count(box(&nodes, 0)), 1);
    CHECK_OK(nodes_run(&nodes, KEPT_LOG_MS / 2 + 2000));
    CHECK_EQUAL(shard_log_count(box(&nodes, 0)), 0);
    CHECK_EQUAL(gossip_kept(nodes.sides[0].gossip, bucket_id("box")), 0);
    nodes_close(&nodes);
}

TEST(of_many_readers_the_one_that_asked_longest_ago_goes)
{
    const struct context nothing = {0};

    begin();
    CHECK_OK(keep(1, &nothing));
    nodes.now.mono_ms++;
    for (uint64_t reader = 2; reader < 2 + KEPT_LOGS_MAX; reader++)
        CHECK_OK(keep(reader, &box(&nodes, 0)->context));
    CHECK_EQUAL(gossip_kept(nodes.sides[0].gossip, bucket_id("box")), KEPT_LOGS_MAX);
    for (size_t i = 0; i < KEPT_LOGS_MAX; i++)
        CHECK(nodes.sides[0].gossip->kept[i].reader != 1);
    nodes_close(&nodes);
}

static int keep_again(void *argument)
{
    struct gossip *gossip = nodes.sides[0].gossip;
    int error = keep(7, &box(&nodes, 0)->context);

    (void)argument;
    CHECK_EQUAL(gossip->kept_count, !error);
    context_done(&gossip->kept[0].context);
    gossip->kept_count = 0;
    return error;
}

TEST(without_memory_nobody_is_remembered)
{
    begin();
    test_alloc_sweep(keep_again, NULL);
    nodes_close(&nodes);
}
