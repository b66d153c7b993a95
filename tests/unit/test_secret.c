#include "trust/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/support/test.h"

struct kept {
    char path[32];
};

static void kept_open(struct kept *kept, const char *text)
{
    int file;

    snprintf(kept->path, sizeof kept->path, "/tmp/neap-test-XXXXXX");
    file = mkstemp(kept->path);
    CHECK(file >= 0);
    CHECK(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
}

TEST(a_file_is_read_whole_and_ends_in_zero)
{
    struct buffer bytes;
    struct kept kept;

    kept_open(&kept, "secret\n");
    CHECK_OK(secret_read(kept.path, SECRET_KEY, "key", &bytes, NULL));
    CHECK_SLICE(buffer_slice(&bytes), "secret\n");
    CHECK_EQUAL(bytes.data[bytes.size], 0);
    secret_done(&bytes);
    unlink(kept.path);
    kept_open(&kept, "");
    CHECK_OK(secret_read(kept.path, SECRET_KEY, "key", &bytes, NULL));
    CHECK_EQUAL(bytes.size, 0);
    secret_done(&bytes);
    unlink(kept.path);
}

TEST(a_key_that_others_may_read_is_refused_and_says_what_to_do)
{
    struct neap_error error = {0};
    struct buffer bytes;
    struct kept kept;

    kept_open(&kept, "secret");
    CHECK(!chmod(kept.path, 0640));
    CHECK_ERROR(secret_read(kept.path, SECRET_KEY, "key", &bytes, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "chmod 600") && strstr(error.text, kept.path));
    CHECK(!chmod(kept.path, 0602));
    CHECK_ERROR(secret_read(kept.path, SECRET_KEY, "key", &bytes, &error), NEAP_REFUSED);
    CHECK_OK(secret_read(kept.path, SECRET_PUBLIC, "key", &bytes, &error));
    secret_done(&bytes);
    unlink(kept.path);
    CHECK_ERROR(secret_read(kept.path, SECRET_PUBLIC, "key", &bytes, &error), NEAP_NOTFOUND);
    CHECK_ERROR(secret_read("/tmp", SECRET_PUBLIC, "key", &bytes, &error), NEAP_INVALID);
}

TEST(a_file_too_long_to_be_a_key_is_not_read)
{
    struct neap_error error = {0};
    struct buffer bytes;
    struct kept kept;

    kept_open(&kept, "");
    CHECK(!truncate(kept.path, SECRET_FILE_MAX + 1));
    CHECK_ERROR(secret_read(kept.path, SECRET_KEY, "key", &bytes, &error), NEAP_INVALID);
    CHECK(!truncate(kept.path, SECRET_FILE_MAX));
    CHECK_OK(secret_read(kept.path, SECRET_KEY, "key", &bytes, &error));
    CHECK_EQUAL(bytes.size, SECRET_FILE_MAX);
    secret_done(&bytes);
    unlink(kept.path);
}

static int read_again(void *argument)
{
    struct buffer bytes = {0};
    char *path = secret_path("/tmp", (const char *)argument + strlen("/tmp/"));
    int code = path ? secret_read(path, SECRET_KEY, "key", &bytes, NULL) : NEAP_NOMEM;

    if (!code)
        CHECK_SLICE(buffer_slice(&bytes), "secret");
    secret_done(&bytes);
    mem_free(path);
    return code;
}

TEST(a_secret_without_memory_is_an_error)
{
    struct kept kept;

    kept_open(&kept, "secret");
    test_alloc_sweep(read_again, kept.path);
    unlink(kept.path);
}

TEST(a_directory_is_told_from_a_file)
{
    CHECK(secret_is_directory("/tmp"));
    CHECK(!secret_is_directory("/dev/null"));
    CHECK(!secret_is_directory("/nowhere"));
}
