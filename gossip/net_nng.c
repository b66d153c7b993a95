/* Door: nng's byte streams. Not nng's protocols: those lose messages, know no deadline for silent
 * peers and deadlock on close. Callbacks run on nng's threads; each takes the mutex, changes its
 * link, and tells the sink only after it let go of the mutex. */
#include "gossip/net_nng.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { DEFAULT_HANDSHAKE_MS = 5000, DEFAULT_LINKS = 512 };
enum { DEFAULT_QUEUE = 4 << 20, MODE_DEFAULT = 0600, LINGER_MS = 250 };

static struct net_nng *net_of(struct net *net)
{
    return (struct net_nng *)net;
}

static const char *const fault_texts[NET_FAULTS] = {
    [NET_FAULT_LINKS] = "too many links",
    [NET_FAULT_DEADLINE] = "handshake deadline passed",
    [NET_FAULT_FRAME] = "malformed frame",
    [NET_FAULT_SIZE] = "message over the limit",
    [NET_FAULT_MEMORY] = "out of memory",
    [NET_FAULT_HANDSHAKES] = "too many handshakes at a time",
    [NET_FAULT_SOURCE] = "too many handshakes of one address",
    [NET_FAULT_RATE] = "too many failures of one address",
    [NET_FAULT_GIVEN_UP] = "slow, and others wait",
    [NET_FAULT_OWNER] = "too many links of one identity",
    [NET_FAULT_REVOKED] = "its certificate's owner is revoked",
    [NET_FAULT_USER] = "a user who may not use this node's sockets",
    [NET_FAULT_FILES] = "no descriptors are left for it: raise the limit of open files",
    [NET_FAULT_TLS] = "what it sent breaks the rules of TLS"};

const char *net_fault_text(enum net_fault fault)
{
    return fault_texts[fault];
}

static const char *const fault_names[LISTENERS][NET_FAULTS] = {
    {[NET_FAULT_LINKS] = "over_links_max",
     [NET_FAULT_DEADLINE] = "handshake_late",
     [NET_FAULT_FRAME] = "malformed_frame",
     [NET_FAULT_SIZE] = "over_size_max",
     [NET_FAULT_MEMORY] = "no_memory",
     [NET_FAULT_HANDSHAKES] = "over_handshakes_max",
     [NET_FAULT_SOURCE] = "over_handshakes_of_address",
     [NET_FAULT_RATE] = "over_failures_of_address",
     [NET_FAULT_GIVEN_UP] = "handshake_given_up",
     [NET_FAULT_OWNER] = "over_links_of_identity",
     [NET_FAULT_REVOKED] = "revoked",
     [NET_FAULT_USER] = "other_user",
     [NET_FAULT_FILES] = "no_descriptors",
     [NET_FAULT_TLS] = "tls_ended"},
    {[NET_FAULT_LINKS] = "client_over_links_max",
     [NET_FAULT_DEADLINE] = "client_handshake_late",
     [NET_FAULT_FRAME] = "client_malformed_frame",
     [NET_FAULT_SIZE] = "client_over_size_max",
     [NET_FAULT_MEMORY] = "client_no_memory",
     [NET_FAULT_HANDSHAKES] = "client_over_handshakes_max",
     [NET_FAULT_SOURCE] = "client_over_handshakes_of_address",
     [NET_FAULT_RATE] = "client_over_failures_of_address",
     [NET_FAULT_GIVEN_UP] = "client_handshake_given_up",
     [NET_FAULT_OWNER] = "client_over_links_of_identity",
     [NET_FAULT_REVOKED] = "client_revoked",
     [NET_FAULT_USER] = "client_other_user",
     [NET_FAULT_FILES] = "client_no_descriptors",
     [NET_FAULT_TLS] = "client_tls_ended"}};

void net_fault_count(struct net_nng *net, enum net_side side, enum net_fault fault)
{
    net->faults[side == NET_CLIENT][fault]++;
}

static bool net_count(struct net *base, size_t index, const char **ret_name, uint64_t *ret_count)
{
    struct net_nng *net = net_of(base);
    size_t side = index / (NET_FAULTS - 1), fault = index % (NET_FAULTS - 1) + 1;

    if (side == LISTENERS && fault <= LISTENERS) {
        *ret_name = fault == 1 ? "accepted_max" : "client_accepted_max";
        *ret_count = net->links_max[fault - 1];
        return true;
    }
    if (side >= LISTENERS)
        return net_tls_count(net, index - LISTENERS * NET_FAULTS, ret_name, ret_count);
    *ret_name = fault_names[side][fault];
    nng_mtx_lock(net->mutex);
    *ret_count = net->faults[side][fault];
    nng_mtx_unlock(net->mutex);
    return true;
}

