#include "engine/bundle.h"

#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "store/chunk.h"
#include "store/keys.h"

#define MAGIC "neap bundle"
enum { SEAL_SIZE = 16, PIECES_MAX = 1 << 24 };

/* ---- the whole ---- */

void bundle_begin(struct writer *writer, uint64_t node, uint64_t made_ms, uint32_t buckets)
{
    write_str(writer, MAGIC);
    write_u64(writer, BUNDLE_VERSION);
    write_u64(writer, node);
    write_u64(writer, made_ms);
    write_u64(writer, buckets);
}

static void seal_of(const struct hash_key *key, struct slice bytes, uint8_t ret_seal[SEAL_SIZE])
{
    struct digest digest = hash_128(key, bytes);

    for (unsigned i = 0; i < 8; i++) {
        ret_seal[i] = (uint8_t)(digest.high >> (8 * i));
        ret_seal[8 + i] = (uint8_t)(digest.low >> (8 * i));
    }
}

int bundle_seal(struct buffer *bundle, const struct hash_key *key)
{
    uint8_t seal[SEAL_SIZE];

    seal_of(key, buffer_slice(bundle), seal);
    return buffer_append(bundle, slice_of(seal, sizeof seal));
}

int bundle_open(struct slice bundle, const struct hash_key *key, struct reader *ret_reader,
                uint64_t *ret_node, uint64_t *ret_made_ms, uint32_t *ret_buckets)
{
    uint8_t seal[SEAL_SIZE];
    struct reader reader;
    struct slice magic;
    uint64_t version, buckets;

    if (bundle.size < SEAL_SIZE)
        return NEAP_CORRUPT;
    bundle.size -= SEAL_SIZE;
    seal_of(key, bundle, seal);
    if (memcmp(seal, bundle.data + bundle.size, SEAL_SIZE) != 0)
        return NEAP_CORRUPT;
    reader_init(&reader, bundle);
    magic = read_str(&reader, sizeof MAGIC);
    version = read_u64(&reader);
    if (reader.error || !slice_equal(magic, slice_text(MAGIC)))
        return NEAP_CORRUPT;
    if (version != BUNDLE_VERSION)
        return NEAP_FORMAT;
    *ret_node = read_u64(&reader);
    *ret_made_ms = read_u64(&reader);
    buckets = read_u64(&reader);
    if (reader.error || buckets > BUNDLE_BUCKETS_MAX)
        return NEAP_CORRUPT;
    *ret_buckets = (uint32_t)buckets;
    *ret_reader = reader;
    return 0;
}

/* ---- giving ---- */

/* The pieces of a bucket on their way; how many there are is written before them. */
struct pieces {
    struct buffer bytes, piece;
    struct writer writer;
    struct bundle_counts counts;
};

static int piece_add(struct pieces *pieces)
{
    write_bin(&pieces->writer, buffer_slice(&pieces->piece));
    buffer_clear(&pieces->piece);
    pieces->counts.pieces++;
    return pieces->writer.error;
}

/* What the chunk has completed. */
static int since_raise(struct context *since, struct slice bytes, struct bundle_counts *counts)
{
    struct chunk chunk = {0};
    int error = chunk_decode(bytes, CHUNK_EVENTS, &chunk);

    for (size_t i = 0; i < chunk.runs_count && !error; i++)
        error = context_raise(since, chunk.runs[i].id, chunk.runs[i].to, chunk.runs[i].nonce);
    counts->events += chunk.events_count;
    counts->cells += chunk.cells_count;
    chunk_done(&chunk);
    return error;
}

static int give_log(const struct shard *shard, const struct view *view, const struct context *since,
                    struct pieces *pieces)
{
    struct context reached = {0};
    int error = context_copy(&reached, since);

    while (!error) {
        error = shard_chunk(shard, view, &reached, 0, CHUNK_SIZE, &pieces->piece);
        if (!error)
            error = since_raise(&reached, buffer_slice(&pieces->piece), &pieces->counts);
        if (!error)
            error = piece_add(pieces);
    }
    context_done(&reached);
    return error == NEAP_END ? 0 : error;
}

