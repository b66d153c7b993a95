/* What nodes tell each other. */
#include <inttypes.h>

#include "gossip/look.h"
#include "gossip/message.h"
#include "gossip/verify_state.h"
#include "tests/golden/scene.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* ---- messages ---- */

static void encode(const struct message *message, struct buffer *ret_bytes)
{
    CHECK_OK(message_encode(message, ret_bytes));
}

static void make_hello(struct buffer *ret_bytes)
{
    struct message message;

    message_init(&message);
    message.kind = MESSAGE_HELLO;
    message.hello = (struct hello){.cluster = 0x1122334455667788,
                                   .node = 0x99aabbccddeeff00,
                                   .nonce = 77,
                                   .wire_version = WIRE_VERSION,
                                   .channel = CHANNEL_BULK,
                                   .address = "tcp://127.0.0.1:7400"};
    encode(&message, ret_bytes);
}

static void make_heartbeat(struct buffer *ret_bytes)
{
    struct message message;

    message_init(&message);
    message.kind = MESSAGE_HEARTBEAT;
    message.what = 1700000000000;
    encode(&message, ret_bytes);
}

/* One that says all, and one that says as little as can be. */
static void make_digest(struct buffer *ret_bytes)
{
    struct opening openings[] = {{.since = 3, .nonce = 70000}, {.since = 9, .nonce = 5}};
    struct digest_item items[2] = {{.shard = 0xb0c0, .name = "till/no", .replica = 0xa1},
                                   {.shard = 1, .name = "x", .replica = 2}};
    struct message message;

    message_init(&message);
    message.kind = MESSAGE_DIGEST;
    message.digests = items;
    message.digests_count = 2;
    message.digests_more = true;
    CHECK_OK(context_raise(&items[0].context, 0xa1, 12, 5));
    CHECK_OK(context_raise(&items[0].context, 0xa2, 1000000, 6));
    CHECK_OK(context_raise(&items[0].horizon, 0xa1, 2, 70000));
    items[0].quote = (struct context_entry){.id = 0xa2, .n = 1000000, .nonce = 6};
    items[0].proof = (struct context_entry){.id = 0xa2, .n = 500, .nonce = 4};
    items[0].root = 0x1234;
    items[0].opened_at = 3;
    items[0].openings = openings;
    items[0].openings_count = 2;
    items[0].earlier[0] = 0xa0;
    items[0].earlier_count = 1;
    encode(&message, ret_bytes);
    context_done(&items[0].context);
    context_done(&items[0].horizon);
}

static void make_with_bytes(enum message_kind kind, int code, void (*make)(struct buffer *bytes),
                            struct buffer *ret_bytes)
{
    struct message message;
    struct buffer bytes;

    buffer_init(&bytes, GOLDEN_BYTES_MAX);
    if (make)
        make(&bytes);
    message_init(&message);
    message.kind = kind;
    message.shard = scene_shard();
    message.session = 7;
    message.code = code;
    message.bytes = buffer_slice(&bytes);
    if (kind == MESSAGE_COMPARE || kind == MESSAGE_COMPARED)
        message.pages = 2;
    if (make == scene_after) {
        message.what = 3;
        message.pages = 1;
    }
    if (kind == MESSAGE_COMPARED)
        message.next = slice_text("the next one");
    message.cells = 1000;
    encode(&message, ret_bytes);
    buffer_done(&bytes);
}

static void make_push(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_PUSH, 0, scene_events, ret_bytes);
}

/* The same as what comes next after another one. */
static void make_push_next(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_PUSH, 0, scene_next, ret_bytes);
}

static void make_pushed(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_PUSHED, NEAP_STALE, NULL, ret_bytes);
}

static void make_interest(struct buffer *ret_bytes)
{
    struct message message;

    message_init(&message);
    message.kind = MESSAGE_INTEREST;
    CHECK_OK(subscriptions_parse("*, !photos, photos-2*", &message.interest));
    encode(&message, ret_bytes);
    message_done(&message);
}

static void make_leave(struct buffer *ret_bytes)
{
    struct message message;

    message_init(&message);
    message.kind = MESSAGE_LEAVE;
    message.shard = scene_shard();
    message.session = 9;
    CHECK_OK(context_raise(&message.since, 0xa1, 2, 5));
    encode(&message, ret_bytes);
    message_done(&message);
}

