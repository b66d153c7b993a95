/* repair: an order, and what becomes of it. */
#include <string.h>
#include <unistd.h>

#include "tools/cli.h"

/* The tasks of what will begin, each once. */
static json_t *tasks_of(const json_t *orders)
{
    json_t *ids = json_array();
    const json_t *order;
    size_t i;

    json_array_foreach(orders, i, order)
    {
        size_t count = json_array_size(ids);
        const char *last = json_string_value(json_array_get(ids, count ? count - 1 : 0));

        if (strcmp(text_of(order, "order"), "ordered") == 0 &&
            (!last || strcmp(last, text_of(order, "task")) != 0))
            json_array_append_new(ids, json_string(text_of(order, "task")));
    }
    return ids;
}

static void print_orders(const json_t *orders)
{
    const json_t *order;
    size_t i;

    printf("%-28s %-36s %s\n", "task", "peer", "repair");
    json_array_foreach(orders, i, order)
        printf("%-28s %-36s %s\n", text_of(order, "task"), text_of(order, "peer"),
               text_of(order, "text"));
}

/* On a terminal, until all have ended. */
static int orders_follow(struct cli *cli, const json_t *orders)
{
    json_t *ids = tasks_of(orders);
    size_t count = 0;
    int result = 0;

    if (json_array_size(ids) && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO)) {
        fprintf(stderr, "it goes on without you, too: neap task follow|pause|cancel %s\n",
                json_string_value(json_array_get(ids, 0)));
        result = tasks_follow(cli, ids, &count);
    }
    json_decref(ids);
    return result;
}

/* A peer that can't be repaired with now: exit 3. */
static int orders_end(struct cli *cli, const json_t *orders)
{
    const json_t *order;
    int result = 0;
    size_t i;

    if (!cli->json) {
        print_orders(orders);
        fflush(stdout);
        result = orders_follow(cli, orders);
    }
    json_array_foreach(orders, i, order)
    {
        if (strcmp(text_of(order, "order"), "away") == 0)
            result = EXIT_UNREACHABLE;
    }
    return result;
}

int command_repair(struct cli *cli)
{
    const char *words[8] = {"repair", cli->argc ? cli->argv[0] : "-"};
    int count = 2, result;
    json_t *json;

    if (cli->dry_run && (cli->budget || cli->resume)) {
        fprintf(stderr, "neap: --budget and --resume mean nothing to repair --dry-run\n");
        return EXIT_USAGE;
    }
    if (cli->dry_run)
        return repair_foresee(cli);
    if (cli->from) {
        words[count++] = "from";
        words[count++] = cli->from;
    }
    if (cli->budget) {
        words[count++] = "budget";
        words[count++] = cli->budget;
    }
    if (cli->resume)
        words[count++] = "resume";
    json = cli_ask(cli, count, words, &result);
    if (json == NULL)
        return result;
    if (cli->json)
        print_json(json);
    result = orders_end(cli, json_object_get(json, "orders"));
    json_decref(json);
    return result;
}
