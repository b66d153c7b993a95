#include <string.h>

#include "base/trace.h"
#include "tests/support/test.h"

struct lines {
    struct trace trace;
    int count;
    char last[2048];
};

static void line_keep(struct trace *trace, const char *text)
{
    struct lines *lines = (struct lines *)trace;

    lines->count++;
    CHECK(strlen(text) < sizeof lines->last);
    memcpy(lines->last, text, strlen(text) + 1);
}

TEST(a_trace_point_gives_one_line)
{
    struct lines lines = {.trace = {line_keep}};
    struct trace *to = &lines.trace;

    trace(to, "b > delta %s: %d dots", "cart", 2);
    CHECK_EQUAL(lines.count, 1);
    CHECK_TEXT(lines.last, "b > delta cart: 2 dots");
}

TEST(no_trace_is_silent_and_computes_nothing)
{
    struct trace *to = NULL;
    int evaluated = 0;

    trace(to, "%d", ++evaluated);
    trace_line(NULL, "nothing");
    CHECK_EQUAL(evaluated, 0);
}

TEST(a_line_that_is_too_long_is_cut_visibly)
{
    struct lines lines = {.trace = {line_keep}};
    struct trace *to = &lines.trace;

    trace(to, "%01023d", 7);
    CHECK_EQUAL(strlen(lines.last), 1023);
    CHECK_TEXT(lines.last + 1020, "007");
    trace(to, "%01024d", 7);
    CHECK_EQUAL(strlen(lines.last), 1023);
    CHECK_TEXT(lines.last + 1020, "...");
}
