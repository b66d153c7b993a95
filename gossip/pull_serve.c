#include "base/broken.h"
#include "base/error.h"
#include "gossip/state.h"
#include "store/chunk.h"

/* The chunks of an answer: one after the other, each goes on where the one before ends, and is told
 * after it. They are read in one turn, so their contexts are the same, and nothing is remembered
 * between two questions (docs/decisions/0085). */
struct giving {
    struct step *step;
    const struct shard *shard;
    const struct message *asked;
    size_t peer;
    struct context since;
    struct buffer chunk;
    struct buffer after;    /* the same as it is told after the one before... */
    struct chunk_base base; /* ... which is this */
    struct slice told;      /* one of the two, or nothing */
    unsigned place;         /* from 0 */
    bool all;               /* nothing is lacking after these */
};

static int pull_reply(struct giving *giving, int code, bool more)
{
    struct gossip *gossip = giving->step->gossip;
    struct message message;
    message_answer(&message, MESSAGE_PULLED, giving->asked);
    message.code = code;
    message.what = giving->place++;
    message.pages = more;
    message.bytes = giving->told;
    return link_send(giving->step, gossip->peers[giving->peer].links[CHANNEL_BULK], &message, true);
}

static int giving_tell(struct giving *giving, const struct chunk *chunk)
{
    giving->told = buffer_slice(&giving->chunk);
    if (giving->place == 0 || !chunk_is_after(chunk, &giving->base))
        return 0;
    buffer_clear(&giving->after);
    int error = chunk_encode_after(chunk, &giving->base, &giving->after);
    giving->told = buffer_slice(&giving->after);
    return error;
}

/* `since` with what the chunk brings. */
static int giving_advance(struct giving *giving)
{
    struct chunk chunk = {0};
    int error = chunk_decode(buffer_slice(&giving->chunk), CHUNK_EVENTS, &chunk);
    for (size_t i = 0; i < chunk.runs_count && !error; i++)
        error =
            context_raise(&giving->since, chunk.runs[i].id, chunk.runs[i].to, chunk.runs[i].nonce);
    if (!error)
        error = giving_tell(giving, &chunk);
    if (!error)
        error = chunk_base_set(&giving->base, &chunk);
    chunk_done(&chunk);
    return error;
}

static int giving_read(struct giving *giving)
{
    struct step *step = giving->step;
    struct view view = batch_view(step->batch);
    size_t size = step->gossip->options.chunk_size;
    buffer_clear(&giving->chunk);
    giving->told = slice_of(NULL, 0);
    if (giving->asked->compares)
        return shard_changed(giving->shard, &view, &giving->since, size, &giving->chunk);
    return shard_chunk(giving->shard, &view, &giving->since, 0, size, &giving->chunk);
}

static int giving_next(struct giving *giving, struct topic *topic, bool last, bool *ret_more)
{
    int error = 0;
    int code = giving_read(giving);
    if (code && code != NEAP_END && code != NEAP_STALE)
        error = topic_fault(giving->step, topic, giving->shard, code, FAULT_GIVING);
    else
        topic_well(topic, FAULT_GIVING);
    if (!error && !code)
        error = giving_advance(giving);
    if (error)
        return error;
    giving->all =
        code == NEAP_END || (!code && context_covers(&giving->since, &giving->shard->context));
    *ret_more = !code && !giving->all && !last;
    return pull_reply(giving, code, *ret_more);
}

/* To whoever believes this node only its own events, no others are given. */
static int giving_own(struct giving *giving)
{
    const struct shard *shard = giving->shard;
    int error = 0;
    for (size_t i = 0; i < shard->context.count && !error; i++) {
        const struct context_entry *entry = &shard->context.entries[i];
        if (!shard_is_own(shard, entry->id))
            error = context_raise(&giving->since, entry->id, entry->n, entry->nonce);
    }
    return error;
}

/* Everything that the peer is known to have counts, not only what it had when it asked: what it got
 * and told meanwhile may be cut from the log already. */
static int pull_give(struct giving *giving, struct topic *topic, struct pair *pair)
{
    bool claims = !giving->asked->compares || BROKEN("compare-claims"), more = true;
    int error = claims ? pair_see(pair, &giving->asked->since, false) : 0;
    if (!error)
        error = context_copy(&giving->since, claims ? &pair->context : &giving->asked->since);
    if (!error && giving->asked->what)
        error = giving_own(giving);
    for (unsigned i = 1; i <= PULL_CHUNKS_MAX && more && !error; i++) {
        bool last = !claims || i == PULL_CHUNKS_MAX || flow_is_limited(giving->step->gossip);
        error = giving_next(giving, topic, last, &more);
    }
    return error;
}

/* What is on this link from now on comes after the chunks: pushes may follow them. */
static void pull_gave(const struct giving *giving, struct pair *pair)
{
    const struct step *step = giving->step;
    pair->pulls_until = 0;
    if (giving->all) {
        pair->sent = context_get(&giving->shard->context, giving->shard->replica);
        pair->behind = false;
    } else {
        pair->behind = true;
        pair->pulls_until = step->now.mono_ms + step->gossip->options.silence_ms;
    }
}

static int pull_refuse(struct giving *giving, uint64_t wait)
{
    struct message message;
    message_answer(&message, MESSAGE_PULLED, giving->asked);
    return flow_refuse(giving->step, giving->peer, &message, wait);
}

int pull_serve(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct topic *topic = topic_find(gossip, message->shard);
    struct pair *pair = topic_open_pair(gossip, topic, peer);
    struct shard *shard = store_find(gossip->store, message->shard);
    struct giving giving = {.step = step, .shard = shard, .asked = message, .peer = peer};
    bool fine = pair && shard;
    int error = 0;
    uint64_t wait = fine ? flow_busy_ms(gossip, step->now.mono_ms, MESSAGE_PULL) : 0;
    if (wait)
        return pull_refuse(&giving, wait);
    buffer_init(&giving.chunk, CHUNK_BYTES_MAX);
    buffer_init(&giving.after, CHUNK_BYTES_MAX);
    if (fine)
        fine = access_heeds(step, peer, shard, context_find(&message->since, shard->replica));
    if (fine)
        error =
            release_check(step, topic, shard, context_find(&message->since, shard->replica), &fine);
    if (!error && fine && shard_released(shard)) {
        error = pull_give(&giving, topic, pair);
        if (!error && !message->compares) {
            pull_gave(&giving, pair);
            error = topic_queue(gossip, topic);
        }
    } else if (!error) {
        error = pull_reply(&giving, NEAP_NOTFOUND, false);
    }
    buffer_done(&giving.chunk);
    buffer_done(&giving.after);
    chunk_base_done(&giving.base);
    context_done(&giving.since);
    return error == NEAP_LIMIT ? 0 : error; /* then no answer comes, and it asks again */
}
