#include "engine/api.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "tests/support/fake_backend.h"
#include "tests/support/test.h"

#include <string.h>

static const struct neap_place at = {.bucket = "b", .key = {"k", 1}};
static const struct neap_bytes value = {"vv", 2};

struct write_test {
    struct fake fake;
    struct neap neap;
    struct neap_error error;
    struct neap_call call;
    struct neap_buffer token;
};

static void write_setup(struct write_test *test)
{
    memset(test, 0, sizeof *test);
    fake_init(&test->fake);
    test->neap.backend = &test->fake.backend;
    test->call.size = sizeof test->call;
    test->call.ret_error = &test->error;
}

static void write_end(struct write_test *test)
{
    neap_buffer_free(&test->token);
    fake_done(&test->fake);
}

static void check_op(const struct write_test *test, enum op_kind kind, const char *path,
                     bool prefix)
{
    CHECK_EQUAL(test->fake.op.op.kind, kind);
    CHECK_HEX(test->fake.path, path);
    CHECK_EQUAL(test->fake.op.prefix, prefix);
    CHECK_TEXT(test->fake.bucket, "b");
    CHECK_EQUAL(test->fake.write.count, 1);
}

TEST(each_function_makes_its_op)
{
    struct write_test test;
    struct neap *neap = &test.neap;

    write_setup(&test);
    CHECK_OK(neap_lww_set(neap, &at, value, NULL));
    check_op(&test, OP_LWW_SET, "6b 00 01 02", false);
    CHECK_SLICE(test.fake.value, "vv");
    CHECK_OK(neap_register_set(neap, &at, value, NULL));
    check_op(&test, OP_REGISTER_SET, "6b 00 01 01", false);
    CHECK_SLICE(test.fake.value, "vv");
    CHECK_OK(neap_flag_set(neap, &at, 5, NULL));
    check_op(&test, OP_FLAG_ON, "6b 00 01 03", false);
    CHECK_OK(neap_flag_set(neap, &at, 0, NULL));
    check_op(&test, OP_FLAG_OFF, "6b 00 01 03", false);
    CHECK_OK(neap_counter_add(neap, &at, -9, NULL));
    check_op(&test, OP_COUNTER_ADD, "6b 00 01 04", false);
    CHECK_EQUAL(test.fake.op.op.number, -9);
    CHECK_OK(neap_set_add(neap, &at, value, NULL));
    check_op(&test, OP_SET_ADD, "6b 00 01 05 76 76 00 01", false);
    CHECK_OK(neap_set_remove(neap, &at, value, NULL));
    check_op(&test, OP_SET_REMOVE, "6b 00 01 05 76 76 00 01", false);
    CHECK_OK(neap_remove(neap, &at, NEAP_LWW, NULL));
    check_op(&test, OP_REMOVE, "6b 00 01 02", false);
    CHECK_OK(neap_remove(neap, &at, NEAP_SET, NULL));
    check_op(&test, OP_REMOVE, "6b 00 01 05", true);
    CHECK_OK(neap_remove(neap, &at, NEAP_MAP, NULL));
    check_op(&test, OP_REMOVE, "6b 00 01 06", true);
    CHECK_OK(neap_remove(neap, &at, NEAP_ANY, NULL));
    check_op(&test, OP_REMOVE, "6b 00 01", true);
    write_end(&test);
}

TEST(a_plain_write_allocates_nothing)
{
    struct write_test test;
    uint64_t calls;

    write_setup(&test);
    calls = mem_calls();
    CHECK_OK(neap_counter_add(&test.neap, &at, 1, NULL));
    CHECK_OK(neap_set_add(&test.neap, &at, value, NULL));
    CHECK_EQUAL(mem_calls(), calls);
    CHECK_EQUAL(test.fake.calls, 2);
    write_end(&test);
}

TEST(options_reach_the_backend)
{
    struct write_test test;

    write_setup(&test);
    CHECK_OK(neap_lww_set(&test.neap, &at, value, NULL));
    CHECK(!test.fake.write.nosync && !test.fake.write.submit && !test.fake.write.want_token);
    CHECK_EQUAL(test.fake.write.timeout_ms, NEAP_TIMEOUT_MS);
    test.call.level = NEAP_ALL;
    test.call.flags = NEAP_NOSYNC;
    test.call.submit = 1;
    test.call.timeout_ms = 4;
    test.call.once = (struct neap_bytes){"its id", 6};
    test.call.ret_token = &test.token;
    CHECK_OK(neap_lww_set(&test.neap, &at, value, &test.call));
    CHECK(test.fake.write.nosync && test.fake.write.submit && test.fake.write.want_token);
    CHECK_EQUAL(test.fake.write.level, NEAP_ALL);
    CHECK_EQUAL(test.fake.write.timeout_ms, 4);
    CHECK_TEXT(test.fake.once, "its id");
    test.neap.flags = NEAP_NOSYNC;
    CHECK_OK(neap_lww_set(&test.neap, &at, value, NULL));
    CHECK(test.fake.write.nosync);
    write_end(&test);
}

