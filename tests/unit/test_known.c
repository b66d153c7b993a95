/* gossip/known.c: entries of members. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/gossip_nodes.h"

/* Side 0 keeps the list. */
static void keeps_list(struct pair_of_nodes *nodes)
{
    struct gossip *gossip = nodes->sides[0].gossip;
    gossip->own = row_make(gossip->store->identity.node, "test://0", "zero");
    gossip->options.own = &gossip->own;
    gossip->unsettled = true;
}

/* How often side 0 wants to dial that address at its next tick; nobody answers. */
static unsigned dials(struct pair_of_nodes *nodes, const char *address)
{
    struct side *side = &nodes->sides[0];
    unsigned count = 0;
    CHECK_OK(gossip_tick(side->gossip, nodes->now, side->batch, &side->outbox));
    CHECK_OK(side_commit(side));
    for (size_t i = 0; i < side->outbox.count; i++) {
        const struct effect *effect = &side->outbox.effects[i];
        count += effect->kind == EFFECT_DIAL && !strcmp((const char *)effect->bytes.data, address);
        if (effect->kind == EFFECT_DIAL)
            CHECK_OK(give(nodes, 0, NET_DOWN, effect->link, slice_of(NULL, 0)));
    }
    outbox_clear(&side->outbox);
    return count;
}

static struct peer *peer_named(struct pair_of_nodes *nodes, uint64_t node)
{
    struct gossip *gossip = nodes->sides[0].gossip;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        if (gossip->peers[i].named == node)
            return &gossip->peers[i];
    }
    return NULL;
}

/* ---- entries ---- */

TEST(whom_the_list_names_is_dialled_and_a_member)
{
    struct pair_of_nodes nodes;
    struct roster_row row = row_make(77, "test://seven", "seven");
    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(record_add(&nodes, 0, &row)); /* who keeps no list does nothing */
    CHECK_EQUAL(dials(&nodes, "test://seven"), 0);
    keeps_list(&nodes);
    CHECK_EQUAL(dials(&nodes, "test://seven"), 0); /* the entry is made at the end of that step */
    CHECK_EQUAL(dials(&nodes, "test://seven"), CHANNELS);
    struct peer *peer = peer_named(&nodes, 77);
    CHECK(peer &&
          peer_is_member(nodes.sides[0].gossip, (size_t)(peer - nodes.sides[0].gossip->peers)));
    size_t index = (size_t)(peer - nodes.sides[0].gossip->peers);
    CHECK_OK(record_write(&nodes, 0, ROSTER_MEMBERS, 77, NULL));
    nodes.now.mono_ms += 100000;
    CHECK_EQUAL(dials(&nodes, "test://seven"), 0);
    CHECK(!peer_is_member(nodes.sides[0].gossip, index));
    nodes_close(&nodes);
}

TEST(all_addresses_of_a_member_are_tried)
{
    struct pair_of_nodes nodes;
    struct roster_row row = row_make(77, "test://one", "");
    unsigned one = 0, two = 0;
    snprintf(row.addresses[row.addresses_count++], ROSTER_ADDRESS_MAX, "test://two");
    CHECK_OK(nodes_open(&nodes));
    keeps_list(&nodes);
    CHECK_OK(record_add(&nodes, 0, &row));
    for (unsigned i = 0; i < 8; i++) {
        nodes.now.mono_ms += 100000;
        unsigned count = dials(&nodes, i % 2 ? "test://two" : "test://one");
        if (i % 2)
            two += count;
        else
            one += count;
    }
    CHECK(one > 0);
    CHECK(two > 0);
    nodes_close(&nodes);
}

static bool no_address(const char *address)
{
    (void)address;
    return false;
}

TEST(what_may_not_be_dialled_is_not)
{
    struct pair_of_nodes nodes;
    struct roster_row row = row_make(77, "test://seven", "seven");
    CHECK_OK(nodes_open(&nodes));
    keeps_list(&nodes);
    nodes.sides[0].gossip->options.may_dial = no_address;
    CHECK_OK(record_add(&nodes, 0, &row));
    CHECK_EQUAL(dials(&nodes, "test://seven"), 0);
    CHECK_TEXT(peer_named(&nodes, 77)->address, "");
    nodes_close(&nodes);
}

