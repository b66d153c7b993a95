/* 'O' [id]        [operations, token, awaited]
 * 'N' [number 8]  [id, bytes]: in which order they came, and what each takes
 * 'N'             [first, next, bytes]: the numbers that there are, and what they take */
#include "store/once.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "base/text.h"
#include "store/keys.h"

enum { ONCE_OVERHEAD = 64, LINE_SIZE_MAX = 256, DIGEST_SIZE = 16 };

const struct once_limits once_limits = {.count = NEAP_ONCE_COUNT, .bytes = 64 << 20};

/* The ends of the order. */
struct once_window {
    uint64_t first, next, bytes;
};

/* ---- ids that a node gives ---- */

#define NAME_HEAD "neap1"
enum { NAME_PARTS = 3, NAME_DIGITS = 16, NAME_HEAD_SIZE = sizeof NAME_HEAD - 1 };

void once_name_text(struct once_name name, uint64_t random, char ret_text[ONCE_NAME_SIZE])
{
    snprintf(ret_text, ONCE_NAME_SIZE, NAME_HEAD "-%016" PRIx64 "-%016" PRIx64 "-%016" PRIx64,
             name.life, name.number, random);
}

/* A dash and so many digits, of which one has a value. */
static bool part_read(const uint8_t *at, uint64_t *ret_number)
{
    return at[0] == '-' && hex_read_u64((const char *)at + 1, ret_number);
}

bool once_name_read(struct slice id, struct once_name *ret_name)
{
    uint64_t parts[NAME_PARTS];

    if (id.size != ONCE_NAME_SIZE - 1 || memcmp(id.data, NAME_HEAD, NAME_HEAD_SIZE) != 0)
        return false;
    for (size_t i = 0; i < NAME_PARTS; i++)
        if (!part_read(id.data + NAME_HEAD_SIZE + i * (1 + NAME_DIGITS), &parts[i]))
            return false;
    *ret_name = (struct once_name){.life = parts[0], .number = parts[1]};
    return true;
}

/* ---- records ---- */

static int put(struct batch *batch, const struct key *key, struct writer *writer)
{
    if (writer->error)
        return writer->error;
    return batch_put(batch, DISK_META, key_slice(key), buffer_slice(writer->buffer));
}

/* ---- an outcome ---- */

static int record_read(struct slice bytes, struct once_record *ret_record)
{
    struct once_record record;
    struct reader reader;
    struct slice ops;

    reader_init(&reader, bytes);
    read_array_of(&reader, 3);
    ops = read_bin(&reader, DIGEST_SIZE);
    record.token = read_bin(&reader, ONCE_RECORD_MAX);
    record.awaited = read_bin(&reader, ONCE_RECORD_MAX);
    if (reader_end(&reader) || ops.size != DIGEST_SIZE)
        return NEAP_CORRUPT;
    record.ops = (struct digest){bytes_get_u64(ops.data), bytes_get_u64(ops.data + 8)};
    *ret_record = record;
    return 0;
}

int once_find(const struct view *view, struct slice id, struct buffer *bytes,
              struct once_record *ret_record)
{
    struct key key;
    int error;

    if (BROKEN("once-forgets"))
        return NEAP_NOTFOUND;
    key_once(&key, id);
    error = view_get(view, DISK_META, key_slice(&key), bytes);
    return error ? error : record_read(buffer_slice(bytes), ret_record);
}

static int record_put(struct batch *batch, struct slice id, const struct once_record *record,
                      uint64_t *ret_bytes)
{
    uint8_t ops[DIGEST_SIZE];
    struct buffer bytes;
    struct writer writer;
    struct key key;
    int error;

    bytes_put_u64(ops, record->ops.high);
    bytes_put_u64(ops + 8, record->ops.low);
    buffer_init(&bytes, ONCE_RECORD_MAX);
    writer_init(&writer, &bytes);
    write_array(&writer, 3);
    write_bin(&writer, slice_of(ops, sizeof ops));
    write_bin(&writer, record->token);
    write_bin(&writer, record->awaited);
    key_once(&key, id);
    error = put(batch, &key, &writer);
    *ret_bytes = bytes.size + 2 * id.size + ONCE_OVERHEAD;
    buffer_done(&bytes);
    return error;
}

