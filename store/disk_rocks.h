/* What the files of RocksDB's disk share. */
#ifndef NEAP_STORE_DISK_ROCKS_H
#define NEAP_STORE_DISK_ROCKS_H
#include "store/disk.h"

/* Makes the directory if it may; refuses what RocksDB would take for an empty one though it is not,
 * and what is a backup. NOTFOUND, REFUSED, CORRUPT, INVALID, NOMEM, IO. */
int disk_rocks_directory(const struct disk_rocks_options *options, struct neap_error *error);

enum { ROCKS_TABLE_FORMAT = 5 };

/* The code that stands for RocksDB's error text: LOCKED, FORMAT, CORRUPT or IO. */
int rocks_text_code(const char *text);
/* Fills *error: path, `what` failed, which file it was, what to do, and RocksDB's own words last,
 * since they are what may be cut. Frees `text`. `code` 0: the one of the text. Returns it. */
int rocks_text_error(struct neap_error *error, int code, const char *path, const char *what,
                     char *text);
/* Of a start that is suspect: what was found, and what is done about it. `text` is not freed. */
void rocks_text_suspect(struct neap_error *error, const char *path, const char *text);

/* The same in few words, without the directory and what to do: for the file DAMAGED. */
enum { ROCKS_CAUSE_MAX = 160 };
void rocks_text_cause(const char *path, const char *what, const char *text,
                      char ret_cause[ROCKS_CAUSE_MAX]);

/* Is a table at fault, by a text of RocksDB or of this file? Then all that the MANIFEST says was
 * read before. */
bool rocks_text_is_table(const char *path, const char *text);

/* disk_rocks_open() without a look at DAMAGED. */
int rocks_open_plain(const struct disk_rocks_options *options, struct disk **ret_disk,
                     bool *ret_suspect, struct neap_error *error);
/* Something in it could not be read: the file DAMAGED says so from now on, whatever happens. */
void rocks_mark_damaged(const char *path, const char *cause);
bool rocks_is_damaged(const char *path);
/* Takes a copy of what can be read for the directory; *error says what was done. `cause` NULL: as
 * DAMAGED has it. On error it is as it was, or will be changed by the next opening. LOCKED, REFUSED
 * (no room), CORRUPT (what must be read can't be), IO, NOMEM. */
int rocks_salvage(const struct disk_rocks_options *options, const char *cause,
                  struct neap_error *error);
/* One that was interrupted when it could not go back any more is brought to its end. */
int rocks_salvage_end(const char *path, struct neap_error *error);

/* What a directory held at least when it was synced last. RocksDB opens one without a word when the
 * newest file of the WAL is gone or was cut, and when the end of its MANIFEST was. */
struct durable {
    uint64_t sequence;                 /* writes there ever were */
    uint64_t manifest, manifest_bytes; /* number of the file, and its size; 0: not known */
};

/* The file SYNCED in it. Each sync of the WAL writes it, in place, without a sync of its own: so it
 * may say less than is true after power loss, but never more. */
struct durable_file {
    int directory, file; /* -1: none */
    uint64_t turn;       /* of the newest of its two slots */
    struct durable last;
};

/* NOTFOUND: no such file, as in a copy that RocksDB made. CORRUPT: neither slot can be read. */
int durable_read(const char *path, struct durable *ret_durable);
/* CORRUPT: there is less of the MANIFEST than there was. */
int durable_check(const char *path, const struct durable *durable, struct neap_error *error);
/* Makes the file when there is none. */
int durable_open(struct durable_file *file, const char *path, struct neap_error *error);
/* All writes up to `sequence` are durable. What fails here leaves the file as it was. */
void durable_note(struct durable_file *file, uint64_t sequence);
void durable_close(struct durable_file *file);
#endif
