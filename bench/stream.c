/* stream [DIR] [FILE.json] [CELLS]: what replication takes when the disk bounds it and not the net:
 * how fast a second process gets a log of events from the first, against loading the same bytes
 * into RocksDB in the same order; and how long a write at level QUORUM takes, against the two
 * syncs and the one round trip to two others that it can't do without. NEAP names the tool. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/rows.h"

enum { CELLS = 200000, LOAD = 1000, ROUNDS = 5, QUORUMS = 100, TOKEN_ROOM = 4096 };
enum { WAIT_MS = 300000, MEET_S = 30, ECHO_BYTES = 100, SELF_MAX = 200 };

static uint64_t cells = CELLS;

/* One kind of stream. */
struct stream {
    const char *work;
    enum kind kind;
    bool sorted;  /* in the order of keys; else in another one, as callers write */
    bool merges;  /* the receiver has written the same cells itself */
    bool secured; /* by TLS */
    double floor, aim;
};

static const struct stream streams[] = {
    {"stream of new cells, in key order", KIND_PUT, true, false, false, 0.5, 0.7},
    {"stream of new cells, in arrival order", KIND_PUT, false, false, false, 0.5, 0.7},
    {"stream of new cells, over TLS", KIND_PUT, true, false, true, 0.4, 0.55},
    {"stream of cells to merge with", KIND_COUNT, true, true, false, 0.3, 0.45},
};
enum { STREAMS = sizeof(streams) / sizeof(streams[0]) };

static uint64_t key_at(const struct stream *stream, uint64_t i)
{
    return stream->sorted ? i : bench_mix(i);
}

/* ---- nodes ---- */

/* With certificates of one cluster, or a file that says which it is. */
static void clusters_make(const char *base)
{
    char command[2000];

    snprintf(command, sizeof(command),
             "set -e; umask 077; cd '%s'; neap='%s'; \"$neap\" init --file cluster >/dev/null; "
             "\"$neap\" init a.trust >/dev/null; \"$neap\" cert request b.trust >asked; "
             "\"$neap\" cert sign a.trust asked papers >/dev/null; "
             "\"$neap\" cert take b.trust papers >/dev/null",
             base, getenv("NEAP"));
    if (system(command))
        bench_check(NEAP_IO, "neap init");
}

/* Node 'a' listens, the others dial it; alone: it does neither. */
static struct neap *node_open(const char *base, char own, bool secured, bool alone)
{
    static const unsigned port_from = 20000, ports = 10000;
    char path[SELF_MAX], cluster[SELF_MAX], listen[SELF_MAX], peers[SELF_MAX];
    unsigned port = port_from + (unsigned)bench_mix((uint64_t)base[strlen(base) - 1] +
                                                    (uint64_t)base[strlen(base) - 2] * 256) %
                                    ports;
    struct neap_options options;
    struct neap_error error = {0};
    struct neap *neap;

    neap_options_init(&options);
    snprintf(path, sizeof(path), "%s/%c", base, own);
    snprintf(cluster, sizeof(cluster), secured ? "%s/%c.trust" : "%s/cluster", base, own);
    for (int i = 0; i < 2; i++) {
        char *at = i ? peers : listen, name = i ? 'a' : own;

        if (secured)
            snprintf(at, SELF_MAX, "tls+tcp://127.0.0.1:%u", port + (unsigned)(name - 'a'));
        else
            snprintf(at, SELF_MAX, "ipc://%s/%c.sock", base, name);
    }
    options.path = path;
    options.flags = NEAP_CREATE;
    options.cluster = cluster;
    options.listen = alone ? NULL : listen;
    options.peers = alone || own == 'a' ? NULL : peers;
    options.log_max = UINT64_C(1) << 40;
    if (neap_open(&options, &neap, &error))
        bench_check(error.code, error.text);
    return neap;
}

/* All of them, in that order; tokens of the first LOAD and of the last: who has that has all. */
static void cells_write(struct neap *neap, const struct stream *stream,
                        struct neap_buffer ret_tokens[2])
{
    static const char value[VALUE_BYTES];
    struct neap_call call = {.size = sizeof(call)};
    struct neap_call lazy = {.size = sizeof(lazy), .flags = NEAP_NOSYNC};

