/* Two replicas of a shard that keep writing, compared exactly (docs/decisions/0018): what events
 * changed that only one of them has seen is left out by both, and the sums of all the rest must be
 * equal. Here is what one replica says of itself; whoever asks and answers is gossip/verify.c.
 *
 * A "path" here is [bucket 8][path], as in store/merkle.h. */
#ifndef NEAP_STORE_SHARD_VERIFY_H
#define NEAP_STORE_SHARD_VERIFY_H
#include "store/merkle.h"
#include "store/shard.h"

enum {
    VERIFY_PATHS_MAX = 4096,         /* cells under way, of one side */
    VERIFY_PATHS_BYTES = 192 << 10,  /* the same, of their paths */
    VERIFY_EVENTS_MAX = 16384,       /* of the log that are looked at for them */
    VERIFY_READ_BYTES = 16 << 20,    /* of cells that are read to leave them out */
    VERIFY_SUMS_MAX = 4096,          /* asked for at once */
    VERIFY_CELLS_LOOKED_MAX = 32768, /* by one pass over cells: 15 ms */
};

/* Paths, ascending, each once: after verify_paths_sort(). */
struct verify_paths {
    struct buffer bytes;
    struct verify_path {
        uint32_t at, size;
    } * items;
    size_t count, room;
};

void verify_paths_init(struct verify_paths *paths);
void verify_paths_done(struct verify_paths *paths);                  /* zeroed is fine */
int verify_paths_add(struct verify_paths *paths, struct slice path); /* LIMIT, NOMEM */
void verify_paths_sort(struct verify_paths *paths);
struct slice verify_path(const struct verify_paths *paths, size_t index); /* borrowed */
bool verify_paths_have(const struct verify_paths *paths, struct slice path);

/* What my log says that events changed which `base` has not seen. STALE: the log goes back less
 * far; LIMIT: there are too many. ret_paths is empty before, and to be given up after an error. */
int verify_beyond(const struct shard *shard, const struct view *view, const struct context *base,
                  struct verify_paths *ret_paths);
/* May what I have be compared at all? Else why not. */
enum verify_state {
    VERIFY_FINE,
    VERIFY_NO_TREE,    /* it is being built */
    VERIFY_CATCHES_UP, /* by comparing cells */
    VERIFY_UNCONFIRMED /* events that may get other names (rule 9) */
};
enum verify_state verify_state(const struct shard *shard);
/* Has one of the two seen all that cells with a residue may know? */
bool verify_covers(const struct context *a, const struct context *b, const struct context *residue);
bool verify_is_settled(const struct shard *shard, const struct context *other);

/* Sums of the nodes `below` levels under each of `nodes`: count << below of them, at most
 * VERIFY_SUMS_MAX. */
struct verify_sums {
    struct merkle_nodes nodes;
    unsigned below;
    struct digest *sums;
    size_t cells_read; /* to leave them out */
};

/* As the tree has them. It must be ready, and deep enough. */
void verify_sums_read(const struct merkle *tree, struct verify_sums *sums);
/* The same of fewer levels below. */
void verify_sums_fold(struct verify_sums *sums, unsigned below);
/* Subtracts the cells at these paths, but for those that `other` (may be NULL) has as well: as they
 * are in the view, or as they were when the watch (may be NULL) began. LIMIT: they are too large.
 * CORRUPT, IO, NOMEM. */
int verify_leave_out(const struct shard *shard, const struct view *view,
                     const struct verify_paths *paths, const struct verify_paths *other,
                     const struct merkle_watch *watch, struct verify_sums *sums);
/* As it travels: 8 bytes, under the salt of a session. */
uint64_t verify_short(const struct hash_key *salt, struct digest sum);

/* My cells of these nodes from `from` on and before `to` (empty: the end), in order. A visit that
 * returns LIMIT has not taken its cell. */
typedef int (*verify_visit)(void *arg, struct slice path, struct digest sum);
struct verify_pass {
    struct merkle_nodes nodes;
    struct slice from, to;
    verify_visit visit;
    void *arg;
    struct buffer end; /* is replaced: how far it came, `to` or before */
    size_t cells_read; /* on the way */
};
int verify_each(const struct shard *shard, const struct view *view, struct verify_pass *pass);
#endif
