/* Power and disks that fail. */
#include <string.h>

#include "store/keys.h"
#include "tests/story/story.h"

enum { A, B, C };

static struct story story;

/* Power fails at A right before this effect of its next turn. */
static const char *fails_before;

static bool power_fails(void *arg, const char *before)
{
    (void)arg;
    return fails_before && !strcmp(fails_before, before);
}

static void write_without_power(const char *before)
{
    story.world.nodes[A].wheel.crash = power_fails;
    fails_before = before;
    story_do(&story, A, "incr apples 1");
    fails_before = NULL;
    story_show_all(&story, "apples");
    story_run(&story, 6000); /* it starts again by itself, and says so */
    story_show_all(&story, "apples");
}

TEST(power_fails_before_the_commit_and_nothing_has_happened)
{
    story_meet(&story, 2);
    write_without_power("commit");
    story_told(&story, NULL,
               "A incr apples 1\n"
               "A the caller gets no answer\n"
               "A crashes\n"
               "B has apples: nothing\n"
               "B sim://A: disconnected\n"
               "A starts\n"
               "A has apples: nothing\n"
               "B has apples: nothing\n");
    story_end(&story, true);
}

TEST(power_fails_between_commit_and_send_and_it_has_happened_once)
{
    story_meet(&story, 2);
    write_without_power("send");
    story_told(&story, NULL,
               "A incr apples 1\n"
               "A the caller gets no answer\n"
               "A crashes\n"
               "B has apples: nothing\n"
               "B sim://A: disconnected\n"
               "A starts\n"
               "B box: made, a peer has it\n"
               "A box: replica id confirmed\n"
               "A sim://B: push box 1..1\n"
               "B sim://A: pushed box\n"
               "A has apples: 1\n"
               "B has apples: 1\n");
    story_end(&story, true);
}

/* The increment is there, its caller can't know that; what is asked again is known by its id. */
TEST(who_asks_again_after_a_crash_counts_once)
{
    story_meet(&story, 2);
    story.world.nodes[A].wheel.crash = power_fails;
    fails_before = "send";
    story_do(&story, A, "once x7 incr apples 1");
    fails_before = NULL;
    story_run(&story, 6000);
    story_do(&story, A, "once x7 incr apples 1");
    story_do(&story, A, "once x8 incr apples 10");
    story_do(&story, A, "once x8 incr apples 11");
    story_run(&story, 3000);
    story_forget(&story);
    story_do(&story, A, "once x7 incr apples 1");
    story_show_all(&story, "apples");
    /* Another node does not know of it. */
    story_do(&story, B, "once x7 incr apples 100");
    story_run(&story, 3000);
    story_show_all(&story, "apples");
    story_told(&story, NULL,
               "A once x7 incr apples 1\n"
               "A has apples: 11\n"
               "B has apples: 11\n"
               "B once x7 incr apples 100\n"
               "B sim://A: push box 1..1\n"
               "A sim://B: pushed box\n"
               "A has apples: 111\n"
               "B has apples: 111\n");
    story_end(&story, true);
}

TEST(a_disk_that_is_full_stops_the_node_which_comes_back)
{
    story_meet(&story, 2);
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    story_forget(&story);
    disk_fill(&story.world.nodes[A].door, 0, story.world.now_ms + 1500);
    story_do(&story, A, "incr apples 10"); /* not acknowledged */
    story_do(&story, B, "incr apples 100");
    story_run(&story, 20000);
    story_show_all(&story, "apples");
    story_do(&story, A, "incr apples 1000");
    story_run(&story, 3000);
    story_show_all(&story, "apples");
    story_told(&story, NULL,
               "A incr apples 10\n"
               "A sim://B: push box 2..2\n"
               "A wheel: the node has stopped: simulated disk: no space left on device\n"
               "A the node has stopped: simulated disk: no space left on device\n"
               "A crashes\n"
               "B incr apples 100\n"
               "B sim://A: push box 1..1\n"
               "B sim://A: disconnected\n"
               "A the disk failed: node stopped, reopen it\n"
               "A the disk failed: node stopped, reopen it\n"
               "A the disk failed: node stopped, reopen it\n"
               "A starts\n"
               "A box: replica id confirmed\n"
               "B sim://A: push box 1..1\n"
               "A sim://B: pushed box\n"
               "A has apples: 101\n"
               "B has apples: 101\n"
               "A incr apples 1000\n"
               "A sim://B: push box 2..2\n"
               "B sim://A: pushed box\n"
               "A has apples: 1101\n"
               "B has apples: 1101\n");
    story_end(&story, true);
}

