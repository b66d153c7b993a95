/* Door: RocksDB through its C API. Its error strings are turned into codes and texts here, and
 * nowhere else. */
#include <inttypes.h>
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/batch.h"
#include "store/disk_rocks.h"
#include "store/identity.h"

enum {
    MEMORY_DEFAULT = 64 << 20,
    MEMORY_MIN = 1 << 20,
    OPEN_FILES_MAX = DISK_ROCKS_FILES - 32,
    INFO_LOG_SIZE_MAX = 256 << 10,
    MANIFEST_SIZE_MAX = 4 << 20,
    BLOOM_BITS = 10,
    METADATA_BLOCK_SIZE = 8 << 10,
    CHECKSUM_XXH3 = 4,
    ENTRY_OVERHEAD = 64,      /* of a memtable, for each key */
    WRITES_KEPT_MAX = 1 << 20 /* a batch that grew larger gives its memory back */
};

/* What only this door of the C API reaches. Each asks RocksDB to notice damage that it would
 * otherwise pass on: files read back after writing, files swapped, memtables overwritten. And
 * memtables get a filter, of some 20 bits a key: most cells that a write reads are in none. */
static const char options_text[] = "paranoid_file_checks=true;"
                                   "force_consistency_checks=true;"
                                   "verify_sst_unique_id_in_manifest=true;"
                                   "flush_verify_memtable_count=true;"
                                   "memtable_protection_bytes_per_key=8;"
                                   "memtable_whole_key_filtering=true;"
                                   "memtable_prefix_bloom_size_ratio=0.01";

/* Cells of one commit come in order, so that the search for the place of one may begin where the
 * last one of its bucket is: a tenth less for a batch of 100, a hundredth more for a lone one. */
static const char options_cells_text[] =
    "memtable_insert_with_hint_prefix_extractor=rocksdb.FixedPrefix.16";

/* Meta is in the family that every RocksDB database has. */
static const char *const family_names[DISK_FAMILIES] = {"cells", "log", "default"};

struct disk_rocks {
    struct disk disk;
    char *path;
    bool readonly;
    bool marked; /* as damaged */
    rocksdb_options_t *options, *options_cells;
    rocksdb_t *db;
    rocksdb_column_family_handle_t *families[DISK_FAMILIES];
    rocksdb_readoptions_t *read;
    rocksdb_writeoptions_t *write_synced, *write_unsynced;
    rocksdb_flushoptions_t *flush;
    rocksdb_writebatch_t *writes; /* of the commit that runs; kept for its memory */
    size_t filled, filled_max;    /* bytes in the memtables, about; by then they are flushed */
    atomic_uint users;            /* snapshots and iterators */
    atomic_bool broken;           /* a write failed: no more of them until reopened */
    pthread_mutex_t lock;         /* guards error and durable */
    bool lock_ready;
    struct durable_file durable;
    struct neap_error error;
};

struct disk_snapshot {
    const rocksdb_snapshot_t *snapshot;
    rocksdb_readoptions_t *read;
};

struct rocks_iter {
    struct disk_iter iter;
    struct disk_rocks *rocks;
    enum disk_family family;
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t *pass;
    bool started;
    size_t from_size, to_size;
    uint8_t bounds[]; /* RocksDB borrows the upper one */
};

static struct disk_rocks *rocks_of(struct disk *disk)
{
    return (struct disk_rocks *)disk;
}

/* Errors */

/* Once: the first that was found says enough. */
static void rocks_mark(struct disk_rocks *rocks, const char *what, const char *text)
{
    char cause[ROCKS_CAUSE_MAX];

    if (rocks->marked || rocks->readonly || rocks_text_code(text) != NEAP_CORRUPT)
        return;
    rocks->marked = true;
    rocks_text_cause(rocks->path, what, text, cause);
    rocks_mark_damaged(rocks->path, cause);
}

static int rocks_fail(struct disk_rocks *rocks, int code, const char *what, char *text)
{
    must(pthread_mutex_lock(&rocks->lock) == 0);
    rocks_mark(rocks, what, text);
    code = rocks_text_error(&rocks->error, code, rocks->path, what, text);
    must(pthread_mutex_unlock(&rocks->lock) == 0);
    return code;
}

