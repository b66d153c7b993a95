/* A directory of which tables are damaged or missing, with real files. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/batch.h"
#include "store/disk_rocks.h"
#include "store/files.h"
#include "store/identity.h"
#include "tests/support/test.h"

enum { ROWS = 400, PATH_MAX_HERE = 400 };

static char root[32];

static void begin(void)
{
    snprintf(root, sizeof root, "tmp-salvage-XXXXXX");
    CHECK(mkdtemp(root));
}

static void path_of(char ret_path[PATH_MAX_HERE], const char *name)
{
    snprintf(ret_path, PATH_MAX_HERE, "%s/%s", root, name);
}

static int database_try(const char *path, bool readonly, struct disk **ret_disk, bool *ret_suspect,
                        struct neap_error *error)
{
    const struct disk_rocks_options options = {
        .path = path, .create = !readonly, .readonly = readonly, .memory_max = 4 << 20};

    *error = (struct neap_error){0};
    return disk_rocks_open(&options, ret_disk, ret_suspect, error);
}

static struct disk *database_open(const char *path, struct neap_error *error)
{
    struct disk *disk = NULL;
    bool suspect = false;

    if (database_try(path, false, &disk, &suspect, error))
        test_failed(__FILE__, __LINE__, "%s", error->text);
    if (suspect) {
        disk->ops->error(disk, error);
        test_failed(__FILE__, __LINE__, "%s", error->text);
    }
    return disk;
}

/* Rows whose values begin with `word`; opened twice, so that they are in a table. */
static void database_make(const char *path, const char *word)
{
    struct neap_error error;
    struct disk *disk = database_open(path, &error);
    struct batch *batch;
    char key[16], value[64];

    CHECK_OK(batch_new(disk, &batch));
    for (int i = 0; i < ROWS; i++) {
        snprintf(key, sizeof key, "key%03d", i);
        snprintf(value, sizeof value, "%s of %s, long enough to be found", word, key);
        CHECK_OK(batch_put(batch, DISK_CELLS, slice_text(key), slice_text(value)));
        CHECK_OK(batch_put(batch, DISK_LOG, slice_text(key), slice_text(value)));
    }
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
    disk_close(disk);
    disk_close(database_open(path, &error));
    disk_close(database_open(path, &error));
}

/* Rows that can be read; all of them begin so. */
static int rows_count(struct disk *disk, enum disk_family family, const char *word, int *ret_error)
{
    struct view view = {.disk = disk};
    struct slice key, value, none = {NULL, 0};
    struct scan *scan;
    int count = 0;

    CHECK_OK(view_scan(&view, family, none, none, &scan));
    while (!(*ret_error = scan_next(scan, &key, &value))) {
        CHECK(slice_starts(value, slice_text(word)));
        count++;
    }
    scan_close(scan);
    return count;
}

static void check_rows(struct disk *disk, enum disk_family family, const char *word)
{
    int error;

    CHECK_EQUAL(rows_count(disk, family, word, &error), ROWS);
    CHECK_ERROR(error, NEAP_END);
}

static bool is_there(const char *name)
{
    char path[PATH_MAX_HERE];

    path_of(path, name);
    return access(path, F_OK) == 0;
}

/* The table that has that text, and where; the file is changed or goes. */
static void table_hurt(const char *text, bool goes)
{
    static char bytes[1 << 20];
    DIR *directory = opendir(root);
    const struct dirent *entry;
    char path[PATH_MAX_HERE];
    bool found = false;

    CHECK(directory);
    while (!found && (entry = readdir(directory))) {
        FILE *file;
        size_t size;
        char *at;

        if (!strstr(entry->d_name, ".sst"))
            continue;
        path_of(path, entry->d_name);
        file = fopen(path, "r+b");
        CHECK(file);
        size = fread(bytes, 1, sizeof bytes, file);
        at = memmem(bytes, size, text, strlen(text));
        found = at != NULL;
        if (found && !goes) {
            CHECK_OK(fseek(file, (long)(at - bytes), SEEK_SET));
            CHECK(fputc(*at ^ 1, file) != EOF);
        }
        CHECK_OK(fclose(file));
    }
    closedir(directory);
    CHECK(found);
    if (goes)
        CHECK_OK(unlink(path));
}

TEST(a_block_that_cant_be_read_is_salvaged_at_the_next_opening)
{
    struct neap_error error;
    struct disk *disk;
    int failed, left;

    begin();
    database_make(root, "value");
    table_hurt("value of key100", false);
    disk = database_open(root, &error);
    CHECK(!error.text[0]);
    CHECK(!is_there("DAMAGED"));
    left = rows_count(disk, DISK_CELLS, "value", &failed);
    left = left < ROWS ? left : rows_count(disk, DISK_LOG, "value", &failed);
    CHECK_ERROR(failed, NEAP_CORRUPT);
    CHECK(left < ROWS);
    CHECK(is_there("DAMAGED"));
    disk_close(disk);
    disk = database_open(root, &error);
    CHECK(strstr(error.text, "was damaged: what can be read was copied, 1 range of keys"));
    CHECK(strstr(error.text, ".sst is damaged"));
    CHECK_EQUAL(error.code, 0);
    CHECK(!is_there("DAMAGED"));
    CHECK(is_there("damaged/DAMAGED"));
    CHECK(is_there("damaged/CURRENT"));
    CHECK(!is_there("salvage.in"));
    CHECK(!is_there("salvage.part"));
    left = rows_count(disk, DISK_CELLS, "value", &failed);
    CHECK_ERROR(failed, NEAP_END);
    left += rows_count(disk, DISK_LOG, "value", &failed);
    CHECK_ERROR(failed, NEAP_END);
    CHECK(left < 2 * ROWS);
    CHECK(left > ROWS + ROWS / 2); /* one block */
    disk_close(disk);
    disk = database_open(root, &error);
    CHECK(!error.text[0]);
    disk_close(disk);
    files_discard(root);
}

