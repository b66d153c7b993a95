/* Door: a client's blocking connection, and which addresses need no TLS. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/net_nng.h"

struct net_call {
    nng_mtx *mutex; /* guards `busy` and `broken` */
    nng_cv *turn;   /* told when the connection is free */
    bool busy;      /* a call has the connection */
    nng_stream_dialer *dialer;
    nng_stream *stream;
    nng_aio *aio;
    bool broken; /* a reply may still be on its way: nothing more may be asked here */
};

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

void net_call_close(struct net_call *call)
{
    if (call == NULL)
        return;
    if (call->stream) {
        nng_stream_close(call->stream);
        nng_stream_free(call->stream);
    }
    if (call->dialer)
        nng_stream_dialer_free(call->dialer);
    if (call->aio)
        nng_aio_free(call->aio);
    if (call->turn)
        nng_cv_free(call->turn);
    if (call->mutex)
        nng_mtx_free(call->mutex);
    mem_free(call);
}

static int call_dial(struct net_call *call, const char *address, uint32_t timeout_ms)
{
    int rv = nng_mtx_alloc(&call->mutex);

    if (rv == 0)
        rv = nng_cv_alloc(&call->turn, call->mutex);
    if (rv == 0)
        rv = nng_aio_alloc(&call->aio, NULL, NULL);
    if (rv == 0)
        rv = nng_stream_dialer_alloc(&call->dialer, address);
    if (rv)
        return rv;
    nng_aio_set_timeout(call->aio, timeout_ms ? (nng_duration)timeout_ms : NNG_DURATION_INFINITE);
    nng_stream_dialer_dial(call->dialer, call->aio);
    nng_aio_wait(call->aio);
    rv = nng_aio_result(call->aio);
    if (rv == 0)
        call->stream = nng_aio_get_output(call->aio, 0);
    return rv;
}

int net_call_open(const char *address, uint32_t timeout_ms, struct net_call **ret_call,
                  struct neap_error *error)
{
    struct net_call *call;
    int rv;

    if (!net_address_is_local(address))
        return error_set(error, NEAP_REFUSED,
                         "%s: only sockets and loopback addresses can be connected to, since links "
                         "are not encrypted yet",
                         address);
    call = mem_new(sizeof(*call));
    if (call == NULL)
        return error_set(error, NEAP_NOMEM, "out of memory");
    rv = call_dial(call, address, timeout_ms);
    if (rv) {
        net_call_close(call);
        return error_set(error, nng_to_error(rv), "cannot connect to %s: %s: is neapd running?",
                         address, nng_strerror(rv));
    }
    *ret_call = call;
    return 0;
}

/* Moves all of `bytes`, one way or the other, before the deadline. */
static int call_move(struct net_call *call, uint8_t *bytes, size_t size, bool send,
                     nng_time deadline)
{
    while (size > 0) {
        nng_iov iov = {.iov_buf = bytes, .iov_len = size};
        nng_time now = nng_clock();
        int rv;

        if (now >= deadline)
            return NNG_ETIMEDOUT;
        (void)nng_aio_set_iov(call->aio, 1, &iov);
        nng_aio_set_timeout(call->aio, deadline - now > INT32_MAX ? NNG_DURATION_INFINITE
                                                                  : (nng_duration)(deadline - now));
        if (send)
            nng_stream_send(call->stream, call->aio);
        else
            nng_stream_recv(call->stream, call->aio);
        nng_aio_wait(call->aio);
        rv = nng_aio_result(call->aio);
        if (rv)
            return rv;
        bytes += nng_aio_count(call->aio);
        size -= nng_aio_count(call->aio);
    }
    return 0;
}

static int call_send(struct net_call *call, struct slice request, nng_time deadline)
{
    uint8_t framed[FRAME_HEAD + FRAME_SIZE];
    size_t offset = 0;

    do {
        struct slice body = frame_next(request, offset, framed);
        int rv;

        if (body.size)
            memcpy(framed + FRAME_HEAD, body.data, body.size);
        rv = call_move(call, framed, FRAME_HEAD + body.size, true, deadline);
        if (rv)
            return nng_to_error(rv);
        offset += body.size;
    } while (offset < request.size);
    return 0;
}

static int call_receive(struct net_call *call, struct buffer *ret_reply, nng_time deadline)
{
    struct frame_head head = {.more = true};

    buffer_clear(ret_reply);
    while (head.more) {
        uint8_t bytes[FRAME_HEAD];
        int rv = call_move(call, bytes, sizeof(bytes), false, deadline), error;

        if (rv)
            return nng_to_error(rv);
        error = frame_head_read(bytes, &head);
        if (error == 0)
            error = buffer_reserve(ret_reply, head.size);
        if (error)
            return error;
        rv = call_move(call, ret_reply->data + ret_reply->size, head.size, false, deadline);
        if (rv)
            return nng_to_error(rv);
        ret_reply->size += head.size;
    }
    return 0;
}

/* Calls take turns: one at a time has the connection. False: not before the deadline. */
static bool call_turn(struct net_call *call, nng_time deadline)
{
    while (call->busy) {
        nng_time now = nng_clock();

        if (now >= deadline)
            return false;
        if (deadline == UINT64_MAX)
            nng_cv_wait(call->turn);
        else
            (void)nng_cv_until(call->turn, deadline);
    }
    return nng_clock() < deadline;
}

/* Once it is sent, the other side may have done what was asked, whatever goes wrong here. */
int net_call(struct net_call *call, struct slice request, uint32_t timeout_ms,
             struct buffer *ret_reply)
{
    nng_time deadline = timeout_ms ? nng_clock() + timeout_ms : UINT64_MAX;
    int error;

    if (request.size > MESSAGE_SIZE_MAX)
        return NEAP_LIMIT;
    nng_mtx_lock(call->mutex);
    if (!call_turn(call, deadline) || call->broken) {
        error = call->broken ? NEAP_UNAVAILABLE : NEAP_BUSY;
        nng_mtx_unlock(call->mutex);
        return error;
    }
    call->busy = true;
    nng_mtx_unlock(call->mutex);
    error = call_send(call, request, deadline);
    if (error == 0)
        error = call_receive(call, ret_reply, deadline);
    nng_mtx_lock(call->mutex);
    call->busy = false;
    if (error) {
        call->broken = true;
        nng_stream_close(call->stream);
    }
    nng_cv_wake(call->turn);
    nng_mtx_unlock(call->mutex);
    return error ? NEAP_UNCERTAIN : 0;
}