static void make_relieved(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_RELIEVED, 0, NULL, ret_bytes);
}

static void make_pull(struct buffer *ret_bytes)
{
    struct message message;

    message_init(&message);
    message.kind = MESSAGE_PULL;
    message.shard = scene_shard();
    message.session = 8;
    message.compares = true;
    CHECK_OK(context_raise(&message.since, 0xa1, 2, 5));
    encode(&message, ret_bytes);
    message_done(&message);
}

static void make_pulled(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_PULLED, 0, scene_events, ret_bytes);
}

/* The fourth chunk of an answer, and there are more. */
static void make_pulled_after(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_PULLED, 0, scene_after, ret_bytes);
}

static void make_pulled_stale(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_PULLED, NEAP_STALE, NULL, ret_bytes);
}

static void make_compare(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_COMPARE, 0, scene_cursor, ret_bytes);
}

static void make_compared(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_COMPARED, 0, scene_page, ret_bytes);
}

static void make_since(enum message_kind kind, struct slice bytes, struct buffer *ret_bytes)
{
    struct message message;

    message_init(&message);
    message.kind = kind;
    message.shard = scene_shard();
    message.session = 9;
    message.bytes = bytes;
    message.cells = 1000;
    CHECK_OK(context_raise(&message.since, 0xa1, 2, 5));
    encode(&message, ret_bytes);
    message_done(&message);
}

/* The sums 4 levels below nodes 3 and 200 of the 256 at 8 bits. */
static void make_tree(struct buffer *ret_bytes)
{
    static const uint8_t packed[] = {0x94, 0, 8, 4, 0x92, 3, 0xcc, 197};

    make_since(MESSAGE_TREE, slice_of(packed, sizeof packed), ret_bytes);
}

/* A tree of 2^10 leaves is not deep enough: no sums. */
static void bytes_treed(struct buffer *ret_bytes)
{
    static const uint8_t packed[] = {0x93, 0, 10, 0xc4, 0};

    CHECK_OK(buffer_set(ret_bytes, slice_of(packed, sizeof packed)));
}

static void make_treed(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_TREED, 0, bytes_treed, ret_bytes);
}

/* Of leaf 3 at 10 bits, all of the shard: two cells, by their sums. */
static void make_repair(struct buffer *ret_bytes)
{
    static const uint8_t packed[] = {0x96, 5, 10, 0x91, 3, 0xc4, 0, 0xc4, 0, 0xc4,
                                     8,    0, 0,  1,    2, 0xff, 0, 0,    0};

    make_since(MESSAGE_REPAIR, slice_of(packed, sizeof packed), ret_bytes);
}

/* To question 5: a page, of 300 cells, looked at to the end; of the cells that one is lacking. */
static void bytes_answered(struct buffer *ret_bytes, uint32_t lacking)
{
    struct buffer page;
    struct writer writer;

    buffer_init(&page, GOLDEN_BYTES_MAX);
    scene_page(&page);
    writer_init(&writer, ret_bytes);
    write_array(&writer, 5);
    write_u64(&writer, 5);
    write_bin(&writer, buffer_slice(&page));
    write_u64(&writer, 300);
    write_u64(&writer, 1);
    write_array(&writer, 1);
    write_u64(&writer, lacking);
    CHECK_OK(writer.error);
    buffer_done(&page);
}

static void bytes_repaired(struct buffer *ret_bytes)
{
    bytes_answered(ret_bytes, 1);
}

static void make_repaired(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_REPAIRED, 0, bytes_repaired, ret_bytes);
}

static void make_mend(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_MEND, 0, scene_page, ret_bytes);
}

/* The cells of key "k", of all types (gossip/look.h). */
static void make_ask(struct buffer *ret_bytes)
{
    struct buffer packed;
    struct message message;

    buffer_init(&packed, GOLDEN_BYTES_MAX);
    CHECK_OK(look_question(scene_shard(), slice_of("k\0\1", 3), &packed));
    message_init(&message);
    message.kind = MESSAGE_ASK;
    message.shard = scene_shard();
    message.session = 9;
    message.what = ASK_LOOK;
    message.bytes = buffer_slice(&packed);
    encode(&message, ret_bytes);
    buffer_done(&packed);
}

