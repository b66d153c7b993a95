/* The disks of a world: memory, or directories of RocksDB in a temporary folder. */
#define _XOPEN_SOURCE 700
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "store/disk_cache.h"
#include "tests/property/world.h"

/* Room for a few cells. */
enum { CACHE_SIZE = 2 << 10 };

struct disk *world_disk(const struct world *world, unsigned node)
{
    struct disk_rocks_options options = {.create = true, .memory_max = 4 << 20};
    struct neap_error error = {0};
    struct disk *disk = NULL;
    char path[512];
    bool suspect;
    int code;

    if (!world->folder) {
        hold_ok(disk_mem_open(&disk), "disk");
        return disk;
    }
    snprintf(path, sizeof path, "%s/%u", world->folder, node);
    options.path = path;
    code = disk_rocks_open(&options, &disk, &suspect, &error);
    hold(!code && !suspect, "open of RocksDB: %s", error.text);
    return disk;
}

void node_set_disk(struct node *node, struct disk *bare)
{
    batch_free(node->batch);
    if (node->disk && bare == node->bare)
        (void)disk_cache_leave(node->disk);
    else
        disk_close(node->disk);
    node->bare = bare;
    hold_ok(disk_cache_open(bare, CACHE_SIZE, &node->disk), "cache");
    hold_ok(batch_new(node->disk, &node->batch), "batch");
}

int folder_make(char *ret_path, size_t size)
{
    const char *parent = getenv("TMPDIR");
    int length = snprintf(ret_path, size, "%s/neap-causality-XXXXXX", parent ? parent : "/tmp");

    return length > 0 && (size_t)length < size && mkdtemp(ret_path) ? 0 : NEAP_IO;
}

static int entry_remove(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
    (void)stat;
    (void)kind;
    (void)ftw;
    return remove(path);
}

void folder_remove(const char *path)
{
    nftw(path, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}
