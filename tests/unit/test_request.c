#include "engine/request.h"
#include "tests/support/fake_backend.h"
#include "tests/support/test.h"

#include <string.h>

/* Serves a request given in hex; the reply lies in `reply`. */
static void serve(struct fake *fake, const char *hex, struct buffer *reply)
{
    uint8_t bytes[512];

    CHECK_OK(request_serve(&fake->backend, test_unhex(hex, bytes, sizeof bytes), reply));
}

static int64_t reply_code(const struct buffer *reply, char text[256])
{
    struct reader reader;
    struct slice words;
    int64_t code;

    reader_init(&reader, buffer_slice(reply));
    (void)read_array(&reader, 8);
    code = read_i64(&reader);
    words = read_str(&reader, 255);
    CHECK_OK(reader.error);
    if (words.size)
        memcpy(text, words.data, words.size);
    text[words.size] = 0;
    return code;
}

TEST(hello_agrees_on_a_version)
{
    struct fake fake;
    struct buffer reply;
    char text[256];

    fake_init(&fake);
    buffer_init(&reply, REQUEST_SIZE_MAX);
    serve(&fake, "94 01 01 01 01", &reply);
    CHECK_EQUAL(reply_code(&reply, text), 0);
    serve(&fake, "94 09 01 01 05", &reply);
    CHECK_EQUAL(reply_code(&reply, text), 0);
    serve(&fake, "94 01 01 02 05", &reply);
    CHECK_EQUAL(reply_code(&reply, text), NEAP_FORMAT);
    CHECK(strstr(text, "upgrade"));
    serve(&fake, "94 01 01 00 00", &reply);
    CHECK_EQUAL(reply_code(&reply, text), NEAP_FORMAT);
    CHECK_EQUAL(fake.calls, 0);
    buffer_done(&reply);
    fake_done(&fake);
}

TEST(what_a_newer_client_asks_is_refused_in_words)
{
    struct fake fake;
    struct buffer reply;
    char text[256];

    fake_init(&fake);
    buffer_init(&reply, REQUEST_SIZE_MAX);
    serve(&fake, "92 02 05", &reply);
    CHECK_EQUAL(reply_code(&reply, text), NEAP_FORMAT);
    serve(&fake, "93 01 63 00", &reply);
    CHECK_EQUAL(reply_code(&reply, text), NEAP_REFUSED);
    CHECK(strstr(text, "verb 99"));
    CHECK_EQUAL(fake.calls, 0);
    buffer_done(&reply);
    fake_done(&fake);
}

TEST(requests_that_are_none_reach_nobody)
{
    static const char *const wrong[] = {
        "",
        "c0",
        "91 01",
        "93 01 05 00",                         /* sync with more */
        "92 01 06",                            /* wait without a token */
        "93 01 05",                            /* says three, has two */
        "95 01 06 c4 00 01 00",                /* with an empty one */
        "95 01 06 c4 01 c0 01 00",             /* with none */
        "95 01 06 c4 04 93 01 00 90 09 00",    /* no such level */
        "93 01 07 90",                         /* no words */
        "93 01 07 91 a1 00",                   /* a zero in a word */
        "94 01 08 a0 00",                      /* a backup without a name */
        "94 01 08 a1 61 00",                   /* not from / on */
        "94 01 08 a2 2f 00 00",                /* a zero in it */
        "93 01 08 a1 2f",                      /* no time */
        "98 01 03 a1 00 c4 00 c4 00 00 00 00", /* a zero in the bucket */
        "98 01 02 90 91 98 00 c4 00 01 00 c4 00 00 00 c0 00 00 00 c4 00",
        "92 01 05 00", /* something after it */
    };
    struct fake fake;
    struct buffer reply;
    char text[256];
    size_t i;

    fake_init(&fake);
    buffer_init(&reply, REQUEST_SIZE_MAX);
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        serve(&fake, wrong[i], &reply);
        CHECK_EQUAL(reply_code(&reply, text), NEAP_INVALID);
        CHECK(text[0]);
    }
    CHECK_EQUAL(fake.calls, 0);
    buffer_done(&reply);
    fake_done(&fake);
}

