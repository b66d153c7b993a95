/* A change in progress of one shard by other than a local event. Everything is prepared on the
 * side: writes in the batch above a mark, context and new residues in here. change_commit() moves
 * them into the shard when nothing can fail any more; change_abort() leaves no trace. */
#ifndef NEAP_STORE_CHANGE_H
#define NEAP_STORE_CHANGE_H
#include "store/slot.h"

#define RESIDUE_UNKNOWN UINT64_MAX

struct change {
    struct shard *shard;
    struct batch *batch;
    batch_mark mark;
    struct context context, horizon; /* as they will be */
    const struct context *known;     /* in a hole: in place of the shard's context; else NULL */
    const struct context *filled;    /* the same, after a page that fills it; else NULL */
    struct residue *fresh;           /* made by this change */
    size_t fresh_count, fresh_room;
    uint64_t residue_next;
    struct buffer bytes_old, bytes_new;
    uint64_t merged; /* cells */
    uint64_t stored; /* of them, those that are not as before, be it only the residue */
    uint64_t healed; /* dots that had been lost here */
    uint64_t events; /* of others, into the log */
    uint64_t stamps_ahead;
    bool moves;     /* the context: set by the commit */
    size_t settled; /* residues before this one are dropped if the context covers them */
};

int change_begin(struct change *change, struct shard *shard, struct batch *batch);
/* Rule 3: merges what a peer has of a cell, with all that it knew of it. change->context must be
 * final. `common` (may be NULL) keeps the reference that cells without a residue share when their
 * knowledge is the same; RESIDUE_UNKNOWN at first. */
int change_merge(struct change *change, struct slot *slot, const struct cell *theirs,
                 const struct knowledge *know_theirs, uint64_t *common);
/* The same for a cell that is not stored here, by its canonical bytes: what comes is what stays,
 * when no dot of it has ever been here. */
int change_adopt(struct change *change, struct slot *slot, const struct cell *theirs,
                 struct slice encoded, const struct knowledge *know_theirs, uint64_t *common);
/* Writes the record, drops what is settled (up to a bound), and moves everything into the shard.
 * Ends the change either way. */
int change_commit(struct change *change);
void change_abort(struct change *change);
void change_end(struct change *change); /* only what it has in memory */

/* Perhaps no hole is open any more: what cells in them knew is settled as any other residue. */
void shard_holes_filled(struct shard *shard);

bool cell_same(const struct cell *a, const struct cell *b); /* dots and payloads */

/* The shard record (shard.c). */
int shard_record_write(const struct shard *shard, struct batch *batch,
                       const struct context *context, const struct context *horizon,
                       uint64_t residue_next);
/* All that lies under the shard, but for its record. */
int shard_clear(uint64_t shard, struct batch *batch);
void shard_set_new_id(struct shard *shard, uint64_t replica);
/* An id that this directory has left. */
void shard_add_earlier(struct shard *shard, uint64_t id);

/* Rule 9 (shard_redot.c): may something that knows this be taken? STALE:
 * it is of another history. Sets went_back. */
int shard_admit(struct shard *shard, const struct context *context, const struct context *residues,
                size_t residues_count);
void promises_done(struct shard *shard);

/* Names (shard_proof.c). Was event n made by an opening of mine before this one, which made more
 * than that? */
bool opening_has_more(const struct shard *shard, uint64_t n, uint32_t nonce);
/* The id that events of an opening get when they may not keep theirs. */
uint64_t renamed_id(uint64_t replica, uint64_t opened_at, uint32_t nonce);
#endif
