/* Who belongs to a cluster: init, token, join, cert. Secrets come from files or stdin, never as
 * arguments, and go to files that only their owner may read. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/cli.h"

enum { TEXT_MAX = 64 << 10 };

/* A file, or stdin; wiped by text_free(). */
struct text {
    char *data;
    size_t size;
};

static void text_free(struct text *text)
{
    if (text->data)
        explicit_bzero(text->data, TEXT_MAX + 1);
    free(text->data);
    *text = (struct text){0};
}

static int text_fail(const char *path, const char *why, int exit_code)
{
    fprintf(stderr, "neap: %s: %s\n", path, why);
    return exit_code;
}

/* What is secret and open to others is so no more. */
static int text_check(int file, const char *path, int secret)
{
    struct stat status;

    if (fstat(file, &status))
        return text_fail(path, strerror(errno), EXIT_DIFFERS);
    if (secret && S_ISREG(status.st_mode) && status.st_mode & (S_IRWXG | S_IRWXO))
        return text_fail(path,
                         "others may read it, and it is secret: chmod 600 it, and if others "
                         "may have read it make a new one",
                         EXIT_NO);
    return 0;
}

static int text_read(const char *path, int secret, struct text *ret_text)
{
    int file = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO, result;
    struct text text = {0};
    ssize_t got = 1;

    if (file < 0)
        return text_fail(path, strerror(errno), EXIT_DIFFERS);
    result = text_check(file, path, secret);
    text.data = result ? NULL : malloc(TEXT_MAX + 1);
    while (text.data && got > 0 && text.size <= TEXT_MAX) {
        got = read(file, text.data + text.size, TEXT_MAX + 1 - text.size);
        if (got > 0)
            text.size += (size_t)got;
    }
    if (!result && (!text.data || got < 0))
        result = text_fail(path, strerror(text.data ? errno : ENOMEM), EXIT_DIFFERS);
    else if (!result && (text.size > TEXT_MAX || !text.size))
        result = text_fail(path, text.size ? "too long to be one" : "it is empty", EXIT_USAGE);
    if (file != STDIN_FILENO)
        (void)close(file);
    if (result)
        text_free(&text);
    else
        *ret_text = text;
    return result;
}

static struct neap_bytes text_bytes(const struct text *text)
{
    return (struct neap_bytes){text->data, text->size};
}

/* To a new file of mode 0600, or to stdout. */
static int text_write(const char *path, const struct neap_buffer *text)
{
    int file;

    if (!strcmp(path, "-")) {
        (void)fwrite(text->data, 1, text->size, stdout);
        return fflush(stdout) ? text_fail("stdout", strerror(errno), EXIT_DIFFERS) : 0;
    }
    file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return text_fail(path, strerror(errno), errno == EEXIST ? EXIT_NO : EXIT_DIFFERS);
    if (write(file, text->data, text->size) != (ssize_t)text->size || fsync(file) || close(file)) {
        (void)unlink(path);
        return text_fail(path, "cannot write it", EXIT_DIFFERS);
    }
    return 0;
}

/* ---- what is said of a certificate ---- */

static int print_certificate(struct cli *cli, struct neap_buffer *text)
{
    json_t *json = json_loadb(text->data, text->size, 0, NULL), *right;
    size_t i;

    neap_buffer_free(text);
    if (!json)
        return text_fail("certificate", "out of memory", EXIT_DIFFERS);
    if (cli->json) {
        print_json(json);
        json_decref(json);
        return 0;
    }
    printf("%s", text_of(json, "identity"));
    if (*text_of(json, "cluster"))
        printf("  cluster %s", text_of(json, "cluster"));
    printf("\nvalid ");
    print_time(number_of(json, "from"));
    printf(" to ");
    print_time(number_of(json, "until"));
    putchar('\n');
    json_array_foreach(json_object_get(json, "rights"), i, right)
        printf("may %s %s\n", text_of(right, "may"), text_of(right, "bucket"));
    printf("serial %s\nfingerprint %s\n", text_of(json, "serial"), text_of(json, "fingerprint"));
    json_decref(json);
    return 0;
}

/* ---- init ---- */

int command_init(struct cli *cli)
{
    const char *path = cli->argc ? cli->argv[0] : "neap.cluster";
    int code;

    if (cli->file) {
        int result = cluster_write(path);

        if (result == 0 && !cli->json)
            printf("made %s: copy it to every node, and give it to neapd as --cluster\n", path);
        return result;
    }
    code = neap_cluster_make(path, &cli->error);
    if (code)
        return cli_fail(cli, code, "init");
    if (!cli->json)
        printf("made %s: it is the first node's, who takes it as --cluster; others come with "
               "`neap token create` and `neap join`. Keep a copy of it in a safe place: who has "
               "ca.key is anybody\n",
               path);
    return 0;
}

