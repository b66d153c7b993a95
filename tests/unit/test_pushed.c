/* Pushes that are differences to the one before, over a net that may do with them what it likes. */
#include <stdio.h>

#include "base/error.h"
#include "tests/unit/gossip_nodes.h"

/* Messages that side 0 wanted to be sent, kept. */
enum { KEPT_MAX = 64 };
struct kept {
    struct buffer messages[KEPT_MAX];
    uint64_t links[KEPT_MAX];
    size_t count;
};

static struct kept kept;

static void kept_clear(void)
{
    for (size_t i = 0; i < kept.count; i++)
        buffer_done(&kept.messages[i]);
    kept.count = 0;
}

static bool is_push(struct slice bytes)
{
    return bytes.size > 1 && bytes.data[1] == MESSAGE_PUSH;
}

/* Takes the pushes of side 0 out of its hands; all else is handed over. */
static void keep_sent(struct pair_of_nodes *nodes)
{
    struct outbox *outbox = &nodes->sides[0].outbox;
    for (size_t i = 0; i < outbox->count; i++) {
        CHECK(outbox->effects[i].kind == EFFECT_SEND && kept.count < KEPT_MAX);
        if (!is_push(outbox->effects[i].bytes)) {
            CHECK_OK(give(nodes, 1, NET_MESSAGE, outbox->effects[i].link & ~NET_ACCEPTED,
                          outbox->effects[i].bytes));
            continue;
        }
        buffer_init(&kept.messages[kept.count], 1 << 20);
        CHECK_OK(buffer_set(&kept.messages[kept.count], outbox->effects[i].bytes));
        kept.links[kept.count++] = outbox->effects[i].link;
    }
    outbox_clear(outbox);
}

static int hand_over(struct pair_of_nodes *nodes, size_t index)
{
    return give(nodes, 1, NET_MESSAGE, kept.links[index], buffer_slice(&kept.messages[index]));
}

static enum chunk_kind kept_kind(size_t index)
{
    struct message message;
    CHECK_OK(message_decode(buffer_slice(&kept.messages[index]), &message));
    enum chunk_kind kind =
        message.kind == MESSAGE_PUSH ? chunk_kind_of(message.bytes) : (enum chunk_kind)0;
    message_done(&message);
    return kind;
}

/* Both have the box, and side 0 has pushed to it once. */
static void begin(struct pair_of_nodes *nodes)
{
    meet_with_box(nodes);
    CHECK_OK(nodes_write(nodes, 0, "apples", 1));
    CHECK_OK(nodes_run(nodes, 1500));
    CHECK_EQUAL(nodes->messages[MESSAGE_PUSH], 1);
}

static void end(struct pair_of_nodes *nodes)
{
    kept_clear();
    nodes_close(nodes);
}

static uint64_t refused(struct pair_of_nodes *nodes)
{
    return nodes->sides[1].gossip->counts[REASON_push_refused];
}

static void check_equal(struct pair_of_nodes *nodes)
{
    CHECK(context_equal(&box(nodes, 0)->context, &box(nodes, 1)->context));
}

/* What side 1 has of side 0 is what that had made by then, and no more. */
static void check_no_more(struct pair_of_nodes *nodes)
{
    const struct shard *mine = box(nodes, 0), *theirs = box(nodes, 1);
    CHECK(context_get(&theirs->context, mine->replica) <=
          context_get(&mine->context, mine->replica));
    for (size_t i = 0; i < theirs->context.count; i++)
        CHECK(theirs->context.entries[i].id == theirs->replica ||
              context_find(&mine->context, theirs->context.entries[i].id));
}

TEST(a_push_is_a_difference_to_the_one_before)
{
    struct pair_of_nodes nodes;
    begin(&nodes);
    size_t first = nodes.bytes[MESSAGE_PUSH];
    for (unsigned i = 2; i < 10; i++) {
        size_t before = nodes.bytes[MESSAGE_PUSH];
        CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
        if (i % 2)
            CHECK_OK(nodes_write(&nodes, 1, "pears", 1)); /* that id goes up, too */
        CHECK_OK(nodes_run(&nodes, 1500));
        CHECK(nodes.bytes[MESSAGE_PUSH] - before < 2 * first);
        check_equal(&nodes);
    }
    CHECK_EQUAL(nodes.messages[MESSAGE_PUSHED], 0);
    CHECK_EQUAL(nodes.messages[MESSAGE_PULL], 1); /* when they met */
    end(&nodes);
}

