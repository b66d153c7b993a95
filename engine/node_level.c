/* Reads at a level: what enough nodes have seen is waited for, then it is read here. */
#include "engine/node_level.h"

#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "engine/node_ask.h"
#include "engine/read.h"
#include "engine/survey.h"

/* One round of questions. QUORUM_WAITS: not enough could say, but that may change. */
static int survey_ask(struct node *node, struct survey *survey, const char *bucket,
                      struct context *ret_seen, enum quorum_verdict *ret_verdict,
                      struct neap_error *error)
{
    struct quorum quorum;
    int code = node_run_ask(node, &survey->ask);

    *ret_verdict = QUORUM_WAITS;
    if (code == NEAP_BUSY)
        return 0;
    if (code)
        return error_set(error, code, "%.60s: asking other nodes: %s", bucket,
                         code == NEAP_UNAVAILABLE ? "this node is being closed" : error_text(code));
    *ret_verdict = survey_verdict(survey, &quorum);
    if (*ret_verdict == QUORUM_DONE)
        code = survey_join(survey, ret_seen);
    else if (survey_may_change(survey) || node_now(node).mono_ms >= survey->ask.until_ms)
        *ret_verdict = QUORUM_WAITS;
    else
        code = quorum_error(&quorum, QUORUM_UNAVAILABLE, error);
    if (code && code != NEAP_UNAVAILABLE)
        error_set(error, code, "%.60s: what other nodes have: %s", bucket, error_text(code));
    return code;
}

static int late(const char *bucket, uint32_t timeout_ms, const char *what, struct neap_error *error)
{
    return error_set(error, NEAP_UNAVAILABLE, "%.60s: %s within %u ms: nothing was read", bucket,
                     what, (unsigned)(timeout_ms ? timeout_ms : NEAP_TIMEOUT_MS));
}

/* What enough of the nodes have seen. */
static int seen_ask(struct node *node, const struct level_read *want, struct context *ret_seen,
                    struct neap_error *error)
{
    enum quorum_verdict verdict = QUORUM_WAITS;
    int code = 0;

    while (!code && verdict != QUORUM_DONE) {
        struct survey survey;
        uint64_t changes = node_changes(node);

        survey_init(&survey, want->bucket, want->level, want->until_ms);
        code = survey_ask(node, &survey, want->bucket, ret_seen, &verdict, error);
        survey_done(&survey);
        if (!code && verdict == QUORUM_WAITS && !node_reads_here(node, want))
            return NEAP_STALE;
        if (!code && verdict == QUORUM_WAITS && node_now(node).mono_ms >= want->until_ms)
            code = NEAP_UNCERTAIN;
        if (!code && verdict == QUORUM_WAITS)
            code = node_changes_wait(node, changes, want->until_ms);
        if (code == NEAP_UNCERTAIN)
            code = late(want->bucket, want->timeout_ms,
                        "not enough other nodes could say what they have", error);
    }
    return code;
}

static int seen_cover(struct node *node, const struct level_read *want, const struct context *seen,
                      struct neap_error *error)
{
    struct token_part part = {.shard = bucket_id(want->bucket), .context = *seen};
    struct cover cover = {.parts = &part, .count = 1, .read = want};
    int code = read_covered(node->disk, part.shard, seen);

    if (code != NEAP_END || BROKEN("reads-behind"))
        return code && code != NEAP_END
                   ? error_set(error, code, "%.60s: %s", want->bucket, error_text(code))
                   : 0;
    code = node_cover(node, &cover, want->until_ms, error);
    if (code == NEAP_UNCERTAIN)
        code = late(want->bucket, want->timeout_ms,
                    "this node does not hold yet what the others have, and it did not come", error);
    return code;
}

bool node_reads_here(struct node *node, const struct level_read *want)
{
    struct placed place;
    bool here = false;

    return !node_place_page(node,
                            &(struct page_request){.bucket = want->name,
                                                   .path = want->path,
                                                   .slot = want->slot,
                                                   .slots = want->slots},
                            &place, &here, NULL) &&
           here && !strcmp(place.shard, want->bucket);
}

/* Without a net this node is all there is. */
static int alone(const struct level_read *want, struct neap_error *error)
{
    struct quorum quorum = {.members = 1, .need = quorum_of_group(want->level, 1), .yes = 1};

    return quorum_error(&quorum, quorum_verdict(&quorum), error);
}

int node_level(struct node *node, const struct level_read *want, struct neap_error *error)
{
    struct context seen = {0};
    int code = 0;

    if (want->level < NEAP_QUORUM)
        return 0;
    if (!node->has_gossip || !node->net)
        return alone(want, error);
    code = seen_ask(node, want, &seen, error);
    if (!code && seen.count)
        code = seen_cover(node, want, &seen, error);
    context_done(&seen);
    return code;
}
