#include "engine/serve.h"

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "engine/cover.h"
#include "engine/engine.h"
#include "engine/read.h"
#include "engine/request.h"
#include "engine/rights.h"
#include "store/tally.h"

/* Past it the others have a commit of their own. */
enum { SERVE_BYTES = 8 << 20 };

static struct served *served_of(struct backend *backend)
{
    return (struct served *)backend;
}

/* No answer yet; the code is nobody's. */
static int served_waits(struct served *served, bool again)
{
    served->waits = true;
    served->again |= again;
    return NEAP_BUSY;
}

static bool served_is_late(const struct served *served)
{
    return served->now.mono_ms >= served->called->until_ms;
}

/* It is never handed on again: whoever asked finds another. */
static bool served_places(struct served *served, bool is_here, const char **ret_shard)
{
    struct placed *place = &served->place;

    if (is_here && store_wants(&served->engine->store, place->shard)) {
        if (ret_shard && place->ring)
            *ret_shard = place->shard;
        return true;
    }
    served->not_here = true;
    return false;
}

static bool served_holds(struct served *served, const char *bucket, struct slice path,
                         enum group_use use, const char **ret_shard)
{
    const struct engine *engine = served->engine;
    struct placed *place = &served->place;

    if (!bucket || bucket_name_check(bucket))
        return true; /* the check that follows says so */
    return served_places(served,
                         !place_find(gossip_rings(engine->gossip, NULL), bucket, path, place) &&
                             place_is_mine(place, use, engine->store.identity.node),
                         ret_shard);
}

static bool served_lists(struct served *served, struct page_request *request)
{
    const struct engine *engine = served->engine;
    struct placed *place = &served->place;

    if (!request->slots || !request->bucket || bucket_name_check(request->bucket))
        return served_holds(served, request->bucket, request->path, GROUPS_READ, &request->shard);
    return served_places(served,
                         !place_slot(gossip_rings(engine->gossip, NULL), request->bucket,
                                     request->slot, request->slots, place) &&
                             place_is_mine(place, GROUPS_READ, engine->store.identity.node),
                         &request->shard);
}

/* ---- writes ---- */

/* Durable here, with the commit of this turn at the latest; now the others. */
static int served_cover(struct served *served, const struct token *token, enum neap_level level,
                        struct cover_look *ret_look)
{
    int code = cover_look_begin(served->engine, level, ret_look);

    if (code)
        return code;
    cover_look_at(served->engine, level, token->parts, token->count, ret_look);
    if (cover_is_there(ret_look)) {
        served->engine->wants_sync = true;
        return 0;
    }
    return served_is_late(served) ? NEAP_UNCERTAIN : served_waits(served, false);
}

static int served_cover_error(const struct cover_look *look, int code, struct neap_error *error)
{
    if (code != NEAP_UNCERTAIN)
        return error_set(error, code, "%s", error_text(code));
    if (!look->here)
        return error_set(error, code, "not in time: the node does not hold all of it yet");
    return quorum_error(&look->quorum, QUORUM_UNCERTAIN, error);
}

static int served_write_here(struct served *served, struct write *write)
{
    int code;

    for (size_t i = 0; i < write->count; i++) {
        if (!served_holds(served, write->ops[i].bucket, write->ops[i].path, GROUPS_WRITE, NULL))
            return NEAP_STALE;
    }
    if (write->once.size) /* what is remembered of an id is remembered by one node */
        return error_set(&write->error, NEAP_REFUSED,
                         "once: an id is for a node that holds the bucket");
    write->submit = write->nosync = false;
    code = engine_write(served->engine, served->now, write, served->batch);
    served->not_here = write->not_here;
    if (code == NEAP_IO)
        served->broken = code;
    if (code && !write->error.code)
        error_set(&write->error, code, "%s", error_text(code));
    if (code)
        return code;
    served->token = write->token;
    served->awaited = write->awaited;
    token_init(&write->token);
    token_init(&write->awaited);
    served->state = SERVED_WRITTEN;
    return 0;
}

