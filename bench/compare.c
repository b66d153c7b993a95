/* compare DIR FILE.json [SOURCE]: neap held against what else there is, each in turn with it, where
 * it is installed. Here redis-server, with each write synced before it is answered, by
 * redis-benchmark; neap is embedded, as it has no server between. Others are in bench/peers.c;
 * SOURCE is the folder where bench/peers.mjs is. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/compare.h"

enum { CALLERS_MAX = 50, WRITES = 4000, WRITES_LONE = 800 };

struct caller {
    struct neap *neap;
    uint64_t from, count;
};

static void *caller_main(void *arg)
{
    const struct caller *caller = arg;

    for (uint64_t i = 0; i < caller->count; i++) {
        char key[KEY_BYTES + 1];
        const struct neap_place at = {.bucket = "count", .key = {key, KEY_BYTES}};

        bench_name(bench_mix(caller->from + i) % KEYS, key);
        bench_check(neap_counter_add(caller->neap, &at, 1, NULL), "increment");
    }
    return NULL;
}

double neap_increments(struct neap *neap, unsigned callers, uint64_t count)
{
    struct caller all[CALLERS_MAX];
    pthread_t threads[CALLERS_MAX];
    double start = clock_seconds();

    for (unsigned i = 0; i < callers; i++) {
        all[i] = (struct caller){neap, i * count, count / callers};
        if (pthread_create(&threads[i], NULL, caller_main, &all[i]))
            bench_check(NEAP_NOMEM, "thread");
    }
    for (unsigned i = 0; i < callers; i++)
        pthread_join(threads[i], NULL);
    return (double)(count / callers * callers) / (clock_seconds() - start);
}

static bool is_there(const char *program)
{
    char command[100];

    snprintf(command, sizeof(command), "command -v %.60s >/dev/null 2>&1", program);
    return system(command) == 0;
}

/* The third field of the second line of its CSV; 0: there was none. */
static double redis_increments(const char *base, unsigned callers, uint64_t count)
{
    char command[400], line[400];
    double found = 0;
    FILE *out;

    snprintf(command, sizeof(command),
             "redis-benchmark -s '%.200s/redis/socket' -t incr -r %d -c %u -n %llu --csv "
             "2>/dev/null",
             base, KEYS, callers, (unsigned long long)count);
    out = popen(command, "r");
    while (out && fgets(line, sizeof(line), out))
        (void)sscanf(line, "\"INCR\",\"%lf\"", &found);
    if (out)
        pclose(out);
    return found;
}

static void redis_rows(const char *base, struct neap *neap, struct rows *rows)
{
    static const struct {
        unsigned callers;
        double goal, aim;
    } goals[] = {{1, 1.2, 1.5}, {50, 0.7, 1.0}};

    for (unsigned i = 0; i < sizeof(goals) / sizeof(goals[0]); i++) {
        double ours[COMPARES], theirs[COMPARES], ratios[COMPARES];
        unsigned callers = goals[i].callers;
        uint64_t count = callers == 1 ? WRITES_LONE : WRITES;
        char work[80];

        for (unsigned round = 0; round < COMPARES; round++) {
            ours[round] = neap_increments(neap, callers, count);
            theirs[round] = redis_increments(base, callers, count);
            if (theirs[round] <= 0) {
                printf("redis-server: skipped, redis-benchmark gives no answer\n");
                return;
            }
            ratios[round] = ours[round] / theirs[round];
        }
        snprintf(work, sizeof(work), "increment synced, %u callers, against redis", callers);
        rows_add_ratio(rows, work, "per second", median(ours, COMPARES), median(theirs, COMPARES),
                       median(ratios, COMPARES), goals[i].goal, goals[i].aim, false);
    }
}

/* Its process id is in the file that it makes. */
static void redis_run(const char *base, struct neap *neap, struct rows *rows)
{
    char command[1400];

    if (!is_there("redis-server") || !is_there("redis-benchmark")) {
        printf("redis-server: skipped, it is not installed\n");
        return;
    }
    snprintf(command, sizeof(command),
             "mkdir '%.200s/redis' && redis-server --port 0 --unixsocket '%.200s/redis/socket' "
             "--dir '%.200s/redis' --appendonly yes --appendfsync always --save '' "
             "--daemonize yes --pidfile '%.200s/redis/pid' >/dev/null && "
             "n=0; until test -S '%.200s/redis/socket' || test $n -ge 50; do sleep 0.1; "
             "n=$((n + 1)); done",
             base, base, base, base, base);
    if (system(command))
        bench_check(NEAP_IO, "redis-server");
    redis_rows(base, neap, rows);
    snprintf(command, sizeof(command), "kill \"$(cat '%.200s/redis/pid')\"", base);
    if (system(command))
        printf("redis-server: cannot be stopped\n");
}

int main(int argc, char **argv)
{
    char made[160], *base, path[200], command[200];
    struct neap_options options;
    struct neap_error error = {0};
    struct neap *neap;
    struct rows rows;
    bool written;

    snprintf(made, sizeof(made), "%.100s/neap-compare-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    base = mkdtemp(made) ? realpath(made, NULL) : NULL; /* redis changes its directory */
    if (!base)
        bench_check(NEAP_IO, made);
    neap_options_init(&options);
    snprintf(path, sizeof(path), "%.180s/neap", base);
    options.path = path;
    options.flags = NEAP_CREATE;
    if (neap_open(&options, &neap, &error))
        bench_check(error.code, error.text);
    rows_open(&rows, argc > 2 ? argv[2] : "bench.json");
    redis_run(base, neap, &rows);
    sqlite_run(base, neap, &rows);
    peers_run(argc > 3 ? argv[3] : ".", &rows);
    written = rows_close(&rows);
    neap_close(neap);
    snprintf(command, sizeof(command), "rm -rf '%.180s'", base);
    free(base);
    return system(command) != 0 || !written;
}
