/* Door: writing the files of a cluster directory, so that a crash leaves the old or the new one
 * (keep_os.c). What is given to be kept is durable, with its name, when the call returns.
 * Errors: REFUSED (something is there already, no permission, no space), NOTFOUND, INVALID (a name
 * that is none), NOMEM, IO: nothing has changed; *error says more. */
#ifndef NEAP_TRUST_KEEP_H
#define NEAP_TRUST_KEEP_H
#include "trust/secret.h"

enum keep_how { KEEP_NEW, KEEP_REPLACE }; /* NEW: refused when it is there */

/* SECRET_KEY: only its owner may read it, from its first byte on. Its owner is the directory's when
 * it is root who writes: a service that is no root can read what was put there for it. */
int keep_file(const char *directory, const char *name, struct slice bytes, enum secret_mode mode,
              enum keep_how how, struct neap_error *error);
/* A directory that only its owner may enter, who is as above; one that is there is fine. */
int keep_directory(const char *path, struct neap_error *error);
bool keep_has(const char *directory, const char *name);
/* The names in it, in any order, without those that begin with a dot; what `each` says that is not
 * 0 ends it, and is returned. */
int keep_each(const char *directory, int (*each)(void *arg, const char *name), void *arg,
              struct neap_error *error);
int keep_remove(const char *directory, const char *name, struct neap_error *error);
#endif
