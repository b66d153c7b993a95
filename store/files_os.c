/* Door: files of a directory, from the operating system. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "store/files.h"

enum { PIECE = 256 << 10 };

struct files {
    char *path;
    int handle;
};

static int files_fail(struct neap_error *error, const char *path, const char *name,
                      const char *what)
{
    int number = errno;

    return error_set(error, errno_code(number), "%s%s%s: %s: %s", path, name ? "/" : "",
                     name ? name : "", what, strerror(number));
}

int files_step(const struct files_watch *watch, struct neap_error *error)
{
    int code = watch && watch->step ? watch->step(watch->arg) : 0;

    return code ? error_set(error, code, "it was given up, and nothing is left of it") : 0;
}

/* ---- directories ---- */

int files_open(const char *path, struct files **ret_files, struct neap_error *error)
{
    struct files *files = mem_new(sizeof *files);

    if (files)
        files->path = mem_text(path);
    if (!files || !files->path) {
        mem_free(files);
        return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    }
    files->handle = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (files->handle < 0) {
        int code = files_fail(error, path, NULL, "cannot open the directory");

        mem_free(files->path);
        mem_free(files);
        return code;
    }
    *ret_files = files;
    return 0;
}

void files_close(struct files *files)
{
    if (!files)
        return;
    (void)close(files->handle);
    mem_free(files->path);
    mem_free(files);
}

int files_sync(struct files *files, struct neap_error *error)
{
    return fsync(files->handle) ? files_fail(error, files->path, NULL, "cannot sync") : 0;
}

/* Of what has this name: a handle, or a code. */
static int parent_open(const char *path, struct neap_error *error)
{
    char *parent = text_parent(path);
    int handle;

    if (!parent)
        return error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    handle = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (handle < 0)
        handle = files_fail(error, parent, NULL, "cannot open the directory");
    mem_free(parent);
    return handle;
}

static int parent_sync(const char *path, struct neap_error *error)
{
    int handle = parent_open(path, error), failed;

    if (handle < 0)
        return handle;
    failed = fsync(handle) ? files_fail(error, path, NULL, "cannot sync its parent") : 0;
    (void)close(handle);
    return failed;
}

int files_make(const char *path, struct neap_error *error)
{
    int code;

    if (mkdir(path, 0700))
        return files_fail(error, path, NULL, "cannot make the directory");
    code = parent_sync(path, error);
    if (code)
        (void)rmdir(path);
    return code;
}

