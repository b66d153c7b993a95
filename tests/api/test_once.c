/* Writes that are asked again: call.once. */
#include <stdio.h>
#include <string.h>

#include "engine/api.h"
#include "tests/api/both.h"
#include "tests/support/loopback.h"

static int is_same(const struct neap_buffer *a, const struct neap_buffer *b)
{
    return a->size == b->size && !memcmp(a->data, b->data, a->size);
}

BOTH(a_write_asked_again_is_done_once_and_answers_the_same)
{
    struct neap_place at = place_of("b", "n");
    struct neap_buffer token = {0};

    both->call.once = bytes_of("an id");
    both->call.ret_token = &both->token;
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    both->call.ret_token = &token;
    for (int i = 0; i < 3; i++)
        CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    CHECK_EQUAL(counter_of(both, &at), 5);
    CHECK(is_same(&token, &both->token));
    both->call.ret_token = NULL;
    both->call.once = bytes_of("another id");
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    CHECK_EQUAL(counter_of(both, &at), 10);
    neap_buffer_free(&token);
}

/* When something ends is counted from now, and is no part of what was asked for. */
BOTH(what_expires_is_written_once_too)
{
    struct neap_place at = place_of("b", "n");

    both->call.once = bytes_of("an id");
    both->call.ttl_ms = 1000000;
    CHECK_OK(neap_set_add(both->neap, &at, bytes_of("x"), &both->call));
    CHECK_OK(neap_set_add(both->neap, &at, bytes_of("x"), &both->call));
    both->call.ttl_ms++;
    CHECK_ERROR(neap_set_add(both->neap, &at, bytes_of("x"), &both->call), NEAP_INVALID);
}

BOTH(an_id_is_good_for_one_write)
{
    struct neap_place at = place_of("b", "n"), other = place_of("b", "m");

    both->call.once = bytes_of("an id");
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    CHECK_ERROR(neap_counter_add(both->neap, &at, 6, &both->call), NEAP_INVALID);
    CHECK(strstr(both->error.text, "another write"));
    CHECK_ERROR(neap_counter_add(both->neap, &other, 5, &both->call), NEAP_INVALID);
    CHECK_ERROR(neap_set_add(both->neap, &at, bytes_of("x"), &both->call), NEAP_INVALID);
    CHECK_EQUAL(counter_of(both, &at), 5);
    CHECK_EQUAL(counter_of(both, &other), 0);
    CHECK_EQUAL(count_of(both, &at, NEAP_SET), 0);
    CHECK_ERROR(neap_counter_get(both->neap, &at, &(int64_t){0}, &both->call), NEAP_INVALID);
}

BOTH(a_node_makes_up_ids)
{
    struct neap_place at = place_of("b", "n");
    struct neap_call call = {.size = sizeof call, .ret_error = &both->error};

    CHECK_OK(neap_once(both->neap, &both->token, &call));
    CHECK_OK(neap_once(both->neap, &both->value, NULL));
    CHECK(!is_same(&both->token, &both->value));
    CHECK(both->token.size > 0 && both->token.size <= NEAP_ONCE_MAX);
    CHECK_EQUAL(strlen(both->token.data), both->token.size);
    call.once = token_of(&both->token);
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &call));
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &call));
    call.once = token_of(&both->value);
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &call));
    CHECK_EQUAL(counter_of(both, &at), 10);
    CHECK_ERROR(neap_once(both->neap, &both->value, &call), NEAP_INVALID);
    CHECK(strstr(both->error.text, "once"));
    CHECK_ERROR(neap_once(both->neap, NULL, NULL), NEAP_INVALID);
}

static int commit_once(struct both *both, int64_t number)
{
    struct neap_place at = place_of("b", "n"), set = place_of("c", "s");
    struct neap_call call = {.size = sizeof call, .ret_error = &both->error};
    struct neap_batch *batch;
    int error;

    CHECK_OK(neap_batch_new(both->neap, &batch));
    call.batch = batch;
    CHECK_OK(neap_counter_add(both->neap, &at, number, &call));
    CHECK_OK(neap_counter_add(both->neap, &at, 1, &call));
    CHECK_OK(neap_set_add(both->neap, &set, bytes_of("x"), &call));
    call.batch = NULL;
    call.once = bytes_of("of the batch");
    error = neap_batch_commit(batch, &call);
    neap_batch_free(batch);
    return error;
}

