#include "gossip/state.h"

#include "base/broken.h"
#include "base/error.h"
#include "store/chunk.h"
#include "store/keys.h"
#include "store/merkle.h"

int compare_ask(struct step *step, struct topic *topic, struct slice cursor)
{
    struct pull *pull = &topic->pull;
    struct message message;
    message_init(&message);
    message.kind = MESSAGE_COMPARE;
    message.bytes = cursor;
    message.pages = COMPARE_PAGES;
    pull->cursor.size_max = KEY_CURSOR_MAX;
    int error = buffer_set(&pull->cursor, cursor);
    return error ? error : question_send(step, topic, &message);
}

/* ---- giving ---- */

/* The pages of one answer. */
struct pages {
    struct buffer bytes[PAGES_MAX];
    size_t count, size;
    struct buffer next; /* where the page after them begins; empty: there is none */
};

static void pages_init(struct pages *pages)
{
    pages->count = pages->size = 0;
    buffer_init(&pages->next, KEY_CURSOR_MAX);
}

static void pages_done(struct pages *pages)
{
    for (size_t i = 0; i < pages->count; i++)
        buffer_done(&pages->bytes[i]);
    buffer_done(&pages->next);
}

/* The next one. Without an error *ret_code tells why it can't be given, if so. */
static int page_give(struct step *step, struct topic *topic, struct shard *shard,
                     struct pages *pages, int *ret_code)
{
    struct buffer *page = &pages->bytes[pages->count];
    struct view view = batch_view(step->batch);
    struct slice cursor = buffer_slice(&pages->next);
    uint64_t cells = 0;
    if (BROKEN("page-of-before"))
        view.batch = NULL;
    buffer_init(page, CHUNK_BYTES_MAX);
    int error = shard_page(shard, &view, cursor, step->gossip->options.chunk_size, page,
                           &pages->next, &cells);
    *ret_code = error;
    if (!error) {
        pages->count++;
        pages->size += page->size;
        shard->counts.cells_given += cells;
        topic_well(topic, FAULT_GIVING);
        return 0;
    }
    buffer_done(page);
    return error == NEAP_INVALID ? error : topic_fault(step, topic, shard, error, FAULT_GIVING);
}

/* A page after the first that can't be given is asked for again, and then told of. */
static int pages_give(struct step *step, struct topic *topic, struct shard *shard,
                      const struct message *message, struct pages *pages, int *ret_code)
{
    size_t size_max = COMPARE_PAGES * step->gossip->options.chunk_size;
    int error = buffer_set(&pages->next, message->bytes), code = 0;
    if (error || !shard_released(shard))
        return error;
    do {
        error = page_give(step, topic, shard, pages, &code);
    } while (!error && !code && pages->next.size > 0 && pages->count < message->pages &&
             pages->count < PAGES_MAX && pages->size < size_max);
    *ret_code = pages->count > 0 ? 0 : code;
    return error;
}

static int pages_send(struct step *step, size_t peer, struct message *reply,
                      const struct pages *pages)
{
    uint64_t link = step->gossip->peers[peer].links[CHANNEL_BULK];
    size_t count = reply->code ? 1 : pages->count;
    int error = 0;
    reply->next = reply->code ? slice_of(NULL, 0) : buffer_slice(&pages->next);
    for (size_t i = 0; i < count && !error; i++) {
        reply->pages = (unsigned)(count - i - 1);
        reply->bytes = reply->code ? slice_of(NULL, 0) : buffer_slice(&pages->bytes[i]);
        error = link_send(step, link, reply, true);
    }
    return error == NEAP_LIMIT ? 0 : error; /* then they don't come, and are asked for again */
}

int compare_serve(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct topic *topic = topic_find(gossip, message->shard);
    struct shard *shard = store_find(gossip->store, message->shard);
    struct message reply;
    struct pages pages;
    int error = 0;
    message_answer(&reply, MESSAGE_COMPARED, message);
    reply.code = NEAP_NOTFOUND;
    uint64_t wait = shard ? flow_busy_ms(gossip, step->now.mono_ms, MESSAGE_COMPARE) : 0;
    if (wait)
        return flow_refuse(step, peer, &reply, wait);
    pages_init(&pages);
    if (shard && shard->tree && shard->tree->ready)
        reply.cells = shard->tree->now.cells;
    if (shard && topic_open_pair(gossip, topic, peer))
        error = pages_give(step, topic, shard, message, &pages, &reply.code);
    if (!error)
        error = pages_send(step, peer, &reply, &pages);
    pages_done(&pages);
    return error;
}

/* ---- taking ---- */

