/* Waiting until contexts are covered, here and elsewhere; and the reads, which may wait first. */
#include <stdio.h>

#include "base/error.h"
#include "engine/cover.h"
#include "engine/node.h"
#include "engine/node_forward.h"
#include "engine/node_level.h"
#include "engine/read.h"
#include "store/tally.h"

/* A look at the engine's state, on the wheel's thread. */
struct look {
    const struct cover *cover;
    struct token own; /* what this node had written when the wait began */
    bool own_taken;
    struct cover_look seen;
    int error;
};

static int look_own(struct look *look, const struct engine *engine)
{
    for (size_t i = 0; i < engine->store.shards_count; i++) {
        const struct shard *shard = engine->store.shards[i];
        struct dot dot = {shard->replica, context_get(&shard->context, shard->replica)};
        int error;

        if (!dot.n)
            continue;
        error = token_dot(&look->own, shard->id, dot, shard->nonce);
        if (error)
            return error;
    }
    return 0;
}

static void look_engine(void *arg, struct engine *engine)
{
    struct look *look = arg;
    enum neap_level level = look->cover->level;

    look->error = cover_look_begin(engine, level, &look->seen);
    if (!look->error && look->cover->all_own && !look->own_taken) {
        look->error = look_own(look, engine);
        look->own_taken = true;
    }
    if (look->error)
        return;
    cover_look_at(engine, level, look->cover->parts, look->cover->count, &look->seen);
    cover_look_at(engine, level, look->own.parts, look->own.count, &look->seen);
    /* To say that it is here is to acknowledge it: durable first (rule 8). */
    if (cover_is_there(&look->seen))
        engine->wants_sync = true;
}

static int look_error(const struct look *look, int code, struct neap_error *error)
{
    if (code == NEAP_UNCERTAIN && !look->seen.here)
        return error_set(error, code, "not in time: this node does not hold all of it yet");
    if (code == NEAP_UNCERTAIN)
        return quorum_error(&look->seen.quorum, QUORUM_UNCERTAIN, error);
    if (code == NEAP_UNAVAILABLE)
        return error_set(error, code, "the node is being closed");
    return error_set(error, code, "wait: %s", error_text(code));
}

uint64_t node_changes(struct node *node)
{
    uint64_t changes;

    node_lock(node);
    changes = node->changes;
    node_unlock(node);
    return changes;
}

int node_changes_wait(struct node *node, uint64_t changes, uint64_t until_ms)
{
    bool late = false;
    int error = 0;

    node_lock(node);
    while (node->changes == changes && !node->closing && !late) {
        node->watchers++;
        late = !node_sleep(node, &node->changed_cond, until_ms);
        node->watchers--;
    }
    if (node->closing)
        error = NEAP_UNAVAILABLE;
    else if (node->changes == changes)
        error = NEAP_UNCERTAIN;
    node_unlock(node);
    return error;
}

int node_cover(struct node *node, struct cover *cover, uint64_t until_ms, struct neap_error *error)
{
    struct look look = {.cover = cover};
    uint64_t changes;
    int code = 0;

    while (!code) {
        changes = node_changes(node);
        code = node_call(node, look_engine, &look);
        if (!code)
            code = look.error;
        if (!code && cover_is_there(&look.seen))
            break;
        if (!code && cover->read && !node_reads_here(node, cover->read))
            code = NEAP_STALE;
        if (!code)
            code = node_changes_wait(node, changes, until_ms);
    }
    token_done(&look.own);
    if (code == NEAP_STALE)
        return code;
    return code ? look_error(&look, code, error) : 0;
}

static int node_wait_inside(struct node *node, const struct token *token, enum neap_level level,
                            uint64_t until_ms, struct neap_error *error)
{
    struct cover cover = {.parts = token->parts, .count = token->count, .level = level};
    unsigned needed = 0;
    int code = quorum_need(level, 1, &needed, error);

    if (!code && token->ticket) {
        code = node_ticket_wait(node, token->ticket, until_ms, error);
        /* Its dots were not kept: whoever has all that was written so far has them. */
        cover.all_own = level >= NEAP_QUORUM;
    }
    if (code || (!cover.count && !cover.all_own))
        return code;
    return node_cover(node, &cover, until_ms, error);
}

int node_wait(struct backend *backend, const struct token *token, enum neap_level level,
              uint32_t timeout_ms, struct neap_error *error)
{
    struct node *node = (struct node *)backend;
    int code = node_enter(node);

    if (code)
        return error_set(error, code, "the node is being closed");
    code = node_wait_inside(node, token, level, node_until(node, timeout_ms), error);
    node_leave(node);
    return code;
}

