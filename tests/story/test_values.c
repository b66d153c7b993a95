/* What concurrent writes become. */
#include "tests/story/story.h"

enum { A, B, C };

static struct story story;

/* Two nodes that cannot talk for a while, and what each of them has before and after. */
static void apart(size_t nodes, bool cut)
{
    for (size_t a = 0; a < nodes; a++) {
        for (size_t b = a + 1; b < nodes; b++)
            story_cut(&story, a, b, cut);
    }
    if (!cut)
        story_run(&story, 9000);
}

TEST(an_addition_wins_over_a_concurrent_removal)
{
    story_meet(&story, 2);
    story_do(&story, A, "add tags ripe");
    story_do(&story, A, "add tags sweet");
    story_run(&story, 3000);
    story_forget(&story);
    apart(2, true);
    story_do(&story, A, "remove tags ripe");
    story_do(&story, A, "remove tags sweet");
    story_do(&story, B, "add tags ripe"); /* again: a new event, which A has not seen */
    story_show_all(&story, "tags");
    apart(2, false);
    story_show_all(&story, "tags");
    story_told(&story, NULL,
               "- A and B are cut off\n"
               "A remove tags ripe\n"
               "A sim://B: push box 3..3\n"
               "A remove tags sweet\n"
               "A sim://B: push box 4..4\n"
               "B add tags ripe\n"
               "B sim://A: push box 1..1\n"
               "A has tags: nothing\n"
               "B has tags: ripe sweet\n"
               "- A and B can talk again\n"
               "B sim://A: pushed box\n"
               "B sim://A: pushed box\n"
               "A sim://B: pushed box\n"
               "A has tags: ripe\n"
               "B has tags: ripe\n");
    story_end(&story, true);
}

TEST(removing_a_map_takes_what_was_seen_and_leaves_what_was_not)
{
    story_meet(&story, 2);
    story_do(&story, A, "incr menu/apples 3");
    story_do(&story, A, "set menu/colour red");
    story_run(&story, 3000);
    story_forget(&story);
    apart(2, true);
    story_do(&story, A, "delete menu");
    story_do(&story, B, "incr menu/apples 1");
    story_do(&story, B, "on menu/open");
    story_show_all(&story, "menu");
    apart(2, false);
    story_show_all(&story, "menu");
    story_told(&story, NULL,
               "- A and B are cut off\n"
               "A delete menu\n"
               "A sim://B: push box 3..4\n"
               "B incr menu/apples 1\n"
               "B sim://A: push box 1..1\n"
               "B on menu/open\n"
               "B sim://A: push box 2..2\n"
               "A has menu: nothing\n"
               "B has menu: apples=4 colour=red open=on\n"
               "- A and B can talk again\n"
               "B sim://A: pushed box\n"
               "A sim://B: pushed box\n"
               "A sim://B: pushed box\n"
               "A has menu: apples=1 open=on\n"
               "B has menu: apples=1 open=on\n");
    story_end(&story, true);
}

TEST(increments_on_three_nodes_that_are_apart_add_up)
{
    story_meet(&story, 3);
    apart(3, true);
    story_do(&story, A, "incr apples 1");
    story_do(&story, B, "incr apples 10");
    story_do(&story, C, "incr apples 100");
    story_do(&story, C, "incr apples -5");
    story_show_all(&story, "apples");
    story_forget(&story);
    story_show_all(&story, "apples");
    apart(3, false);
    story_show_all(&story, "apples");
    story_told(&story, NULL,
               "A has apples: 1\n"
               "B has apples: 10\n"
               "C has apples: 95\n"
               "- A and B can talk again\n"
               "- A and C can talk again\n"
               "- B and C can talk again\n"
               "A sim://C: push box 1..1\n"
               "B sim://A: push box 1..1\n"
               "A sim://B: push box 1..1\n"
               "A sim://B: pushed box\n"
               "B sim://A: pushed box\n"
               "C sim://B: pull box\n"
               "C sim://B: push box 1..2\n"
               "B sim://C: push box 1..1\n"
               "C sim://B: pushed box\n"
               "B sim://C: pushed box\n"
               "C sim://B: pulled box\n"
               "C sim://B: pulled all of box\n"
               "C sim://A: push box 1..2\n"
               "A sim://C: pushed box\n"
               "A has apples: 106\n"
               "B has apples: 106\n"
               "C has apples: 106\n");
    story_end(&story, true);
}

TEST(a_register_keeps_concurrent_values_until_somebody_has_seen_both)
{
    story_meet(&story, 2);
    apart(2, true);
    story_do(&story, A, "put owner Ann");
    story_do(&story, B, "put owner Ben");
    story_show_all(&story, "owner");
    apart(2, false);
    story_show_all(&story, "owner");
    story_do(&story, B, "put owner both");
    story_run(&story, 3000);
    story_show_all(&story, "owner");
    story_told(&story, NULL,
               "- A and B are cut off\n"
               "A put owner Ann\n"
               "B put owner Ben\n"
               "A has owner: Ann\n"
               "B has owner: Ben\n"
               "- A and B can talk again\n"
               "B sim://A: push box 1..1\n"
               "A sim://B: pull box\n"
               "A sim://B: push box 1..1\n"
               "B sim://A: pushed box\n"
               "A sim://B: pulled box\n"
               "A sim://B: pulled all of box\n"
               "A has owner: Ann or Ben\n"
               "B has owner: Ann or Ben\n"
               "B put owner both\n"
               "B sim://A: push box 2..2\n"
               "A sim://B: pushed box\n"
               "A has owner: both\n"
               "B has owner: both\n");
    story_end(&story, true);
}

