/* neap: the operator's tool. One command a call; see commands[] and neap(1). */
#include <popt.h>
#include <stdlib.h>
#include <string.h>

#include "tools/cli.h"

#define DEFAULT_NODE "/run/neap/neap.sock"

static const struct command commands[] = {
    {"get", "BUCKET KEY", "print what is there (--type: only that type)", 2, 2, 1, "nftlqr",
     command_get},
    {"put", "BUCKET KEY VALUE", "set a last-writer-wins register", 3, 3, 1, "nfoeqw", command_put},
    {"assign", "BUCKET KEY VALUE", "set a multi-value register, in place of what is there now", 3,
     3, 1, "nfeqrw", command_assign},
    {"incr", "BUCKET KEY [N]",
     "add N (1, may be negative) to a counter (--type: counter-exact, bounded)", 2, 3, 1, "nftoqw",
     command_incr},
    {"rights", "BUCKET KEY", "what of a bounded counter may be taken here, and where most is", 2, 2,
     1, "nfqr", command_rights},
    {"give", "BUCKET KEY N TO", "give rights of a bounded counter to a replica id", 4, 4, 1,
     "nfoqw", command_give},
    {"claim", "BUCKET KEY FROM", "take the rights of a replica id that writes no more", 3, 3, 1,
     "nfoqw", command_claim},
    {"max", "BUCKET KEY N", "make N the largest number there, if it is", 3, 3, 1, "nfoqw",
     command_max},
    {"min", "BUCKET KEY N", "make N the smallest number there, if it is", 3, 3, 1, "nfoqw",
     command_min},
    {"flag", "BUCKET KEY on|off", "set a flag (--type: flag-dw)", 3, 3, 1, "nftoeqw", command_flag},
    {"add", "BUCKET KEY ELEMENT...", "add to a set (--type: set-rw)", 3, 1 << 20, 1, "nftoeqw",
     command_add},
    {"remove", "BUCKET KEY ELEMENT...", "remove from a set (--type: set-rw, scores)", 3, 1 << 20, 1,
     "nftoqw", command_remove},
    {"score", "BUCKET KEY MEMBER [N]", "print a member's score; N sets it, +N and -N add", 3, 4, 1,
     "nfoqrw", command_score},
    {"top", "[BUCKET KEY [HIGH [LOW]]]",
     "live: what the node does in a second (--limit); or members with scores from HIGH down to LOW",
     0, 4, 1, "nflqr", command_top},
    {"rank", "BUCKET KEY MEMBER", "how many members have a higher score", 3, 3, 1, "nfqr",
     command_rank},
    {"delete", "BUCKET KEY", "remove an object or a map field (--type: only that type)", 2, 2, 1,
     "nftoqw", command_delete},
    {"keys", "BUCKET", "list keys (--from, --limit)", 1, 1, 1, "nslqr", command_keys},
    {"items", "BUCKET KEY", "list fields of a map, or --type set: elements", 2, 2, 1, "nftslqr",
     command_items},
    {"import", "BUCKET [FILE]", "read JSON lines, or --format dpkg", 1, 2, 1, "nm", command_import},
    {"export", "BUCKET", "write JSON lines", 1, 1, 1, "nq", command_export},
    {"watch", "BUCKET", "what changes, as JSON lines with tokens to go on from (--from, --limit)",
     1, 1, 1, "nsl", command_watch},
    {"status", "", "the node, its buckets and peers; exit 1 if one is away", 0, 0, 1, "n",
     command_status},
    {"digest", "[BUCKET]", "keys, cells, bytes and a digest of all: equal = converged", 0, 1, 1,
     "n", command_digest},
    {"once", "", "make up an id for --once, that no other node takes", 0, 0, 1, "n", command_once},
    {"stats", "", "counters of the node (--prometheus)", 0, 0, 1, "nP", command_stats},
    {"peers", "", "the nodes of the cluster; exit 1 if one is away", 0, 0, 1, "n", command_peers},
    {"retire", "NODE", "logs wait no more for a node that is away; it compares when it returns", 1,
     1, 1, "n", command_retire},
    {"forget", "NODE", "one that will never return is no member any more, and is not let in", 1, 1,
     1, "ny", command_forget},
    {"isolate", "on|off", "cut the node off from its peers, or back on", 1, 1, 1, "n",
     command_isolate},
    {"revoke", "KIND/ID", "end what a certificate gives, everywhere and at once", 1, 1, 1, "ny",
     command_revoke},
    {"revoked", "", "who is", 0, 0, 1, "n", command_revoked},
    {"subscribe", "NAME", "the node holds the bucket, or those that fit the glob", 1, 1, 1, "n",
     command_subscribe},
    {"unsubscribe", "NAME [force]", "... and no longer: handed over, then dropped here alone", 1, 2,
     1, "ny", command_unsubscribe},
    {"subscriptions", "", "what it subscribes to, and what is on its way out", 0, 0, 1, "n",
     command_subscriptions},
    {"ring", "[RING [slots|buckets|key BUCKET KEY]]",
     "who holds which slots, and how far a move is", 0, 4, 1, "n", command_ring},
    {"plan", "WHAT RING [WORD]...",
     "change it: create, join, leave, replace, weight; show, then commit; clear, skip", 2, 6, 1,
     "ny", command_plan},
    {"explain", "BUCKET KEY", "which events made it what it is, by whom, and who lacks which", 2, 2,
     1, "nft", command_explain},
    {"diff", "[BUCKET [KEY]]", "what other nodes have otherwise, and why; exit 1 if anything", 0, 2,
     1, "nftslp", command_diff},
    {"verify", "[BUCKET]", "are peers equal, but for what is under way? exit 1 if one is not", 0, 1,
     1, "n", command_verify},
    {"doctor", "", "what is wrong with the node or directory, and what to do; exit 1 if anything",
     0, 0, 0, "n", command_doctor},
    {"big", "BUCKET", "the largest objects, with how many cells and bytes (--limit)", 1, 1, 1, "nl",
     command_big},
    {"siblings", "BUCKET", "registers with more than one value (--limit); exit 1 if there are", 1,
     1, 1, "nl", command_siblings},
    {"bundle", "export|apply FILE [BUCKET]...", "buckets into a file (--since), and out of one", 2,
     62, 1, "nb", command_bundle},
    {"hints", "[BUCKET]", "what peers lack of what is here, how much, and since when", 0, 1, 1, "n",
     command_hints},
    {"history", "", "repairs, verifications, scrubs, incidents: what happened, and how it ended", 0,
     0, 1, "nl", command_history},
    {"log", "why [BUCKET]", "which member the log is kept for, since when, and what to do", 1, 2, 1,
     "n", command_log},
    {"tasks", "", "long work that is under way or paused, and how far it is", 0, 0, 1, "n",
     command_tasks},
    {"task", "pause|resume|cancel|follow ID", "one of them; follow: how far it is, to its end", 2,
     2, 1, "n", command_task},
    {"scrub", "[BUCKET]", "read all cells again now, and check them against the trees", 0, 1, 1,
     "n", command_scrub},
    {"repair", "[BUCKET]",
     "compare with all peers now, and mend (--dry-run, --from, --budget)", 0, 1, 1, "nsdB",
     command_repair},
    {"settings", "[NAME]", "what can be changed while the node runs: limits and times", 0, 1, 1,
     "n", command_settings},
    {"set", "NAME N", "another value of one of them, until the node restarts", 2, 2, 1, "n",
     command_set},
    {"backup", "[verify] DIRECTORY", "copy the node's data to a new directory; check a copy", 1, 2,
     0, "n", command_backup},
    {"restore", "BACKUP DIRECTORY", "make a data directory of a backup", 2, 2, 0, "",
     command_restore},
    {"init", "[DIRECTORY]", "make a cluster: its CA, and its first node (--file: no TLS)", 0, 1, 0,
     "F", command_init},
    {"token", "create|list|revoke DIRECTORY...",
     "print a token that lets one node in (--kind, --read, --write), what is open, take one back",
     2, 3, 0, "ke", command_token},
    {"join", "TOKEN ADDRESS DIRECTORY", "become what a token gives; TOKEN is a file, or -", 3, 3, 0,
     "", command_join},
    {"cert", "request|sign|take|show|renew WHAT...", "certificates, by files: see neap(1)", 2, 4, 0,
     "k", command_cert},
    {"completion", "bash|zsh", "print what that shell needs to complete commands and flags", 1, 1,
     0, "", command_completion},
    {"demo", "", "nodes on this machine: cut off, killed, healed, equal (--ring: a ring of five)",
     0, 0, 0, "R", command_demo},
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

const struct command *cli_commands(size_t *ret_count)
{
    *ret_count = COMMANDS;
    return commands;
}

enum {
    FLAG_FIELD = 1,
    FLAG_OUTPUT,
    FLAG_TIMEOUT,
    FLAG_LIMIT,
    FLAG_TYPE,
    FLAG_FORMAT,
    FLAG_LEVEL,
    FLAG_R,
    FLAG_PR,
    FLAG_W,
    FLAG_PW,
    FLAG_ONCE,
    FLAG_TTL,
    FLAG_READ,
    FLAG_WRITE,
    FLAG_ID,
    FLAG_VALID,
    FLAG_VERSION,
    FLAG_HELP
};

static void help(void)
{
    char types[TYPE_NAMES_MAX];

    printf("usage: neap [FLAGS] COMMAND ARGUMENTS\n\nCommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-8s %-24s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
    printf("\nFlags:\n"
           "  -n, --node ADDRESS    socket of the neapd to ask (" DEFAULT_NODE ", or $NEAP_NODE)\n"
           "      --dir DIR         open this data directory instead; no neapd may have it open\n"
           "      --cluster PATH    the cluster directory or file, for --dir; for --node "
           "tls+tcp://...\n"
           "  -f, --field NAME      a step into a map; may be repeated\n"
           "      --type TYPE       %s\n"
           "  -o, --output FORM     table (default) or json\n"
           "      --from NAME       start listing here; of watch: start, or a token; of repair: "
           "with this node alone\n"
           "      --limit N         list at most so many\n"
           "      --peer ADDRESS    of diff: this peer alone (its address, or its node's id)\n"
           "      --since TOKEN     of bundle export: what came after it\n"
           "      --format FORM     of import: json (default) or dpkg\n"
           "      --timeout MS      how long to wait for an answer\n"
           "      --level LEVEL     one (default), quorum, all; of rings local, each: so many "
           "nodes have a "
           "write on their "
           "disks, or tell a read what they have\n"
           "      --r N             of a read, instead: N nodes\n"
           "      --pr N            ... N owners\n"
           "      --w N             of a write: N nodes\n"
           "      --pw N            ... N owners\n"
           "      --once ID         of a write: done again with the same ID it is done once\n"
           "      --ttl TIME        of put, assign, flag on, add, token: gone after so long: 90s, "
           "15m, "
           "8h, 30d; ms without a letter\n"
           "      --dry-run         of repair: what it would send and take, and nothing is done\n"
           "      --budget RATE     of repair: so many bytes a second, also as 500k or 2m\n"
           "      --resume          of repair: also where it is paused\n"
           "      --yes             of what has no way back: without being asked\n"
           "      --prometheus      of stats: in the text format of Prometheus\n"
           "      --ring            of demo: five nodes hold a ring, and one is replaced\n"
           "      --file            of init: a file with id and key alone, for nodes without TLS\n"
           "      --kind KIND       of token, cert sign: node (default), device or client\n"
           "      --read BUCKET     and what a device or client may read; may be repeated; '*' is "
           "all\n"
           "      --write BUCKET    and what it may write, and read\n"
           "      --id ID           and the id of one that there was (16 hex digits)\n"
           "      --valid TIME      and how long its certificate is valid\n"
           "  -V, --version         print it\n"
           "  -h, --help            print this\n"
           "\nExit: 0 fine, 1 not found, different, damaged or degraded, 2 usage, 3 unreachable, "
           "4 refused\n",
           type_names(types));
}

static int usage(const char *text, const char *what)
{
    fprintf(stderr, "neap: %s%s%s: see `neap --help`\n", text, what ? " " : "", what ? what : "");
    return EXIT_USAGE;
}

/* 16 hex digits that are not all 0. */
static int id_take(const char *text, uint64_t *ret_id)
{
    char *end;

    if (strlen(text) != 16 || strspn(text, "0123456789abcdefABCDEF") != 16)
        return -1;
    *ret_id = strtoull(text, &end, 16);
    return *ret_id ? 0 : -1;
}

/* Who a certificate is for. */
static int flag_take_grant(struct cli *cli, int flag, char *text)
{
    switch (flag) {
    case FLAG_READ:
        if (cli->read_count == BUCKETS_MAX)
            return usage("more than 64 times --read", NULL);
        cli->read[cli->read_count++] = text;
        return 0;
    case FLAG_WRITE:
        if (cli->write_count == BUCKETS_MAX)
            return usage("more than 64 times --write", NULL);
        cli->write[cli->write_count++] = text;
        return 0;
    case FLAG_ID:
        return id_take(text, &cli->id) ? usage("--id wants 16 hex digits, not", text) : 0;
    default:
        return time_take(text, UINT64_C(20) * 365 * 86400 * 1000, &cli->valid_ms)
                   ? usage("--valid wants a time, up to 20 years, like 30d, not", text)
                   : 0;
    }
}

/* One flag with a value of its own kind. */
static int level_parse(const char *text, enum neap_level *ret_level)
{
    static const struct {
        const char *name;
        enum neap_level level;
    } levels[] = {{"one", NEAP_ONE},   {"quorum", NEAP_QUORUM},      {"all", NEAP_ALL},
                  {"edge", NEAP_EDGE}, {"local", NEAP_LOCAL_QUORUM}, {"each", NEAP_EACH_QUORUM}};

    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(text, levels[i].name) == 0) {
            *ret_level = levels[i].level;
            return 0;
        }
    return -1;
}

static int nodes_take(const char *text, const char *flag, uint16_t *ret_nodes)
{
    uint64_t number;
    char wants[48];

    if (!number_take(text, UINT16_MAX, &number) && number) {
        *ret_nodes = (uint16_t)number;
        return 0;
    }
    snprintf(wants, sizeof wants, "%s wants a number of nodes, not", flag);
    return usage(wants, text);
}

static int flag_take(struct cli *cli, int flag, char *text, int *ret_quit)
{
    char types[TYPE_NAMES_MAX];
    uint64_t number;

    switch (flag) {
    case FLAG_FIELD:
        if (cli->fields_count == FIELDS_MAX)
            return usage("more than 16 fields", NULL);
        cli->fields[cli->fields_count++] = bytes_of(text);
        return 0;
    case FLAG_OUTPUT:
        cli->json = strcmp(text, "json") == 0;
        return cli->json || strcmp(text, "table") == 0 ? 0
                                                       : usage("-o wants table or json, not", text);
    case FLAG_TIMEOUT:
        if (number_take(text, UINT32_MAX, &number))
            return usage("--timeout wants milliseconds, not", text);
        cli->call.timeout_ms = (uint32_t)number;
        return 0;
    case FLAG_LIMIT:
        return number_take(text, UINT64_MAX, &cli->limit)
                   ? usage("--limit wants a number, not", text)
                   : 0;
    case FLAG_TYPE:
        if (type_parse(text, &cli->type) == 0)
            return 0;
        fprintf(stderr, "neap: --type is %s, not %s: see `neap --help`\n", type_names(types), text);
        return EXIT_USAGE;
    case FLAG_FORMAT:
        cli->format_given = 1;
        cli->dpkg = strcmp(text, "dpkg") == 0;
        return cli->dpkg || strcmp(text, "json") == 0
                   ? 0
                   : usage("--format is json or dpkg, not", text);
    case FLAG_LEVEL:
        return level_parse(text, &cli->call.level)
                   ? usage("--level is one, quorum, all, edge, local or each, not", text)
                   : 0;
    case FLAG_R:
        return nodes_take(text, "--r", &cli->call.r);
    case FLAG_PR:
        return nodes_take(text, "--pr", &cli->call.pr);
    case FLAG_W:
        return nodes_take(text, "--w", &cli->call.w);
    case FLAG_PW:
        return nodes_take(text, "--pw", &cli->call.pw);
    case FLAG_ONCE:
        cli->call.once = bytes_of(text);
        return text[0] ? 0 : usage("--once wants an id that is not empty", NULL);
    case FLAG_TTL:
        return time_take(text, NEAP_TTL_MS_MAX, &cli->call.ttl_ms)
                   ? usage("--ttl wants a time, 1 ms to 100 years, like 500, 90s or 8h, not", text)
                   : 0;
    case FLAG_READ:
    case FLAG_WRITE:
    case FLAG_ID:
    case FLAG_VALID:
        return flag_take_grant(cli, flag, text);
    case FLAG_VERSION:
        printf("neap %s\n", neap_version());
        *ret_quit = 1;
        return 0;
    default:
        help();
        *ret_quit = 1;
        return 0;
    }
}

static int flags_read(struct cli *cli, poptContext context, int *ret_quit)
{
    int flag, result = 0;

    while (result == 0 && !*ret_quit && (flag = poptGetNextOpt(context)) > 0) {
        char *text = poptGetOptArg(context);

        result = flag_take(cli, flag, text, ret_quit);
        /* Those are borrowed until the end. */
        if ((flag != FLAG_FIELD && flag != FLAG_ONCE && flag != FLAG_READ && flag != FLAG_WRITE) ||
            result)
            free(text);
    }
    if (result == 0 && !*ret_quit && flag < -1)
        result = usage(poptBadOption(context, 0), poptStrerror(flag));
    return result;
}

int cli_open(struct cli *cli)
{
    struct neap_options options;

    neap_options_init(&options);
    options.flags = 0; /* a mistyped path is an error, not a new directory */
    options.path = cli->directory;
    options.cluster = cli->cluster;
    return neap_open(&options, &cli->neap, &cli->error);
}

int cli_node(struct cli *cli)
{
    int code;

    if (cli->directory) {
        code = cli_open(cli);
    } else {
        if (cli->node == NULL)
            cli->node = getenv("NEAP_NODE");
        if (cli->cluster)
            code = neap_connect_trusted(cli->node, cli->cluster, &cli->neap, &cli->error);
        else
            code = neap_connect(cli->node ? cli->node : DEFAULT_NODE, &cli->neap, &cli->error);
    }
    return code ? cli_fail(cli, code, cli->directory ? "open" : "connect") : 0;
}

/* A flag that would do nothing is a mistake. */
static int flags_fit(const struct cli *cli, const struct command *command)
{
    const struct {
        int given;
        char letter;
        const char *name;
    } flags[] = {{cli->fields_count > 0, 'f', "--field"},
                 {cli->type != NEAP_ANY, 't', "--type"},
                 {cli->from != NULL, 's', "--from"},
                 {cli->limit > 0, 'l', "--limit"},
                 {cli->format_given, 'm', "--format"},
                 {cli->node != NULL, 'n', "--node"},
                 {cli->directory != NULL, 'n', "--dir"},
                 {cli->call.level != NEAP_BUCKET_DEFAULT, 'q', "--level"},
                 {cli->call.r > 0, 'r', "--r"},
                 {cli->call.pr > 0, 'r', "--pr"},
                 {cli->call.w > 0, 'w', "--w"},
                 {cli->call.pw > 0, 'w', "--pw"},
                 {cli->call.once.size > 0, 'o', "--once"},
                 {cli->call.ttl_ms > 0, 'e', "--ttl"},
                 {cli->peer != NULL, 'p', "--peer"},
                 {cli->since != NULL, 'b', "--since"},
                 {cli->prometheus, 'P', "--prometheus"},
                 {cli->dry_run, 'd', "--dry-run"},
                 {cli->budget != NULL, 'B', "--budget"},
                 {cli->resume, 'B', "--resume"},
                 {cli->yes, 'y', "--yes"},
                 {cli->ring, 'R', "--ring"},
                 {cli->file, 'F', "--file"},
                 {cli->kind != NULL, 'k', "--kind"},
                 {cli->read_count > 0, 'k', "--read"},
                 {cli->write_count > 0, 'k', "--write"},
                 {cli->id > 0, 'k', "--id"},
                 {cli->valid_ms > 0, 'k', "--valid"}};

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (flags[i].given && !strchr(command->flags, flags[i].letter)) {
            fprintf(stderr, "neap: %s means nothing to %s\n", flags[i].name, command->name);
            return EXIT_USAGE;
        }
    if (cli->directory && cli->node)
        return usage("--node and --dir are two ways to a node: give one", NULL);
    if (cli->cluster && !cli->directory && !cli->node)
        return usage("--cluster goes with --dir or --node", NULL);
    return 0;
}

static int command_run_one(struct cli *cli, const char **words)
{
    const struct command *command = NULL;
    int result = 0;

    if (words == NULL || words[0] == NULL)
        return usage("a command is missing", NULL);
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, words[0]) == 0)
            command = &commands[i];
    if (command == NULL)
        return usage("there is no command", words[0]);
    cli->argv = words + 1;
    while (cli->argv[cli->argc])
        cli->argc++;
    if (cli->argc < command->least || cli->argc > command->most) {
        fprintf(stderr, "usage: neap %s %s\n", command->name, command->arguments);
        return EXIT_USAGE;
    }
    result = flags_fit(cli, command);
    if (result == 0 && command->needs_node)
        result = cli_node(cli);
    if (result == 0)
        result = command->run(cli);
    neap_close(cli->neap);
    return result;
}

