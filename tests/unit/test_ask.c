#include "gossip/ask.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tests/unit/gossip_nodes.h"

static struct pair_of_nodes nodes;

static struct ask ask_of(const char *bucket, const char *question)
{
    return (struct ask){.kind = ASK_LOOK,
                        .shard = bucket_id(bucket),
                        .bytes = slice_text(question),
                        .until_ms = nodes.now.mono_ms + 1000};
}

/* Of side 0. What it sends is carried by the next nodes_run(). */
static int ask_begin(struct ask *ask)
{
    return gossip_ask(nodes.sides[0].gossip, nodes.now, ask, &nodes.sides[0].outbox);
}

static bool ask_has_ended(const struct ask *ask)
{
    struct ask *ended = gossip_asked(nodes.sides[0].gossip);

    CHECK(!ended || ended == ask);
    return ended != NULL;
}

static void ask_ends(struct ask *ask, enum ask_end end, int code)
{
    CHECK(ask_has_ended(ask));
    CHECK(!ask_has_ended(ask)); /* it is given back once */
    CHECK_EQUAL(ask->count, 1);
    CHECK_TEXT(ask_end_text(ask->answers[0].end), ask_end_text(end));
    CHECK_EQUAL(ask->answers[0].code, code);
    ask_done(ask);
}

static uint64_t bulk(void)
{
    return nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK];
}

static uint64_t counted(size_t side, enum reason reason)
{
    return nodes.sides[side].gossip->counts[reason];
}

static int give_message(size_t to, struct message *message)
{
    struct buffer bytes;
    int error;

    buffer_init(&bytes, MESSAGE_SIZE_MAX);
    CHECK_OK(message_encode(message, &bytes));
    error = give(&nodes, to, NET_MESSAGE, bulk(), buffer_slice(&bytes));
    buffer_done(&bytes);
    return error;
}

static struct message told(const struct ask *ask, const char *bytes)
{
    struct message message;

    message_init(&message);
    message.kind = MESSAGE_TOLD;
    message.shard = ask->shard;
    message.session = ask->id;
    message.bytes = slice_text(bytes);
    return message;
}

TEST(a_question_is_answered)
{
    struct ask ask;

    meet_with_box(&nodes);
    ask = ask_of("no such box", "");
    CHECK_OK(ask_begin(&ask));
    CHECK(!ask_has_ended(&ask));
    CHECK_OK(nodes_run(&nodes, 10));
    CHECK_EQUAL(nodes.messages[MESSAGE_ASK], 1);
    CHECK_EQUAL(nodes.messages[MESSAGE_TOLD], 1);
    ask_ends(&ask, ASK_TOLD, NEAP_NOTFOUND);
    nodes_close(&nodes);
}

TEST(an_answer_comes_with_the_context_and_its_bytes)
{
    struct ask ask;
    struct message message;

    meet_with_box(&nodes);
    ask = ask_of("box", "");
    CHECK_OK(ask_begin(&ask));
    message = told(&ask, "bytes");
    CHECK_OK(context_raise(&message.since, 3, 4, 5));
    CHECK_OK(give_message(0, &message));
    CHECK(ask_has_ended(&ask));
    CHECK_EQUAL(ask.answers[0].node, nodes.sides[1].store.identity.node);
    CHECK(slice_equal(buffer_slice(&ask.answers[0].bytes), slice_text("bytes")));
    CHECK(context_equal(&ask.answers[0].context, &message.since));
    message_done(&message);
    ask_done(&ask);
    nodes_close(&nodes);
}

TEST(an_answer_of_another_question_or_a_second_one_is_nothing)
{
    struct ask ask;
    struct message message;

    meet_with_box(&nodes);
    ask = ask_of("box", "");
    CHECK_OK(ask_begin(&ask));
    message = told(&ask, "other");
    message.session++;
    CHECK_OK(give_message(0, &message));
    CHECK(!ask_has_ended(&ask));
    message.session--;
    CHECK_OK(give_message(0, &message));
    message.bytes = slice_text("second");
    CHECK_OK(give_message(0, &message));
    CHECK(slice_equal(buffer_slice(&ask.answers[0].bytes), slice_text("other")));
    ask_ends(&ask, ASK_TOLD, 0);
    CHECK_EQUAL(counted(0, REASON_bad_question), 0);
    nodes_close(&nodes);
}

TEST(an_answer_that_is_too_long_costs_the_link)
{
    static char text[ASK_ANSWER_MAX + 2];
    struct ask ask;
    struct message message;

    meet_with_box(&nodes);
    ask = ask_of("box", "");
    CHECK_OK(ask_begin(&ask));
    memset(text, 'x', sizeof text - 1);
    message = told(&ask, text);
    CHECK_OK(give_message(0, &message));
    CHECK_EQUAL(counted(0, REASON_bad_question), 1);
    ask_ends(&ask, ASK_LEFT, 0);
    nodes_close(&nodes);
}

TEST(who_is_not_connected_is_told_at_once)
{
    struct ask ask;

    CHECK_OK(nodes_open(&nodes));
    ask = ask_of("box", "");
    CHECK_OK(ask_begin(&ask));
    ask_ends(&ask, ASK_AWAY, 0);
    nodes_close(&nodes);
}

