/* The client's way to a server over the net. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "engine/request.h"
#include "gossip/net.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { ADDRESS_MAX = 256 };

static_assert((int)REQUEST_SIZE_MAX == (int)MESSAGE_SIZE_MAX, "one limit for both");

struct transport_net {
    struct transport transport;
    struct net_call *call;
};

static int transport_net_call(struct transport *transport, struct slice request,
                              uint32_t timeout_ms, struct buffer *ret_reply)
{
    return net_call(((struct transport_net *)transport)->call, request, timeout_ms, ret_reply);
}

static void transport_net_close(struct transport *transport)
{
    struct transport_net *net = (struct transport_net *)transport;

    net_call_close(net->call);
    mem_free(net);
}

/* What users write, as the net wants it: a path is a Unix socket. */
static int address_normal(const char *address, char ret_address[ADDRESS_MAX],
                          struct neap_error *error)
{
    const char *path = NULL;
    int size;

    if (!strncmp(address, "unix:", 5))
        path = address + 5;
    else if (!strstr(address, "://"))
        path = address;
    if (path && !path[0])
        return error_set(error, NEAP_INVALID, "%s: no path", address);
    size = path ? snprintf(ret_address, ADDRESS_MAX, "ipc://%s", path)
                : snprintf(ret_address, ADDRESS_MAX, "%s", address);
    if (size < 0 || size >= ADDRESS_MAX)
        return error_set(error, NEAP_LIMIT, "the address has more than %d bytes", ADDRESS_MAX - 8);
    if (strncmp(ret_address, "ipc://", 6) && !net_address_is_tls(ret_address))
        return error_set(error, NEAP_REFUSED,
                         "%.80s: a socket's path, unix:PATH or ipc://PATH; by TCP, here and "
                         "to other machines, tls+tcp://HOST:PORT, with a cluster directory",
                         address);
    return 0;
}

int remote_open(const char *address, struct credentials *credentials, struct backend **ret_backend,
                struct neap_error *error)
{
    char normal[ADDRESS_MAX];
    struct clock *clock = clock_os();
    uint64_t until_ms = clock->ops->now_ms(clock) + CONNECT_MS, now_ms;
    struct transport_net *net;
    int code;

    code = address_normal(address, normal, error);
    if (code)
        return code;
    net = mem_new(sizeof *net);
    if (!net)
        return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    net->transport = (struct transport){
        .call = transport_net_call, .close = transport_net_close, .clock = clock_os()};
    code = net_call_open(normal, credentials, CONNECT_MS, &net->call, error);
    if (code) {
        mem_free(net);
        return code;
    }
    now_ms = clock->ops->now_ms(clock);
    /* 0 would be for ever. */
    code = remote_new_within(&net->transport, now_ms < until_ms ? (uint32_t)(until_ms - now_ms) : 1,
                             ret_backend, error);
    if (code)
        transport_net_close(&net->transport);
    return code;
}
