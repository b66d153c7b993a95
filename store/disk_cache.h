/* Cells that were read lately, in memory before the disk: a write to one of them, or a read, does
 * not ask the disk again (docs/decisions/0101). It holds committed state only. What is read without
 * a snapshot is kept, what is committed replaces what is kept of it. Passes, snapshots and the
 * other families go past it. */
#ifndef NEAP_STORE_DISK_CACHE_H
#define NEAP_STORE_DISK_CACHE_H
#include "store/disk.h"

/* A disk before `inner`, which it takes over: closing it closes both. It takes `size` bytes at most
 * (and DISK_CACHE_MIN at least), all of them from the start, though pages that are not used yet
 * cost nothing. NOMEM. */
enum { DISK_CACHE_MIN = 2 << 10 };
int disk_cache_open(struct disk *inner, size_t size, struct disk **ret_disk);
/* Gives the inner disk back and frees what was before it; a disk that is no cache is returned. */
struct disk *disk_cache_leave(struct disk *disk);

/* What it keeps may not be on the disk any more: all is read again. Nothing when it is no cache. */
void disk_cache_forget(struct disk *disk);

struct disk_cache_counts {
    uint64_t hits, misses, cells; /* cells: that it holds now */
};
struct disk_cache_counts disk_cache_count(struct disk *disk); /* of a cache only */
#endif
