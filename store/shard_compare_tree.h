/* Catching up by comparing (rule 7) where most cells are shared: only those of nodes whose sums
 * differ are looked at (store/merkle.h), in stretches of the shard. Who lacks sends the sums of its
 * cells there; who has answers with its cells that are not among them, with all that have a
 * residue, and with the numbers of the sums that it lacks itself: what those are of it has removed,
 * as far as it knows. It remembers nothing.
 *
 * The session is that of shard_compare_begin(), with the context that the peer had when it gave its
 * first sums, or before; when the last stretch is taken what has changed meanwhile comes next, as
 * after the last page of a flat exchange. Both sides go on writing all the while. */
#ifndef NEAP_STORE_SHARD_COMPARE_TREE_H
#define NEAP_STORE_SHARD_COMPARE_TREE_H
#include "store/shard_repair.h"

enum { COMPARE_WIDTH = 8 }; /* bytes of a sum: what looks equal is believed */

/* My cells of some nodes, as they were when their sums were sent: what is lacking at the peer must
 * not be asked of what is here by then. */
struct compare_mine {
    struct buffer from, to; /* the stretch: keys without the shard; an empty `to` is the end */
    struct buffer keys;     /* a page of keys, in order */
    uint64_t sums[MERKLE_LIST_MAX]; /* of them, in the same order */
    size_t count;
    size_t limit; /* of them, so that the answer fits in a page: what it has no room for is sent
                   * again */
};

void compare_mine_init(struct compare_mine *mine);
void compare_mine_done(struct compare_mine *mine);
/* From mine->from on, as many as a message holds. Without nodes it is all of the shard, and nothing
 * of it. CORRUPT, IO, NOMEM: then nothing is in it. */
int compare_mine_list(const struct shard *shard, const struct view *view,
                      const struct repair_nodes *nodes, struct compare_mine *mine);

/* The other side's question. */
struct compare_asked {
    struct repair_nodes nodes;
    struct slice from, to;
    const uint64_t *sums;
    size_t count;
};

/* Replaces ret_page: my cells that are not among the sums, and those with a residue, of about
 * size_max; it may end before the stretch does. ret_met, as many as sums: which I have. What it
 * says of those behind the end of the page is of no use. BUSY: not released yet (rule 9). CORRUPT,
 * IO, LIMIT, NOMEM. */
int shard_compare_part(const struct shard *shard, const struct view *view,
                       const struct compare_asked *asked, size_t size_max, bool *ret_met,
                       struct buffer *ret_page);

/* Merges what answered `mine`, and moves mine->from to where it ended. `lacking`: numbers of sums,
 * ascending. INVALID, LIMIT: it is no such page; STALE: the session is another, or over. */
int shard_compare_part_take(struct shard *shard, struct batch *batch, struct slice page,
                            struct compare_mine *mine, const uint32_t *lacking, size_t count);
#endif
