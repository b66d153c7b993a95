/* Nodes that are away, and how they catch up. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gossip/state.h"
#include "tests/story/story.h"
#include "tests/support/sanitized.h"

enum { A, B, C };

static struct story story;

TEST(a_write_is_pushed_and_then_forgotten_by_the_log)
{
    story_meet(&story, 2);
    story.detail = true;
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    story_told(&story, NULL,
               "A incr apples 1\n"
               "B box: made, a peer has it\n"
               "A sim://B: box is open\n"
               "A sim://B: push box 1..1\n"
               "B sim://A: box is open\n"
               "B sim://A: pull box\n"
               "B sim://A: pulled box\n"
               "B sim://A: pulled all of box\n"
               "B box: log cut, 0 left\n"
               "A box: log cut, 0 left\n");
    story_end(&story, true);
}

TEST(a_node_that_was_away_pulls_from_one_peer)
{
    story_meet(&story, 3);
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    sim_stop(&story.world, C);
    story_do(&story, A, "incr apples 1");
    story_do(&story, B, "incr apples 1");
    story_run(&story, 3000);
    story_forget(&story);
    sim_start(&story.world, C);
    story_run(&story, 5000);
    story_show(&story, C, "apples");
    story_told(&story, "C",
               "C starts\n"
               "C sim://A: pull box\n"
               "C box: replica id confirmed\n"
               "C sim://A: pushed box\n"
               "C sim://A: pulled box\n"
               "C sim://A: pulled all of box\n"
               "C has apples: 3\n");
    story_end(&story, true);
}

TEST(whoever_is_behind_the_log_compares_once_and_then_pulls_again)
{
    story_meet(&story, 2);
    story.world.nodes[A].gossip.log_max = 4;
    sim_stop(&story.world, A);
    sim_stop(&story.world, B);
    story_forget(&story);
    sim_start(&story.world, A);
    for (int i = 0; i < 6; i++)
        story_do(&story, A, "incr apples 1");
    story_run(&story, 1000);
    sim_start(&story.world, B);
    story_run(&story, 5000);
    story_show(&story, B, "apples");
    story_told(&story, NULL,
               "A starts\n"
               "A incr apples 1\n"
               "A incr apples 1\n"
               "A incr apples 1\n"
               "A incr apples 1\n"
               "A incr apples 1\n"
               "A box: log cut early, 3 left\n"
               "A incr apples 1\n"
               "B starts\n"
               "B box: made, a peer has it\n"
               "B sim://A: pull box\n"
               "B sim://A: too old to pull box, compare\n"
               "B sim://A: compare box\n"
               "B sim://A: compared box\n"
               "B has apples: 6\n");
    sim_stop(&story.world, B);
    story_do(&story, A, "incr apples 1"); /* that much fits in the log */
    sim_start(&story.world, B);
    story_run(&story, 5000);
    story_show(&story, B, "apples");
    story_told(&story, NULL,
               "B stops\n"
               "A incr apples 1\n"
               "A sim://B: push box 7..7\n"
               "A sim://B: disconnected\n"
               "B starts\n"
               "B box: replica id confirmed\n"
               "A sim://B: push box 7..7\n"
               "B sim://A: pushed box\n"
               "B has apples: 7\n");
    CHECK_EQUAL(story_counted(&story, A, "log_cut_early"), 1);
    story_end(&story, true);
}

static size_t lines_with(const char *words)
{
    size_t count = 0;
    CHECK_OK(buffer_append(&story.world.text, slice_of("", 1)));
    for (const char *at = (const char *)story.world.text.data; (at = strstr(at, words)); at++)
        count++;
    return count;
}

/* Both compare, in many small pages: meanwhile neither can push, nor does it say so all the time.
 */
TEST(whoever_has_to_compare_is_not_told_again_and_again)
{
    story_begin(&story,
                &(struct world_options){.seed = 7, .nodes = 2, .log_max = 4, .chunk_size = 50});
    sim_start(&story.world, A);
    sim_start(&story.world, B);
    story_do(&story, A, "incr apples 1");
    story_do(&story, B, "incr apples 1");
    story_run(&story, 3000);
    story_cut(&story, A, B, true);
    story_run(&story, 9000); /* both have noticed */
    for (int i = 0; i < 400; i++) {
        char words[32];
        snprintf(words, sizeof words, "incr apples%d 1", i);
        story_do(&story, (size_t)i % 2, words);
    }
    story_cut(&story, A, B, false);
    story_forget(&story);
    story_run(&story, 20000);
    CHECK(lines_with(": compare box") >= 2);
    CHECK(lines_with(": digest of") <= 12); /* there were 71 once */
    story_end(&story, true);
}

