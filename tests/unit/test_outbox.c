#include "gossip/outbox.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/support/test.h"

static int fill(void *argument)
{
    (void)argument;
    struct outbox outbox;
    outbox_init(&outbox, 100);
    int error = outbox_dial(&outbox, 1, "sim://a");
    if (!error)
        error = outbox_send(&outbox, 1, slice_text("hello"), false);
    if (!error)
        error = outbox_trust(&outbox, 1);
    if (!error)
        error = outbox_ready(&outbox, 1);
    for (uint64_t link = 2; link < 40 && !error; link++)
        error = outbox_close(&outbox, link);
    outbox_done(&outbox);
    return error;
}

TEST(an_outbox_keeps_effects_in_order_and_copies_them)
{
    struct outbox outbox;
    char text[] = "hello";
    outbox_init(&outbox, 100);
    CHECK_OK(outbox_dial(&outbox, 7, "sim://a"));
    CHECK_OK(outbox_send(&outbox, 7, slice_text(text), false));
    CHECK_OK(outbox_trust(&outbox, 7));
    CHECK_OK(outbox_close(&outbox, 8));
    CHECK_OK(outbox_ready(&outbox, 9));
    text[0] = 'x';
    CHECK_EQUAL(outbox.count, 5);
    CHECK_EQUAL(outbox.effects[0].kind, EFFECT_DIAL);
    CHECK_TEXT((const char *)outbox.effects[0].bytes.data, "sim://a");
    CHECK_EQUAL(outbox.effects[1].kind, EFFECT_SEND);
    CHECK_SLICE(outbox.effects[1].bytes, "hello");
    CHECK_EQUAL(outbox.effects[2].kind, EFFECT_TRUST);
    CHECK_EQUAL(outbox.effects[3].kind, EFFECT_CLOSE);
    CHECK_EQUAL(outbox.effects[3].link, 8);
    CHECK_EQUAL(outbox.effects[4].kind, EFFECT_READY);
    CHECK_EQUAL(outbox.effects[4].link, 9);
    outbox_done(&outbox);
}

TEST(an_outbox_has_a_bound_and_is_unchanged_past_it)
{
    struct outbox outbox;
    outbox_init(&outbox, 10);
    CHECK_OK(outbox_send(&outbox, 1, slice_text("123456"), false));
    CHECK_ERROR(outbox_send(&outbox, 1, slice_text("12345"), true), NEAP_LIMIT);
    CHECK_EQUAL(outbox.count, 1);
    CHECK(!outbox.names_events);
    CHECK_OK(outbox_send(&outbox, 1, slice_text("1234"), false));
    CHECK_OK(outbox_close(&outbox, 1));
    outbox_clear(&outbox);
    CHECK_EQUAL(outbox.bytes, 0);
    CHECK_OK(outbox_send(&outbox, 1, slice_text("1234567890"), false));
    outbox_done(&outbox);
}

TEST(an_outbox_says_whether_it_names_events)
{
    struct outbox outbox;
    outbox_init(&outbox, 100);
    CHECK_OK(outbox_send(&outbox, 1, slice_text("a"), false));
    CHECK(!outbox.names_events);
    CHECK_OK(outbox_send(&outbox, 1, slice_text("b"), true));
    CHECK_OK(outbox_send(&outbox, 1, slice_text("c"), false));
    CHECK(outbox.names_events);
    outbox_clear(&outbox);
    CHECK(!outbox.names_events);
    outbox_done(&outbox);
}

TEST(an_outbox_survives_failing_allocations)
{
    test_alloc_sweep(fill, NULL);
}
