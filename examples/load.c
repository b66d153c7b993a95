/* Many values in batches, and a walk over all of them that is interrupted and goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "neap.h"

static struct neap_error error;

/* An error ends the program, with the words that came with it. */
static void check(int code)
{
    if (!code)
        return;
    fprintf(stderr, "%s\n", error.code == code ? error.text : neap_strerror(code));
    exit(1);
}

static struct neap_bytes text(const char *string)
{
    struct neap_bytes bytes = {string, strlen(string)};

    return bytes;
}

static struct neap_place place(const char *bucket, const char *key)
{
    struct neap_place at = {bucket, {key, strlen(key)}, NULL, 0};

    return at;
}

enum { MANY = 25000, BATCH = 1000, STOP = 12345 };

static void load(struct neap *neap)
{
    struct neap_call queue = {0};
    struct neap_batch *batch;
    char key[32], value[32];
    int i;

    check(neap_batch_new(neap, &batch));
    queue.size = sizeof queue;
    queue.batch = batch;
    queue.ret_error = &error;
    for (i = 0; i < MANY; i++) {
        struct neap_place at;

        snprintf(key, sizeof key, "sensor/%06d", i);
        snprintf(value, sizeof value, "%d", i * 3);
        at = place("readings", key);
        check(neap_lww_set(neap, &at, text(value), &queue));
        if (i % BATCH == BATCH - 1)
            check(neap_batch_commit(batch, NULL));
    }
    check(neap_batch_commit(batch, NULL));
    neap_batch_free(batch);
}

/* Up to `count` items; where it stopped is left in `position`. */
static int walk(struct neap *neap, int count, struct neap_buffer *position)
{
    struct neap_call call = {0};
    struct neap_item item;
    struct neap_iter *keys;
    int seen = 0, code = 0;

    call.size = sizeof call;
    call.ret_error = &error;
    call.resume.data = position->data;
    call.resume.size = position->size;
    check(neap_keys(neap, "readings", text(""), &call, &keys));
    while (seen < count && !(code = neap_next(keys, &item, 0)))
        seen++;
    if (code && code != NEAP_END)
        check(code);
    check(neap_iter_token(keys, position));
    neap_iter_free(keys);
    return seen;
}

int main(void)
{
    struct neap_place at = place("readings", "sensor/012345");
    struct neap_buffer position = {0}, value = {0};
    struct neap_options options;
    struct neap *neap;
    int first, rest;

    neap_options_init(&options);
    check(neap_open(&options, &neap, &error));
    load(neap);
    first = walk(neap, STOP, &position);
    rest = walk(neap, MANY, &position);
    printf("%d + %d = %d\n", first, rest, first + rest);
    check(neap_lww_get(neap, &at, &value, NULL));
    printf("sensor/012345: %s\n", (const char *)value.data);
    neap_buffer_free(&value);
    neap_buffer_free(&position);
    neap_close(neap);
    return 0;
}
