#include "tests/support/hub.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { QUEUE_MAX = 10000 };

static struct hub_net *hub_net_of(struct net *net)
{
    return (struct hub_net *)net;
}

static void hub_lock(struct hub *hub)
{
    must(!pthread_mutex_lock(&hub->lock));
}

static void hub_unlock(struct hub *hub)
{
    must(!pthread_mutex_unlock(&hub->lock));
}

/* Everything below until the net's functions runs under the lock. */

static void end_post(struct hub_end *end, enum net_event_kind kind, struct buffer *message)
{
    struct net_event event = {.kind = kind, .link = end->link, .side = end->side};

    if (message)
        event.message = *message;
    if (kind == NET_DOWN)
        snprintf(event.reason, sizeof event.reason, "hub");
    if (end->net && !end->net->stopped)
        end->net->sink->post(end->net->sink, &event);
    else
        buffer_done(&event.message);
}

static void end_deliver(struct hub_end *end)
{
    struct buffer message;

    if (end->waits || !end->queue_count || !end->net)
        return;
    message = end->queue[0];
    end->queue_count--;
    memmove(end->queue, end->queue + 1, end->queue_count * sizeof *end->queue);
    end->waits = true;
    end_post(end, NET_MESSAGE, &message);
}

static void end_clear(struct hub_end *end)
{
    for (size_t i = 0; i < end->queue_count; i++)
        buffer_done(&end->queue[i]);
    mem_free(end->queue);
    *end = (struct hub_end){0};
}

static struct hub_link *link_find(const struct hub_net *net, uint64_t link, unsigned *ret_end)
{
    for (size_t i = 0; i < HUB_LINKS; i++)
        for (unsigned end = 0; end < 2; end++) {
            struct hub_link *found = &net->hub->links[i];

            if (found->ends[end].net == net && found->ends[end].link == link) {
                *ret_end = end;
                return found;
            }
        }
    return NULL;
}

static void link_close(struct hub_link *link, unsigned end, bool tell_own)
{
    end_post(&link->ends[!end], NET_DOWN, NULL);
    if (tell_own)
        end_post(&link->ends[end], NET_DOWN, NULL);
    end_clear(&link->ends[0]);
    end_clear(&link->ends[1]);
}

static struct hub_net *net_at(struct hub *hub, const char *address)
{
    for (size_t i = 0; i < hub->nets_count; i++)
        if (hub->nets[i]->address && !strcmp(hub->nets[i]->address, address) &&
            !hub->nets[i]->stopped)
            return hub->nets[i];
    return NULL;
}

static int link_make(struct hub_net *net, uint64_t number, enum net_side accepted,
                     const char *address)
{
    struct hub *hub = net->hub;
    struct hub_net *other = net_at(hub, address);
    struct hub_end down = {.net = net, .link = number, .side = NET_DIALED};
    struct hub_link *link = NULL;

    for (size_t i = 0; i < HUB_LINKS && !link; i++)
        if (!hub->links[i].ends[0].net && !hub->links[i].ends[1].net)
            link = &hub->links[i];
    if (!other || !link) {
        end_post(&down, NET_DOWN, NULL);
        return 0;
    }
    link->ends[0] = down;
    link->ends[1] = (struct hub_end){
        .net = other, .link = NET_ACCEPTED | ++hub->accepted_next, .side = accepted};
    for (unsigned i = 0; i < 2; i++)
        link->ends[i].queue = mem_new_array(QUEUE_MAX, sizeof(struct buffer));
    end_post(&link->ends[0], NET_UP, NULL);
    end_post(&link->ends[1], NET_UP, NULL);
    return 0;
}

/* ---- the net's functions ---- */

static int hub_dial(struct net *net, uint64_t link, const char *address)
{
    hub_lock(hub_net_of(net)->hub);
    link_make(hub_net_of(net), link, NET_PEER, address);
    hub_unlock(hub_net_of(net)->hub);
    return 0;
}

static int hub_send_locked(struct hub_net *net, uint64_t link, struct slice message)
{
    unsigned end = 0;
    struct hub_link *found = link_find(net, link, &end);
    struct hub_end *other;
    struct buffer copy;

    if (net->before_send)
        net->before_send(net->arg, message);
    if (!found)
        return NEAP_NOTFOUND;
    other = &found->ends[!end];
    if (other->queue_count == QUEUE_MAX)
        return NEAP_BUSY;
    buffer_init(&copy, message.size);
    if (buffer_append(&copy, message))
        return NEAP_NOMEM;
    other->queue[other->queue_count++] = copy;
    net->hub->messages++;
    end_deliver(other);
    return 0;
}

static int hub_send(struct net *net, uint64_t link, struct slice message)
{
    int error;

    hub_lock(hub_net_of(net)->hub);
    error = hub_send_locked(hub_net_of(net), link, message);
    hub_unlock(hub_net_of(net)->hub);
    return error;
}

static void hub_ready(struct net *net, uint64_t link)
{
    unsigned end = 0;
    struct hub_link *found;

    hub_lock(hub_net_of(net)->hub);
    found = link_find(hub_net_of(net), link, &end);
    if (found) {
        found->ends[end].waits = false;
        end_deliver(&found->ends[end]);
    }
    hub_unlock(hub_net_of(net)->hub);
}

static void hub_trust(struct net *net, uint64_t link)
{
    (void)net;
    (void)link;
}

