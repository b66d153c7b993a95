/* Messages as frames on a byte stream: 4 bytes big-endian (bit 31: more frames follow; 23..0:
 * size), then that many bytes. Pure: the doors do the IO. */
#ifndef NEAP_GOSSIP_FRAME_H
#define NEAP_GOSSIP_FRAME_H
#include "base/bytes.h"

enum { FRAME_HEAD = 4 };

/* The head of the frame that starts at `offset` of a message, and the bytes that go with it. */
struct slice frame_next(struct slice message, size_t offset, uint8_t ret_head[FRAME_HEAD]);

struct frame_head {
    uint32_t size;
    bool more;
};
/* INVALID: over FRAME_SIZE, or not full although more follow (one message, one encoding). */
int frame_head_read(const uint8_t head[FRAME_HEAD], struct frame_head *ret_head);
#endif
