/* Door: a directory with files that can't be read is copied, as far as it can be, into a new one
 * (docs/decisions/0019). What is in a damaged table can't be dropped by itself: older versions of
 * its keys may lie below. In the directory:
 *
 *   DAMAGED         why it is to be copied: written when something could not be read
 *   salvage.part/   the copy, as far as it is
 *   salvage.done/   it is whole: the old files are being moved away
 *   salvage.in/     they are: its files are being moved to their place
 *   damaged/        the old files
 *
 * Each state follows from the one before by a single rename, so a crash leaves the old directory or
 * leads to the new one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/disk_rocks.h"
#include "store/files.h"
#include "store/identity.h"
#include "store/salvage.h"

static const char damaged_name[] = "DAMAGED";
static const char part_name[] = "salvage.part", done_name[] = "salvage.done",
                  in_name[] = "salvage.in", old_name[] = "damaged";

static int directory_open(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static bool is_there(const char *path, const char *name)
{
    int directory = directory_open(path);
    bool there = directory >= 0 && faccessat(directory, name, F_OK, 0) == 0;

    if (directory >= 0)
        (void)close(directory);
    return there;
}

static char *path_join(const char *path, const char *name)
{
    size_t size = strlen(path) + strlen(name) + 2;
    char *joined = mem_new(size);

    if (joined)
        snprintf(joined, size, "%s/%s", path, name);
    return joined;
}

static int fail(struct neap_error *error, const char *path, const char *what)
{
    int number = errno;

    return error_set(error, number == ENOSPC ? NEAP_REFUSED : NEAP_IO, "%s: %s: %s", path, what,
                     strerror(number));
}

/* ---- the mark ---- */

void rocks_mark_damaged(const char *path, const char *cause)
{
    int directory = directory_open(path), file;

    if (directory < 0)
        return;
    file = openat(directory, damaged_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file >= 0) {
        if (write(file, cause, strlen(cause)) == (ssize_t)strlen(cause))
            (void)fsync(file);
        (void)close(file);
        (void)fsync(directory);
    }
    (void)close(directory);
}

bool rocks_is_damaged(const char *path)
{
    return is_there(path, damaged_name);
}

static void cause_read(const char *path, char ret_cause[ROCKS_CAUSE_MAX])
{
    int directory = directory_open(path), file;
    ssize_t size = 0;

    if (directory < 0)
        return;
    file = openat(directory, damaged_name, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        size = read(file, ret_cause, ROCKS_CAUSE_MAX - 1);
        (void)close(file);
    }
    (void)close(directory);
    ret_cause[size > 0 ? size : 0] = 0;
    for (char *at = ret_cause; *at; at++) {
        if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
            *at = '?';
    }
}

/* ---- in its place ---- */

/* What belongs to the database, as opposed to what tells which directory this is. */
static bool is_of_database(const char *name)
{
    static const char *const starts[] = {"CURRENT", "MANIFEST-", "OPTIONS-", "LOG",
                                         "SYNCED",  "SUSPECT",   "DAMAGED"};
    size_t size = strlen(name);

    if (size > 4 && (!strcmp(name + size - 4, ".sst") || !strcmp(name + size - 4, ".log") ||
                     !strcmp(name + size - 4, ".dbtmp")))
        return true;
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        if (!strncmp(name, starts[i], strlen(starts[i])))
            return true;
    }
    return false;
}

/* The database's files of one directory into another one; CURRENT, without which there is no
 * database, comes last. */
static int files_move(int from, int to)
{
    int handle = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = handle < 0 ? NULL : fdopendir(handle);
    const struct dirent *entry;
    int failed = 0;

    if (!directory) {
        if (handle >= 0)
            (void)close(handle);
        return -1;
    }
    while (!failed && (entry = readdir(directory))) {
        if (is_of_database(entry->d_name) && strcmp(entry->d_name, "CURRENT") != 0)
            failed = renameat(from, entry->d_name, to, entry->d_name);
    }
    (void)closedir(directory);
    if (!failed)
        failed = fsync(to) || fsync(from);
    if (!failed && faccessat(from, "CURRENT", F_OK, 0) == 0)
        failed = renameat(from, "CURRENT", to, "CURRENT") || fsync(to) || fsync(from);
    return failed;
}

