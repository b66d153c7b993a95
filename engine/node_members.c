/* Who belongs to the cluster: verbs peers, forget and retire. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "engine/node.h"
#include "engine/report.h"
#include "engine/status.h"
#include "gossip/revoked.h"

/* ---- peers ---- */

struct members_call {
    struct node *node;
    json_t *json; /* out */
};

static void members_look(void *arg, struct engine *engine)
{
    struct members_call *call = arg;

    call->json = roster_json(engine, node_now(call->node));
}

int node_members(struct node *node, const char *word, struct buffer *ret_json,
                 struct neap_error *error)
{
    struct members_call call = {.node = node};
    int code = node_call_always(node, members_look, &call);

    (void)word;
    (void)error;
    return code ? code : json_into(call.json, ret_json);
}

/* ---- forget, retire ---- */

/* Whom the words mean, and what is known of him. */
struct member_call {
    const char *word;
    struct roster_row row;
    bool is_self, is_here, is_forgotten, is_full;
    int code; /* NOTFOUND, INVALID: several have that name */
};

static void member_look(void *arg, struct engine *engine)
{
    struct member_call *call = arg;
    const char *word = strncmp(call->word, "node/", 5) ? call->word : call->word + 5;
    const struct gossip *gossip = engine->gossip;
    struct swim_member member;
    uint64_t version, node;
    const struct roster *roster = gossip_roster(gossip, &version);

    call->code = roster_named(roster, word, &call->row);
    if (call->code == NEAP_NOTFOUND && strlen(word) == 16 && hex_read_u64(word, &node) && node) {
        const struct roster_row *row = roster_find(roster, ROSTER_FORGOTTEN, node);

        call->is_forgotten = row;
        call->row = row ? *row : (struct roster_row){.node = node, .weight = ROSTER_WEIGHT};
        if (row || gossip_find_member(gossip, node, &member))
            call->code = 0;
    }
    node = call->row.node;
    call->is_self = !call->code && node == engine->store.identity.node;
    call->is_here = !call->code && gossip_find_member(gossip, node, &member) &&
                    (member.linked || member.state < MEMBER_DEAD);
    call->is_full = roster->lists[ROSTER_FORGOTTEN].count == ROSTER_FORGOTTEN_MAX;
}

static int member_find(struct node *node, const char *verb, const char *word,
                       struct member_call *call, struct neap_error *error)
{
    int code;

    if (!word)
        return error_set(error, NEAP_INVALID, "%s: which node? its id or name, as in `neap peers`",
                         verb);
    if (node->readonly || !node->has_gossip)
        return error_set(error, NEAP_REFUSED, "%s: this node has no others to tell", verb);
    call->word = word;
    code = node_call(node, member_look, call);
    if (code)
        return code;
    if (call->code == NEAP_INVALID)
        return error_set(error, NEAP_INVALID, "%s: several nodes have the name %.60s: give the id",
                         verb, word);
    if (call->code)
        return error_set(error, call->code, "%s: no node %.60s is known here: see `neap peers`",
                         verb, word);
    if (call->is_self)
        return error_set(error, NEAP_REFUSED, "%s: that is this node: do it at another one", verb);
    if (call->is_here)
        return error_set(error, NEAP_REFUSED,
                         "%s: node %016llx is there, or was a moment ago: stop it first, and wait "
                         "until `neap peers` has it as left or dead",
                         verb, (unsigned long long)call->row.node);
    return 0;
}

enum { MEMBER_OPS_MAX = 4 };

struct member_writing {
    struct write_op ops[MEMBER_OPS_MAX];
    struct buffer paths[MEMBER_OPS_MAX], record;
    size_t count;
};

static struct write_op *op_add(struct member_writing *writing, enum op_kind kind)
{
    struct write_op *op = &writing->ops[writing->count];

    *op = (struct write_op){.bucket = SYSTEM_BUCKET, .op.kind = kind};
    return op;
}

static int op_place(struct member_writing *writing, enum op_kind kind, enum roster_place place,
                    uint64_t node)
{
    struct buffer *path = &writing->paths[writing->count];
    struct write_op *op = op_add(writing, kind);
    int code = roster_path(place, node, path);

    op->path = buffer_slice(path);
    if (kind == OP_LWW_SET)
        op->op.value = buffer_slice(&writing->record);
    writing->count += !code;
    return code;
}

static int op_revoke(struct member_writing *writing, uint64_t node)
{
    const struct revoked_name name = {PRINCIPAL_NODE, node};
    struct buffer *path = &writing->paths[writing->count];
    struct write_op *op = op_add(writing, OP_SET_ADD);
    int code = revoked_path(&name, path);

    op->path = buffer_slice(path);
    writing->count += !code;
    return code;
}

static int member_write(struct node *node, const struct roster_row *row, bool forget,
                        struct neap_error *error)
{
    struct member_writing writing = {.count = 0};
    struct write write = {.ops = writing.ops, .system = true};
    int code;

    buffer_init(&writing.record, NEAP_VALUE_MAX);
    for (size_t i = 0; i < MEMBER_OPS_MAX; i++)
        buffer_init(&writing.paths[i], NEAP_PATH_MAX);
    token_init(&write.token);
    token_init(&write.awaited);
    code = roster_encode(row, &writing.record);
    if (!code)
        code =
            op_place(&writing, OP_LWW_SET, forget ? ROSTER_FORGOTTEN : ROSTER_RETIRED, row->node);
    if (!code && forget)
        code = op_place(&writing, OP_REMOVE, ROSTER_MEMBERS, row->node);
    if (!code && forget)
        code = op_place(&writing, OP_REMOVE, ROSTER_RETIRED, row->node);
    if (!code && forget)
        code = op_revoke(&writing, row->node);
    write.count = writing.count;
    if (!code)
        code = node_run_write(node, &write, node_until(node, 0));
    if (code && write.error.text[0])
        code = error_set(error, code, "%s: %.200s", forget ? "forget" : "retire", write.error.text);
    token_done(&write.token);
    token_done(&write.awaited);
    buffer_done(&writing.record);
    for (size_t i = 0; i < MEMBER_OPS_MAX; i++)
        buffer_done(&writing.paths[i]);
    return code;
}

static json_t *member_json(const char *what, const struct roster_row *row)
{
    return json_pack("{so, ss}", what, json_hex(row->node), "name", row->name);
}

int node_forget(struct node *node, const char *word, struct buffer *ret_json,
                struct neap_error *error)
{
    struct member_call call = {0};
    int code = member_find(node, "forget", word, &call, error);

    if (!code && call.is_full && !call.is_forgotten)
        code = error_set(error, NEAP_LIMIT, "forget: %d nodes are forgotten already",
                         ROSTER_FORGOTTEN_MAX);
    if (!code && !call.is_forgotten)
        code = member_write(node, &call.row, true, error);
    return code ? code : json_into(member_json("forgotten", &call.row), ret_json);
}

int node_retire(struct node *node, const char *word, struct buffer *ret_json,
                struct neap_error *error)
{
    struct member_call call = {0};
    int code = member_find(node, "retire", word, &call, error);

    if (!code && call.is_forgotten)
        code = error_set(error, NEAP_REFUSED, "retire: node %016llx is forgotten",
                         (unsigned long long)call.row.node);
    if (!code)
        code = member_write(node, &call.row, false, error);
    return code ? code : json_into(member_json("retired", &call.row), ret_json);
}
