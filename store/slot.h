/* One stored cell with its reference to a residue, and one entry of the log.
 *
 * Stored, a cell is: size of the reference (1 byte: 0..8), reference (big-endian, without leading
 * zeroes), canonical cell. A reference that is not among the shard's residues counts as none: the
 * context has come to cover it. An empty cell is stored only while it has a residue; a 'U' key
 * lists it, so that it goes when the residue does. */
#ifndef NEAP_STORE_SLOT_H
#define NEAP_STORE_SLOT_H
#include "store/keys.h"
#include "store/shard.h"

enum { STORED_SIZE_MAX = CELL_SIZE_MAX + 9 };

/* A cell as the shard has it. Not to be copied. */
struct slot {
    struct key key;
    uint64_t bucket;
    struct slice path;    /* in the key */
    struct buffer *bytes; /* what was stored; the cell borrows from it */
    struct cell cell;
    bool stored;
    const struct residue *residue; /* NULL: none, or settled */
};

/* `bytes` is the caller's, replaced. An absent cell is an empty one. */
int slot_load(const struct shard *shard, const struct view *view, uint64_t bucket,
              struct slice path, struct buffer *bytes, struct slot *ret_slot);
/* Of a cell that is known not to be stored. */
void slot_absent(const struct shard *shard, uint64_t bucket, struct slice path,
                 struct buffer *bytes, struct slot *ret_slot);
void slot_done(struct slot *slot);
/* Stores `cell` in place of what the slot has; `scratch` is replaced. */
int slot_store(struct shard *shard, struct batch *batch, const struct slot *slot,
               const struct cell *cell, uint64_t ref, struct buffer *scratch);

/* The same for a cell that is not stored and one that is not empty, of which there are the
 * canonical bytes as well. */
int slot_adopt(struct shard *shard, struct batch *batch, const struct slot *slot,
               const struct cell *cell, struct slice encoded, uint64_t ref, struct buffer *scratch);

/* A pass over the cells of [from, to), keys without the shard; an empty `to` is the end. */
int cells_scan(const struct view *view, uint64_t shard, struct slice from, struct slice to,
               struct scan **ret_scan);

/* Their keys without the shard, for key_page_next(), until there are size_max bytes of them: *rest
 * is then where the others begin, else it is left as it was. CORRUPT, IO, NOMEM. */
int cells_collect(const struct view *view, uint64_t shard, struct slice from, struct slice to,
                  size_t size_max, struct buffer *keys, struct buffer *rest);

/* NULL when it is 0 or settled. */
const struct residue *residue_find(const struct shard *shard, uint64_t ref);
int residues_reserve(struct shard *shard, size_t more); /* 1 at least; NOMEM */
void residues_done(struct residue *residues, size_t count);

/* The reference of a stored cell, and what follows it. INVALID when it is not one. */
int stored_split(struct slice value, uint64_t *ret_ref, struct slice *ret_cell);

/* A log entry: nonce, bucket, path. */
int log_put(const struct shard *shard, struct batch *batch, struct dot dot, uint32_t nonce,
            uint64_t bucket, struct slice path);
struct log_entry {
    struct dot dot;
    uint32_t nonce;
    uint64_t bucket;
    struct slice path;
};
int log_entry_read(struct slice key, struct slice value, struct log_entry *ret_entry); /* CORRUPT */
/* A pass over the entries of id in (from, to], above the horizon: log_next() gives that of event n,
 * for each n in turn. CORRUPT: it isn't there. */
int log_scan(const struct view *view, uint64_t shard, uint64_t id, uint64_t from, uint64_t to,
             struct scan **ret_scan);
int log_next(struct scan *scan, uint64_t n, struct log_entry *ret_entry);
/* Deletes the entries of id in (from, to]. */
int log_cut(const struct shard *shard, struct batch *batch, uint64_t id, uint64_t from,
            uint64_t to);

#endif
