#include "engine/survey.h"

#include "base/broken.h"
#include "base/error.h"
#include "store/store.h"

static bool survey_is_enough(const struct ask *ask)
{
    const struct survey *survey = (const struct survey *)ask;
    struct quorum quorum;

    return survey_verdict(survey, &quorum) != QUORUM_WAITS;
}

void survey_init(struct survey *survey, const char *bucket, enum neap_level level,
                 uint64_t until_ms)
{
    *survey = (struct survey){.ask = {.kind = ASK_SEEN,
                                      .shard = bucket_id(bucket),
                                      .until_ms = until_ms,
                                      .names = &survey->bucket,
                                      .names_count = 1,
                                      .level = level,
                                      .is_enough = survey_is_enough},
                              .level = level,
                              .bucket = bucket};
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

/* How an owner has answered; one that is not known is away. */
static void group_count(const struct survey *survey, uint64_t node, struct quorum *quorum)
{
    const struct ask *ask = &survey->ask;
    const struct ask_answer *found = NULL;

    if (node == ask->me && ask->self) {
        quorum->yes++;
        return;
    }
    for (size_t i = 0; i < ask->count; i++) {
        if (ask->answers[i].node == node && (!found || answer_is_away(found)))
            found = &ask->answers[i];
    }
    if (!found || answer_is_away(found))
        quorum->away++;
    else if (answer_is_yes(survey, found))
        quorum->yes++;
    else if (found->end != ASK_WAITS)
        quorum->no++;
}

/* Each group has to be reached. */
static enum quorum_verdict groups_verdict(const struct survey *survey, struct quorum *ret_quorum)
{
    enum quorum_verdict worst = QUORUM_DONE;

    for (size_t i = 0; i < survey->ask.groups_count; i++) {
        const struct group *group = &survey->ask.groups[i];
        struct quorum quorum = {.members = group->count,
                                .need = quorum_of_group(survey->level, group->count)};

        for (unsigned j = 0; j < group->count; j++)
            group_count(survey, group->nodes[j], &quorum);
        if (quorum.need > 1 && BROKEN("reads-ask-one-less"))
            quorum.need--;
        if (i == 0 || quorum_verdict(&quorum) > worst)
            *ret_quorum = quorum;
        worst = quorum_both(worst, quorum_verdict(&quorum));
    }
    return worst;
}

enum quorum_verdict survey_verdict(const struct survey *survey, struct quorum *ret_quorum)
{
    const struct ask *ask = &survey->ask;
    struct quorum quorum = {.members = ask->members, .yes = ask->self};

    if (ask->groups)
        return groups_verdict(survey, ret_quorum);
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
    bool may = !ask->groups && ask->members > ask->self + (unsigned)ask->count;

    for (size_t i = 0; i < ask->count; i++) {
        const struct ask_answer *answer = &ask->answers[i];

        may |= answer->end == ASK_NOMEM || answer->end == ASK_LOST || answer->end == ASK_LEFT ||
               answer->end == ASK_UNHELD ||
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
