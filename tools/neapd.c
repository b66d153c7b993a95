/* The daemon: libneap behind a socket. It adds a config file, log lines and signals, nothing else.
 */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "neap.h"
#include "tools/config.h"
#include "tools/log.h"
#include "tools/metrics.h"

/* A look is at a few numbers; when they changed, and every so many looks, it is at each peer. */
enum { LOOK_SECONDS = 1, LOOKS_FULL = 5, PEERS_KNOWN = 64 };
/* Links that each listener lets in, when there are descriptors for them. */
enum { FILES_WANTED = 65536, LINKS_USUAL = 512 };

/* What the last look saw, so that only changes are logged. */
struct watch {
    int connected[PEERS_KNOWN];
    char why[PEERS_KNOWN][128];
    json_int_t messages[PEERS_KNOWN]; /* of it, that were refused for want of rights */
    json_int_t count;                 /* of connected peers */
    unsigned looks;                   /* since the last full one */
    json_int_t refused;               /* the latest who was, and is logged */
    json_int_t renewed;               /* how often the own certificate was */
    char certificate[300];            /* what is wrong with it */
    struct metrics *metrics;          /* NULL: nobody asks */
    int failed_numbers, failed_peers; /* codes of the last looks; 0: they went well */
};

static void watch_peer(struct watch *watch, size_t index, json_t *peer)
{
    const char *address = json_string_value(json_object_get(peer, "address"));
    const char *why = json_string_value(json_object_get(peer, "last_error"));
    int connected = json_is_true(json_object_get(peer, "connected"));
    char quoted[160], reason[160];

    log_quote(address ? address : "", quoted, sizeof(quoted));
    log_quote(why ? why : "", reason, sizeof(reason));
    if (connected && !watch->connected[index])
        log_line(LOG_INFO, "peer_up", "address=%s", quoted);
    else if (!connected && watch->connected[index])
        log_line(LOG_WARN, "peer_down", "address=%s reason=%s", quoted, reason);
    else if (!connected && why && strncmp(watch->why[index], why, sizeof(watch->why[index]) - 1))
        log_line(LOG_WARN, "peer_unreachable", "address=%s reason=%s", quoted, reason);
    watch->connected[index] = connected;
    snprintf(watch->why[index], sizeof(watch->why[index]), "%s", why ? why : "");
}

/* A peer goes on, but for what it sends and may not. */
static void watch_rights(struct watch *watch, size_t index, json_t *peer)
{
    const char *principal = json_string_value(json_object_get(peer, "principal"));
    const char *why = json_string_value(json_object_get(peer, "last_error"));
    json_int_t messages = json_integer_value(json_object_get(peer, "refused"));
    char who[160], reason[160];

    if (messages > watch->messages[index])
        log_line(LOG_WARN, "peer_refused", "from=%s times=%lld reason=%s",
                 log_quote(principal ? principal : "", who, sizeof(who)), (long long)messages,
                 log_quote(why ? why : "", reason, sizeof(reason)));
    watch->messages[index] = messages;
}

/* NULL: what went wrong is logged, once for as long as it goes on. */
static json_t *watch_ask(struct neap *neap, const char *word, int *failed)
{
    struct neap_error error = {0};
    struct neap_call call = {.size = sizeof(call), .ret_error = &error};
    struct neap_buffer json = {0};
    json_t *answer = NULL;
    int code = neap_admin(neap, 1, &word, &json, &call);
    char text[300];

    if (!code) {
        answer = json_loadb(json.data, json.size, 0, NULL);
        code = answer ? 0 : NEAP_NOMEM;
        neap_buffer_free(&json);
    }
    if (code && code != *failed)
        log_line(LOG_WARN, "look_failed", "code=%d text=%s", code,
                 log_quote(error.text[0] ? error.text : neap_strerror(code), text, sizeof(text)));
    *failed = code;
    return answer;
}

static void watch_peers(struct watch *watch, json_t *status)
{
    json_t *peer;
    size_t index;

    json_array_foreach(json_object_get(status, "peers"), index, peer)
    {
        if (index < PEERS_KNOWN) {
            watch_peer(watch, index, peer);
            watch_rights(watch, index, peer);
        }
    }
}

