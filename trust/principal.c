#include "trust/principal.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "base/text.h"

enum { NUMBER_DIGITS = 16, BUCKET_MAX = 255 };

static const char scheme[] = "neap://";
static const char unreserved[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

static const char *const kind_names[] = {[PRINCIPAL_NONE] = NULL,
                                         [PRINCIPAL_NODE] = "node",
                                         [PRINCIPAL_DEVICE] = "device",
                                         [PRINCIPAL_CLIENT] = "client",
                                         [PRINCIPAL_JOIN] = "join"};

enum { KINDS = sizeof kind_names / sizeof kind_names[0] };

/* ---- reading: each takes what it reads off the front ---- */

static bool take_text(struct slice *text, const char *expected)
{
    struct slice prefix = slice_text(expected);

    if (!slice_starts(*text, prefix))
        return false;
    *text = slice_of(text->data + prefix.size, text->size - prefix.size);
    return true;
}

static int digit_value(uint8_t digit, char ten)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    return digit >= ten && digit < ten + 6 ? digit - ten + 10 : -1;
}

static bool take_number(struct slice *text, uint64_t *ret_number)
{
    if (text->size < NUMBER_DIGITS || !hex_read_u64((const char *)text->data, ret_number))
        return false;
    *text = slice_of(text->data + NUMBER_DIGITS, text->size - NUMBER_DIGITS);
    return *ret_number != 0;
}

static bool is_unreserved(uint8_t byte)
{
    return byte && strchr(unreserved, byte);
}

/* One way to write a name, so that what is read is what is written again. */
static bool take_byte(struct slice *text, char *ret_byte)
{
    int high, low, byte;

    if (text->size && is_unreserved(text->data[0])) {
        *ret_byte = (char)text->data[0];
        *text = slice_of(text->data + 1, text->size - 1);
        return true;
    }
    if (text->size < 3 || text->data[0] != '%')
        return false;
    high = digit_value(text->data[1], 'A');
    low = digit_value(text->data[2], 'A');
    if (high < 0 || low < 0)
        return false;
    byte = high << 4 | low;
    if (byte == 0 || byte == '/' || is_unreserved((uint8_t)byte))
        return false;
    *ret_byte = (char)byte;
    *text = slice_of(text->data + 3, text->size - 3);
    return true;
}

static bool bucket_read(struct slice text, char ret_bucket[BUCKET_MAX + 1])
{
    size_t size = 0;

    if (slice_equal(text, slice_text("*"))) {
        memcpy(ret_bucket, "*", 2);
        return true;
    }
    while (text.size && (size < BUCKET_MAX || BROKEN("name-any-size")))
        if (!take_byte(&text, &ret_bucket[size++]))
            return false;
    ret_bucket[size] = '\0';
    return size > 0 && text.size == 0 && strcmp(ret_bucket, "*") != 0;
}

/* ---- what a URI adds ---- */

int principal_named(struct slice text, struct principal *ret_principal)
{
    for (unsigned kind = PRINCIPAL_NODE; kind < KINDS; kind++) {
        struct slice rest = text;
        uint64_t id;

        if (!take_text(&rest, kind_names[kind]) || !take_text(&rest, "/"))
            continue;
        if (!take_number(&rest, &id) || rest.size)
            return NEAP_INVALID;
        *ret_principal = (struct principal){.kind = (enum principal_kind)kind, .id = id};
        return 0;
    }
    return NEAP_INVALID;
}

static int name_add(struct principal *principal, uint64_t cluster, struct slice text)
{
    int code = principal_named(text, principal);

    if (!code)
        principal->cluster = cluster;
    return code;
}

static struct principal_right *right_find(const struct principal *principal, const char *bucket)
{
    for (size_t i = 0; i < principal->rights_count; i++)
        if (!strcmp(principal->rights[i].bucket, bucket))
            return &principal->rights[i];
    return NULL;
}

/* The whole room at once: principals are few, and what is added is all or nothing so. */
static int right_append(struct principal *principal, const char *bucket, unsigned may)
{
    char *copy;

    if (principal->rights_count == PRINCIPAL_RIGHTS_MAX)
        return NEAP_LIMIT;
    if (!principal->rights)
        principal->rights = mem_new_array(PRINCIPAL_RIGHTS_MAX, sizeof *principal->rights);
    copy = principal->rights ? mem_text(bucket) : NULL;
    if (!copy)
        return NEAP_NOMEM;
    principal->rights[principal->rights_count++] =
        (struct principal_right){.bucket = copy, .may = may};
    return 0;
}

