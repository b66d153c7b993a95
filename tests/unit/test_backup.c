#include "store/backup.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/format.h"
#include "store/identity.h"
#include "tests/unit/disk_cases.h"

enum { MEMORY = 4 << 20 };

/* A directory of this test, with a data directory "data" in it that is open. */
struct rig {
    char path[32], data[64], backup[64], restored[64];
    struct disk *disk;
    struct identity identity;
    struct backup_options options;
    struct backup_counts counts;
    struct neap_error error;
    char found[1024]; /* "name problem " of each finding */
};

static struct disk *data_open(const char *path, struct identity *ret_identity)
{
    const struct disk_rocks_options options = {.path = path, .create = true, .memory_max = MEMORY};
    struct neap_error error = {0};
    struct directory_mark mark;
    struct batch *batch = NULL;
    struct disk *disk = NULL;
    bool suspect = false;
    struct view view;

    if (disk_rocks_open(&options, &disk, &suspect, &error))
        test_failed(__FILE__, __LINE__, "%s", error.text);
    CHECK(!suspect);
    CHECK_OK(directory_mark_read(path, &mark, &error));
    CHECK_OK(batch_new(disk, &batch));
    view = batch_view(batch);
    CHECK_OK(identity_open(&view, &mark, false, clock_os(), batch, ret_identity, &error));
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
    return disk;
}

static void put_many(struct rig *rig, unsigned from, unsigned to)
{
    char key[16], value[128];

    for (; from < to; from++) {
        snprintf(key, sizeof key, "key%05u", from);
        snprintf(value, sizeof value, "value of %s, long enough to fill a table in the end", key);
        disk_put(rig->disk, DISK_CELLS, key, value, from + 1 == to);
    }
}

static void rig_begin(struct rig *rig)
{
    *rig = (struct rig){.path = "tmp-backup-XXXXXX"};
    CHECK(mkdtemp(rig->path));
    snprintf(rig->data, sizeof rig->data, "%s/data", rig->path);
    snprintf(rig->backup, sizeof rig->backup, "%s/backup", rig->path);
    snprintf(rig->restored, sizeof rig->restored, "%s/restored", rig->path);
    rig->disk = data_open(rig->data, &rig->identity);
    put_many(rig, 0, 8000); /* some of it in tables */
    rig->options = (struct backup_options){.disk = rig->disk,
                                           .path = rig->data,
                                           .directory = rig->backup,
                                           .node = rig->identity.node,
                                           .made_ms = 1735689600000};
}

static void rig_end(struct rig *rig)
{
    disk_close(rig->disk);
    files_discard(rig->path);
    CHECK(access(rig->path, F_OK));
}

static int backup(struct rig *rig)
{
    rig->error = (struct neap_error){0};
    return backup_make(&rig->options, &rig->counts, &rig->error);
}

static void backup_well(struct rig *rig)
{
    if (backup(rig))
        test_failed(__FILE__, __LINE__, "%s", rig->error.text);
}

static int note(void *arg, const struct backup_finding *finding)
{
    struct rig *rig = arg;
    size_t used = strlen(rig->found);

    snprintf(rig->found + used, sizeof rig->found - used, "%s %s ", finding->name,
             backup_problem_text(finding->problem));
    return 0;
}

static int verify(struct rig *rig)
{
    const struct backup_finder finder = {note, rig};

    rig->found[0] = 0;
    rig->error = (struct neap_error){0};
    return backup_verify(rig->backup, &finder, &rig->counts, &rig->error);
}

static int restore(struct rig *rig)
{
    rig->error = (struct neap_error){0};
    return backup_restore(rig->backup, rig->restored, &rig->counts, &rig->error);
}

/* Of the directory of this test: the data, and what else? */
static unsigned names_in(const char *path)
{
    DIR *directory = opendir(path);
    unsigned count = 0;

    CHECK(directory);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 2;
}

