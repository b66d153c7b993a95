#include "gossip/ask.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/holders.h"
#include "gossip/look.h"
#include "gossip/state.h"
#include "gossip/verify_state.h"

/* Of one kind of question. The shard is open between the two, and may be told of. What it returns
 * is told as the code of the answer, but for INVALID: the question is not one, the link is dropped;
 * and NOMEM and IO, which are ours. */
typedef int (*ask_server)(struct step *step, const struct shard *shard, struct slice question,
                          struct buffer *ret_answer);

static int look_serve(struct step *step, const struct shard *shard, struct slice question,
                      struct buffer *ret_answer)
{
    struct view view = batch_view(step->batch);
    return look_answer(shard, &view, question, ret_answer);
}

static int cells_serve(struct step *step, const struct shard *shard, struct slice question,
                       struct buffer *ret_answer)
{
    struct view view = batch_view(step->batch);
    return look_cells_answer(shard, &view, question, ret_answer);
}

/* The context comes with every answer. */
static int seen_serve(struct step *step, const struct shard *shard, struct slice question,
                      struct buffer *ret_answer)
{
    (void)step;
    (void)shard;
    (void)ret_answer;
    return question.size ? NEAP_INVALID : 0;
}

static const ask_server servers[ASK_KINDS] = {
    [ASK_LOOK] = look_serve,
    [ASK_VERIFY] = NULL,
    [ASK_CELLS] = cells_serve,
    [ASK_SEEN] = seen_serve,
};

const char *ask_end_text(enum ask_end end)
{
    static const char *const texts[] = {
#define X(name, text) text,
        ASK_ENDS(X)
#undef X
    };
    size_t index = (size_t)end;
    return index < sizeof texts / sizeof *texts ? texts[index] : "unknown";
}

void ask_done(struct ask *ask)
{
    for (size_t i = 0; i < ask->count; i++) {
        verify_result_free(ask->answers[i].verified);
        context_done(&ask->answers[i].context);
        buffer_done(&ask->answers[i].bytes);
    }
    mem_free(ask->answers);
    ask->answers = NULL;
    ask->count = 0;
}

/* ---- asking ---- */

static bool ask_reaches(const struct gossip *gossip, const struct ask *ask, size_t peer)
{
    const struct peer *entry = &gossip->peers[peer];
    if (ask->kind == ASK_SEEN)
        return gossip_votes(gossip, peer);
    return peer_is_member(gossip, peer) && access_shares(gossip, peer, ask->shard) &&
           (!ask->node || (entry->met && entry->node == ask->node));
}

static int ask_begin(struct gossip *gossip, struct ask *ask)
{
    ask->answers = mem_new_array(gossip->peers_count + 1, sizeof *ask->answers);
    ask->count = 0;
    ask->limited = gossip->options.device;
    ask->self = !ask->limited;
    ask->members = ask->self;
    if (!ask->answers)
        return NEAP_NOMEM;
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        struct ask_answer *answer = &ask->answers[ask->count];
        if (!ask_reaches(gossip, ask, i))
            continue;
        snprintf(answer->address, sizeof answer->address, "%s", peer->address);
        answer->node = peer->met ? peer->node : 0;
        answer->peer = i;
        answer->link = peer->links[ask->kind == ASK_SEEN ? CHANNEL_CONTROL : CHANNEL_BULK];
        answer->end = answer->link ? ASK_WAITS : ASK_AWAY;
        buffer_init(&answer->bytes, ASK_ANSWER_MAX);
        ask->count++;
        ask->members++;
        if (ask->kind == ASK_VERIFY && answer->end == ASK_WAITS) {
            int error = verify_begin(gossip, ask, i, answer);
            if (error)
                return error;
        }
    }
    return ask->node && ask->count == 0 ? NEAP_NOTFOUND : 0;
}

