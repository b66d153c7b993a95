/* Side 1 shows itself as a device: "b" it may write, "news" it may read, "secret" neither. */
#include <stdio.h>
#include <string.h>

#include "store/owner.h"
#include "tests/unit/gossip_nodes.h"
#include "tests/unit/shard_cases.h"

static int be(struct principal *principal, enum principal_kind kind, uint64_t id)
{
    static const char *const rights[] = {"write/b", "read/news"};
    static const char *const words[] = {"", "node", "device", "client", "join"};
    char text[PRINCIPAL_URI_MAX];
    int error;
    principal_done(principal);
    snprintf(text, sizeof text, "neap://0000000000000005/%s/%016llx", words[kind],
             (unsigned long long)id);
    error = principal_add(principal, slice_text(text));
    for (size_t i = 0; i < 2 && !error && kind != PRINCIPAL_NODE; i++) {
        snprintf(text, sizeof text, "neap://0000000000000005/%s", rights[i]);
        error = principal_add(principal, slice_text(text));
    }
    return error;
}

static int open_as(struct pair_of_nodes *nodes, enum principal_kind kind)
{
    int error = nodes_open(nodes);
    if (!error)
        error = be(&nodes->principals[0], PRINCIPAL_NODE, nodes->sides[0].store.identity.node);
    if (!error)
        error = be(&nodes->principals[1], kind, nodes->sides[1].store.identity.node);
    return error;
}

static uint64_t count_of(struct pair_of_nodes *nodes, enum reason reason)
{
    return nodes->sides[0].gossip->counts[reason];
}

static struct shard *shard_at(struct pair_of_nodes *nodes, size_t side, const char *bucket)
{
    return store_find(&nodes->sides[side].store, bucket_id(bucket));
}

/* What side 1 sends by hand. */
static void send(struct pair_of_nodes *nodes, const struct message *message)
{
    bool control = message->kind == MESSAGE_DIGEST;
    struct buffer bytes;
    buffer_init(&bytes, 1 << 20);
    CHECK_OK(message_encode(message, &bytes));
    uint64_t link =
        nodes->sides[0].gossip->peers[0].links[control ? CHANNEL_CONTROL : CHANNEL_BULK];
    CHECK(link);
    CHECK_OK(give(nodes, 0, NET_MESSAGE, link, buffer_slice(&bytes)));
    buffer_done(&bytes);
}

/* `more`: and it says to have seen that. */
static void send_chunk(struct pair_of_nodes *nodes, enum message_kind kind, struct place *from,
                       const struct context_entry *more)
{
    static const struct context nothing;
    struct message message;
    struct buffer chunk;
    buffer_init(&chunk, WIRE_MAX);
    CHECK_OK(place_chunk(from, &nothing, 0, CHUNK_SIZE, &chunk));
    if (more) {
        struct chunk forged = {0};
        struct buffer bytes;
        buffer_init(&bytes, WIRE_MAX);
        CHECK_OK(chunk_decode(buffer_slice(&chunk), CHUNK_EVENTS, &forged));
        CHECK_OK(context_raise(&forged.context, more->id, more->n, more->nonce));
        CHECK_OK(chunk_encode(&forged, &bytes));
        chunk_done(&forged);
        buffer_done(&chunk);
        chunk = bytes;
    }
    message_init(&message);
    message.kind = kind;
    message.shard = from->shard->id;
    message.bytes = buffer_slice(&chunk);
    send(nodes, &message);
    buffer_done(&chunk);
}

/* All have met, and "b" is open. */
static void meet(struct pair_of_nodes *nodes)
{
    CHECK_OK(open_as(nodes, PRINCIPAL_DEVICE));
    CHECK_OK(nodes_write_to(nodes, 0, "b", "apples", 1));
    CHECK_OK(nodes_write_to(nodes, 0, "news", "rain", 1));
    CHECK_OK(nodes_write_to(nodes, 0, "secret", "word", 1));
    CHECK_OK(nodes_write_to(nodes, 1, "b", "pears", 2));
    CHECK_OK(nodes_run(nodes, 2500));
    CHECK_EQUAL(nodes->sides[0].gossip->peers[0].principal.kind, PRINCIPAL_DEVICE);
    CHECK_EQUAL(nodes->sides[1].gossip->peers[0].principal.kind, PRINCIPAL_NODE);
    CHECK(context_equal(&shard_at(nodes, 0, "b")->context, &shard_at(nodes, 1, "b")->context));
}

