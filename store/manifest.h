/* What is in a backup: each file with its size and checksum, in a text that `b2sum -c` can check as
 * well. Its last line is a checksum of the rest. Bytes in, bytes out: files are backup.c's.
 *
 *   # neap backup 1
 *   # release 0.1.0
 *   # node 89abcdef01234567
 *   # made 1735689600000
 *   # size 16
 *   0e5751c0...  CURRENT
 *   ...
 *   # files 9
 *   # sum bddd813c... */
#ifndef NEAP_STORE_MANIFEST_H
#define NEAP_STORE_MANIFEST_H
#include "base/checksum.h"
#include "neap.h"

#define MANIFEST_NAME "BACKUP" /* of its own file */

enum { MANIFEST_VERSION = 1, MANIFEST_FILES_MAX = 1 << 18, MANIFEST_RELEASE_MAX = 32 };
enum { MANIFEST_NAME_MAX = 48, MANIFEST_TEXT_MAX = MANIFEST_FILES_MAX * 160 };

struct manifest_file {
    char name[MANIFEST_NAME_MAX + 1];
    uint64_t size;
    struct checksum sum;
};

struct manifest {
    char release[MANIFEST_RELEASE_MAX + 1]; /* of the program that made it */
    uint64_t node, made_ms;                 /* wall clock */
    struct manifest_file *files;            /* in order of their names */
    size_t count, room;
    uint64_t bytes; /* of all files */
};

/* Zeroed is a manifest of nothing. */
void manifest_done(struct manifest *manifest);
/* What the database calls its files: letters, digits, '-', '_' and '.', the first one a letter or
 * digit, and not the manifest's own name. */
bool manifest_name_is_fine(const char *name);
/* At the end; the rest wants them in order. INVALID: the name is none; LIMIT, NOMEM. */
int manifest_add(struct manifest *manifest, const char *name, uint64_t size,
                 const struct checksum *sum);
int manifest_sort(struct manifest *manifest); /* INVALID: a name is there twice */
const struct manifest_file *manifest_find(const struct manifest *manifest, const char *name);
/* Appends the text. LIMIT, NOMEM. */
int manifest_write(const struct manifest *manifest, struct buffer *ret_text);
/* Into a zeroed one, which stays so on error. CORRUPT: it is not as it was written; FORMAT: of
 * another version; NOMEM. */
int manifest_read(struct slice text, struct manifest *ret_manifest, struct neap_error *error);
#endif
