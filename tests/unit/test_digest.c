/* What nodes tell each other of what they have. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tests/unit/gossip_nodes.h"

TEST(many_buckets_are_told_of_in_several_messages)
{
    struct pair_of_nodes nodes;
    char name[32];
    CHECK_OK(nodes_open(&nodes));
    for (int i = 0; i < 700; i++) {
        struct shard *shard;
        snprintf(name, sizeof name, "bucket-%d", i);
        CHECK_OK(store_shard(&nodes.sides[0].store, nodes.sides[0].batch, name, &shard));
        gossip_touched(nodes.sides[0].gossip, shard->id);
    }
    CHECK_OK(nodes_run(&nodes, 2500));
    CHECK_EQUAL(nodes.sides[1].store.shards_count, 700);
    nodes_close(&nodes);
}

enum { MANY_BUCKETS = 3000 }; /* about a megabyte of digests */

static void many_buckets(struct pair_of_nodes *nodes)
{
    char name[256];
    for (int i = 0; i < MANY_BUCKETS; i++) {
        struct shard *shard;
        snprintf(name, sizeof name, "%0200d", i);
        CHECK_OK(store_shard(&nodes->sides[0].store, nodes->sides[0].batch, name, &shard));
        gossip_touched(nodes->sides[0].gossip, shard->id);
    }
    CHECK_OK(side_commit(&nodes->sides[0]));
}

static size_t open_buckets(struct pair_of_nodes *nodes, size_t index)
{
    const struct gossip *gossip = nodes->sides[index].gossip;
    size_t count = 0;
    for (size_t i = 0; i < gossip->topics_count; i++)
        count += topic_open_pair(gossip, gossip->topics[i], 0) != NULL;
    return count;
}

TEST(digests_go_in_parts_so_that_no_queue_is_too_short)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    nodes.queue_max = 300 << 10;
    many_buckets(&nodes);
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_EQUAL(open_buckets(&nodes, 0), MANY_BUCKETS);
    CHECK_EQUAL(open_buckets(&nodes, 1), MANY_BUCKETS);
    CHECK(nodes.digests_max <= 256 << 10);
    CHECK_EQUAL(nodes.sides[0].gossip->counts[REASON_not_sent], 0);
    nodes_close(&nodes);
}

TEST(a_refused_digest_is_told_again_and_nothing_else_is)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    nodes.queue_max = 60 << 10; /* one message */
    many_buckets(&nodes);
    CHECK_OK(nodes_run(&nodes, 30000));
    CHECK_EQUAL(open_buckets(&nodes, 0), MANY_BUCKETS);
    CHECK_EQUAL(open_buckets(&nodes, 1), MANY_BUCKETS);
    CHECK(nodes.sides[0].gossip->counts[REASON_not_sent] > 0);
    /* Each bucket is told of twice by whoever is first. Every second turn sends two messages, and
     * is told again. */
    unsigned once = MANY_BUCKETS * 264 / DIGEST_SIZE_AIM + 1;
    CHECK(nodes.digests <= 4 * 3 * once);
    nodes.digests = 0;
    nodes.queue_max = 1 << 20;
    CHECK_OK(nodes_run(&nodes, 5000)); /* all is said */
    CHECK_EQUAL(nodes.digests, 0);
    nodes_close(&nodes);
}

TEST(a_link_that_takes_nothing_is_tried_more_and_more_rarely)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    nodes.queue_max = 8 << 10;
    many_buckets(&nodes);
    CHECK_OK(nodes_run(&nodes, 20000));
    CHECK_EQUAL(nodes.sides[1].store.shards_count, 0);
    CHECK(nodes.digests >= 10);
    CHECK(nodes.digests <= DIGEST_MESSAGES_MAX + 4 + 20000 / DIGEST_AGAIN_MS_MAX);
    nodes.queue_max = 60 << 10;
    CHECK_OK(nodes_run(&nodes, 30000));
    CHECK_EQUAL(open_buckets(&nodes, 1), MANY_BUCKETS);
    nodes_close(&nodes);
}

static void box_is_known_again(struct pair_of_nodes *nodes)
{
    CHECK_OK(nodes_run(nodes, 3000));
    CHECK(box_pair(nodes)->open);
    CHECK_EQUAL(box_pair(nodes)->replica, box(nodes, 1)->replica);
    CHECK(context_equal(&box_pair(nodes)->context, &box(nodes, 1)->context));
}

/* Of two links the older one may be the slower one: a replica id that is no more. */
TEST(a_digest_that_is_overtaken_is_set_right)
{
    struct digest_item item = {.shard = bucket_id("box"), .name = "box", .replica = 7};
    struct pair_of_nodes nodes;
    struct message message;
    struct buffer bytes;
    meet_with_box(&nodes);
    message_init(&message);
    message.kind = MESSAGE_DIGEST;
    message.digests = &item;
    message.digests_count = 1;
    buffer_init(&bytes, 1 << 16);
    CHECK_OK(message_encode(&message, &bytes));
    uint64_t link = nodes.sides[0].gossip->peers[0].links[CHANNEL_CONTROL];
    CHECK_OK(give(&nodes, 0, NET_MESSAGE, link, buffer_slice(&bytes)));
    CHECK_EQUAL(box_pair(&nodes)->replica, 7);
    box_is_known_again(&nodes);
    buffer_done(&bytes);
    nodes_close(&nodes);
}

TEST(who_begins_a_session_alone_is_told_again)
{
    struct pair_of_nodes nodes;
    meet_with_box(&nodes);
    struct side *side = &nodes.sides[0];
    struct step step = {side->gossip, nodes.now, side->batch, &side->outbox};
    uint64_t link = side->gossip->peers[0].links[CHANNEL_CONTROL];
    CHECK_OK(peer_set_link(&step, 0, CHANNEL_CONTROL, link));
    CHECK(!box_pair(&nodes)->open);
    box_is_known_again(&nodes);
    nodes_close(&nodes);
}

