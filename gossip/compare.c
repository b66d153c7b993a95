#include "gossip/state.h"

#include "base/broken.h"
#include "base/error.h"
#include "store/chunk.h"

int compare_ask(struct step *step, struct topic *topic, struct slice cursor)
{
    struct message message;
    message_init(&message);
    message.kind = MESSAGE_COMPARE;
    message.bytes = cursor;
    return question_send(step, topic, &message);
}

/* ---- giving ---- */

static int compare_page(struct step *step, struct topic *topic, const struct shard *shard,
                        struct slice cursor, struct buffer *page, int *ret_code)
{
    struct view view = batch_view(step->batch);
    if (!shard_released(shard))
        return 0;
    if (BROKEN("page-of-before"))
        view.batch = NULL;
    int error = shard_compare_page(shard, &view, cursor, step->gossip->options.chunk_size, page);
    *ret_code = error;
    if (!error) {
        topic_well(topic, FAULT_GIVING);
    } else if (error != NEAP_INVALID) {
        buffer_clear(page);
        error = topic_fault(step, topic, shard, error, FAULT_GIVING);
    }
    return error;
}

int compare_serve(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct topic *topic = topic_find(gossip, message->shard);
    struct shard *shard = store_find(gossip->store, message->shard);
    struct message reply;
    struct buffer page;
    int error = 0;
    message_init(&reply);
    reply.kind = MESSAGE_COMPARED;
    reply.shard = message->shard;
    reply.session = message->session;
    reply.code = NEAP_NOTFOUND;
    buffer_init(&page, CHUNK_BYTES_MAX);
    if (shard && topic_open_pair(gossip, topic, peer))
        error = compare_page(step, topic, shard, message->bytes, &page, &reply.code);
    reply.bytes = buffer_slice(&page);
    if (!error)
        error = link_send(step, gossip->peers[peer].links[CHANNEL_BULK], &reply, true);
    buffer_done(&page);
    return error == NEAP_LIMIT ? 0 : error;
}

/* ---- taking ---- */

static int compare_finish(struct step *step, struct topic *topic, struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    struct pair *pair = topic_pair(topic, topic->pull.peer);
    int error = shard_compare_end(shard, step->batch, &topic->pull.horizon);
    if (error && error != NEAP_STALE) {
        topic->rest_until = step->now.mono_ms + FAULT_AGAIN_MS;
        error = topic_fault(step, topic, shard, error, FAULT_TAKING);
        return error ? error : pull_end(step, topic, 0);
    }
    trace(gossip->trace, "%s: compared %s%s", peer_text(gossip, topic->pull.peer), shard->name,
          error ? ", too slowly" : "");
    if (!error) {
        topic_well(topic, FAULT_TAKING);
        pull_forget_short(topic);
        topic_changed(gossip, topic);
        pair_wants_digest(gossip, pair, topic->pull.peer);
    }
    pair->gap = true; /* what was made since the session began is pulled */
    return pull_end(step, topic, error ? PULL_AGAIN_MS : 0);
}

int compare_go_on(struct step *step, struct topic *topic, struct shard *shard)
{
    switch (shard->session.phase) {
    case COMPARE_CELLS:
        return compare_ask(step, topic, buffer_slice(&shard->session.cursor));
    case COMPARE_CHANGED:
        topic->pull.state = PULL_CHANGED;
        return pull_ask(step, topic, &shard->session.seen);
    case COMPARE_DONE:
        return compare_finish(step, topic, shard);
    }
    return 0;
}

/* How long a peer that did not give is left alone. */
static uint64_t compare_again_ms(struct step *step, int code)
{
    if (code != NEAP_CORRUPT && code != NEAP_LIMIT)
        return PULL_AGAIN_MS;
    step->gossip->counts[REASON_not_given]++;
    return FAULT_AGAIN_MS;
}

/* After an error in taking. */
static int compare_fault(struct step *step, struct topic *topic, struct shard *shard, int error,
                         enum chunk_kind kind, struct slice bytes)
{
    if (error == NEAP_STALE)
        return release_refused(step, topic, shard);
    error = topic_fault_taking(step, topic, shard, error, kind, bytes);
    return error ? error : pull_end(step, topic, 0);
}

static int compare_page_take(struct step *step, struct topic *topic, struct shard *shard,
                             struct slice page)
{
    struct context context = {0};
    int error = chunk_peek(page, &context, &topic->pull.horizon);
    if (!error && !shard->session.id) {
        trace(step->gossip->trace, "%s: compare %s", peer_text(step->gossip, topic->pull.peer),
              shard->name);
        error = shard_compare_begin(shard, topic->pull.session, &context);
    }
    context_done(&context);
    if (!error)
        error = shard_compare_take(shard, step->batch, page);
    return error ? compare_fault(step, topic, shard, error, CHUNK_PAGE, page)
                 : compare_go_on(step, topic, shard);
}

int compare_changed_take(struct step *step, struct topic *topic, struct shard *shard,
                         const struct message *message)
{
    struct context context = {0};
    enum taken taken;
    if (message->code == NEAP_END)
        return compare_finish(step, topic, shard);
    if (message->code)
        return pull_end(step, topic, compare_again_ms(step, message->code));
    int error = chunk_peek(message->bytes, &context, &topic->pull.horizon);
    context_done(&context);
    if (!error)
        error = shard_take(shard, step->batch, message->bytes, CHUNK_CHANGED, &taken);
    return error ? compare_fault(step, topic, shard, error, CHUNK_EVENTS, message->bytes)
                 : compare_go_on(step, topic, shard);
}

int compare_take(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct topic *topic = topic_find(gossip, message->shard);
    struct shard *shard = store_find(gossip->store, message->shard);
    if (!topic_open_pair(gossip, topic, peer) || !shard || topic->pull.state != PULL_CELLS ||
        topic->pull.peer != peer || topic->pull.session != message->session)
        return 0;
    gossip->peers[peer].answered = topic->pull.asked;
    if (message->code)
        return pull_end(step, topic, compare_again_ms(step, message->code));
    return compare_page_take(step, topic, shard, message->bytes);
}