static const char a_year_later[] = "- a year later\n"
                                   "A has tags: nothing\n"
                                   "B has tags: nothing\n"
                                   "C has tags: ripe\n"
                                   "A has visits: 121\n"
                                   "B has visits: 121\n"
                                   "C has visits: 1201\n"
                                   "- A and C can talk again\n"
                                   "- B and C can talk again\n"
                                   "C sim://B: pull box\n"
                                   "C sim://B: too old to pull box, compare\n"
                                   "C sim://B: compare box\n"
                                   "C sim://B: compare 2 of 16 leaves of box\n"
                                   "C sim://B: compared box\n"
                                   "B sim://C: pull box\n"
                                   "B sim://C: too old to pull box, compare\n"
                                   "B sim://C: compare box\n"
                                   "B sim://C: compare 1 of 16 leaves of box\n"
                                   "B sim://C: compared box\n"
                                   "A sim://C: pull box\n"
                                   "A sim://C: too old to pull box, compare\n"
                                   "A sim://C: compare box\n"
                                   "A sim://C: compare 1 of 16 leaves of box\n"
                                   "A sim://C: compared box\n"
                                   "A has tags: nothing\n"
                                   "B has tags: nothing\n"
                                   "C has tags: nothing\n"
                                   "A has visits: 1321\n"
                                   "B has visits: 1321\n"
                                   "C has visits: 1321\n";

/* Hours and days are let pass for real: heartbeats come once an hour here. */
TEST(an_edge_node_that_was_offline_for_a_year_merges_and_brings_nothing_back)
{
    enum { HOUR = 3600000, MONTH_HOURS = 730 };

    if (is_brief())
        return; /* with sanitizers a year takes minutes; the build without lives it */
    story_begin(&story, &(struct world_options){.seed = 7,
                                                .nodes = 3,
                                                .log_max = 8,
                                                .heartbeat_ms = HOUR,
                                                .scrub_ms = 24 * HOUR});
    for (size_t i = 0; i < 3; i++) {
        story.world.nodes[i].gossip.backoff_ms_max = HOUR;
        sim_start(&story.world, i);
    }
    story_run(&story, 3000);
    story_do(&story, A, "add tags ripe");
    story_do(&story, A, "incr visits 1");
    story_run(&story, 3 * HOUR);
    story_forget(&story);
    story_show(&story, C, "tags");
    story_cut(&story, A, C, true);
    story_cut(&story, B, C, true);
    story_do(&story, B, "remove tags ripe");
    story_told(&story, NULL,
               "C has tags: ripe\n"
               "- A and C are cut off\n"
               "- B and C are cut off\n"
               "B remove tags ripe\n"
               "B sim://A: push box 1..1\n"
               "B sim://C: push box 1..1\n"
               "A sim://B: pushed box\n");
    for (int month = 0; month < 12; month++) {
        story_run(&story, (uint64_t)MONTH_HOURS * HOUR);
        story_do(&story, A, "incr visits 10");
        story_do(&story, C, "incr visits 100");
        story_do(&story, C, month % 2 ? "remove tags seen" : "add tags seen");
    }
    story_forget(&story);
    world_note(&story.world, "a year later");
    story_show_all(&story, "tags");
    story_show_all(&story, "visits");
    story_cut(&story, A, C, false);
    story_cut(&story, B, C, false);
    story_run(&story, 9 * HOUR);
    story_show_all(&story, "tags");
    story_show_all(&story, "visits");
    story_told(&story, NULL, a_year_later);
    story_end(&story, true);
}

TEST(what_a_cannot_tell_c_c_learns_from_b)
{
    story_meet(&story, 3);
    story_cut(&story, A, C, true);
    story_run(&story, 9000); /* both have noticed */
    story_do(&story, A, "add tags ripe");
    story_run(&story, 3000);
    story_show(&story, C, "tags");
    story_do(&story, C, "remove tags ripe");
    story_run(&story, 3000);
    story_show(&story, A, "tags");
    story_told(&story, NULL,
               "- A and C are cut off\n"
               "C sim://A: disconnected\n"
               "A sim://C: disconnected\n"
               "A add tags ripe\n"
               "B box: made, a peer has it\n"
               "A sim://B: push box 1..1\n"
               "B sim://A: pull box\n"
               "B sim://A: pulled box\n"
               "B sim://A: pulled all of box\n"
               "C box: made, a peer has it\n"
               "C sim://B: pull box\n"
               "C sim://B: pulled box\n"
               "C sim://B: pulled all of box\n"
               "C has tags: ripe\n"
               "C remove tags ripe\n"
               "C sim://B: push box 1..1\n"
               "B sim://C: pushed box\n"
               "A sim://B: pull box\n"
               "A sim://B: pulled box\n"
               "A sim://B: pulled all of box\n"
               "A has tags: nothing\n");
    story_cut(&story, A, C, false);
    story_run(&story, 9000);
    story_told(&story, NULL, "- A and C can talk again\n");
    story_end(&story, true);
}