/* The same for a failed read, with the key for those who look after the damage. */
static int rocks_fail_at(struct disk_rocks *rocks, enum disk_family family, struct slice key,
                         char *text)
{
    char what[96];
    size_t used, i;

    used = (size_t)snprintf(what, sizeof what, "%s, %s ", disk_family_name(family),
                            key.size ? "key" : "at its start");
    for (i = 0; i < key.size && used + 3 < sizeof what; i++)
        used += (size_t)snprintf(what + used, sizeof what - used, "%02x", key.data[i]);
    return rocks_fail(rocks, 0, what, text);
}

/* A write that failed may be there after the next opening, and RocksDB itself refuses more of them
 * in some cases only, so that all are refused here. */
static int rocks_break(struct disk_rocks *rocks, const char *what, char *text)
{
    atomic_store(&rocks->broken, true);
    return rocks_fail(rocks, NEAP_IO, what, text);
}

static int rocks_refuse(struct disk_rocks *rocks)
{
    int code = 0;

    if (!rocks->readonly && !atomic_load(&rocks->broken))
        return 0;
    must(pthread_mutex_lock(&rocks->lock) == 0);
    if (rocks->readonly)
        code = error_set(&rocks->error, NEAP_REFUSED, "%s: opened for reading only", rocks->path);
    else
        code = NEAP_IO; /* the text of the first failure says more than another one */
    must(pthread_mutex_unlock(&rocks->lock) == 0);
    return code;
}

static void rocks_error(struct disk *disk, struct neap_error *ret_error)
{
    struct disk_rocks *rocks = rocks_of(disk);

    must(pthread_mutex_lock(&rocks->lock) == 0);
    *ret_error = rocks->error;
    must(pthread_mutex_unlock(&rocks->lock) == 0);
}

/* Reading */

static int rocks_get(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                     struct slice key, struct buffer *ret_value)
{
    struct disk_rocks *rocks = rocks_of(disk);
    rocksdb_pinnableslice_t *pinned;
    const char *data;
    char *text = NULL;
    size_t size = 0;
    int error;

    pinned =
        rocksdb_get_pinned_cf(rocks->db, snapshot ? snapshot->read : rocks->read,
                              rocks->families[family], (const char *)key.data, key.size, &text);
    if (text)
        return rocks_fail_at(rocks, family, key, text);
    if (!pinned)
        return NEAP_NOTFOUND;
    data = rocksdb_pinnableslice_value(pinned, &size);
    error = buffer_set(ret_value, slice_of(data, size));
    rocksdb_pinnableslice_destroy(pinned);
    return error;
}

static struct slice iter_key(const struct rocks_iter *pass)
{
    size_t size = 0;
    const char *data = rocksdb_iter_key(pass->pass, &size);

    return slice_of(data, size);
}

/* RocksDB ends a pass at damage as it does at the end; only the error tells them apart. */
static int iter_ended(struct rocks_iter *pass, struct slice last)
{
    char *text = NULL;

    rocksdb_iter_get_error(pass->pass, &text);
    return text ? rocks_fail_at(pass->rocks, pass->family, last, text) : NEAP_END;
}

static int rocks_iter_next(struct disk_iter *iter, struct slice *ret_key, struct slice *ret_value)
{
    struct rocks_iter *pass = (struct rocks_iter *)iter;
    size_t size = 0;
    const char *data;

    if (!pass->started) {
        pass->started = true;
        rocksdb_iter_seek(pass->pass, (const char *)pass->bounds, pass->from_size);
    } else if (rocksdb_iter_valid(pass->pass)) {
        rocksdb_iter_next(pass->pass);
    }
    if (!rocksdb_iter_valid(pass->pass))
        return iter_ended(pass, slice_of(pass->bounds, pass->from_size));
    data = rocksdb_iter_value(pass->pass, &size);
    *ret_key = iter_key(pass);
    *ret_value = slice_of(data, size);
    return 0;
}

static void rocks_iter_close(struct disk_iter *iter)
{
    struct rocks_iter *pass = (struct rocks_iter *)iter;

    rocksdb_iter_destroy(pass->pass);
    rocksdb_readoptions_destroy(pass->read);
    atomic_fetch_sub(&pass->rocks->users, 1);
    mem_free(pass);
}