/* One, "red", event 2 of a1, at 256 ms of 1970; and no more. */
static void make_told(struct buffer *ret_bytes)
{
    struct buffer packed;
    struct writer writer;
    struct look look;

    buffer_init(&packed, GOLDEN_BYTES_MAX);
    writer_init(&writer, &packed);
    write_array(&writer, 4);
    write_u64(&writer, 0xa1);
    write_array(&writer, 0);
    write_nil(&writer);
    write_array(&writer, 1);
    write_array(&writer, 5);
    write_bin(&writer, slice_of("k\0\1\2", 4));
    write_array(&writer, 0);
    write_u64(&writer, 77);
    write_u64(&writer, 1);
    write_array(&writer, 5);
    write_u64(&writer, 0xa1);
    write_u64(&writer, 2);
    write_u64(&writer, 256 << 16);
    write_u64(&writer, 3);
    write_bin(&writer, slice_text("red"));
    CHECK_OK(writer.error);
    CHECK_OK(look_read(slice_of("k", 1), buffer_slice(&packed), &look));
    CHECK_EQUAL(look.cells[0].type, NEAP_LWW);
    look_done(&look);
    make_since(MESSAGE_TOLD, buffer_slice(&packed), ret_bytes);
    buffer_done(&packed);
}

static void make_verify_of(const struct verify_question *question, struct buffer *ret_bytes)
{
    struct buffer packed;

    buffer_init(&packed, GOLDEN_BYTES_MAX);
    CHECK_OK(verify_question_write(question, &packed));
    make_since(MESSAGE_VERIFY, buffer_slice(&packed), ret_bytes);
    buffer_done(&packed);
}

static void make_verified_of(const struct verify_answer *answer, struct buffer *ret_bytes)
{
    struct buffer packed;

    buffer_init(&packed, GOLDEN_BYTES_MAX);
    CHECK_OK(verify_answer_write(answer, &packed));
    make_since(MESSAGE_VERIFIED, buffer_slice(&packed), ret_bytes);
    buffer_done(&packed);
}

static void paths_make(struct verify_paths *paths)
{
    verify_paths_init(paths);
    CHECK_OK(verify_paths_add(paths, slice_text("bucket..b")));
    CHECK_OK(verify_paths_add(paths, slice_text("bucket..a")));
    verify_paths_sort(paths);
}

/* Four sums under the root, but for two cells that are under way. */
static void make_verify(struct buffer *ret_bytes)
{
    static const uint32_t root[] = {0};
    struct verify_question question = {
        .ask = VERIFY_ASK_SUMS, .nodes = {.bits = 0, .index = root, .count = 1}, .below = 2};

    paths_make(&question.paths);
    make_verify_of(&question, ret_bytes);
    verify_paths_done(&question.paths);
}

/* What have you seen? */
static void make_verify_context(struct buffer *ret_bytes)
{
    const struct verify_question question = {.ask = VERIFY_ASK_CONTEXT};

    make_verify_of(&question, ret_bytes);
}

/* The cells of leaf 3 at 10 bits, from some path on. */
static void make_verify_cells(struct buffer *ret_bytes)
{
    static const uint32_t leaf[] = {3};
    const struct verify_question question = {.ask = VERIFY_ASK_CELLS,
                                             .nodes = {.bits = 10, .index = leaf, .count = 1},
                                             .from = slice_text("bucket..c")};

    make_verify_of(&question, ret_bytes);
}

static void make_verified(struct buffer *ret_bytes)
{
    uint64_t sums[] = {1, 2, UINT64_MAX, 0x1122334455667788};
    struct verify_answer answer = {.below = 2, .sums = sums, .sums_count = 4};

    paths_make(&answer.paths);
    make_verified_of(&answer, ret_bytes);
    verify_paths_done(&answer.paths);
}

static void make_verified_cells(struct buffer *ret_bytes)
{
    struct verify_answer answer = {.to = slice_text("bucket..x")};
    struct buffer cells;

    buffer_init(&cells, GOLDEN_BYTES_MAX);
    CHECK_OK(verify_cell_write(&cells, slice_text("bucket..c"), 7));
    CHECK_OK(verify_cell_write(&cells, slice_text("bucket..d"), UINT64_MAX));
    answer.cells = buffer_slice(&cells);
    make_verified_of(&answer, ret_bytes);
    buffer_done(&cells);
}

