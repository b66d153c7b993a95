#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "tests/unit/gossip_nodes.h"

static int meet_and_write(void *argument)
{
    struct pair_of_nodes nodes;
    (void)argument;
    int error = nodes_open(&nodes);
    if (!error)
        error = nodes_write(&nodes, 0, "early", 1);
    if (!error)
        error = nodes_run(&nodes, 100);
    if (!error)
        error = nodes_write(&nodes, 0, "apples", 1);
    if (!error)
        error = nodes_write(&nodes, 1, "pears", 2);
    if (!error)
        error = nodes_run(&nodes, 1500);
    if (!error) {
        CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
        CHECK_EQUAL(shard_log_count(box(&nodes, 0)), 0);
        CHECK_EQUAL(shard_log_count(box(&nodes, 1)), 0);
        CHECK_EQUAL(nodes.sides[0].gossip->counts[REASON_malformed], 0);
    }
    nodes_close(&nodes);
    return error;
}

TEST(two_nodes_come_to_hold_the_same)
{
    CHECK_OK(meet_and_write(NULL));
}

TEST(gossip_survives_failing_allocations)
{
    test_alloc_sweep(meet_and_write, NULL);
}

TEST(the_status_of_a_peer_tells_of_its_lag)
{
    struct pair_of_nodes nodes;
    struct peer_status status;
    CHECK_OK(nodes_open(&nodes));
    CHECK_EQUAL(gossip_peers(nodes.sides[0].gossip), 1);
    CHECK_EQUAL(gossip_peers(nodes.sides[1].gossip), 0);
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    gossip_peer_status(nodes.sides[0].gossip, 0, &status);
    CHECK_TEXT(status.address, "test://1");
    CHECK(!status.connected);
    CHECK_EQUAL(status.node, 0);
    CHECK_EQUAL(status.lag, 2);
    CHECK_OK(nodes_run(&nodes, 1500));
    gossip_peer_status(nodes.sides[0].gossip, 0, &status);
    CHECK(status.connected);
    CHECK_EQUAL(status.node, nodes.sides[1].store.identity.node);
    CHECK_EQUAL(status.lag, 0);
    CHECK_EQUAL(gossip_peers(nodes.sides[1].gossip), 1); /* it came by, unlisted */
    gossip_peer_status(nodes.sides[1].gossip, 0, &status);
    CHECK_TEXT(status.address, "test://0");
    gossip_peer_status(nodes.sides[0].gossip, 99, &status);
    CHECK_TEXT(status.address, "");
    nodes_close(&nodes);
}

TEST(a_refused_send_leaves_the_peer_behind_until_it_pulled)
{
    struct pair_of_nodes nodes;
    struct peer_status status;
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    CHECK_OK(nodes_run(&nodes, 1500));
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    struct outbox *outbox = &nodes.sides[0].outbox;
    CHECK_EQUAL(outbox->count, 1); /* the push */
    gossip_send_failed(nodes.sides[0].gossip, outbox->effects[0].link, NEAP_BUSY);
    outbox_clear(outbox);
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    CHECK_EQUAL(outbox->count, 0); /* nothing is pushed over a gap */
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
    gossip_peer_status(nodes.sides[1].gossip, 0, &status);
    CHECK(status.pulls > 0);
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    CHECK_EQUAL(outbox->count, 1); /* and now again */
    nodes_close(&nodes);
}

/* Side 0 has written so many cells before they meet, and 300 bytes make a chunk. */
static void write_before_they_meet(struct pair_of_nodes *nodes, unsigned count)
{
    char name[16];
    CHECK_OK(nodes_open(nodes));
    for (unsigned i = 0; i < 2; i++)
        nodes->sides[i].gossip->options.chunk_size = 300;
    for (unsigned i = 0; i < count; i++) {
        snprintf(name, sizeof name, "n%u", i);
        CHECK_OK(nodes_write(nodes, 0, name, 1));
    }
}

