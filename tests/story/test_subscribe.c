/* Nodes that hold only some buckets. */
#include <string.h>

#include "base/hash.h"
#include "gossip/state.h"
#include "sim/find.h"
#include "tests/story/story.h"

enum { A, B, C, D, E };

static struct story story;

static const struct shard *held(size_t node, const char *bucket)
{
    return sim_shard(&story.world, node, bucket);
}

/* Records of any kind that are the bucket's. */
static size_t rows(size_t node, const char *bucket)
{
    uint64_t id = bucket_id(bucket);
    size_t count = 0;
    for (int family = 0; family < DISK_FAMILIES; family++) {
        struct scan *scan = scan_of(&story.world.nodes[node], (enum disk_family)family);
        struct slice key, value;
        while (!scan_next(scan, &key, &value)) {
            bool meta = family == DISK_META, expires = meta && key.data[0] == 'E';
            size_t at = expires ? 9 : meta;
            count += key.size >= at + 8 && bytes_get_u64(key.data + at) == id;
        }
        scan_close(scan);
    }
    return count;
}

static uint64_t counted(size_t node, const char *reason)
{
    return story_counted(&story, node, reason);
}

TEST(what_a_node_does_not_subscribe_to_it_does_not_hold)
{
    story_meet(&story, 3);
    sim_subscribe(&story.world, C, false, "photo*");
    story_run(&story, 500);
    story_do(&story, A, "set photos:beach 1");
    story_do(&story, A, "set box:lid 1");
    story_run(&story, 5000);
    CHECK(held(B, "photos") && held(B, "box") && held(C, "box"));
    CHECK(!held(C, "photos"));
    CHECK_EQUAL(rows(C, "photos"), 0);
    CHECK_EQUAL(counted(C, "not_wanted"), 0);           /* it was not even told */
    CHECK_EQUAL(shard_log_count(held(A, "photos")), 0); /* nobody waits for it */
    sim_subscribe(&story.world, C, true, "photos");
    story_run(&story, 5000);
    story_end(&story, true);
}

TEST(a_bucket_that_is_let_go_of_goes_here_and_nowhere_else)
{
    story_meet(&story, 2);
    story_do(&story, A, "add tags ripe");
    story_do(&story, A, "stock apples 5");
    story_run(&story, 3000);
    uint64_t id = held(A, "box")->replica;
    CHECK(rows(A, "box") > 0);
    sim_subscribe(&story.world, A, false, "box");
    story_run(&story, 3000);
    CHECK(!held(A, "box"));
    CHECK_EQUAL(rows(A, "box"), 0);
    CHECK_EQUAL(counted(A, "dropped"), 1);
    story_forget(&story);
    story_show(&story, B, "tags");
    story_told(&story, NULL, "B has tags: ripe\n");
    story_do(&story, B, "stock apples -5"); /* with the rights that A had */
    sim_subscribe(&story.world, A, true, "box");
    story_run(&story, 5000);
    CHECK(held(A, "box") && held(A, "box")->replica != id);
    story_forget(&story);
    story_show(&story, A, "tags");
    story_told(&story, NULL, "A has tags: ripe\n");
    story_end(&story, true);
}

TEST(what_nobody_else_has_stays_until_somebody_does)
{
    story_meet(&story, 2);
    story_cut(&story, A, B, true);
    story_do(&story, A, "set only mine");
    sim_subscribe(&story.world, A, false, "box");
    story_run(&story, 20000);
    CHECK(held(A, "box") && held(A, "box")->unwanted);
    CHECK_EQUAL(gossip_unshared(story.world.nodes[A].wheel.engine.gossip, held(A, "box")), 1);
    sim_crash(&story.world, A); /* it goes on with it afterwards */
    sim_start(&story.world, A);
    CHECK(held(A, "box") && held(A, "box")->unwanted);
    story_cut(&story, A, B, false);
    story_run(&story, 15000);
    CHECK(!held(A, "box"));
    CHECK_EQUAL(rows(A, "box"), 0);
    story_forget(&story);
    story_show(&story, B, "only");
    story_told(&story, NULL, "B has only: mine\n");
    story_end(&story, false);
}

TEST(of_two_nodes_that_let_go_at_once_both_keep_it)
{
    story_meet(&story, 2);
    story_do(&story, A, "set lid 1");
    story_run(&story, 3000);
    sim_subscribe(&story.world, A, false, "box");
    sim_subscribe(&story.world, B, false, "box");
    story_run(&story, 10000);
    CHECK(held(A, "box") || held(B, "box"));
    sim_subscribe(&story.world, A, true, "box");
    sim_subscribe(&story.world, B, true, "box");
    story_run(&story, 10000);
    story_forget(&story);
    story_show(&story, A, "lid");
    story_show(&story, B, "lid");
    story_told(&story, NULL, "A has lid: 1\nB has lid: 1\n");
    story_end(&story, true);
}

/* What a quorum of five had is with a quorum of the four who stay. */
TEST(who_lets_go_waits_for_a_quorum_of_those_who_stay)
{
    story_meet(&story, 5);
    for (size_t i = A; i <= C; i++) {
        story_cut(&story, i, D, true);
        story_cut(&story, i, E, true);
    }
    story_do(&story, A, "set lid 1");
    story_run(&story, 5000);
    CHECK(held(B, "box") && held(C, "box") && !held(D, "box"));
    sim_subscribe(&story.world, A, false, "box");
    story_run(&story, 10000);
    CHECK(held(A, "box")); /* two of four have it */
    story_cut(&story, C, D, false);
    story_cut(&story, A, D, false);
    story_run(&story, 15000);
    CHECK(held(D, "box"));
    CHECK(!held(A, "box"));
    CHECK_EQUAL(rows(A, "box"), 0);
    story_end(&story, false);
}

/* Its events of before are known to others by that id: a new event would be taken for one of them.
 */
TEST(what_is_written_after_letting_go_is_not_taken_for_what_was_before)
{
    story_meet(&story, 2);
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    sim_subscribe(&story.world, A, false, "box");
    story_run(&story, 3000);
    CHECK(!held(A, "box"));
    story_cut(&story, A, B, true);
    sim_subscribe(&story.world, A, true, "box");
    story_do(&story, A, "incr apples 10");
    story_run(&story, 3000);
    story_cut(&story, A, B, false);
    story_run(&story, 12000);
    story_forget(&story);
    story_show_all(&story, "apples");
    story_told(&story, NULL, "A has apples: 11\nB has apples: 11\n");
    story_end(&story, true);
}

/* ... and what was said of the bucket before does not count after. */
TEST(who_subscribes_again_is_told_again)
{
    story_meet(&story, 3);
    story_do(&story, A, "set lid 1");
    story_run(&story, 3000);
    sim_subscribe(&story.world, C, false, "box");
    story_run(&story, 5000);
    CHECK(!held(C, "box"));
    sim_subscribe(&story.world, C, true, "box");
    story_run(&story, 3000);
    story_forget(&story);
    story_show(&story, C, "lid");
    story_told(&story, NULL, "C has lid: 1\n");
    story_end(&story, true);
}
