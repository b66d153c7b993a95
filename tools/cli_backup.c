/* Backups: made by a node, checked and restored without one. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli.h"

/* The node has another working directory: from / on. free() it; NULL after it said why. */
static char *path_whole(const char *path)
{
    size_t size;
    char *here, *whole = NULL;

    if (path[0] == '/')
        return strdup(path);
    here = getcwd(NULL, 0);
    if (here) {
        size = strlen(here) + strlen(path) + 2;
        whole = malloc(size);
        if (whole)
            snprintf(whole, size, "%s%s%s", here, strcmp(here, "/") ? "/" : "", path);
    }
    free(here);
    if (whole == NULL)
        fprintf(stderr, "neap: where is %s? %s\n", path, strerror(errno));
    return whole;
}

static void print_sizes(const json_t *json)
{
    time_t made = (time_t)(number_of(json, "made") / 1000);
    char text[32] = "at an unknown time";
    struct tm moment;

    if (gmtime_r(&made, &moment))
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &moment);
    printf("%" JSON_INTEGER_FORMAT " files, %" JSON_INTEGER_FORMAT " bytes, of node %s, made %s\n",
           number_of(json, "files"), number_of(json, "bytes"),
           json_string_value(json_object_get(json, "node")), text);
}

static void print_damage(const json_t *json)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(json, "damaged"), i, item)
        printf("%-10s %s\n", json_string_value(json_object_get(item, "problem")),
               json_string_value(json_object_get(item, "file")));
    if (number_of(json, "left_off"))
        printf("and %" JSON_INTEGER_FORMAT " more\n", number_of(json, "left_off"));
}

/* Takes the buffer. */
static void print_document(const struct cli *cli, struct neap_buffer *text, const char *done)
{
    json_t *json = text->size ? json_loadb(text->data, text->size, 0, NULL) : NULL;

    if (json && cli->json) {
        print_json(json);
    } else if (json) {
        print_damage(json);
        if (done) {
            printf("%s: ", done);
            print_sizes(json);
        }
    }
    json_decref(json);
    neap_buffer_free(text);
}

static int backup_verify(struct cli *cli, const char *directory)
{
    struct neap_buffer text = {0};
    int code;

    if (cli->node || cli->directory) {
        fprintf(stderr, "neap: %s means nothing to backup verify\n",
                cli->node ? "--node" : "--dir");
        return EXIT_USAGE;
    }
    code = neap_backup_verify(directory, &text, &cli->error);
    print_document(cli, &text, code ? NULL : "whole");
    return code ? cli_fail(cli, code, "backup verify") : EXIT_FINE;
}

int command_backup(struct cli *cli)
{
    int is_verify = strcmp(cli->argv[0], "verify") == 0, result, code;
    struct neap_buffer text = {0};
    char *directory;

    if (is_verify && cli->argc == 2)
        return backup_verify(cli, cli->argv[1]);
    if (is_verify || cli->argc == 2) {
        fprintf(stderr, "usage: neap backup DIRECTORY, or neap backup verify DIRECTORY\n");
        return EXIT_USAGE;
    }
    result = cli_node(cli);
    if (result)
        return result;
    directory = path_whole(cli->argv[0]);
    if (directory == NULL)
        return EXIT_DIFFERS;
    code = neap_backup(cli->neap, directory, &text, &cli->call);
    free(directory);
    print_document(cli, &text, code ? NULL : "made");
    return code ? cli_fail(cli, code, "backup") : EXIT_FINE;
}

int command_restore(struct cli *cli)
{
    struct neap_buffer text = {0};
    int code = neap_restore(cli->argv[0], cli->argv[1], &text, &cli->error);

    print_document(cli, &text, code ? NULL : "restored");
    return code ? cli_fail(cli, code, "restore") : EXIT_FINE;
}
