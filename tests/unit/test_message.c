#include "gossip/message.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/support/test.h"

static struct hello hello_example(void)
{
    return (struct hello){.cluster = 1,
                          .node = 0xfeedfacecafebeef,
                          .nonce = 77,
                          .wire_version = WIRE_VERSION,
                          .channel = CHANNEL_BULK,
                          .address = "tcp://127.0.0.1:7400"};
}

/* Encodes, decodes and encodes again: one message, one encoding. */
static int round_trip(const struct message *message, struct message *ret_message)
{
    struct buffer first, second;
    buffer_init(&first, 1 << 20);
    buffer_init(&second, 1 << 20);
    int error = message_encode(message, &first);
    if (!error)
        error = message_decode(buffer_slice(&first), ret_message);
    if (!error) {
        error = message_encode(ret_message, &second);
        if (!error)
            CHECK_BYTES(buffer_slice(&second), buffer_slice(&first));
        else
            message_done(ret_message);
    }
    buffer_done(&first);
    buffer_done(&second);
    return error;
}

TEST(a_hello_goes_round)
{
    struct message message, back;
    message_init(&message);
    message.kind = MESSAGE_HELLO;
    message.hello = hello_example();
    CHECK_OK(round_trip(&message, &back));
    CHECK_EQUAL(back.kind, MESSAGE_HELLO);
    CHECK_EQUAL(back.hello.node, 0xfeedfacecafebeef);
    CHECK_EQUAL(back.hello.nonce, 77);
    CHECK_EQUAL(back.hello.channel, CHANNEL_BULK);
    CHECK_TEXT(back.hello.address, "tcp://127.0.0.1:7400");
    message_done(&back);
}

TEST(a_heartbeat_goes_round)
{
    struct message message, back;
    message_init(&message);
    message.kind = MESSAGE_HEARTBEAT;
    CHECK_OK(round_trip(&message, &back));
    CHECK_EQUAL(back.kind, MESSAGE_HEARTBEAT);
    message_done(&back);
}

static int digest_trip(void *argument)
{
    (void)argument;
    struct opening openings[2] = {{3, 8}, {5, 9}};
    struct digest_item items[2] = {
        {.shard = 5,
         .name = "robots",
         .replica = 9,
         .quote = {4, 2, 1},
         .opened_at = 3,
         .openings = openings,
         .openings_count = 2},
        {.shard = 6, .name = "tills", .replica = 10, .quote = {0, 0, 0}},
    };
    struct message message, back;
    message_init(&message);
    message.kind = MESSAGE_DIGEST;
    message.digests = items;
    message.digests_count = 2;
    message.digests_more = true;
    int error = context_raise(&items[0].context, 9, 3, 8);
    if (!error)
        error = context_raise(&items[0].context, 11, 4, 8);
    if (!error)
        error = context_raise(&items[1].horizon, 11, 4, 8);
    if (!error)
        error = round_trip(&message, &back);
    if (!error) {
        CHECK_EQUAL(back.digests_count, 2);
        CHECK(back.digests_more);
        CHECK_TEXT(back.digests[0].name, "robots");
        CHECK_EQUAL(back.digests[0].quote.n, 2);
        CHECK(context_equal(&back.digests[0].context, &items[0].context));
        CHECK(context_equal(&back.digests[1].horizon, &items[1].horizon));
        CHECK_EQUAL(back.digests[1].replica, 10);
        CHECK_EQUAL(back.digests[0].openings_count, 2);
        CHECK_EQUAL(back.digests[0].openings[1].since, 5);
        CHECK_EQUAL(back.digests[1].openings_count, 0);
        message_done(&back);
    }
    context_done(&items[0].context);
    context_done(&items[1].horizon);
    return error;
}

TEST(digests_go_round)
{
    CHECK_OK(digest_trip(NULL));
}

TEST(digests_survive_failing_allocations)
{
    test_alloc_sweep(digest_trip, NULL);
}

