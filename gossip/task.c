#include "gossip/task.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "gossip/repair.h"
#include "gossip/state.h"

const char *task_word(enum task_kind kind)
{
    static const char *const words[] = {
#define X(name, word, unit) word,
        TASK_KINDS(X)
#undef X
    };
    return kind < TASK_KINDS_END ? words[kind] : "unknown";
}

const char *task_unit(enum task_kind kind)
{
    static const char *const units[] = {
#define X(name, word, unit) unit,
        TASK_KINDS(X)
#undef X
    };
    return kind < TASK_KINDS_END ? units[kind] : "";
}

/* ---- holding ---- */

static enum task_kind kind_of(enum pull_state state)
{
    switch (state) {
    case PULL_EVENTS:
        return TASK_PULL;
    case PULL_CELLS:
    case PULL_CHANGED:
    case PULL_DESCENT:
    case PULL_DIFFERING:
        return TASK_COMPARE;
    case PULL_TREE:
    case PULL_LEAVES:
        return TASK_REPAIR;
    case PULL_HOLES: /* not paused: what is damaged is not to wait */
        return TASK_HEAL;
    case PULL_NONE:
        break;
    }
    return TASK_KINDS_END;
}

bool pull_is_paused(const struct topic *topic, enum pull_state state)
{
    enum task_kind kind = kind_of(state);
    return kind < TASK_KINDS_END && (topic->paused & 1u << kind);
}

/* What is held takes none of the turns at its peer, as it may stay for long. */
void pull_let_go(struct gossip *gossip, struct topic *topic)
{
    struct pull *pull = &topic->pull;
    if (pull->held.size == 0)
        return;
    buffer_done(&pull->held);
    pull->held = (struct buffer){0};
    gossip->peers[pull->peer].pulling++;
}

int pull_hold(struct step *step, struct topic *topic, const struct message *question)
{
    struct gossip *gossip = step->gossip;
    struct pull *pull = &topic->pull;
    struct buffer held;
    buffer_init(&held, MESSAGE_SIZE_MAX);
    int error = message_encode(question, &held);
    if (error) {
        buffer_done(&held);
        return error;
    }
    pull_let_go(gossip, topic);
    if (!pull->began_ms)
        pull->began_ms = step->now.mono_ms;
    pull->held = held;
    pull->held_kind = question->kind;
    pull->deadline = UINT64_MAX;
    gossip->peers[pull->peer].pulling--;
    topics_unwait(gossip);
    return 0;
}

/* With the question that waits, if it may be asked now. */
int pull_go_on(struct step *step, struct topic *topic)
{
    struct gossip *gossip = step->gossip;
    struct pull *pull = &topic->pull;
    if (pull_waits(step, topic, pull->held_kind) || BROKEN("held-forgotten"))
        return 0;
    if (gossip->peers[pull->peer].pulling >= PULLS_MAX)
        return topic_wait(gossip, topic);
    int error = outbox_send(step->outbox, gossip->peers[pull->peer].links[CHANNEL_BULK],
                            buffer_slice(&pull->held), true);
    if (error && error != NEAP_LIMIT)
        return error;
    pull_let_go(gossip, topic);
    if (error)
        return pull_end(step, topic, PULL_AGAIN_MS);
    pull_asked(step, topic);
    topic_wake(gossip, topic, pull->deadline);
    return 0;
}

/* ---- showing ---- */

static enum task_state state_of(const struct topic *topic)
{
    if (!pull_is_paused(topic, topic->pull.state))
        return TASK_RUNS;
    return topic->pull.held.size > 0 ? TASK_PAUSED : TASK_PAUSING;
}

static void pull_progress(const struct gossip *gossip, const struct topic *topic,
                          const struct shard *shard, struct task *task)
{
    const struct pull *pull = &topic->pull;
    const struct pair *pair = topic_pair(topic, pull->peer);
    bool others;
    if (task->kind == TASK_COMPARE || task->kind == TASK_REPAIR) {
        task->done = pull->cells;
        /* Both go on writing: it is an estimate. */
        task->total =
            pull->cells_total && pull->cells_total < pull->cells ? pull->cells : pull->cells_total;
    }
    if (task->kind != TASK_PULL || !pair)
        return;
    uint64_t left = pull_lacking(gossip, shard, pull->peer, pair, &others);
    task->total = left > pull->lacked ? left : pull->lacked;
    task->done = task->total - left;
}

