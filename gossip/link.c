#include "gossip/state.h"

#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"

enum { LINK_STABLE_MS = 1000, DIALING_SILENCES = 3 };

static const char *const reason_texts[] = {
#define X(name) #name,
    GOSSIP_REASONS(X)
#undef X
};

bool gossip_count(const struct gossip *gossip, size_t index, const char **ret_name,
                  uint64_t *ret_count)
{
    if (index >= REASONS)
        return false;
    *ret_name = reason_texts[index];
    *ret_count = gossip->counts[index];
    return true;
}

struct link *link_find(struct gossip *gossip, uint64_t id)
{
    for (size_t i = 0; i < gossip->links_count; i++) {
        if (gossip->links[i].id == id)
            return &gossip->links[i];
    }
    return NULL;
}

int link_add(struct gossip *gossip, const struct link *link)
{
    if (gossip->links_count == gossip->links_room) {
        size_t room = gossip->links_room ? gossip->links_room * 2 : 8;
        struct link *links = mem_resize(gossip->links, room * sizeof *links);
        if (!links)
            return NEAP_NOMEM;
        gossip->links = links;
        gossip->links_room = room;
    }
    gossip->links[gossip->links_count++] = *link;
    return 0;
}

static void link_back_off(struct step *step, const struct link *link)
{
    struct gossip *gossip = step->gossip;
    if (link->dialed_for == NO_PEER)
        return;
    struct peer *peer = &gossip->peers[link->dialed_for];
    uint32_t *backoff = &peer->backoff_ms[link->channel];
    if (link->state == LINK_OPEN && step->now.mono_ms >= link->since_ms + LINK_STABLE_MS)
        *backoff = BACKOFF_MS_MIN;
    uint32_t wait = *backoff / 2 + (uint32_t)rng_below(&gossip->rng, *backoff / 2 + 1);
    peer->dial_at[link->channel] = step->now.mono_ms + wait;
    uint32_t most = known_backoff_max(gossip, peer);
    *backoff = *backoff * 2 < most ? *backoff * 2 : most;
    if (link->state != LINK_OPEN && link->channel == CHANNEL_CONTROL)
        known_turn(gossip, peer);
}

/* Another link that is open to the same peer for the same channel takes the place of a lost one. */
static uint64_t link_other(const struct gossip *gossip, size_t peer, enum channel channel)
{
    for (size_t i = 0; i < gossip->links_count; i++) {
        const struct link *link = &gossip->links[i];
        if (link->state == LINK_OPEN && link->peer == peer && link->channel == channel)
            return link->id;
    }
    return 0;
}

int link_forget(struct step *step, uint64_t id)
{
    struct gossip *gossip = step->gossip;
    struct link *found = link_find(gossip, id), link;
    if (!found)
        return 0;
    link = *found;
    asks_link_ended(gossip, id, ASK_LEFT);
    if (link.peer != NO_PEER && link.channel == CHANNEL_BULK)
        pushed_link_ended(gossip, link.peer, id);
    link_back_off(step, &link);
    principal_done(&found->principal);
    *found = gossip->links[--gossip->links_count];
    if (link.peer == NO_PEER || gossip->peers[link.peer].links[link.channel] != id)
        return 0;
    return peer_set_link(step, link.peer, link.channel,
                         link_other(gossip, link.peer, link.channel));
}

int link_drop(struct step *step, uint64_t id, enum reason reason)
{
    struct gossip *gossip = step->gossip;
    const struct link *link = link_find(gossip, id);
    if (!link)
        return 0;
    size_t peer = link->peer != NO_PEER ? link->peer : link->dialed_for;
    int error = outbox_close(step->outbox, id);
    if (error)
        return error;
    gossip->counts[reason]++;
    if (peer != NO_PEER && reason != REASON_duplicate)
        peer_error(&gossip->peers[peer], reason_texts[reason]);
    trace(gossip->trace, "%s: drop link, %s", peer_text(gossip, peer), reason_texts[reason]);
    return link_forget(step, id);
}

int link_drop_version(struct step *step, uint64_t id, const char *text)
{
    struct gossip *gossip = step->gossip;
    const struct link *link = link_find(gossip, id);
    if (!link)
        return 0;
    size_t peer = link->peer != NO_PEER ? link->peer : link->dialed_for;
    int error = link_drop(step, id, REASON_wire_version);
    if (error)
        return error;
    if (peer != NO_PEER)
        peer_error(&gossip->peers[peer], text);
    trace(gossip->trace, "%s: %s", peer_text(gossip, peer), text);
    return 0;
}

int link_send(struct step *step, uint64_t link, const struct message *message, bool names_events)
{
    struct gossip *gossip = step->gossip;
    if (!access_out(gossip, link, message))
        return 0;
    const struct link *at = link_find(gossip, link);
    int error = message_encode(message, &gossip->message);
    if (!error && at)
        error = message_mark(&gossip->message, at->version);
    if (!error && gossip->message.size > MESSAGE_SIZE_MAX)
        error = NEAP_LIMIT;
    if (!error)
        error = outbox_send(step->outbox, link, buffer_slice(&gossip->message),
                            names_events && !BROKEN("names-nothing"));
    if (error == NEAP_LIMIT)
        gossip->counts[REASON_not_sent]++;
    if (!error && (message->kind == MESSAGE_VERIFY || message->kind == MESSAGE_VERIFIED))
        gossip->counts[REASON_verify_bytes] += gossip->message.size;
    if (!error)
        flow_gave(&gossip->flow, step->now.mono_ms, message->kind, message->bytes.size);
    return error;
}

