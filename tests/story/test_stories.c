/* Run with STORY_PRINT=1 to see what is told instead of comparing it. */
#include "tests/story/story.h"

enum { A, B, C };

static struct story story;

static void meet(size_t nodes)
{
    story_begin(&story, nodes);
    for (size_t i = 0; i < nodes; i++)
        sim_start(&story.world, i);
    story_run(&story, 3000);
    buffer_clear(&story.world.text);
}

TEST(two_nodes_meet_and_converge)
{
    story_begin(&story, 2);
    sim_start(&story.world, A);
    story_add(&story, A, "apples");
    story_add(&story, A, "pears");
    sim_start(&story.world, B);
    story_add(&story, B, "apples");
    story_run(&story, 5000);
    story_told(&story, NULL,
               "A starts\n"
               "A sim://B: dial control\n"
               "A sim://B: dial bulk\n"
               "A sim://B: link down, refused\n"
               "A sim://B: link down, refused\n"
               "B starts\n"
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
               "A sim://B: pull box\n"
               "A sim://B: push box 1..2\n"
               "B sim://A: pushed box\n"
               "B box: log cut, 1 left\n"
               "A sim://B: pulled box\n"
               "B box: log cut, 0 left\n"
               "A sim://B: pulled all of box\n"
               "A box: log cut, 2 left\n"
               "A box: log cut, 0 left\n");
    CHECK_EQUAL(story_count(&story, A, "apples"), 2);
    CHECK_EQUAL(story_count(&story, B, "apples"), 2);
    CHECK_EQUAL(story_count(&story, B, "pears"), 1);
    story_end(&story, true);
}

TEST(a_write_is_pushed_and_then_forgotten_by_the_log)
{
    meet(2);
    story_add(&story, A, "apples");
    story_run(&story, 3000);
    story_told(&story, NULL,
               "B box: made, a peer has it\n"
               "A sim://B: box is open\n"
               "A sim://B: push box 1..1\n"
               "B sim://A: box is open\n"
               "B sim://A: pull box\n"
               "B sim://A: pulled box\n"
               "A box: log cut, 0 left\n"
               "B sim://A: pulled all of box\n"
               "B box: log cut, 0 left\n");
    story_end(&story, true);
}

TEST(a_node_that_was_away_pulls_from_one_peer)
{
    meet(3);
    story_add(&story, A, "apples");
    story_run(&story, 3000);
    sim_stop(&story.world, C);
    story_add(&story, A, "apples");
    story_add(&story, B, "apples");
    story_run(&story, 3000);
    buffer_clear(&story.world.text);
    sim_start(&story.world, C);
    story_run(&story, 5000);
    story_told(&story, "C",
               "C starts\n"
               "C sim://A: dial control\n"
               "C sim://A: dial bulk\n"
               "C sim://B: dial control\n"
               "C sim://B: dial bulk\n"
               "C sim://A: hello, dialled control\n"
               "C sim://A: hello, dialled bulk\n"
               "C sim://A: connected\n"
               "C sim://B: hello, dialled control\n"
               "C sim://B: hello, dialled bulk\n"
               "C sim://B: connected\n"
               "C sim://B: box is open\n"
               "C sim://B: pull box\n"
               "C sim://A: box is open\n"
               "C box: replica id confirmed\n"
               "C sim://B: pushed box\n"
               "C box: log cut, 0 left\n"
               "C sim://A: pushed box\n"
               "C box: log cut, 0 left\n"
               "C sim://B: pulled nothing new of box\n");
    CHECK_EQUAL(story_count(&story, C, "apples"), 3);
    story_end(&story, true);
}

TEST(whoever_is_behind_the_log_compares)
{
    meet(2);
    story.world.nodes[A].gossip.log_max = 4;
    sim_stop(&story.world, A);
    sim_stop(&story.world, B);
    sim_start(&story.world, A);
    for (int i = 0; i < 6; i++)
        story_add(&story, A, "apples");
    story_run(&story, 1000);
    CHECK(story_counted(&story, A, "log_cut_early") > 0);
    buffer_clear(&story.world.text);
    sim_start(&story.world, B);
    story_run(&story, 5000);
    story_told(&story, "B",
               "B starts\n"
               "B sim://A: dial control\n"
               "B sim://A: dial bulk\n"
               "B sim://A: hello, dialled control\n"
               "B sim://A: hello, dialled bulk\n"
               "B sim://A: connected\n"
               "B box: made, a peer has it\n"
               "B sim://A: box is open\n"
               "B sim://A: pull box\n"
               "B sim://A: too old to pull box, compare\n"
               "B sim://A: compare box\n"
               "B sim://A: compared box\n");
    CHECK_EQUAL(story_count(&story, B, "apples"), 6);
    story_end(&story, true);
}

