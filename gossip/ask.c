#include "gossip/ask.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/call.h"
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
    [ASK_LOOK] = look_serve, [ASK_VERIFY] = NULL, [ASK_CELLS] = cells_serve,
    [ASK_SEEN] = seen_serve, [ASK_CALL] = NULL, /* call.c */
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
    mem_free(ask->groups);
    ask->groups = NULL;
    ask->groups_count = 0;
    ask->answers = NULL;
    ask->count = 0;
}

/* ---- asking ---- */

/* By name, if it is given: what is not here yet has none by its number. */
static bool ask_is_wanted(const struct gossip *gossip, const struct ask *ask, size_t peer)
{
    if (ask->kind == ASK_CALL)
        return true; /* it was looked at when it was chosen */
    return ask->names_count ? peer_wants(gossip, peer, ask->names[0])
                            : shard_is_wanted(gossip, peer, ask->shard);
}

static bool groups_have(const struct ask *ask, uint64_t node)
{
    for (size_t i = 0; i < ask->groups_count; i++) {
        if (group_has(&ask->groups[i], node))
            return true;
    }
    return false;
}

/* Of a slot its owners are asked, those in the layout that reads count in; or those that the caller
 * has put there. */
static int ask_group(const struct gossip *gossip, struct ask *ask)
{
    struct group groups[GROUPS_MAX];
    if (ask->kind != ASK_SEEN || ask->groups || !ask->names_count)
        return 0;
    size_t count =
        groups_of(&gossip->rings, ask->names[0], GROUPS_READ, ask->level, ask->me, groups);
    if (count == 0)
        return 0;
    ask->groups = mem_new_array(count, sizeof *ask->groups);
    if (!ask->groups)
        return NEAP_NOMEM;
    ask->groups_count = count;
    memcpy(ask->groups, groups, count * sizeof *groups);
    return 0;
}

static bool ask_reaches(const struct gossip *gossip, const struct ask *ask, size_t peer)
{
    const struct peer *entry = &gossip->peers[peer];
    if (ask->kind == ASK_SEEN && ask->groups)
        return gossip_votes(gossip, peer) && entry->met && groups_have(ask, entry->node);
    if (ask->kind == ASK_SEEN)
        return gossip_votes(gossip, peer) && ask_is_wanted(gossip, ask, peer);
    if (ask->kind == ASK_CALL)
        return peer == ask->chosen;
    return peer_is_member(gossip, peer) && access_shares(gossip, peer, ask->shard) &&
           (!ask->node || (entry->met && entry->node == ask->node));
}

/* What is small, and waited for by a caller, goes before what is on its way in bulk. */
static enum channel ask_channel(const struct ask *ask)
{
    bool quick = ask->kind == ASK_SEEN || (ask->kind == ASK_CALL && ask->bytes.size <= CALL_SMALL);
    return quick ? CHANNEL_CONTROL : CHANNEL_BULK;
}

static int ask_begin(struct gossip *gossip, struct ask *ask)
{
    ask->answers = mem_new_array(gossip->peers_count + 1, sizeof *ask->answers);
    ask->count = 0;
    ask->limited = gossip->options.device;
    ask->self = !ask->limited;
    ask->members = ask->self;
    ask->sent = false;
    ask->me = gossip->store->identity.node;
    if (!ask->answers || ask_group(gossip, ask))
        return NEAP_NOMEM;
    if (ask->groups)
        ask->self = ask->self && groups_have(ask, ask->me);
    if (ask->kind == ASK_CALL)
        ask->chosen = call_choose(gossip, ask);
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        struct ask_answer *answer = &ask->answers[ask->count];
        if (!ask_reaches(gossip, ask, i))
            continue;
        snprintf(answer->address, sizeof answer->address, "%s", peer->address);
        answer->node = peer->met ? peer->node : 0;
        answer->peer = i;
        answer->link = peer->links[ask_channel(ask)];
        answer->other = ask->kind == ASK_CALL ? peer->links[CHANNEL_BULK] : 0;
        answer->end = answer->link ? ASK_WAITS : ASK_AWAY;
        if (!ask_is_wanted(gossip, ask, i))
            answer->end = ASK_UNHELD;
        buffer_init(&answer->bytes, ask->kind == ASK_CALL ? CALL_SIZE_MAX : ASK_ANSWER_MAX);
        ask->count++;
        ask->members++;
        if (ask->kind == ASK_VERIFY && answer->end == ASK_WAITS) {
            int error = verify_begin(gossip, ask, i, answer);
            if (error)
                return error;
        }
    }
    return (ask->node || ask->kind == ASK_CALL) && ask->count == 0 ? NEAP_NOTFOUND : 0;
}

