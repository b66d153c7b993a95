#include "gossip/state.h"

#include <stdio.h>
#include <string.h>

#include "base/broken.h"
#include "base/error.h"

void peer_init(struct gossip *gossip, const char *address, bool listed, struct peer *ret_peer)
{
    struct peer peer = {.listed = listed, .alias = NO_PEER, .promises = ++gossip->promises_next};
    snprintf(peer.address, sizeof peer.address, "%s", address);
    for (unsigned channel = 0; channel < CHANNELS; channel++)
        peer.backoff_ms[channel] = BACKOFF_MS_MIN;
    *ret_peer = peer;
}

const char *peer_text(const struct gossip *gossip, size_t index)
{
    if (index == NO_PEER)
        return "somebody";
    return gossip->peers[index].address[0] ? gossip->peers[index].address : "unlisted";
}

void peer_error(struct peer *peer, const char *text)
{
    snprintf(peer->last_error, sizeof peer->last_error, "%s", text);
}

bool peer_is_up(const struct gossip *gossip, size_t index)
{
    const struct peer *peer = &gossip->peers[index];
    return peer->links[CHANNEL_CONTROL] && peer->links[CHANNEL_BULK];
}

static bool peer_has_links(const struct peer *peer)
{
    return peer->links[CHANNEL_CONTROL] || peer->links[CHANNEL_BULK];
}

/* An address under which there is, as it turned out, a process that is connected already. But who
 * used to live there may have links of its own by now, from elsewhere: the entry is that one's. */
static bool peer_is_alias(const struct gossip *gossip, const struct peer *peer)
{
    if (peer->alias == NO_PEER || peer_has_links(peer))
        return false;
    const struct peer *other = &gossip->peers[peer->alias];
    return peer_has_links(other) && (!peer->named || peer->named == other->node);
}

/* Another process has come to where this one was. */
static bool peer_is_replaced(const struct gossip *gossip, const struct peer *peer)
{
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct peer *other = &gossip->peers[i];
        if (other != peer && (other->listed || other->named) && peer->address[0] &&
            !strcmp(other->address, peer->address))
            return true;
    }
    return false;
}

/* A member is whoever logs are kept for: all that are configured, and others that are here, or were
 * not long ago. */
bool peer_is_member(const struct gossip *gossip, size_t index)
{
    const struct peer *peer = &gossip->peers[index];
    if (peer->self || peer->doubled || peer_is_alias(gossip, peer))
        return false;
    if (peer->listed || peer_is_named(gossip, peer) || peer_has_links(peer))
        return true;
    if (known_is_forgotten(gossip, peer->node) || known_has_entry(gossip, peer->node))
        return false;
    uint64_t patience_ms = peer->spoke ? UNLISTED_MS : UNLISTED_HELLO_MS;
    return peer->met && gossip->now_ms < peer->heard_ms + patience_ms &&
           !peer_is_replaced(gossip, peer);
}

/* ---- who is it? ---- */

static bool peer_is(const struct gossip *gossip, const struct peer *peer, const struct hello *hello)
{
    (void)gossip;
    return peer->met && peer->node == hello->node && peer->nonce == hello->nonce;
}

/* Did the process that this entry stands for begin anew? A copy of a directory has the same node
 * but lives elsewhere. */
static bool peer_is_same_node(const struct gossip *gossip, const struct peer *peer,
                              const struct hello *hello)
{
    (void)gossip;
    if (peer->met ? peer->node != hello->node : peer->named != hello->node)
        return false;
    return !peer_has_links(peer) || !peer->address[0] || !strcmp(peer->address, hello->address);
}

/* Who lives at a listed address is that entry, unless somebody else there was heard just now. */
static bool peer_is_there(const struct gossip *gossip, const struct peer *peer,
                          const struct hello *hello)
{
    bool lives = peer_has_links(peer) &&
                 gossip->now_ms < peer->heard_ms + 2 * (uint64_t)gossip->options.heartbeat_ms;
    return peer->listed && hello->address[0] && !strcmp(peer->address, hello->address) &&
           (!lives || peer->node == hello->node);
}

static size_t peer_match(const struct gossip *gossip, const struct hello *hello)
{
    bool (*const tests[])(const struct gossip *, const struct peer *,
                          const struct hello *) = {peer_is, peer_is_there, peer_is_same_node};
    for (size_t test = 0; test < sizeof tests / sizeof *tests; test++) {
        for (size_t i = 0; i < gossip->peers_count; i++) {
            const struct peer *peer = &gossip->peers[i];
            if (!peer->self && !peer_is_alias(gossip, peer) && tests[test](gossip, peer, hello))
                return i;
        }
    }
    return NO_PEER;
}

