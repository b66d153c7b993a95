#include "gossip/state.h"

#include <string.h>

#include "tests/support/test.h"
#include "tests/unit/gossip_nodes.h"

/* Somebody has shown a certificate with these names, and says hello as node `claimed` of cluster 1:
 * the reason that was counted for it, or REASONS. */
static enum reason hello_by(struct pair_of_nodes *nodes, const char *const uris[], uint64_t claimed)
{
    struct side *side = &nodes->sides[1];
    struct net_event up = {.kind = NET_UP, .link = 100 | NET_ACCEPTED, .side = NET_PEER};
    struct message message;
    struct buffer bytes;
    enum reason found = REASONS;

    memset(side->gossip->counts, 0, sizeof side->gossip->counts);
    for (; *uris; uris++)
        CHECK_OK(principal_add(&up.principal, slice_text(*uris)));
    CHECK_OK(gossip_event(side->gossip, nodes->now, &up, side->batch, &side->outbox));
    net_event_done(&up);
    message_init(&message);
    message.kind = MESSAGE_HELLO;
    message.hello = (struct hello){.cluster = side->gossip->options.cluster,
                                   .node = claimed,
                                   .nonce = 7,
                                   .wire_version = WIRE_VERSION,
                                   .address = ""};
    buffer_init(&bytes, MESSAGE_SIZE_MAX);
    CHECK_OK(message_encode(&message, &bytes));
    CHECK_OK(give(nodes, 1, NET_MESSAGE, 100, buffer_slice(&bytes)));
    buffer_done(&bytes);
    for (unsigned reason = 0; reason < REASONS; reason++)
        if (side->gossip->counts[reason])
            found = (enum reason)reason;
    CHECK_OK(give(nodes, 1, NET_DOWN, 100, slice_of(NULL, 0)));
    return found;
}

TEST(who_says_hello_is_who_his_certificate_names)
{
    static const char *const node[] = {"neap://0000000000000001/node/00000000000000aa", NULL};
    static const char *const device[] = {"neap://0000000000000001/device/00000000000000aa",
                                         "neap://0000000000000001/read/a", NULL};
    static const char *const client[] = {"neap://0000000000000001/client/00000000000000aa", NULL};
    static const char *const token[] = {"neap://0000000000000001/join/00000000000000aa", NULL};
    static const char *const stranger[] = {"neap://0000000000000002/node/00000000000000aa", NULL};
    static const char *const nobody[] = {NULL};
    struct pair_of_nodes nodes;

    CHECK_OK(nodes_open(&nodes));
    nodes.sides[1].gossip->options.cluster = 1;
    CHECK_EQUAL(hello_by(&nodes, node, 0xaa), REASONS);
    CHECK_EQUAL(hello_by(&nodes, node, 0xab), REASON_other_name);
    CHECK_EQUAL(hello_by(&nodes, device, 0xaa), REASONS);
    CHECK_EQUAL(hello_by(&nodes, device, 0xab), REASON_other_name);
    CHECK_EQUAL(hello_by(&nodes, client, 0xaa), REASON_not_a_peer);
    CHECK_EQUAL(hello_by(&nodes, token, 0xaa), REASON_not_a_peer);
    CHECK_EQUAL(hello_by(&nodes, stranger, 0xaa), REASON_other_name);
    CHECK_EQUAL(hello_by(&nodes, nobody, 0xab), REASONS);
    nodes_close(&nodes);
}

static void say_hello(struct pair_of_nodes *nodes, uint64_t link, uint64_t node,
                      enum channel channel, const char *address)
{
    struct message message;
    struct buffer bytes;

    message_init(&message);
    message.kind = MESSAGE_HELLO;
    message.hello = (struct hello){.cluster = nodes->sides[1].gossip->options.cluster,
                                   .node = node,
                                   .nonce = 7,
                                   .wire_version = WIRE_VERSION,
                                   .channel = channel,
                                   .address = address};
    buffer_init(&bytes, MESSAGE_SIZE_MAX);
    CHECK_OK(message_encode(&message, &bytes));
    CHECK_OK(give(nodes, 1, NET_UP, link, slice_of(NULL, 0)));
    CHECK_OK(give(nodes, 1, NET_MESSAGE, link, buffer_slice(&bytes)));
    buffer_done(&bytes);
}

/* Node 8 lived at the listed address, and has a link from wherever it lives now. Node 9, which is
 * known, answers at that address. */
TEST(who_left_an_address_to_another_keeps_one_entry)
{
    static const char listed[] = "test://listed";
    struct pair_of_nodes nodes;

    CHECK_OK(nodes_open(&nodes));
    struct gossip *gossip = nodes.sides[1].gossip;
    size_t entry = gossip->peers_count++;
    peer_init(gossip, listed, true, &gossip->peers[entry]);
    say_hello(&nodes, 100, 8, CHANNEL_CONTROL, listed);
    CHECK_EQUAL(gossip->peers[entry].node, 8);
    say_hello(&nodes, 101, 9, CHANNEL_CONTROL, listed);
    CHECK_EQUAL(gossip->peers_count, entry + 2);
    CHECK_EQUAL(gossip->peers[entry + 1].node, 9);
    gossip->peers[entry].alias = entry + 1; /* its address was dialled: there is node 9 */
    CHECK(peer_is_member(gossip, entry));
    say_hello(&nodes, 102, 8, CHANNEL_BULK, "test://elsewhere");
    CHECK_EQUAL(gossip->peers_count, entry + 2);
    CHECK(peer_is_up(gossip, entry));
    nodes_close(&nodes);
}
