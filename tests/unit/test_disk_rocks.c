#include <dirent.h>
#include <fcntl.h>
#include <rocksdb/c.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/store.h"
#include "tests/unit/disk_cases.h"

enum { MEMORY = 4 << 20 };

static void path_new(struct room *room)
{
    snprintf(room->path, sizeof room->path, "tmp-rocks-XXXXXX");
    CHECK(mkdtemp(room->path));
}

static void path_remove(struct room *room)
{
    DIR *directory = opendir(room->path);
    const struct dirent *entry;

    CHECK(directory);
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.')
            CHECK_OK(unlinkat(dirfd(directory), entry->d_name, 0));
    closedir(directory);
    CHECK_OK(rmdir(room->path));
}

static int room_try(struct room *room, bool create, bool readonly, bool *ret_suspect,
                    struct neap_error *error)
{
    struct disk_rocks_options options = {
        .path = room->path, .create = create, .readonly = readonly, .memory_max = MEMORY};

    return disk_rocks_open(&options, &room->disk, ret_suspect, error);
}

static void room_open(struct room *room)
{
    struct neap_error error = {0};
    bool suspect = true;

    if (room_try(room, true, false, &suspect, &error))
        test_failed(__FILE__, __LINE__, "%s", error.text);
    CHECK(!suspect);
}

static void room_close(struct room *room)
{
    disk_close(room->disk);
    room->disk = NULL;
}

static void room_reopen(struct room *room)
{
    room_close(room);
    room_open(room);
}

static void begin(struct room *room)
{
    *room = (struct room){.reopen = room_reopen};
    path_new(room);
    room_open(room);
}

static void end(struct room *room)
{
    room_close(room);
    path_remove(room);
}

#define X(name)                  \
    TEST(rocks_disk_##name)      \
    {                            \
        struct room room;        \
        begin(&room);            \
        disk_case_##name(&room); \
        end(&room);              \
    }
DISK_CASES(X)
#undef X

/* The file in the directory that ends so: the one with the highest number, and not empty. */
static void file_find(const struct room *room, const char *ending, char *ret_path, size_t size)
{
    DIR *directory = opendir(room->path);
    const struct dirent *entry;
    char found[64] = "";
    struct stat status;

    CHECK(directory);
    while ((entry = readdir(directory)))
        if (strstr(entry->d_name, ending) && strcmp(entry->d_name, found) > 0 &&
            fstatat(dirfd(directory), entry->d_name, &status, 0) == 0 && status.st_size > 0)
            snprintf(found, sizeof found, "%.60s", entry->d_name);
    closedir(directory);
    CHECK(found[0]);
    snprintf(ret_path, size, "%s/%s", room->path, found);
}

/* Damages the first place of `bytes` in a file. */
static void file_damage(const char *path, const char *bytes)
{
    size_t i, size, wanted = strlen(bytes);
    FILE *file = fopen(path, "r+b");
    static char content[1 << 20];

    CHECK(file);
    size = fread(content, 1, sizeof content, file);
    for (i = 0; i + wanted <= size && memcmp(content + i, bytes, wanted) != 0; i++)
        ;
    CHECK(i + wanted <= size);
    CHECK_OK(fseek(file, (long)i, SEEK_SET));
    CHECK(fputc(content[i] ^ 1, file) != EOF);
    CHECK_OK(fclose(file));
}

static void put_numbered(struct room *room, unsigned from, unsigned to)
{
    for (; from < to; from++) {
        char key[16], value[64];

        snprintf(key, sizeof key, "key%03u", from);
        snprintf(value, sizeof value, "value of %s, long enough to be found", key);
        disk_put(room->disk, DISK_CELLS, key, value, true);
    }
}

static unsigned count_cells(struct room *room)
{
    struct view view = {.disk = room->disk};
    struct slice key, value;
    struct scan *scan = NULL;
    unsigned count = 0;

    CHECK_OK(view_scan(&view, DISK_CELLS, text(""), text(""), &scan));
    while (scan_next(scan, &key, &value) == 0)
        count++;
    scan_close(scan);
    return count;
}

TEST(an_absent_database_is_not_found_unless_it_may_be_made)
{
    struct room room = {.path = "tmp-rocks-absent/below"};
    struct neap_error error = {0};
    bool suspect = false;

    CHECK_ERROR(room_try(&room, false, false, &suspect, &error), NEAP_NOTFOUND);
    CHECK_EQUAL(error.code, NEAP_NOTFOUND);
    CHECK(strstr(error.text, room.path));
    CHECK_ERROR(room_try(&room, true, false, &suspect, &error), NEAP_NOTFOUND); /* no parent */
    path_new(&room);
    CHECK_ERROR(room_try(&room, false, false, &suspect, &error), NEAP_NOTFOUND);
    CHECK(strstr(error.text, "no database"));
    CHECK_ERROR(room_try(&room, true, true, &suspect, &error), NEAP_NOTFOUND);
    CHECK_OK(rmdir(room.path));
    CHECK_ERROR(room_try(&room, true, true, &suspect, &error), NEAP_NOTFOUND);
    room_open(&room);
    end(&room);
    room.path[0] = 0;
    CHECK_ERROR(room_try(&room, true, false, &suspect, &error), NEAP_INVALID);
    snprintf(room.path, sizeof room.path, "/dev/null");
    CHECK_ERROR(room_try(&room, true, false, &suspect, &error), NEAP_INVALID);
    CHECK(!room.disk);
}

TEST(a_directory_in_use_is_locked_and_says_what_to_do)
{
    struct neap_error error = {0};
    struct room room, again;
    bool suspect = false;

    begin(&room);
    again = room;
    again.disk = NULL;
    CHECK_ERROR(room_try(&again, true, false, &suspect, &error), NEAP_LOCKED);
    CHECK(strstr(error.text, "stop it"));
    CHECK(!again.disk);
    CHECK_OK(room_try(&again, false, true, &suspect, &error)); /* readers need no lock */
    room_close(&again);
    end(&room);
}

/* Holds the lock as another process does, until the pipe is closed. */
static pid_t lock_elsewhere(const char *path, const int pipes[2])
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    pid_t child = fork();
    char byte = 0;
    int file;

    if (child)
        return child;
    file = open(path, O_RDWR | O_CREAT, 0600);
    if (fcntl(file, F_SETLK, &lock) == 0)
        byte = 1;
    close(pipes[1]);
    if (read(pipes[0], &byte, 1) < 0)
        _exit(1);
    _exit(0);
}

