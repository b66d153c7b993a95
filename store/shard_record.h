/* The record of a shard, as it is on disk: its ids, openings, contexts. For store/shard*.c alone.
 */
#ifndef NEAP_STORE_SHARD_RECORD_H
#define NEAP_STORE_SHARD_RECORD_H
#include "store/shard.h"

enum { RECORD_SIZE_MAX = 1 << 20 };

/* What the 'S' key of a shard holds. */
struct shard_record {
    struct slice name; /* borrowed */
    uint64_t life, replica;
    struct context context, horizon;
    uint64_t residue_next;
    uint64_t opened_at;
    uint32_t opened_nonce;
    bool confirmed, leaving;
    struct opening openings[OPENINGS_MAX];
    size_t openings_count;
    struct former formers[FORMERS_MAX];
    size_t formers_count;
    uint64_t earlier[EARLIER_MAX];
    size_t earlier_count;
};

/* With what the log says of its own last events. `bytes` (limit RECORD_SIZE_MAX) holds what the
 * record borrows; shard_record_done() in any case. NOTFOUND, CORRUPT, FORMAT, IO, NOMEM. */
int shard_record_read(const struct view *view, uint64_t shard, struct buffer *bytes,
                      struct shard_record *record);
void shard_record_done(struct shard_record *record);
#endif