TEST(one_question_brings_several_chunks_and_nothing_twice)
{
    struct pair_of_nodes nodes;
    write_before_they_meet(&nodes, 60);
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
    CHECK(nodes.messages[MESSAGE_PULLED] > PULL_CHUNKS_MAX);
    CHECK_EQUAL(nodes.messages[MESSAGE_PULL],
                (nodes.messages[MESSAGE_PULLED] + PULL_CHUNKS_MAX - 1) / PULL_CHUNKS_MAX);
    CHECK_EQUAL(nodes.messages[MESSAGE_PUSH], 0);
    CHECK_EQUAL(box(&nodes, 1)->counts.duplicates, 0);
    CHECK_EQUAL(nodes.sides[1].gossip->counts[REASON_nothing_new], 0);
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    CHECK_OK(nodes_run(&nodes, 25));
    CHECK_EQUAL(nodes.messages[MESSAGE_PUSH], 1); /* it has caught up */
    nodes_close(&nodes);
}

/* What may have to be collected of a long log is looked at in parts; no digest comes between. */
TEST(a_long_log_is_looked_through_and_cut)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    for (unsigned i = 0; i < 2; i++)
        nodes.sides[i].gossip->options.log_max = 0;
    for (int i = 0; i < 2500; i++)
        CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    CHECK_OK(nodes_run(&nodes, 5000));
    CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
    CHECK_EQUAL(shard_log_count(box(&nodes, 0)), 0);
    nodes_close(&nodes);
}

/* Pages of a compare move no context: whoever waits for one need not look at each. */
TEST(a_page_is_no_news)
{
    struct pair_of_nodes nodes;
    unsigned others = 0;
    write_before_they_meet(&nodes, 300); /* more than the log keeps */
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
    CHECK(nodes.messages[MESSAGE_COMPARED] > 10);
    for (unsigned i = 0; i < MESSAGE_KINDS; i++)
        others += i == MESSAGE_COMPARED ? 0 : nodes.messages[i];
    uint64_t news = gossip_news(nodes.sides[0].gossip) + gossip_news(nodes.sides[1].gossip);
    CHECK(news >= others);
    CHECK(news <= others + 2 * CHANNELS + 1); /* links that came up, and the last page */
    nodes_close(&nodes);
}

/* Its digest tells that it comes nearer; what it lacks is in the next answer, not in a push too. */
TEST(who_pulls_is_not_pushed_to)
{
    struct pair_of_nodes nodes;
    write_before_they_meet(&nodes, 90);
    nodes.loses[MESSAGE_PULL] = 2;
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_EQUAL(nodes.loses[MESSAGE_PULL], 0);
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    CHECK_OK(nodes_run(&nodes, 100));
    CHECK_EQUAL(nodes.messages[MESSAGE_PUSH], 0);
    CHECK_OK(nodes_run(&nodes, 10000));
    CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
    CHECK_EQUAL(box(&nodes, 1)->counts.duplicates, 0);
    nodes_close(&nodes);
}

TEST(a_chunk_that_is_lost_is_pulled_again)
{
    for (unsigned lost = 1; lost <= PULL_CHUNKS_MAX; lost++) {
        struct pair_of_nodes nodes;
        write_before_they_meet(&nodes, 60);
        nodes.loses[MESSAGE_PULLED] = lost;
        CHECK_OK(nodes_run(&nodes, 15000));
        CHECK_EQUAL(nodes.loses[MESSAGE_PULLED], 0);
        CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
        nodes_close(&nodes);
    }
}

TEST(a_bucket_with_a_bad_name_costs_the_link)
{
    struct digest_item item = {.shard = 1, .name = "a/b", .replica = 3};
    struct message message;
    struct buffer bytes;
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_run(&nodes, 200));
    message_init(&message);
    message.kind = MESSAGE_DIGEST;
    message.digests = &item;
    message.digests_count = 1;
    buffer_init(&bytes, 1 << 16);
    CHECK_OK(message_encode(&message, &bytes));
    uint64_t link = nodes.sides[0].gossip->peers[0].links[CHANNEL_CONTROL];
    CHECK_OK(give(&nodes, 0, NET_MESSAGE, link, buffer_slice(&bytes)));
    CHECK_EQUAL(nodes.sides[0].gossip->counts[REASON_bad_shard], 1);
    CHECK_EQUAL(nodes.sides[0].store.shards_count, 0);
    CHECK_EQUAL(nodes.sides[0].gossip->peers[0].links[CHANNEL_CONTROL], 0);
    buffer_done(&bytes);
    nodes_close(&nodes);
}