TEST(a_directory_in_use_by_another_process_is_locked)
{
    struct neap_error error = {0};
    struct flock seen = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct room room;
    bool suspect = false;
    char path[96];
    int pipes[2], file;
    pid_t child;

    begin(&room);
    room_close(&room);
    snprintf(path, sizeof path, "%s/LOCK", room.path);
    CHECK_OK(pipe(pipes));
    child = lock_elsewhere(path, pipes);
    CHECK(child > 0);
    close(pipes[0]);
    file = open(path, O_RDWR);
    do { /* until the child has it */
        seen.l_type = F_WRLCK;
        CHECK_OK(fcntl(file, F_GETLK, &seen));
    } while (seen.l_type == F_UNLCK);
    close(file);
    CHECK_ERROR(room_try(&room, true, false, &suspect, &error), NEAP_LOCKED);
    CHECK(strstr(error.text, "another process"));
    close(pipes[1]);
    CHECK_EQUAL(waitpid(child, NULL, 0), child);
    room_open(&room);
    end(&room);
}

TEST(a_damaged_block_is_an_error_and_neither_absence_nor_the_end)
{
    struct neap_error error = {0};
    struct slice key, value;
    struct disk_iter *iter = NULL;
    struct room room;
    char path[96];
    int code;

    begin(&room);
    put_numbered(&room, 0, 20);
    room_reopen(&room); /* which moves the cells from the WAL to a table */
    room_close(&room);
    file_find(&room, ".sst", path, sizeof path);
    file_damage(path, "value of key003");
    room_open(&room);
    CHECK_TEXT(disk_text(room.disk, NULL, DISK_CELLS, "key003"), "CORRUPT");
    room.disk->ops->error(room.disk, &error);
    CHECK_EQUAL(error.code, NEAP_CORRUPT);
    CHECK(strstr(error.text, "6b6579303033")); /* the key */
    CHECK_OK(room.disk->ops->scan(room.disk, NULL, DISK_CELLS, text(""), text(""), &iter));
    while ((code = iter->ops->next(iter, &key, &value)) == 0)
        ;
    CHECK_ERROR(code, NEAP_CORRUPT);
    iter->ops->close(iter);
    end(&room);
}

