/* The cells of some nodes of a shard's tree, for whoever has another sum of them (rule 7): in key
 * order, a stretch of the shard at a time, as nothing tells where cells of a node are. A stretch
 * is [from, to): keys without the shard ([bucket 8][path]); an empty `to` is the end. */
#ifndef NEAP_STORE_SHARD_REPAIR_H
#define NEAP_STORE_SHARD_REPAIR_H
#include "store/merkle.h"
#include "store/shard.h"

enum { REPAIR_SCAN_MAX = 65536 }; /* cells looked at in one stretch: 30 ms */

struct repair_nodes {
    struct merkle_salt salt;
    struct merkle_nodes nodes;
    size_t scan_max; /* cells looked at in one stretch */
};

/* What a cell knows beyond the context counts, and a cell that is kept for that alone is one like
 * others: so replicas that know of events which were lost become equal, too. */

/* Sums of my cells of these nodes, of as many as are wanted: merkle_short(), ascending, each once.
 * *ret_to is replaced: how far that is, `to` or before it. */
int repair_sums(const struct shard *shard, const struct view *view,
                const struct repair_nodes *nodes, struct slice from, struct slice to,
                size_t sums_max, uint64_t *ret_sums, size_t *ret_count, struct buffer *ret_to);

enum repair_cells {
    REPAIR_OTHERS, /* whose sums are not among those given */
    REPAIR_THESE   /* ... and those that are */
};

struct repair_found {
    struct buffer page; /* for shard_repair_take(): its end may be before `to` */
    size_t cells;       /* in it */
    size_t looked;      /* cells of mine from where it begins to its end */
    struct buffer end;  /* of the page */
    bool whole;         /* the stretch was looked at to its end */
    bool *met;          /* the caller's, as many as sums: which of them are mine. May be NULL */
};

/* A page of my cells in that stretch, of about size_max. Buffers of ret_found are replaced: the
 * caller's. BUSY: not released yet (rule 9). CORRUPT, IO, NOMEM. */
int repair_page(const struct shard *shard, const struct view *view,
                const struct repair_nodes *nodes, struct slice from, struct slice to,
                const uint64_t *sums, size_t count, enum repair_cells which, size_t size_max,
                struct repair_found *ret_found);

/* What a page would bring to the shard, told before it is taken: for logs. `lost`: it has no such
 * cell at all; else dots of it are missing. Cells that are as here are not told, and neither
 * are those of which one side knows of more. Where the page
 * ends (may be NULL) is replaced. INVALID, LIMIT: it is no page of this shard. */
typedef void (*repair_tell)(void *arg, struct slice path, bool lost);
int repair_look(const struct shard *shard, const struct view *view, struct slice page,
                repair_tell tell, void *arg, struct buffer *ret_end);
#endif
