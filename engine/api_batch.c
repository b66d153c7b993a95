/* Batches: ops are copied in, and committed as one write. */
#include "base/alloc.h"
#include "base/error.h"
#include "engine/api.h"

#include <string.h>

enum { OP_COST = 64, CONTEXT_ENTRY_COST = 24, OPS_ROOM_FIRST = 16 };

/* Where an op's bytes lie in the batch's memory, which moves while it grows. */
struct queued {
    size_t bucket, path, path_size, value, value_size;
    int64_t number, also;
    uint64_t ttl_ms;
    struct context *seen; /* owned; NULL: none */
    enum op_kind kind;
    bool prefix;
};

struct neap_batch {
    struct neap *neap;
    struct queued *ops;
    size_t count, room;
    size_t cost; /* bytes that count */
    struct buffer bytes;
};

int neap_batch_new(struct neap *neap, struct neap_batch **ret_batch)
{
    struct neap_batch *batch;

    if (!neap || !ret_batch)
        return NEAP_INVALID;
    if (neap->flags & NEAP_READONLY)
        return NEAP_REFUSED;
    batch = mem_new(sizeof *batch);
    if (!batch)
        return NEAP_NOMEM;
    batch->neap = neap;
    buffer_init(&batch->bytes, NEAP_BATCH_BYTES_MAX + NEAP_BATCH_COUNT_MAX);
    *ret_batch = batch;
    return 0;
}

static void seen_free(struct context *seen)
{
    if (!seen)
        return;
    context_done(seen);
    mem_free(seen);
}

static void batch_empty(struct neap_batch *batch)
{
    size_t i;

    for (i = 0; i < batch->count; i++)
        seen_free(batch->ops[i].seen);
    batch->count = 0;
    batch->cost = 0;
    buffer_clear(&batch->bytes);
}

void neap_batch_free(struct neap_batch *batch)
{
    if (!batch)
        return;
    batch_empty(batch);
    buffer_done(&batch->bytes);
    mem_free(batch->ops);
    mem_free(batch);
}

static int seen_copy(const struct context *seen, struct context **ret_copy)
{
    struct context *copy;
    int error;

    if (!seen)
        return 0;
    copy = mem_new(sizeof *copy);
    if (!copy)
        return NEAP_NOMEM;
    error = context_copy(copy, seen);
    if (error) {
        seen_free(copy);
        return error;
    }
    *ret_copy = copy;
    return 0;
}

static int ops_reserve(struct neap_batch *batch)
{
    struct queued *ops;
    size_t room;

    if (batch->count < batch->room)
        return 0;
    room = batch->room ? batch->room * 2 : OPS_ROOM_FIRST;
    ops = mem_resize(batch->ops, room * sizeof *ops);
    if (!ops)
        return NEAP_NOMEM;
    batch->ops = ops;
    batch->room = room;
    return 0;
}

static size_t op_cost(const struct write_op *op)
{
    size_t entries = op->op.seen ? op->op.seen->count : 0;

    return OP_COST + strlen(op->bucket) + op->path.size + op->op.value.size +
           entries * CONTEXT_ENTRY_COST;
}

/* The bucket's name with its zero; that of the op before is used again. */
static int bucket_queue(struct neap_batch *batch, const char *bucket, size_t *ret_offset)
{
    const struct queued *last = batch->count ? &batch->ops[batch->count - 1] : NULL;

    if (last && !strcmp((const char *)batch->bytes.data + last->bucket, bucket)) {
        *ret_offset = last->bucket;
        return 0;
    }
    *ret_offset = batch->bytes.size;
    return buffer_append(&batch->bytes, slice_of(bucket, strlen(bucket) + 1));
}

static int bytes_queue(struct neap_batch *batch, struct slice bytes, size_t *ret_offset)
{
    *ret_offset = batch->bytes.size;
    return buffer_append(&batch->bytes, bytes);
}

static int op_queue(struct neap_batch *batch, const struct write_op *op)
{
    struct queued queued = {.path_size = op->path.size,
                            .value_size = op->op.value.size,
                            .number = op->op.number,
                            .also = op->op.also,
                            .ttl_ms = op->op.ttl_ms,
                            .kind = op->op.kind,
                            .prefix = op->prefix};
    size_t before = batch->bytes.size;
    int error;

    error = ops_reserve(batch);
    if (!error)
        error = bucket_queue(batch, op->bucket, &queued.bucket);
    if (!error)
        error = bytes_queue(batch, op->path, &queued.path);
    if (!error)
        error = bytes_queue(batch, op->op.value, &queued.value);
    if (!error)
        error = seen_copy(op->op.seen, &queued.seen);
    if (error) {
        batch->bytes.size = before;
        return error;
    }
    batch->ops[batch->count++] = queued;
    batch->cost += op_cost(op);
    return 0;
}

int api_queue(struct api *api, const struct write_op *op)
{
    struct neap_batch *batch = api->call.batch;
    int error;

    if (batch->neap != api->neap)
        return error_set(api->error, NEAP_INVALID, "call.batch: made for another handle");
    if (batch->count == NEAP_BATCH_COUNT_MAX)
        return error_set(api->error, NEAP_LIMIT,
                         "the batch holds %d writes (NEAP_BATCH_COUNT_MAX): commit it first",
                         NEAP_BATCH_COUNT_MAX);
    if (op_cost(op) > NEAP_BATCH_BYTES_MAX - batch->cost)
        return error_set(api->error, NEAP_LIMIT,
                         "the batch would hold more than %d bytes (NEAP_BATCH_BYTES_MAX): commit "
                         "it first",
                         NEAP_BATCH_BYTES_MAX);
    error = op_queue(batch, op);
    return error ? api_failed(api, error, NULL) : 0;
}

static struct write_op *ops_new(const struct neap_batch *batch)
{
    struct write_op *ops = mem_new_array(batch->count, sizeof *ops);
    size_t i;

    for (i = 0; ops && i < batch->count; i++) {
        const struct queued *queued = &batch->ops[i];
        const uint8_t *bytes = batch->bytes.data;

        ops[i].bucket = (const char *)bytes + queued->bucket;
        ops[i].path = slice_of(bytes + queued->path, queued->path_size);
        ops[i].prefix = queued->prefix;
        ops[i].op = (struct op){.kind = queued->kind,
                                .value = slice_of(bytes + queued->value, queued->value_size),
                                .number = queued->number,
                                .also = queued->also,
                                .ttl_ms = queued->ttl_ms,
                                .seen = queued->seen};
    }
    return ops;
}

int neap_batch_commit(struct neap_batch *batch, const struct neap_call *call)
{
    struct write_op *ops = NULL;
    struct api api;
    int error;

    error = api_begin(&api, batch ? batch->neap : NULL, call, API_WRITE | API_AFTER | API_TOKEN);
    if (!error && !(ops = ops_new(batch)))
        error = api_failed(&api, NEAP_NOMEM, NULL);
    if (!error)
        error = api_commit(&api, ops, batch->count);
    if (!error || error == NEAP_UNCERTAIN || error == NEAP_IO)
        batch_empty(batch);
    mem_free(ops);
    api_end(&api);
    return error;
}
