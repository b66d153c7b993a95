/* The member list as `neap peers` shows it: each node that is in it, and whoever else is here. */
#include <string.h>

#include "base/error.h"
#include "engine/status.h"

/* The entry of a node among the peers; false: there is none. */
static bool peer_of(const struct gossip *gossip, uint64_t node, struct peer_status *ret_status)
{
    for (size_t i = 0; i < gossip_peers(gossip); i++) {
        gossip_peer_status(gossip, i, ret_status);
        if (ret_status->node == node || ret_status->named == node)
            return true;
    }
    return false;
}

static json_t *addresses_json(const struct roster_row *row)
{
    json_t *array = json_array();

    for (unsigned i = 0; array && i < row->addresses_count; i++)
        if (json_array_append_new(array, json_text(row->addresses[i]))) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* `row` may have but a node. */
static json_t *row_json(const struct roster_row *row, bool listed)
{
    return json_pack("{so, ss, ss, so, sI, sb}", "node",
                     row->node ? json_hex(row->node) : json_null(), "name", row->name, "zone",
                     row->zone, "addresses", addresses_json(row), "weight", (json_int_t)row->weight,
                     "listed", listed);
}

static const char *state_text(const struct gossip *gossip, uint64_t node)
{
    struct swim_member member;

    return gossip_find_member(gossip, node, &member) ? member_state_text(member.state) : "unknown";
}

static json_t *member_json(const struct gossip *gossip, const struct roster_row *row, bool listed,
                           const struct peer_status *peer, struct now now)
{
    json_t *json = row_json(row, listed), *more;

    more = json_pack(
        "{ss, sb, so, sI, sb, so, so}", "state", state_text(gossip, row->node), "connected",
        peer && peer->connected, "heard_ms_ago",
        peer && peer->heard_ms ? json_number(now.mono_ms - peer->heard_ms) : json_null(), "behind",
        (json_int_t)(peer ? peer->lag : 0), "retired", peer && peer->retired, "principal",
        peer && strcmp(peer->principal, "nobody") ? json_text(peer->principal) : json_null(),
        "last_error", peer && peer->last_error[0] ? json_text(peer->last_error) : json_null());
    if (!json || !more || json_object_update(json, more)) {
        json_decref(json);
        json = NULL;
    }
    json_decref(more);
    return json;
}

/* Takes over the item. */
static void array_put(json_t **array, json_t *item)
{
    if (*array && json_array_append_new(*array, item)) {
        json_decref(*array);
        *array = NULL;
    }
}

static json_t *listed_json(const struct engine *engine, const struct roster *roster, struct now now)
{
    const struct roster_list *list = &roster->lists[ROSTER_MEMBERS];
    const struct gossip *gossip = engine->gossip;
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++) {
        struct peer_status peer;
        bool found;

        if (list->rows[i].node == engine->store.identity.node)
            continue;
        found = peer_of(gossip, list->rows[i].node, &peer);
        array_put(&array, member_json(gossip, &list->rows[i], true, found ? &peer : NULL, now));
    }
    /* Devices, who dialled in and has no record, and addresses where nobody was met. */
    for (size_t i = 0; i < gossip_peers(gossip); i++) {
        struct roster_row row = {.weight = 0};
        struct peer_status peer;

        gossip_peer_status(gossip, i, &peer);
        row.node = peer.node;
        if (peer.named || roster_find(roster, ROSTER_MEMBERS, peer.node))
            continue;
        if (peer.address[0] && strlen(peer.address) < ROSTER_ADDRESS_MAX)
            memcpy(row.addresses[row.addresses_count++], peer.address, strlen(peer.address) + 1);
        array_put(&array, member_json(gossip, &row, false, &peer, now));
    }
    return array;
}

static json_t *forgotten_json(const struct roster *roster)
{
    const struct roster_list *list = &roster->lists[ROSTER_FORGOTTEN];
    json_t *array = json_array();

    for (size_t i = 0; i < list->count; i++)
        array_put(&array, row_json(&list->rows[i], false));
    return array;
}

static const struct roster *roster_none(void)
{
    static const struct roster none;

    return &none;
}

json_t *roster_json(const struct engine *engine, struct now now)
{
    const struct gossip *gossip = engine->gossip;
    uint64_t version, own = engine->store.identity.node;
    const struct roster *roster = gossip ? gossip_roster(gossip, &version) : roster_none();
    const struct roster_row *row = roster_find(roster, ROSTER_MEMBERS, own);
    const struct roster_row unlisted = {.node = own};

    return json_pack("{so, so, so, sI}", "self", row_json(row ? row : &unlisted, row), "peers",
                     gossip ? listed_json(engine, roster, now) : json_array(), "forgotten",
                     forgotten_json(roster), "left_out",
                     (json_int_t)roster->lists[ROSTER_MEMBERS].left_out);
}
