/* What is measured: a table of works, each an operation on neap and the same bytes on RocksDB. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

enum { FILL_BATCH = 1000 };

/* As `neap digest` has them, plus 9 bytes a cell that it does not count: works_check() looks. */
const struct shape shapes[KINDS] = {
    [KIND_PUT] = {"put", KEYS, KEY_BYTES + 19, VALUE_BYTES + 26},
    [KIND_COUNT] = {"count", KEYS, KEY_BYTES + 19, 17},
    [KIND_SMALL] = {"small", SMALL_SETS *SET_SMALL, 2 * KEY_BYTES + 22, 13},
    [KIND_LARGE] = {"large", SET_LARGE, 2 * KEY_BYTES + 22, 15}};

void bench_check(int code, const char *what)
{
    if (code == 0)
        return;
    fprintf(stderr, "bench: %s: %s\n", what, neap_strerror(code));
    exit(1);
}

/* Spreads consecutive numbers (the finalizer of splitmix64). */
uint64_t bench_mix(uint64_t i)
{
    i = (i + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
    i = (i ^ (i >> 27)) * 0x94d049bb133111ebu;
    return i ^ (i >> 31);
}

struct spot {
    char key[KEY_BYTES + 1];
    struct neap_place at;
};

static const struct neap_place *spot_at(struct spot *spot, const char *bucket, uint64_t key)
{
    snprintf(spot->key, sizeof(spot->key), "%016llx", (unsigned long long)key);
    spot->at = (struct neap_place){.bucket = bucket, .key = {spot->key, KEY_BYTES}};
    return &spot->at;
}

static const struct neap_call *how(const struct sides *sides)
{
    static const struct neap_call lazy = {.size = sizeof(lazy), .flags = NEAP_NOSYNC};

    return sides->sync ? NULL : &lazy;
}

static void put_neap(struct sides *sides, uint64_t i)
{
    static const char value[VALUE_BYTES];
    struct spot spot;

    bench_check(neap_lww_set(sides->neap, spot_at(&spot, "put", bench_mix(i) % KEYS),
                             (struct neap_bytes){value, sizeof(value)}, how(sides)),
                "put");
}

static void put_raw(struct sides *sides, uint64_t i)
{
    raw_put(&sides->raw, KIND_PUT, bench_mix(i) % KEYS, sides->sync);
}

static void add_neap(struct sides *sides, uint64_t i)
{
    struct spot spot;

    bench_check(
        neap_counter_add(sides->neap, spot_at(&spot, "count", bench_mix(i) % KEYS), 1, how(sides)),
        "increment");
}

static void add_raw(struct sides *sides, uint64_t i)
{
    raw_put(&sides->raw, KIND_COUNT, bench_mix(i) % KEYS, sides->sync);
}

static void element_add(struct sides *sides, const char *bucket, uint64_t set, uint64_t element)
{
    struct spot spot;
    char text[KEY_BYTES + 1];

    snprintf(text, sizeof(text), "%016llx", (unsigned long long)element);
    bench_check(neap_set_add(sides->neap, spot_at(&spot, bucket, set),
                             (struct neap_bytes){text, KEY_BYTES}, how(sides)),
                "set add");
}

static void small_neap(struct sides *sides, uint64_t i)
{
    element_add(sides, "small", i % SMALL_SETS, bench_mix(i) % SET_SMALL);
}

static void large_neap(struct sides *sides, uint64_t i)
{
    element_add(sides, "large", 0, bench_mix(i) % SET_LARGE);
}

static void small_raw(struct sides *sides, uint64_t i)
{
    raw_put(&sides->raw, KIND_SMALL, i % SMALL_SETS * SET_SMALL + bench_mix(i) % SET_SMALL,
            sides->sync);
}

static void large_raw(struct sides *sides, uint64_t i)
{
    raw_put(&sides->raw, KIND_LARGE, bench_mix(i) % SET_LARGE, sides->sync);
}

static void read_neap(struct sides *sides, uint64_t i)
{
    static _Thread_local struct neap_buffer value;
    struct spot spot;

    bench_check(neap_lww_get(sides->neap, spot_at(&spot, "put", bench_mix(i) % KEYS), &value, NULL),
                "get");
}

static void read_raw(struct sides *sides, uint64_t i)
{
    if (raw_get(&sides->raw, KIND_PUT, bench_mix(i) % KEYS) == 0)
        bench_check(NEAP_NOTFOUND, "raw get");
}

static void batch_neap(struct sides *sides, uint64_t i)
{
    struct neap_batch *batch;
    struct neap_call call = {.size = sizeof(call)};

    bench_check(neap_batch_new(sides->neap, &batch), "batch");
    call.batch = batch;
    for (uint64_t k = 0; k < BATCH; k++) {
        struct spot spot;

        bench_check(neap_counter_add(sides->neap,
                                     spot_at(&spot, "count", bench_mix(i * BATCH + k) % KEYS), 1,
                                     &call),
                    "batched increment");
    }
    bench_check(neap_batch_commit(batch, how(sides)), "commit");
    neap_batch_free(batch);
}

static void batch_raw(struct sides *sides, uint64_t i)
{
    raw_put_batch(&sides->raw, KIND_COUNT, i * BATCH, BATCH, sides->sync);
}

/* Every key is there before anything is timed. */
void works_fill(struct sides *sides)
{
    static const char value[VALUE_BYTES];
    struct neap_batch *batch;
    struct neap_call call = {.size = sizeof(call)};

    sides->sync = 0;
    bench_check(neap_batch_new(sides->neap, &batch), "batch");
    call.batch = batch;
    for (uint64_t i = 0; i < SET_LARGE; i++) {
        struct spot spot;
        char text[KEY_BYTES + 1];

        snprintf(text, sizeof(text), "%016llx", (unsigned long long)i);
        bench_check(neap_set_add(sides->neap, spot_at(&spot, "large", 0),
                                 (struct neap_bytes){text, KEY_BYTES}, &call),
                    "fill");
        if (i < KEYS) {
            bench_check(neap_lww_set(sides->neap, spot_at(&spot, "put", i),
                                     (struct neap_bytes){value, sizeof(value)}, &call),
                        "fill");
            bench_check(neap_counter_add(sides->neap, spot_at(&spot, "count", i), 1, &call),
                        "fill");
            raw_put(&sides->raw, KIND_PUT, i, 0);
            raw_put(&sides->raw, KIND_COUNT, i, 0);
        }
        raw_put(&sides->raw, KIND_LARGE, i, 0);
        if (i % FILL_BATCH == FILL_BATCH - 1)
            bench_check(neap_batch_commit(batch, how(sides)), "fill");
    }
    for (uint64_t i = 0; i < SMALL_SETS * SET_SMALL; i++) {
        element_add(sides, "small", i / SET_SMALL, i % SET_SMALL);
        raw_put(&sides->raw, KIND_SMALL, i, 0);
    }
    neap_batch_free(batch);
    bench_check(neap_sync(sides->neap), "sync");
}

/* Both sides write the same bytes a cell, or the ratios mean nothing: within a tenth. */
void works_check(struct sides *sides)
{
    for (unsigned kind = 0; kind < KINDS; kind++) {
        const struct shape *shape = &shapes[kind];
        const char *const words[] = {"digest", shape->bucket};
        struct neap_buffer text = {0};
        double ours, theirs = (double)(shape->key_size + shape->value_size);
        json_t *json, *total;

        bench_check(neap_admin(sides->neap, 2, words, &text, NULL), "digest");
        json = json_loadb(text.data, text.size, 0, NULL);
        total = json_object_get(json, "total");
        ours = (double)json_integer_value(json_object_get(total, "bytes")) /
                   (double)json_integer_value(json_object_get(total, "cells")) +
               9;
        json_decref(json);
        neap_buffer_free(&text);
        if (ours < theirs * 0.9 || ours > theirs * 1.1) {
            fprintf(stderr, "bench: %s: a cell has %.1f bytes, its raw pair %.1f\n", shape->bucket,
                    ours, theirs);
            exit(1);
        }
    }
}

/* Goals: design 9, without the cache of hot cells that is yet to come. */
const struct work works[] = {
    {"put, 1 thread", put_neap, put_raw, 1, 0, 1, 40000, 0.5},
    {"put, 8 threads", put_neap, put_raw, 8, 0, 1, 40000, 0.5},
    {"put synced, 1 thread", put_neap, put_raw, 1, 1, 1, 600, 0.85},
    {"put synced, 8 threads", put_neap, put_raw, 8, 1, 1, 4000, 1.0},
    {"increment, 1 thread", add_neap, add_raw, 1, 0, 1, 40000, 0.5},
    {"increment, 8 threads", add_neap, add_raw, 8, 0, 1, 40000, 0.5},
    {"increment synced, 1 thread", add_neap, add_raw, 1, 1, 1, 600, 0.85},
    {"increment synced, 8 threads", add_neap, add_raw, 8, 1, 1, 4000, 1.0},
    {"set add to 10, 1 thread", small_neap, small_raw, 1, 0, 1, 40000, 0.5},
    {"set add to 1000000, 1 thread", large_neap, large_raw, 1, 0, 1, 40000, 0.5},
    {"set add to 1000000 against 10", large_neap, small_neap, 1, 0, 1, 40000, 0.77},
    {"set add to 10 synced, 8 threads", small_neap, small_raw, 8, 1, 1, 4000, 1.0},
    {"set add to 1000000 synced, 8 threads", large_neap, large_raw, 8, 1, 1, 4000, 1.0},
    {"read, 1 thread", read_neap, read_raw, 1, 0, 1, 100000, 0.8},
    {"read, 8 threads", read_neap, read_raw, 8, 0, 1, 100000, 0.8},
    {"batch of 100 increments, 1 thread", batch_neap, batch_raw, 1, 0, BATCH, 400, 0.39},
    {"batch of 100 increments, 8 threads", batch_neap, batch_raw, 8, 0, BATCH, 400, 0.39},
    {"batch of 100 synced, 1 thread", batch_neap, batch_raw, 1, 1, BATCH, 200, 0.41},
    {"batch of 100 synced, 8 threads", batch_neap, batch_raw, 8, 1, BATCH, 400, 0.41},
};
const unsigned works_count = sizeof(works) / sizeof(works[0]);
