/* Who is alive, as far as gossip knows: what links tell goes into swim.c, and what it wants to be
 * said goes out. An incarnation is written down before it is told. */
#include <inttypes.h>

#include "base/broken.h"
#include "base/error.h"
#include "gossip/state.h"

int members_begin(struct gossip *gossip)
{
    struct view view = {.disk = gossip->store->disk};
    int error = incarnation_read(&view, &gossip->incarnation);
    if (error == NEAP_CORRUPT) /* others will say how far it had come */
        error = 0;
    if (error)
        return error;
    struct swim_options options = {.node = gossip->store->identity.node,
                                   .incarnation = gossip->incarnation + 1,
                                   .beat_ms = gossip->options.heartbeat_ms,
                                   .seed = gossip->store->identity.nonce,
                                   .device = gossip->options.device};
    if (options.incarnation > SWIM_INCARNATION_MAX)
        options.incarnation = SWIM_INCARNATION_MAX;
    return swim_new(&options, 0, &gossip->swim);
}

/* ---- links ---- */

/* The entry, from `from` on, over whose link a node is told something. A copy of its directory has
 * the same name, so there may be several. */
static size_t member_peer(const struct gossip *gossip, uint64_t node, size_t from)
{
    for (size_t i = from; i < gossip->peers_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        if (peer->met && peer->node == node && peer->links[CHANNEL_CONTROL])
            return i;
    }
    return NO_PEER;
}

/* That member lives while one of them does. */
void members_link(struct gossip *gossip, struct now now, size_t index)
{
    const struct peer *peer = &gossip->peers[index];
    if (peer->links[CHANNEL_CONTROL])
        swim_link(gossip->swim, now.mono_ms, peer->node, access_is_limited(gossip, index));
    else if (member_peer(gossip, peer->node, 0) == NO_PEER)
        swim_unlink(gossip->swim, now.mono_ms, peer->node);
}

/* ---- what comes of it ---- */

static void members_trace(struct gossip *gossip)
{
    struct swim_member member;
    while (swim_changed(gossip->swim, &member)) {
        gossip->member_changes++;
        if (member.state == MEMBER_ALIVE)
            known_lives(gossip, member.node);
        trace(gossip->trace, "member %016" PRIx64 ": %s, incarnation %" PRIu64, member.node,
              member_state_text(member.state), member.incarnation);
    }
}

static int incarnation_keep(struct step *step)
{
    struct gossip *gossip = step->gossip;
    uint64_t incarnation = swim_incarnation(gossip->swim);
    if (incarnation <= gossip->incarnation)
        return 0;
    int error = BROKEN("incarnation-unkept") ? 0 : incarnation_put(step->batch, incarnation);
    if (!error)
        gossip->incarnation = incarnation;
    return error;
}

static bool tells_anew(const struct gossip *gossip, const struct swim_message *swim)
{
    for (unsigned i = 0; i < swim->updates_count; i++) {
        if (swim->updates[i].node == gossip->store->identity.node)
            return swim->updates[i].incarnation > gossip->incarnation_told;
    }
    return false;
}

static int member_tell(struct step *step, uint64_t node, struct swim_message *swim)
{
    struct gossip *gossip = step->gossip;
    struct message message;
    bool anew = tells_anew(gossip, swim);
    int error = incarnation_keep(step);
    message_init(&message);
    message.kind = MESSAGE_SWIM;
    message.swim = swim;
    for (size_t i = member_peer(gossip, node, 0); i != NO_PEER && !error;
         i = member_peer(gossip, node, i + 1)) {
        error = link_send(step, gossip->peers[i].links[CHANNEL_CONTROL], &message, anew);
        if (!error && anew)
            gossip->incarnation_told = gossip->incarnation;
    }
    return error == NEAP_LIMIT ? 0 : error; /* it may get lost */
}

int members_work(struct step *step)
{
    struct swim_message swim;
    uint64_t to;
    int error = 0;
    members_trace(step->gossip);
    while (!error && swim_mail(step->gossip->swim, &to, &swim))
        error = member_tell(step, to, &swim);
    return error;
}

int gossip_leave(struct gossip *gossip, struct now now, struct batch *batch, struct outbox *outbox)
{
    struct step step = {gossip, now, batch, outbox};
    gossip->now_ms = now.mono_ms;
    if (BROKEN("leaves-unsaid"))
        return 0;
    swim_leave(gossip->swim, now.mono_ms);
    return members_work(&step);
}

/* ---- questions ---- */

void members_status(const struct gossip *gossip, const struct peer *peer,
                    struct peer_status *status)
{
    struct swim_member member;
    status->is_member = peer->met && swim_find(gossip->swim, peer->node, &member);
    if (!status->is_member)
        return;
    status->state = member.state;
    status->state_ms = member.since_ms;
    status->incarnation = member.incarnation;
}

size_t gossip_members(const struct gossip *gossip)
{
    return swim_count(gossip->swim);
}

void gossip_member(const struct gossip *gossip, size_t index, struct swim_member *ret_member)
{
    swim_at(gossip->swim, index, ret_member);
}

bool gossip_find_member(const struct gossip *gossip, uint64_t node, struct swim_member *ret_member)
{
    return swim_find(gossip->swim, node, ret_member);
}

uint64_t gossip_incarnation(const struct gossip *gossip, unsigned *ret_doubt)
{
    *ret_doubt = swim_doubt(gossip->swim);
    return swim_incarnation(gossip->swim);
}
