#include "engine/api.h"

#include "base/alloc.h"
#include "engine/quorum.h"
#include "tests/support/fake_backend.h"
#include "tests/support/test.h"

#include <string.h>

enum { ANY = API_WRITE | API_BATCH | API_SEEN | API_RESUME | API_AFTER | API_TOKEN | API_LEVEL };

struct call_test {
    struct fake fake;
    struct neap neap;
    struct neap_error error;
    struct neap_call call;
};

static void call_setup(struct call_test *test)
{
    memset(test, 0, sizeof *test);
    fake_init(&test->fake);
    test->neap.backend = &test->fake.backend;
    test->call.size = sizeof test->call;
    test->call.ret_error = &test->error;
}

static int begun(struct call_test *test, unsigned accepts)
{
    struct api api;
    int error = api_begin(&api, &test->neap, &test->call, accepts);

    api_end(&api);
    fake_done(&test->fake);
    return error;
}

TEST(a_call_has_defaults)
{
    struct call_test test;
    struct api api;

    call_setup(&test);
    CHECK_OK(api_begin(&api, &test.neap, NULL, 0));
    CHECK_EQUAL(api.call.timeout_ms, NEAP_TIMEOUT_MS);
    CHECK(!api.error && !api_after(&api));
    api_end(&api);
    CHECK_ERROR(api_begin(&api, NULL, NULL, 0), NEAP_INVALID);
    api_end(&api);
    fake_done(&test.fake);
}

TEST(callers_of_an_older_header_pass_a_shorter_struct)
{
    struct call_test test;
    struct api api;

    call_setup(&test);
    test.call.size = offsetof(struct neap_call, ret_token);
    test.call.timeout_ms = 3;
    test.call.submit = 1; /* beyond the size: not seen */
    CHECK_OK(api_begin(&api, &test.neap, &test.call, 0));
    CHECK_EQUAL(api.call.timeout_ms, 3);
    CHECK_EQUAL(api.call.submit, 0);
    api_end(&api);
    fake_done(&test.fake);
}

TEST(callers_of_a_newer_header_pass_a_longer_struct)
{
    struct {
        struct neap_call call;
        uint64_t more;
    } longer = {.call = {.size = sizeof longer}};
    struct neap_call ours = {0};
    struct neap_error error;

    CHECK_OK(api_struct(&ours, sizeof ours, &longer, "call", &error));
    longer.more = 1;
    CHECK_ERROR(api_struct(&ours, sizeof ours, &longer, "call", &error), NEAP_INVALID);
    CHECK(strstr(error.text, "too old"));
}

TEST(absurd_sizes_are_refused)
{
    static const size_t sizes[] = {0, 1, sizeof(size_t) - 1, sizeof(size_t) + 1, 4104, SIZE_MAX};
    struct neap_call ours = {0}, theirs = {.timeout_ms = 4};
    struct neap_error error;
    size_t i;

    for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        theirs.size = sizes[i];
        CHECK_ERROR(api_struct(&ours, sizeof ours, &theirs, "call", &error), NEAP_INVALID);
        CHECK(strstr(error.text, "sizeof (struct neap_call)"));
        CHECK_EQUAL(ours.timeout_ms, 0);
    }
}

/* One field each, which the function does not take. */
TEST(what_a_function_does_not_take_is_refused_by_name)
{
    static const char *const fields[] = {"batch",     "seen",   "resume", "after",
                                         "ret_token", "submit", "flags",  "once"};
    struct neap_buffer buffer = {0};
    struct neap_bytes bytes = {"\x93\x01\0\x90", 4};
    struct call_test test;
    size_t i;

    for (i = 0; i < sizeof fields / sizeof *fields; i++) {
        call_setup(&test);
        test.call.batch = i == 0 ? (struct neap_batch *)&buffer : NULL;
        test.call.seen = i == 1 ? bytes : test.call.seen;
        test.call.resume = i == 2 ? bytes : test.call.resume;
        test.call.after = i == 3 ? bytes : test.call.after;
        test.call.ret_token = i == 4 ? &buffer : NULL;
        test.call.submit = i == 5;
        test.call.flags = i == 6 ? NEAP_NOSYNC : 0;
        test.call.once = i == 7 ? bytes : test.call.once;
        CHECK_ERROR(begun(&test, 0), NEAP_INVALID);
        CHECK(strstr(test.error.text, fields[i]));
        fake_init(&test.fake);
        CHECK_OK(begun(&test, ANY));
    }
}