TEST(what_comes_after_a_push_that_was_lost_is_refused_and_pulled)
{
    struct pair_of_nodes nodes;
    begin(&nodes);
    for (unsigned i = 1; i <= 3; i++) {
        nodes.loses[MESSAGE_PUSH] = 1; /* and nobody says so */
        CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
        CHECK_OK(nodes_run(&nodes, 25));
        CHECK_EQUAL(refused(&nodes), i - 1);
        CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
        CHECK_OK(nodes_run(&nodes, PUSH_WAIT_MS + 100));
        CHECK_EQUAL(refused(&nodes), i);
        CHECK_EQUAL(nodes.messages[MESSAGE_PUSHED], i);
        check_equal(&nodes); /* it was pulled */
        unsigned pushes = nodes.messages[MESSAGE_PUSH];
        CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
        CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
        CHECK_OK(nodes_run(&nodes, 25));
        check_equal(&nodes); /* and now it is pushed again */
        CHECK_EQUAL(nodes.messages[MESSAGE_PUSH], pushes + 2);
        CHECK_EQUAL(refused(&nodes), i);
    }
    end(&nodes);
}

TEST(after_a_push_that_was_not_sent_the_next_one_is_whole)
{
    struct pair_of_nodes nodes;
    begin(&nodes);
    struct outbox *outbox = &nodes.sides[0].outbox;
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    CHECK_EQUAL(outbox->count, 1);
    gossip_send_failed(nodes.sides[0].gossip, outbox->effects[0].link, NEAP_BUSY);
    outbox_clear(outbox);
    CHECK_OK(nodes_run(&nodes, 3000));
    check_equal(&nodes);
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    keep_sent(&nodes);
    CHECK_EQUAL(kept.count, 2);
    CHECK_EQUAL(kept_kind(0), CHUNK_EVENTS);
    CHECK_EQUAL(kept_kind(1), CHUNK_NEXT);
    CHECK_OK(hand_over(&nodes, 0));
    CHECK_OK(hand_over(&nodes, 1));
    check_equal(&nodes);
    CHECK_EQUAL(refused(&nodes), 0);
    end(&nodes);
}

TEST(on_a_new_link_a_push_is_whole)
{
    struct pair_of_nodes nodes;
    begin(&nodes);
    uint64_t link = nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK];
    CHECK(box_pair(&nodes)->pushed.known);
    CHECK_OK(give(&nodes, 0, NET_DOWN, link, slice_of(NULL, 0)));
    CHECK(!box_pair(&nodes)->pushed.known);
    CHECK(!box_pair(&nodes)->pushed.base.context.entries);
    CHECK_OK(give(&nodes, 1, NET_DOWN, link, slice_of(NULL, 0)));
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1)); /* pulled: it might have missed some */
    CHECK_OK(nodes_run(&nodes, 3000));
    check_equal(&nodes);
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    keep_sent(&nodes);
    CHECK_EQUAL(kept.count, 2);
    CHECK(kept.links[0] != link);
    CHECK_EQUAL(kept_kind(0), CHUNK_EVENTS);
    CHECK_EQUAL(kept_kind(1), CHUNK_NEXT);
    for (size_t i = 0; i < 2; i++)
        CHECK_OK(hand_over(&nodes, i));
    check_equal(&nodes);
    end(&nodes);
}

/* One comes late, by a link that the other end has left: it is no base, and needs no answer. */
TEST(what_comes_late_is_no_base)
{
    struct pair_of_nodes nodes;
    begin(&nodes);
    for (unsigned i = 0; i < 3; i++)
        CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    keep_sent(&nodes);
    CHECK_OK(hand_over(&nodes, 0));
    CHECK_OK(hand_over(&nodes, 1));
    CHECK_OK(hand_over(&nodes, 0));
    CHECK_OK(hand_over(&nodes, 1));
    CHECK_OK(hand_over(&nodes, 2));
    CHECK_EQUAL(refused(&nodes), 0);
    check_equal(&nodes);
    end(&nodes);
}

