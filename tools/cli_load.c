/* import and export: JSON lines, one a cell; and dpkg's status file, as real input. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/cli.h"

enum { LOAD_BATCH = 500 };

/* A batch is done at one node, and who holds a slot of a ring seldom holds them all. */
static uint64_t batch_size(const char *bucket)
{
    return strchr(bucket, '@') ? 1 : LOAD_BATCH;
}

/* Edits on their way into one batch after another. */
struct load {
    struct neap *neap;
    struct neap_batch *batch;
    struct neap_call call;
    uint64_t queued, batch_size, done;
    uint64_t expired; /* lines of what is gone by now */
    const char *what;
};

/* `error` may be NULL. */
static int load_start(struct load *load, struct neap *neap, const char *bucket, const char *what,
                      struct neap_error *error)
{
    *load = (struct load){.neap = neap, .batch_size = batch_size(bucket), .what = what};
    load->call = (struct neap_call){.size = sizeof(load->call), .ret_error = error};
    return neap_batch_new(neap, &load->batch);
}

static int load_flush(struct load *load, int last)
{
    const struct neap_call call = {.size = sizeof(call), .ret_error = load->call.ret_error};
    int code = load->queued ? neap_batch_commit(load->batch, &call) : 0;

    load->done += code ? 0 : load->queued;
    load->queued = 0;
    progress(load->what, load->done, last);
    return code;
}

/* `code` is of a call that was to queue one edit. */
static int load_queued(struct load *load, int code)
{
    if (code == 0 && ++load->queued >= load->batch_size)
        code = load_flush(load, 0);
    return code;
}

static const struct neap_call *load_call(struct load *load)
{
    load->call.batch = load->batch;
    return &load->call;
}

static int load_end(struct load *load, int code)
{
    if (code == 0)
        code = load_flush(load, 1);
    neap_batch_free(load->batch);
    return code;
}

/* --- dpkg: paragraphs of `Field: value` lines; a blank line ends one ------------------------- */

static int dpkg_set(struct load *load, const char *bucket, const char *package, const char *field,
                    char *value)
{
    struct neap_bytes step = bytes_of(field);
    struct neap_place at = {bucket, bytes_of(package), &step, 1};
    char *save, *item;
    int code = 0;

    for (item = strtok_r(value, ",|", &save); item && code == 0;
         item = strtok_r(NULL, ",|", &save)) {
        while (*item == ' ')
            item++;
        item[strcspn(item, " (:\n")] = 0;
        if (*item)
            code =
                load_queued(load, neap_set_add(load->neap, &at, bytes_of(item), load_call(load)));
    }
    return code;
}

static int dpkg_field(struct load *load, const char *bucket, const char *package, char *name,
                      char *value)
{
    static const char *const texts[][2] = {{"Version", "version"},
                                           {"Section", "section"},
                                           {"Architecture", "architecture"},
                                           {"Maintainer", "maintainer"},
                                           {"Description", "description"}};
    struct neap_bytes step;
    struct neap_place at = {bucket, bytes_of(package), &step, 1};

    if (strcmp(name, "Depends") == 0)
        return dpkg_set(load, bucket, package, "depends", value);
    if (strcmp(name, "Installed-Size") == 0) {
        step = bytes_of("size");
        return load_queued(
            load, neap_counter_add(load->neap, &at, strtoll(value, NULL, 10), load_call(load)));
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strcmp(name, texts[i][0]) == 0) {
            step = bytes_of(texts[i][1]);
            return load_queued(load,
                               neap_lww_set(load->neap, &at, bytes_of(value), load_call(load)));
        }
    return 0;
}

int load_dpkg(struct neap *neap, const char *bucket, FILE *file, uint64_t *ret_packages)
{
    char *line = NULL, package[NEAP_KEY_MAX] = "";
    size_t room = 0;
    uint64_t packages = 0;
    struct load load;
    ssize_t size;
    int code = load_start(&load, neap, bucket, "cells imported", NULL);

    while (code == 0 && (size = getline(&line, &room, file)) >= 0) {
        char *colon = strchr(line, ':'), *value;

        line[strcspn(line, "\n")] = 0;
        if (*line == 0)
            *package = 0;
        if (colon == NULL || *line == ' ')
            continue;
        *colon = 0;
        value = colon + 1 + strspn(colon + 1, " ");
        if (strcmp(line, "Package") == 0) {
            snprintf(package, sizeof(package), "%s", value);
            packages++;
        } else if (*package) {
            code = dpkg_field(&load, bucket, package, line, value);
        }
    }
    free(line);
    code = load_end(&load, code);
    if (code == 0)
        *ret_packages = packages;
    return code;
}

