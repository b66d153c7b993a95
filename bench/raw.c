/* RocksDB alone, opened as neap opens it: same checksums, filters and budgets. */
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

void raw_open(struct raw *raw, const char *path)
{
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    char *error = NULL;

    snprintf(raw->path, sizeof(raw->path), "%s", path);
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom(10));
    rocksdb_block_based_options_set_block_cache(table, rocksdb_cache_create_lru(32 << 20));
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

static void raw_key(uint64_t key, char ret_key[CELL_KEY_BYTES])
{
    memset(ret_key, 'k', CELL_KEY_BYTES);
    memcpy(ret_key + CELL_KEY_BYTES - 20, &key, sizeof(key));
}

void raw_put(struct raw *raw, uint64_t key, size_t size, int sync)
{
    static const char value[4096];
    char bytes[CELL_KEY_BYTES], *error = NULL;

    raw_key(key, bytes);
    rocksdb_put(raw->db, sync ? raw->write_sync : raw->write, bytes, sizeof(bytes), value, size,
                &error);
    raw_check(error, "put");
}

void raw_put_batch(struct raw *raw, uint64_t key, size_t count, size_t size, int sync)
{
    static const char value[4096];
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    char bytes[CELL_KEY_BYTES], *error = NULL;

    for (size_t i = 0; i < count; i++) {
        raw_key(bench_mix(key + i) % KEYS, bytes);
        rocksdb_writebatch_put(batch, bytes, sizeof(bytes), value, size);
    }
    rocksdb_write(raw->db, sync ? raw->write_sync : raw->write, batch, &error);
    raw_check(error, "write");
    rocksdb_writebatch_destroy(batch);
}

size_t raw_get(struct raw *raw, uint64_t key)
{
    char bytes[CELL_KEY_BYTES], *error = NULL, *value;
    size_t size = 0;

    raw_key(key, bytes);
    value = rocksdb_get(raw->db, raw->read, bytes, sizeof(bytes), &size, &error);
    raw_check(error, "get");
    free(value);
    return value ? size : 0;
}
