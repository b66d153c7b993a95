#include "store/chunk.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/version.h"
#include "store/keys.h"
#include "store/shard.h"

enum { CHUNK_FIELDS = 8, AFTER_FIELDS = 7, CELL_FIELDS = 5, CELL_BYTES_MIN = 7 };

void chunk_done(struct chunk *chunk)
{
    context_done(&chunk->context);
    context_done(&chunk->horizon);
    for (size_t i = 0; i < chunk->residues_count; i++)
        context_done(&chunk->residues[i]);
    mem_free(chunk->residues);
    mem_free(chunk->runs);
    mem_free(chunk->event_cells);
    mem_free(chunk->cells);
    *chunk = (struct chunk){0};
}

struct knowledge chunk_knowledge(const struct chunk *chunk, const struct chunk_cell *cell)
{
    return (struct knowledge){
        .context = &chunk->context,
        .residue = cell->residue == CHUNK_SETTLED ? NULL : &chunk->residues[cell->residue],
    };
}

int chunk_cell_compare(const struct chunk_cell *a, const struct chunk_cell *b)
{
    if (a->bucket != b->bucket)
        return a->bucket < b->bucket ? -1 : 1;
    return slice_compare(a->path, b->path);
}

/* ---- encoding ---- */

/* The events of each cell as lists: first[cell], next[event], ended by UINT32_MAX. */
struct names {
    uint32_t *first, *next, *count;
};

static void names_done(struct names *names)
{
    mem_free(names->first);
    mem_free(names->next);
    mem_free(names->count);
}

static int names_build(const struct chunk *chunk, struct names *names)
{
    names->first = mem_new_array(chunk->cells_count, sizeof *names->first);
    names->count = mem_new_array(chunk->cells_count, sizeof *names->count);
    names->next = mem_new_array(chunk->events_count, sizeof *names->next);
    if (!names->first || !names->count || !names->next)
        return NEAP_NOMEM;
    for (size_t i = 0; i < chunk->cells_count; i++)
        names->first[i] = UINT32_MAX;
    for (size_t i = chunk->events_count; i-- > 0;) {
        uint32_t cell = chunk->event_cells[i];

        names->next[i] = names->first[cell];
        names->first[cell] = (uint32_t)i;
        names->count[cell]++;
    }
    return 0;
}

/* `next`: as what comes next. */
static void names_write(struct writer *writer, const struct chunk *chunk, const struct names *names,
                        size_t cell, bool next)
{
    size_t run = 0;

    write_array(writer, names->count[cell] * (next ? 1 : 2));
    for (uint32_t event = names->first[cell]; event != UINT32_MAX; event = names->next[event]) {
        while (run + 1 < chunk->runs_count && chunk->runs[run + 1].first <= event)
            run++;
        if (!next)
            write_u64(writer, run);
        write_u64(writer, event - chunk->runs[run].first);
    }
}

static void span_write(struct writer *writer, const struct chunk *chunk)
{
    switch (chunk->kind) {
    case CHUNK_EVENTS:
        write_array(writer, (uint32_t)(chunk->runs_count * 4));
        for (size_t i = 0; i < chunk->runs_count; i++) {
            write_u64(writer, chunk->runs[i].id);
            write_u64(writer, chunk->runs[i].nonce);
            write_u64(writer, chunk->runs[i].from);
            write_u64(writer, chunk->runs[i].to);
        }
        break;
    case CHUNK_PAGE:
        write_array(writer, 2);
        write_bin(writer, chunk->from);
        if (chunk->to_end)
            write_nil(writer);
        else
            write_bin(writer, chunk->to);
        break;
    case CHUNK_CELL:
        write_array(writer, 0);
        break;
    case CHUNK_NEXT:
    case CHUNK_AFTER:
        must(false); /* it is told as the chunk of events that it is: chunk_encode_after() */
    }
}

/* A bucket that goes without saying is not said. */
static void cell_write(struct writer *writer, const struct chunk_cell *cell, const uint64_t *bucket)
{
    write_array(writer, CELL_FIELDS);
    if (bucket && cell->bucket == *bucket)
        write_nil(writer);
    else
        write_u64(writer, cell->bucket);
    write_bin(writer, cell->path);
    write_bin(writer, cell->bytes);
    if (cell->residue == CHUNK_SETTLED)
        write_nil(writer);
    else
        write_u64(writer, cell->residue);
}

