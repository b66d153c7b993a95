/* Calls that a node is asked to do for another: who is asked, and what waits there. */
#include "gossip/call.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/unit/gossip_nodes.h"

static struct pair_of_nodes nodes;
static const char *const bucket = "box";
static struct buffer question;

static struct ask call_of(const char *request)
{
    buffer_init(&question, CALL_SIZE_MAX + 64);
    CHECK_OK(call_question(500, slice_text(request), &question));
    return (struct ask){.kind = ASK_CALL,
                        .names = &bucket,
                        .names_count = 1,
                        .bytes = buffer_slice(&question),
                        .until_ms = nodes.now.mono_ms + 1000};
}

static int ask_begin(struct ask *ask)
{
    return gossip_ask(nodes.sides[0].gossip, nodes.now, ask, &nodes.sides[0].outbox);
}

static void meet(void)
{
    meet_with_box(&nodes);
    CHECK_OK(nodes_run(&nodes, 1500));
}

static void ends(struct ask *ask, enum ask_end end, int code)
{
    CHECK(gossip_asked(nodes.sides[0].gossip) == ask);
    CHECK_EQUAL(ask->count, 1);
    CHECK_EQUAL(ask->answers[0].end, end);
    CHECK_EQUAL(ask->answers[0].code, code);
}

TEST(a_call_is_told_to_a_node_that_holds_the_bucket_and_answered_once)
{
    struct gossip *other;
    struct called *called;
    struct ask ask;

    meet();
    other = nodes.sides[1].gossip;
    ask = call_of("please");
    CHECK_OK(ask_begin(&ask));
    CHECK_OK(nodes_run(&nodes, 10));
    CHECK(!gossip_asked(nodes.sides[0].gossip));
    called = gossip_called(other);
    CHECK(called);
    CHECK(!gossip_called(other));
    CHECK_SLICE(buffer_slice(&called->request), "please");
    CHECK(called->until_ms <= nodes.now.mono_ms + 500);
    CHECK_OK(
        gossip_call_end(other, nodes.now, called, 0, slice_text("done"), &nodes.sides[1].outbox));
    CHECK_EQUAL(other->calls.count, 0);
    CHECK_EQUAL(other->calls.bytes, 0);
    CHECK_OK(nodes_run(&nodes, 10));
    ends(&ask, ASK_TOLD, 0);
    CHECK_SLICE(buffer_slice(&ask.answers[0].bytes), "done");
    ask_done(&ask);
    buffer_done(&question);
    nodes_close(&nodes);
}

TEST(nobody_is_asked_who_does_not_hold_it_is_a_device_or_was_tried)
{
    struct gossip *gossip;
    struct ask ask;

    meet();
    gossip = nodes.sides[0].gossip;
    ask = call_of("please");
    ask.tried = &gossip->peers[0].node;
    ask.tried_count = 1;
    CHECK_ERROR(ask_begin(&ask), NEAP_NOTFOUND);
    ask.tried_count = 0;
    gossip->peers[0].principal.kind = PRINCIPAL_DEVICE;
    CHECK_ERROR(ask_begin(&ask), NEAP_NOTFOUND);
    gossip->peers[0].principal.kind = PRINCIPAL_NONE;
    gossip->peers[0].interest_known = false;
    CHECK_ERROR(ask_begin(&ask), NEAP_NOTFOUND);
    gossip->peers[0].interest_known = true;
    subscriptions_done(&gossip->peers[0].interest);
    CHECK_ERROR(ask_begin(&ask), NEAP_NOTFOUND);
    CHECK_EQUAL(gossip_asks(gossip), 0);
    buffer_done(&question);
    nodes_close(&nodes);
}

