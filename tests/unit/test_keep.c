#include "trust/keep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/support/test.h"

struct place {
    char path[40];
};

static void place_open(struct place *place)
{
    snprintf(place->path, sizeof place->path, "/tmp/neap-keep-XXXXXX");
    CHECK(mkdtemp(place->path));
}

static void place_close(struct place *place, const char *const names[])
{
    for (; *names; names++)
        CHECK_OK(keep_remove(place->path, *names, NULL));
    CHECK(!rmdir(place->path)); /* nothing else is left */
}

static void check_text(const struct place *place, const char *name, const char *text)
{
    char *path = secret_path(place->path, name);
    struct buffer bytes;

    CHECK_OK(secret_read(path, SECRET_PUBLIC, "test", &bytes, NULL));
    CHECK_SLICE(buffer_slice(&bytes), text);
    secret_done(&bytes);
    mem_free(path);
}

static mode_t mode_of(const struct place *place, const char *name)
{
    char *path = secret_path(place->path, name);
    struct stat status;

    CHECK(!stat(path, &status));
    mem_free(path);
    return status.st_mode & 0777;
}

TEST(a_key_is_for_its_owner_alone)
{
    struct place place;
    mode_t before = umask(0);

    place_open(&place);
    CHECK_OK(keep_file(place.path, "key", slice_text("k"), SECRET_KEY, KEEP_NEW, NULL));
    CHECK_OK(keep_file(place.path, "pem", slice_text("p"), SECRET_PUBLIC, KEEP_NEW, NULL));
    CHECK_EQUAL(mode_of(&place, "key"), 0600);
    CHECK_EQUAL(mode_of(&place, "pem"), 0644);
    umask(before);
    place_close(&place, (const char *const[]){"key", "pem", NULL});
}

TEST(what_is_there_is_replaced_on_order_alone)
{
    struct neap_error error = {0};
    struct place place;

    place_open(&place);
    CHECK_OK(keep_file(place.path, "x", slice_text("one"), SECRET_KEY, KEEP_NEW, NULL));
    CHECK_ERROR(keep_file(place.path, "x", slice_text("two"), SECRET_KEY, KEEP_NEW, &error),
                NEAP_REFUSED);
    CHECK(strstr(error.text, "not written over"));
    check_text(&place, "x", "one");
    CHECK_OK(keep_file(place.path, "x", slice_text("two"), SECRET_KEY, KEEP_REPLACE, NULL));
    check_text(&place, "x", "two");
    CHECK(keep_has(place.path, "x"));
    CHECK(!keep_has(place.path, "y"));
    place_close(&place, (const char *const[]){"x", NULL});
}

/* A draft of a process that died, which somebody may have made a link of. */
TEST(what_a_crash_left_does_no_harm)
{
    struct place place;
    char draft[100], aim[100];

    place_open(&place);
    snprintf(draft, sizeof draft, "%s/.x.new", place.path);
    snprintf(aim, sizeof aim, "%s/aim", place.path);
    CHECK(!symlink(aim, draft));
    CHECK_OK(keep_file(place.path, "x", slice_text("new"), SECRET_KEY, KEEP_NEW, NULL));
    check_text(&place, "x", "new");
    CHECK(!keep_has(place.path, "aim"));
    place_close(&place, (const char *const[]){"x", NULL});
}

TEST(a_directory_is_made_once_and_is_its_owners)
{
    struct neap_error error = {0};
    struct place place;
    char path[100];

    place_open(&place);
    snprintf(path, sizeof path, "%s/made/", place.path);
    CHECK_OK(keep_directory(path, NULL));
    CHECK_OK(keep_directory(path, NULL));
    CHECK_EQUAL(mode_of(&place, "made"), 0700);
    CHECK(!rmdir(path));
    CHECK_OK(keep_file(place.path, "made", slice_text(""), SECRET_KEY, KEEP_NEW, NULL));
    path[strlen(path) - 1] = 0;
    CHECK_ERROR(keep_directory(path, &error), NEAP_REFUSED);
    CHECK_ERROR(keep_directory("/nowhere/at/all", &error), NEAP_NOTFOUND);
    CHECK_ERROR(keep_file("/nowhere", "x", slice_text(""), SECRET_KEY, KEEP_NEW, &error),
                NEAP_NOTFOUND);
    place_close(&place, (const char *const[]){"made", NULL});
}

TEST(what_root_puts_into_the_directory_of_a_service_is_the_services)
{
    enum { SERVICE = 12345 };
    struct place place;
    struct stat status;
    char path[100];

    if (geteuid() != 0)
        return;
    place_open(&place);
    CHECK(!chown(place.path, SERVICE, SERVICE + 1));
    CHECK_OK(keep_file(place.path, "key", slice_text("k"), SECRET_KEY, KEEP_NEW, NULL));
    snprintf(path, sizeof path, "%s/key", place.path);
    CHECK(!stat(path, &status));
    CHECK_EQUAL(status.st_uid, SERVICE);
    CHECK_EQUAL(status.st_gid, SERVICE + 1);
    CHECK_EQUAL(status.st_mode & 0777, 0600);
    snprintf(path, sizeof path, "%s/made", place.path);
    CHECK_OK(keep_directory(path, NULL));
    CHECK(!stat(path, &status));
    CHECK_EQUAL(status.st_uid, SERVICE);
    CHECK(!rmdir(path));
    place_close(&place, (const char *const[]){"key", NULL});
}
