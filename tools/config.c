#include "tools/config.h"

#include <assert.h>
#include <errno.h>
#include <ini.h>
#include <popt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum kind { TEXT, LIST, NUMBER, MODE, SIZE, SWITCH, LEVEL };

struct setting {
    const char *name;
    enum kind kind;
    size_t offset;
    const char *help, *shape;
};

#define AT(field) offsetof(struct config, field)
static const struct setting settings[] = {
    {"path", TEXT, AT(path), "directory of the data (required)", "DIR"},
    {"create", SWITCH, AT(create), "make the directory when it is absent", NULL},
    {"socket", TEXT, AT(socket), "where clients connect: a Unix socket", "PATH"},
    {"socket_mode", MODE, AT(socket_mode), "its mode, as 0660 (0600)", "MODE"},
    {"socket_users", LIST, AT(socket_users),
     "numbers of users who may use it, besides root and neapd's own; *: all whom its mode lets in",
     "UID,..."},
    {"listen", TEXT, AT(listen), "where other nodes connect; with a cluster directory",
     "tls+tcp://HOST:PORT"},
    {"advertise", LIST, AT(advertise),
     "where other nodes are told to connect, if not as listen says; up to 4, with commas",
     "ADDRESS,..."},
    {"peers", LIST, AT(peers),
     "addresses of other nodes, with commas; one is enough; may be repeated", "ADDRESS,..."},
    {"name", TEXT, AT(name), "of this node, for people", "NAME"},
    {"zone", TEXT, AT(zone), "where it stands: nodes of one zone may fail together", "ZONE"},
    {"weight", NUMBER, AT(weight), "how much it is to hold, against others (100)", "N"},
    {"retire_after_s", NUMBER, AT(retire_after_s),
     "seconds after which a node that is away holds no log back; 0: never", "S"},
    {"cluster", TEXT, AT(cluster), "directory made by `neap init` or `neap join`", "DIR"},
    {"memory_max", SIZE, AT(memory_max), "budget for caches and queues, with k, m or g", "BYTES"},
    {"nosync", SWITCH, AT(nosync), "writes are durable only after sync_ms", NULL},
    {"sync_ms", NUMBER, AT(sync_ms), "how long an unsynced write may wait", "MS"},
    {"log_max", NUMBER, AT(log_max), "log entries a bucket kept for nodes that are away", "N"},
    {"bulk_max", SIZE, AT(bulk_max),
     "bytes a second to catch up with, taken and given, with k, m or g; 0: any", "BYTES"},
    {"scrub_s", NUMBER, AT(scrub_s), "seconds between scrubs; 0: none but those ordered", "S"},
    {"scrub_max", NUMBER, AT(scrub_max), "cells a second that a scrub reads", "N"},
    {"subscribe", LIST, AT(subscribe),
     "buckets that this node holds, at each start: names and globs, with commas", "NAME,..."},
    {"metrics", TEXT, AT(metrics),
     "where Prometheus asks, http://.../metrics; of this machine alone", "127.0.0.1:PORT"},
    {"readonly", SWITCH, AT(readonly), "refuse all writes of clients", NULL},
    {"log_level", LEVEL, AT(log_level), "error, warn, info or debug; SIGHUP reads it again",
     "LEVEL"},
};
enum { SETTINGS = sizeof(settings) / sizeof(settings[0]), FLAG_CONFIG = 1000, FLAG_VERSION };
static_assert((int)SETTINGS == (int)CONFIG_SETTINGS, "one bit for each");

/* What is being read, for messages. */
struct reading {
    struct config *config;
    const char *file;
    int seen[SETTINGS]; /* in the file */
    int failed, line;
};

static int number_parse(const char *text, int with_unit, uint64_t *ret_number)
{
    char *end;
    unsigned long long number;
    unsigned shift = 0;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (end == text || errno || *text == '-')
        return -1;
    if (with_unit && *end) {
        const char *units = "kmg", *unit = strchr(units, *end | 0x20);

        if (unit == NULL || end[1])
            return -1;
        shift = 10 * (unsigned)(unit - units + 1);
        end++;
    }
    if (*end || number > UINT64_MAX >> shift)
        return -1;
    *ret_number = (uint64_t)number << shift;
    return 0;
}

static int mode_parse(const char *text, uint64_t *ret_mode)
{
    uint64_t mode = 0;

    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '7' || mode > 0777)
            return -1;
        mode = mode * 8 + (uint64_t)(*at - '0');
    }
    if (mode == 0 || mode > 0777)
        return -1;
    *ret_mode = mode;
    return 0;
}

static int list_add(char **list, const char *text)
{
    size_t size = *list ? strlen(*list) : 0, more = strlen(text) + 2;
    char *grown = realloc(*list, size + more);

    if (grown == NULL)
        return 0;
    snprintf(grown + size, more, "%s%s", size ? "," : "", text);
    *list = grown;
    return 1;
}