static const struct disk_iter_ops rocks_iter_ops = {.next = rocks_iter_next,
                                                    .close = rocks_iter_close};

static int rocks_scan(struct disk *disk, struct disk_snapshot *snapshot, enum disk_family family,
                      struct slice from, struct slice to, struct disk_iter **ret_iter)
{
    struct disk_rocks *rocks = rocks_of(disk);
    struct rocks_iter *pass = mem_new(sizeof(*pass) + from.size + to.size);

    if (!pass)
        return NEAP_NOMEM;
    pass->iter.ops = &rocks_iter_ops;
    pass->rocks = rocks;
    pass->family = family;
    pass->from_size = from.size;
    pass->to_size = to.size;
    if (from.size)
        memcpy(pass->bounds, from.data, from.size);
    if (to.size)
        memcpy(pass->bounds + from.size, to.data, to.size);
    pass->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(pass->read, 1);
    if (snapshot)
        rocksdb_readoptions_set_snapshot(pass->read, snapshot->snapshot);
    if (to.size)
        rocksdb_readoptions_set_iterate_upper_bound(
            pass->read, (const char *)pass->bounds + from.size, to.size);
    pass->pass = rocksdb_create_iterator_cf(rocks->db, pass->read, rocks->families[family]);
    atomic_fetch_add(&rocks->users, 1);
    *ret_iter = &pass->iter;
    return 0;
}

static int rocks_snapshot(struct disk *disk, struct disk_snapshot **ret_snapshot)
{
    struct disk_rocks *rocks = rocks_of(disk);
    struct disk_snapshot *snapshot = mem_new(sizeof(*snapshot));

    if (!snapshot)
        return NEAP_NOMEM;
    snapshot->snapshot = rocksdb_create_snapshot(rocks->db);
    snapshot->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(snapshot->read, 1);
    rocksdb_readoptions_set_snapshot(snapshot->read, snapshot->snapshot);
    atomic_fetch_add(&rocks->users, 1);
    *ret_snapshot = snapshot;
    return 0;
}

static void rocks_release(struct disk *disk, struct disk_snapshot *snapshot)
{
    struct disk_rocks *rocks = rocks_of(disk);

    if (!snapshot)
        return;
    rocksdb_readoptions_destroy(snapshot->read);
    rocksdb_release_snapshot(rocks->db, snapshot->snapshot);
    atomic_fetch_sub(&rocks->users, 1);
    mem_free(snapshot);
}

/* Writing */

static int rocks_add(void *arg, enum batch_kind kind, enum disk_family family, struct slice key,
                     struct slice value)
{
    struct disk_rocks *rocks = arg;
    rocksdb_column_family_handle_t *handle = rocks->families[family];
    const char *key_data = (const char *)key.data, *value_data = (const char *)value.data;

    switch (kind) {
    case BATCH_PUT:
        rocksdb_writebatch_put_cf(rocks->writes, handle, key_data, key.size, value_data,
                                  value.size);
        break;
    case BATCH_DELETE:
        rocksdb_writebatch_delete_cf(rocks->writes, handle, key_data, key.size);
        break;
    case BATCH_RANGE:
        rocksdb_writebatch_delete_range_cf(rocks->writes, handle, key_data, key.size, value_data,
                                           value.size);
        break;
    case BATCH_NONE:
        break;
    }
    return 0;
}

static void rocks_clear_writes(struct disk_rocks *rocks, size_t size)
{
    rocks->filled += size + ENTRY_OVERHEAD * (size_t)rocksdb_writebatch_count(rocks->writes);
    rocksdb_writebatch_clear(rocks->writes);
    if (size > WRITES_KEPT_MAX) {
        rocksdb_writebatch_destroy(rocks->writes);
        rocks->writes = rocksdb_writebatch_create();
    }
}

/* `sequence` is from before the sync, or from after it if nothing was written meanwhile. */
static void rocks_note(struct disk_rocks *rocks, uint64_t sequence)
{
    must(pthread_mutex_lock(&rocks->lock) == 0);
    durable_note(&rocks->durable, sequence);
    must(pthread_mutex_unlock(&rocks->lock) == 0);
}

