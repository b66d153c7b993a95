/* When values expire (docs/decisions/0075): a clock that never goes back, the mark up to which
 * readers are shown nothing, and an index of cells by the time at which the first of their values
 * goes. The index is local, and may have entries that fit no cell: whoever meets one deletes it. */
#ifndef NEAP_STORE_EXPIRY_H
#define NEAP_STORE_EXPIRY_H
#include <stdatomic.h>

#include "store/slot.h"

struct expiry {
    /* Any thread. What expires at or before the mark is hidden; it is on disk. From wall_ms `due`
     * on there is something for the next turn to hide. */
    atomic_uint_fast64_t mark, due;
    atomic_uint_fast64_t
        told;             /* the wall clock when `due` was set: before it, it has stepped back */
    uint64_t clock, wall; /* ms; and the wall clock when that was */
    uint64_t next_mark;   /* in the batch of this turn; 0: none */
};

/* `next` of a shard_clock: nothing in the index is known to expire. */
#define EXPIRY_NEVER UINT64_MAX

/* ret_next: the first time in the index, for a shard_clock. */
int expiry_open(const struct view *view, uint64_t wall_ms, struct expiry *ret_expiry,
                uint64_t *ret_next);
/* The first time in the index from `from` on, or EXPIRY_NEVER. */
int expiry_first(const struct view *view, uint64_t from, uint64_t *ret_first);
/* It follows the wall clock on, and goes on by itself from where it was when that steps back. */
uint64_t expiry_now(struct expiry *expiry, uint64_t wall_ms);
/* The mark goes to `clock`: into the batch, which must be committed with sync. */
int expiry_put_mark(struct expiry *expiry, struct batch *batch, uint64_t clock);
/* That batch is committed. */
void expiry_committed(struct expiry *expiry);

/* A cell changes from what the slot has to `cell`: so does its entry. */
int expiry_move(const struct shard *shard, struct batch *batch, const struct slot *slot,
                const struct cell *cell);

struct expiry_entry {
    uint64_t expires, shard, bucket;
    struct slice path; /* borrowed from the key */
};
bool expiry_entry_read(struct slice key, struct expiry_entry *ret_entry);
/* The event that removes what has expired in a cell (cell_expire()). Its n is 0: there is nothing
 * for this replica to remove. An entry that does not fit its cell goes. */
int shard_expire(struct shard *shard, struct batch *batch, const struct expiry_entry *entry,
                 uint64_t mark, bool any, struct dot *ret_dot);
/* Deletes an entry of a shard that is not here. */
int expiry_forget(struct batch *batch, const struct expiry_entry *entry);
#endif
