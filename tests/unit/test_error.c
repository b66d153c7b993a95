#include <errno.h>
#include <string.h>

#include "tests/support/test.h"

TEST(every_code_has_its_name_and_text)
{
    static const struct {
        int code;
        const char *name, *text;
    } errors[] = {
#define X(name, code, effect, text) {NEAP_##name, #name, text},
        NEAP_ERRORS(X)
#undef X
    };
    size_t i;

    for (i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        CHECK_EQUAL(errors[i].code, -(int64_t)i);
        CHECK_TEXT(error_name(errors[i].code), errors[i].name);
        CHECK_TEXT(error_text(errors[i].code), errors[i].text);
        CHECK(strlen(error_text(errors[i].code)) > 0);
    }
    CHECK_TEXT(error_name(NEAP_NOMEM), "NOMEM");
}

TEST(unknown_codes_have_a_text_too)
{
    CHECK_TEXT(error_name(1), "UNKNOWN");
    CHECK_TEXT(error_name(-1000), "UNKNOWN");
    CHECK_TEXT(error_text(-1000), "unknown error");
}

TEST(setting_an_error_returns_its_code)
{
    struct neap_error error = {0};

    CHECK_ERROR(error_set(&error, NEAP_LIMIT, "key of %d bytes", 2000), NEAP_LIMIT);
    CHECK_EQUAL(error.code, NEAP_LIMIT);
    CHECK_TEXT(error.text, "key of 2000 bytes");
    CHECK_ERROR(error_set(NULL, NEAP_IO, "nobody listens"), NEAP_IO);
}

TEST(a_text_that_is_too_long_is_cut)
{
    struct neap_error error;

    CHECK_ERROR(error_set(&error, NEAP_IO, "%0300d", 7), NEAP_IO);
    CHECK_EQUAL(strlen(error.text), sizeof error.text - 1);
}

static void must_hold(void *argument)
{
    must(*(int *)argument == 1);
}

TEST(must_stops_the_process)
{
    int one = 1, two = 2;

    must_hold(&one);
    CHECK_DIES(must_hold, &two);
}

TEST(numbers_of_file_calls_become_codes)
{
    static const struct {
        int number, code;
    } rows[] = {{ENOENT, NEAP_NOTFOUND}, {EACCES, NEAP_REFUSED},  {EEXIST, NEAP_REFUSED},
                {ENOSPC, NEAP_REFUSED},  {ENOTDIR, NEAP_INVALID}, {ENOMEM, NEAP_NOMEM},
                {EIO, NEAP_IO},          {EINTR, NEAP_IO}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        CHECK_EQUAL(errno_code(rows[i].number), rows[i].code);
}