static int rocks_sync(struct disk *disk)
{
    struct disk_rocks *rocks = rocks_of(disk);
    uint64_t sequence = rocksdb_get_latest_sequence_number(rocks->db);
    char *text = NULL;
    int error = rocks_refuse(rocks);

    if (error)
        return error;
    rocksdb_flush_wal(rocks->db, 1, &text);
    if (text)
        return rocks_break(rocks, "sync", text);
    rocks_note(rocks, sequence);
    return 0;
}

/* Starts new memtables and, with them, a new file of the WAL. RocksDB left to itself would do so
 * without a sync, and power loss could then take the end of the old file and leave commits in the
 * new one: mode 0 replays both, and the result has a hole. So the old file is synced first, no
 * commit comes between, and the limits that RocksDB goes by are out of reach; a batch so large that
 * it could reach them is synced. */
static int rocks_switch(struct disk_rocks *rocks)
{
    int error = rocks_sync(&rocks->disk);
    unsigned i;

    for (i = 0; !error && i < DISK_FAMILIES; i++) {
        char *text = NULL;

        rocksdb_flush_cf(rocks->db, rocks->flush, rocks->families[i], &text);
        if (text)
            error = rocks_break(rocks, "flush", text);
    }
    if (!error)
        rocks->filled = 0;
    return error;
}

static int rocks_commit(struct disk *disk, const struct batch *batch, bool sync)
{
    struct disk_rocks *rocks = rocks_of(disk);
    char *text = NULL;
    size_t size = 0;
    int error = rocks_refuse(rocks);

    if (error)
        return error;
    if (batch_is_empty(batch))
        return sync ? rocks_sync(disk) : 0;
    if (rocks->filled >= rocks->filled_max)
        error = rocks_switch(rocks);
    if (error)
        return error;
    error = batch_each(batch, rocks_add, rocks);
    must(!error);
    (void)rocksdb_writebatch_data(rocks->writes, &size);
    sync = sync || size > rocks->filled_max;
    rocksdb_write(rocks->db, sync ? rocks->write_synced : rocks->write_unsynced, rocks->writes,
                  &text);
    rocks_clear_writes(rocks, size);
    if (text)
        return rocks_break(rocks, "commit", text);
    if (sync)
        rocks_note(rocks, rocksdb_get_latest_sequence_number(rocks->db));
    return 0;
}

/* Copying */

uint64_t disk_rocks_sequence(struct disk *disk)
{
    return rocksdb_get_latest_sequence_number(rocks_of(disk)->db);
}

/* Of a failure that is the copy's, not the disk's. */
static int checkpoint_fail(const char *path, char *text, struct neap_error *error)
{
    bool refused = strstr(text, "No space left") || strstr(text, "Permission denied") ||
                   strstr(text, "Read-only file system") || strstr(text, "quota");

    return rocks_text_error(error, refused ? NEAP_REFUSED : NEAP_IO, path, "cannot copy", text);
}

/* RocksDB would flush first, for a copy without a WAL; but flushing is for rocks_switch() alone. */
static int rocks_checkpoint(struct disk *disk, const char *path, uint64_t *ret_sequence,
                            struct neap_error *error)
{
    struct disk_rocks *rocks = rocks_of(disk);
    uint64_t sequence = disk_rocks_sequence(disk);
    rocksdb_checkpoint_t *checkpoint;
    char *text = NULL;
    int code = rocks_refuse(rocks);

    if (!code) {
        checkpoint = rocksdb_checkpoint_object_create(rocks->db, &text);
        if (!text) {
            rocksdb_checkpoint_create(checkpoint, path, UINT64_MAX, &text);
            rocksdb_checkpoint_object_destroy(checkpoint);
        }
        if (text)
            return checkpoint_fail(path, text, error);
        code = rocks_sync(disk);
    }
    if (code) {
        rocks_error(disk, error);
        return code;
    }
    *ret_sequence = sequence;
    return 0;
}

/* Opening and closing */

/* Debian's RocksDB aborts when it is closed before the last of its handles, iterators, and
 * snapshots: so the order here, and must() names whose mistake it is. */