static int compare_finish(struct step *step, struct topic *topic, struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    struct pair *pair = topic_pair(topic, topic->pull.peer);
    int error = shard_compare_end(shard, step->batch, &topic->pull.horizon);
    if (error && error != NEAP_STALE)
        return pull_fault(step, topic, shard, error, FAULT_TAKING);
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

uint64_t compare_again_ms(struct step *step, int code)
{
    if (code != NEAP_CORRUPT && code != NEAP_LIMIT)
        return PULL_AGAIN_MS;
    step->gossip->counts[REASON_not_given]++;
    return FAULT_AGAIN_MS;
}

/* ---- going on ---- */

/* Its peer, if it is the one that it was. What is not sure of that (another replica id, a context
 * that the session's start is not in) can't give what is missing: the session is over. */
static size_t compare_peer(struct step *step, const struct topic *topic, struct shard *shard)
{
    const struct gossip *gossip = step->gossip;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct pair *pair = topic_open_pair(gossip, topic, i);
        if (!pair || !pair->known || access_is_limited(gossip, i))
            continue;
        if (BROKEN("resume-anywhere"))
            return i;
        if (gossip->peers[i].node != shard->session.peer)
            continue;
        if (pair->replica == shard->session.replica &&
            context_covers(&pair->context, &shard->session.start))
            return i;
        trace(gossip->trace, "%s: is not what %s was compared with", peer_text(gossip, i),
              shard->name);
        shard_compare_stop(shard);
    }
    return NO_PEER;
}

/* How long its peer is waited for, as the others are. 0: as long as nobody else is there. */
static uint64_t compare_patience(struct step *step, struct topic *topic, const struct shard *shard)
{
    uint64_t patience = context_covers(&shard->context, &shard->session.start) ? RESUME_WAIT_MS : 0;
    bool full;
    for (size_t i = 0; i < step->gossip->peers_count && patience != RESUME_WAIT_MS; i++) {
        const struct pair *pair = topic_open_pair(step->gossip, topic, i);
        if (!pair || !pair->known || access_is_limited(step->gossip, i) ||
            step->gossip->peers[i].node == shard->session.peer)
            continue;
        bool has = context_covers(&pair->context, &shard->session.start);
        patience = has ? RESUME_WAIT_MS : RESUME_ALONE_MS;
    }
    if (patience == RESUME_ALONE_MS && (pull_best(step, topic, shard, &full) != NO_PEER || full))
        patience = RESUME_WAIT_MS;
    return patience;
}

/* *ret_waits: the peer may yet come. */
static int compare_wait(struct step *step, struct topic *topic, struct shard *shard,
                        bool *ret_waits)
{
    uint64_t patience = compare_patience(step, topic, shard);
    if (!topic->resume_since)
        topic->resume_since = step->now.mono_ms ? step->now.mono_ms : 1;
    *ret_waits = !patience || step->now.mono_ms < topic->resume_since + patience;
    if (*ret_waits) {
        if (patience)
            topic_wake(step->gossip, topic, topic->resume_since + patience);
        return 0;
    }
    trace(step->gossip->trace, "%s: a compare is given up, as its peer does not come", shard->name);
    shard_compare_stop(shard);
    topic_changed(step->gossip, topic); /* its tree may be told of again */
    topic->resume_since = 0;
    return 0;
}

int compare_resume(struct step *step, struct topic *topic, struct shard *shard, bool *ret_waits)
{
    struct gossip *gossip = step->gossip;
    size_t peer = compare_peer(step, topic, shard);
    *ret_waits = false;
    if (!shard->session.id)
        return 0;
    if (peer == NO_PEER)
        return compare_wait(step, topic, shard, ret_waits);
    const struct pair *pair = topic_pair(topic, peer);
    if (step->now.mono_ms < pair->pull_after) {
        topic_wake(gossip, topic, pair->pull_after);
        return compare_wait(step, topic, shard, ret_waits);
    }
    *ret_waits = true;
    if (gossip->peers[peer].pulling >= PULLS_MAX)
        return topic_wait(gossip, topic);
    trace(gossip->trace, "%s: compare %s, from where it was", peer_text(gossip, peer), shard->name);
    topic->pull = (struct pull){.state = PULL_CELLS,
                                .peer = peer,
                                .session = ++gossip->session_next,
                                .resumed = true,
                                .partly = true};
    gossip->peers[peer].pulling++;
    int error = context_copy(&topic->pull.horizon, &shard->session.horizon);
    return error ? error : compare_go_on(step, topic, shard);
}

/* Its peer has given something. */
static void compare_comes(struct topic *topic, struct shard *shard)
{
    shard->counts.compares_resumed += topic->pull.resumed;
    topic->pull.resumed = false;
    topic->resume_since = 0;
}

/* Can the session go on with a page of this context and horizon? */
static bool compare_fits(const struct shard *shard, const struct context *context,
                         const struct context *horizon)
{
    const struct context *start = &shard->session.start;
    return (context_covers(context, start) || BROKEN("resume-anywhere")) &&
           (context_covers(start, horizon) || BROKEN("compare-too-slow"));
}

