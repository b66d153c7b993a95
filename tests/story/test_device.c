/* A device, C, whose certificate is good; and what it may not do all the same. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/state.h"
#include "sim/net.h"
#include "store/chunk.h"
#include "store/shard.h"
#include "tests/story/story.h"

enum { A, B, C, NODES, LIE_BYTES_MAX = 1 << 20 };

static struct story story;

static void meet(void)
{
    story_begin(&story, &(struct world_options){
                            .seed = 7, .nodes = NODES, .log_max = 1000, .device = true});
    for (size_t i = 0; i < NODES; i++)
        sim_start(&story.world, i);
    story_run(&story, 3000);
}

static uint64_t counted(size_t node, const char *reason)
{
    return story_counted(&story, node, reason);
}

static uint64_t node_id(size_t node)
{
    return story.world.nodes[node].wheel.engine.store.identity.node;
}

/* Says something to A on a link of that channel, as if it came from C. */
static void say(enum channel channel, const struct message *message)
{
    struct sim_node *node = &story.world.nodes[A];
    struct buffer bytes;
    bool said = false;

    buffer_init(&bytes, MESSAGE_SIZE_MAX);
    CHECK_OK(message_encode(message, &bytes));
    for (size_t i = 0; i < node->lines_count && !said; i++) {
        const struct sim_line *line = &node->lines[i];
        const struct link *link = link_find(node->wheel.engine.gossip, line->number);

        if (line->link->ends[!line->side].node != C || !link || link->state != LINK_OPEN ||
            link->channel != channel)
            continue;
        way_push(&story.world, line->link, line->side, buffer_slice(&bytes));
        said = true;
    }
    CHECK(said);
    buffer_done(&bytes);
    story_run(&story, 1000);
}

/* ---- who is no more ---- */

static void revoke(size_t node)
{
    char words[80];

    snprintf(words, sizeof words, "add _system:revoked %s/%016llx", node == C ? "device" : "node",
             (unsigned long long)node_id(node));
    story_do(&story, A, words);
}

TEST(who_is_revoked_loses_his_links_at_once_and_gets_no_others)
{
    meet();
    CHECK_EQUAL(net_open_links(&story.world, A, C), 2);
    revoke(C);
    story_run(&story, 200);
    CHECK_EQUAL(net_open_links(&story.world, A, C), 0);
    CHECK_EQUAL(net_open_links(&story.world, B, C), 0);
    story_run(&story, 20000);
    CHECK_EQUAL(net_open_links(&story.world, A, C), 0);
    CHECK_EQUAL(net_open_links(&story.world, B, C), 0);
    CHECK_EQUAL(net_open_links(&story.world, A, B), 2);
    CHECK(counted(A, "revoked") > 1 && counted(B, "revoked") > 1);
    story_end(&story, false);
}

/* ---- names ---- */

static void post(struct net_event event)
{
    struct event *posted = mem_new(sizeof *posted);
    struct net_event *net = mem_new(sizeof *net);

    CHECK(posted && net);
    *net = event;
    posted->kind = EVENT_NET;
    posted->net = net;
    sim_post(&story.world, A, posted);
}

/* Somebody opens a link to A, shows the certificate of C, and says that he is this node. */
static void introduce(uint64_t node)
{
    struct net_event up = {
        .kind = NET_UP, .link = NET_ACCEPTED | 1 << 20, .side = NET_PEER, .principal = {0}};
    struct net_event said = {.kind = NET_MESSAGE, .link = up.link, .side = NET_PEER};
    struct message message;
    char text[80];

    snprintf(text, sizeof text, "neap://%016llx/device/%016llx",
             (unsigned long long)story.world.nodes[C].gossip.cluster,
             (unsigned long long)node_id(C));
    CHECK_OK(principal_add(&up.principal, slice_text(text)));
    message_init(&message);
    message.kind = MESSAGE_HELLO;
    message.hello = (struct hello){.cluster = story.world.nodes[C].gossip.cluster,
                                   .node = node,
                                   .nonce = 9,
                                   .wire_version = WIRE_VERSION,
                                   .channel = CHANNEL_CONTROL,
                                   .address = ""};
    buffer_init(&said.message, MESSAGE_SIZE_MAX);
    CHECK_OK(message_encode(&message, &said.message));
    post(up);
    post(said);
    story_run(&story, 5);
}

TEST(who_says_another_name_than_his_certificate_is_refused)
{
    meet();
    introduce(77);
    CHECK_EQUAL(counted(A, "other_name"), 1);
    story_end(&story, true);
}

