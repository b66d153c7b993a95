#include "tools/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static _Atomic int level_max = LOG_INFO;

int log_level_parse(const char *text, enum log_level *ret_level)
{
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++)
        if (strcmp(text, level_names[level]) == 0) {
            *ret_level = (enum log_level)level;
            return 0;
        }
    return -1;
}

const char *log_level_text(enum log_level level)
{
    return level_names[level];
}

void log_set_level(enum log_level level)
{
    level_max = (int)level;
}

const char *log_quote(const char *text, char *ret_text, unsigned size)
{
    unsigned at = 0;

    ret_text[at++] = '"';
    for (; *text && at + 6 < size; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte == '"' || byte == '\\') {
            ret_text[at++] = '\\';
            ret_text[at++] = (char)byte;
        } else if (byte < 0x20 || byte == 0x7f) {
            at += (unsigned)snprintf(ret_text + at, size - at, "\\x%02x", byte);
        } else {
            ret_text[at++] = (char)byte;
        }
    }
    ret_text[at++] = '"';
    ret_text[at] = 0;
    return ret_text;
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    char line[1024];
    struct timespec now;
    struct tm parts;
    size_t size;
    va_list args;

    if ((int)level > level_max)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    size = strftime(line, sizeof(line), "time=%Y-%m-%dT%H:%M:%S", &parts);
    size += (size_t)snprintf(line + size, sizeof(line) - size, ".%03ldZ level=%s event=%s%s",
                             now.tv_nsec / 1000000, level_names[level], event, *format ? " " : "");
    va_start(args, format);
    vsnprintf(line + size, sizeof(line) - size - 1, format, args);
    va_end(args);
    size = strlen(line);
    line[size++] = '\n';
    fwrite(line, 1, size, stderr); /* one write: lines of several threads do not mix */
}
