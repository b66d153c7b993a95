#include "engine/api.h"

#include "base/alloc.h"
#include "tests/support/fake_backend.h"
#include "tests/support/test.h"

#include <string.h>

static const struct neap_place at = {.bucket = "b", .key = {"k", 1}};
static const struct neap_place other = {.bucket = "other", .key = {"k", 1}};
static const struct neap_bytes value = {"vv", 2};

struct batch_test {
    struct fake fake;
    struct neap neap;
    struct neap_batch *batch;
    struct neap_error error;
    struct neap_call queue, commit;
};

static void batch_setup(struct batch_test *test)
{
    memset(test, 0, sizeof *test);
    fake_init(&test->fake);
    test->neap.backend = &test->fake.backend;
    CHECK_OK(neap_batch_new(&test->neap, &test->batch));
    test->queue = (struct neap_call){
        .size = sizeof test->queue, .batch = test->batch, .ret_error = &test->error};
    test->commit = (struct neap_call){.size = sizeof test->commit, .ret_error = &test->error};
}

static void batch_end(struct batch_test *test)
{
    neap_batch_free(test->batch);
    fake_done(&test->fake);
}

TEST(writes_are_queued_until_they_are_committed_as_one)
{
    struct batch_test test;

    batch_setup(&test);
    CHECK_OK(neap_lww_set(&test.neap, &at, value, &test.queue));
    CHECK_OK(neap_counter_add(&test.neap, &other, -5, &test.queue));
    CHECK_OK(neap_set_remove(&test.neap, &at, value, &test.queue));
    CHECK_OK(neap_remove(&test.neap, &at, NEAP_ANY, &test.queue));
    CHECK_EQUAL(test.fake.calls, 0);
    CHECK_OK(neap_batch_commit(test.batch, &test.commit));
    CHECK_EQUAL(test.fake.calls, 1);
    CHECK_EQUAL(test.fake.write.count, 4);
    CHECK_TEXT(test.fake.bucket, "b");
    CHECK_HEX(test.fake.path, "6b 00 01");
    CHECK(test.fake.op.prefix);
    batch_end(&test);
}

TEST(a_batch_that_was_committed_is_empty)
{
    struct neap_buffer token = {0};
    struct batch_test test;

    batch_setup(&test);
    CHECK_OK(neap_lww_set(&test.neap, &at, value, &test.queue));
    CHECK_OK(neap_batch_commit(test.batch, NULL));
    test.commit.ret_token = &token;
    CHECK_OK(neap_batch_commit(test.batch, &test.commit));
    CHECK_EQUAL(test.fake.calls, 1);
    CHECK_HEX(slice_of(token.data, token.size), "93 01 00 90");
    CHECK_OK(neap_lww_set(&test.neap, &at, value, &test.queue));
    CHECK_OK(neap_batch_commit(test.batch, NULL));
    CHECK_EQUAL(test.fake.write.count, 1);
    neap_buffer_free(&token);
    batch_end(&test);
}

TEST(a_batch_stays_when_nothing_happened_and_goes_when_it_may_have)
{
    struct batch_test test;

    batch_setup(&test);
    CHECK_OK(neap_lww_set(&test.neap, &at, value, &test.queue));
    test.fake.code = NEAP_BUSY;
    CHECK_ERROR(neap_batch_commit(test.batch, &test.commit), NEAP_BUSY);
    test.fake.code = NEAP_UNCERTAIN;
    CHECK_ERROR(neap_batch_commit(test.batch, &test.commit), NEAP_UNCERTAIN);
    CHECK_EQUAL(test.fake.calls, 2);
    test.fake.code = 0;
    CHECK_OK(neap_batch_commit(test.batch, &test.commit));
    CHECK_EQUAL(test.fake.calls, 2);
    batch_end(&test);
}

