#include "engine/survey.h"

#include "base/alloc.h"
#include "tests/support/test.h"

/* As gossip would have filled it in: of so many others, and this node. */
static void survey_of(struct survey *survey, enum neap_level level, size_t others)
{
    survey_init(survey, "box", level, 1000);
    survey->ask.answers = mem_new_array(others + 1, sizeof *survey->ask.answers);
    CHECK(survey->ask.answers);
    survey->ask.count = others;
    survey->ask.members = (unsigned)others + 1;
    survey->ask.self = true;
}

static void answers(struct survey *survey, size_t index, enum ask_end end, int code, uint64_t n)
{
    struct ask_answer *answer = &survey->ask.answers[index];

    answer->end = end;
    answer->code = code;
    if (n)
        CHECK_OK(context_raise(&answer->context, 100 + index, n, 1));
}

static enum quorum_verdict verdict(const struct survey *survey)
{
    struct quorum quorum;

    return survey_verdict(survey, &quorum);
}

TEST(a_survey_ends_when_enough_have_answered)
{
    struct survey survey;

    survey_of(&survey, NEAP_QUORUM, 4);
    answers(&survey, 0, ASK_TOLD, 0, 5);
    CHECK_EQUAL(verdict(&survey), QUORUM_WAITS);
    CHECK(!survey.ask.is_enough(&survey.ask));
    answers(&survey, 1, ASK_TOLD, NEAP_NOTFOUND, 0); /* nobody wrote there */
    CHECK_EQUAL(verdict(&survey), QUORUM_DONE);
    CHECK(survey.ask.is_enough(&survey.ask));
    survey_done(&survey);
}

TEST(a_survey_that_too_few_can_answer_ends_at_once)
{
    struct survey survey;

    survey_of(&survey, NEAP_QUORUM, 4);
    answers(&survey, 0, ASK_AWAY, 0, 0);
    answers(&survey, 1, ASK_AWAY, 0, 0);
    CHECK_EQUAL(verdict(&survey), QUORUM_WAITS);
    answers(&survey, 2, ASK_AWAY, 0, 0);
    CHECK_EQUAL(verdict(&survey), QUORUM_UNAVAILABLE);
    CHECK(!survey_may_change(&survey));
    survey_done(&survey);
    survey_of(&survey, NEAP_ALL, 4);
    answers(&survey, 3, ASK_AWAY, 0, 0);
    CHECK_EQUAL(verdict(&survey), QUORUM_UNAVAILABLE);
    survey_done(&survey);
}

TEST(who_cannot_say_yet_is_asked_again)
{
    static const struct {
        enum ask_end end;
        int code;
        bool again;
    } cases[] = {
        {ASK_TOLD, NEAP_BUSY, true}, {ASK_TOLD, NEAP_STALE, true},   {ASK_LEFT, 0, true},
        {ASK_LOST, 0, true},         {ASK_TOLD, NEAP_FORMAT, false}, {ASK_SILENT, 0, false},
        {ASK_AWAY, 0, false}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct survey survey;

        survey_of(&survey, NEAP_ALL, 2);
        answers(&survey, 0, ASK_TOLD, 0, 1);
        answers(&survey, 1, cases[i].end, cases[i].code, 0);
        CHECK_EQUAL(verdict(&survey), QUORUM_UNAVAILABLE);
        CHECK_EQUAL(survey_may_change(&survey), cases[i].again);
        survey_done(&survey);
    }
}

/* A node that may have lost what it had. */
TEST(who_may_not_say_what_it_has_does_not_count_itself)
{
    struct survey survey;

    survey_of(&survey, NEAP_QUORUM, 2);
    survey.ask.self = false;
    answers(&survey, 0, ASK_TOLD, 0, 1);
    CHECK_EQUAL(verdict(&survey), QUORUM_WAITS);
    answers(&survey, 1, ASK_TOLD, 0, 1);
    CHECK_EQUAL(verdict(&survey), QUORUM_DONE);
    survey.ask.answers[1].end = ASK_AWAY;
    CHECK_EQUAL(verdict(&survey), QUORUM_UNAVAILABLE);
    CHECK(survey_may_change(&survey));
    survey_done(&survey);
}

/* It may be that the device may not know of it: then nothing is said of what is there. */
TEST(that_there_is_nothing_is_no_answer_to_a_device)
{
    struct survey survey;

    survey_of(&survey, NEAP_ALL, 1);
    survey.ask.members = 1;
    survey.ask.self = false;
    survey.ask.limited = true;
    answers(&survey, 0, ASK_TOLD, NEAP_NOTFOUND, 0);
    CHECK_EQUAL(verdict(&survey), QUORUM_UNAVAILABLE);
    survey_done(&survey);
}

TEST(what_was_seen_is_what_any_of_those_who_answered_had)
{
    struct survey survey;
    struct context seen = {0};

    survey_of(&survey, NEAP_ALL, 3);
    answers(&survey, 0, ASK_TOLD, 0, 5);
    answers(&survey, 1, ASK_TOLD, 0, 6);
    answers(&survey, 2, ASK_TOLD, NEAP_NOTFOUND, 0);
    CHECK_OK(survey_join(&survey, &seen));
    CHECK_EQUAL(seen.count, 2);
    CHECK_EQUAL(context_get(&seen, 100), 5);
    CHECK_EQUAL(context_get(&seen, 101), 6);
    context_done(&seen);
    survey_done(&survey);
}

static int join_run(void *argument)
{
    struct context seen = {0};
    int error = survey_join(argument, &seen);

    context_done(&seen);
    return error;
}

TEST(a_join_survives_failed_allocations)
{
    struct survey survey;

    survey_of(&survey, NEAP_ALL, 2);
    answers(&survey, 0, ASK_TOLD, 0, 5);
    answers(&survey, 1, ASK_TOLD, 0, 6);
    test_alloc_sweep(join_run, &survey);
    survey_done(&survey);
}
