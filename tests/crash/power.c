/* A preloaded library that writes down what a power loss could not take away: after every
 * successful sync the size that the file had before it; renames and whether their directory was
 * synced since. The tool `tear` reads it. Files outside of $POWER_DIR do not matter; the record is
 * $POWER_LOG.
 *
 *   S size path     file synced up to size         T size path    file cut to size
 *   R n old new     renamed; if `new` existed, it is kept as $POWER_LOG.n
 *   D path          directory synced: the renames in it are safe                              */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is interposed must be visible, whatever the flags say. */
#define EXPORT __attribute__((visibility("default")))

enum { PATH_SIZE = 1024, LINE_SIZE = 3 * PATH_SIZE };

static void record(const char *line, int size)
{
    const char *path = getenv("POWER_LOG");
    int log;

    if (!path || size <= 0 || size >= LINE_SIZE)
        return;
    /* Opened each time: the program may close descriptors that it does not know. */
    log = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0 || write(log, line, (size_t)size) != size)
        abort(); /* a gap in the record would make the test worthless */
    close(log);
}

static int is_ours(const char *path)
{
    const char *directory = getenv("POWER_DIR");
    size_t size = directory ? strlen(directory) : 0;

    return size && strncmp(path, directory, size) == 0 && (path[size] == '/' || !path[size]);
}

static int path_of(int file, char path[PATH_SIZE])
{
    char link[64];
    ssize_t size;

    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    size = readlink(link, path, PATH_SIZE - 1);
    if (size <= 0)
        return 0;
    path[size] = 0;
    return is_ours(path);
}

/* `before` was taken before the sync: what others append during it is not covered. */
static void record_sync(int file, const struct stat *before)
{
    char path[PATH_SIZE], line[LINE_SIZE];

    if (!path_of(file, path))
        return;
    if (S_ISDIR(before->st_mode))
        record(line, snprintf(line, sizeof line, "D %s\n", path));
    else if (S_ISREG(before->st_mode))
        record(line, snprintf(line, sizeof line, "S %lld %s\n", (long long)before->st_size, path));
}

static int sync_recorded(const char *name, int file)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    struct stat before;
    int known = fstat(file, &before) == 0, result = real(file);

    if (result == 0 && known)
        record_sync(file, &before);
    return result;
}

EXPORT int fsync(int file);
EXPORT int fsync(int file)
{
    return sync_recorded("fsync", file);
}

EXPORT int fdatasync(int file);
EXPORT int fdatasync(int file)
{
    return sync_recorded("fdatasync", file);
}

static int truncate_recorded(const char *name, int file, off_t size)
{
    int (*real)(int, off_t) = (int (*)(int, off_t))dlsym(RTLD_NEXT, name);
    char path[PATH_SIZE], line[LINE_SIZE];
    int result = real(file, size);

    if (result == 0 && path_of(file, path))
        record(line, snprintf(line, sizeof line, "T %lld %s\n", (long long)size, path));
    return result;
}

EXPORT int ftruncate(int file, off_t size);
EXPORT int ftruncate(int file, off_t size)
{
    return truncate_recorded("ftruncate", file, size);
}

EXPORT int ftruncate64(int file, off_t size);
EXPORT int ftruncate64(int file, off_t size)
{
    return truncate_recorded("ftruncate64", file, size);
}

EXPORT int rename(const char *from, const char *to);
EXPORT int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) =
        (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    static atomic_uint numbers;
    char kept[PATH_SIZE], line[LINE_SIZE];
    unsigned number;
    int result;

    if (!is_ours(from) || !is_ours(to) || !getenv("POWER_LOG"))
        return real(from, to);
    do {
        number = atomic_fetch_add(&numbers, 1);
        snprintf(kept, sizeof kept, "%s.%u", getenv("POWER_LOG"), number);
    } while (access(kept, F_OK) == 0);
    if (link(to, kept) != 0)
        kept[0] = 0;
    result = real(from, to);
    if (result == 0)
        record(line, snprintf(line, sizeof line, "R %u %s %s\n", number, from, to));
    else if (kept[0])
        unlink(kept);
    return result;
}