TEST(each_kind_of_message_says_who_may_send_it_and_who_may_get_it)
{
    for (unsigned kind = MESSAGE_HELLO; kind < MESSAGE_KINDS; kind++) {
        struct access_row row = access_row((enum message_kind)kind);
        CHECK(row.in != ACCESS_NO_ROW && row.out != ACCESS_NO_ROW);
        /* What names a bucket is only for those who may read it. */
        CHECK_EQUAL(row.out == ACCESS_READER, message_has_shard((enum message_kind)kind));
        CHECK((row.in == ACCESS_ANYBODY) == (row.out == ACCESS_ANYBODY));
    }
    CHECK_EQUAL(access_row(MESSAGE_KINDS).in, ACCESS_NO_ROW);
}

static int meet_and_part(void *argument)
{
    struct pair_of_nodes nodes;
    (void)argument;
    int error = open_as(&nodes, PRINCIPAL_DEVICE);
    if (!error)
        error = nodes_write_to(&nodes, 0, "secret", "word", 1);
    if (!error)
        error = nodes_write_to(&nodes, 1, "b", "pears", 2);
    if (!error)
        error = nodes_run(&nodes, 1500);
    if (!error) {
        CHECK(
            context_equal(&shard_at(&nodes, 0, "b")->context, &shard_at(&nodes, 1, "b")->context));
        CHECK(!shard_at(&nodes, 1, "secret"));
    }
    nodes_close(&nodes);
    return error;
}

TEST(a_device_gets_what_it_may_read_and_nothing_else)
{
    struct pair_of_nodes nodes;
    CHECK_OK(meet_and_part(NULL));
    meet(&nodes);
    CHECK(context_equal(&shard_at(&nodes, 0, "news")->context,
                        &shard_at(&nodes, 1, "news")->context));
    CHECK(!shard_at(&nodes, 1, "secret"));
    CHECK_EQUAL(shard_log_count(shard_at(&nodes, 0, "b")), 0);
    CHECK_EQUAL(shard_log_count(shard_at(&nodes, 0, "secret")), 1); /* no node has it yet */
    CHECK_EQUAL(count_of(&nodes, REASON_withheld), 0);
    CHECK_EQUAL(count_of(&nodes, REASON_forbidden), 0);
    nodes_close(&nodes);
}

TEST(rights_survive_failing_allocations)
{
    test_alloc_sweep(meet_and_part, NULL);
}

TEST(nothing_is_taken_of_what_a_device_may_not_write_and_the_rest_goes_on)
{
    struct pair_of_nodes nodes;
    struct peer_status status;
    meet(&nodes);
    CHECK_OK(nodes_write_to(&nodes, 1, "news", "sun", 1));
    CHECK_OK(nodes_write_to(&nodes, 1, "secret", "mine", 1));
    CHECK_OK(nodes_write_to(&nodes, 1, "b", "plums", 1));
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_EQUAL(shard_at(&nodes, 0, "news")->context.count, 1);
    CHECK_EQUAL(shard_at(&nodes, 0, "secret")->context.count, 1);
    CHECK_EQUAL(shard_at(&nodes, 1, "secret")->context.count, 1);
    CHECK(context_equal(&shard_at(&nodes, 0, "b")->context, &shard_at(&nodes, 1, "b")->context));
    CHECK(count_of(&nodes, REASON_forbidden) > 0);
    CHECK(strstr(gossip_refused(nodes.sides[0].gossip), "push of bucket news refused: it may not"));
    CHECK(strstr(gossip_refused(nodes.sides[0].gossip), "device/"));
    gossip_peer_status(nodes.sides[0].gossip, 0, &status);
    CHECK(status.connected && status.refused > 0 && !status.votes);
    CHECK(strstr(status.last_error, "news"));
    nodes_close(&nodes);
}

/* Of each that is refused, and until when the link rests then; 0: it does not. */
static uint64_t push_forbidden(struct pair_of_nodes *nodes)
{
    const struct gossip *gossip = nodes->sides[0].gossip;
    struct message message;
    message_init(&message);
    message.kind = MESSAGE_PUSH;
    message.shard = bucket_id("news");
    send(nodes, &message);
    uint64_t id = gossip->peers[0].links[CHANNEL_BULK];
    for (size_t i = 0; i < gossip->links_count; i++) {
        CHECK_EQUAL(gossip_rests(nodes->sides[0].gossip, gossip->links[i].id),
                    gossip->links[i].ready_at != 0);
        if (gossip->links[i].id == id)
            return gossip->links[i].ready_at;
        CHECK(!gossip->links[i].ready_at);
    }
    CHECK(false);
    return 0;
}