/* The file in the directory, all of it, as it is or as it was. */
static void file_copy(const struct room *room, const char *name, bool back, char *bytes,
                      size_t size)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", room->path, name);
    file = fopen(path, back ? "r+b" : "rb");
    CHECK(file);
    if (back)
        CHECK_EQUAL(fwrite(bytes, 1, size, file), size);
    else
        CHECK_EQUAL(fread(bytes, 1, size, file), size);
    CHECK_OK(fclose(file));
}

static void wal_cut(const struct room *room, off_t bytes)
{
    struct stat status;
    char path[96];

    file_find(room, ".log", path, sizeof path);
    CHECK_OK(stat(path, &status));
    CHECK_OK(truncate(path, status.st_size - bytes));
}

/* What a crash leaves: the end was not synced, and SYNCED does not tell of it. */
TEST(a_torn_end_of_the_wal_is_no_suspicion)
{
    enum { SYNCED_SIZE = 4096 + 48 };
    char synced[SYNCED_SIZE];
    struct room room;

    begin(&room);
    put_numbered(&room, 0, 19);
    file_copy(&room, "SYNCED", false, synced, sizeof synced);
    disk_put(room.disk, DISK_CELLS, "key019", "never synced", false);
    room_close(&room);
    file_copy(&room, "SYNCED", true, synced, sizeof synced);
    wal_cut(&room, 5);
    room_open(&room);
    CHECK_EQUAL(count_cells(&room), 19);
    end(&room);
}

static void suspects(struct room *room, const char *why)
{
    struct neap_error error = {0};
    bool suspect = false;

    CHECK_OK(room_try(room, false, false, &suspect, &error));
    CHECK(suspect);
    room->disk->ops->error(room->disk, &error);
    if (!strstr(error.text, why) || !strstr(error.text, "goes on as a new replica"))
        test_failed(__FILE__, __LINE__, "%s", error.text);
}

TEST(what_was_synced_and_is_not_there_makes_a_suspect_start)
{
    struct room room;
    char path[96];

    begin(&room);
    put_numbered(&room, 0, 20);
    room_close(&room);
    wal_cut(&room, 5);
    suspects(&room, "the newest *.log is gone or was cut: 19 writes of 20");
    CHECK_EQUAL(count_cells(&room), 19);
    room_close(&room);
    suspects(&room, "found by a start that did not end"); /* as there was no new life */
    disk_trust(room.disk);
    room_reopen(&room);
    put_numbered(&room, 20, 30);
    room_close(&room);
    file_find(&room, ".log", path, sizeof path);
    CHECK_OK(unlink(path));
    suspects(&room, "the newest *.log is gone or was cut: 19 writes of 29");
    CHECK_EQUAL(count_cells(&room), 19);
    disk_trust(room.disk);
    room_reopen(&room); /* less is enough from now on */
    end(&room);
}

TEST(a_file_of_what_was_synced_that_is_damaged_is_suspect_and_an_absent_one_is_not)
{
    struct room room;
    char path[96], nothing[4096 + 48] = "";

    begin(&room);
    put_numbered(&room, 0, 5);
    room_close(&room);
    file_copy(&room, "SYNCED", true, nothing, 48); /* one slot of two */
    room_open(&room);
    room_close(&room);
    file_copy(&room, "SYNCED", true, nothing, sizeof nothing);
    suspects(&room, "its file SYNCED can't be read");
    disk_trust(room.disk);
    room_reopen(&room);
    room_close(&room);
    snprintf(path, sizeof path, "%s/SYNCED", room.path);
    CHECK_OK(unlink(path));
    room_open(&room);
    CHECK_EQUAL(count_cells(&room), 5);
    end(&room);
}

