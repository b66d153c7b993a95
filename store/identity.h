/* What a data directory records about itself: the format, who writes in it, and whether it is still
 * the directory that was closed last. One that may have gone back in time takes a new life, that is
 * a new replica id, before its first write (design 2, rule 9). */
#ifndef NEAP_STORE_IDENTITY_H
#define NEAP_STORE_IDENTITY_H
#include "base/clock.h"
#include "crdt/hlc.h"
#include "store/batch.h"

/* Where a directory is, so that a copy of it is told from the original: the directory, and a file
 * in it that is written once. A mark of zeroes is fine: memory disks have that. */
struct directory_mark {
    uint64_t directory, directory_birth_ns; /* inode; 0: the file system doesn't tell */
    uint64_t file, file_birth_ns;
    uint8_t machine[16]; /* /etc/machine-id; zeroes: there is none */
    uint64_t node;       /* whoever opens it is that node; 0: whoever it is of. Not recorded */
};

/* Why the present life began. */
enum identity_reason {
    IDENTITY_NEW,      /* the directory was empty */
    IDENTITY_RESTORED, /* a backup: those are written without a life */
    IDENTITY_COPIED,   /* the directory is a copy, or was moved to another file system */
    IDENTITY_MOVED,    /* it is on another machine */
    IDENTITY_SUSPECT,  /* its WAL was damaged: acknowledged writes may be gone */
    IDENTITY_REASONS
};

struct identity {
    uint64_t node;   /* of this directory, for people and peers; kept in copies and backups */
    uint64_t life;   /* the replica id; never 0, as is node */
    uint64_t former; /* the life before this one; 0: none, or not known */
    uint32_t nonce;  /* of this opening; never 0 */
    bool fresh_life; /* this life begins with this opening */
    enum identity_reason reason;
};

/* Reads who this directory is, and writes to `batch` what changes. The caller commits it, synced,
 * before anything that carries the life or the nonce leaves the node.
 * REFUSED: it is of another node than mark->node. FORMAT: of a version that is not read
 * (store/format.h). CORRUPT: the records are damaged, or missing in a directory that is not empty.
 * NOMEM, IO. Nothing is written to the batch then; *error (may be NULL) says more. */
int identity_open(const struct view *view, const struct directory_mark *mark, bool suspect,
                  struct clock *clock, struct batch *batch, struct identity *ret_identity,
                  struct neap_error *error);
/* For whoever writes a backup: its directory has no life until it is opened. */
int identity_forget_life(const struct view *view, struct batch *batch);
/* How often this node has said that it lives (gossip/swim.h): a number that never goes back in a
 * directory. 0: there is none yet. CORRUPT, NOMEM, IO. */
int incarnation_read(const struct view *view, uint64_t *ret_incarnation);
int incarnation_put(struct batch *batch, uint64_t incarnation); /* LIMIT, NOMEM */
const char *identity_reason_text(enum identity_reason reason);

/* The hybrid clock never goes back over a restart: what is recorded is ahead of all stamps given.
 * `hlc_mark_open` raises `hlc` to the record; `hlc_mark_keep` is called right before the commit of
 * every batch that has stamps (not within what may be rolled back), and writes a new record when
 * hlc has reached *mark (0 at the start). */
enum { HLC_MARK_AHEAD_MS = 1000 };
int hlc_mark_open(const struct view *view, struct hlc *hlc);
int hlc_mark_keep(struct batch *batch, const struct hlc *hlc, uint64_t *mark);

/* identity_os.c, a door: the mark of the directory at `path`, which must hold an open database. */
int directory_mark_read(const char *path, struct directory_mark *ret_mark,
                        struct neap_error *error);
/* And a file in it that says: acknowledged writes may be gone (disk_rocks_open). `set` returns when
 * it is durable. That it could not be removed or looked for counts as being there. */
int directory_suspect_set(const char *path, struct neap_error *error);
bool directory_suspect_is(const char *path);
void directory_suspect_clear(const char *path);
#endif