TEST(who_sends_what_he_may_not_again_and_again_is_heard_less_often)
{
    struct pair_of_nodes nodes;
    meet(&nodes);
    for (int i = 0; i < 100; i++)
        CHECK_EQUAL(push_forbidden(&nodes), 0);
    CHECK_EQUAL(count_of(&nodes, REASON_slowed), 0);
    CHECK_EQUAL(push_forbidden(&nodes), nodes.now.mono_ms + 50);
    CHECK_EQUAL(push_forbidden(&nodes), nodes.now.mono_ms + 100);
    for (int i = 0; i < 30; i++)
        push_forbidden(&nodes);
    CHECK_EQUAL(push_forbidden(&nodes), nodes.now.mono_ms + 1000);
    CHECK_EQUAL(count_of(&nodes, REASON_slowed), 33);
    CHECK(gossip_deadline(nodes.sides[0].gossip) <= nodes.now.mono_ms + 1000);
    CHECK_OK(nodes_run(&nodes, 1100));
    CHECK(
        !gossip_rests(nodes.sides[0].gossip, nodes.sides[0].gossip->peers[0].links[CHANNEL_BULK]));
    CHECK_EQUAL(shard_at(&nodes, 0, "news")->context.count, 1);
    nodes_close(&nodes);
}

/* What side 0 answers to a question about a bucket of that name; its id is made one and the same.
 */
static void ask_about(struct pair_of_nodes *nodes, enum message_kind kind, const char *bucket,
                      struct buffer *ret_answer)
{
    struct outbox *outbox = &nodes->sides[0].outbox;
    struct message message, answer;
    outbox_clear(outbox);
    message_init(&message);
    message.kind = kind;
    message.shard = bucket_id(bucket);
    message.session = 77;
    message.what = kind == MESSAGE_ASK ? ASK_LOOK : 0;
    if (kind == MESSAGE_HOLE)
        message.bytes = slice_of((const uint8_t *)"\x92\xc4\x00\xc4\x00", 5);
    send(nodes, &message);
    buffer_clear(ret_answer);
    if (outbox->count == 0)
        return;
    CHECK_EQUAL(outbox->effects[0].kind, EFFECT_SEND);
    CHECK_OK(message_decode(outbox->effects[0].bytes, &answer));
    CHECK_EQUAL(answer.shard, message.shard);
    answer.shard = 1;
    CHECK_OK(message_encode(&answer, ret_answer));
    message_done(&answer);
    CHECK_EQUAL(outbox->count, 1);
}

TEST(a_bucket_that_a_device_may_not_read_is_not_there)
{
    static const enum message_kind kinds[] = {MESSAGE_PULL, MESSAGE_COMPARE, MESSAGE_ASK,
                                              MESSAGE_HOLE};
    struct buffer secret, nowhere;
    buffer_init(&secret, 1 << 20);
    buffer_init(&nowhere, 1 << 20);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct pair_of_nodes nodes;
        meet(&nodes);
        ask_about(&nodes, kinds[i], "secret", &secret);
        ask_about(&nodes, kinds[i], "nowhere", &nowhere);
        CHECK(nowhere.size > 0);
        CHECK_BYTES(buffer_slice(&secret), buffer_slice(&nowhere));
        CHECK_EQUAL(count_of(&nodes, REASON_hidden), 1);
        CHECK(store_find(&nodes.sides[0].store, bucket_id("secret")));
        nodes_close(&nodes);
    }
    buffer_done(&secret);
    buffer_done(&nowhere);
}

/* As side 1 would, of bucket "b". */
static void claim(struct pair_of_nodes *nodes, uint64_t replica, const struct context_entry *seen)
{
    struct digest_item item = {.shard = bucket_id("b"), .name = "b", .replica = replica};
    struct message message;
    message_init(&message);
    message.kind = MESSAGE_DIGEST;
    if (seen)
        CHECK_OK(context_raise(&item.context, seen->id, seen->n, seen->nonce));
    message.digests = &item;
    message.digests_count = 1;
    send(nodes, &message);
    context_done(&item.context);
}