/* As its digest says: nothing of mine, or all. */
static void box_is_told(struct pair_of_nodes *nodes, bool all)
{
    struct side *side = &nodes->sides[0];
    struct step step = {side->gossip, nodes->now, side->batch, &side->outbox};
    struct shard *shard = box(nodes, 0);
    struct digest_item item = {.shard = shard->id,
                               .name = "box",
                               .replica = box_pair(nodes)->replica,
                               .quote = {.id = shard->replica}};
    context_clear(&box_pair(nodes)->context);
    if (all)
        CHECK_OK(context_copy(&item.context, &shard->context));
    CHECK_OK(digest_take(&step, 0, &item));
    context_done(&item.context);
}

static void box_is_behind(struct pair_of_nodes *nodes, int events)
{
    meet_with_box(nodes);
    box_pair(nodes)->behind = true;
    box_pair(nodes)->sent = 0;
    for (int i = 0; i < events; i++)
        CHECK_OK(nodes_write(nodes, 0, "pears", 1));
    CHECK(box_pair(nodes)->behind);
}

TEST(who_lacks_what_the_log_no_longer_tells_is_not_pushed_to)
{
    struct pair_of_nodes nodes;
    box_is_behind(&nodes, 150);
    CHECK(context_get(&box(&nodes, 0)->horizon, box(&nodes, 0)->replica) > 0);
    box_is_told(&nodes, false);
    CHECK(box_pair(&nodes)->behind);
    box_is_told(&nodes, true);
    CHECK(!box_pair(&nodes)->behind);
    nodes_close(&nodes);
}

TEST(who_is_pushed_to_again_changes_no_digest)
{
    struct pair_of_nodes nodes;
    box_is_behind(&nodes, 1);
    struct side *side = &nodes.sides[0];
    const struct topic *topic = topic_find(side->gossip, bucket_id("box"));
    uint64_t version = topic->version;
    box_is_told(&nodes, false);
    CHECK(topic->touched);
    CHECK_OK(gossip_flush(side->gossip, nodes.now, side->batch, &side->outbox));
    CHECK(!topic->touched);
    CHECK_EQUAL(topic->version, version);
    nodes_close(&nodes);
}

/* Both were rolled back, and have no room for another id. */
TEST(two_who_cannot_mend_their_ids_do_not_answer_each_other_for_ever)
{
    struct pair_of_nodes nodes;
    meet_with_box(&nodes);
    CHECK_OK(nodes_write(&nodes, 0, "pears", 1));
    CHECK_OK(nodes_run(&nodes, 1500));
    for (size_t i = 0; i < 2; i++) {
        struct shard *shard = box(&nodes, i);
        for (uint64_t id = 1; shard->context.count < CONTEXT_IDS_MAX; id++)
            CHECK_OK(context_raise(&shard->context, id, 1, 1));
        shard->openings[0].nonce ^= 1; /* not the one that the other knows */
        CHECK_OK(nodes_write(&nodes, i, "pears", 1));
    }
    nodes.queue_max = 1 << 20;
    CHECK_OK(nodes_run(&nodes, 5000));
    CHECK(nodes.sides[0].gossip->counts[REASON_rollbacks] > 0);
    CHECK(nodes.sides[1].gossip->counts[REASON_rollbacks] > 0);
    CHECK(nodes.digests <= 20); /* there were 389 once */
    nodes_close(&nodes);
}

/* What shows that a directory went back may be said once: memory runs out at the call `fails`, and
 * nobody says it again. */
static int rollback_is_told(struct pair_of_nodes *nodes, uint64_t fails)
{
    struct side *side = &nodes->sides[0];
    struct step step = {side->gossip, nodes->now, side->batch, &side->outbox};
    struct shard *shard = box(nodes, 0);
    const struct context_entry *mine = context_find(&shard->context, shard->replica);
    struct digest_item item = {.shard = shard->id,
                               .name = "box",
                               .replica = box_pair(nodes)->replica,
                               .quote = {shard->replica, mine->n + 1, ~mine->nonce}};
    CHECK_OK(context_copy(&item.context, &shard->context));
    mem_fail_at(fails, 0);
    int error = digest_take(&step, 0, &item);
    mem_fail_at(0, 0);
    context_done(&item.context);
    return error;
}

static bool rollback_is_mended(uint64_t fails)
{
    struct pair_of_nodes nodes;
    meet_with_box(&nodes);
    CHECK_OK(nodes_write(&nodes, 0, "pears", 1));
    CHECK_OK(nodes_run(&nodes, 1500));
    const uint64_t *counts = nodes.sides[0].gossip->counts;
    uint64_t old = box(&nodes, 0)->replica;
    int error = rollback_is_told(&nodes, fails);
    if (error)
        CHECK_EQUAL(error, NEAP_NOMEM);
    bool found = counts[REASON_rollbacks] > 0;
    CHECK_OK(side_commit(&nodes.sides[0]));
    CHECK_OK(nodes_run(&nodes, 2 * FAULT_AGAIN_MS));
    CHECK_EQUAL(counts[REASON_redotted], found);
    CHECK_EQUAL(box(&nodes, 0)->replica != old, found);
    CHECK_OK(nodes_write(&nodes, 0, "pears", 1));
    CHECK_OK(nodes_run(&nodes, 1500));
    CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
    nodes_close(&nodes);
    return !error;
}

TEST(a_rollback_that_was_found_is_mended_although_that_failed_at_first)
{
    uint64_t fails = 1;
    while (!rollback_is_mended(fails))
        fails++;
    CHECK(fails > 5);
}
