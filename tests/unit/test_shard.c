#include "store/shard.h"

#include "base/alloc.h"
#include "tests/support/test.h"

enum { NONCE = 7 };

/* One replica: a memory disk, a batch, a shard. */
struct place {
    struct disk *disk;
    struct batch *batch;
    struct shard *shard;
};

static int place_open(struct place *place, uint64_t replica)
{
    int error;

    *place = (struct place){0};
    error = disk_mem_open(&place->disk);
    if (!error)
        error = batch_new(place->disk, &place->batch);
    if (!error)
        error = shard_new(place->batch, "b", replica, NONCE, &place->shard);
    return error;
}

static void place_close(struct place *place)
{
    shard_free(place->shard);
    batch_free(place->batch);
    disk_close(place->disk);
}

static int place_commit(struct place *place)
{
    int error = place->disk->ops->commit(place->disk, place->batch, true);

    batch_clear(place->batch);
    return error;
}

static struct buffer path_of(const char *key, enum neap_type type)
{
    struct buffer path;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text(key), type));
    return path;
}

static void add(struct place *place, const char *key, int64_t number)
{
    struct op op = {.kind = OP_COUNTER_ADD, .number = number};
    struct buffer path = path_of(key, NEAP_COUNTER);
    struct dot dot = {0};

    CHECK_OK(
        shard_write(place->shard, place->batch, place->shard->id, buffer_slice(&path), &op, &dot));
    CHECK(dot.n > 0);
    buffer_done(&path);
}

static int64_t value(struct place *place, const char *key)
{
    struct view view = batch_view(place->batch);
    struct buffer path = path_of(key, NEAP_COUNTER), bytes;
    struct cell cell;
    int64_t number = 0;
    int error;

    buffer_init(&bytes, CELL_SIZE_MAX);
    cell_init(&cell);
    CHECK_OK(
        cell_read(&view, place->shard->id, place->shard->id, buffer_slice(&path), &bytes, &cell));
    error = counter_value(&cell, &number);
    CHECK(!error || error == NEAP_NOTFOUND);
    cell_done(&cell);
    buffer_done(&bytes);
    buffer_done(&path);
    return number;
}

static enum taken pull(struct place *to, struct place *from)
{
    struct view view = batch_view(from->batch);
    enum taken taken = TAKEN_NOTHING;
    struct buffer chunk;
    int error;

    buffer_init(&chunk, 1 << 20);
    error = shard_chunk(from->shard, &view, &to->shard->context, 0, CHUNK_SIZE, &chunk);
    if (error != NEAP_END) {
        CHECK_OK(error);
        CHECK_OK(shard_take(to->shard, to->batch, buffer_slice(&chunk), CHUNK_PULL, &taken));
    }
    buffer_done(&chunk);
    return taken;
}

TEST(a_write_is_read_back_and_pulled)
{
    struct place a, b;

    CHECK_OK(place_open(&a, 1));
    CHECK_OK(place_open(&b, 2));
    add(&a, "x", 3);
    add(&a, "x", 4);
    add(&a, "y", 1);
    CHECK_EQUAL(value(&a, "x"), 7);
    CHECK_OK(place_commit(&a));
    CHECK_EQUAL(value(&a, "x"), 7);
    add(&b, "x", 10);
    CHECK_EQUAL(pull(&b, &a), TAKEN);
    CHECK_EQUAL(value(&b, "x"), 17);
    CHECK_EQUAL(pull(&b, &a), TAKEN_NOTHING);
    CHECK_EQUAL(pull(&a, &b), TAKEN);
    CHECK_EQUAL(value(&a, "x"), 17);
    CHECK(context_equal(&a.shard->context, &b.shard->context));
    CHECK_EQUAL(shard_log_count(a.shard), 4);
    place_close(&a);
    place_close(&b);
}