BOTH(a_batch_has_one_id)
{
    struct neap_place at = place_of("b", "n"), set = place_of("c", "s");

    CHECK_OK(commit_once(both, 4));
    CHECK_OK(neap_set_remove(both->neap, &set, bytes_of("x"), NULL));
    CHECK_OK(commit_once(both, 4));
    CHECK_ERROR(commit_once(both, 5), NEAP_INVALID);
    CHECK_EQUAL(counter_of(both, &at), 5);
    CHECK_EQUAL(count_of(both, &set, NEAP_SET), 0);
}

/* A submitted write and its repeat, which does not wait for it. */
BOTH(a_submitted_write_is_done_once)
{
    struct neap_place at = place_of("b", "n");
    char id[] = "an id";

    both->call.submit = 1;
    both->call.once = bytes_of(id);
    both->call.ret_token = &both->token;
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    memset(id, 'x', strlen(id));
    CHECK_OK(neap_wait(both->neap, token_of(&both->token), NULL));
    CHECK_EQUAL(counter_of(both, &at), 5);
    both->call.once = bytes_of("an id");
    CHECK_OK(neap_counter_add(both->neap, &at, 6, &both->call));
    CHECK_ERROR(neap_wait(both->neap, token_of(&both->token), NULL), NEAP_INVALID);
    CHECK_EQUAL(counter_of(both, &at), 5);
}

/* The node did it, and its reply was lost: what a client can do is ask again, by a new handle. */
TEST(a_reply_that_is_lost_is_asked_for_again)
{
    struct neap_place at = place_of("b", "n");
    struct neap_call call = {.size = sizeof call};
    struct neap_options options;
    struct neap_buffer token = {0};
    struct neap *node, *client;
    struct loopback line;
    int64_t number = 0;

    neap_options_init(&options);
    CHECK_OK(neap_open(&options, &node, NULL));
    loopback_init(&line, node->backend);
    CHECK_OK(loopback_open(&line, &client, NULL));
    call.once = bytes_of("7c0d5b");
    line.loses = 1;
    CHECK_ERROR(neap_counter_add(client, &at, 5, &call), NEAP_UNCERTAIN);
    CHECK_OK(neap_counter_get(node, &at, &number, NULL));
    CHECK_EQUAL(number, 5);
    neap_close(client);
    line.loses = 0;
    CHECK_OK(loopback_open(&line, &client, NULL));
    call.ret_token = &token;
    CHECK_OK(neap_counter_add(client, &at, 5, &call));
    CHECK(token.size > 0);
    CHECK_OK(neap_wait(client, token_of(&token), NULL));
    CHECK_OK(neap_counter_get(client, &at, &number, NULL));
    CHECK_EQUAL(number, 5);
    neap_close(client);
    neap_close(node);
    neap_buffer_free(&token);
}

/* In the directory, not in the process. */
TEST(an_id_outlives_the_process_and_a_copy_has_it_too)
{
    struct neap_place at = place_of("b", "n");
    struct neap_call call = {.size = sizeof call, .once = bytes_of("an id")};
    char folder[200], data[256], backup[256], restored[256];
    struct neap_buffer unused = {0};
    struct neap_options options;
    struct neap *neap;
    int64_t number = 0;

    snprintf(data, sizeof data, "%s/data", path_new(folder, sizeof folder));
    snprintf(backup, sizeof backup, "%s/backup", folder);
    snprintf(restored, sizeof restored, "%s/restored", folder);
    neap_options_init(&options);
    options.path = data;
    CHECK_OK(neap_open(&options, &neap, NULL));
    CHECK_OK(neap_counter_add(neap, &at, 5, &call));
    neap_close(neap);
    CHECK_OK(neap_open(&options, &neap, NULL));
    CHECK_OK(neap_counter_add(neap, &at, 5, &call));
    CHECK_OK(neap_once(neap, &unused, NULL));
    CHECK_OK(neap_backup(neap, backup, NULL, NULL));
    neap_close(neap);
    CHECK_OK(neap_restore(backup, restored, NULL, NULL));
    options.path = restored;
    CHECK_OK(neap_open(&options, &neap, NULL));
    CHECK_OK(neap_counter_add(neap, &at, 5, &call));
    /* The original may have done that one since. */
    call.once = token_of(&unused);
    CHECK_ERROR(neap_counter_add(neap, &at, 5, &call), NEAP_STALE);
    CHECK_OK(neap_counter_get(neap, &at, &number, NULL));
    CHECK_EQUAL(number, 5);
    neap_close(neap);
    options.flags = NEAP_READONLY;
    CHECK_OK(neap_open(&options, &neap, NULL));
    CHECK_ERROR(neap_once(neap, &unused, NULL), NEAP_REFUSED);
    neap_close(neap);
    neap_buffer_free(&unused);
    path_remove(folder);
}
