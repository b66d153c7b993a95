#include "tests/golden/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEX_A_LINE = 32, LINE_MAX_SIZE = 1024 };

const char *golden_path(const char *file, char *ret_path, size_t size)
{
    const char *top = getenv("top_srcdir");

    snprintf(ret_path, size, "%s/tests/golden/%s", top ? top : ".", file);
    return ret_path;
}

bool golden_writes(void)
{
    return getenv("GOLDEN_WRITE") != NULL;
}

void golden_read(const char *file, struct buffer *ret_text)
{
    char path[512], part[4096];
    FILE *stream = fopen(golden_path(file, path, sizeof path), "re");
    size_t size;

    buffer_clear(ret_text);
    if (!stream)
        test_failed(__FILE__, __LINE__, "%s: cannot be read; is top_srcdir set?", path);
    while ((size = fread(part, 1, sizeof part, stream)) > 0)
        CHECK_OK(buffer_append(ret_text, slice_of(part, size)));
    CHECK(!ferror(stream));
    (void)fclose(stream);
}

void golden_write(const char *file, const struct buffer *text)
{
    char path[512];
    FILE *stream = fopen(golden_path(file, path, sizeof path), "we");

    if (!stream)
        test_failed(__FILE__, __LINE__, "%s: cannot be written", path);
    CHECK_EQUAL(fwrite(text->data, 1, text->size, stream), text->size);
    CHECK_EQUAL(fclose(stream), 0);
}

void say(struct buffer *text, const char *format, ...)
{
    char line[LINE_MAX_SIZE];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    CHECK(size >= 0 && (size_t)size < sizeof line);
    CHECK_OK(buffer_append(text, slice_of(line, (size_t)size)));
}

void say_bytes(struct buffer *text, struct slice bytes)
{
    bool plain = bytes.size > 0;

    for (size_t i = 0; i < bytes.size; i++)
        plain = plain && bytes.data[i] >= ' ' && bytes.data[i] < 0x7f && bytes.data[i] != '"';
    if (plain) {
        say(text, "\"%.*s\"", (int)bytes.size, (const char *)bytes.data);
        return;
    }
    say(text, "<");
    for (size_t i = 0; i < bytes.size; i++)
        say(text, "%02x", bytes.data[i]);
    say(text, ">");
}

void say_hex(struct buffer *text, struct slice bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        say(text, "%s%02x", i % HEX_A_LINE ? " " : i ? "\nhex: " : "hex: ", bytes.data[i]);
    say(text, bytes.size ? "\n" : "hex:\n");
}

static int digit(uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = byte ? strchr(digits, byte) : NULL;

    return at ? (int)(at - digits) : -1;
}

void golden_unhex(struct slice text, struct buffer *ret_bytes)
{
    for (size_t i = 0; i < text.size; i++) {
        int high = digit(text.data[i]), low = i + 1 < text.size ? digit(text.data[i + 1]) : -1;

        if (text.data[i] == ' ')
            continue;
        CHECK(high >= 0 && low >= 0);
        CHECK_OK(buffer_append_u8(ret_bytes, (uint8_t)(high << 4 | low)));
        i++;
    }
}

/* ---- one entry ---- */

void golden_entry_init(struct golden_entry *entry)
{
    entry->name[0] = 0;
    buffer_init(&entry->says, GOLDEN_BYTES_MAX);
    buffer_init(&entry->bytes, GOLDEN_BYTES_MAX);
}

void golden_entry_done(struct golden_entry *entry)
{
    buffer_done(&entry->says);
    buffer_done(&entry->bytes);
}

static struct slice line_next(struct slice *text)
{
    const uint8_t *end = text->size ? memchr(text->data, '\n', text->size) : NULL;
    struct slice line = slice_of(text->data, end ? (size_t)(end - text->data) : text->size);
    size_t used = line.size + (end != NULL);

    *text = slice_of(text->data + used, text->size - used);
    return line;
}

static bool line_is(struct slice line, const char *key, struct slice *ret_rest)
{
    struct slice head = slice_text(key);

    if (!slice_starts(line, head))
        return false;
    *ret_rest = slice_of(line.data + head.size, line.size - head.size);
    return true;
}