/* ---- their order ---- */

static int window_read(const struct view *view, struct once_window *ret_window)
{
    struct once_window window = {0};
    struct buffer bytes;
    struct reader reader;
    struct key key;
    int error;

    buffer_init(&bytes, LINE_SIZE_MAX);
    key_meta(&key, 'N');
    error = view_get(view, DISK_META, key_slice(&key), &bytes);
    if (!error) {
        reader_init(&reader, buffer_slice(&bytes));
        read_array_of(&reader, 3);
        window.first = read_u64(&reader);
        window.next = read_u64(&reader);
        window.bytes = read_u64(&reader);
        if (reader_end(&reader) || window.first > window.next)
            error = NEAP_CORRUPT;
    }
    buffer_done(&bytes);
    if (!error || error == NEAP_NOTFOUND)
        *ret_window = window;
    return error == NEAP_NOTFOUND ? 0 : error;
}

int once_numbers(const struct view *view, uint64_t *ret_first, uint64_t *ret_next)
{
    struct once_window window;
    int error = window_read(view, &window);

    if (error)
        return error;
    *ret_first = window.first;
    *ret_next = window.next;
    return 0;
}

static int window_put(struct batch *batch, const struct once_window *window)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;
    int error;

    buffer_init(&bytes, LINE_SIZE_MAX);
    writer_init(&writer, &bytes);
    write_array(&writer, 3);
    write_u64(&writer, window->first);
    write_u64(&writer, window->next);
    write_u64(&writer, window->bytes);
    key_meta(&key, 'N');
    error = put(batch, &key, &writer);
    buffer_done(&bytes);
    return error;
}

static int line_put(struct batch *batch, uint64_t number, struct slice id, uint64_t size)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;
    int error;

    buffer_init(&bytes, LINE_SIZE_MAX);
    writer_init(&writer, &bytes);
    write_array(&writer, 2);
    write_bin(&writer, id);
    write_u64(&writer, size);
    key_once_number(&key, number);
    error = put(batch, &key, &writer);
    buffer_done(&bytes);
    return error;
}

/* The oldest goes. What of it cannot be read was lost with a damaged file: then its number is all
 * that can go. */
static int window_forget(struct batch *batch, struct once_window *window)
{
    struct view view = batch_view(batch);
    struct buffer bytes;
    struct reader reader;
    struct slice id;
    struct key key;
    uint64_t size;
    int error;

    buffer_init(&bytes, LINE_SIZE_MAX);
    key_once_number(&key, window->first);
    error = view_get(&view, DISK_META, key_slice(&key), &bytes);
    reader_init(&reader, buffer_slice(&bytes));
    read_array_of(&reader, 2);
    id = read_bin(&reader, NEAP_ONCE_MAX);
    size = read_u64(&reader);
    if (error == NEAP_NOTFOUND || error == NEAP_CORRUPT || (!error && reader_end(&reader))) {
        id = slice_of(NULL, 0);
        size = 0;
        error = 0;
    }
    if (!error)
        error = batch_delete(batch, DISK_META, key_slice(&key));
    if (!error && id.size) {
        key_once(&key, id);
        error = batch_delete(batch, DISK_META, key_slice(&key));
    }
    if (!error) {
        window->first++;
        window->bytes -= size < window->bytes ? size : window->bytes;
    }
    buffer_done(&bytes);
    return error;
}

int once_keep(struct batch *batch, const struct once_limits *limits, struct slice id,
              const struct once_record *record)
{
    struct view view = batch_view(batch);
    struct once_window window = {0};
    uint64_t size = 0;
    int error;

    must(id.size > 0 && id.size <= NEAP_ONCE_MAX);
    error = window_read(&view, &window);
    if (!error)
        error = record_put(batch, id, record, &size);
    window.bytes += size;
    while (!error && window.first < window.next &&
           (window.next - window.first >= limits->count || window.bytes > limits->bytes))
        error = window_forget(batch, &window);
    if (!error)
        error = line_put(batch, window.next++, id, size);
    return error ? error : window_put(batch, &window);
}
