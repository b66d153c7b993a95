/* Door: nng's byte streams. Not nng's protocols: those lose messages, know no deadline for silent
 * peers and deadlock on close. Callbacks run on nng's threads; each takes the mutex, changes its
 * link, and tells the sink only after it let go of the mutex. */
#include "gossip/net_nng.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { ACCEPT_PAUSE_MS = 100, DEFAULT_HANDSHAKE_MS = 5000, DEFAULT_LINKS = 512 };
enum { DEFAULT_QUEUE = 4 << 20 };

static struct net_nng *net_of(struct net *net)
{
    return (struct net_nng *)net;
}

static const char *const fault_texts[NET_FAULTS] = {[NET_FAULT_LINKS] = "too many links",
                                                    [NET_FAULT_DEADLINE] =
                                                        "handshake deadline passed",
                                                    [NET_FAULT_FRAME] = "malformed frame",
                                                    [NET_FAULT_SIZE] = "message over the limit",
                                                    [NET_FAULT_MEMORY] = "out of memory"};

static const char *const fault_names[LISTENERS][NET_FAULTS] = {
    {[NET_FAULT_LINKS] = "over_links_max",
     [NET_FAULT_DEADLINE] = "handshake_late",
     [NET_FAULT_FRAME] = "malformed_frame",
     [NET_FAULT_SIZE] = "over_size_max",
     [NET_FAULT_MEMORY] = "no_memory"},
    {[NET_FAULT_LINKS] = "client_over_links_max",
     [NET_FAULT_DEADLINE] = "client_handshake_late",
     [NET_FAULT_FRAME] = "client_malformed_frame",
     [NET_FAULT_SIZE] = "client_over_size_max",
     [NET_FAULT_MEMORY] = "client_no_memory"}};

void net_fault_count(struct net_nng *net, enum net_side side, enum net_fault fault)
{
    net->faults[side == NET_CLIENT][fault]++;
}

static bool net_count(struct net *base, size_t index, const char **ret_name, uint64_t *ret_count)
{
    struct net_nng *net = net_of(base);
    size_t side = index / (NET_FAULTS - 1), fault = index % (NET_FAULTS - 1) + 1;

    if (side >= LISTENERS)
        return false;
    *ret_name = fault_names[side][fault];
    nng_mtx_lock(net->mutex);
    *ret_count = net->faults[side][fault];
    nng_mtx_unlock(net->mutex);
    return true;
}

static struct link *link_find(struct net_nng *net, uint64_t id)
{
    for (struct link *link = net->links; link; link = link->next)
        if (link->id == id && !link->dead)
            return link;
    return NULL;
}

static bool link_is_busy(const struct link *link)
{
    return link->receive_busy || link->send_busy || link->dial_busy || link->delivering;
}

/* Frees dead links with nothing under way: nng_aio_free() waits for a callback that is about to
 * return. While the net is being stopped they stay, for net_stop() walks the list. */
static void net_reap(struct net_nng *net)
{
    struct link *dead = NULL, **at;

    nng_mtx_lock(net->mutex);
    at = &net->links;
    while (*at) {
        struct link *link = *at;

        if (link->dead && !net->stopping && !link_is_busy(link)) {
            *at = link->next;
            link->next = dead;
            dead = link;
        } else {
            at = &link->next;
        }
    }
    nng_mtx_unlock(net->mutex);
    while (dead) {
        struct link *next = dead->next;

        link_free(dead);
        dead = next;
    }
}

static void net_post(struct net_nng *net, enum net_event_kind kind, uint64_t id, enum net_side side,
                     struct buffer *message, const char *reason)
{
    struct net_event event = {.kind = kind, .link = id, .side = side};

    if (message) {
        event.message = *message;
        buffer_init(message, MESSAGE_SIZE_MAX);
    }
    snprintf(event.reason, sizeof(event.reason), "%s", reason ? reason : "");
    net->sink->post(net->sink, &event);
}

/* With the mutex held; lets go of it to tell the sink, takes it again. */
static void link_down(struct link *link, enum net_fault fault, const char *reason)
{
    struct net_nng *net = link->net;
    uint64_t id = link->id;
    enum net_side side = link->side;
    bool tell = !link->dead && !net->stopping;

    if (!link->dead && id >= NET_ACCEPTED)
        net->accepted_count[side == NET_CLIENT]--;
    if (!link->dead && fault)
        net_fault_count(net, side, fault);
    link_kill(link);
    if (tell) {
        nng_mtx_unlock(net->mutex);
        net_post(net, NET_DOWN, id, side, NULL, fault ? fault_texts[fault] : reason);
        nng_mtx_lock(net->mutex);
    }
}

