/* Data directories of this format and of the one before are opened, read and written; those of a
 * newer one are refused in words, and left as they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "neap.h"
#include "store/format.h"
#include "store/keys.h"
#include "tests/golden/folder.h"

/* ---- by the public functions ---- */

static int open_with(const struct folder *folder, unsigned flags, struct neap **ret_neap,
                     struct neap_error *error)
{
    struct neap_options options;

    neap_options_init(&options);
    options.path = folder->path;
    options.flags = flags;
    *error = (struct neap_error){0};
    return neap_open(&options, ret_neap, error);
}

static struct neap *opened(const struct folder *folder)
{
    struct neap_error error;
    struct neap *neap = NULL;
    int code = open_with(folder, 0, &neap, &error);

    if (code)
        test_failed(__FILE__, __LINE__, "%s", error.text);
    return neap;
}

static struct neap_bytes bytes_of(const char *text)
{
    return (struct neap_bytes){text, strlen(text)};
}

static struct neap_place at(const char *key)
{
    return (struct neap_place){.bucket = SCENE_BUCKET, .key = bytes_of(key)};
}

static struct neap_place form_city(struct neap_bytes *field)
{
    struct neap_place place = at("form");

    *field = bytes_of("city");
    place.fields = field;
    place.fields_count = 1;
    return place;
}

static void check_lww(struct neap *neap, struct neap_place place, const char *expected)
{
    struct neap_buffer value = {0};

    CHECK_OK(neap_lww_get(neap, &place, &value, NULL));
    CHECK_SLICE(slice_of(value.data, value.size), expected);
    neap_buffer_free(&value);
}

/* The values of a register, each followed by a blank. */
static void check_values(struct neap *neap, const char *key, const char *expected)
{
    struct neap_place place = at(key);
    struct neap_iter *iter = NULL;
    struct neap_item item;
    struct buffer text;
    int error;

    buffer_init(&text, GOLDEN_BYTES_MAX);
    CHECK_OK(neap_register_values(neap, &place, NULL, &iter));
    while (!(error = neap_next(iter, &item, 0)))
        say(&text, "%.*s ", (int)item.value.size, (const char *)item.value.data);
    CHECK_EQUAL(error, NEAP_END);
    neap_iter_free(iter);
    CHECK_SLICE(buffer_slice(&text), expected);
    buffer_done(&text);
}

static void check_set(struct neap *neap, const char *element, bool expected)
{
    struct neap_place place = at("tags");
    int is_in = -1;

    CHECK_OK(neap_set_has(neap, &place, bytes_of(element), &is_in, NULL));
    CHECK_EQUAL(is_in, expected);
}

static void check_counter(struct neap *neap, int64_t expected)
{
    struct neap_place place = at("visits");
    int64_t number = 0;

    CHECK_OK(neap_counter_get(neap, &place, &number, NULL));
    CHECK_EQUAL(number, expected);
}

static void check_flag(struct neap *neap, bool expected)
{
    struct neap_place place = at("open");
    int is_on = -1;

    CHECK_OK(neap_flag_get(neap, &place, &is_on, NULL));
    CHECK_EQUAL(is_on, expected);
}

/* What tests/golden/scene.c has written. */
static void check_first(struct neap *neap)
{
    struct neap_bytes field;

    check_lww(neap, at("name"), "tide");
    check_lww(neap, form_city(&field), "deep");
    check_values(neap, "both", "one two ");
    check_values(neap, "gone", "");
    check_values(neap, "left", "");
    check_values(neap, "theirs", "far ");
    check_values(neap, "later", "on ");
    check_set(neap, "red", true);
    check_set(neap, "gr\xc3\xbcn", true);
    check_set(neap, "blue", false);
    check_counter(neap, 1103);
    check_flag(neap, true);
}

