/* Which buckets this node holds: verbs subscribe, unsubscribe and subscriptions, and the copy of
 * the list that readers ask, who are in threads of their own. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/node.h"
#include "engine/status.h"

/* ---- for readers ---- */

static int rings_look(struct node *node)
{
    const struct gossip *gossip = node->wheel.engine.gossip;
    struct rings copy = {0}, old;
    uint64_t version;
    int code;

    if (!gossip)
        return 0;
    gossip_rings(gossip, &version);
    if (version == node->rings_version)
        return 0;
    code = rings_copy(gossip_rings(gossip, NULL), &copy);
    if (code)
        return code;
    node_lock(node);
    old = node->rings;
    node->rings = copy;
    node_unlock(node);
    rings_done(&old);
    node->rings_version = version;
    return 0;
}

/* After a turn, by who turned. */
int node_subscribed_look(struct node *node)
{
    const struct store *store = &node->wheel.engine.store;
    struct subscriptions copy = {0}, old;
    int code = rings_look(node);

    if (code)
        return code;
    if (store->subscriptions_version != node->subscribed_version)
        code = subscriptions_copy(&store->subscriptions, &copy);
    if (code || store->subscriptions_version == node->subscribed_version)
        return code;
    node_lock(node);
    old = node->subscribed;
    node->subscribed = copy;
    atomic_store(&node->subscribed_all, subscriptions_are_all(&copy));
    node_unlock(node);
    subscriptions_done(&old);
    node->subscribed_version = store->subscriptions_version;
    return 0;
}

bool node_holds(struct node *node, const char *bucket)
{
    bool held;

    if (atomic_load(&node->subscribed_all))
        return true;
    node_lock(node);
    held = subscriptions_have(&node->subscribed, bucket);
    node_unlock(node);
    return held;
}

static int ring_unknown(const char *bucket, struct neap_error *error)
{
    return error_set(error, NEAP_UNAVAILABLE, "%.60s: no ring of that name is known here (yet)",
                     bucket);
}

int node_place(struct node *node, const char *bucket, struct slice path, enum group_use use,
               struct placed *ret_place, bool *ret_here, struct neap_error *error)
{
    int code = 0;

    ret_place->ring = NULL;
    if (!strchr(bucket, '@')) {
        snprintf(ret_place->shard, sizeof ret_place->shard, "%s", bucket);
        *ret_here = node_holds(node, bucket);
        return 0;
    }
    node_lock(node);
    code = place_find(&node->rings, bucket, path, ret_place);
    *ret_here = !code && place_is_mine(ret_place, use, node->wheel.engine.store.identity.node);
    node_unlock(node);
    if (code == NEAP_UNAVAILABLE)
        return ring_unknown(bucket, error);
    return code ? error_set(error, code, "%.60s: a bucket of a ring is asked by key", bucket) : 0;
}

int node_place_page(struct node *node, const struct page_request *request, struct placed *ret_place,
                    bool *ret_here, struct neap_error *error)
{
    int code;

    if (!request->slots)
        return node_place(node, request->bucket, request->path, GROUPS_READ, ret_place, ret_here,
                          error);
    node_lock(node);
    code = place_slot(&node->rings, request->bucket, request->slot, request->slots, ret_place);
    *ret_here = !code &&
                place_is_mine(ret_place, GROUPS_READ, node->wheel.engine.store.identity.node);
    node_unlock(node);
    switch (code) {
    case 0:
        return 0;
    case NEAP_UNAVAILABLE:
        return ring_unknown(request->bucket, error);
    case NEAP_STALE:
        return error_set(error, code,
                         "%.60s: the ring was made twice, and has other slots now than when this "
                         "began: begin again",
                         request->bucket);
    default:
        return error_set(error, code, "%.60s: not on a ring", request->bucket);
    }
}

int node_slots(struct node *node, const struct page_request *request, uint64_t *ret_slots,
               struct neap_error *error)
{
    const struct ring *ring;