/* With the mutex held and receive_busy raised: receives, or ends a link that there is no memory
 * for. */
static void link_listen(struct link *link)
{
    if (link_receive(link))
        return;
    link_down(link, NET_FAULT_MEMORY, NULL);
    link->receive_busy = false;
}

/* With the mutex held; lets go of it to tell the sink, takes it again. A message that takes longer
 * than a peer may be silent must not look like silence. False: there is nothing to tell now. */
static bool link_progress(struct link *link)
{
    struct net_nng *net = link->net;
    nng_time now = nng_clock();
    struct net_event event = {.kind = NET_PROGRESS, .link = link->id, .side = link->side};

    if (link->dead || !link->trusted || link->side == NET_CLIENT ||
        (!link->in_frame && link->message.size == 0) || now < link->told + PROGRESS_MS)
        return false;
    link->told = now;
    event.size = link->message.size;
    nng_mtx_unlock(net->mutex);
    net->sink->post(net->sink, &event);
    nng_mtx_lock(net->mutex);
    return true;
}

/* With the mutex held: whole messages go to the sink, one at a time. `delivering` keeps the link,
 * and keeps others out, while the sink is told; what arrives meanwhile is behind input_end. */
static void link_deliver(struct link *link)
{
    struct net_nng *net = link->net;
    enum net_fault fault = NET_FAULT_NONE;

    link->delivering = true;
    while (!link->dead && !link->holds_message) {
        if (!link_take(link, &fault)) {
            if (fault)
                link_down(link, fault, NULL);
            else if (link_progress(link))
                continue; /* more may have come meanwhile */
            break;
        }
        link->holds_message = true;
        link->told = nng_clock();
        if (link->side == NET_CLIENT)
            link->trusted = true;
        nng_mtx_unlock(net->mutex);
        net_post(net, NET_MESSAGE, link->id, link->side, &link->message, NULL);
        nng_mtx_lock(net->mutex);
    }
    link->delivering = false;
}

static void received(void *arg)
{
    struct link *link = arg;
    struct net_nng *net = link->net;
    int rv;

    nng_mtx_lock(net->mutex);
    rv = nng_aio_result(link->receive);
    if (rv == 0)
        link->input_end += nng_aio_count(link->receive);
    if (rv == NNG_ETIMEDOUT && link->trusted)
        rv = 0;
    if (rv)
        link_down(link, rv == NNG_ETIMEDOUT ? NET_FAULT_DEADLINE : NET_FAULT_NONE,
                  nng_strerror(rv));
    if (!link->delivering)
        link_deliver(link);
    link_listen(link);
    nng_mtx_unlock(net->mutex);
}

static void sent(void *arg)
{
    struct link *link = arg;
    struct net_nng *net = link->net;
    int rv;

    nng_mtx_lock(net->mutex);
    rv = nng_aio_result(link->send);
    if (rv)
        link_down(link, NET_FAULT_NONE, nng_strerror(rv));
    else
        link_sent(link, nng_aio_count(link->send));
    link->send_busy = false;
    link_flush(link);
    nng_mtx_unlock(net->mutex);
}

/* The stream is there: tell the sink first, then receive. */
static void dialled(void *arg)
{
    struct link *link = arg;
    struct net_nng *net = link->net;
    int rv;

    nng_mtx_lock(net->mutex);
    rv = nng_aio_result(link->dial);
    if (rv)
        link_down(link, NET_FAULT_NONE, nng_strerror(rv));
    else
        link->stream = nng_aio_get_output(link->dial, 0);
    if (rv == 0 && link->dead)
        nng_stream_close(link->stream);
    if (!link->dead) {
        nng_mtx_unlock(net->mutex);
        net_post(net, NET_UP, link->id, link->side, NULL, NULL);
        nng_mtx_lock(net->mutex);
        link->receive_busy = true;
        link_listen(link);
        link_flush(link);
    }
    link->dial_busy = false;
    nng_mtx_unlock(net->mutex);
}

static int link_new(struct net_nng *net, uint64_t id, enum net_side side, struct link **ret_link)
{
    struct link *link = mem_new(sizeof(*link));

    if (link == NULL)
        return NEAP_NOMEM;
    link->net = net;
    link->id = id;
    link->side = side;
    link->told = nng_clock();
    link->deadline = link->told + net->handshake_ms;
    buffer_init(&link->message, MESSAGE_SIZE_MAX);
    if (nng_aio_alloc(&link->receive, received, link) || nng_aio_alloc(&link->send, sent, link) ||
        (side == NET_DIALED && nng_aio_alloc(&link->dial, dialled, link))) {
        link_free(link);
        return NEAP_NOMEM;
    }
    *ret_link = link;
    return 0;
}