/* The same, when the link by which later ones came has ended before it comes. */
TEST(what_comes_late_needs_no_answer_when_what_came_after_it_is_forgotten)
{
    enum { OTHER_LINK = 12345 };
    struct pair_of_nodes nodes;
    begin(&nodes);
    for (unsigned i = 0; i < 3; i++)
        CHECK_OK(nodes_write(&nodes, 0, "apples", 1));
    keep_sent(&nodes);
    for (size_t i = 0; i < 3; i++)
        CHECK_OK(hand_over(&nodes, i));
    struct gossip *gossip = nodes.sides[1].gossip;
    struct pair *pair = topic_pair(topic_find(gossip, bucket_id("box")), 0);
    pair->came.link = OTHER_LINK;
    pushed_link_ended(gossip, 0, OTHER_LINK);
    CHECK(!pair->came.known);
    CHECK_OK(hand_over(&nodes, 1));
    CHECK(pair->gap);
    CHECK_EQUAL(refused(&nodes), 0);
    CHECK_OK(nodes_run(&nodes, 3000));
    check_equal(&nodes);
    end(&nodes);
}

/* Whatever the net does with pushes: nothing is ever taken for what it is not, and what was lost is
 * pulled. */
TEST(pushes_may_come_in_any_order_and_any_number)
{
    struct rng rng;
    rng_init(&rng, 11);
    for (unsigned round = 0; round < 60; round++) {
        struct pair_of_nodes nodes;
        int64_t sum = 1;
        begin(&nodes);
        for (unsigned part = 0; part < 4; part++) {
            uint64_t writes = 1 + rng_below(&rng, 6);
            for (uint64_t i = 0; i < writes; i++, sum++) {
                CHECK_OK(nodes_write(&nodes, 0, rng_below(&rng, 2) ? "apples" : "pears", 1));
                if (rng_below(&rng, 4) == 0)
                    CHECK_OK(nodes_write(&nodes, 1, "plums", 1));
                keep_sent(&nodes);
            }
            for (uint64_t i = rng_below(&rng, 12); i > 0 && kept.count > 0; i--) {
                CHECK_OK(hand_over(&nodes, rng_below(&rng, kept.count)));
                check_no_more(&nodes);
            }
            if (rng_below(&rng, 2))
                CHECK_OK(nodes_run(&nodes, rng_below(&rng, 2) ? 25 : 2000));
        }
        CHECK_OK(nodes_run(&nodes, 4000));
        check_equal(&nodes);
        CHECK_EQUAL(context_get(&box(&nodes, 1)->context, box(&nodes, 0)->replica), sum);
        CHECK(peer_is_up(nodes.sides[1].gossip, 0));
        end(&nodes);
    }
}

TEST(of_more_shards_than_are_kept_pushes_are_whole)
{
    struct pair_of_nodes nodes;
    begin(&nodes);
    for (unsigned i = 0; i < 2; i++)
        nodes.sides[i].gossip->options.pushed_max = 2;
    for (unsigned i = 0; i < 12; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "box %u", i % 4);
        CHECK_OK(nodes_write_to(&nodes, 0, name, "apples", 1));
        CHECK_OK(nodes_run(&nodes, 1500));
        for (unsigned side = 0; side < 2; side++)
            CHECK(nodes.sides[side].gossip->peers[0].pushed_count[side] <= 2);
    }
    CHECK_EQUAL(nodes.messages[MESSAGE_PUSHED], 0);
    for (unsigned i = 0; i < 4; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "box %u", i);
        CHECK(context_equal(&store_find(&nodes.sides[0].store, bucket_id(name))->context,
                            &store_find(&nodes.sides[1].store, bucket_id(name))->context));
    }
    end(&nodes);
}

/* ---- whoever sends what it likes ---- */