/* --- JSON lines: {"key": .., "fields": [..], "type": .., "value" | "element" | "number": ..,
 * ["expires": ..]} */

struct line {
    struct neap_bytes key, fields[FIELDS_MAX];
    size_t fields_count;
    enum neap_type type;
    struct neap_item item;
};

static void line_done(struct line *line)
{
    free((void *)(uintptr_t)line->key.data);
    item_free(&line->item);
    for (size_t i = 0; i < line->fields_count; i++)
        free((void *)(uintptr_t)line->fields[i].data);
}

/* NULL, or what is wrong with it. */
static const char *line_parse(const json_t *json, struct line *line)
{
    const json_t *fields = json_object_get(json, "fields"), *field;
    const char *type = json_string_value(json_object_get(json, "type"));
    size_t i;

    if (json_take_bytes(json_object_get(json, "key"), &line->key))
        return "`key` is missing or not a string";
    if (fields && !json_is_array(fields))
        return "`fields` are not at most 16 strings";
    json_array_foreach(fields, i, field)
    {
        if (i >= FIELDS_MAX || json_take_bytes(field, &line->fields[i]))
            return "`fields` are not at most 16 strings";
        line->fields_count = i + 1;
    }
    if (type == NULL || type_parse(type, &line->type))
        return "`type` is missing or unknown";
    return line_take(json, line->type, &line->item);
}

static uint64_t wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What has expired since it was exported stays away; other times to live go on as they were. */
static int line_load(struct load *load, const char *bucket, const struct line *line)
{
    struct neap_place at = {bucket, line->key, line->fields_count ? line->fields : NULL,
                            line->fields_count};
    uint64_t expires = line->item.expires_ms, now = expires ? wall_ms() : 0;

    if (expires && expires <= now) {
        load->expired++;
        return 0;
    }
    load->call.ttl_ms = expires - now;
    return load_queued(load, neap_put(load->neap, &at, line->type, &line->item, load_call(load)));
}

static int load_json(struct cli *cli, FILE *file)
{
    char *text = NULL;
    const char *wrong = NULL;
    size_t room = 0;
    uint64_t number = 0;
    struct load load;
    ssize_t size;
    int code = load_start(&load, cli->neap, cli->argv[0], "cells imported", &cli->error);
    char doing[64];

    while (code == 0 && wrong == NULL && (size = getline(&text, &room, file)) >= 0) {
        struct line line = {0};
        json_t *json =
            json_loadb(text, (size_t)size, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);

        number++;
        wrong = json ? line_parse(json, &line) : "not JSON";
        if (wrong == NULL)
            code = line_load(&load, cli->argv[0], &line);
        line_done(&line);
        json_decref(json);
    }
    free(text);
    code = load_end(&load, code);
    if (load.expired)
        fprintf(stderr, "neap: import: %llu had expired and are left out\n",
                (unsigned long long)load.expired);
    if (wrong) {
        fprintf(stderr, "neap: import: line %llu: %s; the lines before it are imported\n",
                (unsigned long long)number, wrong);
        return EXIT_USAGE;
    }
    snprintf(doing, sizeof(doing), "import: up to line %llu", (unsigned long long)number);
    return code ? cli_fail(cli, code, doing) : 0;
}

