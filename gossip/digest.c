#include "gossip/state.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"

/* ---- telling ---- */

/* Digests on their way to one peer. */
struct telling {
    size_t peer;
    struct message message;
    size_t room; /* for digests in the message */
    size_t size, shards;
    uint64_t from;     /* the first shard of the message */
    unsigned messages; /* sent */
};

static bool digest_is_due(const struct peer *peer, const struct topic *topic,
                          const struct pair *pair)
{
    if (!pair)
        return peer->round.all;
    if (!peer->round.all && !pair->soon)
        return false;
    return pair->told != topic->version || pair->told_replica != pair->replica;
}

static int digest_fill(const struct shard *shard, const struct pair *pair, struct digest_item *item)
{
    item->shard = shard->id;
    snprintf(item->name, sizeof item->name, "%s", shard->name);
    item->replica = shard->replica;
    item->quote = (struct context_entry){0};
    if (pair->replica)
        item->quote = shard_quote(shard, pair->replica);
    if (pair->proof.id == pair->replica)
        item->proof = pair->proof;
    item->claim = shard->confirmed ? CLAIM_CONFIRMED
                  : shard->leaving ? CLAIM_LEAVING
                                   : CLAIM_UNCONFIRMED;
    item->opened_at = shard->opened_at;
    memcpy(item->earlier, shard->earlier, shard->earlier_count * sizeof *shard->earlier);
    item->earlier_count = shard->earlier_count;
    int error = shard_told(shard, &item->context);
    if (!error)
        item->root = repair_root(shard, &item->context);
    if (!error)
        error = context_copy(&item->horizon, &shard->horizon);
    if (error || shard->openings_count == 0)
        return error;
    item->openings = mem_new_array(shard->openings_count, sizeof *item->openings);
    if (!item->openings)
        return NEAP_NOMEM;
    memcpy(item->openings, shard->openings, shard->openings_count * sizeof *item->openings);
    item->openings_count = shard->openings_count;
    return 0;
}

static int telling_send(struct step *step, struct telling *telling, bool more)
{
    struct gossip *gossip = step->gossip;
    uint64_t link = gossip->peers[telling->peer].links[CHANNEL_CONTROL];
    size_t count = telling->message.digests_count;
    if (count == 0)
        return 0;
    telling->message.digests_more = more;
    int error = link_send(step, link, &telling->message, true);
    for (size_t i = 0; i < count && !error; i++) {
        const struct digest_item *item = &telling->message.digests[i];
        struct topic *topic = gossip->topics[topic_index(gossip, item->shard)];
        struct pair *pair = topic_pair(topic, telling->peer);
        pair->told = topic->version;
        pair->told_replica = pair->replica;
        pair->told_turn = gossip->peers[telling->peer].round.turn;
        pair->soon = false;
    }
    for (size_t i = 0; i < count; i++) {
        context_done(&telling->message.digests[i].context);
        context_done(&telling->message.digests[i].horizon);
        mem_free(telling->message.digests[i].openings);
    }
    telling->message.digests_count = telling->size = 0;
    telling->shards += error ? 0 : count;
    telling->messages += !error;
    return error;
}

static size_t digest_size(const struct shard *shard)
{
    return 64 + strlen(shard->name) + 9 * shard->earlier_count +
           CONTEXT_BYTES * (shard->context.count + shard->horizon.count);
}

static bool telling_has_room(const struct telling *telling, const struct shard *shard)
{
    size_t count = telling->message.digests_count;
    return count == 0 ||
           (count < DIGESTS_MAX && telling->size + digest_size(shard) <= DIGEST_SIZE_AIM);
}

static int telling_add(struct telling *telling, struct topic *topic, const struct shard *shard)
{
    struct message *message = &telling->message;
    size_t index = message->digests_count;
    struct pair *pair;
    int error = topic_get_pair(topic, telling->peer, &pair);
    if (error)
        return error;
    struct digest_item *digests =
        mem_reserve(message->digests, index, &telling->room, 1, sizeof *digests);
    if (!digests)
        return NEAP_NOMEM;
    digests[index] = (struct digest_item){0};
    message->digests = digests;
    message->digests_count++;
    if (index == 0)
        telling->from = topic->shard;
    telling->size += digest_size(shard);
    return digest_fill(shard, pair, &digests[index]);
}

