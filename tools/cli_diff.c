/* diff: what other nodes have otherwise, of all that there is, of a bucket, or of an object. */
#include <string.h>

#include "tools/cli.h"

enum { DIFF_LIMIT = 1000, DIFF_PAGE = 256 };

struct diff {
    struct cli *cli;
    json_t *pairs;  /* of bucket and peer: the pages of each in one */
    uint64_t limit; /* cells, of each */
    int differing, unknown;
};

/* ---- asking ---- */

/* Behind the last page: its cells are added, its cursor and verdict count. */
static void page_add(json_t *pair, json_t *page)
{
    const char *verdict = text_of(page, "verdict");
    json_t *cells = json_object_get(pair, "cells");

    json_array_extend(cells, json_object_get(page, "cells"));
    for (size_t i = 0; i < 2; i++) {
        const char *name = (const char *[]){"differing", "damaged"}[i];

        json_object_set_new(pair, name,
                            json_integer(number_of(pair, name) + number_of(page, name)));
    }
    for (size_t i = 0; i < 5; i++) {
        const char *name = (const char *[]){"behind", "ahead", "why", "whose", "next"}[i];

        json_object_set(pair, name, json_object_get(page, name));
    }
    if (strcmp(verdict, "equal") != 0 && strcmp(text_of(pair, "verdict"), "differs") != 0)
        json_object_set(pair, "verdict", json_object_get(page, "verdict"));
}

/* Page by page, until there is no more, or enough. 0, or an exit code. */
static int pair_ask(struct diff *diff, const char *bucket, const char *peer)
{
    json_t *pair = NULL, *page;
    char limit[24], from[8192];
    uint64_t left = diff->limit;
    int result = 0;

    snprintf(from, sizeof(from), "%s", diff->cli->from ? diff->cli->from : "");
    while (result == 0 && left > 0) {
        const char *const words[] = {"differing", bucket, peer, limit, from};
        const char *next;

        snprintf(limit, sizeof(limit), "%lu", (unsigned long)(left < DIFF_PAGE ? left : DIFF_PAGE));
        page = cli_ask(diff->cli, from[0] ? 5 : 4, words, &result);
        if (page == NULL)
            break;
        left -= (uint64_t)json_array_size(json_object_get(page, "cells"));
        next = json_string_value(json_object_get(page, "next"));
        snprintf(from, sizeof(from), "%s", next ? next : "");
        if (pair) {
            page_add(pair, page);
            json_decref(page);
        } else {
            pair = page;
        }
        if (next == NULL || json_is_string(json_object_get(pair, "why")))
            break;
    }
    if (pair == NULL)
        return result;
    diff->differing += number_of(pair, "differing") > 0;
    diff->unknown += json_is_string(json_object_get(pair, "why")) &&
                     strcmp(text_of(pair, "verdict"), "not held") != 0;
    json_array_append_new(diff->pairs, pair);
    return result;
}

static int bucket_ask(struct diff *diff, const char *bucket, const json_t *peers)
{
    const json_t *peer;
    int result = 0;
    size_t i;

    if (diff->cli->peer)
        return pair_ask(diff, bucket, diff->cli->peer);
    json_array_foreach(peers, i, peer)
    {
        const char *address = json_string_value(json_object_get(peer, "address"));

        if (result == 0 && address && *address)
            result = pair_ask(diff, bucket, address);
    }
    return result;
}

static int all_ask(struct diff *diff)
{
    const char *const words[] = {"status"};
    const json_t *bucket;
    int result;
    size_t i;
    json_t *status = cli_ask(diff->cli, 1, words, &result);

    if (status == NULL)
        return result;
    if (diff->cli->argc) {
        result = bucket_ask(diff, diff->cli->argv[0], json_object_get(status, "peers"));
    } else {
        json_array_foreach(json_object_get(status, "buckets"), i, bucket)
        {
            if (result == 0)
                result =
                    bucket_ask(diff, text_of(bucket, "name"), json_object_get(status, "peers"));
        }
    }
    json_decref(status);
    return result;
}

/* ---- printing ---- */

static void print_cell(const json_t *cell)
{
    const json_t *side = json_array_get(json_object_get(cell, "peers"), 0);

    printf("    %s: %s", text_of(cell, "cell"), text_of(side, "text"));
    print_dot_names("lacks", json_object_get(side, "lacks"));
    print_dot_names("has", json_object_get(side, "has"));
    putchar('\n');
}

static void print_pair(const json_t *pair)
{
    const char *next = json_string_value(json_object_get(pair, "next"));
    const char *why = json_string_value(json_object_get(pair, "why"));
    const char *address = json_string_value(json_object_get(pair, "peer"));
    const json_t *cell;
    size_t i;

    if (address == NULL || *address == 0)
        address = text_of(pair, "node");
    printf("%-24s %-32s %-8s ", text_of(pair, "bucket"), address, text_of(pair, "verdict"));
    if (json_is_integer(json_object_get(pair, "asked_ms")))
        print_time(number_of(pair, "asked_ms"));
    if (why)
        printf("%s: %s", text_of(pair, "whose"), why);
    putchar('\n');
    json_array_foreach(json_object_get(pair, "cells"), i, cell) print_cell(cell);
    if (next)
        printf("    there is more: neap diff --peer %s --from %s %s\n", address, next,
               text_of(pair, "bucket"));
}

static void print_all(const struct diff *diff)
{
    const json_t *pair;
    size_t i;

    printf("%-24s %-32s %-8s %s\n", "bucket", "peer", "verdict", "as of");
    json_array_foreach(diff->pairs, i, pair) print_pair(pair);
}

/* ---- the command ---- */

static int misuse(const struct cli *cli)
{
    const char *wrong = NULL;

    if (cli->argc == 2)
        wrong = cli->from ? "--from" : cli->peer ? "--peer" : cli->limit ? "--limit" : NULL;
    else if (cli->fields_count || cli->type != NEAP_ANY)
        wrong = cli->fields_count ? "--field" : "--type";
    if (wrong)
        fprintf(stderr, "neap: %s means nothing to diff with%s a key\n", wrong,
                cli->argc == 2 ? "" : "out");
    else if (cli->from && (cli->argc == 0 || cli->peer == NULL))
        fprintf(stderr, "neap: --from of diff goes with a bucket and --peer\n");
    else
        return 0;
    return EXIT_USAGE;
}

int command_diff(struct cli *cli)
{
    struct diff diff = {.cli = cli, .limit = cli->limit ? cli->limit : DIFF_LIMIT};
    int result = misuse(cli);

    if (result)
        return result;
    if (cli->argc == 2)
        return explain_object(cli, "diff");
    diff.pairs = json_array();
    result = all_ask(&diff);
    if (result == 0 && cli->json) {
        json_t *json = json_pack("{sO, si, si}", "pairs", diff.pairs, "differing", diff.differing,
                                 "unknown", diff.unknown);

        print_json(json);
        json_decref(json);
    } else if (result == 0) {
        print_all(&diff);
    }
    json_decref(diff.pairs);
    if (result)
        return result;
    return diff.differing ? EXIT_DIFFERS : diff.unknown ? EXIT_UNREACHABLE : EXIT_FINE;
}
