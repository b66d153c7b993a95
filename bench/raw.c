/* RocksDB alone, with the blocks, filters and budgets that neap gives it; without what neap has it
 * check of its own memory and files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

static void raw_check(char *error, const char *what)
{
    if (error == NULL)
        return;
    fprintf(stderr, "bench: rocksdb %s: %s\n", what, error);
    exit(1);
}

enum { CHECKSUM_XXH3 = 4, TABLE_FORMAT = 5, BLOOM_BITS = 10, METADATA_BLOCK_SIZE = 8 << 10 };
/* Of the 256 MB that neap takes when nobody says more, a quarter are for blocks and a sixteenth for
 * hot cells, which RocksDB gets for blocks; a sixteenth is how far its memtables grow. */
enum { BLOCK_CACHE_SIZE = 80 << 20, MEMTABLE_SIZE = 16 << 20 };

static rocksdb_block_based_table_options_t *raw_table(void)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();

    rocksdb_block_based_options_set_block_cache(table, rocksdb_cache_create_lru(BLOCK_CACHE_SIZE));
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    rocksdb_block_based_options_set_index_type(
        table, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(table, 1);
    rocksdb_block_based_options_set_metadata_block_size(table, METADATA_BLOCK_SIZE);
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    rocksdb_block_based_options_set_checksum(table, CHECKSUM_XXH3);
    rocksdb_block_based_options_set_format_version(table, TABLE_FORMAT);
    return table;
}

void raw_open(struct raw *raw, const char *path)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = raw_table();
    char *error = NULL;

    snprintf(raw->path, sizeof(raw->path), "%s", path);
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_options_set_write_buffer_size(options, MEMTABLE_SIZE);
    rocksdb_options_set_block_based_table_factory(options, table);
    raw->db = rocksdb_open(options, path, &error);
    raw_check(error, "open");
    rocksdb_block_based_options_destroy(table);
    rocksdb_options_destroy(options);
    raw->write = rocksdb_writeoptions_create();
    raw->write_sync = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(raw->write_sync, 1);
    raw->read = rocksdb_readoptions_create();
}

void raw_close(struct raw *raw)
{
    rocksdb_readoptions_destroy(raw->read);
    rocksdb_writeoptions_destroy(raw->write);
    rocksdb_writeoptions_destroy(raw->write_sync);
    rocksdb_close(raw->db);
}

enum { RAW_KEY_MAX = 64, RAW_VALUE_MAX = 256 };

/* Its size. */
static size_t raw_key(enum kind kind, uint64_t key, char ret_key[RAW_KEY_MAX])
{
    size_t size = shapes[kind].key_size;

    memset(ret_key, 'a' + (int)kind, size);
    for (size_t i = 0; i < sizeof(key); i++) /* big-endian: in order, as neap's are */
        ret_key[size - 10 + i] = (char)(key >> (56 - 8 * i));
    return size;
}

static const char value[RAW_VALUE_MAX];

void raw_put(struct raw *raw, enum kind kind, uint64_t key, int sync)
{
    char bytes[RAW_KEY_MAX], *error = NULL;
    size_t size = raw_key(kind, key, bytes);

    rocksdb_put(raw->db, sync ? raw->write_sync : raw->write, bytes, size, value,
                shapes[kind].value_size, &error);
    raw_check(error, "put");
}

void raw_put_keys(struct raw *raw, enum kind kind, const uint64_t *keys, size_t count, int sync)
{
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    char bytes[RAW_KEY_MAX], *error = NULL;

    for (size_t i = 0; i < count; i++) {
        size_t size = raw_key(kind, keys[i], bytes);

        rocksdb_writebatch_put(batch, bytes, size, value, shapes[kind].value_size);
    }
    rocksdb_write(raw->db, sync ? raw->write_sync : raw->write, batch, &error);
    raw_check(error, "write");
    rocksdb_writebatch_destroy(batch);
}

void raw_put_batch(struct raw *raw, enum kind kind, uint64_t key, size_t count, int sync)
{
    uint64_t keys[BATCH];

    bench_check(count <= BATCH ? 0 : NEAP_LIMIT, "batch");
    for (size_t i = 0; i < count; i++)
        keys[i] = bench_mix(key + i) % shapes[kind].count;
    raw_put_keys(raw, kind, keys, count, sync);
}

size_t raw_get(struct raw *raw, enum kind kind, uint64_t key)
{
    char bytes[RAW_KEY_MAX], *error = NULL;
    size_t size = raw_key(kind, key, bytes), found_size = 0;
    rocksdb_pinnableslice_t *found = rocksdb_get_pinned(raw->db, raw->read, bytes, size, &error);

    raw_check(error, "get");
    if (found) {
        (void)rocksdb_pinnableslice_value(found, &found_size);
        rocksdb_pinnableslice_destroy(found);
    }
    return found_size;
}

void raw_scan(struct raw *raw, enum kind kind, uint64_t count)
{
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(raw->db, raw->read);
    char bytes[RAW_KEY_MAX], *error = NULL;
    uint64_t found = 0, sum = 0;

    for (rocksdb_iter_seek(iterator, bytes, raw_key(kind, 0, bytes));
         rocksdb_iter_valid(iterator) && found < count; rocksdb_iter_next(iterator), found++) {
        size_t size;
        const char *data = rocksdb_iter_key(iterator, &size);

        sum += size + (uint64_t)data[0];
        (void)rocksdb_iter_value(iterator, &size);
        sum += size;
    }
    rocksdb_iter_get_error(iterator, &error);
    raw_check(error, "scan");
    rocksdb_iter_destroy(iterator);
    bench_check(found == count && sum > 0 ? 0 : NEAP_CORRUPT, "scan");
}

void raw_copy(struct raw *from, struct raw *to, size_t each)
{
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(from->db, from->read);
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    char *error = NULL;

    for (rocksdb_iter_seek_to_first(iterator); rocksdb_iter_valid(iterator);) {
        rocksdb_writebatch_clear(batch);
        for (size_t i = 0; i < each && rocksdb_iter_valid(iterator); i++) {
            size_t key_size, value_size;
            const char *key = rocksdb_iter_key(iterator, &key_size);
            const char *copied = rocksdb_iter_value(iterator, &value_size);

            rocksdb_writebatch_put(batch, key, key_size, copied, value_size);
            rocksdb_iter_next(iterator);
        }
        rocksdb_write(to->db, to->write, batch, &error);
        raw_check(error, "write");
    }
    rocksdb_iter_get_error(iterator, &error);
    raw_check(error, "scan");
    rocksdb_writebatch_destroy(batch);
    rocksdb_iter_destroy(iterator);
}
