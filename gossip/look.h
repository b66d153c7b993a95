/* One replica's look at the cells of an object, for people who want to know why it is as it is: a
 * page of them, cut to what is worth showing. It travels as the answer to ASK_LOOK; canonical
 * msgpack. Or at the cells that the question names (ASK_CELLS).
 *
 *   question = [bucket, prefix]    ASK_CELLS: [bucket, paths]
 *   answer   = [replica id, horizon, end or nil, cells]
 *   cell     = [path, residue, sum, dots in all, dots]    dots: flat [id, n, stamp, size, value...]
 *
 * Cells are those of paths that start with the prefix, in order, up to `end`, nil when there are no
 * more. An empty cell is one that is stored for its residue. The sum is over the canonical bytes:
 * two that have the same dots have the same sum, or else one is damaged. */
#ifndef NEAP_GOSSIP_LOOK_H
#define NEAP_GOSSIP_LOOK_H
#include "gossip/ask.h"

enum {
    LOOK_CELLS_MAX = 128,
    LOOK_DOTS_MAX = 64,       /* of one cell, the first */
    LOOK_VALUE_MAX = 256,     /* bytes of a value */
    LOOK_SIZE_AIM = 64 << 10, /* of a page, about */
    LOOK_READ_MAX = 4 << 20   /* bytes of cells read for a page, but for the first one */
};

struct look_dot {
    struct dot dot;
    uint64_t stamp;     /* of a last-writer-wins cell; else 0 */
    uint64_t size;      /* of the whole value; of a counter, its packed number */
    struct slice value; /* its first LOOK_VALUE_MAX bytes; borrowed */
};

struct look_cell {
    struct slice path; /* borrowed */
    enum neap_type type;
    struct context residue; /* what it knows beyond the context; mostly empty */
    uint64_t sum;
    uint64_t dots_all; /* dots_count, or more */
    struct look_dot *dots;
    size_t dots_count;
};

struct look {
    uint64_t replica;
    struct context horizon;
    bool whole;       /* there are no more cells... */
    struct slice end; /* ... else those from this path on are not in it; borrowed */
    struct look_cell *cells;
    size_t count;
};

int look_question(uint64_t bucket, struct slice prefix, struct buffer *ret_question);
/* Of ASK_CELLS: the first of these paths, which ascend; *ret_taken says how many fit. */
int look_cells_question(uint64_t bucket, const struct slice *paths, size_t count,
                        struct buffer *ret_question, size_t *ret_taken);
/* Answers, into an empty buffer of ASK_ANSWER_MAX. INVALID: it is no question. IO, CORRUPT, NOMEM.
 */
int look_answer(const struct shard *shard, const struct view *view, struct slice question,
                struct buffer *ret_answer);
int look_cells_answer(const struct shard *shard, const struct view *view, struct slice question,
                      struct buffer *ret_answer);
/* Of a peer, or our own (of ASK_CELLS: the prefix is empty). Borrows from bytes. INVALID, LIMIT,
 * NOMEM: ret_look is zeroed. */
int look_read(struct slice prefix, struct slice bytes, struct look *ret_look);
void look_done(struct look *look); /* zeroed is fine */

/* What this node knows of a shard at another one, for the time when that does not answer; and whose
 * a replica id is. */
struct look_peer {
    char address[128];
    uint64_t node;          /* 0: never met */
    uint64_t replica;       /* in this session; 0: not known */
    bool known;             /* the context is: as it was last heard of */
    struct context context; /* look_peer_done() */
    uint64_t heard_ms;      /* mono_ms; 0: never */
};
/* Of one of gossip_peers(). NOMEM. */
int look_peer(const struct gossip *gossip, uint64_t shard, size_t index,
              struct look_peer *ret_peer);
void look_peer_done(struct look_peer *peer);
#endif
