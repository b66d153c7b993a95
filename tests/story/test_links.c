/* How nodes meet, and whom they refuse. */
#include <stdio.h>

#include "base/alloc.h"
#include "tests/story/story.h"

enum { A, B, C };

static struct story story;

/* A stranger opens a link to A and says this; nothing for an empty text. */
static void stranger(struct slice message)
{
    static const uint64_t number = NET_ACCEPTED | 1 << 20;
    for (int i = 0; i < (message.size ? 2 : 1); i++) {
        struct event *event = mem_new(sizeof *event);
        struct net_event *net = mem_new(sizeof *net);
        CHECK(event && net);
        net->kind = i == 0 ? NET_UP : NET_MESSAGE;
        net->link = number;
        net->side = NET_PEER;
        buffer_init(&net->message, MESSAGE_SIZE_MAX);
        if (i == 1)
            CHECK_OK(buffer_set(&net->message, message));
        event->kind = EVENT_NET;
        event->net = net;
        sim_post(&story.world, A, event);
    }
    story_run(&story, 5);
}

TEST(two_nodes_meet_and_converge)
{
    story_begin(&story, &(struct world_options){.seed = 7, .nodes = 2, .log_max = 1000});
    story.detail = true;
    sim_start(&story.world, A);
    story_do(&story, A, "incr apples 1");
    story_do(&story, A, "incr pears 1");
    sim_start(&story.world, B);
    story_do(&story, B, "incr apples 1");
    story_run(&story, 5000);
    story_show_all(&story, "apples");
    story_show(&story, B, "pears");
    story_told(&story, NULL,
               "A starts\n"
               "A incr apples 1\n"
               "A sim://B: dial control\n"
               "A sim://B: dial bulk\n"
               "A sim://B: link down, refused\n"
               "A sim://B: link down, refused\n"
               "A incr pears 1\n"
               "B starts\n"
               "B incr apples 1\n"
               "B sim://A: dial control\n"
               "B sim://A: dial bulk\n"
               "A sim://B: hello, accepted control\n"
               "A sim://B: hello, accepted bulk\n"
               "A sim://B: connected\n"
               "B sim://A: hello, dialled control\n"
               "B sim://A: hello, dialled bulk\n"
               "B sim://A: connected\n"
               "B sim://A: box is open\n"
               "B sim://A: push box 1..1\n"
               "A sim://B: box is open\n"
               "A sim://B: push box 1..2\n"
               "A sim://B: pushed box\n"
               "A box: log cut, 2 left\n"
               "B sim://A: pushed box\n"
               "B box: log cut, 1 left\n"
               "B box: log cut, 0 left\n"
               "A box: log cut, 0 left\n"
               "A has apples: 2\n"
               "B has apples: 2\n"
               "B has pears: 1\n");
    story_end(&story, true);
}

TEST(of_two_links_the_one_of_the_smaller_node_stays)
{
    story_begin(&story, &(struct world_options){.seed = 7, .nodes = 2, .log_max = 1000});
    story.detail = true;
    sim_start(&story.world, A);
    sim_start(&story.world, B);
    story_run(&story, 500);
    CHECK_EQUAL(net_open_links(&story.world, A, B), 2);
    story_told(&story, NULL,
               "A starts\n"
               "B starts\n"
               "A sim://B: dial control\n"
               "A sim://B: dial bulk\n"
               "B sim://A: dial control\n"
               "B sim://A: dial bulk\n"
               "A sim://B: hello, accepted control\n"
               "B sim://A: hello, accepted control\n"
               "A sim://B: hello, accepted bulk\n"
               "A sim://B: connected\n"
               "B sim://A: hello, accepted bulk\n"
               "B sim://A: connected\n"
               "B sim://A: hello, dialled control\n"
               "B sim://A: drop link, duplicate\n"
               "A sim://B: hello, dialled control\n"
               "B sim://A: hello, dialled bulk\n"
               "B sim://A: drop link, duplicate\n"
               "A sim://B: hello, dialled bulk\n"
               "A sim://B: link down, closed by the peer\n"
               "A sim://B: link down, closed by the peer\n");
    story_end(&story, true);
}

