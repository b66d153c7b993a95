/* Door: durable bytes in order. Rooms behind it: disk_rocks.c (RocksDB) and disk_mem.c (memory with
 * a synced and an unsynced image, so that a simulated crash can lose the unsynced part). */
#ifndef NEAP_STORE_DISK_H
#define NEAP_STORE_DISK_H
#include "base/bytes.h"
#include "neap.h"

struct batch;

enum disk_family { DISK_CELLS, DISK_LOG, DISK_META, DISK_FAMILIES };

struct disk {
    const struct disk_ops *ops;
};

/* A frozen state. NULL stands for "now". */
struct disk_snapshot;

/* One pass in key order. The slices are valid until the next call. */
struct disk_iter {
    const struct disk_iter_ops *ops;
};

struct disk_iter_ops {
    /* 0, END after the last key, or an error; a checksum error is CORRUPT, never END. */
    int (*next)(struct disk_iter *iter, struct slice *ret_key, struct slice *ret_value);
    void (*close)(struct disk_iter *iter);
};

/* Every function may be called from any thread, `commit` by one at a time. Errors: NOTFOUND (get
 * only), REFUSED (commit and sync of a disk that was opened to be read), NOMEM, CORRUPT (nothing
 * happened), IO (a commit may have happened; the disk takes no more writes until it is reopened).
 */
struct disk_ops {
    int (*get)(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
               struct slice key, struct buffer *ret_value);
    /* Keys in [from, to); an empty `to` means to the end of the family. */
    int (*scan)(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                struct slice from, struct slice to, struct disk_iter **ret_iter);
    int (*commit)(struct disk *disk, const struct batch *batch, bool sync);
    int (*sync)(struct disk *disk); /* everything committed so far is durable */
    int (*snapshot)(struct disk *disk, struct disk_snapshot **ret_snapshot);
    void (*release)(struct disk *disk, struct disk_snapshot *snapshot); /* NULL is fine */
    /* The text of the last error, for people: file, reason, what to do. */
    void (*error)(struct disk *disk, struct neap_error *ret_error);
    void (*trust)(struct disk *disk); /* may be NULL */
    /* A copy of all that is committed, as a database of its own at `path`, where nothing may be;
     * tables are shared with it where the file system has links. What is in the copy is durable
     * here once this returns, as it may tell others. ret_sequence: see disk_rocks_sequence().
     * NULL: this disk has none. REFUSED: no space, no permission; else IO, and nothing is there. */
    int (*checkpoint)(struct disk *disk, const char *path, uint64_t *ret_sequence,
                      struct neap_error *error);
    void (*close)(struct disk *disk); /* NULL is not fine: disk_close() */
};

void disk_close(struct disk *disk); /* NULL is fine */
/* A suspect start was answered by a new life, and that is durable: the next start is suspect no
 * longer. Until then every one is. */
void disk_trust(struct disk *disk);
const char *disk_family_name(enum disk_family family);

enum { DISK_ROCKS_FILES = 256 + 32 }; /* descriptors that one has open at most, about */

struct disk_rocks_options {
    const char *path;
    bool create; /* make the directory when it is absent */
    bool readonly;
    size_t memory_max; /* block cache, memtables and all: a budget */
    bool lenient; /* with `readonly`: tables that are damaged or missing are no reason to refuse */
    bool still;   /* tables are left as they are: for who opens a copy to change a record */
};

/* The open policy of design 4: WAL recovery mode 0; if only that refuses, mode 2 and *ret_suspect,
 * which a file in the directory keeps until disk_trust(), as mode 2 removes the damage. Suspect,
 * too, when less is there than was durable: a file beside the database, SYNCED, tells how much was.
 * Why it is suspect, the disk's `error` says then.
 * A directory in which something could not be read before, or whose tables are damaged or missing,
 * is copied as far as it can be read, which takes room for the copy (store/salvage.h): then *error,
 * whose code is 0, says so. So it does when that could not be done, but the directory opens.
 * LOCKED, NOTFOUND (no database and not create), CORRUPT, FORMAT, IO, NOMEM; *error says more. */
int disk_rocks_open(const struct disk_rocks_options *options, struct disk **ret_disk,
                    bool *ret_suspect, struct neap_error *error);
/* How many writes there ever were, single ones; of RocksDB disks only. A copy that has fewer when
 * it is opened lacks some. */
uint64_t disk_rocks_sequence(struct disk *disk);

/* The memory disk: for several threads, as the real one is; snapshots cost next to nothing. */
int disk_mem_open(struct disk **ret_disk);
/* As after power loss: back to the synced image, as a disk that was just opened, without faults
 * (snapshots and iterators must be closed first). */
int disk_mem_crash(struct disk *disk); /* 0 */
/* The same, but the first `commits` of the unsynced commits happened to reach the platter. */
void disk_mem_crash_keep(struct disk *disk, size_t commits);
size_t disk_mem_unsynced(struct disk *disk); /* commits since the last sync */
/* An image of the synced state, a disk of its own that can be put back later: backup, restore,
 * rollback, clone. Costs next to nothing. */
int disk_mem_copy(struct disk *disk, struct disk **ret_copy);
/* Faults for tests: the next `count` calls of the kind fail with `error` after `after` good ones.
 * SCAN counts steps of iterators. A commit that fails changed nothing, a sync that fails synced
 * nothing; after IO in either the disk takes no writes until disk_mem_crash_keep() or copy. */
enum disk_fault { DISK_FAULT_GET, DISK_FAULT_SCAN, DISK_FAULT_COMMIT, DISK_FAULT_SYNC };
void disk_mem_fault(struct disk *disk, enum disk_fault kind, unsigned after, unsigned count,
                    int error);
#endif
