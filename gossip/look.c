#include "gossip/look.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/state.h"
#include "store/keys.h"
#include "store/slot.h"

/* ---- the question ---- */

int look_question(uint64_t bucket, struct slice prefix, struct buffer *ret_question)
{
    struct writer writer;
    buffer_clear(ret_question);
    writer_init(&writer, ret_question);
    write_array(&writer, 2);
    write_u64(&writer, bucket);
    write_bin(&writer, prefix);
    return writer.error;
}

static int question_read(struct slice question, uint64_t *ret_bucket, struct slice *ret_prefix)
{
    struct reader reader;
    reader_init(&reader, question);
    read_array_of(&reader, 2);
    *ret_bucket = read_u64(&reader);
    *ret_prefix = read_bin(&reader, NEAP_PATH_MAX);
    return reader_end(&reader) ? NEAP_INVALID : 0;
}

static size_t packed_size(struct slice path)
{
    return path.size + 3;
}

int look_cells_question(uint64_t bucket, const struct slice *paths, size_t count,
                        struct buffer *ret_question, size_t *ret_taken)
{
    struct writer writer;
    size_t size = 1 + 9 + 5, taken = 0;
    while (taken < count && taken < LOOK_CELLS_MAX &&
           size + packed_size(paths[taken]) <= ASK_QUESTION_MAX)
        size += packed_size(paths[taken++]);
    buffer_clear(ret_question);
    writer_init(&writer, ret_question);
    write_array(&writer, 2);
    write_u64(&writer, bucket);
    write_array(&writer, (uint32_t)taken);
    for (size_t i = 0; i < taken; i++)
        write_bin(&writer, paths[i]);
    if (!writer.error)
        *ret_taken = taken;
    return writer.error;
}

/* ---- the answer ---- */

struct looking {
    const struct shard *shard;
    const struct view *view;
    struct buffer cells, bytes; /* packed cells; scratch */
    uint32_t count;
    size_t read;
};

