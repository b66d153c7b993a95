/* bundle: buckets by a file, from one node to another. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

enum { WORDS_MAX = 64 };

/* As seen from /, since it is the node that has the file. 0, or an exit code after saying why. */
static int file_named(const char *name, char ret_path[PATH_MAX])
{
    char folder[PATH_MAX];
    int size;

    if (name[0] == '/') {
        size = snprintf(ret_path, PATH_MAX, "%s", name);
    } else if (realpath(".", folder) == NULL) {
        fprintf(stderr, "neap: bundle: the working directory has no name\n");
        return EXIT_USAGE;
    } else {
        size = snprintf(ret_path, PATH_MAX, "%s/%s", folder, name);
    }
    if (size < PATH_MAX)
        return 0;
    fprintf(stderr, "neap: bundle: the name of the file is too long\n");
    return EXIT_USAGE;
}

static void print_bundle(const json_t *json)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(json, "buckets"), i, item)
        printf("%-24s %-4s %10" JSON_INTEGER_FORMAT " events %10" JSON_INTEGER_FORMAT " cells\n",
               text_of(item, "bucket"), text_of(item, "way"), number_of(item, "events"),
               number_of(item, "cells"));
    printf("token %s\n", text_of(json, "token"));
}

/* export FILE BUCKET... | apply FILE */
int command_bundle(struct cli *cli)
{
    const char *words[WORDS_MAX] = {"bundle", cli->argv[0]};
    char path[PATH_MAX];
    int count = 3, result, exports = strcmp(cli->argv[0], "export") == 0;
    json_t *json;

    if (exports ? cli->argc < 3 : cli->argc != 2 || strcmp(cli->argv[0], "apply") != 0) {
        fprintf(stderr, "usage: neap bundle export FILE BUCKET..., or neap bundle apply FILE\n");
        return EXIT_USAGE;
    }
    if (cli->since && !exports) {
        fprintf(stderr, "neap: --since means nothing to bundle apply\n");
        return EXIT_USAGE;
    }
    result = file_named(cli->argv[1], path);
    if (result)
        return result;
    words[2] = path;
    if (exports)
        words[count++] = cli->since ? cli->since : "-";
    for (int i = 2; i < cli->argc && count < WORDS_MAX; i++)
        words[count++] = cli->argv[i];
    json = cli_ask(cli, count, words, &result);
    if (json && cli->json)
        print_json(json);
    else if (json)
        print_bundle(json);
    json_decref(json);
    return result;
}