    bench_check(neap_batch_new(neap, &call.batch), "batch");
    for (uint64_t i = 0; i < cells; i++) {
        char key[KEY_BYTES + 1];
        const struct neap_place at = {.bucket = shapes[stream->kind].bucket,
                                      .key = {key, KEY_BYTES}};

        bench_name(key_at(stream, i), key);
        bench_check(stream->kind == KIND_PUT
                        ? neap_lww_set(neap, &at, (struct neap_bytes){value, sizeof(value)}, &call)
                        : neap_counter_add(neap, &at, 1, &call),
                    "write");
        lazy.ret_token = &ret_tokens[i >= LOAD];
        if (i % LOAD == LOAD - 1 || i == cells - 1)
            bench_check(neap_batch_commit(call.batch, &lazy), "commit");
    }
    neap_batch_free(call.batch);
    bench_check(neap_sync(neap), "sync");
}

/* ---- in a child ---- */

static void file_copy(const char *base, const char *name, char *bytes, size_t *size, bool writes)
{
    char path[SELF_MAX];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", base, name);
    file = fopen(path, writes ? "w" : "r");
    if (!file)
        bench_check(NEAP_IO, path);
    *size = writes ? fwrite(bytes, 1, *size, file) : fread(bytes, 1, TOKEN_ROOM, file);
    if (fclose(file))
        bench_check(NEAP_IO, path);
}

/* Until its parent closes the other end. */
static void rest(void)
{
    char line[8];

    printf("ready\n");
    fflush(stdout);
    if (fgets(line, sizeof(line), stdin))
        bench_check(NEAP_INVALID, "a word of the parent");
}

/* How long from the first of them to the last: links are there by then. */
static void receive(const char *base, const struct stream *stream)
{
    static char tokens[2][TOKEN_ROOM];
    const struct neap_call call = {.size = sizeof(call), .timeout_ms = WAIT_MS};
    struct neap *neap;
    double start;
    size_t sizes[2];

    file_copy(base, "first", tokens[0], &sizes[0], false);
    file_copy(base, "last", tokens[1], &sizes[1], false);
    neap = node_open(base, 'b', stream->secured, false);
    bench_check(neap_wait(neap, (struct neap_bytes){tokens[0], sizes[0]}, &call), "wait");
    start = clock_seconds();
    bench_check(neap_wait(neap, (struct neap_bytes){tokens[1], sizes[1]}, &call), "wait");
    printf("%.6f\n", clock_seconds() - start);
    fflush(stdout);
    neap_close(neap);
}

static int child_run(char **argv)
{
    const char *base = argv[3], what = argv[2][0];
    char bytes[ECHO_BYTES];

    cells = strtoull(argv[5], NULL, 10);
    if (what == 'r') {
        receive(base, &streams[strtoul(argv[4], NULL, 10) % STREAMS]);
    } else if (what == 'h') {
        struct neap *neap = node_open(base, argv[4][0], false, false);

        rest();
        neap_close(neap);
    } else {
        while (read(0, bytes, sizeof(bytes)) == sizeof(bytes))
            if (write(0, bytes, sizeof(bytes)) != sizeof(bytes))
                return 1;
    }
    return 0;
}

/* ---- in the parent ---- */

struct child {
    pid_t id;
    int own; /* end of the socket that is its input and output */
    FILE *said;
};

static void child_start(struct child *child, const char *what, const char *base,
                        const char *argument)
{
    char count[24];
    int ends[2];

    snprintf(count, sizeof(count), "%llu", (unsigned long long)cells);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
        bench_check(NEAP_IO, "socket");
    child->id = fork();
    if (child->id == 0) {
        if (dup2(ends[1], 0) >= 0 && dup2(ends[1], 1) >= 0)
            execl("/proc/self/exe", "stream", "--child", what, base, argument, count, (char *)NULL);
        _exit(1);
    }
    close(ends[1]);
    child->own = ends[0];
    child->said = fdopen(ends[0], "r");
    if (child->id < 0 || !child->said)
        bench_check(NEAP_NOMEM, "child");
}

static void child_hear(struct child *child, char ret_line[64])
{
    if (!fgets(ret_line, 64, child->said))
        bench_check(NEAP_IO, "a child that ended");
}

