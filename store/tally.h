/* How many live fields a map has, or elements a set, without a pass over them: kept in memory for
 * those that somebody has counted, moved by whatever changes a cell, and known to the disk when
 * nothing has changed since (docs/decisions/0073). Like the tree it is ahead of the commit, and a
 * rollback of the batch takes it back. Belongs to the thread that turns the wheel.
 *
 * A collection is named by [bucket 8][path], whole levels, the last of type MAP or one that has
 * elements: a cell key without its shard, cut short. */
#ifndef NEAP_STORE_TALLY_H
#define NEAP_STORE_TALLY_H
#include "store/slot.h"

/* What is no larger is counted by who wants to know. A shard has so many at most: past that, the
 * smallest goes. So many cells are passed over in a step. */
enum { TALLY_FROM = 64, TALLIES_MAX = 4096, TALLY_CELLS = 4096 };

struct tallies;
struct store;

/* From the disk, for a shard that is being opened. NOMEM, CORRUPT, IO. */
int tallies_load(struct shard *shard, const struct view *view);
void tallies_free(struct tallies *tallies); /* NULL is fine */

/* The cell of the slot, which is stored by now, is live, and was not, or the other way round.
 * NOMEM, LIMIT; CORRUPT, IO: from a look at what is beside it. */
int tally_move(struct shard *shard, struct batch *batch, const struct slot *slot, bool is_live);
/* What is here is not what was thought: all tallies above the path (empty: all of the shard) are
 * counted again. NOMEM, LIMIT. */
int tally_doubt(struct shard *shard, struct batch *batch, uint64_t bucket, struct slice path);

/* With all that is in the open batch. NOTFOUND: it has none. BUSY: it is being counted. */
int tally_get(const struct shard *shard, struct slice collection, uint64_t *ret_count);
/* Number n of those that are known, by name; false: there are no more. For checks. */
bool tally_nth(const struct shard *shard, size_t n, struct slice *ret_name, uint64_t *ret_count);
/* Begins one; fine when it is there. Not to be rolled back. INVALID: not the name of a collection;
 * NOMEM, LIMIT. */
int tally_begin(struct shard *shard, struct batch *batch, struct slice collection);
/* Goes on counting one that is not counted yet, by so many cells. END: all are. CORRUPT, IO: from
 * the scan, and that tally is none any more. NOMEM. */
int tally_step(struct shard *shard, struct batch *batch, size_t cells_max);
bool tally_is_due(const struct shard *shard); /* has that something to do? */

/* At a clean close, when no batch is open: whole and durable on return. Writes after it are fine.
 */
int tallies_save(struct store *store);
/* Those of all shards on the disk, for who can't believe it. Before shards are loaded. */
int tallies_drop(struct batch *batch);
#endif
