/* Who has a say, and who has it; and what nodes are asked by reads at levels. */
#include "gossip/holders.h"

#include "tests/unit/gossip_nodes.h"

static struct holders holders_of(struct pair_of_nodes *nodes, uint64_t shard)
{
    struct holders holders;

    gossip_holders(nodes->sides[0].gossip, shard, &box(nodes, 0)->context, &holders);
    return holders;
}

TEST(who_has_what_is_known)
{
    struct pair_of_nodes nodes;
    struct holders holders;
    uint64_t shard = bucket_id("box");

    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    holders = holders_of(&nodes, shard);
    CHECK_EQUAL(holders.members, 2); /* it is listed, though it was never met */
    CHECK(holders.self);
    CHECK_EQUAL(holders.others, 0);
    CHECK_EQUAL(holders.away, 1);
    CHECK_OK(nodes_run(&nodes, 1500));
    holders = holders_of(&nodes, shard);
    CHECK_EQUAL(holders.others, 1);
    CHECK_EQUAL(holders.away, 0);
    holders = holders_of(&nodes, 12345);
    CHECK_EQUAL(holders.others, 0);
    CHECK_EQUAL(holders.away, 0);
    nodes_close(&nodes);
}

/* What it had on its disk it has, whether it can be reached or not. */
TEST(who_has_it_need_not_be_here)
{
    struct pair_of_nodes nodes;
    struct holders holders;

    meet_with_box(&nodes);
    CHECK_OK(nodes_run(&nodes, 1500));
    CHECK_OK(gossip_isolate(nodes.sides[0].gossip, true, &nodes.sides[0].outbox));
    holders = holders_of(&nodes, bucket_id("box"));
    CHECK_EQUAL(holders.others, 1);
    CHECK_EQUAL(holders.away, 0);
    gossip_holders(nodes.sides[0].gossip, bucket_id("box"), NULL, &holders);
    CHECK_EQUAL(holders.others, 0);
    CHECK_EQUAL(holders.away, 1);
    nodes_close(&nodes);
}

TEST(a_device_has_no_say_for_others_nor_for_itself)
{
    struct pair_of_nodes nodes;
    struct holders holders;

    meet_with_box(&nodes);
    nodes.sides[0].gossip->peers[0].principal.kind = PRINCIPAL_DEVICE;
    CHECK(!gossip_votes(nodes.sides[0].gossip, 0));
    holders = holders_of(&nodes, bucket_id("box"));
    CHECK_EQUAL(holders.members, 1);
    CHECK_EQUAL(holders.others, 0);
    nodes.sides[0].gossip->peers[0].principal.kind = PRINCIPAL_NONE;
    nodes.sides[0].gossip->options.device = true;
    holders = holders_of(&nodes, bucket_id("box"));
    CHECK_EQUAL(holders.members, 1);
    CHECK(!holders.self);
    nodes_close(&nodes);
}

static struct ask seen_of(const struct pair_of_nodes *nodes, const char *bucket)
{
    return (struct ask){
        .kind = ASK_SEEN, .shard = bucket_id(bucket), .until_ms = nodes->now.mono_ms + 1000};
}

static int seen_ask(struct pair_of_nodes *nodes, struct ask *ask)
{
    return gossip_ask(nodes->sides[0].gossip, nodes->now, ask, &nodes->sides[0].outbox);
}

