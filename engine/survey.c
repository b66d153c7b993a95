#include "engine/survey.h"

#include "base/broken.h"
#include "base/error.h"

static bool survey_is_enough(const struct ask *ask)
{
    const struct survey *survey = (const struct survey *)ask;
    struct quorum quorum;

    return survey_verdict(survey, &quorum) != QUORUM_WAITS;
}

void survey_init(struct survey *survey, uint64_t shard, enum neap_level level, uint64_t until_ms)
{
    *survey = (struct survey){.ask = {.kind = ASK_SEEN,
                                      .shard = shard,
                                      .until_ms = until_ms,
                                      .is_enough = survey_is_enough},
                              .level = level};
}

void survey_done(struct survey *survey)
{
    ask_done(&survey->ask);
}

/* NOTFOUND: it has nothing of the shard, and that is what it has seen. But to a device it may mean
 * that the device may not know of it. */
static bool answer_is_yes(const struct survey *survey, const struct ask_answer *answer)
{
    return answer->end == ASK_TOLD &&
           (answer->code == 0 || (answer->code == NEAP_NOTFOUND && !survey->ask.limited));
}

static bool answer_is_away(const struct ask_answer *answer)
{
    return answer->end == ASK_AWAY || answer->end == ASK_LEFT || answer->end == ASK_LOST;
}

enum quorum_verdict survey_verdict(const struct survey *survey, struct quorum *ret_quorum)
{
    const struct ask *ask = &survey->ask;
    struct quorum quorum = {.members = ask->members, .yes = ask->self};

    quorum.no = ask->members - ask->self - (unsigned)ask->count;
    for (size_t i = 0; i < ask->count; i++) {
        const struct ask_answer *answer = &ask->answers[i];

        if (answer_is_yes(survey, answer))
            quorum.yes++;
        else if (answer_is_away(answer))
            quorum.away++;
        else if (answer->end != ASK_WAITS)
            quorum.no++;
    }
    /* Levels were checked when the call came. */
    must(!quorum_need(survey->level, quorum.members, &quorum.need, NULL));
    if (quorum.need > 1 && BROKEN("reads-ask-one-less"))
        quorum.need--;
    *ret_quorum = quorum;
    return quorum_verdict(&quorum);
}

bool survey_may_change(const struct survey *survey)
{
    const struct ask *ask = &survey->ask;
    bool may = ask->members > ask->self + (unsigned)ask->count;

    for (size_t i = 0; i < ask->count; i++) {
        const struct ask_answer *answer = &ask->answers[i];

        may |= answer->end == ASK_NOMEM || answer->end == ASK_LOST || answer->end == ASK_LEFT ||
               (answer->end == ASK_TOLD && !answer_is_yes(survey, answer) &&
                answer->code != NEAP_FORMAT);
    }
    return may;
}

int survey_join(const struct survey *survey, struct context *ret_context)
{
    const struct ask *ask = &survey->ask;
    int error = 0;

    for (size_t i = 0; !error && i < ask->count; i++) {
        if (answer_is_yes(survey, &ask->answers[i]))
            error = context_join(ret_context, &ask->answers[i].context);
    }
    return error;
}