static int served_write(struct backend *backend, struct write *write)
{
    struct served *served = served_of(backend);
    struct cover_look look = {.here = true};
    int code = 0;

    if (served->state != SERVED_WRITTEN)
        code = served_write_here(served, write);
    if (!code && write->level >= NEAP_QUORUM && !BROKEN("serve-early")) {
        code = served_cover(served, &served->awaited, write->level, &look);
        if (code && !served->waits)
            served_cover_error(&look, code, &write->error);
    }
    if (!code) {
        write->token = served->token;
        token_init(&served->token);
    }
    return code;
}

/* ---- reads ---- */

static int served_late(const char *bucket, const char *what, struct neap_error *error)
{
    return error_set(error, NEAP_UNAVAILABLE, "%.60s: %s: nothing was read", bucket, what);
}

static int served_covered(struct served *served, const char *bucket, const struct context *context,
                          struct neap_error *error)
{
    int code = read_covered(served->engine->store.disk, bucket_id(bucket), context);

    if (!code)
        return 0;
    if (code != NEAP_END)
        return error_set(error, code, "%.60s: %s", bucket, error_text(code));
    if (served_is_late(served))
        return served_late(bucket, "the node that holds it lacks what is waited for, in time",
                           error);
    return served_waits(served, false);
}

/* Asks others what they have seen. */
static int served_ask(struct served *served, const char *bucket, enum neap_level level,
                      struct neap_error *error)
{
    int code;

    survey_init(&served->survey, bucket, level, served->called->until_ms);
    served->survey.ask.owner = served;
    code = gossip_ask(served->engine->gossip, served->now, &served->survey.ask, served->outbox);
    if (!code) {
        served->state = SERVED_ASKS;
        return served_waits(served, false);
    }
    served->state = SERVED_RETRIES;
    if (code == NEAP_BUSY && !served_is_late(served))
        return served_waits(served, false);
    return error_set(error, code, "%.60s: asking other nodes: %s", bucket, error_text(code));
}

static int served_level(struct served *served, const char *bucket, enum neap_level level,
                        struct neap_error *error)
{
    struct quorum quorum;

    if (level < NEAP_QUORUM || !served->engine->gossip)
        return 0;
    switch (served->state) {
    case SERVED_SEEN:
        return served_covered(served, bucket, &served->seen, error);
    case SERVED_ASKS:
        return served_waits(served, false);
    case SERVED_FAILED:
        (void)survey_verdict(&served->survey, &quorum);
        return quorum_error(&quorum, QUORUM_UNAVAILABLE, error);
    case SERVED_NEW:
    case SERVED_RETRIES:
    case SERVED_WRITTEN:
        break;
    }
    if (served->state == SERVED_RETRIES && served_is_late(served))
        return served_late(bucket, "not enough other nodes could say in time what they have",
                           error);
    return served_ask(served, bucket, level, error);
}

/* As of a local read: node_expire() in engine/node_wait.c. */
static int served_expire(struct served *served, uint64_t *ret_hide_ms)
{
    struct engine *engine = served->engine;
    struct expiry *expiry = &engine->store.expiry;
    uint64_t due = atomic_load(&expiry->due), wall_ms = served->now.wall_ms;
    int code;

    if (!served->ticked && due != UINT64_MAX &&
        (wall_ms >= due || wall_ms < atomic_load(&expiry->told))) {
        served->ticked = true;
        code = expiring_tick(&engine->expiring, &engine->store, engine->gossip, served->now,
                             served->batch, &engine->wants_sync);
        if (code == NEAP_IO)
            served->broken = code;
        return code ? code : served_waits(served, true);
    }
    *ret_hide_ms = atomic_load(&expiry->mark);
    return 0;
}

static int served_await(struct served *served, const struct token *after, enum neap_level level,
                        uint64_t *ret_hide_ms, struct neap_error *error)
{
    const char *bucket = served->place.shard; /* it stays where it is while others are asked */
    const struct context *context = after ? token_find(after, bucket_id(bucket)) : NULL;
    int code = 0;

    if (after && after->ticket)
        return error_set(error, NEAP_STALE, "the token's submitted write is another node's");
    if (context)
        code = served_covered(served, bucket, context, error);
    if (!code)
        code = served_level(served, bucket, level, error);
    if (code)
        return code;
    code = served_expire(served, ret_hide_ms);
    return code && !served->waits ? error_set(error, code, "%s", error_text(code)) : code;
}