int main(int argc, const char **argv)
{
    static struct cli cli;
    const struct poptOption table[] = {
        {"node", 'n', POPT_ARG_STRING, &cli.node, 0, NULL, NULL},
        {"dir", 0, POPT_ARG_STRING, &cli.directory, 0, NULL, NULL},
        {"cluster", 0, POPT_ARG_STRING, &cli.cluster, 0, NULL, NULL},
        {"type", 0, POPT_ARG_STRING, NULL, FLAG_TYPE, NULL, NULL},
        {"from", 0, POPT_ARG_STRING, &cli.from, 0, NULL, NULL},
        {"peer", 0, POPT_ARG_STRING, &cli.peer, 0, NULL, NULL},
        {"since", 0, POPT_ARG_STRING, &cli.since, 0, NULL, NULL},
        {"format", 0, POPT_ARG_STRING, NULL, FLAG_FORMAT, NULL, NULL},
        {"field", 'f', POPT_ARG_STRING, NULL, FLAG_FIELD, NULL, NULL},
        {"output", 'o', POPT_ARG_STRING, NULL, FLAG_OUTPUT, NULL, NULL},
        {"timeout", 0, POPT_ARG_STRING, NULL, FLAG_TIMEOUT, NULL, NULL},
        {"limit", 0, POPT_ARG_STRING, NULL, FLAG_LIMIT, NULL, NULL},
        {"level", 0, POPT_ARG_STRING, NULL, FLAG_LEVEL, NULL, NULL},
        {"r", 0, POPT_ARG_STRING, NULL, FLAG_R, NULL, NULL},
        {"pr", 0, POPT_ARG_STRING, NULL, FLAG_PR, NULL, NULL},
        {"w", 0, POPT_ARG_STRING, NULL, FLAG_W, NULL, NULL},
        {"pw", 0, POPT_ARG_STRING, NULL, FLAG_PW, NULL, NULL},
        {"once", 0, POPT_ARG_STRING, NULL, FLAG_ONCE, NULL, NULL},
        {"ttl", 0, POPT_ARG_STRING, NULL, FLAG_TTL, NULL, NULL},
        {"dry-run", 0, POPT_ARG_NONE, &cli.dry_run, 0, NULL, NULL},
        {"budget", 0, POPT_ARG_STRING, &cli.budget, 0, NULL, NULL},
        {"resume", 0, POPT_ARG_NONE, &cli.resume, 0, NULL, NULL},
        {"yes", 0, POPT_ARG_NONE, &cli.yes, 0, NULL, NULL},
        {"prometheus", 0, POPT_ARG_NONE, &cli.prometheus, 0, NULL, NULL},
        {"ring", 0, POPT_ARG_NONE, &cli.ring, 0, NULL, NULL},
        {"file", 0, POPT_ARG_NONE, &cli.file, 0, NULL, NULL},
        {"kind", 0, POPT_ARG_STRING, &cli.kind, 0, NULL, NULL},
        {"read", 0, POPT_ARG_STRING, NULL, FLAG_READ, NULL, NULL},
        {"write", 0, POPT_ARG_STRING, NULL, FLAG_WRITE, NULL, NULL},
        {"id", 0, POPT_ARG_STRING, NULL, FLAG_ID, NULL, NULL},
        {"valid", 0, POPT_ARG_STRING, NULL, FLAG_VALID, NULL, NULL},
        {"version", 'V', POPT_ARG_NONE, NULL, FLAG_VERSION, NULL, NULL},
        {"help", 'h', POPT_ARG_NONE, NULL, FLAG_HELP, NULL, NULL},
        POPT_TABLEEND};
    poptContext context = poptGetContext("neap", argc, argv, table, 0);
    int quit = 0, result;

    cli.call.size = sizeof(cli.call);
    cli.call.ret_error = &cli.error;
    result = flags_read(&cli, context, &quit);
    if (result == 0 && !quit)
        result = command_run_one(&cli, poptGetArgs(context));
    poptFreeContext(context);
    return result;
}
