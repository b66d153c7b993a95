#include "gossip/holders.h"

#include "base/broken.h"
#include "gossip/state.h"

bool gossip_votes(const struct gossip *gossip, size_t peer)
{
    return peer_is_member(gossip, peer) && !access_is_limited(gossip, peer);
}

/* Peers tell what they have only when it is durable there (rule 8). */
static bool peer_has(const struct topic *topic, size_t peer, const struct context *context)
{
    const struct pair *pair = topic ? topic_pair(topic, peer) : NULL;
    return context && pair && pair->known && context_covers(&pair->context, context);
}

void gossip_holders(const struct gossip *gossip, uint64_t shard, const struct context *context,
                    struct holders *ret_holders)
{
    const struct topic *topic = topic_find(gossip, shard);
    struct holders holders = {.self = !gossip->options.device};
    holders.members = holders.self;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        if (!gossip_votes(gossip, i))
            continue;
        bool has = peer_has(topic, i, context);
        holders.members++;
        holders.others += has;
        holders.away += !has && !peer_is_up(gossip, i);
    }
    if (BROKEN("quorum-counts-twice"))
        holders.others *= 2;
    if (BROKEN("quorum-of-those-here")) {
        holders.members -= holders.away;
        holders.away = 0;
    }
    *ret_holders = holders;
}
