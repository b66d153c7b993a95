#include "gossip/state.h"

#include <stdio.h>
#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "base/version.h"

uint32_t hello_version(const struct gossip *gossip)
{
    return gossip->options.wire_newest ? gossip->options.wire_newest : WIRE_VERSION;
}

static struct versions wire_speaks(const struct gossip *gossip)
{
    uint32_t newest = hello_version(gossip);
    return (struct versions){.oldest = newest > WIRE_VERSION ? newest - 1 : WIRE_VERSION_MIN,
                             .newest = newest};
}

int hello_send(struct step *step, const struct link *link)
{
    struct gossip *gossip = step->gossip;
    struct message message;
    message_init(&message);
    message.kind = MESSAGE_HELLO;
    message.hello = (struct hello){.cluster = gossip->options.cluster,
                                   .node = gossip->store->identity.node,
                                   .nonce = gossip->store->identity.nonce,
                                   .wire_version = hello_version(gossip),
                                   .channel = link->channel,
                                   .address = gossip->address};
    return link_send(step, link->id, &message, false);
}

/* A stranger is told that this is not its cluster, and nothing by which it could say that it is:
 * whoever knows the cluster's id is believed. */
static int hello_send_stranger(struct step *step, const struct link *link)
{
    struct message message;
    message_init(&message);
    message.kind = MESSAGE_HELLO;
    message.hello = (struct hello){
        .wire_version = hello_version(step->gossip), .channel = link->channel, .address = ""};
    return link_send(step, link->id, &message, false);
}

/* For whoever looks after the two: what is spoken there and here, and which of them to upgrade. */
static int hello_drop_version(struct step *step, uint64_t link, uint32_t version)
{
    struct versions speaks = wire_speaks(step->gossip);
    char text[96];
    snprintf(text, sizeof text, "it speaks wire version %u, this node %u to %u: upgrade %s",
             (unsigned)version, (unsigned)speaks.oldest, (unsigned)speaks.newest,
             version > speaks.newest ? "this node" : "the other node");
    return link_drop_version(step, link, text);
}

/* Of two versions the older one is spoken, at both ends. */
static uint32_t version_of(const struct gossip *gossip, const struct hello *hello)
{
    uint32_t own = hello_version(gossip);
    return hello->wire_version < own && !BROKEN("own-version") ? hello->wire_version : own;
}

/* Whom a certificate names is who he says he is, and one of those who replicate. */
static enum reason hello_name_fault(const struct gossip *gossip, const struct principal *principal,
                                    const struct hello *hello)
{
    if (principal->kind == PRINCIPAL_NONE)
        return REASONS;
    if (principal->kind != PRINCIPAL_NODE && principal->kind != PRINCIPAL_DEVICE)
        return REASON_not_a_peer;
    if (revoked_has(&gossip->revoked, principal))
        return REASON_revoked;
    bool fits = principal->id == hello->node && principal->cluster == hello->cluster;
    return fits || BROKEN("any-name") ? REASONS : REASON_other_name;
}

/* Why this hello is refused; REASONS when it is fine. */
static enum reason hello_fault(struct gossip *gossip, const struct link *link,
                               const struct hello *hello)
{
    const struct identity *own = &gossip->store->identity;
    if (hello->cluster != gossip->options.cluster && !BROKEN("any-cluster"))
        return REASON_wrong_cluster;
    if (version_agree(hello->wire_version, wire_speaks(gossip)) && !BROKEN("any-version"))
        return REASON_wire_version;
    if (hello->node == own->node && hello->nonce == own->nonce && !BROKEN("own-peer")) {
        if (link->dialed_for != NO_PEER) /* a member that is said to live here lives elsewhere */
            gossip->peers[link->dialed_for].self = gossip->peers[link->dialed_for].listed;
        return REASON_dialled_self;
    }
    if (link->dialed && hello->channel != link->channel)
        return REASON_other_channel;
    if (known_is_forgotten(gossip, hello->node))
        return REASON_forgotten;
    return hello_name_fault(gossip, &link->principal, hello);
}
/* The links of a process that is no more. */
static int peer_drop_links(struct step *step, size_t index, uint64_t except)
{
    struct gossip *gossip = step->gossip;
    int error = 0;
    for (size_t i = gossip->links_count; i-- > 0 && !error;) {
        if (i < gossip->links_count && gossip->links[i].peer == index &&
            gossip->links[i].id != except)
            error = link_drop(step, gossip->links[i].id, REASON_restarted);
    }
    return error;
}

static int peer_meet(struct step *step, size_t index, const struct hello *hello, uint64_t link)
{
    struct gossip *gossip = step->gossip;
    struct peer *peer = &gossip->peers[index];
    int error = 0;
    if (peer->met && (peer->node != hello->node || peer->nonce != hello->nonce))
        error = peer_drop_links(step, index, link);
    if (error)
        return error;
    /* What another node had there says nothing about this one. */
    if (peer->met && peer->node != hello->node)
        peer_hand_over(gossip, index, hello->node);
    peer->spoke = peer->spoke && peer->met && peer->node == hello->node;
    peer->met = true;
    peer->node = hello->node;
    peer->nonce = hello->nonce;
    return 0;
}

