/* Laws that nothing can break prove nothing: each rule broken here, in a copy of crdt/ compiled for
 * this program alone, must be noticed by the histories. */
#include "base/broken.h"

#include <string.h>

#include "tests/laws/history.h"
#include "tests/support/test.h"

static const enum neap_type last_type = NEAP_SCORES;

enum { HISTORIES = 400 };

static const char *broken_rule = "";

bool broken(const char *rule)
{
    return strcmp(rule, broken_rule) == 0;
}

/* In how many of the histories is the broken rule noticed? */
static unsigned histories_failing(const char *rule, enum neap_type type, unsigned count)
{
    char why[HISTORY_WHY_SIZE];
    unsigned failing = 0;

    broken_rule = rule;
    for (uint64_t seed = 1; seed <= count; seed++)
        failing += !history_run(type, seed, why);
    broken_rule = "";
    return failing;
}

static void check_noticed(const char *rule, enum neap_type first, enum neap_type last)
{
    for (unsigned type = first; type <= last; type++) {
        unsigned failing;

        if (!history_has(type))
            continue;
        failing = histories_failing(rule, (enum neap_type)type, HISTORIES);

        if (failing == 0)
            test_failed(__FILE__, __LINE__, "\"%s\" is not noticed in %d histories of %s", rule,
                        HISTORIES, type_find(type)->name);
    }
}

TEST(with_no_rule_broken_the_copy_holds)
{
    for (unsigned type = NEAP_REGISTER; type <= last_type; type++)
        if (history_has(type))
            CHECK_EQUAL(histories_failing("", (enum neap_type)type, 200), 0);
}

TEST(a_removed_dot_that_stays_is_noticed)
{
    check_noticed("removed-stays", NEAP_REGISTER, last_type);
}

TEST(a_dot_that_goes_unknown_to_the_other_is_noticed)
{
    check_noticed("unknown-goes", NEAP_REGISTER, last_type);
}

TEST(a_loss_taken_for_a_removal_is_noticed)
{
    check_noticed("damage-removes", NEAP_REGISTER, last_type);
}

TEST(a_merge_that_prefers_one_side_is_noticed)
{
    check_noticed("first-payload-stays", NEAP_REGISTER, last_type);
}

TEST(a_residue_that_is_forgotten_is_noticed)
{
    check_noticed("no-residue", NEAP_REGISTER, last_type);
}

TEST(an_edit_that_replaces_what_it_has_not_seen_is_noticed)
{
    check_noticed("unseen-goes", NEAP_REGISTER, last_type);
}

TEST(a_clock_that_is_ignored_is_noticed)
{
    check_noticed("clock-ignored", NEAP_LWW, NEAP_LWW);
}

TEST(folding_what_others_added_is_noticed)
{
    check_noticed("folds-others", NEAP_COUNTER, NEAP_COUNTER);
}

TEST(folding_what_has_another_future_is_noticed)
{
    check_noticed("folds-any", NEAP_COUNTER, NEAP_COUNTER);
}

TEST(the_last_number_instead_of_the_largest_is_noticed)
{
    check_noticed("extreme-last", NEAP_MAX, NEAP_MIN);
}

TEST(a_no_that_does_not_win_is_noticed)
{
    check_noticed("yes-wins", NEAP_FLAG_DW, NEAP_FLAG_DW);
    check_noticed("yes-wins", NEAP_SET_RW, NEAP_SET_RW);
}

TEST(a_no_that_leaves_nothing_is_noticed)
{
    check_noticed("no-leaves-nothing", NEAP_FLAG_DW, NEAP_FLAG_DW);
    check_noticed("no-leaves-nothing", NEAP_SET_RW, NEAP_SET_RW);
}

TEST(collecting_before_all_have_it_is_noticed)
{
    check_noticed("collects-early", NEAP_FLAG_DW, NEAP_COUNTER_EXACT);
    check_noticed("collects-early", NEAP_SET_RW, NEAP_SET_RW);
}

TEST(collecting_before_all_that_members_had_is_here_is_noticed)
{
    check_noticed("collects-blind", NEAP_FLAG_DW, NEAP_FLAG_DW);
    check_noticed("collects-blind", NEAP_SET_RW, NEAP_SET_RW);
}

TEST(a_removal_of_an_exact_counter_that_cuts_nothing_is_noticed)
{
    check_noticed("exact-uncut", NEAP_COUNTER_EXACT, NEAP_COUNTER_EXACT);
}

TEST(folding_what_a_removal_may_have_seen_in_part_is_noticed)
{
    check_noticed("exact-folds", NEAP_COUNTER_EXACT, NEAP_COUNTER_EXACT);
}

TEST(spending_rights_that_others_have_is_noticed)
{
    check_noticed("bounded-spends-any", NEAP_BOUNDED, NEAP_BOUNDED);
}
