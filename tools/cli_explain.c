/* explain, and diff of one object: why it is as it is, and who has it otherwise. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

/* A string, {"hex": ...}, a number, a list of them; nothing for null. */
static void print_json_value(const json_t *value)
{
    struct neap_bytes bytes;
    const json_t *item;
    size_t i;

    if (json_is_array(value)) {
        json_array_foreach(value, i, item)
        {
            if (i)
                printf(", ");
            print_json_value(item);
        }
    } else if (json_take_bytes(value, &bytes) == 0) {
        putchar('"');
        print_bytes(stdout, bytes);
        putchar('"');
        free((void *)(uintptr_t)bytes.data);
    } else if (value && !json_is_null(value)) {
        json_dumpf(value, stdout, JSON_ENCODE_ANY);
    }
}

static void print_dot_name(const json_t *dot)
{
    printf("%.8s:%" JSON_INTEGER_FORMAT, text_of(dot, "replica"),
           json_integer_value(json_object_get(dot, "n")));
}

static void print_dot(const json_t *dot)
{
    const char *by = json_string_value(json_object_get(dot, "by"));

    printf("    event ");
    print_dot_name(dot);
    printf("  by %s", by ? by : "a replica id that nobody here has now");
    if (json_is_integer(json_object_get(dot, "wall_ms"))) {
        printf("  ");
        print_time(number_of(dot, "wall_ms"));
    }
    printf("  ");
    print_json_value(json_object_get(dot, "value"));
    if (json_object_get(dot, "size"))
        printf("... (%" JSON_INTEGER_FORMAT " bytes)",
               json_integer_value(json_object_get(dot, "size")));
    putchar('\n');
}

void print_dot_names(const char *what, const json_t *dots)
{
    const json_t *dot;
    size_t i;

    if (json_array_size(dots))
        printf(", %s", what);
    json_array_foreach(dots, i, dot)
    {
        putchar(' ');
        print_dot_name(dot);
        printf(" (");
        print_json_value(json_object_get(dot, "value"));
        putchar(')');
    }
}

static const char *address_of(const json_t *peer, const char *name)
{
    const char *address = json_string_value(json_object_get(peer, name));

    return address && *address ? address : text_of(peer, "node");
}

static void print_cell(const json_t *cell)
{
    const json_t *item, *element = json_object_get(cell, "element");
    size_t i;

    printf("\n%s", text_of(cell, "type"));
    json_array_foreach(json_object_get(cell, "fields"), i, item)
    {
        printf(i ? "/" : " ");
        print_json_value(item);
    }
    if (element) {
        printf(" element ");
        print_json_value(element);
    }
    if (!json_is_null(json_object_get(cell, "value"))) {
        printf(": ");
        print_json_value(json_object_get(cell, "value"));
    }
    printf("\n    %s\n", text_of(cell, "why"));
    json_array_foreach(json_object_get(cell, "dots"), i, item) print_dot(item);
    json_array_foreach(json_object_get(cell, "peers"), i, item)
    {
        printf("    %-32s %s", address_of(item, "peer"), text_of(item, "text"));
        print_dot_names("lacks", json_object_get(item, "lacks"));
        print_dot_names("has", json_object_get(item, "has"));
        putchar('\n');
    }
}

static void print_peer(const json_t *peer)
{
    const json_t *behind = json_object_get(peer, "behind"), *ahead = json_object_get(peer, "ahead");

    printf("%-36s ", address_of(peer, "address"));
    if (json_is_integer(behind))
        printf("%8" JSON_INTEGER_FORMAT " %8" JSON_INTEGER_FORMAT, json_integer_value(behind),
               json_integer_value(ahead));
    else
        printf("%8s %8s", "?", "?");
    printf("  %s\n",
           json_is_true(json_object_get(peer, "answered")) ? "answered" : text_of(peer, "why"));
}

static void print_all(const json_t *json)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(json, "cells"), i, item) print_cell(item);
    if (json_array_size(json_object_get(json, "peers")))
        printf("\n%-36s %8s %8s  (events of the bucket that it has not seen; that it has and this "
               "node not)\n",
               "peer", "behind", "ahead");
    json_array_foreach(json_object_get(json, "peers"), i, item) print_peer(item);
    if (json_is_true(json_object_get(json, "more")))
        printf("\nthere is more: name the type and a field (--type, --field)\n");
}

/* BUCKET KEY, --type, --field as words of the node. */
static json_t *ask_words(struct cli *cli, const char *verb, int *ret_exit)
{
    const char *words[4 + FIELDS_MAX] = {verb, cli->argv[0], cli->argv[1], type_name(cli->type)};
    int count = 4;

    for (size_t i = 0; i < cli->fields_count; i++)
        words[count++] = cli->fields[i].data; /* of the command line: with its zero */
    return cli_ask(cli, count, words, ret_exit);
}

int explain_object(struct cli *cli, const char *verb)
{
    int result;
    json_t *json = ask_words(cli, verb, &result);

    if (json == NULL)
        return result;
    if (cli->json) {
        print_json(json);
    } else {
        if (strcmp(verb, "diff") == 0 && json_array_size(json_object_get(json, "cells")) == 0)
            printf("the same at all that have answered\n");
        print_all(json);
    }
    if (json_integer_value(json_object_get(json, "damaged")))
        result = EXIT_DIFFERS;
    if (strcmp(verb, "diff") == 0) {
        if (json_integer_value(json_object_get(json, "differing")))
            result = EXIT_DIFFERS;
        else if (json_integer_value(json_object_get(json, "silent")))
            result = EXIT_UNREACHABLE;
    }
    json_decref(json);
    return result;
}

int command_explain(struct cli *cli)
{
    return explain_object(cli, "explain");
}