/* A stream was accepted. More links than the limit are closed at once: who is in stays in. */
static void link_accept(struct net_nng *net, enum net_side side, nng_stream *stream)
{
    unsigned *count = &net->accepted_count[side == NET_CLIENT];
    enum net_fault fault = NET_FAULT_NONE;
    struct link *link = NULL;

    if (*count >= net->links_max)
        fault = NET_FAULT_LINKS;
    else if (link_new(net, net->accepted_next, side, &link))
        fault = NET_FAULT_MEMORY;
    if (fault && !net->stopping)
        net_fault_count(net, side, fault);
    if (fault || net->stopping) {
        if (link)
            link_free(link);
        nng_stream_close(stream);
        nng_stream_free(stream);
        return;
    }
    net->accepted_next++;
    ++*count;
    link->stream = stream;
    link->next = net->links;
    net->links = link;
    link->receive_busy = true;
    nng_mtx_unlock(net->mutex);
    net_post(net, NET_UP, link->id, side, NULL, NULL);
    nng_mtx_lock(net->mutex);
    link_listen(link);
    link_flush(link);
}

/* After an error (no descriptors left, say) it pauses: an accept that fails at once must not spin.
 */
static void accepted(void *arg)
{
    struct accepter *accepter = arg;
    struct net_nng *net = accepter->net;
    int rv;

    nng_mtx_lock(net->mutex);
    rv = nng_aio_result(accepter->aio);
    if (rv == 0 && !accepter->pausing)
        link_accept(net, accepter->side, nng_aio_get_output(accepter->aio, 0));
    if (!net->stopping && rv != NNG_ECLOSED) {
        accepter->pausing = rv != 0;
        if (rv)
            nng_sleep_aio(ACCEPT_PAUSE_MS, accepter->aio);
        else
            nng_stream_listener_accept(accepter->listener, accepter->aio);
    }
    nng_mtx_unlock(net->mutex);
    net_reap(net);
}

static int net_dial(struct net *base, uint64_t id, const char *address)
{
    struct net_nng *net = net_of(base);
    struct link *link;
    int error;

    must(id < NET_ACCEPTED);
    net_reap(net);
    error = link_new(net, id, NET_DIALED, &link);
    if (error)
        return error;
    error = nng_to_error(nng_stream_dialer_alloc(&link->dialer, address));
    if (error) {
        link_free(link);
        return error;
    }
    nng_mtx_lock(net->mutex);
    if (net->stopping) {
        nng_mtx_unlock(net->mutex);
        link_free(link);
        return NEAP_UNAVAILABLE;
    }
    link->next = net->links;
    net->links = link;
    link->dial_busy = true;
    nng_aio_set_timeout(link->dial, (nng_duration)net->handshake_ms);
    nng_stream_dialer_dial(link->dialer, link->dial);
    nng_mtx_unlock(net->mutex);
    return 0;
}

static int net_send(struct net *base, uint64_t id, struct slice message)
{
    struct net_nng *net = net_of(base);
    struct link *link;
    int error;

    nng_mtx_lock(net->mutex);
    link = link_find(net, id);
    error = link ? link_queue(link, message) : NEAP_NOTFOUND;
    if (error == 0)
        link_flush(link);
    nng_mtx_unlock(net->mutex);
    return error;
}

static void net_ready(struct net *base, uint64_t id)
{
    struct net_nng *net = net_of(base);
    struct link *link;

    nng_mtx_lock(net->mutex);
    link = link_find(net, id);
    if (link && link->holds_message) {
        link->holds_message = false;
        if (!link->delivering) /* else whoever delivered it goes on */
            link_deliver(link);
        if (!link->receive_busy) {
            link->receive_busy = true;
            link_listen(link);
        }
    }
    nng_mtx_unlock(net->mutex);
}

static void net_trust(struct net *base, uint64_t id)
{
    struct net_nng *net = net_of(base);
    struct link *link;

    nng_mtx_lock(net->mutex);
    link = link_find(net, id);
    if (link)
        link->trusted = true;
    nng_mtx_unlock(net->mutex);
}

static void net_close(struct net *base, uint64_t id)
{
    struct net_nng *net = net_of(base);
    struct link *link;

    nng_mtx_lock(net->mutex);
    link = link_find(net, id);
    if (link) {
        if (id >= NET_ACCEPTED)
            net->accepted_count[link->side == NET_CLIENT]--;
        link_kill(link);
    }
    nng_mtx_unlock(net->mutex);
    net_reap(net);
}

