/* count WORK [N]: does one thing N times in the function counted(), for callgrind to count what it
 * costs (bench/count.sh); prints what can be counted without: allocations, bytes of the WAL. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "bench/bench.h"
#include "store/disk.h"
#include "store/shard.h"
/* With it what is not counted does not take long. */
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_START_INSTRUMENTATION (void)0
#define CALLGRIND_STOP_INSTRUMENTATION (void)0
#endif

enum { OBJECTS = 5000, CALLERS = 8, CHUNK_EVENTS_MAX = 1000 };

/* A shard with its disk, for what is taken from a peer. */
struct replica {
    struct disk *disk;
    struct batch *batch;
    struct shard *shard;
};

struct bench {
    struct sides sides;
    struct replica from, to;
    char base[160];
    uint64_t at; /* the next operation */
    uint64_t events;
};

typedef void (*counted_work)(struct bench *bench, uint64_t i);

static const struct neap_call lazy = {.size = sizeof(lazy), .flags = NEAP_NOSYNC};

static void check(int code, const char *what)
{
    bench_check(code, what);
}

static void name_of(uint64_t i, char ret_key[KEY_BYTES + 1])
{
    bench_name(bench_mix(i) % OBJECTS, ret_key);
}

static void increment(struct bench *bench, uint64_t i)
{
    char key[KEY_BYTES + 1];
    struct neap_place at = {.bucket = "count", .key = {key, KEY_BYTES}};

    name_of(i, key);
    check(neap_counter_add(bench->sides.neap, &at, 1, &lazy), "increment");
}

static void put(struct bench *bench, uint64_t i)
{
    static const char value[VALUE_BYTES];
    char key[KEY_BYTES + 1];
    struct neap_place at = {.bucket = "put", .key = {key, KEY_BYTES}};

    name_of(i, key);
    check(neap_lww_set(bench->sides.neap, &at, (struct neap_bytes){value, sizeof(value)}, &lazy),
          "put");
}

static void add(struct bench *bench, uint64_t i)
{
    char key[KEY_BYTES + 1];
    struct neap_place at = {.bucket = "large", .key = {"set", 3}};

    name_of(i, key);
    check(neap_set_add(bench->sides.neap, &at, (struct neap_bytes){key, KEY_BYTES}, &lazy), "add");
}

static void read_found(struct bench *bench, uint64_t i)
{
    static struct neap_buffer value;
    char key[KEY_BYTES + 1];
    struct neap_place at = {.bucket = "put", .key = {key, KEY_BYTES}};

    name_of(i, key);
    check(neap_lww_get(bench->sides.neap, &at, &value, NULL), "read");
}

static void read_missing(struct bench *bench, uint64_t i)
{
    static struct neap_buffer value;
    char key[KEY_BYTES + 1];
    struct neap_place at = {.bucket = "none", .key = {key, KEY_BYTES}};

    name_of(i, key);
    if (neap_lww_get(bench->sides.neap, &at, &value, NULL) != NEAP_NOTFOUND)
        check(NEAP_INVALID, "read of what is not there");
}

static void pass(struct bench *bench, uint64_t i)
{
    struct neap_place at = {.bucket = "large", .key = {"set", 3}};
    struct neap_iter *iter;
    struct neap_item item;

    (void)i;
    check(neap_items(bench->sides.neap, &at, NEAP_SET, (struct neap_bytes){0}, NULL, &iter),
          "pass");
    while (!neap_next(iter, &item, 0))
        bench->events++;
    neap_iter_free(iter);
}

static void batched(struct bench *bench, uint64_t i, uint64_t count)
{
    static struct neap_batch *batch;
    struct neap_call call = {.size = sizeof(call)};

    if (!batch)
        check(neap_batch_new(bench->sides.neap, &batch), "batch");
    call.batch = batch;
    for (uint64_t k = 0; k < count; k++) {
        char key[KEY_BYTES + 1];
        struct neap_place at = {.bucket = "count", .key = {key, KEY_BYTES}};

        name_of(i * count + k, key);
        check(neap_counter_add(bench->sides.neap, &at, 1, &call), "increment");
    }
    check(neap_batch_commit(batch, &lazy), "commit");
}

