#include "base/hash.h"
#include "tests/support/fake_backend.h"
#include "tests/support/loopback.h"
#include "tests/support/test.h"

#include <string.h>

struct remote_test {
    struct fake fake;
    struct loopback loopback;
    struct backend *backend;
    struct neap_error error;
};

static void remote_begin(struct remote_test *test)
{
    memset(test, 0, sizeof *test);
    fake_init(&test->fake);
    loopback_init(&test->loopback, &test->fake.backend);
    CHECK_OK(remote_new(&test->loopback.transport, &test->backend, &test->error));
}

static void remote_end(struct remote_test *test)
{
    test->backend->ops->close(test->backend);
    CHECK(!test->fake.closed);
    fake_done(&test->fake);
}

static struct write_op op_of(const char *bucket)
{
    return (struct write_op){.bucket = bucket,
                             .path = {(const uint8_t *)"k\0\1\2", 4},
                             .op = {.kind = OP_LWW_SET, .value = slice_text("value")}};
}

TEST(a_write_arrives_whole)
{
    struct remote_test test;
    struct context seen = {0};
    struct write_op ops[2] = {op_of("a"), op_of("b")};
    struct write write = {.ops = ops,
                          .count = 2,
                          .nosync = true,
                          .want_token = true,
                          .submit = true,
                          .level = NEAP_ALL,
                          .timeout_ms = 1234,
                          .once = slice_text("its id")};

    remote_begin(&test);
    test.fake.dot = (struct dot){5, 6};
    CHECK_OK(context_raise(&seen, 1, 1, 1));
    ops[1].op.seen = &seen;
    CHECK_OK(test.backend->ops->write(test.backend, &write));
    CHECK_EQUAL(test.fake.write.count, 2);
    CHECK(test.fake.write.nosync && test.fake.write.submit && test.fake.write.want_token);
    CHECK_EQUAL(test.fake.write.level, NEAP_ALL);
    CHECK_EQUAL(test.fake.write.timeout_ms, 1234);
    CHECK_TEXT(test.fake.once, "its id");
    CHECK_TEXT(test.fake.bucket, "b");
    CHECK_BYTES(test.fake.path, ops[0].path);
    CHECK_SLICE(test.fake.value, "value");
    CHECK_EQUAL(test.fake.op.op.kind, OP_LWW_SET);
    CHECK_EQUAL(test.fake.seen_entries, 1);
    CHECK_EQUAL(write.token.ticket, 77);
    CHECK_EQUAL(context_get(token_find(&write.token, hash_name(slice_text("b"))), 5), 6);
    token_done(&write.token);
    context_done(&seen);
    remote_end(&test);
}

TEST(a_read_arrives_whole_and_brings_the_cell)
{
    struct remote_test test;
    struct token after = {.ticket = 3};
    struct read read = {.bucket = "b",
                        .path = slice_text("path"),
                        .after = &after,
                        .want_token = true,
                        .level = NEAP_ONE,
                        .timeout_ms = 9};
    struct buffer cell;

    remote_begin(&test);
    buffer_init(&cell, 100);
    CHECK_OK(token_dot(&after, 8, (struct dot){1, 1}, 0));
    test.fake.cell = slice_text("a cell");
    test.fake.dot = (struct dot){5, 6};
    CHECK_OK(test.backend->ops->read(test.backend, &read, &cell));
    CHECK_SLICE(buffer_slice(&cell), "a cell");
    CHECK_SLICE(test.fake.path, "path");
    CHECK_EQUAL(test.fake.after_ticket, 3);
    CHECK_EQUAL(test.fake.after_parts, 1);
    CHECK_EQUAL(test.fake.read.level, NEAP_ONE);
    CHECK_EQUAL(test.fake.read.timeout_ms, 9);
    CHECK_EQUAL(read.token.count, 1);
    token_done(&read.token);
    token_done(&after);
    buffer_done(&cell);
    remote_end(&test);
}