/* The names of the files in the backup, with a zero after each; how many. */
static unsigned backup_names(const struct rig *rig, char names[64][64])
{
    DIR *directory = opendir(rig->backup);
    const struct dirent *entry;
    unsigned count = 0;

    CHECK(directory);
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.') {
            CHECK(count < 64);
            snprintf(names[count++], 64, "%.63s", entry->d_name);
        }
    closedir(directory);
    return count;
}

static void byte_flip(const struct rig *rig, const char *name, long where)
{
    char path[160];
    FILE *file;
    int byte;

    snprintf(path, sizeof path, "%s/%.63s", rig->backup, name);
    file = fopen(path, "r+b");
    CHECK(file);
    CHECK_OK(fseek(file, where, where < 0 ? SEEK_END : SEEK_SET));
    byte = fgetc(file);
    CHECK(byte != EOF);
    CHECK_OK(fseek(file, -1, SEEK_CUR));
    CHECK(fputc(byte ^ 4, file) != EOF);
    CHECK_OK(fclose(file));
}

static uint64_t file_size(const struct rig *rig, const char *name)
{
    char path[160];
    struct stat status;

    snprintf(path, sizeof path, "%s/%.63s", rig->backup, name);
    CHECK_OK(stat(path, &status));
    return (uint64_t)status.st_size;
}

TEST(a_backup_is_whole_and_carries_what_is_there)
{
    struct rig rig;

    rig_begin(&rig);
    backup_well(&rig);
    CHECK(rig.counts.files >= 5 && rig.counts.bytes > 100000);
    CHECK_EQUAL(names_in(rig.path), 2); /* nothing half-made is left */
    CHECK_EQUAL(names_in(rig.backup), rig.counts.files + 1);
    CHECK_OK(verify(&rig));
    CHECK_TEXT(rig.found, "");
    CHECK(rig.counts.node == rig.identity.node);
    CHECK_EQUAL(rig.counts.made_ms, 1735689600000);
    rig_end(&rig);
}

TEST(tables_are_shared_with_the_data_where_they_can_be)
{
    char names[64][64], path[160];
    unsigned count, i, shared = 0;
    struct stat status;
    struct rig rig;

    rig_begin(&rig);
    disk_close(rig.disk);
    rig.disk = data_open(rig.data, &rig.identity); /* what was in the log is in tables now */
    rig.options.disk = rig.disk;
    backup_well(&rig);
    count = backup_names(&rig, names);
    for (i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%.63s", rig.backup, names[i]);
        CHECK_OK(stat(path, &status));
        shared += strstr(names[i], ".sst") && status.st_nlink > 1;
    }
    CHECK(shared > 0);
    rig_end(&rig);
}

TEST(what_is_restored_has_the_data_and_a_new_life)
{
    struct identity identity = {0};
    struct disk *disk;
    struct rig rig;

    rig_begin(&rig);
    backup_well(&rig);
    put_many(&rig, 8000, 9000); /* too late for the backup */
    if (restore(&rig))
        test_failed(__FILE__, __LINE__, "%s", rig.error.text);
    CHECK(rig.counts.node == rig.identity.node);
    disk = data_open(rig.restored, &identity);
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "key07999"),
               "value of key07999, long enough to fill a table in the end");
    CHECK_TEXT(disk_text(disk, NULL, DISK_CELLS, "key08000"), "-");
    CHECK(identity.fresh_life && identity.reason == IDENTITY_RESTORED);
    CHECK(identity.node == rig.identity.node && identity.life != rig.identity.life);
    CHECK(identity.former == rig.identity.life);
    disk_close(disk);
    CHECK_OK(verify(&rig)); /* copied, not linked */
    rig_end(&rig);
}

/* The node that was backed up knows nothing of it. */
TEST(a_backup_leaves_the_life_of_the_data_as_it_was)
{
    struct identity again;
    struct rig rig;

    rig_begin(&rig);
    backup_well(&rig);
    put_many(&rig, 8000, 8100);
    disk_close(rig.disk);
    rig.disk = data_open(rig.data, &again);
    CHECK(!again.fresh_life && again.life == rig.identity.life);
    CHECK_TEXT(disk_text(rig.disk, NULL, DISK_CELLS, "key08099"),
               "value of key08099, long enough to fill a table in the end");
    CHECK_OK(verify(&rig)); /* its tables are shared, and stayed */
    rig_end(&rig);
}

