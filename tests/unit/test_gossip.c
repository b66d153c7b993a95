/* Two nodes without a wheel: what one wants to be sent is handed to the other at once. */
#include "gossip/gossip.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "gossip/state.h"
#include "tests/support/test.h"

static uint64_t clock_zero(struct clock *clock)
{
    (void)clock;
    return 1000;
}

struct test_clock {
    struct clock clock;
    uint64_t next;
};

static uint64_t clock_count(struct clock *clock)
{
    return ++((struct test_clock *)clock)->next * 0x9e3779b97f4a7c15;
}

static const struct clock_ops clock_ops = {clock_zero, clock_zero, clock_count};

struct side {
    struct disk *disk;
    struct store store;
    bool store_is_open;
    struct batch *batch;
    struct outbox outbox;
    struct gossip *gossip;
};

struct pair_of_nodes {
    struct side sides[2];
    struct now now;
    struct test_clock clock;
    size_t queue_max;   /* bytes that a node may send at once; 0: any */
    unsigned digests;   /* messages of them that were sent or refused */
    size_t digests_max; /* bytes of them that were sent at once, at most */
};

static int side_open(struct pair_of_nodes *nodes, size_t index)
{
    static const char *const addresses[] = {"test://0", "test://1"};
    struct side *side = &nodes->sides[index];
    struct directory_mark mark = {0};
    struct gossip_options options = {.cluster = 5,
                                     .address = addresses[index],
                                     .peers = &addresses[!index],
                                     .peers_count = index == 0, /* only one of them dials */
                                     .heartbeat_ms = 1000,
                                     .silence_ms = 5000,
                                     .backoff_ms_max = 1000,
                                     .log_max = 100};
    outbox_init(&side->outbox, 1 << 20);
    int error = disk_mem_open(&side->disk);
    if (!error)
        error = store_open(&side->store, side->disk, &mark, &nodes->clock.clock, false, NULL);
    side->store_is_open = !error;
    if (!error)
        error = batch_new(side->disk, &side->batch);
    if (!error)
        error = gossip_new(&options, &side->store, NULL, index + 1, &side->gossip);
    return error;
}

static void side_close(struct side *side)
{
    gossip_free(side->gossip);
    batch_free(side->batch);
    outbox_done(&side->outbox);
    if (side->store_is_open)
        store_done(&side->store);
    disk_close(side->disk);
}

static int nodes_open(struct pair_of_nodes *nodes)
{
    *nodes = (struct pair_of_nodes){.now = {.mono_ms = 1000, .wall_ms = 1000},
                                    .clock.clock.ops = &clock_ops};
    int error = side_open(nodes, 0);
    return error ? error : side_open(nodes, 1);
}

static void nodes_close(struct pair_of_nodes *nodes)
{
    side_close(&nodes->sides[0]);
    side_close(&nodes->sides[1]);
}

static int side_commit(struct side *side)
{
    int error = side->disk->ops->commit(side->disk, side->batch, true);
    if (!error)
        batch_clear(side->batch);
    return error;
}

static int give(struct pair_of_nodes *nodes, size_t to, enum net_event_kind kind, uint64_t link,
                struct slice bytes)
{
    struct side *side = &nodes->sides[to];
    struct net_event event = {.kind = kind,
                              .link = to == 0 ? link : link | NET_ACCEPTED,
                              .side = to == 0 ? NET_DIALED : NET_PEER};
    buffer_init(&event.message, 1 << 20);
    int error = buffer_set(&event.message, bytes);
    if (!error)
        error = gossip_event(side->gossip, nodes->now, &event, side->batch, &side->outbox);
    buffer_done(&event.message);
    return error ? error : side_commit(side);
}

static bool is_digest(struct slice bytes)
{
    struct message message;
    CHECK_OK(message_decode(bytes, &message));
    bool digest = message.kind == MESSAGE_DIGEST;
    message_done(&message);
    return digest;
}

/* What a node sends at once passes a queue with a bound, when a test wants one. */
static bool refuse(struct pair_of_nodes *nodes, size_t from, const struct effect *effect,
                   size_t *queued, size_t *digests)
{
    if (is_digest(effect->bytes)) {
        nodes->digests++;
        *digests += effect->bytes.size;
        if (*digests > nodes->digests_max)
            nodes->digests_max = *digests;
    }
    if (*queued + effect->bytes.size > nodes->queue_max) {
        gossip_send_failed(nodes->sides[from].gossip, effect->link, NEAP_BUSY);
        return true;
    }
    *queued += effect->bytes.size;
    return false;
}

/* Hands over the effects of one side. */
static int carry(struct pair_of_nodes *nodes, size_t from, bool *ret_any)
{
    struct outbox outbox = nodes->sides[from].outbox;
    size_t queued = 0, digests = 0;
    int error = 0;
    outbox_init(&nodes->sides[from].outbox, 1 << 20);
    for (size_t i = 0; i < outbox.count && !error; i++) {
        const struct effect *effect = &outbox.effects[i];
        uint64_t link = effect->link & ~NET_ACCEPTED;
        *ret_any = true;
        if (nodes->queue_max && effect->kind == EFFECT_SEND &&
            refuse(nodes, from, effect, &queued, &digests))
            continue;
        if (effect->kind == EFFECT_DIAL) {
            error = give(nodes, 1, NET_UP, link, slice_of(NULL, 0));
            error = error ? error : give(nodes, 0, NET_UP, link, slice_of(NULL, 0));
        } else if (effect->kind == EFFECT_SEND) {
            error = give(nodes, !from, NET_MESSAGE, link, effect->bytes);
        } else if (effect->kind == EFFECT_CLOSE) {
            error = give(nodes, !from, NET_DOWN, link, slice_of(NULL, 0));
        }
    }
    outbox_done(&outbox);
    return error;
}