static int ask_send(struct step *step, struct ask *ask)
{
    struct message message;
    int error = 0;
    message_init(&message);
    message.kind = MESSAGE_ASK;
    message.what = ask->kind;
    message.shard = ask->shard;
    message.session = ask->id;
    message.bytes = ask->bytes;
    for (size_t i = 0; i < ask->count && !error; i++) {
        struct ask_answer *answer = &ask->answers[i];
        if (answer->end != ASK_WAITS)
            continue;
        error = link_send(step, answer->link, &message, true);
        if (error == NEAP_LIMIT) {
            answer->end = ASK_LOST;
            error = 0;
        }
    }
    return error;
}

static bool asks_are_full(const struct gossip *gossip, enum ask_kind kind)
{
    size_t seen = 0;
    for (size_t i = 0; i < gossip->asks_count; i++)
        seen += gossip->asks[i]->kind == ASK_SEEN;
    return kind == ASK_SEEN ? seen == ASKS_SEEN_MAX : gossip->asks_count - seen == ASKS_MAX;
}

int gossip_ask(struct gossip *gossip, struct now now, struct ask *ask, struct outbox *outbox)
{
    struct step step = {gossip, now, NULL, outbox};
    must(ask->kind > 0 && ask->kind < ASK_KINDS);
    if (ask->bytes.size > ASK_QUESTION_MAX)
        return NEAP_LIMIT;
    if (asks_are_full(gossip, ask->kind))
        return NEAP_BUSY;
    ask->code = 0;
    ask->id = ++gossip->session_next;
    ask->number = ++gossip->asks_made;
    ask->began_ms = now.mono_ms;
    int error = ask_begin(gossip, ask);
    if (!error && ask->kind != ASK_VERIFY)
        error = ask_send(&step, ask);
    if (error) {
        verifies_sweep(gossip);
        ask_done(ask); /* what was sent all the same is answered to nobody */
        return error;
    }
    gossip->asks[gossip->asks_count++] = ask;
    return 0;
}

/* ---- ends ---- */

static bool ask_waits(const struct ask *ask)
{
    for (size_t i = 0; i < ask->count; i++) {
        if (ask->answers[i].end == ASK_WAITS)
            return true;
    }
    return false;
}

/* Those answers of it that are awaited from this link (0: from any). */
static void ask_end_waiting(struct ask *ask, uint64_t link, enum ask_end end)
{
    for (size_t i = 0; i < ask->count; i++) {
        struct ask_answer *answer = &ask->answers[i];
        if (answer->end == ASK_WAITS && (!link || answer->link == link))
            answer->end = end;
    }
}

struct ask *gossip_asked(struct gossip *gossip)
{
    for (size_t i = 0; i < gossip->asks_count; i++) {
        struct ask *ask = gossip->asks[i];
        if (ask_waits(ask) && !(ask->is_enough && ask->is_enough(ask)))
            continue;
        ask_end_waiting(ask, 0, ASK_SPARED);
        gossip->asks[i] = gossip->asks[--gossip->asks_count];
        verifies_sweep(gossip);
        for (size_t j = 0; ask->kind == ASK_VERIFY && j < ask->count; j++)
            equal_since(gossip, ask->shard, &ask->answers[j]);
        return ask;
    }
    return NULL;
}

void ask_call_off(struct ask *ask)
{
    ask_end_waiting(ask, 0, ASK_CALLED_OFF);
}

size_t gossip_asks(const struct gossip *gossip)
{
    return gossip->asks_count;
}

void gossip_asks_end(struct gossip *gossip, int code)
{
    for (size_t i = 0; i < gossip->asks_count; i++) {
        if (ask_waits(gossip->asks[i]))
            gossip->asks[i]->code = code;
        ask_end_waiting(gossip->asks[i], 0, ASK_STOPPED);
    }
}

void asks_link_ended(struct gossip *gossip, uint64_t link, enum ask_end end)
{
    for (size_t i = 0; i < gossip->asks_count; i++) {
        if (end != ASK_LOST || gossip->asks[i]->kind != ASK_VERIFY)
            ask_end_waiting(gossip->asks[i], link, end);
    }
    if (end == ASK_LOST)
        verifies_lost(gossip, link);
}