static int dots_write(struct writer *writer, enum neap_type type, const struct cell *cell)
{
    size_t count = cell->count < LOOK_DOTS_MAX ? cell->count : LOOK_DOTS_MAX;
    write_array(writer, 5 * (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct cell_entry *entry = &cell->entries[i];
        struct slice value;
        uint64_t stamp;
        int error = type_stamped(type, entry->payload, &value, &stamp);
        if (error)
            return error == NEAP_INVALID ? NEAP_CORRUPT : error;
        write_u64(writer, entry->dot.id);
        write_u64(writer, entry->dot.n);
        write_u64(writer, stamp);
        write_u64(writer, value.size);
        value.size = value.size < LOOK_VALUE_MAX ? value.size : LOOK_VALUE_MAX;
        write_bin(writer, value);
    }
    return writer->error;
}

static int cell_write(struct looking *looking, struct slice path, const struct cell *cell,
                      const struct context *residue)
{
    static const struct hash_key no_key;
    struct writer writer;
    enum neap_type type;
    if (path_check(path, &type))
        return NEAP_CORRUPT;
    buffer_clear(&looking->bytes);
    int error = cell_encode(cell, &looking->bytes);
    if (error)
        return error;
    writer_init(&writer, &looking->cells);
    write_array(&writer, 5);
    write_bin(&writer, path);
    context_write(&writer, residue);
    write_u64(&writer, hash_64(&no_key, buffer_slice(&looking->bytes)));
    write_u64(&writer, cell->count);
    error = dots_write(&writer, type, cell);
    return error ? error : writer.error;
}

static int cell_look(struct looking *looking, struct slice path, struct slice value)
{
    struct context residue = {0};
    struct cell cell;
    uint64_t ref;
    cell_init(&cell);
    int error = cell_stored(value, &ref, &cell);
    if (!error)
        error = cell_residue(looking->view, looking->shard->id, ref, &residue);
    if (!error)
        error = context_beyond(&residue, &looking->shard->context, &residue);
    if (!error && (cell.count > 0 || residue.count > 0)) {
        error = cell_write(looking, path, &cell, &residue);
        looking->count++;
    }
    looking->read += value.size;
    context_done(&residue);
    cell_done(&cell);
    return error;
}

static bool is_full(const struct looking *looking)
{
    return looking->count == LOOK_CELLS_MAX || looking->cells.size >= LOOK_SIZE_AIM ||
           looking->read >= LOOK_READ_MAX;
}

/* END: all were seen; 0: the page is full, and ret_end is where the rest begins. */
static int cells_look(struct looking *looking, struct key *prefix, struct buffer *ret_end)
{
    struct slice key, value;
    struct scan *scan;
    struct key end;
    key_end(prefix, &end);
    int error = view_scan(looking->view, DISK_CELLS, key_slice(prefix), key_slice(&end), &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        if (!key_cell_is(key)) {
            error = NEAP_CORRUPT;
            break;
        }
        if (is_full(looking)) {
            error = buffer_set(ret_end, key_cell_path(key));
            break;
        }
        size_t before = looking->cells.size;
        error = cell_look(looking, key_cell_path(key), value);
        if (error)
            break;
        /* One with many large values and residues may not fit any more. */
        if (before > 0 && looking->cells.size > ASK_ANSWER_MAX / 2) {
            looking->cells.size = before;
            looking->count--;
            error = buffer_set(ret_end, key_cell_path(key));
            break;
        }
    }
    scan_close(scan);
    return error;
}

static int answer_write(const struct looking *looking, bool whole, const struct buffer *end,
                        struct buffer *ret_answer)
{
    struct writer writer;
    writer_init(&writer, ret_answer);
    write_array(&writer, 4);
    write_u64(&writer, looking->shard->replica);
    context_write(&writer, &looking->shard->horizon);
    if (whole)
        write_nil(&writer);
    else
        write_bin(&writer, buffer_slice(end));
    write_array(&writer, looking->count);
    write_raw(&writer, buffer_slice(&looking->cells));
    return writer.error;
}

/* Of those that the question names. END: all; 0: the page is full, and ret_end is where the rest
 * begins. */
static int named_look(struct looking *looking, uint64_t bucket, struct reader *paths,
                      uint32_t count, struct buffer *ret_end)
{
    struct buffer value;
    int error = 0;
    buffer_init(&value, STORED_SIZE_MAX);
    for (uint32_t i = 0; i < count && !error; i++) {
        struct slice path = read_bin(paths, NEAP_PATH_MAX);
        size_t before = looking->cells.size;
        struct key key;
        if (paths->error)
            error = NEAP_INVALID;
        if (error)
            break;
        if (is_full(looking) || before > ASK_ANSWER_MAX / 4) {
            error = buffer_set(ret_end, path);
            buffer_done(&value);
            return error;
        }
        key_cell(&key, looking->shard->id, bucket, path);
        error = view_get(looking->view, DISK_CELLS, key_slice(&key), &value);
        if (!error)
            error = cell_look(looking, path, buffer_slice(&value));
        else if (error == NEAP_NOTFOUND)
            error = 0;
    }
    buffer_done(&value);
    if (!error && reader_end(paths))
        error = NEAP_INVALID;
    return error ? error : NEAP_END;
}

struct look_question {
    uint64_t bucket;
    struct slice prefix;  /* of ASK_LOOK */
    struct reader *paths; /* of ASK_CELLS... */
    uint32_t count;       /* ... so many follow */
};

static int answer_make(const struct shard *shard, const struct view *view,
                       const struct look_question *question, struct buffer *ret_answer)
{
    struct looking looking = {.shard = shard, .view = view};
    struct buffer end;
    struct key key;
    int error;
    if (!shard_has_bucket(shard, question->bucket))
        return NEAP_NOTFOUND;
    buffer_init(&looking.cells, ASK_ANSWER_MAX);
    buffer_init(&looking.bytes, CELL_SIZE_MAX);
    buffer_init(&end, NEAP_PATH_MAX);
    if (question->paths) {
        error = named_look(&looking, question->bucket, question->paths, question->count, &end);
    } else {
        key_cell(&key, shard->id, question->bucket, question->prefix);
        error = cells_look(&looking, &key, &end);
    }
    if (!error || error == NEAP_END)
        error = answer_write(&looking, error == NEAP_END, &end, ret_answer);
    buffer_done(&looking.cells);
    buffer_done(&looking.bytes);
    buffer_done(&end);
    return error;
}

int look_answer(const struct shard *shard, const struct view *view, struct slice question,
                struct buffer *ret_answer)
{
    struct look_question read = {0};
    int error = question_read(question, &read.bucket, &read.prefix);
    return error ? error : answer_make(shard, view, &read, ret_answer);
}

int look_cells_answer(const struct shard *shard, const struct view *view, struct slice question,
                      struct buffer *ret_answer)
{
    struct reader reader;
    struct look_question read = {.paths = &reader};
    reader_init(&reader, question);
    read_array_of(&reader, 2);
    read.bucket = read_u64(&reader);
    read.count = read_array(&reader, LOOK_CELLS_MAX);
    return reader.error ? NEAP_INVALID : answer_make(shard, view, &read, ret_answer);
}

/* ---- reading it ---- */

void look_done(struct look *look)
{
    for (size_t i = 0; i < look->count; i++) {
        context_done(&look->cells[i].residue);
        mem_free(look->cells[i].dots);
    }
    mem_free(look->cells);
    context_done(&look->horizon);
    *look = (struct look){0};
}

/* Dots in their order, as a cell has them; those that are not told of only at the end. */
static void dots_read(struct reader *reader, struct look_cell *cell)
{
    uint32_t fields = read_array(reader, 5 * LOOK_DOTS_MAX);
    uint32_t count = fields / 5;
    bool all = cell->dots_all == count;
    if (fields % 5 != 0 || (!all && (cell->dots_all < count || count < LOOK_DOTS_MAX)))
        reader_fail(reader, NEAP_INVALID);
    if (reader->error || count == 0)
        return;
    cell->dots = mem_new_array(count, sizeof *cell->dots);
    if (!cell->dots) {
        reader_fail(reader, NEAP_NOMEM);
        return;
    }
    cell->dots_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct look_dot *dot = &cell->dots[i];
        dot->dot.id = read_u64(reader);
        dot->dot.n = read_u64(reader);
        dot->stamp = read_u64(reader);
        dot->size = read_u64(reader);
        dot->value = read_bin(reader, LOOK_VALUE_MAX);
        if (dot->dot.n == 0 || dot->value.size > dot->size ||
            (i > 0 && dot_compare(dot[-1].dot, dot->dot) >= 0))
            reader_fail(reader, NEAP_INVALID);
    }
}

