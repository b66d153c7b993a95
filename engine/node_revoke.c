/* Who is revoked: verbs revoke and revoked, and the copy of the list that the net's threads ask. */
#include <string.h>

#include "base/error.h"
#include "engine/node.h"
#include "engine/report.h"
#include "engine/status.h"
#include "gossip/revoked.h"

bool node_is_revoked(struct net_sink *sink, const struct principal *principal)
{
    struct node *node =
        (struct node *)(void *)((uint8_t *)(void *)sink - offsetof(struct node, sink));
    bool has;

    node_lock(node);
    has = revoked_has(&node->revoked, principal);
    node_unlock(node);
    return has;
}

/* After a turn, by who turned. Without memory it is tried again after the next one. */
void node_revoked_look(struct node *node)
{
    const struct gossip *gossip = node->wheel.engine.gossip;
    struct revoked copy = {0}, old;
    uint64_t version;
    const struct revoked *now = gossip ? gossip_revoked(gossip, &version) : NULL;

    if (!now || version == node->revoked_version || revoked_copy(now, &copy))
        return;
    node_lock(node);
    old = node->revoked;
    node->revoked = copy;
    node_unlock(node);
    revoked_done(&old);
    node->revoked_version = version;
    if (node->net && node->net->ops->recheck)
        node->net->ops->recheck(node->net);
}

static json_t *names_json(const struct revoked *revoked)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < revoked->count; i++) {
        const struct principal principal = {.kind = revoked->names[i].kind,
                                            .id = revoked->names[i].id};
        char text[PRINCIPAL_TEXT_MAX];

        if (json_array_append_new(array, json_string(principal_text(&principal, text)))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

int node_revoked(struct node *node, const char *word, struct buffer *ret_json,
                 struct neap_error *error)
{
    json_t *array;

    if (word && strcmp(word, "list") != 0)
        return error_set(error, NEAP_INVALID, "revoked: %.60s: list, or nothing", word);
    node_lock(node);
    array = names_json(&node->revoked);
    node_unlock(node);
    return json_into(array ? json_pack("{so}", "revoked", array) : NULL, ret_json);
}

static int revoke_write(struct node *node, const struct revoked_name *name,
                        struct neap_error *error)
{
    struct write_op op = {.bucket = SYSTEM_BUCKET, .op.kind = OP_SET_ADD};
    struct write write = {.ops = &op, .count = 1, .system = true};
    struct buffer path;
    int code;

    buffer_init(&path, NEAP_PATH_MAX);
    token_init(&write.token);
    token_init(&write.awaited);
    code = revoked_path(name, &path);
    op.path = buffer_slice(&path);
    if (!code)
        code = node_run_write(node, &write, node_until(node, 0));
    if (code && write.error.text[0])
        code = error_set(error, code, "revoke: %.200s", write.error.text);
    token_done(&write.token);
    token_done(&write.awaited);
    buffer_done(&path);
    return code;
}

int node_revoke(struct node *node, const char *word, struct buffer *ret_json,
                struct neap_error *error)
{
    struct revoked_name name;
    int code;

    if (!word || revoked_parse(word, &name))
        return error_set(
            error, NEAP_INVALID,
            "revoke: node/ID, device/ID or client/ID, as `neap peers` and certificates "
            "have them");
    if (node->readonly || !node->has_gossip)
        return error_set(error, NEAP_REFUSED, "revoke: this node has no others to tell");
    if (name.kind == PRINCIPAL_NODE && name.id == node->wheel.engine.store.identity.node)
        return error_set(error, NEAP_REFUSED,
                         "revoke: that is this node, which would lose all others: do it at another "
                         "one");
    code = revoke_write(node, &name, error);
    if (code)
        return code;
    return json_into(json_pack("{ss}", "revoked", word), ret_json);
}
