#include "base/pack.h"

#include <msgpack/pack.h>
#include <string.h>

#include "base/error.h"

enum { DEPTH_MAX = 8 };

enum kind { KIND_NIL, KIND_POSITIVE, KIND_NEGATIVE, KIND_BIN, KIND_STR, KIND_ARRAY };

/* The head of a value: its kind and its number, which is the value of an integer (of a negative one
 * in two's complement) or how many bytes or elements follow. `size` is that of the head. */
struct head {
    enum kind kind;
    uint64_t number;
    size_t size;
};

/* The formats that carry their number in `width` bytes after the first byte, by that byte; a width
 * of 0 is a format that we refuse. `number_min` is the smallest number that no shorter format
 * holds; for negative integers it is about ~value, the complement. */
enum { FORMAT_FIRST = 0xc4, FORMAT_END = 0xe0 };

static const struct format {
    uint8_t kind;
    uint8_t width;
    uint64_t number_min;
} formats[FORMAT_END - FORMAT_FIRST] = {
    [0xc4 - FORMAT_FIRST] = {KIND_BIN, 1, 0},
    [0xc5 - FORMAT_FIRST] = {KIND_BIN, 2, 0x100},
    [0xc6 - FORMAT_FIRST] = {KIND_BIN, 4, 0x10000},
    [0xcc - FORMAT_FIRST] = {KIND_POSITIVE, 1, 0x80},
    [0xcd - FORMAT_FIRST] = {KIND_POSITIVE, 2, 0x100},
    [0xce - FORMAT_FIRST] = {KIND_POSITIVE, 4, 0x10000},
    [0xcf - FORMAT_FIRST] = {KIND_POSITIVE, 8, 0x100000000},
    [0xd0 - FORMAT_FIRST] = {KIND_NEGATIVE, 1, 0x20},
    [0xd1 - FORMAT_FIRST] = {KIND_NEGATIVE, 2, 0x80},
    [0xd2 - FORMAT_FIRST] = {KIND_NEGATIVE, 4, 0x8000},
    [0xd3 - FORMAT_FIRST] = {KIND_NEGATIVE, 8, 0x80000000},
    [0xd9 - FORMAT_FIRST] = {KIND_STR, 1, 0x20},
    [0xda - FORMAT_FIRST] = {KIND_STR, 2, 0x100},
    [0xdb - FORMAT_FIRST] = {KIND_STR, 4, 0x10000},
    [0xdc - FORMAT_FIRST] = {KIND_ARRAY, 2, 0x10},
    [0xdd - FORMAT_FIRST] = {KIND_ARRAY, 4, 0x10000},
};

void reader_init(struct reader *reader, struct slice bytes)
{
    *reader = (struct reader){.left = bytes};
}

void reader_fail(struct reader *reader, int error)
{
    if (!error || reader->error)
        return;
    reader->error = error;
    reader->left.size = 0;
}

int reader_end(const struct reader *reader)
{
    if (reader->error)
        return reader->error;
    return reader->left.size ? NEAP_INVALID : 0;
}

static void reader_skip(struct reader *reader, size_t size)
{
    reader->left = slice_of(reader->left.data + size, reader->left.size - size);
}

/* The formats that are one byte. */
static bool head_of_byte(uint8_t first, struct head *ret_head)
{
    if (first < 0x80)
        *ret_head = (struct head){KIND_POSITIVE, first, 1};
    else if (first >= 0xe0)
        *ret_head = (struct head){KIND_NEGATIVE, first | ~(uint64_t)0xff, 1};
    else if (first < 0x90)
        return false; /* a map */
    else if (first < 0xa0)
        *ret_head = (struct head){KIND_ARRAY, first & 0x0f, 1};
    else if (first < 0xc0)
        *ret_head = (struct head){KIND_STR, first & 0x1f, 1};
    else if (first == 0xc0)
        *ret_head = (struct head){KIND_NIL, 0, 1};
    else
        return false;
    return true;
}

/* Big-endian; the width is that of a format. */
static inline uint64_t number_at(const uint8_t *data, size_t width)
{
    if (width == 8)
        return bytes_get_u64(data);
    if (width == 4)
        return (uint64_t)data[0] << 24 | (uint64_t)data[1] << 16 | (uint64_t)data[2] << 8 | data[3];
    return width == 2 ? (uint64_t)data[0] << 8 | data[1] : data[0];
}

