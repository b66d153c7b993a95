#include "store/crate.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

enum { CELL_OVERHEAD = 32, EVENT_OVERHEAD = 4, RUN_OVERHEAD = 24, INDEX_KEY = 8 };

int crate_init(struct crate *crate, const struct shard *shard, enum chunk_kind kind)
{
    int error;

    crate->shard = shard;
    crate->index = NULL;
    crate->cells = NULL;
    crate->cells_count = crate->cells_room = 0;
    crate->chunk = (struct chunk){.kind = kind, .shard = shard->id};
    crate->events_room = crate->runs_room = crate->residues_room = 0;
    buffer_init(&crate->arena, CHUNK_BYTES_MAX);
    error = sorted_new(&crate->index);
    if (!error)
        error = context_copy(&crate->chunk.context, &shard->context);
    if (!error)
        error = context_copy(&crate->chunk.horizon, &shard->horizon);
    crate->size = RUN_OVERHEAD * (shard->context.count + shard->horizon.count);
    if (error)
        crate_done(crate);
    return error;
}

void crate_done(struct crate *crate)
{
    sorted_free(crate->index);
    crate->index = NULL;
    mem_free(crate->cells);
    crate->cells = NULL;
    buffer_done(&crate->arena);
    chunk_done(&crate->chunk);
}

/* The key of a cell in the index; its size. */
static struct slice index_key(struct key *key, uint64_t bucket, struct slice path)
{
    key_cell(key, 0, bucket, path);
    return slice_of(key->bytes + INDEX_KEY, key->size - INDEX_KEY);
}

bool crate_find(const struct crate *crate, uint64_t bucket, struct slice path, uint32_t *ret_number)
{
    const struct sorted_entry *entry;
    struct key key;

    entry = sorted_get(crate->index, index_key(&key, bucket, path));
    if (!entry)
        return false;
    memcpy(ret_number, entry->value.data, sizeof *ret_number);
    return true;
}

int crate_residue(struct crate *crate, uint64_t ref, size_t *ret_index)
{
    const struct residue *residue = residue_find(crate->shard, ref);
    struct chunk *chunk = &crate->chunk;
    struct context *residues;
    int error;

    *ret_index = CHUNK_SETTLED;
    if (!residue || residue->context.count == 0)
        return 0;
    for (size_t i = 0; i < chunk->residues_count; i++) {
        if (crate->refs[i] == ref) {
            *ret_index = i;
            return 0;
        }
    }
    if (chunk->residues_count == SHARD_RESIDUES_MAX)
        return NEAP_LIMIT;
    residues = mem_reserve(chunk->residues, chunk->residues_count, &crate->residues_room, 1,
                           sizeof *residues);
    if (!residues)
        return NEAP_NOMEM;
    chunk->residues = residues;
    residues[chunk->residues_count] = (struct context){0};
    error = context_copy(&residues[chunk->residues_count], &residue->context);
    if (error)
        return error;
    crate->refs[chunk->residues_count] = ref;
    crate->size += RUN_OVERHEAD * residue->context.count;
    *ret_index = chunk->residues_count++;
    return 0;
}

static int cells_reserve(struct crate *crate)
{
    struct crate_cell *cells =
        mem_reserve(crate->cells, crate->cells_count, &crate->cells_room, 1, sizeof *cells);

    if (!cells)
        return NEAP_NOMEM;
    crate->cells = cells;
    return 0;
}

int crate_add(struct crate *crate, uint64_t bucket, struct slice path, struct slice value,
              uint32_t *ret_number)
{
    uint32_t number = (uint32_t)crate->cells_count;
    struct crate_cell cell = {.bucket = bucket};
    struct slice bytes;
    struct key key;
    uint64_t ref;
    int error;

    if (crate->cells_count == CHUNK_CELLS_MAX ||
        path.size + value.size > CHUNK_BYTES_MAX - crate->arena.size)
        return NEAP_LIMIT;
    if (stored_split(value, &ref, &bytes))
        return NEAP_CORRUPT;
    error = crate_residue(crate, ref, &cell.residue);
    if (!error)
        error = cells_reserve(crate);
    cell.path_at = crate->arena.size;
    cell.path_size = path.size;
    if (!error)
        error = buffer_append(&crate->arena, path);
    cell.bytes_at = crate->arena.size;
    cell.bytes_size = bytes.size;
    if (!error)
        error = buffer_append(&crate->arena, bytes);
    if (!error)
        error = sorted_put(crate->index, index_key(&key, bucket, path),
                           slice_of(&number, sizeof number), 0);
    if (error)
        return error;
    crate->cells[crate->cells_count++] = cell;
    crate->size += path.size + bytes.size + CELL_OVERHEAD;
    *ret_number = number;
    return 0;
}