static void child_end(struct child *child)
{
    int status;

    fclose(child->said);
    if (waitpid(child->id, &status, 0) != child->id || status)
        bench_check(NEAP_IO, "a child");
}

static void remove_all(const char *base, const char *names)
{
    char command[400];

    snprintf(command, sizeof(command), "cd '%.150s' && rm -rf %.100s", base, names);
    if (system(command))
        bench_check(NEAP_IO, command);
}

/* ---- streams ---- */

static double raw_load(const char *base, const struct stream *stream)
{
    uint64_t keys[LOAD], count = 0;
    char path[SELF_MAX];
    struct raw raw;
    double start;

    snprintf(path, sizeof(path), "%.150s/raw", base);
    raw_open(&raw, path);
    start = clock_seconds();
    for (uint64_t i = 0; i < cells; i++) {
        keys[count++] = key_at(stream, i);
        if (count == LOAD || i == cells - 1) {
            raw_put_keys(&raw, stream->kind, keys, count, 0);
            count = 0;
        }
    }
    start = clock_seconds() - start;
    raw_close(&raw);
    return start;
}

static double stream_time(const char *base, const struct stream *stream)
{
    struct neap_buffer tokens[2] = {0};
    char line[64], index[8];
    struct child child;
    struct neap *neap;
    double seconds = 0;

    if (stream->merges) {
        neap = node_open(base, 'b', stream->secured, true);
        cells_write(neap, stream, tokens);
        neap_close(neap);
    }
    neap = node_open(base, 'a', stream->secured, false);
    cells_write(neap, stream, tokens);
    file_copy(base, "first", tokens[0].data, &tokens[0].size, true);
    file_copy(base, "last", tokens[1].data, &tokens[1].size, true);
    snprintf(index, sizeof(index), "%d", (int)(stream - streams));
    child_start(&child, "receive", base, index);
    child_hear(&child, line);
    child_end(&child);
    neap_buffer_free(&tokens[0]);
    neap_buffer_free(&tokens[1]);
    neap_close(neap);
    bench_check(sscanf(line, "%lf", &seconds) == 1 && seconds > 0 ? 0 : NEAP_IO, "a time");
    return seconds;
}

static void stream_row(const char *base, const struct stream *stream, struct rows *rows)
{
    double ours[ROUNDS], theirs[ROUNDS], ratios[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        ours[i] = (double)(cells - LOAD) / stream_time(base, stream);
        theirs[i] = (double)cells / raw_load(base, stream);
        ratios[i] = ours[i] / theirs[i];
        remove_all(base, "a b raw first last");
    }
    rows_add_ratio(rows, stream->work, "per second", median(ours, ROUNDS),
                   median(theirs, ROUNDS), median(ratios, ROUNDS), stream->floor,
                   stream->aim, false);
}

/* ---- a quorum ---- */

/* Half of its writes take less, in seconds. */
static double quorum_time(struct neap *neap, uint64_t from)
{
    const struct neap_call call = {.size = sizeof(call), .level = NEAP_QUORUM};
    double times[QUORUMS];

    for (uint64_t i = 0; i < QUORUMS; i++) {
        char key[KEY_BYTES + 1];
        const struct neap_place at = {.bucket = "count", .key = {key, KEY_BYTES}};
        double start = clock_seconds();

        bench_name(from + i, key);
        bench_check(neap_counter_add(neap, &at, 1, &call), "a write at QUORUM");
        times[i] = clock_seconds() - start;
    }
    return median(times, QUORUMS);
}

static double sync_time(struct raw *raw, uint64_t from)
{
    double times[QUORUMS];

    for (uint64_t i = 0; i < QUORUMS; i++) {
        double start = clock_seconds();

        raw_put(raw, KIND_COUNT, from + i, 1);
        times[i] = clock_seconds() - start;
    }
    return median(times, QUORUMS);
}