static void make_verified_not(struct buffer *ret_bytes)
{
    const struct verify_answer answer = {.why = VERIFY_WHY_BEHIND};

    make_verified_of(&answer, ret_bytes);
}

/* The first question down a tree: so many levels below its root. */
static void make_descend(struct buffer *ret_bytes)
{
    static const uint8_t packed[] = {0x94, 0, 0, 8, 0x91, 0};
    struct message message;

    message_init(&message);
    message.kind = MESSAGE_DESCEND;
    message.shard = scene_shard();
    message.session = 9;
    message.bytes = slice_of(packed, sizeof packed);
    encode(&message, ret_bytes);
}

/* What was seen, and no sums: the tree has 2^6 leaves. */
static void make_descended(struct buffer *ret_bytes)
{
    static const uint8_t packed[] = {0x93, 0, 6, 0xc4, 0};

    make_since(MESSAGE_DESCENDED, slice_of(packed, sizeof packed), ret_bytes);
}

/* No tree is there. */
static void make_descended_not(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_DESCENDED, NEAP_STALE, NULL, ret_bytes);
}

/* Of leaf 3 at 6 bits, all of the shard: one cell, by its sum. */
static void bytes_differ(struct buffer *ret_bytes)
{
    static const uint8_t packed[] = {0x96, 5, 6, 0x91, 3, 0xc4, 0, 0xc4, 0, 0xc4,
                                     8,    0, 0, 0,    1, 0,    0, 0,    2};

    CHECK_OK(buffer_set(ret_bytes, slice_of(packed, sizeof packed)));
}

static void make_differ(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_DIFFER, 0, bytes_differ, ret_bytes);
}

static void bytes_differed(struct buffer *ret_bytes)
{
    bytes_answered(ret_bytes, 0);
}

static void make_differed(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_DIFFERED, 0, bytes_differed, ret_bytes);
}

/* All cells from some path on. */
static void bytes_hole(struct buffer *ret_bytes)
{
    struct buffer from;
    struct writer writer;

    buffer_init(&from, GOLDEN_BYTES_MAX);
    scene_cursor(&from);
    writer_init(&writer, ret_bytes);
    write_array(&writer, 2);
    write_bin(&writer, buffer_slice(&from));
    write_bin(&writer, slice_of(NULL, 0));
    CHECK_OK(writer.error);
    buffer_done(&from);
}

static void make_hole(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_HOLE, 0, bytes_hole, ret_bytes);
}

static void make_fill(struct buffer *ret_bytes)
{
    make_with_bytes(MESSAGE_FILL, 0, scene_page, ret_bytes);
}

static void make_rights(struct buffer *ret_bytes)
{
    struct message message;
    struct buffer path;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text("stock"), NEAP_BOUNDED));
    message_init(&message);
    message.kind = MESSAGE_RIGHTS;
    message.shard = scene_shard();
    message.what = 7;
    message.bytes = buffer_slice(&path);
    CHECK_OK(message_encode(&message, ret_bytes));
    buffer_done(&path);
}

static void make_swim(struct buffer *ret_bytes)
{
    struct message message;
    struct swim_message swim = {
        .type = SWIM_REQUEST,
        .number = 300,
        .target = 0xa2,
        .updates = {{.node = 0xa1, .incarnation = 7, .state = MEMBER_ALIVE},
                    {.node = 0xa2,
                     .incarnation = 2,
                     .state = MEMBER_SUSPECT,
                     .accusers = {0xa1, 0xa3},
                     .accusers_count = 2},
                    {.node = 0xa4, .incarnation = SWIM_INCARNATION_MAX, .state = MEMBER_DEAD}},
        .updates_count = 3};

    message_init(&message);
    message.kind = MESSAGE_SWIM;
    message.swim = &swim;
    CHECK_OK(message_encode(&message, ret_bytes));
}

static void say_swim(struct buffer *text, const struct swim_message *swim)
{
    say(text, "swim %u, number %" PRIu64 ", target %" PRIx64 "\n", (unsigned)swim->type,
        swim->number, swim->target);
    for (unsigned i = 0; i < swim->updates_count; i++) {
        const struct swim_update *update = &swim->updates[i];

        say(text, "%" PRIx64 " %s, incarnation %" PRIu64, update->node,
            member_state_text(update->state), update->incarnation);
        for (unsigned j = 0; j < update->accusers_count; j++)
            say(text, ", says %" PRIx64, update->accusers[j]);
        say(text, "\n");
    }
}