int files_each(struct files *files, int (*each)(void *arg, const char *name), void *arg,
               struct neap_error *error)
{
    int handle = openat(files->handle, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = handle < 0 ? NULL : fdopendir(handle);
    const struct dirent *entry;
    int code = 0;

    if (!directory) {
        code = files_fail(error, files->path, NULL, "cannot list the directory");
        if (handle >= 0)
            (void)close(handle);
        return code;
    }
    errno = 0;
    while (!code && (entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
            code = each(arg, entry->d_name);
        errno = 0;
    }
    if (!code && errno)
        code = files_fail(error, files->path, NULL, "cannot list the directory");
    (void)closedir(directory);
    return code;
}

/* RocksDB's tables are never changed once written, so a copy may share them. */
static bool name_is_table(const char *name)
{
    size_t size = strlen(name);

    return size > 4 && !strcmp(name + size - 4, ".sst");
}

struct room {
    const struct files *files;
    bool links;
    uint64_t needed;
};

/* A file that is gone meanwhile takes no room. The log is written once more, as tables. */
static int room_add(void *arg, const char *name)
{
    struct room *room = arg;
    struct stat status;

    if (fstatat(room->files->handle, name, &status, AT_SYMLINK_NOFOLLOW) || status.st_size < 0)
        return 0;
    if (!strncmp(name, "LOG", 3)) /* for people */
        return 0;
    if (!name_is_table(name))
        room->needed += 2 * (uint64_t)status.st_size;
    else if (!room->links)
        room->needed += (uint64_t)status.st_size;
    return 0;
}

int files_room(const char *from, const char *to, uint64_t *ret_needed, uint64_t *ret_free,
               struct neap_error *error)
{
    struct stat here, there;
    struct files *files = NULL;
    struct statvfs space;
    struct room room = {0};
    int handle, code;

    handle = parent_open(to, error);
    if (handle < 0)
        return handle;
    code = files_open(from, &files, error);
    if (!code && (fstat(files->handle, &here) || fstat(handle, &there) || fstatvfs(handle, &space)))
        code = files_fail(error, to, NULL, "cannot look at its parent");
    (void)close(handle);
    if (!code) {
        room = (struct room){.files = files, .links = here.st_dev == there.st_dev};
        code = files_each(files, room_add, &room, error);
    }
    files_close(files);
    if (code)
        return code;
    *ret_needed = room.needed;
    *ret_free = (uint64_t)space.f_bavail * space.f_frsize;
    return 0;
}

int files_beside(const char *path, const char *name, bool *ret_there, struct neap_error *error)
{
    int parent = parent_open(path, error);

    if (parent < 0)
        return parent;
    *ret_there = !faccessat(parent, name, F_OK, AT_SYMLINK_NOFOLLOW);
    (void)close(parent);
    return 0;
}

/* The kernel sees to it that nothing is replaced; where a file system can't, an empty directory
 * could be, between the look and the renaming, and nothing is lost with that. */
static int rename_new(const char *from, const char *to)
{
    struct stat status;

    if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE))
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (!lstat(to, &status)) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

int files_rename(const char *from, const char *to, struct neap_error *error)
{
    int parent = parent_open(to, error), code = 0;

    if (parent < 0)
        return parent;
    if (rename_new(from, to)) {
        code = files_fail(error, to, NULL, "cannot give it its name");
    } else if (fsync(parent)) {
        code = files_fail(error, to, NULL, "cannot sync its parent");
        (void)rename(to, from);
    }
    (void)close(parent);
    return code;
}

static void discard_at(int parent, const char *name, int depth)
{
    int handle = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *directory = handle < 0 ? NULL : fdopendir(handle);
    const struct dirent *entry;

    if (!directory) {
        if (handle >= 0)
            (void)close(handle);
        return;
    }
    while ((entry = readdir(directory))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
            continue;
        if (unlinkat(handle, entry->d_name, 0) && depth > 0)
            discard_at(handle, entry->d_name, depth - 1);
    }
    (void)closedir(directory);
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

void files_discard(const char *path)
{
    discard_at(AT_FDCWD, path, 1);
}

/* ---- files ---- */

/* Not blocking: a pipe of that name would wait for a writer before it can be told from a file. */
static int file_open(struct files *files, const char *name, uint64_t *ret_size,
                     struct neap_error *error)
{
    int handle = openat(files->handle, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;

    if (handle < 0)
        return files_fail(error, files->path, name, "cannot open");
    if (fstat(handle, &status)) {
        int code = files_fail(error, files->path, name, "cannot look at");

        (void)close(handle);
        return code;
    }
    if (!S_ISREG(status.st_mode)) {
        (void)close(handle);
        return error_set(error, NEAP_INVALID, "%s/%s: not a regular file", files->path, name);
    }
    *ret_size = (uint64_t)status.st_size;
    return handle;
}

/* 0 at the end. */
static ssize_t piece_read(int handle, uint8_t *piece)
{
    ssize_t size;

    do
        size = read(handle, piece, PIECE);
    while (size < 0 && errno == EINTR);
    return size;
}

static int piece_write(int handle, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = write(handle, bytes, size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        bytes += done;
        size -= (size_t)done;
    }
    return 0;
}

/* One file on its way: read, summed, and written elsewhere when `to` is given. */
struct passing {
    struct files *files, *to;
    const char *name;
    const struct files_watch *watch;
    int in, out;
    uint64_t size;
    struct checksum sum;
    struct neap_error *error;
};

static int pass_pieces(struct passing *passing, uint8_t *piece)
{
    struct checksum_run run;
    int code = 0;
    ssize_t size = 0;

    passing->size = 0;
    checksum_begin(&run);
    while (!code && (size = piece_read(passing->in, piece)) > 0) {
        checksum_add(&run, slice_of(piece, (size_t)size));
        passing->size += (uint64_t)size;
        if (passing->to && piece_write(passing->out, piece, (size_t)size))
            return files_fail(passing->error, passing->to->path, passing->name, "cannot write");
        code = files_step(passing->watch, passing->error);
    }
    if (size < 0)
        return files_fail(passing->error, passing->files->path, passing->name, "cannot read");
    passing->sum = checksum_end(&run);
    return code;
}

static int pass(struct passing *passing, unsigned how)
{
    struct files *last = passing->to ? passing->to : passing->files;
    uint8_t *piece = mem_new(PIECE);
    int code;

    if (!piece)
        return error_set(passing->error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));
    if (how & FILES_AGAIN)
        (void)posix_fadvise(passing->in, 0, 0, POSIX_FADV_DONTNEED);
    code = pass_pieces(passing, piece);
    mem_free(piece);
    if (!code && how & FILES_SYNC && fsync(passing->to ? passing->out : passing->in))
        code = files_fail(passing->error, last->path, passing->name, "cannot sync");
    return code;
}

int files_sum(struct files *files, const char *name, unsigned how, const struct files_watch *watch,
              uint64_t *ret_size, struct checksum *ret_sum, struct neap_error *error)
{
    struct passing passing = {.files = files, .name = name, .watch = watch, .error = error};
    int code;

    passing.in = file_open(files, name, &passing.size, error);
    if (passing.in < 0)
        return passing.in;
    code = pass(&passing, how);
    (void)close(passing.in);
    if (code)
        return code;
    *ret_size = passing.size;
    *ret_sum = passing.sum;
    return 0;
}

/* Closes it. */
static int file_end(struct files *files, const char *name, int handle, int code,
                    struct neap_error *error)
{
    if (close(handle) && !code)
        code = files_fail(error, files->path, name, "cannot write");
    if (code)
        (void)unlinkat(files->handle, name, 0);
    return code;
}

static int file_make(struct files *files, const char *name, struct neap_error *error)
{
    int handle = openat(files->handle, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    return handle < 0 ? files_fail(error, files->path, name, "cannot make the file") : handle;
}

int files_copy(struct files *files, struct files *to, const char *name,
               const struct files_watch *watch, uint64_t *ret_size, struct checksum *ret_sum,
               struct neap_error *error)
{
    struct passing passing = {
        .files = files, .to = to, .name = name, .watch = watch, .error = error};
    int code = 0;

    passing.in = file_open(files, name, &passing.size, error);
    if (passing.in < 0)
        return passing.in;
    passing.out = file_make(to, name, error);
    if (passing.out < 0)
        code = passing.out;
    else
        code = file_end(to, name, passing.out, pass(&passing, FILES_SYNC), error);
    (void)close(passing.in);
    if (code)
        return code;
    *ret_size = passing.size;
    *ret_sum = passing.sum;
    return 0;
}

static int get_pieces(struct files *files, const char *name, int handle, struct buffer *bytes,
                      struct neap_error *error)
{
    uint8_t *piece = mem_new(PIECE);
    int code = piece ? 0 : NEAP_NOMEM;
    ssize_t size = 0;

    while (!code && (size = piece_read(handle, piece)) > 0)
        code = buffer_append(bytes, slice_of(piece, (size_t)size));
    mem_free(piece);
    if (code)
        return error_set(error, code, "%s/%s: %s", files->path, name, error_text(code));
    return size < 0 ? files_fail(error, files->path, name, "cannot read") : 0;
}

int files_get(struct files *files, const char *name, struct buffer *ret_bytes,
              struct neap_error *error)
{
    uint64_t size;
    int handle = file_open(files, name, &size, error), code = 0;

    if (handle < 0)
        return handle;
    buffer_clear(ret_bytes);
    if (size > ret_bytes->size_max)
        code = error_set(error, NEAP_LIMIT, "%s/%s: has more than %zu bytes", files->path, name,
                         ret_bytes->size_max);
    else
        code = get_pieces(files, name, handle, ret_bytes, error);
    (void)close(handle);
    return code;
}

int files_put(struct files *files, const char *name, struct slice bytes, struct neap_error *error)
{
    int handle = file_make(files, name, error), code = 0;

    if (handle < 0)
        return handle;
    if (piece_write(handle, bytes.data, bytes.size) || fsync(handle))
        code = files_fail(error, files->path, name, "cannot write");
    return file_end(files, name, handle, code, error);
}

int files_remove(struct files *files, const char *name, struct neap_error *error)
{
    if (unlinkat(files->handle, name, 0))
        return files_fail(error, files->path, name, "cannot remove");
    return 0;
}
