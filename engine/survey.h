/* What enough nodes have seen of a shard: the first step of a read at a level. Each node that is
 * asked says its context; whoever has all that enough of them have, has every write that enough of
 * them had acknowledged before, and reads it as ever (docs/decisions/0092).
 *
 *   struct survey survey;
 *   survey_init(&survey, bucket, level, until_ms);
 *   an event of kind EVENT_ASK with &survey.ask, until it is done with code 0
 *   switch (survey_verdict(&survey, &quorum))
 *       QUORUM_DONE: survey_join(), wait until that is here, read
 *       QUORUM_UNAVAILABLE: survey_may_change(): again when something has changed; else an error
 *   survey_done(&survey); */
#ifndef NEAP_ENGINE_SURVEY_H
#define NEAP_ENGINE_SURVEY_H
#include "engine/quorum.h"
#include "gossip/ask.h"

struct survey {
    struct ask ask; /* first: of it the survey is found */
    enum neap_level level;
    const char *bucket; /* borrowed, until the ask is under way */
};

void survey_init(struct survey *survey, const char *bucket, enum neap_level level,
                 uint64_t until_ms);
void survey_done(struct survey *survey);
/* Never UNCERTAIN: nothing is done by asking. */
enum quorum_verdict survey_verdict(const struct survey *survey, struct quorum *ret_quorum);
/* Some node that is here could not say yet what it has, and may soon. */
bool survey_may_change(const struct survey *survey);
/* All that those who have answered have seen, into an empty context. NOMEM, LIMIT. */
int survey_join(const struct survey *survey, struct context *ret_context);
#endif
