/* watch: changes as JSON lines, with the positions behind them. */
#include <string.h>

#include "tools/cli.h"

enum { TOKEN_TEXT_MAX = 2 * (64 << 10) };

/* The position as a line of its own, so that whoever reads can go on after it. */
static int print_token(struct cli *cli, struct neap_watch *watch)
{
    struct neap_buffer token = {0};
    int code = neap_watch_token(watch, &token);

    if (code)
        return cli_fail(cli, code, "watch");
    printf("{\"token\":\"");
    for (size_t i = 0; i < token.size; i++)
        printf("%02x", ((const unsigned char *)token.data)[i]);
    printf("\"}\n");
    neap_buffer_free(&token);
    return 0;
}

static void print_change(const struct neap_change *change)
{
    json_t *json;

    if (change->kind == NEAP_ALL_BEGIN || change->kind == NEAP_ALL_END) {
        printf("{\"all\":\"%s\"}\n", change->kind == NEAP_ALL_BEGIN ? "begin" : "end");
        return;
    }
    json = json_pack("{s:o, s:s}", "key", json_bytes(change->at.key), "type",
                     type_name(change->item.type));
    if (change->at.fields_count) {
        json_t *fields = json_array();

        for (size_t i = 0; i < change->at.fields_count; i++)
            json_array_append_new(fields, json_bytes(change->at.fields[i]));
        json_object_set_new(json, "fields", fields);
    }
    if (change->kind == NEAP_CHANGED) {
        line_put(json, &change->item);
    } else {
        json_object_set_new(json, "gone", json_true());
        if (neap_type_holds(change->item.type) & NEAP_HOLDS_ELEMENTS)
            json_object_set_new(json, "element", json_bytes(change->item.name));
    }
    json_dumpf(json, stdout, JSON_COMPACT | JSON_SORT_KEYS);
    putchar('\n');
    json_decref(json);
}

/* Until so many have come, or none for so long; else for ever. */
static int watch_run(struct cli *cli, struct neap_watch *watch)
{
    struct neap_change change = {.size = sizeof(change)};
    uint64_t count = 0;
    int code = 0, quiet = 0;

    while (code == 0 && !(cli->limit && count >= cli->limit)) {
        code = neap_watch_next(watch, &change, quiet ? cli->call.timeout_ms : 1);
        if (code == 0) {
            print_change(&change);
            count += change.kind == NEAP_CHANGED || change.kind == NEAP_GONE;
            quiet = 0;
            continue;
        }
        if (code != NEAP_END)
            return cli_fail(cli, code, "watch");
        /* All that there was: the position is behind it. */
        code = 0;
        if (!quiet && print_token(cli, watch))
            return EXIT_DIFFERS;
        if (fflush(stdout))
            return EXIT_DIFFERS;
        if (quiet && cli->call.timeout_ms)
            return 0;
        quiet = 1;
    }
    return code ? code : print_token(cli, watch);
}

/* What is written from now on: after a token of what there is. */
static int token_now(struct cli *cli, struct neap_buffer *ret_token)
{
    struct neap_call call = cli->call;
    struct neap_iter *iter = NULL;
    int code;

    call.ret_token = ret_token;
    code = neap_keys(cli->neap, cli->argv[0], (struct neap_bytes){0}, &call, &iter);
    neap_iter_free(iter);
    return code;
}

int command_watch(struct cli *cli)
{
    struct neap_buffer token = {0};
    struct neap_bytes resume = {0};
    struct neap_call call = cli->call;
    struct neap_watch *watch = NULL;
    json_t *hex = NULL;
    int code = 0, result;

    if (cli->from && strcmp(cli->from, "start") != 0) {
        hex = json_pack("{s:s}", "hex", cli->from);
        if (!*cli->from || json_take_bytes(hex, &resume)) {
            json_decref(hex);
            fprintf(stderr, "neap: watch: --from wants start, or a token that watch has printed\n");
            return EXIT_USAGE;
        }
        call.resume = resume;
    } else if (!cli->from) {
        code = token_now(cli, &token);
        call.after = (struct neap_bytes){token.data, token.size};
    }
    if (code == 0)
        code = neap_watch(cli->neap, cli->argv[0], &call, &watch);
    result = code ? cli_fail(cli, code, "watch") : watch_run(cli, watch);
    neap_watch_free(watch);
    neap_buffer_free(&token);
    json_decref(hex);
    item_free(&(struct neap_item){.value = resume});
    return result;
}
