/* Door: a client's blocking connection. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "gossip/net_nng.h"

struct net_call {
    char *address;
    struct credentials *credentials; /* held; NULL: none */
    nng_mtx *mutex;                  /* guards `busy` */
    nng_cv *turn;                    /* told when the connection is free */
    bool busy;                       /* a call has the connection, and all that follows */
    nng_stream_dialer *dialer;
    nng_stream *stream; /* NULL: broken, a reply might still have come: the next call has another */
    nng_aio *aio;
    struct tls *tls; /* NULL: without */
    uint8_t raw[RECEIVE_LARGE];
    size_t raw_start, raw_end; /* received, and not yet taken by TLS */
};

static void call_hang_up(struct net_call *call)
{
    if (call->stream) {
        nng_stream_close(call->stream);
        nng_stream_free(call->stream);
    }
    if (call->dialer)
        nng_stream_dialer_free(call->dialer);
    tls_free(call->tls);
    call->stream = NULL;
    call->dialer = NULL;
    call->tls = NULL;
    call->raw_start = call->raw_end = 0;
}

void net_call_close(struct net_call *call)
{
    if (call == NULL)
        return;
    call_hang_up(call);
    if (call->aio)
        nng_aio_free(call->aio);
    if (call->turn)
        nng_cv_free(call->turn);
    if (call->mutex)
        nng_mtx_free(call->mutex);
    credentials_close(call->credentials);
    mem_free(call->address);
    mem_free(call);
}

static int call_new(const char *address, struct credentials *credentials,
                    struct net_call **ret_call)
{
    struct net_call *call = mem_new(sizeof(*call));
    int rv = NNG_ENOMEM;

    if (call) {
        call->credentials = credentials ? credentials_hold(credentials) : NULL;
        call->address = mem_text(address);
        if (call->address)
            rv = nng_mtx_alloc(&call->mutex);
    }
    if (rv == 0)
        rv = nng_cv_alloc(&call->turn, call->mutex);
    if (rv == 0)
        rv = nng_aio_alloc(&call->aio, NULL, NULL);
    if (rv) {
        net_call_close(call);
        return NEAP_NOMEM;
    }
    *ret_call = call;
    return 0;
}

static int call_dial(struct net_call *call, nng_time deadline)
{
    nng_time now = nng_clock();
    int rv = now < deadline ? 0 : NNG_ETIMEDOUT;

    if (rv == 0)
        rv = nng_stream_dialer_alloc(&call->dialer, address_of_nng(call->address));
    if (rv)
        return rv;
    nng_aio_set_timeout(call->aio, deadline - now > INT32_MAX ? NNG_DURATION_INFINITE
                                                              : (nng_duration)(deadline - now));
    nng_stream_dialer_dial(call->dialer, call->aio);
    nng_aio_wait(call->aio);
    rv = nng_aio_result(call->aio);
    if (rv == 0)
        call->stream = nng_aio_get_output(call->aio, 0);
    return rv;
}

/* One send or receive, of a part at least, before the deadline. */
static int call_some(struct net_call *call, uint8_t *bytes, size_t size, bool send,
                     nng_time deadline, size_t *ret_count)
{
    nng_iov iov = {.iov_buf = bytes, .iov_len = size};
    nng_time now = nng_clock();

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
    *ret_count = nng_aio_count(call->aio);
    return nng_aio_result(call->aio);
}

static int call_wire_send(struct net_call *call, const uint8_t *bytes, size_t size,
                          nng_time deadline)
{
    while (size > 0) {
        size_t count;
        int rv = call_some(call, (uint8_t *)(uintptr_t)bytes, size, true, deadline, &count);

        if (rv)
            return rv;
        bytes += count;
        size -= count;
    }
    return 0;
}

/* What TLS has to say goes out; more comes in, when nothing is left of what came. */
static int call_tls_send(struct net_call *call, nng_time deadline)
{
    struct buffer sealed;
    int rv;

    tls_output(call->tls, &sealed);
    rv = call_wire_send(call, sealed.data, sealed.size, deadline);
    buffer_done(&sealed);
    return rv;
}

static int call_tls_receive(struct net_call *call, nng_time deadline)
{
    size_t count = 0;
    int rv = 0;

    if (call->raw_start == call->raw_end) {
        rv = call_some(call, call->raw, sizeof(call->raw), false, deadline, &count);
        call->raw_start = 0;
        call->raw_end = rv ? 0 : count;
    }
    tls_input(call->tls, slice_of(call->raw + call->raw_start, call->raw_end - call->raw_start));
    return rv;
}

static void call_tls_taken(struct net_call *call)
{
    call->raw_start = call->raw_end - tls_input_left(call->tls);
}

static int call_seal(struct net_call *call, const uint8_t *bytes, size_t size, nng_time deadline)
{
    while (size > 0) {
        size_t count;
        int rv;

        if (tls_write(call->tls, slice_of(bytes, size), &count))
            return NNG_ECRYPTO;
        rv = call_tls_send(call, deadline);
        if (rv)
            return rv;
        bytes += count;
        size -= count;
    }
    return 0;
}

static int call_unseal(struct net_call *call, uint8_t *bytes, size_t size, nng_time deadline)
{
    while (size > 0) {
        size_t count;
        int rv = 0;

        tls_input(call->tls,
                  slice_of(call->raw + call->raw_start, call->raw_end - call->raw_start));
        if (tls_read(call->tls, bytes, size, &count))
            return NNG_ECONNSHUT;
        call_tls_taken(call);
        if (count == 0)
            rv = call_tls_receive(call, deadline);
        if (rv)
            return rv;
        bytes += count;
        size -= count;
    }
    return 0;
}