struct link *net_link_find(struct net_nng *net, uint64_t id)
{
    for (struct link *link = net->links; link; link = link->next)
        if (link->id == id && !link->dead)
            return link;
    return NULL;
}

static bool link_is_busy(const struct link *link)
{
    return link->receive_busy || link->send_busy || link->dial_busy || link->delivering ||
           link->pinned > 0;
}

/* Frees dead links with nothing under way: nng_aio_free() waits for a callback that is about to
 * return. While the net is being stopped they stay, for net_stop() walks the list. */
void net_reap(struct net_nng *net)
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

void net_post(struct net_nng *net, struct net_event *event)
{
    net->sink->post(net->sink, event);
}

/* With the mutex held; lets go of it to tell the sink, takes it again. */
void link_down(struct link *link, enum net_fault fault, const char *reason)
{
    struct net_nng *net = link->net;
    struct net_event event = {.kind = NET_DOWN, .link = link->id, .side = link->side};
    bool first = !link->dead && !net->stopping, tell = link->up || link->side == NET_DIALED;

    if (fault == NET_FAULT_TLS)
        net->tls_faults[link->side][tls_fault(link->tls)]++;
    snprintf(event.reason, sizeof(event.reason), "%s", fault ? fault_texts[fault] : reason);
    if (!link->dead && fault)
        net_fault_count(net, link->side, fault);
    if (first && !tell)
        net_refusal(net, link->from, event.reason);
    if (!link->dead)
        link_uncount(link);
    link_kill(link);
    if (first && tell) {
        nng_mtx_unlock(net->mutex);
        net_post(net, &event);
        nng_mtx_lock(net->mutex);
    }
}

/* With the mutex held and receive_busy raised: receives, or ends a link that there is no memory
 * for. */
void link_listen(struct link *link)
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

/* With the mutex held, which is let go of meanwhile. */
static void link_hand_over(struct link *link)
{
    struct net_event event = {
        .kind = NET_MESSAGE, .link = link->id, .side = link->side, .message = link->message};

    buffer_init(&link->message, MESSAGE_SIZE_MAX);
    nng_mtx_unlock(link->net->mutex);
    net_post(link->net, &event);
    nng_mtx_lock(link->net->mutex);
}

/* With the mutex held: whole messages go to the sink, one at a time. `delivering` keeps the link,
 * and keeps others out, while the sink is told; what arrives meanwhile is behind input_end. */
static void link_deliver(struct link *link)
{
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
        if (link->side == NET_CLIENT && !link->is_token)
            link->trusted = true;
        link_hand_over(link);
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
    link->spoke |= rv == 0;
    if (rv == 0)
        (link->tls ? &link->raw : &link->input)->end += nng_aio_count(link->receive);
    if (rv == NNG_ETIMEDOUT && link->trusted)
        rv = 0;
    if (rv)
        link_down(link, rv == NNG_ETIMEDOUT ? NET_FAULT_DEADLINE : NET_FAULT_NONE,
                  nng_strerror(rv));
    if (link->tls && !link->up)
        link_shake(link);
    if (link->up && !link->delivering)
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
    if (rv && !link->ending)
        link_down(link, NET_FAULT_NONE, nng_strerror(rv));
    else if (link->tls && !rv)
        link->sealed_done += nng_aio_count(link->send);
    else if (!rv)
        link_sent(link, nng_aio_count(link->send));
    link->send_busy = false;
    if (!rv)
        link_flush(link);
    if (link->ending && !link->send_busy)
        link_down(link, NET_FAULT_NONE, link->reason);
    nng_cv_wake(net->sent);
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
        link->receive_busy = true;
        if (link->tls)
            link_shake(link);
        else
            link_rise(link);
        link_listen(link);
        link_flush(link);
    }
    link->dial_busy = false;
    nng_mtx_unlock(net->mutex);
}