/* One turn of the round: as far as the messages go that it may send. */
static int peer_tell(struct step *step, struct telling *telling)
{
    struct gossip *gossip = step->gossip;
    struct peer *peer = &gossip->peers[telling->peer];
    int error = 0;
    for (size_t i = topic_index(gossip, peer->round.from); i < gossip->topics_count && !error;
         i++) {
        struct topic *topic = gossip->topics[i];
        const struct shard *shard;
        if (!digest_is_due(peer, topic, topic_pair(topic, telling->peer)))
            continue;
        shard = store_find(gossip->store, topic->shard);
        if (!shard || !access_reads(gossip, telling->peer, shard->name) ||
            !topic_is_told(gossip, topic, telling->peer))
            continue;
        if (!telling_has_room(telling, shard))
            error = telling_send(step, telling, true);
        if (!error && telling->messages >= peer->round.messages_max) {
            peer->round.from = topic->shard;
            return 0;
        }
        if (!error)
            error = telling_add(telling, topic, shard);
    }
    if (!error)
        error = telling_send(step, telling, false);
    if (!error)
        peer->round.open = false;
    return error;
}

/* What is asked for while a round goes on is for the next one. */
static void round_turn(struct peer *peer, uint64_t now_ms)
{
    struct digest_round *round = &peer->round;
    if (!round->open) {
        round->open = true;
        round->all = peer->digest_all;
        round->from = 0;
        peer->digest_soon = peer->digest_all = false;
    }
    if (!round->refused) {
        bool first = round->messages_max == 0;
        unsigned more = first ? DIGEST_MESSAGES_MAX : round->messages_max * 2;
        round->messages_max = more < DIGEST_MESSAGES_MAX ? more : DIGEST_MESSAGES_MAX;
        round->again_ms = DIGEST_AGAIN_MS_MIN;
    }
    round->refused = false;
    round->turn++;
    round->turn_from = round->from;
    round->turn_at = now_ms;
    peer->digest_after = now_ms + DIGEST_QUICK_MS;
}

/* One message at a time is what a link that is nearly full may take: of more, those that it took
 * would be told again with those that it refused, each time. */
static void round_back_off(struct peer *peer, uint64_t now_ms)
{
    struct digest_round *round = &peer->round;
    if (round->refused)
        return;
    round->refused = true;
    round->messages_max = 1;
    peer->digest_after = now_ms + round->again_ms;
    round->again_ms =
        round->again_ms * 2 < DIGEST_AGAIN_MS_MAX ? round->again_ms * 2 : DIGEST_AGAIN_MS_MAX;
}

void digests_refused(struct gossip *gossip, size_t index)
{
    struct peer *peer = &gossip->peers[index];
    struct digest_round *round = &peer->round;
    if (peer->interest_told_ms == gossip->now_ms)
        peer->interest_told = false; /* it may have been that */
    if (round->messages_max == 0 || round->turn_at != gossip->now_ms)
        return; /* it was a heartbeat, and there will be others */
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct pair *pair = topic_pair(gossip->topics[i], index);
        if (!pair || pair->told_turn != round->turn)
            continue;
        pair->told = 0;
        pair->soon = true;
    }
    round->open = true;
    round->from = round->turn_from;
    round_back_off(peer, gossip->now_ms);
}

/* Whoever waits there has one call under way and not many: to him the next digest is what he waits
 * for. Many at once share a push, and so a digest. */
void digest_hurry(struct step *step, size_t index)
{
    struct peer *peer = &step->gossip->peers[index];
    if (peer->digest_soon && !peer->round.refused)
        peer->digest_after = step->now.mono_ms;
}