TEST(messages_on_the_wrong_channel_cost_the_link)
{
    struct pair_of_nodes nodes;
    struct message message;
    struct buffer bytes;
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_run(&nodes, 200));
    message_init(&message);
    message.kind = MESSAGE_DIGEST;
    buffer_init(&bytes, 1 << 16);
    CHECK_OK(message_encode(&message, &bytes));
    uint64_t link = nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK];
    CHECK_OK(give(&nodes, 0, NET_MESSAGE, link, buffer_slice(&bytes)));
    CHECK_EQUAL(nodes.sides[0].gossip->counts[REASON_unexpected], 1);
    CHECK_EQUAL(nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK], 0);
    CHECK_OK(nodes_run(&nodes, 3000)); /* and is made again */
    CHECK(nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK] != 0);
    buffer_done(&bytes);
    nodes_close(&nodes);
}

/* ---- a shard in trouble is alone in it ---- */

static bool contains(const char *text, const char *part)
{
    return text && strstr(text, part);
}

static struct shard *shard_of(struct pair_of_nodes *nodes, size_t index, const char *bucket)
{
    return store_find(&nodes->sides[index].store, bucket_id(bucket));
}

/* The bucket has all the replica ids that it may have. */
static void fill_ids(struct shard *shard)
{
    for (uint64_t i = 0; shard->context.count < CONTEXT_IDS_MAX; i++) {
        CHECK_OK(context_raise(&shard->context, 1000 + i, 1, 1));
        CHECK_OK(context_raise(&shard->horizon, 1000 + i, 1, 1));
    }
}

static void box_still_travels(struct pair_of_nodes *nodes, uint64_t link)
{
    for (int i = 0; i < 5; i++) {
        CHECK_OK(nodes_write(nodes, 1, "apples", 1));
        CHECK_OK(nodes_write(nodes, 0, "apples", 1));
        CHECK_OK(nodes_run(nodes, 1000));
        CHECK(context_equal(&box(nodes, 0)->context, &box(nodes, 1)->context));
    }
    CHECK_EQUAL(nodes->sides[0].gossip->peers[0].links[CHANNEL_BULK], link);
}

TEST(a_bucket_with_too_many_ids_stops_alone_and_says_so)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_run(&nodes, 500));
    uint64_t link = nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK];
    CHECK_OK(nodes_write_to(&nodes, 0, "full", "x", 1));
    fill_ids(shard_of(&nodes, 0, "full"));
    CHECK_OK(nodes_write_to(&nodes, 1, "full", "x", 1));
    box_still_travels(&nodes, link);
    const char *problem = gossip_problem(nodes.sides[0].gossip, bucket_id("full"));
    CHECK(contains(problem, "full"));
    CHECK(contains(problem, "replica ids"));
    CHECK(!gossip_problem(nodes.sides[0].gossip, bucket_id("box")));
    CHECK(nodes.sides[0].gossip->counts[REASON_shard_limit] > 0);
    CHECK(nodes.sides[0].gossip->counts[REASON_shard_limit] < 5); /* it is not tried all the time */
    nodes_close(&nodes);
}

/* Hands on to a disk in memory, but for the cells of one shard. */
static struct damage {
    const struct disk_ops *inner;
    uint64_t shard; /* 0: nothing is damaged */
} damage;

static int damaged_get(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                       struct slice key, struct buffer *ret_value)
{
    if (family == DISK_CELLS && key.size > 8 && bytes_get_u64(key.data) == damage.shard)
        return NEAP_CORRUPT;
    return damage.inner->get(disk, snapshot, family, key, ret_value);
}

static void damage_stops_one_bucket(size_t damaged, const char *key)
{
    struct pair_of_nodes nodes;
    struct disk_ops ops;
    CHECK_OK(nodes_open(&nodes));
    damage = (struct damage){.inner = nodes.sides[damaged].disk->ops};
    ops = *damage.inner;
    ops.get = damaged_get;
    nodes.sides[damaged].disk->ops = &ops;
    CHECK_OK(nodes_run(&nodes, 500));
    uint64_t link = nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK];
    CHECK_OK(nodes_write_to(&nodes, 0, "bad", "x", 1));
    damage.shard = bucket_id("bad");
    box_still_travels(&nodes, link);
    const char *problem = gossip_problem(nodes.sides[damaged].gossip, damage.shard);
    CHECK(contains(problem, "bad"));
    CHECK(contains(problem, key));
    damage.shard = 0;
    CHECK_OK(nodes_run(&nodes, 2 * FAULT_AGAIN_MS));
    CHECK(
        context_equal(&shard_of(&nodes, 0, "bad")->context, &shard_of(&nodes, 1, "bad")->context));
    CHECK(!gossip_problem(nodes.sides[damaged].gossip, bucket_id("bad")));
    nodes_close(&nodes);
}

