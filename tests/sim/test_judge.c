/* The same for values: registers, LWW registers, and maps of all types. */
#include "sim/judge.h"
#include "tests/sim/tale.h"

/* ---- LWW registers ---- */

TEST(an_lww_register_has_a_value_that_was_written)
{
    begin();
    sure(RECORD_LWW_SET, A, "l", "v1");
    CHECK(!kept() && says("v1 was written by 0"));
    there(RECORD_LWW_SET, "l", "v1");
    CHECK(fine());
    nothing();
    there(RECORD_LWW_SET, "l", "v9");
    CHECK(!gone() && says("has v9, which nobody wrote"));
    end();
}

TEST(an_lww_register_has_either_of_two_values_that_did_not_see_each_other)
{
    begin();
    sure(RECORD_LWW_SET, A, "l", "v1");
    sure(RECORD_LWW_SET, B, "l", "v2");
    there(RECORD_LWW_SET, "l", "v1");
    CHECK(fine());
    nothing();
    there(RECORD_LWW_SET, "l", "v2");
    CHECK(fine());
    nothing();
    CHECK(!kept());
    end();
}

TEST(a_value_that_its_node_replaced_is_not_there)
{
    begin();
    sure(RECORD_LWW_SET, A, "l", "v1");
    sure(RECORD_LWW_SET, A, "l", "v2");
    there(RECORD_LWW_SET, "l", "v1");
    CHECK(!gone() && says("has v1, which was replaced"));
    nothing();
    there(RECORD_LWW_SET, "l", "v2");
    CHECK(fine());
    end();
}

TEST(a_value_that_was_perhaps_replaced_may_be_there)
{
    begin();
    sure(RECORD_LWW_SET, A, "l", "v1");
    did(OUTCOME_MAYBE, RECORD_LWW_SET, A, "l", "v2", 0);
    there(RECORD_LWW_SET, "l", "v1");
    CHECK(fine());
    nothing();
    there(RECORD_LWW_SET, "l", "v2");
    CHECK(fine());
    nothing();
    CHECK(!kept());
    end();
}

TEST(a_value_whose_write_was_refused_is_not_there)
{
    begin();
    did(OUTCOME_NONE, RECORD_LWW_SET, A, "l", "v1", 0);
    there(RECORD_LWW_SET, "l", "v1");
    CHECK(!gone() && says("refused"));
    end();
}

TEST(a_value_that_was_removed_is_not_there)
{
    begin();
    sure(RECORD_LWW_SET, A, "l", "v1");
    sure(RECORD_REMOVE, A, "l", "");
    CHECK(fine());
    there(RECORD_LWW_SET, "l", "v1");
    CHECK(!gone() && says("removed"));
    end();
}

/* ---- registers ---- */

TEST(a_register_keeps_all_siblings_that_nobody_has_seen)
{
    begin();
    replaces(A, "r", "v1", A, false);
    replaces(B, "r", "v2", B, false);
    fake.history.records[0].blind = fake.history.records[1].blind = true;
    there(RECORD_REGISTER_SET, "r", "v1");
    there(RECORD_REGISTER_SET, "r", "v2");
    CHECK(fine());
    fake.count = 1;
    CHECK(!kept() && says("v2 was written by 1"));
    end();
}

TEST(a_sibling_that_a_later_write_had_seen_is_gone)
{
    begin();
    replaces(A, "r", "v1", A, false);
    replaces(B, "r", "v2", A, true);
    there(RECORD_REGISTER_SET, "r", "v2");
    CHECK(fine());
    there(RECORD_REGISTER_SET, "r", "v1");
    CHECK(!gone() && says("has v1, which was replaced"));
    end();
}

TEST(a_write_with_an_old_look_replaces_nothing_that_came_since)
{
    begin();
    struct record record = record_of(RECORD_REGISTER_SET, A, "r", "v2", 0);
    struct sight *sight;
    record.sight = history_sight(&fake.history, &sight);
    sight->from[A] = fake.history.ended;
    replaces(A, "r", "v1", A, false);
    record.serial = ++fake.serial;
    ends(history_add(&fake.history, &record), OUTCOME_SURE);
    there(RECORD_REGISTER_SET, "r", "v2");
    CHECK(!kept() && says("v1 was written"));
    there(RECORD_REGISTER_SET, "r", "v1");
    CHECK(fine());
    end();
}

