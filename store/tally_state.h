/* What store/tally*.c share; nobody else includes this. */
#ifndef NEAP_STORE_TALLY_STATE_H
#define NEAP_STORE_TALLY_STATE_H
#include "store/store.h"
#include "store/tally.h"

struct tally {
    uint64_t count; /* while it is counted: of what is before the cursor */
    uint64_t steps; /* of passes: which of them a change has seen */
    bool counting;
    bool kept;            /* the disk has a number: it goes with the next change */
    struct buffer cursor; /* a cell key without its shard; empty: the start */
    size_t size;
    uint8_t name[]; /* of the collection */
};

struct tallies {
    struct tally **items; /* by name */
    size_t count, room;
    size_t counting; /* of them */
};

static inline struct slice tally_name(const struct tally *tally)
{
    return slice_of(tally->name, tally->size);
}

/* The table. tally_add(): one that is to be counted from the start. */
int tallies_open(struct shard *shard);
int tally_add(struct tallies *tallies, struct slice name, struct tally **ret_tally);
void tally_remove(struct tallies *tallies, size_t at);
void tally_restart(struct tallies *tallies, struct tally *tally); /* from the start, again */
void tally_end(struct tallies *tallies, struct tally *tally);     /* it is counted */

/* The disk: the number, or that it is not known; or nothing any more. */
int tally_put_record(const struct shard *shard, struct batch *batch, const struct tally *tally,
                     bool known);
int tally_delete_record(const struct shard *shard, struct batch *batch, const struct tally *tally);

/* Changes the number with the batch, or takes it back. The disk doesn't know it from here on. Takes
 * effect as a whole or not at all. */
int tally_move_by(struct shard *shard, struct batch *batch, struct tally *tally, int change);

/* What is below the level that was read last: a field, or an element. */
int tally_child(struct path_cursor *walk);
/* Is there something for a reader in a cell as it is stored? */
int tally_cell_is_live(struct slice key, struct slice value, struct cell *cell, bool *ret_live);
#endif
