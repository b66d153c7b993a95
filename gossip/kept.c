#include "gossip/kept.h"

#include "gossip/state.h"

static struct kept_log *kept_find(struct gossip *gossip, uint64_t shard, uint64_t reader)
{
    struct kept_log *oldest = &gossip->kept[0];
    for (size_t i = 0; i < gossip->kept_count; i++) {
        struct kept_log *kept = &gossip->kept[i];
        if (kept->shard == shard && kept->reader == reader)
            return kept;
        if (kept->until_ms < oldest->until_ms)
            oldest = kept;
    }
    return gossip->kept_count < KEPT_LOGS_MAX ? &gossip->kept[gossip->kept_count] : oldest;
}

int gossip_keep(struct gossip *gossip, struct now now, uint64_t shard, uint64_t reader,
                const struct context *context)
{
    struct kept_log *kept = kept_find(gossip, shard, reader);
    struct topic *topic = topic_find(gossip, shard);
    int error = context_copy(&kept->context, context);
    if (error)
        return error;
    gossip->kept_count += kept == &gossip->kept[gossip->kept_count];
    kept->shard = shard;
    kept->reader = reader;
    kept->until_ms = now.mono_ms + KEPT_LOG_MS;
    /* What was kept for where it was before may go now. */
    return topic ? topic_queue(gossip, topic) : 0;
}

size_t gossip_kept(const struct gossip *gossip, uint64_t shard)
{
    size_t count = 0;
    for (size_t i = 0; i < gossip->kept_count; i++)
        count += gossip->kept[i].shard == shard && gossip->kept[i].until_ms > gossip->now_ms;
    return count;
}

void kept_meet(struct gossip *gossip, struct now now, struct topic *topic, struct context *stable)
{
    for (size_t i = gossip->kept_count; i-- > 0;) {
        struct kept_log *kept = &gossip->kept[i];
        if (kept->until_ms <= now.mono_ms) {
            context_done(&kept->context);
            *kept = gossip->kept[--gossip->kept_count];
            gossip->kept[gossip->kept_count] = (struct kept_log){0};
        } else if (kept->shard == topic->shard) {
            context_meet(stable, &kept->context);
            topic_wake(gossip, topic, kept->until_ms + 1);
        }
    }
}

void kept_free(struct gossip *gossip)
{
    for (size_t i = 0; i < KEPT_LOGS_MAX; i++)
        context_done(&gossip->kept[i].context);
}