TEST(one_flipped_byte_in_any_file_is_found_and_named)
{
    char names[64][64], expected[128];
    unsigned count, i;
    struct rig rig;

    rig_begin(&rig);
    backup_well(&rig);
    count = backup_names(&rig, names);
    CHECK(count >= 6);
    for (i = 0; i < count; i++) {
        uint64_t size = file_size(&rig, names[i]);

        if (!size)
            continue;
        byte_flip(&rig, names[i], (long)(size / 2));
        CHECK_ERROR(verify(&rig), NEAP_CORRUPT);
        snprintf(expected, sizeof expected, "%.63s changed ", names[i]);
        CHECK_TEXT(rig.found, expected);
        CHECK(strstr(rig.error.text, names[i]));
        CHECK_ERROR(restore(&rig), NEAP_CORRUPT);
        CHECK(access(rig.restored, F_OK));
        byte_flip(&rig, names[i], (long)(size / 2));
    }
    CHECK_OK(verify(&rig));
    rig_end(&rig);
}

static void path_of(const struct rig *rig, const char *name, char ret_path[160])
{
    snprintf(ret_path, 160, "%s/%.63s", rig->backup, name);
}

TEST(what_is_missing_longer_or_more_is_named)
{
    char current[160], more[160], away[160];
    struct rig rig;
    FILE *file;

    rig_begin(&rig);
    backup_well(&rig);
    path_of(&rig, "CURRENT", current);
    path_of(&rig, "../away", away);
    CHECK_OK(rename(current, away));
    CHECK_ERROR(verify(&rig), NEAP_CORRUPT);
    CHECK_TEXT(rig.found, "CURRENT missing ");
    CHECK_OK(symlink("../away", current)); /* the same bytes, but elsewhere */
    CHECK_ERROR(verify(&rig), NEAP_CORRUPT);
    CHECK_TEXT(rig.found, "CURRENT changed ");
    CHECK_OK(unlink(current));
    CHECK_OK(rename(away, current));
    path_of(&rig, "more", more);
    file = fopen(more, "w");
    CHECK(file);
    CHECK_OK(fclose(file));
    CHECK_ERROR(verify(&rig), NEAP_CORRUPT);
    CHECK_TEXT(rig.found, "more surplus ");
    CHECK_OK(restore(&rig)); /* that is left out */
    CHECK_EQUAL(names_in(rig.restored), rig.counts.files);
    CHECK_OK(unlink(more));
    file = fopen(current, "a");
    CHECK(file && fputc('x', file) == 'x');
    CHECK_OK(fclose(file));
    CHECK_ERROR(verify(&rig), NEAP_CORRUPT);
    CHECK_TEXT(rig.found, "CURRENT changed ");
    rig_end(&rig);
}

TEST(what_is_no_backup_is_told_so)
{
    char path[160];
    struct rig rig;

    rig_begin(&rig);
    CHECK_ERROR(verify(&rig), NEAP_NOTFOUND);
    CHECK_ERROR(restore(&rig), NEAP_NOTFOUND);
    CHECK_OK(mkdir(rig.backup, 0700));
    CHECK_ERROR(verify(&rig), NEAP_CORRUPT);
    CHECK_TEXT(rig.found, "BACKUP missing ");
    CHECK(strstr(rig.error.text, "no whole backup"));
    path_of(&rig, MANIFEST_NAME, path);
    CHECK_OK(mkdir(path, 0700));
    CHECK_ERROR(verify(&rig), NEAP_CORRUPT);
    CHECK_TEXT(rig.found, "BACKUP changed ");
    CHECK_ERROR(restore(&rig), NEAP_CORRUPT);
    CHECK_OK(rmdir(path));
    CHECK_OK(rmdir(rig.backup));
    rig_end(&rig);
}

