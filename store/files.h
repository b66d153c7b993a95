/* Door: the files of a directory, whole ones, for backups. files_os.c is the only room behind it.
 * Symbolic links are not followed, and what is no regular file is no file here.
 * Errors: NOTFOUND; REFUSED (something is there already, no permission, no space left); INVALID (no
 * directory, no regular file, a name too long); NOMEM; IO for the rest; *error says more. */
#ifndef NEAP_STORE_FILES_H
#define NEAP_STORE_FILES_H
#include "base/checksum.h"
#include "neap.h"

struct files; /* an open directory */

/* Asked between pieces of work: what is not 0 ends the work with that code. NULL: nobody asks. */
struct files_watch {
    int (*step)(void *arg);
    void *arg;
    /* So many of so many files are done with. NULL: nobody is told. */
    void (*progress)(void *arg, uint64_t done, uint64_t total);
};

int files_step(const struct files_watch *watch, struct neap_error *error);

int files_open(const char *path, struct files **ret_files, struct neap_error *error);
void files_close(struct files *files); /* NULL is fine */
/* A new directory that only its owner may enter, its name durable. On error there is none. */
int files_make(const char *path, struct neap_error *error);
/* All names but "." and "..", in no order. */
int files_each(struct files *files, int (*each)(void *arg, const char *name), void *arg,
               struct neap_error *error);

/* Reads the whole file, a piece at a time. FILES_SYNC: and makes it durable; FILES_AGAIN: from the
 * disk, not from what the system remembers of it, if that can be had. */
enum files_how { FILES_SYNC = 1, FILES_AGAIN = 2 };
int files_sum(struct files *files, const char *name, unsigned how, const struct files_watch *watch,
              uint64_t *ret_size, struct checksum *ret_sum, struct neap_error *error);
/* The same, and what was read is a new file of `to`, durable. On error there is none. */
int files_copy(struct files *files, struct files *to, const char *name,
               const struct files_watch *watch, uint64_t *ret_size, struct checksum *ret_sum,
               struct neap_error *error);
/* LIMIT: it is larger than the buffer may be. */
int files_get(struct files *files, const char *name, struct buffer *ret_bytes,
              struct neap_error *error);
int files_put(struct files *files, const char *name, struct slice bytes, struct neap_error *error);
int files_remove(struct files *files, const char *name, struct neap_error *error);
int files_sync(struct files *files, struct neap_error *error); /* its names are durable */

/* Gives a directory another name, which nothing has; durable. */
int files_rename(const char *from, const char *to, struct neap_error *error);
/* Is there something of that name beside this one? */
int files_beside(const char *path, const char *name, bool *ret_there, struct neap_error *error);
/* A directory, the files in it, and those of directories in it. What can't be removed stays. */
void files_discard(const char *path);
/* Bytes that a copy of the database in `from` takes at `to`, whose parent is there, and the bytes
 * that are free there. Tables cost nothing where they can be linked. */
int files_room(const char *from, const char *to, uint64_t *ret_needed, uint64_t *ret_free,
               struct neap_error *error);
#endif