int compare_fault(struct step *step, struct topic *topic, struct shard *shard, int error,
                  enum chunk_kind kind, struct slice bytes)
{
    shard_compare_stop(shard);
    if (error == NEAP_STALE)
        return release_refused(step, topic, shard);
    error = topic_fault_taking(step, topic, shard, error, kind, bytes);
    return error ? error : pull_end(step, topic, 0);
}

/* The pages that are under way don't follow what was taken: others are asked for. */
static int compare_ask_again(struct step *step, struct topic *topic, const struct shard *shard)
{
    topic->pull.session = ++step->gossip->session_next;
    return compare_ask(step, topic, buffer_slice(&shard->session.cursor));
}

/* After a page that was taken. */
static int compare_ask_more(struct step *step, struct topic *topic, struct shard *shard,
                            const struct message *message, bool latest)
{
    struct pull *pull = &topic->pull;
    compare_comes(topic, shard);
    if (shard->session.phase != COMPARE_CELLS)
        return compare_go_on(step, topic, shard);
    if (latest && message->next.size > 0 && message->pages <= COMPARE_AHEAD)
        return compare_ask(step, topic, message->next);
    if (latest && message->pages == 0) /* the page was taken in part */
        return compare_ask_again(step, topic, shard);
    if (pull->held.size > 0) /* nothing was asked for that is still to come */
        return 0;
    pull->deadline = step->now.mono_ms + step->gossip->options.silence_ms;
    topic_wake(step->gossip, topic, pull->deadline);
    return 0;
}

static int compare_begin(struct step *step, struct topic *topic, struct shard *shard,
                         const struct context *start)
{
    size_t peer = topic->pull.peer;
    trace(step->gossip->trace, "%s: compare %s", peer_text(step->gossip, peer), shard->name);
    int error = shard_compare_begin(shard, topic->pull.session, start);
    if (!error)
        shard_compare_name(shard, step->gossip->peers[peer].node, topic_pair(topic, peer)->replica);
    return error;
}

static int compare_page_take(struct step *step, struct topic *topic, struct shard *shard,
                             const struct message *message, bool latest)
{
    struct context context = {0};
    struct slice page = message->bytes;
    bool fits = true;
    int error = chunk_peek(page, &context, &topic->pull.horizon);
    if (!error && !shard->session.id)
        error = compare_begin(step, topic, shard, &context);
    else if (!error)
        fits = compare_fits(shard, &context, &topic->pull.horizon);
    context_done(&context);
    if (!fits) {
        trace(step->gossip->trace, "%s: too late to go on with %s",
              peer_text(step->gossip, topic->pull.peer), shard->name);
        shard_compare_stop(shard);
        return pull_end(step, topic, PULL_AGAIN_MS);
    }
    uint64_t taken = shard->counts.cells_taken;
    if (!error)
        error = shard_compare_take(shard, step->batch, page);
    topic->pull.cells += shard->counts.cells_taken - taken;
    topic->pull.cells_total = topic->pull.partly ? 0 : message->cells;
    if (error == NEAP_END) /* it was taken before */
        return 0;
    if (error == NEAP_BUSY) /* one before it is missing */
        return compare_ask_again(step, topic, shard);
    return error ? compare_fault(step, topic, shard, error, CHUNK_PAGE, page)
                 : compare_ask_more(step, topic, shard, message, latest);
}

int compare_changed_take(struct step *step, struct topic *topic, struct shard *shard,
                         const struct message *message)
{
    struct context context = {0};
    enum taken taken;
    if (message->code == NEAP_END) {
        compare_comes(topic, shard);
        return compare_finish(step, topic, shard);
    }
    if (message->code == NEAP_BUSY) {
        topic->pull.ask_after = step->now.mono_ms + flow_wait_ms(message);
        return compare_go_on(step, topic, shard);
    }
    if (message->code == NEAP_STALE) /* its log does not tell any more what changed */
        shard_compare_stop(shard);
    if (message->code)
        return pull_end(step, topic, compare_again_ms(step, message->code));
    int error = chunk_peek(message->bytes, &context, &topic->pull.horizon);
    context_done(&context);
    if (!error)
        error = shard_take(shard, step->batch, message->bytes, CHUNK_CHANGED, &taken);
    if (!error)
        compare_comes(topic, shard);
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
    /* Pages of the question before still come when the next one was sent. */
    bool latest = message->code || message->next.size == 0 ||
                  !slice_equal(message->next, buffer_slice(&topic->pull.cursor));
    if (latest)
        gossip->peers[peer].answered = topic->pull.asked;
    if (message->code == NEAP_BUSY) {
        topic->pull.ask_after = step->now.mono_ms + flow_wait_ms(message);
        return compare_ask_again(step, topic, shard);
    }
    if (message->code)
        return pull_end(step, topic, compare_again_ms(step, message->code));
    return compare_page_take(step, topic, shard, message, latest);
}
