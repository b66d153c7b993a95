/* Files with keys, from the operating system (secret_os.c, a door). */
#ifndef NEAP_TRUST_SECRET_H
#define NEAP_TRUST_SECRET_H
#include "base/bytes.h"
#include "neap.h"

enum secret_mode { SECRET_PUBLIC, SECRET_KEY };
enum { SECRET_FILE_MAX = 64 << 10 };

/* The whole file, with a zero byte behind it that is not counted. `what` begins messages. With
 * SECRET_KEY it is REFUSED when others than its owner may read it. NOTFOUND, REFUSED, INVALID (not
 * a file, too long), IO, NOMEM: *error says what. */
int secret_read(const char *path, enum secret_mode mode, const char *what, struct buffer *ret_bytes,
                struct neap_error *error);
/* "DIRECTORY/NAME" of a cluster directory, like secret_read(). */
int secret_file(const char *directory, const char *name, enum secret_mode mode,
                struct buffer *ret_bytes, struct neap_error *error);
/* Ends the buffer; nothing of its bytes stays in memory. */
void secret_done(struct buffer *buffer);
void secret_wipe(void *bytes, size_t size);
/* "DIRECTORY/NAME", NUL-terminated; NULL: no memory. mem_free(). */
char *secret_path(const char *directory, const char *name);
bool secret_is_directory(const char *path);
#endif