TEST(a_node_is_asked_what_it_has_seen_and_what_is_lacking_is_pulled_at_once)
{
    struct pair_of_nodes nodes;
    struct ask ask;

    meet_with_box(&nodes);
    CHECK_OK(nodes_run(&nodes, 1500));
    nodes.loses[MESSAGE_PUSH] = nodes.messages[MESSAGE_PUSH] + 1;
    CHECK_OK(nodes_write(&nodes, 1, "pears", 2));
    ask = seen_of(&nodes, "box");
    CHECK_OK(seen_ask(&nodes, &ask));
    CHECK_EQUAL(ask.members, 2);
    CHECK(ask.self);
    CHECK_OK(nodes_run(&nodes, 10));
    CHECK(gossip_asked(nodes.sides[0].gossip) == &ask);
    CHECK_EQUAL(ask.answers[0].end, ASK_TOLD);
    CHECK_OK(ask.answers[0].code);
    CHECK(context_covers(&ask.answers[0].context, &box(&nodes, 1)->context));
    /* The heads of messages and frames apart: what docs/decisions/0092 says. */
    CHECK(nodes.bytes[MESSAGE_ASK] <= 32);
    CHECK(nodes.bytes[MESSAGE_TOLD] <= 32 + 27 * ask.answers[0].context.count);
    ask_done(&ask);
    CHECK(context_covers(&box_pair(&nodes)->context, &box(&nodes, 1)->context));
    CHECK_OK(nodes_run(&nodes, 400));
    CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
    nodes_close(&nodes);
}

static bool at_once(const struct ask *ask)
{
    return ask->count > 0;
}

TEST(an_ask_ends_early_when_that_is_enough)
{
    struct pair_of_nodes nodes;
    struct ask ask;

    meet_with_box(&nodes);
    ask = seen_of(&nodes, "box");
    ask.is_enough = at_once;
    CHECK_OK(seen_ask(&nodes, &ask));
    CHECK(gossip_asked(nodes.sides[0].gossip) == &ask);
    CHECK_EQUAL(ask.answers[0].end, ASK_SPARED);
    CHECK_EQUAL(gossip_asks(nodes.sides[0].gossip), 0);
    ask_done(&ask);
    CHECK_OK(nodes_run(&nodes, 10)); /* its answer comes to nobody */
    CHECK(!gossip_asked(nodes.sides[0].gossip));
    nodes_close(&nodes);
}

/* By the other link each would wait for, or delay, what does not concern it. */
TEST(questions_of_reads_and_of_operators_have_links_of_their_own)
{
    for (unsigned channel = CHANNEL_CONTROL; channel <= CHANNEL_BULK; channel++) {
        struct pair_of_nodes nodes;
        struct message message;
        struct buffer bytes;

        meet_with_box(&nodes);
        message_init(&message);
        message.kind = MESSAGE_ASK;
        message.what = channel == CHANNEL_CONTROL ? ASK_LOOK : ASK_SEEN;
        message.shard = bucket_id("box");
        message.session = 5;
        buffer_init(&bytes, MESSAGE_SIZE_MAX);
        CHECK_OK(message_encode(&message, &bytes));
        CHECK_OK(give(&nodes, 1, NET_MESSAGE, nodes.sides[0].gossip->peers[0].links[channel],
                      buffer_slice(&bytes)));
        CHECK_EQUAL(nodes.sides[1].gossip->counts[REASON_bad_question], 1);
        buffer_done(&bytes);
        message_done(&message);
        nodes_close(&nodes);
    }
}

TEST(so_many_reads_may_ask_and_no_more_and_operators_still_may)
{
    struct pair_of_nodes nodes;
    struct ask asks[ASKS_SEEN_MAX + 1], look;

    meet_with_box(&nodes);
    for (size_t i = 0; i < ASKS_SEEN_MAX; i++) {
        asks[i] = seen_of(&nodes, "box");
        CHECK_OK(seen_ask(&nodes, &asks[i]));
    }
    asks[ASKS_SEEN_MAX] = seen_of(&nodes, "box");
    CHECK_ERROR(seen_ask(&nodes, &asks[ASKS_SEEN_MAX]), NEAP_BUSY);
    look = seen_of(&nodes, "box");
    look.kind = ASK_LOOK;
    CHECK_OK(seen_ask(&nodes, &look));
    gossip_asks_end(nodes.sides[0].gossip, NEAP_UNAVAILABLE);
    for (size_t i = 0; i < ASKS_SEEN_MAX + 1; i++) {
        struct ask *ended = gossip_asked(nodes.sides[0].gossip);

        CHECK(ended);
        CHECK_ERROR(ended->code, NEAP_UNAVAILABLE);
        ask_done(ended);
    }
    nodes_close(&nodes);
}
