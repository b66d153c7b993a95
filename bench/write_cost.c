/* What log entry and tree add to a write, and what building a tree costs against reading the cells.
 * Two nodes take the same writes in turn through neap.h; one keeps log and tree, the other neither,
 * which no node does: the linker leads log_put() through here (--wrap). What counts is the
 * difference in a round, both sides of it on the same machine at the same time. */
#include <glob.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "engine/node.h"
#include "engine/trees.h"
#include "store/merkle.h"
#include "store/slot.h"
#include "store/store.h"

enum { ROUNDS = 7, SLICES = 16, LAZY = 24000, SYNCED = 640, SINGLE = 65 };
enum { TREE_BITS = 16, LOG_MORE = 40, CELLS = 1000000, FILL = 1000 };

struct side {
    char path[200];
    struct neap *neap;
    struct store *store;
    bool full; /* has log and tree */
};

/* ---- a node without a log ---- */

static bool log_is_kept = true;

int __real_log_put(const struct shard *shard, struct batch *batch, struct dot dot, uint32_t nonce,
                   uint64_t bucket, struct slice path);
int __wrap_log_put(const struct shard *shard, struct batch *batch, struct dot dot, uint32_t nonce,
                   uint64_t bucket, struct slice path);

int __wrap_log_put(const struct shard *shard, struct batch *batch, struct dot dot, uint32_t nonce,
                   uint64_t bucket, struct slice path)
{
    return log_is_kept ? __real_log_put(shard, batch, dot, nonce, bucket, path) : 0;
}

static void side_open(struct side *side, const char *base, bool full)
{
    static const struct hash_key key = {{'b', 'e', 'n', 'c', 'h'}};
    struct neap_options options;
    struct neap_error error = {0};

    neap_options_init(&options);
    snprintf(side->path, sizeof(side->path), "%.150s/cost-%s", base, full ? "full" : "bare");
    options.path = side->path;
    options.flags = NEAP_CREATE;
    bench_check(neap_open(&options, &side->neap, &error), error.text);
    side->store = &((struct node *)(void *)side->neap->backend)->wheel.engine.store;
    side->full = full;
    if (full)
        bench_check(store_keep_trees(side->store, &key, TREE_BITS), "trees");
}

/* ---- one write ---- */

enum written { PUT, INCREMENT, ADD, WRITTEN };
static const char *const names[] = {"put", "increment", "set add"};

static void write_one(struct side *side, enum written kind, uint64_t key, bool sync)
{
    static const char value[VALUE_BYTES];
    static const struct neap_call lazy = {.size = sizeof(lazy), .flags = NEAP_NOSYNC};
    const struct neap_call *how = sync ? NULL : &lazy;
    char text[KEY_BYTES + 1];
    struct neap_place at = {.bucket = names[kind], .key = {text, KEY_BYTES}};
    int error;

    snprintf(text, sizeof(text), "%016llx", (unsigned long long)key);
    if (kind == PUT)
        error = neap_lww_set(side->neap, &at, (struct neap_bytes){value, sizeof(value)}, how);
    else if (kind == INCREMENT)
        error = neap_counter_add(side->neap, &at, 1, how);
    else
        error = neap_set_add(side->neap, &at, (struct neap_bytes){text, KEY_BYTES}, how);
    bench_check(error, "write");
}

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* CPU of a write, of all threads. */
static double slice_cpu(struct side *side, enum written kind, uint64_t from, unsigned count,
                        bool sync)
{
    double start = cpu_seconds();

    log_is_kept = side->full;
    for (uint64_t i = 0; i < count; i++)
        write_one(side, kind, bench_mix(from + i) % KEYS, sync);
    log_is_kept = true;
    return (cpu_seconds() - start) / count;
}

/* ---- rows ---- */

struct row {
    const char *work, *unit;
    double figure, reference, ratio, goal; /* the ratio is to be this at most */
};

