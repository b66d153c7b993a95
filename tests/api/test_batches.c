/* Batches: all or nothing. */
#include "tests/api/both.h"

#include <stdio.h>

BOTH(a_batch_is_seen_whole_once_committed)
{
    struct neap_place at = place_of("b", "k"), other = place_of("c", "k");
    struct neap_batch *batch;

    CHECK_OK(neap_batch_new(both->neap, &batch));
    both->call.batch = batch;
    CHECK_OK(neap_counter_add(both->neap, &at, 1, &both->call));
    CHECK_OK(neap_counter_add(both->neap, &at, 2, &both->call));
    CHECK_OK(neap_set_add(both->neap, &other, bytes_of("e"), &both->call));
    CHECK_OK(neap_set_remove(both->neap, &other, bytes_of("e"), &both->call));
    CHECK_OK(neap_lww_set(both->neap, &other, bytes_of("v"), &both->call));
    CHECK_EQUAL(counter_of(both, &at), 0);
    both->call.batch = NULL;
    both->call.ret_token = &both->token;
    CHECK_OK(neap_batch_commit(batch, &both->call));
    CHECK(both->token.size > 4);
    CHECK_EQUAL(counter_of(both, &at), 3);
    CHECK_TEXT(keys_text(both, "c"), "k ");
    neap_batch_free(batch);
}

BOTH(a_batch_with_one_write_that_fails_does_nothing)
{
    struct neap_place at = place_of("b", "k"), full = place_of("b", "full");
    struct neap_batch *batch;

    CHECK_OK(neap_counter_add(both->neap, &full, INT64_MAX, NULL));
    CHECK_OK(neap_batch_new(both->neap, &batch));
    both->call.batch = batch;
    CHECK_OK(neap_counter_add(both->neap, &at, 1, &both->call));
    CHECK_OK(neap_counter_add(both->neap, &full, 1, &both->call));
    both->call.batch = NULL;
    both->call.ret_token = &both->token;
    CHECK_ERROR(neap_batch_commit(batch, &both->call), NEAP_LIMIT);
    CHECK(both->error.text[0]);
    CHECK_EQUAL(both->token.size, 0);
    CHECK_EQUAL(counter_of(both, &at), 0);
    CHECK_EQUAL(counter_of(both, &full), INT64_MAX);
    neap_batch_free(batch);
    CHECK_OK(neap_counter_add(both->neap, &at, 1, NULL));
    CHECK_EQUAL(counter_of(both, &at), 1);
}

BOTH(a_batch_that_was_dropped_did_nothing)
{
    struct neap_place at = place_of("b", "k");
    struct neap_batch *batch;

    CHECK_OK(neap_batch_new(both->neap, &batch));
    both->call.batch = batch;
    CHECK_OK(neap_counter_add(both->neap, &at, 1, &both->call));
    neap_batch_free(batch);
    CHECK_EQUAL(counter_of(both, &at), 0);
}

BOTH(a_batch_may_be_large)
{
    struct neap_batch *batch;
    char key[16];
    int i;

    CHECK_OK(neap_batch_new(both->neap, &batch));
    both->call.batch = batch;
    for (i = 0; i < 3000; i++) {
        struct neap_place at;

        snprintf(key, sizeof key, "k%05d", i);
        at = place_of("b", key);
        CHECK_OK(neap_lww_set(both->neap, &at, bytes_of(key), &both->call));
    }
    CHECK_OK(neap_batch_commit(batch, NULL));
    CHECK_OK(neap_lww_get(both->neap, &(struct neap_place){.bucket = "b", .key = {"k02999", 6}},
                          &both->value, NULL));
    CHECK_TEXT(both->value.data, "k02999");
    neap_batch_free(batch);
}

BOTH(a_batch_takes_what_was_seen_write_by_write)
{
    struct neap_place at = place_of("b", "k"), other = place_of("b", "l");
    struct neap_iter *iter;
    struct neap_batch *batch;

    CHECK_OK(neap_register_set(both->neap, &at, bytes_of("x"), NULL));
    CHECK_OK(neap_register_set(both->neap, &other, bytes_of("y"), NULL));
    both->call.ret_token = &both->token;
    CHECK_OK(neap_register_values(both->neap, &at, &both->call, &iter));
    neap_iter_free(iter);
    both->call.ret_token = NULL;
    CHECK_OK(neap_batch_new(both->neap, &batch));
    both->call.batch = batch;
    both->call.seen = token_of(&both->token);
    CHECK_OK(neap_register_set(both->neap, &at, bytes_of("z"), &both->call));
    both->call.seen = bytes_of("");
    CHECK_OK(neap_register_set(both->neap, &other, bytes_of("z"), &both->call));
    CHECK_OK(neap_batch_commit(batch, NULL));
    CHECK_TEXT(values_text(both, &at), "z ");
    CHECK_EQUAL(count_of(both, &other, NEAP_REGISTER), 2);
    neap_batch_free(batch);
}

BOTH(a_full_batch_can_be_committed)
{
    static char large[NEAP_VALUE_MAX];
    struct neap_place at = place_of("b", "k");
    struct neap_batch *batch;
    char name[16];
    int i, last = 0;

    CHECK_OK(neap_batch_new(both->neap, &batch));
    both->call.batch = batch;
    for (i = 0; i < NEAP_BATCH_COUNT_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        CHECK_OK(neap_set_add(both->neap, &at, bytes_of(name), &both->call));
    }
    CHECK_ERROR(neap_set_add(both->neap, &at, bytes_of("one more"), &both->call), NEAP_LIMIT);
    CHECK_OK(neap_batch_commit(batch, NULL));
    CHECK_EQUAL(count_of(both, &at, NEAP_SET), NEAP_BATCH_COUNT_MAX);
    for (i = 0; !last && i < 9; i++) {
        struct neap_place other;

        snprintf(name, sizeof name, "%d", i);
        other = place_of("b", name);
        last =
            neap_lww_set(both->neap, &other, (struct neap_bytes){large, sizeof large}, &both->call);
    }
    CHECK_ERROR(last, NEAP_LIMIT);
    CHECK_EQUAL(i, 8);
    both->call.batch = NULL;
    CHECK_OK(neap_batch_commit(batch, &both->call));
    CHECK_EQUAL(count_of(both, &(struct neap_place){.bucket = "b", .key = {"6", 1}}, NEAP_LWW), 1);
    neap_batch_free(batch);
}
