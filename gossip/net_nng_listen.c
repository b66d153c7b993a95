/* Door: addresses, and listening on them. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "gossip/net_nng.h"

static const char tls_scheme[] = "tls+";

/* "127.", then nothing but digits and dots up to the port: no name that only begins so. */
static bool address_is_127(const char *address)
{
    const char *host = "tcp://127.";
    size_t size = strlen(host);

    return strncmp(address, host, size) == 0 &&
           address[size + strspn(address + size, "0123456789.")] == ':';
}

bool net_address_is_local(const char *address)
{
    static const char *const local[] = {"ipc://", "tcp://localhost:", "tcp://[::1]:"};

    if (address_is_127(address))
        return true;
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
        if (strncmp(address, local[i], strlen(local[i])) == 0)
            return true;
    return false;
}

bool net_address_is_tls(const char *address)
{
    return strncmp(address, "tls+tcp://", 10) == 0;
}

const char *address_of_nng(const char *address)
{
    return net_address_is_tls(address) ? address + strlen(tls_scheme) : address;
}

int net_address_check(const char *address, bool has_credentials, const char *what,
                      struct neap_error *error)
{
    if (net_address_is_tls(address)) {
        if (has_credentials)
            return 0;
        return error_set(error, NEAP_REFUSED,
                         "%s: %.100s: TLS needs certificates: make a cluster with `neap init` or "
                         "join one with `neap join`, and name its directory as `cluster`",
                         what, address);
    }
    if (net_address_is_local(address))
        return 0;
    return error_set(error, NEAP_REFUSED,
                     "%s: %.100s: beyond this machine nothing goes without TLS: use "
                     "tls+tcp://HOST:PORT, with the directory of a cluster (`neap init`)",
                     what, address);
}

int net_address_check_clients(const char *address, bool has_credentials, const char *what,
                              struct neap_error *error)
{
    if (net_address_is_tls(address) || !net_address_is_local(address) ||
        strncmp(address, "ipc://", 6) == 0)
        return net_address_check(address, has_credentials, what, error);
    return error_set(error, NEAP_REFUSED,
                     "%s: %.100s: any user of this machine could connect: use a Unix socket, or "
                     "tls+tcp://HOST:PORT with the directory of a cluster (`neap init`)",
                     what, address);
}

/* ---- where a connection comes from ---- */

