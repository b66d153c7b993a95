/* What a shard holds, as sums of keyed hashes (docs/decisions/0013). A node is named by the first
 * bits of the hashes of paths; its sum is over all cells below it, mod 2^128. So the order of
 * writes does not matter, and what was added can be subtracted. Nothing here reads or writes: cells
 * are brought by the caller. Belongs to the thread that turns the wheel.
 *
 * A "path" here is [bucket 8][path], a cell key without its shard; a cell is its canonical bytes.
 * An absent cell (no bytes) and an empty one count nothing. */
#ifndef NEAP_STORE_MERKLE_H
#define NEAP_STORE_MERKLE_H
#include "base/hash.h"
#include "store/keys.h"

/* There are 2^bits leaves, bits being even. A build gives 6 to 24 cells a leaf. */
enum { MERKLE_BITS_MIN = 4, MERKLE_BITS_MAX = 20, MERKLE_BITS_STEP = 4 };
enum { MERKLE_LEAF_BYTES = 18 };              /* about, all told */
enum { MERKLE_FULL = 32, MERKLE_SPARSE = 2 }; /* cells a leaf: it wants a build, it is folded */

/* About 17 bytes a leaf. */
struct merkle_sums {
    unsigned bits;
    uint64_t cells;       /* that are not empty */
    uint64_t siblings;    /* of those, registers with more than one value */
    struct digest *nodes; /* each 4th level from the root on, and the leaves */
    uint8_t *marks;       /* one bit a node: cells below it may have residues */
};

struct merkle {
    struct hash_key key; /* secret to the cluster */
    unsigned bits_max;   /* bounds the memory: 17 bytes * 2^bits_max, and as much for a build */
    bool ready;          /* else `now` says nothing: a build is wanted */
    struct merkle_sums now;
    struct merkle_build *build; /* NULL: none is in progress */
    /* Of whoever drives builds: operators want none now, of a tree that there is not yet (build),
     * or is (scrub); and when the present one began. */
    bool build_rests, scrub_rests;
    uint64_t began_ms;
    uint64_t steps;             /* of builds: which of them a change has seen */
    struct merkle_watch *watch; /* the latest of those that are told of changes */
};

/* Empty, and ready when the shard is known to be so. NOMEM. */
int merkle_new(const struct hash_key *key, unsigned bits_max, bool ready, struct merkle **ret_tree);
void merkle_free(struct merkle *tree);  /* NULL is fine */
void merkle_clear(struct merkle *tree); /* the shard is empty now; a build ends */

/* ---- writes ---- */

/* What the change of one cell does to the tree. The sum is what the log may keep. */
struct merkle_delta {
    uint64_t place; /* the hash of the path: its first bits name the nodes */
    struct digest sum;
    int cells; /* -1, 0 or 1 */
    int siblings; /* likewise */
    bool unsettled;
    bool built;     /* for merkle_undo() */
    uint64_t steps; /* likewise */
};

/* Where a path falls: the node at `bits` is place >> (64 - bits), at 0 bits the root. */
uint64_t merkle_place(const struct hash_key *key, struct slice path);
struct digest merkle_cell(const struct hash_key *key, struct slice path, struct slice cell);
/* unsettled: the new cell has a residue. */
struct merkle_delta merkle_delta(const struct hash_key *key, struct slice path, struct slice old,
                                 struct slice cell, bool unsettled);
/* A write that is part of the shard from now on. Takes no memory, can't fail; at most 6 nodes, and
 * as many of a build. */
void merkle_apply(struct merkle *tree, struct slice path, struct merkle_delta *delta);
/* Takes an applied one back, the last first. Marks stay. A build that has gone on meanwhile begins
 * again. */
void merkle_undo(struct merkle *tree, const struct merkle_delta *delta);
/* The shard has no residues (any more). */
void merkle_settle(struct merkle *tree);

/* ---- what was: for whoever must know the sums of a moment that is over ---- */

enum { MERKLE_WATCH_MAX = 16384 };

struct merkle_change {
    uint64_t place;
    struct digest sum;
};

/* All that changes from merkle_watch() to merkle_unwatch(). Zeroed, it watches nothing. */
struct merkle_watch {
    struct merkle *tree; /* NULL: none (any more) */
    struct merkle_watch *next;
    struct merkle_change *changes;
    size_t count, room;
    bool lost; /* more than MERKLE_WATCH_MAX, no memory for them, or the shard is gone */
};