TEST(levels_are_checked)
{
    struct call_test test;

    call_setup(&test);
    test.call.level = (enum neap_level)8;
    CHECK_ERROR(begun(&test, ANY), NEAP_INVALID);
    test.call.level = NEAP_SESSION;
    CHECK_OK(begun(&test, ANY));
    CHECK_ERROR(begun(&test, API_WAIT), NEAP_INVALID);
    CHECK_ERROR(begun(&test, API_AFTER | API_TOKEN), NEAP_REFUSED);
    test.call.submit = 1;
    CHECK_ERROR(begun(&test, API_WRITE), NEAP_INVALID);
    test.call.submit = 0;
    test.call.level = NEAP_EACH_QUORUM; /* whether the bucket is a ring's is asked later */
    CHECK_OK(begun(&test, ANY));
    test.call.level = NEAP_QUORUM;
    CHECK_OK(begun(&test, API_WRITE));
    CHECK_ERROR(begun(&test, API_AFTER | API_TOKEN), NEAP_REFUSED);
    CHECK(strstr(test.error.text, "one node"));
    CHECK_OK(begun(&test, API_AFTER | API_TOKEN | API_LEVEL));
}

/* What reaches the backend when such a call has begun; 0: it was refused as INVALID. */
static unsigned level_begun(struct neap_call call, unsigned accepts)
{
    struct call_test test;
    struct api api;
    unsigned level = 0;
    int code;

    call_setup(&test);
    call.size = sizeof call;
    code = api_begin(&api, &test.neap, &call, accepts);
    if (!code)
        level = (unsigned)api.call.level;
    else
        CHECK_ERROR(code, NEAP_INVALID);
    api_end(&api);
    fake_done(&test.fake);
    return level;
}

TEST(numbers_of_nodes_are_for_what_asks_so_many)
{
    static const unsigned reads = API_AFTER | API_LEVEL, writes = API_AFTER | API_WRITE;

    CHECK_EQUAL(level_begun((struct neap_call){.r = 2}, reads), LEVEL_NODES + 2);
    CHECK_EQUAL(level_begun((struct neap_call){.r = 1, .pr = 3}, reads), LEVEL_NODES + 3);
    CHECK_EQUAL(level_begun((struct neap_call){.w = 65535}, writes), LEVEL_NODES + 65535);
    CHECK_EQUAL(level_begun((struct neap_call){.w = 2, .pw = 1}, writes), LEVEL_NODES + 2);
    CHECK_EQUAL(level_begun((struct neap_call){.pw = 4}, API_WAIT), LEVEL_NODES + 4);
    CHECK_EQUAL(level_begun((struct neap_call){.level = NEAP_ALL}, API_WAIT), NEAP_ALL);
    CHECK_EQUAL(level_begun((struct neap_call){.w = 2}, reads), 0);
    CHECK_EQUAL(level_begun((struct neap_call){.pw = 2}, reads), 0);
    CHECK_EQUAL(level_begun((struct neap_call){.r = 2}, writes), 0);
    CHECK_EQUAL(level_begun((struct neap_call){.pr = 2}, API_WAIT), 0);
    CHECK_EQUAL(level_begun((struct neap_call){.w = 2}, API_AFTER | API_TOKEN), 0);
    CHECK_EQUAL(level_begun((struct neap_call){.w = 2, .level = NEAP_QUORUM}, writes), 0);
    CHECK_EQUAL(level_begun((struct neap_call){.r = 1, .level = NEAP_ONE}, reads), 0);
}