/* ---- token, join ---- */

static int grant_take(struct cli *cli, struct neap_grant *ret_grant)
{
    static const char *const names[] = {"node", "device", "client"};
    const char *kind = cli->kind ? cli->kind : "node";
    struct neap_grant grant = {.size = sizeof grant,
                               .id = cli->id,
                               .read = cli->read,
                               .read_count = cli->read_count,
                               .write = cli->write,
                               .write_count = cli->write_count,
                               .valid_ms = cli->valid_ms};

    for (unsigned i = 0; i < 3; i++)
        if (!strcmp(kind, names[i]))
            grant.kind = (enum neap_kind)(NEAP_NODE + i);
    if (!grant.kind) {
        fprintf(stderr, "neap: --kind is node, device or client, not %s\n", kind);
        return EXIT_USAGE;
    }
    *ret_grant = grant;
    return 0;
}

static int usage_of(const char *text)
{
    fprintf(stderr, "usage: neap %s\n", text);
    return EXIT_USAGE;
}

static int token_create(struct cli *cli)
{
    struct neap_buffer token = {0};
    struct neap_grant grant;
    int result = grant_take(cli, &grant), code;

    if (result)
        return result;
    code = neap_token_make(cli->argv[1], &grant, cli->call.ttl_ms, &token, &cli->error);
    if (code)
        return cli_fail(cli, code, "token");
    if (cli->json)
        printf("{\"token\": \"%s\"}\n", (const char *)token.data);
    else
        printf("%s\n", (const char *)token.data);
    neap_secret_free(&token);
    return fflush(stdout) ? text_fail("stdout", strerror(errno), EXIT_DIFFERS) : 0;
}

/* One token, one line: its id, how it stands, who its bearer becomes, until when, and his rights.
 */
static void print_token(const json_t *token)
{
    json_t *right;
    size_t i;

    printf("%s  %-7s  %s  ", text_of(token, "id"), text_of(token, "state"),
           text_of(token, "identity"));
    print_time(number_of(token, "until"));
    json_array_foreach(json_object_get(token, "rights"), i, right)
        printf("%s%s %s", i ? ", " : "  ", text_of(right, "may"), text_of(right, "bucket"));
    putchar('\n');
}

static int token_list(struct cli *cli)
{
    struct neap_buffer text = {0};
    int code = neap_token_list(cli->argv[1], &text, &cli->error);
    json_t *json, *token;
    size_t i;

    if (code)
        return cli_fail(cli, code, "token list");
    json = json_loadb(text.data, text.size, 0, NULL);
    neap_buffer_free(&text);
    if (!json)
        return text_fail("tokens", "out of memory", EXIT_DIFFERS);
    if (cli->json) {
        print_json(json);
    } else {
        json_array_foreach(json_object_get(json, "tokens"), i, token) print_token(token);
    }
    code = number_of(json, "damaged") ? EXIT_DIFFERS : 0;
    if (code)
        fprintf(stderr, "neap: %s/tokens: files that cannot be read: %.0f\n", cli->argv[1],
                (double)number_of(json, "damaged"));
    json_decref(json);
    return code;
}

/* The id as lists have it, or the whole name: device/ID. */
static int token_revoke(struct cli *cli)
{
    const char *slash = strchr(cli->argv[2], '/'), *text = slash ? slash + 1 : cli->argv[2];
    char *end;
    uint64_t id = strtoull(text, &end, 16);
    int code;

    if (strlen(text) != 16 || *end || strspn(text, "0123456789abcdef") != 16 || !id)
        return text_fail(cli->argv[2],
                         "not the id of a token: 16 hex digits, as in `neap token list`",
                         EXIT_USAGE);
    code = neap_token_revoke(cli->argv[1], id, &cli->error);
    return code ? cli_fail(cli, code, "token revoke") : 0;
}

