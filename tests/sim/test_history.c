/* The checkers of values: each of these histories is fine or is not, and they must know it. */
#include <stdio.h>

#include "tests/sim/tale.h"

/* ---- counters ---- */

TEST(an_increment_that_is_sure_counts_once)
{
    begin();
    adds(OUTCOME_SURE, A, "c", 3);
    adds(OUTCOME_SURE, B, "c", 4);
    counts("c", 7);
    CHECK(fine());
    nothing();
    counts("c", 4);
    CHECK(!kept() && says("counter box/c: is 4, not 7..7"));
    nothing();
    counts("c", 10);
    CHECK(!kept() && says("is 10"));
    nothing();
    CHECK(!kept() && says("is 0"));
    end();
}

TEST(an_increment_that_may_have_happened_counts_or_not)
{
    begin();
    adds(OUTCOME_SURE, A, "c", 3);
    adds(OUTCOME_MAYBE, A, "c", 4);
    call(RECORD_COUNTER_ADD, A, "c", "", 10);
    adds(OUTCOME_NONE, A, "c", 100);
    for (int64_t value = 0; value < 30; value++) {
        nothing();
        counts("c", value);
        CHECK_EQUAL(kept(), value >= 3 && value <= 17);
    }
    end();
}

TEST(what_is_taken_off_a_counter_widens_what_it_can_be)
{
    begin();
    adds(OUTCOME_SURE, A, "c", -3);
    adds(OUTCOME_MAYBE, A, "c", -4);
    adds(OUTCOME_MAYBE, A, "c", 1);
    for (int64_t value = -20; value < 10; value++) {
        nothing();
        counts("c", value);
        CHECK_EQUAL(kept(), value >= -7 && value <= -2);
    }
    end();
}

TEST(a_removed_counter_begins_anew)
{
    begin();
    adds(OUTCOME_SURE, A, "c", 5);
    sure(RECORD_REMOVE, A, "c", "");
    adds(OUTCOME_SURE, A, "c", 2);
    counts("c", 2);
    CHECK(fine());
    nothing();
    counts("c", 7);
    CHECK(!kept() && says("is 7, not 2..2"));
    end();
}

TEST(an_increment_that_a_removal_missed_brings_back_what_was_folded_into_it)
{
    begin();
    adds(OUTCOME_SURE, A, "c", 5);
    size_t removal = call(RECORD_REMOVE, B, "c", "", 0);
    struct sight *sight;
    fake.history.records[removal].sight = history_sight(&fake.history, &sight);
    sight->until[A] = fake.history.ended;
    adds(OUTCOME_SURE, A, "c", 2);
    ends(removal, OUTCOME_SURE);
    for (int64_t value = 0; value < 10; value++) {
        nothing();
        counts("c", value);
        CHECK_EQUAL(kept(), value <= 7);
    }
    end();
}

/* ---- sets ---- */

TEST(a_member_that_was_added_and_not_removed_is_there)
{
    begin();
    sure(RECORD_SET_ADD, A, "s", "x");
    CHECK(!kept() && says("set box/s: x was added by 0"));
    there(RECORD_SET_ADD, "s", "x");
    CHECK(fine());
    end();
}

TEST(a_member_may_be_missing_when_its_addition_may_not_have_happened)
{
    begin();
    did(OUTCOME_MAYBE, RECORD_SET_ADD, A, "s", "x", 0);
    call(RECORD_SET_ADD, A, "s", "y", 0);
    CHECK(fine());
    there(RECORD_SET_ADD, "s", "x");
    there(RECORD_SET_ADD, "s", "y");
    CHECK(fine());
    end();
}

TEST(a_member_whose_addition_was_refused_is_not_there)
{
    begin();
    did(OUTCOME_NONE, RECORD_SET_ADD, A, "s", "x", 0);
    CHECK(fine());
    there(RECORD_SET_ADD, "s", "x");
    CHECK(!gone() && says("never added"));
    end();
}

TEST(a_member_that_nobody_added_is_not_there)
{
    begin();
    sure(RECORD_SET_ADD, A, "s", "x");
    there(RECORD_SET_ADD, "s", "x");
    there(RECORD_SET_ADD, "s", "y");
    CHECK(!gone() && says("box/s y is there, and nobody wrote it"));
    end();
}

TEST(a_member_that_its_node_removed_stays_removed)
{
    begin();
    sure(RECORD_SET_ADD, A, "s", "x");
    sure(RECORD_SET_REMOVE, A, "s", "x");
    CHECK(fine());
    there(RECORD_SET_ADD, "s", "x");
    CHECK(!gone() && says("x was removed"));
    end();
}

TEST(a_member_that_another_node_removed_may_come_back_if_that_had_not_seen_it)
{
    begin();
    sure(RECORD_SET_ADD, A, "s", "x");
    sure(RECORD_SET_REMOVE, B, "s", "x");
    CHECK(fine());
    there(RECORD_SET_ADD, "s", "x");
    CHECK(fine());
    end();
}