static int served_read(struct backend *backend, struct read *read, struct buffer *ret_cell)
{
    struct served *served = served_of(backend);
    struct rights_asked asked;
    int code;

    if (!served_holds(served, read->bucket, read->path, GROUPS_READ, &read->shard))
        return NEAP_STALE;
    code = read_check(read, &read->error);
    if (!code)
        code = served_await(served, read->after, read->level, &read->hide_ms, &read->error);
    if (code)
        return code;
    if (!read->rights)
        return read_cell(served->engine->store.disk, read, ret_cell);
    rights_ask(served->engine, served->place.shard, &asked);
    return rights_read_cell(served->engine->store.disk, &asked, read, ret_cell);
}

/* What is too large to be counted in one go is counted in steps, between which others go on. */
static int served_count(struct served *served, struct page_request *request, struct page *ret_page)
{
    int code;

    if (!served->counts) {
        served->counts = true;
        served->count =
            (struct count){.shard = bucket_id(request->bucket), .want_token = request->want_token};
        token_init(&served->count.token);
    }
    served->count.path = request->path;
    code = count_step(&served->engine->store, served->batch, &served->count);
    if (!code && !served->count.known)
        return served_is_late(served)
                   ? served_late(request->bucket, "not counted in time", &request->error)
                   : served_waits(served, true);
    if (code)
        return code;
    ret_page->count = served->count.count;
    token_done(&request->token);
    request->token = served->count.token;
    token_init(&served->count.token);
    return 0;
}

static int served_page_read(struct served *served, struct page_request *request,
                            struct page *ret_page)
{
    struct disk *disk = served->engine->store.disk;
    int code;

    if (request->kind != PAGE_NAMES || !request->count_only || !request->path.size ||
        request->shard)
        return page_read(disk, request, ret_page);
    request->count_max = TALLY_FROM;
    code = page_read(disk, request, ret_page);
    if (code || ret_page->count <= TALLY_FROM)
        return code;
    code = served_count(served, request, ret_page);
    if (!code || served->waits || request->error.code)
        return code;
    if (code != NEAP_NOTFOUND && code != NEAP_LIMIT && code != NEAP_CORRUPT)
        return error_set(&request->error, code, "%.60s: %s", request->bucket, error_text(code));
    request->count_max = 0;
    token_clear(&request->token);
    return page_read(disk, request, ret_page);
}

static int served_page(struct backend *backend, struct page_request *request, struct page *ret_page)
{
    struct served *served = served_of(backend);
    int code;

    if (request->stats || request->kind == PAGE_SLOTS)
        return error_set(&request->error, NEAP_REFUSED, "a node's numbers are its own");
    if (request->kind == PAGE_CHANGES)
        return error_set(&request->error, NEAP_REFUSED, "a watch is not handed on");
    if (!served_lists(served, request))
        return NEAP_STALE;
    code = page_check(request, &request->error);
    if (!code)
        code = served_await(served, request->after, request->level, &request->hide_ms,
                            &request->error);
    return code ? code : served_page_read(served, request, ret_page);
}

/* ---- waits, and what is not for others ---- */

static int served_wait(struct backend *backend, const struct token *token, enum neap_level level,
                       uint32_t timeout_ms, struct neap_error *error)
{
    struct served *served = served_of(backend);
    struct cover_look look = {.here = true};
    unsigned needed;
    int code = quorum_need(level, 1, &needed, error);

    (void)timeout_ms; /* whoever handed it on says how long */
    if (!code && token->ticket)
        return error_set(error, NEAP_STALE, "the token's submitted write is another node's");
    for (size_t i = 0; !code && i < token->count; i++) {
        const struct shard *shard = store_find(&served->engine->store, token->parts[i].shard);

        served->not_here |= !shard || shard->unwanted;
    }
    if (code || served->not_here)
        return code ? code : NEAP_STALE;
    code = served_cover(served, token, level, &look);
    if (code && !served->waits)
        served_cover_error(&look, code, error);
    return code;
}