/* NULL, or what the setting wants to see. */
static const char *setting_put(const struct setting *setting, struct config *config,
                               const char *text)
{
    void *field = (char *)config + setting->offset;

    switch (setting->kind) {
    case TEXT:
        free(*(char **)field);
        *(char **)field = strdup(text);
        return *(char **)field ? NULL : "more memory";
    case LIST:
        return list_add(field, text) ? NULL : "more memory";
    case NUMBER:
        return number_parse(text, 0, field) ? "a whole number" : NULL;
    case MODE:
        return mode_parse(text, field) ? "a mode, as 0660" : NULL;
    case SIZE:
        return number_parse(text, 1, field) ? "a number of bytes, as 64m" : NULL;
    case SWITCH:
        if (strcmp(text, "yes") && strcmp(text, "no"))
            return "yes or no";
        *(int *)field = text[0] == 'y';
        return NULL;
    case LEVEL:
        return log_level_parse(text, field) ? "error, warn, info or debug" : NULL;
    }
    return NULL;
}

/* For inih: 1 is good, 0 an error; keys stand in no section. */
static int file_line(void *arg, const char *section, const char *name, const char *value)
{
    struct reading *reading = arg;

    for (unsigned i = 0; *section == 0 && i < SETTINGS; i++) {
        const char *wants;

        if (strcmp(settings[i].name, name))
            continue;
        if (reading->config->given[i])
            return 1;
        if (reading->seen[i]++ && settings[i].kind != LIST) {
            fprintf(stderr,
                    "neapd: %s: line %d: %s is given twice, or goes on in an indented line\n",
                    reading->file, reading->line, name);
            reading->failed = 1;
            return 0;
        }
        wants = setting_put(&settings[i], reading->config, value);
        if (wants == NULL)
            return 1;
        fprintf(stderr, "neapd: %s: line %d: %s = %s: wants %s\n", reading->file, reading->line,
                name, value, wants);
        reading->failed = 1;
        return 0;
    }
    fprintf(stderr, "neapd: %s: line %d: there is no setting `%s`%s%s: see `neapd --help`\n",
            reading->file, reading->line, name, *section ? " in a section " : "", section);
    reading->failed = 1;
    return 0;
}

struct source {
    FILE *file;
    struct reading *reading;
};

/* inih would take the rest of a line that is too long for a line of its own. */
static char *line_get(char *line, int size, void *arg)
{
    struct source *source = arg;
    struct reading *reading = source->reading;

    if (reading->failed || fgets(line, size, source->file) == NULL)
        return NULL;
    reading->line++;
    if (strchr(line, '\n') || feof(source->file))
        return line;
    fprintf(stderr, "neapd: %s: line %d is over %d characters long\n", reading->file, reading->line,
            size - 2);
    reading->failed = 1;
    return NULL;
}

static int file_read(struct reading *reading)
{
    struct source source = {.reading = reading};
    int line;

    reading->file = reading->config->file;
    source.file = fopen(reading->file, "re");
    if (source.file == NULL) {
        fprintf(stderr, "neapd: cannot read %s: %s\n", reading->file, strerror(errno));
        return 2;
    }
    line = ini_parse_stream(line_get, &source, file_line, reading);
    fclose(source.file);
    if (line == 0 && !reading->failed)
        return 0;
    if (line < 0)
        fprintf(stderr, "neapd: cannot read %s: out of memory\n", reading->file);
    else if (!reading->failed)
        fprintf(stderr, "neapd: %s: line %d is not `key = value`\n", reading->file, line);
    return 2;
}

static int flag_take(struct reading *reading, int value, const char *text, int *ret_quit)
{
    unsigned i = (unsigned)value - 1;
    const char *wants;

    if (value == FLAG_VERSION) {
        printf("neapd %s\n", neap_version());
        *ret_quit = 1;
        return 0;
    }
    if (value == FLAG_CONFIG) {
        free(reading->config->file);
        reading->config->file = strdup(text);
        return reading->config->file ? 0 : 2;
    }
    reading->config->given[i] = 1;
    wants = setting_put(&settings[i], reading->config, text ? text : "yes");
    if (wants == NULL)
        return 0;
    fprintf(stderr, "neapd: --%s %s: wants %s\n", settings[i].name, text, wants);
    return 2;
}

static int flags_read(int argc, const char **argv, struct reading *reading, int *ret_quit)
{
    struct poptOption table[SETTINGS + 4];
    poptContext context;
    int value = -1, code = 0;

    memset(table, 0, sizeof(table));
    for (unsigned i = 0; i < SETTINGS; i++)
        table[i] = (struct poptOption){.longName = settings[i].name,
                                       .argInfo = settings[i].kind == SWITCH ? POPT_ARG_NONE
                                                                             : POPT_ARG_STRING,
                                       .val = (int)i + 1,
                                       .descrip = settings[i].help,
                                       .argDescrip = settings[i].shape};
    table[SETTINGS] =
        (struct poptOption){"config", 'c',         POPT_ARG_STRING,
                            NULL,     FLAG_CONFIG, "file with the same settings, `key = value`",
                            "FILE"};
    table[SETTINGS + 1] =
        (struct poptOption){"version", 'V', POPT_ARG_NONE, NULL, FLAG_VERSION, "print it", NULL};
    table[SETTINGS + 2] =
        (struct poptOption){NULL, 0, POPT_ARG_INCLUDE_TABLE, poptHelpOptions, 0, "Help:", NULL};
    context = poptGetContext("neapd", argc, argv, table, 0);
    while (code == 0 && !*ret_quit && (value = poptGetNextOpt(context)) > 0) {
        char *text = poptGetOptArg(context);

        code = flag_take(reading, value, text, ret_quit);
        free(text);
    }
    if (code == 0 && !*ret_quit && value < -1) {
        fprintf(stderr, "neapd: %s: %s\n", poptBadOption(context, 0), poptStrerror(value));
        code = 2;
    }
    if (code == 0 && !*ret_quit && poptPeekArg(context)) {
        fprintf(stderr, "neapd: `%s` is not a flag: see `neapd --help`\n", poptPeekArg(context));
        code = 2;
    }
    poptFreeContext(context);
    return code;
}