/* An event on cells of all types: old ones, what they know beyond the shard, and new ones. */
static void change_all(struct neap *neap)
{
    struct neap_place name = at("name"), both = at("both"), left = at("left"), tags = at("tags"),
                      visits = at("visits"), open = at("open"), form = at("form");

    CHECK_OK(neap_lww_set(neap, &name, bytes_of("ebb"), NULL));
    CHECK_OK(neap_register_set(neap, &both, bytes_of("three"), NULL));
    CHECK_OK(neap_register_set(neap, &left, bytes_of("again"), NULL));
    CHECK_OK(neap_set_remove(neap, &tags, bytes_of("red"), NULL));
    CHECK_OK(neap_set_add(neap, &tags, bytes_of("blue"), NULL));
    CHECK_OK(neap_counter_add(neap, &visits, -3, NULL));
    CHECK_OK(neap_flag_set(neap, &open, 0, NULL));
    CHECK_OK(neap_remove(neap, &form, NEAP_ANY, NULL));
}

static void check_changed(struct neap *neap)
{
    struct neap_buffer value = {0};
    struct neap_bytes field;
    struct neap_place city = form_city(&field);

    check_lww(neap, at("name"), "ebb");
    CHECK_ERROR(neap_lww_get(neap, &city, &value, NULL), NEAP_NOTFOUND);
    check_values(neap, "both", "one two three ");
    check_values(neap, "left", "again ");
    check_values(neap, "theirs", "far ");
    check_set(neap, "red", false);
    check_set(neap, "blue", true);
    check_counter(neap, 1100);
    check_flag(neap, false);
    neap_buffer_free(&value);
}

static void live_on(const struct folder *folder)
{
    struct neap *neap = opened(folder);

    check_first(neap);
    neap_close(neap);
    neap = opened(folder);
    check_first(neap);
    change_all(neap);
    check_changed(neap);
    neap_close(neap);
    neap = opened(folder);
    check_changed(neap);
    neap_close(neap);
}

/* Each format that is read has its file: when the format grows, the one before stays. */
TEST(directories_of_all_formats_that_are_read_live_on)
{
    for (uint32_t format = format_reads().oldest; format <= format_reads().newest; format++) {
        struct folder folder;

        folder_new(&folder);
        folder_fill(&folder, format);
        live_on(&folder);
        CHECK_OK(directory_format_check(folder.path, format_reads(), NULL));
        folder_remove(&folder);
    }
}

/* ---- as RocksDB has left it ---- */

static void folder_start(struct folder *ret_folder)
{
    folder_new(ret_folder);
    folder_fill(ret_folder, FORMAT_VERSION);
    neap_close(opened(ret_folder));
}

static void tar(const char *how, const char *file, const char *more, const char *path)
{
    char line[1024];
    int size = snprintf(line, sizeof line, "tar %s '%s' -C '%s' %s", how, file, path, more);

    CHECK(size > 0 && (size_t)size < sizeof line);
    CHECK_EQUAL(system(line), 0);
}

/* Other files each time: only made where there is none. */
static void pack(const char *file)
{
    struct folder folder;

    if (access(file, F_OK) == 0)
        return;
    folder_start(&folder);
    tar("-czf", file, "--owner=0 --group=0 --exclude='LOG*' .", folder.path);
    folder_remove(&folder);
}

/* The files of a real one of each format, with tables and log as that version's RocksDB wrote them.
 * It is a copy, so it begins a new life: that is seen to as well. */
TEST(packed_directories_of_all_formats_live_on)
{
    for (uint32_t format = format_reads().oldest; format <= format_reads().newest; format++) {
        char name[32], file[512];
        struct folder folder;

        snprintf(name, sizeof name, "directory-%u.tar.gz", (unsigned)format);
        golden_path(name, file, sizeof file);
        if (golden_writes() && format == FORMAT_VERSION)
            pack(file);
        folder_new(&folder);
        CHECK_EQUAL(mkdir(folder.path, 0700), 0);
        tar("-xzf", file, "", folder.path);
        live_on(&folder);
        folder_remove(&folder);
    }
}

