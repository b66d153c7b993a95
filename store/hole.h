/* Ranges of cells that a damaged file took with it (docs/decisions/0019). The context says that
 * their events are in, but the cells are not there: so nobody may read such a range as "not found",
 * write into it, or give it to others, until replicas that have it have filled it.
 *
 * In a hole the replica knows less than its context: nothing at first, then what those knew who
 * gave their cells of it. Between these cells and those of others rule 3 holds with that knowledge
 * in place of the context. When it covers what the context had when the damage was found, the hole
 * is filled: no event has been lost, as none was written into it since. Now it knows more than the
 * context, as who gave the cells did; events are taken into it again, and when the context has come
 * to cover all that, the hole is closed: it is as if nothing had been. */
#ifndef NEAP_STORE_HOLE_H
#define NEAP_STORE_HOLE_H
#include "store/annals.h"
#include "store/shard.h"

enum { HOLE_CAUSE_MAX = 160 };

struct hole {
    struct buffer from, to; /* keys without the shard, [from, to); an empty `to` is the end */
    struct context need;    /* the context when the damage was found */
    struct context got;     /* what is known of what is there */
    char cause[HOLE_CAUSE_MAX];
};

void hole_done(struct hole *hole); /* zeroed is fine */
/* The record of a hole, key and value. CORRUPT, NOMEM. */
int hole_read(struct slice key, struct slice value, struct hole *ret_hole);
int hole_write(struct batch *batch, uint64_t shard, const struct hole *hole);
/* Reads those of a shard into it. */
int holes_load(struct shard *shard, const struct view *view);
void holes_done(struct shard *shard);

/* Records on disk: [from, to) is in none of them any more. Holes of one shard do not overlap. */
int holes_carve(const struct view *view, struct batch *batch, uint64_t shard, struct slice from,
                struct slice to);

bool hole_has(const struct hole *hole, struct slice key); /* without the shard */
/* Does it hold all that it held before? */
bool hole_is_filled(const struct hole *hole);
/* The one that a cell is in; NULL: none. */
const struct hole *hole_find(const struct shard *shard, uint64_t bucket, struct slice path);
/* Are there holes in [from, to) that are not filled? Keys without the shard, `to` empty: the end.
 */
bool holes_are_open(const struct shard *shard, struct slice from, struct slice to);
/* Events of the id beyond n have other names from now on: holes don't wait for them. First in the
 * batch, then, when nothing can fail any more, in memory. */
int holes_write_clipped(const struct shard *shard, struct batch *batch, uint64_t id, uint64_t n);
void holes_clip(struct shard *shard, uint64_t id, uint64_t n);
/* Can someone who knows that much fill more of it than is filled already? */
bool hole_gains(const struct hole *hole, const struct context *theirs);

/* The first one of a shard that has some, for the history; its key is put into `ret_key`, which the
 * entry borrows. */
struct annals_entry hole_entry(const struct shard *shard, uint64_t wall_ms,
                                  char ret_key[ANNALS_TEXT_MAX]);

/* For who asks: a page of my cells in [from, to), or of the first of them; an empty `to` is the
 * end. BUSY, CORRUPT (a hole of mine is in the way), IO, NOMEM. */
int hole_page(const struct shard *shard, const struct view *view, struct slice from,
              struct slice to, size_t size_max, struct buffer *ret_page);
/* Fills the hole that begins where the page does, as far as the page goes. NOTHING: there is none
 * (any more). Else as shard_take(). */
int hole_take(struct shard *shard, struct batch *batch, struct slice page, enum taken *ret_taken);
/* Nobody can fill more of the hole: what is missing is lost. */
int hole_give_up(struct shard *shard, struct batch *batch, size_t index);
/* It is as if it had never been. What is known there and not by the context is kept with the cells
 * that have dots of it. Not closed: it is smaller than it was, and to be closed again. */
int hole_close(struct shard *shard, struct batch *batch, size_t index, bool *ret_closed);

/* A disk that reads holes as damage, for whoever is above: CORRUPT for a key in one, and for a pass
 * that comes to one. Without holes `inner` comes back itself. */
int disk_holes_open(struct disk *inner, struct disk **ret_disk);
/* CORRUPT for the key of a cell in a hole: also when the batch of this turn has something of it. */
int disk_holes_look(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                    struct slice key);
/* What is under it; a disk of another kind is under itself. */
struct disk *disk_holes_under(struct disk *disk);
/* Frees it alone. What was under it comes back. */
struct disk *disk_holes_leave(struct disk *disk);
#endif