static void push_by_hand(struct pair_of_nodes *nodes, uint64_t number, struct slice chunk)
{
    struct message message;
    struct buffer bytes;
    uint64_t link = nodes->sides[0].gossip->peers[0].links[CHANNEL_BULK];
    message_init(&message);
    message.kind = MESSAGE_PUSH;
    message.shard = box(nodes, 0)->id;
    message.session = number;
    message.bytes = chunk;
    buffer_init(&bytes, 1 << 20);
    CHECK_OK(message_encode(&message, &bytes));
    CHECK_OK(give(nodes, 1, NET_MESSAGE, link, buffer_slice(&bytes)));
    buffer_done(&bytes);
}

TEST(a_difference_to_nothing_is_refused_and_costs_no_link)
{
    struct pair_of_nodes nodes;
    uint8_t bytes[64];
    struct slice chunk = test_unhex("97 01 04 90 90 90 01 90", bytes, sizeof bytes);
    meet_with_box(&nodes); /* side 0 has pushed nothing */
    push_by_hand(&nodes, 1, chunk);
    push_by_hand(&nodes, 0, chunk);
    push_by_hand(&nodes, UINT64_MAX, chunk);
    CHECK_EQUAL(refused(&nodes), 3);
    CHECK(peer_is_up(nodes.sides[1].gossip, 0));
    end(&nodes);
}

TEST(a_difference_to_another_push_is_refused_and_costs_no_link)
{
    static const uint64_t numbers[] = {3, 4, UINT64_MAX, UINT64_MAX - 1, 1ull << 32};
    struct pair_of_nodes nodes;
    uint8_t bytes[64];
    struct slice chunk = test_unhex("97 01 04 90 90 90 01 90", bytes, sizeof bytes);
    begin(&nodes); /* number 1 */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        push_by_hand(&nodes, numbers[i], chunk);
        CHECK_EQUAL(refused(&nodes), i + 1);
    }
    push_by_hand(&nodes, 1, chunk); /* late */
    push_by_hand(&nodes, 0, chunk);
    CHECK_EQUAL(refused(&nodes), sizeof numbers / sizeof *numbers);
    CHECK(peer_is_up(nodes.sides[1].gossip, 0));
    CHECK_OK(nodes_run(&nodes, 3000));
    check_equal(&nodes);
    end(&nodes);
}

TEST(nonsense_after_the_last_push_costs_the_link)
{
    struct pair_of_nodes nodes;
    uint8_t bytes[64];
    begin(&nodes);
    push_by_hand(&nodes, 2, test_unhex("97 01 04 90 90 90 01 90", bytes, sizeof bytes));
    CHECK_EQUAL(nodes.sides[1].gossip->counts[REASON_bad_chunk], 1);
    CHECK(!peer_is_up(nodes.sides[1].gossip, 0));
    end(&nodes);
}

/* The answer to a push that nobody sent, or that was answered already. */
TEST(an_answer_to_no_push_changes_nothing)
{
    struct pair_of_nodes nodes;
    struct message message;
    struct buffer bytes;
    meet_with_box(&nodes);
    uint64_t link = nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK];
    message_init(&message);
    message.kind = MESSAGE_PUSHED;
    message.shard = box(&nodes, 0)->id;
    message.session = 77;
    message.code = NEAP_STALE;
    buffer_init(&bytes, 1 << 10);
    CHECK_OK(message_encode(&message, &bytes));
    CHECK_OK(give(&nodes, 0, NET_MESSAGE, link, buffer_slice(&bytes)));
    CHECK(!box_pair(&nodes)->behind);
    message.shard++; /* of none */
    CHECK_OK(message_encode(&message, &bytes));
    CHECK_OK(give(&nodes, 0, NET_MESSAGE, link, buffer_slice(&bytes)));
    CHECK(peer_is_up(nodes.sides[0].gossip, 0));
    buffer_done(&bytes);
    end(&nodes);
}

static int push_and_refuse(void *argument)
{
    struct pair_of_nodes *nodes = argument;
    int error = nodes_open(nodes);
    for (int i = 0; i < 6 && !error; i++) {
        nodes->loses[MESSAGE_PUSH] = i == 3;
        error = nodes_write(nodes, i & 1, "apples", 1);
        if (!error)
            error = nodes_run(nodes, 1000);
    }
    nodes_close(nodes);
    return error;
}

TEST(pushes_survive_failing_allocations)
{
    static struct pair_of_nodes nodes;
    test_alloc_sweep(push_and_refuse, &nodes);
}
