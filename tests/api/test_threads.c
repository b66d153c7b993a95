/* Several threads on one handle. */
#include "tests/api/both.h"

#include <pthread.h>
#include <stdio.h>

enum { THREADS = 4, ROUNDS = 50 };

struct worker {
    struct neap *neap;
    int number, failed;
};

static void *work(void *argument)
{
    struct neap_place counter = place_of("b", "counter"), set = place_of("b", "set");
    struct worker *worker = argument;
    struct neap_buffer token = {0};
    struct neap_call write = {.size = sizeof write, .flags = NEAP_NOSYNC, .ret_token = &token};
    struct neap_call read = {.size = sizeof read};
    char name[32];
    int i, in = 0;

    for (i = 0; i < ROUNDS && !worker->failed; i++) {
        snprintf(name, sizeof name, "%d/%d", worker->number, i);
        worker->failed |= neap_counter_add(worker->neap, &counter, 1, NULL);
        worker->failed |= neap_set_add(worker->neap, &set, bytes_of(name), &write);
        read.after = token_of(&token);
        worker->failed |= neap_set_has(worker->neap, &set, bytes_of(name), &in, &read);
        worker->failed |= !in;
    }
    neap_buffer_free(&token);
    return NULL;
}

BOTH(threads_share_a_handle)
{
    struct neap_place counter = place_of("b", "counter"), set = place_of("b", "set");
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    int i;

    for (i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){both->neap, i, 0};
        CHECK_EQUAL(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (i = 0; i < THREADS; i++)
        CHECK_EQUAL(pthread_join(threads[i], NULL), 0);
    for (i = 0; i < THREADS; i++)
        CHECK_EQUAL(workers[i].failed, 0);
    CHECK_EQUAL(counter_of(both, &counter), THREADS * ROUNDS);
    CHECK_EQUAL(count_of(both, &set, NEAP_SET), THREADS * ROUNDS);
}
