/* What is measured: a table of works, each an operation on neap and the same bytes on RocksDB. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"

enum { FILL_BATCH = 1000, HOT_KEYS = 5000 };

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

void bench_name(uint64_t number, char ret_name[KEY_BYTES + 1])
{
    for (unsigned i = 0; i < KEY_BYTES; i++)
        ret_name[i] = "0123456789abcdef"[number >> (60 - 4 * i) & 15];
    ret_name[KEY_BYTES] = 0;
}

struct spot {
    char key[KEY_BYTES + 1];
    struct neap_place at;
};

static const struct neap_place *spot_at(struct spot *spot, const char *bucket, uint64_t key)
{
    bench_name(key, spot->key);
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

    bench_name(element, text);
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

static void missing_neap(struct sides *sides, uint64_t i)
{
    static _Thread_local struct neap_buffer value;
    struct spot spot;
    int code = neap_lww_get(sides->neap, spot_at(&spot, "put", KEYS + bench_mix(i)), &value, NULL);

    bench_check(code == NEAP_NOTFOUND ? 0 : NEAP_CORRUPT, "get of what is not there");
}

static void missing_raw(struct sides *sides, uint64_t i)
{
    bench_check(raw_get(&sides->raw, KIND_PUT, KEYS + bench_mix(i)) ? NEAP_CORRUPT : 0,
                "raw get of what is not there");
}

/* Of few keys, so that they are in neap's memory. */
static void add_hot_neap(struct sides *sides, uint64_t i)
{
    struct spot spot;

    bench_check(neap_counter_add(sides->neap, spot_at(&spot, "count", bench_mix(i) % HOT_KEYS), 1,
                                 how(sides)),
                "increment");
}

static void add_hot_raw(struct sides *sides, uint64_t i)
{
    raw_put(&sides->raw, KIND_COUNT, bench_mix(i) % HOT_KEYS, sides->sync);
}

/* Writes that are under way, each with the token to wait for it. */
enum { WINDOW = 256 };
static struct neap_buffer window[WINDOW];

static void window_wait(struct sides *sides, struct neap_buffer *token)
{
    if (token->size)
        bench_check(neap_wait(sides->neap, (struct neap_bytes){token->data, token->size}, NULL),
                    "wait");
    token->size = 0;
}

static void submit_neap(struct sides *sides, uint64_t i)
{
    struct neap_buffer *token = &window[i % WINDOW];
    const struct neap_call call = {.size = sizeof(call), .submit = 1, .ret_token = token};
    struct spot spot;

    window_wait(sides, token);
    bench_check(
        neap_counter_add(sides->neap, spot_at(&spot, "count", bench_mix(i) % KEYS), 1, &call),
        "submitted increment");
}

static void submit_finish(struct sides *sides)
{
    for (unsigned i = 0; i < WINDOW; i++)
        window_wait(sides, &window[i]);
}

