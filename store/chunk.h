/* How cells travel: canonical msgpack
 *
 *   [version, kind, shard, context, horizon, residues, span, cells]
 *   [version, NEXT, moved, others, residues, events, cells]
 *   [version, AFTER, moved, others, residues, span, cells]
 *
 * context: what the sender had seen when it read the cells; residues: version vectors that cells
 * refer to by index. A chunk answers a pull: span is its runs of events [id, nonce, from, to...],
 * and each cell names the events that changed it. A page answers a compare: span is the keys
 * [from, to or nil] between which it has every cell. A message is a single cell; span is empty.
 * A cell is [bucket, path, cell, residue or nil, names]; names is flat [run, offset, run,
 * offset...] and empty but in chunks. Cells are sorted by bucket and path.
 *
 * A chunk of events without a horizon may be told after another one of the same shard, whose
 * context its own follows: its context is told as the difference (crdt/context.h), and the bucket
 * of a cell is nil when that is the shard. When all it has is so many events after the last one
 * that the other had, of the same replica id and nonce, it is what comes NEXT: names are offsets
 * alone. */
#ifndef NEAP_STORE_CHUNK_H
#define NEAP_STORE_CHUNK_H
#include "base/pack.h"
#include "crdt/types.h"

enum chunk_kind { CHUNK_EVENTS = 1, CHUNK_PAGE, CHUNK_CELL, CHUNK_NEXT, CHUNK_AFTER };
enum { CHUNK_BYTES_MAX = 16 << 20, CHUNK_VERSION = 1, CHUNK_VERSION_MIN = 1 };
enum { CHUNK_RUNS_MAX = 4096, CHUNK_CELLS_MAX = 65536 };

/* Events from..to of one replica id, made in one opening. */
struct chunk_run {
    uint64_t id, from, to;
    uint32_t nonce;
    size_t first; /* of its events, among all of the chunk */
};

struct chunk_cell {
    uint64_t bucket;
    struct slice path, bytes; /* borrowed; bytes: the canonical cell */
    size_t residue;           /* index, CHUNK_SETTLED when none */
};

#define CHUNK_SETTLED SIZE_MAX

struct chunk {
    enum chunk_kind kind;
    uint64_t shard;
    struct context context, horizon;
    struct context *residues;
    size_t residues_count;
    struct chunk_run *runs;
    size_t runs_count;
    uint32_t *event_cells; /* event -> index of the cell that it changed */
    size_t events_count;
    struct chunk_cell *cells;
    size_t cells_count;
    struct slice from, to; /* page: keys [from, to); borrowed; keys are [bucket 8][path] */
    bool to_end;           /* page: there is nothing after it */
};

/* What is kept of a chunk, to tell or to read another one after it. */
struct chunk_base {
    uint64_t shard;
    struct context context;
    struct context_entry last; /* its last event */
};

void chunk_done(struct chunk *chunk); /* zeroed and half-built are fine */
/* Appends to ret_bytes, which must be limited to CHUNK_BYTES_MAX at most. */
int chunk_encode(const struct chunk *chunk, struct buffer *ret_bytes);
/* The same of a page whose cells were written before, one by one and in their order. */
void chunk_write_cell(struct writer *writer, const struct chunk_cell *cell);
int chunk_encode_page(const struct chunk *chunk, uint32_t cells_count, struct slice cells,
                      struct buffer *ret_bytes);
/* Replaces whatever ret_chunk holds. Everything that can be checked without the shard is:
 * canonical, paths, cells of the right type, dots known, events named once each and completely.
 * Borrows from bytes. INVALID, LIMIT, NOMEM, FORMAT (of a version that is not read): then the chunk
 * is zeroed. */
int chunk_decode(struct slice bytes, enum chunk_kind kind, struct chunk *ret_chunk);
/* The kind that bytes say to be, if they are a chunk; 0 when they can't be. */
enum chunk_kind chunk_kind_of(struct slice bytes);
void chunk_base_done(struct chunk_base *base);
/* Of a chunk with events. NOMEM: as it was. */
int chunk_base_set(struct chunk_base *base, const struct chunk *chunk);
/* Can the chunk be told after it? */
bool chunk_is_after(const struct chunk *chunk, const struct chunk_base *base);
/* Such a chunk, as CHUNK_NEXT if it is, else as CHUNK_AFTER; appends. */
int chunk_encode_after(const struct chunk *chunk, const struct chunk_base *base,
                       struct buffer *ret_bytes);
/* Was it told so? */
bool chunk_was_after(struct slice bytes);
/* The chunk of events that it was. With another base than it was encoded with, nothing that comes
 * out means anything: see that this does not happen. Errors as chunk_decode(). */
int chunk_decode_after(struct slice bytes, const struct chunk_base *base, struct chunk *ret_chunk);
/* The context and horizon that a chunk (or a page) carries. */
int chunk_peek(struct slice chunk, struct context *ret_context, struct context *ret_horizon);
/* What was known of one of its cells. */
struct knowledge chunk_knowledge(const struct chunk *chunk, const struct chunk_cell *cell);
/* Order of (bucket, path) against a key [bucket 8][path]. */
int chunk_cell_compare(const struct chunk_cell *a, const struct chunk_cell *b);
#endif