TEST(a_rollback_is_found_at_first_contact)
{
    struct disk *image;
    meet(2);
    story_add(&story, A, "apples");
    story_run(&story, 3000);
    CHECK_OK(disk_mem_copy(story.world.nodes[A].disk, &image));
    story_add(&story, A, "apples");
    story_run(&story, 3000);
    sim_stop(&story.world, A);
    sim_set_disk(&story.world, A, image);
    for (size_t from = 0; from < 2; from++)
        story.world.cut[from][!from] = true;
    sim_start(&story.world, A);
    story_add(&story, A, "pears");
    buffer_clear(&story.world.text);
    for (size_t from = 0; from < 2; from++)
        story.world.cut[from][!from] = false;
    story_run(&story, 9000);
    story_told(&story, "A",
               "A sim://B: hello, accepted bulk\n"
               "A sim://B: hello, accepted control\n"
               "A sim://B: connected\n"
               "A box: new replica id, rolled back, 1 events\n"
               "A sim://B: box is open\n"
               "A sim://B: pull box\n"
               "A sim://B: push box 1..1\n"
               "A sim://B: too old to pull box, compare\n"
               "A sim://B: compare box\n"
               "A sim://B: compared box\n"
               "A sim://B: hello, dialled control\n"
               "A sim://B: hello, dialled bulk\n"
               "A sim://B: link down, closed by the peer\n"
               "A sim://B: link down, closed by the peer\n");
    CHECK_EQUAL(story_count(&story, A, "apples"), 2);
    CHECK_EQUAL(story_count(&story, B, "apples"), 2);
    CHECK_EQUAL(story_count(&story, B, "pears"), 1);
    CHECK_EQUAL(story_counted(&story, A, "rollbacks"), 1);
    story_end(&story, true);
}

TEST(a_directory_from_before_the_bucket_was_made_does_not_make_it_again)
{
    struct disk *image;
    meet(3);
    CHECK_OK(disk_mem_copy(story.world.nodes[A].disk, &image));
    story_add(&story, A, "apples");
    story_add(&story, A, "apples");
    story_run(&story, 3000);
    sim_stop(&story.world, A);
    sim_set_disk(&story.world, A, image);
    story_isolate(&story, B, true);
    story_isolate(&story, C, true);
    sim_start(&story.world, A);
    story_add(&story, A, "pears");
    story_add(&story, A, "pears");
    sim_stop(&story.world, A); /* the next opening does not know of this one */
    sim_start(&story.world, A);
    story_isolate(&story, B, false);
    story_isolate(&story, C, false);
    story_run(&story, 9000);
    for (size_t node = 0; node < 3; node++) {
        CHECK_EQUAL(story_count(&story, node, "apples"), 2);
        CHECK_EQUAL(story_count(&story, node, "pears"), 2);
    }
    story_end(&story, true);
}

TEST(what_was_written_before_all_confirmed_waits_and_then_takes_a_new_id)
{
    meet(3);
    story_add(&story, A, "apples");
    story_run(&story, 3000);
    sim_stop(&story.world, C);
    sim_stop(&story.world, A);
    sim_start(&story.world, A);
    story_add(&story, A, "apples");
    buffer_clear(&story.world.text);
    story_run(&story, 500);
    CHECK_EQUAL(story_count(&story, B, "apples"), 1);
    story_run(&story, 1500);
    CHECK_EQUAL(story_count(&story, B, "apples"), 2);
    CHECK_EQUAL(story_counted(&story, A, "redotted"), 1);
    sim_start(&story.world, C);
    story_run(&story, 5000);
    CHECK_EQUAL(story_count(&story, C, "apples"), 2);
    story_end(&story, true);
}

TEST(of_two_links_the_one_of_the_smaller_node_stays)
{
    story_begin(&story, 2);
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
               "B sim://A: hello, accepted control\n"
               "B sim://A: hello, accepted bulk\n"
               "B sim://A: connected\n"
               "A sim://B: hello, accepted control\n"
               "A sim://B: hello, accepted bulk\n"
               "A sim://B: connected\n"
               "A sim://B: hello, dialled control\n"
               "A sim://B: hello, dialled bulk\n"
               "B sim://A: hello, dialled control\n"
               "B sim://A: drop link, duplicate\n"
               "B sim://A: hello, dialled bulk\n"
               "B sim://A: drop link, duplicate\n"
               "A sim://B: link down, closed by the peer\n"
               "A sim://B: link down, closed by the peer\n");
    story_end(&story, true);
}

