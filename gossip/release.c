/* Design 2, rule 9: a directory that was rolled back in place does not know it. Whoever has seen
 * the future that it lost would take its new events for old ones. So events that were made since
 * the directory was opened, under a replica id that is older than that, are told to nobody until
 * every member has said what it saw of the id; and when one of them is not there to say so, they
 * get a replica id that nobody can have seen. */
#include "gossip/state.h"

#include "base/broken.h"
#include "base/error.h"

int shard_told(const struct shard *shard, struct context *ret_context)
{
    int error = context_copy(ret_context, &shard->context);
    if (!error && !shard_released(shard))
        context_clip(ret_context, shard->replica, shard->opened_at, shard->opened_nonce);
    return error;
}

/* How many members have the shard open, and how many there are. */
static size_t members_open(const struct gossip *gossip, const struct topic *topic,
                           size_t *ret_members)
{
    size_t members = 0, open = 0;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct pair *pair = topic_pair(topic, i);
        if (!peer_is_member(gossip, i))
            continue;
        members++;
        if (pair && pair->open && gossip->peers[i].links[CHANNEL_CONTROL])
            open++;
    }
    *ret_members = members;
    return open;
}

static int release_redot(struct step *step, struct topic *topic, struct shard *shard,
                         const char *why)
{
    struct gossip *gossip = step->gossip;
    uint64_t old = shard->replica, replica = store_new_id(gossip->store);
    uint64_t count = context_get(&shard->context, old) - shard->opened_at;
    pull_stop(gossip, topic);
    int error = shard_redot(shard, step->batch, replica);
    if (error)
        return error;
    gossip->counts[REASON_redotted]++;
    trace(gossip->trace, "%s: new replica id, %s, %llu events", shard->name, why,
          (unsigned long long)count);
    topic_changed(gossip, topic);
    for (size_t i = 0; i < gossip->peers_count; i++) {
        struct pair *pair = topic_pair(topic, i);
        if (!pair)
            continue;
        pair->open = false;
        pair->sent = 0;
        pair->behind = false;
        if (pair->replica)
            pair_wants_digest(gossip, pair, i);
    }
    error = topic_touch(gossip, topic);
    return error ? error : topic_queue(gossip, topic);
}

int release_work(struct step *step, struct topic *topic, struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    size_t members, open;
    if (shard->confirmed)
        return 0;
    open = members_open(gossip, topic, &members);
    if (open == 0)
        return 0;
    if (open == members || BROKEN("confirm-alone")) {
        int error = shard_confirm(shard, step->batch);
        if (error)
            return error;
        trace(gossip->trace, "%s: replica id confirmed", shard->name);
        topic_changed(gossip, topic);
        return topic_touch(gossip, topic);
    }
    if (!topic->release_at)
        topic->release_at = step->now.mono_ms + RELEASE_WAIT_MS;
    if (step->now.mono_ms >= topic->release_at)
        return release_redot(step, topic, shard, "not all confirmed it");
    topic_wake(gossip, topic, topic->release_at);
    return 0;
}

int release_check(struct step *step, struct topic *topic, struct shard *shard,
                  const struct context_entry *seen, bool *ret_fine)
{
    *ret_fine = !seen || shard_check_quote(shard, seen) != QUOTE_ROLLBACK;
    if (*ret_fine)
        return 0;
    step->gossip->counts[REASON_rollbacks]++;
    return release_redot(step, topic, shard, "rolled back");
}

int release_refused(struct step *step, struct topic *topic, struct shard *shard)
{
    if (shard->went_back) {
        step->gossip->counts[REASON_rollbacks]++;
        return release_redot(step, topic, shard, "rolled back");
    }
    step->gossip->counts[REASON_other_history]++;
    trace(step->gossip->trace, "%s: of another history, not taken", shard->name);
    if (topic->pull.state != PULL_NONE)
        return pull_end(step, topic, PULL_AGAIN_MS);
    return 0;
}