TEST(a_cell_that_cannot_be_read_stops_its_bucket_alone_where_it_is_given)
{
    damage_stops_one_bucket(0, "");
}

TEST(a_cell_that_cannot_be_read_stops_its_bucket_alone_where_it_is_taken)
{
    damage_stops_one_bucket(1, "key x");
}

/* ---- replica ids ---- */

/* As after a restart: nothing is confirmed. */
static void reopened(struct shard *shard)
{
    shard->confirmed = false;
    shard->opened_at = context_get(&shard->context, shard->replica);
    shard->opened_nonce = shard->nonce;
    shard->openings[0].since = shard->opened_at;
}

/* One that is configured and never there. */
static void absent_member(struct gossip *gossip)
{
    struct peer *peer = &gossip->peers[gossip->peers_count];
    peer_init(gossip, "test://9", true, peer);
    for (unsigned channel = 0; channel < CHANNELS; channel++)
        peer->dial_at[channel] = UINT64_MAX;
    gossip->peers_count++;
}

TEST(without_a_new_event_no_replica_id_is_used_up)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    reopened(box(&nodes, 0));
    absent_member(nodes.sides[0].gossip);
    uint64_t old = box(&nodes, 0)->replica;
    CHECK_OK(nodes_run(&nodes, 5000));
    CHECK_EQUAL(box(&nodes, 0)->replica, old);
    CHECK_EQUAL(nodes.sides[0].gossip->counts[REASON_redotted], 0);
    CHECK_OK(nodes_write(&nodes, 0, "x", 1)); /* under an id of its own at once */
    CHECK(box(&nodes, 0)->replica != old);
    CHECK_EQUAL(context_get(&box(&nodes, 0)->context, old), 1);
    CHECK_EQUAL(box(&nodes, 0)->counts.redotted, 0);
    CHECK_OK(nodes_run(&nodes, 1500));
    CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
    nodes_close(&nodes);
}

TEST(when_ids_have_run_out_the_old_one_stays)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    fill_ids(box(&nodes, 0));
    reopened(box(&nodes, 0));
    absent_member(nodes.sides[0].gossip);
    uint64_t old = box(&nodes, 0)->replica;
    CHECK_OK(nodes_run(&nodes, 5000));
    CHECK_OK(nodes_write(&nodes, 0, "x", 1)); /* no limit for whoever writes here */
    CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    CHECK_EQUAL(box(&nodes, 0)->replica, old);
    CHECK(gossip_problem(nodes.sides[0].gossip, bucket_id("box")));
    nodes.sides[0].gossip->peers_count--; /* all who are left confirm it */
    CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    CHECK_OK(nodes_run(&nodes, 1500));
    CHECK(context_equal(&box(&nodes, 0)->context, &box(&nodes, 1)->context));
    CHECK(!gossip_problem(nodes.sides[0].gossip, bucket_id("box")));
    nodes_close(&nodes);
}

TEST(a_release_waits_anew_for_whoever_comes_back)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    reopened(box(&nodes, 0));
    absent_member(nodes.sides[0].gossip);
    CHECK_OK(nodes_run(&nodes, 2000));
    struct topic *topic = topic_find(nodes.sides[0].gossip, bucket_id("box"));
    CHECK(topic->release_at && topic->due);
    uint64_t link = nodes.sides[0].gossip->peers[0].links[CHANNEL_CONTROL];
    CHECK_OK(give(&nodes, 0, NET_DOWN, link, slice_of(NULL, 0)));
    CHECK(!topic->release_at && !topic->due);
    nodes_close(&nodes);
}

/* Offline after a restart: what is not confirmed can't be cut, and must fit one batch. */
TEST(a_long_log_takes_a_new_id_before_it_is_too_long)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    absent_member(nodes.sides[0].gossip);
    reopened(box(&nodes, 0));
    const uint64_t *counts = nodes.sides[0].gossip->counts;
    for (int i = 0; i < UNRELEASED_MAX; i++)
        CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    CHECK(counts[REASON_log_cut_early] <= 1); /* what was told before */
    CHECK_EQUAL(counts[REASON_redotted], 0);
    CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    CHECK_EQUAL(counts[REASON_redotted], 1);
    CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    CHECK(shard_log_count(box(&nodes, 0)) <= 100);
    nodes_close(&nodes);
}