TEST(a_member_that_another_node_had_seen_and_removed_stays_removed)
{
    begin();
    sure(RECORD_SET_ADD, A, "s", "x");
    size_t removal = call(RECORD_SET_REMOVE, B, "s", "x", 0);
    struct sight *sight;
    fake.history.records[removal].sight = history_sight(&fake.history, &sight);
    sight->until[A] = fake.history.ended;
    ends(removal, OUTCOME_SURE);
    there(RECORD_SET_ADD, "s", "x");
    CHECK(!gone() && says("x was removed"));
    end();
}

TEST(a_removal_that_ended_before_an_addition_began_does_not_hit_it)
{
    begin();
    sure(RECORD_SET_ADD, A, "s", "x");
    sure(RECORD_SET_REMOVE, A, "s", "x");
    sure(RECORD_SET_ADD, B, "s", "x");
    CHECK(!kept() && says("x was added by 1"));
    there(RECORD_SET_ADD, "s", "x");
    CHECK(fine());
    end();
}

TEST(an_addition_wins_over_a_removal_that_had_not_seen_it)
{
    begin();
    sure(RECORD_SET_ADD, A, "s", "x");
    size_t removal = call(RECORD_SET_REMOVE, B, "s", "x", 0);
    CHECK(!kept() || fine()); /* nobody knows */
    blinds(removal, A);
    sure(RECORD_SET_ADD, A, "s", "x");
    ends(removal, OUTCOME_SURE);
    CHECK(!kept() && says("x was added by 0"));
    there(RECORD_SET_ADD, "s", "x");
    CHECK(fine());
    end();
}

TEST(a_removal_without_an_answer_may_hit_whatever_came_later)
{
    begin();
    call(RECORD_SET_REMOVE, B, "s", "x", 0);
    sure(RECORD_SET_ADD, A, "s", "x");
    CHECK(fine());
    end();
}

TEST(a_removal_that_will_not_happen_any_more_does_not_hit_what_came_later)
{
    begin();
    did(OUTCOME_MAYBE, RECORD_SET_REMOVE, B, "s", "x", 0);
    sure(RECORD_SET_ADD, A, "s", "x");
    CHECK(!kept());
    end();
}

TEST(a_refused_removal_removes_nothing)
{
    begin();
    sure(RECORD_SET_ADD, A, "s", "x");
    did(OUTCOME_NONE, RECORD_SET_REMOVE, A, "s", "x", 0);
    CHECK(!kept());
    there(RECORD_SET_ADD, "s", "x");
    CHECK(fine());
    end();
}

TEST(members_of_other_sets_and_buckets_are_others)
{
    begin();
    sure(RECORD_SET_ADD, A, "s", "x");
    sure(RECORD_SET_ADD, A, "t", "x");
    sure(RECORD_SET_REMOVE, A, "t", "x");
    CHECK(!kept() && says("box/s"));
    there(RECORD_SET_ADD, "s", "x");
    CHECK(fine());
    end();
}

/* ---- flags ---- */

TEST(a_flag_is_on_until_somebody_who_had_seen_that_switches_it_off)
{
    begin();
    sure(RECORD_FLAG_ON, A, "f", "");
    CHECK(!kept() && says("switched on"));
    there(RECORD_FLAG_ON, "f", "");
    CHECK(fine());
    sure(RECORD_FLAG_OFF, A, "f", "");
    CHECK(!gone());
    nothing();
    CHECK(fine());
    sure(RECORD_FLAG_ON, B, "f", "");
    CHECK(!kept());
    end();
}

TEST(a_flag_that_was_only_switched_off_is_off)
{
    begin();
    sure(RECORD_FLAG_OFF, A, "f", "");
    CHECK(fine());
    there(RECORD_FLAG_ON, "f", "");
    CHECK(!gone() && says("never there"));
    end();
}

/* ---- calls of several parts ---- */

static void batch(enum outcome outcome)
{
    size_t first = call(RECORD_SET_ADD, A, "s", "x", 0);
    size_t second = more(RECORD_SET_ADD, A, "s", "y", 0);
    ends(first, outcome);
    ends(second, outcome);
}

TEST(a_call_is_there_whole_or_not_at_all)
{
    begin();
    batch(OUTCOME_MAYBE);
    CHECK(fine());
    there(RECORD_SET_ADD, "s", "x");
    CHECK(!kept() && says("a part of one call of 0"));
    there(RECORD_SET_ADD, "s", "y");
    CHECK(fine());
    end();
}

TEST(a_part_that_is_there_tells_of_the_others)
{
    begin();
    size_t first = call(RECORD_SET_ADD, A, "s", "x", 0);
    size_t second = more(RECORD_COUNTER_ADD, A, "c", "", 5);
    ends(first, OUTCOME_MAYBE);
    ends(second, OUTCOME_MAYBE);
    there(RECORD_SET_ADD, "s", "x");
    CHECK(!kept() && says("is 0, not 5..5"));
    counts("c", 5);
    CHECK(fine());
    nothing();
    counts("c", 5);
    CHECK(!kept() && says("is 5, not 0..0"));
    end();
}

