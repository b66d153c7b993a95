#include "crdt/path.h"

#include <string.h>

#include "base/error.h"
#include "crdt/types.h"

/* In escaped bytes a zero is always followed by one of these. */
enum { ESCAPED = 0xff, CLOSED = 0x01 };

static int append_escaped(struct buffer *path, struct slice bytes)
{
    static const uint8_t zero[] = {0, ESCAPED}, end[] = {0, CLOSED};
    int error = 0;

    while (bytes.size > 0 && !error) {
        const uint8_t *stop = memchr(bytes.data, 0, bytes.size);
        size_t size = stop ? (size_t)(stop - bytes.data) : bytes.size;

        error = buffer_append(path, slice_of(bytes.data, size));
        if (stop && !error) {
            error = buffer_append(path, slice_of(zero, sizeof zero));
            size++;
        }
        bytes = slice_of(bytes.data + size, bytes.size - size);
    }
    if (!error)
        error = buffer_append(path, slice_of(end, sizeof end));
    return error;
}

/* A step that fails leaves the path as it was. */
static int finish(struct buffer *path, size_t start, int error)
{
    if (!error && path->size > NEAP_PATH_MAX)
        error = NEAP_LIMIT;
    if (error)
        path->size = start;
    return error;
}

/* One level, whose place in the path was checked. Type 0 leaves the name open. */
static int append_level(struct buffer *path, struct slice name, unsigned type)
{
    size_t start = path->size;
    int error;

    if (start == 0 && name.size == 0)
        return NEAP_INVALID;
    if (name.size > NEAP_KEY_MAX)
        return NEAP_LIMIT;
    error = append_escaped(path, name);
    if (!error && type)
        error = buffer_append_u8(path, (uint8_t)type);
    return finish(path, start, error);
}

/* How many levels a path of ours has. */
static size_t levels_count(struct slice path)
{
    size_t count = 0;

    for (size_t i = 0; i + 1 < path.size; i++) {
        if (path.data[i] != 0)
            continue;
        count += path.data[i + 1] == CLOSED;
        i++;
    }
    return count;
}

/* May something of this kind follow? */
static bool path_is_at(const struct buffer *path, enum type_below below)
{
    return path->size > 0 && type_below(path->data[path->size - 1]) == below;
}

int path_level(struct buffer *path, struct slice name, enum neap_type type)
{
    if (!type_find(type) || (path->size > 0 && !path_is_at(path, BELOW_FIELDS)))
        return NEAP_INVALID;
    if (levels_count(buffer_slice(path)) >= NEAP_DEPTH_MAX)
        return NEAP_LIMIT;
    return append_level(path, name, type);
}

int path_element(struct buffer *path, struct slice element)
{
    size_t start = path->size;

    if (!path_is_at(path, BELOW_ELEMENT))
        return NEAP_INVALID;
    return finish(path, start, append_escaped(path, element));
}

int path_place(struct buffer *path, const struct neap_place *at, unsigned type)
{
    struct slice name = slice_of(at->key.data, at->key.size);
    size_t start = path->size, levels = levels_count(buffer_slice(path));
    int error = 0;

    if ((type && !type_find(type)) || (start > 0 && !path_is_at(path, BELOW_FIELDS)) ||
        (at->fields_count > 0 && !at->fields))
        return NEAP_INVALID;
    if (at->fields_count >= NEAP_DEPTH_MAX || levels + at->fields_count >= NEAP_DEPTH_MAX)
        return NEAP_LIMIT;
    for (size_t i = 0; i <= at->fields_count && !error; i++) {
        if (i > 0)
            name = slice_of(at->fields[i - 1].data, at->fields[i - 1].size);
        if (name.size > 0 && !name.data)
            error = NEAP_INVALID;
        else
            error = append_level(path, name, i < at->fields_count ? NEAP_MAP : type);
    }
    return finish(path, start, error);
}

/* Takes escaped bytes off `left`. False when they are not closed, or a zero is alone. ret_size is
 * what they are unescaped. */
static bool take_escaped(struct slice *left, struct slice *ret_escaped, size_t *ret_size)
{
    size_t zeros = 0, at = 0;

    for (;;) {
        const uint8_t *stop = at < left->size ? memchr(left->data + at, 0, left->size - at) : NULL;

        if (!stop || stop + 1 == left->data + left->size)
            return false;
        at = (size_t)(stop - left->data) + 2;
        if (stop[1] == CLOSED)
            break;
        if (stop[1] != ESCAPED)
            return false;
        zeros++;
    }
    *ret_escaped = slice_of(left->data, at - 2);
    *ret_size = at - 2 - zeros;
    *left = slice_of(left->data + at, left->size - at);
    return true;
}

/* The type byte that closes a level. False when there is none or it is unknown. */
static bool take_type(struct slice *left, enum neap_type *ret_type)
{
    if (left->size == 0 || !type_find(left->data[0]))
        return false;
    *ret_type = (enum neap_type)left->data[0];
    *left = slice_of(left->data + 1, left->size - 1);
    return true;
}

void path_cursor_init(struct path_cursor *cursor, struct slice path)
{
    cursor->left = path;
    cursor->last = 0;
    buffer_init(&cursor->scratch, NEAP_PATH_MAX);
}

/* Most names have no zeros, and need no copy. */
static int cursor_unescape(struct path_cursor *cursor, struct slice escaped, size_t size,
                           struct slice *ret_name)
{
    int error;

    if (size == escaped.size) {
        *ret_name = escaped;
        return 0;
    }
    buffer_clear(&cursor->scratch);
    error = buffer_reserve(&cursor->scratch, size);
    for (size_t i = 0; i < escaped.size && !error; i++) {
        error = buffer_append_u8(&cursor->scratch, escaped.data[i]);
        i += escaped.data[i] == 0;
    }
    if (!error)
        *ret_name = buffer_slice(&cursor->scratch);
    return error;
}