static void row_add(json_t *rows, const struct row *row)
{
    bool met = row->ratio <= row->goal + 1e-9;

    printf("%-38s %10.2f %10.2f %7.2f %-14s %6.2f  %s\n", row->work, row->figure, row->reference,
           row->ratio, row->unit, row->goal, met ? "met" : "MISSED");
    fflush(stdout);
    json_array_append_new(rows, json_pack("{s:s, s:f, s:s, s:f, s:f, s:f, s:b}", "work", row->work,
                                          "figure", row->figure, "unit", row->unit, "reference",
                                          row->reference, "ratio", row->ratio, "goal", row->goal,
                                          "met", met));
}

static void cpu_row(struct side *sides, enum written kind, bool sync, json_t *rows)
{
    double full[ROUNDS], bare[ROUNDS], ratio[ROUNDS];
    unsigned count = (sync ? SYNCED : LAZY) / SLICES;
    uint64_t from = 0;
    char work[64];
    struct row row = {.work = work, .unit = "us of CPU", .goal = 1.05};

    for (int round = -1; round < ROUNDS; round++) { /* the first warms up */
        double a = 0, b = 0;

        for (unsigned slice = 0; slice < SLICES; slice++, from += count) {
            a += slice_cpu(&sides[0], kind, from, count, sync) / SLICES;
            b += slice_cpu(&sides[1], kind, from, count, sync) / SLICES;
        }
        if (round >= 0) {
            full[round] = a;
            bare[round] = b;
            ratio[round] = a / b;
        }
    }
    snprintf(work, sizeof(work), "%s%s with log and tree", names[kind], sync ? " synced" : "");
    row.figure = median(full, ROUNDS) * 1e6;
    row.reference = median(bare, ROUNDS) * 1e6;
    row.ratio = median(ratio, ROUNDS);
    row_add(rows, &row);
}

/* ---- the WAL ---- */

/* Of all its files. */
static uint64_t wal_bytes(const struct side *side)
{
    char pattern[256];
    glob_t found;
    uint64_t bytes = 0;

    snprintf(pattern, sizeof(pattern), "%s/*.log", side->path);
    if (glob(pattern, 0, NULL, &found))
        return 0;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        struct stat file;

        if (stat(found.gl_pathv[i], &file) == 0)
            bytes += (uint64_t)file.st_size;
    }
    globfree(&found);
    return bytes;
}

/* Of one write: a median, as the WAL has 7 bytes more at the end of a block. */
static double wal_of(struct side *side, enum written kind)
{
    double bytes[SINGLE];

    log_is_kept = side->full;
    for (unsigned i = 0; i < SINGLE; i++) {
        uint64_t before = wal_bytes(side);

        write_one(side, kind, i, false);
        bytes[i] = (double)(wal_bytes(side) - before);
    }
    log_is_kept = true;
    return median(bytes, SINGLE);
}

static struct disk_iter *side_scan(const struct side *side, const char *bucket)
{
    struct disk *disk = side->store->disk;
    struct disk_iter *pass;
    struct key from, end;

    key_shard_prefix(&from, bucket_id(bucket));
    key_end(&from, &end);
    bench_check(disk->ops->scan(disk, NULL, DISK_CELLS, key_slice(&from), key_slice(&end), &pass),
                "scan");
    return pass;
}

/* Of the first cell; all are alike. */
static size_t path_size(const struct side *side, enum written kind)
{
    struct disk_iter *pass = side_scan(side, names[kind]);
    struct slice key, value;
    size_t size;

    bench_check(pass->ops->next(pass, &key, &value), "scan");
    size = key.size - KEY_CELL_HEAD;
    pass->ops->close(pass);
    return size;
}

static void wal_row(struct side *sides, enum written kind, json_t *rows)
{
    char work[64];
    struct row row = {.work = work, .unit = "bytes of WAL", .goal = 1};

    snprintf(work, sizeof(work), "%s: more than without log", names[kind]);
    row.figure = wal_of(&sides[0], kind) - wal_of(&sides[1], kind);
    row.reference = (double)path_size(&sides[0], kind) + LOG_MORE;
    row.ratio = row.figure / row.reference;
    row_add(rows, &row);
}

