#include "store/manifest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "base/version.h"

static const struct versions reads = {1, MANIFEST_VERSION};
static const char sum_word[] = "# sum ";
enum { SUM_WORD = sizeof sum_word - 1, SUM_LINE = SUM_WORD + CHECKSUM_DIGITS + 1 };

void manifest_done(struct manifest *manifest)
{
    mem_free(manifest->files);
    *manifest = (struct manifest){0};
}

/* ctype.h would ask the locale. */
static bool is_letter_or_digit(char sign)
{
    return (sign >= 'a' && sign <= 'z') || (sign >= 'A' && sign <= 'Z') ||
           (sign >= '0' && sign <= '9');
}

bool manifest_name_is_fine(const char *name)
{
    size_t i;

    if (!is_letter_or_digit(name[0]) || !strcmp(name, MANIFEST_NAME))
        return false;
    for (i = 0; name[i]; i++)
        if (i == MANIFEST_NAME_MAX || (!is_letter_or_digit(name[i]) && !strchr("-_.", name[i])))
            return false;
    return true;
}

int manifest_add(struct manifest *manifest, const char *name, uint64_t size,
                 const struct checksum *sum)
{
    struct manifest_file *files;

    if (!manifest_name_is_fine(name))
        return NEAP_INVALID;
    if (manifest->count == MANIFEST_FILES_MAX || size > UINT64_MAX - manifest->bytes)
        return NEAP_LIMIT;
    files = mem_reserve(manifest->files, manifest->count, &manifest->room, 1, sizeof *files);
    if (!files)
        return NEAP_NOMEM;
    manifest->files = files;
    files += manifest->count++;
    *files = (struct manifest_file){.size = size, .sum = *sum};
    memcpy(files->name, name, strlen(name));
    manifest->bytes += size;
    return 0;
}

static int files_order(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->name, ((const struct manifest_file *)b)->name);
}

int manifest_sort(struct manifest *manifest)
{
    size_t i;

    if (manifest->count)
        qsort(manifest->files, manifest->count, sizeof *manifest->files, files_order);
    for (i = 1; i < manifest->count; i++)
        if (!files_order(&manifest->files[i - 1], &manifest->files[i]))
            return NEAP_INVALID;
    return 0;
}