static int digests_send_to(struct step *step, size_t index)
{
    struct gossip *gossip = step->gossip;
    struct peer *peer = &gossip->peers[index];
    struct telling telling = {.peer = index};
    message_init(&telling.message);
    telling.message.kind = MESSAGE_DIGEST;
    int error = interest_tell(step, index);
    round_turn(peer, step->now.mono_ms);
    if (!error && peer->control_heard)
        error = peer_tell(step, &telling);
    if (telling.shards > 0)
        trace(gossip->trace, "%s: digest of %zu", peer_text(gossip, index), telling.shards);
    if (error == NEAP_LIMIT) { /* no room in the outbox */
        peer->round.from = telling.from;
        round_back_off(peer, step->now.mono_ms);
        error = 0;
    }
    message_done(&telling.message);
    return error;
}

static bool peer_waits_for_digest(const struct peer *peer)
{
    bool due = (peer->digest_soon || peer->round.open) && peer->control_heard;
    return (due || !peer->interest_told) && peer->links[CHANNEL_CONTROL];
}

int digests_send(struct step *step)
{
    struct gossip *gossip = step->gossip;
    int error = 0;
    for (size_t i = 0; i < gossip->peers_count && !error; i++) {
        const struct peer *peer = &gossip->peers[i];
        if (peer_waits_for_digest(peer) && step->now.mono_ms >= peer->digest_after)
            error = digests_send_to(step, i);
    }
    return error;
}

uint64_t digests_deadline(const struct gossip *gossip)
{
    uint64_t deadline = UINT64_MAX;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        if (peer_waits_for_digest(peer) && peer->digest_after < deadline)
            deadline = peer->digest_after;
    }
    return deadline;
}

/* ---- being told ---- */

/* A bucket that a peer has is made here as well, if this node subscribes to it (else END). LIMIT:
 * too many. */
static int digest_shard(struct step *step, const struct digest_item *item, struct shard **ret_shard)
{
    struct gossip *gossip = step->gossip;
    if (shard_name_check(item->name) || bucket_id(item->name) != item->shard)
        return NEAP_INVALID;
    *ret_shard = store_find(gossip->store, item->shard);
    if (*ret_shard)
        return 0;
    if (!store_wants(gossip->store, item->name))
        return NEAP_END;
    int error = store_shard(gossip->store, step->batch, item->name, ret_shard);
    if (!error)
        trace(gossip->trace, "%s: made, a peer has it", item->name);
    return error;
}

/* The peer's word on my replica id opens the shard for this session. */
static void pair_open(struct step *step, struct pair *pair, const struct shard *shard, size_t peer)
{
    struct gossip *gossip = step->gossip;
    uint64_t counter = context_get(&shard->context, shard->replica);
    if (pair->open)
        return;
    pair->open = true;
    pair->pull_after = pair->awaited = 0;
    pair->sent = context_get(&pair->context, shard->replica);
    pair->behind = pair->sent < counter;
    trace(gossip->trace, "%s: %s is open", peer_text(gossip, peer), shard->name);
}

/* Has the peer caught up so far that it can be pushed to again? Not while the log no longer tells
 * what it lacks: it would be given up at once, and told so, for each of its digests. */
static int pair_caught_up(struct step *step, struct topic *topic, struct pair *pair,
                          const struct shard *shard)
{
    uint64_t counter = context_get(&shard->context, shard->replica);
    uint64_t theirs = context_get(&pair->context, shard->replica);
    bool told = theirs >= context_get(&shard->horizon, shard->replica);
    if (theirs > pair->sent)
        pair->sent = theirs;
    if (!pair->behind || !pair->open || !told || theirs + PUSH_AGAIN_MAX < counter)
        return 0;
    if (theirs < counter && step->now.mono_ms < pair->pulls_until)
        return 0;
    pair->behind = false;
    pair->sent = theirs;
    return theirs < counter ? topic_touch(step->gossip, topic) : 0;
}

