/* Calls about what this node does not hold: handed on to one that does, while the caller sleeps. */
#include "engine/node_forward.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/forward.h"
#include "engine/request.h"

/* How a remote backend asks: by whoever holds it. */
struct way {
    struct transport transport; /* first */
    struct node *node;
    struct forward forward;
    struct remote remote;
};

static int way_call(struct transport *transport, struct slice request, uint32_t timeout_ms,
                    struct buffer *ret_reply)
{
    struct way *way = (struct way *)transport;
    struct node *node = way->node;
    int code;

    (void)timeout_ms; /* the forward has its own */
    do {
        code = forward_ask(&way->forward, request, node_now(node).mono_ms);
        if (!code)
            code = node_run_ask(node, &way->forward.ask);
    } while (!forward_look(&way->forward, code, ret_reply));
    return way->forward.error.code;
}

static void way_init(struct way *way, struct node *node, bool changes, const char *const *names,
                     size_t names_count, uint64_t until_ms)
{
    *way = (struct way){.transport = {.call = way_call, .said = &way->forward.error}, .node = node};
    forward_init(&way->forward, changes, names, names_count, until_ms);
    remote_init(&way->remote, &way->transport);
}

bool node_forwards(const struct node *node, enum neap_level level)
{
    return node->has_gossip && node->net && level != NEAP_EDGE;
}

/* Of an edge call, or of a node alone. */
static int forward_refuse(struct node *node, const char *bucket, struct neap_error *error)
{
    int code = strchr(bucket, '@') ? 0 : node_check_held(node, bucket, error);

    return code ? code
                : error_set(error, NEAP_REFUSED,
                            "%.60s: this node does not hold it, and the call is not handed on",
                            bucket);
}

/* ---- writes ---- */

bool node_holds_write(struct node *node, const struct write *write)
{
    const char *last = NULL;
    struct placed place;

    for (size_t i = 0; i < write->count; i++) {
        const struct write_op *op = &write->ops[i];
        bool placed = strchr(op->bucket, '@') != NULL, here = false;

        if (last && !placed && !strcmp(last, op->bucket))
            continue;
        last = op->bucket;
        /* What can't be placed is told by who writes. */
        if (!placed && atomic_load(&node->subscribed_all))
            continue;
        if (!node_place(node, op->bucket, op->path, GROUPS_WRITE, &place, &here, NULL) && !here)
            return false;
    }
    return true;
}

/* The shards of a write, each once, and what they are called. */
struct names {
    const char **names;
    char (*texts)[NEAP_BUCKET_MAX + 1];
    size_t count;
};

static void names_done(struct names *names)
{
    mem_free(names->names);
    mem_free(names->texts);
}

static int names_of(struct node *node, struct write *write, struct names *ret_names)
{
    size_t room = write->count < WRITE_SHARDS_MAX ? write->count : WRITE_SHARDS_MAX;
    struct names names = {.names = mem_new_array(room, sizeof *names.names),
                          .texts = mem_new_array(room, sizeof *names.texts)};
    int code = names.names && names.texts ? 0 : NEAP_NOMEM;

    for (size_t i = 0; !code && i < write->count; i++) {
        struct placed place;
        bool here, known = false;

        code = node_place(node, write->ops[i].bucket, write->ops[i].path, GROUPS_WRITE, &place,
                          &here, &write->error);
        for (size_t j = 0; !code && j < names.count; j++)
            known = known || !strcmp(names.texts[j], place.shard);
        if (code || known)
            continue;
        if (names.count == room) {
            code = error_set(&write->error, NEAP_LIMIT, "one write may be to %d buckets at most",
                             WRITE_SHARDS_MAX);
            continue;
        }
        memcpy(names.texts[names.count], place.shard, sizeof place.shard);
        names.names[names.count] = names.texts[names.count];
        names.count++;
    }
    *ret_names = names;
    return code;
}

/* A batch is one write of one node: that it can be done nowhere is told at once, and it is not
 * taken apart (docs/decisions/0120). */
static int names_check(struct node *node, const struct names *names, struct neap_error *error)
{
    uint64_t *shards = mem_new_array(names->count, sizeof *shards);
    bool can_be;

    if (!shards)
        return NEAP_NOMEM;
    for (size_t i = 0; i < names->count; i++)
        shards[i] = bucket_id(names->names[i]);
    node_lock(node);
    can_be = rings_have_one(&node->rings, shards, names->count);
    node_unlock(node);
    mem_free(shards);
    if (can_be)
        return 0;
    return error_set(error, NEAP_REFUSED,
                     "this batch is of %zu slots, and no node owns all of them, so it can't be "
                     "done as one: write what is of one key by itself: nothing was done",
                     names->count);
}

int node_forward_write(struct node *node, struct write *write, uint64_t until_ms)
{
    struct way way;
    struct names names;
    int code;

    if (!node_forwards(node, write->level))
        return forward_refuse(node, write->ops[0].bucket, &write->error);
    if (write->once.size)
        return error_set(&write->error, NEAP_REFUSED,
                         "once: what is remembered of an id is remembered by the node that writes, "
                         "and this one does not hold \"%.60s\": ask one that does",
                         write->ops[0].bucket);
    code = names_of(node, write, &names);
    if (!code)
        code = names_check(node, &names, &write->error);
    if (!code) {
        way_init(&way, node, true, names.names, names.count, until_ms);
        code = way.remote.backend.ops->write(&way.remote.backend, write);
        forward_done(&way.forward);
    } else if (!write->error.code) {
        error_set(&write->error, code, "%s", error_text(code));
    }
    names_done(&names);
    return code;
}

/* ---- reads ---- */

/* A submitted write of this handle has to be done before it is read elsewhere; its number means
 * nothing there. */
static int ticket_settle(struct node *node, const struct token *after, uint64_t until_ms,
                         struct token *ret_after, const struct token **ret_use,
                         struct neap_error *error)
{
    *ret_use = after;
    if (!after || !after->ticket)
        return 0;
    *ret_after = *after; /* borrowed */
    ret_after->ticket = 0;
    *ret_use = ret_after;
    return node_ticket_wait(node, after->ticket, until_ms, error);
}

int node_forward_read(struct node *node, struct read *read, const char *shard,
                      struct buffer *ret_cell, uint64_t until_ms)
{
    const struct token *after = read->after;
    struct token settled;
    struct way way;
    int code;

    if (!node_forwards(node, read->level))
        return forward_refuse(node, read->bucket, &read->error);
    code = ticket_settle(node, after, until_ms, &settled, &read->after, &read->error);
    if (!code) {
        way_init(&way, node, false, &shard, 1, until_ms);
        code = way.remote.backend.ops->read(&way.remote.backend, read, ret_cell);
        forward_done(&way.forward);
    }
    read->after = after;
    return code;
}

int node_forward_page(struct node *node, struct page_request *request, const char *shard,
                      struct page *ret_page, uint64_t until_ms)
{
    const struct token *after = request->after;
    struct token settled;
    struct way way;
    int code;

    if (!node_forwards(node, request->level))
        return forward_refuse(node, request->bucket, &request->error);
    code = ticket_settle(node, after, until_ms, &settled, &request->after, &request->error);
    if (!code) {
        way_init(&way, node, false, &shard, 1, until_ms);
        code = way.remote.backend.ops->page(&way.remote.backend, request, ret_page);
        forward_done(&way.forward);
    }
    request->after = after;
    return code;
}
