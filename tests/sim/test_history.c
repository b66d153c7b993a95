/* The checkers of values: each of these histories is fine or is not, and they must know it. */
#include <stdio.h>
#include <string.h>

#include "sim/history.h"
#include "tests/support/test.h"

enum { A, B, C, THINGS_MAX = 32 };

/* What a node is made to hold. */
struct thing {
    enum record_kind kind;
    char key[HISTORY_TEXT], text[HISTORY_TEXT]; /* of a set, a register, an LWW register */
    int64_t number;
};

struct fake {
    struct replicas replicas; /* first */
    struct history history;
    struct thing things[THINGS_MAX];
    size_t count;
    uint64_t serial;
    char why[300];
};

static struct fake fake;

static const struct thing *thing_at(enum record_kind kind, const char *key, size_t index)
{
    for (size_t i = 0; i < fake.count; i++) {
        if (fake.things[i].kind == kind && !strcmp(fake.things[i].key, key) && index-- == 0)
            return &fake.things[i];
    }
    return NULL;
}

static int fake_count(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                      int64_t *ret_value)
{
    const struct thing *thing = thing_at(RECORD_COUNTER_ADD, key, 0);
    (void)replicas, (void)node, (void)bucket;
    if (!thing)
        return NEAP_NOTFOUND;
    *ret_value = thing->number;
    return 0;
}

static int fake_has(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                    const char *member)
{
    const struct thing *thing;
    (void)replicas, (void)node, (void)bucket;
    for (size_t i = 0; (thing = thing_at(RECORD_SET_ADD, key, i)); i++) {
        if (!strcmp(thing->text, member))
            return 1;
    }
    return 0;
}

static int fake_flag(struct replicas *replicas, size_t node, const char *bucket, const char *key)
{
    (void)replicas, (void)node, (void)bucket;
    return thing_at(RECORD_FLAG_ON, key, 0) != NULL;
}

static int fake_text(enum record_kind kind, const char *key, size_t index,
                     char ret_value[HISTORY_TEXT])
{
    const struct thing *thing = thing_at(kind, key, index);
    if (thing)
        memcpy(ret_value, thing->text, HISTORY_TEXT);
    return thing != NULL;
}

static int fake_value(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                      char ret_value[HISTORY_TEXT])
{
    (void)replicas, (void)node, (void)bucket;
    return fake_text(RECORD_LWW_SET, key, 0, ret_value);
}

static int fake_sibling(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                        size_t index, char ret_value[HISTORY_TEXT])
{
    (void)replicas, (void)node, (void)bucket;
    return fake_text(RECORD_REGISTER_SET, key, index, ret_value);
}

static void fake_all(struct replicas *replicas, size_t node,
                     bool (*each)(void *arg, enum record_kind kind, const char *bucket,
                                  const char *key, const char *member),
                     void *arg)
{
    (void)replicas, (void)node;
    for (size_t i = 0; i < fake.count; i++) {
        const struct thing *thing = &fake.things[i];
        const char *member = thing->kind == RECORD_SET_ADD ? thing->text : "";
        if (!each(arg, thing->kind, "box", thing->key, member))
            return;
    }
}

/* ---- telling a history ---- */

static void begin(void)
{
    history_done(&fake.history);
    fake = (struct fake){.replicas = {.count = fake_count,
                                      .has = fake_has,
                                      .flag = fake_flag,
                                      .value = fake_value,
                                      .sibling = fake_sibling,
                                      .all = fake_all}};
    history_init(&fake.history);
}

static void end(void)
{
    history_done(&fake.history);
    fake.count = 0;
}

static struct record record_of(enum record_kind kind, size_t node, const char *key,
                               const char *text, int64_t number)
{
    struct record record = {.kind = kind, .node = node, .number = number};
    bool in_set = kind == RECORD_SET_ADD || kind == RECORD_SET_REMOVE;
    record.serial = fake.serial;
    snprintf(record.bucket, sizeof record.bucket, "box");
    snprintf(record.key, sizeof record.key, "%s", key);
    snprintf(in_set ? record.member : record.value, HISTORY_TEXT, "%s", text);
    return record;
}

/* A call begins; it is open. */
static size_t call(enum record_kind kind, size_t node, const char *key, const char *text,
                   int64_t number)
{
    struct record record = record_of(kind, node, key, text, number);
    record.serial = ++fake.serial;
    return history_add(&fake.history, &record);
}

/* The call before goes on with one record more. */
static size_t more(enum record_kind kind, size_t node, const char *key, const char *text,
                   int64_t number)
{
    struct record record = record_of(kind, node, key, text, number);
    return history_add(&fake.history, &record);
}

static void ends(size_t number, enum outcome outcome)
{
    history_end(&fake.history, number, outcome);
}

static void did(enum outcome outcome, enum record_kind kind, size_t node, const char *key,
                const char *text, int64_t number)
{
    ends(call(kind, node, key, text, number), outcome);
}

static void sure(enum record_kind kind, size_t node, const char *key, const char *text)
{
    did(OUTCOME_SURE, kind, node, key, text, 0);
}

static void adds(enum outcome outcome, size_t node, const char *key, int64_t number)
{
    did(outcome, RECORD_COUNTER_ADD, node, key, "", number);
}

/* A register write by somebody who had seen so much of that node: all up to now, when `until`. */
static void replaces(size_t node, const char *key, const char *value, size_t of, bool until)
{
    struct record record = record_of(RECORD_REGISTER_SET, node, key, value, 0);
    struct sight *sight;
    record.sight = history_sight(&fake.history, &sight);
    sight->until[of] = until ? fake.history.ended : 0;
    record.serial = ++fake.serial;
    ends(history_add(&fake.history, &record), OUTCOME_SURE);
}

/* Whatever is made from now on by that node has not been seen by this record. */
static void blinds(size_t number, size_t of)
{
    struct sight *sight;
    fake.history.records[number].sight = history_sight(&fake.history, &sight);
    sight->from[of] = fake.history.ended + 1;
}

/* ---- what is there, and what they say ---- */

static void there(enum record_kind kind, const char *key, const char *text)
{
    struct thing *thing = &fake.things[fake.count++];
    *thing = (struct thing){.kind = kind};
    snprintf(thing->key, sizeof thing->key, "%s", key);
    snprintf(thing->text, sizeof thing->text, "%s", text);
}

static void counts(const char *key, int64_t number)
{
    there(RECORD_COUNTER_ADD, key, "");
    fake.things[fake.count - 1].number = number;
}

static void nothing(void)
{
    fake.count = 0;
}

static bool says(const char *word)
{
    if (strstr(fake.why, word))
        return true;
    print_message("it says: %s\n", fake.why);
    return false;
}

static bool kept(void)
{
    fake.why[0] = 0;
    return history_kept(&fake.history, &fake.replicas, A, fake.why, sizeof fake.why);
}

static bool gone(void)
{
    fake.why[0] = 0;
    return history_gone(&fake.history, &fake.replicas, A, fake.why, sizeof fake.why);
}

static bool fine(void)
{
    if (kept() && gone())
        return true;
    print_message("it says: %s\n", fake.why);
    return false;
}

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
