/* Commands that list: keys of a bucket, items of an object. */
#include <string.h>

#include "tools/cli.h"

static void print_item(struct cli *cli, const struct neap_item *item)
{
    unsigned holds = neap_type_holds(item->type);
    int in_set = neap_type_holds(cli->type) & NEAP_HOLDS_ELEMENTS;
    int has_value = !(holds & NEAP_HOLDS_SWITCH) && (in_set || !(holds & NEAP_HOLDS_ELEMENTS));
    json_t *value = has_value ? item_json(item) : NULL;

    if (cli->json) {
        json_t *json =
            json_pack("{s:o, s:s}", "name", json_bytes(item->name), "type", type_name(item->type));

        if (value)
            json_object_set(json, "value", value);
        json_dumpf(json, stdout, JSON_COMPACT);
        json_decref(json);
    } else {
        print_bytes(stdout, item->name);
        printf("\t%s", type_name(item->type));
        if (value && json_is_integer(value)) {
            printf("\t%lld", (long long)item->number);
        } else if (value) {
            putchar('\t');
            print_bytes(stdout, item->value);
        }
    }
    json_decref(value);
    putchar('\n');
}

static int list(struct cli *cli, struct neap_iter *iter, const char *doing)
{
    struct neap_item item;
    uint64_t count = 0;
    int code = 0;

    while ((cli->limit == 0 || count < cli->limit) && (code = neap_next(iter, &item, 0)) == 0) {
        print_item(cli, &item);
        count++;
    }
    neap_iter_free(iter);
    return code && code != NEAP_END ? cli_fail(cli, code, doing) : 0;
}

int command_keys(struct cli *cli)
{
    struct neap_iter *iter;
    struct neap_bytes from = cli->from ? bytes_of(cli->from) : (struct neap_bytes){0};
    int code = neap_keys(cli->neap, cli->argv[0], from, &cli->call, &iter);

    return code ? cli_fail(cli, code, "keys") : list(cli, iter, "keys");
}

int command_items(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    struct neap_bytes from = cli->from ? bytes_of(cli->from) : (struct neap_bytes){0};
    enum neap_type type = cli->type ? cli->type : NEAP_MAP;
    struct neap_iter *iter;
    int code;

    if (!(neap_type_holds(type) & (NEAP_HOLDS_ELEMENTS | NEAP_HOLDS_FIELDS))) {
        fprintf(stderr, "neap: items: --type is that of a map or set, not %s\n", type_name(type));
        return EXIT_USAGE;
    }
    cli->type = type;
    code = neap_items(cli->neap, &at, type, from, &cli->call, &iter);
    return code ? cli_fail(cli, code, "items") : list(cli, iter, "items");
}