void stream_source(nng_stream *stream, struct guard_source *ret_source, char ret_from[NET_FROM_MAX])
{
    nng_sockaddr address;
    const uint8_t *bytes;

    memset(ret_source, 0, sizeof(*ret_source));
    snprintf(ret_from, NET_FROM_MAX, "?");
    if (nng_stream_get_addr(stream, NNG_OPT_REMADDR, &address))
        return;
    if (address.s_family == NNG_AF_INET) {
        bytes = (const uint8_t *)&address.s_in.sa_addr;
        ret_source->bytes[0] = 4;
        memcpy(ret_source->bytes + 1, bytes, 4);
        snprintf(ret_from, NET_FROM_MAX, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
    } else if (address.s_family == NNG_AF_INET6) {
        bytes = address.s_in6.sa_addr;
        ret_source->bytes[0] = 6;
        memcpy(ret_source->bytes + 1, bytes, 8);
        snprintf(ret_from, NET_FROM_MAX, "%x:%x:%x:%x:%x:%x:%x:%x", bytes[0] << 8 | bytes[1],
                 bytes[2] << 8 | bytes[3], bytes[4] << 8 | bytes[5], bytes[6] << 8 | bytes[7],
                 bytes[8] << 8 | bytes[9], bytes[10] << 8 | bytes[11], bytes[12] << 8 | bytes[13],
                 bytes[14] << 8 | bytes[15]);
    }
}

/* ---- accepting ---- */

static enum net_fault guard_fault(enum guard_answer answer)
{
    switch (answer) {
    case GUARD_ADMITS:
        return NET_FAULT_NONE;
    case GUARD_IS_FULL:
        return NET_FAULT_HANDSHAKES;
    case GUARD_SOURCE_IS_FULL:
        return NET_FAULT_SOURCE;
    case GUARD_RATE:
        break;
    }
    return NET_FAULT_RATE;
}

/* Since when somebody else may have its place: who has said nothing at all is soon too slow. */
static nng_time link_slow_at(const struct net_nng *net, const struct link *link)
{
    return link->deadline - net->handshake_ms +
           (link->spoke ? HANDSHAKE_PATIENCE_MS : SILENCE_PATIENCE_MS);
}

/* Of the handshakes in flight (of that address, when there is one) the slowest, if one is slow. */
static struct link *link_slowest(struct net_nng *net, const struct guard_source *source)
{
    struct link *slowest = NULL;

    for (struct link *link = net->links; link; link = link->next)
        if (link->guarded && !link->dead && !link->ending &&
            (!source || !memcmp(source, &link->source, sizeof(*source))) &&
            (!slowest || link_slow_at(net, link) < link_slow_at(net, slowest)))
            slowest = link;
    return slowest && link_slow_at(net, slowest) <= nng_clock() ? slowest : NULL;
}

/* Whoever says nothing keeps his place only until somebody else wants it. */
static enum net_fault link_guard(struct net_nng *net, const struct guard_source *source)
{
    enum guard_answer answer = guard_begin(&net->guard, source, nng_clock());
    struct link *slow = NULL;

    if (answer == GUARD_IS_FULL)
        slow = link_slowest(net, NULL);
    else if (answer == GUARD_SOURCE_IS_FULL)
        slow = link_slowest(net, source);
    if (slow) {
        link_down(slow, NET_FAULT_GIVEN_UP, NULL);
        answer = guard_begin(&net->guard, source, nng_clock());
    }
    return guard_fault(answer);
}

/* Where few descriptors are left, who is slow gives his to a newcomer, who may be a member. */
static enum net_fault link_afford(struct net_nng *net)
{
    struct link *slow;

    if (!files_are_scarce())
        return NET_FAULT_NONE;
    slow = link_slowest(net, NULL);
    if (slow == NULL)
        return NET_FAULT_FILES;
    link_down(slow, NET_FAULT_GIVEN_UP, NULL);
    return NET_FAULT_NONE;
}

static void stream_refuse(struct net_nng *net, enum net_side side, enum net_fault fault,
                          nng_stream *stream)
{
    if (!net->stopping)
        net_fault_count(net, side, fault);
    nng_stream_close(stream);
    nng_stream_free(stream);
}

static void link_put(struct net_nng *net, struct link *link, nng_stream *stream)
{
    net->accepted_next++;
    link->stream = stream;
    link->next = net->links;
    net->links = link;
    link->receive_busy = true;
}

/* By a Unix socket come who runs this process and root, and of clients those who are named;
 * whatever became of its mode. */
static bool stream_is_of_user(const struct net_nng *net, enum net_side side, nng_stream *stream,
                              char ret_from[NET_FROM_MAX])
{
    static const struct net_users nobody;
    const struct net_users *users = side == NET_CLIENT ? &net->users : &nobody;
    uint64_t uid = 0;
    int rv = nng_stream_get_uint64(stream, NNG_OPT_IPC_PEER_UID, &uid);

    snprintf(ret_from, NET_FROM_MAX, rv ? "?" : "uid %llu", (unsigned long long)uid);
    if (rv || users->anybody)
        return rv == 0 || rv == NNG_ENOTSUP;
    for (size_t i = 0; i < users->count; i++)
        if (users->ids[i] == uid)
            return true;
    return uid == 0 || uid == geteuid();
}

/* A stream was accepted. More links than the limit are closed at once: who is in stays in. */
static void link_accept(struct net_nng *net, enum net_side side, nng_stream *stream)
{
    enum net_fault fault = NET_FAULT_NONE;
    char from[NET_FROM_MAX];
    struct link *link = NULL;

    if (!stream_is_of_user(net, side, stream, from))
        fault = NET_FAULT_USER;
    else if (side == NET_CLIENT && files_are_scarce())
        fault = NET_FAULT_FILES;
    else if (link_new(net, net->accepted_next, side, &link))
        fault = NET_FAULT_MEMORY;
    else
        fault = link_count(link);
    if (fault || net->stopping) {
        if (link)
            link_uncount(link);
        if (link)
            link_free(link);
        if (fault)
            net_refusal(net, from, net_fault_text(fault));
        stream_refuse(net, side, fault, stream);
        return;
    }
    link_put(net, link, stream);
    link_rise(link);
    link_listen(link);
    link_flush(link);
}

/* With TLS nobody is told, and no member's place is taken, before it is known who is there. */
static void link_accept_tls(struct net_nng *net, enum net_side side, nng_stream *stream)
{
    enum net_fault fault = NET_FAULT_NONE;
    struct guard_source source;
    struct link *link = NULL;
    char from[NET_FROM_MAX];

    stream_source(stream, &source, from);
    if (!net->stopping)
        fault = link_afford(net);
    if (!fault && !net->stopping)
        fault = link_guard(net, &source);
    if (fault || net->stopping) {
        if (fault)
            net_refusal(net, from, net_fault_text(fault));
        stream_refuse(net, side, fault, stream);
        return;
    }
    if (link_new(net, net->accepted_next, side, &link)) {
        guard_end(&net->guard, &source, false, nng_clock());
        stream_refuse(net, side, NET_FAULT_MEMORY, stream);
        return;
    }
    link->guarded = true;
    link->source = source;
    memcpy(link->from, from, sizeof(from));
    if (link_tls(link)) {
        link_uncount(link);
        link_free(link);
        stream_refuse(net, side, NET_FAULT_MEMORY, stream);
        return;
    }
    link_put(net, link, stream);
    link_listen(link);
}

/* After an error (no descriptors left, say) it pauses: an accept that fails at once must not spin.
 * Who waits meanwhile waits in the kernel. */
static void accepted(void *arg)
{
    struct accepter *accepter = arg;
    struct net_nng *net = accepter->net;
    int rv;

    nng_mtx_lock(net->mutex);
    rv = nng_aio_result(accepter->aio);
    if (rv == 0 && !accepter->pausing) {
        nng_stream *stream = nng_aio_get_output(accepter->aio, 0);

        if (accepter->tls)
            link_accept_tls(net, accepter->side, stream);
        else
            link_accept(net, accepter->side, stream);
    }
    if (!net->stopping && rv != NNG_ECLOSED) {
        accepter->pausing = rv != 0;
        if (rv == NNG_ENOFILES) {
            net_fault_count(net, accepter->side, NET_FAULT_FILES);
            net_refusal(net, "?", net_fault_text(NET_FAULT_FILES));
        }
        if (rv)
            nng_sleep_aio(ACCEPT_PAUSE_MS, accepter->aio);
        else
            nng_stream_listener_accept(accepter->listener, accepter->aio);
    }
    nng_mtx_unlock(net->mutex);
    net_reap(net);
}

int net_listen(struct net_nng *net, struct accepter *accepter, enum net_side side,
               const char *address, struct neap_error *error)
{
    bool has_credentials = net->credentials != NULL;
    int rv = side == NET_CLIENT
                 ? net_address_check_clients(address, has_credentials, "socket", error)
                 : net_address_check(address, has_credentials, "listen", error);

    if (rv)
        return rv;
    accepter->net = net;
    accepter->side = side;
    accepter->tls = net_address_is_tls(address);
    rv = nng_stream_listener_alloc(&accepter->listener, address_of_nng(address));
    if (rv)
        return error_set(error, nng_to_error(rv), "%s: not an address to listen on: %s", address,
                         nng_strerror(rv));
    if (strncmp(address, "ipc://", 6) == 0)
        rv = nng_stream_listener_set_int(accepter->listener, NNG_OPT_IPC_PERMISSIONS,
                                         side == NET_CLIENT ? (int)net->mode : 0600);
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