/* nng_aio_stop() waits for a callback under way, so it is called without the mutex; the links stay
 * in the list, and none is added, once `stopping` is set. */
static void net_stop(struct net *base)
{
    struct net_nng *net = net_of(base);

    nng_mtx_lock(net->mutex);
    net->stopping = true;
    for (struct link *link = net->links; link; link = link->next)
        link_kill(link);
    nng_mtx_unlock(net->mutex);
    for (unsigned i = 0; i < LISTENERS; i++) {
        if (net->accepters[i].listener)
            nng_stream_listener_close(net->accepters[i].listener);
        if (net->accepters[i].aio)
            nng_aio_stop(net->accepters[i].aio);
    }
    for (struct link *link = net->links; link; link = link->next) {
        nng_aio_stop(link->receive);
        nng_aio_stop(link->send);
        if (link->dial)
            nng_aio_stop(link->dial);
    }
}

static void net_free(struct net *base)
{
    struct net_nng *net = net_of(base);

    for (unsigned i = 0; i < LISTENERS; i++) {
        if (net->accepters[i].aio)
            nng_aio_free(net->accepters[i].aio);
        if (net->accepters[i].listener)
            nng_stream_listener_free(net->accepters[i].listener);
    }
    for (struct link *link = net->links; link; link = link->next)
        link->receive_busy = link->send_busy = link->dial_busy = false;
    for (struct link *link = net->links, *next; link; link = next) {
        next = link->next;
        link_free(link);
    }
    if (net->mutex)
        nng_mtx_free(net->mutex);
    mem_free(net);
}

static const struct net_ops net_nng_ops = {.dial = net_dial,
                                           .send = net_send,
                                           .ready = net_ready,
                                           .trust = net_trust,
                                           .close = net_close,
                                           .stop = net_stop,
                                           .free = net_free,
                                           .count = net_count};

static int net_listen(struct net_nng *net, struct accepter *accepter, enum net_side side,
                      const char *address, struct neap_error *error)
{
    int rv;

    accepter->net = net;
    accepter->side = side;
    if (!net_address_is_local(address))
        return error_set(error, NEAP_REFUSED,
                         "%s: only loopback addresses and sockets are allowed, since links are not "
                         "encrypted yet: use tcp://127.0.0.1:PORT or ipc://PATH",
                         address);
    rv = nng_stream_listener_alloc(&accepter->listener, address);
    if (rv)
        return error_set(error, nng_to_error(rv), "%s: not an address to listen on: %s", address,
                         nng_strerror(rv));
    if (strncmp(address, "ipc://", 6) == 0)
        rv = nng_stream_listener_set_int(accepter->listener, NNG_OPT_IPC_PERMISSIONS, 0600);
    if (rv == 0)
        rv = nng_aio_alloc(&accepter->aio, accepted, accepter);
    if (rv == 0)
        rv = nng_stream_listener_listen(accepter->listener);
    if (rv)
        return error_set(error, rv == NNG_ENOMEM ? NEAP_NOMEM : NEAP_UNAVAILABLE,
                         "cannot listen on %s: %s", address, nng_strerror(rv));
    nng_stream_listener_accept(accepter->listener, accepter->aio);
    return 0;
}

int net_nng_open(const struct net_nng_options *options, struct net_sink *sink, struct net **ret_net,
                 struct neap_error *error)
{
    struct net_nng *net = mem_new(sizeof(*net));
    int code = 0;

    if (net == NULL)
        return error_set(error, NEAP_NOMEM, "out of memory");
    net->net.ops = &net_nng_ops;
    net->sink = sink;
    net->accepted_next = NET_ACCEPTED;
    net->handshake_ms = options->handshake_ms ? options->handshake_ms : DEFAULT_HANDSHAKE_MS;
    net->queue_max = options->queue_max ? options->queue_max : DEFAULT_QUEUE;
    net->links_max = options->links_max ? options->links_max : DEFAULT_LINKS;
    if (nng_mtx_alloc(&net->mutex))
        code = error_set(error, NEAP_NOMEM, "out of memory");
    if (code == 0 && options->listen)
        code = net_listen(net, &net->accepters[0], NET_PEER, options->listen, error);
    if (code == 0 && options->clients)
        code = net_listen(net, &net->accepters[1], NET_CLIENT, options->clients, error);
    if (code) {
        if (net->mutex)
            net_stop(&net->net);
        net_free(&net->net);
        return code;
    }
    *ret_net = &net->net;
    return 0;
}

int net_nng_port(struct net *base)
{
    int port = 0;

    (void)nng_stream_listener_get_int(net_of(base)->accepters[0].listener, NNG_OPT_TCP_BOUND_PORT,
                                      &port);
    return port;
}
