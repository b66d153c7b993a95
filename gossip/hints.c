#include "gossip/hints.h"

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/state.h"

static const struct {
    const char *word, *text;
} ways[] = {
#define X(name, word, text) {word, text},
    HINT_WAYS(X)
#undef X
};

const char *hint_way_word(enum hint_way way)
{
    return ways[way].word;
}

const char *hint_way_text(enum hint_way way)
{
    return ways[way].text;
}

/* ---- since when ---- */

/* What a peer lacks now is a goal; it has lacked something as long as it has not got all of the
 * latest one. So under constant writing the age is that of what is under way, not of the writing.
 */
int hint_work(struct step *step, struct pair *pair, const struct shard *shard)
{
    if (!pair->known || (pair->lacks_ms && !context_covers(&pair->context, &pair->goal)))
        return 0;
    pair->lacks_ms = 0;
    if (context_covers(&pair->context, &shard->context)) {
        context_clear(&pair->goal);
        return 0;
    }
    int error = context_copy(&pair->goal, &shard->context);
    if (!error)
        pair->lacks_ms = step->now.wall_ms;
    return error;
}

/* ---- what is lacking ---- */

static void hint_count(struct hint *hint, const struct shard *shard)
{
    for (size_t i = 0; i < shard->context.count; i++) {
        const struct context_entry *entry = &shard->context.entries[i];
        uint64_t horizon = context_get(&shard->horizon, entry->id);
        uint64_t has = context_get(&hint->has, entry->id);
        uint64_t from = has > horizon ? has : horizon;
        hint->events += entry->n > from ? entry->n - from : 0;
        hint->cut += has < horizon ? horizon - has : 0;
    }
}

static int hint_make(const struct gossip *gossip, const struct topic *topic,
                     const struct shard *shard, size_t index, struct hint *ret_hint)
{
    const struct peer *peer = &gossip->peers[index];
    const struct pair *pair = topic ? topic_pair(topic, index) : NULL;
    struct hint hint = {.address = peer->address,
                        .node = peer->met ? peer->node : 0,
                        .connected = peer_is_up(gossip, index),
                        .open = topic_open_pair(gossip, topic, index) != NULL,
                        .member = topic && topic_has_member(gossip, topic, index) &&
                                  !known_is_retired(gossip, index),
                        .heard_ms = peer->heard_wall_ms};
    if (!pair || !pair->known) {
        hint.way = HINT_UNKNOWN;
        hint.events = shard_log_count(shard);
        *ret_hint = hint;
        return 0;
    }
    int error = context_copy(&hint.has, &pair->context);
    if (error)
        return error;
    hint_count(&hint, shard);
    hint.way = hint.cut ? HINT_COMPARE : hint.events ? HINT_LOG : HINT_NONE;
    hint.since_ms = hint.way == HINT_NONE ? 0 : pair->lacks_ms;
    *ret_hint = hint;
    return 0;
}

/* What goes once all members have it but one, and that one has not. */
static void hints_alone(struct hints *hints, const struct shard *shard)
{
    for (size_t i = 0; i < shard->context.count; i++) {
        const struct context_entry *entry = &shard->context.entries[i];
        uint64_t horizon = context_get(&shard->horizon, entry->id), least = entry->n;
        uint64_t next = entry->n;
        struct hint *last = NULL;
        for (size_t at = 0; at < hints->count; at++) {
            struct hint *hint = &hints->hints[at];
            uint64_t has = context_get(&hint->has, entry->id);
            has = has < horizon ? horizon : has;
            if (!hint->member || has >= next)
                continue;
            if (last && has >= least) {
                next = has;
                continue;
            }
            next = last ? least : entry->n;
            least = has;
            last = hint;
        }
        if (last)
            last->alone += next - least;
    }
}

int gossip_hints(const struct gossip *gossip, const struct shard *shard, struct hints *ret_hints)
{
    const struct topic *topic = topic_find(gossip, shard->id);
    struct hints hints = {.log = shard_log_count(shard),
                          .log_max = gossip->options.log_max,
                          .readers = gossip_kept(gossip, shard->id),
                          .comparing = shard->session.id != 0};
    int error = 0;
    if (!shard_released(shard))
        hints.unconfirmed = context_get(&shard->context, shard->replica) - shard->opened_at;
    hints.hints =
        gossip->peers_count ? mem_new_array(gossip->peers_count, sizeof(struct hint)) : NULL;
    if (gossip->peers_count && !hints.hints)
        return NEAP_NOMEM;
    for (size_t i = 0; i < gossip->peers_count && !error; i++) {
        bool has_part = topic && topic_has_member(gossip, topic, i);
        if (!has_part && (!topic || !topic_pair(topic, i)))
            continue;
        error = hint_make(gossip, topic, shard, i, &hints.hints[hints.count]);
        hints.count += !error;
        hints.members += !error && hints.hints[hints.count - 1].member;
    }
    if (error) {
        hints_done(&hints);
        return error;
    }
    hints_alone(&hints, shard);
    *ret_hints = hints;
    return 0;
}

void hints_done(struct hints *hints)
{
    for (size_t i = 0; i < hints->count; i++)
        context_done(&hints->hints[i].has);
    mem_free(hints->hints);
    *hints = (struct hints){0};
}
