/* What a peer sends of a shard: chunks, pages, messages. What is refused leaves the shard as it
 * was; what is taken leaves it sound. */
#include "store/chunk.h"
#include "store/shard.h"
#include "store/store.h"
#include "tests/fuzz/fuzz.h"

static struct view view_of(struct batch *batch)
{
    return batch_view(batch);
}

static void check_encoding(const struct chunk *chunk, struct slice input)
{
    struct buffer again;

    buffer_init(&again, CHUNK_BYTES_MAX);
    must(!chunk_encode(chunk, &again));
    must(slice_equal(buffer_slice(&again), input));
    buffer_done(&again);
}

/* Every stored cell can be read, and lies in the bucket. */
static void check_cells(const struct shard *shard, struct batch *batch)
{
    struct view view = view_of(batch);
    static const struct hash_key hash_key;
    struct shard_summary summary;
    struct context context = {0};

    must(!shard_summary(&view, shard, &hash_key, &summary));
    must(!shard_context_read(&view, shard->id, &context));
    must(context_equal(&context, &shard->context));
    must(context_covers(&shard->context, &shard->horizon));
    context_done(&context);
}

/* A shard that has made two events of its own. */
static void shard_fill(struct shard *shard, struct batch *batch)
{
    const struct op add = {.kind = OP_COUNTER_ADD, .number = 1};
    const struct op set = {.kind = OP_REGISTER_SET, .value = slice_text("v")};
    struct buffer path;
    struct dot dot;

    buffer_init(&path, NEAP_PATH_MAX);
    must(!path_level(&path, slice_text("n"), NEAP_COUNTER));
    must(!shard_write(shard, batch, shard->id, buffer_slice(&path), &add, &dot));
    buffer_clear(&path);
    must(!path_level(&path, slice_text("r"), NEAP_REGISTER));
    must(!shard_write(shard, batch, shard->id, buffer_slice(&path), &set, &dot));
    buffer_done(&path);
}

static void check_error(int error)
{
    must(!error || error == NEAP_INVALID || error == NEAP_LIMIT || error == NEAP_STALE);
}

static void take_page(struct shard *shard, struct batch *batch, struct slice input)
{
    struct context start = {0}, horizon = {0};
    enum taken taken;

    check_error(shard_repair_take(shard, batch, input, &taken));
    must(!chunk_peek(input, &start, &horizon));
    if (!shard_compare_begin(shard, 1, &start)) {
        int error = shard_compare_take(shard, batch, input);

        if (error != NEAP_BUSY && error != NEAP_END) /* not the first page, or an empty one */
            check_error(error);
        if (shard->session.phase == COMPARE_DONE)
            check_error(shard_compare_end(shard, batch, &horizon));
    }
    shard_compare_stop(shard);
    context_done(&start);
    context_done(&horizon);
}

static void take(const struct chunk *chunk, struct slice input)
{
    struct disk *disk;
    struct batch *batch;
    struct shard *shard;
    enum taken taken;

    must(!disk_mem_open(&disk));
    must(!batch_new(disk, &batch));
    must(!shard_new(batch, "b", 2, 7, &shard));
    shard_fill(shard, batch);
    switch (chunk->kind) {
    case CHUNK_EVENTS:
        check_error(shard_take(shard, batch, input, CHUNK_PUSH, &taken));
        check_cells(shard, batch);
        check_error(shard_take(shard, batch, input, CHUNK_PULL, &taken));
        break;
    case CHUNK_PAGE:
        take_page(shard, batch, input);
        break;
    case CHUNK_CELL:
        check_error(shard_take_cell(shard, batch, input, &taken));
        break;
    case CHUNK_NEXT:
    case CHUNK_AFTER:
        break; /* it was read as the chunk of events that it is */
    }
    check_cells(shard, batch);
    shard_free(shard);
    batch_free(batch);
    disk_close(disk);
}

/* Of the last push of a peer, 1, who has seen one event of the shard and two of a third. */
static void base_make(struct chunk_base *base)
{
    base->shard = bucket_id("b");
    base->last = (struct context_entry){.id = 1, .n = 5, .nonce = 9};
    must(!context_raise(&base->context, 1, 5, 9));
    must(!context_raise(&base->context, 2, 1, 7));
    must(!context_raise(&base->context, UINT64_MAX, 2, 8));
}

static void take_after(struct chunk *chunk)
{
    struct disk *disk;
    struct batch *batch;
    struct shard *shard;
    struct context before = {0};
    enum taken taken;

    must(!disk_mem_open(&disk));
    must(!batch_new(disk, &batch));
    must(!shard_new(batch, "b", 2, 7, &shard));
    shard_fill(shard, batch);
    must(!context_raise(&shard->context, 1, 5, 9)); /* so that it may be taken */
    must(!shard_save(shard, batch));
    must(!context_copy(&before, &shard->context));
    check_error(shard_take_chunk(shard, batch, chunk, CHUNK_PUSH, &taken));
    must(context_covers(&shard->context, &before));
    check_cells(shard, batch);
    context_done(&before);
    shard_free(shard);
    batch_free(batch);
    disk_close(disk);
}

/* Told after another one: after the base it is written again as it was; after another one anything
 * may come of it, but no harm. */
static bool after(struct slice input)
{
    struct chunk_base base = {0};
    struct buffer again;
    struct chunk chunk;
    int error;

    buffer_init(&again, CHUNK_BYTES_MAX);
    base_make(&base);
    error = chunk_decode_after(input, &base, &chunk);
    must(error != NEAP_NOMEM);
    if (!error) {
        must(!chunk_encode_after(&chunk, &base, &again));
        must(slice_equal(buffer_slice(&again), input));
        take_after(&chunk);
    }
    chunk_done(&chunk);
    base.shard++;
    base.last.n = DOT_COUNT_MAX - 1;
    context_clear(&base.context);
    must(!context_raise(&base.context, 1, DOT_COUNT_MAX - 1, 9));
    (void)chunk_decode_after(input, &base, &chunk);
    chunk_done(&chunk);
    chunk_base_done(&base);
    buffer_done(&again);
    return !error;
}

FUZZ(chunk)
{
    if (chunk_was_after(input))
        return after(input);
    for (int kind = CHUNK_EVENTS; kind <= CHUNK_CELL; kind++) {
        struct chunk chunk;
        int error = chunk_decode(input, (enum chunk_kind)kind, &chunk);

        if (error == NEAP_FORMAT)
            return false;
        check_error(error);
        if (error)
            continue;
        check_encoding(&chunk, input);
        take(&chunk, input);
        chunk_done(&chunk);
        return true;
    }
    return false;
}
