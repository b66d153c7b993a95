#include "engine/node_cluster.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/error.h"

enum { CLUSTER_FILE_MAX = 4096, KEY_DIGITS_MAX = 64, ID_DIGITS = 16 };
/* Gossip keeps the other half of its table for nodes that dial in. */
enum { PEERS_LISTED_MAX = PEERS_MAX / 2 };

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

static int cluster_check(FILE *file, const char *path, struct neap_error *error)
{
    struct stat status;

    if (fstat(fileno(file), &status))
        return error_set(error, NEAP_IO, "cluster: %.150s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(error, NEAP_INVALID, "cluster: %.150s: not a file", path);
    if (status.st_mode & (S_IRWXG | S_IRWXO))
        return error_set(error, NEAP_REFUSED,
                         "cluster: %.150s: its key is not secret while others may read it: "
                         "chmod 600 it",
                         path);
    return 0;
}

int cluster_read(const char *path, struct cluster *ret_cluster, struct neap_error *error)
{
    char text[CLUSTER_FILE_MAX + 1];
    FILE *file = fopen(path, "re");
    size_t size;
    int code;

    if (!file)
        return error_set(error, errno == ENOENT ? NEAP_NOTFOUND : NEAP_REFUSED,
                         "cluster: %.150s: %s", path, strerror(errno));
    code = cluster_check(file, path, error);
    size = code ? 0 : fread(text, 1, sizeof text, file);
    if (!code && (ferror(file) || size == sizeof text))
        code = error_set(error, NEAP_INVALID, "cluster: %.150s: not a cluster file", path);
    fclose(file);
    if (code)
        return code;
    text[size] = '\0';
    return cluster_parse(text, path, ret_cluster, error);
}

static int peer_add(struct peer_list *list, const char *address, const char *own,
                    struct neap_error *error)
{
    if (!*address)
        return error_set(error, NEAP_INVALID, "peers: an address between two commas is empty");
    if (!net_address_is_local(address))
        return error_set(error, NEAP_REFUSED,
                         "peers: %.150s: only loopback, until there is trust between nodes",
                         address);
    if (own && !strcmp(own, address))
        return 0;
    for (size_t i = 0; i < list->count; i++)
        if (!strcmp(list->addresses[i], address))
            return error_set(error, NEAP_INVALID, "peers: %.150s is there twice", address);
    if (list->count == PEERS_LISTED_MAX)
        return error_set(error, NEAP_LIMIT, "peers: more than %d", PEERS_LISTED_MAX);
    list->addresses[list->count++] = address;
    return 0;
}

int peer_list_read(const char *text, const char *own, struct peer_list *ret_list,
                   struct neap_error *error)
{
    struct peer_list list = {.text = mem_text(text)};
    char *at = list.text;
    int code = 0;

    *ret_list = (struct peer_list){0};
    if (!text || !*text) {
        mem_free(list.text);
        return 0;
    }
    if (!list.text)
        return error_set(error, NEAP_NOMEM, "peers: %s", error_text(NEAP_NOMEM));
    while (!code && at) {
        char *comma = strchr(at, ',');

        if (comma)
            *comma++ = '\0';
        code = peer_add(&list, trim(at), own, error);
        at = comma;
    }
    if (code)
        peer_list_done(&list);
    else
        *ret_list = list;
    return code;
}

void peer_list_done(struct peer_list *list)
{
    mem_free(list->text);
    *list = (struct peer_list){0};
}