void chunk_write_cell(struct writer *writer, const struct chunk_cell *cell)
{
    cell_write(writer, cell, NULL);
    write_array(writer, 0);
}

static void residues_write(struct writer *writer, const struct chunk *chunk)
{
    write_array(writer, (uint32_t)chunk->residues_count);
    for (size_t i = 0; i < chunk->residues_count; i++)
        context_write(writer, &chunk->residues[i]);
}

static void head_write(struct writer *writer, const struct chunk *chunk)
{
    write_array(writer, CHUNK_FIELDS);
    write_u64(writer, CHUNK_VERSION);
    write_u64(writer, chunk->kind);
    write_u64(writer, chunk->shard);
    context_write(writer, &chunk->context);
    context_write(writer, &chunk->horizon);
    residues_write(writer, chunk);
    span_write(writer, chunk);
}

static void head_write_after(struct writer *writer, const struct chunk *chunk,
                             const struct chunk_base *base, bool next)
{
    write_array(writer, AFTER_FIELDS);
    write_u64(writer, CHUNK_VERSION);
    write_u64(writer, next ? CHUNK_NEXT : CHUNK_AFTER);
    context_write_after(writer, &chunk->context, &base->context);
    residues_write(writer, chunk);
    if (next)
        write_u64(writer, chunk->events_count);
    else
        span_write(writer, chunk);
}

/* Are its events those that come next? */
static bool runs_are_next(const struct chunk *chunk, const struct chunk_base *base)
{
    const struct chunk_run *run = chunk->runs;

    return chunk->runs_count == 1 && run->id == base->last.id && run->nonce == base->last.nonce &&
           run->from == base->last.n + 1;
}

int chunk_encode_page(const struct chunk *chunk, uint32_t cells_count, struct slice cells,
                      struct buffer *ret_bytes)
{
    struct writer writer;

    writer_init(&writer, ret_bytes);
    head_write(&writer, chunk);
    write_array(&writer, cells_count);
    return writer.error ? writer.error : buffer_append(ret_bytes, cells);
}

static int chunk_write(const struct chunk *chunk, const struct chunk_base *base,
                       struct buffer *ret_bytes)
{
    bool next = base && runs_are_next(chunk, base);
    struct names names = {0};
    struct writer writer;
    int error = names_build(chunk, &names);

    if (!error) {
        writer_init(&writer, ret_bytes);
        if (base)
            head_write_after(&writer, chunk, base, next);
        else
            head_write(&writer, chunk);
        write_array(&writer, (uint32_t)chunk->cells_count);
        for (size_t i = 0; i < chunk->cells_count; i++) {
            cell_write(&writer, &chunk->cells[i], base ? &chunk->shard : NULL);
            names_write(&writer, chunk, &names, i, next);
        }
        error = writer.error;
    }
    names_done(&names);
    return error;
}

int chunk_encode(const struct chunk *chunk, struct buffer *ret_bytes)
{
    return chunk_write(chunk, NULL, ret_bytes);
}

int chunk_encode_after(const struct chunk *chunk, const struct chunk_base *base,
                       struct buffer *ret_bytes)
{
    must(chunk_is_after(chunk, base));
    return chunk_write(chunk, base, ret_bytes);
}

/* ---- after another one ---- */

void chunk_base_done(struct chunk_base *base)
{
    context_done(&base->context);
    *base = (struct chunk_base){0};
}

int chunk_base_set(struct chunk_base *base, const struct chunk *chunk)
{
    const struct chunk_run *run = &chunk->runs[chunk->runs_count - 1];
    int error = context_copy(&base->context, &chunk->context);

    if (error)
        return error;
    base->shard = chunk->shard;
    base->last = (struct context_entry){.id = run->id, .n = run->to, .nonce = run->nonce};
    return 0;
}

bool chunk_is_after(const struct chunk *chunk, const struct chunk_base *base)
{
    return chunk->kind == CHUNK_EVENTS && chunk->shard == base->shard &&
           chunk->horizon.count == 0 && context_follows(&chunk->context, &base->context);
}

static bool kind_is_after(enum chunk_kind kind)
{
    return kind == CHUNK_NEXT || kind == CHUNK_AFTER;
}

bool chunk_was_after(struct slice bytes)
{
    return kind_is_after(chunk_kind_of(bytes));
}

/* ---- decoding ---- */

static enum chunk_kind kind_read(struct reader *reader)
{
    const struct versions reads = {CHUNK_VERSION_MIN, CHUNK_VERSION};
    uint32_t fields = read_array(reader, UINT32_MAX);
    uint64_t version = read_u64(reader), kind;
    int other = version_check(version, reads);

