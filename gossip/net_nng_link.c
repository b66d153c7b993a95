/* One link of the nng door: bytes in, messages out, and the reverse. The mutex is held throughout.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/net_nng.h"

int nng_to_error(int rv)
{
    if (rv == 0)
        return 0;
    if (rv == NNG_EADDRINVAL || rv == NNG_ENOTSUP || rv == NNG_EINVAL)
        return NEAP_INVALID;
    return rv == NNG_ENOMEM ? NEAP_NOMEM : NEAP_UNAVAILABLE;
}

void link_free(struct link *link)
{
    struct outgoing *out = link->out_first;

    must(!link->receive_busy && !link->send_busy && !link->dial_busy);
    nng_aio_free(link->receive);
    nng_aio_free(link->send);
    nng_aio_free(link->dial);
    nng_stream_free(link->stream);
    if (link->dialer)
        nng_stream_dialer_free(link->dialer);
    while (out) {
        struct outgoing *next = out->next;

        mem_free(out);
        out = next;
    }
    buffer_done(&link->message);
    mem_free(link->input.bytes);
    mem_free(link->raw.bytes);
    buffer_done(&link->sealed);
    tls_free(link->tls);
    mem_free(link);
}

void link_kill(struct link *link)
{
    link->dead = true;
    if (link->stream)
        nng_stream_close(link->stream);
    if (link->dialer)
        nng_stream_dialer_close(link->dialer);
}

/* What was taken makes room at the end. Without memory for more, what there is has to do. */
bool intake_reserve(struct intake *intake, size_t want)
{
    uint8_t *bytes;

    if (intake->start > 0) {
        memmove(intake->bytes, intake->bytes + intake->start, intake->end - intake->start);
        intake->end -= intake->start;
        intake->start = 0;
    }
    if (intake->room >= want)
        return true;
    bytes = mem_resize(intake->bytes, want);
    if (bytes == NULL)
        return intake->room > 0;
    intake->bytes = bytes;
    intake->room = want;
    return true;
}

/* With receive_busy raised by the caller; lowered here when nothing is posted. A receive is posted
 * also while a message is held, as far as there is room: only so is it seen that the other side
 * went away, and a stream that hung up with nobody receiving keeps nng's poller spinning. An
 * untrusted link has little memory, and all of its time together ends at one deadline: sending a
 * byte now and then wins nothing. */
bool link_receive(struct link *link)
{
    struct intake *intake = link->tls ? &link->raw : &link->input;
    nng_iov iov;

    if (link->dead || link->ending || link->stream == NULL) {
        link->receive_busy = false;
        return true;
    }
    if (!intake_reserve(intake, link->trusted ? RECEIVE_LARGE : RECEIVE_SMALL))
        return false;
    if (intake->end == intake->room) { /* a message is held, and all room behind it full */
        link->receive_busy = false;
        return true;
    }
    iov.iov_buf = intake->bytes + intake->end;
    iov.iov_len = intake->room - intake->end;
    (void)nng_aio_set_iov(link->receive, 1, &iov);
    if (link->trusted) {
        nng_aio_set_timeout(link->receive, NNG_DURATION_INFINITE);
    } else {
        nng_time now = nng_clock();

        nng_aio_set_timeout(link->receive,
                            now < link->deadline ? (nng_duration)(link->deadline - now) : 1);
    }
    nng_stream_recv(link->stream, link->receive);
    return true;
}

static bool frame_begin(struct link *link, enum net_fault *ret_fault)
{
    size_t limit = link->trusted || BROKEN("hello-any-size") ? MESSAGE_SIZE_MAX : HELLO_SIZE_MAX;
    struct frame_head head;

    if (link->input.end - link->input.start < FRAME_HEAD)
        return false;
    if (frame_head_read(link->input.bytes + link->input.start, &head)) {
        *ret_fault = NET_FAULT_FRAME;
        return false;
    }
    if (link->message.size + head.size + (head.more ? 1 : 0) > limit) {
        *ret_fault = NET_FAULT_SIZE;
        return false;
    }
    if (buffer_reserve(&link->message, head.size)) {
        *ret_fault = NET_FAULT_MEMORY;
        return false;
    }
    link->input.start += FRAME_HEAD;
    link->in_frame = true;
    link->frame_left = head.size;
    link->frame_more = head.more;
    return true;
}

