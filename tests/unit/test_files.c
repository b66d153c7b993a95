#include "store/files.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/test.h"

struct place {
    char path[64];
    struct files *files;
    struct neap_error error;
};

static void place_begin(struct place *place)
{
    *place = (struct place){.path = "tmp-files-XXXXXX"};
    CHECK(mkdtemp(place->path));
    CHECK_OK(files_open(place->path, &place->files, &place->error));
}

static void place_end(struct place *place)
{
    files_close(place->files);
    files_discard(place->path);
    CHECK(access(place->path, F_OK));
}

static const char *path_in(const struct place *place, const char *name)
{
    static char path[160];

    snprintf(path, sizeof path, "%s/%s", place->path, name);
    return path;
}

static int count_name(void *arg, const char *name)
{
    (void)name;
    ++*(unsigned *)arg;
    return 0;
}

static unsigned names_count(struct place *place)
{
    unsigned count = 0;

    CHECK_OK(files_each(place->files, count_name, &count, &place->error));
    return count;
}

TEST(a_file_is_put_summed_copied_and_got)
{
    struct checksum sum, expected = checksum_of(slice_text("hello"));
    struct place place, other;
    struct buffer bytes;
    uint64_t size;

    place_begin(&place);
    place_begin(&other);
    buffer_init(&bytes, 5);
    CHECK_OK(files_put(place.files, "a", slice_text("hello"), &place.error));
    CHECK_OK(files_sum(place.files, "a", FILES_SYNC | FILES_AGAIN, NULL, &size, &sum, NULL));
    CHECK_EQUAL(size, 5);
    CHECK(checksum_equal(&sum, &expected));
    memset(&sum, 0, sizeof sum);
    CHECK_OK(files_copy(place.files, other.files, "a", NULL, &size, &sum, &place.error));
    CHECK(checksum_equal(&sum, &expected));
    CHECK_OK(files_get(other.files, "a", &bytes, &place.error));
    CHECK_SLICE(buffer_slice(&bytes), "hello");
    CHECK_OK(files_put(place.files, "b", slice_text("hello!"), &place.error));
    CHECK_ERROR(files_get(place.files, "b", &bytes, &place.error), NEAP_LIMIT);
    CHECK_EQUAL(names_count(&place), 2);
    CHECK_OK(files_remove(place.files, "b", &place.error));
    CHECK_ERROR(files_remove(place.files, "b", &place.error), NEAP_NOTFOUND);
    CHECK_OK(files_sync(place.files, &place.error));
    buffer_done(&bytes);
    place_end(&place);
    place_end(&other);
}

TEST(nothing_is_written_over_what_is_there)
{
    struct place place, other;
    struct checksum sum;
    struct buffer bytes;
    uint64_t size;

    place_begin(&place);
    place_begin(&other);
    buffer_init(&bytes, 100);
    CHECK_OK(files_put(place.files, "a", slice_text("mine"), NULL));
    CHECK_OK(files_put(other.files, "a", slice_text("theirs"), NULL));
    CHECK_ERROR(files_put(place.files, "a", slice_text("x"), &place.error), NEAP_REFUSED);
    CHECK(strstr(place.error.text, place.path) && strstr(place.error.text, "/a"));
    CHECK_ERROR(files_copy(other.files, place.files, "a", NULL, &size, &sum, &place.error),
                NEAP_REFUSED);
    CHECK_OK(files_get(place.files, "a", &bytes, NULL));
    CHECK_SLICE(buffer_slice(&bytes), "mine");
    CHECK_ERROR(files_make(place.path, &place.error), NEAP_REFUSED);
    CHECK_ERROR(files_rename(other.path, place.path, &place.error), NEAP_REFUSED);
    CHECK_OK(files_remove(place.files, "a", NULL));
    CHECK_ERROR(files_rename(other.path, place.path, &place.error), NEAP_REFUSED); /* empty */
    buffer_done(&bytes);
    place_end(&place);
    place_end(&other);
}

TEST(what_is_no_regular_file_is_none)
{
    struct checksum sum;
    struct place place;
    uint64_t size;

    place_begin(&place);
    CHECK_OK(mkdir(path_in(&place, "directory"), 0700));
    CHECK_OK(mkfifo(path_in(&place, "pipe"), 0600));
    CHECK_OK(symlink("/dev/zero", path_in(&place, "link")));
    CHECK_ERROR(files_sum(place.files, "directory", 0, NULL, &size, &sum, NULL), NEAP_INVALID);
    CHECK_ERROR(files_sum(place.files, "pipe", 0, NULL, &size, &sum, NULL), NEAP_INVALID);
    CHECK_ERROR(files_sum(place.files, "link", 0, NULL, &size, &sum, NULL), NEAP_INVALID);
    CHECK_ERROR(files_sum(place.files, "none", 0, NULL, &size, &sum, &place.error), NEAP_NOTFOUND);
    CHECK(strstr(place.error.text, "none"));
    place_end(&place);
}

