/* settings, set: what can be changed while the node runs. */
#include "tools/cli.h"

static void print_setting(const json_t *setting)
{
    char value[24] = "-";
    json_int_t number = number_of(setting, "value"), start = number_of(setting, "at_start");

    if (json_is_integer(json_object_get(setting, "value")))
        snprintf(value, sizeof(value), "%" JSON_INTEGER_FORMAT, number);
    printf("%-15s %20s %-8s %s", text_of(setting, "name"), value, text_of(setting, "unit"),
           text_of(setting, "help"));
    if (number != start)
        printf("; %" JSON_INTEGER_FORMAT " at the start", start);
    printf("\n");
}

static int settings_print(struct cli *cli, int argc, const char *const words[])
{
    const json_t *item;
    int result;
    size_t i;
    json_t *json = cli_ask(cli, argc, words, &result);

    if (json == NULL)
        return result;
    if (cli->json)
        print_json(json);
    json_array_foreach(json_object_get(json, "settings"), i, item)
    {
        if (!cli->json)
            print_setting(item);
    }
    json_decref(json);
    return result;
}

int command_settings(struct cli *cli)
{
    const char *const words[] = {"settings", cli->argc ? cli->argv[0] : NULL};

    return settings_print(cli, cli->argc + 1, words);
}

int command_set(struct cli *cli)
{
    const char *const words[] = {"set", cli->argv[0], cli->argv[1]};

    return settings_print(cli, 3, words);
}
