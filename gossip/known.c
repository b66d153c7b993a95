/* Nodes that the member list names have entries among the peers: they are dialled, and logs wait
 * for them, as for those that are configured. */
#include <stdio.h>
#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "gossip/state.h"

/* Whoever is dead is dialled for ever, and so much less often. */
enum { DEAD_BACKOFFS = 10 };

bool known_is_forgotten(const struct gossip *gossip, uint64_t node)
{
    return node && roster_find(&gossip->roster, ROSTER_FORGOTTEN, node);
}

bool peer_is_named(const struct gossip *gossip, const struct peer *peer)
{
    return peer->named && peer->named != gossip->store->identity.node;
}

bool known_has_entry(const struct gossip *gossip, uint64_t node)
{
    for (size_t i = 0; i < gossip->peers_count; i++) {
        if (node && gossip->peers[i].named == node)
            return true;
    }
    return false;
}

static const struct roster_row *row_of(const struct gossip *gossip, const struct peer *peer)
{
    return peer->named ? roster_find(&gossip->roster, ROSTER_MEMBERS, peer->named) : NULL;
}

static bool row_lives_at(const struct roster_row *row, const char *address)
{
    for (unsigned i = 0; i < row->addresses_count; i++) {
        if (address[0] && !strcmp(row->addresses[i], address))
            return true;
    }
    return false;
}

/* ---- entries ---- */

static bool peer_is_linked(const struct peer *peer)
{
    return peer->links[CHANNEL_CONTROL] || peer->links[CHANNEL_BULK];
}

/* Does the entry stand for that node? The better ones first. */
static bool entry_fits(const struct peer *peer, const struct roster_row *row, unsigned how)
{
    if (peer->self)
        return false;
    switch (how) {
    case 0:
        return peer->met && peer->node == row->node && peer_is_linked(peer);
    case 1:
        return peer->named == row->node;
    case 2:
        return peer->met && peer->node == row->node;
    default:
        return peer->listed && !peer->met && !peer->named && row_lives_at(row, peer->address);
    }
}

static size_t entry_find(const struct gossip *gossip, const struct roster_row *row)
{
    for (unsigned how = 0; how < 4; how++) {
        for (size_t i = 0; i < gossip->peers_count; i++) {
            if (entry_fits(&gossip->peers[i], row, how))
                return i;
        }
    }
    return NO_PEER;
}

static void entry_address(const struct gossip *gossip, struct peer *peer,
                          const struct roster_row *row)
{
    for (unsigned i = 0; i < row->addresses_count; i++) {
        const char *address = row->addresses[(peer->turn + i) % row->addresses_count];
        if (gossip->options.may_dial && !gossip->options.may_dial(address))
            continue;
        peer->turn = (peer->turn + i) % row->addresses_count;
        snprintf(peer->address, sizeof peer->address, "%s", address);
        return;
    }
    peer->address[0] = '\0';
}

/* Without room for it, it is no more than whoever dials in; and counted. */
static void entry_give(struct gossip *gossip, const struct roster_row *row)
{
    size_t index = entry_find(gossip, row);
    if (index == NO_PEER && peer_add(gossip, "", row->node, &index)) {
        gossip->counts[REASON_too_many_peers]++;
        return;
    }
    for (size_t i = 0; i < gossip->peers_count; i++) {
        if (gossip->peers[i].named == row->node)
            gossip->peers[i].named = 0;
    }
    struct peer *peer = &gossip->peers[index];
    peer->named = row->node;
    if (!peer->listed && !peer_is_linked(peer) && !row_lives_at(row, peer->address))
        entry_address(gossip, peer, row);
}

/* An address of the configuration where nobody was met yet may be another one of a member that was
 * not met either: then they are one. */
