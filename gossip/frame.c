#include "gossip/frame.h"

#include "base/error.h"
#include "gossip/net.h"

#define FRAME_MORE ((uint32_t)1 << 31)

struct slice frame_next(struct slice message, size_t offset, uint8_t ret_head[FRAME_HEAD])
{
    size_t left, size;
    uint32_t word;

    must(offset <= message.size);
    left = message.size - offset;
    size = left < FRAME_SIZE ? left : FRAME_SIZE;
    word = (uint32_t)size | (left > size ? FRAME_MORE : 0);
    ret_head[0] = (uint8_t)(word >> 24);
    ret_head[1] = (uint8_t)(word >> 16);
    ret_head[2] = (uint8_t)(word >> 8);
    ret_head[3] = (uint8_t)word;
    return slice_of(message.data ? message.data + offset : NULL, size);
}

int frame_head_read(const uint8_t head[FRAME_HEAD], struct frame_head *ret_head)
{
    uint32_t word = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 |
                    (uint32_t)head[3];
    uint32_t size = word & ~FRAME_MORE;
    bool more = (word & FRAME_MORE) != 0;

    if (size > FRAME_SIZE || (more && size != FRAME_SIZE))
        return NEAP_INVALID;
    *ret_head = (struct frame_head){.size = size, .more = more};
    return 0;
}