    /* What follows may have changed with the version. */
    if (other)
        reader_fail(reader, other == NEAP_FORMAT ? NEAP_FORMAT : NEAP_INVALID);
    kind = read_u64(reader);
    if (kind < CHUNK_EVENTS || kind > CHUNK_AFTER ||
        fields != (kind_is_after((enum chunk_kind)kind) ? AFTER_FIELDS : CHUNK_FIELDS)) {
        reader_fail(reader, NEAP_INVALID);
        return (enum chunk_kind)0;
    }
    return (enum chunk_kind)kind;
}

enum chunk_kind chunk_kind_of(struct slice bytes)
{
    struct reader reader;

    reader_init(&reader, bytes);
    return kind_read(&reader);
}

/* `base`: NULL for all but what is told after it. */
static void head_read(struct reader *reader, const struct chunk_base *base, struct chunk *chunk)
{
    chunk->kind = kind_read(reader);
    if (kind_is_after(chunk->kind) != (base != NULL))
        reader_fail(reader, NEAP_INVALID);
    if (reader->error)
        return;
    if (base) {
        chunk->shard = base->shard;
        context_read_after(reader, &base->context, &chunk->context);
        return;
    }
    chunk->shard = read_u64(reader);
    context_read(reader, &chunk->context);
    context_read(reader, &chunk->horizon);
    if (!context_covers(&chunk->context, &chunk->horizon))
        reader_fail(reader, NEAP_INVALID);
}

static void residues_read(struct reader *reader, struct chunk *chunk)
{
    uint32_t count = read_array(reader, SHARD_RESIDUES_MAX);

    if (reader->error || count == 0)
        return;
    chunk->residues = mem_new_array(count, sizeof *chunk->residues);
    if (!chunk->residues) {
        reader_fail(reader, NEAP_NOMEM);
        return;
    }
    for (uint32_t i = 0; i < count && !reader->error; i++) {
        chunk->residues_count = i + 1;
        context_read(reader, &chunk->residues[i]);
    }
}

/* Runs are sorted; those of one id follow each other without a gap, each with a nonce of its own;
 * the sender knows all of them. */
static bool run_fits(const struct chunk *chunk, size_t index)
{
    const struct chunk_run *run = &chunk->runs[index];
    const struct chunk_run *last = index > 0 ? run - 1 : NULL;
    const struct context_entry *known = context_find(&chunk->context, run->id);

    if (run->from == 0 || run->to < run->from || !known || run->to > known->n)
        return false;
    if (run->to == known->n && run->nonce != known->nonce)
        return false;
    if (!last || last->id < run->id)
        return true;
    return last->id == run->id && last->to + 1 == run->from && last->nonce != run->nonce;
}

/* So many events, and that none of them is named so far. */
static void events_make(struct reader *reader, struct chunk *chunk, uint64_t events)
{
    if (reader->error)
        return;
    chunk->event_cells = mem_new_array((size_t)events, sizeof *chunk->event_cells);
    if (!chunk->event_cells)
        reader_fail(reader, NEAP_NOMEM);
    else
        chunk->events_count = (size_t)events;
    for (size_t i = 0; i < chunk->events_count; i++)
        chunk->event_cells[i] = UINT32_MAX;
}

static void runs_read(struct reader *reader, struct chunk *chunk)
{
    uint32_t count = read_array(reader, CHUNK_RUNS_MAX * 4);
    uint64_t events = 0;

    if (count == 0 || count % 4 != 0)
        reader_fail(reader, NEAP_INVALID);
    if (reader->error)
        return;
    chunk->runs = mem_new_array(count / 4, sizeof *chunk->runs);
    if (!chunk->runs)
        reader_fail(reader, NEAP_NOMEM);
    for (uint32_t i = 0; i < count / 4 && !reader->error; i++) {
        struct chunk_run *run = &chunk->runs[i];
        uint64_t nonce;

        run->id = read_u64(reader);
        nonce = read_u64(reader);
        run->nonce = (uint32_t)nonce;
        run->from = read_u64(reader);
        run->to = read_u64(reader);
        run->first = (size_t)events;
        chunk->runs_count = i + 1;
        if (reader->error)
            return;
        /* Each event is named further on by two bytes at least. */
        if (nonce > UINT32_MAX || !run_fits(chunk, i) ||
            run->to - run->from >= reader->left.size / 2) {
            reader_fail(reader, NEAP_INVALID);
            return;
        }
        events += run->to - run->from + 1;
        if (events > reader->left.size / 2)
            reader_fail(reader, NEAP_INVALID);
    }
    events_make(reader, chunk, events);
}