/* ---- what a device says of others ---- */

static struct shard *held(size_t node)
{
    struct shard *shard = sim_shard(&story.world, node, "b0");

    CHECK(shard);
    return shard;
}

static struct context_entry own(size_t node)
{
    const struct shard *shard = held(node);
    const struct context_entry *entry = context_find(&shard->context, shard->replica);

    CHECK(entry);
    return *entry;
}

/* Each time that it is believed A takes another id, which all keep for ever. */
TEST(a_device_that_says_again_and_again_that_a_node_went_back_is_heard_eight_times)
{
    struct digest_item item = {.shard = bucket_id("b0"), .name = "b0"};
    struct message message;
    unsigned believed = 0;

    meet();
    story_do(&story, A, "incr b0:apples 1");
    story_do(&story, C, "incr b0:apples 1");
    story_run(&story, 3000);
    message_init(&message);
    message.kind = MESSAGE_DIGEST;
    message.digests = &item;
    message.digests_count = 1;
    for (unsigned i = 0; i < 12; i++) {
        struct context_entry ahead = {held(A)->replica, 1000, 9};

        item.replica = held(C)->replica;
        CHECK_OK(context_raise(&item.context, ahead.id, ahead.n, ahead.nonce));
        say(CHANNEL_CONTROL, &message);
        context_done(&item.context);
        believed += held(A)->replica != ahead.id;
    }
    CHECK_EQUAL(believed, 8);
    CHECK_EQUAL(counted(A, "unheeded"), 4);
    story_end(&story, false);
}

/* An event of C's own on the member, whose cell has what A had removed there; and it knows of that.
 */
static void push_removed(struct context_entry theirs, struct context_entry mine)
{
    struct op op = {.kind = OP_SET_ADD};
    struct context since = {0};
    struct chunk chunk = {0};
    struct message message;
    struct buffer path, bytes, forged, old;
    struct batch *batch;
    struct disk *disk;
    struct shard *shard;
    struct cell cell;
    struct dot dot;

    CHECK_OK(disk_mem_open(&disk));
    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(shard_new(batch, "b0", mine.id, mine.nonce, &shard));
    CHECK_OK(context_raise(&shard->context, mine.id, mine.n, mine.nonce));
    CHECK_OK(context_copy(&since, &shard->context));
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&bytes, LIE_BYTES_MAX);
    buffer_init(&forged, LIE_BYTES_MAX);
    buffer_init(&old, LIE_BYTES_MAX);
    cell_init(&cell);
    CHECK_OK(path_level(&path, slice_text("tags"), NEAP_SET));
    CHECK_OK(path_element(&path, slice_text("ripe")));
    CHECK_OK(shard_write(shard, batch, shard->id, buffer_slice(&path), &op, &dot));
    struct view view = batch_view(batch);
    CHECK_OK(shard_chunk(shard, &view, &since, 0, CHUNK_SIZE, &bytes));
    CHECK_OK(chunk_decode(buffer_slice(&bytes), CHUNK_EVENTS, &chunk));
    CHECK_OK(context_raise(&chunk.context, theirs.id, theirs.n, theirs.nonce));
    CHECK_OK(cell_add(&cell, (struct dot){theirs.id, 1}, slice_of(NULL, 0)));
    CHECK_OK(cell_encode(&cell, &old));
    chunk.cells[0].bytes = buffer_slice(&old);
    CHECK_OK(chunk_encode(&chunk, &forged));
    message_init(&message);
    message.kind = MESSAGE_PUSH;
    message.shard = shard->id;
    message.bytes = buffer_slice(&forged);
    say(CHANNEL_BULK, &message);
    CHECK_EQUAL(context_get(&held(A)->context, mine.id), mine.n + 1); /* its event was taken */
    cell_done(&cell);
    chunk_done(&chunk);
    context_done(&since);
    buffer_done(&path);
    buffer_done(&bytes);
    buffer_done(&forged);
    buffer_done(&old);
    shard_free(shard);
    batch_free(batch);
    disk_close(disk);
}

TEST(what_was_removed_does_not_come_back_with_an_event_of_a_device)
{
    meet();
    story_do(&story, A, "add b0:tags ripe");
    story_do(&story, C, "add b0:tags raw");
    story_run(&story, 3000);
    story_do(&story, A, "remove b0:tags ripe");
    story_run(&story, 3000);
    push_removed(own(A), own(C));
    story_forget(&story);
    story_show(&story, A, "b0:tags");
    story_told(&story, NULL, "A has b0:tags: raw\n");
    story_end(&story, false);
}
