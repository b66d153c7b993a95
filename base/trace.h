/* Trace points: one line each, which tests compare and `neapd --trace` prints.
 * A NULL trace is silent and costs one comparison. */
#ifndef NEAP_BASE_TRACE_H
#define NEAP_BASE_TRACE_H

struct trace {
    void (*line)(struct trace *trace, const char *text); /* called with a whole line, no newline */
};

#define trace(to, ...) ((to) ? trace_line((to), __VA_ARGS__) : (void)0)
void trace_line(struct trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