static void rocks_close(struct disk *disk)
{
    struct disk_rocks *rocks = rocks_of(disk);
    unsigned i;

    must(atomic_load(&rocks->users) == 0);
    if (rocks->db && !rocks->readonly && !atomic_load(&rocks->broken))
        (void)rocks_sync(disk);
    durable_close(&rocks->durable);
    for (i = 0; i < DISK_FAMILIES; i++)
        if (rocks->families[i])
            rocksdb_column_family_handle_destroy(rocks->families[i]);
    if (rocks->db)
        rocksdb_close(rocks->db);
    if (rocks->writes)
        rocksdb_writebatch_destroy(rocks->writes);
    if (rocks->flush)
        rocksdb_flushoptions_destroy(rocks->flush);
    if (rocks->write_synced)
        rocksdb_writeoptions_destroy(rocks->write_synced);
    if (rocks->write_unsynced)
        rocksdb_writeoptions_destroy(rocks->write_unsynced);
    if (rocks->read)
        rocksdb_readoptions_destroy(rocks->read);
    if (rocks->options)
        rocksdb_options_destroy(rocks->options);
    if (rocks->options_cells)
        rocksdb_options_destroy(rocks->options_cells);
    if (rocks->lock_ready)
        must(pthread_mutex_destroy(&rocks->lock) == 0);
    mem_free(rocks->path);
    mem_free(rocks);
}

static void rocks_trust(struct disk *disk)
{
    const struct disk_rocks *rocks = rocks_of(disk);

    if (!rocks->readonly)
        directory_suspect_clear(rocks->path);
}

static const struct disk_ops rocks_ops = {
    .get = rocks_get,
    .scan = rocks_scan,
    .commit = rocks_commit,
    .sync = rocks_sync,
    .snapshot = rocks_snapshot,
    .release = rocks_release,
    .error = rocks_error,
    .trust = rocks_trust,
    .checkpoint = rocks_checkpoint,
    .close = rocks_close,
};

static size_t memory_of(const struct disk_rocks_options *options)
{
    if (options->memory_max == 0)
        return MEMORY_DEFAULT;
    return options->memory_max < MEMORY_MIN ? MEMORY_MIN : options->memory_max;
}

/* Half of the budget caches blocks, with indexes and filters among them; an eighth is for memtables
 * that fill, as much again for those being flushed; the rest is left for table readers, batches,
 * iterators. The WAL is as long as the memtables are large: rocks_switch() empties them all. */
static void options_memory(rocksdb_options_t *options, size_t memory_max)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_cache_t *cache = rocksdb_cache_create_lru(memory_max / 2);

    rocksdb_block_based_options_set_block_cache(table, cache);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    /* In pieces: the cache is split into shards, and the whole filter of a large file is larger
     * than one of them, so it would be read again at every lookup. */
    rocksdb_block_based_options_set_index_type(
        table, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(table, 1);
    rocksdb_block_based_options_set_metadata_block_size(table, METADATA_BLOCK_SIZE);
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_block_based_options_set_checksum(table, CHECKSUM_XXH3);
    rocksdb_block_based_options_set_format_version(table, ROCKS_TABLE_FORMAT);
    rocksdb_options_set_block_based_table_factory(options, table);
    rocksdb_block_based_options_destroy(table);
    rocksdb_cache_destroy(cache);
    /* Twice what rocks_switch() lets the memtables of all families hold together. */
    rocksdb_options_set_write_buffer_size(options, memory_max / 4);
    rocksdb_options_set_max_total_wal_size(options, UINT64_MAX);
    rocksdb_options_set_arena_block_size(options, memory_max / 64);
    rocksdb_options_set_max_write_buffer_number(options, 3);
    rocksdb_options_set_max_open_files(options, OPEN_FILES_MAX);
    rocksdb_options_set_table_cache_numshardbits(options, 2);
}

/* A copy with what the text says. */
static int options_change(const rocksdb_options_t *base, const char *changes,
                          rocksdb_options_t **ret_options)
{
    rocksdb_options_t *options = rocksdb_options_create();
    char *text = NULL;

    rocksdb_get_options_from_string(base, changes, options, &text);
    if (!text) {
        *ret_options = options;
        return 0;
    }
    rocksdb_free(text);
    rocksdb_options_destroy(options);
    return NEAP_FORMAT;
}