TEST(a_sibling_that_nobody_wrote_is_found)
{
    begin();
    replaces(A, "r", "v1", A, false);
    there(RECORD_REGISTER_SET, "r", "v1");
    there(RECORD_REGISTER_SET, "r", "?");
    CHECK(!gone() && says("nobody wrote"));
    end();
}

/* ---- maps ---- */

TEST(removing_a_map_removes_all_below_it)
{
    begin();
    adds(OUTCOME_SURE, A, "m/n/c", 5);
    sure(RECORD_SET_ADD, A, "m/s", "x");
    sure(RECORD_LWW_SET, A, "mm/l", "v1");
    sure(RECORD_REMOVE, A, "m", "");
    there(RECORD_LWW_SET, "mm/l", "v1");
    CHECK(fine());
    there(RECORD_SET_ADD, "m/s", "x");
    CHECK(!gone());
    nothing();
    CHECK(!kept() && says("mm/l"));
    there(RECORD_LWW_SET, "mm/l", "v1");
    counts("m/n/c", 5);
    CHECK(!kept() && says("m/n/c"));
    end();
}

TEST(removing_a_field_leaves_the_others)
{
    begin();
    sure(RECORD_LWW_SET, A, "m/l", "v1");
    sure(RECORD_LWW_SET, A, "m/k", "v2");
    sure(RECORD_REMOVE, A, "m/l", "");
    there(RECORD_LWW_SET, "m/k", "v2");
    CHECK(fine());
    nothing();
    CHECK(!kept() && says("m/k"));
    end();
}

TEST(what_was_written_into_a_map_since_its_removal_stays)
{
    begin();
    sure(RECORD_SET_ADD, A, "m/s", "x");
    sure(RECORD_REMOVE, A, "m", "");
    sure(RECORD_SET_ADD, A, "m/s", "y");
    CHECK(!kept() && says("y was added"));
    there(RECORD_SET_ADD, "m/s", "y");
    CHECK(fine());
    end();
}

TEST(a_place_that_no_record_speaks_of_is_found)
{
    begin();
    sure(RECORD_REMOVE, A, "m", "");
    there(RECORD_LWW_SET, "m/l", "v1");
    CHECK(!gone() && says("nobody wrote it"));
    end();
}

/* ---- what a session has found gone ---- */

struct buried {
    size_t numbers[4], count;
};

static void bury(void *arg, size_t number)
{
    struct buried *buried = arg;
    CHECK(buried->count < 4);
    buried->numbers[buried->count++] = number;
}

static bool comes_back(const struct buried *buried)
{
    struct judge judge;
    judge_init(&judge, &fake.history, &fake.replicas, 0, fake.why, sizeof fake.why);
    judge.dead = buried->numbers;
    judge.dead_count = buried->count;
    bool gone = judge_gone(&judge, fake.history.records[0].cell);
    judge_done(&judge);
    return gone;
}

TEST(a_value_that_another_one_hid_comes_back_only_when_that_is_removed)
{
    struct buried buried = {.count = 0};
    struct judge judge;
    begin();
    sure(RECORD_LWW_SET, A, "l", "v1");
    sure(RECORD_LWW_SET, B, "l", "v2");
    there(RECORD_LWW_SET, "l", "v2");
    judge_init(&judge, &fake.history, &fake.replicas, 0, fake.why, sizeof fake.why);
    judge_find_gone(&judge, fake.history.records[0].cell, bury, &buried);
    judge_done(&judge);
    CHECK_EQUAL(buried.count, 1);
    nothing();
    there(RECORD_LWW_SET, "l", "v1");
    CHECK(!comes_back(&buried) && says("has v1, whose write was refused"));
    sure(RECORD_REMOVE, B, "l", "");
    CHECK(comes_back(&buried));
    end();
}
