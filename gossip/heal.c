/* Holes (store/hole.h, docs/decisions/0019): cells that a damaged file took with it come back from
 * peers, a range at a time. Each question names the range, and the page that answers it says what
 * its sender knew: so neither side remembers anything. It comes before all else in a shard, as
 * events of cells in a hole can be neither taken nor given. */
#include <stdio.h>

#include "base/broken.h"
#include "base/error.h"
#include "base/pack.h"
#include "gossip/state.h"
#include "store/hole.h"
#include "store/keys.h"

enum { RANGE_PACKED_MAX = 2 * KEY_CURSOR_MAX + 16 };

/* ---- whom to ask ---- */

/* Has a member anything of that which the shard lacks? A member that is away may. */
static bool members_lack(const struct gossip *gossip, const struct topic *topic,
                         const struct shard *shard, const struct context *wanted)
{
    size_t members = 0;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct pair *pair = topic_open_pair(gossip, topic, i);
        if (!topic_has_holder(gossip, topic, i) || access_is_limited(gossip, i))
            continue;
        members++;
        if (!pair || !pair->known)
            return false;
        for (size_t j = 0; j < wanted->count; j++) {
            const struct context_entry *entry = &wanted->entries[j];
            uint64_t have = context_get(&shard->context, entry->id);
            if (entry->n > have && context_get(&pair->context, entry->id) > have)
                return false;
        }
    }
    return members > 0;
}

/* A peer that can fill more of the hole, best one that can fill all; NO_PEER: none now. *ret_last:
 * all members were heard of, and none can. */
static size_t heal_best(struct step *step, struct topic *topic, const struct hole *hole,
                        bool *ret_last)
{
    struct gossip *gossip = step->gossip;
    size_t best = NO_PEER, members = 0;
    bool last = true;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        struct pair *pair = topic_open_pair(gossip, topic, i);
        if (access_is_limited(gossip, i))
            continue; /* it is not believed what others wrote */
        members += topic_has_holder(gossip, topic, i);
        if (!pair || !pair->known) {
            last = last && !topic_has_holder(gossip, topic, i);
            continue;
        }
        if (!hole_gains(hole, &pair->context))
            continue;
        last = false;
        if (step->now.mono_ms < pair->hole_after)
            topic_wake(gossip, topic, pair->hole_after);
        else if (gossip->peers[i].pulling < PULLS_MAX &&
                 (best == NO_PEER || context_covers(&pair->context, &hole->need)))
            best = i;
    }
    *ret_last = last && members > 0;
    return best;
}

static int heal_ask(struct step *step, struct topic *topic, const struct hole *hole)
{
    struct message message;
    struct buffer packed;
    struct writer writer;
    buffer_init(&packed, RANGE_PACKED_MAX);
    writer_init(&writer, &packed);
    write_array(&writer, 2);
    write_bin(&writer, buffer_slice(&hole->from));
    write_bin(&writer, buffer_slice(&hole->to));
    message_init(&message);
    message.kind = MESSAGE_HOLE;
    message.bytes = buffer_slice(&packed);
    int error = writer.error ? writer.error : question_send(step, topic, &message);
    buffer_done(&packed);
    return error;
}

/* What had waited for that goes on. */
static void heal_done(struct step *step, struct topic *topic, const struct shard *shard)
{
    struct gossip *gossip = step->gossip;
    topic->fault.code = 0;
    topic->rest_until = topic->redot_after = 0;
    topic_changed(gossip, topic);
    trace(gossip->trace, "%s: no damage is left", shard->name);
}

/* Everyone who could know was asked. What is still missing was known to nobody else. */
static int heal_give_up(struct step *step, struct shard *shard, size_t index)
{
    struct gossip *gossip = step->gossip;
    snprintf(gossip->healed, sizeof gossip->healed,
             "%.64s: of a damaged range of keys all is back that others had: %.100s", shard->name,
             shard->holes[index].cause);
    gossip->counts[REASON_holes_given_up]++;
    trace(gossip->trace, "%s", gossip->healed);
    int error = incident_given_up(step, shard, shard->holes[index].cause);
    return error ? error : hole_give_up(shard, step->batch, index);
}

