/* Since when replicas of a shard are known to be the same, or not to be. Looked at with each change
 * of what a peer, or this node, has; so what was equal when it was last looked at is so until now.
 * It begins anew with the process: nothing is written for it but what the history has. */
#include "gossip/ask.h"
#include "gossip/state.h"

static enum equal_state pair_state(const struct gossip *gossip, const struct topic *topic,
                                   const struct shard *shard, size_t peer)
{
    const struct pair *pair = topic_open_pair(gossip, topic, peer);
    uint64_t root;
    if (!pair)
        return EQUAL_AWAY;
    if (!pair->known || !context_equal(&pair->context, &shard->context))
        return EQUAL_UNDER_WAY;
    root = repair_root(shard, &shard->context);
    if (!root || !pair->root)
        return EQUAL_UNKNOWN;
    return root == pair->root ? EQUAL_NOW : EQUAL_NOT;
}

int equal_work(struct step *step, struct topic *topic, const struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    int error = 0;
    for (size_t i = 0; i < gossip->peers_count && !error; i++) {
        struct pair *pair = topic_pair(topic, i);
        if (!pair)
            continue;
        enum equal_state state = pair_state(gossip, topic, shard, i);
        if (pair->equal || state == EQUAL_NOW)
            pair->equal_ms = step->now.wall_ms;
        pair->equal = state == EQUAL_NOW;
        if (state == EQUAL_NOW)
            pair->differs_ms = 0;
        else if (state == EQUAL_NOT && !pair->differs_ms)
            pair->differs_ms = step->now.wall_ms;
        error = hint_work(step, pair, shard);
    }
    return error ? error : incident_work(step, topic, shard);
}

void equal_session_ended(struct pair *pair, const struct peer *peer)
{
    if (pair->equal)
        pair->equal_ms = peer->heard_wall_ms;
    pair->equal = false;
}

void equal_told(struct pair *pair, bool equal, uint64_t asked_ms)
{
    if (equal && asked_ms > pair->equal_ms)
        pair->equal_ms = asked_ms;
    if (equal)
        pair->differs_ms = 0;
    else if (!pair->differs_ms)
        pair->differs_ms = asked_ms;
}

void equal_since(const struct gossip *gossip, uint64_t shard, struct ask_answer *answer)
{
    const struct topic *topic = topic_find(gossip, shard);
    const struct pair *pair = topic ? topic_pair(topic, answer->peer) : NULL;
    if (pair) {
        answer->equal_ms = pair->equal ? gossip->peers[answer->peer].heard_wall_ms : pair->equal_ms;
        answer->differs_ms = pair->differs_ms;
    }
}

void gossip_equal(const struct gossip *gossip, const struct shard *shard, size_t index,
                  struct now now, struct equal_status *ret_status)
{
    struct equal_status status = {.address = "", .state = EQUAL_AWAY};
    size_t found = peer_visible(gossip, index);
    const struct topic *topic = topic_find(gossip, shard->id);
    const struct pair *pair = found != NO_PEER && topic ? topic_pair(topic, found) : NULL;
    if (found != NO_PEER) {
        status.address = gossip->peers[found].address;
        status.node = gossip->peers[found].met ? gossip->peers[found].node : 0;
    }
    if (found != NO_PEER && !peer_wants(gossip, found, shard->name))
        status.state = EQUAL_NONE;
    else if (pair) {
        status.state = pair_state(gossip, topic, shard, found);
        status.equal_ms = status.state == EQUAL_NOW ? now.wall_ms : pair->equal_ms;
        status.differs_ms = status.state == EQUAL_NOW ? 0 : pair->differs_ms;
    }
    *ret_status = status;
}

const char *equal_state_text(enum equal_state state)
{
    static const char *const texts[] = {
#define X(name, text) text,
        EQUAL_STATES(X)
#undef X
    };
    return texts[state];
}
