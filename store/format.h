/* The number of a directory's format: which records there are, and how they read. The one in the
 * database ('F') counts. A file beside it repeats it for programs that are too old, since opening a
 * database moves its files about, and what is refused must stay as it is. */
#ifndef NEAP_STORE_FORMAT_H
#define NEAP_STORE_FORMAT_H
#include "base/version.h"
#include "store/batch.h"

/* With each change that older programs would not understand, FORMAT_VERSION grows by one, and
 * FORMAT_VERSION_MIN follows at a distance of one. */
enum { FORMAT_VERSION = 1, FORMAT_VERSION_MIN = 1 };

struct versions format_reads(void);

/* NOTFOUND: there is none. FORMAT, CORRUPT: *error (may be NULL) says more. NOMEM, IO. */
int format_read(const struct view *view, struct versions reads, uint32_t *ret_found,
                struct neap_error *error);
int format_write(struct batch *batch, uint32_t version);

/* identity_os.c, a door: the file. FORMAT when it tells of one that is not read; a file that is
 * missing, or says nothing, is no objection. */
int directory_format_check(const char *path, struct versions reads, struct neap_error *error);
/* That it can't be written is none either: the next opening tries again. */
void directory_format_write(const char *path, uint32_t version);
#endif
