/* Writes waiting for one commit, readable before it. Having one is the right to write. */
#ifndef NEAP_STORE_BATCH_H
#define NEAP_STORE_BATCH_H
#include "store/disk.h"

/* A way to read: a disk as of `snapshot` (NULL: now), under the writes of `batch` (or NULL). */
struct view {
    struct disk *disk;
    struct disk_snapshot *snapshot;
    const struct batch *batch;
};

int view_get(const struct view *view, enum disk_family family, struct slice key,
             struct buffer *ret_value); /* replaces the buffer's contents; NOTFOUND */

struct scan; /* a pass over a view in key order; no write to its batch while it is open */
int view_scan(const struct view *view, enum disk_family family, struct slice from, struct slice to,
              struct scan **ret_scan);
int scan_next(struct scan *scan, struct slice *ret_key, struct slice *ret_value); /* END */
void scan_close(struct scan *scan);                                               /* NULL is fine */

struct batch;
int batch_new(struct disk *disk, struct batch **ret_batch);
void batch_free(struct batch *batch);
struct view batch_view(const struct batch *batch);

/* LIMIT past BATCH_SIZE_MAX bytes, NOMEM; the batch is unchanged on error. Keys and values are
 * copied. A range that is empty (from >= to) does nothing. */
enum { BATCH_SIZE_MAX = 256 << 20 };
/* Until it is set back, what is written is bounded by memory alone, and doesn't count against the
 * limit of the rest: for what must be one commit whatever its size. */
void batch_set_unlimited(struct batch *batch, bool unlimited);
int batch_put(struct batch *batch, enum disk_family family, struct slice key, struct slice value);
int batch_delete(struct batch *batch, enum disk_family family, struct slice key);
int batch_delete_range(struct batch *batch, enum disk_family family, struct slice from,
                       struct slice to); /* [from, to); to must not be empty */

/* A point to fall back to when a step fails half way: everything after the mark is undone. Marks
 * nest; batch_forget() drops the journal kept for them, and all marks. Undoing cannot fail. */
typedef size_t batch_mark;
batch_mark batch_set_mark(struct batch *batch);
void batch_rollback(struct batch *batch, batch_mark mark);
void batch_forget(struct batch *batch);

/* For what is in memory and moves with the batch: a rollback past this point calls undo(arg, note),
 * in its turn. The note is copied; without a mark none is kept. NOMEM. */
typedef void (*batch_undo)(void *arg, const void *note);
int batch_add_undo(struct batch *batch, batch_undo undo, void *arg, struct slice note);

bool batch_is_empty(const struct batch *batch);
size_t batch_bytes(const struct batch *batch); /* all of them */
void batch_clear(struct batch *batch); /* after its commit: keeps memory for the next turn */
/* Commits and clears it, also on an error: for what is written beside turns, in parts of about
 * FLUSH_BYTES. */
enum { FLUSH_BYTES = 256 << 10 };
int batch_flush(struct batch *batch, struct disk *disk, bool sync);

/* For the disk's commit, in an order that gives the right result: ranges, then puts and deletes. */
enum batch_kind { BATCH_NONE, BATCH_RANGE, BATCH_PUT, BATCH_DELETE };
typedef int (*batch_visit)(void *arg, enum batch_kind kind, enum disk_family family,
                           struct slice key, struct slice value /* or the end of the range */);
int batch_each(const struct batch *batch, batch_visit visit, void *arg);

/* For view.c. What the batch says about a key: PUT with its value; DELETE, also when a range hides
 * it; NONE: ask the disk. */
enum batch_kind batch_find(const struct batch *batch, enum disk_family family, struct slice key,
                           struct slice *ret_value);

struct batch_slot {
    enum batch_kind kind; /* NONE: nothing is written here (any more) */
    struct slice value;
};

/* The puts and deletes of a family in key order; false at the end. */
struct batch_cursor {
    struct slice key, value;
    enum batch_kind kind;
    const struct sorted *slots;
    const struct sorted_entry *entry;
};

bool batch_seek(const struct batch *batch, enum disk_family family, struct slice from,
                struct batch_cursor *ret_cursor);
bool batch_step(struct batch_cursor *cursor);
#endif