/* Who was not let in since the last look, and why. */
static void watch_refused(struct watch *watch, json_t *status)
{
    json_int_t latest = watch->refused;
    json_t *refused;
    size_t index;

    json_array_foreach(json_object_get(status, "refused"), index, refused)
    {
        json_int_t number = json_integer_value(json_object_get(refused, "number"));
        const char *from = json_string_value(json_object_get(refused, "from"));
        const char *why = json_string_value(json_object_get(refused, "reason"));
        char source[160], reason[300];

        if (number <= watch->refused)
            continue;
        log_line(LOG_WARN, "refused", "from=%s times=%lld reason=%s",
                 log_quote(from ? from : "", source, sizeof(source)),
                 (long long)json_integer_value(json_object_get(refused, "times")),
                 log_quote(why ? why : "", reason, sizeof(reason)));
        latest = number > latest ? number : latest;
    }
    watch->refused = latest;
}

/* Its own certificate: that it was made anew, or why it is not; the latter again when the days that
 * are left are others. */
static void watch_certificate(struct watch *watch, json_t *status)
{
    json_t *certificate = json_object_get(status, "certificate");
    const char *problem = json_string_value(json_object_get(certificate, "problem"));
    json_int_t renewed = json_integer_value(json_object_get(certificate, "renewed"));
    char text[400];

    if (renewed > watch->renewed)
        log_line(LOG_INFO, "certificate_renewed", "days_left=%lld",
                 (long long)json_integer_value(json_object_get(certificate, "days_left")));
    watch->renewed = renewed;
    if (problem && strcmp(problem, watch->certificate) != 0)
        log_line(LOG_WARN, "certificate", "text=%s", log_quote(problem, text, sizeof(text)));
    snprintf(watch->certificate, sizeof(watch->certificate), "%s", problem ? problem : "");
}

/* 0 while the node runs. A node whose disk failed has stopped, and so must the daemon; a look that
 * fails says nothing about the node. */
static int watch_look(struct watch *watch, struct neap *neap)
{
    json_t *numbers = watch_ask(neap, "stats", &watch->failed_numbers), *status;
    json_int_t count = json_integer_value(json_object_get(numbers, "peers_connected"));
    int stopped = json_integer_value(json_object_get(numbers, "stopped")) != 0;
    json_int_t refused = json_integer_value(json_object_get(numbers, "links_refused"));
    int full = stopped || count != watch->count || refused != watch->refused || watch->looks == 0;
    const char *why;
    char text[300];

    if (numbers && watch->metrics)
        metrics_set(watch->metrics, numbers);
    json_decref(numbers);
    if (!numbers)
        return 0;
    watch->looks = (watch->looks + 1) % LOOKS_FULL;
    if (!full)
        return 0;
    status = watch_ask(neap, "status", &watch->failed_peers);
    watch->count = count;
    watch_peers(watch, status);
    watch_refused(watch, status);
    watch_certificate(watch, status);
    if (stopped) {
        why = json_string_value(json_object_get(status, "stopped"));
        log_line(LOG_ERROR, "stopped", "text=%s", log_quote(why ? why : "", text, sizeof(text)));
    }
    json_decref(status);
    return stopped;
}

static void reload(struct config *config, struct neap *neap)
{
    struct neap_error error = {0};
    struct neap_call call = {.size = sizeof(call), .ret_error = &error};
    struct neap_buffer json = {0};
    const char *changed, *word = "reload";
    char text[300];

    if (neap_admin(neap, 1, &word, &json, &call))
        log_line(LOG_ERROR, "reload_failed", "kept=certificates text=%s",
                 log_quote(error.text, text, sizeof(text)));
    neap_buffer_free(&json);

    if (config_reload(config, &changed)) {
        log_line(LOG_ERROR, "reload_failed", "kept=all");
        return;
    }
    log_set_level(config->log_level);
    log_line(LOG_INFO, "reloaded", "log_level=%s", log_level_text(config->log_level));
    if (changed)
        log_line(LOG_WARN, "needs_restart", "setting=%s", changed);
}

