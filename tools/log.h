/* Log lines on stderr: one event a line, `time=... level=... event=... key=value...`. */
#ifndef NEAP_TOOLS_LOG_H
#define NEAP_TOOLS_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

int log_level_parse(const char *text, enum log_level *ret_level); /* 0, or -1 */
const char *log_level_text(enum log_level level);
void log_set_level(enum log_level level);
/* `format` gives further key=value pairs; log_quote() makes a value safe. */
void log_line(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* In quotes, with quotes, backslashes and control characters escaped; cut to fit `ret_text`. */
const char *log_quote(const char *text, char *ret_text, unsigned size);
#endif