int link_tell(struct step *step, uint64_t link, const struct message *message, bool names_events)
{
    int error = link_send(step, link, message, names_events);
    return error == NEAP_LIMIT ? 0 : error;
}

int answer_send(struct step *step, size_t peer, const struct message *answer)
{
    return link_tell(step, step->gossip->peers[peer].links[CHANNEL_BULK], answer, true);
}

/* ---- dialling ---- */

static bool link_is_on_its_way(const struct gossip *gossip, size_t peer, enum channel channel)
{
    for (size_t i = 0; i < gossip->links_count; i++) {
        const struct link *link = &gossip->links[i];
        if (link->dialed_for == peer && link->channel == channel && link->state != LINK_OPEN)
            return true;
    }
    return false;
}

static bool peer_wants_dial(const struct gossip *gossip, size_t index, enum channel channel)
{
    const struct peer *peer = &gossip->peers[index];
    bool named = peer->named && peer->address[0] && !known_is_taken(gossip, index);
    if (gossip->isolated || peer->self || peer->links[channel] || !(peer->listed || named))
        return false;
    if (peer->alias != NO_PEER && gossip->peers[peer->alias].links[channel])
        return false;
    return !link_is_on_its_way(gossip, index, channel);
}

static const char *channel_name(enum channel channel)
{
    return channel == CHANNEL_CONTROL ? "control" : "bulk";
}

static int link_dial(struct step *step, size_t index, enum channel channel)
{
    struct gossip *gossip = step->gossip;
    struct link link = {.id = gossip->link_next,
                        .state = LINK_DIALING,
                        .dialed = true,
                        .peer = NO_PEER,
                        .dialed_for = index,
                        .channel = channel,
                        .since_ms = step->now.mono_ms,
                        .heard_ms = step->now.mono_ms};
    int error = link_add(gossip, &link);
    if (error)
        return error;
    error = outbox_dial(step->outbox, link.id, gossip->peers[index].address);
    if (error) {
        gossip->links_count--;
        return error;
    }
    gossip->link_next++;
    trace(gossip->trace, "%s: dial %s", peer_text(gossip, index), channel_name(channel));
    return 0;
}

static uint64_t link_expires(const struct gossip *gossip, const struct link *link)
{
    uint64_t silence = gossip->options.silence_ms;
    switch (link->state) {
    case LINK_DIALING:
        if (link->failed)
            return 0;
        return link->since_ms + silence * DIALING_SILENCES;
    case LINK_WAITING:
        return BROKEN("no-hello-deadline") ? UINT64_MAX : link->since_ms + silence;
    case LINK_OPEN:
        break;
    }
    return BROKEN("silence-forgiven") ? UINT64_MAX : link->heard_ms + silence;
}

/* It has rested: its next message may come. */
static int link_go_on(struct step *step, struct link *link)
{
    if (!link->ready_at || step->now.mono_ms < link->ready_at)
        return 0;
    int error = outbox_ready(step->outbox, link->id);
    if (!error)
        link->ready_at = 0;
    return error;
}

int links_tick(struct step *step)
{
    struct gossip *gossip = step->gossip;
    int error = 0;
    for (size_t i = gossip->links_count; i-- > 0 && !error;) {
        if (i >= gossip->links_count)
            continue; /* more than one went */
        const struct link *link = &gossip->links[i];
        error = link_go_on(step, &gossip->links[i]);
        if (!error && step->now.mono_ms >= link_expires(gossip, link))
            error = link_drop(step, link->id,
                              link->state == LINK_OPEN ? REASON_silent : REASON_no_hello);
    }
    for (size_t i = 0; i < gossip->peers_count; i++) {
        for (unsigned channel = 0; channel < CHANNELS && !error; channel++) {
            if (peer_wants_dial(gossip, i, (enum channel)channel) &&
                step->now.mono_ms >= gossip->peers[i].dial_at[channel])
                error = link_dial(step, i, (enum channel)channel);
        }
    }
    return error;
}

uint64_t links_deadline(const struct gossip *gossip)
{
    uint64_t deadline = UINT64_MAX;
    for (size_t i = 0; i < gossip->links_count; i++) {
        uint64_t expires = link_expires(gossip, &gossip->links[i]);
        deadline = expires < deadline ? expires : deadline;
        if (gossip->links[i].ready_at && gossip->links[i].ready_at < deadline)
            deadline = gossip->links[i].ready_at;
    }
    for (size_t i = 0; i < gossip->peers_count; i++) {
        for (unsigned channel = 0; channel < CHANNELS; channel++) {
            uint64_t at = gossip->peers[i].dial_at[channel];
            if (at < deadline && peer_wants_dial(gossip, i, (enum channel)channel))
                deadline = at;
        }
    }
    return deadline;
}