/* Catching up may take long, and local events go on meanwhile. */
TEST(a_log_is_cut_while_its_bucket_compares)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    CHECK_OK(shard_compare_begin(box(&nodes, 0), 1, &box(&nodes, 0)->context));
    for (int i = 0; i < 300; i++)
        CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    CHECK(box(&nodes, 0)->session.id);
    CHECK(shard_log_count(box(&nodes, 0)) <= 100);
    nodes_close(&nodes);
}

TEST(large_values_take_a_new_id_sooner)
{
    static const char letters[1 << 20];
    struct pair_of_nodes nodes;
    struct op op = {.kind = OP_LWW_SET, .value = slice_of(letters, sizeof letters)};
    struct side *side = &nodes.sides[0];
    struct buffer path;
    struct dot dot;
    char key[8];
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    reopened(box(&nodes, 0));
    for (int i = 0; i < 40; i++) {
        snprintf(key, sizeof key, "%d", i);
        buffer_init(&path, NEAP_PATH_MAX);
        CHECK_OK(path_level(&path, slice_text(key), NEAP_LWW));
        CHECK_OK(shard_write(box(&nodes, 0), side->batch, bucket_id("box"), buffer_slice(&path),
                             &op, &dot));
        CHECK_OK(nodes_write(&nodes, 0, "x", 1));
        buffer_done(&path);
    }
    CHECK_EQUAL(side->gossip->counts[REASON_redotted], 1);
    nodes_close(&nodes);
}

/* Its messages may still be under way when another node comes to its address. */
TEST(what_a_node_promised_outlives_its_entry)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_write(&nodes, 0, "x", 1));
    CHECK_OK(nodes_run(&nodes, 1500));
    struct gossip *gossip = nodes.sides[0].gossip;
    uint64_t node = gossip->peers[0].node, name = gossip->peers[0].promises;
    CHECK_EQUAL(box(&nodes, 0)->promises_count, 1);
    CHECK_EQUAL(box(&nodes, 0)->promises[0].node, name);
    peer_hand_over(gossip, 0, 777);
    gossip->peers[0].node = 777;
    CHECK(gossip->peers[0].promises != name);
    CHECK_EQUAL(box(&nodes, 0)->promises_count, 1);
    peer_hand_over(gossip, 0, node); /* it is back, and is known */
    gossip->peers[0].node = node;
    CHECK_EQUAL(gossip->peers[0].promises, name);
    peer_hand_over(gossip, 0, 777);
    nodes.now.mono_ms += 2 * gossip->options.silence_ms;
    CHECK(gossip_deadline(gossip) <= nodes.now.mono_ms);
    CHECK_OK(gossip_tick(gossip, nodes.now, nodes.sides[0].batch, &nodes.sides[0].outbox));
    CHECK_EQUAL(box(&nodes, 0)->promises_count, 0);
    nodes_close(&nodes);
}

/* ---- strangers ---- */

static int64_t find_bytes(struct slice in, const void *bytes, size_t size)
{
    for (size_t i = 0; i + size <= in.size; i++) {
        if (!memcmp(in.data + i, bytes, size))
            return (int64_t)i;
    }
    return -1;
}

static void say_hello(struct pair_of_nodes *nodes, uint64_t link, uint64_t cluster)
{
    struct message message;
    struct buffer bytes;
    message_init(&message);
    message.kind = MESSAGE_HELLO;
    message.hello = (struct hello){.cluster = cluster,
                                   .node = 8,
                                   .nonce = 9,
                                   .wire_version = WIRE_VERSION,
                                   .channel = CHANNEL_CONTROL,
                                   .address = "test://8"};
    buffer_init(&bytes, 1 << 12);
    CHECK_OK(message_encode(&message, &bytes));
    CHECK_OK(give(nodes, 1, NET_UP, link, slice_of(NULL, 0)));
    CHECK_OK(give(nodes, 1, NET_MESSAGE, link, buffer_slice(&bytes)));
    buffer_done(&bytes);
}

