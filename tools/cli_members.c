/* Commands about the nodes of the cluster: peers, forget, retire. */
#include <string.h>

#include "tools/cli.h"

static const char *or_dash(const char *text)
{
    return text[0] ? text : "-";
}

static void print_heard(const json_t *peer)
{
    const json_t *ago = json_object_get(peer, "heard_ms_ago");

    if (json_is_integer(ago))
        printf("%9.1fs", (double)json_integer_value(ago) / 1000);
    else
        printf("%10s", "-");
}

static void print_row(const json_t *row)
{
    const json_t *address = json_array_get(json_object_get(row, "addresses"), 0);
    const char *node = text_of(row, "node");

    printf("%-16s %-14s %-12s %-32s ", or_dash(node), or_dash(text_of(row, "name")),
           or_dash(text_of(row, "zone")), address ? json_string_value(address) : "-");
}

static void print_peer(const json_t *peer)
{
    int connected = json_is_true(json_object_get(peer, "connected"));

    print_row(peer);
    printf("%-8s %-10s", text_of(peer, "state"),
           connected                                        ? "connected"
           : json_is_true(json_object_get(peer, "retired")) ? "retired"
                                                            : "away");
    print_heard(peer);
    printf(" %8" JSON_INTEGER_FORMAT "  %s\n", number_of(peer, "behind"),
           text_of(peer, "last_error"));
}

int command_peers(struct cli *cli)
{
    const char *const words[] = {"peers"};
    json_t *row;
    size_t i;
    int result, away = 0;
    json_t *json = cli_ask(cli, 1, words, &result);

    if (json == NULL)
        return result;
    json_array_foreach(json_object_get(json, "peers"), i, row) away |=
        !json_is_true(json_object_get(row, "connected"));
    if (cli->json) {
        print_json(json);
        json_decref(json);
        return away ? EXIT_DIFFERS : EXIT_FINE;
    }
    printf("%-16s %-14s %-12s %-32s %-8s %-10s%10s %8s  %s\n", "node", "name", "zone", "address",
           "state", "link", "heard", "behind", "last error");
    print_row(json_object_get(json, "self"));
    printf("%-8s %s\n", "alive", "this node");
    json_array_foreach(json_object_get(json, "peers"), i, row) print_peer(row);
    json_array_foreach(json_object_get(json, "forgotten"), i, row)
    {
        print_row(row);
        printf("forgotten\n");
    }
    if (number_of(json, "left_out"))
        printf("\nLEFT OUT: %" JSON_INTEGER_FORMAT
               " records: more nodes than there may be, or none\n",
               number_of(json, "left_out"));
    json_decref(json);
    return away ? EXIT_DIFFERS : EXIT_FINE;
}

static int command_on(struct cli *cli, const char *verb, const char *done)
{
    const char *const words[] = {verb, cli->argv[0]};
    int result;
    json_t *json = cli_ask(cli, 2, words, &result);

    if (json && cli->json)
        print_json(json);
    else if (json)
        printf("%s %s\n", done, text_of(json, done));
    json_decref(json);
    return result;
}

int command_forget(struct cli *cli)
{
    int result = cli_sure(cli, "forget", "it is never let in again under that id");

    if (result)
        return result;
    return command_on(cli, "forget", "forgotten");
}

int command_retire(struct cli *cli)
{
    return command_on(cli, "retire", "retired");
}
