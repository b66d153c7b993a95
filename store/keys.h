/* The key space of everything on disk, in one place. All integers big-endian.
 *   cells  [shard 8][bucket 8][path]            residue reference, canonical cell
 *   log    [shard 8][replica id 8][counter 8]   nonce, bucket, path
 *   meta   'A'                                   incarnation of the node (gossip/members.c)
 *          'B' [shard 8][replica id 8]           whose it is (store/owner.h)
 *          'C' [shard 8]                         a compare that is under way
 *          'D' [shard 8][bucket 8][path]         a hole begins here (store/hole.h)
 *          'F'                                   format version (store/format.h)
 *          'I'                                   identity of the directory
 *          'S' [shard 8]                         shard record: name, ids, context, horizon...
 *          'R' [shard 8][ref 8]                  a residue: one version vector
 *          'T' [shard 8]                         there is a snapshot of its tree...
 *          'T' [shard 8][part 8]                 ... and this is a part of it
 *          'U' [shard 8][ref 8][bucket 8][path]  empty cell that is kept for that residue
 *          'H'                                   high mark of the hybrid clock
 *          'O' [id]                              how a write with this id ended (store/once.h)
 *          'E' [expires 8][shard 8][bucket 8][path]  of a cell (store/expiry.h)
 *          'M'                                   what expires up to then is hidden
 *          'J' [number 8]                        what happened (store/annals.h)
 *          'N' [number 8]                        which id came as this one
 *          'N'                                   and which numbers there are
 *          'P'                                   what this node subscribes to
 *                                                (store/subscription.h)
 *          'X' [shard 8][bucket 8][path][score 8][member]  an index of scores (store/ranking.h)
 *          'Y' [shard 8][bucket 8][path]         how many are in a map or set (store/tally.h)
 * What is made of the cells alone comes last, from KEY_META_DERIVED on. */
#ifndef NEAP_STORE_KEYS_H
#define NEAP_STORE_KEYS_H
#include "base/bytes.h"
#include "crdt/context.h"

/* What keys of meta begin with; each has golden bytes (tests/golden). */
#define KEY_META_KINDS "ABCDEFHIJMNOPRSTUXY"
#define KEY_META_DERIVED "X"
enum { KEY_SIZE_MAX = 4096 + 64 };
enum { KEY_CELL_HEAD = 16, KEY_LOG_SIZE = 24 };
/* Where a page of a compare begins and ends: a cell key without its shard. */
enum { KEY_CURSOR_MAX = KEY_SIZE_MAX - 8 };

/* A key in memory of its own. */
struct key {
    uint8_t bytes[KEY_SIZE_MAX];
    size_t size;
};

struct slice key_slice(const struct key *key);
void key_cell(struct key *ret_key, uint64_t shard, uint64_t bucket, struct slice path);
void key_log(struct key *ret_key, uint64_t shard, struct dot dot);
void key_meta(struct key *ret_key, char kind);
void key_shard(struct key *ret_key, uint64_t shard);
void key_owner(struct key *ret_key, uint64_t shard, uint64_t replica);
void key_session(struct key *ret_key, uint64_t shard);
void key_residue(struct key *ret_key, uint64_t shard, uint64_t ref);
void key_tree(struct key *ret_key, uint64_t shard);
void key_tree_part(struct key *ret_key, uint64_t shard, uint64_t part);
void key_unsettled(struct key *ret_key, uint64_t shard, uint64_t ref, uint64_t bucket,
                   struct slice path);
void key_once(struct key *ret_key, struct slice id);
void key_once_number(struct key *ret_key, uint64_t number);
void key_annals(struct key *ret_key, uint64_t number);
/* `collection` is the beginning of a cell key without its shard. */
void key_tally(struct key *ret_key, uint64_t shard, struct slice collection);
void key_expiry(struct key *ret_key, uint64_t expires, uint64_t shard, uint64_t bucket,
                struct slice path);
/* `from` is a cell key without its shard, or the beginning of one. */
void key_hole(struct key *ret_key, uint64_t shard, struct slice from);
/* What the keys of one shard start with: in cells and log; in meta, of one kind (D, R, U). */
void key_shard_prefix(struct key *ret_key, uint64_t shard);
/* Of cells of a shard, from keys without it: [from, to), an empty `to` is the end of the shard. */
void key_cells_range(struct key *ret_from, struct key *ret_end, uint64_t shard, struct slice from,
                     struct slice to);
void key_shard_meta_prefix(struct key *ret_key, char kind, uint64_t shard);
/* The end of the range of keys that start with `key`; never empty. May be the same struct. */
void key_end(const struct key *key, struct key *ret_end);

/* Taking keys apart. Those that come from the disk are asked first whether they are of the kind
 * (key_x_is); a key of another shape in the other functions is a mistake of ours. */
bool key_cell_is(struct slice key);
struct slice key_cell_path(struct slice key); /* path part of a cell key */
uint64_t key_cell_bucket(struct slice key);
bool key_log_is(struct slice key);
struct dot key_log_dot(struct slice key);
uint64_t key_shard_of(struct slice key); /* of a meta key S, R or U */
bool key_annals_is(struct slice key);
uint64_t key_annals_number(struct slice key);
bool key_hole_is(struct slice key);
struct slice key_hole_from(struct slice key);
bool key_tally_is(struct slice key);
struct slice key_tally_collection(struct slice key);
/* The beginning of those that expire then. */
void key_expiry_from(struct key *ret_key, uint64_t expires);
bool key_expiry_is(struct slice key);
bool key_residue_is(struct slice key);
uint64_t key_residue_ref(struct slice key); /* of R or U */
bool key_unsettled_is(struct slice key);
uint64_t key_unsettled_bucket(struct slice key);
struct slice key_unsettled_path(struct slice key);

/* Keys (or ends of keys) one after the other in a buffer, for work that can't be done while they
 * are scanned. `next` moves *at, which is 0 at first, behind the key that it gives; false at the
 * end. */
int key_page_add(struct buffer *page, struct slice key);
bool key_page_next(const struct buffer *page, size_t *at, struct slice *ret_key);
#endif