static int served_refuse(struct neap_error *error)
{
    return error_set(error, NEAP_REFUSED, "this is not handed on to other nodes: ask that node");
}

static int served_sync(struct backend *backend)
{
    (void)backend;
    return NEAP_REFUSED;
}

static int served_once(struct backend *backend, uint32_t timeout_ms, struct buffer *ret_id,
                       struct neap_error *error)
{
    (void)backend;
    (void)timeout_ms;
    (void)ret_id;
    return served_refuse(error);
}

static int served_admin(struct backend *backend, int argc, const char *const argv[],
                        struct buffer *ret_json, struct neap_error *error)
{
    (void)backend;
    (void)argc;
    (void)argv;
    (void)ret_json;
    return served_refuse(error);
}

static int served_backup(struct backend *backend, const char *directory, uint32_t timeout_ms,
                         struct buffer *ret_json, struct neap_error *error)
{
    (void)backend;
    (void)directory;
    (void)timeout_ms;
    (void)ret_json;
    return served_refuse(error);
}

static const struct backend_ops served_ops = {.write = served_write,
                                              .read = served_read,
                                              .page = served_page,
                                              .sync = served_sync,
                                              .wait = served_wait,
                                              .once = served_once,
                                              .admin = served_admin,
                                              .backup = served_backup};

/* ---- all of them ---- */

static void served_free(struct served *served)
{
    survey_done(&served->survey);
    context_done(&served->seen);
    token_done(&served->token);
    token_done(&served->awaited);
    token_done(&served->count.token);
    mem_free(served);
}

static int serve_begin(struct engine *engine, struct called *called)
{
    struct served *served = mem_new(sizeof *served);

    if (!served)
        return NEAP_NOMEM;
    served->backend.ops = &served_ops;
    served->called = called;
    granted_init(&served->granted, &served->backend, &called->principal);
    token_init(&served->token);
    token_init(&served->awaited);
    token_init(&served->count.token);
    engine->serving.calls[engine->serving.count++] = served;
    return 0;
}

static int serve_take(struct engine *engine, struct now now, struct outbox *outbox)
{
    struct called *called;
    int error = 0;

    while (!error && (called = gossip_called(engine->gossip))) {
        if (serve_begin(engine, called))
            error =
                gossip_call_end(engine->gossip, now, called, NEAP_BUSY, slice_of(NULL, 0), outbox);
        if (error) { /* nobody is told */
            gossip_call_drop(engine->gossip, called);
            error = 0;
        }
    }
    return error;
}

/* `called` is gone already. */
static void serve_remove(struct engine *engine, size_t index)
{
    struct serving *serving = &engine->serving;

    served_free(serving->calls[index]);
    for (serving->count--; index < serving->count; index++)
        serving->calls[index] = serving->calls[index + 1];
}

static void serve_end(struct engine *engine, size_t index, int code, struct slice reply)
{
    const struct served *served = engine->serving.calls[index];

    must(served->state != SERVED_ASKS); /* gossip has it */
    if (gossip_call_end(engine->gossip, served->now, served->called, code, reply, served->outbox)) {
        gossip_call_drop(engine->gossip, served->called);
        engine->serving.unsaid = true;
    }
    engine->serving.done += !code;
    serve_remove(engine, index);
}

/* What has to be looked at again when it is another number. */
static uint64_t serve_changes(const struct engine *engine)
{
    return gossip_news(engine->gossip) + engine->counts.writes + engine->counts.repeats;
}

static bool served_is_due(const struct served *served, const struct engine *engine, struct now now)
{
    if (served->state == SERVED_ASKS)
        return false;
    return served->again || served->changes != serve_changes(engine) ||
           now.mono_ms >= served->called->until_ms;
}

/* What was done cannot be told, for want of memory: it is not known there, then. */
static void serve_lose(struct engine *engine, size_t index)
{
    gossip_call_drop(engine->gossip, engine->serving.calls[index]->called);
    engine->serving.unsaid = true;
    serve_remove(engine, index);
}

/* Nothing was done, so another node may do it. */
static bool served_is_let_go(const struct served *served, const struct engine *engine)
{
    return engine->serving.closed && served->state != SERVED_WRITTEN && !BROKEN("closed-serves");
}

