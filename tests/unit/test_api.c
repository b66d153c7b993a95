#include "engine/api.h"

#include "base/alloc.h"
#include "tests/support/fake_backend.h"
#include "tests/support/test.h"

#include <string.h>

struct handle_test {
    struct fake fake;
    struct neap *neap;
    struct neap_error error;
    struct neap_call call;
};

static void handle_setup(struct handle_test *test)
{
    memset(test, 0, sizeof *test);
    fake_init(&test->fake);
    CHECK_OK(api_new(&test->fake.backend, 0, &test->neap));
    test->call.size = sizeof test->call;
    test->call.ret_error = &test->error;
}

static void handle_end(struct handle_test *test)
{
    neap_close(test->neap);
    CHECK(test->fake.closed);
    fake_done(&test->fake);
}

/* Opening fails before anything is opened. */
static void refuses(struct neap_options *options, const char *word)
{
    struct neap_error error = {0};
    struct neap *neap = NULL;

    CHECK_ERROR(neap_open(options, &neap, &error), NEAP_INVALID);
    CHECK(strstr(error.text, word));
    CHECK(!neap);
    neap_options_init(options);
}

TEST(options_are_checked_one_by_one)
{
    struct neap_options options;
    struct neap *neap;

    neap_options_init(NULL);
    neap_options_init(&options);
    CHECK_EQUAL(options.size, sizeof options);
    CHECK_EQUAL(options.flags, NEAP_CREATE);
    options.size = 3;
    refuses(&options, "sizeof (struct neap_options)");
    options.flags = 8;
    refuses(&options, "flags: 0x8");
    options.path = "";
    refuses(&options, "path");
    options.memory_max = 1;
    refuses(&options, "memory_max");
    options.sync_ms = 0;
    refuses(&options, "sync_ms");
    options.sync_ms = 60001;
    refuses(&options, "sync_ms");
    options.log_max = 0;
    refuses(&options, "log_max");
    options.listen = "tcp://127.0.0.1:1";
    refuses(&options, "options.listen needs options.cluster");
    options.peers = "tcp://127.0.0.1:1";
    refuses(&options, "options.peers needs options.cluster");
    CHECK_ERROR(neap_open(NULL, &neap, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_open(&options, NULL, NULL), NEAP_INVALID);
}

TEST(an_address_is_needed_to_connect)
{
    struct neap_error error;
    struct neap *neap;

    CHECK_ERROR(neap_connect(NULL, &neap, &error), NEAP_INVALID);
    CHECK_ERROR(neap_connect("", &neap, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_connect("x", NULL, &error), NEAP_INVALID);
    CHECK_ERROR(neap_connect("tcp://192.168.1.1:7400", &neap, &error), NEAP_REFUSED);
    CHECK_EQUAL(error.code, NEAP_REFUSED);
    CHECK(strstr(error.text, "cluster directory"));
}

TEST(closing_nothing_is_fine)
{
    neap_close(NULL);
    CHECK_ERROR(neap_sync(NULL), NEAP_INVALID);
}

TEST(wait_hands_on_token_level_and_time)
{
    static const struct neap_bytes token = {"\x93\x01\x05\x90", 4};
    struct handle_test test;

    handle_setup(&test);
    test.call.level = NEAP_QUORUM;
    test.call.timeout_ms = 3;
    CHECK_OK(neap_wait(test.neap, token, &test.call));
    CHECK_EQUAL(test.fake.after_ticket, 5);
    CHECK_EQUAL(test.fake.level, NEAP_QUORUM);
    CHECK_EQUAL(test.fake.timeout_ms, 3);
    test.fake.code = NEAP_UNCERTAIN;
    CHECK_ERROR(neap_wait(test.neap, token, &test.call), NEAP_UNCERTAIN);
    CHECK_TEXT(test.error.text, neap_strerror(NEAP_UNCERTAIN));
    CHECK_ERROR(neap_wait(test.neap, (struct neap_bytes){"x", 1}, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_wait(test.neap, (struct neap_bytes){NULL, 1}, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_wait(test.neap, (struct neap_bytes){NULL, 0}, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_wait(NULL, token, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_wait(test.neap, (struct neap_bytes){"x", 2 << 20}, NULL), NEAP_LIMIT);
    handle_end(&test);
}

TEST(sync_is_the_backends)
{
    struct handle_test test;

    handle_setup(&test);
    CHECK_OK(neap_sync(test.neap));
    test.fake.code = NEAP_IO;
    CHECK_ERROR(neap_sync(test.neap), NEAP_IO);
    handle_end(&test);
}

TEST(admin_takes_words_and_gives_a_document)
{
    static const char *const words[] = {"bucket", "cart"}, *const holes[] = {"a", NULL};
    static char large[5000];
    const char *many[65] = {0};
    struct neap_buffer json = {0};
    struct handle_test test;

    handle_setup(&test);
    test.fake.json = "{\"a\":1}";
    CHECK_OK(neap_admin(test.neap, 2, words, &json, &test.call));
    CHECK_TEXT(test.fake.words, "bucket|cart|");
    CHECK_TEXT(json.data, "{\"a\":1}");
    CHECK_ERROR(neap_admin(test.neap, 0, words, &json, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_admin(test.neap, 1, NULL, &json, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_admin(test.neap, 2, holes, &json, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_admin(test.neap, 2, words, NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_admin(NULL, 2, words, &json, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_admin(test.neap, 65, many, &json, NULL), NEAP_LIMIT);
    memset(large, 'x', sizeof large - 1);
    many[0] = large;
    CHECK_ERROR(neap_admin(test.neap, 1, many, &json, NULL), NEAP_LIMIT);
    test.fake.code = NEAP_NOTFOUND;
    test.fake.text = "no such verb";
    CHECK_ERROR(neap_admin(test.neap, 2, words, &json, &test.call), NEAP_NOTFOUND);
    CHECK_TEXT(test.error.text, "no such verb");
    CHECK_TEXT(json.data, "{\"a\":1}");
    neap_buffer_free(&json);
    handle_end(&test);
}

TEST(a_backup_is_the_backends_and_takes_its_time)
{
    static char large[5000];
    struct neap_buffer json = {0};
    struct handle_test test;

    handle_setup(&test);
    test.fake.json = "{\"files\":1}";
    CHECK_OK(neap_backup(test.neap, "/b", &json, NULL));
    CHECK_TEXT(test.fake.words, "/b|");
    CHECK_TEXT(json.data, "{\"files\":1}");
    CHECK_EQUAL(test.fake.timeout_ms, 0); /* for ever */
    test.call.timeout_ms = 7;
    CHECK_OK(neap_backup(test.neap, "/b", NULL, &test.call));
    CHECK_EQUAL(test.fake.timeout_ms, 7);
    CHECK_EQUAL(test.fake.calls, 2);
    CHECK_ERROR(neap_backup(test.neap, NULL, NULL, &test.call), NEAP_INVALID);
    CHECK_ERROR(neap_backup(test.neap, "", NULL, &test.call), NEAP_INVALID);
    CHECK(strstr(test.error.text, "empty"));
    CHECK_ERROR(neap_backup(NULL, "/b", NULL, NULL), NEAP_INVALID);
    memset(large, 'x', sizeof large - 1);
    CHECK_ERROR(neap_backup(test.neap, large, NULL, &test.call), NEAP_LIMIT);
    CHECK_ERROR(neap_backup_verify(large, NULL, &test.error), NEAP_LIMIT);
    CHECK_ERROR(neap_backup_verify(NULL, NULL, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_restore("b", "", NULL, &test.error), NEAP_INVALID);
    CHECK_ERROR(neap_restore(NULL, "b", NULL, &test.error), NEAP_INVALID);
    test.call.level = NEAP_QUORUM;
    CHECK_ERROR(neap_backup(test.neap, "/b", NULL, &test.call), NEAP_REFUSED);
    test.call.level = NEAP_BUCKET_DEFAULT;
    CHECK_EQUAL(test.fake.calls, 2);
    test.fake.code = NEAP_BUSY;
    test.fake.text = "another one";
    CHECK_ERROR(neap_backup(test.neap, "/b", &json, &test.call), NEAP_BUSY);
    CHECK_TEXT(test.error.text, "another one");
    CHECK_TEXT(json.data, "{\"files\":1}");
    neap_buffer_free(&json);
    handle_end(&test);
}

TEST(codes_have_texts_and_the_library_a_version)
{
#define X(name, code, effect, text) \
    CHECK_EQUAL(NEAP_##name, code); \
    CHECK_TEXT(neap_strerror(NEAP_##name), text);
    NEAP_ERRORS(X)
#undef X
    CHECK_TEXT(neap_strerror(5), neap_strerror(-99));
    CHECK(neap_version()[0]);
}

static int handle_sweep(void *argument)
{
    static const struct neap_bytes token = {"\x93\x01\0\x91\x92\x05\x93\x03\x01\x09", 10};
    static const char *const words[] = {"status"};
    struct neap_buffer json = {0};
    struct neap *neap;
    int error;

    error = api_new(argument, 0, &neap);
    if (error)
        return error;
    error = neap_wait(neap, token, NULL);
    if (!error)
        error = neap_admin(neap, 1, words, &json, NULL);
    if (!error)
        error = neap_backup(neap, "/b", &json, NULL);
    neap_buffer_free(&json);
    neap_close(neap);
    return error;
}

TEST(handles_survive_failed_allocations)
{
    struct fake fake;

    fake_init(&fake);
    test_alloc_sweep(handle_sweep, &fake.backend);
    fake_done(&fake);
}