static void next_read(struct reader *reader, const struct chunk_base *base, struct chunk *chunk)
{
    uint64_t events = read_u64(reader);

    /* Each is named further on by a byte at least. */
    if (events == 0 || events > reader->left.size || events > DOT_COUNT_MAX - base->last.n)
        reader_fail(reader, NEAP_INVALID);
    if (reader->error)
        return;
    chunk->runs = mem_new_array(1, sizeof *chunk->runs);
    if (!chunk->runs) {
        reader_fail(reader, NEAP_NOMEM);
        return;
    }
    chunk->runs_count = 1;
    chunk->runs[0] = (struct chunk_run){.id = base->last.id,
                                        .from = base->last.n + 1,
                                        .to = base->last.n + events,
                                        .nonce = base->last.nonce};
    if (!run_fits(chunk, 0))
        reader_fail(reader, NEAP_INVALID);
    events_make(reader, chunk, events);
}

static void span_read(struct reader *reader, const struct chunk_base *base, struct chunk *chunk)
{
    switch (chunk->kind) {
    case CHUNK_EVENTS:
        runs_read(reader, chunk);
        break;
    case CHUNK_PAGE:
        read_array_of(reader, 2);
        chunk->from = read_bin(reader, KEY_CURSOR_MAX);
        chunk->to_end = read_nil(reader);
        if (!chunk->to_end)
            chunk->to = read_bin(reader, KEY_CURSOR_MAX);
        if (!chunk->to_end && slice_compare(chunk->from, chunk->to) >= 0)
            reader_fail(reader, NEAP_INVALID);
        break;
    case CHUNK_CELL:
        read_array_of(reader, 0);
        break;
    case CHUNK_NEXT:
        next_read(reader, base, chunk);
        break;
    case CHUNK_AFTER:
        runs_read(reader, chunk);
        if (!reader->error && runs_are_next(chunk, base))
            reader_fail(reader, NEAP_INVALID);
        break;
    }
}

/* Names are in order, so that there is one way to write them; none is given twice. */
static void names_read(struct reader *reader, struct chunk *chunk, uint32_t cell)
{
    uint32_t count = read_array(reader, UINT32_MAX);
    bool next = chunk->kind == CHUNK_NEXT;
    bool named = chunk->kind == CHUNK_EVENTS || kind_is_after(chunk->kind);
    size_t after = 0;

    if ((!next && count % 2 != 0) || named != (count > 0))
        reader_fail(reader, NEAP_INVALID);
    for (uint32_t i = 0; i < (next ? count : count / 2) && !reader->error; i++) {
        uint64_t run = next ? 0 : read_u64(reader), offset = read_u64(reader);
        size_t event;

        if (reader->error || run >= chunk->runs_count ||
            offset > chunk->runs[run].to - chunk->runs[run].from) {
            reader_fail(reader, NEAP_INVALID);
            return;
        }
        event = chunk->runs[run].first + (size_t)offset;
        if (event < after || chunk->event_cells[event] != UINT32_MAX) {
            reader_fail(reader, NEAP_INVALID);
            return;
        }
        chunk->event_cells[event] = cell;
        after = event + 1;
    }
}

static int cell_check(const struct chunk *chunk, const struct chunk_cell *item)
{
    struct knowledge know = chunk_knowledge(chunk, item);
    enum neap_type type;
    struct cell cell;
    int error = path_check(item->path, &type);

    cell_init(&cell);
    if (!error)
        error = cell_decode(item->bytes, &cell);
    if (!error)
        error = type_check_cell(type, &cell);
    for (size_t i = 0; i < cell.count && !error; i++) {
        if (!knowledge_has(&know, cell.entries[i].dot))
            error = NEAP_INVALID;
    }
    cell_done(&cell);
    return error;
}

static void bucket_read(struct reader *reader, const struct chunk *chunk, struct chunk_cell *cell)
{
    bool after = kind_is_after(chunk->kind);

    if (after && read_nil(reader)) {
        cell->bucket = chunk->shard;
        return;
    }
    cell->bucket = read_u64(reader);
    if (after && cell->bucket == chunk->shard)
        reader_fail(reader, NEAP_INVALID);
}