static bool repair_is_ordered(const struct topic *topic)
{
    for (size_t i = 0; i < topic->pairs_room; i++) {
        if (topic->pairs[i] && topic->pairs[i]->ordered)
            return true;
    }
    return false;
}

static int topic_tasks(const struct gossip *gossip, const struct topic *topic,
                       const struct shard *shard, task_each each, void *arg)
{
    const struct pull *pull = &topic->pull;
    int error = 0;
    if (kind_of(pull->state) < TASK_KINDS_END) {
        struct task task = {.kind = kind_of(pull->state),
                            .state = state_of(topic),
                            .shard = topic->shard,
                            .bucket = shard->name,
                            .bytes = pull->bytes,
                            .since_ms = pull->began_ms};
        snprintf(task.peer, sizeof task.peer, "%s", peer_text(gossip, pull->peer));
        pull_progress(gossip, topic, shard, &task);
        error = each(arg, &task);
    }
    for (unsigned kind = TASK_PULL; kind <= TASK_REPAIR && !error; kind++) {
        bool paused = topic->paused & 1u << kind;
        bool waits = (kind == TASK_COMPARE && shard->session.id) ||
                     (kind == TASK_REPAIR && repair_is_ordered(topic));
        struct task task = {.kind = (enum task_kind)kind,
                            .state = paused ? TASK_PAUSED : TASK_WAITS,
                            .shard = topic->shard,
                            .bucket = shard->name};
        if ((paused || waits) && kind_of(pull->state) != kind)
            error = each(arg, &task);
    }
    return error;
}

static int ask_task(const struct gossip *gossip, const struct ask *ask, task_each each, void *arg)
{
    const struct shard *shard = store_find(gossip->store, ask->shard);
    struct task task = {.kind = TASK_ASK,
                        .shard = ask->shard,
                        .bucket = shard ? shard->name : NULL,
                        .number = ask->number,
                        .total = ask->count,
                        .since_ms = ask->began_ms};
    for (size_t i = 0; i < ask->count; i++)
        task.done += ask->answers[i].end != ASK_WAITS;
    return each(arg, &task);
}

int gossip_tasks(const struct gossip *gossip, task_each each, void *arg)
{
    int error = 0;
    for (size_t i = 0; i < gossip->topics_count && !error; i++) {
        const struct topic *topic = gossip->topics[i];
        const struct shard *shard = store_find(gossip->store, topic->shard);
        if (shard)
            error = topic_tasks(gossip, topic, shard, each, arg);
    }
    for (size_t i = 0; i < gossip->asks_count && !error; i++)
        error = ask_task(gossip, gossip->asks[i], each, arg);
    return error;
}

/* ---- orders ---- */

static int ask_order(struct gossip *gossip, uint64_t number, enum task_order order)
{
    for (size_t i = 0; i < gossip->asks_count; i++) {
        if (gossip->asks[i]->number != number)
            continue;
        if (order != TASK_CANCEL)
            return NEAP_REFUSED;
        ask_call_off(gossip->asks[i]);
        return 0;
    }
    return NEAP_NOTFOUND;
}

/* What was ordered for this bucket is ended, too. */
static int topic_cancel(struct gossip *gossip, struct topic *topic, struct now now,
                        enum task_kind kind)
{
    unsigned paused = topic->paused;
    bool ordered = false;
    topic->paused &= ~(1u << kind);
    for (size_t i = 0; i < topic->pairs_room && kind == TASK_REPAIR; i++) {
        ordered |= topic->pairs[i] && topic->pairs[i]->ordered;
        if (topic->pairs[i])
            topic->pairs[i]->ordered = topic->pairs[i]->budgeted = false;
    }
    struct shard *shard = store_find(gossip->store, topic->shard);
    bool waits = kind == TASK_COMPARE && shard && shard->session.id;
    if (kind_of(topic->pull.state) == kind || waits) {
        if (kind_of(topic->pull.state) == kind)
            pull_stop(gossip, topic);
        if (waits)
            shard_compare_stop(shard);
        topic_changed(gossip, topic); /* its tree may be told of again */
        topic->rest_until = now.mono_ms + TASK_CANCEL_REST_MS;
        return 0;
    }
    return paused != topic->paused || ordered ? 0 : NEAP_NOTFOUND;
}

