/* Who is alive, in whole nodes: what gossip/swim.c promises. Heartbeats are as usual. */
#include "gossip/state.h"
#include "tests/story/story.h"

enum { A, B, C, D, NODES = 5, STALL_MS = 500 };

static struct story story;

/* In this world chance decides again. */
static void meet(size_t nodes, uint64_t seed)
{
    story_begin(&story, &(struct world_options){
                            .seed = seed, .nodes = nodes, .log_max = 1000, .delay_ms_max = 10});
    story.world.options.steady = false;
    story.world.keep_text = false;
    for (size_t i = 0; i < nodes; i++)
        sim_start(&story.world, i);
    story_run(&story, 3000 + world_below(&story.world, 2000));
}

static void lose(unsigned percent)
{
    for (size_t i = 0; i < NODES_MAX; i++) {
        for (size_t j = 0; j < NODES_MAX; j++)
            story.world.ways[i][j].loses = percent;
    }
}

static struct swim_member seen(size_t at, size_t of)
{
    const struct sim_node *nodes = story.world.nodes;
    struct swim_member member = {.state = MEMBER_STATE_END};
    (void)gossip_find_member(nodes[at].wheel.engine.gossip,
                             nodes[of].wheel.engine.store.identity.node, &member);
    return member;
}

static size_t count_who_see(size_t of, enum member_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < story.world.nodes_count; i++)
        count += i != of && story.world.nodes[i].up && seen(i, of).state == state;
    return count;
}

static size_t count_all(enum member_state state)
{
    size_t count = 0;
    for (size_t i = 0; i < story.world.nodes_count; i++) {
        if (story.world.nodes[i].up)
            count += count_who_see(i, state);
    }
    return count;
}

static size_t count_all_for(enum member_state state, uint64_t ms)
{
    size_t most = 0;
    for (uint64_t until = story.world.now_ms + ms; story.world.now_ms < until;) {
        story_run(&story, 50);
        size_t count = count_all(state);
        most = count > most ? count : most;
    }
    return most;
}

TEST(of_five_nodes_one_that_crashes_is_suspected_by_all_within_two_seconds)
{
    for (uint64_t seed = 1; seed <= test_number("STORY_SEEDS", 8); seed++) {
        meet(NODES, seed);
        CHECK_EQUAL(count_all(MEMBER_ALIVE), NODES * (NODES - 1));
        uint64_t id = story.world.nodes[C].wheel.engine.store.identity.node;
        for (size_t i = 0; seed % 2 == 0 && i < NODES; i++) /* without a word */
            story.world.cut[C][i] = story.world.cut[i][C] = true;
        sim_crash(&story.world, C);
        story.world.nodes[C].wheel.engine.store.identity.node = id; /* for seen() */
        story_run(&story, 2000);
        CHECK_EQUAL(count_who_see(C, MEMBER_SUSPECT), NODES - 1);
        story_run(&story, 5500);
        CHECK_EQUAL(count_who_see(C, MEMBER_DEAD), NODES - 1);
        for (size_t i = 0; i < NODES; i++)
            story.world.cut[C][i] = story.world.cut[i][C] = false;
        sim_start(&story.world, C);
        story_run(&story, 5000);
        CHECK_EQUAL(count_all(MEMBER_ALIVE), NODES * (NODES - 1));
        story_end(&story, true);
    }
}

TEST(nobody_who_lives_is_dead_with_a_fifth_of_messages_lost_and_stalls)
{
    size_t suspected = 0;
    for (uint64_t seed = 1; seed <= test_number("STORY_SEEDS", 8); seed++) {
        meet(NODES, seed);
        lose(20);
        for (unsigned i = 0; i < 120; i++) {
            size_t stalled = (size_t)world_below(&story.world, NODES);
            sim_pause(&story.world, stalled, story.world.now_ms + STALL_MS);
            uint64_t more_ms = world_below(&story.world, STALL_MS);
            suspected += count_all_for(MEMBER_SUSPECT, STALL_MS + more_ms);
            CHECK_EQUAL(count_all(MEMBER_DEAD), 0);
        }
        lose(0);
        story_run(&story, 10000);
        CHECK_EQUAL(count_all(MEMBER_ALIVE), NODES * (NODES - 1));
        story_end(&story, false);
    }
    CHECK(suspected > 0 || test_number("STORY_SEEDS", 8) < 8); /* or it was too easy */
}

TEST(who_is_reached_by_others_is_not_suspected)
{
    meet(4, 1);
    story_cut(&story, A, B, true);
    CHECK_EQUAL(count_all_for(MEMBER_SUSPECT, 60000), 0);
    story_cut(&story, A, B, false);
    story_run(&story, 5000);
    story_end(&story, true);
}

TEST(who_was_taken_for_dead_says_so_as_somebody_newer)
{
    meet(3, 2);
    uint64_t before = seen(B, A).incarnation;
    for (size_t i = B; i <= C; i++)
        story_cut(&story, A, i, true);
    story_run(&story, 30000);
    CHECK_EQUAL(seen(B, A).state, MEMBER_DEAD);
    CHECK_EQUAL(seen(C, A).state, MEMBER_DEAD);
    for (size_t i = B; i <= C; i++)
        story_cut(&story, A, i, false);
    story_run(&story, 6000);
    CHECK_EQUAL(count_all(MEMBER_ALIVE), 6);
    CHECK(seen(B, A).incarnation > before);
    story_end(&story, true);
}

TEST(who_is_suspected_for_being_late_is_not_dead_at_once)
{
    meet(3, 3);
    sim_pause(&story.world, A, story.world.now_ms + 3500);
    CHECK(count_all_for(MEMBER_SUSPECT, 3400) > 0);
    CHECK_EQUAL(count_all_for(MEMBER_DEAD, 4000), 0);
    CHECK_EQUAL(count_all(MEMBER_ALIVE), 6);
    story_end(&story, true);
}

/* B and C can't see each other, and one of them thinks the worst. */
TEST(who_is_heard_is_alive_whatever_others_say)
{
    meet(3, 4);
    uint64_t before = seen(B, C).incarnation;
    struct sim_node *b = &story.world.nodes[B];
    struct swim_message rumour = {.type = SWIM_TELL, .updates_count = 1};
    rumour.updates[0] =
        (struct swim_update){.node = story.world.nodes[C].wheel.engine.store.identity.node,
                             .incarnation = before,
                             .state = MEMBER_DEAD};
    CHECK_OK(swim_take(b->wheel.engine.gossip->swim, sim_now(b).mono_ms,
                       story.world.nodes[A].wheel.engine.store.identity.node, &rumour));
    CHECK_EQUAL(seen(B, C).state, MEMBER_SUSPECT);
    CHECK_EQUAL(count_all_for(MEMBER_DEAD, 5000), 0);
    CHECK_EQUAL(count_all(MEMBER_ALIVE), 6);
    CHECK(seen(A, C).incarnation > before);
    story_end(&story, true);
}
