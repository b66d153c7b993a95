#include "gossip/state.h"

#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "store/chunk.h"

/* ---- asking ---- */

void pull_stop(struct gossip *gossip, struct topic *topic)
{
    struct pull *pull = &topic->pull;
    if (pull->state == PULL_NONE)
        return;
    struct shard *shard = store_find(gossip->store, topic->shard);
    if (shard && shard->session.id && !shard->session.peer)
        shard_compare_stop(shard);
    if (pull->held.size == 0)
        gossip->peers[pull->peer].pulling--;
    buffer_done(&pull->held);
    context_done(&pull->horizon);
    chunk_base_done(&pull->given);
    buffer_done(&pull->cursor);
    repair_free(pull->repair);
    compare_tree_free(pull->tree);
    *pull = (struct pull){0};
    topics_unwait(gossip);
}

int pull_end(struct step *step, struct topic *topic, uint64_t again_ms)
{
    struct pair *pair = topic_pair(topic, topic->pull.peer);
    pull_stop(step->gossip, topic);
    if (pair && again_ms)
        pair->pull_after = step->now.mono_ms + again_ms;
    return topic_queue(step->gossip, topic);
}

int pull_fault(struct step *step, struct topic *topic, const struct shard *shard, int error,
               enum fault_in in)
{
    topic->rest_until = step->now.mono_ms + FAULT_AGAIN_MS;
    error = topic_fault(step, topic, shard, error, in);
    return error ? error : pull_end(step, topic, 0);
}

static void pull_waits_for(struct step *step, struct pull *pull, uint64_t asked)
{
    struct gossip *gossip = step->gossip;
    const struct link *link = link_find(gossip, gossip->peers[pull->peer].links[CHANNEL_BULK]);
    if (!pull->began_ms)
        pull->began_ms = step->now.mono_ms;
    pull->asked = asked;
    pull->asked_ms = step->now.mono_ms;
    pull->came = link ? link->came + link->part : 0;
    pull->deadline = step->now.mono_ms + gossip->options.silence_ms;
}

void pull_asked(struct step *step, struct topic *topic)
{
    pull_waits_for(step, &topic->pull, ++step->gossip->asked_next);
}

/* An answer that has not come by now was lost if a later question was answered, or if more came
 * since than is ever before the end of an answer. And one that comes slower than ANSWER_BYTE_MS
 * allows is given up: others, that may have the same, must not wait for it. */
static bool answer_is_coming(const struct step *step, const struct pull *pull,
                             const struct link *link)
{
    const struct gossip *gossip = step->gossip;
    uint64_t came = link->came + link->part - pull->came;
    return pull->asked > gossip->peers[link->peer].answered && came <= ANSWER_BYTES_MAX &&
           step->now.mono_ms - pull->asked_ms <= gossip->options.silence_ms + came * ANSWER_BYTE_MS;
}

void pulls_progress(struct step *step, const struct link *link)
{
    struct gossip *gossip = step->gossip;
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct pull *pull = &gossip->topics[i]->pull;
        if (pull->state != PULL_NONE && pull->peer == link->peer && pull->deadline &&
            answer_is_coming(step, pull, link))
            pull->deadline = step->now.mono_ms + gossip->options.silence_ms;
    }
}

void pull_received(struct gossip *gossip, size_t peer, const struct message *message)
{
    struct topic *topic = topic_find(gossip, message->shard);
    if (topic && topic->pull.state != PULL_NONE && topic->pull.peer == peer &&
        topic->pull.session == message->session)
        topic->pull.bytes += message->bytes.size;
}

/* Is the next question to be held back? */
bool pull_waits(struct step *step, struct topic *topic, enum message_kind question)
{
    struct gossip *gossip = step->gossip;
    if (pull_is_paused(topic, topic->pull.state))
        return true;
    if (question == MESSAGE_TREE || question == MESSAGE_REPAIR)
        return false; /* a repair asks for its cells when it may (cells_ask) */
    uint64_t at = flow_ask_at(gossip, step->now.mono_ms, question);
    at = at > topic->pull.ask_after ? at : topic->pull.ask_after;
    if (at <= step->now.mono_ms)
        return false;
    gossip->flow.held += topic->pull.held.size == 0;
    topic_wake(gossip, topic, at);
    return true;
}