/* Half of what a peer may be silent later; with so much of a message on both links, or nothing. */
static void later(struct pair_of_nodes *nodes, size_t part)
{
    struct side *side = &nodes->sides[0];
    struct net_event event = {.kind = NET_PROGRESS, .side = NET_DIALED, .size = part};
    nodes->now.mono_ms += side->gossip->options.silence_ms / 2;
    for (unsigned channel = 0; channel < CHANNELS && part; channel++) {
        event.link = side->gossip->peers[0].links[channel];
        CHECK_OK(gossip_event(side->gossip, nodes->now, &event, side->batch, &side->outbox));
    }
    CHECK_OK(gossip_tick(side->gossip, nodes->now, side->batch, &side->outbox));
    outbox_clear(&side->outbox);
    CHECK_OK(side_commit(side));
}

/* An answer for the box is waited for, which does not come. */
static struct topic *pull_box(struct pair_of_nodes *nodes)
{
    struct gossip *gossip = nodes->sides[0].gossip;
    struct step step = {.gossip = gossip, .now = nodes->now};
    struct topic *topic = topic_find(gossip, bucket_id("box"));
    topic->pull = (struct pull){.state = PULL_EVENTS};
    pull_asked(&step, topic);
    gossip->peers[0].pulling++;
    topic_wake(gossip, topic, topic->pull.deadline);
    return topic;
}

TEST(a_message_in_progress_is_neither_silence_nor_no_answer)
{
    struct pair_of_nodes nodes;
    meet_with_box(&nodes);
    struct gossip *gossip = nodes.sides[0].gossip;
    const struct topic *topic = pull_box(&nodes);
    for (size_t part = 625; part < CELL_SIZE_MAX; part += 625)
        later(&nodes, part); /* the largest answer, in 17 hours */
    CHECK(peer_is_up(gossip, 0));
    CHECK_EQUAL(topic->pull.state, PULL_EVENTS);
    for (int i = 0; i < 3; i++)
        later(&nodes, 0);
    CHECK(!peer_is_up(gossip, 0));
    CHECK_EQUAL(topic->pull.state, PULL_NONE);
    nodes_close(&nodes);
}

/* A queue that was full, say: what is on its way then is not the answer. */
TEST(a_lost_answer_is_not_waited_for_while_later_ones_come)
{
    struct pair_of_nodes nodes;
    meet_with_box(&nodes);
    const struct gossip *gossip = nodes.sides[0].gossip;
    CHECK_OK(nodes_write_to(&nodes, 1, "crate", "pears", 1));
    CHECK_OK(nodes_run(&nodes, 1500));
    const struct topic *topic = pull_box(&nodes);
    topic_pair(topic_find(nodes.sides[1].gossip, bucket_id("crate")), 0)->behind = true;
    CHECK_OK(nodes_write_to(&nodes, 1, "crate", "pears", 1));
    uint64_t pulls = gossip->peers[0].pulls;
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK(gossip->peers[0].pulls > pulls);
    for (size_t i = 1; i < 5; i++)
        later(&nodes, i * 5000);
    CHECK(peer_is_up(gossip, 0));
    CHECK_EQUAL(topic->pull.state, PULL_NONE);
    nodes_close(&nodes);
}

/* Others, whose links are fast, may have it too. */
TEST(an_answer_that_dribbles_is_not_waited_for)
{
    struct pair_of_nodes nodes;
    meet_with_box(&nodes);
    const struct topic *topic = pull_box(&nodes);
    for (size_t i = 1; i < 8; i++)
        later(&nodes, i * 100);
    CHECK(peer_is_up(nodes.sides[0].gossip, 0));
    CHECK_EQUAL(topic->pull.state, PULL_NONE);
    nodes_close(&nodes);
}

/* What came before the question is no part of the answer. */
TEST(what_came_before_a_question_does_not_count_for_its_answer)
{
    struct pair_of_nodes nodes;
    meet_with_box(&nodes);
    later(&nodes, 100000);
    const struct topic *topic = pull_box(&nodes);
    for (size_t i = 1; i < 8; i++)
        later(&nodes, 100000 + i * 100);
    CHECK_EQUAL(topic->pull.state, PULL_NONE);
    nodes_close(&nodes);
}