bool link_take(struct link *link, enum net_fault *ret_fault)
{
    *ret_fault = NET_FAULT_NONE;
    for (;;) {
        size_t here;

        if (!link->in_frame && !frame_begin(link, ret_fault)) {
            if (*ret_fault || !link_unseal(link, ret_fault))
                return false;
            continue;
        }
        here = link->input.end - link->input.start;
        if (here > link->frame_left)
            here = link->frame_left;
        if (buffer_append(&link->message, slice_of(link->input.bytes + link->input.start, here))) {
            *ret_fault = NET_FAULT_MEMORY;
            return false;
        }
        link->input.start += here;
        link->frame_left -= here;
        if (link->frame_left > 0) {
            if (!link_unseal(link, ret_fault))
                return false;
            continue;
        }
        link->in_frame = false;
        if (!link->frame_more)
            return true;
    }
}

int link_queue(struct link *link, struct slice message)
{
    size_t frames = message.size / FRAME_SIZE + 1, offset = 0, size = 0;
    struct outgoing *out;

    if (message.size > MESSAGE_SIZE_MAX)
        return NEAP_LIMIT;
    if (link->out_bytes > 0 && link->out_bytes + message.size > link->net->queue_max)
        return NEAP_BUSY;
    out = mem_new(sizeof(*out) + message.size + frames * FRAME_HEAD);
    if (out == NULL)
        return NEAP_NOMEM;
    do {
        struct slice body = frame_next(message, offset, out->bytes + size);

        size += FRAME_HEAD;
        if (body.size)
            memcpy(out->bytes + size, body.data, body.size);
        size += body.size;
        offset += body.size;
    } while (offset < message.size);
    out->size = size;
    if (link->out_last)
        link->out_last->next = out;
    else
        link->out_first = out;
    link->out_last = out;
    link->out_bytes += size;
    return 0;
}

/* Sealed bytes go before those that wait: all of them, before others are sealed. */
static void link_flush_sealed(struct link *link)
{
    nng_iov iov;

    if (link->sealed_done == link->sealed.size)
        link_seal(link);
    if (link->sealed_done == link->sealed.size)
        return;
    iov.iov_buf = link->sealed.data + link->sealed_done;
    iov.iov_len = link->sealed.size - link->sealed_done;
    (void)nng_aio_set_iov(link->send, 1, &iov);
    if (link->ending)
        nng_aio_set_timeout(link->send, REFUSAL_MS);
    link->send_busy = true;
    nng_stream_send(link->stream, link->send);
}

void link_flush(struct link *link)
{
    nng_iov iov[SEND_GATHER];
    unsigned count = 0;
    size_t skip = link->out_done;

    if (link->dead || link->send_busy || link->stream == NULL)
        return;
    if (link->tls) {
        link_flush_sealed(link);
        return;
    }
    if (link->out_first == NULL)
        return;
    for (struct outgoing *out = link->out_first; out && count < SEND_GATHER; out = out->next) {
        iov[count].iov_buf = out->bytes + skip;
        iov[count].iov_len = out->size - skip;
        skip = 0;
        count++;
    }
    (void)nng_aio_set_iov(link->send, count, iov);
    link->send_busy = true;
    nng_stream_send(link->stream, link->send);
}

void link_sent(struct link *link, size_t count)
{
    link->out_bytes -= count;
    link->out_done += count;
    while (link->out_first && link->out_done >= link->out_first->size) {
        struct outgoing *out = link->out_first;

        link->out_done -= out->size;
        link->out_first = out->next;
        if (out->next == NULL)
            link->out_last = NULL;
        mem_free(out);
    }
}
