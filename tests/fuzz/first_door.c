#include "tests/fuzz/first_door.h"

#include "base/error.h"
#include "gossip/net_nng.h"

bool first_door(struct slice input, struct slice *ret_message)
{
    static const size_t pieces[] = {RECEIVE_SMALL, 1, 7, 64};
    static struct link link;
    size_t piece = pieces[input.size % (sizeof pieces / sizeof *pieces)];
    enum net_fault fault = NET_FAULT_NONE;
    bool whole = false;

    link.in_frame = false;
    link.input.start = link.input.end = 0;
    link.message.size = 0;
    link.message.size_max = MESSAGE_SIZE_MAX;
    while (input.size > 0 && !whole && !fault) {
        size_t size;

        must(intake_reserve(&link.input, RECEIVE_SMALL) && link.input.room == RECEIVE_SMALL);
        size = link.input.room - link.input.end;
        size = size < piece ? size : piece;
        size = size < input.size ? size : input.size;
        must(size > 0); /* nothing is kept that waits for ever */
        memcpy(link.input.bytes + link.input.end, input.data, size);
        link.input.end += size;
        input = slice_of(input.data + size, input.size - size);
        whole = link_take(&link, &fault);
        must(link.message.room <= 2 * HELLO_SIZE_MAX); /* rooms double */
    }
    must(!fault || fault == NET_FAULT_FRAME || fault == NET_FAULT_SIZE);
    *ret_message = buffer_slice(&link.message);
    return whole;
}