TEST(a_page_arrives_whole_and_brings_items)
{
    struct remote_test test;
    struct page_request request = {.bucket = "b",
                                   .path = slice_text("path"),
                                   .from = slice_text("from"),
                                   .from_is_name = true,
                                   .count_only = true,
                                   .size_max = 100};
    struct page page;

    remote_begin(&test);
    page_init(&page, 100);
    fake_item(&test.fake, 0, NEAP_LWW, "x", 0);
    fake_item(&test.fake, 1, NEAP_LWW, "y", 0);
    CHECK_OK(test.backend->ops->page(test.backend, &request, &page));
    CHECK(test.fake.page.from_is_name && test.fake.page.count_only && !test.fake.page.stats);
    CHECK_EQUAL(test.fake.page.size_max, 100);
    CHECK_EQUAL(page.count, 1);
    CHECK_EQUAL(page.cursor.size, 1);
    CHECK_BYTES(buffer_slice(&page.items), buffer_slice(&test.fake.pages[0].items));
    page_done(&page);
    remote_end(&test);
}

TEST(a_page_of_a_slot_arrives_whole)
{
    struct remote_test test;
    struct page_request request = {.bucket = "b@r", .slot = 4095, .slots = 4096, .size_max = 100};
    struct page page;

    remote_begin(&test);
    page_init(&page, 100);
    CHECK_OK(test.backend->ops->page(test.backend, &request, &page));
    CHECK_EQUAL(test.fake.page.slot, 4095);
    CHECK_EQUAL(test.fake.page.slots, 4096);
    CHECK_EQUAL(test.fake.page.low, 0);
    request = (struct page_request){.bucket = "b@r", .kind = PAGE_SLOTS};
    CHECK_OK(test.backend->ops->page(test.backend, &request, &page));
    CHECK_EQUAL(test.fake.page.kind, PAGE_SLOTS);
    CHECK_EQUAL(test.fake.page.slots, 0);
    page_done(&page);
    remote_end(&test);
}

TEST(the_other_calls_arrive_too)
{
    static const char *const words[] = {"bucket", "set", ""};
    struct remote_test test;
    struct token token = {.ticket = 12};
    struct buffer json;

    remote_begin(&test);
    buffer_init(&json, 100);
    CHECK_OK(test.backend->ops->sync(test.backend));
    CHECK_EQUAL(test.fake.calls, 1);
    CHECK_OK(test.backend->ops->wait(test.backend, &token, NEAP_QUORUM, 77, &test.error));
    CHECK_EQUAL(test.fake.after_ticket, 12);
    CHECK_EQUAL(test.fake.level, NEAP_QUORUM);
    CHECK_EQUAL(test.fake.timeout_ms, 77);
    test.fake.json = "{\"a\":1}";
    CHECK_OK(test.backend->ops->admin(test.backend, 3, words, &json, NULL));
    CHECK_TEXT(test.fake.words, "bucket|set||");
    CHECK_SLICE(buffer_slice(&json), "{\"a\":1}");
    buffer_clear(&json);
    CHECK_OK(test.backend->ops->backup(test.backend, "/some/where", 5, &json, NULL));
    CHECK_TEXT(test.fake.words, "/some/where|");
    CHECK_EQUAL(test.fake.timeout_ms, 5);
    CHECK_SLICE(buffer_slice(&json), "{\"a\":1}");
    CHECK_ERROR(test.backend->ops->backup(test.backend, "where", 0, &json, &test.error),
                NEAP_INVALID);
    CHECK(strstr(test.error.text, "from / on"));
    buffer_done(&json);
    remote_end(&test);
}

TEST(errors_come_back_with_their_words)
{
    struct remote_test test;
    struct write_op op = op_of("a");
    struct write write = {.ops = &op, .count = 1};

    remote_begin(&test);
    test.fake.code = NEAP_STALE;
    test.fake.text = "far too old";
    CHECK_ERROR(test.backend->ops->write(test.backend, &write), NEAP_STALE);
    CHECK_TEXT(write.error.text, "far too old");
    test.fake.text = NULL;
    CHECK_ERROR(test.backend->ops->wait(test.backend, &write.token, NEAP_ONE, 1, &test.error),
                NEAP_STALE);
    CHECK_TEXT(test.error.text, neap_strerror(NEAP_STALE));
    remote_end(&test);
}

