#include "gossip/state.h"

#include "base/broken.h"
#include "base/error.h"
#include "store/chunk.h"

/* One chunk serves every peer that stands at the same place. */
struct pushing {
    uint64_t from, to;   /* events (from, to] of mine; to 0: nothing yet */
    struct buffer bytes; /* of the chunk... */
    struct buffer after; /* ... and as it is told one of the peers after another */
    struct chunk chunk;
    bool awaited; /* by a caller, on the disks of others */
};

static int pushing_read(struct step *step, const struct shard *shard, uint64_t from,
                        struct pushing *pushing)
{
    struct view view = batch_view(step->batch);
    struct context since = {0};
    if (pushing->to && pushing->from == from)
        return 0;
    pushing->to = 0;
    chunk_done(&pushing->chunk);
    buffer_clear(&pushing->bytes);
    int error = from ? context_raise(&since, shard->replica, from, 0) : 0;
    if (!error)
        error = shard_chunk(shard, &view, &since, shard->replica, step->gossip->options.chunk_size,
                            &pushing->bytes);
    if (!error)
        error = chunk_decode(buffer_slice(&pushing->bytes), CHUNK_EVENTS, &pushing->chunk);
    if (!error && pushing->chunk.runs_count > 0) {
        pushing->from = from;
        pushing->to = pushing->chunk.runs[pushing->chunk.runs_count - 1].to;
    }
    context_done(&since);
    return error;
}

static void push_give_up(struct step *step, struct pair *pair, size_t peer)
{
    pair->behind = true;
    step->gossip->peers[peer].behind++;
    pair_wants_digest(step->gossip, pair, peer);
}

/* Told after the last push to the peer, or else whole. */
static int push_pack(struct pushing *pushing, const struct pushed *pushed, uint64_t link,
                     struct slice *ret_bytes)
{
    *ret_bytes = buffer_slice(&pushing->bytes);
    bool base =
        pushed_is_base(pushed, link, pushed->number + 1) || (BROKEN("base-stays") && pushed->known);
    if (!base || !chunk_is_after(&pushing->chunk, &pushed->base))
        return 0;
    buffer_clear(&pushing->after);
    int error = chunk_encode_after(&pushing->chunk, &pushed->base, &pushing->after);
    *ret_bytes = buffer_slice(&pushing->after);
    return error;
}

static int push_chunk(struct step *step, const struct shard *shard, struct pair *pair, size_t peer,
                      struct pushing *pushing)
{
    struct gossip *gossip = step->gossip;
    uint64_t link = gossip->peers[peer].links[CHANNEL_BULK];
    struct message message;
    int error = pushing_read(step, shard, pair->sent, pushing);
    if (error)
        return error;
    message_init(&message);
    message.kind = MESSAGE_PUSH;
    message.shard = shard->id;
    if (!pair->pushed.number)
        pair->pushed.number = gossip->pushed_base;
    message.session = pair->pushed.number + 1;
    message.what = pushing->awaited;
    error = push_pack(pushing, &pair->pushed, link, &message.bytes);
    if (!error)
        error =
            pushed_keep(gossip, peer, pair, PUSHED_THERE, link, message.session, &pushing->chunk);
    if (!error)
        error = link_send(step, link, &message, true);
    if (error) {
        pushed_forget(&pair->pushed);
        return error;
    }
    trace(gossip->trace, "%s: push %s %llu..%llu", peer_text(gossip, peer), shard->name,
          (unsigned long long)pair->sent + 1, (unsigned long long)pushing->to);
    pair->sent = pushing->to;
    gossip->peers[peer].pushed_bytes += message.bytes.size;
    gossip->peers[peer].pushes++;
    return 0;
}

static int push_to(struct step *step, const struct shard *shard, struct pair *pair, size_t peer,
                   struct pushing *pushing)
{
    uint64_t counter = context_get(&shard->context, shard->replica);
    int error = 0;
    if (pair->sent < counter && counter - pair->sent > PUSH_EVENTS_MAX)
        error = NEAP_LIMIT;
    while (!error && pair->sent < counter) {
        if (step->gossip->peers[peer].pushed_bytes > PUSH_BYTES_MAX)
            error = NEAP_LIMIT;
        else
            error = push_chunk(step, shard, pair, peer, pushing);
    }
    if (error == NEAP_LIMIT || error == NEAP_STALE || error == NEAP_END)
        push_give_up(step, pair, peer);
    else if (error)
        return error;
    return 0;
}

/* All that stand where it can't be read are left to pull, later. */
static int push_fault(struct step *step, struct topic *topic, const struct shard *shard,
                      struct pair *pair, size_t peer, int error)
{
    push_give_up(step, pair, peer);
    return topic_fault(step, topic, shard, error, FAULT_GIVING);
}

int push_work(struct step *step, struct topic *topic, struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    struct pushing pushing = {0};
    int error = 0;
    if (!shard_released(shard))
        return 0;
    buffer_init(&pushing.bytes, CHUNK_BYTES_MAX);
    buffer_init(&pushing.after, CHUNK_BYTES_MAX);
    pushing.awaited = topic->awaited;
    topic->awaited = false;
    for (size_t i = 0; i < gossip->peers_count && !error; i++) {
        struct pair *pair = topic_open_pair(gossip, topic, i);
        if (pair && !pair->behind && topic_is_wanted(gossip, topic, i))
            error = push_to(step, shard, pair, i, &pushing);
        if (error)
            error = push_fault(step, topic, shard, pair, i, error);
    }
    buffer_done(&pushing.bytes);
    buffer_done(&pushing.after);
    chunk_done(&pushing.chunk);
    return error;
}