int peer_add(struct gossip *gossip, const char *address, uint64_t node, size_t *ret_index)
{
    size_t index = gossip->peers_count;
    for (size_t i = 0; i < gossip->peers_count && index == PEERS_MAX; i++) {
        const struct peer *peer = &gossip->peers[i];
        if (!peer->listed && !peer->adopted && !peer->named && !peer_has_links(peer))
            index = i;
    }
    if (index == PEERS_MAX)
        return NEAP_LIMIT;
    peer_hand_over(gossip, index, node);
    uint64_t promises = gossip->peers[index].promises;
    peer_init(gossip, address, false, &gossip->peers[index]);
    gossip->peers[index].promises = promises;
    if (index == gossip->peers_count)
        gossip->peers_count++;
    *ret_index = index;
    return 0;
}

/* A dialled address belongs to its entry, unless the process is known under another one; or is not
 * the member that should be there. */
static size_t peer_dialed(struct gossip *gossip, size_t entry, const struct hello *hello)
{
    struct peer *peer = &gossip->peers[entry];
    for (size_t i = 0; i < gossip->peers_count; i++) {
        struct peer *other = &gossip->peers[i];
        if (i == entry || other->self || !peer_has_links(other) || !peer_is(gossip, other, hello))
            continue;
        peer->alias = i;
        other->adopted = true;
        return i;
    }
    peer->alias = NO_PEER;
    return peer->listed || peer->named == hello->node ? entry : peer_match(gossip, hello);
}

int peer_find(struct gossip *gossip, const struct link *link, const struct hello *hello,
              size_t *ret_index)
{
    size_t index =
        link->dialed ? peer_dialed(gossip, link->dialed_for, hello) : peer_match(gossip, hello);
    int error = 0;
    if (index == NO_PEER)
        error = peer_add(gossip, hello->address, hello->node, &index);
    if (error)
        return error;
    if (link->dialed && index != link->dialed_for)
        gossip->peers[link->dialed_for].alias = index;
    gossip->peers[index].alias = NO_PEER; /* or the links of one process would get two entries */
    *ret_index = index;
    return 0;
}

/* ---- sessions ---- */

/* What was agreed in this session is void; what the peer has is still the best that is known. */
static void session_end(struct gossip *gossip, size_t index)
{
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct pair *pair = topic_pair(gossip->topics[i], index);
        if (!pair)
            continue;
        equal_session_ended(pair, &gossip->peers[index]);
        pair->replica = pair->told = pair->told_replica = pair->pull_after = pair->awaited = 0;
        pair->pulls_until = 0;
        pair->open = pair->soon = pair->behind = pair->gap = pair->short_log = false;
        pair->ids_count = 0;
    }
}

static void pulls_end(struct gossip *gossip, size_t index)
{
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct topic *topic = gossip->topics[i];
        if (topic->pull.state != PULL_NONE && topic->pull.peer == index)
            pull_stop(gossip, topic);
    }
}

int peer_set_link(struct step *step, size_t index, enum channel channel, uint64_t link)
{
    struct gossip *gossip = step->gossip;
    struct peer *peer = &gossip->peers[index];
    bool was_up = peer_is_up(gossip, index);
    peer->links[channel] = link;
    pulls_end(gossip, index);
    if (channel == CHANNEL_BULK)
        peer_lost_messages(gossip, index, channel);
    if (channel == CHANNEL_CONTROL) {
        session_end(gossip, index);
        peer->interest_told = peer->control_heard = false;
        peer->round = (struct digest_round){.turn = peer->round.turn};
        peer->forget_at = link ? 0 : step->now.mono_ms + 2 * (uint64_t)gossip->options.silence_ms;
        peer->digest_all = peer->digest_soon = link != 0;
        peer->digest_after = 0;
        peer->heartbeat_at = step->now.mono_ms;
        members_link(gossip, step->now, index);
    }
    if (was_up && !peer_is_up(gossip, index))
        trace(gossip->trace, "%s: disconnected", peer_text(gossip, index));
    else if (!was_up && peer_is_up(gossip, index))
        trace(gossip->trace, "%s: connected", peer_text(gossip, index));
    return topics_queue(gossip);
}

/* A message on this channel did not get through: digests are told again, and who missed a push has
 * to pull. */
void peer_lost_messages(struct gossip *gossip, size_t index, enum channel channel)
{
    if (channel == CHANNEL_CONTROL) {
        if (!BROKEN("digest-unmarked"))
            digests_refused(gossip, index);
        return;
    }
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct pair *pair = topic_pair(gossip->topics[i], index);
        if (pair)
            pushed_forget(&pair->pushed);
        if (pair && !BROKEN("overflow-unmarked"))
            pair->behind = true;
    }
}

/* ---- heartbeats ---- */