const struct manifest_file *manifest_find(const struct manifest *manifest, const char *name)
{
    size_t low = 0, high = manifest->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(manifest->files[middle].name, name);

        if (!order)
            return &manifest->files[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- writing ---- */

static int line_write(struct buffer *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int line_write(struct buffer *text, const char *format, ...)
{
    char line[256];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    must(size > 0 && (size_t)size < sizeof line);
    return buffer_append(text, slice_of(line, (size_t)size));
}

static int file_write(struct buffer *text, const struct manifest_file *file)
{
    char sum[CHECKSUM_DIGITS + 1];

    checksum_text(&file->sum, sum);
    return line_write(text, "# size %" PRIu64 "\n%s  %s\n", file->size, sum, file->name);
}

static int text_write(const struct manifest *manifest, struct buffer *text)
{
    char digits[CHECKSUM_DIGITS + 1];
    size_t i, begin = text->size;
    struct checksum sum;
    int error;

    error = line_write(
        text, "# neap backup %d\n# release %s\n# node %016" PRIx64 "\n# made %" PRIu64 "\n",
        MANIFEST_VERSION, manifest->release, manifest->node, manifest->made_ms);
    for (i = 0; !error && i < manifest->count; i++)
        error = file_write(text, &manifest->files[i]);
    if (!error)
        error = line_write(text, "# files %zu\n", manifest->count);
    if (error)
        return error;
    sum = checksum_of(slice_of(text->data + begin, text->size - begin));
    checksum_text(&sum, digits);
    return line_write(text, "%s%s\n", sum_word, digits);
}

int manifest_write(const struct manifest *manifest, struct buffer *ret_text)
{
    size_t before = ret_text->size;
    int error = text_write(manifest, ret_text);

    if (error)
        ret_text->size = before;
    return error;
}

/* ---- reading ---- */

/* Takes these words from the front. */
static bool take(struct slice *text, const char *words)
{
    struct slice wanted = slice_text(words);

    if (!slice_starts(*text, wanted))
        return false;
    *text = slice_of(text->data + wanted.size, text->size - wanted.size);
    return true;
}

/* Takes what comes before a sign, and the sign; into room for size_max bytes and a zero. */
static bool take_until(struct slice *text, char sign, char *ret_word, size_t size_max)
{
    const uint8_t *end = text->size ? memchr(text->data, sign, text->size) : NULL;
    size_t size = end ? (size_t)(end - text->data) : 0;

    if (!end || size > size_max || memchr(text->data, 0, size))
        return false;
    memcpy(ret_word, text->data, size);
    ret_word[size] = 0;
    *text = slice_of(end + 1, text->size - size - 1);
    return true;
}

/* A number and the end of its line; one way to write each. */
static bool take_number(struct slice *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    char word[21];
    size_t i;

    if (!take_until(text, '\n', word, sizeof word - 1) || !word[0] || (word[0] == '0' && word[1]))
        return false;
    for (i = 0; word[i]; i++) {
        unsigned digit = (unsigned)(word[i] - '0');

        if (digit > 9 || number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *ret_number = number;
    return true;
}

static bool take_node(struct slice *text, uint64_t *ret_node)
{
    char word[17];

    return take_until(text, '\n', word, sizeof word - 1) && strlen(word) == sizeof word - 1 &&
           hex_read_u64(word, ret_node);
}

/* The last line, which is taken off: is all as it was written? */
static bool take_sum(struct slice *text)
{
    struct checksum found, expected;
    struct slice line;

    if (text->size < SUM_LINE)
        return false;
    text->size -= SUM_LINE;
    line = slice_of(text->data + text->size, SUM_LINE);
    if (!take(&line, sum_word) || line.data[CHECKSUM_DIGITS] != '\n' ||
        !checksum_parse(slice_of(line.data, CHECKSUM_DIGITS), &expected))
        return false;
    found = checksum_of(*text);
    return checksum_equal(&found, &expected);
}

static int file_read(struct slice *text, struct manifest *manifest)
{
    char name[MANIFEST_NAME_MAX + 1];
    struct checksum sum;
    uint64_t size;

    if (!take_number(text, &size) || text->size < CHECKSUM_DIGITS ||
        !checksum_parse(slice_of(text->data, CHECKSUM_DIGITS), &sum))
        return NEAP_CORRUPT;
    *text = slice_of(text->data + CHECKSUM_DIGITS, text->size - CHECKSUM_DIGITS);
    if (!take(text, "  ") || !take_until(text, '\n', name, MANIFEST_NAME_MAX))
        return NEAP_CORRUPT;
    if (manifest->count && strcmp(manifest->files[manifest->count - 1].name, name) >= 0)
        return NEAP_CORRUPT;
    return manifest_add(manifest, name, size, &sum);
}

static int text_read(struct slice text, struct manifest *manifest, struct neap_error *error)
{
    uint64_t number;
    int code = 0;

    if (!take_sum(&text) || !take(&text, "# neap backup ") || !take_number(&text, &number))
        return NEAP_CORRUPT;
    code = version_refuse(number, reads, "the backup", error);
    if (code)
        return code;
    if (!take(&text, "# release ") ||
        !take_until(&text, '\n', manifest->release, MANIFEST_RELEASE_MAX) ||
        !take(&text, "# node ") || !take_node(&text, &manifest->node) || !take(&text, "# made ") ||
        !take_number(&text, &manifest->made_ms))
        return NEAP_CORRUPT;
    while (!code && take(&text, "# size "))
        code = file_read(&text, manifest);
    if (!code && (!take(&text, "# files ") || !take_number(&text, &number) ||
                  number != manifest->count || text.size))
        code = NEAP_CORRUPT;
    return code;
}

int manifest_read(struct slice text, struct manifest *ret_manifest, struct neap_error *error)
{
    struct manifest manifest = {0};
    int code = text_read(text, &manifest, error);

    if (!code) {
        *ret_manifest = manifest;
        return 0;
    }
    manifest_done(&manifest);
    if (code == NEAP_FORMAT)
        return code;
    if (code == NEAP_NOMEM)
        return error_set(error, code, "%s", error_text(code));
    return error_set(error, NEAP_CORRUPT, "the list of the backup's files is damaged");
}
