/* Door: files that are written. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "trust/keep.h"

static int keep_fail(struct neap_error *error, const char *directory, const char *name,
                     const char *what)
{
    int number = errno;

    return error_set(error, errno_code(number), "%.150s/%.60s: %s: %s", directory, name, what,
                     strerror(number));
}

static int directory_open(const char *directory, struct neap_error *error)
{
    int handle = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return handle < 0 ? keep_fail(error, directory, "", "cannot open it") : handle;
}

static int bytes_write(int file, struct slice bytes)
{
    while (bytes.size) {
        ssize_t done = write(file, bytes.data, bytes.size);

        if (done < 0 && errno != EINTR)
            return -1;
        if (done > 0)
            bytes = slice_of(bytes.data + done, bytes.size - (size_t)done);
    }
    return 0;
}

/* What root puts into the directory of a service is for that service. */
static int owner_give(int directory, int made)
{
    struct stat status;

    if (geteuid() != 0)
        return 0;
    if (fstat(directory, &status))
        return -1;
    return status.st_uid ? fchown(made, status.st_uid, status.st_gid) : 0;
}

/* Under a name that nobody reads. */
static int draft_write(int directory, const char *draft, struct slice bytes, enum secret_mode mode)
{
    mode_t mask = mode == SECRET_KEY ? 0600 : 0644;
    int file, failed, number;

    (void)unlinkat(directory, draft, 0); /* of a crash */
    file = openat(directory, draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mask);
    if (file < 0)
        return -1;
    failed = owner_give(directory, file) || bytes_write(file, bytes) || fsync(file);
    number = errno;
    if (close(file) && !failed) {
        failed = 1;
        number = errno;
    }
    if (failed)
        (void)unlinkat(directory, draft, 0);
    errno = number;
    return failed ? -1 : 0;
}

/* Where the kernel or the file system cannot do it at once, whoever makes the same file in the same
 * moment loses his: there is no worse. */
static int rename_new(int directory, const char *from, const char *to)
{
    if (!renameat2(directory, from, directory, to, RENAME_NOREPLACE))
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (!faccessat(directory, to, F_OK, AT_SYMLINK_NOFOLLOW)) {
        errno = EEXIST;
        return -1;
    }
    return renameat(directory, from, directory, to);
}

static int draft_name(int directory, const char *draft, const char *name, enum keep_how how)
{
    int failed = how == KEEP_NEW ? rename_new(directory, draft, name)
                                 : renameat(directory, draft, directory, name);
    int number = errno;

    if (failed)
        (void)unlinkat(directory, draft, 0);
    errno = number;
    return failed ? -1 : fsync(directory);
}

int keep_file(const char *directory, const char *name, struct slice bytes, enum secret_mode mode,
              enum keep_how how, struct neap_error *error)
{
    char draft[NAME_MAX + 1];
    int handle, code = 0;

    if (strlen(name) > NAME_MAX - 8)
        return error_set(error, NEAP_INVALID, "%.100s: too long a name", name);
    snprintf(draft, sizeof draft, ".%.240s.new", name);
    handle = directory_open(directory, error);
    if (handle < 0)
        return handle;
    if (draft_write(handle, draft, bytes, mode))
        code = keep_fail(error, directory, name, "cannot write it");
    else if (draft_name(handle, draft, name, how))
        code = keep_fail(error, directory, name,
                         errno == EEXIST ? "it is not written over" : "cannot give it its name");
    (void)close(handle);
    return code;
}

/* The new directory at that path, whose parent is open. */
static int directory_settle(int parent, const char *path, struct neap_error *error)
{
    int made = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int failed = made < 0 || owner_give(parent, made) || fsync(parent), code = 0;

    if (failed)
        code = keep_fail(error, path, "", "cannot make the directory");
    if (made >= 0)
        (void)close(made);
    return code;
}

int keep_directory(const char *path, struct neap_error *error)
{
    char *parent = text_parent(path);
    int handle, code = 0;

    if (!parent)
        return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    if (mkdir(path, 0700)) {
        if (errno != EEXIST || !secret_is_directory(path))
            code = keep_fail(error, path, "", "cannot make the directory");
    } else {
        handle = directory_open(parent, error);
        code = handle < 0 ? handle : directory_settle(handle, path, error);
        if (handle >= 0)
            (void)close(handle);
    }
    mem_free(parent);
    return code;
}

bool keep_has(const char *directory, const char *name)
{
    int handle = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool there = handle >= 0 && !faccessat(handle, name, F_OK, AT_SYMLINK_NOFOLLOW);

    if (handle >= 0)
        (void)close(handle);
    return there;
}

int keep_remove(const char *directory, const char *name, struct neap_error *error)
{
    int handle = directory_open(directory, error), code = 0;

    if (handle < 0)
        return handle;
    if (unlinkat(handle, name, 0) || fsync(handle))
        code = keep_fail(error, directory, name, "cannot remove it");
    (void)close(handle);
    return code;
}

int keep_each(const char *directory, int (*each)(void *arg, const char *name), void *arg,
              struct neap_error *error)
{
    DIR *folder = opendir(directory);
    struct dirent *entry;
    int code = 0;

    if (!folder)
        return keep_fail(error, directory, "", "cannot open it");
    for (errno = 0; !code && (entry = readdir(folder)) != NULL; errno = 0)
        if (entry->d_name[0] != '.' && (code = each(arg, entry->d_name)) != 0)
            error_set(error, code, "%s", error_text(code));
    if (!code && errno)
        code = keep_fail(error, directory, "", "cannot read it");
    (void)closedir(folder);
    return code;
}
