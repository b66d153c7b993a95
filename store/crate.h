/* Cells being gathered for a chunk or a page: memory of their own, each (bucket, path) once. */
#ifndef NEAP_STORE_CRATE_H
#define NEAP_STORE_CRATE_H
#include "base/sorted.h"
#include "store/chunk.h"
#include "store/slot.h"

struct crate_cell {
    uint64_t bucket;
    size_t path_at, path_size, bytes_at, bytes_size; /* in the arena */
    size_t residue;
};

struct crate {
    const struct shard *shard;
    struct sorted *index; /* bucket and path -> number of the cell */
    struct buffer arena;
    struct crate_cell *cells;
    size_t cells_count, cells_room;
    uint64_t refs[SHARD_RESIDUES_MAX]; /* of the chunk's residues */
    struct chunk chunk;
    size_t events_room, runs_room, residues_room;
    size_t size; /* about what it will take on the wire */
};

/* Not to be copied. The context and horizon are the shard's. */
int crate_init(struct crate *crate, const struct shard *shard, enum chunk_kind kind);
void crate_done(struct crate *crate);
bool crate_find(const struct crate *crate, uint64_t bucket, struct slice path,
                uint32_t *ret_number);
/* `value` is as stored. LIMIT when the crate is full: then nothing was added. */
int crate_add(struct crate *crate, uint64_t bucket, struct slice path, struct slice value,
              uint32_t *ret_number);
/* One more event, which changed the cell of that number. */
int crate_add_event(struct crate *crate, struct dot dot, uint32_t nonce, uint32_t number);
/* The number of a stored reference among the residues of the chunk. LIMIT: there are too many. */
int crate_residue(struct crate *crate, uint64_t ref, size_t *ret_index);
int crate_encode(struct crate *crate, struct buffer *ret_bytes); /* replaces */
/* The same of a page of [from, end), keys without the shard; an empty `end` is the end of it. */
int crate_encode_page(struct crate *crate, struct slice from, struct slice end,
                      struct buffer *ret_bytes);
#endif
