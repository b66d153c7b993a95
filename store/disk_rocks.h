/* What the files of RocksDB's disk share. */
#ifndef NEAP_STORE_DISK_ROCKS_H
#define NEAP_STORE_DISK_ROCKS_H
#include "store/disk.h"

/* Makes the directory if it may; refuses what RocksDB would take for an empty one though it is not,
 * and what is a backup. NOTFOUND, REFUSED, CORRUPT, INVALID, NOMEM, IO. */
int disk_rocks_directory(const struct disk_rocks_options *options, struct neap_error *error);
#endif