TEST(a_reply_that_would_be_too_large_is_an_error)
{
    static const uint8_t cell[1000];
    struct fake fake;
    struct buffer reply;
    char text[256];

    fake_init(&fake);
    fake.cell = slice_of(cell, sizeof cell);
    buffer_init(&reply, 900);
    serve(&fake, "98 01 03 a1 62 c4 00 c4 00 00 00 00", &reply);
    CHECK_EQUAL(reply_code(&reply, text), NEAP_LIMIT);
    CHECK_EQUAL(fake.calls, 1);
    buffer_done(&reply);
    fake_done(&fake);
}

TEST(timeouts_and_pages_have_bounds)
{
    struct fake fake;
    struct buffer reply;

    fake_init(&fake);
    buffer_init(&reply, REQUEST_SIZE_MAX);
    serve(&fake, "95 01 06 c4 04 93 01 00 90 01 ce ff ff ff ff", &reply);
    CHECK_EQUAL(fake.timeout_ms, REQUEST_TIMEOUT_MS_MAX);
    serve(&fake, "9c 01 04 a1 62 c4 00 c4 00 00 ce ff ff ff ff c4 00 00 00 00 03", &reply);
    CHECK_EQUAL(fake.page.size_max, REQUEST_PAGE_MAX);
    CHECK_EQUAL(fake.page.level, NEAP_QUORUM);
    buffer_done(&reply);
    fake_done(&fake);
}

TEST(a_slot_is_one_of_those_that_there_are)
{
    struct fake fake;
    struct buffer reply;
    char text[256];

    fake_init(&fake);
    buffer_init(&reply, REQUEST_SIZE_MAX);
    serve(&fake, "9c 01 04 a1 62 c4 00 c4 00 cd 04 00 10 c4 00 00 03 04 00", &reply);
    CHECK_EQUAL(reply_code(&reply, text), 0);
    CHECK_EQUAL(fake.page.slot, 3);
    CHECK_EQUAL(fake.page.slots, 4);
    serve(&fake, "9c 01 04 a1 62 c4 00 c4 00 cd 04 00 10 c4 00 00 04 04 00", &reply);
    CHECK_EQUAL(reply_code(&reply, text), NEAP_INVALID);
    serve(&fake, "9c 01 04 a1 62 c4 00 c4 00 cd 04 00 10 c4 00 00 00 00 00", &reply);
    CHECK_EQUAL(reply_code(&reply, text), NEAP_INVALID);
    serve(&fake, "9c 01 04 a1 62 c4 00 c4 00 cd 04 00 10 c4 00 00 ff 04 00", &reply);
    CHECK_EQUAL(reply_code(&reply, text), NEAP_INVALID);
    serve(&fake, "9c 01 04 a1 62 c4 00 c4 00 cd 04 00 10 c4 00 00 00 cd 10 01 00", &reply);
    CHECK_EQUAL(reply_code(&reply, text), NEAP_INVALID);
    CHECK_EQUAL(fake.calls, 1);
    buffer_done(&reply);
    fake_done(&fake);
}

static struct fake swept;

/* The verbs, one after the other; an answer of NOMEM is as good as an error. */
static int serve_sweep(void *argument)
{
    static const char *const requests[] = {
        "94 01 01 01 01",
        ("98 01 02 91 a1 61 91 99 00 c4 04 6b 00 01 02 01 00 c4 00 00 00 00 93 01 01 01 04 00 00 "
         "c4 00"),
        "98 01 03 a1 62 c4 00 c4 0a 93 01 00 91 92 05 93 03 01 09 04 00 00",
        "9c 01 04 a1 62 c4 00 c4 00 04 10 c4 00 00 00 00 00",
        "92 01 05",
        "95 01 06 c4 0a 93 01 00 91 92 05 93 03 01 09 01 00",
        "93 01 07 91 a1 78",
        "93 01 09 0a",
    };
    struct buffer reply;
    char text[256];
    int error = 0;
    size_t i;

    (void)argument;
    for (i = 0; i < sizeof requests / sizeof *requests && !error; i++) {
        uint8_t bytes[128];

        buffer_init(&reply, REQUEST_SIZE_MAX);
        error = request_serve(&swept.backend, test_unhex(requests[i], bytes, sizeof bytes), &reply);
        if (!error)
            error = (int)reply_code(&reply, text);
        buffer_done(&reply);
    }
    return error;
}

TEST(requests_survive_failed_allocations)
{
    fake_init(&swept);
    fake_item(&swept, 0, NEAP_LWW, "a", 0);
    swept.dot = (struct dot){1, 1};
    swept.cell = slice_text("cell");
    test_alloc_sweep(serve_sweep, NULL);
    fake_done(&swept);
}
