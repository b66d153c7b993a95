/* Backups: a copy of a data directory, without a life, so that whoever opens what was restored from
 * it takes a new one (design 2, rule 9), and with a list of its files that can be checked.
 *
 * A backup is a plain directory: the database's files, and MANIFEST_NAME, written last. It is made
 * in DIRECTORY.partial and gets its name when all of it is durable, so a directory without that
 * suffix that has the list is whole or damaged, never half-made. A database is not opened where
 * there is such a list; restore puts it there first and takes it away last. */
#ifndef NEAP_STORE_BACKUP_H
#define NEAP_STORE_BACKUP_H
#include "store/disk.h"
#include "store/files.h"
#include "store/manifest.h"

struct backup_options {
    struct disk *disk;
    const char *path;      /* of that disk */
    const char *directory; /* to be made */
    uint64_t node, made_ms;
    const struct files_watch *watch;
};

struct backup_counts {
    uint64_t files, bytes;
    uint64_t node, made_ms; /* as its list says */
};

/* Any thread, while others write to the disk; memory does not grow with the data but by some 100
 * bytes a file. On error nothing is left. Reads all of the copy once, so that what is damaged is
 * noticed now.
 * REFUSED: something has that name, or the one with .partial; no space; no permission; a disk
 * without files. CORRUPT: the data is damaged. NOTFOUND: no such parent. INVALID, NOMEM, IO (the
 * disk, or where the copy goes), and what the watch says. */
int backup_make(const struct backup_options *options, struct backup_counts *ret_counts,
                struct neap_error *error);

enum backup_problem { BACKUP_MISSING, BACKUP_CHANGED, BACKUP_SURPLUS, BACKUP_UNREADABLE };
const char *backup_problem_text(enum backup_problem problem);

struct backup_finding {
    const char *name; /* for the call */
    enum backup_problem problem;
};

/* Reads every file again. `find` is told what is wrong; not 0 ends it with that code.
 * CORRUPT: something is, *error names the first. NOTFOUND, INVALID: no such directory; FORMAT: of a
 * newer version; REFUSED, NOMEM, IO: it could not be looked at. */
struct backup_finder {
    int (*find)(void *arg, const struct backup_finding *finding);
    void *arg;
};
int backup_verify(const char *directory, const struct backup_finder *finder,
                  struct backup_counts *ret_counts, struct neap_error *error);

/* Checks the backup, then copies it into a directory that is new or empty, checking again what is
 * copied. What only is surplus there is left out. On error nothing is left.
 * As backup_verify(); REFUSED: the directory is not empty, no space, no permission. */
int backup_restore(const char *backup, const char *directory, struct backup_counts *ret_counts,
                   struct neap_error *error);
#endif
