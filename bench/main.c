/* bench [DIR] [FILE.json] [NAME]: times neap against RocksDB alone, in turn, in one run. What
 * counts is the ratio inside a round; its median over the rounds is printed, with the least and the
 * greatest. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/rows.h"

/* A round is cut into slices, one side after the other, so that whatever else the machine does hits
 * both. */
enum { ROUNDS = 5, SLICES = 8 };

struct runner {
    struct sides *sides;
    operation run;
    uint64_t from, count;
};

static void *runner_main(void *arg)
{
    struct runner *runner = arg;

    for (uint64_t i = 0; i < runner->count; i++)
        runner->run(runner->sides, runner->from + i);
    return NULL;
}

/* Seconds an operation of a slice, all threads together. */
static double side_time(struct sides *sides, const struct work *work, bool raw, uint64_t from)
{
    unsigned running = raw && work->raw_threads ? work->raw_threads : work->threads;
    operation run = raw ? work->raw : work->neap;
    pthread_t threads[THREADS_MAX];
    struct runner runners[THREADS_MAX];
    uint64_t count = work->count / SLICES / running;
    double start = clock_seconds();

    for (unsigned t = 0; t < running; t++) {
        runners[t] = (struct runner){sides, run, from + t * count, count};
        if (running == 1)
            runner_main(&runners[t]);
        else if (pthread_create(&threads[t], NULL, runner_main, &runners[t]))
            bench_check(NEAP_NOMEM, "thread");
    }
    for (unsigned t = 0; t < running && running > 1; t++)
        pthread_join(threads[t], NULL);
    if (!raw && work->finish)
        work->finish(sides);
    return (clock_seconds() - start) / (double)(count * running);
}

static void work_run(struct sides *sides, const struct work *work, uint64_t *from,
                     struct rows *rows)
{
    double neap[ROUNDS], raw[ROUNDS], ratio[ROUNDS], figure, reference, middle;

    sides->sync = (int)work->sync;
    for (int round = -1; round < ROUNDS; round++) { /* the first warms up and is not counted */
        double a = 0, b = 0;

        for (unsigned slice = 0; slice < SLICES; slice++) {
            a += side_time(sides, work, false, *from) / SLICES;
            b += side_time(sides, work, true, *from) / SLICES;
            *from += work->count / SLICES;
        }
        if (round >= 0) {
            neap[round] = a;
            raw[round] = b;
            ratio[round] = b / a;
        }
    }
    figure = work->each / median(neap, ROUNDS);
    reference = work->each / median(raw, ROUNDS);
    middle = median(ratio, ROUNDS);
    printf("%-52s %10.0f %10.0f %7.2f [%.2f..%.2f] %6.2f  %s%s\n", work->name, figure, reference,
           middle, ratio[0], ratio[ROUNDS - 1], work->goal, middle >= work->goal ? "met" : "MISSED",
           work->aim > 0 && middle >= work->aim ? ", and the aim" : "");
    fflush(stdout);
    rows_add(rows, &(struct row){.work = work->name,
                                 .figure = figure,
                                 .unit = "per second",
                                 .reference = reference,
                                 .ratio = middle,
                                 .goal = work->goal,
                                 .aim = work->aim,
                                 .met = middle >= work->goal});
}

int main(int argc, char **argv)
{
    char base[160], path[200], command[200];
    const char *only = argc > 3 ? argv[3] : "", *file = argc > 2 ? argv[2] : "bench.json";
    struct sides sides = {0};
    struct neap_options options;
    struct neap_error error = {0};
    struct rows rows;
    bool written;
    uint64_t from = 0;

    if (argc > 1 && strcmp(argv[1], "--child") == 0)
        return process_child(argv + 2);
    snprintf(base, sizeof(base), "%.100s/neap-bench-XXXXXX", argc > 1 ? argv[1] : "/tmp");
    if (mkdtemp(base) == NULL)
        bench_check(NEAP_IO, base);
    neap_options_init(&options);
    snprintf(path, sizeof(path), "%s/neap", base);
    options.path = path;
    options.flags = NEAP_CREATE;
    if (neap_open(&options, &sides.neap, &error))
        bench_check(error.code, error.text);
    snprintf(path, sizeof(path), "%s/raw", base);
    raw_open(&sides.raw, path);
    rows_open(&rows, file);
    works_fill(&sides);
    works_check(&sides);
    printf("%-52s %10s %10s %7s %14s %6s\n", "work (operations per second)", "neap", "rocksdb",
           "ratio", "[least..most]", "goal");
    for (unsigned i = 0; i < works_count; i++)
        if (strstr(works[i].name, only))
            work_run(&sides, &works[i], &from, &rows);
    works_check(&sides);
    if (strstr("latency", only))
        latency_run(&sides, &rows);
    if (strstr("process", only))
        process_run(base, &rows);
    if (strstr("write cost", only))
        write_cost_run(base, rows.list);
    if (strstr("sets", only))
        sets_run(base, &rows);
    written = rows_close(&rows);
    neap_close(sides.neap);
    raw_close(&sides.raw);
    snprintf(command, sizeof(command), "rm -rf '%s'", base);
    return system(command) != 0 || !written;
}
