/* Answers to a pull, whose chunks are told after one another, over a net that may do with them what
 * it likes. */
#include <stdio.h>

#include "base/error.h"
#include "tests/unit/gossip_nodes.h"

/* Chunks that side 0 wanted to be sent, kept. */
enum { KEPT_MAX = 64, CELLS = 60 };
struct kept {
    struct buffer messages[KEPT_MAX];
    uint64_t link;
    size_t count;
};

static struct kept kept;

/* Takes the chunks of side 0 out of its hands; all else is handed over. */
static void keep_sent(struct pair_of_nodes *nodes)
{
    struct outbox *outbox = &nodes->sides[0].outbox;
    for (size_t i = 0; i < outbox->count; i++) {
        const struct effect *effect = &outbox->effects[i];
        uint64_t link = effect->link & ~NET_ACCEPTED;
        CHECK(effect->kind == EFFECT_SEND && effect->bytes.size > 1);
        if (effect->bytes.data[1] != MESSAGE_PULLED) {
            CHECK_OK(give(nodes, 1, NET_MESSAGE, link, effect->bytes));
            continue;
        }
        CHECK(kept.count < KEPT_MAX);
        buffer_init(&kept.messages[kept.count], 1 << 20);
        CHECK_OK(buffer_set(&kept.messages[kept.count++], effect->bytes));
        kept.link = link;
    }
    outbox_clear(outbox);
    nodes->holds[0] = false;
}

/* Until side 1 has asked, and side 0 answered. */
static void keep_answer(struct pair_of_nodes *nodes)
{
    CHECK_OK(nodes_run(nodes, 50));
    keep_sent(nodes);
}

static void hand_over(struct pair_of_nodes *nodes, size_t index)
{
    CHECK_OK(give(nodes, 1, NET_MESSAGE, kept.link, buffer_slice(&kept.messages[index])));
}

static bool kept_is_after(size_t index, uint64_t *ret_place)
{
    struct message message;
    CHECK_OK(message_decode(buffer_slice(&kept.messages[index]), &message));
    bool after = chunk_was_after(message.bytes);
    *ret_place = message.what;
    message_done(&message);
    return after;
}

/* Side 0 has written to so many cells, one after the other, and side 1 has asked for them. */
static void begin(struct pair_of_nodes *nodes)
{
    char name[16];
    CHECK_OK(nodes_open(nodes));
    for (unsigned i = 0; i < 2; i++)
        nodes->sides[i].gossip->options.chunk_size = 200;
    for (unsigned i = 0; i < CELLS; i++) {
        (void)snprintf(name, sizeof name, "n%u", i);
        CHECK_OK(nodes_write(nodes, 0, name, 1));
    }
    nodes->holds_at = MESSAGE_PULL;
    for (int i = 0; i < 60 && !nodes->holds[0]; i++)
        CHECK_OK(nodes_run(nodes, 25));
    keep_sent(nodes);
    CHECK_EQUAL(kept.count, PULL_CHUNKS_MAX);
}

static void end(struct pair_of_nodes *nodes)
{
    for (size_t i = 0; i < kept.count; i++)
        buffer_done(&kept.messages[i]);
    kept.count = 0;
    nodes_close(nodes);
}

static uint64_t count_of(struct pair_of_nodes *nodes, enum reason reason)
{
    return nodes->sides[1].gossip->counts[reason];
}

/* How many events of side 0 are at side 1, and that it has their cells and no others. */
static uint64_t taken(struct pair_of_nodes *nodes)
{
    static const struct hash_key key;
    const struct shard *shard = box(nodes, 1);
    struct shard_summary summary;
    if (!shard)
        return 0;
    struct view view = batch_view(nodes->sides[1].batch);
    CHECK_OK(shard_summary(&view, shard, &key, &summary));
    uint64_t n = context_get(&shard->context, box(nodes, 0)->replica);
    CHECK_EQUAL(summary.cells, n);
    return n;
}

