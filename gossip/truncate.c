/* The log (design 2, rule 5): what every member has is cut; a member that is away holds it back, up
 * to a bound. */
#include "gossip/state.h"

#include "base/broken.h"
#include "base/error.h"

enum { SETTLE_AGAIN_MS = 20 };

void context_meet(struct context *context, const struct context *other)
{
    size_t at = 0, kept = 0;
    for (size_t i = 0; i < context->count; i++) {
        struct context_entry entry = context->entries[i];
        while (at < other->count && other->entries[at].id < entry.id)
            at++;
        if (at == other->count || other->entries[at].id != entry.id)
            continue;
        if (other->entries[at].n < entry.n)
            entry = (struct context_entry){.id = entry.id, .n = other->entries[at].n};
        context->entries[kept++] = entry;
    }
    context->count = kept;
}

/* What all members are known to have; empty when there are none, or one was not heard of. False: a
 * member has what is not here. Who is retired does not count: *ret_retired says that there are
 * such. */
static bool members_meet(const struct gossip *gossip, const struct topic *topic,
                         const struct shard *shard, struct context *stable, bool *ret_retired)
{
    size_t members = 0;
    bool here = true;
    *ret_retired = false;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct pair *pair = topic_pair(topic, i);
        if (!topic_has_member(gossip, topic, i))
            continue;
        if (known_is_retired(gossip, i)) {
            *ret_retired = true;
            continue;
        }
        members++;
        if (pair && pair->known)
            context_meet(stable, &pair->context);
        else
            context_clear(stable);
        here =
            here && pair && pair->known && !pair_has_more(gossip, pair, i, shard, &pair->context);
    }
    if (members == 0 && !*ret_retired)
        context_clear(stable);
    return here && (members > 0 || *ret_retired);
}

/* What own events have left in cells goes when all members have it; until then their entries stay
 * in the log, `stable` says how far it may be cut. That all that members had made before they had
 * it is here, only what is here of their contexts can show (docs/decisions/0071). */
static int collect_work(struct step *step, struct topic *topic, struct shard *shard, bool here,
                        struct context *stable)
{
    uint64_t to = context_get(stable, shard->replica), all, events = 0;
    uint64_t from = context_get(&shard->horizon, shard->replica);
    int error = 0;
    if (BROKEN("collects-early")) {
        error = context_join(&shard->stable, &shard->context);
        to = context_get(&shard->context, shard->replica);
        here = true;
    }
    if (!error && here)
        error = context_join(&shard->stable, stable);
    if (error || from >= shard->collect_to || to <= from)
        return error;
    all = to;
    if (here && !topic->due && !shard->unwanted)
        error = shard_collect(shard, step->batch, all, &to, &events);
    else
        to = from;
    if (error)
        return error;
    if (here && !topic->due && to < all) /* the rest soon */
        topic_wake(step->gossip, topic, step->now.mono_ms + SETTLE_AGAIN_MS);
    context_clip(stable, shard->replica, to, 0);
    if (events) {
        gossip_touched(step->gossip, shard->id);
        trace(step->gossip->trace, "%s: %llu cells collected", shard->name,
              (unsigned long long)events);
    }
    return 0;
}

/* A bound was passed: the oldest events of each replica id go, whoever lacks them. What is not
 * confirmed can't, and neither can own ones beyond `told` (NULL: any may). */
