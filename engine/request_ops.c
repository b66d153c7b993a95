/* The ops of a write, as they travel. */
#include "base/alloc.h"
#include "base/error.h"
#include "crdt/path.h"
#include "engine/request.h"

#include <string.h>

enum { OP_ELEMENTS = 9 };

static bool bucket_follows(const struct write_op *ops, size_t i)
{
    return i > 0 &&
           (ops[i].bucket == ops[i - 1].bucket || !strcmp(ops[i].bucket, ops[i - 1].bucket));
}

static void op_write(struct writer *writer, const struct write_op *op, size_t bucket)
{
    write_array(writer, OP_ELEMENTS);
    write_u64(writer, bucket);
    write_bin(writer, op->path);
    write_u64(writer, (uint64_t)op->op.kind);
    write_u64(writer, op->prefix);
    write_bin(writer, op->op.value);
    write_i64(writer, op->op.number);
    write_i64(writer, op->op.also);
    write_u64(writer, op->op.ttl_ms);
    if (op->op.seen)
        context_write(writer, op->op.seen);
    else
        write_nil(writer);
}

void request_ops_write(struct writer *writer, const struct write_op *ops, size_t count)
{
    size_t buckets = 0, i;

    for (i = 0; i < count; i++)
        buckets += !bucket_follows(ops, i);
    write_array(writer, (uint32_t)buckets);
    for (i = 0; i < count; i++)
        if (!bucket_follows(ops, i))
            write_str(writer, ops[i].bucket);
    write_array(writer, (uint32_t)count);
    for (i = 0, buckets = 0; i < count; i++) {
        buckets += !bucket_follows(ops, i);
        op_write(writer, &ops[i], buckets - 1);
    }
}

/* 0 when `path` is a number of whole levels. */
static int levels_check(struct slice path)
{
    struct path_cursor cursor;
    struct path_level level;
    int error = path.size ? 0 : NEAP_INVALID;

    path_cursor_init(&cursor, path);
    while (!error)
        error = path_cursor_level(&cursor, &level);
    if (error == NEAP_END)
        error = cursor.left.size ? NEAP_INVALID : 0;
    path_cursor_done(&cursor);
    return error;
}

int request_prefix_check(struct slice prefix)
{
    struct buffer whole;
    int error;

    error = levels_check(prefix);
    if (error != NEAP_INVALID || !prefix.size)
        return error;
    buffer_init(&whole, NEAP_PATH_MAX + 1);
    error = buffer_set(&whole, prefix);
    if (!error)
        error = buffer_append_u8(&whole, NEAP_MAP);
    if (!error)
        error = levels_check(buffer_slice(&whole));
    buffer_done(&whole);
    return error;
}

/* All names at once, so that ops can point to them. */
static void buckets_read(struct reader *reader, struct request_ops *ops)
{
    uint32_t count = read_array(reader, NEAP_BATCH_COUNT_MAX), i;
    struct reader sizes = *reader;
    size_t size = 0;
    char *name;

    for (i = 0; i < count; i++)
        size += read_str(&sizes, NEAP_BUCKET_MAX).size + 1;
    if (sizes.error) {
        reader_fail(reader, sizes.error);
        return;
    }
    ops->names = mem_new(size);
    ops->buckets = mem_new_array(count, sizeof *ops->buckets);
    if (!ops->names || !ops->buckets) {
        reader_fail(reader, NEAP_NOMEM);
        return;
    }
    for (i = 0, name = ops->names; i < count; i++) {
        struct slice text = read_str(reader, NEAP_BUCKET_MAX);

        if (!text.size || memchr(text.data, 0, text.size)) {
            reader_fail(reader, NEAP_INVALID);
            return;
        }
        memcpy(name, text.data, text.size);
        ops->buckets[i] = name;
        name += text.size + 1;
    }
    ops->buckets_count = count;
}

static void op_read(struct reader *reader, struct request_ops *ops, size_t index)
{
    struct write_op *op = &ops->ops[index];
    uint64_t bucket, kind, prefix;

    read_array_of(reader, OP_ELEMENTS);
    bucket = read_u64(reader);
    op->path = read_bin(reader, NEAP_PATH_MAX);
    kind = read_u64(reader);
    prefix = read_u64(reader);
    op->op.value = read_bin(reader, NEAP_VALUE_MAX);
    op->op.number = read_i64(reader);
    op->op.also = read_i64(reader);
    op->op.ttl_ms = read_u64(reader);
    if (!read_nil(reader)) {
        (void)context_read(reader, &ops->seen[index]); /* the error sticks in the reader */
        op->op.seen = &ops->seen[index];
    }
    if (bucket >= ops->buckets_count || kind >= OP_KIND_END || !op_info((unsigned)kind)->is_known ||
        prefix > 1)
        reader_fail(reader, NEAP_INVALID);
    if (reader->error)
        return;
    op->bucket = ops->buckets[bucket];
    op->op.kind = (enum op_kind)kind;
    op->prefix = prefix == 1;
    if (op->prefix)
        reader_fail(reader, request_prefix_check(op->path));
}

void request_ops_read(struct reader *reader, struct request_ops *ret_ops)
{
    uint32_t count, i;

    buckets_read(reader, ret_ops);
    count = read_array(reader, NEAP_BATCH_COUNT_MAX);
    if (reader->error)
        return;
    ret_ops->ops = mem_new_array(count, sizeof *ret_ops->ops);
    ret_ops->seen = mem_new_array(count, sizeof *ret_ops->seen);
    if (!ret_ops->ops || !ret_ops->seen) {
        reader_fail(reader, NEAP_NOMEM);
        return;
    }
    ret_ops->count = count;
    for (i = 0; i < count && !reader->error; i++)
        op_read(reader, ret_ops, i);
}

void request_ops_done(struct request_ops *ops)
{
    size_t i;

    for (i = 0; ops->seen && i < ops->count; i++)
        context_done(&ops->seen[i]);
    mem_free(ops->seen);
    mem_free(ops->ops);
    mem_free(ops->buckets);
    mem_free(ops->names);
    *ops = (struct request_ops){0};
}