TEST(nothing_that_exists_is_written_over)
{
    char path[160];
    struct rig rig;

    rig_begin(&rig);
    CHECK_OK(mkdir(rig.backup, 0700));
    CHECK_ERROR(backup(&rig), NEAP_REFUSED);
    CHECK(strstr(rig.error.text, "exists"));
    CHECK_OK(rmdir(rig.backup));
    path_of(&rig, "", path);
    snprintf(path, sizeof path, "%s.partial", rig.backup);
    CHECK_OK(mkdir(path, 0700));
    CHECK_ERROR(backup(&rig), NEAP_REFUSED);
    CHECK(strstr(rig.error.text, "not finished"));
    CHECK_OK(rmdir(path));
    CHECK_EQUAL(names_in(rig.path), 1);
    rig.options.directory = "";
    CHECK_ERROR(backup(&rig), NEAP_INVALID);
    rig.options.directory = "///";
    CHECK_ERROR(backup(&rig), NEAP_INVALID);
    rig.options.directory = "tmp-backup-none/backup";
    CHECK_ERROR(backup(&rig), NEAP_NOTFOUND);
    path_of(&rig, "../data/backup", path);
    rig.options.directory = path;
    CHECK_OK(mkdir(rig.backup, 0700));
    CHECK_ERROR(backup(&rig), NEAP_REFUSED);
    CHECK(strstr(rig.error.text, "inside"));
    CHECK_OK(rmdir(rig.backup));
    snprintf(path, sizeof path, "%s//", rig.backup);
    rig.options.directory = path; /* slashes at the end mean nothing */
    backup_well(&rig);
    CHECK_OK(verify(&rig));
    CHECK_ERROR(backup(&rig), NEAP_REFUSED);
    CHECK_OK(verify(&rig));
    rig_end(&rig);
}

TEST(a_restore_takes_a_new_or_empty_directory_only)
{
    struct identity identity;
    char path[160];
    struct rig rig;
    FILE *file;

    rig_begin(&rig);
    backup_well(&rig);
    CHECK_OK(mkdir(rig.restored, 0700));
    snprintf(path, sizeof path, "%s/mine", rig.restored);
    file = fopen(path, "w");
    CHECK(file);
    CHECK_OK(fclose(file));
    CHECK_ERROR(restore(&rig), NEAP_REFUSED);
    CHECK(strstr(rig.error.text, "mine"));
    CHECK_EQUAL(names_in(rig.restored), 1);
    CHECK_OK(unlink(path));
    path_of(&rig, "inside", path);
    CHECK_ERROR(backup_restore(rig.backup, path, &rig.counts, &rig.error), NEAP_REFUSED);
    CHECK(strstr(rig.error.text, "inside"));
    CHECK_OK(verify(&rig));
    CHECK_OK(restore(&rig));
    disk_close(data_open(rig.restored, &identity));
    CHECK_ERROR(restore(&rig), NEAP_REFUSED);
    rig_end(&rig);
}

/* As a crash in the middle of a restore leaves it. */
TEST(a_backup_is_not_opened_as_if_it_were_data)
{
    struct disk_rocks_options options = {.create = true, .memory_max = MEMORY};
    struct disk *disk = NULL;
    bool suspect = false;
    struct rig rig;

    rig_begin(&rig);
    backup_well(&rig);
    options.path = rig.backup;
    CHECK_ERROR(disk_rocks_open(&options, &disk, &suspect, &rig.error), NEAP_REFUSED);
    CHECK(strstr(rig.error.text, "neap restore"));
    CHECK(!disk);
    CHECK_OK(verify(&rig));
    rig_end(&rig);
}

struct counting {
    unsigned asked, last;
};

static int stop_at_last(void *arg)
{
    struct counting *counting = arg;

    return ++counting->asked == counting->last ? NEAP_UNAVAILABLE : 0;
}

