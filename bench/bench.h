/* The two sides that are timed in turn: neap, and RocksDB alone doing the same bytes. */
#ifndef NEAP_BENCH_H
#define NEAP_BENCH_H
#include <rocksdb/c.h>
#include <stdint.h>

#include "neap.h"

enum { KEYS = 100000, KEY_BYTES = 16, VALUE_BYTES = 100, BATCH = 100, THREADS_MAX = 8 };
/* What neap adds to a key and a value on disk: shard, bucket, escape, type; dot, stamp, residue. */
enum { CELL_KEY_BYTES = KEY_BYTES + 19, CELL_MORE_BYTES = 34 };

struct raw {
    rocksdb_t *db;
    rocksdb_writeoptions_t *write, *write_sync;
    rocksdb_readoptions_t *read;
    char path[128];
};

void raw_open(struct raw *raw, const char *path);
void raw_close(struct raw *raw);
void raw_put(struct raw *raw, uint64_t key, size_t size, int sync);
void raw_put_batch(struct raw *raw, uint64_t key, size_t count, size_t size, int sync);
size_t raw_get(struct raw *raw, uint64_t key);

struct sides {
    struct neap *neap;
    struct raw raw;
    int sync; /* of the work under way */
};

/* One operation of a work, the i-th of a thread; key order is the same pseudo-random on both sides.
 */
typedef void (*operation)(struct sides *sides, uint64_t i);

struct work {
    const char *name;
    operation neap, raw;
    unsigned threads, sync, each; /* each: items that one operation writes */
    uint64_t count;               /* operations a round, all threads together */
    double goal;                  /* least ratio: raw's time over neap's; 0: none */
};

extern const struct work works[];
extern const unsigned works_count;
void works_fill(struct sides *sides);
void bench_check(int code, const char *what);
uint64_t bench_mix(uint64_t i);
#endif