/* Old files leave, new ones come; both may have been begun before. */
static int place_files(int directory)
{
    int other, failed = 0;

    if (faccessat(directory, done_name, F_OK, 0) == 0) {
        other = openat(directory, old_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        failed = other < 0 || files_move(directory, other);
        if (other >= 0)
            (void)close(other);
        if (!failed)
            failed = renameat(directory, done_name, directory, in_name) || fsync(directory);
    }
    if (failed || faccessat(directory, in_name, F_OK, 0) != 0)
        return failed;
    other = openat(directory, in_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    failed = other < 0 || files_move(other, directory);
    if (other >= 0)
        (void)close(other);
    return failed;
}

int rocks_salvage_end(const char *path, struct neap_error *error)
{
    int directory, failed;
    char *in;

    if (!is_there(path, done_name) && !is_there(path, in_name))
        return 0;
    directory = directory_open(path);
    failed = directory < 0 || place_files(directory)
                 ? fail(error, path, "cannot put the salvaged files in their place")
                 : 0;
    in = failed ? NULL : path_join(path, in_name);
    if (in)
        files_discard(in);
    mem_free(in);
    if (directory >= 0)
        (void)close(directory);
    return failed;
}

/* ---- the copy ---- */

/* Another process must not open it meanwhile: RocksDB's own lock, which reading does not take. */
static int lock_take(const char *path, int *ret_file, struct neap_error *error)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int directory = directory_open(path), file = -1, failed = 0;

    if (directory >= 0)
        file = openat(directory, "LOCK", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0)
        failed = fail(error, path, "cannot lock it");
    else if (fcntl(file, F_SETLK, &lock))
        failed = error_set(error, NEAP_LOCKED, "%s: another process has this directory open", path);
    if (directory >= 0)
        (void)close(directory);
    if (failed && file >= 0)
        (void)close(file);
    if (!failed)
        *ret_file = file;
    return failed;
}

/* The copy takes no more than all that is there. */
static int room_check(const char *path, struct neap_error *error)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    struct statvfs space;
    struct stat status;
    uint64_t needed = 0, free_bytes;
    bool known = directory && fstatvfs(dirfd(directory), &space) == 0;

    while (directory && (entry = readdir(directory))) {
        if (is_of_database(entry->d_name) &&
            fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
            needed += (uint64_t)status.st_size;
    }
    if (directory)
        (void)closedir(directory);
    free_bytes = known ? (uint64_t)space.f_bavail * space.f_frsize : UINT64_MAX;
    if (free_bytes > needed)
        return 0;
    return error_set(error, NEAP_REFUSED,
                     "%s: it is damaged, and there is no room for a copy of what can be read: "
                     "%" PRIu64 " bytes of %" PRIu64 " are free",
                     path, free_bytes, needed);
}

/* *ret_gaps: how many, of the two families. */
static int copy_files(const struct disk_rocks_options *options, const char *part, const char *cause,
                      size_t *ret_gaps, struct neap_error *error)
{
    struct disk_rocks_options source = *options, target = *options;
    struct disk *from = NULL, *to = NULL;
    struct gaps gaps = {0};
    bool suspect = false, forgot = false, ignored;
    int failed;

    source.readonly = true;
    target.path = part;
    target.create = true;
    failed = rocks_open_plain(&source, &from, &suspect, error);
    if (failed == NEAP_CORRUPT && rocks_text_is_table(options->path, error->text)) {
        source.lenient = true;
        failed = rocks_open_plain(&source, &from, &suspect, error);
    }
    if (!failed)
        failed = rocks_open_plain(&target, &to, &ignored, error);
    if (!failed) {
        failed = salvage_copy(from, to, &gaps);
        if (failed)
            from->ops->error(from, error);
    }
    if (!failed) {
        failed = salvage_record(to, &gaps, cause, &forgot);
        if (failed)
            to->ops->error(to, error);
    }
    disk_close(from);
    disk_close(to);
    if (!failed && (suspect || forgot))
        failed = directory_suspect_set(part, error);
    if (failed)
        error->code = failed;
    *ret_gaps = gaps.count;
    gaps_done(&gaps);
    return failed;
}

static int copy_done(const char *path, const char *part, struct neap_error *error)
{
    char *old = path_join(path, old_name), *done = path_join(path, done_name);
    int failed = old && done ? 0 : error_set(error, NEAP_NOMEM, "%s: no memory", path);

    if (!failed) {
        files_discard(old);
        failed = files_make(old, error);
    }
    if (!failed)
        failed = files_rename(part, done, error);
    mem_free(old);
    mem_free(done);
    return failed;
}

static int salvage_locked(const struct disk_rocks_options *options, const char *cause,
                          struct neap_error *error)
{
    char *part = path_join(options->path, part_name), noted[ROCKS_CAUSE_MAX] = "";
    size_t gaps = 0;
    int failed = part ? room_check(options->path, error)
                      : error_set(error, NEAP_NOMEM, "%s: no memory", options->path);

    if (!cause)
        cause_read(options->path, noted);
    cause = cause ? cause : noted;
    if (!failed) {
        files_discard(part);
        failed = copy_files(options, part, cause, &gaps, error);
    }
    if (!failed)
        failed = copy_done(options->path, part, error);
    if (!failed)
        failed = rocks_salvage_end(options->path, error);
    if (failed && part)
        files_discard(part);
    if (!failed) {
        error_set(error, 0,
                  "%s: was damaged: what can be read was copied, %zu range%s of keys must come "
                  "from peers; the old files are in %s/%s (%s)",
                  options->path, gaps, gaps == 1 ? "" : "s", options->path, old_name, cause);
        error->code = 0;
    }
    mem_free(part);
    return failed;
}

int rocks_salvage(const struct disk_rocks_options *options, const char *cause,
                  struct neap_error *error)
{
    int lock = -1, failed = lock_take(options->path, &lock, error);

    if (failed)
        return failed;
    failed = salvage_locked(options, cause, error);
    (void)close(lock);
    return failed;
}

/* ---- opening ---- */

/* Of an opening that failed: the file, and what is wrong with it. */
static void cause_of(const char *path, const char *text, char ret_cause[ROCKS_CAUSE_MAX])
{
    size_t size = strlen(path);
    const char *from = strncmp(text, path, size) == 0 && text[size] == ':' ? text + size + 2 : text;
    const char *end = strstr(from, ": ");

    snprintf(ret_cause, ROCKS_CAUSE_MAX, "%.*s", end ? (int)(end - from) : ROCKS_CAUSE_MAX - 1,
             from);
}

/* What is damaged opens, or not; what is salvaged does. *ret_why: what was done about it, if
 * anything. */
static int open_salvaged(const struct disk_rocks_options *options, struct disk **ret_disk,
                         bool *ret_suspect, struct neap_error *ret_why, struct neap_error *error)
{
    char cause[ROCKS_CAUSE_MAX] = "";
    int tried = rocks_salvage_end(options->path, error), failed;

    if (tried)
        return tried;
    if (rocks_is_damaged(options->path))
        tried = rocks_salvage(options, NULL, ret_why);
    if (tried == NEAP_LOCKED) {
        *error = *ret_why;
        return tried;
    }
    failed = rocks_open_plain(options, ret_disk, ret_suspect, error);
    if (failed != NEAP_CORRUPT || ret_why->text[0])
        return failed;
    cause_of(options->path, error->text, cause);
    if (!rocks_text_is_table(options->path, error->text))
        return failed;
    tried = rocks_salvage(options, cause, ret_why);
    if (tried == NEAP_REFUSED)
        *error = *ret_why;
    return tried ? tried == NEAP_REFUSED ? tried : failed
                 : rocks_open_plain(options, ret_disk, ret_suspect, error);
}

int disk_rocks_open(const struct disk_rocks_options *options, struct disk **ret_disk,
                    bool *ret_suspect, struct neap_error *error)
{
    struct neap_error why = {0}, ignored = {0};
    struct neap_error *failure = error ? error : &ignored;
    int failed;

    if (!options->path || !*options->path || options->readonly || options->still)
        return rocks_open_plain(options, ret_disk, ret_suspect, error);
    failed = open_salvaged(options, ret_disk, ret_suspect, &why, failure);
    if (!failed && why.text[0]) {
        *failure = why;
        failure->code = 0;
    }
    return failed;
}
