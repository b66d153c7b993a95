/* What happens rarely: a queue without room at the wrong moment, a clock that goes back. */
#include "gossip/state.h"
#include "tests/story/story.h"

enum { A, B };

static struct story story;

/* Two nodes that have the bucket, and nothing left to tell each other. */
static void at_rest(void)
{
    story_meet(&story, 2);
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    story_forget(&story);
}

static struct hlc *clock_of(size_t node)
{
    return &story.world.nodes[node].wheel.engine.store.hlc;
}

TEST(a_digest_that_found_no_room_is_told_again)
{
    at_rest();
    story.world.full[A][B] = true;
    story_do(&story, A, "incr apples 10");
    story_run(&story, 2500);
    story.world.full[A][B] = false;
    story_run(&story, 3000);
    story_end(&story, true);
}

/* What was not sent leaves a gap: what comes after it is of no use before the gap is closed. */
TEST(a_peer_whose_queue_was_full_is_left_to_pull)
{
    at_rest();
    story.world.full[A][B] = true;
    story_do(&story, A, "incr apples 10");
    story.world.full[A][B] = false;
    story_do(&story, A, "incr apples 100");
    story_run(&story, 3000);
    CHECK(story_counted(&story, A, "not_sent") > 0);
    CHECK_EQUAL(story_counted(&story, B, "behind"), 0);
    story_end(&story, true);
}

TEST(a_pull_without_an_answer_ends)
{
    at_rest();
    struct gossip *gossip = story.world.nodes[B].wheel.engine.gossip;
    story.world.full[A][B] = true;
    story_do(&story, A, "incr apples 10");
    story.world.full[A][B] = false;
    while (topic_find(gossip, bucket_id("box"))->pull.state == PULL_NONE)
        story_run(&story, 1);
    story.world.full[A][B] = true; /* the answer */
    story_run(&story, 100);
    story.world.full[A][B] = false;
    story_run(&story, 15000);
    CHECK_EQUAL(story_counted(&story, B, "no_answer"), 1);
    story_end(&story, true);
}

TEST(a_clock_follows_the_stamps_that_it_takes)
{
    at_rest();
    story.world.nodes[B].skew_ms = -30000;
    story_do(&story, A, "set price 10");
    uint64_t last = clock_of(A)->last;
    story_run(&story, 3000);
    story_do(&story, B, "set colour red");
    CHECK(clock_of(B)->last > last);
    story_run(&story, 3000);
    story_end(&story, true);
}

TEST(a_clock_does_not_go_back_with_a_restart)
{
    at_rest();
    story.world.nodes[A].skew_ms = 30000;
    story_do(&story, A, "set price 10");
    uint64_t last = clock_of(A)->last;
    sim_stop(&story.world, A);
    story.world.nodes[A].skew_ms = 0;
    sim_start(&story.world, A);
    story_do(&story, A, "set price 11");
    CHECK(clock_of(A)->last > last);
    story_run(&story, 9000);
    story_end(&story, true);
}