int question_send(struct step *step, struct topic *topic, struct message *message)
{
    struct gossip *gossip = step->gossip;
    message->shard = topic->shard;
    message->session = topic->pull.session;
    if (pull_waits(step, topic, message->kind))
        return pull_hold(step, topic, message);
    pull_let_go(gossip, topic); /* of one before it: the later one counts */
    /* A key names no event (rule 8). */
    bool names_events = message->kind != MESSAGE_COMPARE;
    int error =
        link_send(step, gossip->peers[topic->pull.peer].links[CHANNEL_BULK], message, names_events);
    pull_asked(step, topic);
    if (error == NEAP_LIMIT)
        return pull_end(step, topic, PULL_AGAIN_MS);
    topic_wake(gossip, topic, topic->pull.deadline);
    return error;
}

/* One that may not be held back: others are under way. */
static int question_add(struct step *step, struct topic *topic, struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct pull *pull = &topic->pull;
    message->shard = topic->shard;
    message->session = pull->session;
    if (pull->later_count == QUESTIONS_MAX)
        return NEAP_LIMIT;
    int error = link_send(step, gossip->peers[pull->peer].links[CHANNEL_BULK], message, true);
    if (!error)
        pull->later[pull->later_count++] = ++gossip->asked_next;
    return error;
}

int question_more(struct step *step, struct topic *topic, struct message *message)
{
    return topic->pull.under_way++ == 0 ? question_send(step, topic, message)
                                        : question_add(step, topic, message);
}

void questions_forget(struct topic *topic)
{
    topic->pull.under_way = topic->pull.later_count = 0;
}

void question_answered(struct step *step, struct topic *topic)
{
    struct pull *pull = &topic->pull;
    step->gossip->peers[pull->peer].answered = pull->asked;
    pull->under_way -= pull->under_way > 0;
    if (pull->later_count == 0)
        return;
    pull_waits_for(step, pull, pull->later[0]);
    memmove(pull->later, pull->later + 1, --pull->later_count * sizeof *pull->later);
    topic_wake(step->gossip, topic, pull->deadline);
}

int pull_ask(struct step *step, struct topic *topic, const struct context *since)
{
    struct message message;
    message_init(&message);
    message.kind = MESSAGE_PULL;
    message.compares = topic->pull.state == PULL_CHANGED;
    message.what = access_is_limited(step->gossip, topic->pull.peer);
    message.since = *since; /* borrowed: not message_done() */
    return question_send(step, topic, &message);
}

static int pull_ask_events(struct step *step, struct topic *topic, const struct shard *shard)
{
    struct context since = {0};
    topic->pull.chunks = 0;
    int error = shard_told(shard, &since);
    if (!error)
        error = pull_ask(step, topic, &since);
    context_done(&since);
    return error;
}

uint64_t pull_lacking(const struct gossip *gossip, const struct shard *shard, size_t peer,
                      const struct pair *pair, bool *ret_others)
{
    const struct context *context = &pair->context;
    uint64_t count = 0;
    size_t at = 0;
    *ret_others = false;
    for (size_t i = 0; i < context->count; i++) {
        const struct context_entry *entry = &context->entries[i];
        const struct context_entry *known = context_next(&shard->context, &at, entry->id);
        uint64_t have = known ? known->n : 0;
        if (entry->n <= have || entry->id == shard->replica ||
            !access_gives(gossip, pair, peer, entry->id))
            continue;
        count += entry->n - have;
        if (entry->id != pair->replica)
            *ret_others = true;
    }
    return count;
}

/* What the peer made itself comes by push; only what doesn't come soon is pulled. */
static bool push_is_awaited(struct step *step, struct pair *pair, const struct shard *shard)
{
    uint64_t now_ms = step->now.mono_ms;
    if (now_ms < pair->pull_after)
        return true;
    if (pair->awaited && context_get(&shard->context, pair->replica) < pair->awaited) {
        pair->awaited = 0;
        return false;
    }
    pair->awaited = context_get(&pair->context, pair->replica);
    pair->pull_after = now_ms + PUSH_WAIT_MS;
    return true;
}