int push_refused(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct pair *pair = topic_open_pair(gossip, topic_find(gossip, message->shard), peer);
    if (!pair || !pair->pushed.known)
        return 0;
    trace(gossip->trace, "%s: a push is refused", peer_text(gossip, peer));
    pushed_forget(&pair->pushed);
    push_give_up(step, pair, peer);
    return 0;
}

/* ---- being pushed to ---- */

static void push_taken(struct step *step, struct topic *topic, struct pair *pair, size_t peer,
                       const struct shard *shard, enum taken taken)
{
    struct gossip *gossip = step->gossip;
    switch (taken) {
    case TAKEN:
        trace(gossip->trace, "%s: pushed %s", peer_text(gossip, peer), shard->name);
        topic_changed(gossip, topic);
        pair_wants_digest(gossip, pair, peer);
        break;
    case TAKEN_NOTHING:
        break;
    case TAKEN_BEHIND:
        trace(gossip->trace, "%s: pushed %s, behind", peer_text(gossip, peer), shard->name);
        gossip->counts[REASON_behind]++;
        pair->gap = true;
        break;
    case TAKEN_BUSY:
        trace(gossip->trace, "%s: pushed %s, busy", peer_text(gossip, peer), shard->name);
        break;
    }
}

/* What a push is a difference to is not what came last: it can't be read. The peer is told, and
 * what was in it will be pulled. */
static int push_refuse(struct step *step, size_t peer, struct pair *pair,
                       const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct message answer;
    trace(gossip->trace, "%s: pushed what comes after something else", peer_text(gossip, peer));
    gossip->counts[REASON_push_refused]++;
    pair->gap = true;
    message_answer(&answer, MESSAGE_PUSHED, message);
    answer.code = NEAP_STALE;
    return answer_send(step, peer, &answer);
}

/* It was under way on a link that the peer has left, when another one came by its new link. */
static bool push_is_late(const struct pair *pair, const struct message *message)
{
    return pair->came.known && message->session <= pair->came.number;
}

/* The same, but that new link has ended as well, and what came by it is kept no more. */
static bool push_is_left_over(const struct pair *pair, const struct link *link,
                              const struct message *message)
{
    const struct pushed *came = &pair->came;
    return came->link && came->link != link->id && message->session <= came->number;
}

/* Whatever becomes of it, the next push may be a difference to this one. */
static int push_read(struct step *step, const struct link *link, struct pair *pair,
                     const struct message *message, struct chunk *ret_chunk)
{
    int error;
    if (chunk_was_after(message->bytes))
        error = chunk_decode_after(message->bytes, &pair->came.base, ret_chunk);
    else
        error = chunk_decode(message->bytes, CHUNK_EVENTS, ret_chunk);
    if (!error && ret_chunk->shard != message->shard)
        error = NEAP_INVALID;
    if (!error && !push_is_late(pair, message))
        error = pushed_keep(step->gossip, link->peer, pair, PUSHED_HERE, link->id, message->session,
                            ret_chunk);
    return error;
}

static int push_take_chunk(struct step *step, size_t peer, struct topic *topic, struct pair *pair,
                           struct chunk *chunk)
{
    struct shard *shard = store_find(step->gossip->store, topic->shard);
    enum taken taken;
    if (!topic_open_pair(step->gossip, topic, peer) || !shard || shard->unwanted) {
        pair->gap = true; /* not open yet: it will be pulled */
        return 0;
    }
    struct shard_guard guard;
    access_guard(step->gossip, pair, peer, shard, &guard);
    int error = shard_take_chunk(shard, step->batch, chunk, CHUNK_PUSH, &taken);
    error = access_taken(step, peer, topic, pair, shard, MESSAGE_PUSH, error);
    if (error == NEAP_END) {
        error = pair_see(pair, &chunk->context, false);
    } else if (error == NEAP_STALE) {
        error = release_refused(step, topic, shard);
    } else if (error) {
        error = topic_fault_chunk(step, topic, shard, error, chunk);
        pair->gap = pair->gap || !error;
    } else {
        error = pair_see(pair, &chunk->context, false);
        push_taken(step, topic, pair, peer, shard, taken);
        error = error ? error : topic_queue(step->gossip, topic);
    }
    return error;
}

int push_take(struct step *step, const struct link *link, const struct message *message)
{
    struct topic *topic = topic_find(step->gossip, message->shard);
    struct pair *pair = topic ? topic_pair(topic, link->peer) : NULL;
    struct chunk chunk = {0};
    if (!pair)
        return 0;
    if (chunk_was_after(message->bytes) &&
        !pushed_is_base(&pair->came, link->id, message->session) &&
        !(BROKEN("base-any") && pair->came.known)) {
        /* What came after a late one has told how far its sender was. */
        if (push_is_late(pair, message))
            return 0;
        if (!push_is_left_over(pair, link, message))
            return push_refuse(step, link->peer, pair, message);
        pair->gap = true;
        return topic_queue(step->gossip, topic);
    }
    int error = push_read(step, link, pair, message, &chunk);
    if (!error)
        error = push_take_chunk(step, link->peer, topic, pair, &chunk);
    if (!error && message->what && !BROKEN("nobody-waits"))
        digest_hurry(step, link->peer);
    chunk_done(&chunk);
    return error;
}