bool gossip_clocks(const struct gossip *gossip, uint64_t *ret_slowest, uint64_t *ret_rank)
{
    uint64_t slowest = UINT64_MAX, rank = 0;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        if (!peer_is_member(gossip, i) || access_is_limited(gossip, i))
            continue;
        if (!peer->clock_ms)
            return false;
        slowest = peer->clock_ms < slowest ? peer->clock_ms : slowest;
        rank += peer_is_up(gossip, i) && peer->node < gossip->store->identity.node;
    }
    *ret_slowest = slowest;
    *ret_rank = rank;
    return slowest != UINT64_MAX;
}

static int peer_beat(struct step *step, size_t index)
{
    struct gossip *gossip = step->gossip;
    struct peer *peer = &gossip->peers[index];
    uint64_t beat = gossip->options.heartbeat_ms;
    struct message message;
    int error = 0;
    message_init(&message);
    message.kind = MESSAGE_HEARTBEAT;
    for (unsigned channel = 0; channel < CHANNELS && !error; channel++) {
        message.what = channel == CHANNEL_CONTROL ? gossip->store->expiry.clock : 0;
        if (peer->links[channel])
            error = link_tell(step, peer->links[channel], &message, false);
    }
    swim_beat(gossip->swim, peer->node);
    peer->heartbeat_at =
        step->now.mono_ms + beat * 4 / 5 + rng_below(&gossip->rng, beat * 2 / 5 + 1);
    peer->digest_all = peer->digest_soon = !BROKEN("digest-once");
    return error;
}

/* A message that was under way when the peer left has arrived by now, here or anywhere. */
static void promises_forget(struct gossip *gossip, uint64_t promises)
{
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct shard *shard = store_find(gossip->store, gossip->topics[i]->shard);
        if (shard)
            shard_promise_forget(shard, promises);
    }
}

static void departed_forget(struct gossip *gossip, size_t index)
{
    promises_forget(gossip, gossip->departed[index].promises);
    gossip->departed[index] = gossip->departed[--gossip->departed_count];
}

static void departed_add(struct gossip *gossip, const struct peer *peer)
{
    uint64_t later = gossip->now_ms + 2 * (uint64_t)gossip->options.silence_ms;
    size_t oldest = 0;
    for (size_t i = 1; i < gossip->departed_count; i++) {
        if (gossip->departed[i].forget_at < gossip->departed[oldest].forget_at)
            oldest = i;
    }
    if (gossip->departed_count == PEERS_MAX)
        departed_forget(gossip, oldest);
    gossip->departed[gossip->departed_count++] =
        (struct departed){peer->node, peer->promises, peer->forget_at ? peer->forget_at : later};
}

void peer_hand_over(struct gossip *gossip, size_t index, uint64_t node)
{
    struct peer *peer = &gossip->peers[index];
    for (size_t i = 0; i < gossip->topics_count; i++)
        topic_drop_pair(gossip->topics[i], index);
    memset(peer->pushed_count, 0, sizeof peer->pushed_count);
    if (peer->met)
        departed_add(gossip, peer);
    principal_done(&peer->principal);
    subscriptions_done(&peer->interest);
    peer->interest_known = false;
    peer->refused = 0;
    peer->refusals = (struct tokens){0};
    peer->promises = ++gossip->promises_next;
    peer->forget_at = 0;
    peer->clock_ms = 0;
    for (size_t i = 0; i < gossip->departed_count; i++) {
        if (gossip->departed[i].node != node)
            continue;
        peer->promises = gossip->departed[i].promises; /* it is back */
        gossip->departed[i] = gossip->departed[--gossip->departed_count];
        return;
    }
}

int peers_tick(struct step *step)
{
    struct gossip *gossip = step->gossip;
    int error = 0;
    for (size_t i = gossip->departed_count; i-- > 0;) {
        if (step->now.mono_ms >= gossip->departed[i].forget_at)
            departed_forget(gossip, i);
    }
    for (size_t i = 0; i < gossip->peers_count && !error; i++) {
        struct peer *peer = &gossip->peers[i];
        if (peer->forget_at && step->now.mono_ms >= peer->forget_at) {
            promises_forget(gossip, peer->promises);
            peer->forget_at = 0;
        }
        if (peer_has_links(&gossip->peers[i]) && step->now.mono_ms >= gossip->peers[i].heartbeat_at)
            error = peer_beat(step, i);
    }
    return error;
}

uint64_t peers_deadline(const struct gossip *gossip)
{
    uint64_t deadline = UINT64_MAX;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        if (peer_has_links(peer) && peer->heartbeat_at < deadline)
            deadline = peer->heartbeat_at;
        if (peer->forget_at && peer->forget_at < deadline)
            deadline = peer->forget_at;
    }
    for (size_t i = 0; i < gossip->departed_count; i++) {
        if (gossip->departed[i].forget_at < deadline)
            deadline = gossip->departed[i].forget_at;
    }
    return deadline;
}