/* Its last record tells that the only table is a part of the database. */
TEST(a_manifest_that_was_cut_is_refused)
{
    struct neap_error error = {0};
    struct stat status;
    struct room room;
    bool suspect = false;
    char path[96];

    begin(&room);
    put_numbered(&room, 0, 5);
    room_reopen(&room);
    put_numbered(&room, 5, 6);
    room_close(&room);
    file_find(&room, "MANIFEST-", path, sizeof path);
    CHECK_OK(stat(path, &status));
    CHECK_OK(truncate(path, status.st_size - 3));
    CHECK_ERROR(room_try(&room, false, false, &suspect, &error), NEAP_CORRUPT);
    CHECK(strstr(error.text, "MANIFEST-") && strstr(error.text, "is damaged: restore a backup"));
    path_remove(&room);
}

static int store_at(struct store *store, const struct room *room, bool suspect)
{
    struct neap_error error = {0};
    struct directory_mark mark;

    CHECK_OK(directory_mark_read(room->path, &mark, &error));
    return store_open(store, room->disk, &mark, clock_os(), suspect, &error);
}

TEST(damage_within_the_wal_makes_a_suspect_start)
{
    struct neap_error error = {0};
    struct room room;
    bool suspect = false;
    char path[96];

    begin(&room);
    put_numbered(&room, 0, 20);
    room_close(&room);
    file_find(&room, ".log", path, sizeof path);
    file_damage(path, "value of key010");
    CHECK_OK(room_try(&room, false, false, &suspect, &error));
    CHECK(suspect);
    CHECK_EQUAL(count_cells(&room), 10);
    put_numbered(&room, 10, 12);
    disk_trust(room.disk);
    room_reopen(&room);
    CHECK_EQUAL(count_cells(&room), 12);
    end(&room);
}

/* Opening removes the damage, but not the suspicion: a new life does. */
TEST(a_start_is_suspect_until_a_new_life_is_recorded)
{
    struct neap_error error = {0};
    struct store store;
    struct room room;
    bool suspect = false;
    char path[96];
    uint64_t life;

    begin(&room);
    CHECK_OK(store_at(&store, &room, false));
    life = store.identity.life;
    store_done(&store);
    put_numbered(&room, 0, 20);
    room_close(&room);
    file_find(&room, ".log", path, sizeof path);
    file_damage(path, "value of key010");
    for (int i = 0; i < 3; i++) { /* the second is by a reader, which changes nothing */
        suspect = false;
        CHECK_OK(room_try(&room, false, i == 1, &suspect, &error));
        CHECK(suspect);
        if (i < 2)
            room_close(&room);
    }
    CHECK_OK(store_at(&store, &room, suspect));
    CHECK(store.identity.fresh_life && store.identity.life != life);
    life = store.identity.life;
    store_done(&store);
    room_reopen(&room); /* not suspect */
    CHECK_OK(store_at(&store, &room, false));
    CHECK_EQUAL(store.identity.life, life);
    store_done(&store);
    end(&room);
}

TEST(a_database_without_its_first_file_is_not_an_empty_one)
{
    struct neap_error error = {0};
    struct room room;
    bool suspect = false;
    char path[96];

    begin(&room);
    put_numbered(&room, 0, 2);
    room_close(&room);
    snprintf(path, sizeof path, "%s/CURRENT", room.path);
    CHECK_OK(unlink(path));
    CHECK_ERROR(room_try(&room, true, false, &suspect, &error), NEAP_CORRUPT);
    CHECK(strstr(error.text, "CURRENT"));
    path_remove(&room);
}

TEST(a_missing_table_is_corruption_for_who_only_reads)
{
    struct neap_error error = {0};
    struct room room;
    bool suspect = false;
    char path[96];

    begin(&room);
    put_numbered(&room, 0, 2);
    room_reopen(&room);
    room_close(&room);
    file_find(&room, ".sst", path, sizeof path);
    CHECK_OK(unlink(path));
    CHECK_ERROR(room_try(&room, true, true, &suspect, &error), NEAP_CORRUPT);
    CHECK(error.text[0]);
    path_remove(&room);
}

