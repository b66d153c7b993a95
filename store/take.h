/* What shard_take.c and shard_compare.c share: validated cells of a peer into a change. */
#ifndef NEAP_STORE_TAKE_H
#define NEAP_STORE_TAKE_H
#include "store/change.h"
#include "store/chunk.h"

/* A chunk for this shard, of a history that it may take from (STALE otherwise). Zeroed on error. */
int take_decode(struct shard *shard, struct slice bytes, enum chunk_kind kind,
                struct chunk *ret_chunk);
/* The same of one that is decoded already. */
int take_admit(struct shard *shard, const struct chunk *chunk);
/* Merges a cell by rule 3. */
int take_cell(struct change *change, const struct chunk *chunk, const struct chunk_cell *item,
              uint64_t *common);
/* The same of a cell that is known not to be stored here. */
int take_absent(struct change *change, const struct chunk *chunk, const struct chunk_cell *item,
                uint64_t *common);
/* The same, unless the dots are what I have. */
int take_differing(struct change *change, const struct chunk *chunk, const struct chunk_cell *item,
                   uint64_t *common);
/* The peer has no cell of that key (without the shard): it removed what it knows of it. */
int take_gone(struct change *change, const struct chunk *chunk, struct slice key, uint64_t *common);
#endif