static void entries_pair_off(struct gossip *gossip)
{
    size_t unmet = 0;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        unmet += peer_is_named(gossip, peer) && !peer->met && !peer->listed;
    }
    for (size_t i = 0; i < gossip->peers_count; i++) {
        struct peer *peer = &gossip->peers[i];
        bool open = peer->listed && !peer->named && !peer->met;
        peer->doubled = open && unmet > 0;
        unmet -= peer->doubled;
    }
}

/* A configured address of a node that will never return is nobody's, until somebody is met there.
 */
static void entries_of_forgotten(struct gossip *gossip)
{
    const struct roster_list *list = &gossip->roster.lists[ROSTER_FORGOTTEN];
    for (size_t i = 0; i < gossip->peers_count && list->count > 0; i++) {
        struct peer *peer = &gossip->peers[i];
        if (!peer->listed || peer->named || peer_is_linked(peer))
            continue;
        for (size_t j = 0; j < list->count && !peer->doubled; j++)
            peer->doubled = peer->met ? peer->node == list->rows[j].node
                                      : row_lives_at(&list->rows[j], peer->address);
    }
}

static void known_settle(struct gossip *gossip)
{
    const struct roster_list *list = &gossip->roster.lists[ROSTER_MEMBERS];
    uint64_t own = gossip->store->identity.node;
    gossip->unsettled = false;
    if (!gossip->options.own)
        return;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        if (!row_of(gossip, &gossip->peers[i]))
            gossip->peers[i].named = 0;
    }
    /* Under this node's id another place may be named: of a copy of its directory, perhaps. */
    for (size_t i = 0; i < list->count; i++) {
        if (list->rows[i].node != own || !roster_rows_equal(&list->rows[i], &gossip->own))
            entry_give(gossip, &list->rows[i]);
    }
    entries_pair_off(gossip);
    entries_of_forgotten(gossip);
}

/* ---- the list ---- */

int known_begin(struct gossip *gossip)
{
    struct view view = {.disk = gossip->store->disk};
    int error = roster_read(&view, &gossip->roster);
    if (error == NEAP_NOMEM)
        return error;
    /* What can't be read is read again when it has changed. */
    gossip->own.node = gossip->store->identity.node;
    gossip->roster_version = 1;
    known_settle(gossip);
    return 0;
}

static int forgotten_drop(struct step *step)
{
    struct gossip *gossip = step->gossip;
    int error = 0;
    for (size_t i = gossip->links_count; i-- > 0 && !error;) {
        if (i >= gossip->links_count || gossip->links[i].peer == NO_PEER)
            continue; /* more than one went */
        if (known_is_forgotten(gossip, gossip->peers[gossip->links[i].peer].node))
            error = link_drop(step, gossip->links[i].id, REASON_forgotten);
    }
    return error;
}

static int roster_look(struct step *step)
{
    struct gossip *gossip = step->gossip;
    struct view view = {.disk = gossip->store->disk};
    if (step->batch)
        view = batch_view(step->batch);
    int error = roster_read(&view, &gossip->roster);
    if (error == NEAP_CORRUPT)
        return 0; /* what was known of them holds */
    if (error)
        return error;
    gossip->roster_stale = false;
    gossip->roster_version++;
    gossip->unsettled = true;
    return forgotten_drop(step);
}

int known_work(struct step *step)
{
    struct gossip *gossip = step->gossip;
    int error = gossip->roster_stale ? roster_look(step) : 0;
    if (error || !gossip->unsettled)
        return error;
    known_settle(gossip);
    return topics_queue(gossip); /* who is a member may be another question now */
}

/* ---- who is retired ---- */

/* By what is heard here and what others say; not before this process began. */
static uint64_t away_since(const struct gossip *gossip, const struct peer *peer)
{
    struct swim_member member;
    uint64_t since = peer->heard_ms > gossip->began_ms ? peer->heard_ms : gossip->began_ms;
    if (!peer->met || !swim_find(gossip->swim, peer->node, &member))
        return since;
    if (member.state < MEMBER_DEAD)
        return gossip->now_ms;
    return member.since_ms > since ? member.since_ms : since;
}