/* ---- a tree ---- */

static void cells_fill(struct side *side)
{
    struct neap_batch *batch;
    struct neap_call call = {.size = sizeof(call)};
    char text[KEY_BYTES + 1];
    struct neap_place at = {.bucket = "tree", .key = {text, KEY_BYTES}};

    bench_check(neap_batch_new(side->neap, &batch), "batch");
    call.batch = batch;
    for (uint64_t i = 0; i < CELLS; i++) {
        snprintf(text, sizeof(text), "%016llx", (unsigned long long)i);
        bench_check(neap_counter_add(side->neap, &at, 1, &call), "fill");
        if (i % FILL == FILL - 1)
            bench_check(neap_batch_commit(batch, NULL), "fill");
    }
    neap_batch_free(batch);
}

/* As RocksDB gives them, and no more. */
static double scan_cpu(const struct side *side)
{
    struct disk_iter *pass = side_scan(side, "tree");
    struct slice key, value;
    double start = cpu_seconds();
    uint64_t cells = 0;

    while (pass->ops->next(pass, &key, &value) == 0)
        cells++;
    start = cpu_seconds() - start;
    pass->ops->close(pass);
    bench_check(cells == CELLS ? 0 : NEAP_CORRUPT, "scan");
    return start;
}

/* As the wheel does it, without the pauses. */
static double build_cpu(const struct side *side, struct shard *shard)
{
    struct view view = {.disk = side->store->disk};
    double start = cpu_seconds();
    int error = merkle_build_begin(shard->tree, shard->tree->now.cells);

    while (!error)
        error = shard_tree_step(shard, &view, TREES_CELLS);
    bench_check(error == NEAP_END ? 0 : error, "build");
    return cpu_seconds() - start;
}

static void build_row(struct side *side, json_t *rows)
{
    double built[ROUNDS], scanned[ROUNDS], ratio[ROUNDS];
    struct row row = {.work = "tree of 1000000 cells", .unit = "s of CPU", .goal = 1.5};
    struct shard *shard;
    struct digest before;

    cells_fill(side);
    shard = store_find(side->store, bucket_id("tree"));
    before = merkle_root(shard->tree);
    for (int round = -1; round < ROUNDS; round++) {
        double scan = scan_cpu(side), build = build_cpu(side, shard);

        if (round >= 0) {
            scanned[round] = scan;
            built[round] = build;
            ratio[round] = build / scan;
        }
    }
    bench_check(digest_equal(before, merkle_root(shard->tree)) ? 0 : NEAP_CORRUPT, "tree");
    row.figure = median(built, ROUNDS);
    row.reference = median(scanned, ROUNDS);
    row.ratio = median(ratio, ROUNDS);
    row_add(rows, &row);
}

static void keys_fill(struct side *side, enum written kind)
{
    log_is_kept = side->full;
    for (uint64_t i = 0; i < KEYS; i++)
        write_one(side, kind, i, false);
    log_is_kept = true;
}

void write_cost_run(const char *base, json_t *rows)
{
    struct side sides[2];

    side_open(&sides[0], base, true);
    side_open(&sides[1], base, false);
    printf("%-38s %10s %10s %7s %-14s %6s\n", "what log and tree add", "with", "without", "ratio",
           "", "goal");
    for (enum written kind = 0; kind < WRITTEN; kind++) {
        keys_fill(&sides[0], kind);
        keys_fill(&sides[1], kind);
        wal_row(sides, kind, rows);
        cpu_row(sides, kind, false, rows);
        cpu_row(sides, kind, true, rows);
    }
    build_row(&sides[0], rows);
    neap_close(sides[1].neap);
    neap_close(sides[0].neap);
}