TEST(what_is_queued_is_checked_at_once)
{
    struct batch_test test;
    struct neap another;

    batch_setup(&test);
    another = test.neap;
    CHECK_ERROR(neap_lww_set(&another, &at, value, &test.queue), NEAP_INVALID);
    CHECK(strstr(test.error.text, "another handle"));
    CHECK_ERROR(neap_lww_set(&test.neap, NULL, value, &test.queue), NEAP_INVALID);
    test.queue.submit = 1;
    CHECK_ERROR(neap_lww_set(&test.neap, &at, value, &test.queue), NEAP_INVALID);
    CHECK_OK(neap_batch_commit(test.batch, NULL));
    CHECK_EQUAL(test.fake.calls, 0);
    CHECK_ERROR(neap_batch_commit(NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_batch_new(NULL, &test.batch), NEAP_INVALID);
    CHECK_ERROR(neap_batch_new(&test.neap, NULL), NEAP_INVALID);
    test.commit.batch = test.batch;
    CHECK_ERROR(neap_batch_commit(test.batch, &test.commit), NEAP_INVALID);
    neap_batch_free(NULL);
    batch_end(&test);
}

TEST(a_batch_for_reading_only_is_none)
{
    struct neap neap = {.flags = NEAP_READONLY};
    struct neap_batch *batch;

    CHECK_ERROR(neap_batch_new(&neap, &batch), NEAP_REFUSED);
}

TEST(a_batch_has_a_limit_of_writes)
{
    struct batch_test test;
    int i;

    batch_setup(&test);
    for (i = 0; i < NEAP_BATCH_COUNT_MAX; i++)
        CHECK_OK(neap_flag_set(&test.neap, i % 3 ? &at : &other, 1, &test.queue));
    CHECK_ERROR(neap_flag_set(&test.neap, &at, 1, &test.queue), NEAP_LIMIT);
    CHECK(strstr(test.error.text, "NEAP_BATCH_COUNT_MAX"));
    CHECK_OK(neap_batch_commit(test.batch, NULL));
    CHECK_EQUAL(test.fake.write.count, NEAP_BATCH_COUNT_MAX);
    batch_end(&test);
}

TEST(a_batch_has_a_limit_of_bytes)
{
    static char large[NEAP_VALUE_MAX];
    struct batch_test test;
    int i;

    batch_setup(&test);
    for (i = 0; i < 7; i++)
        CHECK_OK(
            neap_lww_set(&test.neap, &at, (struct neap_bytes){large, sizeof large}, &test.queue));
    CHECK_ERROR(
        neap_lww_set(&test.neap, &at, (struct neap_bytes){large, sizeof large}, &test.queue),
        NEAP_LIMIT);
    CHECK(strstr(test.error.text, "NEAP_BATCH_BYTES_MAX"));
    CHECK_OK(neap_lww_set(&test.neap, &at, value, &test.queue));
    CHECK_OK(neap_batch_commit(test.batch, NULL));
    CHECK_EQUAL(test.fake.write.count, 8);
    batch_end(&test);
}

static int batch_sweep(void *argument)
{
    static const char seen[] = "\x93\x01\0\x90";
    struct batch_test *test = argument;
    struct neap_batch *batch = NULL;
    struct neap_buffer token = {0};
    int error, i;

    error = neap_batch_new(&test->neap, &batch);
    test->queue.batch = batch;
    test->queue.seen = (struct neap_bytes){seen, 4};
    test->commit.ret_token = &token;
    for (i = 0; i < 20 && !error; i++)
        error = neap_lww_set(&test->neap, i % 3 ? &at : &other, value, &test->queue);
    if (!error)
        error = neap_batch_commit(batch, &test->commit);
    if (!error)
        CHECK_EQUAL(test->fake.write.count, 20);
    neap_batch_free(batch);
    neap_buffer_free(&token);
    return error;
}

TEST(batches_survive_failed_allocations)
{
    struct batch_test test;

    batch_setup(&test);
    test_alloc_sweep(batch_sweep, &test);
    batch_end(&test);
}

TEST(a_write_that_could_not_be_queued_is_not_in_the_batch)
{
    struct batch_test test;
    uint64_t call;

    batch_setup(&test);
    for (call = 1; call < 6; call++) {
        mem_fail_at(call, 0);
        if (neap_lww_set(&test.neap, &at, value, &test.queue))
            continue;
        break;
    }
    mem_fail_at(0, 0);
    CHECK(call > 1);
    CHECK_OK(neap_batch_commit(test.batch, NULL));
    CHECK_EQUAL(test.fake.write.count, 1);
    batch_end(&test);
}