TEST(the_other_messages_go_round)
{
    static const enum message_kind kinds[] = {
        MESSAGE_PUSH,      MESSAGE_PULL,   MESSAGE_PULLED,   MESSAGE_COMPARE,  MESSAGE_COMPARED,
        MESSAGE_TREE,      MESSAGE_TREED,  MESSAGE_REPAIR,   MESSAGE_REPAIRED, MESSAGE_MEND,
        MESSAGE_ASK,       MESSAGE_TOLD,   MESSAGE_VERIFY,   MESSAGE_VERIFIED, MESSAGE_DESCEND,
        MESSAGE_DESCENDED, MESSAGE_DIFFER, MESSAGE_DIFFERED, MESSAGE_HOLE,     MESSAGE_FILL,
        MESSAGE_PUSHED,    MESSAGE_LEAVE,  MESSAGE_RELIEVED};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct message message, back;
        message_init(&message);
        message.kind = kinds[i];
        message.shard = 99;
        message.session = 12;
        message.what = 3;
        message.code = NEAP_STALE;
        message.compares = true;
        message.pages = PAGES_MAX;
        message.next = slice_text("next");
        message.bytes = slice_text("bytes");
        CHECK_OK(context_raise(&message.since, 1, 2, 3));
        CHECK_OK(round_trip(&message, &back));
        CHECK_EQUAL(back.kind, kinds[i]);
        CHECK_EQUAL(back.shard, 99);
        CHECK_EQUAL(back.session, kinds[i] == MESSAGE_MEND ? 0 : 12);
        CHECK_EQUAL(back.compares, kinds[i] == MESSAGE_PULL);
        bool has_what = kinds[i] == MESSAGE_ASK || kinds[i] == MESSAGE_PULL ||
                        kinds[i] == MESSAGE_PULLED || kinds[i] == MESSAGE_PUSH;
        CHECK_EQUAL(back.what, has_what ? 3 : 0);
        CHECK_EQUAL(back.next.size, kinds[i] == MESSAGE_COMPARED ? 4 : 0);
        bool has_pages = kinds[i] == MESSAGE_COMPARE || kinds[i] == MESSAGE_COMPARED ||
                         kinds[i] == MESSAGE_PULLED;
        CHECK_EQUAL(back.pages, has_pages ? PAGES_MAX : 0);
        if (kinds[i] == MESSAGE_PULL || kinds[i] == MESSAGE_TREE || kinds[i] == MESSAGE_REPAIR ||
            kinds[i] == MESSAGE_TOLD || kinds[i] == MESSAGE_VERIFY ||
            kinds[i] == MESSAGE_VERIFIED || kinds[i] == MESSAGE_DESCENDED ||
            kinds[i] == MESSAGE_LEAVE)
            CHECK(context_equal(&back.since, &message.since));
        else
            CHECK_EQUAL(back.since.count, 0);
        message_done(&back);
        message_done(&message);
    }
}

static int decode_hex(const char *hex)
{
    uint8_t bytes[256];
    struct message message;
    int error = message_decode(test_unhex(hex, bytes, sizeof bytes), &message);
    if (!error)
        message_done(&message);
    return error;
}

TEST(what_is_not_a_message_is_refused)
{
    CHECK_OK(decode_hex("92 02 00"));
    CHECK_ERROR(decode_hex("91 02"), NEAP_INVALID); /* says no time */
    CHECK_ERROR(decode_hex(""), NEAP_INVALID);
    CHECK_ERROR(decode_hex("90"), NEAP_INVALID);           /* no kind */
    CHECK_ERROR(decode_hex("91 00"), NEAP_INVALID);        /* kind 0 */
    CHECK_ERROR(decode_hex("91 09"), NEAP_INVALID);        /* kind 9 */
    CHECK_ERROR(decode_hex("91 cc 02"), NEAP_INVALID);     /* not minimal */
    CHECK_ERROR(decode_hex("91 02 00"), NEAP_INVALID);     /* more bytes */
    CHECK_ERROR(decode_hex("93 02 00 00"), NEAP_INVALID);  /* more elements */
    CHECK_ERROR(decode_hex("dd ff ff ff ff"), NEAP_LIMIT); /* a bomb */
    CHECK_ERROR(decode_hex("93 03 00 dd ff ff ff ff"), NEAP_LIMIT);
    CHECK_ERROR(decode_hex("93 03 00 dc 01 00 00"), NEAP_INVALID); /* 256 items in one byte */
    CHECK_ERROR(decode_hex("93 03 02 90"), NEAP_INVALID);          /* more: neither 0 nor 1 */
    CHECK_OK(decode_hex("93 03 01 90"));
    CHECK_OK(decode_hex("95 04 05 01 00 c4 00"));               /* push */
    CHECK_ERROR(decode_hex("95 04 05 01 00 a0"), NEAP_INVALID); /* str for bin */
    CHECK_ERROR(decode_hex("93 04 05 c4 00"), NEAP_INVALID);       /* no number */
    CHECK_ERROR(decode_hex("97 06 05 01 00 fe c4 00 00"),
                NEAP_INVALID);                          /* a code that no peer sends */
    CHECK_OK(decode_hex("97 06 05 01 00 ff c4 00 00")); /* END */
    CHECK_ERROR(decode_hex("96 06 05 01 ff c4 00 00"), NEAP_INVALID);    /* no place */
    CHECK_ERROR(decode_hex("95 05 05 01 00 93 01 00 00"), NEAP_INVALID); /* context with n 0 */
}

TEST(a_hello_of_a_later_version_may_say_more)
{
    CHECK_OK(decode_hex("97 01 01 01 01 01 00 a0"));
    CHECK_OK(decode_hex("98 01 02 01 01 01 00 a0 93 01 02 03"));
    CHECK_ERROR(decode_hex("98 01 01 01 01 01 00 a0 c0"), NEAP_INVALID);
    CHECK_ERROR(decode_hex("96 01 02 01 01 01 00"), NEAP_INVALID);
    CHECK_ERROR(decode_hex("97 01 01 01 01 01 02 a0"), NEAP_INVALID);    /* channel 2 */
    CHECK_ERROR(decode_hex("97 01 01 01 01 01 00 a1 00"), NEAP_INVALID); /* zero byte in a text */
}

