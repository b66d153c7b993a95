/* What a process of its own shows: how long a start takes, after a clean end and after SIGKILL, how
 * much memory a node has, and how large the files are. Each is bench once more, as
 * `bench --child WHAT DIR`. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/rows.h"

enum { ROUNDS = 5, CELLS = 1000000, FILL = 1000, LATE = 100000, SMALL_MEMORY = 8 << 20 };

/* ---- in the child ---- */

static long status_kb(const char *name)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long found = 0;

    while (file && fgets(line, sizeof(line), file))
        if (!strncmp(line, name, strlen(name)) && sscanf(line + strlen(name), ": %ld", &found) == 1)
            break;
    if (file)
        fclose(file);
    return found;
}

static struct neap *node_open(const char *path, size_t memory, const char *socket)
{
    struct neap_options options;
    struct neap_error error = {0};
    struct neap *neap;

    neap_options_init(&options);
    options.path = path;
    options.flags = NEAP_CREATE;
    options.socket = socket;
    if (memory)
        options.memory_max = memory;
    if (neap_open(&options, &neap, &error))
        bench_check(error.code, error.text);
    return neap;
}

static void cells_write(struct neap *neap, uint64_t from, uint64_t count, uint64_t each)
{
    static const struct neap_call lazy = {.size = sizeof(lazy), .flags = NEAP_NOSYNC};
    static const char value[VALUE_BYTES];
    struct neap_call call = {.size = sizeof(call)};

    bench_check(neap_batch_new(neap, &call.batch), "batch");
    for (uint64_t i = from; i < from + count; i++) {
        char key[KEY_BYTES + 1];
        const struct neap_place at = {.bucket = "put", .key = {key, KEY_BYTES}};

        bench_name(bench_mix(i), key);
        bench_check(neap_lww_set(neap, &at, (struct neap_bytes){value, sizeof(value)}, &call),
                    "put");
        if (i % each == each - 1)
            bench_check(neap_batch_commit(call.batch, &lazy), "commit");
    }
    bench_check(neap_batch_commit(call.batch, &lazy), "commit");
    neap_batch_free(call.batch);
}

/* It serves once it has answered a read. */
static void first_read(struct neap *neap)
{
    const struct neap_place at = {.bucket = "put", .key = {"0000000000000000", KEY_BYTES}};
    struct neap_buffer value = {0};
    int code = neap_lww_get(neap, &at, &value, NULL);

    bench_check(code == NEAP_NOTFOUND ? 0 : code, "read");
    neap_buffer_free(&value);
    printf("ready\n");
    fflush(stdout);
}

static void raw_start(const char *path)
{
    const char *const names[] = {"default", "cells", "log"};
    rocksdb_column_family_handle_t *families[3];
    rocksdb_options_t *options = rocksdb_options_create();
    const rocksdb_options_t *const all[] = {options, options, options};
    char *error = NULL;
    rocksdb_t *db;

    rocksdb_options_set_write_buffer_size(options, 32 << 20);
    rocksdb_options_set_compression(options, rocksdb_no_compression);
    db = rocksdb_open_column_families(options, path, 3, names, all, families, &error);
    if (error)
        bench_check(NEAP_IO, error);
    printf("ready\n");
    fflush(stdout);
    for (unsigned i = 0; i < 3; i++)
        rocksdb_column_family_handle_destroy(families[i]);
    rocksdb_close(db);
    rocksdb_options_destroy(options);
}

int process_child(char **argv)
{
    const char *what = argv[0], *path = argv[1];
    struct neap *neap;
    char socket[240];

    if (!strcmp(what, "raw")) {
        raw_start(path);
        return 0;
    }
    snprintf(socket, sizeof(socket), "%.200s.socket", path);
    neap = node_open(path, !strcmp(what, "small") ? SMALL_MEMORY : 0,
                     !strcmp(what, "idle") ? socket : NULL);
    if (!strcmp(what, "fill"))
        cells_write(neap, 0, CELLS, FILL);
    if (!strcmp(what, "small"))
        cells_write(neap, 0, CELLS, 1);
    if (!strcmp(what, "killed")) {
        cells_write(neap, CELLS, LATE, 1);
        return kill(getpid(), SIGKILL);
    }
    if (!strcmp(what, "start"))
        first_read(neap);
    if (!strcmp(what, "idle"))
        printf("%ld %ld\n", status_kb("VmRSS"), status_kb("RssAnon"));
    if (!strcmp(what, "small"))
        printf("%ld 0\n", status_kb("VmHWM"));
    neap_close(neap);
    return 0;
}