int command_import(struct cli *cli)
{
    const char *name = cli->argc > 1 ? cli->argv[1] : "-";
    FILE *file = strcmp(name, "-") ? fopen(name, "re") : stdin;
    uint64_t packages = 0;
    int result;

    if (file == NULL) {
        fprintf(stderr, "neap: import: cannot read %s: %s\n", name, strerror(errno));
        return EXIT_USAGE;
    }
    if (cli->dpkg) {
        int code = load_dpkg(cli->neap, cli->argv[0], file, &packages);

        result = code ? cli_fail(cli, code, "import") : 0;
        if (code == 0 && !ferror(file) && !cli->json)
            printf("%llu packages\n", (unsigned long long)packages);
    } else {
        result = load_json(cli, file);
    }
    if (result == 0 && ferror(file)) {
        fprintf(stderr, "neap: import: cannot read %s to its end\n", name);
        result = EXIT_USAGE;
    }
    if (file != stdin)
        fclose(file);
    return result;
}

/* --- export ------------------------------------------------------------------------------- */

struct dump {
    struct neap *neap;
    const struct neap_call *call;
    FILE *file;
    uint64_t lines;
    struct neap_bytes fields[FIELDS_MAX];
};

static void dump_line(struct dump *dump, const struct neap_place *at, const struct neap_item *item)
{
    json_t *json =
        json_pack("{s:o, s:s}", "key", json_bytes(at->key), "type", type_name(item->type));

    if (at->fields_count) {
        json_t *fields = json_array();

        for (size_t i = 0; i < at->fields_count; i++)
            json_array_append_new(fields, json_bytes(at->fields[i]));
        json_object_set_new(json, "fields", fields);
    }
    line_put(json, item);
    json_dumpf(json, dump->file, JSON_COMPACT | JSON_SORT_KEYS);
    fputc('\n', dump->file);
    json_decref(json);
    progress("cells exported", ++dump->lines, 0);
}

static int dump_object(struct dump *dump, const struct neap_place *at,
                       const struct neap_item *item);

/* The elements of a set, the siblings of a register, the fields of a map. */
static int dump_items(struct dump *dump, const struct neap_place *at, enum neap_type type)
{
    struct neap_iter *iter;
    struct neap_item item;
    int code = neap_values(dump->neap, at, type, dump->call, &iter);

    if (code)
        return code;
    while (code == 0 && (code = neap_next(iter, &item, 0)) == 0) {
        if (neap_type_holds(type) & NEAP_HOLDS_FIELDS)
            code = dump_object(dump, at, &item);
        else
            dump_line(dump, at, &item);
    }
    neap_iter_free(iter);
    return code == NEAP_END ? 0 : code;
}

/* `item` is a key (at->key is empty) or a field of the map at `at`. Depth is bounded by the store's
 * limit on paths. */
static int dump_object(struct dump *dump, const struct neap_place *at, const struct neap_item *item)
{
    struct neap_place place = *at;

    if (at->key.data == NULL) {
        place.key = item->name;
    } else {
        dump->fields[at->fields_count] = item->name;
        place.fields = dump->fields;
        place.fields_count++;
    }
    if (neap_type_holds(item->type) & (NEAP_HOLDS_VALUES | NEAP_HOLDS_ELEMENTS | NEAP_HOLDS_FIELDS))
        return dump_items(dump, &place, item->type);
    dump_line(dump, &place, item);
    return 0;
}

int dump_bucket(struct neap *neap, const char *bucket, const struct neap_call *call, FILE *file,
                uint64_t *ret_lines)
{
    struct dump dump = {.neap = neap, .call = call, .file = file};
    struct neap_place at = {.bucket = bucket};
    struct neap_iter *iter;
    struct neap_item item;
    int code = neap_keys(neap, bucket, (struct neap_bytes){0}, call, &iter);

    if (code)
        return code;
    while (code == 0 && (code = neap_next(iter, &item, 0)) == 0)
        code = dump_object(&dump, &at, &item);
    neap_iter_free(iter);
    progress("cells exported", dump.lines, 1);
    if (code != NEAP_END)
        return code;
    *ret_lines = dump.lines;
    return 0;
}

int command_export(struct cli *cli)
{
    uint64_t lines;
    int code = dump_bucket(cli->neap, cli->argv[0], &cli->call, stdout, &lines);

    if (code == 0 && (fflush(stdout) || ferror(stdout))) {
        fprintf(stderr, "neap: export: cannot write: %s\n", strerror(errno));
        return EXIT_DIFFERS;
    }
    return code ? cli_fail(cli, code, "export") : 0;
}
