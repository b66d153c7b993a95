/* The command verify: whether peers have the same as the node. */
#include <string.h>

#include "tools/cli.h"

/* A node has two minutes to answer. */
enum { VERIFY_MS = 4000, VERIFY_MS_MAX = 100000 };

/* ---- asking ---- */

/* One bucket a call, so that no call takes long: appended to `all`. */
static int bucket_ask(struct cli *cli, const char *bucket, json_t *all)
{
    char text[24];
    const char *const words[] = {"verify", bucket, text};
    uint32_t for_ms = cli->call.timeout_ms ? cli->call.timeout_ms : VERIFY_MS;
    json_t *json, *item;
    size_t i;
    int result;

    snprintf(text, sizeof(text), "%lu",
             (unsigned long)(for_ms < VERIFY_MS_MAX ? for_ms : VERIFY_MS_MAX));
    json = cli_ask(cli, 3, words, &result);
    if (json == NULL)
        return result;
    json_array_foreach(json_object_get(json, "buckets"), i, item)
        json_array_append(json_object_get(all, "buckets"), item);
    for (i = 0; i < 4; i++) {
        const char *name = (const char *[]){"equal", "differing", "unknown", "not_held"}[i];

        json_object_set_new(all, name, json_integer(number_of(all, name) + number_of(json, name)));
    }
    json_decref(json);
    return 0;
}

static json_t *buckets_ask(struct cli *cli, int *ret_exit)
{
    const char *const words[] = {"status"};
    json_t *all = json_pack("{s[], si, si, si, si}", "buckets", "equal", 0, "differing", 0,
                            "unknown", 0, "not_held", 0);
    json_t *status, *item;
    size_t i;

    if (cli->argc) {
        *ret_exit = bucket_ask(cli, cli->argv[0], all);
    } else {
        status = cli_ask(cli, 1, words, ret_exit);
        json_array_foreach(json_object_get(status, "buckets"), i, item)
        {
            if (*ret_exit == 0)
                *ret_exit = bucket_ask(cli, text_of(item, "name"), all);
        }
        json_decref(status);
    }
    if (*ret_exit == 0)
        return all;
    json_decref(all);
    return NULL;
}

/* ---- printing ---- */

static void print_cells(const json_t *peer)
{
    static const char *const fates[][2] = {{"not here", "is not here"},
                                           {"not there", "is not there"},
                                           {"not the same", "is not the same"}};
    const json_t *cell;
    size_t i;

    json_array_foreach(json_object_get(peer, "cells"), i, cell)
    {
        const char *fate = text_of(cell, "fate");

        for (size_t j = 0; j < sizeof(fates) / sizeof(fates[0]); j++)
            if (strcmp(fate, fates[j][0]) == 0)
                fate = fates[j][1];
        printf("    %s (%s) %s\n", text_of(cell, "cell"), text_of(cell, "type"), fate);
    }
    if (json_is_true(json_object_get(peer, "more")))
        printf("    there are more, or they were not looked for to the end (--timeout)\n");
}

static void print_since(const char *text, const json_t *peer, const char *name)
{
    if (!json_is_integer(json_object_get(peer, name)))
        return;
    printf("%s", text);
    print_time(number_of(peer, name));
}

static void print_peer(const char *bucket, const json_t *peer)
{
    const char *address = json_string_value(json_object_get(peer, "address"));
    const char *verdict = text_of(peer, "verdict");

    printf("%-24s %-32s %-8s ", bucket, address && *address ? address : text_of(peer, "node"),
           verdict);
    if (strcmp(verdict, "not held") == 0) {
        printf("%s\n", text_of(peer, "why"));
        return;
    }
    if (strcmp(verdict, "unknown") == 0) {
        printf("%s: %s", text_of(peer, "whose"), text_of(peer, "why"));
        print_since("; equal last at ", peer, "equal_ms");
        putchar('\n');
        return;
    }
    print_time(number_of(peer, "asked_ms"));
    printf(" %9" JSON_INTEGER_FORMAT "%s", number_of(peer, "under_way"),
           json_is_true(json_object_get(peer, "differed")) ? "  (differed a moment before: healed)"
                                                           : "");
    if (strcmp(verdict, "differs") == 0) {
        print_since("  since ", peer, "differs_ms");
        print_since(", equal last at ", peer, "equal_ms");
    }
    putchar('\n');
    print_cells(peer);
}

static void print_all(const json_t *json)
{
    const json_t *bucket, *peer;
    size_t i, j;

    printf("%-24s %-32s %-8s %-24s %9s\n", "bucket", "peer", "verdict", "as of", "under way");
    json_array_foreach(json_object_get(json, "buckets"), i, bucket)
    {
        json_array_foreach(json_object_get(bucket, "peers"), j, peer)
            print_peer(text_of(bucket, "bucket"), peer);
    }
}

int command_verify(struct cli *cli)
{
    int result = 0;
    json_t *json = buckets_ask(cli, &result);

    if (json == NULL)
        return result;
    if (number_of(json, "differing") || number_of(json, "unknown"))
        result = EXIT_DIFFERS;
    if (cli->json) {
        print_json(json);
    } else {
        print_all(json);
    }
    json_decref(json);
    return result;
}