static bool head_of_format(struct slice bytes, const struct format *format, struct head *ret_head)
{
    uint64_t number, sign;

    if (!format->width || bytes.size <= format->width)
        return false;
    number = number_at(bytes.data + 1, format->width);
    if (format->kind == KIND_NEGATIVE) {
        sign = (uint64_t)1 << (8 * format->width - 1);
        if (!(number & sign))
            return false; /* what is not negative has unsigned formats */
        number |= ~(sign - 1);
        if (~number < format->number_min)
            return false;
    } else if (number < format->number_min) {
        return false;
    }
    *ret_head = (struct head){(enum kind)format->kind, number, 1u + format->width};
    return true;
}

/* Looks at the next head and consumes nothing. False when there is none that we accept. */
static bool reader_peek(const struct reader *reader, struct head *ret_head)
{
    uint8_t first;

    if (reader->error || !reader->left.size)
        return false;
    first = reader->left.data[0];
    if (first >= FORMAT_FIRST && first < FORMAT_END)
        return head_of_format(reader->left, &formats[first - FORMAT_FIRST], ret_head);
    return head_of_byte(first, ret_head);
}

/* Consumes a head of this kind and gives its number; 0 and a failed reader for anything else. It
 * stays out of read_u64(), which would have to save registers for it. */
__attribute__((noinline)) static uint64_t reader_take(struct reader *reader, enum kind kind)
{
    struct head head;

    if (!reader_peek(reader, &head) || head.kind != kind) {
        reader_fail(reader, NEAP_INVALID);
        return 0;
    }
    reader_skip(reader, head.size);
    return head.number;
}

/* Most are small, ids, which have all their bytes, or nonces, which have four: those are read
 * without looking around. A failed reader has nothing left. */
uint64_t read_u64(struct reader *reader)
{
    const uint8_t *data = reader->left.data;
    size_t left = reader->left.size;

    if (left > 0 && data[0] < 0x80) {
        reader->left = slice_of(data + 1, left - 1);
        return data[0];
    }
    if (left > 8 && data[0] == 0xcf && bytes_get_u64(data + 1) > UINT32_MAX) {
        reader->left = slice_of(data + 9, left - 9);
        return bytes_get_u64(data + 1);
    }
    if (left > 4 && data[0] == 0xce && number_at(data + 1, 4) > UINT16_MAX) {
        reader->left = slice_of(data + 5, left - 5);
        return number_at(data + 1, 4);
    }
    return reader_take(reader, KIND_POSITIVE);
}

int64_t read_i64(struct reader *reader)
{
    struct head head;

    if (!reader_peek(reader, &head) ||
        !(head.kind == KIND_NEGATIVE || (head.kind == KIND_POSITIVE && head.number <= INT64_MAX))) {
        reader_fail(reader, NEAP_INVALID);
        return 0;
    }
    reader_skip(reader, head.size);
    return (int64_t)head.number;
}

static struct slice read_sized(struct reader *reader, enum kind kind, size_t size_max)
{
    uint64_t size = reader_take(reader, kind);
    struct slice bytes;

    if (size > size_max)
        reader_fail(reader, NEAP_LIMIT);
    if (size > reader->left.size)
        reader_fail(reader, NEAP_INVALID);
    if (reader->error)
        return slice_of(NULL, 0);
    bytes = slice_of(reader->left.data, (size_t)size);
    reader_skip(reader, bytes.size);
    return bytes;
}

struct slice read_bin(struct reader *reader, size_t size_max)
{
    return read_sized(reader, KIND_BIN, size_max);
}

struct slice read_str(struct reader *reader, size_t size_max)
{
    return read_sized(reader, KIND_STR, size_max);
}

uint32_t read_array(struct reader *reader, uint32_t count_max)
{
    uint64_t count = reader_take(reader, KIND_ARRAY);

    if (count > count_max)
        reader_fail(reader, NEAP_LIMIT);
    /* Each element takes a byte at least. */
    if (count > reader->left.size)
        reader_fail(reader, NEAP_INVALID);
    return reader->error ? 0 : (uint32_t)count;
}

void read_array_of(struct reader *reader, uint32_t count)
{
    uint32_t found = read_array(reader, UINT32_MAX);

    if (found != count)
        reader_fail(reader, NEAP_INVALID);
}

bool read_nil(struct reader *reader)
{
    struct head head;

    if (!reader_peek(reader, &head) || head.kind != KIND_NIL)
        return false;
    reader_skip(reader, head.size);
    return true;
}