TEST(flags_tokens_and_batches_are_checked)
{
    struct call_test test;

    call_setup(&test);
    test.call.flags = NEAP_READONLY;
    CHECK_ERROR(begun(&test, ANY), NEAP_INVALID);
    test.call.flags = 0;
    test.call.after = (struct neap_bytes){NULL, 4};
    CHECK_ERROR(begun(&test, ANY), NEAP_INVALID);
    test.call.after = (struct neap_bytes){"junk", 4};
    CHECK_ERROR(begun(&test, ANY), NEAP_INVALID);
    CHECK(strstr(test.error.text, "call.after"));
    test.call.after = (struct neap_bytes){0};
    test.call.seen = (struct neap_bytes){"junk", 4};
    CHECK_ERROR(begun(&test, ANY), NEAP_INVALID);
    CHECK(strstr(test.error.text, "call.seen"));
    test.call.seen = (struct neap_bytes){0};
    test.call.batch = (struct neap_batch *)&test;
    test.call.submit = 1;
    CHECK_ERROR(begun(&test, ANY), NEAP_INVALID);
    CHECK(strstr(test.error.text, "neap_batch_commit"));
    test.call.submit = 0;
    test.call.once = (struct neap_bytes){"id", 2};
    CHECK_ERROR(begun(&test, ANY), NEAP_INVALID);
    CHECK(strstr(test.error.text, "neap_batch_commit"));
    test.call.batch = NULL;
    CHECK_OK(begun(&test, ANY));
    test.call.once = (struct neap_bytes){&test, NEAP_ONCE_MAX + 1};
    CHECK_ERROR(begun(&test, ANY), NEAP_LIMIT);
    CHECK(strstr(test.error.text, "call.once"));
    CHECK(strstr(test.error.text, "64"));
    test.call.once = (struct neap_bytes){NULL, 2};
    CHECK_ERROR(begun(&test, ANY), NEAP_INVALID);
}

TEST(nothing_is_written_through_a_handle_for_reading)
{
    struct call_test test;

    call_setup(&test);
    test.neap.flags = NEAP_READONLY;
    CHECK_ERROR(begun(&test, API_WRITE), NEAP_REFUSED);
    CHECK_OK(begun(&test, API_AFTER));
}

static int place_of(struct call_test *test, const struct neap_place *at, unsigned type)
{
    struct api api;
    int error;

    CHECK_OK(api_begin(&api, &test->neap, &test->call, 0));
    error = api_place(&api, at, type);
    api_end(&api);
    return error;
}

TEST(places_are_checked_field_by_field)
{
    static char name[5000];
    struct neap_bytes fields[NEAP_DEPTH_MAX];
    struct neap_place at = {.bucket = "b", .key = {"k", 1}};
    struct call_test test;
    char bucket[300];
    size_t i;

    call_setup(&test);
    memset(name, 'n', sizeof name);
    for (i = 0; i < NEAP_DEPTH_MAX; i++)
        fields[i] = (struct neap_bytes){"f", 1};
    CHECK_OK(place_of(&test, &at, NEAP_LWW));
    CHECK_ERROR(place_of(&test, NULL, NEAP_LWW), NEAP_INVALID);
    at.bucket = NULL;
    CHECK_ERROR(place_of(&test, &at, NEAP_LWW), NEAP_INVALID);
    at.bucket = "";
    CHECK_ERROR(place_of(&test, &at, NEAP_LWW), NEAP_INVALID);
    at.bucket = "a/b";
    CHECK_ERROR(place_of(&test, &at, NEAP_LWW), NEAP_INVALID);
    at.bucket = "_system";
    CHECK_ERROR(place_of(&test, &at, NEAP_LWW), NEAP_REFUSED);
    memset(bucket, 'b', sizeof bucket);
    bucket[NEAP_BUCKET_MAX] = 0;
    at.bucket = bucket;
    CHECK_OK(place_of(&test, &at, NEAP_LWW));
    bucket[NEAP_BUCKET_MAX] = 'b';
    bucket[NEAP_BUCKET_MAX + 1] = 0;
    CHECK_ERROR(place_of(&test, &at, NEAP_LWW), NEAP_LIMIT);
    CHECK(strstr(test.error.text, "NEAP_BUCKET_MAX"));
    at.bucket = "b";
    at.key = (struct neap_bytes){name, NEAP_KEY_MAX};
    CHECK_OK(place_of(&test, &at, NEAP_LWW));
    at.key.size++;
    CHECK_ERROR(place_of(&test, &at, NEAP_LWW), NEAP_LIMIT);
    CHECK(strstr(test.error.text, "1025 bytes, the limit is 1024"));
    at.key = (struct neap_bytes){NULL, 1};
    CHECK_ERROR(place_of(&test, &at, NEAP_LWW), NEAP_INVALID);
    at.key.size = 0;
    CHECK_ERROR(place_of(&test, &at, NEAP_LWW), NEAP_INVALID);
    at.key = (struct neap_bytes){"k", 1};
    at.fields_count = 1;
    CHECK_ERROR(place_of(&test, &at, NEAP_LWW), NEAP_INVALID);
    at.fields = fields;
    at.fields_count = NEAP_DEPTH_MAX - 1;
    CHECK_OK(place_of(&test, &at, NEAP_LWW));
    at.fields_count++;
    CHECK_ERROR(place_of(&test, &at, NEAP_LWW), NEAP_LIMIT);
    CHECK(strstr(test.error.text, "NEAP_DEPTH_MAX"));
    at.fields_count = 4;
    for (i = 0; i < 4; i++)
        fields[i] = (struct neap_bytes){name, NEAP_KEY_MAX};
    CHECK_ERROR(place_of(&test, &at, NEAP_LWW), NEAP_LIMIT);
    CHECK(strstr(test.error.text, "NEAP_PATH_MAX"));
    fields[2].data = NULL;
    CHECK_ERROR(place_of(&test, &at, NEAP_LWW), NEAP_INVALID);
    fake_done(&test.fake);
}

