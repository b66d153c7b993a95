/* Deltas of one operation: the cells that it changed, of which nothing is known but what it made
 * and what that superseded.
 *
 * Contexts of the store have no gaps. So each operation of these histories has a replica id of its
 * own, as if every write came from a device that is new: then any set of them is a context. Not so
 * counters: what their next addition folds must be of the same id.
 *
 * And who knows of an event knows what that has superseded, and so on. The reference's deltas know
 * of the last link of that chain only. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/take.h"
#include "tests/replay/replay.h"

enum { BYTES_MAX = 4 << 20 };

bool play_has_ids(const struct play *play)
{
    enum shape shape = play->history->kind->shape;

    return play->history->has_deltas && shape != SHAPE_COUNTER && shape != SHAPE_BOUNDED;
}

struct delta *delta_new(struct play *play)
{
    play->deltas =
        room_more(play->deltas, play->deltas_count, &play->deltas_room, sizeof *play->deltas);
    play->deltas[play->deltas_count] = (struct delta){0};
    return &play->deltas[play->deltas_count++];
}

void delta_done(struct delta *delta)
{
    for (size_t i = 0; i < delta->cells_count; i++) {
        buffer_done(&delta->cells[i].path);
        buffer_done(&delta->cells[i].bytes);
        context_done(&delta->cells[i].known);
    }
    mem_free(delta->cells);
    mem_free(delta->parts);
}

static void known_add(struct play *play, struct context *known, struct dot dot)
{
    play_ok(play, context_raise(known, dot.id, dot.n, play_nonce(play, dot)), "context");
}

static const struct delta_cell *cell_of(const struct play *play, struct dot dot)
{
    for (size_t i = 0; i < play->deltas_count; i++) {
        const struct delta *delta = &play->deltas[i];

        for (size_t k = 0; k < delta->cells_count; k++) {
            if (dot_compare(delta->cells[k].dot, dot) == 0)
                return &delta->cells[k];
        }
    }
    return NULL;
}

/* The dot, and what was known when it was made. */
static void known_join(struct play *play, struct context *known, struct dot dot)
{
    const struct delta_cell *made = cell_of(play, dot);

    known_add(play, known, dot);
    if (made)
        play_ok(play, context_join(known, &made->known), "context");
}

/* The event before of this id, if it changed the same cell. */
static void known_before(struct play *play, struct context *known, struct dot dot,
                         struct slice path)
{
    while (--dot.n > 0) {
        const struct delta_cell *made = cell_of(play, dot);

        if (made && slice_equal(buffer_slice(&made->path), path)) {
            known_join(play, known, dot);
            return;
        }
    }
}

void delta_note(struct play *play, struct replica *replica, struct slice path,
                const struct cell *before, struct dot dot)
{
    struct delta *delta = play->making;
    struct context known = {0};
    struct delta_cell *noted;
    struct cell after, mine;
    const struct cell_entry *entry;

    cell_init(&after);
    cell_init(&mine);
    replica_cell(play, replica, path, &play->bytes, &after);
    known_add(play, &known, dot);
    known_before(play, &known, dot, path);
    for (size_t i = 0; i < before->count; i++) {
        if (!cell_find(&after, before->entries[i].dot))
            known_join(play, &known, before->entries[i].dot);
    }
    delta->cells =
        room_more(delta->cells, delta->cells_count, &delta->cells_room, sizeof *delta->cells);
    noted = &delta->cells[delta->cells_count++];
    *noted = (struct delta_cell){.dot = dot, .known = known};
    buffer_init(&noted->path, NEAP_PATH_MAX);
    buffer_init(&noted->bytes, CELL_SIZE_MAX);
    entry = cell_find(&after, dot);
    if (entry)
        play_ok(play, cell_add(&mine, dot, entry->payload), "cell");
    play_ok(play, cell_encode(&mine, &noted->bytes), "cell");
    play_ok(play, buffer_append(&noted->path, path), "path");
    cell_done(&after);
    cell_done(&mine);
}

/* ---- as a push of a replica that has nothing else ---- */

static int cells_order(const void *a, const void *b)
{
    const struct chunk_cell *left = a, *right = b;

    return chunk_cell_compare(left, right);
}

static void chunk_fill(struct play *play, const struct delta *delta, struct chunk *chunk)
{
    const struct dot last = delta->cells[delta->cells_count - 1].dot;

    for (size_t i = 0; i < delta->cells_count; i++) {
        chunk->cells[i] = (struct chunk_cell){
            .bucket = play->shard,
            .path = buffer_slice(&delta->cells[i].path),
            .bytes = buffer_slice(&delta->cells[i].bytes),
            .residue = i,
        };
        play_ok(play, context_copy(&chunk->residues[i], &delta->cells[i].known), "context");
        chunk->residues_count++;
    }
    qsort(chunk->cells, delta->cells_count, sizeof *chunk->cells, cells_order);
    for (size_t i = 0; i < delta->cells_count; i++) {
        for (size_t k = 0; k < delta->cells_count; k++) {
            if (chunk->cells[k].residue == i)
                chunk->event_cells[i] = (uint32_t)k;
        }
    }
    chunk->runs[0] = (struct chunk_run){
        .id = last.id,
        .from = delta->cells[0].dot.n,
        .to = last.n,
        .nonce = play_nonce(play, last),
    };
    known_add(play, &chunk->context, last);
}

void delta_make_push(struct play *play, struct delta *delta)
{
    size_t count = delta->cells_count;
    struct chunk chunk = {.kind = CHUNK_EVENTS, .shard = play->shard};
    struct buffer bytes;
    int error;

    if (count == 0)
        return;
    chunk.residues = mem_new_array(count, sizeof *chunk.residues);
    chunk.cells = mem_new_array(count, sizeof *chunk.cells);
    chunk.event_cells = mem_new_array(count, sizeof *chunk.event_cells);
    chunk.runs = mem_new_array(1, sizeof *chunk.runs);
    chunk.cells_count = chunk.events_count = count;
    chunk.runs_count = 1;
    chunk_fill(play, delta, &chunk);
    buffer_init(&bytes, BYTES_MAX);
    error = chunk_encode(&chunk, &bytes);
    chunk_done(&chunk);
    delta->push = push_add(play, bytes);
    play_ok(play, error, "a delta could not be made");
}

void delta_take(struct play *play, struct replica *to, size_t number)
{
    const struct delta *delta = &play->deltas[number];

    for (size_t i = 0; i < delta->parts_count; i++)
        delta_take(play, to, delta->parts[i]);
    if (delta->cells_count == 0 || play->is_over)
        return;
    if (play->way == WAY_PUSH && play_has_ids(play))
        push_one(play, to, delta->push);
    else
        play_take_cells(play, to, delta->cells, delta->cells_count);
    replica_commit(play, to);
}
