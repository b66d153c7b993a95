/* The members of score sets in the order of their scores: an index beside the cells, local, outside
 * the tree, moved in the batch that moves a cell (docs/decisions/0073). A key is 'X'
 * [shard][bucket] [path of the set][score][member], the member as in the path of its cell, and the
 * score as bytes whose order is that of scores from the highest to the lowest. The values are
 * empty. */
#ifndef NEAP_STORE_RANKING_H
#define NEAP_STORE_RANKING_H
#include "store/slot.h"

enum { RANKING_SCORE = 8 };

/* The key without a member is where members with this score begin. */
void key_ranking(struct key *ret_key, uint64_t shard, uint64_t bucket, struct slice path,
                 int64_t score, struct slice member);
/* What the keys of one set start with. */
void key_ranking_prefix(struct key *ret_key, uint64_t shard, uint64_t bucket, struct slice path);
/* Score and member of a key that starts with that prefix. CORRUPT. */
int ranking_split(struct slice key, const struct key *prefix, int64_t *ret_score,
                  struct slice *ret_member);

/* The cell of the slot, of type NEAP_SCORES, becomes `cell`. */
int ranking_move(const struct shard *shard, struct batch *batch, const struct slot *slot,
                 const struct cell *cell);
/* Makes the whole index from the cells, in commits of its own: for a directory that may have lost
 * some of either. */
int rankings_make(struct disk *disk);
#endif
