/* history: what happened to the node, the newest first. */
#include <inttypes.h>

#include "tools/cli.h"

static void print_part(const char *before, const json_t *entry, const char *name)
{
    if (json_is_string(json_object_get(entry, name)))
        printf("%s%s", before, text_of(entry, name));
}

static void print_entry(const json_t *entry)
{
    json_int_t times = number_of(entry, "times"), cells = number_of(entry, "cells");

    print_time(number_of(entry, "began_ms"));
    printf("  %-10s", text_of(entry, "kind"));
    print_part("  ", entry, "bucket");
    print_part("  ", entry, "key");
    print_part("  with ", entry, "peer");
    if (cells)
        printf("  %" JSON_INTEGER_FORMAT " cells", cells);
    if (times > 1)
        printf("  %" JSON_INTEGER_FORMAT " times", times);
    print_part("  ", entry, "cause");
    printf("\n    ");
    if (json_is_integer(json_object_get(entry, "ended_ms"))) {
        print_time(number_of(entry, "ended_ms"));
        printf("  %s\n", text_of(entry, "end"));
    } else {
        printf("it lasts\n");
    }
}

int command_history(struct cli *cli)
{
    char count[24];
    const char *const words[] = {"history", count};
    const json_t *entries, *item;
    int result;
    size_t i;
    json_t *json;

    snprintf(count, sizeof(count), "%" PRIu64, cli->limit);
    json = cli_ask(cli, cli->limit ? 2 : 1, words, &result);
    if (json == NULL)
        return result;
    entries = json_object_get(json, "entries");
    if (cli->json) {
        print_json(json);
    } else {
        json_array_foreach(entries, i, item) print_entry(item);
        if (number_of(json, "kept") > (json_int_t)json_array_size(entries))
            printf("%" JSON_INTEGER_FORMAT " older ones: --limit\n",
                   number_of(json, "kept") - (json_int_t)json_array_size(entries));
        if (number_of(json, "dropped"))
            printf("%" JSON_INTEGER_FORMAT " are gone: %" JSON_INTEGER_FORMAT
                   " are kept at most\n",
                   number_of(json, "dropped"), number_of(json, "kept_max"));
    }
    json_decref(json);
    return result;
}
