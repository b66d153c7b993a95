/* The queue before the wheel, and who turns it: leader and followers. */
#include "engine/node.h"

#include <sched.h>

#include "base/alloc.h"
#include "base/error.h"

void node_lock(struct node *node)
{
    must(!pthread_mutex_lock(&node->lock));
}

void node_unlock(struct node *node)
{
    must(!pthread_mutex_unlock(&node->lock));
}

struct now node_now(const struct node *node)
{
    const struct clock_ops *ops = node->clock->ops;

    return (struct now){ops->now_ms(node->clock), ops->wall_ms(node->clock)};
}

uint64_t node_until(const struct node *node, uint32_t timeout_ms)
{
    return node->clock->ops->now_ms(node->clock) + (timeout_ms ? timeout_ms : NEAP_TIMEOUT_MS);
}

bool node_sleep(struct node *node, pthread_cond_t *cond, uint64_t until_ms)
{
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000 * 1000000)};

    if (until_ms == UINT64_MAX) {
        must(!pthread_cond_wait(cond, &node->lock));
        return true;
    }
    /* Whatever it returns but 0 (too late, mostly): look at the clock. */
    (void)pthread_cond_timedwait(cond, &node->lock, &until);
    return node->clock->ops->now_ms(node->clock) < until_ms;
}

static int cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    int failed = pthread_condattr_init(&attributes);

    if (failed)
        return NEAP_NOMEM;
    failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!failed)
        failed = pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
    return failed ? NEAP_NOMEM : 0;
}

/* Callers are counted without the lock, since reads need none. */
int node_enter(struct node *node)
{
    if (atomic_fetch_add(&node->inside, 1) < NODE_CLOSED)
        return 0;
    node_leave(node);
    return NEAP_UNAVAILABLE;
}

void node_leave(struct node *node)
{
    if (atomic_fetch_sub(&node->inside, 1) != NODE_CLOSED + 1)
        return;
    node_lock(node);
    node->all_gone = true;
    must(!pthread_cond_signal(&node->empty_cond));
    node_unlock(node);
}

/* Nobody need wonder what became of a write. */
void node_write_begin(struct node *node)
{
    atomic_fetch_add(&node->writing, 1);
}

void node_write_end(struct node *node)
{
    if (atomic_fetch_sub(&node->writing, 1) > 1 || atomic_load(&node->inside) < NODE_CLOSED)
        return;
    node_lock(node);
    must(!pthread_cond_signal(&node->empty_cond));
    node_unlock(node);
}

void node_push(struct node *node, struct item *item)
{
    struct event *event = &item->event;

    event->waiter = item;
    event->next = NULL;
    *node->tail = event;
    node->tail = &event->next;
    node->queue_count++;
    node->queue_bytes += item->bytes;
}

static size_t node_take(struct node *node, struct event **ret_events)
{
    size_t count = 0;

    while (node->head && count < TURN_EVENTS_MAX) {
        struct event *event = node->head;

        node->head = event->next;
        node->queue_bytes -= ((struct item *)event->waiter)->bytes;
        ret_events[count++] = event;
    }
    if (!node->head)
        node->tail = &node->head;
    node->queue_count -= count;
    return count;
}

static void node_tell(struct node *node, struct event *event)
{
    struct item *item = event->waiter;
    struct item_call *call;

    switch (item->kind) {
    case ITEM_CALL:
        /* Under the lock, so that the call is not gone from its caller's stack meanwhile. */
        call = (struct item_call *)item;
        call->done = true;
        call->counted = node->synced;
        node->told += call->counted;
        if (call->has_cond)
            must(!pthread_cond_signal(&call->cond));
        break;
    case ITEM_TICKET:
        node_ticket_done(node, item);
        break;
    case ITEM_NET:
        node_net_done(node, item);
        break;
    case ITEM_TICK:
        node->tick_queued = false;
        break;
    }
}

/* Somebody else should go on turning, or may find now what he waits for. */
static void node_pass_on(struct node *node, bool changes)
{
    struct item *item = node->head ? node->head->waiter : NULL;
    struct item_call *call = (struct item_call *)item;

    if (node->watchers && changes)
        must(!pthread_cond_broadcast(&node->changed_cond));
    if (node->room_seekers)
        must(!pthread_cond_broadcast(&node->room_cond));
    if (item && item->kind == ITEM_CALL && call->has_cond)
        must(!pthread_cond_signal(&call->cond));
    node_pump_wake(node);
}