static void say_digest(struct buffer *text, const struct digest_item *item)
{
    say(text, "shard %" PRIx64 " \"%s\", replica %" PRIx64 ", saw %" PRIx64 ":%" PRIu64 "/%" PRIu32,
        item->shard, item->name, item->replica, item->quote.id, item->quote.n, item->quote.nonce);
    say(text, ", proof %" PRIx64 ":%" PRIu64 "/%" PRIu32, item->proof.id, item->proof.n,
        item->proof.nonce);
    say(text, ", root %" PRIx64 ", opened at %" PRIu64, item->root, item->opened_at);
    for (size_t i = 0; i < item->openings_count; i++)
        say(text, ", %" PRIu32 " since %" PRIu64, item->openings[i].nonce, item->openings[i].since);
    for (size_t i = 0; i < item->earlier_count; i++)
        say(text, ", before %" PRIx64, item->earlier[i]);
    say(text, "\n");
    say_context(text, "context", &item->context);
    say_context(text, "horizon", &item->horizon);
}

static void say_shard_message(struct buffer *text, const struct message *message)
{
    say(text, "%s of shard %" PRIx64 ", session %" PRIu64 ", code %s\n",
        message_name(message->kind), message->shard, message->session, error_name(message->code));
    if (message->kind == MESSAGE_PULL) {
        say_context(text, message->compares ? "comparing, since" : "since", &message->since);
        say(text, "%s", message->what ? "own events only\n" : "");
    } else if (message->kind == MESSAGE_TREE || message->kind == MESSAGE_REPAIR) {
        say_context(text, "both have", &message->since);
        say_hex(text, message->bytes);
        say(text, "\n");
    } else if (message->kind == MESSAGE_TREED || message->kind == MESSAGE_REPAIRED ||
               message->kind == MESSAGE_ASK || message->kind == MESSAGE_TOLD ||
               (message->kind >= MESSAGE_VERIFY && message->kind <= MESSAGE_HOLE)) {
        if (message->kind == MESSAGE_ASK)
            say(text, "what %" PRIu64 "\n", message->what);
        if (message->kind != MESSAGE_ASK && message->since.count > 0)
            say_context(text, "has", &message->since);
        say_hex(text, message->bytes);
        say(text, "\n");
    } else if (message->kind == MESSAGE_RIGHTS) {
        say(text, "%" PRIu64 " of ", message->what);
        say_path(text, message->bytes);
        say(text, "\n");
    } else if (message->kind == MESSAGE_COMPARE) {
        say(text, "%u pages, cursor ", message->pages);
        say_bytes(text, message->bytes);
        say(text, "\n");
    } else if (message->bytes.size > 0) {
        struct chunk chunk;

        if (message->kind == MESSAGE_COMPARED) {
            say(text, "%u follow, the next from ", message->pages);
            say_bytes(text, message->next);
            say(text, "\n");
        }
        chunk_read(message->bytes, &chunk);
        say_chunk(text, &chunk);
        chunk_done(&chunk);
    }
}

static void say_message(struct slice bytes, struct buffer *ret_text)
{
    struct message message;

    CHECK_OK(message_decode(bytes, &message));
    if (message_has_shard(message.kind)) {
        say_shard_message(ret_text, &message);
    } else if (message.kind == MESSAGE_HELLO) {
        say(ret_text, "hello in version %" PRIu32 " to cluster %" PRIx64 " on %s, node %" PRIx64,
            message.hello.wire_version, message.hello.cluster,
            message.hello.channel == CHANNEL_BULK ? "bulk" : "control", message.hello.node);
        say(ret_text, ", nonce %" PRIu64 ", listens at %s\n", message.hello.nonce,
            message.hello.address);
    } else if (message.kind == MESSAGE_DIGEST) {
        say(ret_text, message.digests_more ? "digests, more follow\n" : "digests\n");
        for (size_t i = 0; i < message.digests_count; i++)
            say_digest(ret_text, &message.digests[i]);
    } else if (message.kind == MESSAGE_SWIM) {
        say_swim(ret_text, message.swim);
    } else {
        say(ret_text, "%s", message_name(message.kind));
        for (size_t i = 0; i < message.interest.count; i++)
            say(ret_text, " %s", message.interest.entries[i]);
        say(ret_text, "\n");
    }
    message_done(&message);
}

