#include "tests/support/cells.h"

#include <stdlib.h>
#include <string.h>

#include "base/pack.h"

enum { NEW_DOT = 9 };

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " ");
}

static struct dot dot_parse(const char **text)
{
    struct dot dot = {.id = (uint8_t) * *text};
    char *end;

    dot.n = strtoull(*text + 1, &end, 10);
    *text = end;
    return dot;
}

void context_parse(const char *text, struct context *ret_context)
{
    context_clear(ret_context);
    for (text = skip_blanks(text); *text; text = skip_blanks(text)) {
        struct dot dot = dot_parse(&text);

        CHECK_OK(context_raise(ret_context, dot.id, dot.n, 0));
    }
}

/* What follows a dot, packed into `buffer`. */
static void payload_parse(const char **text, struct buffer *buffer)
{
    struct writer writer;
    const char *from = *text + 1;
    char kind = **text;
    uint64_t stamp = 0;
    char *end;

    writer_init(&writer, buffer);
    if (kind == '#') {
        write_i64(&writer, strtoll(from, &end, 10));
        *text = end;
        return;
    }
    if (kind == '!') {
        CHECK_OK(buffer_append_u8(buffer, 0xc2));
        *text = from;
        return;
    }
    if (kind == '[') {
        uint32_t count = 1;

        for (const char *at = from; *at != ']'; at++)
            count += *at == ',';
        write_array(&writer, count);
        for (; count > 0; count--, from = end + 1)
            write_i64(&writer, strtoll(from, &end, 10));
        *text = from;
        return;
    }
    if (kind != '=' && kind != '@')
        return;
    if (kind == '@') {
        stamp = strtoull(from, &end, 10);
        from = end + 1;
        write_array(&writer, 2);
        write_u64(&writer, stamp);
    }
    *text = from + strcspn(from, " ");
    if (kind == '@')
        write_bin(&writer, slice_of(from, (size_t)(*text - from)));
    else
        write_raw(&writer, slice_of(from, (size_t)(*text - from)));
}

void text_cell_init(struct text_cell *ret_cell, const char *text)
{
    cell_init(&ret_cell->cell);
    ret_cell->used = 0;
    for (text = skip_blanks(text); *text; text = skip_blanks(text)) {
        struct dot dot = dot_parse(&text);
        struct buffer payload;
        uint8_t *bytes = ret_cell->bytes + ret_cell->used;

        buffer_init(&payload, sizeof ret_cell->bytes - ret_cell->used);
        payload_parse(&text, &payload);
        if (payload.size > 0)
            memcpy(bytes, payload.data, payload.size);
        ret_cell->used += payload.size;
        CHECK_OK(cell_add(&ret_cell->cell, dot, slice_of(bytes, payload.size)));
        buffer_done(&payload);
    }
}

void text_cell_done(struct text_cell *cell)
{
    cell_done(&cell->cell);
}

void test_cell_is(const struct cell *found, const char *text, const char *what, const char *file,
                  int line)
{
    struct buffer found_bytes, expected_bytes;
    struct text_cell expected;

    buffer_init(&found_bytes, CELL_SIZE_MAX);
    buffer_init(&expected_bytes, CELL_SIZE_MAX);
    text_cell_init(&expected, text);
    CHECK_OK(cell_encode(found, &found_bytes));
    CHECK_OK(cell_encode(&expected.cell, &expected_bytes));
    test_bytes(buffer_slice(&found_bytes), buffer_slice(&expected_bytes), what, file, line);
    text_cell_done(&expected);
    buffer_done(&found_bytes);
    buffer_done(&expected_bytes);
}

void test_context_is(const struct context *found, const char *text, const char *what,
                     const char *file, int line)
{
    struct context expected = {0};

    context_parse(text, &expected);
    if (!context_equal(found, &expected))
        test_failed(file, line, "%s is not \"%s\"", what, text);
    context_done(&expected);
}

int test_edit(const char *old, struct op op, const char *seen, uint64_t fold_after,
              const char *expected, const char *file, int line)
{
    const struct editor editor = {
        .fold_after = fold_after, .next = NEW_DOT, .fold_write = NEW_DOT - 1};

    return test_edit_by(editor, old, op, seen, expected, file, line);
}

int test_edit_by(struct editor editor, const char *old, struct op op, const char *seen,
                 const char *expected, const char *file, int line)
{
    struct context context = {0};
    struct text_cell cell;
    struct edit edit;
    int error;

    editor.id = 'x';
    text_cell_init(&cell, old);
    edit_init(&edit);
    if (seen) {
        context_parse(seen, &context);
        op.seen = &context;
    }
    error = type_edit(&cell.cell, &op, &editor, &edit);
    if (error || !expected)
        test_equal(edit.changes || edit.adds || edit.payload.size > 0, false, "changes", file,
                   line);
    if (error)
        test_equal((int64_t)edit.kept.count, 0, "kept dots", file, line);
    if (!error && edit.adds)
        error = cell_add(&edit.kept, (struct dot){'x', NEW_DOT}, buffer_slice(&edit.payload));
    if (!error && expected) {
        test_equal(edit.changes, true, "changes", file, line);
        test_cell_is(&edit.kept, expected, "the edited cell", file, line);
    }
    edit_done(&edit);
    text_cell_done(&cell);
    context_done(&context);
    return error;
}
