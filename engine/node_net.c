/* Events of the net on their way to the wheel, and the clients: a few threads that answer requests
 * with this node as the backend. */
#include "base/alloc.h"
#include "base/error.h"
#include "engine/node.h"
#include "engine/request.h"

/* One request after the other; while all threads are at work, clients wait. */
static void client_answer(struct node *node, const struct item_net *item)
{
    const struct net_ops *ops = node->net->ops;
    uint64_t link = item->net.link;
    struct buffer reply;
    int error;

    buffer_init(&reply, MESSAGE_SIZE_MAX);
    error = request_serve(&node->backend, buffer_slice(&item->net.message), &reply);
    if (!error)
        error = ops->send(node->net, link, buffer_slice(&reply));
    buffer_done(&reply);
    /* A client without an answer must not wait for one. */
    if (error)
        ops->close(node->net, link);
    else
        ops->ready(node->net, link);
}

static void client_serve(struct node *node, struct item_net *item)
{
    switch (item->net.kind) {
    case NET_UP:
        /* Its socket is only for those whom its owner lets in. */
        node->net->ops->trust(node->net, item->net.link);
        break;
    case NET_MESSAGE:
        client_answer(node, item);
        break;
    case NET_DOWN:
        break;
    }
    buffer_done(&item->net.message);
}

static struct item_net *clients_pop(struct node *node)
{
    struct item_net *item = node->clients_head;

    if (!item)
        return NULL;
    node->clients_head = item->next;
    if (!item->next)
        node->clients_tail = &node->clients_head;
    node->clients_count--;
    return item;
}

static void net_free_push(struct node *node, struct item_net *item)
{
    item->next = node->net_free;
    node->net_free = item;
}

static void *worker_main(void *arg)
{
    struct node *node = arg;

    node_lock(node);
    while (!node->closing) {
        struct item_net *item = clients_pop(node);

        if (!item) {
            node->workers_idle++;
            node_sleep(node, &node->clients_cond, UINT64_MAX);
            node->workers_idle--;
            continue;
        }
        node_unlock(node);
        client_serve(node, item);
        node_lock(node);
        net_free_push(node, item);
    }
    node_unlock(node);
    return NULL;
}

/* Lock held. A thread for each waiting client, up to the limit; one that can't be made is made up
 * for by the others, as long as there is one. */
static void workers_wake(struct node *node)
{
    if (!node->started || node->closing || !node->clients_count)
        return;
    if (node->workers_idle)
        must(!pthread_cond_signal(&node->clients_cond));
    if (node->workers_idle < node->clients_count && node->workers_count < WORKERS_MAX &&
        !node_thread(&node->workers[node->workers_count], worker_main, node))
        node->workers_count++;
}

static void sink_post(struct net_sink *sink, struct net_event *event)
{
    struct node *node =
        (struct node *)(void *)((uint8_t *)(void *)sink - offsetof(struct node, sink));
    struct item_net *item;

    node_lock(node);
    item = node->net_free;
    if (!item || node->closing) {
        /* More than all links together may have under way: what is lost here ends by a deadline. */
        node->net_drops += !item;
        node_unlock(node);
        buffer_done(&event->message);
        return;
    }
    node->net_free = item->next;
    item->net = *event;
    item->next = NULL;
    if (event->side == NET_CLIENT) {
        *node->clients_tail = item;
        node->clients_tail = &item->next;
        node->clients_count++;
        workers_wake(node);
    } else {
        item->item =
            (struct item){.kind = ITEM_NET, .event = {.kind = EVENT_NET, .net = &item->net}};
        node_push(node, &item->item);
        if (!node->turning)
            node_pump_wake(node);
    }
    node_unlock(node);
}

void node_net_done(struct node *node, struct item *item)
{
    net_free_push(node, (struct item_net *)(void *)item);
}

int node_net_open(struct node *node, const struct node_options *options, struct neap_error *error)
{
    if (!options->net_open)
        return 0;
    node->sink.post = sink_post;
    node->net_items = mem_new_array(NET_EVENTS_MAX, sizeof *node->net_items);
    if (!node->net_items)
        return error_set(error, NEAP_NOMEM, "open: %s", error_text(NEAP_NOMEM));
    for (size_t i = 0; i < NET_EVENTS_MAX; i++)
        net_free_push(node, &node->net_items[i]);
    return options->net_open(options->net_arg, &node->sink, &node->net, error);
}

int node_net_start(struct node *node)
{
    int error = 0;

    node_lock(node);
    node->wheel.net = node->net;
    node->started = true;
    if (node->net) {
        node->deadline = node->has_gossip ? 0 : UINT64_MAX;
        error = node_pump_start(node);
    }
    workers_wake(node);
    node_unlock(node);
    return error;
}

void node_net_stop(struct node *node)
{
    unsigned count;

    if (node->net)
        node->net->ops->stop(node->net);
    node_lock(node);
    node->closing = true;
    count = node->workers_count;
    must(!pthread_cond_broadcast(&node->clients_cond));
    node_unlock(node);
    for (unsigned i = 0; i < count; i++)
        must(!pthread_join(node->workers[i], NULL));
    node->workers_count = 0;
}

void node_net_close(struct node *node)
{
    /* Those that nobody has taken; the messages of the others are gone. */
    for (size_t i = 0; node->net_items && i < NET_EVENTS_MAX; i++)
        buffer_done(&node->net_items[i].net.message);
    if (node->net)
        node->net->ops->free(node->net);
    mem_free(node->net_items);
    node->net = NULL;
    node->net_items = NULL;
}
