/* Compares that are interrupted, and go on. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "gossip/state.h"
#include "tests/story/story.h"

enum { A, B, C, KEYS = 40, STEP_MS = 5 };

static struct story story;

static const struct shard *box(size_t node)
{
    return store_find(&story.world.nodes[node].wheel.engine.store, hash_name(slice_text("box")));
}

static size_t lines_with(const char *words)
{
    size_t count = 0;
    CHECK_OK(buffer_append(&story.world.text, slice_of("", 1)));
    for (const char *at = (const char *)story.world.text.data; (at = strstr(at, words)); at++)
        count++;
    story.world.text.size--;
    return count;
}

/* The others are up and have cells, and short logs; B is new, and has got some of the cells. */
static void begin(size_t nodes)
{
    char words[32];
    story_begin(&story,
                &(struct world_options){.seed = 7, .nodes = nodes, .log_max = 4, .chunk_size = 50});
    sim_start(&story.world, A);
    if (nodes > C)
        sim_start(&story.world, C);
    for (int i = 0; i < KEYS; i++) {
        snprintf(words, sizeof words, "set key%02d %d", i, i);
        story_do(&story, A, words);
    }
    story_run(&story, 3000);
    sim_start(&story.world, B);
    while (!box(B) || box(B)->counts.cells_taken < KEYS / 4)
        story_run(&story, STEP_MS);
    CHECK(box(B)->session.phase == COMPARE_CELLS);
}

static void goes_on(uint64_t taken_before)
{
    story_run(&story, 9000);
    CHECK_EQUAL(lines_with(": compare box\n"), 1);
    CHECK_EQUAL(lines_with(": compare box, from where it was\n"), 1);
    CHECK_EQUAL(box(B)->counts.compares_resumed, 1);
    CHECK_EQUAL(box(B)->counts.cells_taken + taken_before, KEYS);
    CHECK_EQUAL(box(B)->session.id, 0);
    story_end(&story, true);
}

TEST(a_new_node_that_is_killed_takes_no_cell_twice)
{
    begin(2);
    uint64_t taken = box(B)->counts.cells_taken;
    sim_kill(&story.world, B);
    story_run(&story, 1000);
    sim_start(&story.world, B);
    goes_on(taken);
}

TEST(a_compare_goes_on_when_its_peer_was_killed)
{
    begin(2);
    sim_kill(&story.world, A);
    story_run(&story, 60000); /* there is nobody else */
    CHECK_EQUAL(box(B)->session.id != 0, true);
    sim_start(&story.world, A);
    goes_on(0);
}

TEST(a_compare_goes_on_when_its_link_was_lost)
{
    begin(2);
    story_cut(&story, A, B, true);
    story_run(&story, 20000);
    story_cut(&story, A, B, false);
    goes_on(0);
}

TEST(writes_go_on_while_a_compare_waits)
{
    begin(2);
    sim_kill(&story.world, A);
    story_run(&story, 1000);
    story_do(&story, B, "incr key01 1");
    story_do(&story, B, "delete key00");
    sim_kill(&story.world, B);
    sim_start(&story.world, A);
    story_do(&story, A, "delete key02");
    sim_start(&story.world, B);
    story_run(&story, 9000);
    CHECK_EQUAL(lines_with(": compare box, from where it was\n"), 1);
    story_end(&story, true);
}

/* Nothing of it comes back, whatever was taken since. */
TEST(a_compare_that_was_given_up_is_over)
{
    begin(3);
    size_t peer =
        box(B)->session.peer == story.world.nodes[A].wheel.engine.store.identity.node ? A : C;
    size_t other = A + C - peer;
    sim_kill(&story.world, B);
    sim_kill(&story.world, peer);
    sim_start(&story.world, B);
    story_run(&story, RESUME_WAIT_MS / 2);
    CHECK_EQUAL(lines_with("a compare is given up"), 0);
    story_run(&story, RESUME_WAIT_MS);
    CHECK_EQUAL(lines_with("a compare is given up"), 1);
    CHECK_EQUAL(box(B)->session.id, 0);
    story_do(&story, other, "delete key00");
    story_run(&story, 3000);
    sim_kill(&story.world, B);
    sim_start(&story.world, peer);
    sim_start(&story.world, B);
    story_run(&story, 9000);
    CHECK_EQUAL(lines_with(": compare box, from where it was\n"), 0);
    story_end(&story, true);
}

/* A directory that is another one by now has not what the compare began with. */
TEST(a_compare_begins_anew_when_its_peer_is_another)
{
    begin(3);
    size_t peer =
        box(B)->session.peer == story.world.nodes[A].wheel.engine.store.identity.node ? A : C;
    sim_kill(&story.world, peer);
    story_replace(&story, peer, NULL);
    sim_start(&story.world, peer);
    story_run(&story, 2 * RESUME_WAIT_MS + 9000);
    CHECK_EQUAL(lines_with(": compare box, from where it was\n"), 0);
    story_end(&story, true);
}

/* ---- by tree ---- */

enum { MANY = 300, CHANGED = 60 };

/* B has all cells but what was changed while it was away, for longer than the log tells. */
static void begin_by_tree(void)
{
    char words[32];
    story_begin(&story,
                &(struct world_options){.seed = 7, .nodes = 2, .log_max = 4, .chunk_size = 200});
    sim_start(&story.world, A);
    sim_start(&story.world, B);
    story_run(&story, 3000);
    for (int i = 0; i < MANY; i++) {
        snprintf(words, sizeof words, "set key%03d %d", i, i);
        story_do(&story, A, words);
        story_run(&story, STEP_MS);
    }
    story_run(&story, 9000);
    story_cut(&story, A, B, true);
    for (int i = 0; i < CHANGED; i++) {
        snprintf(words, sizeof words, "set key%03d again", i * 5);
        story_do(&story, A, words);
    }
    story_run(&story, 9000);
    CHECK_EQUAL(box(A)->counts.cells_given, 0);
    story_cut(&story, A, B, false);
    while (box(B)->counts.cells_taken < CHANGED / 2)
        story_run(&story, STEP_MS);
    CHECK_EQUAL(lines_with(": compare box\n"), 1);
    CHECK(box(B)->session.phase == COMPARE_CELLS);
}

/* It begins at the top, where what was taken is equal by now. */
static void goes_on_by_tree(uint64_t taken_before)
{
    story_run(&story, 9000);
    CHECK_EQUAL(lines_with(": compare box\n"), 2);
    CHECK_EQUAL(lines_with(": compare all of box\n"), 0);
    CHECK_EQUAL(box(B)->counts.cells_taken + taken_before, CHANGED);
    CHECK_EQUAL(box(B)->session.id, 0);
    story_end(&story, true);
}

TEST(a_node_that_is_killed_while_it_compares_by_tree_takes_no_cell_twice)
{
    begin_by_tree();
    uint64_t taken = box(B)->counts.cells_taken;
    sim_kill(&story.world, B);
    story_run(&story, 1000);
    sim_start(&story.world, B);
    goes_on_by_tree(taken);
}

TEST(a_compare_by_tree_takes_no_cell_twice_when_its_peer_was_killed)
{
    begin_by_tree();
    sim_kill(&story.world, A);
    story_run(&story, 1000);
    sim_start(&story.world, A);
    goes_on_by_tree(0);
}
