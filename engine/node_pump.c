/* The service thread: turns the wheel for events that no caller waits for, and when it is time for
 * a tick. By the same rule as everybody: whoever finds the wheel idle. */
#include <signal.h>

#include "base/error.h"
#include "engine/node.h"

int node_thread(pthread_t *ret_thread, void *(*main)(void *arg), void *arg)
{
    sigset_t all, before;
    int failed;

    /* Signals are the application's. */
    sigfillset(&all);
    must(!pthread_sigmask(SIG_SETMASK, &all, &before));
    failed = pthread_create(ret_thread, NULL, main, arg);
    must(!pthread_sigmask(SIG_SETMASK, &before, NULL));
    return failed ? NEAP_NOMEM : 0;
}

/* A tick that is due waits in the queue like everybody: so whoever turns next takes it along, and
 * busy callers cannot keep it off. */
static void pump_tick(struct node *node)
{
    if (node->tick_queued || node_now(node).mono_ms < node->deadline)
        return;
    node->tick_queued = true;
    node->tick = (struct item){.kind = ITEM_TICK, .event = {.kind = EVENT_TICK}};
    node_push(node, &node->tick);
}

static void pump_sleep(struct node *node)
{
    if (node->turning) {
        node->pump_blocked = true;
        node_sleep(node, &node->pump_cond, UINT64_MAX);
        node->pump_blocked = false;
        return;
    }
    node->pump_until = node->deadline;
    node_sleep(node, &node->pump_cond, node->deadline);
    node->pump_until = UINT64_MAX;
}

static void *pump_main(void *arg)
{
    struct node *node = arg;

    node_lock(node);
    while (!node->pump_stops) {
        pump_tick(node);
        if (node->head && !node->turning)
            node_lead(node);
        else
            pump_sleep(node);
    }
    node_unlock(node);
    return NULL;
}

void node_pump_wake(struct node *node)
{
    struct item *item = node->head ? node->head->waiter : NULL;

    if (!node->pump_runs)
        return;
    if (node->pump_blocked || node->deadline < node->pump_until ||
        (item && item->kind != ITEM_CALL))
        must(!pthread_cond_signal(&node->pump_cond));
}

int node_pump_start(struct node *node)
{
    int error;

    if (node->pump_runs)
        return 0;
    error = node_thread(&node->pump, pump_main, node);
    node->pump_runs = !error;
    return error;
}

void node_pump_stop(struct node *node)
{
    node_lock(node);
    node->pump_stops = true;
    must(!pthread_cond_signal(&node->pump_cond));
    node_unlock(node);
    if (node->pump_runs)
        must(!pthread_join(node->pump, NULL));
    node->pump_runs = false;
}