TEST(a_lost_reply_leaves_a_write_uncertain)
{
    struct remote_test test;
    struct write_op op = op_of("a");
    struct write write = {.ops = &op, .count = 1};

    remote_begin(&test);
    test.loopback.loses = 1;
    CHECK_ERROR(test.backend->ops->write(test.backend, &write), NEAP_UNCERTAIN);
    CHECK_EQUAL(test.fake.calls, 1);
    CHECK(strstr(write.error.text, "may have been done"));
    test.loopback.fails = NEAP_UNAVAILABLE;
    CHECK_ERROR(test.backend->ops->write(test.backend, &write), NEAP_UNAVAILABLE);
    CHECK_EQUAL(test.fake.calls, 1);
    remote_end(&test);
}

/* The node was started again since the last call: that shows when the reply should come. */
TEST(what_only_reads_is_asked_once_more)
{
    struct remote_test test;
    struct read read = {.bucket = "b", .path = slice_text("path"), .timeout_ms = 1000};
    struct buffer cell;

    remote_begin(&test);
    buffer_init(&cell, 100);
    test.fake.cell = slice_text("a cell");
    test.loopback.loses = 1;
    CHECK_OK(test.backend->ops->read(test.backend, &read, &cell));
    CHECK_SLICE(buffer_slice(&cell), "a cell");
    CHECK_EQUAL(test.fake.calls, 2);
    test.loopback.loses = 2;
    CHECK_ERROR(test.backend->ops->read(test.backend, &read, &cell), NEAP_UNAVAILABLE);
    CHECK_EQUAL(test.fake.calls, 4);
    buffer_done(&cell);
    remote_end(&test);
}

TEST(replies_that_are_none_leave_a_write_uncertain)
{
    static const char *const replies[] = {
        "",         "c0",          "91 00",          "93 00 a0 c4 01 c0", "93 05 a0 c4 00",
        "92 00 a0", "93 f0 a0 c4", "93 ff a0 c4 00", "92 d0 90 a0",       "93 00 a0 c4 00 00",
    };
    struct remote_test test;
    struct write_op op = op_of("a");
    struct buffer reply;
    uint8_t bytes[64];
    size_t i;

    remote_begin(&test);
    buffer_init(&reply, 100);
    test.loopback.replies = &reply;
    for (i = 0; i < sizeof replies / sizeof *replies; i++) {
        struct write write = {.ops = &op, .count = 1};

        CHECK_OK(buffer_set(&reply, test_unhex(replies[i], bytes, sizeof bytes)));
        CHECK_ERROR(test.backend->ops->write(test.backend, &write), NEAP_UNCERTAIN);
        CHECK(write.error.text[0]);
    }
    buffer_done(&reply);
    remote_end(&test);
}

TEST(hello_tells_who_is_no_neapd)
{
    struct loopback loopback;
    struct backend *backend;
    struct neap_error error;
    struct buffer reply;
    uint8_t bytes[64];

    loopback_init(&loopback, NULL);
    buffer_init(&reply, 100);
    loopback.replies = &reply;
    CHECK_ERROR(remote_new(&loopback.transport, &backend, &error), NEAP_UNAVAILABLE);
    CHECK(strstr(error.text, "neapd"));
    CHECK_OK(buffer_set(&reply, test_unhex("94 00 a0 07 a1 39", bytes, sizeof bytes)));
    CHECK_ERROR(remote_new(&loopback.transport, &backend, NULL), NEAP_FORMAT);
    CHECK_OK(buffer_set(&reply, test_unhex("92 f1 a3 6e 65 77", bytes, sizeof bytes)));
    CHECK_ERROR(remote_new(&loopback.transport, &backend, &error), NEAP_FORMAT);
    CHECK_TEXT(error.text, "new");
    buffer_done(&reply);
}