int link_new(struct net_nng *net, uint64_t id, enum net_side side, struct link **ret_link)
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
    error = nng_to_error(nng_stream_dialer_alloc(&link->dialer, address_of_nng(address)));
    if (!error)
        error = net_address_check(address, net->credentials != NULL, "peers", NULL);
    if (error) {
        link_free(link);
        return error;
    }
    nng_mtx_lock(net->mutex);
    error = net->stopping ? NEAP_UNAVAILABLE : 0;
    if (!error && net_address_is_tls(address))
        error = link_tls(link);
    if (error) {
        nng_mtx_unlock(net->mutex);
        link_free(link);
        return error;
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
    link = net_link_find(net, id);
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
    link = net_link_find(net, id);
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
    link = net_link_find(net, id);
    if (link && !link->is_token)
        link->trusted = true;
    nng_mtx_unlock(net->mutex);
}

static void net_close(struct net *base, uint64_t id)
{
    struct net_nng *net = net_of(base);
    struct link *link;

    nng_mtx_lock(net->mutex);
    link = net_link_find(net, id);
    if (link) {
        link_uncount(link);
        link_kill(link);
    }
    nng_mtx_unlock(net->mutex);
    net_reap(net);
}

static bool link_has_more(const struct link *link)
{
    return link->up && !link->dead &&
           (link->send_busy || link->out_first || link->sealed_done < link->sealed.size);
}

/* What was last said leaves this process, if it is taken soon. */
static void net_linger(struct net_nng *net)
{
    nng_time until = nng_clock() + LINGER_MS;
    const struct link *link = net->links;

    while (link) {
        if (!link_has_more(link))
            link = link->next;
        else if (nng_clock() < until && nng_cv_until(net->sent, until) != NNG_ETIMEDOUT)
            link = net->links;
        else
            return;
    }
}

/* nng_aio_stop() waits for a callback under way, so it is called without the mutex; the links stay
 * in the list, and none is added, once `stopping` is set. */
static void net_stop(struct net *base)
{
    struct net_nng *net = net_of(base);

    nng_mtx_lock(net->mutex);
    net_linger(net);
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
    if (net->sent)
        nng_cv_free(net->sent);
    if (net->mutex)
        nng_mtx_free(net->mutex);
    credentials_close(net->credentials);
    mem_free((void *)(uintptr_t)net->users.ids);
    mem_free(net);
}

static const struct net_ops net_nng_ops = {.dial = net_dial,
                                           .send = net_send,
                                           .ready = net_ready,
                                           .trust = net_trust,
                                           .close = net_close,
                                           .stop = net_stop,
                                           .free = net_free,
                                           .count = net_count,
                                           .who = net_who,
                                           .recheck = net_recheck,
                                           .reload = net_reload,
                                           .refused = net_refused};

static int users_copy(const struct net_users *users, struct net_users *ret_copy)
{
    uint32_t *ids = NULL;

    if (users->count) {
        ids = mem_new_array(users->count, sizeof *ids);
        if (ids == NULL)
            return NEAP_NOMEM;
        memcpy(ids, users->ids, users->count * sizeof *ids);
    }
    *ret_copy = (struct net_users){.ids = ids, .count = users->count, .anybody = users->anybody};
    return 0;
}

static bool is_tls(const char *address)
{
    return address && net_address_is_tls(address);
}

static int net_share_out(struct net_nng *net, const struct net_nng_options *options,
                         struct neap_error *error)
{
    struct net_needs needs = {.listens = options->listen != NULL,
                              .serves = options->clients || is_tls(options->listen),
                              .has_tls = is_tls(options->listen) || is_tls(options->clients),
                              .peers = options->peers,
                              .disk = options->disk_files,
                              .links_max = options->links_max ? options->links_max : DEFAULT_LINKS};
    struct net_share share;
    int code;

    /* Clients with a certificate also come where nodes do. */
    code = net_share(&needs, files_limit(), &share, error);

    if (code)
        return code;
    net->links_max[0] = share.links_max;
    net->links_max[1] = share.clients_max;
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
    net->mode = options->mode ? options->mode : MODE_DEFAULT;
    net->is_revoked = options->is_revoked;
    net->is_revoked_arg = options->is_revoked_arg;
    if (options->credentials)
        net->credentials = credentials_hold(options->credentials);
    if (nng_mtx_alloc(&net->mutex) || nng_cv_alloc(&net->sent, net->mutex) ||
        users_copy(&options->users, &net->users))
        code = error_set(error, NEAP_NOMEM, "out of memory");
    if (code == 0)
        code = net_share_out(net, options, error);
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