int path_cursor_level(struct path_cursor *cursor, struct path_level *ret_level)
{
    struct slice left = cursor->left, escaped;
    struct path_level level;
    size_t size;
    int error;

    if (left.size == 0 || type_below(cursor->last) == BELOW_ELEMENT)
        return NEAP_END;
    if ((cursor->last != 0 && type_below(cursor->last) != BELOW_FIELDS) ||
        !take_escaped(&left, &escaped, &size) || !take_type(&left, &level.type))
        return NEAP_INVALID;
    error = cursor_unescape(cursor, escaped, size, &level.name);
    if (error)
        return error;
    cursor->left = left;
    cursor->last = level.type;
    *ret_level = level;
    return 0;
}

int path_cursor_element(struct path_cursor *cursor, struct slice *ret_element)
{
    struct slice left = cursor->left, escaped;
    size_t size;
    int error;

    if (left.size == 0)
        return NEAP_END;
    if (type_below(cursor->last) != BELOW_ELEMENT || !take_escaped(&left, &escaped, &size) ||
        left.size > 0)
        return NEAP_INVALID;
    error = cursor_unescape(cursor, escaped, size, ret_element);
    if (!error)
        cursor->left = left;
    return error;
}

void path_cursor_done(struct path_cursor *cursor)
{
    buffer_done(&cursor->scratch);
}

int path_check(struct slice path, enum neap_type *ret_type)
{
    enum neap_type type = NEAP_MAP;
    struct slice escaped;
    size_t size;

    if (path.size > NEAP_PATH_MAX)
        return NEAP_LIMIT;
    for (unsigned levels = 0; type_below(type) == BELOW_FIELDS; levels++) {
        if (levels == NEAP_DEPTH_MAX)
            return NEAP_LIMIT;
        if (!take_escaped(&path, &escaped, &size) || !take_type(&path, &type) ||
            (levels == 0 && size == 0))
            return NEAP_INVALID;
        if (size > NEAP_KEY_MAX)
            return NEAP_LIMIT;
    }
    if (type_below(type) == BELOW_ELEMENT && !take_escaped(&path, &escaped, &size))
        return NEAP_INVALID;
    if (path.size > 0)
        return NEAP_INVALID;
    *ret_type = type;
    return 0;
}

int path_object(struct slice path, size_t *ret_size, enum neap_type *ret_type)
{
    struct slice left = path, escaped;
    size_t size;

    if (!take_escaped(&left, &escaped, &size) || !take_type(&left, ret_type))
        return NEAP_INVALID;
    *ret_size = path.size - left.size;
    return 0;
}

int path_levels(struct slice path, size_t *ret_size, enum neap_type *ret_last)
{
    struct slice left = path, escaped;
    enum neap_type last = NEAP_MAP;
    size_t size;

    if (!path.size)
        return NEAP_INVALID;
    while (left.size > 0 && type_below(last) == BELOW_FIELDS) {
        if (!take_escaped(&left, &escaped, &size) || !take_type(&left, &last))
            return NEAP_INVALID;
        if (size > NEAP_KEY_MAX)
            return NEAP_LIMIT;
    }
    *ret_size = path.size - left.size;
    *ret_last = last;
    return 0;
}

int path_prefix_end(struct slice prefix, struct buffer *ret_end)
{
    int error;

    while (prefix.size > 0 && prefix.data[prefix.size - 1] == 0xff)
        prefix.size--;
    error = buffer_set(ret_end, prefix);
    if (!error && prefix.size > 0)
        ret_end->data[prefix.size - 1]++;
    return error;
}

/* Text that grows up to the size of the caller's memory; what no longer fits is left out. */
struct text {
    char *at, *end;
};

static void text_add(struct text *text, const char *part)
{
    size_t size = strlen(part);

    if (size > (size_t)(text->end - text->at)) {
        text->end = text->at; /* nothing after a gap */
        return;
    }
    memcpy(text->at, part, size);
    text->at += size;
}

static void text_add_byte(struct text *text, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    char hex[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15], 0};
    char plain[] = {(char)byte, 0};

    text_add(text, byte < 0x20 || byte >= 0x7f || byte == '\\' ? hex : plain);
}

static void text_add_escaped(struct text *text, struct slice escaped)
{
    for (size_t i = 0; i < escaped.size; i++) {
        text_add_byte(text, escaped.data[i]);
        i += escaped.data[i] == 0;
    }
}

void path_text(struct slice path, char *ret_text, size_t size)
{
    struct text text = {.at = ret_text, .end = ret_text + (size ? size - 1 : 0)};
    enum neap_type type = NEAP_MAP;
    struct slice escaped;
    size_t plain;
    bool first = true;

    if (size == 0)
        return;
    while (type_below(type) != BELOW_NOTHING && path.size > 0 &&
           take_escaped(&path, &escaped, &plain)) {
        text_add(&text, first ? "" : "/");
        text_add_escaped(&text, escaped);
        first = false;
        if (type_below(type) != BELOW_FIELDS || !take_type(&path, &type))
            break;
        if (type_below(type) != BELOW_FIELDS || path.size == 0) {
            text_add(&text, ":");
            text_add(&text, type_find(type)->name);
        }
    }
    /* Whatever cannot be read as a path is shown as it is. */
    if (path.size > 0)
        text_add(&text, "?");
    for (size_t i = 0; i < path.size; i++)
        text_add_byte(&text, path.data[i]);
    *text.at = 0;
}