TEST(another_cluster_is_refused_and_both_sides_say_so)
{
    story_begin(&story, &(struct world_options){.seed = 7, .nodes = 2, .log_max = 1000});
    story.detail = true;
    story.world.nodes[B].gossip.cluster = 2;
    sim_start(&story.world, A);
    sim_start(&story.world, B);
    story_do(&story, A, "incr apples 1");
    story_run(&story, 100);
    story_told(&story, NULL,
               "A starts\n"
               "B starts\n"
               "A incr apples 1\n"
               "A sim://B: dial control\n"
               "A sim://B: dial bulk\n"
               "B sim://A: dial control\n"
               "B sim://A: dial bulk\n"
               "A somebody: drop link, wrong_cluster\n"
               "B somebody: drop link, wrong_cluster\n"
               "A somebody: drop link, wrong_cluster\n"
               "B somebody: drop link, wrong_cluster\n"
               "A sim://B: drop link, wrong_cluster\n"
               "B sim://A: drop link, wrong_cluster\n"
               "A sim://B: drop link, wrong_cluster\n"
               "B sim://A: drop link, wrong_cluster\n"
               "B sim://A: dial control\n"
               "A sim://B: dial bulk\n"
               "A somebody: drop link, wrong_cluster\n"
               "B sim://A: drop link, wrong_cluster\n"
               "B somebody: drop link, wrong_cluster\n"
               "A sim://B: drop link, wrong_cluster\n"
               "A sim://B: dial control\n"
               "B somebody: drop link, wrong_cluster\n"
               "A sim://B: drop link, wrong_cluster\n"
               "B sim://A: dial bulk\n"
               "A somebody: drop link, wrong_cluster\n"
               "B sim://A: drop link, wrong_cluster\n");
    CHECK(story_counted(&story, A, "wrong_cluster") > 0);
    CHECK(story_counted(&story, B, "wrong_cluster") > 0);
    story_end(&story, false);
}

TEST(who_dials_itself_stops_that)
{
    story_begin(&story, &(struct world_options){.seed = 7, .nodes = 2, .log_max = 1000});
    story.detail = true;
    struct sim_node *node = &story.world.nodes[A];
    node->peers[node->peers_count++] = node->address;
    sim_start(&story.world, A);
    sim_start(&story.world, B);
    story_do(&story, A, "incr apples 1");
    story_run(&story, 9000);
    CHECK(story_counted(&story, A, "dialled_self") > 0);
    CHECK(story_counted(&story, A, "dialled_self") <= 4);
    CHECK_EQUAL(gossip_peers(node->wheel.engine.gossip), 1);
    story_end(&story, true);
}

TEST(garbage_is_dropped_and_counted)
{
    story_meet(&story, 2);
    story.detail = true;
    stranger(slice_text("GET / HTTP/1.1"));
    CHECK_EQUAL(story_counted(&story, A, "malformed"), 1);
    stranger(slice_of("\x92\x02\x01", 3)); /* a heartbeat before any hello */
    CHECK_EQUAL(story_counted(&story, A, "unexpected"), 1);
    story_told(&story, "A",
               "A somebody: drop link, malformed\n"
               "A somebody: drop link, unexpected\n");
    stranger(slice_of(NULL, 0));
    story_run(&story, 6000);
    CHECK_EQUAL(story_counted(&story, A, "no_hello"), 1);
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    story_end(&story, true);
}

TEST(an_isolated_node_is_left_alone_until_it_comes_back)
{
    story_meet(&story, 2);
    story_isolate(&story, A, true);
    story_do(&story, A, "incr apples 1");
    story_do(&story, B, "incr pears 1");
    story_run(&story, 8000);
    story_show_all(&story, "apples");
    CHECK(!world_agrees(&story.world, (char[200]){0}, 200));
    story_isolate(&story, A, false);
    story_run(&story, 6000);
    story_show(&story, A, "pears");
    story_show(&story, B, "apples");
    story_told(&story, NULL,
               "A sim://B: disconnected\n"
               "A isolated\n"
               "B sim://A: disconnected\n"
               "A incr apples 1\n"
               "B incr pears 1\n"
               "A has apples: 1\n"
               "B has apples: nothing\n"
               "A no longer isolated\n"
               "A sim://B: push box 1..1\n"
               "B sim://A: push box 1..1\n"
               "B sim://A: pushed box\n"
               "A sim://B: pushed box\n"
               "A has pears: 1\n"
               "B has apples: 1\n");
    story_end(&story, true);
}

TEST(a_silent_peer_is_dropped)
{
    story_meet(&story, 2);
    story.world.cut[B][A] = true; /* A hears nothing; B hears A */
    story_run(&story, 7000);
    CHECK(story_counted(&story, A, "silent") > 0);
    story.world.cut[B][A] = false;
    story_run(&story, 8000);
    CHECK_EQUAL(net_open_links(&story.world, A, B), 2);
    story_end(&story, true);
}

/* One call after the other, each of which takes two syncs and a round trip and no time between. */
TEST(who_waits_for_a_quorum_is_told_at_once)
{
    enum { CALLS = 20, MS_EACH = 5 };
    story_meet(&story, 3);
    story_do(&story, A, "add letters first");
    story_run(&story, 3000);
    uint64_t before = story.world.now_ms;
    for (int i = 0; i < CALLS; i++)
        story_do(&story, A, i % 2 ? "quorum incr calls 1" : "quorum add letters x");
    CHECK(story.world.now_ms - before <= (uint64_t)CALLS * MS_EACH);
    story_forget(&story);
    story_run(&story, 3000);
    story_show_all(&story, "calls");
    story_told(&story, "B", "B has calls: 10\n");
    story_end(&story, true);
}