static void batch_hot_neap(struct sides *sides, uint64_t i)
{
    static struct neap_batch *batch;
    struct neap_call call = {.size = sizeof(call)};

    if (!batch)
        bench_check(neap_batch_new(sides->neap, &batch), "batch");
    call.batch = batch;
    for (uint64_t k = 0; k < BATCH; k++) {
        struct spot spot;
        uint64_t key = bench_mix(i * BATCH + k) % HOT_KEYS;

        bench_check(neap_counter_add(sides->neap, spot_at(&spot, "count", key), 1, &call),
                    "batched increment");
    }
    bench_check(neap_batch_commit(batch, how(sides)), "commit");
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

static void batch_hot_raw(struct sides *sides, uint64_t i)
{
    uint64_t keys[BATCH];

    for (uint64_t k = 0; k < BATCH; k++)
        keys[k] = bench_mix(i * BATCH + k) % HOT_KEYS;
    raw_put_keys(&sides->raw, KIND_COUNT, keys, BATCH, sides->sync);
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

        bench_name(i, text);
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

/* Floors and aims: what is asked of the whole project, and of single callers design 9. */
const struct work works[] = {
    {"put hot, 1 thread", put_neap, put_raw, 1, 0, 1, 40000, 0.7, 0.85, 0, NULL},
    {"put, 8 threads", put_neap, put_raw, 8, 0, 1, 40000, 0.5, 0, 0, NULL},
    {"put synced, 1 thread", put_neap, put_raw, 1, 1, 1, 600, 0.85, 0.95, 0, NULL},
    {"put synced, 8 threads", put_neap, put_raw, 8, 1, 1, 4000, 1.2, 1.4, 0, NULL},
    {"put synced, 32 threads", put_neap, put_raw, 32, 1, 1, 8192, 1.4, 2.0, 0, NULL},
    {"increment hot, 1 thread", add_hot_neap, add_hot_raw, 1, 0, 1, 40000, 0.7, 0.85, 0, NULL},
    {"increment, 1 thread", add_neap, add_raw, 1, 0, 1, 40000, 0.5, 0.6, 0, NULL},
    {"increment, 8 threads", add_neap, add_raw, 8, 0, 1, 40000, 0.5, 0, 0, NULL},
    {"increment synced, 1 thread", add_neap, add_raw, 1, 1, 1, 600, 0.85, 0.95, 0, NULL},
    {"increment synced, 8 threads", add_neap, add_raw, 8, 1, 1, 4000, 1.2, 1.4, 0, NULL},
    {"increment synced, 32 threads", add_neap, add_raw, 32, 1, 1, 8192, 1.4, 2.0, 0, NULL},
    {"increment synced, 256 under way, against 32 threads", submit_neap, add_raw, 1, 1, 1, 16384,
     2.0, 5.0, 32, submit_finish},
    {"set add to 10, hot, 1 thread", small_neap, small_raw, 1, 0, 1, 40000, 0.7, 0.85, 0, NULL},
    {"set add to 1000000, cold, 1 thread", large_neap, large_raw, 1, 0, 1, 40000, 0.5, 0.6, 0,
     NULL},
    {"set add to 1000000 against 10", large_neap, small_neap, 1, 0, 1, 40000, 0.77, 0.83, 0, NULL},
    {"set add to 10 synced, 1 thread", small_neap, small_raw, 1, 1, 1, 600, 0.85, 0.95, 0, NULL},
    {"set add to 10 synced, 8 threads", small_neap, small_raw, 8, 1, 1, 4000, 1.2, 1.4, 0, NULL},
    {"set add to 10 synced, 32 threads", small_neap, small_raw, 32, 1, 1, 8192, 1.4, 2.0, 0, NULL},
    {"set add to 1000000 synced, 8 threads", large_neap, large_raw, 8, 1, 1, 4000, 1.2, 1.4, 0,
     NULL},
    {"read, 1 thread", read_neap, read_raw, 1, 0, 1, 100000, 0.8, 0.9, 0, NULL},
    {"read, 8 threads", read_neap, read_raw, 8, 0, 1, 100000, 0.8, 0.9, 0, NULL},
    {"read of what is not there, 1 thread", missing_neap, missing_raw, 1, 0, 1, 100000, 0.7, 0.85,
     0, NULL},
    {"batch of 100 increments hot, 1 thread", batch_hot_neap, batch_hot_raw, 1, 0, BATCH, 400, 0.5,
     0.65, 0, NULL},
    {"batch of 100 increments, 1 thread", batch_neap, batch_raw, 1, 0, BATCH, 400, 0.39, 0, 0,
     NULL},
    {"batch of 100 increments, 8 threads", batch_neap, batch_raw, 8, 0, BATCH, 400, 0.39, 0, 0,
     NULL},
    {"batch of 100 synced, 1 thread", batch_neap, batch_raw, 1, 1, BATCH, 200, 0.41, 0, 0, NULL},
    {"batch of 100 synced, 8 threads", batch_neap, batch_raw, 8, 1, BATCH, 400, 0.41, 0, 0, NULL},
};
const unsigned works_count = sizeof(works) / sizeof(works[0]);