static int nodes_run(struct pair_of_nodes *nodes, uint64_t ms)
{
    int error = 0;
    for (uint64_t end = nodes->now.mono_ms + ms; nodes->now.mono_ms < end && !error;
         nodes->now.mono_ms += 25) {
        for (size_t i = 0; i < 2 && !error; i++) {
            struct side *side = &nodes->sides[i];
            if (gossip_deadline(side->gossip) <= nodes->now.mono_ms)
                error = gossip_tick(side->gossip, nodes->now, side->batch, &side->outbox);
            error = error ? error : side_commit(side);
        }
        for (bool any = true; any && !error;) {
            any = false;
            error = carry(nodes, 0, &any);
            error = error ? error : carry(nodes, 1, &any);
        }
    }
    return error;
}

static int nodes_write_to(struct pair_of_nodes *nodes, size_t index, const char *bucket,
                          const char *key, int64_t number)
{
    struct side *side = &nodes->sides[index];
    struct op op = {.kind = OP_COUNTER_ADD, .number = number};
    struct shard *shard;
    struct buffer path;
    struct dot dot;
    buffer_init(&path, NEAP_PATH_MAX);
    int error = gossip_has_due(side->gossip)
                    ? gossip_before_write(side->gossip, nodes->now, bucket_id(bucket), side->batch)
                    : 0;
    if (!error)
        error = store_shard(&side->store, side->batch, bucket, &shard);
    if (!error)
        error = path_level(&path, slice_text(key), NEAP_COUNTER);
    if (!error)
        error = shard_write(shard, side->batch, shard->id, buffer_slice(&path), &op, &dot);
    buffer_done(&path);
    if (error)
        return error;
    gossip_touched(side->gossip, bucket_id(bucket));
    if (side->gossip->touched_all)
        return NEAP_NOMEM; /* swallowed there: the flush would look everywhere */
    error = gossip_flush(side->gossip, nodes->now, side->batch, &side->outbox);
    return error ? error : side_commit(side);
}

static int nodes_write(struct pair_of_nodes *nodes, size_t index, const char *key, int64_t number)
{
    return nodes_write_to(nodes, index, "box", key, number);
}

static struct shard *box(struct pair_of_nodes *nodes, size_t index)
{
    return store_find(&nodes->sides[index].store, bucket_id("box"));
}

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

TEST(who_covers_what_is_known)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    uint64_t shard = bucket_id("box");
    CHECK_EQUAL(gossip_covering(nodes.sides[0].gossip, shard, &box(&nodes, 0)->context), 0);
    CHECK_OK(nodes_run(&nodes, 1500));
    CHECK_EQUAL(gossip_covering(nodes.sides[0].gossip, shard, &box(&nodes, 0)->context), 1);
    CHECK_EQUAL(gossip_covering(nodes.sides[0].gossip, 12345, &box(&nodes, 0)->context), 0);
    nodes_close(&nodes);
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

/* What side 0 knows of the box at side 1. */
static struct pair *box_pair(struct pair_of_nodes *nodes)
{
    return topic_pair(topic_find(nodes->sides[0].gossip, bucket_id("box")), 0);
}

static void meet_with_box(struct pair_of_nodes *nodes)
{
    CHECK_OK(nodes_open(nodes));
    CHECK_OK(nodes_write(nodes, 1, "apples", 1));
    CHECK_OK(nodes_run(nodes, 1500));
    CHECK(box_pair(nodes)->open);
    CHECK_EQUAL(box_pair(nodes)->replica, box(nodes, 1)->replica);
}

static void box_is_known_again(struct pair_of_nodes *nodes)
{
    CHECK_OK(nodes_run(nodes, 3000));
    CHECK(box_pair(nodes)->open);
    CHECK_EQUAL(box_pair(nodes)->replica, box(nodes, 1)->replica);
    CHECK(context_equal(&box_pair(nodes)->context, &box(nodes, 1)->context));
}

/* Half of what a peer may be silent later; with a part of a message on both links, or nothing. */
static void later(struct pair_of_nodes *nodes, bool progress)
{
    struct side *side = &nodes->sides[0];
    const uint64_t *links = side->gossip->peers[0].links;
    nodes->now.mono_ms += side->gossip->options.silence_ms / 2;
    for (unsigned channel = 0; channel < CHANNELS && progress; channel++)
        CHECK_OK(give(nodes, 0, NET_PROGRESS, links[channel], slice_of(NULL, 0)));
    CHECK_OK(gossip_tick(side->gossip, nodes->now, side->batch, &side->outbox));
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
    for (int i = 0; i < 10; i++)
        later(&nodes, true);
    CHECK(peer_is_up(gossip, 0));
    CHECK_EQUAL(topic->pull.state, PULL_EVENTS);
    for (int i = 0; i < 3; i++)
        later(&nodes, false);
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
    for (int i = 0; i < 4; i++)
        later(&nodes, true);
    CHECK(peer_is_up(gossip, 0));
    CHECK_EQUAL(topic->pull.state, PULL_NONE);
    nodes_close(&nodes);
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
