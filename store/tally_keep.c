/* What the disk keeps of numbers:
 *   'Y' [shard] [collection]  [version, count], or [version, nil] when the disk doesn't know */
#include "base/error.h"
#include "base/pack.h"
#include "store/tally_state.h"

enum { RECORD_VERSION = 1, RECORD_SIZE_MAX = 16 };

int tally_put_record(const struct shard *shard, struct batch *batch, const struct tally *tally,
                     bool known)
{
    struct buffer bytes;
    struct writer writer;
    struct key key;

    buffer_init(&bytes, RECORD_SIZE_MAX);
    writer_init(&writer, &bytes);
    write_array(&writer, 2);
    write_u64(&writer, RECORD_VERSION);
    if (known)
        write_u64(&writer, tally->count);
    else
        write_nil(&writer);
    key_tally(&key, shard->id, tally_name(tally));
    if (!writer.error)
        writer.error = batch_put(batch, DISK_META, key_slice(&key), buffer_slice(&bytes));
    buffer_done(&bytes);
    return writer.error;
}

int tally_delete_record(const struct shard *shard, struct batch *batch, const struct tally *tally)
{
    struct key key;

    key_tally(&key, shard->id, tally_name(tally));
    return batch_delete(batch, DISK_META, key_slice(&key));
}

static int record_load(struct shard *shard, struct slice key, struct slice value)
{
    struct reader reader;
    struct tally *tally;
    uint64_t count;
    bool known;
    int error;

    reader_init(&reader, value);
    read_array_of(&reader, 2);
    if (!key_tally_is(key) || read_u64(&reader) != RECORD_VERSION)
        return NEAP_CORRUPT;
    known = !read_nil(&reader);
    count = known ? read_u64(&reader) : 0;
    if (reader_end(&reader))
        return NEAP_CORRUPT;
    error = tallies_open(shard);
    if (!error)
        error = tally_add(shard->tallies, key_tally_collection(key), &tally);
    if (error || !known)
        return error;
    tally_end(shard->tallies, tally);
    tally->count = count;
    tally->kept = true;
    return 0;
}

int tallies_load(struct shard *shard, const struct view *view)
{
    struct slice key, value;
    struct key from, end;
    struct scan *scan;
    int error;

    key_shard_meta_prefix(&from, 'Y', shard->id);
    key_end(&from, &end);
    error = view_scan(view, DISK_META, key_slice(&from), key_slice(&end), &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        error = record_load(shard, key, value);
        if (error)
            break;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

int tallies_drop(struct batch *batch)
{
    struct key from, end;

    key_meta(&from, 'Y');
    key_end(&from, &end);
    return batch_delete_range(batch, DISK_META, key_slice(&from), key_slice(&end));
}

/* ---- saving ---- */

static int tally_save(const struct shard *shard, struct batch *batch, struct tally *tally)
{
    int error;

    if (tally->kept)
        return 0;
    if (!tally->counting && !tally->count)
        return tally_delete_record(shard, batch, tally);
    error = tally_put_record(shard, batch, tally, !tally->counting);
    if (!error)
        tally->kept = !tally->counting;
    return error;
}

static int shard_tallies_save(struct disk *disk, struct shard *shard, struct batch *batch)
{
    int error = 0;

    for (size_t i = 0; shard->tallies && i < shard->tallies->count && !error; i++) {
        error = tally_save(shard, batch, shard->tallies->items[i]);
        if (!error && batch_bytes(batch) >= FLUSH_BYTES)
            error = batch_flush(batch, disk, false);
    }
    return error;
}

int tallies_save(struct store *store)
{
    struct batch *batch;
    bool any = false;
    int error;

    for (size_t i = 0; i < store->shards_count; i++)
        any |= store->shards[i]->tallies != NULL;
    error = any ? batch_new(store->disk, &batch) : NEAP_END;
    if (error)
        return error == NEAP_END ? 0 : error;
    for (size_t i = 0; i < store->shards_count && !error; i++)
        error = shard_tallies_save(store->disk, store->shards[i], batch);
    if (!error && !batch_is_empty(batch))
        error = batch_flush(batch, store->disk, true);
    batch_free(batch);
    return error;
}
