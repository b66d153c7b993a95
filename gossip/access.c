#include "gossip/access.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/state.h"
#include "store/owner.h"

/* A device's word that this node's directory went back costs an id each time it is believed; so
 * does each id that it claims. */
enum { HEEDS_MAX = 8, HEEDS_REST_MS = 600000, CLAIMS_MAX = 1024 };
/* Whoever sends what he may not, again and again, is heard less often. */
enum { REFUSALS_A_SECOND = 20, REFUSALS_AT_ONCE = 100, REFUSAL_REST_MS_MAX = 1000 };

struct access_row access_row(enum message_kind kind)
{
    switch (kind) {
    case MESSAGE_HELLO:
    case MESSAGE_HEARTBEAT:
    case MESSAGE_DIGEST:
    case MESSAGE_SWIM: /* a device is believed about itself alone: gossip/swim.c */
    case MESSAGE_INTEREST:
        return (struct access_row){ACCESS_ANYBODY, ACCESS_ANYBODY};
    case MESSAGE_PUSH:
    case MESSAGE_PULLED:
    case MESSAGE_RIGHTS:
        return (struct access_row){ACCESS_WRITER, ACCESS_READER};
    case MESSAGE_PULL:
    case MESSAGE_PUSHED:
    case MESSAGE_COMPARE:
    case MESSAGE_TREE:
    case MESSAGE_REPAIR:
    case MESSAGE_ASK:
    case MESSAGE_TOLD:
    case MESSAGE_VERIFY:
    case MESSAGE_VERIFIED:
    case MESSAGE_DESCEND:
    case MESSAGE_DIFFER:
    case MESSAGE_HOLE:
    case MESSAGE_LEAVE:
        return (struct access_row){ACCESS_READER, ACCESS_READER};
    case MESSAGE_COMPARED:
    case MESSAGE_TREED:
    case MESSAGE_REPAIRED:
    case MESSAGE_MEND:
    case MESSAGE_DESCENDED:
    case MESSAGE_DIFFERED:
    case MESSAGE_FILL:
    case MESSAGE_RELIEVED:
        return (struct access_row){ACCESS_NODE, ACCESS_READER};
    case MESSAGE_KINDS:
        break;
    }
    return (struct access_row){ACCESS_NO_ROW, ACCESS_NO_ROW};
}

/* ---- rights ---- */

bool access_is_limited(const struct gossip *gossip, size_t peer)
{
    enum principal_kind kind = gossip->peers[peer].principal.kind;
    return kind != PRINCIPAL_NONE && kind != PRINCIPAL_NODE;
}

/* The system's buckets are written by nodes; of them, devices read those that say so. */
static unsigned access_may(const struct gossip *gossip, size_t peer, const char *bucket)
{
    if (!access_is_limited(gossip, peer))
        return RIGHT_READ | RIGHT_WRITE;
    if (bucket[0] == '_')
        return strcmp(bucket, SYSTEM_BUCKET) ? 0 : RIGHT_READ;
    return principal_may(&gossip->peers[peer].principal, bucket);
}

bool access_reads(const struct gossip *gossip, size_t peer, const char *bucket)
{
    return access_may(gossip, peer, bucket) & RIGHT_READ;
}

bool access_writes(const struct gossip *gossip, size_t peer, const char *bucket)
{
    return access_may(gossip, peer, bucket) & RIGHT_WRITE;
}

bool access_shares(const struct gossip *gossip, size_t peer, uint64_t shard)
{
    if (!access_is_limited(gossip, peer))
        return true;
    const struct shard *found = store_find(gossip->store, shard);
    return found && access_reads(gossip, peer, found->name);
}

/* ---- refused ---- */