int principal_give(struct principal *principal, const char *bucket, unsigned may)
{
    struct principal_right *right;
    size_t size = strnlen(bucket, BUCKET_MAX + 1);

    if (principal->kind == PRINCIPAL_NONE || principal->kind == PRINCIPAL_NODE || !size ||
        size > BUCKET_MAX || strchr(bucket, '/'))
        return NEAP_INVALID;
    if (may & RIGHT_WRITE)
        may |= RIGHT_READ;
    right = right_find(principal, bucket);
    if (!right)
        return right_append(principal, bucket, may);
    right->may |= may;
    return 0;
}

static int right_add(struct principal *principal, struct slice text)
{
    char bucket[BUCKET_MAX + 1];
    unsigned may = RIGHT_READ;

    if (take_text(&text, "write/"))
        may |= RIGHT_WRITE;
    else if (!take_text(&text, "read/"))
        return NEAP_INVALID;
    return bucket_read(text, bucket) ? principal_give(principal, bucket, may) : NEAP_INVALID;
}

int principal_add(struct principal *principal, struct slice uri)
{
    uint64_t cluster;

    if (uri.size >= PRINCIPAL_URI_MAX || !take_text(&uri, scheme) || !take_number(&uri, &cluster) ||
        !take_text(&uri, "/"))
        return NEAP_INVALID;
    if (principal->kind == PRINCIPAL_NONE)
        return name_add(principal, cluster, uri);
    return cluster == principal->cluster ? right_add(principal, uri) : NEAP_INVALID;
}

/* ---- writing ---- */

void fingerprint_text(const uint8_t print[FINGERPRINT_SIZE], char ret_text[FINGERPRINT_TEXT_MAX])
{
    hex_write(slice_of(print, FINGERPRINT_SIZE), ret_text);
}

static void bucket_write(const char *bucket, char *ret_text)
{
    if (!strcmp(bucket, "*")) {
        memcpy(ret_text, "*", 2);
        return;
    }
    for (; *bucket; bucket++) {
        if (is_unreserved((uint8_t)*bucket))
            *ret_text++ = *bucket;
        else
            ret_text += snprintf(ret_text, 4, "%%%02X", (unsigned)(uint8_t)*bucket);
    }
    *ret_text = '\0';
}

bool principal_uri(const struct principal *principal, size_t index,
                   char ret_text[PRINCIPAL_URI_MAX])
{
    const struct principal_right *right;
    int size;

    if (principal->kind == PRINCIPAL_NONE || index > principal->rights_count)
        return false;
    size = snprintf(ret_text, PRINCIPAL_URI_MAX, "%s%016llx/", scheme,
                    (unsigned long long)principal->cluster);
    ret_text += size;
    if (index == 0) {
        snprintf(ret_text, PRINCIPAL_URI_MAX - (size_t)size, "%s/%016llx",
                 kind_names[principal->kind], (unsigned long long)principal->id);
        return true;
    }
    right = &principal->rights[index - 1];
    ret_text += snprintf(ret_text, PRINCIPAL_URI_MAX - (size_t)size, "%s/",
                         right->may & RIGHT_WRITE ? "write" : "read");
    bucket_write(right->bucket, ret_text);
    return true;
}

const char *principal_text(const struct principal *principal, char ret_text[PRINCIPAL_TEXT_MAX])
{
    if (principal->kind == PRINCIPAL_NONE)
        snprintf(ret_text, PRINCIPAL_TEXT_MAX, "nobody");
    else
        snprintf(ret_text, PRINCIPAL_TEXT_MAX, "%s/%016llx", kind_names[principal->kind],
                 (unsigned long long)principal->id);
    return ret_text;
}

/* ---- the rest ---- */

unsigned principal_may(const struct principal *principal, const char *bucket)
{
    const struct principal_right *right;
    unsigned may = 0;

    if (principal->kind == PRINCIPAL_NODE || principal->kind == PRINCIPAL_NONE)
        return RIGHT_READ | RIGHT_WRITE;
    if (principal->kind == PRINCIPAL_JOIN)
        return 0;
    right = right_find(principal, bucket);
    if (right)
        may |= right->may;
    right = right_find(principal, "*");
    if (right)
        may |= right->may;
    return may;
}

bool principal_equal(const struct principal *a, const struct principal *b)
{
    return a->kind == b->kind && a->cluster == b->cluster && a->id == b->id;
}

int principal_copy(const struct principal *from, struct principal *ret_to)
{
    struct principal copy = {.kind = from->kind, .cluster = from->cluster, .id = from->id};
    int error = 0;

    for (size_t i = 0; i < from->rights_count && !error; i++)
        error = right_append(&copy, from->rights[i].bucket, from->rights[i].may);
    if (error) {
        principal_done(&copy);
        return error;
    }
    *ret_to = copy;
    return 0;
}

void principal_done(struct principal *principal)
{
    for (size_t i = 0; i < principal->rights_count; i++)
        mem_free(principal->rights[i].bucket);
    mem_free(principal->rights);
    *principal = (struct principal){0};
}