/* Its cells are on the disk alone. */
static void start_again(size_t node)
{
    sim_stop(&story.world, node);
    sim_start(&story.world, node);
    story_run(&story, 6000);
}

TEST(a_rotten_cell_is_an_error_and_stops_its_bucket_alone)
{
    story_meet(&story, 2);
    story_do(&story, A, "incr apples 1");
    story_do(&story, A, "incr shop:pears 1");
    story_run(&story, 3000);
    start_again(A);
    story_forget(&story);
    world_note(&story.world, "the pears of A rot");
    CHECK(disk_rot_at(&story.world.nodes[A].door, DISK_CELLS, 0));
    story_do(&story, A, "incr shop:pears 100");
    story_do(&story, B, "incr shop:pears 10");
    story_do(&story, B, "incr apples 10");
    story_run(&story, 3000);
    story_show_all(&story, "apples");
    story_show_all(&story, "shop:pears");
    sim_stop(&story.world, A);
    world_note(&story.world, "A has a new disk");
    story_replace(&story, A, NULL);
    sim_start(&story.world, A);
    story_run(&story, 6000);
    story_show_all(&story, "shop:pears");
    story_told(&story, NULL,
               "- the pears of A rot\n"
               "A incr shop:pears 100\n"
               "A shop/pears:counter: simulated disk: the checksum of a value is wrong\n"
               "B incr shop:pears 10\n"
               "B sim://A: push shop 1..1\n"
               "A shop can't be taken from others: simulated disk: the checksum of a value is "
               "wrong, key pears:counter\n"
               "B incr apples 10\n"
               "B sim://A: push box 1..1\n"
               "A sim://B: pushed box\n"
               "A has apples: 11\n"
               "B has apples: 11\n"
               "A has shop:pears: CORRUPT\n"
               "B has shop:pears: 11\n"
               "A stops\n"
               "- A has a new disk\n"
               "A starts\n"
               "B sim://A: disconnected\n"
               "A shop: made, a peer has it\n"
               "A box: made, a peer has it\n"
               "B sim://A: push shop 1..1\n"
               "A sim://B: pull shop\n"
               "A sim://B: pull box\n"
               "A sim://B: too old to pull shop, compare\n"
               "A sim://B: too old to pull box, compare\n"
               "A sim://B: compare shop\n"
               "A sim://B: compared shop\n"
               "A sim://B: compare box\n"
               "A sim://B: compared box\n"
               "A has shop:pears: 11\n"
               "B has shop:pears: 11\n");
    story_end(&story, true);
}

TEST(what_rots_comes_back_and_is_never_not_found)
{
    story_meet(&story, 2);
    story_do(&story, A, "incr shop:pears 1");
    story_run(&story, 3000);
    story_forget(&story);
    world_note(&story.world, "the pears of A rot");
    CHECK(disk_rot_at(&story.world.nodes[A].door, DISK_CELLS, 0));
    story_show_all(&story, "shop:pears");
    story_isolate(&story, B, true);
    sim_stop(&story.world, A);
    sim_start(&story.world, A);
    story_run(&story, 3000);
    story_show_all(&story, "shop:pears");
    story_do(&story, A, "incr shop:pears 100");
    story_do(&story, B, "incr shop:pears 10");
    story_isolate(&story, B, false);
    story_run(&story, 6000);
    story_show_all(&story, "shop:pears");
    story_told(&story, NULL,
               "- the pears of A rot\n"
               "A has shop:pears: CORRUPT\n"
               "B has shop:pears: 1\n"
               "B sim://A: disconnected\n"
               "B isolated\n"
               "A sim://B: disconnected\n"
               "A stops\n"
               "- A: its directory is salvaged: 1 gaps\n"
               "A starts\n"
               "A has shop:pears: CORRUPT\n"
               "B has shop:pears: 1\n"
               "A incr shop:pears 100\n"
               "A shop/pears:counter: what was here was in a damaged file: it waits for a peer "
               "that has it\n"
               "B incr shop:pears 10\n"
               "B no longer isolated\n"
               "B sim://A: push shop 1..1\n"
               "A sim://B: fill a hole of shop\n"
               "A shop: replica id confirmed\n"
               "A shop can't be taken from others: what was here was in a damaged file: it waits "
               "for a peer that has it, key pears:counter\n"
               "A shop: 1 cells of a damaged file are back from sim://B\n"
               "A sim://B: pull shop\n"
               "A sim://B: pulled shop\n"
               "A sim://B: pulled all of shop\n"
               "A shop: no damage is left\n"
               "A has shop:pears: 11\n"
               "B has shop:pears: 11\n");
    story_end(&story, true);
}

