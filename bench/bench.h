/* The two sides that are timed in turn: neap, and RocksDB alone doing the same bytes. */
#ifndef NEAP_BENCH_H
#define NEAP_BENCH_H
#include <jansson.h>
#include <rocksdb/c.h>
#include <stdint.h>

#include "neap.h"

enum { KEYS = 100000, KEY_BYTES = 16, VALUE_BYTES = 100, BATCH = 100, THREADS_MAX = 32 };
enum { SET_LARGE = 1000000, SET_SMALL = 10, SMALL_SETS = 1000 };

/* What is in the database, on both sides: neap's buckets, and raw keys and values of the same sizes
 * (with shard, bucket and type in the key; dots, clock and residue in the value). */
enum kind { KIND_PUT, KIND_COUNT, KIND_SMALL, KIND_LARGE, KINDS };
struct shape {
    const char *bucket;
    uint64_t count;
    size_t key_size, value_size;
};
extern const struct shape shapes[KINDS];

struct raw {
    rocksdb_t *db;
    rocksdb_writeoptions_t *write, *write_sync;
    rocksdb_readoptions_t *read;
    char path[128];
};

void raw_open(struct raw *raw, const char *path);
void raw_close(struct raw *raw);
void raw_put(struct raw *raw, enum kind kind, uint64_t key, int sync);
void raw_put_keys(struct raw *raw, enum kind kind, const uint64_t *keys, size_t count, int sync);
/* Of `count` keys (BATCH at most) from bench_mix(key) on. */
void raw_put_batch(struct raw *raw, enum kind kind, uint64_t key, size_t count, int sync);
size_t raw_get(struct raw *raw, enum kind kind, uint64_t key); /* 0: it is not there */
/* All that is there, into an empty one, in batches of `each`. */
void raw_copy(struct raw *from, struct raw *to, size_t each);

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
    unsigned threads, sync, each;        /* each: items that one operation writes */
    uint64_t count;                      /* operations a round, all threads together */
    double goal, aim;                    /* least ratio: raw's time over neap's; 0: none */
    unsigned raw_threads;                /* 0: as many */
    void (*finish)(struct sides *sides); /* what neap has begun is done; NULL: it is */
};

extern const struct work works[];
extern const unsigned works_count;
void works_fill(struct sides *sides);
void works_check(struct sides *sides);
void bench_check(int code, const char *what);
uint64_t bench_mix(uint64_t i);
/* A name of 16 hex digits, faster than printing: what is timed is not how callers make names. */
void bench_name(uint64_t number, char ret_name[KEY_BYTES + 1]);

/* What log and tree add to a write: printed, and added to the JSON array of results. */
void write_cost_run(const char *base, json_t *rows);
/* How long single writes take, and passes. */
struct rows;
void latency_run(struct sides *sides, struct rows *rows);
void raw_scan(struct raw *raw, enum kind kind, uint64_t count);
/* Starts, memory and sizes: of processes of their own. */
void process_run(const char *base, struct rows *rows);
int process_child(char **argv); /* what main() does as such a process */

/* One set of a million elements against many small ones. */
void sets_run(const char *base, struct rows *rows);
#endif
