/* task follow ID, and what shows a terminal how far long work is. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli.h"

enum { LINE_MAX_SIZE = 512, LOOK_MS = 200 };

struct following {
    struct cli *cli;
    char shown[LINE_MAX_SIZE]; /* last */
    int on_terminal;
};

static int is_one_of(const json_t *ids, const char *id)
{
    const json_t *each;
    size_t i;

    json_array_foreach(ids, i, each)
    {
        if (strcmp(json_string_value(each), id) == 0)
            return 1;
    }
    return 0;
}

/* In place on a terminal; else a line for each change. */
static void show(struct following *following, const json_t *task)
{
    char line[LINE_MAX_SIZE], *text = NULL;

    task_text(task, line, sizeof(line));
    if (following->on_terminal)
        fprintf(stderr, "\r%-100s", line);
    else if (strcmp(line, following->shown) != 0 && following->cli->json)
        printf("%s\n", text = json_dumps(task, JSON_COMPACT));
    else if (strcmp(line, following->shown) != 0)
        printf("%s\n", line);
    free(text);
    fflush(following->on_terminal ? stderr : stdout);
    memcpy(following->shown, line, sizeof(line));
}

/* How many there are; the first one is shown. -1: *ret_exit. */
static int look(struct following *following, const json_t *ids, int *ret_exit)
{
    const char *const words[] = {"tasks"};
    json_t *json = cli_ask(following->cli, 1, words, ret_exit);
    const json_t *task;
    int count = 0;
    size_t i;

    json_array_foreach(json_object_get(json, "tasks"), i, task)
    {
        if (!is_one_of(ids, text_of(task, "id")))
            continue;
        if (count++ == 0)
            show(following, task);
    }
    json_decref(json);
    return json ? count : -1;
}

int tasks_follow(struct cli *cli, const json_t *ids, size_t *ret_count)
{
    static const struct timespec wait = {.tv_nsec = LOOK_MS * 1000000L};
    struct following following = {.cli = cli, .on_terminal = !cli->json && isatty(STDERR_FILENO)};
    int result = 0, count = look(&following, ids, &result);

    *ret_count = count > 0 ? (size_t)count : 0;
    while (count > 0) {
        nanosleep(&wait, NULL);
        count = look(&following, ids, &result);
    }
    if (following.on_terminal && count == 0)
        fprintf(stderr, "\r%-100s\n", "it has ended");
    return result;
}
