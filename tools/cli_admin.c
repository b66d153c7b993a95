/* Commands on the node: status, digest, stats, isolate. And the cluster file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli.h"
#include "tools/metrics.h"

json_t *cli_ask(struct cli *cli, int argc, const char *const argv[], int *ret_exit)
{
    struct neap_buffer text = {0};
    json_t *json = NULL;
    int code = neap_admin(cli->neap, argc, argv, &text, &cli->call);

    *ret_exit = code ? cli_fail(cli, code, argv[0]) : 0;
    if (code == 0) {
        json = json_loadb(text.data, text.size, 0, NULL);
        if (json == NULL) {
            fprintf(stderr, "neap: %s: the node's answer is not JSON\n", argv[0]);
            *ret_exit = EXIT_DIFFERS;
        }
    }
    neap_buffer_free(&text);
    return json;
}

/* Not somebody who came by himself and listens nowhere: he may stay away. */
static int peer_is_known(const json_t *peer)
{
    const char *address = json_string_value(json_object_get(peer, "address"));

    return address && *address;
}

/* Three quarters of the replica ids that a bucket may have are used up. */
static int ids_run_out(const json_t *bucket)
{
    json_int_t most = number_of(bucket, "ids_max");

    return most > 0 && number_of(bucket, "ids") * 4 >= most * 3;
}

/* A peer of which it is known that one of the two is damaged. */
static const json_t *bucket_differs(const json_t *bucket)
{
    const json_t *peer;
    size_t i;

    json_array_foreach(json_object_get(bucket, "peers"), i, peer)
    {
        if (json_is_integer(json_object_get(peer, "differs_ms")))
            return peer;
    }
    return NULL;
}

static const char *certificate_problem(const json_t *status)
{
    const json_t *certificate = json_object_get(status, "certificate");

    return json_is_string(json_object_get(certificate, "problem")) ? text_of(certificate, "problem")
                                                                   : "";
}

static void age_text(json_int_t ms, char *ret_text, size_t size)
{
    static const struct {
        json_int_t s;
        const char *unit;
    } units[] = {{2 * 86400, "d"}, {2 * 3600, "h"}, {2 * 60, "min"}, {0, "s"}};
    json_int_t s = ms / 1000;
    size_t i = 0;

    while (s < units[i].s)
        i++;
    snprintf(ret_text, size, "%" JSON_INTEGER_FORMAT " %s", s / (i < 3 ? units[i].s / 2 : 1),
             units[i].unit);
}

/* "dead for 12 s", of a member that is not alive. */
static const char *member_text(const json_t *peer, char *ret_text, size_t size)
{
    const char *state = text_of(peer, "member");
    char age[24];

    if (!strcmp(state, "-") || !strcmp(state, "alive"))
        return state;
    age_text(number_of(peer, "member_ms_ago"), age, sizeof age);
    snprintf(ret_text, size, "%s for %s", state, age);
    return ret_text;
}

static const char *link_text(const json_t *peer)
{
    if (json_is_true(json_object_get(peer, "connected")))
        return "connected";
    return json_is_true(json_object_get(peer, "retired")) ? "retired" : "away";
}

/* What an operator has to look at: exit 1. */
static int status_degraded(json_t *status)
{
    json_t *item;
    size_t i;
    int degraded = json_is_true(json_object_get(status, "suspect")) ||
                   json_is_true(json_object_get(status, "isolated")) ||
                   json_is_string(json_object_get(status, "stopped")) ||
                   json_is_string(json_object_get(status, "disk_error")) ||
                   *certificate_problem(status);

    json_array_foreach(json_object_get(status, "peers"), i, item)
    {
        degraded |= peer_is_known(item) && !json_is_true(json_object_get(item, "connected"));
    }
    json_array_foreach(json_object_get(status, "buckets"), i, item)
    {
        degraded |= number_of(json_object_get(item, "counts"), "healed") > 0;
        degraded |= json_is_string(json_object_get(item, "problem"));
        degraded |= bucket_differs(item) != NULL;
        degraded |= ids_run_out(item);
    }
    return degraded;
}

/* What the disk itself says is in parentheses: for whoever repairs that (-o json). */
static void print_disk_error(const char *text)
{
    const char *details = strstr(text, " (");

    printf("UNREADABLE: %.*s\n", details ? (int)(details - text) : (int)strlen(text), text);
}