static int options_new(const struct disk_rocks_options *wanted, rocksdb_options_t **ret_options)
{
    rocksdb_options_t *base = rocksdb_options_create(), *options = NULL;
    int error = options_change(base, options_text, &options);

    rocksdb_options_destroy(base);
    if (error)
        return error;
    rocksdb_options_set_create_if_missing(options, wanted->create);
    rocksdb_options_set_create_missing_column_families(options, 1);
    rocksdb_options_set_paranoid_checks(options, !wanted->lenient);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    options_memory(options, memory_of(wanted));
    /* One thread commits at a time, so there is nothing to be concurrent with. */
    rocksdb_options_set_allow_concurrent_memtable_write(options, 0);
    rocksdb_options_set_enable_write_thread_adaptive_yield(options, 0);
    rocksdb_options_set_max_background_jobs(options, 2);
    rocksdb_options_set_disable_auto_compactions(options, wanted->still);
    rocksdb_options_set_skip_stats_update_on_db_open(options, 1);
    rocksdb_options_set_max_manifest_file_size(options, MANIFEST_SIZE_MAX);
    rocksdb_options_set_info_log_level(options, 2); /* warnings */
    rocksdb_options_set_max_log_file_size(options, INFO_LOG_SIZE_MAX);
    rocksdb_options_set_keep_log_file_num(options, 2);
    rocksdb_options_set_stats_dump_period_sec(options, 0);
    rocksdb_options_set_stats_persist_period_sec(options, 0);
    *ret_options = options;
    return 0;
}

static char *rocks_open_mode(struct disk_rocks *rocks, int mode)
{
    const rocksdb_options_t *options[DISK_FAMILIES];
    char *text = NULL;
    unsigned i;

    rocksdb_options_set_wal_recovery_mode(rocks->options, mode);
    for (i = 0; i < DISK_FAMILIES; i++)
        options[i] = i == DISK_CELLS ? rocks->options_cells : rocks->options;
    if (rocks->readonly)
        rocks->db = rocksdb_open_for_read_only_column_families(rocks->options, rocks->path,
                                                               DISK_FAMILIES, family_names, options,
                                                               rocks->families, 0, &text);
    else
        rocks->db = rocksdb_open_column_families(rocks->options, rocks->path, DISK_FAMILIES,
                                                 family_names, options, rocks->families, &text);
    return text;
}

static int rocks_open_failed(const struct disk_rocks *rocks, struct neap_error *error, char *text)
{
    int code = rocks_text_code(text);

    if (code == NEAP_LOCKED) {
        rocksdb_free(text);
        return error_set(error, code,
                         "%s: another process has this directory open (it holds %s/LOCK): stop it, "
                         "or connect to it instead",
                         rocks->path, rocks->path);
    }
    if (code == NEAP_FORMAT)
        return rocks_text_error(
            error, code, rocks->path,
            "made by a newer version of the program than this one (" PACKAGE_VERSION
            "): use that one",
            text);
    return rocks_text_error(error, code, rocks->path, "cannot open", text);
}

/* Mode 0 takes a torn end of the WAL for what it is after power loss, and refuses damage before it:
 * RocksDB's default would drop what follows the damage without a word. Only when mode 0 refuses is
 * mode 2 taken, which recovers what comes before the damage: then writes that were acknowledged may
 * be gone, and the caller must act as one who went back in time. Mode 2 also cuts the damage off,
 * so that mode 0 has nothing against the next opening: that it was there must be durable before. */
static int rocks_open_policy(struct disk_rocks *rocks, bool *ret_suspect, struct neap_error *error)
{
    char *text = rocks_open_mode(rocks, rocksdb_tolerate_corrupted_tail_records_recovery);
    int failed = 0;

    if (!text) {
        *ret_suspect = directory_suspect_is(rocks->path);
        if (*ret_suspect)
            rocks_text_suspect(&rocks->error, rocks->path, "found by a start that did not end");
        return 0;
    }
    /* What is wrong with tables no mode mends. */
    if (rocks_text_code(text) != NEAP_CORRUPT || rocks_text_is_table(rocks->path, text))
        return rocks_open_failed(rocks, error, text);
    rocks_text_suspect(&rocks->error, rocks->path, text);
    rocksdb_free(text);
    if (!rocks->readonly)
        failed = directory_suspect_set(rocks->path, error);
    if (failed)
        return failed;
    text = rocks_open_mode(rocks, rocksdb_point_in_time_recovery);
    if (text)
        return rocks_open_failed(rocks, error, text);
    *ret_suspect = true;
    return 0;
}