static void cell_read_item(struct reader *reader, struct chunk *chunk, uint32_t index)
{
    struct chunk_cell *cell = &chunk->cells[index];
    uint64_t residue;

    read_array_of(reader, CELL_FIELDS);
    bucket_read(reader, chunk, cell);
    cell->path = read_bin(reader, NEAP_PATH_MAX);
    cell->bytes = read_bin(reader, CELL_SIZE_MAX);
    cell->residue = CHUNK_SETTLED;
    if (!read_nil(reader)) {
        residue = read_u64(reader);
        if (residue >= chunk->residues_count)
            reader_fail(reader, NEAP_INVALID);
        else
            cell->residue = (size_t)residue;
    }
    names_read(reader, chunk, index);
    if (!reader->error && index > 0 && chunk_cell_compare(cell - 1, cell) >= 0)
        reader_fail(reader, NEAP_INVALID);
    if (!reader->error) {
        int error = cell_check(chunk, cell);

        if (error)
            reader_fail(reader, error);
    }
}

/* [bucket 8][path] against a page's bounds. */
static bool cell_in_page(const struct chunk *chunk, const struct chunk_cell *cell)
{
    struct key key;
    struct slice at;

    key_cell(&key, 0, cell->bucket, cell->path);
    at = slice_of(key.bytes + sizeof(uint64_t), key.size - sizeof(uint64_t));
    return slice_compare(at, chunk->from) >= 0 &&
           (chunk->to_end || slice_compare(at, chunk->to) < 0);
}

static void cells_read(struct reader *reader, struct chunk *chunk)
{
    uint32_t count = read_array(reader, CHUNK_CELLS_MAX);

    if (count > reader->left.size / CELL_BYTES_MIN || (chunk->kind == CHUNK_CELL && count != 1))
        reader_fail(reader, NEAP_INVALID);
    if (reader->error)
        return;
    chunk->cells = mem_new_array(count, sizeof *chunk->cells);
    if (!chunk->cells) {
        reader_fail(reader, NEAP_NOMEM);
        return;
    }
    chunk->cells_count = count;
    for (uint32_t i = 0; i < count && !reader->error; i++) {
        cell_read_item(reader, chunk, i);
        if (!reader->error && chunk->kind == CHUNK_PAGE && !cell_in_page(chunk, &chunk->cells[i]))
            reader_fail(reader, NEAP_INVALID);
    }
}

static int chunk_read(struct slice bytes, enum chunk_kind kind, const struct chunk_base *base,
                      struct chunk *ret_chunk)
{
    struct reader reader;

    *ret_chunk = (struct chunk){0};
    if (bytes.size > CHUNK_BYTES_MAX)
        return NEAP_LIMIT;
    reader_init(&reader, bytes);
    head_read(&reader, base, ret_chunk);
    if (!reader.error && ret_chunk->kind != kind)
        reader_fail(&reader, NEAP_INVALID);
    if (!reader.error)
        residues_read(&reader, ret_chunk);
    if (!reader.error)
        span_read(&reader, base, ret_chunk);
    if (!reader.error)
        cells_read(&reader, ret_chunk);
    for (size_t i = 0; i < ret_chunk->events_count && !reader.error; i++) {
        if (ret_chunk->event_cells[i] == UINT32_MAX)
            reader_fail(&reader, NEAP_INVALID);
    }
    if (reader_end(&reader)) {
        int error = reader_end(&reader);

        chunk_done(ret_chunk);
        return error;
    }
    if (kind_is_after(kind))
        ret_chunk->kind = CHUNK_EVENTS;
    return 0;
}

int chunk_decode(struct slice bytes, enum chunk_kind kind, struct chunk *ret_chunk)
{
    return chunk_read(bytes, kind, NULL, ret_chunk);
}

int chunk_decode_after(struct slice bytes, const struct chunk_base *base, struct chunk *ret_chunk)
{
    return chunk_read(bytes, chunk_kind_of(bytes), base, ret_chunk);
}

int chunk_peek(struct slice chunk, struct context *ret_context, struct context *ret_horizon)
{
    struct chunk peeked = {0};
    struct reader reader;

    reader_init(&reader, chunk);
    head_read(&reader, NULL, &peeked);
    if (!reader.error) {
        struct context old = *ret_context;

        *ret_context = peeked.context;
        peeked.context = old;
        old = *ret_horizon;
        *ret_horizon = peeked.horizon;
        peeked.horizon = old;
    }
    chunk_done(&peeked);
    return reader.error;
}