/* What waits in a link is bounded (1 MiB here): the rest is told again later, from the log. */
TEST(what_is_too_much_for_a_queue_is_dropped_and_caught_up)
{
    enum { SIZE = 400000 };
    static char words[SIZE];
    story_meet(&story, 2);
    story_do(&story, A, "set note first");
    story_run(&story, 3000);
    story_forget(&story);
    story_cut(&story, A, B, true);
    memset(words, 'x', SIZE - 1);
    for (int i = 0; i < 3; i++) {
        char head[] = "set text0 ";
        head[8] = (char)('1' + i);
        memcpy(words, head, sizeof head - 1);
        story_do(&story, A, words);
    }
    story_do(&story, A, "set note last");
    CHECK_EQUAL(story_counted(&story, A, "not_sent"), 1);
    story_cut(&story, A, B, false);
    story_run(&story, 4000);
    story_show(&story, B, "note");
    story_told(&story, NULL,
               "- A and B are cut off\n"
               "A set text1 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\n"
               "A sim://B: push box 2..2\n"
               "A set text2 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\n"
               "A sim://B: push box 3..3\n"
               "A set text3 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\n"
               "A sim://B: push box 4..4\n"
               "A sim://B: not sent, BUSY\n"
               "A set note last\n"
               "- A and B can talk again\n"
               "B sim://A: pushed box\n"
               "B sim://A: pushed box\n"
               "A sim://B: push box 4..4\n"
               "A sim://B: push box 5..5\n"
               "B sim://A: pushed box\n"
               "B sim://A: pushed box\n"
               "B has note: last\n");
    story_end(&story, true);
}

/* ---- limits of what is taken and given ---- */

enum { LIMIT = 20000, BURST = LIMIT / 4, ANSWERS = 4 * 4 * 2000 };

/* B lacks so many values, of 1000 bytes each, of A, and has only C to take them from. */
static void apart_with_limits(bool taker, bool giver, uint64_t log_max, unsigned values)
{
    static char words[1100];
    story_begin(&story, &(struct world_options){
                            .seed = 7, .nodes = 3, .log_max = log_max, .chunk_size = 2000});
    for (size_t i = A; i <= C; i++)
        sim_start(&story.world, i);
    story_do(&story, A, "incr apples 1");
    story_run(&story, 3000);
    story_isolate(&story, B, true);
    for (unsigned i = 0; i < values; i++) {
        int size = snprintf(words, sizeof words, "set k%u ", i);
        memset(words + size, 'v', 1000);
        words[size + 1000] = 0;
        story_do(&story, A, words);
    }
    story_run(&story, 3000);
    sim_stop(&story.world, A);
    flow_init(&story.world.nodes[B].wheel.engine.gossip->flow, taker ? LIMIT : 0);
    flow_init(&story.world.nodes[C].wheel.engine.gossip->flow, giver ? LIMIT : 0);
    story_isolate(&story, B, false);
}

static uint64_t taken_by_b(void)
{
    struct flow_status flow;
    gossip_flow_status(story.world.nodes[B].wheel.engine.gossip, &flow);
    return flow.bytes_taken;
}

/* How many milliseconds it takes until B has all. */
static uint64_t catch_up(void)
{
    uint64_t begun = 0;
    for (unsigned i = 0; i < 600; i++) {
        story_run(&story, 100);
        uint64_t taken = taken_by_b();
        if (taken && !begun)
            begun = story.world.now_ms - 100;
        uint64_t since = begun ? story.world.now_ms - begun : 0;
        CHECK(taken <= BURST + LIMIT * since / 1000 + ANSWERS);
        if (context_covers(&sim_shard(&story.world, B, "box")->context,
                           &sim_shard(&story.world, C, "box")->context))
            return since;
    }
    test_failed(__FILE__, __LINE__, "B has not caught up, but taken %" PRIu64, taken_by_b());
}

TEST(what_is_taken_and_given_keeps_to_the_limit)
{
    for (unsigned who = 1; who <= 3; who++) {
        for (unsigned compares = 0; compares <= 1; compares++) {
            apart_with_limits(who & 1, who & 2, compares ? 10 : 100000, 300);
            CHECK(catch_up() >= (300000 - BURST - ANSWERS) / (LIMIT / 1000));
            CHECK_EQUAL(sim_shard(&story.world, B, "box")->counts.compares, compares);
            sim_start(&story.world, A);
            story_run(&story, 9000);
            story_end(&story, true);
        }
    }
}

TEST(a_write_is_pushed_while_a_limit_holds_others_back)
{
    apart_with_limits(true, true, 10, 300);
    while (taken_by_b() < BURST)
        story_run(&story, 100);
    story_do(&story, C, "incr others:pears 1");
    story_run(&story, 1000);
    const struct shard *shard = sim_shard(&story.world, B, "others");
    CHECK(shard && shard->context.count == 1);
    CHECK(taken_by_b() < 300000);
    (void)catch_up();
    sim_start(&story.world, A);
    story_run(&story, 9000);
    story_end(&story, true);
}
