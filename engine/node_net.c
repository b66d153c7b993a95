/* Events of the net on their way to the wheel, and the clients: a few threads that answer requests
 * with this node as the backend. */
#include "base/alloc.h"
#include "base/error.h"
#include "engine/granted.h"
#include "engine/join.h"
#include "engine/node_forward.h"
#include "engine/node_renew.h"
#include "engine/request.h"

enum { NET_ITEMS_MAX = NET_EVENTS_MAX + CLIENT_EVENTS_MAX };

/* ---- this node as clients see it: some workers are kept for who does not wait for others ---- */

static struct node *clients_node(struct backend *backend)
{
    return (struct node *)(void *)((uint8_t *)(void *)backend - offsetof(struct node, clients));
}

/* Before a request that may wait for peers, or for a write that has yet to come. */
static int blocking_begin(struct node *node, struct neap_error *error)
{
    bool room;

    node_lock(node);
    room = node->workers_blocked < WORKERS_BLOCKED_MAX;
    node->workers_blocked += room;
    node_unlock(node);
    if (room)
        return 0;
    return error_set(error, NEAP_BUSY,
                     "%d requests of clients wait for other nodes already, and that is the limit: "
                     "nothing was done",
                     WORKERS_BLOCKED_MAX);
}

static void blocking_end(struct node *node)
{
    node_lock(node);
    node->workers_blocked--;
    node_unlock(node);
}

static int clients_write(struct backend *backend, struct write *write)
{
    struct node *node = clients_node(backend);
    int code;

    if (node_holds_write(node, write) && (write->submit || write->level < NEAP_QUORUM))
        return node_write(&node->backend, write);
    code = blocking_begin(node, &write->error);
    if (code)
        return code;
    code = node_write(&node->backend, write);
    blocking_end(node);
    return code;
}

/* What can't be placed is an error at once. */
static bool lists_here(struct node *node, const struct page_request *request)
{
    struct placed place;
    bool here = true;

    return node_place_page(node, request, &place, &here, NULL) || here;
}

static bool reads_here(struct node *node, const struct read *read)
{
    return lists_here(node, &(struct page_request){.bucket = read->bucket, .path = read->path});
}

static int clients_read(struct backend *backend, struct read *read, struct buffer *ret_cell)
{
    struct node *node = clients_node(backend);
    int code;

    if (!read->after && read->level < NEAP_QUORUM && reads_here(node, read))
        return node_read(&node->backend, read, ret_cell);
    code = blocking_begin(node, &read->error);
    if (code)
        return code;
    code = node_read(&node->backend, read, ret_cell);
    blocking_end(node);
    return code;
}

static int clients_page(struct backend *backend, struct page_request *request,
                        struct page *ret_page)
{
    struct node *node = clients_node(backend);
    int code;

    if (request->stats || request->kind == PAGE_SLOTS ||
        (!request->after && request->level < NEAP_QUORUM && request->kind != PAGE_CHANGES &&
         lists_here(node, request)))
        return node_page(&node->backend, request, ret_page);
    code = blocking_begin(node, &request->error);
    if (code)
        return code;
    code = node_page(&node->backend, request, ret_page);
    blocking_end(node);
    return code;
}

static int clients_sync(struct backend *backend)
{
    struct node *node = clients_node(backend);

    return node->backend.ops->sync(&node->backend);
}

static int clients_wait(struct backend *backend, const struct token *token, enum neap_level level,
                        uint32_t timeout_ms, struct neap_error *error)
{
    struct node *node = clients_node(backend);
    int code = blocking_begin(node, error);

    if (code)
        return code;
    code = node_wait(&node->backend, token, level, timeout_ms, error);
    blocking_end(node);
    return code;
}

static int clients_once(struct backend *backend, uint32_t timeout_ms, struct buffer *ret_id,
                        struct neap_error *error)
{
    return node_once(&clients_node(backend)->backend, timeout_ms, ret_id, error);
}

static int clients_admin(struct backend *backend, int argc, const char *const argv[],
                         struct buffer *ret_json, struct neap_error *error)
{
    return node_admin(&clients_node(backend)->backend, argc, argv, ret_json, error);
}

static int clients_backup(struct backend *backend, const char *directory, uint32_t timeout_ms,
                          struct buffer *ret_json, struct neap_error *error)
{
    return node_backup(&clients_node(backend)->backend, directory, timeout_ms, ret_json, error);
}

/* No client closes a node. */
static const struct backend_ops clients_ops = {.write = clients_write,
                                               .read = clients_read,
                                               .page = clients_page,
                                               .sync = clients_sync,
                                               .wait = clients_wait,
                                               .once = clients_once,
                                               .admin = clients_admin,
                                               .backup = clients_backup};

/* ---- events ---- */

/* One request after the other; while all threads are at work, clients wait. What comes here of a
 * peer is the question of somebody who wants to become one. */