static void batch(struct bench *bench, uint64_t i)
{
    batched(bench, i, BATCH);
}

static void group(struct bench *bench, uint64_t i)
{
    batched(bench, i, CALLERS);
}

static void take(struct bench *bench, uint64_t i)
{
    static struct buffer chunk;
    struct view view = {.disk = bench->from.disk};
    const struct context *have = &bench->to.shard->context;
    enum taken taken;
    int code;

    (void)i;
    if (!chunk.size_max)
        buffer_init(&chunk, CHUNK_SIZE * 2);
    buffer_clear(&chunk);
    code = shard_chunk(bench->from.shard, &view, have, 0, CHUNK_SIZE, &chunk);
    if (code == NEAP_END)
        return;
    check(code, "chunk");
    check(shard_take(bench->to.shard, bench->to.batch, buffer_slice(&chunk), CHUNK_PULL, &taken),
          "take");
    check(batch_flush(bench->to.batch, bench->to.disk, false), "commit");
}

static void raw_one(struct bench *bench, uint64_t i)
{
    raw_put(&bench->sides.raw, KIND_COUNT, bench_mix(i) % OBJECTS, 0);
}

static void raw_many(struct bench *bench, uint64_t i)
{
    raw_put_batch(&bench->sides.raw, KIND_COUNT, i * BATCH, BATCH, 0);
}

static void raw_read(struct bench *bench, uint64_t i)
{
    raw_get(&bench->sides.raw, KIND_PUT, bench_mix(i) % OBJECTS);
}

static void raw_missing(struct bench *bench, uint64_t i)
{
    raw_get(&bench->sides.raw, KIND_SMALL, bench_mix(i) % OBJECTS);
}

static const struct {
    const char *name;
    counted_work run;
    uint64_t each, times;
} counted_works[] = {
    {"increment", increment, 1, 2000},
    {"put", put, 1, 2000},
    {"add", add, 1, 2000},
    {"read", read_found, 1, 2000},
    {"missing", read_missing, 1, 2000},
    {"batch", batch, BATCH, 20},
    {"group", group, CALLERS, 200},
    {"take", take, 1, 5},
    {"pass", pass, 3160, 1},
    {"raw-put", raw_one, 1, 2000},
    {"raw-batch", raw_many, BATCH, 20},
    {"raw-read", raw_read, 1, 2000},
    {"raw-missing", raw_missing, 1, 2000},
};

/* ---- the sides ---- */

static void replica_open(struct replica *replica, const char *base, const char *name, uint64_t id)
{
    char path[200];
    struct disk_rocks_options options = {.path = path, .create = true, .memory_max = 128 << 20};
    struct neap_error error = {0};
    bool suspect;

    snprintf(path, sizeof(path), "%s/%s", base, name);
    check(disk_rocks_open(&options, &replica->disk, &suspect, &error), error.text);
    check(batch_new(replica->disk, &replica->batch), "batch");
    check(shard_new(replica->batch, "count", id, (uint32_t)id, &replica->shard), "shard");
    check(batch_flush(replica->batch, replica->disk, false), "commit");
}

static void replica_close(struct replica *replica)
{
    shard_free(replica->shard);
    batch_free(replica->batch);
    disk_close(replica->disk);
}

/* What `to` has of this is taken before anything is counted: then the cells are there. */
static void replica_write(struct bench *bench, uint64_t from, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const struct op op = {.kind = OP_COUNTER_ADD, .number = 1};
        char key[KEY_BYTES + 1];
        struct neap_place at = {.bucket = "count", .key = {key, KEY_BYTES}};
        struct buffer path;
        struct dot dot;

        name_of(from + i, key);
        buffer_init(&path, NEAP_PATH_MAX);
        check(path_place(&path, &at, NEAP_COUNTER), "path");
        check(shard_write(bench->from.shard, bench->from.batch, bench->from.shard->id,
                          buffer_slice(&path), &op, &dot),
              "write");
        buffer_done(&path);
        if (i % BATCH == BATCH - 1)
            check(batch_flush(bench->from.batch, bench->from.disk, false), "commit");
    }
}