/* What it claims of itself is kept, and before that, what I know of it. */
static int digest_promise(struct step *step, size_t peer, const struct digest_item *item,
                          struct pair *pair, struct shard *shard)
{
    struct view view = batch_view(step->batch);
    struct shard_claim claim = {.replica = item->replica,
                                .opened_at = item->opened_at,
                                .openings_count = item->openings_count};
    if (item->openings_count > 0)
        memcpy(claim.openings, item->openings, item->openings_count * sizeof *item->openings);
    struct context_entry proof = shard_proof(shard, &view, &claim);
    if (proof.n > 0 || pair->proof.id != proof.id)
        pair->proof = proof;
    return BROKEN("no-promise") ? 0
                                : shard_promise(shard, step->gossip->peers[peer].promises, &claim);
}

/* Rule 9, before anything else: does what it has seen of me show that my directory went back? */
static int digest_check(struct step *step, size_t peer, const struct digest_item *item,
                        struct topic *topic, struct pair *pair, struct shard *shard, bool *ret_fine)
{
    const struct context_entry *seen = context_find(&item->context, shard->replica);
    /* What it knows of events that I have from before may still follow, with its quote. */
    if (!shard->confirmed && shard->openings_count > 1 && item->quote.id != shard->replica)
        seen = NULL;
    if (!access_heeds(step, peer, shard, seen) || !access_heeds(step, peer, shard, &item->quote)) {
        *ret_fine = false;
        return 0;
    }
    int error = release_show(step, topic, shard, item);
    if (!error)
        error = release_check(step, topic, shard, seen, ret_fine);
    if (!error && *ret_fine)
        error = release_check(step, topic, shard, &item->quote, ret_fine);
    return error ? error : digest_promise(step, peer, item, pair, shard);
}

static int digest_see(struct step *step, size_t peer, const struct digest_item *item,
                      struct topic *topic, struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    struct pair *pair;
    bool fine = true;
    int error = topic_get_pair(topic, peer, &pair);
    if (!error)
        error = access_claim(step, peer, item, pair, shard, &fine);
    if (error || !fine)
        return error;
    error = digest_check(step, peer, item, topic, pair, shard, &fine);
    if (!error)
        error = pair_see(pair, &item->context, pair->replica != item->replica);
    if (error)
        return error;
    /* A device is not asked what is lost here. */
    bool tells = context_equal(&pair->context, &item->context) && !access_is_limited(gossip, peer);
    pair->root = tells ? item->root : 0;
    bool quoted = fine && item->quote.id == shard->replica;
    pair->replica = item->replica;
    pair->goes_first = item->claim == CLAIM_UNCONFIRMED;
    if (quoted)
        pair_open(step, pair, shard, peer);
    /* A session may begin anew at one end only, when that one changes links: what it was told
     * before is void there, and it quotes nothing. So is what a digest of an older link made it
     * believe: then it quotes another id. But who quotes this one has been told all there is. */
    if (item->quote.id != shard->replica)
        pair->told = 0;
    if (pair->told_replica != pair->replica || !quoted)
        pair_wants_digest(gossip, pair, peer);
    return pair_caught_up(step, topic, pair, shard);
}

int digest_take(struct step *step, size_t peer, const struct digest_item *item)
{
    struct gossip *gossip = step->gossip;
    struct shard *shard = NULL;
    struct topic *topic;
    bool shared =
        access_reads(gossip, peer, item->name) &&
        (access_writes(gossip, peer, item->name) || store_find(gossip->store, item->shard));
    if (!shared && !BROKEN("any-right")) {
        gossip->counts[REASON_not_shared]++;
        return 0;
    }
    int error = digest_shard(step, item, &shard);
    gossip->peers[peer].spoke = true;
    if (error == NEAP_END) {
        gossip->counts[REASON_not_wanted]++;
        return 0;
    }
    if (error == NEAP_LIMIT) {
        gossip->counts[REASON_too_many_shards]++;
        return 0;
    }
    if (!error)
        error = topic_get(gossip, item->shard, &topic);
    if (!error) {
        error = digest_see(step, peer, item, topic, shard);
        if (error != NEAP_INVALID)
            error = topic_fault(step, topic, shard, error, FAULT_KEEPING);
    }
    return error ? error : topic_queue(gossip, topic);
}
