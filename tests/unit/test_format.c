#include "store/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/disk_cases.h"

/* ---- in the database ---- */

static void put_hex(struct disk *disk, const char *hex)
{
    struct batch *batch = NULL;
    uint8_t bytes[128];

    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(batch_put(batch, DISK_META, slice_text("F"), test_unhex(hex, bytes, sizeof bytes)));
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
}

/* The formats of a later program: its own and the one before are read. */
TEST(a_program_reads_its_format_and_the_one_before)
{
    static const char long_record[] =
        "dc 00 40 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 "
        "01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 01 "
        "01 01 01 01 01 01 01";
    static const struct {
        const char *hex;
        struct versions reads;
        int code;
        uint32_t found;
    } cases[] = {
        {"91 01", {1, 1}, 0, 1},
        {"91 02", {1, 1}, NEAP_FORMAT, 0},
        {"91 01", {1, 2}, 0, 1},
        {"91 02", {1, 2}, 0, 2},
        {"91 03", {1, 2}, NEAP_FORMAT, 0},
        {"91 01", {2, 3}, NEAP_FORMAT, 0},
        {"91 00", {1, 2}, NEAP_CORRUPT, 0},
        {"91", {1, 2}, NEAP_CORRUPT, 0},
        {"92 01 01", {1, 2}, NEAP_CORRUPT, 0},
        {"91 cf ff ff ff ff ff ff ff ff", {1, 2}, NEAP_FORMAT, 0},
        {long_record, {1, 2}, NEAP_CORRUPT, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct neap_error error = {0};
        struct disk *disk = NULL;
        struct view view = {0};
        uint32_t found = 0;

        CHECK_OK(disk_mem_open(&disk));
        view.disk = disk;
        put_hex(disk, cases[i].hex);
        CHECK_ERROR(format_read(&view, cases[i].reads, &found, &error), cases[i].code);
        CHECK_EQUAL(found, cases[i].found);
        CHECK_EQUAL(error.code, cases[i].code);
        disk_close(disk);
    }
}

static int write_and_read(void *argument)
{
    struct versions reads = {4, 5};
    struct batch *batch = NULL;
    struct disk *disk = NULL;
    uint32_t found = 0;
    int error = disk_mem_open(&disk);

    (void)argument;
    if (!error)
        error = batch_new(disk, &batch);
    if (!error)
        error = format_write(batch, 5);
    if (error && batch)
        CHECK(batch_is_empty(batch));
    if (!error) {
        struct view view = batch_view(batch);

        error = format_read(&view, reads, &found, NULL);
        if (!error)
            CHECK_EQUAL(found, 5);
    }
    batch_free(batch);
    disk_close(disk);
    return error;
}

TEST(a_format_is_read_as_it_was_written)
{
    struct disk *disk = NULL;
    struct view view = {0};
    uint32_t found;

    test_alloc_sweep(write_and_read, NULL);
    CHECK_OK(disk_mem_open(&disk));
    view.disk = disk;
    CHECK_ERROR(format_read(&view, format_reads(), &found, NULL), NEAP_NOTFOUND);
    disk_close(disk);
}

TEST(the_format_before_this_one_is_read)
{
    CHECK_EQUAL(format_reads().newest, FORMAT_VERSION);
    CHECK_EQUAL(format_reads().oldest, FORMAT_VERSION > 1 ? FORMAT_VERSION - 1 : 1);
}

/* ---- in the file ---- */

static void folder_new(char ret_path[64])
{
    const char *parent = getenv("TMPDIR");

    snprintf(ret_path, 64, "%.40s/neap-format-XXXXXX", parent ? parent : "/tmp");
    CHECK(mkdtemp(ret_path));
}

static void file_put(const char *folder, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/FORMAT", folder);
    file = fopen(path, "we");
    CHECK(file);
    CHECK(fputs(text, file) >= 0);
    CHECK_EQUAL(fclose(file), 0);
}

static void folder_remove(const char *folder)
{
    char path[128];

    snprintf(path, sizeof path, "%s/FORMAT", folder);
    (void)unlink(path);
    CHECK_EQUAL(rmdir(folder), 0); /* nothing else is left in it */
}

TEST(the_file_refuses_what_is_not_read_and_else_nothing)
{
    static const struct {
        const char *text;
        struct versions reads;
        int code;
    } cases[] = {
        {"neap 1\n", {1, 1}, 0},
        {"neap 2\n", {1, 1}, NEAP_FORMAT},
        {"neap 2\n", {1, 2}, 0},
        {"neap 4\n", {1, 2}, NEAP_FORMAT},
        {"neap 1\n", {2, 3}, NEAP_FORMAT},
        {"neap 0\n", {1, 1}, 0},
        {"neap 2", {1, 1}, 0}, /* torn: the record in the database decides */
        {"neap 2\n\n", {1, 1}, 0},
        {"neap  2\n", {1, 1}, 0},
        {"neap -2\n", {1, 1}, 0},
        {"neap 99999999999999999999\n", {1, 1}, 0},
        {"something else\n", {1, 1}, 0},
        {"", {1, 1}, 0},
    };
    char folder[64];

    folder_new(folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct neap_error error = {0};

        file_put(folder, cases[i].text);
        CHECK_ERROR(directory_format_check(folder, cases[i].reads, &error), cases[i].code);
        CHECK_EQUAL(error.code, cases[i].code);
        if (cases[i].code)
            CHECK(strstr(error.text, folder) && strstr(error.text, "has format"));
    }
    folder_remove(folder);
    CHECK_OK(directory_format_check(folder, format_reads(), NULL)); /* nor is a folder missing */
}

TEST(the_file_is_written_where_it_is_not_right)
{
    struct versions first = {1, 1}, second = {2, 2};
    struct stat before, after;
    char folder[64], path[128];

    folder_new(folder);
    CHECK_OK(directory_format_check(folder, first, NULL));
    directory_format_write(folder, 1);
    CHECK_OK(directory_format_check(folder, first, NULL));
    CHECK_ERROR(directory_format_check(folder, second, NULL), NEAP_FORMAT);
    snprintf(path, sizeof path, "%s/FORMAT", folder);
    CHECK_EQUAL(stat(path, &before), 0);
    directory_format_write(folder, 1);
    CHECK_EQUAL(stat(path, &after), 0);
    CHECK_EQUAL(before.st_ino, after.st_ino);
    CHECK_EQUAL(after.st_mode & 0777, 0600);
    directory_format_write(folder, 2);
    CHECK_OK(directory_format_check(folder, second, NULL));
    file_put(folder, "neap");
    directory_format_write(folder, 1);
    CHECK_ERROR(directory_format_check(folder, second, NULL), NEAP_FORMAT);
    folder_remove(folder);
    directory_format_write(folder, 1); /* no folder: no harm */
}