TEST(on_wins_over_a_concurrent_off)
{
    story_meet(&story, 2);
    story_do(&story, A, "on lamp");
    story_run(&story, 3000);
    story_forget(&story);
    apart(2, true);
    story_do(&story, A, "off lamp");
    story_do(&story, B, "on lamp");
    story_show_all(&story, "lamp");
    apart(2, false);
    story_show_all(&story, "lamp");
    story_do(&story, A, "off lamp");
    story_run(&story, 3000);
    story_show_all(&story, "lamp");
    story_told(&story, NULL,
               "- A and B are cut off\n"
               "A off lamp\n"
               "A sim://B: push box 2..2\n"
               "B on lamp\n"
               "B sim://A: push box 1..1\n"
               "A has lamp: nothing\n"
               "B has lamp: on\n"
               "- A and B can talk again\n"
               "B sim://A: pushed box\n"
               "A sim://B: pushed box\n"
               "A has lamp: on\n"
               "B has lamp: on\n"
               "A off lamp\n"
               "A sim://B: push box 3..3\n"
               "B sim://A: pushed box\n"
               "A has lamp: nothing\n"
               "B has lamp: nothing\n");
    story_end(&story, true);
}

/* A clock that is wrong wins ties, but not against who has seen its value; and it does not spread.
 */
TEST(a_clock_ten_years_ahead_decides_only_what_is_concurrent)
{
    story_meet(&story, 2);
    story.world.nodes[A].skew_ms = INT64_C(10) * 365 * 86400 * 1000;
    story_do(&story, A, "set price 10");
    story_run(&story, 3000);
    story_do(&story, B, "set price 11"); /* ten years before, but knowing of it */
    story_run(&story, 3000);
    story_show_all(&story, "price");
    apart(2, true);
    story_do(&story, A, "set price 12");
    story_run(&story, 100);
    story_do(&story, B, "set price 13"); /* later, and unknowing */
    apart(2, false);
    story_show_all(&story, "price");
    story_told(&story, NULL,
               "A set price 10\n"
               "B box: made, a peer has it\n"
               "A sim://B: push box 1..1\n"
               "B sim://A: pull box\n"
               "B sim://A: pulled box\n"
               "B sim://A: pulled all of box\n"
               "B set price 11\n"
               "B sim://A: push box 1..1\n"
               "A sim://B: pushed box\n"
               "A has price: 11\n"
               "B has price: 11\n"
               "- A and B are cut off\n"
               "A set price 12\n"
               "A sim://B: push box 2..2\n"
               "B set price 13\n"
               "B sim://A: push box 2..2\n"
               "- A and B can talk again\n"
               "B sim://A: pushed box\n"
               "A sim://B: pushed box\n"
               "A has price: 12\n"
               "B has price: 12\n");
    CHECK_EQUAL(sim_shard(&story.world, B, "box")->counts.stamps_ahead, 2);
    CHECK(hlc_wall_ms(story.world.nodes[B].wheel.engine.store.hlc.last) <=
          sim_now(&story.world.nodes[B]).wall_ms);
    story_end(&story, true);
}

/* What all have there now. */
static void has(const char *key, const char *expected)
{
    story_forget(&story);
    story_show_all(&story, key);
    story_told(&story, NULL, expected);
}

TEST(what_a_removal_that_wins_leaves_stays_until_all_have_it_and_then_goes)
{
    story_meet(&story, 3);
    story_do(&story, A, "allow guests ann");
    story_run(&story, 3000);
    story_cut(&story, A, C, true);
    story_cut(&story, B, C, true);
    story_do(&story, A, "bar guests ann");
    story_do(&story, C, "allow guests ann"); /* again: C has not seen the other */
    story_run(&story, 60000);
    has("guests", "A has guests: ann(out)\nB has guests: ann(out)\nC has guests: ann\n");
    story_cut(&story, A, C, false);
    story_cut(&story, B, C, false);
    story_run(&story, 30000);
    has("guests", "A has guests: nothing\nB has guests: nothing\nC has guests: nothing\n");
    story_do(&story, B, "allow guests ann"); /* with all of that seen */
    story_run(&story, 3000);
    has("guests", "A has guests: ann\nB has guests: ann\nC has guests: ann\n");
    story_end(&story, true);
}

TEST(a_removal_of_an_exact_counter_takes_what_it_saw_and_no_more)
{
    story_meet(&story, 2);
    story_do(&story, B, "tally visits 5");
    story_run(&story, 3000);
    apart(2, true);
    story_do(&story, A, "delete visits");
    story_do(&story, B, "tally visits 2");
    story_do(&story, B, "tally visits 1");
    has("visits", "A has visits: off\nB has visits: 8\n");
    apart(2, false);
    has("visits", "A has visits: 3\nB has visits: 3\n");
    story_do(&story, B, "tally visits 4");
    story_run(&story, 30000);
    has("visits", "A has visits: 7\nB has visits: 7\n");
    story_do(&story, A, "delete visits");
    story_run(&story, 30000);
    has("visits", "A has visits: nothing\nB has visits: nothing\n");
    story_end(&story, true);
}
