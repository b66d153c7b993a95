/* Files of workloads (workload.h has their form). */
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/workload.h"

enum { WEIGHT_MAX = 1000000 };

/* A size or percentage. */
struct setting {
    const char *section, *name;
    size_t offset;
    bool is_span;
    uint32_t least, most;
};

#define AT(field) offsetof(struct workload, field)
static const struct setting settings[] = {
    {"sizes", "buckets", AT(buckets), false, 1, WORKLOAD_BUCKETS},
    {"sizes", "keys", AT(keys), false, 1, 1000},
    {"sizes", "depth", AT(depth), true, 1, 4},
    {"sizes", "batch", AT(batch), true, 1, WORKLOAD_BATCH},
    {"sizes", "big", AT(big), true, 1, WORKLOAD_BIG},
    {"sizes", "value", AT(value), true, 16, WORKLOAD_VALUE},
    {"sizes", "large", AT(large), true, 16, WORKLOAD_VALUE},
    {"percent", "hot", AT(hot_percent), false, 0, 100},
    {"percent", "elsewhere", AT(elsewhere_percent), false, 0, 100},
    {"percent", "nosync", AT(nosync_percent), false, 0, 100},
    {"percent", "large", AT(large_percent), false, 0, 100},
    {"percent", "session", AT(session_percent), false, 0, 100},
};
enum { SETTINGS = sizeof settings / sizeof *settings };

struct reading {
    const char *path;
    FILE *file;
    int line;
    bool failed;
    struct workload workload;
    int weights_seen[WORKLOAD_KINDS], settings_seen[SETTINGS]; /* lines */
    char *why;
    size_t size;
};

/* Always 0, which tells inih to stop. Only the first is kept. */
__attribute__((format(printf, 2, 3))) static int refuse(struct reading *reading, const char *format,
                                                        ...)
{
    if (reading->failed)
        return 0;
    reading->failed = true;
    int head = snprintf(reading->why, reading->size, "%s: line %d: ", reading->path, reading->line);
    va_list arguments;
    va_start(arguments, format);
    if (head >= 0 && (size_t)head < reading->size)
        vsnprintf(reading->why + head, reading->size - (size_t)head, format, arguments);
    va_end(arguments);
    return 0;
}

/* Digits only. False: it is no number, or too large for one. */
static bool number_read(const char **text, uint32_t *ret_number)
{
    uint64_t number = 0;
    const char *at = *text;
    for (; *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
        if (number > UINT32_MAX)
            return false;
    }
    if (at == *text)
        return false;
    *text = at;
    *ret_number = (uint32_t)number;
    return true;
}

static const char *blanks_skip(const char *text)
{
    return text + strspn(text, " \t");
}

/* "3", or with `is_span` also "1-4". */
static bool span_read(const char *text, bool is_span, struct span *ret_span)
{
    if (!number_read(&text, &ret_span->from))
        return false;
    ret_span->to = ret_span->from;
    text = blanks_skip(text);
    if (is_span && *text == '-') {
        text = blanks_skip(text + 1);
        if (!number_read(&text, &ret_span->to))
            return false;
    }
    return *text == 0;
}

static int is_second(struct reading *reading, int *seen, const char *name)
{
    if (*seen)
        refuse(reading, "%s was given in line %d", name, *seen);
    *seen = reading->line;
    return reading->failed;
}

static int operation_take(struct reading *reading, const char *name, const char *value)
{
    for (size_t i = 0; i < WORKLOAD_KINDS; i++) {
        struct span span;
        if (strcmp(workload_operation_name((enum workload_operation)i), name) != 0)
            continue;
        if (is_second(reading, &reading->weights_seen[i], name))
            return 0;
        if (!span_read(value, false, &span) || span.to > WEIGHT_MAX)
            return refuse(reading, "%s = %s: wants a whole number from 0 to %d", name, value,
                          WEIGHT_MAX);
        reading->workload.weights[i] = span.from;
        return 1;
    }
    char names[600] = "";
    for (size_t i = 0; i < WORKLOAD_KINDS; i++) {
        size_t size = strlen(names);
        snprintf(names + size, sizeof names - size, "%s%s", i ? ", " : "",
                 workload_operation_name((enum workload_operation)i));
    }
    return refuse(reading, "there is no operation `%s`; there are %s", name, names);
}

