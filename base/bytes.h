/* Byte slices (borrowed) and growable buffers (owned). There is no third kind. */
#ifndef NEAP_BASE_BYTES_H
#define NEAP_BASE_BYTES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes: never freed through this, valid as long as their owner says. */
struct slice {
    const uint8_t *data;
    size_t size;
};

/* Owned bytes that grow up to a limit fixed at birth. */
struct buffer {
    uint8_t *data;
    size_t size, room, size_max;
};

static inline struct slice slice_of(const void *data, size_t size)
{
    return (struct slice){(const uint8_t *)data, size};
}
struct slice slice_text(const char *text);
/* memcmp order; a prefix comes first. */
static inline int slice_compare(struct slice a, struct slice b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;

    if (order)
        return order < 0 ? -1 : 1;
    return (a.size > b.size) - (a.size < b.size);
}
bool slice_equal(struct slice a, struct slice b);
bool slice_starts(struct slice whole, struct slice prefix);

/* Big-endian integers, the order of bytes being the order of numbers. */
static inline void bytes_put_u64(uint8_t *ret_8, uint64_t value)
{
    /* Without a loop compilers make one instruction of it. */
    ret_8[0] = (uint8_t)(value >> 56);
    ret_8[1] = (uint8_t)(value >> 48);
    ret_8[2] = (uint8_t)(value >> 40);
    ret_8[3] = (uint8_t)(value >> 32);
    ret_8[4] = (uint8_t)(value >> 24);
    ret_8[5] = (uint8_t)(value >> 16);
    ret_8[6] = (uint8_t)(value >> 8);
    ret_8[7] = (uint8_t)value;
}
static inline uint64_t bytes_get_u64(const uint8_t *data_8)
{
    return (uint64_t)data_8[0] << 56 | (uint64_t)data_8[1] << 48 | (uint64_t)data_8[2] << 40 |
           (uint64_t)data_8[3] << 32 | (uint64_t)data_8[4] << 24 | (uint64_t)data_8[5] << 16 |
           (uint64_t)data_8[6] << 8 | (uint64_t)data_8[7];
}

void buffer_init(struct buffer *buffer, size_t size_max);
/* LIMIT past size_max, NOMEM; the buffer is unchanged on error. The bytes may lie in the buffer. */
int buffer_append(struct buffer *buffer, struct slice bytes);
int buffer_append_u8(struct buffer *buffer, uint8_t byte);
int buffer_reserve(struct buffer *buffer, size_t more);
int buffer_set(struct buffer *buffer, struct slice bytes); /* replaces the contents */
void buffer_clear(struct buffer *buffer);                  /* keeps the memory */
struct slice buffer_slice(const struct buffer *buffer);
void buffer_done(struct buffer *buffer); /* zeroed and half-built are fine */
#endif
