/* Data directories of RocksDB with the golden keys and values in them. */
#ifndef NEAP_GOLDEN_FOLDER_H
#define NEAP_GOLDEN_FOLDER_H
#include "tests/golden/scene.h"

struct folder {
    char path[64]; /* of the data directory, in a temporary one of its own */
};

void folder_new(struct folder *ret_folder);
void folder_remove(const struct folder *folder);
/* All names, modes and bytes of files, so that two moments can be compared. */
void folder_look(const struct folder *folder, struct buffer *ret_text);

/* tests/golden/directory-N.hex, N being the format. */
void dump_name(uint32_t format, char ret_name[32]);
/* Its keys and values onto a disk. */
void dump_load(uint32_t format, struct disk *disk);
/* All keys and values of a disk, as a golden file, but without what they say. */
void dump_of(struct disk *disk, struct buffer *ret_text);
/* The same of a data directory that is closed; opened for reading only. */
void folder_dump(const struct folder *folder, struct buffer *ret_text);
/* A new data directory with them, closed again. */
void folder_fill(const struct folder *folder, uint32_t format);
/* Puts one key of meta into a closed data directory. */
void folder_put(const struct folder *folder, struct slice key, struct slice value);
#endif