int command_token(struct cli *cli)
{
    static const struct {
        const char *verb, *usage;
        int count, grants;
        command_run run;
    } verbs[] = {{"create", "token create DIRECTORY", 2, 1, token_create},
                 {"list", "token list DIRECTORY", 2, 0, token_list},
                 {"revoke", "token revoke DIRECTORY ID", 3, 0, token_revoke}};
    int given = cli->kind || cli->id || cli->read_count || cli->write_count || cli->valid_ms ||
                cli->call.ttl_ms;

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(cli->argv[0], verbs[i].verb))
            continue;
        if (cli->argc != verbs[i].count)
            return usage_of(verbs[i].usage);
        if (given && !verbs[i].grants) {
            fprintf(stderr, "neap: who it is for means nothing to token %s\n", verbs[i].verb);
            return EXIT_USAGE;
        }
        return verbs[i].run(cli);
    }
    fprintf(stderr, "neap: token %s: it is create, list or revoke\n", cli->argv[0]);
    return EXIT_USAGE;
}

int command_join(struct cli *cli)
{
    struct neap_buffer json = {0};
    struct text token;
    int code, result = text_read(cli->argv[0], 1, &token);

    if (result)
        return result;
    code = neap_join(text_bytes(&token), cli->argv[1], cli->argv[2], cli->call.timeout_ms, &json,
                     &cli->error);
    text_free(&token);
    return code ? cli_fail(cli, code, "join") : print_certificate(cli, &json);
}

/* ---- cert ---- */

static int cert_request(struct cli *cli)
{
    struct neap_buffer request = {0};
    int code = neap_certificate_request(cli->argv[1], &request, &cli->error), result;

    if (code)
        return cli_fail(cli, code, "cert request");
    result = text_write("-", &request);
    neap_buffer_free(&request);
    return result;
}

static int cert_sign(struct cli *cli)
{
    struct neap_buffer papers = {0};
    struct neap_grant grant;
    struct text request;
    int code, result = grant_take(cli, &grant);

    if (!result)
        result = text_read(cli->argv[2], 0, &request);
    if (result)
        return result;
    code = neap_certificate_sign(cli->argv[1], text_bytes(&request), &grant, &papers, &cli->error);
    text_free(&request);
    if (code)
        return cli_fail(cli, code, "cert sign");
    result = text_write(cli->argv[3], &papers);
    neap_secret_free(&papers);
    return result;
}

static int cert_take(struct cli *cli)
{
    struct neap_buffer json = {0};
    struct text papers;
    int code, result = text_read(cli->argv[2], 1, &papers);

    if (result)
        return result;
    code = neap_certificate_take(cli->argv[1], text_bytes(&papers), &json, &cli->error);
    text_free(&papers);
    return code ? cli_fail(cli, code, "cert take") : print_certificate(cli, &json);
}

static int cert_show(struct cli *cli)
{
    struct neap_buffer json = {0};
    struct text certificate;
    int code, result = text_read(cli->argv[1], 0, &certificate);

    if (result)
        return result;
    code = neap_certificate_show(text_bytes(&certificate), &json, &cli->error);
    text_free(&certificate);
    return code ? cli_fail(cli, code, "cert show") : print_certificate(cli, &json);
}

static int cert_renew(struct cli *cli)
{
    struct neap_buffer json = {0};
    int code = neap_certificate_renew(cli->argv[1], cli->argc > 2 ? cli->argv[2] : NULL,
                                      cli->call.timeout_ms, &json, &cli->error);

    return code ? cli_fail(cli, code, "cert renew") : print_certificate(cli, &json);
}

int command_cert(struct cli *cli)
{
    static const struct {
        const char *verb, *usage;
        int least, most, grants;
        command_run run;
    } verbs[] = {{"request", "cert request DIRECTORY", 2, 2, 0, cert_request},
                 {"sign", "cert sign DIRECTORY REQUEST PAPERS", 4, 4, 1, cert_sign},
                 {"take", "cert take DIRECTORY PAPERS", 3, 3, 0, cert_take},
                 {"show", "cert show FILE", 2, 2, 0, cert_show},
                 {"renew", "cert renew DIRECTORY [ADDRESS]", 2, 3, 0, cert_renew}};
    int given = cli->kind || cli->id || cli->read_count || cli->write_count || cli->valid_ms;

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(cli->argv[0], verbs[i].verb))
            continue;
        if (cli->argc < verbs[i].least || cli->argc > verbs[i].most)
            return usage_of(verbs[i].usage);
        if (given && !verbs[i].grants) {
            fprintf(stderr, "neap: who it is for means nothing to cert %s\n", verbs[i].verb);
            return EXIT_USAGE;
        }
        return verbs[i].run(cli);
    }
    fprintf(stderr, "neap: cert %s: it is request, sign, take, show or renew\n", cli->argv[0]);
    return EXIT_USAGE;
}