static uint64_t pull_worth(struct step *step, struct topic *topic, const struct shard *shard,
                           size_t peer)
{
    struct gossip *gossip = step->gossip;
    struct pair *pair = topic_open_pair(gossip, topic, peer);
    bool others;
    if (!pair || !pair->known || BROKEN("never-pull") ||
        access_is_ahead(gossip, pair, peer, shard) ||
        (access_is_limited(gossip, peer) && !access_writes(gossip, peer, shard->name)))
        return 0;
    uint64_t worth = pull_lacking(gossip, shard, peer, pair, &others);
    if (!worth)
        return 0;
    if (step->now.mono_ms < pair->pull_after ||
        (!others && !pair->gap && worth <= PUSH_AGAIN_MAX && push_is_awaited(step, pair, shard))) {
        topic_wake(gossip, topic, pair->pull_after);
        return 0;
    }
    return worth;
}

static int pull_begin(struct step *step, struct topic *topic, const struct shard *shard,
                      size_t peer)
{
    struct gossip *gossip = step->gossip;
    topic->pull =
        (struct pull){.state = PULL_EVENTS, .peer = peer, .session = ++gossip->session_next};
    const struct pair *pair = topic_pair(topic, peer);
    bool others;
    topic->pull.lacked = pull_lacking(gossip, shard, peer, pair, &others);
    gossip->peers[peer].pulling++;
    gossip->peers[peer].pulls++;
    trace(gossip->trace, "%s: pull %s", peer_text(gossip, peer), shard->name);
    return pull_ask_events(step, topic, shard);
}

size_t pull_best(struct step *step, struct topic *topic, const struct shard *shard, bool *ret_full)
{
    struct gossip *gossip = step->gossip;
    size_t best = NO_PEER;
    uint64_t best_worth = 0;
    *ret_full = false;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        uint64_t worth = pull_worth(step, topic, shard, i);
        if (worth && gossip->peers[i].pulling >= PULLS_MAX) {
            *ret_full = true;
            continue;
        }
        if (worth && !topic_pair(topic, i)->short_log)
            worth += UINT64_MAX / 2;
        if (worth > best_worth) {
            best = i;
            best_worth = worth;
        }
    }
    return best;
}

void pull_forget_short(struct topic *topic)
{
    for (size_t i = 0; i < topic->pairs_room; i++) {
        if (topic->pairs[i])
            topic->pairs[i]->short_log = false;
    }
}

int pull_work(struct step *step, struct topic *topic, struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    bool full;
    if (shard->unwanted) {
        pull_stop(gossip, topic);
        return 0;
    }
    if (repair_is_over(gossip, topic, shard))
        pull_stop(gossip, topic);
    if (topic->pull.held.size > 0)
        return pull_go_on(step, topic);
    if (topic->pull.state != PULL_NONE) {
        if (step->now.mono_ms < topic->pull.deadline || BROKEN("waits-forever")) {
            topic_wake(gossip, topic, topic->pull.deadline);
            return 0;
        }
        gossip->counts[REASON_no_answer]++;
        trace(gossip->trace, "%s: no answer to pull %s", peer_text(gossip, topic->pull.peer),
              shard->name);
        return pull_end(step, topic, gossip->options.silence_ms);
    }
    if (step->now.mono_ms < topic->rest_until) {
        topic_wake(gossip, topic, topic->rest_until);
        return 0;
    }
    bool waits = false;
    int error = shard->session.id ? compare_resume(step, topic, shard, &waits) : 0;
    if (error || waits)
        return error;
    size_t best = pull_best(step, topic, shard, &full);
    if (best != NO_PEER && topic_pair(topic, best)->short_log &&
        compare_tree_comes(step, topic, shard)) {
        topic_wake(gossip, topic, step->now.mono_ms + TREE_WAIT_MS);
        return 0;
    }
    if (best != NO_PEER)
        return pull_begin(step, topic, shard, best);
    return full ? topic_wait(gossip, topic) : 0;
}

/* ---- taking ---- */