/* Holes that are filled, and of which more is known than the context says, wait for that: it is
 * pulled. */
static int heal_close(struct step *step, struct topic *topic, struct shard *shard)
{
    size_t index = 0;
    int error = 0;
    while (index < shard->holes_count && !error) {
        const struct hole *hole = &shard->holes[index];
        bool closes =
            hole_is_filled(hole) &&
            (context_covers(&shard->context, &hole->got) ||
             members_lack(step->gossip, topic, shard, &hole->got) || BROKEN("hole-closes-early"));
        bool closed = false;
        if (closes)
            error = hole_close(shard, step->batch, index, &closed);
        step->gossip->counts[REASON_holes_closed] += closed;
        if (closes && !closed) /* the rest of it is for another turn */
            return error ? error : topic_queue(step->gossip, topic);
        index += !closes;
    }
    if (!error && shard->holes_count == 0)
        heal_done(step, topic, shard);
    return error;
}

static int heal_begin(struct step *step, struct topic *topic, const struct shard *shard,
                      size_t index, size_t peer)
{
    struct gossip *gossip = step->gossip;
    topic->pull =
        (struct pull){.state = PULL_HOLES, .peer = peer, .session = ++gossip->session_next};
    gossip->peers[peer].pulling++;
    trace(gossip->trace, "%s: fill a hole of %s", peer_text(gossip, peer), shard->name);
    return heal_ask(step, topic, &shard->holes[index]);
}

/* Has the one that was asked not answered in time? */
static int heal_wait(struct step *step, struct topic *topic)
{
    struct gossip *gossip = step->gossip;
    struct pair *pair = topic_pair(topic, topic->pull.peer);
    if (step->now.mono_ms < topic->pull.deadline) {
        topic_wake(gossip, topic, topic->pull.deadline);
        return 0;
    }
    gossip->counts[REASON_no_answer]++;
    if (pair)
        pair->hole_after = step->now.mono_ms + gossip->options.silence_ms;
    return pull_end(step, topic, 0);
}

int heal_work(struct step *step, struct topic *topic, struct shard *shard)
{
    bool last = false;
    if (topic->pull.state == PULL_HOLES)
        return heal_wait(step, topic);
    if (shard->holes_count == 0 || BROKEN("hole-never"))
        return 0;
    int error = heal_close(step, topic, shard);
    if (error || shard->holes_count == 0)
        return error;
    for (size_t i = 0; i < shard->holes_count && topic->pull.state == PULL_NONE && !error; i++) {
        if (hole_is_filled(&shard->holes[i]))
            continue;
        size_t peer = heal_best(step, topic, &shard->holes[i], &last);
        if (peer != NO_PEER)
            return heal_begin(step, topic, shard, i, peer);
        if (last)
            error = heal_give_up(step, shard, i);
        if (last && !error)
            error = topic_queue(step->gossip, topic);
    }
    return error;
}

/* ---- giving ---- */

static int range_read(struct slice packed, struct slice *ret_from, struct slice *ret_to)
{
    struct reader reader;
    reader_init(&reader, packed);
    read_array_of(&reader, 2);
    *ret_from = read_bin(&reader, KEY_CURSOR_MAX);
    *ret_to = read_bin(&reader, KEY_CURSOR_MAX);
    if (ret_to->size > 0 && slice_compare(*ret_from, *ret_to) >= 0)
        reader_fail(&reader, NEAP_INVALID);
    return reader_end(&reader);
}

static int hole_give(struct step *step, struct topic *topic, const struct shard *shard,
                     struct slice from, struct slice to, struct buffer *page, int *ret_code)
{
    struct view view = batch_view(step->batch);
    if (!shard_released(shard))
        return 0;
    int error = hole_page(shard, &view, from, to, step->gossip->options.chunk_size, page);
    *ret_code = error;
    if (!error) {
        topic_well(topic, FAULT_GIVING);
        return 0;
    }
    buffer_clear(page);
    return topic_fault(step, topic, shard, error, FAULT_GIVING);
}

