/* Catching up by comparing (rule 7) where most cells are shared: only those of nodes whose sums
 * differ are looked at (store/merkle.h), in stretches of the shard. Who lacks sends the sums of its
 * cells there; who has answers with its cells that are not among them, with all that have a
 * residue, and with the numbers of the sums that it lacks itself: what those are of it has removed,
 * as far as it knows. It remembers nothing.
 *
 * The session is that of shard_compare_begin(), with the context that the peer had when it gave its
 * first sums, or before. Stretches may be compared in any order; when the last one is taken what
 * has changed meanwhile comes next, as after the last page of a flat exchange. Both sides go on
 * writing all the while. */
#ifndef NEAP_STORE_SHARD_COMPARE_TREE_H
#define NEAP_STORE_SHARD_COMPARE_TREE_H
#include "store/shard_repair.h"

enum { COMPARE_WIDTH = 8 }; /* bytes of a sum: what looks equal is believed */
/* Keys of one stretch, so that it is dealt with in one step; and memory for them. */
enum { COMPARE_KEYS_AIM = 256 << 10, COMPARE_KEYS_MAX = COMPARE_KEYS_AIM + KEY_SIZE_MAX + 2 };

/* My cells of some nodes in a stretch, in key order: sums of as many as are wanted, and a page of
 * their keys, which is replaced. *ret_to is replaced: how far that is, `to` or before it. Without
 * nodes it is all of the stretch, and nothing of it. CORRUPT, IO, NOMEM. */
int compare_sums(const struct shard *shard, const struct view *view,
                 const struct repair_nodes *nodes, struct slice from, struct slice to,
                 size_t sums_max, uint64_t *ret_sums, size_t *ret_count, struct buffer *ret_keys,
                 struct buffer *ret_to);

/* The other side's question. */
struct compare_asked {
    struct repair_nodes nodes;
    struct slice from, to;
    const uint64_t *sums;
    size_t count;
};

struct compare_part {
    struct buffer page; /* the caller's, replaced */
    bool *met;          /* likewise, as many as sums: which I have */
    size_t cells;       /* in the page */
    size_t looked;      /* cells of mine from where it begins to its end */
};

/* A page of my cells that are not among the sums, and those with a residue, of about size_max; it
 * may end before the stretch does. What `met` says of those behind its end is of no use. BUSY: not
 * released yet (rule 9). CORRUPT, IO, LIMIT, NOMEM. */
int shard_compare_part(const struct shard *shard, const struct view *view,
                       const struct compare_asked *asked, size_t size_max,
                       struct compare_part *ret_part);

/* What was sent of a stretch: what is lacking at the peer must not be asked of what is here by now.
 */
struct compare_mine {
    struct slice from, to;
    const struct buffer *keys; /* as compare_sums() gave them */
    size_t count;
};

/* Merges what answers `mine`. `lacking`: numbers of sums, ascending. `last`: if the page goes as
 * far as `mine` does, then all stretches were compared. *ret_end is replaced: where the page ended.
 * INVALID, LIMIT: it is no such page; STALE: the session is another, or over. */
int shard_compare_part_take(struct shard *shard, struct batch *batch, struct slice page,
                            const struct compare_mine *mine, const uint32_t *lacking, size_t count,
                            bool last, struct buffer *ret_end);
#endif
