/* How cells travel in messages, and messages in frames. */
#include <inttypes.h>

#include "gossip/frame.h"
#include "gossip/net.h"
#include "tests/golden/scene.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* ---- chunks ---- */

static void say_any_chunk(struct slice bytes, struct buffer *ret_text)
{
    struct chunk chunk;

    chunk_read(bytes, &chunk);
    say_chunk(ret_text, &chunk);
    chunk_done(&chunk);
}

static void again_chunk(struct slice bytes, struct buffer *ret_bytes)
{
    bool after = chunk_was_after(bytes);
    struct chunk_base base = {0};
    struct chunk chunk;

    chunk_read(bytes, &chunk);
    scene_base(&base);
    CHECK_OK(after ? chunk_encode_after(&chunk, &base, ret_bytes)
                   : chunk_encode(&chunk, ret_bytes));
    chunk_base_done(&base);
    chunk_done(&chunk);
}

static const struct golden chunks[] = {
    {"events", CHUNK_EVENTS, scene_events, say_any_chunk, again_chunk},
    {"page", CHUNK_PAGE, scene_page, say_any_chunk, again_chunk},
    {"cell", CHUNK_CELL, scene_cell, say_any_chunk, again_chunk},
    {"next", CHUNK_NEXT, scene_next, say_any_chunk, again_chunk},
    {"after", CHUNK_AFTER, scene_after, say_any_chunk, again_chunk},
};

TEST(chunks_are_as_they_were)
{
    golden_check("chunks.hex", "How cells travel (store/chunk.h).", chunks, COUNT(chunks));
}

TEST(each_kind_of_chunk_has_golden_bytes)
{
    for (unsigned kind = 1; chunk_kind_name((enum chunk_kind)kind); kind++)
        CHECK(golden_has(chunks, COUNT(chunks), kind));
}

/* The page has cells of all types, and knowledge beyond the context. */
TEST(each_type_has_a_golden_cell)
{
    struct buffer bytes;
    struct chunk chunk;
    unsigned seen = 0;

    buffer_init(&bytes, GOLDEN_BYTES_MAX);
    scene_page(&bytes);
    chunk_read(buffer_slice(&bytes), &chunk);
    for (size_t i = 0; i < chunk.cells_count; i++) {
        enum neap_type type;

        CHECK_OK(path_check(chunk.cells[i].path, &type));
        seen |= 1u << type;
    }
    for (unsigned type = 0; type < 32; type++) {
        const struct type *known = type_find(type);

        if (known && known->check && !(seen & 1u << type))
            test_failed(__FILE__, __LINE__, "none of type %u: see tests/golden/scene.c", type);
    }
    CHECK(chunk.residues_count > 0);
    chunk_done(&chunk);
    buffer_done(&bytes);
}

/* ---- frames ---- */

/* The heads of all frames of a message of that size. */
static void frames_of(size_t size, struct buffer *ret_bytes)
{
    struct buffer message;
    size_t offset = 0;

    buffer_init(&message, GOLDEN_BYTES_MAX);
    CHECK_OK(buffer_reserve(&message, size));
    memset(message.data, 0, size);
    do {
        uint8_t head[FRAME_HEAD];

        offset += frame_next(slice_of(message.data, size), offset, head).size;
        CHECK_OK(buffer_append(ret_bytes, slice_of(head, sizeof head)));
    } while (offset < size);
    buffer_done(&message);
}

static void make_frame(struct buffer *ret_bytes)
{
    frames_of(300, ret_bytes);
}

static void make_full_frame(struct buffer *ret_bytes)
{
    frames_of(FRAME_SIZE, ret_bytes);
}

static void make_frames(struct buffer *ret_bytes)
{
    frames_of((size_t)2 * FRAME_SIZE + 1, ret_bytes);
}

static size_t read_heads(struct slice bytes, struct buffer *text)
{
    size_t size = 0;

    for (size_t at = 0; at < bytes.size; at += FRAME_HEAD) {
        struct frame_head head;

        CHECK_OK(frame_head_read(bytes.data + at, &head));
        size += head.size;
        if (text)
            say(text, "%" PRIu32 " bytes%s\n", head.size, head.more ? ", and more" : "");
    }
    return size;
}

static void say_frames(struct slice bytes, struct buffer *ret_text)
{
    (void)read_heads(bytes, ret_text);
}

static void again_frames(struct slice bytes, struct buffer *ret_bytes)
{
    frames_of(read_heads(bytes, NULL), ret_bytes);
}

static const struct golden frames[] = {
    {"one frame", 0, make_frame, say_frames, again_frames},
    {"a full frame", 0, make_full_frame, say_frames, again_frames},
    {"more frames", 0, make_frames, say_frames, again_frames},
};

TEST(heads_of_frames_are_as_they_were)
{
    golden_check("frames.hex", "Heads of the frames of one message (gossip/frame.h).", frames,
                 COUNT(frames));
}