TEST(a_device_claims_no_id_of_others)
{
    struct pair_of_nodes nodes;
    struct owner owner = {PRINCIPAL_DEVICE, 12345};
    meet(&nodes);
    uint64_t own = shard_at(&nodes, 1, "b")->replica;
    claim(&nodes, shard_at(&nodes, 0, "b")->replica, NULL);
    CHECK_EQUAL(count_of(&nodes, REASON_foreign_id), 1);
    CHECK_OK(owner_write(nodes.sides[0].batch, bucket_id("b"), 4711, &owner));
    claim(&nodes, 4711, NULL);
    CHECK_EQUAL(count_of(&nodes, REASON_foreign_id), 2);
    CHECK_EQUAL(topic_pair(topic_find(nodes.sides[0].gossip, bucket_id("b")), 0)->replica, own);
    claim(&nodes, 4712, NULL); /* a new life */
    CHECK_EQUAL(count_of(&nodes, REASON_foreign_id), 2);
    CHECK_OK(side_commit(&nodes.sides[0]));
    struct view view = {.disk = nodes.sides[0].disk};
    CHECK_OK(owner_read(&view, bucket_id("b"), 4712, &owner));
    CHECK_EQUAL(owner.kind, PRINCIPAL_DEVICE);
    CHECK_EQUAL(owner.id, nodes.sides[1].store.identity.node);
    nodes_close(&nodes);
}

TEST(events_of_an_id_that_is_not_the_devices_are_refused)
{
    struct pair_of_nodes nodes;
    struct place forger;
    meet(&nodes);
    CHECK_OK(place_open(&forger, 999));
    CHECK_OK(place_set(&forger, "apples", "none"));
    CHECK_OK(place_commit(&forger));
    send_chunk(&nodes, MESSAGE_PUSH, &forger, NULL);
    CHECK_EQUAL(context_get(&shard_at(&nodes, 0, "b")->context, 999), 0);
    CHECK_EQUAL(count_of(&nodes, REASON_foreign_dots), 1);
    CHECK(!shard_at(&nodes, 0, "b")->guard);
    place_close(&forger);
    nodes_close(&nodes);
}

TEST(a_device_is_not_believed_what_it_says_to_have_seen_of_others)
{
    struct pair_of_nodes nodes;
    struct place forger;
    meet(&nodes);
    uint64_t node = shard_at(&nodes, 0, "b")->replica;
    CHECK_OK(place_open(&forger, 999));
    CHECK_OK(place_set(&forger, "apples", "none"));
    CHECK_OK(place_commit(&forger));
    claim(&nodes, 999, NULL);
    send_chunk(&nodes, MESSAGE_PUSH, &forger, &(struct context_entry){node, UINT64_C(1) << 40, 3});
    CHECK_EQUAL(context_get(&shard_at(&nodes, 0, "b")->context, 999), 0);
    CHECK_EQUAL(count_of(&nodes, REASON_ahead), 1);
    send_chunk(&nodes, MESSAGE_PUSH, &forger, &(struct context_entry){31337, 1, 3});
    CHECK_EQUAL(count_of(&nodes, REASON_ahead), 2);
    send_chunk(&nodes, MESSAGE_PUSH, &forger, NULL); /* that is its own */
    CHECK_EQUAL(context_get(&shard_at(&nodes, 0, "b")->context, 999), 1);
    CHECK_EQUAL(shard_at(&nodes, 0, "b")->replica, node);
    place_close(&forger);
    nodes_close(&nodes);
}

/* It says to have seen all that the node has, so what it has beside that, the node must have lost.
 */
TEST(a_device_does_not_bring_back_what_was_removed)
{
    static const struct context nothing;
    const struct op op = {.kind = OP_REGISTER_SET, .value = slice_text("new"), .seen = &nothing};
    const uint64_t own = 2;
    const struct shard_guard guard = {&own, 1};
    struct place node, device;
    struct buffer chunk;
    struct dot dot;
    for (unsigned guarded = 0; guarded < 2; guarded++) {
        enum taken taken = TAKEN_NOTHING;
        CHECK_OK(place_open(&node, 1));
        CHECK_OK(place_open(&device, own));
        CHECK_OK(place_set(&node, "x", "old"));
        CHECK_OK(place_commit(&node));
        CHECK_OK(place_pull(&device, &node, CHUNK_SIZE));
        CHECK_OK(place_remove(&node, "x"));
        CHECK_OK(context_join(&device.shard->context, &node.shard->context));
        CHECK_OK(place_write(&device, "x", NEAP_REGISTER, &op, &dot));
        CHECK_OK(place_commit(&device));
        buffer_init(&chunk, WIRE_MAX);
        CHECK_OK(place_chunk(&device, &node.shard->context, 0, CHUNK_SIZE, &chunk));
        node.shard->guard = guarded ? &guard : NULL;
        CHECK_OK(shard_take(node.shard, node.batch, buffer_slice(&chunk), CHUNK_PULL, &taken));
        CHECK_EQUAL(taken, TAKEN);
        CHECK_EQUAL(place_dots(&node, "x", NEAP_REGISTER), guarded ? 1 : 2);
        node.shard->guard = NULL;
        buffer_done(&chunk);
        place_close(&node);
        place_close(&device);
    }
}

