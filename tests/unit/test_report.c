#include "engine/report.h"

#include <stdio.h>

#include "tests/support/test.h"

enum { TEXT_MAX = 1 << 20 };

static const struct backup_counts counts = {.files = 9, .bytes = 1234, .node = 0xabc, .made_ms = 5};

static const char *text_of(const struct buffer *text)
{
    static char copy[4096];

    snprintf(copy, sizeof copy, "%.*s", (int)text->size,
             text->size ? (const char *)text->data : "");
    return copy;
}

TEST(a_backup_is_told_as_json)
{
    struct buffer text;

    buffer_init(&text, TEXT_MAX);
    CHECK_OK(report_backup("/b \"1\"", NULL, &counts, &text));
    CHECK_TEXT(text_of(&text), "{\"backup\":\"/b \\\"1\\\"\",\"files\":9,\"bytes\":1234,"
                               "\"node\":\"0000000000000abc\",\"made\":5}");
    CHECK_OK(report_backup("b\xff", "d", &counts, &text));
    CHECK_TEXT(text_of(&text), "{\"backup\":\"b?\",\"files\":9,\"bytes\":1234,"
                               "\"node\":\"0000000000000abc\",\"made\":5,\"directory\":\"d\"}");
    buffer_done(&text);
}

TEST(what_is_damaged_is_listed_up_to_a_limit)
{
    struct backup_finding finding = {"000012.sst", BACKUP_CHANGED};
    struct report report;
    struct buffer text;
    unsigned i;

    buffer_init(&text, TEXT_MAX);
    CHECK_OK(report_begin(&report));
    CHECK_OK(report_verify(&report, "b", &counts, &text));
    CHECK(strstr(text_of(&text), "\"whole\":true,\"damaged\":[],\"left_off\":0}"));
    CHECK_OK(report_find(&report, &finding));
    CHECK_OK(report_verify(&report, "b", &counts, &text));
    CHECK(strstr(text_of(&text), "\"whole\":false,\"damaged\":[{\"file\":\"000012.sst\","
                                 "\"problem\":\"changed\"}],\"left_off\":0}"));
    for (i = 1; i < REPORT_FINDINGS_MAX + 3; i++)
        CHECK_OK(report_find(&report, &finding));
    CHECK_OK(report_verify(&report, "b", &counts, &text));
    CHECK_EQUAL(json_array_size(report.damaged), REPORT_FINDINGS_MAX);
    CHECK(text.size > 13 && !memcmp(text.data + text.size - 13, "\"left_off\":3}", 13));
    report_done(&report);
    report_done(&report);
    buffer_done(&text);
}

static int tell(void *argument)
{
    struct buffer text;
    int code;

    (void)argument;
    buffer_init(&text, TEXT_MAX);
    code = report_backup("b", "d", &counts, &text);
    if (code)
        CHECK_EQUAL(text.size, 0);
    buffer_done(&text);
    return code;
}

TEST(reports_need_memory_and_say_so)
{
    test_alloc_sweep(tell, NULL);
}