/* All that the peer has is here. */
static int pull_is_done(struct step *step, struct topic *topic, struct shard *shard,
                        struct pair *pair)
{
    trace(step->gossip->trace, "%s: pulled all of %s", peer_text(step->gossip, topic->pull.peer),
          shard->name);
    topic_well(topic, FAULT_TAKING);
    pair->gap = false;
    bool lacks = pair_has_more(step->gossip, pair, topic->pull.peer, shard, &pair->context);
    return pull_end(step, topic, lacks ? PULL_AGAIN_MS : 0);
}

/* After a chunk: others may follow it, or be asked for, by another number: what is left of this
 * answer is too late then. `theirs`: what the peer had then. The next question tells what is here;
 * if there is none, a digest does. */
static int pull_take_more(struct step *step, struct topic *topic, struct shard *shard,
                          struct pair *pair, const struct context *theirs, bool more)
{
    if (more) {
        pull_waits_for(step, &topic->pull, topic->pull.asked);
        topic_wake(step->gossip, topic, topic->pull.deadline);
        return 0;
    }
    if (pair_has_more(step->gossip, pair, topic->pull.peer, shard, theirs)) {
        topic->pull.session = ++step->gossip->session_next;
        return pull_ask_events(step, topic, shard);
    }
    pair_wants_digest(step->gossip, pair, topic->pull.peer);
    return pull_is_done(step, topic, shard, pair);
}

/* Nothing of what came was new, or could be read. */
static int pull_in_vain(struct step *step, struct topic *topic, const struct shard *shard,
                        const struct pair *pair, enum reason reason)
{
    struct gossip *gossip = step->gossip;
    size_t peer = topic->pull.peer;
    trace(gossip->trace, "%s: pulled nothing new of %s", peer_text(gossip, peer), shard->name);
    gossip->counts[reason]++;
    bool lacks = pair_has_more(gossip, pair, peer, shard, &pair->context);
    return pull_end(step, topic, lacks ? PULL_AGAIN_MS : 0);
}

static int pull_chunk_take(struct step *step, struct topic *topic, struct shard *shard,
                           struct pair *pair, const struct message *message, struct chunk *chunk)
{
    struct gossip *gossip = step->gossip;
    enum taken taken = TAKEN_NOTHING;
    struct shard_guard guard;
    access_guard(gossip, pair, topic->pull.peer, shard, &guard);
    int error = shard_take_chunk(shard, step->batch, chunk, CHUNK_PULL, &taken);
    error = access_taken(step, topic->pull.peer, topic, pair, shard, message->kind, error);
    if (error == NEAP_END)
        return pull_end(step, topic, PULL_AGAIN_MS);
    if (error == NEAP_STALE)
        return release_refused(step, topic, shard);
    if (error) {
        error = topic_fault_chunk(step, topic, shard, error, chunk);
        return error ? error : pull_end(step, topic, 0);
    }
    topic_well(topic, FAULT_TAKING);
    if (taken != TAKEN)
        return pull_in_vain(step, topic, shard, pair, REASON_nothing_new);
    pull_forget_short(topic);
    trace(gossip->trace, "%s: pulled %s", peer_text(gossip, topic->pull.peer), shard->name);
    topic_changed(gossip, topic);
    error = pull_take_more(step, topic, shard, pair, &chunk->context, message->pages > 0);
    return error ? error : topic_queue(gossip, topic); /* its log may be too long now */
}

/* Can it be read? What it is told after must have come, of the same answer. */
static bool pull_follows(const struct pull *pull, const struct message *message)
{
    if (!chunk_was_after(message->bytes))
        return true;
    return pull->chunks > 0 && (message->what == pull->chunks || BROKEN("answer-any"));
}

static int pull_read(struct pull *pull, const struct message *message, struct chunk *ret_chunk)
{
    int error;
    if (chunk_was_after(message->bytes))
        error = chunk_decode_after(message->bytes, &pull->given, ret_chunk);
    else
        error = chunk_decode(message->bytes, CHUNK_EVENTS, ret_chunk);
    if (!error && ret_chunk->shard != message->shard)
        error = NEAP_INVALID;
    if (message->pages == 0)
        chunk_base_done(&pull->given);
    else if (!error)
        error = chunk_base_set(&pull->given, ret_chunk);
    pull->chunks = error ? 0 : message->what + 1;
    return error;
}

