#include "tests/support/loopback.h"

#include "engine/api.h"
#include "engine/node_session.h"

static int loopback_call(struct transport *transport, struct slice request, uint32_t timeout_ms,
                         struct buffer *ret_reply)
{
    struct loopback *loopback = (struct loopback *)transport;
    int error;

    (void)timeout_ms;
    if (loopback->fails)
        return loopback->fails;
    if (loopback->replies)
        return buffer_set(ret_reply, buffer_slice(loopback->replies));
    error = request_serve(loopback->backend, request, ret_reply);
    if (error || !loopback->loses)
        return error;
    loopback->loses--;
    return NEAP_UNCERTAIN;
}

static void loopback_close(struct transport *transport)
{
    (void)transport;
}

void loopback_init(struct loopback *loopback, struct backend *backend)
{
    *loopback = (struct loopback){.transport = {loopback_call, loopback_close, clock_os(), NULL},
                                  .backend = backend};
}

int loopback_open(struct loopback *loopback, struct neap **ret_neap, struct neap_error *error)
{
    struct backend *backend;
    int code;

    code = remote_new(&loopback->transport, &backend, error);
    if (code)
        return code;
    code = session_open(backend, &backend);
    if (!code)
        code = api_new(backend, 0, ret_neap);
    if (code)
        backend->ops->close(backend);
    return code;
}