/* ---- reads ---- */

/* Reads see what is committed: mostly that is enough at once, and the wheel is not asked. */
static int node_after(struct node *node, const struct token *after, const struct level_read *want,
                      struct neap_error *error)
{
    const char *bucket = want->bucket; /* or a slot's shard */
    const struct context *context;
    struct token_part part = {0};
    struct cover cover = {.parts = &part, .count = 1, .read = want};
    int code;

    if (!after)
        return 0;
    part.shard = bucket_id(bucket);
    context = token_find(after, part.shard);
    if (after->ticket) {
        code = node_ticket_wait(node, after->ticket, want->until_ms, error);
        if (code)
            return code;
    }
    if (!context)
        return 0;
    code = read_covered(node->disk, part.shard, context);
    if (code != NEAP_END)
        return code ? error_set(error, code, "%.60s: %s", bucket, error_text(code)) : 0;
    part.context = *context;
    code = node_cover(node, &cover, want->until_ms, error);
    /* Nothing is uncertain about a read: it did not happen. */
    if (code == NEAP_UNCERTAIN)
        code = error_set(error, NEAP_UNAVAILABLE,
                         "%.60s: this node does not hold all that the "
                         "token names, and it did not come within %u ms",
                         bucket, (unsigned)want->timeout_ms);
    return code;
}

/* Has the node stopped? Then what is on disk may be less than what callers were told to wait for.
 */
static int node_check(struct node *node, struct neap_error *error)
{
    int stopped = atomic_load(&node->stopped);

    if (!stopped)
        return 0;
    return error_set(error, stopped, "%s", node->wheel.error.text); /* written before, and once */
}

/* What was read may name what is not synced yet. */
static int node_token_sync(struct node *node, struct token *token, struct neap_error *error)
{
    int code;

    if (!atomic_load(&node->wheel.unsynced))
        return 0;
    code = node_sync(node);
    if (code) {
        token_clear(token);
        error_set(error, code, "sync: %s", error_text(code));
    }
    return code;
}

/* What is to be hidden is hidden before anybody reads: the mark has to be on disk first. Where
 * nothing can be written, nothing has to be remembered either. */
static int node_expire(struct node *node, uint64_t *ret_hide_ms)
{
    struct expiry *expiry = &node->wheel.engine.store.expiry;
    uint64_t wall_ms = node_now(node).wall_ms, due = atomic_load(&expiry->due);

    if (node->readonly) {
        *ret_hide_ms = atomic_load(&expiry->mark);
        if (wall_ms > *ret_hide_ms)
            *ret_hide_ms = wall_ms;
        return 0;
    }
    if (due != UINT64_MAX && (wall_ms >= due || wall_ms < atomic_load(&expiry->told))) {
        int code = node_tick(node);

        if (code)
            return code;
    }
    *ret_hide_ms = atomic_load(&expiry->mark);
    return 0;
}

/* What has to be here before it is read. */
static int node_await(struct node *node, const struct token *after, const struct level_read *want,
                      struct neap_error *error)
{
    int code = node_after(node, after, want, error);

    return code ? code : node_level(node, want, error);
}

/* Its slot may have gone to others while it was read, which then found nothing, or less. */
static bool node_let_go(struct node *node, const struct level_read *want)
{
    return !node->readonly && !node_reads_here(node, want);
}

static int node_read_here(struct node *node, struct read *read, const struct level_read *want,
                          struct buffer *ret_cell)
{
    int code = node_await(node, read->after, want, &read->error);

    if (!code)
        code = node_expire(node, &read->hide_ms);
    if (!code)
        code = read->rights ? node_rights(node, read, ret_cell)
                            : read_cell(node->disk, read, ret_cell);
    return code;
}

static int node_read_inside(struct node *node, struct read *read, struct buffer *ret_cell)
{
    struct level_read want = {.name = read->bucket,
                              .path = read->path,
                              .level = read->level,
                              .timeout_ms = read->timeout_ms};
    struct placed place;
    bool here = true;
    int code = read_check(read, &read->error);

    if (!code)
        code = node_check(node, &read->error);
    if (!code)
        want.until_ms = node_until(node, read->timeout_ms);
    if (!code)
        code = node_place(node, read->bucket, read->path, GROUPS_READ, &place, &here, &read->error);
    here = here && !code;
    want.bucket = place.shard;
    read->shard = !code && place.ring ? place.shard : NULL;
    if (here)
        code = node_read_here(node, read, &want, ret_cell);
    read->shard = NULL; /* of this call alone */
    if (here && node_let_go(node, &want)) {
        here = false;
        code = 0;
        read->error = (struct neap_error){0};
        token_clear(&read->token);
    }
    if (!code && !here)
        return node_forward_read(node, read, place.shard, ret_cell, want.until_ms);
    if (!code && read->want_token)
        code = node_token_sync(node, &read->token, &read->error);
    return code;
}