static int give_all(const struct shard *shard, const struct view *view, struct pieces *pieces)
{
    struct buffer cursor;
    uint64_t cells;
    int error;

    buffer_init(&cursor, KEY_CURSOR_MAX);
    do {
        error = shard_page(shard, view, buffer_slice(&cursor), CHUNK_SIZE, &pieces->piece, &cursor,
                           &cells);
        if (!error)
            error = piece_add(pieces);
        if (!error)
            pieces->counts.cells += cells;
    } while (!error && cursor.size > 0);
    buffer_done(&cursor);
    return error;
}

int bundle_give(const struct shard *shard, const struct view *view, const struct context *since,
                struct buffer *bundle, struct bundle_counts *ret_counts)
{
    struct pieces pieces = {.counts.way = BUNDLE_LOG};
    struct writer writer;
    int error = NEAP_STALE;

    buffer_init(&pieces.bytes, BUNDLE_SIZE_MAX);
    buffer_init(&pieces.piece, CHUNK_BYTES_MAX);
    writer_init(&pieces.writer, &pieces.bytes);
    if (since)
        error = give_log(shard, view, since, &pieces);
    if (error == NEAP_STALE) {
        pieces.counts = (struct bundle_counts){.way = BUNDLE_ALL};
        buffer_clear(&pieces.bytes);
        writer_init(&pieces.writer, &pieces.bytes);
        error = give_all(shard, view, &pieces);
    }
    if (!error) {
        writer_init(&writer, bundle);
        write_str(&writer, shard->name);
        write_u64(&writer, pieces.counts.way);
        context_write(&writer, &shard->context);
        write_u64(&writer, pieces.counts.pieces);
        error = writer.error ? writer.error : buffer_append(bundle, buffer_slice(&pieces.bytes));
    }
    buffer_done(&pieces.bytes);
    buffer_done(&pieces.piece);
    if (!error)
        *ret_counts = pieces.counts;
    return error;
}

/* ---- taking ---- */

static int take_log(struct shard *shard, struct batch *batch, struct slice piece,
                    struct bundle_counts *counts, bool *ret_behind)
{
    enum taken taken = TAKEN_NOTHING;
    uint64_t events = shard->counts.events_taken;
    int error = shard_take(shard, batch, piece, CHUNK_PULL, &taken);

    if (!error && taken == TAKEN_BUSY)
        return NEAP_BUSY;
    *ret_behind = !error && taken == TAKEN_BEHIND;
    counts->events += shard->counts.events_taken - events;
    return error;
}

/* The page from the session's cursor on: the part before it was taken. */
static int page_rest(const struct shard *shard, struct slice piece, struct buffer *ret_rest)
{
    struct slice cursor = buffer_slice(&shard->session.cursor);
    struct chunk page = {0};
    size_t before = 0;
    struct key key;
    int error = chunk_decode(piece, CHUNK_PAGE, &page);

    while (!error && before < page.cells_count) {
        key_cell(&key, 0, page.cells[before].bucket, page.cells[before].path);
        if (slice_compare(slice_of(key.bytes + 8, key.size - 8), cursor) >= 0)
            break;
        before++;
    }
    if (!error) {
        memmove(page.cells, page.cells + before, (page.cells_count - before) * sizeof *page.cells);
        page.cells_count -= before;
        page.from = cursor;
        buffer_clear(ret_rest);
        error = chunk_encode(&page, ret_rest);
    }
    chunk_done(&page);
    return error;
}

/* A page may be taken in parts, when there is much between its ends here. */
static int take_page(struct shard *shard, struct batch *batch, struct slice piece,
                     struct buffer *scratch)
{
    struct chunk page = {0};
    struct buffer end;
    bool last;
    int error = chunk_decode(piece, CHUNK_PAGE, &page);