void asks_tick(struct step *step)
{
    struct gossip *gossip = step->gossip;
    for (size_t i = 0; i < gossip->asks_count; i++) {
        if (step->now.mono_ms >= gossip->asks[i]->until_ms)
            ask_end_waiting(gossip->asks[i], 0, ASK_SILENT);
    }
}

uint64_t asks_deadline(const struct gossip *gossip)
{
    uint64_t deadline = UINT64_MAX;
    for (size_t i = 0; i < gossip->asks_count; i++) {
        if (gossip->asks[i]->until_ms < deadline)
            deadline = gossip->asks[i]->until_ms;
    }
    return deadline;
}

struct ask_answer *ask_find(struct gossip *gossip, uint64_t id, uint64_t link)
{
    for (size_t i = 0; i < gossip->asks_count; i++) {
        struct ask *ask = gossip->asks[i];
        for (size_t j = 0; j < ask->count && ask->id == id; j++) {
            if (ask->answers[j].link == link && ask->answers[j].end == ASK_WAITS)
                return &ask->answers[j];
        }
    }
    return NULL;
}

/* What a node says that it has is news: what is lacking here is asked for now, not at its next
 * digest. */
static int answer_see(struct step *step, size_t peer, const struct message *message)
{
    struct gossip *gossip = step->gossip;
    struct topic *topic = topic_find(gossip, message->shard);
    struct pair *pair = topic_open_pair(gossip, topic, peer);
    if (!pair || message->code || access_is_limited(gossip, peer) ||
        context_covers(&pair->context, &message->since))
        return 0;
    int error = pair_see(pair, &message->since, false);
    return error ? error : topic_queue(gossip, topic);
}

int ask_take(struct step *step, const struct link *link, const struct message *message)
{
    struct ask_answer *answer = ask_find(step->gossip, message->session, link->id);
    if (message->bytes.size > ASK_ANSWER_MAX)
        return NEAP_INVALID;
    if (!answer)
        return 0; /* it came too late */
    answer->code = message->code;
    answer->end = ASK_TOLD;
    if (context_copy(&answer->context, &message->since) ||
        buffer_append(&answer->bytes, message->bytes))
        answer->end = ASK_NOMEM;
    return link->channel == CHANNEL_CONTROL ? answer_see(step, link->peer, message) : 0;
}

/* ---- answering ---- */

static int ask_answer(struct step *step, size_t peer, const struct message *asked,
                      struct message *reply, struct buffer *bytes)
{
    struct gossip *gossip = step->gossip;
    const struct topic *topic = topic_find(gossip, asked->shard);
    const struct shard *shard = store_find(gossip->store, asked->shard);
    reply->code = NEAP_FORMAT;
    if (asked->what >= ASK_KINDS || !servers[asked->what])
        return 0;
    reply->code = NEAP_NOTFOUND;
    if (!shard)
        return 0;
    reply->code = NEAP_BUSY;
    if (!topic_open_pair(gossip, topic, peer) || !shard_released(shard))
        return 0;
    int error = shard_told(shard, &reply->since);
    if (error)
        return error;
    error = servers[asked->what](step, shard, asked->bytes, bytes);
    if (error == NEAP_INVALID || error == NEAP_NOMEM || error == NEAP_IO)
        return error;
    reply->code = error;
    if (error) {
        buffer_clear(bytes);
        context_clear(&reply->since);
    }
    return 0;
}

int ask_serve(struct step *step, const struct link *link, const struct message *message)
{
    /* What takes long to answer would delay the others there. */
    bool quick = message->what == ASK_SEEN;
    if (message->what < ASK_KINDS && quick != (link->channel == CHANNEL_CONTROL))
        return NEAP_INVALID;
    struct message reply;
    struct buffer bytes;
    message_answer(&reply, MESSAGE_TOLD, message);
    buffer_init(&bytes, ASK_ANSWER_MAX);
    int error = ask_answer(step, link->peer, message, &reply, &bytes);
    reply.bytes = buffer_slice(&bytes);
    if (!error)
        error = link_tell(step, link->id, &reply, true);
    message_done(&reply);
    buffer_done(&bytes);
    return error;
}