static int log_cut_early(struct shard *shard, struct batch *batch, uint64_t log_max,
                         const struct context *told, bool *ret_cut)
{
    uint64_t keep = log_max / 4 * 3, count = shard_log_count(shard);
    struct context stable = {0};
    *ret_cut = false;
    if (!log_max || count <= log_max || BROKEN("log-unbounded"))
        return 0;
    int error = shard_told(shard, &stable);
    for (size_t i = stable.count; i-- > 0 && !error;) {
        struct context_entry entry = stable.entries[i];
        uint64_t kept = shard_log_count_of(shard, entry.id);
        kept = (uint64_t)((double)kept * (double)keep / (double)count);
        uint64_t to = entry.n - (kept < entry.n ? kept : entry.n);
        if (told && shard_is_own(shard, entry.id) && context_get(told, entry.id) < to)
            to = context_get(told, entry.id);
        context_clip(&stable, entry.id, to, 0);
    }
    if (!error && !context_covers(&shard->horizon, &stable))
        error = shard_truncate(shard, batch, &stable);
    context_done(&stable);
    *ret_cut = !error && shard_log_count(shard) < count;
    return error;
}

uint64_t gossip_log_max(const struct gossip *gossip)
{
    return gossip->options.log_max;
}

int gossip_set_log_max(struct gossip *gossip, uint64_t log_max)
{
    gossip->options.log_max = log_max;
    return topics_queue(gossip);
}

int gossip_cut_early(struct shard *shard, struct batch *batch, uint64_t log_max, bool *ret_cut)
{
    return log_cut_early(shard, batch, log_max, NULL, ret_cut);
}

/* What some peer has: of the rest a device is the only one who can tell, and only from its log, as
 * nobody takes cells from it. */
static int peers_have(const struct gossip *gossip, const struct topic *topic,
                      struct context *ret_context)
{
    int error = 0;
    for (size_t i = 0; i < gossip->peers_count && !error; i++) {
        const struct pair *pair = topic_pair(topic, i);
        if (pair && pair->known)
            error = context_join(ret_context, &pair->context);
    }
    return error == NEAP_LIMIT ? 0 : error;
}

static int cut_early(struct step *step, const struct topic *topic, struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    struct context told = {0};
    bool cut = false, limited = gossip->options.device;
    int error = 0;
    if (limited && shard_log_count(shard) > gossip->options.log_max)
        error = peers_have(gossip, topic, &told);
    if (!error)
        error = log_cut_early(shard, step->batch, gossip->options.log_max, limited ? &told : NULL,
                              &cut);
    context_done(&told);
    if (error || !cut)
        return error;
    gossip->counts[REASON_log_cut_early]++;
    trace(gossip->trace, "%s: log cut early, %llu left", shard->name,
          (unsigned long long)shard_log_count(shard));
    return 0;
}

/* A long list of cells that a residue was kept for goes in parts: the rest soon. */
static int settle_work(struct step *step, struct topic *topic, struct shard *shard)
{
    int error = shard->settling > 0 ? shard_settle(shard, step->batch) : 0;
    if (!error && shard->settling > 0)
        topic_wake(step->gossip, topic, step->now.mono_ms + SETTLE_AGAIN_MS);
    return error;
}

int truncate_work(struct step *step, struct topic *topic, struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    struct context stable = {0};
    if (shard->session.id) /* it may last, and local events go on */
        return cut_early(step, topic, shard);
    int error = settle_work(step, topic, shard);
    if (error || shard_log_count(shard) == 0 || BROKEN("log-stays"))
        return error;
    error = shard_told(shard, &stable);
    if (error)
        return error;
    bool here = true, retired = false;
    if (!BROKEN("cut-blind"))
        here = members_meet(gossip, topic, shard, &stable, &retired);
    /* What cells keep for somebody who may return stays, though its entries in the log go: then it
     * is there for good. */
    if (!retired || BROKEN("retired-forgotten"))
        error = collect_work(step, topic, shard, here, &stable);
    if (!error)
        kept_meet(gossip, step->now, topic, &stable);
    if (!error && !context_covers(&shard->horizon, &stable)) {
        error = shard_truncate(shard, step->batch, &stable);
        if (!error)
            trace(gossip->trace, "%s: log cut, %llu left", shard->name,
                  (unsigned long long)shard_log_count(shard));
    }
    context_done(&stable);
    return error ? error : cut_early(step, topic, shard);
}
