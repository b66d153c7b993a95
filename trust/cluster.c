/* The file `cluster`. */
#include "trust/cluster.h"

#include <stdio.h>

#include "base/error.h"
#include "trust/secret.h"

enum { KEY_DIGITS_MAX = 64, ID_DIGITS = 16 };

static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = digit ? strchr(digits, digit) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* Exactly `count` digits and no more; the first 2 * size of them are kept. */
static bool hex_read(const char *text, size_t count, uint8_t *ret_bytes, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        int digit = hex_digit(text[i]);

        if (digit < 0)
            return false;
        if (i / 2 < size)
            ret_bytes[i / 2] = (uint8_t)(i % 2 ? ret_bytes[i / 2] | digit : digit << 4);
    }
    return text[count] == '\0';
}

static const char blanks[] = " \t\r";

static char *trim(char *text)
{
    char *end;

    text += strspn(text, blanks);
    end = text + strlen(text);
    while (end > text && strchr(blanks, end[-1]))
        *--end = '\0';
    return text;
}

/* One line, which is changed. */
static int cluster_line(char *line, const char *path, struct cluster *cluster, bool *ret_id,
                        bool *ret_key, struct neap_error *error)
{
    char *comment = strchr(line, '#'), *equals, *name, *value;
    uint8_t id[8];

    if (comment)
        *comment = '\0';
    name = trim(line);
    if (!*name)
        return 0;
    equals = strchr(name, '=');
    if (!equals)
        return error_set(error, NEAP_INVALID, "cluster: %.150s: a line is not NAME = VALUE", path);
    *equals = '\0';
    value = trim(equals + 1);
    name = trim(name);
    if (!strcmp(name, "cluster")) {
        *ret_id = hex_read(value, ID_DIGITS, id, sizeof id);
        cluster->id = *ret_id ? bytes_get_u64(id) : 0;
        if (cluster->id)
            return 0;
        return error_set(error, NEAP_INVALID,
                         "cluster: %.150s: `cluster` is 16 hex digits, and not 0", path);
    }
    if (!strcmp(name, "key")) {
        *ret_key =
            hex_read(value, KEY_DIGITS_MAX, cluster->key.bytes, sizeof cluster->key.bytes) ||
            hex_read(value, KEY_DIGITS_MAX / 2, cluster->key.bytes, sizeof cluster->key.bytes);
        if (*ret_key)
            return 0;
        return error_set(error, NEAP_INVALID, "cluster: %.150s: `key` is 64 hex digits", path);
    }
    return error_set(error, NEAP_INVALID, "cluster: %.150s: %.30s is not known", path, name);
}

int cluster_parse(const char *text, const char *path, struct cluster *ret_cluster,
                  struct neap_error *error)
{
    struct cluster cluster = {0};
    bool has_id = false, has_key = false;
    char line[256];
    int code = 0;

    while (!code && *text) {
        size_t size = strcspn(text, "\n");

        if (size >= sizeof line)
            return error_set(error, NEAP_INVALID, "cluster: %.150s: a line is too long", path);
        memcpy(line, text, size);
        line[size] = '\0';
        code = cluster_line(line, path, &cluster, &has_id, &has_key, error);
        text += size + (text[size] == '\n');
    }
    if (code)
        return code;
    if (!has_id || !has_key)
        return error_set(error, NEAP_INVALID, "cluster: %.150s: `%s` is missing", path,
                         has_id ? "key" : "cluster");
    *ret_cluster = cluster;
    return 0;
}

int cluster_read(const char *path, struct cluster *ret_cluster, struct neap_error *error)
{
    struct buffer text;
    int code = secret_read(path, SECRET_KEY, "cluster", &text, error);

    if (code)
        return code;
    code = cluster_parse((const char *)text.data, path, ret_cluster, error);
    secret_done(&text);
    return code;
}
