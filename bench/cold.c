/* cold [DIR] [FILE.json]: how long until a new node has a bucket of a million cells, from another
 * process on the same machine, against copying the same bytes from one RocksDB to another, in
 * batches of 1,000 with the WAL. COLD_CELLS says how many instead. */
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/rows.h"

enum { CELLS = 1000000, FILL_BATCH = 1000, LOG_KEPT = 1000, TOKEN_ROOM = 4096 };
enum { MEMORY_MAX = 128 << 20, WAIT_MS = 600000 };

static uint64_t cold_cells(void)
{
    const char *text = getenv("COLD_CELLS");

    return text ? strtoull(text, NULL, 10) : CELLS;
}

/* ---- nodes ---- */

static void node_open(const char *base, char own, char other, struct neap **ret_neap)
{
    char path[160], listen[160], peers[160], cluster[160];
    struct neap_options options;
    struct neap_error error = {0};

    neap_options_init(&options);
    snprintf(path, sizeof(path), "%s/cold-%c", base, own);
    snprintf(cluster, sizeof(cluster), "%s/cluster", base);
    snprintf(listen, sizeof(listen), "ipc://%s/cold-%c.sock", base, own);
    snprintf(peers, sizeof(peers), "ipc://%s/cold-%c.sock", base, other);
    options.path = path;
    options.cluster = cluster;
    options.listen = listen;
    options.peers = other ? peers : NULL;
    options.memory_max = MEMORY_MAX;
    options.log_max = LOG_KEPT;
    if (neap_open(&options, ret_neap, &error))
        bench_check(error.code, error.text);
}

static void cluster_write(const char *base)
{
    char path[160];
    FILE *file;

    snprintf(path, sizeof(path), "%s/cluster", base);
    file = fopen(path, "w");
    if (!file)
        bench_check(NEAP_IO, path);
    fprintf(file, "cluster = 00000000000000c1\nkey = %064d\n", 7);
    fclose(file);
    if (chmod(path, 0600))
        bench_check(NEAP_IO, path);
}

/* Every cell, and a token of the last one: who has that has all. */
static void source_fill(struct neap *neap, struct neap_buffer *ret_token)
{
    static const char value[VALUE_BYTES];
    struct neap_batch *batch;
    struct neap_call call = {.size = sizeof(call)};
    struct neap_call lazy = {.size = sizeof(lazy), .flags = NEAP_NOSYNC, .ret_token = ret_token};
    uint64_t count = cold_cells();

    bench_check(neap_batch_new(neap, &batch), "batch");
    call.batch = batch;
    for (uint64_t i = 0; i < count; i++) {
        char key[KEY_BYTES + 1];
        struct neap_place at = {.bucket = "put", .key = {key, KEY_BYTES}};

        snprintf(key, sizeof(key), "%016llx", (unsigned long long)i);
        bench_check(neap_lww_set(neap, &at, (struct neap_bytes){value, sizeof(value)}, &call),
                    "fill");
        if (i % FILL_BATCH == FILL_BATCH - 1 || i == count - 1)
            bench_check(neap_batch_commit(batch, &lazy), "fill");
    }
    neap_batch_free(batch);
    bench_check(neap_sync(neap), "sync");
}

static void digest_of(struct neap *neap, char ret_text[33])
{
    const char *const words[] = {"digest", "put"};
    struct neap_buffer text = {0};
    const char *digest;
    json_t *json;

    bench_check(neap_admin(neap, 2, words, &text, NULL), "digest");
    json = json_loadb(text.data, text.size, 0, NULL);
    digest = json_string_value(json_object_get(json_object_get(json, "total"), "digest"));
    snprintf(ret_text, 33, "%s", digest ? digest : "");
    json_decref(json);
    neap_buffer_free(&text);
}

static long memory_peak_kb(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long peak = 0;

    while (file && fgets(line, sizeof(line), file))
        if (sscanf(line, "VmHWM: %ld", &peak) == 1)
            break;
    if (file)
        fclose(file);
    return peak;
}

/* ---- the new node, a process of its own so that its memory can be told ---- */