void access_refused(struct step *step, size_t peer, const char *bucket, enum message_kind kind,
                    enum reason reason, const char *why)
{
    struct gossip *gossip = step->gossip;
    char name[PRINCIPAL_TEXT_MAX];
    if (!gossip->peers[peer].refusals.rate)
        tokens_init(&gossip->peers[peer].refusals, REFUSALS_A_SECOND, REFUSALS_AT_ONCE);
    tokens_take(&gossip->peers[peer].refusals, step->now.mono_ms, 1);
    gossip->counts[reason]++;
    gossip->refusals++;
    gossip->peers[peer].refused++;
    principal_text(&gossip->peers[peer].principal, name);
    snprintf(gossip->refused, sizeof gossip->refused, "%s: %s of bucket %.64s refused: %s", name,
             message_name(kind), bucket, why);
    snprintf(gossip->peers[peer].last_error, sizeof gossip->peers[peer].last_error,
             "%s of bucket %.32s refused: %s", message_name(kind), bucket, why);
    trace(gossip->trace, "%s: %s", peer_text(gossip, peer), gossip->refused);
}

/* The bytes stay with him: no more than one message of each link is here. Others, and what else he
 * says on his other link, do not wait. */
void access_rest(struct step *step, uint64_t link_id)
{
    struct gossip *gossip = step->gossip;
    struct link *link = link_find(gossip, link_id);
    uint64_t now = step->now.mono_ms;
    if (!link || link->peer == NO_PEER)
        return;
    uint64_t at = tokens_at(&gossip->peers[link->peer].refusals, now, 0);
    if (at <= now)
        return;
    link->ready_at = at < now + REFUSAL_REST_MS_MAX ? at : now + REFUSAL_REST_MS_MAX;
    gossip->counts[REASON_slowed]++;
}

enum access_verdict access_in(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    enum access_need need = access_row(message->kind).in;
    if (!access_is_limited(gossip, peer) || need == ACCESS_ANYBODY || BROKEN("any-right"))
        return ACCESS_TAKE;
    if (need == ACCESS_NODE) {
        gossip->counts[REASON_left_out]++;
        return ACCESS_REFUSE;
    }
    const struct shard *shard = store_find(gossip->store, message->shard);
    if (!shard)
        return ACCESS_TAKE; /* there is no such bucket, and it is answered so */
    unsigned may = access_may(gossip, peer, shard->name);
    if (need == ACCESS_READER && !(may & RIGHT_READ)) {
        access_refused(step, peer, shard->name, message->kind, REASON_hidden, "it may not read it");
        return ACCESS_HIDE;
    }
    if (need == ACCESS_WRITER && !(may & RIGHT_WRITE)) {
        access_refused(step, peer, shard->name, message->kind, REASON_forbidden,
                       "it may not write it");
        return ACCESS_REFUSE;
    }
    return ACCESS_TAKE;
}

bool access_out(struct gossip *gossip, uint64_t link_id, const struct message *message)
{
    const struct link *link = link_find(gossip, link_id);
    if (!link || link->peer == NO_PEER || !access_is_limited(gossip, link->peer) ||
        !message_has_shard(message->kind))
        return true;
    must(access_row(message->kind).out == ACCESS_READER);
    if (gossip->store->hidden && gossip->store->hidden == message->shard)
        return true; /* made as if there were no such bucket */
    const struct shard *shard = store_find(gossip->store, message->shard);
    if (!shard || access_reads(gossip, link->peer, shard->name))
        return true;
    gossip->counts[REASON_withheld]++;
    return false;
}

/* ---- whose events ---- */

bool access_gives(const struct gossip *gossip, const struct pair *pair, size_t peer, uint64_t id)
{
    if (!access_is_limited(gossip, peer) || BROKEN("any-dots"))
        return true;
    return guard_has(&(struct shard_guard){pair->ids, pair->ids_count}, id);
}

bool pair_has_more(const struct gossip *gossip, const struct pair *pair, size_t peer,
                   const struct shard *shard, const struct context *context)
{
    size_t at = 0;
    if (!access_is_limited(gossip, peer))
        return shard_lacks(shard, context);
    for (size_t i = 0; i < context->count; i++) {
        const struct context_entry *entry = &context->entries[i];
        const struct context_entry *known = context_next(&shard->context, &at, entry->id);
        if ((!known || entry->n > known->n) && access_gives(gossip, pair, peer, entry->id))
            return true;
    }
    return false;
}