bool known_is_retired(const struct gossip *gossip, size_t index)
{
    const struct peer *peer = &gossip->peers[index];
    uint64_t node = peer->named ? peer->named : peer->met ? peer->node : 0;
    uint64_t patience_ms = gossip->options.retire_ms;
    if (peer_is_linked(peer))
        return false;
    if (node && roster_find(&gossip->roster, ROSTER_RETIRED, node))
        return true;
    return patience_ms && gossip->now_ms - away_since(gossip, peer) >= patience_ms;
}

uint64_t gossip_retire_ms(const struct gossip *gossip)
{
    return gossip->options.retire_ms;
}

/* Who is retired by it is counted anew. */
void gossip_set_retire_ms(struct gossip *gossip, uint64_t retire_ms)
{
    gossip->options.retire_ms = retire_ms;
    gossip->retired_count = 0;
}

int known_tick(struct gossip *gossip)
{
    size_t retired = 0;
    if (!gossip->options.retire_ms)
        return 0;
    for (size_t i = 0; i < gossip->peers_count; i++)
        retired += peer_is_member(gossip, i) && known_is_retired(gossip, i);
    if (retired == gossip->retired_count)
        return 0;
    gossip->retired_count = retired;
    return topics_queue(gossip); /* logs may be cut */
}

/* ---- dialling ---- */

void known_turn(struct gossip *gossip, struct peer *peer)
{
    const struct roster_row *row = row_of(gossip, peer);
    if (!row || peer->listed)
        return;
    peer->turn++;
    entry_address(gossip, peer, row);
}

bool known_is_taken(const struct gossip *gossip, size_t index)
{
    const struct peer *peer = &gossip->peers[index];
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct peer *other = &gossip->peers[i];
        if (i != index && peer_is_linked(other) && !strcmp(other->address, peer->address))
            return true;
    }
    return false;
}

uint32_t known_backoff_max(const struct gossip *gossip, const struct peer *peer)
{
    struct swim_member member;
    uint32_t most = gossip->options.backoff_ms_max;
    bool gone = peer->named && !peer->listed && swim_find(gossip->swim, peer->named, &member) &&
                member.state >= MEMBER_DEAD;
    return gone ? most * DEAD_BACKOFFS : most;
}

void known_lives(struct gossip *gossip, uint64_t node)
{
    for (size_t i = 0; i < gossip->peers_count; i++) {
        struct peer *peer = &gossip->peers[i];
        if (peer->named != node || peer_is_linked(peer))
            continue;
        for (unsigned channel = 0; channel < CHANNELS; channel++) {
            peer->dial_at[channel] = 0;
            peer->backoff_ms[channel] = BACKOFF_MS_MIN;
        }
    }
}

/* ---- questions ---- */

const struct roster *gossip_roster(const struct gossip *gossip, uint64_t *ret_version)
{
    *ret_version = gossip->roster_version;
    return &gossip->roster;
}

const struct roster_row *gossip_own(const struct gossip *gossip)
{
    return gossip->options.own;
}

bool gossip_lists(const struct gossip *gossip)
{
    return gossip->options.own && !known_is_forgotten(gossip, gossip->store->identity.node);
}

/* Of two processes of one node, on copies of its directory, one has its record. */
static bool has_copy_before(const struct gossip *gossip)
{
    const struct identity *own = &gossip->store->identity;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        if (peer_is_linked(peer) && peer->node == own->node && peer->nonce < own->nonce)
            return true;
    }
    return false;
}

bool gossip_wants_record(const struct gossip *gossip, struct roster_row *ret_row)
{
    uint64_t own = gossip->store->identity.node;
    const struct roster_row *row = roster_find(&gossip->roster, ROSTER_MEMBERS, own);
    if (!gossip_lists(gossip))
        return false;
    if ((row && roster_rows_equal(row, &gossip->own)) || has_copy_before(gossip))
        return false;
    *ret_row = gossip->own;
    return true;
}