/* What is not given, where 0 would say something. */
static void config_init(struct config *config)
{
    config->log_level = LOG_INFO;
    config->scrub_s = config->scrub_max = UINT64_MAX;
}

int config_read(int argc, const char **argv, struct config *ret_config, int *ret_quit)
{
    struct reading reading = {.config = ret_config};
    int code;

    memset(ret_config, 0, sizeof(*ret_config));
    config_init(ret_config);
    *ret_quit = 0;
    code = flags_read(argc, argv, &reading, ret_quit);
    if (code == 0 && !*ret_quit && ret_config->file)
        code = file_read(&reading);
    if (code == 0 && !*ret_quit && ret_config->path == NULL) {
        fprintf(stderr, "neapd: where is the data? Give --path DIR (and --create for a new one), "
                        "or --config FILE\n");
        code = 2;
    }
    return code;
}

static int setting_same(const struct setting *setting, const struct config *a,
                        const struct config *b)
{
    const void *x = (const char *)a + setting->offset, *y = (const char *)b + setting->offset;
    const char *text, *other;

    switch (setting->kind) {
    case TEXT:
    case LIST:
        text = *(char *const *)x;
        other = *(char *const *)y;
        return text && other ? strcmp(text, other) == 0 : text == other;
    case NUMBER:
    case MODE:
    case SIZE:
        return *(const uint64_t *)x == *(const uint64_t *)y;
    case SWITCH:
        return *(const int *)x == *(const int *)y;
    case LEVEL:
        break;
    }
    return 1;
}

/* Everything is read and checked, so that a mistake shows now and not at the next start. */
int config_reload(struct config *config, const char **ret_changed)
{
    struct config fresh = {0};
    struct reading reading = {.config = &fresh};
    int code;

    *ret_changed = NULL;
    if (config->file == NULL)
        return 0;
    config_init(&fresh);
    memcpy(fresh.given, config->given, sizeof(fresh.given));
    fresh.file = config->file;
    code = file_read(&reading);
    fresh.file = NULL;
    if (code == 0) {
        for (unsigned i = 0; i < SETTINGS; i++)
            if (!config->given[i] && !setting_same(&settings[i], config, &fresh))
                *ret_changed = settings[i].name;
        if (!config->given[SETTING_LEVEL])
            config->log_level = fresh.log_level;
    }
    config_done(&fresh);
    return code;
}

static unsigned clamped(uint64_t number)
{
    return number > UINT32_MAX ? UINT32_MAX : (unsigned)number;
}

void config_options(const struct config *config, struct neap_options *ret_options)
{
    neap_options_init(ret_options);
    ret_options->path = config->path;
    ret_options->cluster = config->cluster;
    ret_options->listen = config->listen;
    ret_options->peers = config->peers;
    ret_options->advertise = config->advertise;
    ret_options->name = config->name;
    ret_options->zone = config->zone;
    ret_options->weight = clamped(config->weight);
    ret_options->retire_after_s = config->retire_after_s;
    ret_options->socket = config->socket;
    ret_options->socket_mode = (unsigned)config->socket_mode;
    ret_options->socket_users = config->socket_users;
    if (config->memory_max)
        ret_options->memory_max = (size_t)config->memory_max;
    if (config->sync_ms)
        ret_options->sync_ms = clamped(config->sync_ms);
    if (config->log_max)
        ret_options->log_max = config->log_max;
    ret_options->bulk_max = config->bulk_max;
    ret_options->subscribe = config->subscribe;
    if (config->scrub_s != UINT64_MAX)
        ret_options->scrub_s = clamped(config->scrub_s);
    if (config->scrub_max != UINT64_MAX)
        ret_options->scrub_max = clamped(config->scrub_max);
    ret_options->flags = (config->create ? (unsigned)NEAP_CREATE : 0) |
                         (config->nosync ? (unsigned)NEAP_NOSYNC : 0) |
                         (config->readonly ? (unsigned)NEAP_READONLY : 0);
}

void config_done(struct config *config)
{
    free(config->file);
    free(config->path);
    free(config->cluster);
    free(config->listen);
    free(config->peers);
    free(config->subscribe);
    free(config->advertise);
    free(config->name);
    free(config->zone);
    free(config->socket);
    free(config->socket_users);
    free(config->metrics);
}