    buffer_init(&end, KEY_CURSOR_MAX);
    last = page.to_end;
    if (!error)
        error = buffer_set(&end, page.to);
    chunk_done(&page);
    if (!error)
        error = shard_compare_take(shard, batch, piece);
    while (!error && shard->session.phase == COMPARE_CELLS &&
           (last || slice_compare(buffer_slice(&shard->session.cursor), buffer_slice(&end)) < 0)) {
        error = page_rest(shard, piece, scratch);
        if (!error)
            error = shard_compare_take(shard, batch, buffer_slice(scratch));
    }
    buffer_done(&end);
    return error;
}

static int all_begin(struct shard *shard, struct slice piece, struct context *horizon)
{
    struct context start = {0};
    int error = chunk_peek(piece, &start, horizon);

    if (BROKEN("bundle-removes-nothing"))
        context_clear(&start);
    if (!error)
        error = shard_compare_begin(shard, UINT64_MAX - 1, &start);
    context_done(&start);
    return error;
}

static int take_all(struct shard *shard, struct batch *batch, struct reader *reader,
                    uint64_t pieces)
{
    struct context horizon = {0};
    struct buffer scratch;
    bool begun = false;
    int error = 0;

    buffer_init(&scratch, CHUNK_BYTES_MAX);
    for (uint64_t i = 0; i < pieces && !error; i++) {
        struct slice piece = read_bin(reader, CHUNK_BYTES_MAX);

        error = reader->error;
        if (!error && !begun) {
            error = all_begin(shard, piece, &horizon);
            begun = !error;
        }
        if (!error)
            error = take_page(shard, batch, piece, &scratch);
    }
    if (!error)
        error = begun ? shard_compare_end(shard, batch, &horizon) : NEAP_INVALID;
    if (error && begun)
        shard_compare_stop(shard);
    buffer_done(&scratch);
    context_done(&horizon);
    return error;
}

int bundle_take(struct shard *shard, struct batch *batch, struct reader *reader,
                struct bundle_counts *ret_counts, struct context *ret_theirs, bool *ret_behind)
{
    uint64_t way = read_u64(reader), pieces;
    uint64_t cells = shard->counts.cells_taken;
    struct bundle_counts counts = {.way = (unsigned)way};
    bool behind = false;
    int error;

    context_read(reader, ret_theirs);
    pieces = read_u64(reader);
    error = reader->error;
    if (error == NEAP_NOMEM)
        return error;
    if (error || (way != BUNDLE_LOG && way != BUNDLE_ALL) || pieces > PIECES_MAX)
        return NEAP_INVALID;
    counts.pieces = pieces;
    if (way == BUNDLE_ALL)
        error = take_all(shard, batch, reader, pieces);
    for (uint64_t i = 0; i < pieces && !error && way == BUNDLE_LOG && !behind; i++) {
        struct slice piece = read_bin(reader, CHUNK_BYTES_MAX);

        error = reader->error ? reader->error : take_log(shard, batch, piece, &counts, &behind);
    }
    counts.cells = shard->counts.cells_taken - cells;
    *ret_behind = behind;
    *ret_counts = counts;
    return error;
}

/* ---- of an engine ---- */

int bundle_from(struct engine *engine, struct now now, struct batch *batch, uint64_t shard,
                const struct context *since, struct buffer *bundle,
                struct bundle_counts *ret_counts)
{
    struct shard *here = store_find(&engine->store, shard);
    struct view view = batch_view(batch);
    int error = here ? gossip_release(engine->gossip, now, here, batch) : NEAP_NOTFOUND;

    return error ? error : bundle_give(here, &view, since, bundle, ret_counts);
}

int bundle_into(struct engine *engine, struct batch *batch, const char *name,
                struct reader *reader, struct bundle_counts *ret_counts,
                struct context *ret_theirs, bool *ret_behind, struct shard **ret_shard)
{
    int error = NEAP_REFUSED;

    if (store_wants(&engine->store, name))
        error = store_shard(&engine->store, batch, name, ret_shard);
    if (error)
        return error;
    error = bundle_take(*ret_shard, batch, reader, ret_counts, ret_theirs, ret_behind);
    if (engine->gossip) {
        gossip_touched(engine->gossip, (*ret_shard)->id);
        gossip_tree_changed(engine->gossip, (*ret_shard)->id);
    }
    return error;
}