static void cell_look_read(struct reader *reader, struct slice prefix, const struct look *look,
                           struct look_cell *cell)
{
    read_array_of(reader, 5);
    cell->path = read_bin(reader, NEAP_PATH_MAX);
    (void)context_read(reader, &cell->residue); /* its error sticks in the reader */
    cell->sum = read_u64(reader);
    cell->dots_all = read_u64(reader);
    dots_read(reader, cell);
    if (reader->error)
        return;
    if (!slice_starts(cell->path, prefix) || cell->dots_all > CELL_DOTS_MAX ||
        (cell > look->cells && slice_compare(cell[-1].path, cell->path) >= 0) ||
        (!look->whole && slice_compare(cell->path, look->end) >= 0))
        reader_fail(reader, NEAP_INVALID);
    reader_fail(reader, path_check(cell->path, &cell->type));
}

static void cells_read(struct reader *reader, struct slice prefix, struct look *look)
{
    uint32_t count = read_array(reader, LOOK_CELLS_MAX);
    if (reader->error || count == 0)
        return;
    look->cells = mem_new_array(count, sizeof *look->cells);
    if (!look->cells) {
        reader_fail(reader, NEAP_NOMEM);
        return;
    }
    look->count = count;
    for (uint32_t i = 0; i < count && !reader->error; i++)
        cell_look_read(reader, prefix, look, &look->cells[i]);
}

int look_read(struct slice prefix, struct slice bytes, struct look *ret_look)
{
    struct look look = {0};
    struct reader reader;
    reader_init(&reader, bytes);
    read_array_of(&reader, 4);
    look.replica = read_u64(&reader);
    (void)context_read(&reader, &look.horizon); /* its error sticks in the reader */
    look.whole = read_nil(&reader);
    if (!look.whole)
        look.end = read_bin(&reader, NEAP_PATH_MAX);
    cells_read(&reader, prefix, &look);
    int error = reader_end(&reader);
    if (error) {
        look_done(&look);
        *ret_look = look;
        return error;
    }
    *ret_look = look;
    return 0;
}

/* ---- what is known without asking ---- */

int look_peer(const struct gossip *gossip, uint64_t shard, size_t index, struct look_peer *ret_peer)
{
    struct look_peer seen = {0};
    size_t found = peer_visible(gossip, index);
    must(found != NO_PEER);
    const struct peer *peer = &gossip->peers[found];
    const struct topic *topic = topic_find(gossip, shard);
    const struct pair *pair = topic ? topic_pair(topic, found) : NULL;
    snprintf(seen.address, sizeof seen.address, "%s", peer->address);
    seen.node = peer->met ? peer->node : 0;
    seen.heard_ms = peer->heard_ms;
    if (pair) {
        seen.replica = pair->replica;
        seen.known = pair->known;
    }
    int error = seen.known ? context_copy(&seen.context, &pair->context) : 0;
    if (error)
        return error;
    *ret_peer = seen;
    return 0;
}

void look_peer_done(struct look_peer *peer)
{
    context_done(&peer->context);
}
