#include "base/trace.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A longer line is cut and ends with dots; tracing must neither fail nor take memory. */
enum { LINE_SIZE_MAX = 1024 };

void trace_line(struct trace *trace, const char *format, ...)
{
    char text[LINE_SIZE_MAX];
    va_list arguments;
    int size;

    if (!trace)
        return;
    va_start(arguments, format);
    size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (size < 0)
        return;
    if ((size_t)size >= sizeof text)
        memcpy(text + sizeof text - 4, "...", 4);
    trace->line(trace, text);
}