    node_lock(node);
    ring = rings_of_bucket(&node->rings, request->bucket);
    if (ring)
        *ret_slots = ring->slots;
    node_unlock(node);
    return ring ? 0 : ring_unknown(request->bucket, error);
}

int node_check_held(struct node *node, const char *bucket, struct neap_error *error)
{
    return node_holds(node, bucket)
               ? 0
               : error_set(error, NEAP_REFUSED,
                           "%.64s: this node does not subscribe to the bucket: `neap subscribe`, "
                           "or ask a node that does",
                           bucket);
}

/* ---- for operators ---- */

struct looking {
    json_t *json; /* NULL: no memory */
};

static json_t *entries_json(const struct subscriptions *list)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < list->count; i++) {
        if (json_array_append_new(array, json_text(list->entries[i]))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* Buckets on their way out: others are given what only this node has. */
static json_t *leaving_json(const struct engine *engine)
{
    const struct store *store = &engine->store;
    json_t *array = json_array();

    for (size_t i = 0; array && i < store->shards_count; i++) {
        const struct shard *shard = store->shards[i];
        json_t *entry;

        if (!shard->unwanted)
            continue;
        entry = json_pack("{so, sI}", "name", json_text(shard->name), "unshared",
                          (json_int_t)engine_unshared(engine, shard));
        if (json_array_append_new(array, entry)) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static void look(void *arg, struct engine *engine)
{
    struct looking *looking = arg;
    json_t *entries = entries_json(&engine->store.subscriptions);
    json_t *leaving = leaving_json(engine);

    looking->json = entries && leaving
                        ? json_pack("{sO, sO}", "subscriptions", entries, "leaving", leaving)
                        : NULL;
    json_decref(entries);
    json_decref(leaving);
}

static int subscriptions_json(struct node *node, const struct subscribing *done,
                              struct buffer *ret_json)
{
    struct looking looking = {0};
    int code = node_call(node, look, &looking);

    if (code)
        return code;
    if (looking.json && done &&
        (json_object_set_new(looking.json, "dropped", json_number(done->dropped)) ||
         json_object_set_new(looking.json, "lost", json_number(done->lost)))) {
        json_decref(looking.json);
        return NEAP_NOMEM;
    }
    return json_into(looking.json, ret_json);
}

static int subscribe_run(struct node *node, struct subscribing *subscribing)
{
    struct event event = {.kind = EVENT_SUBSCRIBE, .subscribing = subscribing};

    return node_run(node, &event);
}

int node_subscribe(struct node *node, const char *verb, int argc, const char *const argv[],
                   struct buffer *ret_json, struct neap_error *error)
{
    struct subscribing subscribing = {.what = SUBSCRIBE_REMOVE};
    bool forced = argc > 1;
    int code;

    if (!strcmp(verb, "subscriptions"))
        return subscriptions_json(node, NULL, ret_json);
    if (argc < 1 || (forced && strcmp(argv[1], "force") != 0))
        return error_set(error, NEAP_INVALID, "%s NAME: a bucket's name or a glob%s", verb,
                         verb[0] == 'u' ? ", and perhaps `force`" : "");
    if (node->readonly)
        return error_set(error, NEAP_REFUSED, "%s: the node is open for reading only", verb);
    subscribing.entry = argv[0];
    if (verb[0] == 's')
        subscribing.what = SUBSCRIBE_ADD;
    code = subscribe_run(node, &subscribing);
    if (!code && forced) {
        subscribing.what = SUBSCRIBE_DROP;
        code = subscribe_run(node, &subscribing);
    }
    if (code == NEAP_INVALID || code == NEAP_LIMIT)
        return error_set(error, code,
                         "%s: %.100s: no name of a bucket and no glob (up to %d bytes, without '/' "
                         "and '!'), or more than %d of them",
                         verb, argv[0], SUBSCRIPTION_TEXT_MAX, SUBSCRIPTIONS_MAX);
    return code ? code : subscriptions_json(node, forced ? &subscribing : NULL, ret_json);
}
