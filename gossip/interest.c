/* What nodes subscribe to, as they tell each other: once at the beginning of each session, before
 * any digest, and again when it changes (docs/decisions/0093). Of a shard that a peer does not
 * want it is told nothing, nobody waits for it there, and its word does not count. What it said
 * last holds while it is away; of who has said nothing yet it is not known, so it wants all. */
#include "base/broken.h"
#include "base/error.h"
#include "gossip/state.h"

bool peer_wants(const struct gossip *gossip, size_t peer, const char *bucket)
{
    const struct peer *entry = &gossip->peers[peer];
    uint64_t node = entry->met ? entry->node : entry->named;
    /* Slots of rings go to their owners, whatever those subscribe to. Who is not known may be one:
     * what was promised to it before this process began holds. */
    if (bucket[0] == '@' && !entry->met && BROKEN("drop-by-met"))
        return false;
    if (bucket[0] == '@')
        return !node || rings_holds(&gossip->rings, bucket_id(bucket), node);
    return !entry->interest_known || BROKEN("tells-all") ||
           subscriptions_have(&entry->interest, bucket);
}

bool shard_is_wanted(const struct gossip *gossip, size_t peer, uint64_t id)
{
    const struct shard *shard = store_find(gossip->store, id);
    return !shard || peer_wants(gossip, peer, shard->name);
}

bool topic_is_wanted(const struct gossip *gossip, const struct topic *topic, size_t peer)
{
    const struct shard *shard = store_find(gossip->store, topic->shard);
    return shard && peer_wants(gossip, peer, shard->name);
}

/* Told of the shard: who wants it, and who has it still and gives it to others. */
bool topic_is_told(const struct gossip *gossip, const struct topic *topic, size_t peer)
{
    const struct pair *pair = topic_pair(topic, peer);
    return (pair && pair->replica) || topic_is_wanted(gossip, topic, peer);
}

void pair_forget(struct gossip *gossip, struct topic *topic, size_t peer)
{
    struct pair *pair = topic_pair(topic, peer);
    if (!pair)
        return;
    if (gossip->pushed_base < pair->pushed.number && !BROKEN("pushes-again"))
        gossip->pushed_base = pair->pushed.number;
    if (topic->pull.state != PULL_NONE && topic->pull.peer == peer)
        pull_stop(gossip, topic);
    gossip->peers[peer].pushed_count[PUSHED_THERE] -= pair->pushed.counted;
    gossip->peers[peer].pushed_count[PUSHED_HERE] -= pair->came.counted;
    topic_drop_pair(topic, peer);
}

/* ---- telling ---- */

int interest_tell(struct step *step, size_t index)
{
    struct gossip *gossip = step->gossip;
    struct peer *peer = &gossip->peers[index];
    struct message message;
    if (peer->interest_told)
        return 0;
    message_init(&message);
    message.kind = MESSAGE_INTEREST;
    message.interest = gossip->store->subscriptions; /* borrowed: not message_done() */
    int error = link_send(step, peer->links[CHANNEL_CONTROL], &message, false);
    if (error)
        return error;
    peer->interest_told = true;
    peer->interest_told_ms = step->now.mono_ms;
    /* It forgets what it knew of this node's shards that are on their way out, or were: so they
     * begin anew. */
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct topic *topic = gossip->topics[i];
        const struct shard *shard = store_find(gossip->store, topic->shard);
        topic->leave.told |= shard && shard->unwanted;
        if (topic->leave.told)
            pair_forget(gossip, topic, index);
    }
    peer->digest_all = true;
    return 0;
}

void gossip_subscribed(struct gossip *gossip)
{
    for (size_t i = 0; i < gossip->peers_count; i++) {
        gossip->peers[i].interest_told = false;
        gossip->peers[i].digest_soon = true;
    }
    for (size_t i = 0; i < gossip->topics_count; i++) {
        const struct shard *shard = store_find(gossip->store, gossip->topics[i]->shard);
        gossip->topics[i]->leave.session = 0;
        gossip->topics[i]->leave.given = false;
        if (shard && shard->unwanted)
            pull_stop(gossip, gossip->topics[i]);
    }
    gossip->leave_at = 0;
    gossip->news++;
}

/* ---- being told ---- */

/* What changes with the new list: what was not wanted may have been dropped there since. */
static void interest_forget(struct gossip *gossip, size_t index,
                            const struct subscriptions *interest)
{
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct topic *topic = gossip->topics[i];
        const struct shard *shard = store_find(gossip->store, topic->shard);
        bool was = topic_is_wanted(gossip, topic, index);
        if (!was || !shard || !subscriptions_have(interest, shard->name))
            pair_forget(gossip, topic, index);
    }
}

int interest_take(struct step *step, size_t index, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct peer *peer = &gossip->peers[index];
    struct subscriptions interest;
    int error = subscriptions_copy(&message->interest, &interest);
    if (error)
        return error;
    interest_forget(gossip, index, &interest);
    subscriptions_done(&peer->interest);
    peer->interest = interest;
    peer->interest_known = true;
    asks_unheld(gossip, index);
    /* It may not have wanted a slot that it was told of, or have dropped it since: it tells its
     * list again when it wants it. */
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct pair *pair = topic_pair(gossip->topics[i], index);
        if (pair)
            pair->told = 0;
    }
    peer->digest_all = peer->digest_soon = true;
    if (!subscriptions_are_all(&peer->interest))
        trace(gossip->trace, "%s: subscribes to %zu names", peer_text(gossip, index),
              peer->interest.count);
    return topics_queue(gossip); /* who is a member may be another question now */
}