/* To both, and back from both. */
static double trip_time(const struct child *echoes)
{
    double times[QUORUMS];

    for (unsigned i = 0; i < QUORUMS; i++) {
        char bytes[ECHO_BYTES] = {0};
        double start = clock_seconds();
        bool fine = true;

        for (unsigned k = 0; k < 2; k++)
            fine = write(echoes[k].own, bytes, sizeof(bytes)) == sizeof(bytes) && fine;
        for (unsigned k = 0; k < 2; k++)
            fine = read(echoes[k].own, bytes, sizeof(bytes)) == sizeof(bytes) && fine;
        bench_check(fine ? 0 : NEAP_IO, "echo");
        times[i] = clock_seconds() - start;
    }
    return median(times, QUORUMS);
}

static void quorum_rounds(struct neap *neap, struct raw *raw, const struct child *echoes,
                          struct rows *rows)
{
    double ours[ROUNDS], theirs[ROUNDS], ratios[ROUNDS];

    for (unsigned i = 0; i <= ROUNDS; i++) { /* the first warms up */
        unsigned at = i ? i - 1 : 0;

        ours[at] = quorum_time(neap, i * QUORUMS) * 1e6;
        theirs[at] = (2 * sync_time(raw, i * QUORUMS) + trip_time(echoes)) * 1e6;
        ratios[at] = ours[at] / theirs[at];
    }
    rows_add_ratio(rows, "write at QUORUM of 3, against 2 syncs and a round trip", "us",
                   median(ours, ROUNDS), median(theirs, ROUNDS),
                   median(ratios, ROUNDS), 1.4, 1.2, true);
}

static unsigned peers_connected(struct neap *neap)
{
    static const char *const words[] = {"status"};
    struct neap_buffer text = {0};
    unsigned found = 0;
    json_t *json, *peer;
    size_t i;

    bench_check(neap_admin(neap, 1, words, &text, NULL), "status");
    json = json_loadb(text.data, text.size, 0, NULL);
    json_array_foreach(json_object_get(json, "peers"), i, peer)
        found += json_is_true(json_object_get(peer, "connected"));
    json_decref(json);
    neap_buffer_free(&text);
    return found;
}

static void quorum_row(const char *base, struct rows *rows)
{
    struct neap *neap = node_open(base, 'a', false, false);
    const struct neap_place at = {.bucket = "count", .key = {"warm", 4}};
    const struct neap_call all = {.size = sizeof(all), .level = NEAP_ALL};
    struct child nodes[2], echoes[2];
    char line[64], path[SELF_MAX];
    struct raw raw;

    for (unsigned i = 0; i < 2; i++) {
        child_start(&nodes[i], "hold", base, i ? "c" : "b");
        child_start(&echoes[i], "echo", base, "-");
        child_hear(&nodes[i], line);
    }
    snprintf(path, sizeof(path), "%.150s/raw", base);
    raw_open(&raw, path);
    for (double until = clock_seconds() + MEET_S; peers_connected(neap) < 2;)
        bench_check(clock_seconds() < until ? 0 : NEAP_UNAVAILABLE, "three nodes that meet");
    bench_check(neap_counter_add(neap, &at, 1, &all), "a write at ALL");
    quorum_rounds(neap, &raw, echoes, rows);
    raw_close(&raw);
    for (unsigned i = 0; i < 2; i++) {
        shutdown(nodes[i].own, SHUT_WR);
        shutdown(echoes[i].own, SHUT_WR);
        child_end(&nodes[i]);
        child_end(&echoes[i]);
    }
    neap_close(neap);
}

int main(int argc, char **argv)
{
    char base[128], command[160];
    struct rows rows;
    bool written;

    if (argc == 6 && strcmp(argv[1], "--child") == 0)
        return child_run(argv);
    cells = argc > 3 ? strtoull(argv[3], NULL, 10) : CELLS;
    bench_check(cells >= 2 * LOAD ? 0 : NEAP_INVALID, "cells: two thousand at least");
    snprintf(base, sizeof(base), "%.60s/neap-stream-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (mkdtemp(base) == NULL)
        bench_check(NEAP_IO, base);
    rows_open(&rows, argc > 2 ? argv[2] : "bench.json");
    clusters_make(base);
    for (unsigned i = 0; i < STREAMS; i++)
        stream_row(base, &streams[i], &rows);
    quorum_row(base, &rows);
    written = rows_close(&rows);
    snprintf(command, sizeof(command), "rm -rf '%s'", base);
    return system(command) != 0 || !written;
}
