/* A path from a peer: what passes is what its steps, one by one, give. */
#include "crdt/path.h"
#include "crdt/types.h"
#include "tests/fuzz/fuzz.h"

static void check_text(struct slice path)
{
    char text[100];

    for (size_t size = 1; size <= sizeof text; size += 33) {
        bool ended = false;

        path_text(path, text, size);
        for (size_t i = 0; i < size && !ended; i++) {
            ended = text[i] == 0;
            must(ended || (text[i] >= 0x20 && text[i] < 0x7f));
        }
        must(ended);
    }
}

/* Returns the last error, which is END for what was walked to its end. */
static int walk(struct path_cursor *cursor, struct buffer *again)
{
    struct path_level level;
    struct slice element;
    int error;

    while ((error = path_cursor_level(cursor, &level)) == 0) {
        if (path_level(again, level.name, level.type))
            return NEAP_LIMIT;
    }
    if (error == NEAP_END && type_below(cursor->last) == BELOW_ELEMENT) {
        error = path_cursor_element(cursor, &element);
        if (!error && path_element(again, element))
            return NEAP_LIMIT;
        if (!error)
            error = path_cursor_element(cursor, &element);
    }
    return error;
}

FUZZ(path)
{
    enum neap_type type = 0;
    struct path_cursor cursor;
    struct buffer again, end;
    bool accepted = path_check(input, &type) == 0;
    int error;

    buffer_init(&again, NEAP_PATH_MAX);
    buffer_init(&end, input.size);
    path_cursor_init(&cursor, input);
    error = walk(&cursor, &again);
    if (accepted) {
        must(error == NEAP_END && cursor.last == type);
        must(slice_equal(buffer_slice(&again), input));
        must(!path_prefix_end(input, &end));
        must(slice_compare(input, buffer_slice(&end)) < 0);
    }
    check_text(input);
    path_cursor_done(&cursor);
    buffer_done(&again);
    buffer_done(&end);
    return accepted;
}