TEST(addresses_are_checked_before_anything_is_dialled)
{
    static const struct {
        const char *address;
        int code;
    } wrong[] = {
        {"tcp://10.0.0.1:7400", NEAP_REFUSED},
        {"http://127.0.0.1", NEAP_REFUSED},
        {"tls+tcp://127.0.0.1:1", NEAP_REFUSED},
        {"unix:", NEAP_INVALID},
    };
    char address[400];
    struct backend *backend;
    struct neap_error error;
    size_t i;

    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        error.text[0] = 0;
        CHECK_ERROR(remote_open(wrong[i].address, NULL, &backend, &error), wrong[i].code);
        CHECK(strstr(error.text, wrong[i].address));
    }
    memset(address, 'x', sizeof address - 1);
    address[sizeof address - 1] = 0;
    CHECK_ERROR(remote_open(address, NULL, &backend, &error), NEAP_LIMIT);
}

static struct remote_test swept;

static int remote_sweep(void *argument)
{
    struct backend *backend = swept.backend;
    static const char *const words[] = {"status"};
    struct token after = {.ticket = 1};
    struct read read = {.bucket = "b", .after = &after, .want_token = true};
    struct page_request request = {.bucket = "b", .want_token = true};
    struct neap_error error;
    struct buffer bytes;
    struct page page;
    int code;

    (void)argument;
    buffer_init(&bytes, 1000);
    page_init(&page, 1000);
    code = backend->ops->read(backend, &read, &bytes);
    if (!code)
        code = backend->ops->page(backend, &request, &page);
    if (!code)
        code = backend->ops->sync(backend);
    if (!code)
        code = backend->ops->wait(backend, &after, NEAP_ONE, 0, &error);
    if (!code)
        code = backend->ops->admin(backend, 1, words, &bytes, &error);
    if (!code)
        code = backend->ops->backup(backend, "/where", 0, &bytes, &error);
    token_done(&read.token);
    token_done(&request.token);
    token_done(&after);
    buffer_done(&bytes);
    page_done(&page);
    return code;
}

/* A write whose reply cannot be taken in has been done all the same. */
static int remote_write_sweep(void *argument)
{
    struct write_op op = op_of("a");
    struct write write = {.ops = &op, .count = 1, .want_token = true};
    unsigned calls = swept.fake.calls;
    int code = swept.backend->ops->write(swept.backend, &write);

    (void)argument;
    token_done(&write.token);
    if (code == NEAP_UNCERTAIN) {
        CHECK_EQUAL(swept.fake.calls, calls + 1);
        return NEAP_NOMEM;
    }
    return code;
}

TEST(remote_calls_survive_failed_allocations)
{
    remote_begin(&swept);
    swept.fake.dot = (struct dot){1, 1};
    swept.fake.cell = slice_text("cell");
    fake_item(&swept.fake, 0, NEAP_LWW, "x", 0);
    fake_item(&swept.fake, 1, NEAP_LWW, "x", 0);
    test_alloc_sweep(remote_sweep, NULL);
    test_alloc_sweep(remote_write_sweep, NULL);
    remote_end(&swept);
}

TEST(an_id_is_made_up_by_the_node)
{
    struct remote_test test;
    struct buffer id;

    remote_begin(&test);
    buffer_init(&id, NEAP_ONCE_MAX);
    CHECK_OK(test.backend->ops->once(test.backend, 55, &id, &test.error));
    CHECK_SLICE(buffer_slice(&id), "an id");
    CHECK_EQUAL(test.fake.timeout_ms, 55);
    test.fake.code = NEAP_IO;
    test.fake.text = "gone";
    CHECK_ERROR(test.backend->ops->once(test.backend, 55, &id, &test.error), NEAP_IO);
    CHECK_TEXT(test.error.text, "gone");
    CHECK_SLICE(buffer_slice(&id), "an id");
    buffer_done(&id);
    remote_end(&test);
}
