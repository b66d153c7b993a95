/* What happened to this node, for its operator: repairs, verifications, scrubs, and incidents,
 * which may last (docs/decisions/0110). It is the node's own, told to nobody, and outlives the
 * process: an entry is in the batch of what it is about. ANNALS_MAX are kept, the oldest go.
 *   'J' [number 8]  [version, kind, began, ended, shard, replica, node, cells, times, bucket, peer,
 *                    key, cause, end] */
#ifndef NEAP_STORE_ANNALS_H
#define NEAP_STORE_ANNALS_H
#include "store/batch.h"

enum {
    ANNALS_MAX = 1000,    /* entries: numbers from 1 on, so the first tells how many are gone */
    ANNALS_OPEN_MAX = 64, /* that last, and of which the end is written */
    ANNALS_TEXT_MAX = 255,
    ANNALS_BURST_MS = 600000,
    ANNALS_ENTRY_MAX = 5 * (ANNALS_TEXT_MAX + 3) + 128
};

/* X(name, word). What comes after SCRUB are incidents. Numbers are on disk: others come at the end.
 */
#define ANNALS_KINDS(X)                                                        \
    X(REPAIR, "repair")                                                         \
    X(VERIFY, "verify")                                                         \
    X(SCRUB, "scrub")                                                           \
    X(LIFE, "life")             /* the directory took another identity */       \
    X(UNREADABLE, "unreadable") /* keys that a damaged file took with it */     \
    X(GIVEN_UP, "given up")     /* of them: what no other node had, either */   \
    X(FAULT, "fault")           /* what of a bucket can't go between nodes */   \
    X(DIFFERS, "differs")       /* a peer has cells otherwise: no event did it */ \
    X(LOST, "lost")             /* cells that were, and are back from a peer */ \
    X(CHANGED, "changed")       /* what a scrub read is not what was written */

enum annals_kind {
#define X(name, word) ANNALS_##name,
    ANNALS_KINDS(X)
#undef X
        ANNALS_KINDS_END
};
const char *annals_word(enum annals_kind kind);
bool annals_is_incident(enum annals_kind kind);

/* One entry. Texts are cut at their maximum when it is written; read, they borrow. */
struct annals_entry {
    uint64_t number; /* annals_add() gives it */
    enum annals_kind kind;
    uint64_t began_ms, ended_ms; /* wall clock; ended 0: it lasts */
    uint64_t shard, replica;     /* 0: of none; whose cells: this node's id in it then */
    uint64_t node;               /* the peer; 0: none, or not known */
    uint64_t cells, times;       /* times: that it happened, one after the other; written as 1 */
    struct slice bucket, peer, key, cause, end;
};

struct annals_open {
    uint64_t number, shard, node;
    enum annals_kind kind;
};

/* Zeroed it is of no use: annals_load(). */
struct annals {
    uint64_t first, next;  /* numbers of those that there are: [first, next) */
    uint64_t opened;       /* the first of this opening */
    struct annals_open open[ANNALS_OPEN_MAX];
    size_t open_count;
    bool written; /* since it was last set back: the commit is to be a synced one */
};

/* FORMAT, CORRUPT, IO, NOMEM. */
int annals_load(struct annals *annals, const struct view *view);
/* An entry; one that ended as the newest did, with the same peer in the same shard, and soon after
 * it (ANNALS_BURST_MS), is counted there. One that lasts is followed while there is room for it,
 * else (LIMIT) it is not written. On an error all is as before; a rollback of the batch takes it
 * back. */
int annals_add(struct annals *annals, struct batch *batch, const struct annals_entry *entry);
/* The number of one that lasts; 0: there is none. */
uint64_t annals_find(const struct annals *annals, enum annals_kind kind, uint64_t shard,
                      uint64_t node);
/* It ends. As annals_add(). */
int annals_end(struct annals *annals, struct batch *batch, uint64_t number, uint64_t wall_ms,
                const char *how);

/* The newest of them, at most `count`, the newest last. What `each` returns, if it is not 0, ends
 * it. *ret_kept (may be NULL): how many there are; *ret_dropped: how many had to go. */
typedef int (*annals_each)(void *arg, const struct annals_entry *entry);
int annals_read(const struct view *view, size_t count, annals_each each, void *arg,
                 uint64_t *ret_kept, uint64_t *ret_dropped);
#endif