static bool rights_equal(const struct principal *a, const struct principal *b)
{
    if (a->rights_count != b->rights_count)
        return false;
    for (size_t i = 0; i < a->rights_count; i++) {
        if (a->rights[i].may != b->rights[i].may ||
            strcmp(a->rights[i].bucket, b->rights[i].bucket))
            return false;
    }
    return true;
}

/* All links of a peer are of one principal; a newer certificate, with other rights, ends the links
 * that came with the one before. *ret_fine: this link is not refused. */
static int peer_know(struct step *step, size_t index, uint64_t id, bool *ret_fine)
{
    struct gossip *gossip = step->gossip;
    struct peer *peer = &gossip->peers[index];
    const struct principal *theirs = &link_find(gossip, id)->principal;
    struct principal copy;
    bool linked = peer->links[CHANNEL_CONTROL] || peer->links[CHANNEL_BULK];
    bool same = theirs->kind == peer->principal.kind && theirs->id == peer->principal.id;
    *ret_fine = !linked || same;
    if (!*ret_fine)
        return link_drop(step, id, REASON_other_name);
    if (same && rights_equal(theirs, &peer->principal))
        return 0;
    int error = principal_copy(theirs, &copy);
    if (error)
        return error;
    principal_done(&peer->principal);
    peer->principal = copy;
    return linked ? peer_drop_links(step, index, id) : 0;
}

/* Is this node the smaller one of the two? Copies of a directory have the same node. */
static bool peer_is_greater(const struct gossip *gossip, const struct peer *peer)
{
    const struct identity *own = &gossip->store->identity;
    return own->node != peer->node ? own->node < peer->node : own->nonce < peer->nonce;
}

/* Both dialled: of two links the one that the smaller node dialled stays. Only the smaller one
 * closes the other, and only now that it knows the first to be open at both ends; of two links that
 * the same node dialled the older one is dead. */
static int link_settle(struct step *step, size_t index, const struct link *link)
{
    struct gossip *gossip = step->gossip;
    struct peer *peer = &gossip->peers[index];
    const struct link *rival = link_find(gossip, peer->links[link->channel]);
    if (!rival)
        return peer_set_link(step, index, link->channel, link->id);
    uint64_t id = link->id, rival_id = rival->id;
    bool smaller = peer_is_greater(gossip, peer), same = rival->dialed == link->dialed;
    bool wins = same || link->dialed == smaller;
    int error = 0;
    if (wins)
        error = peer_set_link(step, index, link->channel, id);
    if (!error && (same || smaller) && !BROKEN("two-links"))
        error = link_drop(step, wins ? rival_id : id, REASON_duplicate);
    return error;
}

static int hello_accept(struct step *step, uint64_t id, const struct hello *hello)
{
    struct gossip *gossip = step->gossip;
    struct link *link = link_find(gossip, id);
    size_t index;
    bool fine = true;
    int error = peer_find(gossip, link, hello, &index);
    if (error == NEAP_LIMIT)
        return link_drop(step, id, REASON_too_many_peers);
    if (!error)
        error = peer_meet(step, index, hello, id);
    if (!error)
        error = peer_know(step, index, id, &fine);
    if (!error && !fine)
        return 0;
    if (!error)
        error = outbox_trust(step->outbox, id);
    if (error)
        return error;
    link = link_find(gossip, id);
    link->state = LINK_OPEN;
    link->peer = index;
    link->version = version_of(gossip, hello);
    link->since_ms = step->now.mono_ms;
    peer_error(&gossip->peers[index], "");
    struct link copy = *link;
    trace(gossip->trace, "%s: hello, %s %s%s", peer_text(gossip, index),
          copy.dialed ? "dialled" : "accepted",
          copy.channel == CHANNEL_CONTROL ? "control" : "bulk",
          hello->wire_version == hello_version(gossip)  ? ""
          : hello->wire_version < hello_version(gossip) ? " of the version before"
                                                        : " of the next version");
    return link_settle(step, index, &copy);
}

int hello_take(struct step *step, uint64_t id, const struct hello *hello)
{
    struct gossip *gossip = step->gossip;
    struct link *link = link_find(gossip, id);
    int error = 0;
    if (link->state != LINK_WAITING)
        return link_drop(step, id, REASON_unexpected);
    enum reason fault = hello_fault(gossip, link, hello);
    if (!link->dialed) {
        /* Answered even when refused, so that the other side can say why as well. */
        link->channel = hello->channel;
        error = fault == REASON_wrong_cluster ? hello_send_stranger(step, link)
                                              : hello_send(step, link);
    }
    if (error)
        return error;
    if (fault == REASON_wire_version)
        error = hello_drop_version(step, id, hello->wire_version);
    else
        error = fault != REASONS ? link_drop(step, id, fault) : hello_accept(step, id, hello);
    /* Who is a member may be another question now. */
    gossip->unsettled = true;
    return error ? error : topics_queue(gossip);
}