TEST(a_family_of_a_later_version_is_refused)
{
    rocksdb_options_t *options = rocksdb_options_create();
    struct neap_error error = {0};
    struct room room = {0};
    bool suspect = false;
    char *problem = NULL;
    rocksdb_t *db;

    path_new(&room);
    rocksdb_options_set_create_if_missing(options, 1);
    db = rocksdb_open(options, room.path, &problem);
    CHECK(db && !problem);
    rocksdb_column_family_handle_destroy(
        rocksdb_create_column_family(db, options, "later", &problem));
    CHECK(!problem);
    rocksdb_close(db);
    rocksdb_options_destroy(options);
    CHECK_ERROR(room_try(&room, true, false, &suspect, &error), NEAP_FORMAT);
    CHECK(strstr(error.text, "newer version of the program"));
    path_remove(&room);
}

TEST(a_reader_cannot_write)
{
    struct neap_error error = {0};
    struct disk_snapshot *snapshot = NULL;
    struct batch *batch = NULL;
    struct room room;
    bool suspect = true;

    begin(&room);
    put_numbered(&room, 0, 3);
    room_close(&room);
    CHECK_OK(room_try(&room, false, true, &suspect, &error));
    CHECK(!suspect);
    CHECK_EQUAL(count_cells(&room), 3);
    CHECK_OK(room.disk->ops->snapshot(room.disk, &snapshot));
    CHECK_TEXT(disk_text(room.disk, snapshot, DISK_CELLS, "key009"), "-");
    room.disk->ops->release(room.disk, snapshot);
    CHECK_OK(batch_new(room.disk, &batch));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("a"), text("b")));
    CHECK_ERROR(room.disk->ops->commit(room.disk, batch, true), NEAP_REFUSED);
    batch_free(batch);
    end(&room);
}

/* A limit on the size of files makes writes fail as a broken disk does. */
static void limit_files(rlim_t size)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    CHECK_OK(getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = size;
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
}

TEST(after_a_failed_write_rocks_takes_no_more_until_reopened)
{
    static uint8_t large[256 << 10];
    struct neap_error error = {0};
    struct batch *batch = NULL;
    struct room room;
    int code;

    begin(&room);
    put_numbered(&room, 0, 3);
    CHECK_OK(batch_new(room.disk, &batch));
    CHECK_OK(batch_put(batch, DISK_CELLS, text("large"), slice_of(large, sizeof large)));
    limit_files(64 << 10);
    code = room.disk->ops->commit(room.disk, batch, true);
    limit_files(RLIM_INFINITY);
    CHECK_ERROR(code, NEAP_IO);
    room.disk->ops->error(room.disk, &error);
    CHECK(strstr(error.text, "commit"));
    batch_clear(batch);
    CHECK_OK(batch_put(batch, DISK_CELLS, text("small"), text("1")));
    CHECK_ERROR(room.disk->ops->commit(room.disk, batch, false), NEAP_IO);
    CHECK_ERROR(room.disk->ops->sync(room.disk), NEAP_IO);
    CHECK_EQUAL(count_cells(&room), 3);
    batch_free(batch);
    room_reopen(&room);
    CHECK(count_cells(&room) >= 3); /* the failed one may be there */
    put_numbered(&room, 3, 5);
    CHECK(strcmp(disk_text(room.disk, NULL, DISK_CELLS, "key004"), "-") != 0);
    end(&room);
}

static struct identity identity_of(struct room *room)
{
    struct identity identity = {0};
    struct neap_error error = {0};
    struct directory_mark mark;
    struct batch *batch = NULL;
    struct view view;

    CHECK_OK(directory_mark_read(room->path, &mark, &error));
    CHECK_OK(batch_new(room->disk, &batch));
    view = batch_view(batch);
    CHECK_OK(identity_open(&view, &mark, false, clock_os(), batch, &identity, &error));
    CHECK_OK(room->disk->ops->commit(room->disk, batch, true));
    batch_free(batch);
    return identity;
}

