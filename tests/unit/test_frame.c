#include "gossip/frame.h"

#include <string.h>

#include "gossip/net.h"
#include "tests/support/test.h"

TEST(a_small_message_is_one_frame)
{
    uint8_t head[FRAME_HEAD];
    struct frame_head read;
    struct slice body = frame_next(slice_text("hello"), 0, head);

    CHECK_EQUAL(body.size, 5);
    CHECK_EQUAL(frame_head_read(head, &read), 0);
    CHECK_EQUAL(read.size, 5);
    CHECK(!read.more);
}

TEST(an_empty_message_is_an_empty_frame)
{
    uint8_t head[FRAME_HEAD];
    struct frame_head read;

    CHECK_EQUAL(frame_next(slice_of(NULL, 0), 0, head).size, 0);
    CHECK_EQUAL(frame_head_read(head, &read), 0);
    CHECK_EQUAL(read.size, 0);
    CHECK(!read.more);
}

TEST(a_large_message_travels_in_full_frames_and_a_rest)
{
    static uint8_t bytes[2 * FRAME_SIZE + 7];
    struct slice message = slice_of(bytes, sizeof(bytes));
    size_t offset = 0, frames = 0;
    struct frame_head read = {.more = true};

    while (read.more) {
        uint8_t head[FRAME_HEAD];
        struct slice body = frame_next(message, offset, head);

        CHECK_EQUAL(frame_head_read(head, &read), 0);
        CHECK_EQUAL(read.size, body.size);
        offset += body.size;
        frames++;
    }
    CHECK_EQUAL(frames, 3);
    CHECK_EQUAL(offset, sizeof(bytes));
}

TEST(a_head_over_the_limit_or_not_full_is_refused)
{
    const uint8_t over[FRAME_HEAD] = {0, 1, 0, 1}, part[FRAME_HEAD] = {0x80, 0, 0, 9};
    const uint8_t full[FRAME_HEAD] = {0x80, 1, 0, 0}, huge[FRAME_HEAD] = {0x7f, 0xff, 0xff, 0xff};
    struct frame_head read = {.size = 42};

    CHECK_EQUAL(frame_head_read(over, &read), NEAP_INVALID);
    CHECK_EQUAL(frame_head_read(part, &read), NEAP_INVALID);
    CHECK_EQUAL(frame_head_read(huge, &read), NEAP_INVALID);
    CHECK_EQUAL(read.size, 42);
    CHECK_EQUAL(frame_head_read(full, &read), 0);
    CHECK_EQUAL(read.size, FRAME_SIZE);
    CHECK(read.more);
}
