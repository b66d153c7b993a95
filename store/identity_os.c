/* Door: where a directory is, from the operating system. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "store/format.h"
#include "store/identity.h"

/* RocksDB writes this file when it makes a database, and never again: in a directory whose contents
 * were put back from elsewhere it is another file, though the directory may be the same. */
static const char marked_file[] = "IDENTITY";

/* A name that RocksDB does not know, and leaves alone. */
static const char suspect_file[] = "SUSPECT";

/* So are these. The text is "neap N". */
static const char format_file[] = "FORMAT", format_file_new[] = "FORMAT.new";
static const char format_text[] = "neap %u\n";
enum { FORMAT_TEXT_MAX = 32 };

static int mark_fail(struct neap_error *error, const char *path, const char *what)
{
    int number = errno;

    return error_set(error, NEAP_IO, "%s: cannot look at %s: %s", path, what, strerror(number));
}

static int directory_open(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A file system that has no birth times leaves 0. */
static int mark_of(int directory, const char *name, uint64_t *ret_inode, uint64_t *ret_birth_ns)
{
    struct statx status;

    memset(&status, 0, sizeof status);
    if (statx(directory, name, AT_EMPTY_PATH | AT_STATX_SYNC_AS_STAT, STATX_INO | STATX_BTIME,
              &status) != 0)
        return NEAP_IO;
    *ret_inode = status.stx_ino;
    *ret_birth_ns = 0;
    if (status.stx_mask & STATX_BTIME)
        *ret_birth_ns = (uint64_t)status.stx_btime.tv_sec * 1000000000u + status.stx_btime.tv_nsec;
    return 0;
}

/* Zeroes when there is none, or not in the form that machine-id(5) gives. */
static void machine_read(uint8_t ret_machine[16])
{
    char text[33] = {0};
    FILE *file;

    memset(ret_machine, 0, 16);
    file = fopen("/etc/machine-id", "re");
    if (!file)
        return;
    if (fread(text, 1, 32, file) != 32)
        text[0] = 0;
    (void)fclose(file);
    (void)hex_read(text, ret_machine, 16);
}

int directory_mark_read(const char *path, struct directory_mark *ret_mark, struct neap_error *error)
{
    struct directory_mark mark = {0};
    int directory = directory_open(path);
    int failed = 0;

    if (directory < 0)
        return mark_fail(error, path, "the directory");
    if (mark_of(directory, "", &mark.directory, &mark.directory_birth_ns))
        failed = mark_fail(error, path, "the directory");
    else if (mark_of(directory, marked_file, &mark.file, &mark.file_birth_ns))
        failed = mark_fail(error, path, marked_file);
    (void)close(directory);
    if (failed)
        return failed;
    machine_read(mark.machine);
    *ret_mark = mark;
    return 0;
}

/* ---- the file of a suspect start ---- */

static int suspect_create(int directory)
{
    int file = openat(directory, suspect_file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), failed;

    if (file < 0)
        return NEAP_IO;
    failed = fsync(file);
    (void)close(file);
    return failed || fsync(directory) ? NEAP_IO : 0;
}

int directory_suspect_set(const char *path, struct neap_error *error)
{
    int directory = directory_open(path), failed;

    if (directory < 0)
        return mark_fail(error, path, "the directory");
    failed = suspect_create(directory);
    if (failed)
        failed = error_set(error, NEAP_IO, "%s: cannot write %s: %s", path, suspect_file,
                           strerror(errno));
    (void)close(directory);
    return failed;
}

bool directory_suspect_is(const char *path)
{
    int directory = directory_open(path);
    bool absent;

    if (directory < 0)
        return true;
    absent = faccessat(directory, suspect_file, F_OK, 0) != 0 && errno == ENOENT;
    (void)close(directory);
    return !absent;
}

/* When it stays, the next start is suspect as well, which only costs a replica id. */
void directory_suspect_clear(const char *path)
{
    int directory = directory_open(path);

    if (directory < 0)
        return;
    if (unlinkat(directory, suspect_file, 0) == 0)
        (void)fsync(directory);
    (void)close(directory);
}

/* ---- the file that repeats the number of the format ---- */

/* 0 when it is not there, or says nothing. */
static unsigned format_file_read(int directory)
{
    char text[FORMAT_TEXT_MAX] = {0}, again[FORMAT_TEXT_MAX];
    int file = openat(directory, format_file, O_RDONLY | O_CLOEXEC);
    unsigned version = 0;
    ssize_t size;

    if (file < 0)
        return 0;
    size = read(file, text, sizeof text - 1);
    (void)close(file);
    if (size <= 0 || sscanf(text, format_text, &version) != 1)
        return 0;
    snprintf(again, sizeof again, format_text, version);
    return strcmp(text, again) == 0 ? version : 0;
}

int directory_format_check(const char *path, struct versions reads, struct neap_error *error)
{
    int directory = directory_open(path);
    char what[200];
    unsigned found;

    if (directory < 0)
        return 0; /* whoever opens the database says why */
    found = format_file_read(directory);
    (void)close(directory);
    if (found == 0)
        return 0;
    snprintf(what, sizeof what, "%.150s: the directory", path);
    return version_refuse(found, reads, what, error);
}

static void format_file_make(int directory, unsigned version)
{
    char text[FORMAT_TEXT_MAX];
    int size = snprintf(text, sizeof text, format_text, version);
    int file = openat(directory, format_file_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool made;

    if (file < 0)
        return;
    made = write(file, text, (size_t)size) == size && fsync(file) == 0;
    (void)close(file);
    if (made && renameat(directory, format_file_new, directory, format_file) == 0)
        (void)fsync(directory);
    else
        (void)unlinkat(directory, format_file_new, 0);
}

void directory_format_write(const char *path, uint32_t version)
{
    int directory = directory_open(path);

    if (directory < 0)
        return;
    if (format_file_read(directory) != version)
        format_file_make(directory, version);
    (void)close(directory);
}