/* ---- versions of the wire ---- */

/* The next one is faked (gossip/message.h): A speaks this one, B the next as well. */
TEST(this_version_and_the_next_talk_in_this_one)
{
    story_begin(&story,
                &(struct world_options){.seed = 7, .nodes = 2, .log_max = 1000, .mixed = true});
    story.detail = true;
    sim_start(&story.world, A);
    sim_start(&story.world, B);
    story_do(&story, A, "incr apples 1");
    story_do(&story, B, "incr apples 1");
    story_run(&story, 5000);
    story_show_all(&story, "apples");
    story_told(&story, NULL,
               "A starts\n"
               "B starts\n"
               "A incr apples 1\n"
               "A sim://B: dial control\n"
               "A sim://B: dial bulk\n"
               "B sim://A: dial control\n"
               "B sim://A: dial bulk\n"
               "A sim://B: hello, accepted control of the next version\n"
               "B incr apples 1\n"
               "B sim://A: hello, accepted control of the version before\n"
               "A sim://B: hello, accepted bulk of the next version\n"
               "A sim://B: connected\n"
               "B sim://A: hello, accepted bulk of the version before\n"
               "B sim://A: connected\n"
               "A sim://B: hello, dialled control of the next version\n"
               "B sim://A: hello, dialled control of the version before\n"
               "B sim://A: drop link, duplicate\n"
               "A sim://B: hello, dialled bulk of the next version\n"
               "B sim://A: hello, dialled bulk of the version before\n"
               "B sim://A: drop link, duplicate\n"
               "A sim://B: link down, closed by the peer\n"
               "A sim://B: link down, closed by the peer\n"
               "A sim://B: box is open\n"
               "A sim://B: push box 1..1\n"
               "B sim://A: box is open\n"
               "B sim://A: pull box\n"
               "B sim://A: push box 1..1\n"
               "A sim://B: pushed box\n"
               "A box: log cut, 1 left\n"
               "B sim://A: pulled box\n"
               "B sim://A: pulled all of box\n"
               "B box: log cut, 1 left\n"
               "A box: log cut, 0 left\n"
               "B box: log cut, 0 left\n"
               "A has apples: 2\n"
               "B has apples: 2\n");
    story_end(&story, true);
}

/* One after the other begins again in the next version, and then, one after the other, in this one:
 * each time some talk in the one and some in the other. */
TEST(a_cluster_goes_to_the_next_version_and_back_node_by_node)
{
    char words[32];
    story_begin(&story,
                &(struct world_options){.seed = 7, .nodes = 4, .log_max = 1000, .mixed = true});
    for (size_t i = 0; i < 4; i++)
        sim_start(&story.world, i);
    for (size_t i = 0; i < 8; i++) {
        story_run(&story, 4000);
        sim_stop(&story.world, i % 4);
        snprintf(words, sizeof words, "add rounds %zu", i);
        story_do(&story, (i + 1) % 4, words);
        sim_start(&story.world, i % 4);
    }
    story_run(&story, 8000);
    story_forget(&story);
    story_show_all(&story, "rounds");
    story_told(&story, NULL,
               "A has rounds: 0 1 2 3 4 5 6 7\n"
               "B has rounds: 0 1 2 3 4 5 6 7\n"
               "C has rounds: 0 1 2 3 4 5 6 7\n"
               "D has rounds: 0 1 2 3 4 5 6 7\n");
    story_end(&story, true);
}

TEST(nodes_two_versions_apart_say_which_to_upgrade)
{
    story_begin(&story, &(struct world_options){.seed = 7, .nodes = 2, .log_max = 1000});
    story.detail = true;
    story.world.nodes[B].gossip.wire_newest = WIRE_VERSION + 2;
    story.world.nodes[A].peers_count = 0;
    sim_start(&story.world, A);
    sim_start(&story.world, B);
    story_run(&story, 60);
    story_told(&story, NULL,
               "A starts\n"
               "B starts\n"
               "B sim://A: dial control\n"
               "B sim://A: dial bulk\n"
               "A somebody: drop link, wire_version\n"
               "A somebody: it speaks wire version 3, this node 1 to 1: upgrade this node\n"
               "A somebody: drop link, wire_version\n"
               "A somebody: it speaks wire version 3, this node 1 to 1: upgrade this node\n"
               "B sim://A: drop link, wire_version\n"
               "B sim://A: it speaks wire version 1, this node 2 to 3: upgrade the other node\n"
               "B sim://A: drop link, wire_version\n"
               "B sim://A: it speaks wire version 1, this node 2 to 3: upgrade the other node\n"
               "B sim://A: dial control\n"
               "A somebody: drop link, wire_version\n"
               "A somebody: it speaks wire version 3, this node 1 to 1: upgrade this node\n"
               "B sim://A: drop link, wire_version\n"
               "B sim://A: it speaks wire version 1, this node 2 to 3: upgrade the other node\n");
    story_end(&story, false);
}
