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

/* A bucket that is not known by name is taken for one that all want. */
static struct holders holders_of(const struct gossip *gossip, const struct topic *topic,
                                 const char *bucket, const struct context *context)
{
    struct holders holders = {.self = !gossip->options.device};
    holders.members = holders.self;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        if (!gossip_votes(gossip, i) || (bucket && !peer_wants(gossip, i, bucket)))
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
    return holders;
}

void gossip_holders(const struct gossip *gossip, uint64_t shard, const struct context *context,
                    struct holders *ret_holders)
{
    const struct shard *found = store_find(gossip->store, shard);
    *ret_holders =
        holders_of(gossip, topic_find(gossip, shard), found ? found->name : NULL, context);
}

/* The entry of a node; one that is connected before others. */
static size_t peer_of(const struct gossip *gossip, uint64_t node)
{
    size_t found = NO_PEER;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        if (peer->met && peer->node == node && !peer->self &&
            (found == NO_PEER || peer_is_up(gossip, i)))
            found = i;
    }
    return found;
}

void gossip_holders_in(const struct gossip *gossip, const struct group *group, uint64_t shard,
                       const struct context *context, struct holders *ret_holders)
{
    const struct topic *topic = topic_find(gossip, shard);
    struct holders holders = {.members = group->count};
    for (unsigned i = 0; i < group->count; i++) {
        size_t peer = peer_of(gossip, group->nodes[i]);
        if (group->nodes[i] == gossip->store->identity.node) {
            holders.self = true;
            continue;
        }
        bool has = peer != NO_PEER && gossip_votes(gossip, peer) && peer_has(topic, peer, context);
        holders.others += has;
        holders.away += !has && (peer == NO_PEER || !peer_is_up(gossip, peer));
    }
    if (BROKEN("quorum-counts-twice"))
        holders.others *= 2;
    *ret_holders = holders;
}

void gossip_holders_of(const struct gossip *gossip, const char *bucket, struct holders *ret_holders)
{
    *ret_holders = holders_of(gossip, NULL, bucket, NULL);
}