/* Whatever was left: it is asked for again. */
static void check_ends_well(struct pair_of_nodes *nodes)
{
    nodes->holds_at = (enum message_kind)0;
    nodes->holds[0] = false;
    CHECK_OK(nodes_run(nodes, 15000));
    CHECK_EQUAL(taken(nodes), CELLS);
    CHECK(context_equal(&box(nodes, 0)->context, &box(nodes, 1)->context));
    CHECK(peer_is_up(nodes->sides[1].gossip, 0));
}

TEST(a_chunk_of_an_answer_is_told_after_the_one_before)
{
    struct pair_of_nodes nodes;
    begin(&nodes);
    for (size_t i = 0; i < kept.count; i++) {
        uint64_t place;
        CHECK_EQUAL(kept_is_after(i, &place), i > 0);
        CHECK_EQUAL(place, i);
        CHECK(i == 0 || kept.messages[i].size < kept.messages[0].size);
        uint64_t before = taken(&nodes);
        hand_over(&nodes, i);
        CHECK(taken(&nodes) > before);
    }
    check_ends_well(&nodes);
    CHECK_EQUAL(count_of(&nodes, REASON_answer_gap), 0);
    CHECK_EQUAL(count_of(&nodes, REASON_nothing_new), 0);
    end(&nodes);
}

TEST(what_comes_after_a_chunk_that_was_lost_is_asked_for_again)
{
    for (size_t lost = 0; lost + 1 < PULL_CHUNKS_MAX; lost++) {
        struct pair_of_nodes nodes;
        begin(&nodes);
        for (size_t i = 0; i < lost; i++)
            hand_over(&nodes, i);
        uint64_t before = taken(&nodes);
        hand_over(&nodes, lost + 1);
        CHECK_EQUAL(taken(&nodes), before);
        CHECK_EQUAL(count_of(&nodes, REASON_answer_gap), 1);
        hand_over(&nodes, lost); /* too late */
        CHECK_EQUAL(taken(&nodes), before);
        CHECK_EQUAL(count_of(&nodes, REASON_answer_gap), 1);
        check_ends_well(&nodes);
        end(&nodes);
    }
}

TEST(a_chunk_that_comes_twice_is_passed_over)
{
    struct pair_of_nodes nodes;
    begin(&nodes);
    for (size_t i = 0; i + 1 < kept.count; i++) {
        hand_over(&nodes, i);
        for (size_t k = 0; k <= i; k++)
            hand_over(&nodes, k);
    }
    hand_over(&nodes, kept.count - 1);
    CHECK_EQUAL(box(&nodes, 1)->counts.duplicates, 0);
    check_ends_well(&nodes);
    CHECK_EQUAL(count_of(&nodes, REASON_answer_gap), 0);
    CHECK_EQUAL(count_of(&nodes, REASON_nothing_new), 0);
    end(&nodes);
}

/* The next question of the same pull is answered: places are the same, what they are told after is
 * not. */
TEST(what_is_left_of_another_answer_is_too_late)
{
    struct pair_of_nodes nodes;
    begin(&nodes);
    for (size_t i = 0; i < PULL_CHUNKS_MAX; i++)
        hand_over(&nodes, i);
    keep_answer(&nodes);
    CHECK(kept.count > PULL_CHUNKS_MAX + 2);
    hand_over(&nodes, PULL_CHUNKS_MAX);
    uint64_t before = taken(&nodes);
    for (size_t i = 0; i < PULL_CHUNKS_MAX; i++)
        hand_over(&nodes, i);
    CHECK_EQUAL(taken(&nodes), before);
    for (size_t i = PULL_CHUNKS_MAX + 1; i < kept.count; i++)
        hand_over(&nodes, i);
    CHECK(taken(&nodes) > before);
    check_ends_well(&nodes);
    CHECK_EQUAL(count_of(&nodes, REASON_answer_gap), 0);
    CHECK_EQUAL(count_of(&nodes, REASON_nothing_new), 0);
    end(&nodes);
}