static int event_reserve(struct crate *crate)
{
    struct chunk *chunk = &crate->chunk;
    uint32_t *events = mem_reserve(chunk->event_cells, chunk->events_count, &crate->events_room, 1,
                                   sizeof *events);
    struct chunk_run *runs;

    if (!events)
        return NEAP_NOMEM;
    chunk->event_cells = events;
    runs = mem_reserve(chunk->runs, chunk->runs_count, &crate->runs_room, 1, sizeof *runs);
    if (!runs)
        return NEAP_NOMEM;
    chunk->runs = runs;
    return 0;
}

int crate_add_event(struct crate *crate, struct dot dot, uint32_t nonce, uint32_t number)
{
    struct chunk *chunk = &crate->chunk;
    struct chunk_run *run;
    int error = event_reserve(crate);

    if (error)
        return error;
    run = chunk->runs_count > 0 ? &chunk->runs[chunk->runs_count - 1] : NULL;
    if (!run || run->id != dot.id || run->nonce != nonce) {
        if (chunk->runs_count == CHUNK_RUNS_MAX)
            return NEAP_LIMIT;
        run = &chunk->runs[chunk->runs_count++];
        *run = (struct chunk_run){
            .id = dot.id, .from = dot.n, .nonce = nonce, .first = chunk->events_count};
        crate->size += RUN_OVERHEAD;
    }
    run->to = dot.n;
    chunk->event_cells[chunk->events_count++] = number;
    crate->size += EVENT_OVERHEAD;
    return 0;
}

/* Into order: the cells as the index has them, and the events by their new places. */
static int crate_order(struct crate *crate)
{
    struct chunk *chunk = &crate->chunk;
    const struct sorted_entry *entry = sorted_seek(crate->index, slice_of(NULL, 0));
    uint32_t *places = mem_new_array(crate->cells_count, sizeof *places);

    chunk->cells = mem_new_array(crate->cells_count, sizeof *chunk->cells);
    if (!places || !chunk->cells) {
        mem_free(places);
        return NEAP_NOMEM;
    }
    for (; entry; entry = sorted_next(crate->index, entry)) {
        const struct crate_cell *cell;
        uint32_t number;

        memcpy(&number, entry->value.data, sizeof number);
        cell = &crate->cells[number];
        places[number] = (uint32_t)chunk->cells_count;
        chunk->cells[chunk->cells_count++] = (struct chunk_cell){
            .bucket = cell->bucket,
            .path = slice_of(crate->arena.data + cell->path_at, cell->path_size),
            .bytes = slice_of(crate->arena.data + cell->bytes_at, cell->bytes_size),
            .residue = cell->residue,
        };
    }
    for (size_t i = 0; i < chunk->events_count; i++)
        chunk->event_cells[i] = places[chunk->event_cells[i]];
    mem_free(places);
    return 0;
}

int crate_encode(struct crate *crate, struct buffer *ret_bytes)
{
    struct buffer bytes;
    int error = crate_order(crate);

    buffer_init(&bytes,
                ret_bytes->size_max < CHUNK_BYTES_MAX ? ret_bytes->size_max : CHUNK_BYTES_MAX);
    if (!error)
        error = chunk_encode(&crate->chunk, &bytes);
    if (!error)
        error = buffer_set(ret_bytes, buffer_slice(&bytes));
    buffer_done(&bytes);
    return error;
}

int crate_encode_page(struct crate *crate, struct slice from, struct slice end,
                      struct buffer *ret_bytes)
{
    crate->chunk.from = from;
    crate->chunk.to = end;
    crate->chunk.to_end = end.size == 0;
    return crate_encode(crate, ret_bytes);
}