TEST(a_call_of_a_node_that_went_back_may_be_there_in_part)
{
    begin();
    batch(OUTCOME_SURE);
    history_doubt(&fake.history, A);
    CHECK(fine());
    there(RECORD_SET_ADD, "s", "y");
    CHECK(fine());
    end();
}

TEST(parts_of_a_call_happen_in_order)
{
    begin();
    size_t first = call(RECORD_SET_ADD, A, "s", "x", 0);
    size_t second = more(RECORD_SET_REMOVE, A, "s", "x", 0);
    size_t third = more(RECORD_SET_REMOVE, A, "s", "y", 0);
    size_t fourth = more(RECORD_SET_ADD, A, "s", "y", 0);
    ends(first, OUTCOME_SURE);
    ends(second, OUTCOME_SURE);
    ends(third, OUTCOME_SURE);
    ends(fourth, OUTCOME_SURE);
    there(RECORD_SET_ADD, "s", "y");
    CHECK(fine());
    there(RECORD_SET_ADD, "s", "x");
    CHECK(!gone());
    nothing();
    CHECK(!kept() && says("y was added"));
    end();
}

/* ---- doubt ---- */

TEST(what_a_node_acknowledged_before_it_went_back_may_be_gone)
{
    begin();
    sure(RECORD_SET_ADD, A, "s", "x");
    uint64_t mark = fake.history.ended;
    sure(RECORD_SET_ADD, A, "s", "y");
    sure(RECORD_SET_ADD, B, "s", "z");
    history_doubt_since(&fake.history, A, mark);
    there(RECORD_SET_ADD, "s", "x");
    there(RECORD_SET_ADD, "s", "z");
    CHECK(fine());
    nothing();
    there(RECORD_SET_ADD, "s", "z");
    CHECK(!kept() && says("x was added"));
    nothing();
    there(RECORD_SET_ADD, "s", "x");
    CHECK(!kept() && says("z was added"));
    end();
}

TEST(a_removal_that_a_node_lost_proves_nothing)
{
    begin();
    sure(RECORD_SET_ADD, A, "s", "x");
    sure(RECORD_SET_REMOVE, B, "s", "x");
    history_doubt(&fake.history, B);
    there(RECORD_SET_ADD, "s", "x");
    CHECK(fine());
    nothing();
    CHECK(fine());
    end();
}

TEST(what_a_node_does_after_it_went_back_has_not_seen_what_it_lost)
{
    begin();
    sure(RECORD_SET_ADD, A, "s", "x");
    history_doubt(&fake.history, A);
    sure(RECORD_SET_REMOVE, A, "s", "x");
    there(RECORD_SET_ADD, "s", "x"); /* from others, who had it */
    CHECK(fine());
    end();
}

/* ---- not durable yet ---- */

TEST(what_is_done_is_there_unless_power_failed)
{
    begin();
    did(OUTCOME_DONE, RECORD_SET_ADD, A, "s", "x", 0);
    CHECK(!kept());
    history_crash(&fake.history, A);
    CHECK(kept());
    end();
}

TEST(what_is_done_is_durable_with_whatever_follows_there)
{
    begin();
    did(OUTCOME_DONE, RECORD_SET_ADD, A, "s", "x", 0);
    sure(RECORD_SET_ADD, B, "s", "z");
    sure(RECORD_SET_ADD, A, "s", "y");
    history_crash(&fake.history, A);
    there(RECORD_SET_ADD, "s", "y");
    there(RECORD_SET_ADD, "s", "z");
    CHECK(!kept() && says("x was added"));
    there(RECORD_SET_ADD, "s", "x");
    CHECK(fine());
    end();
}

TEST(what_was_made_durable_after_a_mark_is_lost_with_what_was_synced_since)
{
    begin();
    did(OUTCOME_DONE, RECORD_SET_ADD, A, "s", "x", 0);
    uint64_t mark = fake.history.ended;
    sure(RECORD_SET_ADD, A, "s", "y");
    history_doubt_since(&fake.history, A, mark);
    CHECK(fine());
    end();
}

/* ---- many ---- */

TEST(a_long_history_is_no_trouble)
{
    enum { MANY = 20000 };
    begin();
    for (int i = 0; i < MANY; i++) {
        char key[HISTORY_TEXT], member[HISTORY_TEXT];
        snprintf(key, sizeof key, "s%d", i % 7);
        snprintf(member, sizeof member, "e%d", i);
        sure(RECORD_SET_ADD, (size_t)(i % 3), key, member);
        sure(RECORD_SET_REMOVE, (size_t)(i % 3), key, member);
    }
    CHECK(fine());
    CHECK_EQUAL(fake.history.cells_count, MANY);
    there(RECORD_SET_ADD, "s3", "e3");
    CHECK(!gone() && says("e3 was removed"));
    end();
}
