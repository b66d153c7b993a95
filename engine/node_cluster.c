#include "engine/node_cluster.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

/* Gossip keeps the other half of its table for nodes that dial in. */
enum { PEERS_LISTED_MAX = PEERS_MAX / 2 };

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
