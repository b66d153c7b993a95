/* The member list, in whole nodes: docs/decisions/0095. */
#include <stdio.h>
#include <string.h>

#include "gossip/state.h"
#include "sim/net.h"
#include "tests/story/story.h"

enum { A, B, C, NODES = 5 };

static struct story story;
static struct roster_row rows[NODES_MAX];

/* Each keeps the list, and is configured with one other: all with A, or each with the next one. */
static void begin(size_t nodes, bool chain, uint64_t retire_ms)
{
    story_begin(&story,
                &(struct world_options){.nodes = nodes, .log_max = 1000, .delay_ms_max = 10});
    story.world.keep_text = false;
    for (size_t i = 0; i < nodes; i++) {
        struct sim_node *node = &story.world.nodes[i];
        rows[i] = (struct roster_row){.addresses_count = 1, .weight = 100};
        snprintf(rows[i].addresses[0], ROSTER_ADDRESS_MAX, "%s", node->address);
        snprintf(rows[i].name, sizeof rows[i].name, "%s", node->name);
        node->gossip.own = &rows[i];
        node->gossip.retire_ms = retire_ms;
        node->peers_count = i > 0 || chain;
        node->peers[0] = story.world.nodes[chain ? (i + 1) % nodes : 0].address;
    }
    for (size_t i = 0; i < nodes; i++)
        sim_start(&story.world, i);
}

static uint64_t id_of(size_t node)
{
    return story.world.nodes[node].wheel.engine.store.identity.node;
}

static struct peer_status peer_of(size_t at, uint64_t node)
{
    const struct gossip *gossip = story.world.nodes[at].wheel.engine.gossip;
    struct peer_status status = {0};
    for (size_t i = 0; i < gossip_peers(gossip); i++) {
        gossip_peer_status(gossip, i, &status);
        if (status.node == node || status.named == node)
            return status;
    }
    return (struct peer_status){0};
}

/* Every node that is up has the same list, and is linked with all others that are up. */
static void check_all_linked(size_t listed)
{
    for (size_t i = 0; i < story.world.nodes_count; i++) {
        if (!story.world.nodes[i].up)
            continue;
        uint64_t version;
        const struct gossip *gossip = story.world.nodes[i].wheel.engine.gossip;
        CHECK_EQUAL(gossip_roster(gossip, &version)->lists[ROSTER_MEMBERS].count, listed);
        CHECK_EQUAL(gossip_peers(gossip), listed - 1);
        for (size_t j = 0; j < story.world.nodes_count; j++) {
            if (j != i && story.world.nodes[j].up)
                CHECK(peer_of(i, id_of(j)).connected);
        }
    }
}

static struct swim_member seen(size_t at, uint64_t node)
{
    struct swim_member member = {.state = MEMBER_STATE_END};
    (void)gossip_find_member(story.world.nodes[at].wheel.engine.gossip, node, &member);
    return member;
}

static uint64_t log_of(size_t node)
{
    const struct shard *shard = sim_shard(&story.world, node, "box");
    return shard ? shard_log_count(shard) : 0;
}

TEST(who_knows_one_other_comes_to_know_all)
{
    for (unsigned chain = 0; chain < 2; chain++) {
        begin(NODES, chain, 0);
        story_run(&story, 10000);
        check_all_linked(NODES);
        sim_crash(&story.world, A);
        story_run(&story, 40000);
        check_all_linked(NODES);
        story_do(&story, B, "add tags ripe");
        story_run(&story, 3000);
        /* Without a word of the configuration. */
        for (size_t i = 0; i < NODES; i++) {
            sim_stop(&story.world, i);
            story.world.nodes[i].peers_count = 0;
        }
        for (size_t i = 0; i < NODES; i++)
            sim_start(&story.world, i);
        story_run(&story, 10000);
        check_all_linked(NODES);
        story_end(&story, true);
    }
}

TEST(who_is_closed_has_left_and_is_not_suspected)
{
    begin(3, false, 0);
    story_run(&story, 10000);
    uint64_t id = id_of(C);
    sim_stop(&story.world, C);
    story_run(&story, 500);
    CHECK_EQUAL(seen(A, id).state, MEMBER_LEFT);
    CHECK_EQUAL(seen(B, id).state, MEMBER_LEFT);
    sim_start(&story.world, C);
    story_run(&story, 5000);
    CHECK_EQUAL(seen(A, id).state, MEMBER_ALIVE);
    check_all_linked(3);
    story_end(&story, true);
}

TEST(who_is_retired_holds_no_log_and_resurrects_nothing)
{
    begin(3, false, 60000);
    story_run(&story, 10000);
    story_do(&story, A, "add tags old");
    story_do(&story, A, "allow guests ann");
    story_run(&story, 5000);
    story_cut(&story, A, C, true);
    story_cut(&story, B, C, true);
    story_do(&story, A, "remove tags old");
    story_do(&story, A, "bar guests ann");
    story_do(&story, C, "add tags unseen");
    story_do(&story, C, "allow guests ann"); /* C has not seen the other */
    story_run(&story, 40000);
    CHECK(log_of(A) > 0);
    story_run(&story, 60000);
    CHECK(peer_of(A, id_of(C)).retired);
    CHECK_EQUAL(log_of(A), 0);
    CHECK_EQUAL(log_of(B), 0);
    story_cut(&story, A, C, false);
    story_cut(&story, B, C, false);
    story_run(&story, 60000);
    CHECK(!peer_of(A, id_of(C)).retired);
    story.world.keep_text = true;
    /* What says that ann is out stays for good: its log entry went before C had it. */
    story_show_all(&story, "tags");
    story_show_all(&story, "guests");
    story_told(&story, NULL,
               "A has tags: unseen\nB has tags: unseen\nC has tags: unseen\n"
               "A has guests: ann(out)\nB has guests: ann(out)\nC has guests: ann(out)\n");
    story_end(&story, true);
}