TEST(a_table_that_is_missing_is_salvaged_at_once)
{
    struct neap_error error;
    struct disk *disk;
    int failed, left;

    begin();
    database_make(root, "value");
    table_hurt("value of key100", true);
    disk = database_open(root, &error);
    CHECK(strstr(error.text, ".sst is missing"));
    left = rows_count(disk, DISK_CELLS, "value", &failed);
    CHECK_ERROR(failed, NEAP_END);
    left += rows_count(disk, DISK_LOG, "value", &failed);
    CHECK_ERROR(failed, NEAP_END);
    CHECK_EQUAL(left, ROWS);
    disk_close(disk);
    files_discard(root);
}

/* Nothing is changed by who may not. */
TEST(who_only_reads_salvages_nothing)
{
    struct neap_error error;
    struct disk *disk;
    bool suspect;

    begin();
    database_make(root, "value");
    table_hurt("value of key100", true);
    CHECK_ERROR(database_try(root, true, &disk, &suspect, &error), NEAP_CORRUPT);
    CHECK(!is_there("damaged"));
    files_discard(root);
}

/* ---- crashes ---- */

static void make_done(const char *name)
{
    char path[PATH_MAX_HERE];

    database_make(root, "old");
    path_of(path, name);
    database_make(path, "new");
    path_of(path, "damaged");
    CHECK_OK(mkdir(path, 0700));
}

static void check_placed(const char *word)
{
    struct neap_error error;
    struct disk *disk = database_open(root, &error);

    check_rows(disk, DISK_CELLS, word);
    check_rows(disk, DISK_LOG, word);
    disk_close(disk);
    CHECK(!is_there("salvage.done"));
    CHECK(!is_there("salvage.in"));
    disk_close(database_open(root, &error));
    files_discard(root);
}

/* Some of the database's files, at most `count`, CURRENT last. */
static void some_move(const char *from, const char *to, int count)
{
    char source[PATH_MAX_HERE], target[2 * PATH_MAX_HERE], path[2 * PATH_MAX_HERE];
    DIR *directory;
    const struct dirent *entry;

    path_of(source, from);
    directory = opendir(source);
    CHECK(directory);
    while (count > 0 && (entry = readdir(directory))) {
        if (!strstr(entry->d_name, ".sst") && !strstr(entry->d_name, "MANIFEST") &&
            !strstr(entry->d_name, ".log"))
            continue;
        snprintf(path, sizeof path, "%s/%s", source, entry->d_name);
        snprintf(target, sizeof target, "%s/%s/%s", root, to, entry->d_name);
        CHECK_OK(rename(path, target));
        count--;
    }
    closedir(directory);
}

static void current_move(const char *from, const char *to)
{
    char source[PATH_MAX_HERE], target[PATH_MAX_HERE];

    path_of(source, from);
    path_of(target, to);
    CHECK_OK(rename(source, target));
}

TEST(a_copy_that_is_not_whole_is_forgotten)
{
    struct neap_error error;
    struct disk *disk;

    begin();
    database_make(root, "old");
    {
        char path[PATH_MAX_HERE];

        path_of(path, "salvage.part");
        database_make(path, "new");
    }
    disk = database_open(root, &error);
    check_rows(disk, DISK_CELLS, "old");
    disk_close(disk);
    files_discard(root);
}

TEST(a_copy_that_is_whole_takes_the_place)
{
    begin();
    make_done("salvage.done");
    check_placed("new");
}

TEST(old_files_that_have_moved_in_part_move_on)
{
    for (int count = 1; count < 6; count++) {
        begin();
        make_done("salvage.done");
        some_move(".", "damaged", count);
        if (count == 5)
            current_move("CURRENT", "damaged/CURRENT");
        check_placed("new");
    }
}

TEST(new_files_that_have_come_in_part_come_on)
{
    for (int count = 0; count < 6; count++) {
        begin();
        make_done("salvage.in");
        some_move(".", "damaged", 100);
        current_move("CURRENT", "damaged/CURRENT");
        some_move("salvage.in", ".", count);
        if (count == 5)
            current_move("salvage.in/CURRENT", "CURRENT");
        check_placed("new");
    }
}

TEST(a_second_salvage_replaces_the_files_of_the_first)
{
    struct neap_error error;

    begin();
    database_make(root, "value");
    table_hurt("value of key100", true);
    disk_close(database_open(root, &error));
    CHECK(error.text[0]);
    rocks_mark_damaged(root, "000001.sst is damaged");
    CHECK(rocks_is_damaged(root));
    disk_close(database_open(root, &error));
    CHECK(strstr(error.text, "0 ranges of keys"));
    CHECK(strstr(error.text, "000001.sst is damaged"));
    files_discard(root);
}