/* Moves all of `bytes`, one way or the other, before the deadline. */
static int call_move(struct net_call *call, uint8_t *bytes, size_t size, bool send,
                     nng_time deadline)
{
    if (call->tls)
        return send ? call_seal(call, bytes, size, deadline)
                    : call_unseal(call, bytes, size, deadline);
    while (size > 0) {
        size_t count;
        int rv = call_some(call, bytes, size, send, deadline, &count);

        if (rv)
            return rv;
        bytes += count;
        size -= count;
    }
    return 0;
}

/* ---- opening ---- */

static int call_shake(struct net_call *call, nng_time deadline, struct neap_error *error)
{
    enum tls_progress progress = tls_run(call->tls);
    char reason[TLS_REASON_MAX];
    int rv = 0;

    while (progress == TLS_GOES_ON && rv == 0) {
        rv = call_tls_send(call, deadline);
        if (rv == 0)
            rv = call_tls_receive(call, deadline);
        if (rv == 0)
            progress = tls_run(call->tls);
        call_tls_taken(call);
    }
    if (rv)
        return error_set(error, nng_to_error(rv), "cannot connect to %.100s: %s", call->address,
                         nng_strerror(rv));
    (void)call_tls_send(call, deadline);
    if (progress == TLS_IS_UP)
        return 0;
    return error_set(error, tls_fault(call->tls) == TLS_no_memory ? NEAP_NOMEM : NEAP_REFUSED,
                     "cannot connect to %.100s: %s", call->address, tls_reason(call->tls, reason));
}

static int call_tls(struct net_call *call, nng_time deadline, struct neap_error *error)
{
    struct clock *clock = clock_os();
    struct tls_options options = {.credentials = call->credentials,
                                  .wall_ms = clock->ops->wall_ms(clock)};

    if (tls_new(&options, &call->tls))
        return error_set(error, NEAP_NOMEM, "out of memory");
    return call_shake(call, deadline, error);
}

static int call_connect(struct net_call *call, nng_time deadline, struct neap_error *error)
{
    int rv = call_dial(call, deadline), code = 0;

    if (rv)
        code = error_set(error, nng_to_error(rv), "cannot connect to %s: %s: is neapd running?",
                         call->address, nng_strerror(rv));
    else if (net_address_is_tls(call->address))
        code = call_tls(call, deadline, error);
    if (code)
        call_hang_up(call);
    return code;
}

int net_call_open(const char *address, struct credentials *credentials, uint32_t timeout_ms,
                  struct net_call **ret_call, struct neap_error *error)
{
    nng_time deadline = timeout_ms ? nng_clock() + timeout_ms : UINT64_MAX;
    struct net_call *call;
    int code = net_address_check(address, credentials != NULL, "connect", error);

    if (code)
        return code;
    if (call_new(address, credentials, &call))
        return error_set(error, NEAP_NOMEM, "out of memory");
    code = call_connect(call, deadline, error);
    if (code) {
        net_call_close(call);
        return code;
    }
    *ret_call = call;
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

/* Between calls nothing comes but the end: nng looks at once, and need not wait for it. What ended
 * before anything was sent leaves nobody in doubt. */
static bool call_is_over(struct net_call *call)
{
    uint8_t byte;
    nng_iov iov = {.iov_buf = &byte, .iov_len = 1};

    if (call->raw_start != call->raw_end)
        return true;
    (void)nng_aio_set_iov(call->aio, 1, &iov);
    nng_aio_set_timeout(call->aio, NNG_DURATION_INFINITE);
    nng_stream_recv(call->stream, call->aio);
    nng_aio_cancel(call->aio);
    nng_aio_wait(call->aio);
    return nng_aio_result(call->aio) != NNG_ECANCELED;
}

/* Once it is sent, the other side may have done what was asked, whatever goes wrong here. */
static int call_ask(struct net_call *call, struct slice request, nng_time deadline,
                    struct buffer *ret_reply)
{
    struct neap_error ignored;
    int error = 0;

    if (call->stream && call_is_over(call))
        call_hang_up(call);
    if (!call->stream)
        error = call_connect(call, deadline, &ignored);
    if (error)
        return error == NEAP_NOMEM ? error : NEAP_UNAVAILABLE;
    error = call_send(call, request, deadline);
    if (error == 0)
        error = call_receive(call, ret_reply, deadline);
    if (error)
        call_hang_up(call);
    return error ? NEAP_UNCERTAIN : 0;
}

int net_call(struct net_call *call, struct slice request, uint32_t timeout_ms,
             struct buffer *ret_reply)
{
    nng_time deadline = timeout_ms ? nng_clock() + timeout_ms : UINT64_MAX;
    int error;

    if (request.size > MESSAGE_SIZE_MAX)
        return NEAP_LIMIT;
    nng_mtx_lock(call->mutex);
    if (!call_turn(call, deadline)) {
        nng_mtx_unlock(call->mutex);
        return NEAP_BUSY;
    }
    call->busy = true;
    nng_mtx_unlock(call->mutex);
    error = call_ask(call, request, deadline, ret_reply);
    nng_mtx_lock(call->mutex);
    call->busy = false;
    nng_cv_wake(call->turn);
    nng_mtx_unlock(call->mutex);
    return error;
}
