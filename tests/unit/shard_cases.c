#include "tests/unit/shard_cases.h"

int place_open(struct place *place, uint64_t replica)
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

void place_close(struct place *place)
{
    shard_free(place->shard);
    batch_free(place->batch);
    disk_close(place->disk);
}

int place_commit(struct place *place)
{
    int error = place->disk->ops->commit(place->disk, place->batch, true);

    batch_clear(place->batch);
    return error;
}

int place_reopen(struct place *place, uint64_t life, uint32_t nonce)
{
    struct view view = {.disk = place->disk};
    uint64_t id = place->shard->id;

    batch_clear(place->batch);
    shard_free(place->shard);
    place->shard = NULL;
    return shard_load(&view, id, life, nonce, &place->shard);
}

int place_write(struct place *place, const char *key, enum neap_type type, const struct op *op,
                struct dot *ret_dot)
{
    struct buffer path;
    int error;

    buffer_init(&path, NEAP_PATH_MAX);
    error = path_level(&path, slice_text(key), type);
    if (!error)
        error = shard_write(place->shard, place->batch, place->shard->id, buffer_slice(&path), op,
                            ret_dot);
    buffer_done(&path);
    return error;
}

int place_add(struct place *place, const char *key, int64_t number)
{
    const struct op op = {.kind = OP_COUNTER_ADD, .number = number};
    struct dot dot;

    return place_write(place, key, NEAP_COUNTER, &op, &dot);
}

int place_set(struct place *place, const char *key, const char *value)
{
    const struct context nothing = {0};
    const struct op op = {.kind = OP_REGISTER_SET, .value = slice_text(value), .seen = &nothing};
    struct dot dot;

    return place_write(place, key, NEAP_REGISTER, &op, &dot);
}

int place_remove(struct place *place, const char *key)
{
    const struct op op = {.kind = OP_REMOVE};
    struct dot dot;

    return place_write(place, key, NEAP_REGISTER, &op, &dot);
}

static void place_read(struct place *place, const char *key, enum neap_type type,
                       struct buffer *bytes, struct cell *cell)
{
    struct view view = batch_view(place->batch);
    struct buffer path;

    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(bytes, CELL_SIZE_MAX);
    cell_init(cell);
    CHECK_OK(path_level(&path, slice_text(key), type));
    CHECK_OK(
        cell_read(&view, place->shard->id, place->shard->id, buffer_slice(&path), bytes, cell));
    buffer_done(&path);
}

size_t place_dots(struct place *place, const char *key, enum neap_type type)
{
    struct buffer bytes;
    struct cell cell;
    size_t count;

    place_read(place, key, type, &bytes, &cell);
    count = cell.count;
    cell_done(&cell);
    buffer_done(&bytes);
    return count;
}

int64_t place_value(struct place *place, const char *key)
{
    struct buffer bytes;
    struct cell cell;
    int64_t number = 0;
    int error;

    place_read(place, key, NEAP_COUNTER, &bytes, &cell);
    error = counter_value(&cell, &number);
    CHECK(!error || error == NEAP_NOTFOUND);
    cell_done(&cell);
    buffer_done(&bytes);
    return number;
}

int place_chunk(struct place *from, const struct context *since, uint64_t only_id, size_t size,
                struct buffer *ret_chunk)
{
    struct view view = batch_view(from->batch);

    return shard_chunk(from->shard, &view, since, only_id, size, ret_chunk);
}

int place_changed(struct place *from, const struct context *since, size_t size,
                  struct buffer *ret_chunk)
{
    struct view view = batch_view(from->batch);

    return shard_changed(from->shard, &view, since, size, ret_chunk);
}

int place_pull(struct place *to, struct place *from, size_t size)
{
    struct buffer chunk;
    enum taken taken = TAKEN;
    int error = 0;

    buffer_init(&chunk, WIRE_MAX);
    while (!error && taken == TAKEN) {
        error = place_chunk(from, &to->shard->context, 0, size, &chunk);
        if (!error)
            error = shard_take(to->shard, to->batch, buffer_slice(&chunk), CHUNK_PULL, &taken);
    }
    buffer_done(&chunk);
    return error == NEAP_END ? 0 : error;
}

static int compare_step(struct place *to, struct place *from, size_t size, struct buffer *bytes)
{
    struct compare_session *session = &to->shard->session;
    struct view view = batch_view(from->batch);
    enum taken taken;
    int error;

    if (session->phase == COMPARE_CHANGED) {
        error = place_changed(from, &session->seen, size, bytes);
        return error ? error
                     : shard_take(to->shard, to->batch, buffer_slice(bytes), CHUNK_CHANGED, &taken);
    }
    error = shard_compare_page(from->shard, &view, buffer_slice(&session->cursor), size, bytes);
    return error ? error : shard_compare_take(to->shard, to->batch, buffer_slice(bytes));
}

int place_compare(struct place *to, struct place *from, size_t size)
{
    struct buffer bytes;
    int error = shard_compare_begin(to->shard, 1, &from->shard->context);

    buffer_init(&bytes, WIRE_MAX);
    while (!error && to->shard->session.phase != COMPARE_DONE)
        error = compare_step(to, from, size, &bytes);
    if (!error)
        error = shard_compare_end(to->shard, to->batch, &from->shard->horizon);
    if (error)
        shard_compare_stop(to->shard);
    buffer_done(&bytes);
    return error;
}

size_t place_count(struct place *place, enum disk_family family, char kind)
{
    struct view view = batch_view(place->batch);
    struct slice key, value;
    struct scan *scan;
    size_t count = 0;
    int error;

    CHECK_OK(view_scan(&view, family, slice_of(NULL, 0), slice_of(NULL, 0), &scan));
    while (!(error = scan_next(scan, &key, &value)))
        count += kind == 0 || (char)key.data[0] == kind;
    CHECK_EQUAL(error, NEAP_END);
    scan_close(scan);
    return count;
}