bool golden_entry_next(struct slice *text, struct golden_entry *entry)
{
    struct slice rest;

    entry->name[0] = 0;
    buffer_clear(&entry->says);
    buffer_clear(&entry->bytes);
    while (text->size > 0) {
        struct slice line = line_next(text);

        if (line.size == 0 && entry->name[0])
            return true;
        if (line.size == 0 || line.data[0] == '#')
            continue;
        if (line_is(line, "name: ", &rest)) {
            snprintf(entry->name, sizeof entry->name, "%.*s", (int)rest.size,
                     (const char *)rest.data);
        } else if (line_is(line, "says: ", &rest)) {
            CHECK_OK(buffer_append(&entry->says, rest));
            CHECK_OK(buffer_append_u8(&entry->says, '\n'));
        } else if (line_is(line, "hex:", &rest)) {
            golden_unhex(rest, &entry->bytes);
        } else {
            test_failed(__FILE__, __LINE__, "not a line of a golden file: %.*s", (int)line.size,
                        (const char *)line.data);
        }
    }
    return entry->name[0] != 0;
}

/* ---- tables ---- */

bool golden_has(const struct golden *table, size_t count, unsigned kind)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].kind == kind)
            return true;
    }
    return false;
}

void golden_entry_append(struct buffer *text, const struct golden_entry *entry)
{
    struct slice left = buffer_slice(&entry->says);

    say(text, "\nname: %s\n", entry->name);
    while (left.size > 0) {
        struct slice line = line_next(&left);

        say(text, "says: %.*s\n", (int)line.size, (const char *)line.data);
    }
    say_hex(text, buffer_slice(&entry->bytes));
}

void golden_head_append(struct buffer *text, const char *title)
{
    say(text, "# %s\n", title);
    say(text, "# Written by `make golden`, never by hand: a change here is a change of format.\n");
}

static void table_write(const char *file, const char *title, const struct golden *table,
                        size_t count)
{
    struct buffer text;

    buffer_init(&text, GOLDEN_BYTES_MAX);
    golden_head_append(&text, title);
    for (size_t i = 0; i < count; i++) {
        struct golden_entry entry;

        golden_entry_init(&entry);
        snprintf(entry.name, sizeof entry.name, "%s", table[i].name);
        table[i].make(&entry.bytes);
        table[i].say(buffer_slice(&entry.bytes), &entry.says);
        golden_entry_append(&text, &entry);
        golden_entry_done(&entry);
    }
    golden_write(file, &text);
    buffer_done(&text);
}

/* The kept bytes are read as they were, written again as they are, and are what is written now. */
static void entry_check(const struct golden_entry *entry, const struct golden *golden)
{
    struct buffer says, again;

    buffer_init(&says, GOLDEN_BYTES_MAX);
    buffer_init(&again, GOLDEN_BYTES_MAX);
    golden->say(buffer_slice(&entry->bytes), &says);
    CHECK_BYTES(buffer_slice(&says), buffer_slice(&entry->says));
    golden->again(buffer_slice(&entry->bytes), &again);
    CHECK_BYTES(buffer_slice(&again), buffer_slice(&entry->bytes));
    buffer_clear(&again);
    golden->make(&again);
    CHECK_BYTES(buffer_slice(&again), buffer_slice(&entry->bytes));
    buffer_done(&says);
    buffer_done(&again);
}

void golden_check(const char *file, const char *title, const struct golden *table, size_t count)
{
    struct golden_entry entry;
    struct buffer text;
    struct slice left;

    if (golden_writes())
        table_write(file, title, table, count);
    buffer_init(&text, GOLDEN_BYTES_MAX);
    golden_entry_init(&entry);
    golden_read(file, &text);
    left = buffer_slice(&text);
    for (size_t i = 0; i < count; i++) {
        if (!golden_entry_next(&left, &entry))
            test_failed(__FILE__, __LINE__, "%s lacks `%s`: see tests/golden/golden.h", file,
                        table[i].name);
        CHECK_TEXT(entry.name, table[i].name);
        entry_check(&entry, &table[i]);
    }
    if (golden_entry_next(&left, &entry))
        test_failed(__FILE__, __LINE__, "%s has `%s`, which no table has", file, entry.name);
    golden_entry_done(&entry);
    buffer_done(&text);
}