static int setting_take(struct reading *reading, size_t index, const char *value)
{
    const struct setting *setting = &settings[index];
    struct span span;
    void *field = (char *)&reading->workload + setting->offset;
    if (is_second(reading, &reading->settings_seen[index], setting->name))
        return 0;
    if (!span_read(value, setting->is_span, &span) || span.from < setting->least ||
        span.to > setting->most)
        return refuse(reading, "%s = %s: wants a whole number%s from %u to %u", setting->name,
                      value, setting->is_span ? ", or two as `1-4`," : "", setting->least,
                      setting->most);
    if (span.from > span.to)
        return refuse(reading, "%s = %s: the range ends before it begins", setting->name, value);
    if (setting->is_span)
        *(struct span *)field = span;
    else
        *(uint32_t *)field = span.from;
    return 1;
}

static int unknown(struct reading *reading, const char *section, const char *name)
{
    char names[200] = "";
    for (size_t i = 0; i < SETTINGS; i++) {
        size_t size = strlen(names);
        if (!strcmp(settings[i].section, section))
            snprintf(names + size, sizeof names - size, "%s%s", size ? ", " : "", settings[i].name);
    }
    if (names[0])
        return refuse(reading, "there is no `%s` in [%s]; there are %s", name, section, names);
    if (*section)
        return refuse(reading,
                      "there is no section [%s]; there are [operations], [sizes] and [percent]",
                      section);
    return refuse(reading, "%s stands in no section; there are [operations], [sizes] and [percent]",
                  name);
}

/* For inih: 1 is good, 0 an error. */
static int file_line(void *arg, const char *section, const char *name, const char *value)
{
    struct reading *reading = arg;
    if (reading->failed)
        return 0;
    if (!strcmp(section, "operations"))
        return operation_take(reading, name, value);
    for (size_t i = 0; i < SETTINGS; i++) {
        if (!strcmp(settings[i].section, section) && !strcmp(settings[i].name, name))
            return setting_take(reading, i, value);
    }
    return unknown(reading, section, name);
}

/* inih would take the rest of a line that is too long for a line of its own, and an empty section
 * that nobody knows for a good one. */
static char *line_get(char *line, int size, void *arg)
{
    struct reading *reading = arg;
    if (reading->failed || !fgets(line, size, reading->file))
        return NULL;
    reading->line++;
    if (!strchr(line, '\n') && !feof(reading->file)) {
        refuse(reading, "is over %d characters long", size - 2);
        return NULL;
    }
    const char *text = blanks_skip(line);
    if (*text == '[' && strncmp(text, "[operations]", 12) != 0 &&
        strncmp(text, "[sizes]", 7) != 0 && strncmp(text, "[percent]", 9) != 0) {
        refuse(reading, "%.*s: there are [operations], [sizes] and [percent]",
               (int)strcspn(text, "\r\n"), text);
        return NULL;
    }
    return line;
}

/* Is there anything that writes? */
static bool has_writes(const struct workload *workload)
{
    for (size_t i = 0; i < WORKLOAD_KINDS; i++) {
        if (i != WORKLOAD_SESSION_READ && workload->weights[i] > 0)
            return true;
    }
    return false;
}

bool workload_read(const char *path, struct workload *ret_workload, char *ret_why, size_t size)
{
    struct reading reading = {
        .path = path, .workload = workload_default, .why = ret_why, .size = size};
    memset(reading.workload.weights, 0, sizeof reading.workload.weights);
    reading.file = fopen(path, "re");
    if (!reading.file) {
        snprintf(ret_why, size, "%s: cannot be read: %s", path, strerror(errno));
        return false;
    }
    int line = ini_parse_stream(line_get, &reading, file_line, &reading);
    bool unread = ferror(reading.file) != 0;
    fclose(reading.file);
    if (reading.failed)
        return false;
    if (unread || line < 0)
        snprintf(ret_why, size, "%s: cannot be read: %s", path,
                 line < 0 ? "out of memory" : "it is no file of text");
    else if (line > 0)
        snprintf(ret_why, size, "%s: line %d: is not `name = value`", path, line);
    else if (!has_writes(&reading.workload))
        snprintf(ret_why, size,
                 "%s: line %d: it ends, and [operations] has nothing that writes: one of them "
                 "wants a number above 0, as `counter.add = 1`",
                 path, reading.line);
    else
        *ret_workload = reading.workload;
    return !unread && line == 0 && has_writes(&reading.workload);
}