TEST(an_element_fills_the_path_to_its_limit)
{
    static char name[5000];
    struct neap_place at = {.bucket = "b", .key = {"k", 1}};
    struct call_test test;
    struct api api;
    size_t room = NEAP_PATH_MAX - 4 - 2; /* the key's level, the end of the element */

    call_setup(&test);
    memset(name, 'n', sizeof name);
    CHECK_OK(api_begin(&api, &test.neap, &test.call, 0));
    CHECK_OK(api_element(&api, &at, NEAP_SET, (struct neap_bytes){name, room}));
    CHECK_EQUAL(api.path.size, NEAP_PATH_MAX);
    buffer_clear(&api.path);
    CHECK_ERROR(api_element(&api, &at, NEAP_SET, (struct neap_bytes){name, room + 1}), NEAP_LIMIT);
    buffer_clear(&api.path);
    CHECK_ERROR(api_element(&api, &at, NEAP_SET, (struct neap_bytes){name, NEAP_PATH_MAX + 1}),
                NEAP_LIMIT);
    buffer_clear(&api.path);
    CHECK_OK(api_element(&api, &at, NEAP_SET, (struct neap_bytes){NULL, 0}));
    api_end(&api);
    fake_done(&test.fake);
}

TEST(building_a_path_allocates_nothing)
{
    struct neap_bytes fields[] = {{"f", 1}, {"g\0h", 3}};
    struct neap_place at = {.bucket = "b", .key = {"k", 1}, .fields = fields, .fields_count = 2};
    struct call_test test;
    uint64_t calls;

    call_setup(&test);
    calls = mem_calls();
    CHECK_OK(place_of(&test, &at, NEAP_LWW));
    CHECK_EQUAL(mem_calls(), calls);
    fake_done(&test.fake);
}

TEST(buffers_are_grown_reused_and_end_with_a_zero)
{
    struct call_test test;
    struct api api;
    struct neap_buffer buffer = {0};
    uint64_t calls;

    call_setup(&test);
    CHECK_OK(api_begin(&api, &test.neap, &test.call, 0));
    CHECK_OK(api_give(&api, &buffer, slice_text("hello")));
    CHECK_TEXT(buffer.data, "hello");
    CHECK_EQUAL(buffer.size, 5);
    calls = mem_calls();
    CHECK_OK(api_give(&api, &buffer, slice_text("hi")));
    CHECK_TEXT(buffer.data, "hi");
    CHECK_EQUAL(buffer.size, 2);
    CHECK_OK(api_give(&api, &buffer, slice_of(NULL, 0)));
    CHECK_EQUAL(buffer.size, 0);
    CHECK_EQUAL(mem_calls(), calls);
    mem_fail_at(1, 0);
    CHECK_ERROR(api_give(&api, &buffer, slice_text("something longer")), NEAP_NOMEM);
    CHECK_EQUAL(test.error.code, NEAP_NOMEM);
    CHECK_EQUAL(buffer.size, 0);
    neap_buffer_free(&buffer);
    CHECK(!buffer.data && !buffer.room);
    neap_buffer_free(NULL);
    api_end(&api);
    fake_done(&test.fake);
}

