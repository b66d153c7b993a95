/* Calls to nodes that do not hold what they are about. */
#include <string.h>

#include "engine/quorum.h"
#include "gossip/state.h"
#include "sim/check.h"
#include "sim/find.h"
#include "sim/hand.h"
#include "tests/story/caller.h"
#include "tests/story/story.h"

enum { A, B, C };

static struct story story;

static void about(struct caller *caller, const char *element)
{
    caller_begin(caller, "seats", NEAP_SET);
    CHECK_OK(path_element(&caller->path, slice_text(element)));
}

static void writes(struct caller *caller, size_t node, const char *element, enum neap_level level)
{
    about(caller, element);
    caller->op = (struct write_op){
        .bucket = "far", .path = buffer_slice(&caller->path), .op = {.kind = OP_SET_ADD}};
    caller->write = (struct write){
        .ops = &caller->op, .count = 1, .level = level, .want_token = true, .timeout_ms = 3000};
    token_init(&caller->write.token);
    hand_write(&story.world, node, &caller->write, caller_ended, caller);
}

static void reads(struct caller *caller, size_t node, const char *element, enum neap_level level,
                  const struct token *after)
{
    about(caller, element);
    caller->read = (struct read){.bucket = "far",
                                 .path = buffer_slice(&caller->path),
                                 .level = level,
                                 .after = after,
                                 .timeout_ms = 3000};
    token_init(&caller->read.token);
    hand_read(&story.world, node, &caller->read, &caller->cell, caller_ended, caller);
}

static bool was_there(const struct caller *caller)
{
    struct cell cell;
    cell_init(&cell);
    CHECK_OK(cell_decode(buffer_slice(&caller->cell), &cell));
    bool there = cell.count > 0;
    cell_done(&cell);
    return there;
}

/* A holds nothing of it, B and C do. */
static void begin(void)
{
    story_meet(&story, 3);
    sim_subscribe(&story.world, A, false, "far");
    story_run(&story, 2000);
}

static void end(void)
{
    sim_subscribe(&story.world, A, true, "far");
    story_run(&story, 10000);
    story_end(&story, true);
}

TEST(a_call_is_handed_on_to_a_node_that_holds_the_bucket)
{
    struct caller caller, other;
    begin();
    writes(&caller, A, "one", NEAP_ALL); /* of the two that hold it */
    story_run(&story, 1000);
    CHECK(caller.done && !caller.lost);
    CHECK_OK(caller.code);
    CHECK(sim_shard(&story.world, B, "far") && sim_shard(&story.world, C, "far"));
    CHECK(!sim_shard(&story.world, A, "far"));
    for (enum neap_level level = NEAP_ONE; level <= NEAP_ALL; level++) {
        reads(&other, A, "one", level, &caller.write.token);
        story_run(&story, 1000);
        CHECK(other.done);
        CHECK_OK(other.code);
        CHECK(was_there(&other));
        caller_end(&other);
    }
    caller_end(&caller);
    end();
}

TEST(numbers_are_handed_on_and_count_those_who_hold_the_bucket)
{
    struct caller caller;
    begin();
    writes(&caller, A, "one", level_of_nodes(2));
    story_run(&story, 1000);
    CHECK(caller.done);
    CHECK_OK(caller.code);
    CHECK(sim_shard(&story.world, B, "far") && sim_shard(&story.world, C, "far"));
    caller_end(&caller);
    reads(&caller, A, "one", level_of_nodes(2), NULL);
    story_run(&story, 1000);
    CHECK_OK(caller.code);
    CHECK(was_there(&caller));
    caller_end(&caller);
    writes(&caller, A, "two", level_of_nodes(3));
    story_run(&story, 1000);
    CHECK(caller.done);
    CHECK_ERROR(caller.code, NEAP_UNAVAILABLE);
    caller_end(&caller);
    end();
}

TEST(a_write_without_an_answer_is_uncertain_and_done_once)
{
    struct caller caller;
    size_t asked;
    begin();
    story_cut(&story, B, C, true);
    story.world.cut[B][A] = story.world.cut[C][A] = true; /* no answer comes */
    writes(&caller, A, "one", NEAP_ONE);
    while (!sim_shard(&story.world, B, "far") && !sim_shard(&story.world, C, "far"))
        story_run(&story, 1);
    asked = sim_shard(&story.world, B, "far") ? B : C;
    sim_crash(&story.world, asked); /* before its answer has come */
    story_run(&story, 8000);
    CHECK(caller.done);
    CHECK_ERROR(caller.code, NEAP_UNCERTAIN);
    CHECK(strstr(caller.write.error.text, "it may have been done"));
    CHECK(!sim_shard(&story.world, asked == B ? C : B, "far")); /* nobody else was asked */
    caller_end(&caller);
    story.world.cut[B][A] = story.world.cut[C][A] = false;
    sim_start(&story.world, asked);
    story_cut(&story, B, C, false);
    end();
}

