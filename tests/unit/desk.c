#include "tests/unit/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/support/test.h"
#include "trust/credentials.h"
#include "trust/keep.h"
#include "trust/secret.h"

static uint64_t now_s(void)
{
    struct timespec now;

    CHECK(!clock_gettime(CLOCK_REALTIME, &now));
    return (uint64_t)now.tv_sec;
}

void home_open(struct home *home)
{
    snprintf(home->path, sizeof home->path, "/tmp/neap-desk-XXXXXX");
    CHECK(mkdtemp(home->path));
    snprintf(home->other, sizeof home->other, "%s/other", home->path);
    home->now_s = now_s();
    CHECK_OK(directory_make(home->path, home->now_s, NULL));
}

void home_close(struct home *home)
{
    char line[80];

    snprintf(line, sizeof line, "rm -r %s", home->path);
    CHECK(!system(line));
}

struct slice file_of(const char *directory, const char *name, struct buffer *ret_bytes)
{
    char *path = secret_path(directory, name);

    CHECK_OK(secret_read(path, SECRET_PUBLIC, "test", ret_bytes, NULL));
    mem_free(path);
    return buffer_slice(ret_bytes);
}

void file_put(const char *directory, const char *name, const char *text)
{
    CHECK_OK(keep_file(directory, name, slice_text(text), SECRET_KEY, KEEP_REPLACE, NULL));
}

struct principal device_of_fish(void)
{
    struct principal who = {.kind = PRINCIPAL_DEVICE, .cluster = 1};

    CHECK_OK(principal_add(&who, slice_text("neap://0000000000000001/read/fish")));
    CHECK_OK(principal_add(&who, slice_text("neap://0000000000000001/write/chips")));
    return who;
}

void home_certificate(const struct home *home, struct issue_span span)
{
    struct issued issued;
    struct buffer request, certificate, ca, key, own;
    struct issuer issuer = {file_of(home->path, "ca.pem", &ca),
                            file_of(home->path, "ca.key", &key)};

    CHECK_OK(issue_read(file_of(home->path, "node.pem", &own), &issued, NULL));
    CHECK_OK(directory_request(home->path, &request, NULL));
    CHECK_OK(issue_sign(&issuer, buffer_slice(&request), &issued.principal, span, ISSUE_BOTH,
                        &certificate, NULL));
    CHECK_OK(keep_file(home->path, CREDENTIALS_CERTIFICATE, buffer_slice(&certificate),
                       SECRET_PUBLIC, KEEP_REPLACE, NULL));
    issued_done(&issued);
    buffer_done(&request);
    buffer_done(&certificate);
    buffer_done(&ca);
    buffer_done(&own);
    secret_done(&key);
}
