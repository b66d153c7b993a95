#include "store/subscription.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/version.h"
#include "store/keys.h"

enum { RECORD_VERSION = 1, RECORD_FIELDS = 2, RECORD_SIZE_MAX = SUBSCRIPTIONS_TEXT_MAX * 2 };

/* ---- names that fit ---- */

/* One character of UTF-8; of what is none, one byte. */
static size_t char_size(const char *text)
{
    size_t size = 1;

    while (((unsigned char)text[size] & 0xc0) == 0x80)
        size++;
    return size;
}

/* Does the next of the glob fit the beginning of the text? How much of each that takes. */
static bool glob_step(const char *glob, const char *text, size_t *ret_glob, size_t *ret_text)
{
    if (*glob == '?') {
        *ret_glob = 1;
        *ret_text = char_size(text);
        return true;
    }
    if (*glob == '\\')
        glob++;
    *ret_glob = *glob == 0 ? 0 : 1;
    *ret_text = 1;
    return *glob && *glob == *text;
}

/* The latest '*' takes as little as will do: so each of them is gone back to once a character. */
static bool glob_fits(const char *glob, const char *text)
{
    const char *star = NULL, *from = NULL;
    size_t of_glob, of_text;

    while (*text) {
        if (*glob == '*') {
            star = ++glob;
            from = text;
        } else if (*glob && glob_step(glob, text, &of_glob, &of_text)) {
            glob += of_glob + (*glob == '\\');
            text += of_text;
        } else if (star) {
            glob = star;
            from += char_size(from);
            text = from;
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return !*glob;
}

bool subscriptions_have(const struct subscriptions *list, const char *bucket)
{
    if (bucket[0] == '_')
        return true;
    for (size_t i = list->count; i-- > 0;) {
        const char *entry = list->entries[i];
        bool takes = entry[0] == '!';

        if (glob_fits(entry + takes, bucket))
            return !takes;
    }
    return false;
}

/* ---- lists ---- */

void subscriptions_done(struct subscriptions *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->entries[i]);
    mem_free(list->entries);
    *list = (struct subscriptions){0};
}

static int entry_check(struct slice entry)
{
    bool takes = entry.size > 0 && entry.data[0] == '!';

    if (entry.size > SUBSCRIPTION_TEXT_MAX)
        return NEAP_LIMIT;
    if (entry.size == takes || entry.data[entry.size - 1] == '\\')
        return NEAP_INVALID;
    for (size_t i = 0; i < entry.size; i++) {
        if (entry.data[i] < 0x20 || entry.data[i] == 0x7f || entry.data[i] == '/')
            return NEAP_INVALID;
    }
    return 0;
}

/* At the end of the list, which has room for SUBSCRIPTIONS_MAX or none yet. */
static int list_put(struct subscriptions *list, struct slice entry)
{
    int error = entry_check(entry);
    size_t size = entry.size;
    char *copy;

    for (size_t i = 0; i < list->count; i++)
        size += strlen(list->entries[i]);
    if (!error && (list->count == SUBSCRIPTIONS_MAX || size > SUBSCRIPTIONS_TEXT_MAX))
        error = NEAP_LIMIT;
    if (error)
        return error;
    if (!list->entries)
        list->entries = mem_new_array(SUBSCRIPTIONS_MAX, sizeof *list->entries);
    copy = list->entries ? mem_new(entry.size + 1) : NULL;
    if (!copy)
        return NEAP_NOMEM;
    memcpy(copy, entry.data, entry.size);
    list->entries[list->count++] = copy;
    return 0;
}

/* `error`: of what made the list. */
static int list_end(struct subscriptions *list, int error, struct subscriptions *ret_list)
{
    if (error)
        subscriptions_done(list);
    else
        *ret_list = *list;
    return error;
}

int subscriptions_copy(const struct subscriptions *from, struct subscriptions *ret_list)
{
    struct subscriptions list = {0};
    int error = 0;

    for (size_t i = 0; i < from->count && !error; i++)
        error = list_put(&list, slice_text(from->entries[i]));
    return list_end(&list, error, ret_list);
}

bool subscriptions_equal(const struct subscriptions *a, const struct subscriptions *b)
{
    bool equal = a->count == b->count;

    for (size_t i = 0; i < a->count && equal; i++)
        equal = !strcmp(a->entries[i], b->entries[i]);
    return equal;
}

int subscriptions_all(struct subscriptions *ret_list)
{
    return subscriptions_parse("*", ret_list);
}

bool subscriptions_are_all(const struct subscriptions *list)
{
    return list->count > 0 && !strcmp(list->entries[list->count - 1], "*");
}

int subscriptions_parse(const char *text, struct subscriptions *ret_list)
{
    struct subscriptions list = {0};
    int error = 0;

    while (!error && text[strspn(text, " \t")]) {
        size_t size;

        text += strspn(text, " \t");
        size = strcspn(text, ",");
        while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
            size--;
        error = list_put(&list, slice_of(text, size));
        text += strcspn(text, ",");
        if (!error && *text == ',' && !text[1 + strspn(text + 1, " \t")])
            error = NEAP_INVALID;
        text += *text == ',';
    }
    return list_end(&list, error, ret_list);
}

int subscriptions_check(const char *text)
{
    struct subscriptions list = {0};
    int error = subscriptions_parse(text, &list);

    subscriptions_done(&list);
    return error;
}

/* All entries but those that say something of just this name or glob. */
static int list_without(const struct subscriptions *from, const char *entry,
                        struct subscriptions *list)
{
    int error = 0;

    for (size_t i = 0; i < from->count && !error; i++) {
        const char *old = from->entries[i];

        if (strcmp(old + (old[0] == '!'), entry) != 0)
            error = list_put(list, slice_text(old));
    }
    return error;
}

static int list_set(const struct subscriptions *from, const char *entry, bool takes,
                    struct subscriptions *ret_list)
{
    bool all = !strcmp(entry, "*"), any = false;
    struct subscriptions list = {0};
    struct buffer text;
    int error = entry[0] == '!' ? NEAP_INVALID : entry_check(slice_text(entry));

    buffer_init(&text, SUBSCRIPTION_TEXT_MAX + 1);
    if (!error && !all)
        error = list_without(from, entry, &list);
    for (size_t i = 0; i < list.count; i++)
        any = any || list.entries[i][0] != '!';
    if (!error && takes)
        error = buffer_append(&text, slice_text("!"));
    if (!error)
        error = buffer_append(&text, slice_text(entry));
    if (!error && (!takes || any))
        error = list_put(&list, buffer_slice(&text));
    buffer_done(&text);
    if (!error && takes && !any) /* there is nothing to take it away from */
        subscriptions_done(&list);
    return list_end(&list, error, ret_list);
}

int subscriptions_add(const struct subscriptions *list, const char *entry,
                      struct subscriptions *ret_list)
{
    return list_set(list, entry, false, ret_list);
}

int subscriptions_remove(const struct subscriptions *list, const char *entry,
                         struct subscriptions *ret_list)
{
    return list_set(list, entry, true, ret_list);
}

/* ---- packed, and on disk ---- */

void subscriptions_write(struct writer *writer, const struct subscriptions *list)
{
    write_array(writer, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++)
        write_str(writer, list->entries[i]);
}

void subscriptions_read(struct reader *reader, struct subscriptions *ret_list)
{
    uint32_t count = read_array(reader, SUBSCRIPTIONS_MAX);
    struct subscriptions list = {0};

    for (uint32_t i = 0; i < count && !reader->error; i++) {
        struct slice entry = read_str(reader, SUBSCRIPTION_TEXT_MAX);
        int error = reader->error ? 0 : list_put(&list, entry);

        if (error)
            reader_fail(reader, error);
    }
    if (reader->error)
        subscriptions_done(&list);
    else
        *ret_list = list;
}

static int record_decode(struct slice bytes, struct subscriptions *ret_list)
{
    const struct versions reads = {.oldest = RECORD_VERSION, .newest = RECORD_VERSION};
    struct subscriptions list = {0};
    struct reader reader;
    int code;

    reader_init(&reader, bytes);
    code = version_read(&reader, reads, RECORD_FIELDS);
    if (code)
        return code;
    subscriptions_read(&reader, &list);
    code = reader_end(&reader);
    return list_end(&list, code && code != NEAP_NOMEM ? NEAP_CORRUPT : code, ret_list);
}

int subscriptions_load(const struct view *view, struct subscriptions *ret_list)
{
    struct buffer bytes;
    struct key key;
    int error;

    buffer_init(&bytes, RECORD_SIZE_MAX);
    key_meta(&key, 'P');
    error = view_get(view, DISK_META, key_slice(&key), &bytes);
    if (!error)
        error = record_decode(buffer_slice(&bytes), ret_list);
    buffer_done(&bytes);
    return error;
}

int subscriptions_save(struct batch *batch, const struct subscriptions *list)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;

    buffer_init(&bytes, RECORD_SIZE_MAX);
    writer_init(&writer, &bytes);
    write_array(&writer, RECORD_FIELDS);
    write_u64(&writer, RECORD_VERSION);
    subscriptions_write(&writer, list);
    key_meta(&key, 'P');
    if (!writer.error)
        writer.error = batch_put(batch, DISK_META, key_slice(&key), buffer_slice(&bytes));
    buffer_done(&bytes);
    return writer.error;
}