static int serve(struct config *config, struct neap *neap, struct metrics *metrics,
                 const sigset_t *signals)
{
    static struct watch watch;
    const struct timespec look = {.tv_sec = LOOK_SECONDS};

    watch.metrics = metrics;
    if (watch_look(&watch, neap))
        return 1;
    for (;;) {
        int signal = sigtimedwait(signals, NULL, &look);

        if (signal == SIGTERM || signal == SIGINT) {
            log_line(LOG_INFO, "stopping", "signal=%d", signal);
            return 0;
        }
        if (signal == SIGHUP) {
            reload(config, neap);
        }
        if (watch_look(&watch, neap))
            return 1;
    }
}

/* Fewer than usual may come, when few files may be open. */
static void look_at_files(struct neap *neap)
{
    int failed = 0;
    json_t *numbers = watch_ask(neap, "stats", &failed);
    json_int_t nodes = json_integer_value(json_object_get(numbers, "links.accepted_max"));
    json_int_t clients = json_integer_value(json_object_get(numbers, "links.client_accepted_max"));

    if ((nodes && nodes < LINKS_USUAL) || (clients && clients < LINKS_USUAL))
        log_line(LOG_WARN, "few_files", "links_of_nodes=%lld links_of_clients=%lld text=%s",
                 (long long)nodes, (long long)clients,
                 "\"so many are let in: more when the limit of open files is raised (LimitNOFILE=, "
                 "ulimit -n)\"");
    json_decref(numbers);
}

static int run(struct config *config, struct metrics *metrics, const sigset_t *signals)
{
    struct neap_options options;
    struct neap_error error = {0};
    struct neap *neap;
    char text[300], path[300], listen[300], socket[300];
    int code;

    config_options(config, &options);
    code = neap_open(&options, &neap, &error);
    if (code) {
        log_line(LOG_ERROR, "open_failed", "code=%d text=%s", code,
                 log_quote(error.text[0] ? error.text : neap_strerror(code), text, sizeof(text)));
        if (code == NEAP_INVALID)
            return 2;
        return code == NEAP_REFUSED || code == NEAP_LOCKED || code == NEAP_UNAVAILABLE ||
                       code == NEAP_FORMAT
                   ? 4
                   : 1;
    }
    if (error.text[0])
        log_line(LOG_WARN, strstr(error.text, "was damaged") ? "salvaged" : "suspect", "text=%s",
                 log_quote(error.text, text, sizeof(text)));
    log_line(LOG_INFO, "started", "version=%s path=%s listen=%s socket=%s", neap_version(),
             log_quote(config->path, path, sizeof(path)),
             log_quote(config->listen ? config->listen : "", listen, sizeof(listen)),
             log_quote(config->socket ? config->socket : "", socket, sizeof(socket)));
    look_at_files(neap);
    code = serve(config, neap, metrics, signals);
    neap_close(neap);
    log_line(LOG_INFO, "stopped", "code=%d", code);
    return code;
}

/* Before the node is opened: a mistake shows at once. */
static int metrics_begin(const struct config *config, struct metrics **ret_metrics)
{
    const char *why;
    int usage;

    if (config->metrics == NULL)
        return 0;
    *ret_metrics = metrics_listen(config->metrics, &why, &usage);
    if (*ret_metrics)
        return 0;
    fprintf(stderr, "neapd: metrics = %s: %s\n", config->metrics, why);
    return usage ? 2 : 4;
}

/* As many as the system lets it have: a library must not do that to its program, a daemon may. */
static void files_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    if (limit.rlim_cur >= FILES_WANTED || limit.rlim_cur >= limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max < FILES_WANTED ? limit.rlim_max : FILES_WANTED;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Signals are blocked before any thread is made, so that only sigtimedwait() takes them. */
int main(int argc, const char **argv)
{
    struct config config;
    struct metrics *metrics = NULL;
    sigset_t signals;
    int quit, code = config_read(argc, argv, &config, &quit);

    if (code == 0 && !quit) {
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        signal(SIGPIPE, SIG_IGN);
        log_set_level(config.log_level);
        files_raise();
        code = metrics_begin(&config, &metrics);
        if (code == 0)
            code = run(&config, metrics, &signals);
        metrics_close(metrics);
    }
    config_done(&config);
    return code;
}