/* The watch must stay where it is. */
void merkle_watch(struct merkle *tree, struct merkle_watch *watch);
/* Ends it; the changes stay, by place. */
void merkle_unwatch(struct merkle_watch *watch);
void merkle_watch_done(struct merkle_watch *watch); /* zeroed is fine */
/* What the cells at a place have changed by, all told. After merkle_unwatch(). */
struct digest merkle_watched(const struct merkle_watch *watch, uint64_t place, bool *ret_any);

/* ---- comparing: the tree must be ready ---- */

/* Nodes of one level, in ascending order, each once. */
struct merkle_nodes {
    unsigned bits;
    const uint32_t *index;
    size_t count;
};

enum { MERKLE_LIST_MAX = 12 << 10 }; /* digests in one message: 48 KiB, or 96 */

struct digest merkle_root(const struct merkle *tree);
struct digest merkle_sum(const struct merkle_sums *sums, unsigned bits, uint32_t index);
bool merkle_is_marked(const struct merkle_sums *sums, unsigned bits, uint32_t index);
bool merkle_same(const struct merkle_sums *a, const struct merkle_sums *b);
/* How digests travel in a session: short, and under a salt, so that what looks equal by chance does
 * not in the next one. */
struct merkle_salt {
    struct hash_key key;
    unsigned width; /* bytes of a digest: 4, or 8 where what looks equal is believed */
};

/* Below 2^(8 width), and never 0. */
uint64_t merkle_short(const struct merkle_salt *salt, struct digest digest);
/* The nodes `below` levels (of one bit) under each of `nodes`, from left to right:
 * count << below digests; 0 for one with a mark, which must be looked into. INVALID: the nodes are
 * not in order, or don't exist; LIMIT: more than MERKLE_LIST_MAX; STALE: deeper than this tree. */
int merkle_list(const struct merkle *tree, const struct merkle_salt *salt,
                const struct merkle_nodes *nodes, unsigned below, uint64_t *ret_digests);
/* Those of them that differ from what the peer listed, or have a mark there; room for all. */
int merkle_differing(const struct merkle *tree, const struct merkle_salt *salt,
                     const struct merkle_nodes *nodes, unsigned below, const uint64_t *theirs,
                     uint32_t *ret_index, size_t *ret_count);
/* For the pass that finds the cells of these nodes. */
bool merkle_has(const struct merkle_nodes *nodes, uint64_t place);

/* ---- size ---- */

/* Not there, or too full. */
bool merkle_wants_build(const struct merkle *tree);
/* Folds a tree that has become sparse; needs no pass. Without memory it stays. */
void merkle_fold(struct merkle *tree);

/* ---- a build: cells in key order while writes go on ---- */

/* Memory for twice `cells` is taken; 0: their number is not known. NOMEM. */
int merkle_build_begin(struct merkle *tree, uint64_t cells);
/* The next path is at or after this one; empty: the start. Borrowed. */
struct slice merkle_build_cursor(const struct merkle *tree);
/* One more cell, as the shard has it now, writes of the open batch included. False: there are more
 * than was known, and the pass begins again with leaves enough. */
bool merkle_build_add(struct merkle *tree, struct slice path, struct slice cell, bool unsettled);
void merkle_build_end(struct merkle *tree); /* nothing follows: what was built takes over */
void merkle_build_stop(struct merkle *tree);
/* Before its end: for a scrub, which holds it against what is. */
const struct merkle_sums *merkle_built(const struct merkle *tree);

/* ---- snapshots: parts of 33 KiB at most ---- */

enum { MERKLE_PART_LEAVES = 2048, MERKLE_PART_SIZE = 34 << 10 };

size_t merkle_parts(const struct merkle *tree);
/* Replaces ret_bytes. The stamp is one for all parts, and another for each snapshot. */
int merkle_save(const struct merkle *tree, uint64_t stamp, size_t part, struct buffer *ret_bytes);
/* Into a tree that is not ready, part by part from 0 on; END with the last one, and it is ready.
 * CORRUPT: not this key, this stamp, the part whose turn it is, or damaged; FORMAT: newer; LIMIT:
 * more leaves than bits_max allows; NOMEM. Then what was loaded is dropped. The stamp is that of
 * part 0, *ret_stamp (may be NULL). */
int merkle_load(struct merkle *tree, struct slice bytes, uint64_t *ret_stamp);
#endif
