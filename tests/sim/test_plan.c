/* Plans: a seed makes the same one whatever is asked of it besides, so that commands can leave out
 * what a history doesn't need; and a failing one is shortened to what fails. */
#include <string.h>

#include "sim/rules.h"
#include "sim/shrink.h"
#include "tests/support/test.h"

static struct settings settings_of(uint64_t seed, uint32_t events, const char *faults)
{
    struct settings settings = {.seed = seed, .events = events, .workload = &workload_default};
    char why[200];
    CHECK(faults_parse(faults, &settings.faults, why, sizeof why));
    return settings;
}

static bool step_is(const struct step *a, const struct step *b)
{
    return a->number == b->number && a->gap_ms == b->gap_ms && a->fault == b->fault &&
           a->seed == b->seed;
}

TEST(a_longer_plan_begins_like_a_shorter_one)
{
    struct settings few = settings_of(5, 100, "all"), many = settings_of(5, 1000, "all");
    struct plan a, b;
    plan_make(&a, &few);
    plan_make(&b, &many);
    CHECK_EQUAL(a.count, 100);
    CHECK_EQUAL(b.count, 1000);
    for (size_t i = 0; i < a.count; i++)
        CHECK(step_is(&a.steps[i], &b.steps[i]));
    plan_done(&a);
    plan_done(&b);
}

TEST(nodes_that_are_asked_for_change_nothing_else)
{
    struct settings drawn = settings_of(6, 100, "all"), asked = drawn;
    struct plan a, b;
    plan_make(&a, &drawn);
    asked.nodes = a.world.nodes + 1;
    plan_make(&b, &asked);
    CHECK_EQUAL(b.world.nodes, a.world.nodes + 1);
    CHECK_EQUAL(b.world.log_max, a.world.log_max);
    for (size_t i = 0; i < a.count; i++)
        CHECK(step_is(&a.steps[i], &b.steps[i]));
    plan_done(&a);
    plan_done(&b);
}

/* Steps that are left may be had with only the faults that are among them. */
TEST(faults_that_no_step_has_need_not_be_allowed)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct settings all = settings_of(seed, 300, "all"), few = all;
        struct plan whole, part;
        plan_make(&whole, &all);
        bool kept[300] = {false};
        for (size_t i = 0; i < 300; i++)
            kept[i] = i % 17 == seed % 17;
        plan_keep(&whole, kept);
        few.faults = plan_used(&whole);
        CHECK((few.faults & ~all.faults) == 0);
        plan_make(&part, &few);
        plan_keep(&part, kept);
        CHECK_EQUAL(part.count, whole.count);
        for (size_t i = 0; i < part.count; i++)
            CHECK(step_is(&part.steps[i], &whole.steps[i]));
        plan_done(&whole);
        plan_done(&part);
    }
}

TEST(a_list_of_steps_is_what_was_kept)
{
    struct settings settings = settings_of(7, 30, "all");
    struct buffer text;
    struct plan plan, again;
    uint64_t time = 0, kept_time = 0;
    plan_make(&plan, &settings);
    for (size_t i = 0; i < 20; i++)
        time += plan.steps[i].gap_ms;
    CHECK(plan_only(&plan, "3,17-20,5"));
    CHECK_EQUAL(plan.count, 6);
    for (size_t i = 0; i < plan.count; i++)
        kept_time += plan.steps[i].gap_ms;
    CHECK_EQUAL(kept_time, time);
    buffer_init(&text, 1000);
    plan_numbers(&plan, &text);
    CHECK_SLICE(buffer_slice(&text), "3,5,17-20");
    CHECK(plan_only(&plan, "none"));
    CHECK_EQUAL(plan.count, 0);
    buffer_clear(&text);
    plan_numbers(&plan, &text);
    CHECK_SLICE(buffer_slice(&text), "none");
    buffer_done(&text);
    plan_done(&plan);
    plan_make(&again, &settings);
    static const char *const bad[] = {"", "0", "31", "1-31", "5-3", "1,,2", "x", "1-", ",1", "1 2"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!plan_only(&again, bad[i]));
        CHECK_EQUAL(again.count, 30);
    }
    plan_done(&again);
}

TEST(a_failing_history_shrinks_to_what_fails_the_same_way)
{
    struct settings settings = settings_of(2, 200, "all");
    struct result failure, result;
    struct plan plan;
    rules_break(rules_find("send-first"));
    plan_make(&plan, &settings);
    CHECK(!run_plan(&plan, &settings, &failure));
    unsigned runs = shrink_plan(&plan, &settings, &failure, 200);
    CHECK(runs > 0 && runs <= 200);
    CHECK(plan.count <= 3);
    CHECK(!run_plan(&plan, &settings, &result));
    CHECK(!strncmp(result.why, failure.why, strcspn(failure.why, ":") + 1));
    rules_break(NULL);
    CHECK(run_plan(&plan, &settings, &result));
    plan_done(&plan);
}

TEST(shrinking_ends_after_so_many_runs)
{
    struct settings settings = settings_of(2, 200, "all");
    struct result failure;
    struct plan plan;
    rules_break(rules_find("send-first"));
    plan_make(&plan, &settings);
    CHECK(!run_plan(&plan, &settings, &failure));
    CHECK_EQUAL(shrink_plan(&plan, &settings, &failure, 2), 2);
    CHECK(plan.count > 0 && plan.count <= 200);
    rules_break(NULL);
    plan_done(&plan);
}