static int serve_look(struct engine *engine, struct now now, size_t index, struct batch *batch,
                      struct outbox *outbox, bool *ret_ended)
{
    struct served *served = engine->serving.calls[index];
    struct buffer reply;
    int code = 0, broken, error;

    served->engine = engine;
    served->now = now;
    served->batch = batch;
    served->outbox = outbox;
    if (served_is_let_go(served, engine)) {
        *ret_ended = true;
        serve_end(engine, index, NEAP_STALE, slice_of(NULL, 0));
        return 0;
    }
    served->waits = served->again = served->not_here = false;
    served->broken = 0;
    buffer_init(&reply, CALL_SIZE_MAX);
    error = request_serve(&served->granted.backend, buffer_slice(&served->called->request), &reply);
    served->changes = serve_changes(engine);
    /* What this turn has made is not on the disk yet, where readers look. */
    served->again |= served->waits && !batch_is_empty(batch);
    broken = served->broken;
    *ret_ended = !served->waits && !broken;
    if (served->not_here)
        code = NEAP_STALE;
    else if (error)
        code = NEAP_BUSY;
    if (*ret_ended && error && served->state == SERVED_WRITTEN)
        serve_lose(engine, index);
    else if (*ret_ended)
        serve_end(engine, index, code, code ? slice_of(NULL, 0) : buffer_slice(&reply));
    buffer_done(&reply);
    return broken;
}

int serve_work(struct engine *engine, struct now now, struct batch *batch, struct outbox *outbox)
{
    struct serving *serving = &engine->serving;
    int error = serve_take(engine, now, outbox);

    serving->again = false;
    for (size_t i = 0; i < serving->count && !error;) {
        bool ended = false;

        if (batch_bytes(batch) >= SERVE_BYTES) {
            serving->again = true;
            break;
        }
        if (served_is_due(serving->calls[i], engine, now))
            error = serve_look(engine, now, i, batch, outbox, &ended);
        if (!ended) {
            serving->again |= serving->calls[i]->again;
            i++;
        }
    }
    return error;
}

bool serve_asked(struct engine *engine, struct ask *ask)
{
    enum quorum_verdict verdict;
    struct served *served = NULL;
    struct quorum quorum;
    int error;

    for (size_t i = 0; i < engine->serving.count; i++) {
        if (&engine->serving.calls[i]->survey.ask == ask)
            served = engine->serving.calls[i];
    }
    if (!served)
        return false;
    verdict = survey_verdict(&served->survey, &quorum);
    error = ask->code;
    served->state = SERVED_FAILED;
    if (!error && verdict == QUORUM_DONE)
        error = survey_join(&served->survey, &served->seen);
    if (!error && verdict == QUORUM_DONE)
        served->state = SERVED_SEEN;
    else if (error || survey_may_change(&served->survey))
        served->state = SERVED_RETRIES;
    if (served->state != SERVED_FAILED)
        survey_done(&served->survey);
    if (served->state == SERVED_RETRIES)
        context_clear(&served->seen);
    if (served->state != SERVED_RETRIES || engine->serving.closed)
        served->again = engine->serving.again = true;
    return true;
}

void serve_close(struct engine *engine)
{
    struct serving *serving = &engine->serving;

    serving->closed = true;
    for (size_t i = 0; i < serving->count; i++) {
        struct served *served = serving->calls[i];

        if (served->state == SERVED_ASKS)
            ask_call_off(&served->survey.ask);
        served->again = serving->again = true;
    }
}

uint64_t serve_deadline(const struct engine *engine, struct now now)
{
    uint64_t deadline = UINT64_MAX;

    for (size_t i = 0; i < engine->serving.count; i++) {
        const struct served *served = engine->serving.calls[i];

        if (served->state != SERVED_ASKS && served->called->until_ms < deadline)
            deadline = served->called->until_ms;
    }
    return engine->serving.again ? now.mono_ms : deadline;
}

void serve_done(struct engine *engine)
{
    while (engine->serving.count > 0)
        serve_lose(engine, engine->serving.count - 1);
}