TEST(a_link_that_ends_and_silence_end_a_question)
{
    struct ask ask, other;

    meet_with_box(&nodes);
    ask = ask_of("box", "");
    CHECK_OK(ask_begin(&ask));
    CHECK_OK(give(&nodes, 0, NET_DOWN, bulk(), slice_of(NULL, 0)));
    ask_ends(&ask, ASK_LEFT, 0);
    CHECK_OK(nodes_run(&nodes, 3000));
    ask = ask_of("box", "");
    CHECK_OK(ask_begin(&ask));
    outbox_clear(&nodes.sides[0].outbox); /* it is lost */
    other = ask_of("box", "");
    other.until_ms += 50;
    CHECK_OK(ask_begin(&other));
    outbox_clear(&nodes.sides[0].outbox);
    CHECK(gossip_deadline(nodes.sides[0].gossip) <= ask.until_ms);
    nodes.now.mono_ms = ask.until_ms;
    CHECK_OK(gossip_tick(nodes.sides[0].gossip, nodes.now, nodes.sides[0].batch,
                         &nodes.sides[0].outbox));
    ask_ends(&ask, ASK_SILENT, 0);
    CHECK(!ask_has_ended(&other));
    gossip_send_failed(nodes.sides[0].gossip, bulk(), NEAP_BUSY);
    ask_ends(&other, ASK_LOST, 0);
    nodes_close(&nodes);
}

TEST(an_isolated_node_ends_its_questions)
{
    struct ask ask;

    meet_with_box(&nodes);
    ask = ask_of("box", "");
    CHECK_OK(ask_begin(&ask));
    CHECK_OK(gossip_isolate(nodes.sides[0].gossip, true, &nodes.sides[0].outbox));
    ask_ends(&ask, ASK_LEFT, 0);
    nodes_close(&nodes);
}

TEST(questions_are_few_and_short)
{
    static char text[ASK_QUESTION_MAX + 2];
    struct ask asks[ASKS_MAX + 1];

    meet_with_box(&nodes);
    for (size_t i = 0; i < ASKS_MAX; i++) {
        asks[i] = ask_of("box", "");
        CHECK_OK(ask_begin(&asks[i]));
    }
    asks[ASKS_MAX] = ask_of("box", "");
    CHECK_ERROR(ask_begin(&asks[ASKS_MAX]), NEAP_BUSY);
    gossip_asks_end(nodes.sides[0].gossip, NEAP_UNAVAILABLE);
    for (size_t i = 0; i < ASKS_MAX; i++) {
        struct ask *ended = gossip_asked(nodes.sides[0].gossip);

        CHECK(ended != NULL);
        CHECK_EQUAL(ended->code, NEAP_UNAVAILABLE);
        CHECK_EQUAL(ended->answers[0].end, ASK_STOPPED);
        ask_done(ended);
    }
    CHECK(!gossip_asked(nodes.sides[0].gossip));
    memset(text, 'x', sizeof text - 1);
    asks[0] = ask_of("box", text);
    CHECK_ERROR(ask_begin(&asks[0]), NEAP_LIMIT);
    nodes_close(&nodes);
}

TEST(one_peer_may_be_asked_alone)
{
    struct ask ask;

    meet_with_box(&nodes);
    ask = ask_of("box", "");
    ask.node = nodes.sides[1].store.identity.node + 1;
    CHECK_ERROR(ask_begin(&ask), NEAP_NOTFOUND);
    ask.node--;
    CHECK_OK(ask_begin(&ask));
    CHECK_EQUAL(ask.count, 1);
    gossip_asks_end(nodes.sides[0].gossip, NEAP_IO);
    CHECK(gossip_asked(nodes.sides[0].gossip) == &ask);
    ask_done(&ask);
    nodes_close(&nodes);
}

TEST(a_question_of_a_later_version_gets_an_answer)
{
    struct message message;

    meet_with_box(&nodes);
    message_init(&message);
    message.kind = MESSAGE_ASK;
    message.shard = bucket_id("box");
    message.what = 1000;
    CHECK_OK(give_message(1, &message));
    CHECK_EQUAL(nodes.sides[1].outbox.count, 1);
    CHECK_OK(message_decode(nodes.sides[1].outbox.effects[0].bytes, &message));
    CHECK_EQUAL(message.kind, MESSAGE_TOLD);
    CHECK_EQUAL(message.code, NEAP_FORMAT);
    CHECK(nodes.sides[1].outbox.names_events);
    message_done(&message);
    nodes_close(&nodes);
}

static int ask_with_less_memory(void *arg)
{
    struct ask ask = {0};
    struct ask *ended = NULL;
    int error = nodes_open(&nodes);

    (void)arg;
    error = error ? error : nodes_write(&nodes, 1, "a", 1);
    error = error ? error : nodes_run(&nodes, 1500);
    if (!error) {
        ask = ask_of("no such box", "");
        error = ask_begin(&ask);
    }
    if (!error) {
        error = nodes_run(&nodes, 1500);
        ended = gossip_asked(nodes.sides[0].gossip);
        CHECK(error || ended == &ask);
    }
    if (!error)
        error = ask.answers[0].end == ASK_TOLD ? 0 : NEAP_NOMEM;
    nodes_close(&nodes);
    ask_done(&ask);
    return error;
}

TEST(questions_hold_with_failing_allocations)
{
    test_alloc_sweep(ask_with_less_memory, NULL);
}