static int cold_node(const char *base, const char *token_path)
{
    static char token[TOKEN_ROOM];
    struct neap_call call = {.size = sizeof(call), .timeout_ms = WAIT_MS};
    struct rusage usage;
    struct neap *neap;
    char digest[33], line[8];
    FILE *file = fopen(token_path, "r");
    size_t size = file ? fread(token, 1, sizeof(token), file) : 0;

    if (file)
        fclose(file);
    node_open(base, 'b', 'a', &neap);
    bench_check(neap_wait(neap, (struct neap_bytes){token, size}, &call), "wait");
    getrusage(RUSAGE_SELF, &usage);
    printf("ready %ld %ld\n", memory_peak_kb(),
           (long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
               (long)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
    fflush(stdout);
    digest_of(neap, digest);
    printf("digest %s\n", digest);
    fflush(stdout);
    if (fgets(line, sizeof(line), stdin) == NULL)
        line[0] = '\0';
    neap_close(neap);
    return 0;
}

static void token_write(const char *path, const struct neap_buffer *token)
{
    FILE *file = fopen(path, "w");

    if (!file || fwrite(token->data, 1, token->size, file) != token->size || fclose(file))
        bench_check(NEAP_IO, path);
}

static pid_t node_start(const char *base, const char *token_path, FILE **ret_out, int *ret_in)
{
    int out[2], in[2];
    pid_t child;

    if (pipe2(out, O_CLOEXEC) || pipe2(in, O_CLOEXEC))
        bench_check(NEAP_IO, "pipe");
    child = fork();
    if (child == 0) {
        if (dup2(out[1], 1) < 0 || dup2(in[0], 0) < 0)
            _exit(1);
        execl("/proc/self/exe", "bench", "--node", base, token_path, (char *)NULL);
        _exit(1);
    }
    if (child < 0)
        bench_check(NEAP_NOMEM, "fork");
    close(out[1]);
    close(in[0]);
    *ret_in = in[1];
    *ret_out = fdopen(out[0], "r");
    return child;
}

/* Seconds from the start of its process until it has everything. */
static double node_time(const char *base, const struct neap_buffer *token, const char *digest,
                        double *ret_peak_mb, double *ret_cpu)
{
    char path[160], line[128], theirs[33] = "";
    double start = clock_seconds(), seconds = 0;
    long peak = 0, cpu = 0;
    FILE *out;
    pid_t child;
    int in, status;

    snprintf(path, sizeof(path), "%s/token", base);
    token_write(path, token);
    child = node_start(base, path, &out, &in);
    while (theirs[0] == '\0' && fgets(line, sizeof(line), out)) {
        if (sscanf(line, "ready %ld %ld", &peak, &cpu) == 2)
            seconds = clock_seconds() - start;
        (void)sscanf(line, "digest %32s", theirs);
    }
    close(in);
    fclose(out);
    if (waitpid(child, &status, 0) != child || status != 0 || strcmp(theirs, digest) != 0) {
        fprintf(stderr, "bench: the new node has not got what there is\n");
        exit(1);
    }
    *ret_peak_mb = (double)peak / 1024;
    *ret_cpu = (double)cpu / 1000;
    return seconds;
}

/* ---- RocksDB alone ---- */

static double raw_time(const char *base, uint64_t round)
{
    char path[160];
    struct raw from, to;
    double start, seconds;

    snprintf(path, sizeof(path), "%s/raw-from", base);
    raw_open(&from, path);
    if (round == 0)
        for (uint64_t i = 0; i < cold_cells(); i++)
            raw_put(&from, KIND_PUT, i, 0);
    snprintf(path, sizeof(path), "%s/raw-to-%llu", base, (unsigned long long)round);
    start = clock_seconds();
    raw_open(&to, path);
    raw_copy(&from, &to, FILL_BATCH);
    seconds = clock_seconds() - start;
    raw_close(&to);
    raw_close(&from);
    return seconds;
}

enum { COLD_ROUNDS = 3 };

static void remove_node(const char *base)
{
    char command[256];

    snprintf(command, sizeof(command), "rm -rf '%s/cold-b'", base);
    if (system(command))
        bench_check(NEAP_IO, "rm");
}

/* Of this process: the source, and whatever is copied by RocksDB alone. */
static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double cold_round(const char *base, uint64_t round, const struct neap_buffer *token,
                         const char *digest, double *ret_raw, double *ret_peak_mb)
{
    double start = cpu_seconds(), raw = raw_time(base, round), between = cpu_seconds();
    double peak, cpu, neap = node_time(base, token, digest, &peak, &cpu);

    remove_node(base);
    printf("# %llu cells: rocksdb %.2f s (CPU %.2f s), neap %.2f s (CPU %.2f s, its source %.2f s, "
           "%.0f MB): %.2f\n",
           (unsigned long long)cold_cells(), raw, between - start, neap, cpu,
           cpu_seconds() - between, peak, raw / neap);
    fflush(stdout);
    *ret_raw = raw;
    *ret_peak_mb = peak > *ret_peak_mb ? peak : *ret_peak_mb;
    return neap;
}

static void cold_run(const char *base, struct rows *rows)
{
    double neap[COLD_ROUNDS], raw[COLD_ROUNDS], ratio[COLD_ROUNDS], peak = 0;
    double count = (double)cold_cells();
    struct row row = {
        .work = "cold start: a new node gets a bucket", .unit = "cells per second", .goal = 0.6};
    struct neap_buffer token = {0};
    struct neap *source;
    char digest[33];

    cluster_write(base);
    node_open(base, 'a', '\0', &source);
    source_fill(source, &token);
    digest_of(source, digest);
    for (uint64_t round = 0; round < COLD_ROUNDS; round++) {
        neap[round] = cold_round(base, round, &token, digest, &raw[round], &peak);
        ratio[round] = raw[round] / neap[round];
    }
    row.figure = count / median(neap, COLD_ROUNDS);
    row.reference = count / median(raw, COLD_ROUNDS);
    row.ratio = median(ratio, COLD_ROUNDS);
    row.met = row.ratio >= row.goal;
    printf("%-38s %10.0f %10.0f %7.2f [%.2f..%.2f] %6.2f  %s\n", row.work, row.figure,
           row.reference, row.ratio, ratio[0], ratio[COLD_ROUNDS - 1], row.goal,
           row.met ? "met" : "MISSED");
    rows_add(rows, &row);
    rows_add_most(rows, "cold start: memory of the new node", peak, "MB", MEMORY_MAX >> 20);
    neap_buffer_free(&token);
    neap_close(source);
}

int main(int argc, char **argv)
{
    char base[128], command[160];
    struct rows rows;
    bool written;

    if (argc == 4 && strcmp(argv[1], "--node") == 0)
        return cold_node(argv[2], argv[3]);
    snprintf(base, sizeof(base), "%.90s/neap-cold-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (mkdtemp(base) == NULL)
        bench_check(NEAP_IO, base);
    rows_open(&rows, argc > 2 ? argv[2] : "bench.json");
    cold_run(base, &rows);
    written = rows_close(&rows);
    snprintf(command, sizeof(command), "rm -rf '%s'", base);
    return system(command) != 0 || !written;
}
