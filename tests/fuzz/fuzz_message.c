/* What another process sends, from its first byte on. */
#include "gossip/message.h"
#include "tests/fuzz/fuzz.h"

FUZZ(message)
{
    struct message message;
    struct buffer again;
    int error = message_decode(input, &message);

    must(error == 0 || error == NEAP_INVALID || error == NEAP_LIMIT);
    if (error)
        return false;
    must(message.digests_count <= DIGESTS_MAX);
    buffer_init(&again, input.size + 64);
    must(!message_encode(&message, &again));
    /* What a later version says beyond this one is skipped, and so not written again. */
    if (message.kind != MESSAGE_HELLO || message.hello.wire_version <= WIRE_VERSION)
        must(slice_equal(buffer_slice(&again), input));
    buffer_done(&again);
    message_done(&message);
    return true;
}
