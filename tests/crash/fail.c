/* A preloaded library with a disk that fails: while the file $FAIL_NOW exists, the calls $FAIL_CALL
 * (sync, write or read) on files of the directory $FAIL_DIR whose name ends with $FAIL_FILE give
 * $FAIL_ERROR (EIO or ENOSPC). "once" in that file: the first of them removes it. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* What is interposed must be visible, whatever the flags say. */
#define EXPORT __attribute__((visibility("default")))

enum { PATH_SIZE = 1024 };

static int file_is_meant(int file)
{
    const char *directory = getenv("FAIL_DIR"), *ending = getenv("FAIL_FILE");
    char link[64], path[PATH_SIZE];
    size_t ending_size = ending ? strlen(ending) : 0;
    ssize_t size;

    if (!directory)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    size = readlink(link, path, PATH_SIZE - 1);
    if (size <= 0 || (size_t)size < ending_size)
        return 0;
    path[size] = 0;
    return strncmp(path, directory, strlen(directory)) == 0 &&
           (!ending_size || strcmp(path + size - ending_size, ending) == 0);
}

/* Is it now? By system calls of its own: the ones it stands for would ask again. */
static int now(void)
{
    const char *path = getenv("FAIL_NOW");
    char text[8] = "";
    int file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;

    if (file < 0)
        return 0;
    if (syscall(SYS_read, file, text, sizeof text - 1) < 0)
        text[0] = 0;
    close(file);
    if (!text[0]) /* made, and not written yet */
        return 0;
    return strncmp(text, "once", 4) || syscall(SYS_unlinkat, AT_FDCWD, path, 0) == 0;
}

static int fails(const char *call, int file)
{
    const char *wanted = getenv("FAIL_CALL"), *error = getenv("FAIL_ERROR");
    int before = errno;

    if (wanted && strcmp(wanted, call) == 0 && file_is_meant(file) && now()) {
        errno = error && strcmp(error, "ENOSPC") == 0 ? ENOSPC : EIO;
        return 1;
    }
    errno = before;
    return 0;
}

/* fails() has said no: the call itself. */
#define REAL(result, name, parameters) ((result(*) parameters)dlsym(RTLD_NEXT, #name))

EXPORT int fsync(int file);
EXPORT int fsync(int file)
{
    return fails("sync", file) ? -1 : REAL(int, fsync, (int))(file);
}

EXPORT int fdatasync(int file);
EXPORT int fdatasync(int file)
{
    return fails("sync", file) ? -1 : REAL(int, fdatasync, (int))(file);
}

EXPORT ssize_t write(int file, const void *data, size_t size);
EXPORT ssize_t write(int file, const void *data, size_t size)
{
    return fails("write", file)
               ? -1
               : REAL(ssize_t, write, (int, const void *, size_t))(file, data, size);
}

EXPORT ssize_t pread(int file, void *data, size_t size, off_t at);
EXPORT ssize_t pread(int file, void *data, size_t size, off_t at)
{
    return fails("read", file)
               ? -1
               : REAL(ssize_t, pread, (int, void *, size_t, off_t))(file, data, size, at);
}

EXPORT ssize_t pread64(int file, void *data, size_t size, off_t at);
EXPORT ssize_t pread64(int file, void *data, size_t size, off_t at)
{
    return fails("read", file)
               ? -1
               : REAL(ssize_t, pread64, (int, void *, size_t, off_t))(file, data, size, at);
}