void node_lead(struct node *node)
{
    size_t count = node_take(node, node->turn);
    struct now now = node_now(node);
    uint64_t deadline;
    const struct gossip *gossip = node->wheel.engine.gossip;
    bool changes = false;
    uint64_t news;

    must(!node->turning);
    node->turning = true;
    node_unlock(node);
    news = gossip ? gossip_news(gossip) : 0;
    wheel_turn(&node->wheel, now, node->turn, count);
    node_revoked_look(node);
    (void)node_subscribed_look(node); /* else after the next one */
    changes = node->wheel.stopped || (gossip && gossip_news(gossip) != news);
    deadline = node->wheel.stopped ? UINT64_MAX : engine_deadline(&node->wheel.engine, now);
    atomic_store(&node->stopped, node->wheel.stopped);
    node_lock(node);
    node->synced = node->wheel.engine.wants_sync;
    for (size_t i = 0; i < count; i++)
        changes |= node->turn[i]->kind == EVENT_WRITE || node->turn[i]->kind == EVENT_WORK;
    for (size_t i = 0; i < node->wheel.done.count; i++)
        node_tell(node, node->wheel.done.events[i]);
    node->changes += changes;
    node->deadline = deadline;
    node->turning = false;
    node->serves = node->wheel.engine.serving.count;
    if (!node->serves && atomic_load(&node->inside) >= NODE_CLOSED)
        must(!pthread_cond_signal(&node->empty_cond));
    node_pass_on(node, changes);
}

/* A sync takes much longer than a write, and who was told the end of one is mostly about to come
 * with the next. Whoever turns at once leaves them all to another sync, and so on for ever: two
 * groups that take turns. So the processor goes to them first, for as long as they come, which
 * costs nobody anything when they are not there. One who did not wait, while nobody was told, does
 * not do even that. */
static void node_gather(struct node *node, const struct item_call *call)
{
    bool others = node->synced && (node->told || call->has_cond);
    size_t came = node->queue_count;
    unsigned idle = 0;

    while (others && idle < GATHER_YIELDS && !node->turning && !call->done) {
        node_unlock(node);
        (void)sched_yield();
        node_lock(node);
        idle = node->queue_count > came && node->told && came < TURN_EVENTS_MAX ? 0 : idle + 1;
        came = node->queue_count;
    }
}

/* Lock held. The event is queued, and there is no way back: it is done when this returns. An ask is
 * done by a later turn, which others may turn. */
static void call_finish(struct node *node, struct item_call *call)
{
    bool waits = call->item.event.kind == EVENT_ASK;

    while (!call->done) {
        if (!node->turning && (node->head || !waits)) {
            node_gather(node, call);
            if (!node->turning && !call->done)
                node_lead(node);
            continue;
        }
        if (!call->has_cond)
            must(!cond_init(&call->cond));
        call->has_cond = true;
        must(!pthread_cond_wait(&call->cond, &node->lock));
    }
    if (call->has_cond)
        must(!pthread_cond_destroy(&call->cond));
    node->told -= call->counted;
}

int node_admit(struct node *node, size_t bytes, uint64_t until_ms)
{
    bool late = until_ms == 0;

    while (node->queue_count >= node->queue_count_max ||
           node->queue_bytes + bytes > node->queue_bytes_max) {
        if (node->closing)
            return NEAP_UNAVAILABLE;
        if (late)
            return NEAP_BUSY;
        node->room_seekers++;
        late = !node_sleep(node, &node->room_cond, until_ms);
        node->room_seekers--;
    }
    return 0;
}

int node_run(struct node *node, struct event *event)
{
    struct item_call call = {.item = {.kind = ITEM_CALL, .event = *event}};

    node_lock(node);
    node_push(node, &call.item);
    call_finish(node, &call);
    node_unlock(node);
    return call.item.event.code;
}

int node_run_write(struct node *node, struct write *write, uint64_t until_ms)
{
    struct item_call call = {
        .item = {.kind = ITEM_CALL, .event = {.kind = EVENT_WRITE, .write = write}}};
    int error;

    node_lock(node);
    error = node_admit(node, 0, until_ms);
    /* Without a thread to sync it later, it is synced at once. */
    if (!error && write->nosync && node_pump_start(node))
        write->nosync = false;
    if (!error) {
        node_push(node, &call.item);
        call_finish(node, &call);
    }
    node_unlock(node);
    return error ? error : call.item.event.code;
}

int node_call(struct node *node, void (*call)(void *arg, struct engine *engine), void *arg)
{
    struct event event = {.kind = EVENT_CALL, .call = call, .arg = arg};

    return node_run(node, &event);
}

int node_call_always(struct node *node, void (*call)(void *arg, struct engine *engine), void *arg)
{
    struct event event = {.kind = EVENT_CALL, .call = call, .arg = arg, .when_stopped = true};

    return node_run(node, &event);
}