/* ---- in the parent ---- */

/* Its first line, and how long that took from before it was started. */
static double child_run(const char *what, const char *path, char ret_line[64])
{
    double start = clock_seconds(), took;
    int out[2], status = 0;
    FILE *file;
    pid_t child;

    if (pipe2(out, O_CLOEXEC))
        bench_check(NEAP_IO, "pipe");
    child = fork();
    if (child == 0) {
        if (dup2(out[1], 1) >= 0)
            execl("/proc/self/exe", "bench", "--child", what, path, (char *)NULL);
        _exit(1);
    }
    close(out[1]);
    file = fdopen(out[0], "r");
    ret_line[0] = '\0';
    if (!file || child < 0 || (!fgets(ret_line, 64, file) && !strcmp(what, "start")))
        bench_check(NEAP_IO, what);
    took = clock_seconds() - start;
    fclose(file);
    if (waitpid(child, &status, 0) != child || (status && strcmp(what, "killed") != 0))
        bench_check(NEAP_IO, what);
    return took;
}

static void copy(const char *from, const char *to)
{
    char command[800];

    snprintf(command, sizeof(command), "rm -rf '%s' && cp -r '%s' '%s'", to, from, to);
    if (system(command))
        bench_check(NEAP_IO, command);
}

static void start_rows(const char *base, struct rows *rows)
{
    double clean[ROUNDS], killed[ROUNDS], raw[ROUNDS], ratios[ROUNDS];
    char path[200], again[220], line[64];

    snprintf(path, sizeof(path), "%.150s/start", base);
    snprintf(again, sizeof(again), "%s-again", path);
    child_run("fill", path, line);
    for (unsigned i = 0; i < ROUNDS; i++)
        clean[i] = child_run("start", path, line) * 1e3;
    rows_add_aimed(rows, "start with 1000000 cells after a clean end", median(clean, ROUNDS), "ms",
                   100, 40);
    child_run("killed", path, line);
    for (unsigned i = 0; i < ROUNDS; i++) {
        copy(path, again);
        killed[i] = child_run("start", again, line) * 1e3;
        copy(path, again);
        raw[i] = child_run("raw", again, line) * 1e3;
        ratios[i] = killed[i] / raw[i];
    }
    rows_add_ratio(rows, "start after SIGKILL, against the same WAL", "ms", median(killed, ROUNDS),
                   median(raw, ROUNDS), median(ratios, ROUNDS), 1.5, 1.2, true);
}

static void memory_rows(const char *base, struct rows *rows)
{
    long resident = 0, anonymous = 0;
    char path[200], line[64];

    snprintf(path, sizeof(path), "%.150s/idle", base);
    child_run("idle", path, line);
    bench_check(sscanf(line, "%ld %ld", &resident, &anonymous) == 2 ? 0 : NEAP_IO, "memory");
    rows_add_aimed(rows, "idle node: resident", (double)resident / 1024, "MB", 24, 18);
    rows_add_aimed(rows, "idle node: anonymous", (double)anonymous / 1024, "MB", 8, 4);
    snprintf(path, sizeof(path), "%.150s/small", base);
    child_run("small", path, line);
    bench_check(sscanf(line, "%ld", &resident) == 1 ? 0 : NEAP_IO, "memory");
    rows_add_aimed(rows, "1000000 writes with memory_max of 8 MiB: resident at most",
                   (double)resident / 1024, "MB", 48, 32);
}

static void size_row(const char *base, struct rows *rows, const char *file, const char *work,
                     double goal, double aim)
{
    char command[500], path[200];
    struct stat status;

    snprintf(path, sizeof(path), "%.150s/stripped", base);
    snprintf(command, sizeof(command), "strip -o '%s' '%s' 2>/dev/null", path, file);
    if (access(file, R_OK) || system(command) || stat(path, &status))
        printf("%-58s skipped: no %s here\n", work, file);
    else
        rows_add_aimed(rows, work, (double)status.st_size / 1000, "KB", goal, aim);
}

void process_run(const char *base, struct rows *rows)
{
    size_row(base, rows, ".libs/libneap.so", "libneap.so, stripped", 1000, 600);
    size_row(base, rows, ".libs/neap", "neap, stripped", 400, 250);
    memory_rows(base, rows);
    start_rows(base, rows);
}
