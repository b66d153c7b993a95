/* Pages of changes: the log is kept for whoever reads, and a caller that has read all sleeps until
 * there is more. */
#include "base/error.h"
#include "engine/changes.h"
#include "engine/node.h"
#include "gossip/kept.h"

struct watch_call {
    struct node *node;
    struct changes_at *at;
    int code;
};

/* Before the log is looked at. What the first page of all begins with is what is here by then. */
static void watch_look(void *arg, struct engine *engine)
{
    struct watch_call *call = arg;
    struct changes_at *at = call->at;
    const struct shard *shard = store_find(&engine->store, at->shard);
    const struct context *needs = changes_needs(at);

    while (!at->reader)
        at->reader = store_new_id(&engine->store);
    if (shard && at->all && !at->under_way)
        needs = &shard->context;
    if (shard && engine->gossip)
        call->code =
            gossip_keep(engine->gossip, node_now(call->node), at->shard, at->reader, needs);
}

static int watch_begin(const struct page_request *request, struct changes_at *at)
{
    const struct context empty = {0}, *after = NULL;

    if (request->from.size)
        return changes_decode(request->from, at);
    if (!request->after)
        return 0;
    after = token_find(request->after, at->shard);
    return changes_after(at, after ? after : &empty);
}

static int watch_page(struct node *node, struct page_request *request, struct changes_at *at,
                      uint64_t until_ms, struct page *ret_page)
{
    struct watch_call call = {.node = node, .at = at};
    int code = 0;

    while (!code) {
        uint64_t changes = node_changes(node);

        code = node_call(node, watch_look, &call);
        if (!code)
            code = call.code;
        if (!code && request->count_only)
            return changes_encode(at, &ret_page->cursor);
        if (!code)
            code = changes_read(node->disk, request, at, ret_page);
        if (code || ret_page->count)
            break;
        code = node_changes_wait(node, changes, until_ms);
        if (code == NEAP_UNCERTAIN) /* nothing has changed by then */
            return 0;
    }
    return code;
}

int node_watch(struct node *node, struct page_request *request, uint64_t until_ms,
               struct page *ret_page)
{
    struct neap_error text = {0};
    struct changes_at at;
    int code;

    changes_init(&at, bucket_id(request->bucket));
    code = watch_begin(request, &at);
    if (!code)
        code = watch_page(node, request, &at, until_ms, ret_page);
    changes_done(&at);
    if (!code) /* the position names events */
        code = node_sync(node);
    if (!code)
        return 0;
    if (code == NEAP_IO || code == NEAP_CORRUPT)
        node->disk->ops->error(node->disk, &text);
    return error_set(&request->error, code, "%.60s: %.200s", request->bucket,
                     code == NEAP_INVALID && request->from.size
                         ? "these bytes are no position of a watch"
                     : code == NEAP_STALE ? "a position in the changes of another bucket"
                     : text.text[0]       ? text.text
                                          : error_text(code));
}