/* Pushes go on for ever on the link on which the answer was lost: they are not waited for. */
TEST(a_lost_answer_is_not_waited_for_behind_pushes_without_end)
{
    static uint8_t large[(1 << 20) - 100];
    struct pair_of_nodes nodes;
    struct message message;
    struct buffer bytes;
    size_t came = 0;
    meet_with_box(&nodes);
    message_init(&message);
    message.kind = MESSAGE_PUSH;
    message.shard = 12345; /* one that is not open: passed over */
    message.bytes = slice_of(large, sizeof large);
    buffer_init(&bytes, 1 << 20);
    CHECK_OK(message_encode(&message, &bytes));
    const struct topic *topic = pull_box(&nodes);
    while (topic->pull.state != PULL_NONE && came < (size_t)4 * ANSWER_BYTES_MAX) {
        uint64_t link = nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK];
        later(&nodes, bytes.size / 2);
        CHECK_OK(give(&nodes, 0, NET_MESSAGE, link, buffer_slice(&bytes)));
        came += bytes.size;
    }
    CHECK(peer_is_up(nodes.sides[0].gossip, 0));
    CHECK_EQUAL(topic->pull.state, PULL_NONE);
    CHECK(came > ANSWER_BYTES_MAX); /* an answer might have been behind so much */
    CHECK(came < ANSWER_BYTES_MAX + (size_t)4 * MESSAGE_SIZE_MAX);
    buffer_done(&bytes);
    nodes_close(&nodes);
}

TEST(a_stranger_does_not_learn_the_clusters_id)
{
    struct pair_of_nodes nodes;
    struct message message;
    CHECK_OK(nodes_open(&nodes));
    struct side *side = &nodes.sides[1];
    uint64_t cluster = 0x5152535455565758;
    uint8_t id[8];
    bytes_put_u64(id, cluster);
    side->gossip->options.cluster = cluster;
    for (uint64_t claimed = 0; claimed < 7; claimed += 6) {
        outbox_clear(&side->outbox);
        say_hello(&nodes, 100 + claimed, claimed);
        CHECK_EQUAL(side->outbox.count, 2);
        const struct effect *effects = side->outbox.effects;
        CHECK(effects[0].kind == EFFECT_SEND && effects[1].kind == EFFECT_CLOSE);
        CHECK_EQUAL(find_bytes(effects[0].bytes, id, sizeof id), -1);
        CHECK_OK(message_decode(effects[0].bytes, &message));
        CHECK_EQUAL(message.hello.cluster, 0);
        CHECK_EQUAL(message.hello.node, 0);
        CHECK_EQUAL(message.hello.nonce, 0);
        message_done(&message);
    }
    CHECK_EQUAL(side->gossip->counts[REASON_wrong_cluster], 2);
    outbox_clear(&side->outbox);
    say_hello(&nodes, 200, cluster); /* one of us does */
    CHECK(find_bytes(side->outbox.effects[0].bytes, id, sizeof id) >= 0);
    nodes_close(&nodes);
}

/* ---- other versions ---- */

/* Side 0 has dialled, and whoever answers speaks `version`. Its last word about it, "" when they
 * talk. */
static void answer_hello(struct pair_of_nodes *nodes, uint32_t version, char ret_error[96])
{
    struct side *side = &nodes->sides[0];
    struct message message;
    struct buffer bytes;
    CHECK_OK(gossip_tick(side->gossip, nodes->now, side->batch, &side->outbox));
    CHECK(side->gossip->links_count > 0);
    uint64_t link = side->gossip->links[0].id;
    message_init(&message);
    message.kind = MESSAGE_HELLO;
    message.hello = (struct hello){.cluster = side->gossip->options.cluster,
                                   .node = 8,
                                   .nonce = 9,
                                   .wire_version = version,
                                   .channel = side->gossip->links[0].channel,
                                   .address = ""};
    buffer_init(&bytes, 1 << 12);
    CHECK_OK(message_encode(&message, &bytes));
    CHECK_OK(give(nodes, 0, NET_UP, link, slice_of(NULL, 0)));
    CHECK_OK(give(nodes, 0, NET_MESSAGE, link, buffer_slice(&bytes)));
    CHECK_EQUAL(link_find(side->gossip, link) != NULL,
                side->gossip->counts[REASON_wire_version] == 0);
    snprintf(ret_error, 96, "%s", side->gossip->peers[0].last_error);
    buffer_done(&bytes);
}