static void client_answer(struct node *node, const struct item_net *item)
{
    const struct net_ops *ops = node->net->ops;
    uint64_t link = item->net.link;
    struct principal principal = {0};
    struct granted granted;
    struct buffer reply;
    int error;

    if (item->net.side == NET_PEER) {
        node_join(node, link, buffer_slice(&item->net.message));
        return;
    }
    error = ops->who ? ops->who(node->net, link, &principal) : 0;
    if (principal.kind == PRINCIPAL_CLIENT &&
        join_is_question(buffer_slice(&item->net.message))) { /* he wants to be certified anew */
        principal_done(&principal);
        node_join(node, link, buffer_slice(&item->net.message));
        return;
    }
    buffer_init(&reply, MESSAGE_SIZE_MAX);
    granted_init(&granted, &node->clients, &principal);
    if (!error)
        error = request_serve(&granted.backend, buffer_slice(&item->net.message), &reply);
    if (granted.refused) {
        node_lock(node);
        node->clients_refused += granted.refused;
        node_unlock(node);
    }
    principal_done(&principal);
    if (!error)
        error = ops->send(node->net, link, buffer_slice(&reply));
    buffer_done(&reply);
    /* A client without an answer must not wait for one. */
    if (error)
        ops->close(node->net, link);
    else
        ops->ready(node->net, link);
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

static void net_free_push(struct item_net **free, struct item_net *item)
{
    item->next = *free;
    *free = item;
}

/* NULL: none is free. Lock held. */
static struct item_net *net_free_pop(struct item_net **free, const struct net_event *event)
{
    struct item_net *item = *free;

    if (!item)
        return NULL;
    *free = item->next;
    item->net = *event;
    item->next = NULL;
    return item;
}

static void *worker_main(void *arg)
{
    struct node *node = arg;

    node_lock(node);
    while (!node->closing || node->clients_head) { /* all are told that it is being closed */
        struct item_net *item = clients_pop(node);

        if (!item) {
            node->workers_idle++;
            node_sleep(node, &node->clients_cond, UINT64_MAX);
            node->workers_idle--;
            continue;
        }
        node_unlock(node);
        client_answer(node, item);
        net_event_done(&item->net);
        node_lock(node);
        net_free_push(&node->clients_free, item);
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

/* Lock held. False: there is no room. Peers and clients each have their own, so that neither takes
 * the others'. A node that is behind hears of progress again: half of the room is not for it. */
static bool peer_queue(struct node *node, const struct net_event *event)
{
    struct item_net *item;

    if (event->kind == NET_PROGRESS && node->peers_count >= NET_EVENTS_MAX / 2)
        return true;
    item = net_free_pop(&node->net_free, event);
    if (!item)
        return false;
    node->peers_count++;
    item->item = (struct item){.kind = ITEM_NET, .event = {.kind = EVENT_NET, .net = &item->net}};
    node_push(node, &item->item);
    if (!node->turning)
        node_pump_wake(node);
    return true;
}

static bool client_queue(struct node *node, const struct net_event *event)
{
    struct item_net *item = net_free_pop(&node->clients_free, event);

    if (!item)
        return false;
    *node->clients_tail = item;
    node->clients_tail = &item->next;
    node->clients_count++;
    workers_wake(node);
    return true;
}

static void sink_post(struct net_sink *sink, struct net_event *event)
{
    struct node *node =
        (struct node *)(void *)((uint8_t *)(void *)sink - offsetof(struct node, sink));
    bool client = event->side == NET_CLIENT, message = event->kind == NET_MESSAGE;
    bool joins =
        event->side == NET_PEER && message && join_is_question(buffer_slice(&event->message));
    bool queued = false, lost;
    struct net *net;

    node_lock(node);
    /* Clients come and go without taking room. */
    if (client && !message) {
        queued = true;
        principal_done(&event->principal); /* net_ops.who() says it again */
    }
    if (!queued && !node->closing)
        queued = client || joins ? client_queue(node, event) : peer_queue(node, event);
    lost = !queued && !node->closing;
    node->net_drops += lost;
    net = node->started ? node->net : NULL;
    node_unlock(node);
    /* Its socket is only for those whom its owner lets in: a client may be silent. */
    if (client && event->kind == NET_UP && net)
        net->ops->trust(net, event->link);
    if (!queued)
        net_event_done(event);
    /* What is lost of a peer ends by a deadline; a client must not wait for its answer. */
    if (lost && (client || joins) && net)
        net->ops->close(net, event->link);
}

void node_net_done(struct node *node, struct item *item)
{
    net_free_push(&node->net_free, (struct item_net *)(void *)item);
    node->peers_count--;
}

int node_net_open(struct node *node, const struct node_options *options, struct neap_error *error)
{
    if (!options->net_open)
        return 0;
    node->sink.post = sink_post;
    node->sink.is_revoked = node_is_revoked;
    node_revoked_look(node);
    node->clients.ops = &clients_ops;
    node->net_items = mem_new_array(NET_ITEMS_MAX, sizeof *node->net_items);
    if (!node->net_items)
        return error_set(error, NEAP_NOMEM, "open: %s", error_text(NEAP_NOMEM));
    for (size_t i = 0; i < NET_ITEMS_MAX; i++)
        net_free_push(i < NET_EVENTS_MAX ? &node->net_free : &node->clients_free,
                      &node->net_items[i]);
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
    return error ? error : node_renew_start(node);
}

void node_workers_stop(struct node *node)
{
    unsigned count;

    node_lock(node);
    node->closing = true;
    count = node->workers_count;
    must(!pthread_cond_broadcast(&node->clients_cond));
    node_unlock(node);
    for (unsigned i = 0; i < count; i++)
        must(!pthread_join(node->workers[i], NULL));
    node->workers_count = 0;
}

void node_net_stop(struct node *node)
{
    if (node->net)
        node->net->ops->stop(node->net);
    node_workers_stop(node); /* there are none, unless it was not opened */
    node_renew_stop(node);
}

void node_net_close(struct node *node)
{
    /* Those that nobody has taken; the messages of the others are gone. */
    for (size_t i = 0; node->net_items && i < NET_ITEMS_MAX; i++)
        net_event_done(&node->net_items[i].net);
    if (node->net)
        node->net->ops->free(node->net);
    mem_free(node->net_items);
    node->net = NULL;
    node->net_items = NULL;
}