struct slice read_any(struct reader *reader)
{
    const uint8_t *start = reader->left.data;
    uint64_t open[DEPTH_MAX] = {0}; /* elements still to come, per array that we are in */
    size_t depth = 0;
    struct head head;

    do {
        if (depth)
            open[depth - 1]--;
        if (!reader_peek(reader, &head)) {
            reader_fail(reader, NEAP_INVALID);
            return slice_of(NULL, 0);
        }
        reader_skip(reader, head.size);
        if (head.kind >= KIND_BIN && head.number > reader->left.size)
            reader_fail(reader, NEAP_INVALID);
        else if (head.kind == KIND_ARRAY && depth == DEPTH_MAX)
            reader_fail(reader, NEAP_LIMIT);
        if (reader->error)
            return slice_of(NULL, 0);
        if (head.kind == KIND_ARRAY)
            open[depth++] = head.number;
        else if (head.kind >= KIND_BIN)
            reader_skip(reader, (size_t)head.number);
        while (depth && !open[depth - 1])
            depth--;
    } while (depth);
    return slice_of(start, (size_t)(reader->left.data - start));
}

/* msgpack-c hands over each piece that it packed. */
static int write_piece(void *data, const char *bytes, size_t size)
{
    struct writer *writer = data;

    writer->error = buffer_append(writer->buffer, slice_of(bytes, size));
    return writer->error;
}

static msgpack_packer writer_packer(struct writer *writer)
{
    return (msgpack_packer){writer, write_piece};
}

void writer_init(struct writer *writer, struct buffer *buffer)
{
    *writer = (struct writer){.buffer = buffer};
}

/* The bytes that all numbers fit in. */
enum { NUMBER_SIZE_MAX = 9 };

/* Contexts are mostly ids and nonces, and there are many: where there is room, those and small
 * numbers are written without looking around. */
void write_u64(struct writer *writer, uint64_t value)
{
    msgpack_packer packer = writer_packer(writer);
    struct buffer *buffer = writer->buffer;
    uint8_t *end;

    if (writer->error)
        return;
    if (buffer->room - buffer->size < NUMBER_SIZE_MAX) {
        msgpack_pack_uint64(&packer, value);
        return;
    }
    end = buffer->data + buffer->size;
    if (value < 0x80) {
        end[0] = (uint8_t)value;
        buffer->size += 1;
    } else if (value > UINT32_MAX) {
        end[0] = 0xcf;
        bytes_put_u64(end + 1, value);
        buffer->size += 9;
    } else if (value > UINT16_MAX) {
        end[0] = 0xce;
        for (unsigned i = 0; i < 4; i++)
            end[1 + i] = (uint8_t)(value >> (24 - 8 * i));
        buffer->size += 5;
    } else {
        msgpack_pack_uint64(&packer, value);
    }
}

void write_i64(struct writer *writer, int64_t value)
{
    msgpack_packer packer = writer_packer(writer);

    if (!writer->error)
        msgpack_pack_int64(&packer, value);
}

/* A head and a body; a head whose body does not fit is taken back. */
static void write_sized(struct writer *writer, struct slice bytes,
                        int (*pack_head)(msgpack_packer *packer, size_t size))
{
    msgpack_packer packer = writer_packer(writer);
    size_t before = writer->buffer->size;

    if (writer->error)
        return;
    if (bytes.size > UINT32_MAX) {
        writer->error = NEAP_LIMIT;
        return;
    }
    pack_head(&packer, bytes.size);
    write_raw(writer, bytes);
    if (writer->error)
        writer->buffer->size = before;
}

static int pack_bin_head(msgpack_packer *packer, size_t size)
{
    return msgpack_pack_bin(packer, size);
}

static int pack_str_head(msgpack_packer *packer, size_t size)
{
    return msgpack_pack_str(packer, size);
}

void write_bin(struct writer *writer, struct slice bytes)
{
    write_sized(writer, bytes, pack_bin_head);
}

void write_str(struct writer *writer, const char *text)
{
    write_sized(writer, slice_text(text), pack_str_head);
}

void write_array(struct writer *writer, uint32_t count)
{
    msgpack_packer packer = writer_packer(writer);

    if (!writer->error)
        msgpack_pack_array(&packer, count);
}

void write_nil(struct writer *writer)
{
    msgpack_packer packer = writer_packer(writer);

    if (!writer->error)
        msgpack_pack_nil(&packer);
}

void write_raw(struct writer *writer, struct slice packed)
{
    if (!writer->error)
        writer->error = buffer_append(writer->buffer, packed);
}
