/* Door: files with keys. */
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/platform_util.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "trust/secret.h"

static int file_check(int file, const char *path, enum secret_mode mode, const char *what,
                      size_t *ret_size, struct neap_error *error)
{
    struct stat status;

    if (fstat(file, &status))
        return error_set(error, NEAP_IO, "%s: %.150s: %s", what, path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(error, NEAP_INVALID, "%s: %.150s: not a file", what, path);
    if (mode == SECRET_KEY && status.st_mode & (S_IRWXG | S_IRWXO))
        return error_set(error, NEAP_REFUSED,
                         "%s: %.150s: its key is not secret while others may read it: "
                         "chmod 600 it",
                         what, path);
    if (status.st_size > SECRET_FILE_MAX)
        return error_set(error, NEAP_INVALID, "%s: %.150s: too long to be one", what, path);
    *ret_size = (size_t)status.st_size;
    return 0;
}

/* Room for all of it is taken once: a buffer that grows leaves copies behind. */
static int file_take(int file, size_t size, struct buffer *bytes)
{
    ssize_t got = 1;

    buffer_init(bytes, SECRET_FILE_MAX + 1);
    if (buffer_reserve(bytes, size + 1))
        return NEAP_NOMEM;
    while (got > 0 && bytes->size < size) {
        got = read(file, bytes->data + bytes->size, size - bytes->size);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got > 0)
            bytes->size += (size_t)got;
    }
    bytes->data[bytes->size] = 0;
    return got < 0 ? NEAP_IO : 0;
}

int secret_read(const char *path, enum secret_mode mode, const char *what, struct buffer *ret_bytes,
                struct neap_error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), code;
    struct buffer bytes = {0};
    size_t size = 0;

    if (file < 0)
        return error_set(error, errno == ENOENT ? NEAP_NOTFOUND : NEAP_REFUSED, "%s: %.150s: %s",
                         what, path, strerror(errno));
    code = file_check(file, path, mode, what, &size, error);
    if (!code) {
        code = file_take(file, size, &bytes);
        if (code)
            error_set(error, code, "%s: %.150s: %s", what, path,
                      code == NEAP_IO ? strerror(errno) : error_text(code));
    }
    (void)close(file);
    if (code)
        secret_done(&bytes);
    else
        *ret_bytes = bytes;
    return code;
}

void secret_wipe(void *bytes, size_t size)
{
    mbedtls_platform_zeroize(bytes, size);
}

void secret_done(struct buffer *buffer)
{
    if (buffer->data)
        mbedtls_platform_zeroize(buffer->data, buffer->room);
    buffer_done(buffer);
}

char *secret_path(const char *directory, const char *name)
{
    size_t size = strlen(directory) + 1 + strlen(name) + 1;
    char *path = mem_new(size);

    if (path)
        snprintf(path, size, "%s/%s", directory, name);
    return path;
}

bool secret_is_directory(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

int secret_file(const char *directory, const char *name, enum secret_mode mode,
                struct buffer *ret_bytes, struct neap_error *error)
{
    char *path = secret_path(directory, name);
    int code = path ? secret_read(path, mode, "cluster", ret_bytes, error)
                    : error_set(error, NEAP_NOMEM, "%s", error_text(NEAP_NOMEM));

    mem_free(path);
    return code;
}