TEST(a_backup_that_is_given_up_leaves_nothing)
{
    struct counting counting = {0};
    const struct files_watch watch = {.step = stop_at_last, .arg = &counting};
    unsigned last, all;
    struct rig rig;

    rig_begin(&rig);
    rig.options.watch = &watch;
    backup_well(&rig);
    all = counting.asked;
    CHECK(all > 5);
    files_discard(rig.backup);
    for (last = 1; last <= all; last++) {
        counting = (struct counting){.last = last};
        CHECK_ERROR(backup(&rig), NEAP_UNAVAILABLE);
        CHECK_EQUAL(rig.error.code, NEAP_UNAVAILABLE);
        CHECK_EQUAL(names_in(rig.path), 1);
    }
    rig_end(&rig);
}

/* A table that rots is noticed when it is backed up, not when the backup is needed. */
TEST(damaged_data_gives_no_backup)
{
    char names[64][64];
    unsigned count, i;
    struct rig rig;

    rig_begin(&rig);
    backup_well(&rig);
    count = backup_names(&rig, names);
    for (i = 0; i < count; i++)
        if (strstr(names[i], ".sst") && file_size(&rig, names[i]) > 100000)
            break;
    CHECK(i < count);
    byte_flip(&rig, names[i], 50000); /* shared with the data */
    files_discard(rig.backup);
    CHECK_ERROR(backup(&rig), NEAP_CORRUPT);
    CHECK(strstr(rig.error.text, names[i]));
    CHECK_EQUAL(names_in(rig.path), 1);
    rig_end(&rig);
}

/* The log that is written to now, as a name in the backup. */
static void log_name(const struct rig *rig, char ret_name[80])
{
    DIR *directory = opendir(rig->data);
    const struct dirent *entry;

    CHECK(directory);
    snprintf(ret_name, 80, "../data/");
    while ((entry = readdir(directory)))
        if (strstr(entry->d_name, ".log") && strcmp(entry->d_name, ret_name + 8) > 0)
            snprintf(ret_name, 80, "../data/%.60s", entry->d_name);
    closedir(directory);
    CHECK(ret_name[8]);
}

/* The node still has in memory what can't be read from its log any more. A log that is only cut is
 * what RocksDB takes for one that power loss tore, so the count of writes must tell. */
TEST(a_log_that_lost_writes_gives_no_backup)
{
    char name[80], path[160];
    struct rig rig;
    unsigned i;

    for (i = 0; i < 2; i++) {
        rig_begin(&rig);
        put_many(&rig, 8000, 12000);
        CHECK_OK(mkdir(rig.backup, 0700));
        log_name(&rig, name);
        path_of(&rig, name, path);
        if (i)
            byte_flip(&rig, name, -100000);
        else
            CHECK_OK(truncate(path, (long)file_size(&rig, name) - 50));
        CHECK_OK(rmdir(rig.backup));
        CHECK_ERROR(backup(&rig), NEAP_CORRUPT);
        CHECK(strstr(rig.error.text, "write-ahead log"));
        CHECK_EQUAL(names_in(rig.path), 1);
        rig_end(&rig);
    }
}

TEST(memory_is_not_backed_up)
{
    struct backup_options options = {.directory = "tmp-backup-none"};
    struct backup_counts counts;
    struct disk *disk = NULL;

    CHECK_OK(disk_mem_open(&disk));
    options.disk = disk;
    CHECK_ERROR(backup_make(&options, &counts, NULL), NEAP_REFUSED);
    disk_close(disk);
}

static int make_and_restore(void *argument)
{
    struct rig *rig = argument;
    int code = backup(rig);

    if (code)
        CHECK_EQUAL(names_in(rig->path), 1);
    else
        code = verify(rig);
    if (!code)
        code = restore(rig);
    if (code) {
        CHECK_EQUAL(rig->error.code, code);
        CHECK(access(rig->restored, F_OK));
    }
    files_discard(rig->backup);
    files_discard(rig->restored);
    return code;
}

TEST(backups_need_memory_and_say_so)
{
    struct rig rig;

    rig_begin(&rig);
    test_alloc_sweep(make_and_restore, &rig);
    rig_end(&rig);
}
