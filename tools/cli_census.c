/* big, siblings: what a pass over a bucket finds. */
#include <stdlib.h>

#include "tools/cli.h"

static json_t *census_ask(struct cli *cli, const char *verb, int *ret_exit)
{
    char limit[24];
    const char *const words[] = {verb, cli->argv[0], limit};

    snprintf(limit, sizeof(limit), "%llu", (unsigned long long)cli->limit);
    return cli_ask(cli, cli->limit ? 3 : 2, words, ret_exit);
}

/* A name as the node wrote it: a text, or {"hex": ...}. */
static void print_name(const json_t *json)
{
    struct neap_bytes bytes;

    if (json_take_bytes(json, &bytes) == 0) {
        print_bytes(stdout, bytes);
        free((void *)(uintptr_t)bytes.data);
    }
}

int command_big(struct cli *cli)
{
    const json_t *item;
    int result;
    size_t i;
    json_t *json = census_ask(cli, "big", &result);

    if (json == NULL)
        return result;
    if (cli->json)
        print_json(json);
    else
        printf("%12s %10s %10s  %-14s %s\n", "bytes", "cells", "dots", "type", "key");
    json_array_foreach(json_object_get(json, "objects"), i, item)
    {
        if (cli->json)
            break;
        printf("%12" JSON_INTEGER_FORMAT " %10" JSON_INTEGER_FORMAT " %10" JSON_INTEGER_FORMAT
               "  %-14s ",
               number_of(item, "bytes"), number_of(item, "cells"), number_of(item, "dots"),
               text_of(item, "type"));
        print_name(json_object_get(item, "key"));
        putchar('\n');
    }
    json_decref(json);
    return result;
}

/* Values that wait for somebody to choose: exit 1. */
int command_siblings(struct cli *cli)
{
    const json_t *item;
    int result;
    size_t i;
    json_t *json = census_ask(cli, "siblings", &result);

    if (json == NULL)
        return result;
    if (number_of(json, "cells"))
        result = EXIT_DIFFERS;
    if (cli->json)
        print_json(json);
    json_array_foreach(json_object_get(json, "objects"), i, item)
    {
        if (!cli->json)
            printf("%6" JSON_INTEGER_FORMAT "  %s\n", number_of(item, "siblings"),
                   text_of(item, "cell"));
    }
    if (!cli->json && json_is_true(json_object_get(json, "more")))
        printf("%" JSON_INTEGER_FORMAT " in all: --limit shows more\n", number_of(json, "cells"));
    json_decref(json);
    return result;
}