static int pull_take_events(struct step *step, struct topic *topic, struct shard *shard,
                            struct pair *pair, const struct message *message)
{
    struct pull *pull = &topic->pull;
    struct chunk chunk = {0};
    if (message->what < pull->chunks)
        return 0; /* it came before */
    if (!pull_follows(pull, message))
        return pull_in_vain(step, topic, shard, pair, REASON_answer_gap);
    int error = pull_read(pull, message, &chunk);
    if (!error)
        error = pair_see(pair, &chunk.context, false);
    if (!error)
        error = pull_chunk_take(step, topic, shard, pair, message, &chunk);
    chunk_done(&chunk);
    return error;
}

/* Comparing costs a pass over all cells: first, whoever else has it is asked. */
static int pull_is_stale(struct step *step, struct topic *topic, struct shard *shard,
                         struct pair *pair)
{
    struct gossip *gossip = step->gossip;
    size_t peer = topic->pull.peer;
    bool full;
    pair->short_log = true;
    if (access_is_limited(gossip, peer)) {
        gossip->counts[REASON_log_short]++;
        peer_error(&gossip->peers[peer], "its log no longer has what was never told here");
        return pull_end(step, topic, FAULT_AGAIN_MS);
    }
    size_t other = pull_best(step, topic, shard, &full);
    if (other != NO_PEER && !topic_pair(topic, other)->short_log) {
        trace(gossip->trace, "%s: too old to pull %s, ask another", peer_text(gossip, peer),
              shard->name);
        return pull_end(step, topic, 0);
    }
    if (compare_tree_comes(step, topic, shard)) {
        trace(gossip->trace, "%s: too old to pull %s, and the tree is not ready",
              peer_text(gossip, peer), shard->name);
        return pull_end(step, topic, 0);
    }
    trace(gossip->trace, "%s: too old to pull %s, compare", peer_text(gossip, peer), shard->name);
    gossip->counts[REASON_stale]++;
    gossip->peers[peer].compares++;
    if (compare_tree_fits(shard))
        return compare_tree_begin(step, topic, shard);
    topic->pull.state = PULL_CELLS;
    return compare_ask(step, topic, slice_of(NULL, 0));
}

static int pull_take_code(struct step *step, struct topic *topic, struct shard *shard,
                          struct pair *pair, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    int code = message->code;
    const char *peer = peer_text(gossip, topic->pull.peer);
    if (code == NEAP_STALE && !BROKEN("never-compare"))
        return pull_is_stale(step, topic, shard, pair);
    if (code == NEAP_CORRUPT || code == NEAP_LIMIT) {
        trace(gossip->trace, "%s: can't give %s", peer, shard->name);
        gossip->counts[REASON_not_given]++;
        return pull_end(step, topic, FAULT_AGAIN_MS);
    }
    if (code == NEAP_END)
        return pull_is_done(step, topic, shard, pair);
    trace(gossip->trace, "%s: not ready to give %s", peer, shard->name);
    return pull_end(step, topic, code == NEAP_BUSY ? flow_wait_ms(message) : PULL_READY_MS);
}

int pull_take(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct topic *topic = topic_find(gossip, message->shard);
    struct pair *pair = topic_open_pair(gossip, topic, peer);
    struct shard *shard = store_find(gossip->store, message->shard);
    if (!pair || !shard || topic->pull.peer != peer || topic->pull.session != message->session)
        return 0;            /* an answer that came too late */
    if (message->pages == 0) /* else there is more of the answer */
        gossip->peers[peer].answered = topic->pull.asked;
    switch (topic->pull.state) {
    case PULL_NONE:
    case PULL_CELLS:
    case PULL_TREE:
    case PULL_LEAVES:
    case PULL_DESCENT:
    case PULL_DIFFERING:
    case PULL_HOLES:
        break;
    case PULL_EVENTS:
        return message->code ? pull_take_code(step, topic, shard, pair, message)
                             : pull_take_events(step, topic, shard, pair, message);
    case PULL_CHANGED:
        return compare_changed_take(step, topic, shard, message);
    }
    return 0;
}