TEST(a_code_comes_with_words)
{
    struct neap_error error = {.text = "from below"};
    struct call_test test;
    struct api api;

    call_setup(&test);
    CHECK_OK(api_begin(&api, &test.neap, &test.call, 0));
    CHECK_ERROR(api_failed(&api, NEAP_IO, &error), NEAP_IO);
    CHECK_TEXT(test.error.text, "from below");
    CHECK_ERROR(api_failed(&api, NEAP_IO, NULL), NEAP_IO);
    CHECK_TEXT(test.error.text, neap_strerror(NEAP_IO));
    CHECK_ERROR(api_read_failed(&api, NEAP_UNCERTAIN, NULL), NEAP_UNAVAILABLE);
    api_end(&api);
    fake_done(&test.fake);
}

static struct call_test swept;

static int call_sweep(void *argument)
{
    struct neap_buffer token = {0};
    struct token decoded;
    struct api api;
    int error;

    (void)argument;
    swept.call.after = swept.call.seen =
        (struct neap_bytes){"\x93\x01\0\x91\x92\x05\x93\x03\x01\x09", 10};
    swept.call.ret_token = &token;
    token_init(&decoded);
    error = api_begin(&api, &swept.neap, &swept.call, ANY);
    if (!error)
        error = token_dot(&decoded, 4, (struct dot){4, 4}, 4);
    if (!error)
        error = api_give_token(&api, &decoded);
    if (error)
        CHECK_EQUAL(token.size, 0);
    api_end(&api);
    token_done(&decoded);
    neap_buffer_free(&token);
    return error;
}

TEST(calls_survive_failed_allocations)
{
    call_setup(&swept);
    test_alloc_sweep(call_sweep, NULL);
    fake_done(&swept.fake);
}

/* What an error says after its place was put before it. */
static const char *named(struct call_test *test, const struct neap_place *place, const char *said)
{
    struct api api;

    CHECK_OK(api_begin(&api, &test->neap, &test->call, ANY));
    CHECK_ERROR(api_end_at(&api, place, error_set(api.error, NEAP_LIMIT, "%s", said)), NEAP_LIMIT);
    return test->error.text;
}

TEST(an_error_names_its_place_once)
{
    struct neap_place place = {"b", {"k\n", 2}, NULL, 0};
    struct neap_bytes field = {"f", 1};
    struct call_test test;
    char key[NEAP_KEY_MAX];
    struct api api;

    call_setup(&test);
    CHECK_TEXT(named(&test, &place, "too much"), "b/k\\x0a: too much");
    CHECK_TEXT(named(&test, &place, "b/k\\x0a:counter: too much"), "b/k\\x0a:counter: too much");
    place.fields = &field;
    place.fields_count = 1;
    CHECK_TEXT(named(&test, &place, "too much"), "b/k\\x0a: too much");
    CHECK_TEXT(named(&test, NULL, "too much"), "too much");
    place.bucket = NULL;
    CHECK_TEXT(named(&test, &place, "too much"), "too much");
    memset(key, 'k', sizeof key);
    place = (struct neap_place){"b", {key, sizeof key}, NULL, 0};
    CHECK_TEXT(named(&test, &place, "too much"), "b/kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...: too much");
    memset(key, 0, sizeof key);
    CHECK(strstr(named(&test, &place, "too much"), "...: too much"));
    /* Nothing to say it to, or nothing said. */
    CHECK_OK(api_begin(&api, &test.neap, &test.call, ANY));
    CHECK_OK(api_end_at(&api, &place, 0));
    CHECK_OK(api_begin(&api, &test.neap, NULL, ANY));
    CHECK_ERROR(api_end_at(&api, &place, NEAP_LIMIT), NEAP_LIMIT);
    fake_done(&test.fake);
}
