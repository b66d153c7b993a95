/* The file `cluster`. */
#include "trust/cluster.h"

#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "trust/secret.h"

enum { KEY_DIGITS_MAX = 64, ID_DIGITS = 16 };

/* Exactly so many digits, at least two for each byte: the bytes are those of the first. */
static bool key_read(const char *text, size_t digits, uint8_t *ret_bytes, size_t size)
{
    uint8_t all[KEY_DIGITS_MAX / 2];
    bool fits = strlen(text) == digits && hex_read(text, all, digits / 2);

    if (fits)
        memcpy(ret_bytes, all, size);
    secret_wipe(all, sizeof all);
    return fits;
}

/* One line, which is changed. */
static int cluster_line(char *line, const char *path, struct cluster *cluster, bool *ret_id,
                        bool *ret_key, struct neap_error *error)
{
    char *comment = strchr(line, '#'), *equals, *name, *value;

    if (comment)
        *comment = '\0';
    name = text_trim(line);
    if (!*name)
        return 0;
    equals = strchr(name, '=');
    if (!equals)
        return error_set(error, NEAP_INVALID, "cluster: %.150s: a line is not NAME = VALUE", path);
    *equals = '\0';
    value = text_trim(equals + 1);
    name = text_trim(name);
    if (!strcmp(name, "cluster")) {
        *ret_id = strlen(value) == ID_DIGITS && hex_read_u64(value, &cluster->id);
        if (*ret_id && cluster->id)
            return 0;
        return error_set(error, NEAP_INVALID,
                         "cluster: %.150s: `cluster` is 16 hex digits, and not 0", path);
    }
    if (!strcmp(name, "key")) {
        *ret_key =
            key_read(value, KEY_DIGITS_MAX, cluster->key.bytes, sizeof cluster->key.bytes) ||
            key_read(value, KEY_DIGITS_MAX / 2, cluster->key.bytes, sizeof cluster->key.bytes);
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