static int hole_serve(struct step *step, size_t peer, struct topic *topic,
                      const struct shard *shard, const struct message *message)
{
    struct message reply;
    struct buffer page;
    struct slice from, to;
    int error = range_read(message->bytes, &from, &to);
    if (error)
        return error;
    message_answer(&reply, MESSAGE_FILL, message);
    reply.code = NEAP_NOTFOUND;
    buffer_init(&page, CHUNK_BYTES_MAX);
    if (shard && topic_open_pair(step->gossip, topic, peer))
        error = hole_give(step, topic, shard, from, to, &page, &reply.code);
    reply.bytes = buffer_slice(&page);
    if (!error)
        error = answer_send(step, peer, &reply);
    buffer_done(&page);
    return error;
}

/* ---- taking ---- */

static void fill_tell(struct step *step, const struct shard *shard, size_t peer, uint64_t healed)
{
    struct gossip *gossip = step->gossip;
    snprintf(gossip->healed, sizeof gossip->healed,
             "%.64s: %llu cells of a damaged file are back from %.64s", shard->name,
             (unsigned long long)healed, peer_text(gossip, peer));
    trace(gossip->trace, "%s", gossip->healed);
}

/* *ret_again_ms: the peer is not asked before. */
static int fill_take(struct step *step, struct topic *topic, struct shard *shard, struct pair *pair,
                     struct slice page, uint64_t *ret_again_ms)
{
    struct context context = {0}, horizon = {0};
    enum taken taken = TAKEN_NOTHING;
    uint64_t healed = shard->counts.healed;
    int error = chunk_peek(page, &context, &horizon);
    if (!error)
        error = hole_take(shard, step->batch, page, &taken);
    if (!error)
        error = pair_see(pair, &context, false);
    /* A page that says less than a digest did would be asked for again and again. */
    if (!error && taken == TAKEN && context_equal(&context, &pair->context))
        *ret_again_ms = 0;
    context_done(&context);
    context_done(&horizon);
    if (error || taken != TAKEN)
        return error;
    step->gossip->counts[REASON_holes_filled]++;
    topic->rest_until = 0; /* what could not be taken may be now */
    if (shard->counts.healed > healed)
        fill_tell(step, shard, topic->pull.peer, shard->counts.healed - healed);
    return topic_queue(step->gossip, topic);
}

static int hole_take_answer(struct step *step, size_t peer, struct topic *topic,
                            struct shard *shard, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct pair *pair = topic_open_pair(gossip, topic, peer);
    uint64_t again_ms = PULL_AGAIN_MS;
    if (!pair || !shard || topic->pull.state != PULL_HOLES || topic->pull.peer != peer ||
        topic->pull.session != message->session)
        return 0; /* an answer that came too late */
    gossip->peers[peer].answered = topic->pull.asked;
    if (message->code == NEAP_CORRUPT || message->code == NEAP_LIMIT) {
        gossip->counts[REASON_not_given]++;
        again_ms = FAULT_AGAIN_MS;
    } else if (!message->code) {
        int error = fill_take(step, topic, shard, pair, message->bytes, &again_ms);
        if (error == NEAP_STALE)
            return release_refused(step, topic, shard);
        if (error)
            error = topic_fault_taking(step, topic, shard, error, CHUNK_PAGE, message->bytes);
        if (error)
            return error;
    }
    pair->hole_after = again_ms ? step->now.mono_ms + again_ms : 0;
    return pull_end(step, topic, 0);
}

int heal_message(struct step *step, size_t peer, const struct message *message)
{
    struct topic *topic = topic_find(step->gossip, message->shard);
    struct shard *shard = store_find(step->gossip->store, message->shard);
    if (message->kind == MESSAGE_HOLE)
        return hole_serve(step, peer, topic, shard, message);
    return hole_take_answer(step, peer, topic, shard, message);
}