static struct swim_message swim_example(void)
{
    return (struct swim_message){.type = SWIM_NACK,
                                 .number = 9,
                                 .target = 3,
                                 .updates = {{.node = 1, .incarnation = 2, .state = MEMBER_LEFT},
                                             {.node = 2,
                                              .incarnation = SWIM_INCARNATION_MAX,
                                              .state = MEMBER_SUSPECT,
                                              .accusers = {4, 5, 6, 7},
                                              .accusers_count = SWIM_ACCUSERS_MAX}},
                                 .updates_count = 2};
}

TEST(what_members_say_goes_round)
{
    struct swim_message swim = swim_example();
    struct message message, back;
    message_init(&message);
    message.kind = MESSAGE_SWIM;
    message.swim = &swim;
    CHECK_OK(round_trip(&message, &back));
    CHECK_EQUAL(back.swim->type, SWIM_NACK);
    CHECK_EQUAL(back.swim->target, 3);
    CHECK_EQUAL(back.swim->updates_count, 2);
    CHECK_EQUAL(back.swim->updates[1].accusers[3], 7);
    CHECK_EQUAL(back.swim->updates[1].incarnation, SWIM_INCARNATION_MAX);
    message_done(&back);
}

TEST(bad_words_on_members_are_refused)
{
    CHECK_OK(decode_hex("95 1a 00 00 00 91 93 01 00 01"));
    CHECK_ERROR(decode_hex("94 1a 00 00 00"), NEAP_INVALID);
    CHECK_ERROR(decode_hex("95 1a 05 00 00 90"), NEAP_INVALID);                /* no such type */
    CHECK_ERROR(decode_hex("95 1a 00 00 00 91 93 01 04 01"), NEAP_INVALID);    /* no such state */
    CHECK_ERROR(decode_hex("95 1a 00 00 00 91 94 01 00 01 02"), NEAP_INVALID); /* alive, accused */
    CHECK_OK(decode_hex("95 1a 00 00 00 91 94 01 01 01 02"));
    CHECK_ERROR(decode_hex("95 1a 00 00 00 91 98 01 01 01 02 03 04 05 06"), NEAP_LIMIT);
    CHECK_ERROR(decode_hex("95 1a 00 00 00 91 92 01 00"), NEAP_INVALID);
    CHECK_ERROR(decode_hex("95 1a 00 00 00 dc 00 11"), NEAP_LIMIT);
    /* An incarnation past the last one. */
    CHECK_ERROR(decode_hex("95 1a 00 00 00 91 93 01 00 cf 40 00 00 00 00 00 00 01"), NEAP_INVALID);
}

static int swim_round(void *argument)
{
    struct swim_message swim = swim_example();
    struct message message, back;
    (void)argument;
    message_init(&message);
    message.kind = MESSAGE_SWIM;
    message.swim = &swim;
    int error = round_trip(&message, &back);
    if (!error)
        message_done(&back);
    return error;
}

TEST(words_on_members_survive_want_of_memory)
{
    test_alloc_sweep(swim_round, NULL);
}

TEST(every_cut_of_a_message_is_refused)
{
    struct message message;
    struct buffer bytes;
    message_init(&message);
    message.kind = MESSAGE_HELLO;
    message.hello = hello_example();
    buffer_init(&bytes, 1 << 10);
    CHECK_OK(message_encode(&message, &bytes));
    for (size_t size = 0; size < bytes.size; size++)
        CHECK_ERROR(message_decode(slice_of(bytes.data, size), &message), NEAP_INVALID);
    buffer_done(&bytes);
}

TEST(what_is_said_in_the_next_version_is_not_taken_for_this_one)
{
    static const uint8_t heartbeat[] = {0x92, MESSAGE_HEARTBEAT, 1};
    struct message message;
    struct buffer bytes;
    buffer_init(&bytes, 100);
    for (uint32_t version = WIRE_VERSION; version <= WIRE_VERSION + 1; version++) {
        bool next = version > WIRE_VERSION;
        CHECK_OK(buffer_set(&bytes, slice_of(heartbeat, sizeof heartbeat)));
        CHECK_OK(message_mark(&bytes, version));
        struct slice all = buffer_slice(&bytes);
        CHECK_EQUAL(message_decode(all, &message), next ? NEAP_INVALID : 0);
        CHECK_OK(message_unmark(&all, version));
        CHECK_BYTES(all, slice_of(heartbeat, sizeof heartbeat));
        CHECK_EQUAL(message_unmark(&all, version), next ? NEAP_INVALID : 0);
    }
    buffer_done(&bytes);
}

TEST(messages_have_names)
{
    CHECK_TEXT(message_name(MESSAGE_HELLO), "hello");
    CHECK_TEXT(message_name(MESSAGE_COMPARED), "compared");
    CHECK_TEXT(message_name(MESSAGE_MEND), "mend");
    CHECK_TEXT(message_name(MESSAGE_FILL), "fill");
    CHECK_TEXT(message_name(MESSAGE_PUSHED), "pushed");
    CHECK_TEXT(message_name((enum message_kind)77), "unknown");
}