/* ---- newer ones ---- */

static void make_newer(const struct folder *folder)
{
    struct buffer bytes;
    struct writer writer;

    buffer_init(&bytes, 16);
    writer_init(&writer, &bytes);
    write_array(&writer, 1);
    write_u64(&writer, FORMAT_VERSION + 1);
    folder_put(folder, slice_text("F"), buffer_slice(&bytes));
    buffer_done(&bytes);
}

static void check_refused(const struct folder *folder, unsigned flags, const char *what)
{
    struct neap_error error;
    struct neap *neap = NULL;
    char found[32], reads[32];

    CHECK_ERROR(open_with(folder, flags, &neap, &error), NEAP_FORMAT);
    CHECK_EQUAL(error.code, NEAP_FORMAT);
    snprintf(found, sizeof found, "has format %d,", FORMAT_VERSION + 1);
    snprintf(reads, sizeof reads, "reads %d", FORMAT_VERSION);
    if (!strstr(error.text, what) || !strstr(error.text, found) || !strstr(error.text, reads) ||
        !strstr(error.text, "use a newer version of the program"))
        test_failed(__FILE__, __LINE__, "says little: %s", error.text);
}

static void check_refused_always(const struct folder *folder, const char *what)
{
    check_refused(folder, 0, what);
    check_refused(folder, NEAP_CREATE, what);
    check_refused(folder, NEAP_READONLY, what);
}

/* No byte of it changes, nor does a file come or go. */
TEST(a_newer_directory_is_refused_and_left_as_it_is)
{
    struct buffer before, after;
    struct folder folder;

    buffer_init(&before, (size_t)16 << 20);
    buffer_init(&after, (size_t)16 << 20);
    folder_start(&folder);
    make_newer(&folder);
    directory_format_write(folder.path, FORMAT_VERSION + 1);
    folder_look(&folder, &before);
    check_refused_always(&folder, folder.path);
    folder_look(&folder, &after);
    CHECK_BYTES(buffer_slice(&after), buffer_slice(&before));
    folder_remove(&folder);
    buffer_done(&before);
    buffer_done(&after);
}

/* The file that tells a program beforehand is gone: RocksDB has its files moved by then, but no key
 * has changed. */
TEST(a_newer_directory_is_refused_without_its_file)
{
    struct buffer before, after;
    struct folder folder;
    char path[128];

    buffer_init(&before, GOLDEN_BYTES_MAX);
    buffer_init(&after, GOLDEN_BYTES_MAX);
    folder_start(&folder);
    make_newer(&folder);
    snprintf(path, sizeof path, "%s/FORMAT", folder.path);
    CHECK_EQUAL(remove(path), 0);
    folder_dump(&folder, &before);
    check_refused_always(&folder, "the directory");
    CHECK(fopen(path, "re") ==
          NULL); /* it would have said what this program is, not what is there */
    folder_dump(&folder, &after);
    CHECK_BYTES(buffer_slice(&after), buffer_slice(&before));
    folder_remove(&folder);
    buffer_done(&before);
    buffer_done(&after);
}

TEST(a_newer_record_of_a_bucket_is_refused)
{
    struct buffer before, after;
    struct folder folder;
    struct key key;
    uint8_t bytes[32];

    buffer_init(&before, GOLDEN_BYTES_MAX);
    buffer_init(&after, GOLDEN_BYTES_MAX);
    folder_start(&folder);
    key_shard(&key, scene_shard());
    folder_put(&folder, key_slice(&key), test_unhex("93 02 c0 c0", bytes, sizeof bytes));
    folder_dump(&folder, &before);
    check_refused_always(&folder, "the record of a bucket");
    folder_dump(&folder, &after);
    CHECK_BYTES(buffer_slice(&after), buffer_slice(&before));
    folder_remove(&folder);
    buffer_done(&before);
    buffer_done(&after);
}
