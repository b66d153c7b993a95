/* 'T' [shard]         [version, stamp, hash of the context, check]: the head
 * 'T' [shard] [part]  as merkle_save() makes it; its stamp is the head's */
#include "store/tree_keep.h"

#include "base/broken.h"
#include "base/error.h"
#include "base/pack.h"
#include "store/merkle.h"

enum { HEAD_VERSION = 1, HEAD_FIELDS = 4, HEAD_SIZE_MAX = 64 };
enum { CONTEXT_BYTES_MAX = 1 << 20 };

static int range_drop(struct batch *batch, const struct key *from)
{
    struct key end;

    key_end(from, &end);
    return batch_delete_range(batch, DISK_META, key_slice(from), key_slice(&end));
}

static int snapshot_drop(const struct shard *shard, struct batch *batch)
{
    struct key from;

    key_tree(&from, shard->id);
    return range_drop(batch, &from);
}

static void drop_undo(void *arg, const void *note)
{
    struct shard *shard = arg;

    (void)note;
    shard->tree_kept = true;
}

int tree_drop(struct shard *shard, struct batch *batch)
{
    int error;

    if (!shard->tree_kept || BROKEN("snapshot-stays"))
        return 0;
    error = snapshot_drop(shard, batch);
    if (!error)
        error = batch_add_undo(batch, drop_undo, shard, slice_of(NULL, 0));
    if (!error)
        shard->tree_kept = false;
    return error;
}

int trees_drop(struct batch *batch)
{
    struct key from;

    key_meta(&from, 'T');
    return range_drop(batch, &from);
}

/* ---- the head ---- */

/* A second bond to the state: should ever a cell be changed by who knows nothing of snapshots, an
 * older version say, the context has moved with it, but for repairs. */
static int context_hash(const struct shard *shard, uint64_t *ret_hash)
{
    struct buffer bytes;
    struct writer writer;

    buffer_init(&bytes, CONTEXT_BYTES_MAX);
    writer_init(&writer, &bytes);
    context_write(&writer, &shard->context);
    if (!writer.error)
        *ret_hash = hash_64(&shard->tree->key, buffer_slice(&bytes));
    buffer_done(&bytes);
    return writer.error;
}

static int head_write(const struct shard *shard, uint64_t stamp, struct batch *batch,
                      struct buffer *scratch)
{
    struct writer writer;
    struct key key;
    uint64_t context;
    int error = context_hash(shard, &context);

    if (error)
        return error;
    buffer_clear(scratch);
    writer_init(&writer, scratch);
    write_array(&writer, HEAD_FIELDS);
    write_u64(&writer, HEAD_VERSION);
    write_u64(&writer, stamp);
    write_u64(&writer, context);
    if (!writer.error)
        write_u64(&writer, hash_64(&shard->tree->key, buffer_slice(scratch)));
    if (writer.error)
        return writer.error;
    key_tree(&key, shard->id);
    return batch_put(batch, DISK_META, key_slice(&key), buffer_slice(scratch));
}

/* STALE: of another context. */
static int head_read(const struct shard *shard, const struct view *view, struct buffer *scratch,
                     uint64_t *ret_stamp)
{
    struct reader reader;
    struct slice head;
    struct key key;
    uint64_t stamp, context, now = 0;
    int error;

    key_tree(&key, shard->id);
    error = view_get(view, DISK_META, key_slice(&key), scratch);
    if (!error)
        error = context_hash(shard, &now);
    if (error)
        return error;
    reader_init(&reader, buffer_slice(scratch));
    read_array_of(&reader, HEAD_FIELDS);
    if (read_u64(&reader) != HEAD_VERSION)
        return NEAP_FORMAT;
    stamp = read_u64(&reader);
    context = read_u64(&reader);
    head = slice_of(scratch->data, scratch->size - reader.left.size);
    if (read_u64(&reader) != hash_64(&shard->tree->key, head) || reader_end(&reader))
        return NEAP_CORRUPT;
    *ret_stamp = stamp;
    return context == now || BROKEN("snapshot-stays") ? 0 : NEAP_STALE;
}

/* ---- loading ---- */

/* END: all parts. */
static int parts_load(struct shard *shard, const struct view *view, uint64_t stamp,
                      struct buffer *scratch)
{
    uint64_t found;
    struct key key;
    int error = 0;

    for (uint64_t part = 0; !error; part++) {
        key_tree_part(&key, shard->id, part);
        error = view_get(view, DISK_META, key_slice(&key), scratch);
        if (!error)
            error = merkle_load(shard->tree, buffer_slice(scratch), &found);
        if ((!error || error == NEAP_END) && found != stamp)
            error = NEAP_CORRUPT;
    }
    return error;
}

void tree_load(struct shard *shard, const struct view *view)
{
    struct merkle *tree = shard->tree;
    struct buffer scratch;
    uint64_t stamp;
    int error;

    if (tree->ready)
        return;
    buffer_init(&scratch, MERKLE_PART_SIZE);
    error = head_read(shard, view, &scratch, &stamp);
    if (!error)
        error = parts_load(shard, view, stamp, &scratch);
    buffer_done(&scratch);
    if (error != NEAP_END) {
        merkle_build_stop(tree);
        tree->ready = false; /* if it was the last part that was not the head's */
    } else if (shard->residues_count == 0) {
        merkle_settle(tree);
    }
}

/* ---- saving ---- */

struct saver {
    struct store *store;
    struct batch *batch;
    struct buffer scratch;
};

static int part_save(struct saver *saver, const struct shard *shard, uint64_t stamp, size_t part)
{
    struct key key;
    int error = merkle_save(shard->tree, stamp, part, &saver->scratch);

    key_tree_part(&key, shard->id, part);
    if (!error)
        error = batch_put(saver->batch, DISK_META, key_slice(&key), buffer_slice(&saver->scratch));
    if (!error && batch_bytes(saver->batch) >= FLUSH_BYTES)
        error = batch_flush(saver->batch, saver->store->disk, false);
    return error;
}

/* The parts that were there go first and the head comes last; as commits that are lost are the last
 * ones, a head has all its parts, and no others. */
static int tree_save(struct saver *saver, struct shard *shard)
{
    uint64_t stamp = store_new_id(saver->store);
    int error = snapshot_drop(shard, saver->batch);

    for (size_t part = 0; part < merkle_parts(shard->tree) && !error; part++)
        error = part_save(saver, shard, stamp, part);
    shard->tree_kept = true;
    return error ? error : head_write(shard, stamp, saver->batch, &saver->scratch);
}

int trees_save(struct store *store)
{
    struct saver saver = {.store = store};
    int error = batch_new(store->disk, &saver.batch);

    buffer_init(&saver.scratch, MERKLE_PART_SIZE);
    for (size_t i = 0; i < store->shards_count && !error; i++) {
        struct shard *shard = store->shards[i];

        if (shard->tree && shard->tree->ready)
            error = tree_save(&saver, shard);
    }
    if (!error && !batch_is_empty(saver.batch))
        error = batch_flush(saver.batch, saver.store->disk, true);
    buffer_done(&saver.scratch);
    batch_free(saver.batch);
    return error;
}
