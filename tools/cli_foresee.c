/* repair --dry-run: what a repair would mend, told from what the two sides say of the cells that
 * differ, of which none is taken. */
#include <string.h>

#include "tools/cli.h"

enum { FORESEE_PAGE = 256 };

/* Of a bucket and peer; or the sum of all. */
struct foreseen {
    uint64_t cells_taken, bytes_taken, cells_given, bytes_given;
};

struct foreseeing {
    struct cli *cli;
    json_t *pairs;
    struct foreseen total;
    int unknown;
};

/* ---- asking ---- */

/* Each side sends what it has of a cell that is damaged: the other one has lost it, or some of it,
 * or has another content for the same events. */
static void cell_count(const json_t *cell, struct foreseen *foreseen)
{
    const json_t *side = json_array_get(json_object_get(cell, "peers"), 0);
    uint64_t here = (uint64_t)number_of(side, "size_here");
    uint64_t there = (uint64_t)number_of(side, "size_there");

    if (strcmp(text_of(side, "state"), "damaged") != 0)
        return;
    if (there) {
        foreseen->cells_taken++;
        foreseen->bytes_taken += there;
    }
    if (here) {
        foreseen->cells_given++;
        foreseen->bytes_given += here;
    }
}

static json_t *foreseen_json(const char *bucket, const json_t *page,
                             const struct foreseen *foreseen)
{
    return json_pack("{ss, sO, sO, sO, sO, sI, sI, sI, sI}", "bucket", bucket, "peer",
                     json_object_get(page, "peer"), "node", json_object_get(page, "node"), "why",
                     json_object_get(page, "why"), "whose", json_object_get(page, "whose"),
                     "cells_taken", (json_int_t)foreseen->cells_taken, "bytes_taken",
                     (json_int_t)foreseen->bytes_taken, "cells_given",
                     (json_int_t)foreseen->cells_given, "bytes_given",
                     (json_int_t)foreseen->bytes_given);
}

static void pair_end(struct foreseeing *all, const char *bucket, const json_t *page,
                     const struct foreseen *foreseen)
{
    struct foreseen *total = &all->total;

    total->cells_taken += foreseen->cells_taken;
    total->bytes_taken += foreseen->bytes_taken;
    total->cells_given += foreseen->cells_given;
    total->bytes_given += foreseen->bytes_given;
    all->unknown += json_is_string(json_object_get(page, "why")) &&
                    strcmp(text_of(page, "verdict"), "not held") != 0;
    json_array_append_new(all->pairs, foreseen_json(bucket, page, foreseen));
}

/* Page by page, none of which is kept. */
static int pair_foresee(struct foreseeing *all, const char *bucket, const char *peer)
{
    struct foreseen foreseen = {0};
    char limit[24], from[8192] = "";
    const json_t *cell;
    int result = 0;
    size_t i;

    snprintf(limit, sizeof(limit), "%d", FORESEE_PAGE);
    for (;;) {
        const char *const words[] = {"differing", bucket, peer, limit, from};
        json_t *page = cli_ask(all->cli, from[0] ? 5 : 4, words, &result);
        const char *next = json_string_value(json_object_get(page, "next"));

        if (page == NULL)
            return result;
        json_array_foreach(json_object_get(page, "cells"), i, cell) cell_count(cell, &foreseen);
        snprintf(from, sizeof(from), "%s", next ? next : "");
        if (next == NULL || json_is_string(json_object_get(page, "why"))) {
            pair_end(all, bucket, page, &foreseen);
            json_decref(page);
            return 0;
        }
        json_decref(page);
    }
}

/* --from: this one alone. */
static int peer_is_meant(const struct cli *cli, const json_t *peer)
{
    return !cli->from || strcmp(text_of(peer, "address"), cli->from) == 0 ||
           strcmp(text_of(peer, "node"), cli->from) == 0;
}

static int buckets_foresee(struct foreseeing *all)
{
    const char *const words[] = {"status"};
    const json_t *bucket, *peer;
    int result, found = 0, known = all->cli->from == NULL;
    size_t i, j;
    json_t *status = cli_ask(all->cli, 1, words, &result);

    json_array_foreach(json_object_get(status, "buckets"), i, bucket)
    {
        const char *name = text_of(bucket, "name");

        if (all->cli->argc && strcmp(name, all->cli->argv[0]) != 0)
            continue;
        found = 1;
        json_array_foreach(json_object_get(status, "peers"), j, peer)
        {
            const char *address = json_string_value(json_object_get(peer, "address"));

            if (result || !address || !*address || !peer_is_meant(all->cli, peer))
                continue;
            known = 1;
            result = pair_foresee(all, name, address);
        }
    }
    json_decref(status);
    if (result == 0 && all->cli->argc && !found)
        result = cli_fail(all->cli, NEAP_NOTFOUND, "repair");
    else if (result == 0 && !known)
        result = cli_fail(all->cli, NEAP_INVALID, "repair: --from is no peer's address, or node");
    return result;
}

/* ---- printing ---- */

static void print_foreseen(const struct foreseeing *all)
{
    const json_t *pair;
    size_t i;

    printf("%-24s %-32s %12s %12s %12s %12s\n", "bucket", "peer", "takes cells", "bytes",
           "gives cells", "bytes");
    json_array_foreach(all->pairs, i, pair)
    {
        const char *why = json_string_value(json_object_get(pair, "why"));

        printf("%-24s %-32s %12" JSON_INTEGER_FORMAT " %12" JSON_INTEGER_FORMAT
               " %12" JSON_INTEGER_FORMAT " %12" JSON_INTEGER_FORMAT "%s%s\n",
               text_of(pair, "bucket"), text_of(pair, "peer"), number_of(pair, "cells_taken"),
               number_of(pair, "bytes_taken"), number_of(pair, "cells_given"),
               number_of(pair, "bytes_given"), why ? "  not known: " : "", why ? why : "");
    }
}

int repair_foresee(struct cli *cli)
{
    struct foreseeing all = {.cli = cli};
    const struct foreseen *total = &all.total;
    int result;
    uint64_t cells;
    json_t *json;

    all.pairs = json_array();
    result = buckets_foresee(&all);
    cells = total->cells_taken + total->cells_given;
    if (result == 0 && cli->json) {
        json = json_pack("{sO, sI, sI, si}", "pairs", all.pairs, "cells", (json_int_t)cells,
                         "bytes", (json_int_t)(total->bytes_taken + total->bytes_given), "unknown",
                         all.unknown);
        print_json(json);
        json_decref(json);
    } else if (result == 0) {
        print_foreseen(&all);
    }
    json_decref(all.pairs);
    if (result)
        return result;
    return cells ? EXIT_DIFFERS : all.unknown ? EXIT_UNREACHABLE : EXIT_FINE;
}