static void print_node_warnings(const json_t *status)
{
    const char *stopped = json_string_value(json_object_get(status, "stopped"));
    const char *reason = text_of(status, "life_reason");

    if (stopped)
        printf("STOPPED: %s\n", stopped);
    else if (json_is_string(json_object_get(status, "disk_error")))
        print_disk_error(text_of(status, "disk_error"));
    if (json_is_true(json_object_get(status, "isolated")))
        printf("ISOLATED: `neap isolate off` lets it talk with its peers again\n");
    if (json_is_true(json_object_get(status, "suspect")))
        printf("SUSPECT: what was synced was damaged or missing when it was opened; it began a new "
               "life: see the disk, then `neap verify`\n");
    else if (json_is_true(json_object_get(status, "life_is_new")) &&
             strcmp(reason, "new directory") != 0)
        printf("NEW LIFE: %s: what was written since comes from peers: `neap verify` says when all "
               "is here\n",
               reason);
    if (*certificate_problem(status))
        printf("CERTIFICATE: %s\n", certificate_problem(status));
}

static void print_peer_warnings(const json_t *status)
{
    const json_t *peer;
    char state[48];
    size_t i;

    json_array_foreach(json_object_get(status, "peers"), i, peer)
    {
        if (!peer_is_known(peer) || json_is_true(json_object_get(peer, "connected")))
            continue;
        printf("AWAY: %s (%s): see it, and the way to it; %s\n", text_of(peer, "address"),
               json_is_string(json_object_get(peer, "member"))
                   ? member_text(peer, state, sizeof state)
                   : "not here since the start",
               json_is_true(json_object_get(peer, "retired"))
                   ? "no log waits for it: it compares when it is back"
                   : "`neap hints` says what it lacks");
    }
}

/* What changes much, and is big. */
static void print_hot(const json_t *bucket)
{
    const json_t *hot, *key;
    const char *name = text_of(bucket, "name");
    size_t i;

    json_array_foreach(json_object_get(bucket, "hot"), i, hot)
    {
        key = json_object_get(hot, "key");
        if (!json_is_true(json_object_get(hot, "big")))
            continue;
        printf("HOT: bucket %s, %s %s: %" JSON_INTEGER_FORMAT
               " elements, and about %" JSON_INTEGER_FORMAT
               " changes in two minutes: spread it over several keys, or remove what is old; "
               "`neap big %s`\n",
               name, text_of(hot, "type"), json_is_string(key) ? json_string_value(key) : "(bytes)",
               number_of(hot, "elements"), number_of(hot, "changes"), name);
    }
}

static void print_bucket_warnings(const json_t *bucket)
{
    const json_t *peer = bucket_differs(bucket);
    const char *name = text_of(bucket, "name");
    json_int_t healed = number_of(json_object_get(bucket, "counts"), "healed");
    json_int_t siblings = number_of(bucket, "siblings");

    if (json_is_string(json_object_get(bucket, "problem")))
        printf("PROBLEM: %s\n", text_of(bucket, "problem"));
    if (ids_run_out(bucket))
        printf("IDS: bucket %s has %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
               " replica ids\n",
               name, number_of(bucket, "ids"), number_of(bucket, "ids_max"));
    if (peer) {
        printf("DIFFERS: bucket %s at %s, since ", name, text_of(peer, "address"));
        print_time(number_of(peer, "differs_ms"));
        printf(": `neap diff %s` names the cells, `neap repair %s` mends them\n", name, name);
    }
    if (healed)
        printf("DAMAGE: bucket %s had lost %" JSON_INTEGER_FORMAT
               " dots; peers gave them back: see the disk\n",
               name, healed);
    if (siblings)
        printf("SIBLINGS: bucket %s has %" JSON_INTEGER_FORMAT
               " register%s with more than one value: `neap siblings %s` names %s\n",
               name, siblings, siblings == 1 ? "" : "s", name, siblings == 1 ? "it" : "them");
    print_hot(bucket);
}

/* What needs a look, and by which command. */
static void print_warnings(const json_t *status)
{
    json_t *item;
    size_t i;

    print_node_warnings(status);
    print_peer_warnings(status);
    json_array_foreach(json_object_get(status, "buckets"), i, item) print_bucket_warnings(item);
}

