/* tasks, task, scrub, repair, limit: long work, shown and ordered. */
#include <string.h>

#include "tools/cli.h"

/* In JSON as it is; else nothing, for the caller to go on. */
static int printed_as_json(const struct cli *cli, json_t *json)
{
    if (!cli->json)
        return 0;
    print_json(json);
    return 1;
}

static void print_task(const json_t *task)
{
    char done[80] = "-", since[32] = "-";
    json_int_t total = number_of(task, "total"), ms = number_of(task, "since_ms_ago");

    if (json_is_integer(json_object_get(task, "done")) && total)
        snprintf(done, sizeof(done),
                 "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " %s (%d%%)",
                 number_of(task, "done"), total, text_of(task, "unit"),
                 (int)(100 * (double)number_of(task, "done") / (double)total));
    else if (json_is_integer(json_object_get(task, "done")))
        snprintf(done, sizeof(done), "%" JSON_INTEGER_FORMAT " %s", number_of(task, "done"),
                 text_of(task, "unit"));
    else if (number_of(task, "bytes"))
        snprintf(done, sizeof(done), "%" JSON_INTEGER_FORMAT " bytes", number_of(task, "bytes"));
    if (json_is_integer(json_object_get(task, "since_ms_ago")))
        snprintf(since, sizeof(since), "%" JSON_INTEGER_FORMAT ".%" JSON_INTEGER_FORMAT " s",
                 ms / 1000, ms / 100 % 10);
    printf("%-28s %-8s %10s  %-36s %s\n", text_of(task, "id"), text_of(task, "state"), since, done,
           text_of(task, "peer"));
}

int command_tasks(struct cli *cli)
{
    const char *const words[] = {"tasks"};
    const json_t *item, *tasks;
    int result;
    size_t i;
    json_t *json = cli_ask(cli, 1, words, &result);

    if (json == NULL)
        return result;
    tasks = json_object_get(json, "tasks");
    if (!printed_as_json(cli, json)) {
        if (json_array_size(tasks))
            printf("%-28s %-8s %10s  %-36s %s\n", "task", "state", "since", "done", "peer");
        json_array_foreach(tasks, i, item) print_task(item);
    }
    json_decref(json);
    return result;
}

int command_task(struct cli *cli)
{
    const char *const words[] = {"task", cli->argv[0], cli->argv[1]};
    int result;
    json_t *json = cli_ask(cli, 3, words, &result);

    if (json)
        (void)printed_as_json(cli, json);
    json_decref(json);
    return result;
}

int command_scrub(struct cli *cli)
{
    const char *const words[] = {"scrub", cli->argc ? cli->argv[0] : NULL};
    int result;
    json_t *json = cli_ask(cli, cli->argc ? 2 : 1, words, &result);

    if (json && !printed_as_json(cli, json))
        printf("begun: see `neap tasks`, and `neap status` for what it finds\n");
    json_decref(json);
    return result;
}

/* A peer that can't be repaired with now: exit 3. */
int command_repair(struct cli *cli)
{
    const char *const words[] = {"repair", cli->argc ? cli->argv[0] : NULL};
    const json_t *item;
    int result;
    size_t i;
    json_t *json = NULL;

    if (cli->dry_run)
        return repair_foresee(cli);
    json = cli_ask(cli, cli->argc ? 2 : 1, words, &result);

    if (json == NULL)
        return result;
    if (!printed_as_json(cli, json)) {
        printf("%-24s %-36s %s\n", "bucket", "peer", "repair");
        json_array_foreach(json_object_get(json, "orders"), i, item)
            printf("%-24s %-36s %s\n", text_of(item, "bucket"), text_of(item, "peer"),
                   text_of(item, "text"));
    }
    json_array_foreach(json_object_get(json, "orders"), i, item)
    {
        if (strcmp(text_of(item, "order"), "away") == 0)
            result = EXIT_UNREACHABLE;
    }
    json_decref(json);
    return result;
}

int command_limit(struct cli *cli)
{
    const char *const words[] = {"limit", cli->argc ? cli->argv[0] : NULL,
                                 cli->argc > 1 ? cli->argv[1] : NULL};
    int result;
    json_t *json = cli_ask(cli, cli->argc + 1, words, &result);

    if (json && !printed_as_json(cli, json)) {
        printf("bulk_max   %" JSON_INTEGER_FORMAT " bytes a second%s\n",
               number_of(json, "bulk_max"), number_of(json, "bulk_max") ? "" : ": any");
        printf("scrub_max  %" JSON_INTEGER_FORMAT " cells a second\n",
               number_of(json, "scrub_max"));
    }
    json_decref(json);
    return result;
}