static void again_message(struct slice bytes, struct buffer *ret_bytes)
{
    struct message message;

    CHECK_OK(message_decode(bytes, &message));
    encode(&message, ret_bytes);
    message_done(&message);
}

#define MESSAGE(name, kind, make)                    \
    {                                                \
        name, kind, make, say_message, again_message \
    }

static const struct golden messages[] = {
    MESSAGE("hello", MESSAGE_HELLO, make_hello),
    MESSAGE("heartbeat", MESSAGE_HEARTBEAT, make_heartbeat),
    MESSAGE("digests", MESSAGE_DIGEST, make_digest),
    MESSAGE("push", MESSAGE_PUSH, make_push),
    MESSAGE("push, what comes next", MESSAGE_PUSH, make_push_next),
    MESSAGE("pushed after what is not known", MESSAGE_PUSHED, make_pushed),
    MESSAGE("interest", MESSAGE_INTEREST, make_interest),
    MESSAGE("leave", MESSAGE_LEAVE, make_leave),
    MESSAGE("relieved", MESSAGE_RELIEVED, make_relieved),
    MESSAGE("pull", MESSAGE_PULL, make_pull),
    MESSAGE("pulled", MESSAGE_PULLED, make_pulled),
    MESSAGE("pulled, after another chunk", MESSAGE_PULLED, make_pulled_after),
    MESSAGE("pulled, below the horizon", MESSAGE_PULLED, make_pulled_stale),
    MESSAGE("compare", MESSAGE_COMPARE, make_compare),
    MESSAGE("compared", MESSAGE_COMPARED, make_compared),
    MESSAGE("tree", MESSAGE_TREE, make_tree),
    MESSAGE("treed, not so deep", MESSAGE_TREED, make_treed),
    MESSAGE("repair", MESSAGE_REPAIR, make_repair),
    MESSAGE("repaired", MESSAGE_REPAIRED, make_repaired),
    MESSAGE("mend", MESSAGE_MEND, make_mend),
    MESSAGE("ask", MESSAGE_ASK, make_ask),
    MESSAGE("told", MESSAGE_TOLD, make_told),
    MESSAGE("verify", MESSAGE_VERIFY, make_verify),
    MESSAGE("verify, what was seen", MESSAGE_VERIFY, make_verify_context),
    MESSAGE("verify, cells", MESSAGE_VERIFY, make_verify_cells),
    MESSAGE("verified", MESSAGE_VERIFIED, make_verified),
    MESSAGE("verified, cells", MESSAGE_VERIFIED, make_verified_cells),
    MESSAGE("verified, not now", MESSAGE_VERIFIED, make_verified_not),
    MESSAGE("descend", MESSAGE_DESCEND, make_descend),
    MESSAGE("descended", MESSAGE_DESCENDED, make_descended),
    MESSAGE("descended, no tree", MESSAGE_DESCENDED, make_descended_not),
    MESSAGE("differ", MESSAGE_DIFFER, make_differ),
    MESSAGE("differed", MESSAGE_DIFFERED, make_differed),
    MESSAGE("hole", MESSAGE_HOLE, make_hole),
    MESSAGE("fill", MESSAGE_FILL, make_fill),
    MESSAGE("rights", MESSAGE_RIGHTS, make_rights),
    MESSAGE("swim", MESSAGE_SWIM, make_swim),
};

TEST(messages_are_as_they_were)
{
    golden_check("messages.hex", "Messages between nodes (gossip/message.h).", messages,
                 COUNT(messages));
}

TEST(each_kind_of_message_has_golden_bytes)
{
    for (unsigned kind = 1; kind < MESSAGE_KINDS; kind++) {
        CHECK(strcmp(message_name((enum message_kind)kind), "unknown") != 0);
        if (!golden_has(messages, COUNT(messages), kind))
            test_failed(__FILE__, __LINE__, "none for a %s: see tests/golden/golden.h",
                        message_name((enum message_kind)kind));
    }
}