static void hub_close(struct net *net, uint64_t link)
{
    unsigned end = 0;
    struct hub_link *found;

    hub_lock(hub_net_of(net)->hub);
    found = link_find(hub_net_of(net), link, &end);
    if (found)
        link_close(found, end, false);
    hub_unlock(hub_net_of(net)->hub);
}

static int hub_who(struct net *net, uint64_t link, struct principal *ret_principal)
{
    unsigned end = 0;
    struct hub_link *found;
    int error = NEAP_NOTFOUND;

    hub_lock(hub_net_of(net)->hub);
    found = link_find(hub_net_of(net), link, &end);
    if (found && !found->ends[!end].net->shows) {
        *ret_principal = (struct principal){0};
        error = 0;
    } else if (found) {
        error = principal_copy(found->ends[!end].net->shows, ret_principal);
    }
    hub_unlock(hub_net_of(net)->hub);
    return error;
}

static void hub_stop(struct net *net)
{
    struct hub *hub = hub_net_of(net)->hub;

    hub_lock(hub);
    hub_net_of(net)->stopped = true;
    for (size_t i = 0; i < HUB_LINKS; i++)
        for (unsigned end = 0; end < 2; end++)
            if (hub->links[i].ends[end].net == hub_net_of(net))
                link_close(&hub->links[i], end, false);
    hub_unlock(hub);
}

static void hub_free(struct net *net)
{
    struct hub *hub = hub_net_of(net)->hub;

    hub_lock(hub);
    for (size_t i = 0; i < hub->nets_count; i++)
        if (hub->nets[i] == hub_net_of(net))
            hub->nets[i] = hub->nets[--hub->nets_count];
    hub_unlock(hub);
}

int hub_open(void *arg, struct net_sink *sink, struct net **ret_net, struct neap_error *error)
{
    static const struct net_ops ops = {.dial = hub_dial,
                                       .send = hub_send,
                                       .ready = hub_ready,
                                       .trust = hub_trust,
                                       .close = hub_close,
                                       .who = hub_who,
                                       .stop = hub_stop,
                                       .free = hub_free};
    struct hub_net *net = arg;

    (void)error;
    net->net.ops = &ops;
    net->sink = sink;
    net->stopped = false;
    hub_lock(net->hub);
    must(net->hub->nets_count < HUB_NODES);
    net->hub->nets[net->hub->nets_count++] = net;
    hub_unlock(net->hub);
    *ret_net = &net->net;
    return 0;
}

void hub_init(struct hub *hub)
{
    pthread_mutexattr_t attributes;

    memset(hub, 0, sizeof *hub);
    /* A sink may close the link of the event it is told. */
    must(!pthread_mutexattr_init(&attributes));
    must(!pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE));
    must(!pthread_mutex_init(&hub->lock, &attributes));
    must(!pthread_mutexattr_destroy(&attributes));
}

void hub_done(struct hub *hub)
{
    must(hub->nets_count == 0);
    must(!pthread_mutex_destroy(&hub->lock));
}

/* ---- clients ---- */

static void client_post(struct net_sink *sink, struct net_event *event)
{
    struct hub_client *client =
        (struct hub_client *)(void *)((uint8_t *)(void *)sink - offsetof(struct hub_client, sink));

    must(!pthread_mutex_lock(&client->lock));
    switch (event->kind) {
    case NET_UP:
        client->up = true;
        break;
    case NET_MESSAGE:
        buffer_done(&client->reply);
        client->reply = event->message;
        client->replied = true;
        break;
    case NET_DOWN:
        client->down = true;
        break;
    case NET_PROGRESS:
        break;
    }
    must(!pthread_cond_signal(&client->cond));
    must(!pthread_mutex_unlock(&client->lock));
}

int hub_client_open(struct hub_client *client, struct hub *hub, const char *address)
{
    return hub_client_open_as(client, hub, address, NET_CLIENT, NULL);
}

int hub_client_open_as(struct hub_client *client, struct hub *hub, const char *address,
                       enum net_side side, const struct principal *shows)
{
    struct net *net;

    memset(client, 0, sizeof *client);
    client->net.hub = hub;
    client->net.shows = shows;
    client->sink.post = client_post;
    must(!pthread_mutex_init(&client->lock, NULL));
    must(!pthread_cond_init(&client->cond, NULL));
    must(!hub_open(&client->net, &client->sink, &net, NULL));
    hub_lock(hub);
    link_make(&client->net, 1, side, address);
    hub_unlock(hub);
    return client->up ? 0 : NEAP_UNAVAILABLE;
}

int hub_client_call(struct hub_client *client, struct slice request)
{
    int error;

    client->replied = false;
    error = hub_send(&client->net.net, 1, request);
    if (error)
        return error;
    must(!pthread_mutex_lock(&client->lock));
    while (!client->replied && !client->down)
        must(!pthread_cond_wait(&client->cond, &client->lock));
    error = client->replied ? 0 : NEAP_UNAVAILABLE;
    must(!pthread_mutex_unlock(&client->lock));
    if (!error)
        hub_ready(&client->net.net, 1);
    return error;
}

void hub_client_close(struct hub_client *client)
{
    hub_stop(&client->net.net);
    hub_free(&client->net.net);
    buffer_done(&client->reply);
    must(!pthread_mutex_destroy(&client->lock));
    must(!pthread_cond_destroy(&client->cond));
}