static void lose(size_t node, const char *counter)
{
    uint64_t shard = bucket_id("box");
    struct buffer path;
    struct key key;
    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text(counter), NEAP_COUNTER));
    key_cell(&key, shard, shard, buffer_slice(&path));
    CHECK(disk_lose(&story.world.nodes[node].door, key_slice(&key)));
    buffer_done(&path);
}

TEST(a_cell_lost_on_one_disk_comes_back)
{
    story_meet(&story, 3);
    story_do(&story, A, "incr apples 1");
    story_do(&story, A, "incr pears 2");
    story_run(&story, 3000);
    story_forget(&story);
    lose(B, "pears");
    story_show_all(&story, "pears");
    story_run(&story, 12000); /* its cells are read again some time */
    story_show_all(&story, "pears");
    story_told(&story, NULL,
               "A has pears: 2\n"
               "B has pears: nothing\n"
               "C has pears: 2\n"
               "B box: what is stored is not what was\n"
               "A sim://B: repair box\n"
               "A sim://B: repaired box\n"
               "B box: pears:counter was lost here, and is back from sim://A\n"
               "A has pears: 2\n"
               "B has pears: 2\n"
               "C has pears: 2\n");
    story_end(&story, true);
}

/* Only one of two begins, whoever has less. */
TEST(what_one_of_two_lost_the_other_gives_back)
{
    story_meet(&story, 2);
    story_do(&story, A, "incr apples 1");
    story_do(&story, A, "incr pears 2");
    story_run(&story, 3000);
    story_forget(&story);
    lose(A, "pears");
    story_run(&story, 12000);
    story_show_all(&story, "pears");
    story_told(&story, NULL,
               "A box: what is stored is not what was\n"
               "A sim://B: repair box\n"
               "A box: pears:counter was lost here, and is back from sim://B\n"
               "A sim://B: repaired box\n"
               "A has pears: 2\n"
               "B has pears: 2\n");
    story_forget(&story);
    lose(B, "apples");
    story_run(&story, 12000);
    story_show_all(&story, "apples");
    story_told(&story, NULL,
               "B box: what is stored is not what was\n"
               "A sim://B: repair box\n"
               "A sim://B: repaired box\n"
               "B box: apples:counter was lost here, and is back from sim://A\n"
               "A has apples: 1\n"
               "B has apples: 1\n");
    story_end(&story, true);
}

/* The history is the node's own: it is there in the next process, whatever became of this one. */
TEST(what_was_lost_and_how_it_ended_is_told_after_a_crash)
{
    story_meet(&story, 2);
    story_do(&story, A, "incr apples 1");
    story_do(&story, A, "incr pears 2");
    story_run(&story, 3000);
    lose(A, "pears");
    story_run(&story, 12000);
    sim_crash(&story.world, A);
    sim_start(&story.world, A);
    story_run(&story, 3000);
    story_forget(&story);
    story_history(&story, A);
    story_history(&story, B);
    story_told(&story, NULL,
               "A history: changed box: compared with peers from here on\n"
               "A history: differs box with sim://B: both are equal again\n"
               "A history: lost box pears:counter with sim://B: back from the peer\n"
               "A history: repair box with sim://B: mended\n"
               "B history: differs box with sim://A: both are equal again\n");
    story_end(&story, true);
}

TEST(damage_that_lasts_is_told_until_it_ends_in_another_process)
{
    story_meet(&story, 2);
    story_do(&story, A, "incr shop:pears 1");
    story_run(&story, 3000);
    CHECK(disk_rot_at(&story.world.nodes[A].door, DISK_CELLS, 0));
    story_show(&story, A, "shop:pears"); /* who reads it notes it for the next start */
    story_isolate(&story, B, true);
    sim_stop(&story.world, A);
    sim_start(&story.world, A);
    story_run(&story, 3000);
    story_forget(&story);
    story_history(&story, A);
    sim_crash(&story.world, A);
    sim_start(&story.world, A);
    story_run(&story, 3000);
    story_isolate(&story, B, false);
    story_run(&story, 6000);
    story_history(&story, A);
    story_told(&story, "A",
               "A history: unreadable shop: it lasts\n"
               "A crashes\n"
               "A starts\n"
               "A sim://B: fill a hole of shop\n"
               "A shop: replica id confirmed\n"
               "A shop: 1 cells of a damaged file are back from sim://B\n"
               "A shop: no damage is left\n"
               "A history: unreadable shop: peers gave what they had of it: no damage is left\n");
    story_end(&story, true);
}