int node_read(struct backend *backend, struct read *read, struct buffer *ret_cell)
{
    struct node *node = (struct node *)backend;
    int code = node_enter(node);

    if (code)
        return error_set(&read->error, code, "the node is being closed");
    code = node_read_inside(node, read, ret_cell);
    node_leave(node);
    return code;
}

/* The wheel has the number, or counts in steps, between which others have their turns. NOTFOUND: it
 * can't. */
static int node_count(struct node *node, struct page_request *request, struct page *ret_page)
{
    struct count count = {.shard = bucket_id(request->bucket),
                          .path = request->path,
                          .want_token = request->want_token};
    struct event event = {.kind = EVENT_COUNT, .count = &count};
    int code = 0;

    token_init(&count.token);
    while (!code && !count.known)
        code = node_run(node, &event);
    if (!code && request->want_token) {
        token_done(&request->token);
        request->token = count.token;
    } else {
        token_done(&count.token);
    }
    if (!code)
        ret_page->count = count.count;
    return code;
}

static int node_page_read(struct node *node, struct page_request *request, struct page *ret_page)
{
    int code;

    if (request->kind != PAGE_NAMES || !request->count_only || !request->path.size ||
        request->shard || node->readonly)
        return page_read(node->disk, request, ret_page);
    request->count_max = TALLY_FROM;
    code = page_read(node->disk, request, ret_page);
    if (code || ret_page->count <= TALLY_FROM)
        return code;
    code = node_count(node, request, ret_page);
    if (code == NEAP_NOMEM || code == NEAP_IO)
        error_set(&request->error, code, "%.60s: %s", request->bucket, error_text(code));
    if (!code || code == NEAP_NOMEM || code == NEAP_IO)
        return code;
    request->count_max = 0;
    token_clear(&request->token);
    return page_read(node->disk, request, ret_page);
}

static int node_page_here(struct node *node, struct page_request *request,
                          const struct level_read *want, struct page *ret_page)
{
    int code = node_await(node, request->after, want, &request->error);

    if (!code)
        code = node_expire(node, &request->hide_ms);
    if (!code && request->kind == PAGE_CHANGES)
        return node_watch(node, request, want->until_ms, ret_page);
    return code ? code : node_page_read(node, request, ret_page);
}

static int node_page_inside(struct node *node, struct page_request *request, struct page *ret_page)
{
    struct level_read want = {.name = request->bucket,
                              .path = request->path,
                              .slot = request->slot,
                              .slots = request->slots,
                              .level = request->level,
                              .timeout_ms = request->timeout_ms};
    struct placed place;
    bool here = true;
    int code = page_check(request, &request->error);

    if (!code && request->stats)
        return node_stats(node, ret_page);
    if (!code && request->kind == PAGE_SLOTS)
        return node_slots(node, request, &ret_page->count, &request->error);
    if (!code)
        code = node_check(node, &request->error);
    if (!code)
        want.until_ms = node_until(node, request->timeout_ms);
    if (!code)
        code = node_place_page(node, request, &place, &here, &request->error);
    if (!code && !here && request->kind == PAGE_CHANGES)
        return error_set(&request->error, NEAP_REFUSED,
                         "%.60s: this node does not hold it: watch it at one that does",
                         request->bucket);
    here = here && !code;
    want.bucket = place.shard;
    request->shard = !code && place.ring ? place.shard : NULL;
    if (here)
        code = node_page_here(node, request, &want, ret_page);
    request->shard = NULL;
    if (here && request->kind == PAGE_CHANGES)
        return code;
    if (here && node_let_go(node, &want)) {
        here = false;
        code = 0;
        request->error = (struct neap_error){0};
        token_clear(&request->token);
    }
    if (!code && !here)
        return node_forward_page(node, request, place.shard, ret_page, want.until_ms);
    if (!code && request->want_token)
        code = node_token_sync(node, &request->token, &request->error);
    return code;
}

int node_page(struct backend *backend, struct page_request *request, struct page *ret_page)
{
    struct node *node = (struct node *)backend;
    int code = node_enter(node);

    if (code)
        return error_set(&request->error, code, "the node is being closed");
    code = node_page_inside(node, request, ret_page);
    node_leave(node);
    return code;
}
