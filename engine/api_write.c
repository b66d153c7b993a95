/* Writes: each is one op on one place, done now or queued in a batch. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "engine/api.h"

#include <string.h>

enum { TOKEN_SPARE_MAX = 4096 };

/* What a write's token takes at most, of each bucket: a dot; or, where something is removed that
 * may be gone already, all that the node knows of it. */
static size_t token_room(const struct write_op *ops, size_t count)
{
    size_t buckets = 0, i, room;
    bool removes = false;

    for (i = 0; i < count; i++) {
        buckets += i == 0 || (ops[i].bucket != ops[i - 1].bucket &&
                              strcmp(ops[i].bucket, ops[i - 1].bucket) != 0);
        removes = removes || op_info(ops[i].op.kind)->may_be_idle;
    }
    if (buckets > TOKEN_PARTS_MAX)
        buckets = TOKEN_PARTS_MAX;
    room = TOKEN_HEAD_MAX + TOKEN_ENTRY_MAX * (size_t)(removes ? CONTEXT_IDS_MAX : 1);
    room = TOKEN_HEAD_MAX + buckets * room;
    return room < TOKEN_SIZE_MAX ? room : TOKEN_SIZE_MAX;
}

/* Nothing may fail for want of memory once the write is done: so it is taken before. */
static int token_reserve(struct api *api, const struct write_op *ops, size_t count,
                         struct buffer *ret_bytes)
{
    size_t room = token_room(ops, count);
    int error;

    if (!api->call.ret_token)
        return 0;
    error = buffer_reserve(ret_bytes, room);
    if (!error)
        error = api_reserve(api->call.ret_token, room);
    return error ? api_failed(api, error, NULL) : 0;
}

/* Much that it did not take is given back, but for what the caller had; if that cannot be, it
 * stays. */
static void token_trim(const struct api *api, size_t had)
{
    struct neap_buffer *buffer = api->call.ret_token;
    size_t room;
    void *data;

    if (!buffer)
        return;
    room = buffer->size + 1 > had ? buffer->size + 1 : had;
    if (buffer->room < 2 * room + TOKEN_SPARE_MAX)
        return;
    data = mem_resize(buffer->data, room);
    if (!data)
        return;
    buffer->data = data;
    buffer->room = room;
}

/* A node at the other end of a socket might send a larger token than there can be: then this may
 * allocate. */
static int token_give(struct api *api, const struct token *token, struct buffer *bytes)
{
    struct writer writer;

    if (!api->call.ret_token)
        return 0;
    writer_init(&writer, bytes);
    token_write(&writer, token);
    if (writer.error)
        return api_failed(api, writer.error, NULL);
    return api_give(api, api->call.ret_token, buffer_slice(bytes));
}

/* The write that follows has what is left of the time: at least 1, since 0 is for ever. */
static int wait_after(struct api *api, uint32_t *timeout_ms)
{
    struct backend *backend = api->neap->backend;
    struct clock *clock = clock_os();
    struct neap_error error = {0};
    uint64_t began_ms, took_ms;
    int code;

    if (!api_after(api))
        return 0;
    began_ms = clock->ops->now_ms(clock);
    code = backend->ops->wait(backend, &api->after, NEAP_ONE, api->call.timeout_ms, &error);
    if (code == NEAP_UNCERTAIN)
        return error_set(api->error, NEAP_UNAVAILABLE,
                         "call.after: not covered here within %u ms; nothing was written",
                         (unsigned)api->call.timeout_ms);
    took_ms = clock->ops->now_ms(clock) - began_ms;
    *timeout_ms = took_ms < *timeout_ms ? *timeout_ms - (uint32_t)took_ms : 1;
    return code ? api_failed(api, code, &error) : 0;
}