TEST(directories_are_opened_made_and_renamed)
{
    char name[80], longer[96];
    struct files *files = NULL;
    struct place place;

    place_begin(&place);
    snprintf(name, sizeof name, "%s.new", place.path);
    snprintf(longer, sizeof longer, "%s/sub", name);
    CHECK_ERROR(files_open(name, &files, &place.error), NEAP_NOTFOUND);
    CHECK_ERROR(files_make(longer, &place.error), NEAP_NOTFOUND);
    CHECK_OK(files_rename(place.path, name, &place.error));
    CHECK_OK(files_make(longer, &place.error));
    CHECK_OK(files_put(place.files, "file", slice_text("x"), NULL));
    CHECK_ERROR(files_open(path_in(&place, ""), &files, NULL), NEAP_NOTFOUND);
    snprintf(longer, sizeof longer, "%s/file", name);
    CHECK_ERROR(files_open(longer, &files, &place.error), NEAP_INVALID);
    CHECK(!files);
    snprintf(place.path, sizeof place.path, "%.60s", name);
    place_end(&place);
}

static int stop_at_third(void *arg)
{
    return ++*(unsigned *)arg == 3 ? NEAP_UNAVAILABLE : 0;
}

/* Of a file of several pieces; the half that was written goes. */
TEST(a_watch_ends_the_work_between_two_pieces)
{
    unsigned asked = 0;
    const struct files_watch watch = {.step = stop_at_third, .arg = &asked};
    const size_t large = 1 << 20;
    uint8_t *bytes = calloc(1, large);
    struct place place, other;
    struct checksum sum;
    uint64_t size;

    CHECK(bytes);
    place_begin(&place);
    place_begin(&other);
    CHECK_OK(files_put(place.files, "large", slice_of(bytes, large), NULL));
    free(bytes);
    CHECK_ERROR(files_copy(place.files, other.files, "large", &watch, &size, &sum, &place.error),
                NEAP_UNAVAILABLE);
    CHECK_EQUAL(names_count(&other), 0);
    CHECK_EQUAL(asked, 3);
    CHECK_OK(files_sum(place.files, "large", 0, &watch, &size, &sum, &place.error));
    CHECK_EQUAL(size, large);
    place_end(&place);
    place_end(&other);
}

/* A limit on the size of files stands for a disk that is full. */
TEST(a_file_that_does_not_fit_is_refused_and_none_is_left)
{
    static const uint8_t bytes[8192];
    struct place place, other;
    struct rlimit limit, less;
    struct checksum sum;
    uint64_t size;

    place_begin(&place);
    place_begin(&other);
    CHECK_OK(files_put(place.files, "large", slice_of(bytes, sizeof bytes), NULL));
    CHECK_OK(getrlimit(RLIMIT_FSIZE, &limit));
    less = limit;
    less.rlim_cur = 4096;
    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &less));
    CHECK_ERROR(files_put(other.files, "a", slice_of(bytes, sizeof bytes), &other.error),
                NEAP_REFUSED);
    CHECK_ERROR(files_copy(place.files, other.files, "large", NULL, &size, &sum, &place.error),
                NEAP_REFUSED);
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    CHECK_EQUAL(names_count(&other), 0);
    place_end(&place);
    place_end(&other);
}

TEST(the_room_of_a_copy_is_that_of_what_cannot_be_linked)
{
    uint64_t needed = 0, available = 0;
    struct place place;

    place_begin(&place);
    CHECK_OK(files_put(place.files, "1.sst", slice_text("0123456789"), NULL));
    CHECK_OK(files_put(place.files, "2.log", slice_text("01234"), NULL));
    CHECK_OK(files_room(place.path, "copy", &needed, &available, &place.error));
    CHECK_EQUAL(needed, 10); /* the log, twice */
    CHECK(available > 0);
    if (!access("/dev/shm", W_OK)) {
        CHECK_OK(files_room(place.path, "/dev/shm/copy", &needed, &available, &place.error));
        CHECK(needed == 20 || needed == 10);
    }
    CHECK_ERROR(files_room(place.path, "none/copy", &needed, &available, &place.error),
                NEAP_NOTFOUND);
    CHECK_ERROR(files_room("none", "copy", &needed, &available, &place.error), NEAP_NOTFOUND);
    place_end(&place);
}

static int all_of_it(void *argument)
{
    struct place *place = argument;
    struct files *again = NULL;
    uint64_t size, available;
    struct checksum sum;
    struct buffer bytes;
    int code = files_open(place->path, &again, &place->error);

    buffer_init(&bytes, 100);
    if (!code)
        code = files_copy(place->files, again, "none", NULL, &size, &sum, &place->error);
    if (code == NEAP_NOTFOUND)
        code = files_sum(again, "a", 0, NULL, &size, &sum, &place->error);
    if (!code)
        code = files_get(again, "a", &bytes, &place->error);
    if (!code)
        code = files_room(place->path, "copy", &size, &available, &place->error);
    buffer_done(&bytes);
    files_close(again);
    return code;
}

TEST(files_need_memory_and_say_so)
{
    struct place place;

    place_begin(&place);
    CHECK_OK(files_put(place.files, "a", slice_text("x"), NULL));
    test_alloc_sweep(all_of_it, &place);
    place_end(&place);
}