int node_run_ask(struct node *node, struct ask *ask)
{
    struct item_call call = {.item = {.kind = ITEM_CALL, .event = {.kind = EVENT_ASK, .ask = ask}}};
    bool closing;

    node_lock(node);
    closing = node->closing;
    if (!closing) {
        node_push(node, &call.item);
        call_finish(node, &call);
    }
    node_unlock(node);
    return closing ? NEAP_UNAVAILABLE : call.item.event.code;
}

int node_sync(struct node *node)
{
    struct event event = {.kind = EVENT_SYNC};

    return node_run(node, &event);
}

int node_tick(struct node *node)
{
    struct event event = {.kind = EVENT_TICK};

    return node_run(node, &event);
}

/* Everything that is queued, whoever waits for it. Nobody else is there any more. */
static void node_drain(struct node *node)
{
    node_lock(node);
    while (node->head)
        node_lead(node);
    node_unlock(node);
    if (node->readonly)
        return;
    (void)node_sync(node); /* closing has no result; neap_sync() before it has one */
    wheel_save_trees(&node->wheel);
}

/* Who waits for answers of others waits no longer. Later asks are refused. */
static void asks_end(void *arg, struct engine *engine)
{
    (void)arg;
    if (engine->gossip)
        gossip_asks_end(engine->gossip, NEAP_UNAVAILABLE);
}

enum { NODE_CONDS = 6, CLOSE_MS = 2000 };

static pthread_cond_t *node_cond(struct node *node, unsigned index)
{
    pthread_cond_t *conds[NODE_CONDS] = {&node->pump_cond,  &node->changed_cond,
                                         &node->room_cond,  &node->clients_cond,
                                         &node->empty_cond, &node->renew_cond};

    return conds[index];
}

int node_new(struct node **ret_node)
{
    struct node *node = mem_new(sizeof *node);

    if (!node)
        return NEAP_NOMEM;
    must(!pthread_mutex_init(&node->lock, NULL));
    must(!pthread_mutex_init(&node->joining, NULL));
    for (unsigned i = 0; i < NODE_CONDS; i++)
        must(!cond_init(node_cond(node, i)));
    node->tail = &node->head;
    node->clients_tail = &node->clients_head;
    node->deadline = node->pump_until = UINT64_MAX;
    *ret_node = node;
    return 0;
}

void node_free(struct node *node)
{
    node_net_close(node);
    wheel_close(&node->wheel);
    disk_close(node->disk);
    for (unsigned i = 0; i < NODE_CONDS; i++)
        must(!pthread_cond_destroy(node_cond(node, i)));
    must(!pthread_mutex_destroy(&node->lock));
    must(!pthread_mutex_destroy(&node->joining));
    mem_free(node->directory);
    revoked_done(&node->revoked);
    subscriptions_done(&node->subscribed);
    rings_done(&node->rings);
    mem_free(node->ticket_codes);
    mem_free(node->path);
    mem_free(node);
}

/* Writes that were begun, here or for callers of other nodes, reach their level, if they do soon;
 * and no other begins. */
static void node_finish(struct node *node)
{
    struct event event = {.kind = EVENT_CLOSE};
    uint64_t until_ms = node_now(node).mono_ms + CLOSE_MS;
    bool late = false;

    if (node->net && node->has_gossip)
        (void)node_run(node, &event);
    node_lock(node);
    while ((node->serves || atomic_load(&node->writing)) && !late && !atomic_load(&node->stopped))
        late = !node_sleep(node, &node->empty_cond, until_ms);
    node_unlock(node);
}

/* Others need not suspect it first. What goes wrong costs no more than that. */
static void node_say_leave(struct node *node)
{
    struct event event = {.kind = EVENT_LEAVE};

    if (node->net && node->has_gossip)
        (void)node_run(node, &event);
}

void node_close(struct backend *backend)
{
    struct node *node = (struct node *)backend;
    bool wait = atomic_fetch_add(&node->inside, NODE_CLOSED) > 0;

    node_finish(node);
    node_lock(node);
    node->closing = true;
    must(!pthread_cond_broadcast(&node->changed_cond));
    must(!pthread_cond_broadcast(&node->room_cond));
    node_unlock(node);
    (void)node_call_always(node, asks_end, NULL);
    node_workers_stop(node);
    node_say_leave(node);
    node_net_stop(node);
    node_lock(node);
    while (wait && !node->all_gone)
        node_sleep(node, &node->empty_cond, UINT64_MAX);
    node_unlock(node);
    node_pump_stop(node);
    node_drain(node);
    node_free(node);
}