static void print_counts(json_t *status)
{
    const char *name;
    json_t *item;

    json_object_foreach(json_object_get(status, "links"), name, item)
    {
        if (json_integer_value(item))
            printf("counted: %-24s %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(item));
    }
}

/* With all peers, or when it was last so with the one that is worst off. */
static void print_bucket(const json_t *bucket)
{
    const json_t *peers = json_object_get(bucket, "peers"), *peer, *worst = NULL;
    size_t i;

    printf("%-24s %8" JSON_INTEGER_FORMAT " %9" JSON_INTEGER_FORMAT "  ", text_of(bucket, "name"),
           number_of(bucket, "log"), number_of(bucket, "residues"));
    json_array_foreach(peers, i, peer)
    {
        if (strcmp(text_of(peer, "state"), "equal") != 0 && *text_of(peer, "address") &&
            (worst == NULL || number_of(peer, "equal_ms") < number_of(worst, "equal_ms")))
            worst = peer;
    }
    if (worst && json_is_integer(json_object_get(worst, "equal_ms"))) {
        printf("as of ");
        print_time(number_of(worst, "equal_ms"));
    }
    if (worst)
        printf("%s with %s: %s",
               json_is_integer(json_object_get(worst, "equal_ms")) ? "" : "not since the start",
               text_of(worst, "address"), text_of(worst, "state"));
    else
        printf(json_array_size(peers) ? "now" : "-");
    putchar('\n');
}

int command_status(struct cli *cli)
{
    const char *const words[] = {"status"};
    json_t *status, *item;
    char member[48];
    size_t i;
    int result, degraded;

    status = cli_ask(cli, 1, words, &result);
    if (status == NULL)
        return result;
    degraded = status_degraded(status) ? EXIT_DIFFERS : EXIT_FINE;
    if (cli->json) {
        print_json(status);
        json_decref(status);
        return degraded;
    }
    printf("node %s  version %s  cluster %s", text_of(status, "node"), text_of(status, "version"),
           text_of(status, "cluster"));
    if (text_of(status, "name")[0])
        printf("  name %s", text_of(status, "name"));
    if (text_of(status, "zone")[0])
        printf("  zone %s", text_of(status, "zone"));
    printf("\n");
    printf("\n%-24s %8s %9s  %s\n", "bucket", "log", "residues", "equal");
    json_array_foreach(json_object_get(status, "buckets"), i, item) print_bucket(item);
    if (json_array_size(json_object_get(status, "peers")))
        printf("\n%-36s %-10s %8s  %-18s %s\n", "peer", "state", "lag", "member", "last error");
    json_array_foreach(json_object_get(status, "peers"), i, item)
        printf("%-36s %-10s %8" JSON_INTEGER_FORMAT "  %-18s %s\n",
               text_of(item, peer_is_known(item) ? "address" : "node"),
               link_text(item),
               number_of(item, "lag"), member_text(item, member, sizeof member),
               text_of(item, "last_error"));
    print_warnings(status);
    print_counts(status);
    json_decref(status);
    return degraded;
}

static void print_digest(json_t *item, const char *name)
{
    printf("%-24s %10" JSON_INTEGER_FORMAT " %10" JSON_INTEGER_FORMAT " %12" JSON_INTEGER_FORMAT
           " %6" JSON_INTEGER_FORMAT " %8" JSON_INTEGER_FORMAT "  %s\n",
           name, number_of(item, "keys"), number_of(item, "cells"), number_of(item, "bytes"),
           number_of(item, "log"), number_of(item, "residues"), text_of(item, "digest"));
}

int command_digest(struct cli *cli)
{
    const char *words[] = {"digest", cli->argc ? cli->argv[0] : NULL};
    json_t *digest, *item;
    size_t i;
    int result;

    digest = cli_ask(cli, cli->argc ? 2 : 1, words, &result);
    if (digest == NULL)
        return result;
    if (cli->json) {
        print_json(digest);
        json_decref(digest);
        return 0;
    }
    printf("%-24s %10s %10s %12s %6s %8s  %s\n", "bucket", "keys", "cells", "bytes", "log",
           "residues", "digest");
    json_array_foreach(json_object_get(digest, "buckets"), i, item)
        print_digest(item, text_of(item, "name"));
    print_digest(json_object_get(digest, "total"), "(all)");
    json_decref(digest);
    return 0;
}

json_t *stats_ask(struct cli *cli, int *ret_exit)
{
    struct neap_iter *iter;
    struct neap_item item;
    json_t *all = json_object();
    int code = neap_stats(cli->neap, &iter);

    if (code == 0) {
        while ((code = neap_next(iter, &item, 0)) == 0) {
            char name[128];

            snprintf(name, sizeof(name), "%.*s", (int)item.name.size,
                     (const char *)item.name.data);
            json_object_set_new(all, name, json_integer(item.number));
        }
        neap_iter_free(iter);
    }
    *ret_exit = code == NEAP_END ? 0 : cli_fail(cli, code, "stats");
    if (*ret_exit == 0)
        return all;
    json_decref(all);
    return NULL;
}

int command_stats(struct cli *cli)
{
    int result;
    json_t *all = stats_ask(cli, &result), *number;
    const char *name;

    if (all && cli->prometheus)
        metrics_write(stdout, all);
    else if (all && cli->json)
        print_json(all);
    else
        json_object_foreach(all, name, number)
        {
            print_bytes(stdout, bytes_of(name));
            printf("\t%" JSON_INTEGER_FORMAT "\n", json_integer_value(number));
        }
    json_decref(all);
    return result;
}

int command_revoke(struct cli *cli)
{
    const char *const words[] = {"revoke", cli->argv[0]};
    int result = cli_sure(cli, "revoke", "there is no way back for that identity");
    json_t *json;

    if (result)
        return result;
    json = cli_ask(cli, 2, words, &result);
    json_decref(json);
    return result;
}

int command_revoked(struct cli *cli)
{
    const char *const words[] = {"revoked", cli->argc ? cli->argv[0] : "list"};
    size_t index;
    int result;
    json_t *json = cli_ask(cli, 2, words, &result), *name;

    if (json && cli->json)
        print_json(json);
    json_array_foreach(json_object_get(json, "revoked"), index, name) if (!cli->json)
        printf("%s\n", json_string_value(name));
    json_decref(json);
    return result;
}

/* `subscribe`, `unsubscribe` and `subscriptions`: the list, then what is on its way out. */
static int subscriptions_print(struct cli *cli, int argc, const char *const words[])
{
    int result;
    size_t index;
    json_t *json = cli_ask(cli, argc, words, &result), *entry;

    if (json && cli->json)
        print_json(json);
    json_array_foreach(json_object_get(json, "subscriptions"), index, entry) if (!cli->json)
        printf("%s\n", json_string_value(entry));
    json_array_foreach(json_object_get(json, "leaving"), index, entry) if (!cli->json)
        printf("leaving %s: %lld events that nobody else is known to have\n",
               json_string_value(json_object_get(entry, "name")),
               (long long)json_integer_value(json_object_get(entry, "unshared")));
    if (json_object_get(json, "dropped") && !cli->json)
        printf("dropped %lld buckets, with %lld events that nobody else is known to have\n",
               (long long)json_integer_value(json_object_get(json, "dropped")),
               (long long)json_integer_value(json_object_get(json, "lost")));
    json_decref(json);
    return result;
}

int command_subscribe(struct cli *cli)
{
    const char *const words[] = {"subscribe", cli->argv[0]};

    return subscriptions_print(cli, 2, words);
}

int command_unsubscribe(struct cli *cli)
{
    const char *const words[] = {"unsubscribe", cli->argv[0], cli->argc > 1 ? cli->argv[1] : NULL};
    int result = 0;

    if (cli->argc > 1)
        result = cli_sure(cli, "unsubscribe", "what nobody else has is lost with it");
    if (result)
        return result;
    return subscriptions_print(cli, cli->argc > 1 ? 3 : 2, words);
}

int command_subscriptions(struct cli *cli)
{
    const char *const words[] = {"subscriptions"};

    return subscriptions_print(cli, 1, words);
}

int command_isolate(struct cli *cli)
{
    const char *const words[] = {"isolate", cli->argv[0]};
    int result;
    json_t *json = cli_ask(cli, 2, words, &result);

    json_decref(json);
    return result;
}

/* 16 hex digits of id, 64 of key; readable by its owner only, never overwritten. */
int cluster_write(const char *path)
{
    unsigned char random[40];
    char text[400], hex[2 * sizeof(random) + 1];
    int file, size;

    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        fprintf(stderr, "neap: init: no random bytes: %s\n", strerror(errno));
        return EXIT_DIFFERS;
    }
    for (size_t i = 0; i < sizeof(random); i++)
        snprintf(hex + 2 * i, 3, "%02x", random[i]);
    size = snprintf(text, sizeof(text),
                    "# A neap cluster. Every node of it needs this file; keep it secret.\n"
                    "cluster = %.16s\nkey = %s\n",
                    hex, hex + 16);
    file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0) {
        fprintf(stderr, "neap: init: cannot make %s: %s\n", path,
                errno == EEXIST ? "it exists, and making a new one would leave its cluster"
                                : strerror(errno));
        return errno == EEXIST ? EXIT_NO : EXIT_DIFFERS;
    }
    if (write(file, text, (size_t)size) != size || fsync(file) || close(file)) {
        fprintf(stderr, "neap: init: cannot write %s: %s\n", path, strerror(errno));
        return EXIT_DIFFERS;
    }
    return 0;
}
