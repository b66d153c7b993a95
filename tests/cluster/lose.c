/* lose DIRECTORY BUCKET KEY: removes the last-writer-wins value of a key from the data of a node
 * that is stopped, as a disk might: no event, no trace, and whoever looks finds nothing wrong. */
#include <stdio.h>

#include "base/error.h"
#include "crdt/path.h"
#include "store/batch.h"
#include "store/keys.h"
#include "store/store.h"

static int lose(struct disk *disk, uint64_t bucket, struct slice path)
{
    struct batch *batch = NULL;
    struct buffer value;
    struct key key;
    int error = batch_new(disk, &batch);

    buffer_init(&value, 1 << 24);
    key_cell(&key, bucket, bucket, path);
    if (!error)
        error = disk->ops->get(disk, NULL, DISK_CELLS, key_slice(&key), &value);
    if (!error)
        error = batch_delete(batch, DISK_CELLS, key_slice(&key));
    if (!error)
        error = disk->ops->commit(disk, batch, true);
    buffer_done(&value);
    batch_free(batch);
    return error;
}

int main(int argc, char **argv)
{
    struct disk_rocks_options options = {.memory_max = 64 << 20};
    struct neap_error text = {0};
    struct buffer path;
    struct disk *disk = NULL;
    bool suspect = false;
    int error;

    if (argc != 4)
        return 2;
    options.path = argv[1];
    buffer_init(&path, NEAP_PATH_MAX);
    error = path_level(&path, slice_text(argv[3]), NEAP_LWW);
    if (!error)
        error = disk_rocks_open(&options, &disk, &suspect, &text);
    if (!error)
        error = lose(disk, bucket_id(argv[2]), buffer_slice(&path));
    disk_close(disk);
    buffer_done(&path);
    if (error || suspect)
        fprintf(stderr, "lose: %s %s\n", error_text(error), text.text);
    return error || suspect;
}
