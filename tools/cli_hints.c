/* hints, log why: what peers lack, and whom the log is kept for. */
#include <string.h>

#include "tools/cli.h"

static void print_moment(const char *what, const json_t *json, const char *name)
{
    if (!json_is_integer(json_object_get(json, name)))
        return;
    printf("%s", what);
    print_time(number_of(json, name));
}

static const char *peer_of(const json_t *json)
{
    return json_is_string(json_object_get(json, "peer")) ? text_of(json, "peer")
                                                         : text_of(json, "node");
}

static void print_hint(const json_t *hint)
{
    printf("%-24s %-36s %-8s %10" JSON_INTEGER_FORMAT "  %s%" JSON_INTEGER_FORMAT,
           text_of(hint, "bucket"), peer_of(hint), text_of(hint, "way"), number_of(hint, "events"),
           json_is_true(json_object_get(hint, "exact")) ? "" : "about ", number_of(hint, "bytes"));
    print_moment("  since ", hint, "since_ms");
    print_moment("  oldest write ", hint, "oldest_write_ms");
    if (!json_is_true(json_object_get(hint, "connected")))
        printf("  away");
    printf("\n");
    if (strcmp(text_of(hint, "way"), "log") == 0)
        return;
    printf("    %s", text_of(hint, "text"));
    if (number_of(hint, "cut"))
        printf(": %" JSON_INTEGER_FORMAT " events were cut", number_of(hint, "cut"));
    printf("\n");
}

/* Somebody away lacks something, or does not get all of it from the log: exit 1. */
int command_hints(struct cli *cli)
{
    const char *const words[] = {"hints", cli->argc ? cli->argv[0] : NULL};
    const json_t *hints, *item;
    int result;
    size_t i;
    json_t *json = cli_ask(cli, cli->argc ? 2 : 1, words, &result);

    if (json == NULL)
        return result;
    hints = json_object_get(json, "hints");
    if (cli->json)
        print_json(json);
    else if (json_array_size(hints))
        printf("%-24s %-36s %-8s %10s  %s\n", "bucket", "peer", "way", "events", "bytes");
    json_array_foreach(hints, i, item)
    {
        if (!cli->json)
            print_hint(item);
        if (!json_is_true(json_object_get(item, "connected")) ||
            strcmp(text_of(item, "way"), "log") != 0)
            result = EXIT_DIFFERS;
    }
    json_decref(json);
    return result;
}

static void print_holder(const json_t *holder)
{
    printf("    %s: has not got %" JSON_INTEGER_FORMAT " of them", peer_of(holder),
           number_of(holder, "events"));
    if (number_of(holder, "alone"))
        printf(" (%" JSON_INTEGER_FORMAT " are kept for it alone)", number_of(holder, "alone"));
    print_moment(", since ", holder, "since_ms");
    print_moment(", last heard ", holder, "heard_ms");
    printf(": %s\n        to do: %s\n", text_of(holder, "why"), text_of(holder, "todo"));
}

/* Somebody who is away holds a log back: exit 1. */
int command_log(struct cli *cli)
{
    const char *const words[] = {"log", cli->argv[0], cli->argc > 1 ? cli->argv[1] : NULL};
    const json_t *item, *holder;
    int result;
    size_t i, at;
    json_t *json = cli_ask(cli, cli->argc + 1, words, &result);

    if (json == NULL)
        return result;
    if (cli->json)
        print_json(json);
    json_array_foreach(json_object_get(json, "buckets"), i, item)
    {
        if (!cli->json)
            printf("%s: %" JSON_INTEGER_FORMAT " events in the log, of %" JSON_INTEGER_FORMAT
                   " at most: %s\n",
                   text_of(item, "bucket"), number_of(item, "log"), number_of(item, "log_max"),
                   text_of(item, "why"));
        json_array_foreach(json_object_get(item, "held_by"), at, holder)
        {
            if (!cli->json)
                print_holder(holder);
            if (!json_is_true(json_object_get(holder, "connected")))
                result = EXIT_DIFFERS;
        }
    }
    json_decref(json);
    return result;
}
