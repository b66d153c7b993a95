/* MessagePack: what the reader accepts, the writer writes with the same bytes. */
#include "base/pack.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

enum { DEPTH_MAX = 8 };

/* A positive number may be read as a signed one as well. */
static void check_signed(struct reader reader, uint64_t number)
{
    int64_t value = read_i64(&reader);

    must(number <= INT64_MAX ? !reader.error && (uint64_t)value == number : reader.error != 0);
}

static void copy_text(struct reader *reader, struct writer *writer)
{
    const uint8_t *start = reader->left.data;
    struct slice text = read_str(reader, SIZE_MAX);
    char copy[256];

    if (reader->error)
        return;
    /* The writer takes C strings: without zeros. */
    if (text.size >= sizeof copy || (text.size > 0 && memchr(text.data, 0, text.size))) {
        write_raw(writer, slice_of(start, (size_t)(reader->left.data - start)));
        return;
    }
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    write_str(writer, copy);
}

/* One value, or the head of an array: then true, and its count. */
static bool copy_head(struct reader *reader, struct writer *writer, uint32_t *ret_count)
{
    uint8_t first = reader->left.size > 0 ? reader->left.data[0] : 0xc1;
    struct reader before = *reader;

    if (first < 0x80 || (first >= 0xcc && first <= 0xcf)) {
        uint64_t number = read_u64(reader);

        if (!reader->error)
            check_signed(before, number);
        write_u64(writer, number);
    } else if (first >= 0xe0 || (first >= 0xd0 && first <= 0xd3)) {
        write_i64(writer, read_i64(reader));
    } else if (first >= 0xc4 && first <= 0xc6) {
        write_bin(writer, read_bin(reader, SIZE_MAX));
    } else if (first == 0xc0) {
        must(read_nil(reader));
        write_nil(writer);
    } else if ((first >= 0xa0 && first < 0xc0) || (first >= 0xd9 && first <= 0xdb)) {
        copy_text(reader, writer);
    } else {
        *ret_count = read_array(reader, UINT32_MAX);
        write_array(writer, *ret_count);
        return true;
    }
    return false;
}

/* Arrays in arrays are walked with the count of what is left of each. */
static void copy_value(struct reader *reader, struct writer *writer)
{
    uint64_t left[DEPTH_MAX + 1] = {1}; /* the outermost is no array */
    unsigned depth = 0;

    while (!reader->error) {
        uint32_t count = 0;

        while (left[depth] == 0) {
            if (depth-- == 0)
                return;
        }
        left[depth]--;
        if (!copy_head(reader, writer, &count))
            continue;
        if (depth == DEPTH_MAX) {
            reader_fail(reader, NEAP_LIMIT);
            return;
        }
        left[++depth] = count;
    }
}

FUZZ(pack)
{
    struct reader reader, whole;
    struct writer writer;
    struct buffer again;
    struct slice any;
    bool accepted;

    /* An array whose elements are missing may have been written by then. */
    buffer_init(&again, input.size + 64);
    writer_init(&writer, &again);
    reader_init(&reader, input);
    reader_init(&whole, input);
    copy_value(&reader, &writer);
    any = read_any(&whole);
    accepted = !reader.error;
    must(accepted == !whole.error);
    if (accepted) {
        must(!writer.error);
        must(any.data == input.data && slice_equal(any, buffer_slice(&again)));
        must(whole.left.size == reader.left.size);
    } else {
        must(any.size == 0 && reader_end(&whole) != 0);
    }
    buffer_done(&again);
    return accepted;
}
