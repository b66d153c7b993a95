/* The daemon: libneap behind a socket. It adds a config file, log lines and signals, nothing else.
 */
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "neap.h"
#include "tools/config.h"
#include "tools/log.h"

enum { LOOK_SECONDS = 1, PEERS_KNOWN = 64 };

/* What the last look saw, so that only changes are logged. */
struct watch {
    int connected[PEERS_KNOWN];
    char why[PEERS_KNOWN][128];
    int stopped;
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

/* 0 while the node runs. A node whose disk failed has stopped, and so must the daemon. */
static int watch_look(struct watch *watch, struct neap *neap)
{
    const char *const words[] = {"status"};
    struct neap_error error = {0};
    struct neap_call call = {.size = sizeof(call), .ret_error = &error};
    struct neap_buffer json = {0};
    json_t *status, *peer;
    size_t index;
    int code = neap_admin(neap, 1, words, &json, &call);
    char text[300];

    if (code) {
        log_line(LOG_ERROR, "stopped", "code=%d text=%s", code,
                 log_quote(error.text, text, sizeof(text)));
        return code;
    }
    status = json_loadb(json.data, json.size, 0, NULL);
    json_array_foreach(json_object_get(status, "peers"), index, peer)
    {
        if (index < PEERS_KNOWN)
            watch_peer(watch, index, peer);
    }
    peer = json_object_get(status, "stopped");
    if (json_is_string(peer)) {
        log_line(LOG_ERROR, "stopped", "text=%s",
                 log_quote(json_string_value(peer), text, sizeof(text)));
        code = NEAP_IO;
    }
    json_decref(status);
    neap_buffer_free(&json);
    return code;
}

static void reload(struct config *config)
{
    const char *changed;

    if (config_reload(config, &changed)) {
        log_line(LOG_ERROR, "reload_failed", "kept=all");
        return;
    }
    log_set_level(config->log_level);
    log_line(LOG_INFO, "reloaded", "log_level=%s", log_level_text(config->log_level));
    if (changed)
        log_line(LOG_WARN, "needs_restart", "setting=%s", changed);
}

static int serve(struct config *config, struct neap *neap, const sigset_t *signals)
{
    static struct watch watch;
    const struct timespec look = {.tv_sec = LOOK_SECONDS};

    for (;;) {
        int signal = sigtimedwait(signals, NULL, &look);

        if (signal == SIGTERM || signal == SIGINT) {
            log_line(LOG_INFO, "stopping", "signal=%d", signal);
            return 0;
        }
        if (signal == SIGHUP) {
            reload(config);
        }
        if (watch_look(&watch, neap))
            return 1;
    }
}

static int run(struct config *config, const sigset_t *signals)
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
        return code == NEAP_INVALID ? 2 : code == NEAP_REFUSED || code == NEAP_LOCKED ? 4 : 1;
    }
    log_line(LOG_INFO, "started", "version=%s path=%s listen=%s socket=%s", neap_version(),
             log_quote(config->path, path, sizeof(path)),
             log_quote(config->listen ? config->listen : "", listen, sizeof(listen)),
             log_quote(config->socket ? config->socket : "", socket, sizeof(socket)));
    code = serve(config, neap, signals);
    neap_close(neap);
    log_line(LOG_INFO, "stopped", "code=%d", code);
    return code;
}

/* Signals are blocked before any thread is made, so that only sigtimedwait() takes them. */
int main(int argc, const char **argv)
{
    struct config config;
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
        code = run(&config, &signals);
    }
    config_done(&config);
    return code;
}