/* Nothing is ever taken for what it is not, and what was lost is asked for again. */
TEST(chunks_may_come_in_any_order_and_any_number)
{
    struct rng rng;
    rng_init(&rng, 17);
    for (unsigned round = 0; round < 60; round++) {
        struct pair_of_nodes nodes;
        begin(&nodes);
        for (unsigned part = 0; part < 5; part++) {
            size_t next = kept.count > PULL_CHUNKS_MAX ? kept.count - PULL_CHUNKS_MAX : 0;
            for (uint64_t i = rng_below(&rng, 16); i > 0; i--) {
                hand_over(&nodes, rng_below(&rng, 4) && next < kept.count
                                      ? next++
                                      : (size_t)rng_below(&rng, kept.count));
                (void)taken(&nodes);
            }
            if (kept.count + PULL_CHUNKS_MAX <= KEPT_MAX)
                keep_answer(&nodes);
        }
        check_ends_well(&nodes);
        end(&nodes);
    }
}

/* ---- whoever sends what it likes ---- */

static void answer_by_hand(struct pair_of_nodes *nodes, uint64_t place, const char *chunk)
{
    uint8_t hex[64];
    struct message message;
    struct buffer bytes;
    struct topic *topic = topic_find(nodes->sides[1].gossip, bucket_id("box"));
    message_init(&message);
    message.kind = MESSAGE_PULLED;
    message.shard = topic->shard;
    message.session = topic->pull.session;
    message.what = place;
    message.pages = 1;
    message.bytes = test_unhex(chunk, hex, sizeof hex);
    buffer_init(&bytes, 1 << 20);
    CHECK_OK(message_encode(&message, &bytes));
    CHECK_OK(give(nodes, 1, NET_MESSAGE, kept.link, buffer_slice(&bytes)));
    buffer_done(&bytes);
}

static const char *const differences[] = {"97 01 04 90 90 90 01 90", "97 01 05 90 90 90 90 90"};

TEST(a_difference_to_no_chunk_ends_the_pull_and_costs_no_link)
{
    static const uint64_t places[] = {0, 1, 7, UINT64_MAX};
    for (size_t i = 0; i < 8; i++) {
        struct pair_of_nodes nodes;
        begin(&nodes);
        if (places[i % 4] > 1) /* there is one, but it is another */
            hand_over(&nodes, 0);
        answer_by_hand(&nodes, places[i % 4], differences[i / 4]);
        CHECK_EQUAL(count_of(&nodes, REASON_answer_gap), 1);
        CHECK_EQUAL(count_of(&nodes, REASON_bad_chunk), 0);
        check_ends_well(&nodes);
        end(&nodes);
    }
}

TEST(nonsense_after_a_chunk_costs_the_link)
{
    for (size_t i = 0; i < 2; i++) {
        struct pair_of_nodes nodes;
        begin(&nodes);
        hand_over(&nodes, 0);
        answer_by_hand(&nodes, 1, differences[i]);
        CHECK_EQUAL(count_of(&nodes, REASON_bad_chunk), 1);
        CHECK(!peer_is_up(nodes.sides[1].gossip, 0));
        end(&nodes);
    }
}

static int pull_and_lose(void *argument)
{
    struct pair_of_nodes *nodes = argument;
    char name[16];
    int error = nodes_open(nodes);
    for (unsigned i = 0; i < 2 && !error; i++)
        nodes->sides[i].gossip->options.chunk_size = 200;
    for (unsigned i = 0; i < 12 && !error; i++) {
        (void)snprintf(name, sizeof name, "n%u", i);
        error = nodes_write(nodes, 0, name, 1);
    }
    nodes->loses[MESSAGE_PULLED] = 2;
    if (!error)
        error = nodes_run(nodes, 3000);
    nodes_close(nodes);
    return error;
}

TEST(answers_survive_failing_allocations)
{
    static struct pair_of_nodes nodes;
    test_alloc_sweep(pull_and_lose, &nodes);
}
