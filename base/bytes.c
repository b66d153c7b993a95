#include "base/bytes.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* A buffer starts with this much, and doubles from there. */
enum { ROOM_FIRST = 64 };

struct slice slice_text(const char *text)
{
    return slice_of(text, text ? strlen(text) : 0);
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.size == b.size && (!a.size || !memcmp(a.data, b.data, a.size));
}

bool slice_starts(struct slice whole, struct slice prefix)
{
    return whole.size >= prefix.size && slice_equal(slice_of(whole.data, prefix.size), prefix);
}

void buffer_init(struct buffer *buffer, size_t size_max)
{
    *buffer = (struct buffer){.size_max = size_max};
}

int buffer_reserve(struct buffer *buffer, size_t more)
{
    size_t need, room;
    uint8_t *data;

    must(buffer->size <= buffer->size_max);
    if (more > buffer->size_max - buffer->size)
        return NEAP_LIMIT;
    need = buffer->size + more;
    if (need <= buffer->room)
        return 0;
    room = buffer->room > SIZE_MAX / 2 ? need : buffer->room * 2;
    if (room < ROOM_FIRST)
        room = ROOM_FIRST;
    if (room < need)
        room = need;
    if (room > buffer->size_max)
        room = buffer->size_max;
    data = mem_resize(buffer->data, room);
    if (!data)
        return NEAP_NOMEM;
    buffer->data = data;
    buffer->room = room;
    return 0;
}

static bool buffer_has_room(const struct buffer *buffer, size_t more)
{
    must(buffer->size <= buffer->room);
    return more <= buffer->room - buffer->size;
}

/* Whether `data` lies in the buffer, in which case it moves when the buffer grows. */
static bool buffer_holds(const struct buffer *buffer, const uint8_t *data)
{
    uintptr_t start = (uintptr_t)buffer->data, at = (uintptr_t)data;

    return buffer->data && at >= start && at - start < buffer->room;
}

static int buffer_append_growing(struct buffer *buffer, struct slice bytes)
{
    bool inside = buffer_holds(buffer, bytes.data);
    size_t offset = inside ? (size_t)(bytes.data - buffer->data) : 0;
    int error = buffer_reserve(buffer, bytes.size);

    if (error)
        return error;
    memmove(buffer->data + buffer->size, inside ? buffer->data + offset : bytes.data, bytes.size);
    buffer->size += bytes.size;
    return 0;
}

int buffer_append(struct buffer *buffer, struct slice bytes)
{
    if (!bytes.size)
        return 0;
    if (!buffer_has_room(buffer, bytes.size))
        return buffer_append_growing(buffer, bytes);
    memmove(buffer->data + buffer->size, bytes.data, bytes.size);
    buffer->size += bytes.size;
    return 0;
}

int buffer_append_u8(struct buffer *buffer, uint8_t byte)
{
    return buffer_append(buffer, slice_of(&byte, 1));
}

int buffer_set(struct buffer *buffer, struct slice bytes)
{
    bool inside = buffer_holds(buffer, bytes.data);
    size_t offset = inside ? (size_t)(bytes.data - buffer->data) : 0;
    size_t more = bytes.size > buffer->size ? bytes.size - buffer->size : 0;
    int error;

    error = buffer_reserve(buffer, more);
    if (error)
        return error;
    if (bytes.size)
        memmove(buffer->data, inside ? buffer->data + offset : bytes.data, bytes.size);
    buffer->size = bytes.size;
    return 0;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
}

struct slice buffer_slice(const struct buffer *buffer)
{
    return slice_of(buffer->data, buffer->size);
}

void buffer_done(struct buffer *buffer)
{
    mem_free(buffer->data);
    buffer_init(buffer, buffer->size_max);
}