static uint64_t wal_bytes(const char *base)
{
    char pattern[200];
    uint64_t bytes = 0;
    struct stat status;
    glob_t found;

    snprintf(pattern, sizeof(pattern), "%s/*/*.log", base);
    if (glob(pattern, 0, NULL, &found))
        return 0;
    for (size_t i = 0; i < found.gl_pathc; i++)
        bytes += stat(found.gl_pathv[i], &status) ? 0 : (uint64_t)status.st_size;
    globfree(&found);
    return bytes;
}

static void bench_open(struct bench *bench)
{
    struct neap_options options;
    struct neap_error error = {0};
    char path[200];

    neap_options_init(&options);
    snprintf(path, sizeof(path), "%s/neap", bench->base);
    options.path = path;
    options.flags = NEAP_CREATE;
    options.sync_ms = 60000;
    check(neap_open(&options, &bench->sides.neap, &error), error.text);
    snprintf(path, sizeof(path), "%s/raw", bench->base);
    raw_open(&bench->sides.raw, path);
    replica_open(&bench->from, bench->base, "from", 1);
    replica_open(&bench->to, bench->base, "to", 2);
}

static void bench_fill(struct bench *bench)
{
    for (uint64_t i = 0; i < OBJECTS; i++) {
        increment(bench, i);
        put(bench, i);
        add(bench, i);
        raw_one(bench, i);
        raw_put(&bench->sides.raw, KIND_PUT, bench_mix(i) % OBJECTS, 0);
    }
    replica_write(bench, 0, OBJECTS);
    while (context_get(&bench->to.shard->context, 1) < OBJECTS)
        take(bench, 0);
    replica_write(bench, OBJECTS, 2 * OBJECTS);
}

__attribute__((noinline)) void counted(struct bench *bench, counted_work run, uint64_t times);
void counted(struct bench *bench, counted_work run, uint64_t times)
{
    for (uint64_t i = 0; i < times; i++)
        run(bench, bench->at++ % OBJECTS);
}

int main(int argc, char **argv)
{
    struct bench bench = {.base = "/tmp/neap-count-XXXXXX"};
    char command[200];
    size_t w = 0, count = sizeof(counted_works) / sizeof(counted_works[0]);

    while (w < count && argc > 1 && strcmp(argv[1], counted_works[w].name) != 0)
        w++;
    if (argc < 2 || w == count) {
        fprintf(stderr, "count: which work?\n");
        return 2;
    }
    if (!mkdtemp(bench.base))
        check(NEAP_IO, bench.base);
    bench_open(&bench);
    bench_fill(&bench);
    /* Cells are hot from the second time on that they are met. */
    for (uint64_t done = 0; done < (counted_works[w].run == take ? 1 : 4 * OBJECTS);
         done += counted_works[w].each)
        counted_works[w].run(&bench, bench.at++ % OBJECTS);
    bench.at = 0;
    {
        uint64_t times = argc > 2 ? strtoull(argv[2], NULL, 10) : counted_works[w].times;
        uint64_t calls = mem_calls(), wal = wal_bytes(bench.base), each = counted_works[w].each;
        uint64_t had = context_get(&bench.to.shard->context, 1);

        CALLGRIND_START_INSTRUMENTATION;
        counted(&bench, counted_works[w].run, times);
        CALLGRIND_STOP_INSTRUMENTATION;
        times *= each;
        if (counted_works[w].run == take)
            times = context_get(&bench.to.shard->context, 1) - had;
        printf("%s %llu times, %.2f allocations, %.1f bytes of WAL\n", argv[1],
               (unsigned long long)times, (double)(mem_calls() - calls) / (double)times,
               (double)(wal_bytes(bench.base) - wal) / (double)times);
    }
    neap_close(bench.sides.neap);
    raw_close(&bench.sides.raw);
    replica_close(&bench.from);
    replica_close(&bench.to);
    snprintf(command, sizeof(command), "rm -rf '%s'", bench.base);
    return system(command) != 0;
}
