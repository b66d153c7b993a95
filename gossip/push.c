#include "gossip/state.h"

#include "base/error.h"
#include "store/chunk.h"

/* One chunk serves every peer that stands at the same place. */
struct pushing {
    uint64_t from, to; /* events (from, to] of mine; to 0: nothing yet */
    struct buffer chunk;
};

static int pushing_read(struct step *step, const struct shard *shard, uint64_t from,
                        struct pushing *pushing)
{
    struct view view = batch_view(step->batch);
    struct context since = {0};
    struct chunk chunk = {0};
    if (pushing->to && pushing->from == from)
        return 0;
    pushing->to = 0;
    buffer_clear(&pushing->chunk);
    int error = from ? context_raise(&since, shard->replica, from, 0) : 0;
    if (!error)
        error = shard_chunk(shard, &view, &since, shard->replica, step->gossip->options.chunk_size,
                            &pushing->chunk);
    if (!error)
        error = chunk_decode(buffer_slice(&pushing->chunk), CHUNK_EVENTS, &chunk);
    if (!error && chunk.runs_count > 0) {
        pushing->from = from;
        pushing->to = chunk.runs[chunk.runs_count - 1].to;
    }
    chunk_done(&chunk);
    context_done(&since);
    return error;
}

static void push_give_up(struct step *step, struct pair *pair, size_t peer)
{
    pair->behind = true;
    step->gossip->peers[peer].behind++;
    pair_wants_digest(step->gossip, pair, peer);
}

static int push_chunk(struct step *step, const struct shard *shard, struct pair *pair, size_t peer,
                      struct pushing *pushing)
{
    struct gossip *gossip = step->gossip;
    struct message message;
    int error = pushing_read(step, shard, pair->sent, pushing);
    if (error)
        return error;
    message_init(&message);
    message.kind = MESSAGE_PUSH;
    message.shard = shard->id;
    message.bytes = buffer_slice(&pushing->chunk);
    error = link_send(step, gossip->peers[peer].links[CHANNEL_BULK], &message, true);
    if (error)
        return error;
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
    buffer_init(&pushing.chunk, CHUNK_BYTES_MAX);
    for (size_t i = 0; i < gossip->peers_count && !error; i++) {
        struct pair *pair = topic_open_pair(gossip, topic, i);
        if (pair && !pair->behind)
            error = push_to(step, shard, pair, i, &pushing);
        if (error)
            error = push_fault(step, topic, shard, pair, i, error);
    }
    buffer_done(&pushing.chunk);
    return error;
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

int push_take(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct topic *topic = topic_find(gossip, message->shard);
    struct pair *pair = topic_open_pair(gossip, topic, peer);
    struct shard *shard = store_find(gossip->store, message->shard);
    struct context context = {0}, horizon = {0};
    enum taken taken;
    if (!pair || !shard) {
        /* Not open yet: it will be pulled. */
        struct pair *closed = topic ? topic_pair(topic, peer) : NULL;
        if (closed)
            closed->gap = true;
        return 0;
    }
    struct shard_guard guard;
    int error = chunk_peek(message->bytes, &context, &horizon);
    access_guard(gossip, pair, peer, shard, &guard);
    if (!error)
        error = shard_take(shard, step->batch, message->bytes, CHUNK_PUSH, &taken);
    error = access_taken(step, peer, topic, pair, shard, message->kind, error);
    if (error == NEAP_END) {
        error = pair_see(pair, &context, false);
    } else if (error == NEAP_STALE) {
        error = release_refused(step, topic, shard);
    } else if (error) {
        error = topic_fault_taking(step, topic, shard, error, CHUNK_EVENTS, message->bytes);
        pair->gap = pair->gap || !error;
    } else {
        error = pair_see(pair, &context, false);
        push_taken(step, topic, pair, peer, shard, taken);
        error = error ? error : topic_queue(gossip, topic);
    }
    context_done(&context);
    context_done(&horizon);
    return error;
}