TEST(another_cluster_is_refused_and_both_sides_say_so)
{
    story_begin(&story, 2);
    story.world.nodes[B].gossip.cluster = 2;
    sim_start(&story.world, A);
    sim_start(&story.world, B);
    story_add(&story, A, "apples");
    story_run(&story, 100);
    story_told(&story, NULL,
               "A starts\n"
               "B starts\n"
               "A sim://B: dial control\n"
               "A sim://B: dial bulk\n"
               "B sim://A: dial control\n"
               "B sim://A: dial bulk\n"
               "A somebody: drop link, wrong_cluster\n"
               "A somebody: drop link, wrong_cluster\n"
               "B somebody: drop link, wrong_cluster\n"
               "B somebody: drop link, wrong_cluster\n"
               "A sim://B: drop link, wrong_cluster\n"
               "B sim://A: drop link, wrong_cluster\n"
               "B sim://A: drop link, wrong_cluster\n"
               "A sim://B: drop link, wrong_cluster\n"
               "B sim://A: dial control\n"
               "A somebody: drop link, wrong_cluster\n"
               "A sim://B: dial bulk\n"
               "B sim://A: drop link, wrong_cluster\n"
               "B somebody: drop link, wrong_cluster\n"
               "A sim://B: drop link, wrong_cluster\n"
               "A sim://B: dial control\n"
               "B somebody: drop link, wrong_cluster\n"
               "A sim://B: drop link, wrong_cluster\n"
               "B sim://A: dial bulk\n"
               "A somebody: drop link, wrong_cluster\n"
               "B sim://A: drop link, wrong_cluster\n");
    CHECK_EQUAL(story_count(&story, B, "apples"), 0);
    CHECK(story_counted(&story, A, "wrong_cluster") > 0);
    CHECK(story_counted(&story, B, "wrong_cluster") > 0);
    story_end(&story, false);
}

TEST(who_dials_itself_stops_that)
{
    story_begin(&story, 2);
    struct sim_node *node = &story.world.nodes[A];
    node->peers[node->peers_count++] = node->address;
    sim_start(&story.world, A);
    sim_start(&story.world, B);
    story_add(&story, A, "apples");
    story_run(&story, 9000);
    CHECK(story_counted(&story, A, "dialled_self") > 0);
    CHECK(story_counted(&story, A, "dialled_self") <= 4);
    CHECK_EQUAL(gossip_peers(node->wheel.engine.gossip), 1);
    story_end(&story, true);
}

TEST(garbage_is_dropped_and_counted)
{
    meet(2);
    story_stranger(&story, A, slice_text("GET / HTTP/1.1"));
    CHECK_EQUAL(story_counted(&story, A, "malformed"), 1);
    story_stranger(&story, A, slice_of("\x91\x02", 2)); /* a heartbeat before any hello */
    CHECK_EQUAL(story_counted(&story, A, "unexpected"), 1);
    story_told(&story, "A",
               "A somebody: drop link, malformed\n"
               "A somebody: drop link, unexpected\n");
    story_stranger(&story, A, slice_of(NULL, 0));
    story_run(&story, 6000);
    CHECK_EQUAL(story_counted(&story, A, "no_hello"), 1);
    story_add(&story, A, "apples");
    story_run(&story, 3000);
    story_end(&story, true);
}

TEST(an_isolated_node_is_left_alone_until_it_comes_back)
{
    meet(2);
    story_isolate(&story, A, true);
    story_add(&story, A, "apples");
    story_add(&story, B, "pears");
    story_run(&story, 8000);
    CHECK_EQUAL(story_count(&story, B, "apples"), 0);
    CHECK(!world_agrees(&story.world, (char[200]){0}, 200));
    story_isolate(&story, A, false);
    story_run(&story, 6000);
    CHECK_EQUAL(story_count(&story, B, "apples"), 1);
    CHECK_EQUAL(story_count(&story, A, "pears"), 1);
    story_end(&story, true);
}

TEST(a_silent_peer_is_dropped)
{
    meet(2);
    story.world.cut[B][A] = true; /* A hears nothing; B hears A */
    story_run(&story, 7000);
    CHECK(story_counted(&story, A, "silent") > 0);
    story.world.cut[B][A] = false;
    story_run(&story, 8000);
    CHECK_EQUAL(net_open_links(&story.world, A, B), 2);
    story_end(&story, true);
}