/* No mode has anything against a WAL whose newest file is gone, or ends where a record does. */
static int rocks_open_ended(struct disk_rocks *rocks, uint64_t wanted, bool *ret_suspect,
                            struct neap_error *error)
{
    uint64_t found = rocksdb_get_latest_sequence_number(rocks->db);
    char text[120];

    if (found >= wanted)
        return 0;
    if (wanted == UINT64_MAX)
        snprintf(text, sizeof text, "its file SYNCED can't be read");
    else
        snprintf(text, sizeof text,
                 "the newest *.log is gone or was cut: %" PRIu64 " writes of %" PRIu64, found,
                 wanted);
    rocks_text_suspect(&rocks->error, rocks->path, text);
    *ret_suspect = true;
    return rocks->readonly ? 0 : directory_suspect_set(rocks->path, error);
}

static int rocks_open(struct disk_rocks *rocks, bool *ret_suspect, struct neap_error *error)
{
    struct durable durable = {0};
    bool suspect = false;
    int failed = durable_read(rocks->path, &durable);

    if (failed == NEAP_CORRUPT)
        durable = (struct durable){.sequence = UINT64_MAX};
    else if (failed && failed != NEAP_NOTFOUND)
        return error_set(error, failed, "%s: cannot read SYNCED", rocks->path);
    failed = durable_check(rocks->path, &durable, error);
    if (!failed)
        failed = rocks_open_policy(rocks, &suspect, error);
    if (!failed && !suspect)
        failed = rocks_open_ended(rocks, durable.sequence, &suspect, error);
    if (!failed && !rocks->readonly)
        failed = durable_open(&rocks->durable, rocks->path, error);
    if (!failed) /* of the MANIFEST, to which the opening has written */
        rocks_note(rocks, rocks->durable.last.sequence);
    if (!failed)
        *ret_suspect = suspect;
    return failed;
}

static int rocks_new(const struct disk_rocks_options *options, struct disk_rocks **ret_rocks)
{
    struct disk_rocks *rocks = mem_new(sizeof(*rocks));
    int error = NEAP_NOMEM;

    if (!rocks)
        return NEAP_NOMEM;
    rocks->disk.ops = &rocks_ops;
    rocks->readonly = options->readonly;
    rocks->durable.directory = rocks->durable.file = -1;
    atomic_init(&rocks->users, 0);
    atomic_init(&rocks->broken, false);
    rocks->path = mem_text(options->path);
    rocks->lock_ready = pthread_mutex_init(&rocks->lock, NULL) == 0;
    if (rocks->path && rocks->lock_ready)
        error = options_new(options, &rocks->options);
    if (!error)
        error = options_change(rocks->options, options_cells_text, &rocks->options_cells);
    if (error) {
        rocks_close(&rocks->disk);
        return error;
    }
    rocks->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(rocks->read, 1);
    rocks->write_synced = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(rocks->write_synced, 1);
    rocks->write_unsynced = rocksdb_writeoptions_create();
    rocks->flush = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(rocks->flush, 0);
    rocks->filled_max = memory_of(options) / 8;
    rocks->writes = rocksdb_writebatch_create();
    *ret_rocks = rocks;
    return 0;
}

int rocks_open_plain(const struct disk_rocks_options *options, struct disk **ret_disk,
                     bool *ret_suspect, struct neap_error *error)
{
    struct disk_rocks *rocks = NULL;
    int failed;

    if (!options->path || !*options->path)
        return error_set(error, NEAP_INVALID, "the path of the data directory is empty");
    failed = rocks_new(options, &rocks);
    if (failed)
        return error_set(error, failed, "%s: %s", options->path, error_text(failed));
    failed = disk_rocks_directory(options, error);
    if (!failed)
        failed = rocks_open(rocks, ret_suspect, error);
    if (failed) {
        rocks_close(&rocks->disk);
        return failed;
    }
    *ret_disk = &rocks->disk;
    return 0;
}
