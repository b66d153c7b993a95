#include "engine/node_cluster.h"

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

void peer_list_done(struct peer_list *list)
{
    mem_free(list->text);
    *list = (struct peer_list){0};
}
