#include "engine/forward.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/support/test.h"

static const char *const name = "far";

/* As gossip would have filled it in, of the one who was asked. */
static void answered(struct forward *forward, uint64_t node, enum ask_end end, int code,
                     const char *reply)
{
    struct ask *ask = &forward->ask;

    ask->answers = mem_new_array(1, sizeof *ask->answers);
    CHECK(ask->answers);
    ask->count = 1;
    ask->answers[0] = (struct ask_answer){.node = node, .end = end, .code = code};
    buffer_init(&ask->answers[0].bytes, 100);
    CHECK_OK(buffer_set(&ask->answers[0].bytes, slice_text(reply)));
}

/* One try: is it over? */
static bool tries(struct forward *forward, uint64_t node, enum ask_end end, int code,
                  const char *reply, struct buffer *ret_reply)
{
    CHECK_OK(forward_ask(forward, slice_text("request"), 100));
    answered(forward, node, end, code, reply);
    return forward_look(forward, 0, ret_reply);
}

TEST(a_reply_is_given_back_as_it_is)
{
    struct forward forward;
    struct buffer reply;

    buffer_init(&reply, 10);
    forward_init(&forward, true, &name, 1, 1000);
    CHECK(!tries(&forward, 7, ASK_TOLD, NEAP_BUSY, "", &reply));
    CHECK(!tries(&forward, 8, ASK_TOLD, NEAP_STALE, "", &reply));
    CHECK(!tries(&forward, 9, ASK_AWAY, 0, "", &reply));
    CHECK_OK(forward_ask(&forward, slice_text("request"), 999));
    CHECK_EQUAL(forward.ask.tried_count, 3);
    CHECK_EQUAL(forward.ask.tried[2], 9);
    CHECK_HEX(forward.ask.bytes, "92 01 c4 07 72 65 71 75 65 73 74"); /* 1 ms is left */
    answered(&forward, 10, ASK_TOLD, 0, "yes");
    CHECK(forward_look(&forward, 0, &reply));
    CHECK_OK(forward.error.code);
    CHECK_SLICE(buffer_slice(&reply), "yes");
    buffer_done(&reply);
    forward_done(&forward);
}

TEST(what_went_out_and_has_no_answer_is_asked_again_only_if_it_is_a_read)
{
    static const enum ask_end ends[] = {ASK_LEFT, ASK_LOST, ASK_SILENT, ASK_NOMEM, ASK_STOPPED};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct forward forward;
        struct buffer reply;

        buffer_init(&reply, 10);
        forward_init(&forward, true, &name, 1, 1000);
        CHECK(tries(&forward, 7, ends[i], 0, "", &reply));
        CHECK_ERROR(forward.error.code, NEAP_UNCERTAIN);
        forward_done(&forward);
        forward_init(&forward, false, &name, 1, 1000);
        CHECK(!tries(&forward, 7, ends[i], 0, "", &reply));
        CHECK_OK(forward_ask(&forward, slice_text("request"), 100));
        CHECK(forward_look(&forward, NEAP_NOTFOUND, &reply)); /* there is no other */
        CHECK_ERROR(forward.error.code, NEAP_UNAVAILABLE);
        CHECK(strstr(forward.error.text, ask_end_text(ends[i])));
        CHECK_EQUAL(reply.size, 0);
        forward_done(&forward);
    }
}

TEST(it_ends_with_its_time_and_after_so_many_tries)
{
    struct forward forward;
    struct buffer reply;

    buffer_init(&reply, 10);
    forward_init(&forward, false, &name, 1, 1000);
    CHECK_ERROR(forward_ask(&forward, slice_text("request"), 1000), NEAP_END);
    CHECK(forward_look(&forward, NEAP_END, &reply));
    CHECK_ERROR(forward.error.code, NEAP_UNAVAILABLE);
    forward_done(&forward);
    forward_init(&forward, false, &name, 1, 1000);
    for (uint64_t i = 0; i < FORWARD_TRIES_MAX; i++)
        CHECK(!tries(&forward, i + 1, ASK_TOLD, NEAP_BUSY, "", &reply));
    CHECK_ERROR(forward_ask(&forward, slice_text("request"), 100), NEAP_END);
    CHECK(forward_look(&forward, NEAP_END, &reply));
    CHECK_ERROR(forward.error.code, NEAP_BUSY); /* what the last one said */
    forward_done(&forward);
}

TEST(what_never_went_out_says_why)
{
    static const struct {
        int code, told;
        const char *text;
    } cases[] = {{NEAP_NOTFOUND, NEAP_UNAVAILABLE, "no node that does is connected"},
                 {NEAP_BUSY, NEAP_BUSY, "handed on to other nodes already"},
                 {NEAP_LIMIT, NEAP_LIMIT, "too large to be handed on"},
                 {NEAP_REFUSED, NEAP_REFUSED, "does not subscribe"},
                 {NEAP_UNAVAILABLE, NEAP_UNAVAILABLE, "is being closed"},
                 {NEAP_NOMEM, NEAP_NOMEM, "handing on"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct forward forward;
        struct buffer reply;

        buffer_init(&reply, 10);
        forward_init(&forward, true, &name, 1, 1000);
        CHECK_OK(forward_ask(&forward, slice_text("request"), 100));
        CHECK(forward_look(&forward, cases[i].code, &reply));
        CHECK_ERROR(forward.error.code, cases[i].told);
        CHECK(strstr(forward.error.text, cases[i].text));
        forward_done(&forward);
    }
}

static int ask_swept(void *argument)
{
    struct forward forward;
    int error;

    (void)argument;
    forward_init(&forward, true, &name, 1, 1000);
    error = forward_ask(&forward, slice_text("request"), 100);
    CHECK_EQUAL(forward.tried_count, 0);
    forward_done(&forward);
    return error;
}

TEST(an_ask_without_memory_is_not_made)
{
    test_alloc_sweep(ask_swept, NULL);
}
