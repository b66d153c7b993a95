#include "engine/node_cluster.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"

/* Gossip keeps the other half of its table for nodes that dial in. */
enum { PEERS_LISTED_MAX = PEERS_MAX / 2 };

int address_check(const char *address, bool trusted, const char *what, struct neap_error *error)
{
    int code = net_address_check(address, trusted, what, error);

    if (code || !trusted || net_address_is_tls(address) || !strncmp(address, "ipc://", 6))
        return code;
    return error_set(error, NEAP_REFUSED,
                     "%s: %.100s: this cluster has certificates, and without TLS nobody shows one: "
                     "use tls+tcp://HOST:PORT",
                     what, address);
}

const char *address_told(const char *address)
{
    static const char *const anywhere[] = {"0.0.0.0:", "[::]:", "*:", ":"};
    const char *host = address ? strstr(address, "://") : NULL;

    for (size_t i = 0; host && i < sizeof anywhere / sizeof anywhere[0]; i++)
        if (!strncmp(host + 3, anywhere[i], strlen(anywhere[i])))
            return "";
    return address ? address : "";
}

static int peer_add(struct peer_list *list, const char *address, const char *own, bool trusted,
                    struct neap_error *error)
{
    int code;

    if (!*address)
        return error_set(error, NEAP_INVALID, "peers: an address between two commas is empty");
    code = address_check(address, trusted, "peers", error);
    if (code)
        return code;
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

int peer_list_read(const char *text, const char *own, bool trusted, struct peer_list *ret_list,
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
        code = peer_add(&list, text_trim(at), own, trusted, error);
        at = comma;
    }
    if (code)
        peer_list_done(&list);
    else
        *ret_list = list;
    return code;
}

/* ---- its own record ---- */

static int own_address(struct roster_row *row, const char *address, bool trusted,
                       struct neap_error *error)
{
    int code = address_check(address, trusted, "advertise", error);

    if (code)
        return code;
    if (!roster_address_is(address) || !*address_told(address))
        return error_set(error, NEAP_INVALID,
                         "advertise: %.100s: not an address that others could connect to", address);
    if (row->addresses_count == ROSTER_ADDRESSES_MAX)
        return error_set(error, NEAP_LIMIT, "advertise: more than %d addresses",
                         ROSTER_ADDRESSES_MAX);
    snprintf(row->addresses[row->addresses_count++], ROSTER_ADDRESS_MAX, "%s", address);
    return 0;
}

static int own_addresses(struct roster_row *row, const char *text, bool trusted,
                         struct neap_error *error)
{
    char *copy = mem_text(text), *at = copy;
    int code = 0;

    if (!copy)
        return error_set(error, NEAP_NOMEM, "advertise: %s", error_text(NEAP_NOMEM));
    while (!code && at && *text) {
        char *comma = strchr(at, ',');

        if (comma)
            *comma++ = '\0';
        code = own_address(row, text_trim(at), trusted, error);
        at = comma;
    }
    mem_free(copy);
    return code;
}

static int own_name(char ret_name[ROSTER_NAME_MAX], const char *name, const char *what,
                    struct neap_error *error)
{
    if (!name)
        return 0;
    if (!roster_name_is(name))
        return error_set(error, NEAP_INVALID, "%s: %.100s: up to %d letters, digits, '.', '_', '-'",
                         what, name, ROSTER_NAME_MAX - 1);
    snprintf(ret_name, ROSTER_NAME_MAX, "%s", name);
    return 0;
}

/* The port is picked when it is listened on. */
static bool ends_in_zero(const char *address)
{
    size_t size = strlen(address);

    return size > 2 && !strcmp(address + size - 2, ":0");
}

int own_row(const struct advertising *from, bool trusted, struct roster_row *ret_row,
            struct neap_error *error)
{
    struct roster_row row = {.weight = from->weight ? from->weight : ROSTER_WEIGHT};
    const char *told = address_told(from->listen);
    int code = own_name(row.name, from->name, "name", error);

    if (!code)
        code = own_name(row.zone, from->zone, "zone", error);
    if (!code && from->advertise)
        code = own_addresses(&row, from->advertise, trusted, error);
    else if (!code && *told && roster_address_is(told) && !ends_in_zero(told))
        snprintf(row.addresses[row.addresses_count++], ROSTER_ADDRESS_MAX, "%s", told);
    if (!code)
        *ret_row = row;
    return code;
}

/* ---- */

void peer_list_done(struct peer_list *list)
{
    mem_free(list->text);
    *list = (struct peer_list){0};
}
