/* Commands on score sets: score, top, rank. */
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

static int score_print(struct cli *cli, const struct neap_place *at, struct neap_bytes member)
{
    int64_t score;
    int code = neap_score_get(cli->neap, at, member, &score, &cli->call);

    if (code == NEAP_NOTFOUND)
        cli->error.text[0] = 0;
    if (code)
        return cli_fail(cli, code, cli->argv[2]);
    printf("%lld\n", (long long)score);
    return 0;
}

/* N or =N sets, +N and -N add. */
int command_score(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    struct neap_bytes member = bytes_of(cli->argv[2]);
    const char *text = cli->argc > 3 ? cli->argv[3] : NULL;
    int64_t number;
    int code;

    if (!text)
        return score_print(cli, &at, member);
    if (cli_number(text + (*text == '='), "score", &number))
        return EXIT_USAGE;
    if (*text == '+' || *text == '-')
        code = neap_score_add(cli->neap, &at, member, number, &cli->call);
    else
        code = neap_score_set(cli->neap, &at, member, number, &cli->call);
    return code ? cli_fail(cli, code, "score") : 0;
}

static void member_print(const struct cli *cli, const struct neap_item *item)
{
    json_t *json;

    if (!cli->json) {
        print_bytes(stdout, item->name);
        printf("\t%lld\n", (long long)item->number);
        return;
    }
    json = json_pack("{s:o, s:I}", "element", json_bytes(item->name), "number",
                     (json_int_t)item->number);
    json_dumpf(json, stdout, JSON_COMPACT);
    json_decref(json);
    putchar('\n');
}

int command_top(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    int64_t high = INT64_MAX, low = INT64_MIN;
    struct neap_iter *iter;
    struct neap_item item;
    int code;

    if (cli->argc == 0 && cli->fields_count == 0 && cli->call.level == NEAP_BUCKET_DEFAULT &&
        cli->call.r == 0 && cli->call.pr == 0)
        return top_live(cli);
    if (cli->argc < 2) {
        fprintf(stderr, "usage: neap top [BUCKET KEY [HIGH [LOW]]]; without BUCKET KEY no --field, "
                        "no level\n");
        return EXIT_USAGE;
    }
    if ((cli->argc > 2 && cli_number(cli->argv[2], "top", &high)) ||
        (cli->argc > 3 && cli_number(cli->argv[3], "top", &low)))
        return EXIT_USAGE;
    code = neap_scores(cli->neap, &at, high, low, &cli->call, &iter);
    if (code)
        return cli_fail(cli, code, "top");
    for (uint64_t count = 0; cli->limit == 0 || count < cli->limit; count++) {
        code = neap_next(iter, &item, 0);
        if (code)
            break;
        member_print(cli, &item);
    }
    neap_iter_free(iter);
    return code && code != NEAP_END ? cli_fail(cli, code, "top") : 0;
}

int command_rank(struct cli *cli)
{
    struct neap_place at = cli_place(cli);
    uint64_t rank;
    int code = neap_score_rank(cli->neap, &at, bytes_of(cli->argv[2]), &rank, &cli->call);

    if (code == NEAP_NOTFOUND)
        cli->error.text[0] = 0;
    if (code)
        return cli_fail(cli, code, cli->argv[2]);
    printf("%llu\n", (unsigned long long)rank);
    return 0;
}