TEST(a_read_without_an_answer_is_asked_of_the_next_holder)
{
    struct caller caller, other;
    begin();
    writes(&caller, A, "one", NEAP_ALL);
    story_run(&story, 2000);
    CHECK_OK(caller.code);
    for (size_t down = B; down <= C; down++) {
        sim_crash(&story.world, down); /* nobody has noticed yet */
        reads(&other, A, "one", NEAP_ONE, NULL);
        story_run(&story, 6000);
        CHECK(other.done);
        CHECK_OK(other.code);
        CHECK(was_there(&other));
        caller_end(&other);
        sim_start(&story.world, down);
        story_run(&story, 8000);
    }
    caller_end(&caller);
    end();
}

TEST(what_cannot_be_reached_in_time_is_said_by_who_was_asked)
{
    struct caller caller;
    begin();
    sim_crash(&story.world, C);
    story_run(&story, 10000);
    writes(&caller, A, "one", NEAP_ALL);
    story_run(&story, 1000);
    CHECK(caller.done);
    CHECK_ERROR(caller.code, NEAP_UNAVAILABLE);
    CHECK(strstr(caller.write.error.text, "2 of 2 nodes are needed"));
    CHECK(!sim_shard(&story.world, B, "far"));
    caller_end(&caller);
    sim_start(&story.world, C);
    story_run(&story, 10000);
    story_cut(&story, B, C, true); /* it is begun before that is known */
    writes(&caller, A, "two", NEAP_ALL);
    story_run(&story, 6000);
    CHECK(caller.done);
    CHECK_ERROR(caller.code, NEAP_UNCERTAIN);
    caller_end(&caller);
    story_cut(&story, B, C, false);
    story_run(&story, 10000);
    end();
}

TEST(a_node_that_is_closed_ends_what_it_began_and_begins_nothing)
{
    struct caller begun, other, look;
    begin();
    story_cut(&story, B, C, true);
    writes(&begun, A, "one", NEAP_QUORUM); /* who is asked waits for the other one */
    while (!sim_shard(&story.world, B, "far") && !sim_shard(&story.world, C, "far"))
        story_run(&story, 1);
    size_t asked = sim_shard(&story.world, B, "far") ? B : C;
    size_t free = asked == B ? C : B;
    CHECK_EQUAL(sim_ending(&story.world, asked), 1);
    /* A hears nothing of it, and asks it as ever. */
    writes(&other, A, "two", NEAP_ONE);
    reads(&look, A, "two", NEAP_ONE, NULL);
    story_run(&story, 100);
    CHECK(other.done && look.done);
    CHECK_OK(other.code);
    CHECK_OK(look.code);
    CHECK(sim_shard(&story.world, free, "far"));
    CHECK(!begun.done);
    CHECK_EQUAL(story.world.nodes[asked].wheel.engine.serving.count, 1);
    story_cut(&story, B, C, false);
    while (story.world.nodes[asked].wheel.engine.serving.count > 0)
        story_run(&story, 1);
    sim_stop(&story.world, asked);
    story_run(&story, 100);
    CHECK(begun.done);
    CHECK_OK(begun.code);
    caller_end(&begun);
    caller_end(&other);
    caller_end(&look);
    sim_start(&story.world, asked);
    story_run(&story, 5000);
    end();
}

TEST(a_call_that_a_closed_node_has_not_taken_is_asked_of_another)
{
    static const struct roster_row row = {.name = "x"};
    for (size_t closed = B; closed <= C; closed++) {
        struct caller caller;
        begin();
        story.world.nodes[closed].gossip.own = &row; /* it says that it leaves */
        story.world.cut[A][closed] = true; /* if it is asked, the call is on its way */
        writes(&caller, A, "one", NEAP_ONE);
        story_run(&story, 100);
        sim_stop(&story.world, closed);
        story.world.cut[A][closed] = false;
        story_run(&story, 3000);
        CHECK(caller.done);
        CHECK_OK(caller.code);
        caller_end(&caller);
        story.world.nodes[closed].gossip.own = NULL;
        sim_start(&story.world, closed);
        story_run(&story, 10000);
        end();
    }
}