/* Has it seen what is not here, and is not its own? Then nothing of it can be taken yet. */
bool access_is_ahead(const struct gossip *gossip, const struct pair *pair, size_t peer,
                     const struct shard *shard)
{
    const struct shard_guard guard = {pair->ids, pair->ids_count};
    return access_is_limited(gossip, peer) && !BROKEN("any-dots") &&
           !shard_covers_but(shard, &pair->context, &guard);
}

void access_guard(const struct gossip *gossip, const struct pair *pair, size_t peer,
                  struct shard *shard, struct shard_guard *ret_guard)
{
    *ret_guard = (struct shard_guard){pair->ids, pair->ids_count};
    shard->guard = access_is_limited(gossip, peer) ? ret_guard : NULL;
}

int access_taken(struct step *step, size_t peer, struct topic *topic, struct pair *pair,
                 struct shard *shard, enum message_kind kind, int error)
{
    bool limited = shard->guard;
    shard->guard = NULL;
    if (!limited || (error != NEAP_REFUSED && error != NEAP_BUSY && error != NEAP_STALE))
        return error;
    pair->gap = true;
    if (error == NEAP_REFUSED)
        access_refused(step, peer, shard->name, kind, REASON_foreign_dots,
                       "it has events of ids that are not its own");
    if (error == NEAP_BUSY)
        step->gossip->counts[REASON_ahead]++;
    if (error == NEAP_STALE) {
        shard->went_back = false; /* its digest may say so */
        step->gossip->counts[REASON_other_history]++;
    }
    pair->pull_after = step->now.mono_ms + PULL_AGAIN_MS;
    topic_wake(step->gossip, topic, pair->pull_after);
    return NEAP_END;
}

/* ---- whose ids ---- */

static bool shard_uses(const struct shard *shard, uint64_t id)
{
    return shard->life == id || shard_is_own(shard, id);
}

static bool peer_is_owner(const struct peer *peer, const struct owner *owner)
{
    return owner->kind == (uint64_t)peer->principal.kind && owner->id == peer->principal.id;
}

/* Each is a record on disk. */
static bool peer_may_claim(struct step *step, struct peer *peer)
{
    if (step->now.mono_ms >= peer->claims_from + HEEDS_REST_MS) {
        peer->claims_from = step->now.mono_ms;
        peer->claims = 0;
    }
    return peer->claims++ < CLAIMS_MAX;
}

/* *ret_mine: it is the peer's. One that nobody has is, from now on, if the peer `claims` it. */
static int id_claim(struct step *step, size_t index, const struct shard *shard, uint64_t id,
                    bool claims, bool *ret_mine)
{
    struct peer *peer = &step->gossip->peers[index];
    struct view view = batch_view(step->batch);
    struct owner owner = {peer->principal.kind, peer->principal.id}, found;
    bool limited = access_is_limited(step->gossip, index);
    *ret_mine = false;
    if (shard_uses(shard, id))
        return 0;
    int error = owner_read(&view, shard->id, id, &found);
    if (!error && !limited && found.kind != PRINCIPAL_NODE)
        error = NEAP_NOTFOUND; /* a node is believed */
    if (error == NEAP_NOTFOUND && claims && (!limited || peer_may_claim(step, peer))) {
        error = owner_write(step->batch, shard->id, id, &owner);
        *ret_mine = !error;
        return error;
    }
    if (!error)
        *ret_mine = peer_is_owner(peer, &found) || BROKEN("any-id");
    return error == NEAP_NOTFOUND ? 0 : error;
}

static int pair_add_id(struct pair *pair, uint64_t id)
{
    for (size_t i = 0; i < pair->ids_count; i++) {
        if (pair->ids[i] == id)
            return 0;
    }
    uint64_t *ids = mem_reserve(pair->ids, pair->ids_count, &pair->ids_room, 1, sizeof *ids);
    if (!ids)
        return NEAP_NOMEM;
    pair->ids = ids;
    pair->ids[pair->ids_count++] = id;
    return 0;
}

