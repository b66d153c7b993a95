/* How long single writes take: the half of them, and all but one in a hundred; and a pass over a
 * set of a million elements. In turn with RocksDB alone, the median of the rounds counts. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/figures.h"
#include "bench/rows.h"

enum { ROUNDS = 5, LONE = 10000, CALLERS = 8, EACH = 10000, HOT = 5000 };

struct caller {
    struct sides *sides;
    bool raw;
    uint64_t from, count;
    double *times;
};

static void write_one(struct caller *caller, uint64_t i)
{
    static const struct neap_call lazy = {.size = sizeof(lazy), .flags = NEAP_NOSYNC};
    uint64_t key = bench_mix(caller->from + i) % HOT;
    char text[KEY_BYTES + 1];
    const struct neap_place at = {.bucket = "count", .key = {text, KEY_BYTES}};

    if (caller->raw) {
        raw_put(&caller->sides->raw, KIND_COUNT, key, 0);
        return;
    }
    bench_name(key, text);
    bench_check(neap_counter_add(caller->sides->neap, &at, 1, &lazy), "increment");
}

static void *caller_main(void *arg)
{
    struct caller *caller = arg;

    for (uint64_t i = 0; i < caller->count; i++) {
        double start = clock_seconds();

        write_one(caller, i);
        caller->times[i] = clock_seconds() - start;
    }
    return NULL;
}

/* The time that this part of the writes is done in. */
static double time_of(struct sides *sides, bool raw, unsigned callers, uint64_t each, double part)
{
    static uint64_t from;
    static double times[LONE > CALLERS * EACH ? LONE : CALLERS * EACH];
    struct caller all[CALLERS];
    pthread_t threads[CALLERS];

    for (unsigned i = 0; i < callers; i++) {
        all[i] = (struct caller){sides, raw, from, each, times + i * each};
        from += raw ? each : 0;
        if (callers == 1)
            caller_main(&all[i]);
        else if (pthread_create(&threads[i], NULL, caller_main, &all[i]))
            bench_check(NEAP_NOMEM, "thread");
    }
    for (unsigned i = 0; i < callers && callers > 1; i++)
        pthread_join(threads[i], NULL);
    return part_of(times, callers * each, part);
}

static void latency_row(struct sides *sides, struct rows *rows, const char *work, unsigned callers,
                        uint64_t each, double part, double goal, double aim)
{
    double ours[ROUNDS], theirs[ROUNDS], ratios[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        ours[i] = time_of(sides, false, callers, each, part) * 1e6;
        theirs[i] = time_of(sides, true, callers, each, part) * 1e6;
        ratios[i] = ours[i] / theirs[i];
    }
    rows_add_ratio(rows, work, "us", median(ours, ROUNDS), median(theirs, ROUNDS),
                   median(ratios, ROUNDS), goal, aim, true);
}

/* ---- a pass ---- */

static double pass_time(struct sides *sides)
{
    const struct neap_place at = {.bucket = "large", .key = {"0000000000000000", KEY_BYTES}};
    double start = clock_seconds();
    struct neap_iter *iter;
    struct neap_item item;
    uint64_t found = 0;
    int code;

    bench_check(neap_items(sides->neap, &at, NEAP_SET, (struct neap_bytes){0}, NULL, &iter),
                "items");
    while (!(code = neap_next(iter, &item, 0)))
        found++;
    neap_iter_free(iter);
    bench_check(code == NEAP_END && found == SET_LARGE ? 0 : NEAP_CORRUPT, "a pass");
    return clock_seconds() - start;
}

static void pass_row(struct sides *sides, struct rows *rows)
{
    double ours[ROUNDS], theirs[ROUNDS], ratios[ROUNDS];

    for (unsigned i = 0; i < ROUNDS; i++) {
        double start;

        ours[i] = pass_time(sides) * 1e3;
        start = clock_seconds();
        raw_scan(&sides->raw, KIND_LARGE, SET_LARGE);
        theirs[i] = (clock_seconds() - start) * 1e3;
        ratios[i] = theirs[i] / ours[i];
    }
    rows_add_ratio(rows, "a pass over a set of 1000000", "ms", median(ours, ROUNDS),
                   median(theirs, ROUNDS), median(ratios, ROUNDS), 0.7, 0.8, false);
}

void latency_run(struct sides *sides, struct rows *rows)
{
    printf("%-42s %12s %12s %7s\n", "one write, one pass", "neap", "rocksdb", "ratio");
    latency_row(sides, rows, "half of lone writes, hot, not synced", 1, LONE, 0.5, 1.6, 1.3);
    latency_row(sides, rows, "99 of 100 writes of 8 callers, hot, not synced", CALLERS, EACH, 0.99,
                0.5, 0.1);
    pass_row(sides, rows);
}