TEST(a_device_makes_a_node_take_another_id_only_so_often)
{
    struct pair_of_nodes nodes;
    meet(&nodes);
    struct shard *shard = shard_at(&nodes, 0, "b");
    uint64_t own = shard_at(&nodes, 1, "b")->replica;
    for (unsigned i = 0; i < 20; i++) {
        struct context_entry seen = {shard->replica, UINT64_C(1) << 30, i + 1};
        claim(&nodes, own, &seen);
        CHECK_OK(nodes_write_to(&nodes, 0, "b", "apples", 1));
    }
    CHECK(count_of(&nodes, REASON_rollbacks) <= 8);
    CHECK(count_of(&nodes, REASON_unheeded) >= 12);
    nodes_close(&nodes);
}

TEST(what_only_nodes_are_asked_is_left_out_of_a_device)
{
    struct pair_of_nodes nodes;
    struct message message;
    meet(&nodes);
    message_init(&message);
    message.kind = MESSAGE_MEND;
    message.shard = bucket_id("b");
    send(&nodes, &message);
    CHECK_EQUAL(count_of(&nodes, REASON_left_out), 1);
    nodes_close(&nodes);
}

/* Of these nobody gets further than hello. */
static void is_refused(enum principal_kind kind, uint64_t id, enum reason reason)
{
    struct pair_of_nodes nodes;
    CHECK_OK(open_as(&nodes, PRINCIPAL_NODE));
    CHECK_OK(be(&nodes.principals[1], kind, id ? id : nodes.sides[1].store.identity.node));
    CHECK_OK(nodes_run(&nodes, 1000));
    CHECK(count_of(&nodes, reason) > 0);
    CHECK_EQUAL(nodes.messages[MESSAGE_DIGEST], 0);
    nodes_close(&nodes);
}

/* Whatever they dial, and however long: of two clusters nothing but hellos passes, and those have
 * not a byte of what was written. */
static void cross(bool certified)
{
    static const char text[] = "of-the-other-cluster";
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    nodes.sides[1].gossip->options.cluster = 6;
    for (size_t i = 0; certified && i < 2; i++)
        nodes.principals[i] = (struct principal){
            .kind = PRINCIPAL_NODE, .cluster = 5 + i, .id = nodes.sides[i].store.identity.node};
    for (size_t i = 0; i < 2; i++)
        CHECK_OK(nodes_write_to(&nodes, i, "box", text, 1));
    CHECK_OK(nodes_run(&nodes, 20000));
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQUAL(nodes.sides[i].gossip->counts[REASON_wrong_cluster] > 0, true);
        CHECK_EQUAL(shard_at(&nodes, i, "box")->context.count, 1);
    }
    for (unsigned kind = 0; kind < MESSAGE_KINDS; kind++) {
        if (kind != MESSAGE_HELLO)
            CHECK_EQUAL(nodes.bytes[kind], 0);
    }
    CHECK(nodes.messages[MESSAGE_HELLO] > 0);
    CHECK(nodes.bytes[MESSAGE_HELLO] <= nodes.messages[MESSAGE_HELLO] * 64);
    nodes_close(&nodes);
}

TEST(of_two_clusters_that_are_crossed_no_byte_of_data_passes)
{
    cross(false);
    cross(true);
}

TEST(hello_says_what_the_certificate_says)
{
    is_refused(PRINCIPAL_NODE, 77, REASON_other_name);
    is_refused(PRINCIPAL_DEVICE, 78, REASON_other_name);
    is_refused(PRINCIPAL_CLIENT, 0, REASON_not_a_peer);
    is_refused(PRINCIPAL_JOIN, 0, REASON_not_a_peer);
}