/* A repair, which has many questions under way, ends: to begin it anew costs a few of them. */
static void topic_pause(struct gossip *gossip, struct topic *topic, enum task_kind kind)
{
    topic->paused |= 1u << kind;
    if (kind == TASK_REPAIR && kind_of(topic->pull.state) == kind)
        pull_stop(gossip, topic);
}

int gossip_task_order(struct gossip *gossip, struct now now, enum task_kind kind, uint64_t shard,
                      uint64_t number, enum task_order order)
{
    struct topic *topic = topic_find(gossip, shard);
    int error = 0;
    if (kind == TASK_ASK)
        return ask_order(gossip, number, order);
    if (!topic || !store_find(gossip->store, shard) || kind > TASK_HEAL)
        return NEAP_NOTFOUND;
    if (order == TASK_CANCEL)
        error = topic_cancel(gossip, topic, now, kind);
    else if (kind == TASK_PULL || kind == TASK_HEAL)
        return NEAP_REFUSED;
    else if (order == TASK_PAUSE)
        topic_pause(gossip, topic, kind);
    else if (topic->paused & 1u << kind)
        topic->paused &= ~(1u << kind);
    else
        return NEAP_NOTFOUND;
    return error ? error : topic_queue(gossip, topic);
}

/* ---- repair on order ---- */

static const struct {
    const char *word, *text;
} orders[] = {
#define X(name, word, text) {word, text},
    REPAIR_ORDERS(X)
#undef X
};

const char *repair_order_word(enum repair_order order)
{
    return orders[order].word;
}

const char *repair_order_text(enum repair_order order)
{
    return orders[order].text;
}

static enum repair_order pair_order(struct gossip *gossip, struct topic *topic,
                                    const struct shard *shard, size_t peer, bool budgeted)
{
    struct pair *pair = topic_open_pair(gossip, topic, peer);
    struct pull *pull = &topic->pull;
    if (!pair)
        return REPAIR_ORDER_AWAY;
    if (pair->root && pair->root == repair_root(shard, &shard->context) &&
        context_equal(&pair->context, &shard->context))
        return REPAIR_ORDER_SAME;
    pair->ordered = true;
    pair->budgeted = budgeted;
    pair->repair_at = 0;
    if (pull->repair && pull->peer == peer)
        pull->repair->budgeted = budgeted;
    return pull_is_paused(topic, PULL_TREE) ? REPAIR_ORDER_PAUSED : REPAIR_ORDER_ORDERED;
}

static bool peer_is_meant(const struct gossip *gossip, size_t index, const char *word)
{
    const struct peer *peer = &gossip->peers[index];
    char node[17];
    snprintf(node, sizeof node, "%016" PRIx64, peer->node);
    return peer_is_member(gossip, index) &&
           (!word || !strcmp(peer->address, word) || (peer->node && !strcmp(node, word)));
}

static int topic_repair(struct gossip *gossip, struct topic *topic, const struct shard *shard,
                        const struct repair_wish *wish, repair_each each, void *arg)
{
    int error = 0;
    if (wish->resume)
        topic->paused &= ~(1u << TASK_REPAIR);
    for (size_t i = 0; i < gossip->peers_count && !error; i++) {
        if (peer_is_meant(gossip, i, wish->peer))
            error = each(arg, shard->name, peer_text(gossip, i),
                         pair_order(gossip, topic, shard, i, wish->bytes_per_s > 0));
    }
    return error ? error : topic_queue(gossip, topic);
}

int gossip_repair(struct gossip *gossip, const struct repair_wish *wish, repair_each each,
                  void *arg)
{
    int error = 0;
    bool found = wish->shard == 0, known = !wish->peer;
    for (size_t i = 0; i < gossip->peers_count && !known; i++)
        known = peer_is_meant(gossip, i, wish->peer);
    if (!known)
        return NEAP_INVALID;
    if (wish->bytes_per_s > 0)
        tokens_init(&gossip->budget, wish->bytes_per_s, 0);
    for (size_t i = 0; i < gossip->topics_count && !error; i++) {
        struct topic *topic = gossip->topics[i];
        const struct shard *here = store_find(gossip->store, topic->shard);
        if (!here || (wish->shard && topic->shard != wish->shard))
            continue;
        found = true;
        error = topic_repair(gossip, topic, here, wish, each, arg);
    }
    return found ? error : NEAP_NOTFOUND;
}