TEST(the_token_names_what_was_written)
{
    struct write_test test;
    struct token token;

    write_setup(&test);
    token_init(&token);
    test.fake.dot = (struct dot){UINT64_MAX, DOT_COUNT_MAX};
    test.call.ret_token = &test.token;
    test.call.submit = 1;
    CHECK_OK(neap_lww_set(&test.neap, &at, value, &test.call));
    CHECK_OK(token_decode(slice_of(test.token.data, test.token.size), &token));
    CHECK_EQUAL(token.ticket, 77);
    CHECK_EQUAL(context_get(token_find(&token, hash_name(slice_text("b"))), UINT64_MAX),
                DOT_COUNT_MAX);
    token_done(&token);
    write_end(&test);
}

TEST(seen_is_the_part_of_the_bucket)
{
    struct write_test test;
    struct token token;
    struct buffer bytes;

    write_setup(&test);
    token_init(&token);
    buffer_init(&bytes, 1000);
    CHECK_OK(token_encode(&token, &bytes));
    test.call.seen = (struct neap_bytes){bytes.data, bytes.size};
    CHECK_OK(neap_register_set(&test.neap, &at, value, &test.call));
    CHECK(test.fake.op.op.seen); /* nothing was seen, which is not the same as not to say */
    CHECK_EQUAL(test.fake.seen_entries, 0);
    CHECK_OK(token_dot(&token, 1, (struct dot){1, 1}, 1));
    CHECK_OK(token_encode(&token, &bytes));
    test.call.seen = (struct neap_bytes){bytes.data, bytes.size};
    CHECK_ERROR(neap_register_set(&test.neap, &at, value, &test.call), NEAP_STALE);
    CHECK(strstr(test.error.text, "another bucket"));
    CHECK_OK(token_dot(&token, hash_name(slice_text("b")), (struct dot){1, 1}, 1));
    CHECK_OK(token_encode(&token, &bytes));
    test.call.seen = (struct neap_bytes){bytes.data, bytes.size};
    CHECK_OK(neap_register_set(&test.neap, &at, value, &test.call));
    CHECK_EQUAL(test.fake.seen_entries, 1);
    CHECK_ERROR(neap_counter_add(&test.neap, &at, 1, &test.call), NEAP_INVALID);
    token_done(&token);
    buffer_done(&bytes);
    write_end(&test);
}

TEST(after_is_waited_for_before_anything_is_written)
{
    struct write_test test;

    write_setup(&test);
    test.call.after = (struct neap_bytes){"\x93\x01\x05\x90", 4};
    CHECK_OK(neap_flag_set(&test.neap, &at, 1, &test.call));
    CHECK_EQUAL(test.fake.calls, 2);
    CHECK_EQUAL(test.fake.after_ticket, 5);
    test.fake.code = NEAP_UNCERTAIN;
    CHECK_ERROR(neap_flag_set(&test.neap, &at, 1, &test.call), NEAP_UNAVAILABLE);
    CHECK_EQUAL(test.fake.calls, 3);
    CHECK(strstr(test.error.text, "nothing was written"));
    write_end(&test);
}

TEST(a_failed_write_leaves_outputs_alone)
{
    struct write_test test;

    write_setup(&test);
    test.call.ret_token = &test.token;
    test.fake.code = NEAP_UNCERTAIN;
    test.fake.text = "who knows";
    CHECK_ERROR(neap_lww_set(&test.neap, &at, value, &test.call), NEAP_UNCERTAIN);
    CHECK_EQUAL(test.token.size, 0);
    CHECK_EQUAL(test.error.code, NEAP_UNCERTAIN);
    CHECK_TEXT(test.error.text, "b/k: who knows");
    write_end(&test);
}