static int ask_send(struct step *step, struct ask *ask)
{
    struct message message;
    int error = 0;
    message_init(&message);
    message.kind = MESSAGE_ASK;
    message.what = ask->kind;
    message.shard = ask->kind == ASK_CALL ? 0 : ask->shard; /* what it is about it says itself */
    message.session = ask->id;
    message.bytes = ask->bytes;
    for (size_t i = 0; i < ask->count && !error; i++) {
        struct ask_answer *answer = &ask->answers[i];
        if (answer->end != ASK_WAITS)
            continue;
        error = link_send(step, answer->link, &message, true);
        if (error == NEAP_LIMIT) {
            answer->end = ask->kind == ASK_CALL ? ASK_AWAY : ASK_LOST; /* it is known not to go */
            error = 0;
        }
    }
    return error;
}

static bool asks_are_full(const struct gossip *gossip, enum ask_kind kind)
{
    size_t seen = 0, calls = 0;
    for (size_t i = 0; i < gossip->asks_count; i++) {
        seen += gossip->asks[i]->kind == ASK_SEEN;
        calls += gossip->asks[i]->kind == ASK_CALL;
    }
    if (kind == ASK_SEEN)
        return seen == ASKS_SEEN_MAX;
    return kind == ASK_CALL ? calls == ASKS_CALL_MAX
                            : gossip->asks_count - seen - calls == ASKS_MAX;
}

int gossip_ask(struct gossip *gossip, struct now now, struct ask *ask, struct outbox *outbox)
{
    struct step step = {gossip, now, NULL, outbox};
    must(ask->kind > 0 && ask->kind < ASK_KINDS);
    if (ask->bytes.size > (ask->kind == ASK_CALL ? CALL_SIZE_MAX + 64 : ASK_QUESTION_MAX))
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
        if (answer->end == ASK_WAITS &&
            (!link || answer->link == link || (end == ASK_LEFT && answer->other == link)))
            answer->end = end;
    }
}

struct ask *gossip_asked(struct gossip *gossip)
{
    for (size_t i = 0; i < gossip->asks_count; i++) {
        struct ask *ask = gossip->asks[i];
        ask->sent = true;
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

void asks_unheld(struct gossip *gossip, size_t peer)
{
    for (size_t i = 0; i < gossip->asks_count; i++) {
        struct ask *ask = gossip->asks[i];
        for (size_t j = 0; j < ask->count; j++) {
            struct ask_answer *answer = &ask->answers[j];
            if (answer->end == ASK_WAITS && answer->peer == peer &&
                !ask_is_wanted(gossip, ask, peer))
                answer->end = ASK_UNHELD;
        }
    }
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
        const struct ask *ask = gossip->asks[i];
        bool went = ask->kind == ASK_CALL && ask->sent; /* so it was something else that did not */
        if (end != ASK_LOST || (ask->kind != ASK_VERIFY && !went))
            ask_end_waiting(gossip->asks[i], link, end);
    }
    if (end == ASK_LOST)
        verifies_lost(gossip, link);
}

void asks_link_left(struct gossip *gossip, uint64_t link)
{
    for (size_t i = 0; i < gossip->asks_count; i++) {
        struct ask *ask = gossip->asks[i];
        for (size_t j = 0; ask->kind == ASK_CALL && j < ask->count; j++) {
            if (ask->answers[j].end == ASK_WAITS && ask->answers[j].link == link)
                ask->answers[j].end = ASK_AWAY;
        }
    }
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

/* It was taken for one that holds the bucket, before it had said what it subscribes to: then that
 * it has nothing is no answer. */
static bool answer_is_void(const struct gossip *gossip, uint64_t id, size_t peer)
{
    for (size_t i = 0; i < gossip->asks_count; i++) {
        const struct ask *ask = gossip->asks[i];
        if (ask->id == id && ask->kind == ASK_SEEN)
            return !ask_is_wanted(gossip, ask, peer);
    }
    return false;
}

struct ask_answer *ask_find(struct gossip *gossip, uint64_t id, uint64_t link)
{
    for (size_t i = 0; i < gossip->asks_count; i++) {
        struct ask *ask = gossip->asks[i];
        for (size_t j = 0; j < ask->count && ask->id == id; j++) {
            bool its = ask->answers[j].link == link ||
                       (ask->answers[j].other && ask->answers[j].other == link);
            if (its && ask->answers[j].end == ASK_WAITS)
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
    if (!answer)
        return message->bytes.size > CALL_SIZE_MAX ? NEAP_INVALID : 0; /* it came too late */
    if (message->bytes.size > answer->bytes.size_max)
        return NEAP_INVALID;
    answer->code =
        answer_is_void(step->gossip, message->session, link->peer) ? NEAP_STALE : message->code;
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
    /* Who holds a slot no more, or not yet, has nothing to say of it: nothing that it has seen is
     * not the same. */
    unsigned slot;
    reply->code = NEAP_STALE;
    if (rings_shard(&gossip->rings, asked->shard, &slot) &&
        !rings_holds(&gossip->rings, asked->shard, gossip->store->identity.node))
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
    if (message->what == ASK_CALL)
        return call_serve(step, link, message);
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