/* The next version speaks this one as well, and the one before was spoken by this one. */
TEST(neighbours_talk_and_others_are_told_what_to_upgrade)
{
    static const struct {
        uint32_t version;
        const char *says;
    } cases[] = {
        {WIRE_VERSION_MIN - 1, "upgrade the other node"},
        {WIRE_VERSION_MIN, ""},
        {WIRE_VERSION, ""},
        {WIRE_VERSION + 1, ""},
        {WIRE_VERSION + 2, "upgrade this node"},
        {4000000000, "it speaks wire version 4000000000, this node"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair_of_nodes nodes;
        char error[96], number[16];
        CHECK_OK(nodes_open(&nodes));
        answer_hello(&nodes, cases[i].version, error);
        CHECK(strstr(error, cases[i].says));
        CHECK_EQUAL(error[0] != 0, cases[i].says[0] != 0);
        snprintf(number, sizeof number, "version %u,", (unsigned)cases[i].version);
        CHECK(!error[0] || strstr(error, number));
        nodes_close(&nodes);
    }
}

/* Two of the next version speak that one, in which what is said in this one is no message. */
TEST(of_two_versions_the_older_one_is_spoken)
{
    static const struct {
        uint32_t own, theirs, spoken;
    } cases[] = {
        {WIRE_VERSION, WIRE_VERSION, WIRE_VERSION},
        {WIRE_VERSION, WIRE_VERSION + 1, WIRE_VERSION},
        {WIRE_VERSION + 1, WIRE_VERSION, WIRE_VERSION},
        {WIRE_VERSION + 1, WIRE_VERSION + 1, WIRE_VERSION + 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const uint8_t heartbeat[] = {0x92, MESSAGE_HEARTBEAT, 1};
        struct pair_of_nodes nodes;
        char error[96];
        CHECK_OK(nodes_open(&nodes));
        struct gossip *gossip = nodes.sides[0].gossip;
        gossip->options.wire_newest = cases[i].own;
        answer_hello(&nodes, cases[i].theirs, error);
        CHECK_TEXT(error, "");
        CHECK_EQUAL(gossip->links[0].version, cases[i].spoken);
        CHECK_OK(give(&nodes, 0, NET_MESSAGE, gossip->links[0].id,
                      slice_of(heartbeat, sizeof heartbeat)));
        CHECK_EQUAL(gossip->counts[REASON_malformed], cases[i].spoken > WIRE_VERSION);
        nodes_close(&nodes);
    }
}

/* A chunk says its own version: one that should not have come costs the link, and no more. */
TEST(a_chunk_of_a_newer_form_costs_the_link_and_says_so)
{
    struct pair_of_nodes nodes;
    struct message message;
    struct buffer bytes, chunk;
    meet_with_box(&nodes);
    struct gossip *gossip = nodes.sides[0].gossip;
    struct shard *giver = box(&nodes, 1);
    CHECK_OK(nodes_write(&nodes, 1, "more", 1));
    struct view view = batch_view(nodes.sides[1].batch);
    buffer_init(&chunk, CHUNK_BYTES_MAX);
    buffer_init(&bytes, 1 << 20);
    CHECK_OK(shard_chunk(giver, &view, &giver->horizon, 0, CHUNK_SIZE, &chunk));
    chunk.data[1] = CHUNK_VERSION + 1;
    message_init(&message);
    message.kind = MESSAGE_PUSH;
    message.shard = giver->id;
    message.bytes = buffer_slice(&chunk);
    CHECK_OK(message_encode(&message, &bytes));
    uint64_t link = gossip->peers[0].links[CHANNEL_BULK];
    CHECK_OK(give(&nodes, 0, NET_MESSAGE, link, buffer_slice(&bytes)));
    CHECK(!link_find(gossip, link));
    CHECK_EQUAL(gossip->counts[REASON_wire_version], 1);
    CHECK(strstr(gossip->peers[0].last_error, "newer form"));
    buffer_done(&chunk);
    buffer_done(&bytes);
    nodes_close(&nodes);
}

TEST(counts_have_names)
{
    struct pair_of_nodes nodes;
    const char *name;
    uint64_t count;
    CHECK_OK(nodes_open(&nodes));
    CHECK(gossip_count(nodes.sides[0].gossip, 0, &name, &count));
    CHECK_TEXT(name, "malformed");
    CHECK(!gossip_count(nodes.sides[0].gossip, REASONS, &name, &count));
    nodes_close(&nodes);
}