TEST(values_have_a_limit)
{
    static char large[NEAP_VALUE_MAX + 1];
    struct write_test test;

    write_setup(&test);
    CHECK_OK(neap_lww_set(&test.neap, &at, (struct neap_bytes){large, NEAP_VALUE_MAX}, NULL));
    CHECK_ERROR(
        neap_lww_set(&test.neap, &at, (struct neap_bytes){large, NEAP_VALUE_MAX + 1}, &test.call),
        NEAP_LIMIT);
    CHECK(strstr(test.error.text, "NEAP_VALUE_MAX"));
    CHECK_ERROR(neap_lww_set(&test.neap, &at, (struct neap_bytes){NULL, 1}, NULL), NEAP_INVALID);
    CHECK_OK(neap_lww_set(&test.neap, &at, (struct neap_bytes){NULL, 0}, NULL));
    CHECK_ERROR(neap_remove(&test.neap, &at, (enum neap_type)99, NULL), NEAP_INVALID);
    CHECK_EQUAL(test.fake.calls, 2);
    write_end(&test);
}

static struct write_test swept;

static int write_sweep(void *argument)
{
    unsigned calls = swept.fake.calls, written = swept.fake.written;
    const bool *removes = argument;
    int error;

    swept.call.ret_token = &swept.token;
    if (*removes)
        error = neap_remove(&swept.neap, &at, NEAP_SET, &swept.call);
    else
        error = neap_register_set(&swept.neap, &at, value, &swept.call);
    if (error) {
        CHECK_EQUAL(swept.token.size, 0);
        /* The backend's own allocation may fail, but none after it. */
        CHECK(swept.fake.calls <= calls + 1);
        CHECK_EQUAL(swept.fake.written, written);
    }
    neap_buffer_free(&swept.token);
    return error;
}

TEST(writes_survive_failed_allocations)
{
    bool removes = false;

    write_setup(&swept);
    swept.fake.dot = (struct dot){1, 1};
    test_alloc_sweep(write_sweep, &removes);
    write_end(&swept);
}

/* One that found nothing names all that the node knows of the bucket. */
TEST(removals_survive_failed_allocations)
{
    bool removes = true;

    write_setup(&swept);
    swept.fake.dot = (struct dot){UINT64_MAX - CONTEXT_IDS_MAX, DOT_COUNT_MAX};
    swept.fake.ids = CONTEXT_IDS_MAX - 1;
    test_alloc_sweep(write_sweep, &removes);
    write_end(&swept);
}

/* Room for the largest token is taken before, and not kept. */
TEST(the_token_of_a_removal_takes_no_more_than_its_size)
{
    struct write_test test;

    write_setup(&test);
    test.fake.dot = (struct dot){1, 1};
    test.call.ret_token = &test.token;
    CHECK_OK(neap_set_remove(&test.neap, &at, value, &test.call));
    CHECK(test.token.size > 0);
    CHECK_EQUAL(test.token.room, test.token.size + 1);
    CHECK_EQUAL(((const char *)test.token.data)[test.token.size], 0);
    neap_buffer_free(&test.token);
    test.fake.code = NEAP_UNAVAILABLE;
    CHECK_ERROR(neap_set_remove(&test.neap, &at, value, &test.call), NEAP_UNAVAILABLE);
    CHECK(test.token.room < 100);
    test.fake.code = 0;
    CHECK_OK(api_reserve(&test.token, 5000)); /* what the caller has stays */
    CHECK_OK(neap_set_remove(&test.neap, &at, value, &test.call));
    CHECK_EQUAL(test.token.room, 5001);
    write_end(&test);
}

static uint64_t calls_of_removal(struct write_test *test)
{
    uint64_t before = mem_calls();

    neap_buffer_free(&test->token);
    CHECK_OK(neap_set_remove(&test->neap, &at, value, &test->call));
    return mem_calls() - before;
}

/* Giving memory back is the last that is done. */
TEST(a_token_that_cannot_be_made_smaller_stays_as_it_is)
{
    struct write_test test;
    uint64_t calls;

    write_setup(&test);
    test.fake.dot = (struct dot){1, 1};
    test.call.ret_token = &test.token;
    calls = calls_of_removal(&test);
    mem_fail_at(calls, 0);
    CHECK_EQUAL(calls_of_removal(&test), calls);
    mem_fail_at(0, 0);
    CHECK(test.token.size > 0);
    CHECK(test.token.room > 20000);
    write_end(&test);
}

static int id_sweep(void *argument)
{
    int error;

    (void)argument;
    swept.call.ret_token = NULL;
    error = neap_once(&swept.neap, &swept.token, &swept.call);
    CHECK_EQUAL(swept.token.size, error ? 0 : 5);
    neap_buffer_free(&swept.token);
    return error;
}

TEST(making_up_an_id_survives_failed_allocations)
{
    write_setup(&swept);
    test_alloc_sweep(id_sweep, NULL);
    swept.fake.code = NEAP_UNCERTAIN;
    CHECK_ERROR(neap_once(&swept.neap, &swept.token, &swept.call), NEAP_UNAVAILABLE);
    write_end(&swept);
}