TEST(a_configured_address_and_a_record_are_one_member)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    keeps_list(&nodes);
    /* The same address; another one; and a second node that lives nowhere known. */
    struct roster_row row = row_make(nodes.sides[1].store.identity.node, "test://1", "one");
    CHECK_OK(record_add(&nodes, 0, &row));
    CHECK_EQUAL(gossip_peers(nodes.sides[0].gossip), 1);
    snprintf(row.addresses[0], ROSTER_ADDRESS_MAX, "test://elsewhere");
    CHECK_OK(record_write(&nodes, 0, ROSTER_MEMBERS, row.node, NULL));
    CHECK_OK(record_add(&nodes, 0, &row));
    CHECK_EQUAL(gossip_peers(nodes.sides[0].gossip), 1);
    struct roster_row other = row_make(78, NULL, "");
    CHECK_OK(record_add(&nodes, 0, &other));
    CHECK_EQUAL(gossip_peers(nodes.sides[0].gossip), 2);
    /* Whom it meets at the configured address is the first one. */
    CHECK_OK(nodes_run(&nodes, 2000));
    CHECK_EQUAL(gossip_peers(nodes.sides[0].gossip), 2);
    CHECK_EQUAL(peer_named(&nodes, row.node), &nodes.sides[0].gossip->peers[0]);
    CHECK(peer_is_up(nodes.sides[0].gossip, 0));
    nodes_close(&nodes);
}

TEST(a_record_that_names_this_node_s_own_address_is_no_reason_to_be_itself)
{
    struct pair_of_nodes nodes;
    struct roster_row row = row_make(77, "test://0", "liar");
    CHECK_OK(nodes_open(&nodes));
    keeps_list(&nodes);
    CHECK_OK(record_add(&nodes, 0, &row));
    CHECK_OK(gossip_tick(nodes.sides[0].gossip, nodes.now, nodes.sides[0].batch,
                         &nodes.sides[0].outbox));
    struct peer *peer = peer_named(&nodes, 77);
    struct gossip *gossip = nodes.sides[0].gossip;
    struct link *link = NULL;
    for (size_t i = 0; i < gossip->links_count; i++) {
        if (gossip->links[i].dialed_for == (size_t)(peer - gossip->peers))
            link = &gossip->links[i];
    }
    CHECK(link);
    outbox_clear(&nodes.sides[0].outbox);
    struct message message;
    struct buffer bytes;
    uint64_t id = link->id;
    CHECK_OK(give(&nodes, 0, NET_UP, id, slice_of(NULL, 0)));
    message_init(&message);
    buffer_init(&bytes, 4096);
    message.kind = MESSAGE_HELLO;
    message.hello = (struct hello){.cluster = 5,
                                   .node = gossip->store->identity.node,
                                   .nonce = gossip->store->identity.nonce,
                                   .wire_version = WIRE_VERSION,
                                   .address = "test://0"};
    CHECK_OK(message_encode(&message, &bytes));
    CHECK_OK(give(&nodes, 0, NET_MESSAGE, id, buffer_slice(&bytes)));
    buffer_done(&bytes);
    CHECK_EQUAL(gossip->counts[REASON_dialled_self], 1);
    CHECK(!peer->self);
    CHECK_EQUAL(peer->named, 77);
    nodes_close(&nodes);
}

/* ---- forgotten ---- */

TEST(a_forgotten_node_is_refused_and_nobody_s_member)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    keeps_list(&nodes);
    struct gossip *gossip = nodes.sides[0].gossip;
    struct roster_row row = row_make(nodes.sides[1].store.identity.node, "test://1", "one");
    CHECK_OK(record_add(&nodes, 0, &row));
    CHECK_OK(nodes_run(&nodes, 2000));
    CHECK(peer_is_up(gossip, 0));
    CHECK_OK(record_write(&nodes, 0, ROSTER_FORGOTTEN, row.node, &row));
    CHECK_OK(nodes_run(&nodes, 5000));
    CHECK_EQUAL(gossip->links_count, 0);
    CHECK(gossip->counts[REASON_forgotten] >= CHANNELS);
    CHECK_EQUAL(gossip_peers(gossip), 0);
    /* It says again who it is: it stays forgotten. */
    CHECK_OK(record_write(&nodes, 0, ROSTER_MEMBERS, row.node, NULL));
    CHECK_OK(record_add(&nodes, 0, &row));
    CHECK_EQUAL(gossip_peers(gossip), 0);
    CHECK(!roster_find(nodes_roster(&nodes, 0), ROSTER_MEMBERS, row.node));
    nodes_close(&nodes);
}

TEST(a_device_writes_no_record)
{
    struct pair_of_nodes nodes;
    CHECK_OK(nodes_open(&nodes));
    keeps_list(&nodes);
    for (size_t i = 0; i < 2; i++)
        nodes.principals[i] = (struct principal){.kind = i ? PRINCIPAL_DEVICE : PRINCIPAL_NODE,
                                                 .cluster = 5,
                                                 .id = nodes.sides[i].store.identity.node};
    CHECK_OK(nodes_run(&nodes, 2000));
    CHECK(peer_is_up(nodes.sides[0].gossip, 0));
    struct roster_row row = row_make(77, "test://seven", "seven");
    CHECK_OK(record_add(&nodes, 1, &row));
    CHECK_OK(nodes_run(&nodes, 3000));
    CHECK_EQUAL(nodes_roster(&nodes, 0)->lists[ROSTER_MEMBERS].count, 0);
    CHECK(!peer_named(&nodes, 77));
    nodes_close(&nodes);
}
