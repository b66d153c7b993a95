#include "tests/golden/folder.h"

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/keys.h"

/* ---- files ---- */

void folder_new(struct folder *ret_folder)
{
    const char *parent = getenv("TMPDIR");
    char path[48];

    snprintf(path, sizeof path, "%.25s/neap-golden-XXXXXX", parent ? parent : "/tmp");
    CHECK(mkdtemp(path));
    snprintf(ret_folder->path, sizeof ret_folder->path, "%s/data", path);
}

static int entry_remove(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void folder_remove(const struct folder *folder)
{
    char path[64];

    snprintf(path, sizeof path, "%s", folder->path);
    *strrchr(path, '/') = 0;
    CHECK_EQUAL(nftw(path, entry_remove, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void file_look(const char *folder, const char *name, struct buffer *ret_text)
{
    char path[512], part[4096];
    struct stat status;
    size_t size;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    CHECK_EQUAL(lstat(path, &status), 0);
    say(ret_text, "%s %o inode %llu\n", name, (unsigned)status.st_mode,
        (unsigned long long)status.st_ino);
    if (!S_ISREG(status.st_mode))
        return;
    file = fopen(path, "re");
    CHECK(file);
    while ((size = fread(part, 1, sizeof part, file)) > 0)
        CHECK_OK(buffer_append(ret_text, slice_of(part, size)));
    CHECK_EQUAL(fclose(file), 0);
}

void folder_look(const struct folder *folder, struct buffer *ret_text)
{
    struct dirent **entries;
    int count = scandir(folder->path, &entries, NULL, alphasort);

    CHECK(count > 2);
    buffer_clear(ret_text);
    for (int i = 0; i < count; i++) {
        file_look(folder->path, entries[i]->d_name, ret_text);
        free(entries[i]);
    }
    free(entries);
}

/* ---- keys and values ---- */

void dump_name(uint32_t format, char ret_name[32])
{
    snprintf(ret_name, 32, "directory-%u.hex", (unsigned)format);
}

/* "cells 0123..." */
static enum disk_family name_read(const char *name, struct buffer *ret_key)
{
    const char *blank = strchr(name, ' ');

    CHECK(blank);
    buffer_clear(ret_key);
    golden_unhex(slice_text(blank + 1), ret_key);
    for (unsigned family = 0; family < DISK_FAMILIES; family++) {
        const char *known = disk_family_name((enum disk_family)family);

        if (strlen(known) == (size_t)(blank - name) && !strncmp(known, name, strlen(known)))
            return (enum disk_family)family;
    }
    test_failed(__FILE__, __LINE__, "no family: %s", name);
}

void dump_load(uint32_t format, struct disk *disk)
{
    struct batch *batch = NULL;
    struct golden_entry entry;
    struct buffer text, key;
    struct slice left;
    char name[32];

    buffer_init(&text, GOLDEN_BYTES_MAX);
    buffer_init(&key, KEY_SIZE_MAX);
    golden_entry_init(&entry);
    dump_name(format, name);
    golden_read(name, &text);
    CHECK_OK(batch_new(disk, &batch));
    for (left = buffer_slice(&text); golden_entry_next(&left, &entry);) {
        enum disk_family family = name_read(entry.name, &key);

        CHECK_OK(batch_put(batch, family, buffer_slice(&key), buffer_slice(&entry.bytes)));
    }
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
    golden_entry_done(&entry);
    buffer_done(&key);
    buffer_done(&text);
}

static void family_dump(struct disk *disk, enum disk_family family, struct buffer *ret_text)
{
    const struct view view = {.disk = disk};
    struct slice none = slice_of(NULL, 0), key, value;
    struct scan *scan;
    int error;

    CHECK_OK(view_scan(&view, family, none, none, &scan));
    while (!(error = scan_next(scan, &key, &value))) {
        say(ret_text, "%s ", disk_family_name(family));
        for (size_t i = 0; i < key.size; i++)
            say(ret_text, "%02x", key.data[i]);
        say(ret_text, "\n");
        say_hex(ret_text, value);
    }
    CHECK_EQUAL(error, NEAP_END);
    scan_close(scan);
}

void dump_of(struct disk *disk, struct buffer *ret_text)
{
    buffer_clear(ret_text);
    for (unsigned family = 0; family < DISK_FAMILIES; family++)
        family_dump(disk, (enum disk_family)family, ret_text);
}

static struct disk *folder_open(const struct folder *folder, bool readonly)
{
    const struct disk_rocks_options options = {
        .path = folder->path, .create = true, .readonly = readonly, .memory_max = 4 << 20};
    struct neap_error error = {0};
    struct disk *disk = NULL;
    bool suspect = false;

    CHECK_OK(disk_rocks_open(&options, &disk, &suspect, &error));
    CHECK(!suspect);
    return disk;
}

void folder_dump(const struct folder *folder, struct buffer *ret_text)
{
    struct disk *disk = folder_open(folder, true);

    dump_of(disk, ret_text);
    disk_close(disk);
}

void folder_fill(const struct folder *folder, uint32_t format)
{
    struct disk *disk = folder_open(folder, false);

    dump_load(format, disk);
    disk_close(disk);
}

void folder_put(const struct folder *folder, struct slice key, struct slice value)
{
    struct disk *disk = folder_open(folder, false);
    struct batch *batch = NULL;

    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(batch_put(batch, DISK_META, key, value));
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
    disk_close(disk);
}
