/* Door: what must hold of a directory before RocksDB sees it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "store/disk_rocks.h"
#include "store/manifest.h"

static bool name_ends(const char *name, const char *end)
{
    size_t name_size = strlen(name), end_size = strlen(end);

    return name_size > end_size && strcmp(name + name_size - end_size, end) == 0;
}

/* Of a database's own directory: what stands there is in the way, and no room is a fault. */
static int open_code(int number)
{
    switch (number) {
    case EEXIST:
        return NEAP_INVALID;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case ENOTEMPTY:
    case ELOOP:
        return NEAP_IO;
    default:
        return errno_code(number);
    }
}

static int errno_set(struct neap_error *error, const char *path, const char *what)
{
    int number = errno;

    return error_set(error, open_code(number), "%s: %s: %s", path, what, strerror(number));
}

/* The name of a new directory is in its parent, and durable when that is synced. */
static int directory_sync_parent(const char *path, struct neap_error *error)
{
    char *parent = text_parent(path);
    int handle, failed;

    if (!parent)
        return NEAP_NOMEM;
    handle = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    mem_free(parent);
    if (handle < 0)
        return errno_set(error, path, "cannot open its parent");
    failed = fsync(handle);
    (void)close(handle);
    return failed ? errno_set(error, path, "cannot sync its parent") : 0;
}

static int directory_make(const char *path, struct neap_error *error)
{
    if (mkdir(path, 0700) != 0)
        return errno_set(error, path, "cannot make the directory");
    return directory_sync_parent(path, error);
}

/* Files that only a database leaves, though the one that names its state is missing: not a place to
 * make a new database in. */
static int directory_check_debris(const char *path, DIR *directory, struct neap_error *error)
{
    const struct dirent *entry;

    while ((entry = readdir(directory)))
        if (name_ends(entry->d_name, ".sst") || name_ends(entry->d_name, ".log"))
            return error_set(
                error, NEAP_CORRUPT,
                "%s: the file CURRENT is missing, but not %s: restore a backup, or move "
                "the directory away and let this node start empty",
                path, entry->d_name);
    return 0;
}

/* RocksDB would take a directory whose file CURRENT is lost for an empty one. */
int disk_rocks_directory(const struct disk_rocks_options *options, struct neap_error *error)
{
    DIR *directory = opendir(options->path);
    int failed;

    if (!directory && errno == ENOENT && options->create && !options->readonly)
        return directory_make(options->path, error);
    if (!directory)
        return errno_set(error, options->path, "no database here");
    failed = faccessat(dirfd(directory), "CURRENT", F_OK, 0);
    if (!faccessat(dirfd(directory), MANIFEST_NAME, F_OK, 0)) {
        failed = error_set(error, NEAP_REFUSED,
                           "%s: a backup, or a restore that did not end: `neap restore` makes a "
                           "data directory of a backup",
                           options->path);
    } else if (failed && errno != ENOENT) {
        failed = errno_set(error, options->path, "cannot look inside");
    } else if (failed) {
        failed = directory_check_debris(options->path, directory, error);
        if (!failed && (!options->create || options->readonly))
            failed =
                error_set(error, NEAP_NOTFOUND, "%s: no database in this directory", options->path);
    }
    (void)closedir(directory);
    return failed;
}