/* Ids that it has told before, or tells now. */
static int pair_find_ids(struct step *step, size_t peer, const struct digest_item *item,
                         struct pair *pair, const struct shard *shard)
{
    int error = 0;
    for (size_t i = 0; i < item->context.count && !error; i++) {
        const struct context_entry *entry = &item->context.entries[i];
        bool claims = false, mine;
        if (entry->n <= context_get(&shard->context, entry->id) ||
            (pair->ids_count && access_gives(step->gossip, pair, peer, entry->id)))
            continue;
        for (size_t j = 0; j < item->earlier_count; j++)
            claims = claims || item->earlier[j] == entry->id;
        error = id_claim(step, peer, shard, entry->id, claims, &mine);
        if (!error && mine)
            error = pair_add_id(pair, entry->id);
    }
    return error;
}

int access_claim(struct step *step, size_t peer, const struct digest_item *item, struct pair *pair,
                 const struct shard *shard, bool *ret_fine)
{
    struct gossip *gossip = step->gossip;
    bool mine;
    *ret_fine = true;
    if (gossip->peers[peer].principal.kind == PRINCIPAL_NONE)
        return 0;
    /* Nodes are believed, but what they have is nobody else's. */
    if (pair->replica == item->replica && !access_is_limited(gossip, peer))
        return 0;
    if (shard_uses(shard, item->replica) && !access_is_limited(gossip, peer))
        return 0;
    int error = id_claim(step, peer, shard, item->replica, true, &mine);
    if (error || !access_is_limited(gossip, peer))
        return error;
    if (!mine && !BROKEN("any-id")) {
        *ret_fine = false;
        access_refused(step, peer, shard->name, MESSAGE_DIGEST, REASON_foreign_id,
                       "it claims a replica id that is not its own");
        return 0;
    }
    if (pair->replica != item->replica)
        pair->ids_count = 0;
    error = pair_add_id(pair, item->replica);
    return error ? error : pair_find_ids(step, peer, item, pair, shard);
}

/* ---- what it says of my events ---- */

bool access_heeds(struct step *step, size_t index, const struct shard *shard,
                  const struct context_entry *seen)
{
    struct gossip *gossip = step->gossip;
    struct peer *peer = &gossip->peers[index];
    if (!access_is_limited(gossip, index) || !seen ||
        shard_check_quote(shard, seen) != QUOTE_ROLLBACK || BROKEN("heeds-all"))
        return true;
    if (step->now.mono_ms >= peer->heeds_from + HEEDS_REST_MS) {
        peer->heeds_from = step->now.mono_ms;
        peer->heeds = 0;
    }
    if (peer->heeds < HEEDS_MAX) {
        peer->heeds++;
        return true;
    }
    access_refused(step, index, shard->name, MESSAGE_DIGEST, REASON_unheeded,
                   "it says again and again that this node went back in time");
    return false;
}

/* ---- who is no more ---- */

int access_revoke(struct step *step)
{
    struct gossip *gossip = step->gossip;
    struct view view = {.disk = gossip->store->disk};
    int error = 0;
    if (!gossip->revoked_stale || BROKEN("revoked-later"))
        return 0;
    if (step->batch)
        view = batch_view(step->batch);
    error = revoked_read(&view, &gossip->revoked);
    if (error == NEAP_CORRUPT)
        return 0; /* what was known of them holds */
    if (error)
        return error;
    gossip->revoked_stale = false;
    gossip->revoked_version++;
    for (size_t i = gossip->links_count; i-- > 0 && !error;) {
        if (i < gossip->links_count && revoked_has(&gossip->revoked, &gossip->links[i].principal))
            error = link_drop(step, gossip->links[i].id, REASON_revoked);
    }
    return error;
}