int api_commit(struct api *api, struct write_op *ops, size_t count)
{
    struct backend *backend = api->neap->backend;
    struct write write = {.ops = ops, .count = count, .level = api->call.level};
    struct buffer bytes;
    size_t had = api->call.ret_token ? api->call.ret_token->room : 0;
    int error;

    write.nosync = (api->neap->flags | api->call.flags) & NEAP_NOSYNC;
    write.submit = api->call.submit != 0;
    write.want_token = api->call.ret_token != NULL;
    write.timeout_ms = api->call.timeout_ms;
    write.once = api_slice(api->call.once);
    buffer_init(&bytes, TOKEN_SIZE_MAX);
    token_init(&write.token);
    error = wait_after(api, &write.timeout_ms);
    if (!error)
        error = token_reserve(api, ops, count, &bytes);
    if (!error && count) {
        error = backend->ops->write(backend, &write);
        if (error)
            error = api_failed(api, error, &write.error);
    }
    if (!error)
        error = token_give(api, &write.token, &bytes);
    token_trim(api, had);
    token_done(&write.token);
    buffer_done(&bytes);
    return error;
}

/* The part of the token that speaks of this bucket. One that speaks of other buckets only was
 * given by mistake; one that speaks of none was read before anything was there. */
static int seen_find(struct api *api, struct write_op *op)
{
    static const struct context nothing;
    const struct context *context;

    if (!api->call.seen.size)
        return 0;
    context = token_find(&api->seen, hash_name(slice_text(op->bucket)));
    if (!context && api->seen.count)
        return error_set(api->error, NEAP_STALE,
                         "call.seen: a token of another bucket than \"%.60s\"", op->bucket);
    op->op.seen = context ? context : &nothing;
    return 0;
}

/* Runs or queues one op, whose path lies in api->path. */
static int write_run(struct api *api, struct write_op *op)
{
    int error;

    op->path = buffer_slice(&api->path);
    error = seen_find(api, op);
    if (error)
        return error;
    return api->call.batch ? api_queue(api, op) : api_commit(api, op, 1);
}

enum { WRITE_ACCEPTS = API_WRITE | API_BATCH | API_AFTER | API_TOKEN };

int api_write(struct neap *neap, const struct neap_place *at, const struct neap_bytes *element,
              const struct op *op, const struct neap_call *call)
{
    const struct op_info *info = op_info(op->kind);
    struct write_op write = {.op = *op};
    struct api api;
    int error;

    error = api_begin(&api, neap, call,
                      WRITE_ACCEPTS | (info->takes_seen ? API_SEEN : 0u) |
                          (info->takes_ttl ? API_TTL : 0u));
    write.op.ttl_ms = api.call.ttl_ms;
    if (!error)
        error = api_bytes(&api, "the value (NEAP_VALUE_MAX)",
                          (struct neap_bytes){op->value.data, op->value.size}, NEAP_VALUE_MAX);
    if (!error)
        error =
            element ? api_element(&api, at, info->type, *element) : api_place(&api, at, info->type);
    if (!error) {
        write.bucket = at->bucket;
        error = write_run(&api, &write);
    }
    return api_end_at(&api, at, error);
}

int neap_once(struct neap *neap, struct neap_buffer *ret_id, const struct neap_call *call)
{
    struct neap_error error = {0};
    struct buffer id;
    struct api api;
    int code;

    buffer_init(&id, NEAP_ONCE_MAX);
    code = api_begin(&api, neap, call, 0);
    if (!code && !ret_id)
        code = error_set(api.error, NEAP_INVALID, "where the result goes is NULL");
    if (!code) {
        code = neap->backend->ops->once(neap->backend, api.call.timeout_ms, &id, &error);
        /* Nothing was asked that could have an effect. */
        if (code)
            code = api_read_failed(&api, code, &error);
    }
    if (!code)
        code = api_give(&api, ret_id, buffer_slice(&id));
    buffer_done(&id);
    api_end(&api);
    return code;
}

int neap_remove(struct neap *neap, const struct neap_place *at, enum neap_type type,
                const struct neap_call *call)
{
    struct write_op write = {.op.kind = OP_REMOVE};
    struct api api;
    int error;

    error = api_begin(&api, neap, call, WRITE_ACCEPTS | API_SEEN);
    if (!error)
        error = api_place(&api, at, (unsigned)type);
    if (!error) {
        write.bucket = at->bucket;
        write.prefix = type == NEAP_ANY || type_below((unsigned)type) != BELOW_NOTHING;
        error = write_run(&api, &write);
    }
    return api_end_at(&api, at, error);
}