TEST(so_many_calls_wait_at_a_node_and_the_others_are_told_that_it_is_busy)
{
    struct ask asks[CALLS_PEER_MAX + 1];
    struct gossip *other;
    struct called *called;
    unsigned busy = 0;

    meet();
    other = nodes.sides[1].gossip;
    for (size_t i = 0; i <= CALLS_PEER_MAX; i++) {
        asks[i] = call_of("please");
        CHECK_OK(ask_begin(&asks[i]));
        buffer_done(&question);
    }
    CHECK_OK(nodes_run(&nodes, 10));
    ends(&asks[CALLS_PEER_MAX], ASK_TOLD, NEAP_BUSY);
    while ((called = gossip_called(other))) {
        busy++;
        if (busy % 2)
            gossip_call_drop(other, called);
    }
    CHECK_EQUAL(busy, CALLS_PEER_MAX);
    CHECK_EQUAL(other->calls.count, CALLS_PEER_MAX / 2);
    CHECK_OK(nodes_run(&nodes, 1500));
    for (size_t i = 0; i < CALLS_PEER_MAX; i++)
        CHECK(gossip_asked(nodes.sides[0].gossip));
    for (size_t i = 0; i <= CALLS_PEER_MAX; i++) {
        CHECK(i == CALLS_PEER_MAX || asks[i].answers[0].end == ASK_SILENT);
        ask_done(&asks[i]);
    }
    nodes_close(&nodes); /* with calls that nobody has answered */
}

TEST(large_ones_go_by_the_bulk_link_and_end_with_it)
{
    static char text[CALL_SMALL + 10];
    struct called *called;
    struct gossip *other;
    struct ask ask;

    meet();
    other = nodes.sides[1].gossip;
    memset(text, 'x', sizeof text - 1);
    ask = call_of(text);
    CHECK_OK(ask_begin(&ask));
    CHECK_EQUAL(ask.answers[0].link, nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK]);
    CHECK_OK(nodes_run(&nodes, 10));
    called = gossip_called(other);
    CHECK(called);
    gossip_call_drop(other, called);
    ask_done(&ask);
    buffer_done(&question);
    nodes_close(&nodes);
    meet();
    ask = call_of("small");
    CHECK_OK(ask_begin(&ask));
    CHECK_OK(nodes_run(&nodes, 10));
    called = gossip_called(nodes.sides[1].gossip);
    CHECK_OK(gossip_call_end(nodes.sides[1].gossip, nodes.now, called, 0, slice_text(text),
                             &nodes.sides[1].outbox));
    CHECK_OK(nodes_run(&nodes, 10));
    ends(&ask, ASK_TOLD, 0); /* the answer came by the other link */
    CHECK_EQUAL(ask.answers[0].bytes.size, sizeof text - 1);
    ask_done(&ask);
    buffer_done(&question);
    nodes_close(&nodes);
}

static int serve_swept(void *argument)
{
    struct called *called;
    struct ask ask;
    int error;

    (void)argument;
    error = nodes_open(&nodes);
    if (!error)
        error = nodes_write(&nodes, 1, "apples", 1);
    if (!error)
        error = nodes_run(&nodes, 1500);
    buffer_init(&question, 100);
    if (!error)
        error = call_question(500, slice_text("please"), &question);
    ask = (struct ask){.kind = ASK_CALL,
                       .names = &bucket,
                       .names_count = 1,
                       .bytes = buffer_slice(&question),
                       .until_ms = nodes.now.mono_ms + 1000};
    if (!error)
        error = ask_begin(&ask);
    if (!error)
        error = nodes_run(&nodes, 10);
    if (!error && (called = gossip_called(nodes.sides[1].gossip)))
        error = gossip_call_end(nodes.sides[1].gossip, nodes.now, called, 0, slice_text("done"),
                                &nodes.sides[1].outbox);
    if (!error)
        error = nodes_run(&nodes, 10);
    if (!error && gossip_asked(nodes.sides[0].gossip) != &ask)
        error = NEAP_NOMEM;
    if (!error && (ask.answers[0].end != ASK_TOLD || ask.answers[0].code))
        error = NEAP_NOMEM;
    nodes_close(&nodes);
    ask_done(&ask);
    buffer_done(&question);
    return error;
}

TEST(a_call_without_memory_changes_nothing)
{
    test_alloc_sweep(serve_swept, NULL);
}