TEST(a_copy_of_a_directory_gets_another_life_and_the_original_keeps_its_own)
{
    struct identity first, again, copied;
    struct room room, copy;
    char command[200];

    begin(&room);
    first = identity_of(&room);
    room_reopen(&room);
    again = identity_of(&room);
    CHECK_EQUAL(again.life, first.life);
    room_close(&room);
    copy = room;
    snprintf(copy.path, sizeof copy.path, "%.50s-copy", room.path);
    snprintf(command, sizeof command, "cp -a %s %s", room.path, copy.path);
    CHECK_OK(system(command));
    room_open(&copy);
    copied = identity_of(&copy);
    CHECK(copied.fresh_life && copied.life != first.life);
    CHECK_EQUAL(copied.node, first.node);
    CHECK_EQUAL(copied.reason, IDENTITY_COPIED);
    end(&copy);
    room_open(&room);
    again = identity_of(&room);
    CHECK(!again.fresh_life);
    CHECK_EQUAL(again.life, first.life);
    end(&room);
}

static off_t wal_size(const struct room *room, unsigned *ret_tables)
{
    DIR *directory = opendir(room->path);
    const struct dirent *entry;
    struct stat status;
    off_t size = 0;

    CHECK(directory);
    while ((entry = readdir(directory))) {
        *ret_tables += strstr(entry->d_name, ".sst") != NULL;
        if (strstr(entry->d_name, ".log") &&
            fstatat(dirfd(directory), entry->d_name, &status, 0) == 0)
            size += status.st_size;
    }
    closedir(directory);
    return size;
}

TEST(the_wal_stays_within_the_budget)
{
    enum { COMMITS = 1000, SIZE = 16 << 10 };
    static uint8_t bytes[SIZE];
    struct batch *batch = NULL;
    struct room room;
    unsigned i, tables = 0;

    begin(&room);
    CHECK_OK(batch_new(room.disk, &batch));
    for (i = 0; i < COMMITS; i++) { /* four times MEMORY */
        CHECK_OK(batch_put(batch, DISK_CELLS, slice_of(&i, sizeof i), slice_of(bytes, SIZE)));
        CHECK_OK(batch_put(batch, DISK_META, text("last"), slice_of(&i, sizeof i)));
        CHECK_OK(room.disk->ops->commit(room.disk, batch, false));
        batch_clear(batch);
    }
    batch_free(batch);
    CHECK(wal_size(&room, &tables) < MEMORY);
    CHECK(tables > 0);
    CHECK_EQUAL(count_cells(&room), COMMITS);
    room_reopen(&room);
    CHECK_EQUAL(count_cells(&room), COMMITS);
    end(&room);
}

static void close_early(void *argument)
{
    disk_close(argument);
}

TEST(closing_before_the_last_iterator_is_a_mistake_of_ours)
{
    struct disk_iter *iter = NULL;
    struct room room;

    begin(&room);
    CHECK_OK(room.disk->ops->scan(room.disk, NULL, DISK_LOG, text(""), text("z"), &iter));
    CHECK_DIES(close_early, room.disk);
    iter->ops->close(iter);
    end(&room);
}

static int use_once(void *argument)
{
    struct room *room = argument;
    struct disk_rocks_options options = {.path = room->path, .memory_max = MEMORY};
    struct disk_snapshot *snapshot = NULL;
    struct disk_iter *iter = NULL;
    struct disk *disk = NULL;
    struct buffer value;
    bool suspect;
    int error = disk_rocks_open(&options, &disk, &suspect, NULL);

    if (error)
        return error;
    buffer_init(&value, 100);
    error = disk->ops->get(disk, NULL, DISK_CELLS, text("key001"), &value);
    buffer_done(&value);
    if (!error)
        error = disk->ops->snapshot(disk, &snapshot);
    if (!error)
        error = disk->ops->scan(disk, snapshot, DISK_CELLS, text("a"), text("b"), &iter);
    if (iter)
        iter->ops->close(iter);
    disk->ops->release(disk, snapshot);
    disk_close(disk);
    return error;
}

TEST(rocks_survives_want_of_memory)
{
    struct room room;

    begin(&room);
    put_numbered(&room, 0, 3);
    room_close(&room);
    test_alloc_sweep(use_once, &room);
    path_remove(&room);
}
