/* tasks, task, scrub: long work, shown and ordered. */
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

void task_text(const json_t *task, char *ret_text, size_t size)
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
    snprintf(ret_text, size, "%-28s %-8s %10s  %-36s %s", text_of(task, "id"),
             text_of(task, "state"), since, done, text_of(task, "peer"));
}

int command_tasks(struct cli *cli)
{
    const char *const words[] = {"tasks"};
    const json_t *item, *tasks;
    char line[1024];
    int result;
    size_t i;
    json_t *json = cli_ask(cli, 1, words, &result);

    if (json == NULL)
        return result;
    tasks = json_object_get(json, "tasks");
    if (!printed_as_json(cli, json)) {
        if (json_array_size(tasks))
            printf("%-28s %-8s %10s  %-36s %s\n", "task", "state", "since", "done", "peer");
        json_array_foreach(tasks, i, item)
        {
            task_text(item, line, sizeof(line));
            printf("%s\n", line);
        }
    }
    json_decref(json);
    return result;
}

/* Until it is there no more, whatever became of it. */
static int task_follow(struct cli *cli)
{
    json_t *ids = json_pack("[s]", cli->argv[1]);
    size_t count;
    int result = tasks_follow(cli, ids, &count);

    json_decref(ids);
    if (result || count)
        return result;
    snprintf(cli->error.text, sizeof(cli->error.text), "nothing of the name %.200s: see tasks",
             cli->argv[1]);
    return cli_fail(cli, NEAP_NOTFOUND, "task follow");
}

int command_task(struct cli *cli)
{
    const char *const words[] = {"task", cli->argv[0], cli->argv[1]};
    int result;
    json_t *json;

    if (strcmp(cli->argv[0], "follow") == 0)
        return task_follow(cli);
    json = cli_ask(cli, 3, words, &result);

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
