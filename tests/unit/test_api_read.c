#include "engine/api.h"

#include "base/alloc.h"
#include "tests/support/fake_backend.h"
#include "tests/support/test.h"

#include <string.h>

static const struct neap_place at = {.bucket = "b", .key = {"k", 1}};
static const struct neap_bytes element = {"e", 1};

struct read_test {
    struct fake fake;
    struct neap neap;
    struct neap_error error;
    struct neap_call call;
    struct neap_buffer value, token;
};

static void read_setup(struct read_test *test)
{
    memset(test, 0, sizeof *test);
    fake_init(&test->fake);
    test->neap.backend = &test->fake.backend;
    test->call.size = sizeof test->call;
    test->call.ret_error = &test->error;
}

static void read_end(struct read_test *test)
{
    neap_buffer_free(&test->value);
    neap_buffer_free(&test->token);
    fake_done(&test->fake);
}

TEST(what_nobody_wrote_is_empty)
{
    struct read_test test;
    int64_t number = 5;
    uint64_t count = 5;
    int on = 5;

    read_setup(&test);
    CHECK_ERROR(neap_lww_get(&test.neap, &at, &test.value, &test.call), NEAP_NOTFOUND);
    CHECK_EQUAL(test.error.code, NEAP_NOTFOUND);
    CHECK_OK(neap_counter_get(&test.neap, &at, &number, NULL));
    CHECK_EQUAL(number, 0);
    CHECK_OK(neap_flag_get(&test.neap, &at, &on, NULL));
    CHECK_EQUAL(on, 0);
    on = 5;
    CHECK_OK(neap_set_has(&test.neap, &at, element, &on, NULL));
    CHECK_EQUAL(on, 0);
    CHECK_HEX(test.fake.path, "6b 00 01 05 65 00 01");
    CHECK_OK(neap_count(&test.neap, &at, NEAP_LWW, &count, NULL));
    CHECK_EQUAL(count, 0);
    read_end(&test);
}

TEST(cells_are_counted_and_names_too)
{
    struct read_test test;
    uint64_t count = 5;

    read_setup(&test);
    test.fake.cell = slice_of("\x96\x01\x01\xc4\x00\x02\x01\xc4\x00", 9);
    CHECK_OK(neap_count(&test.neap, &at, NEAP_REGISTER, &count, NULL));
    CHECK_EQUAL(count, 2);
    CHECK_OK(neap_count(&test.neap, &at, NEAP_LWW, &count, NULL));
    CHECK_EQUAL(count, 1);
    fake_item(&test.fake, 0, NEAP_LWW, "a", 1);
    fake_item(&test.fake, 0, NEAP_LWW, "b", 1);
    fake_item(&test.fake, 0, NEAP_LWW, "c", 1);
    CHECK_OK(neap_count(&test.neap, &at, NEAP_SET, &count, NULL));
    CHECK(test.fake.page.count_only);
    CHECK_EQUAL(count, 3);
    CHECK_ERROR(neap_count(&test.neap, &at, NEAP_ANY, &count, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_count(&test.neap, &at, (enum neap_type)99, &count, NULL), NEAP_INVALID);
    read_end(&test);
}

TEST(reads_check_their_arguments)
{
    struct read_test test;
    int64_t number;
    uint64_t count;
    int on;

    read_setup(&test);
    CHECK_ERROR(neap_lww_get(NULL, &at, &test.value, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_lww_get(&test.neap, NULL, &test.value, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_lww_get(&test.neap, &at, NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_flag_get(&test.neap, &at, NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_flag_get(&test.neap, NULL, &on, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_counter_get(&test.neap, &at, NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_counter_get(&test.neap, NULL, &number, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_set_has(&test.neap, &at, element, NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_set_has(&test.neap, &at, (struct neap_bytes){NULL, 1}, &on, NULL),
                NEAP_INVALID);
    CHECK_ERROR(neap_count(&test.neap, &at, NEAP_SET, NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_count(&test.neap, NULL, NEAP_SET, &count, NULL), NEAP_INVALID);
    CHECK_EQUAL(test.fake.calls, 0);
    read_end(&test);
}

TEST(a_failed_read_leaves_outputs_alone)
{
    static const int codes[] = {NEAP_IO, NEAP_CORRUPT, NEAP_UNAVAILABLE, NEAP_STALE};
    struct read_test test;
    int64_t number = 5;
    uint64_t count = 5;
    int on = 5;
    size_t i;

    read_setup(&test);
    test.fake.text = "words";
    test.call.ret_token = &test.token;
    for (i = 0; i < sizeof codes / sizeof *codes; i++) {
        test.fake.code = codes[i];
        CHECK_ERROR(neap_lww_get(&test.neap, &at, &test.value, &test.call), codes[i]);
        CHECK_TEXT(test.error.text, "b/k: words");
        CHECK_ERROR(neap_counter_get(&test.neap, &at, &number, &test.call), codes[i]);
        CHECK_ERROR(neap_flag_get(&test.neap, &at, &on, &test.call), codes[i]);
        CHECK_ERROR(neap_count(&test.neap, &at, NEAP_MAP, &count, &test.call), codes[i]);
    }
    test.fake.code = NEAP_UNCERTAIN;
    CHECK_ERROR(neap_flag_get(&test.neap, &at, &on, &test.call), NEAP_UNAVAILABLE);
    CHECK_EQUAL(number + (int64_t)count + on, 15);
    CHECK(!test.value.size && !test.token.size);
    test.fake.code = 0;
    test.fake.cell = slice_text("junk");
    CHECK_ERROR(neap_flag_get(&test.neap, &at, &on, &test.call), NEAP_CORRUPT);
    read_end(&test);
}

static struct read_test swept;

static int read_sweep(void *argument)
{
    int64_t number = 1;
    uint64_t count;
    int error;

    (void)argument;
    error = neap_counter_get(&swept.neap, &at, &number, &swept.call);
    if (error)
        CHECK_EQUAL(number, 1);
    if (!error)
        error = neap_count(&swept.neap, &at, NEAP_SET, &count, &swept.call);
    neap_buffer_free(&swept.token);
    return error;
}

TEST(reads_survive_failed_allocations)
{
    read_setup(&swept);
    swept.fake.dot = (struct dot){1, 1};
    swept.call.ret_token = &swept.token;
    test_alloc_sweep(read_sweep, NULL);
    read_end(&swept);
}
