/* Handles: opening, connecting, closing, and what concerns the whole of one. */
#include "engine/api.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/node_session.h"
#include "engine/request.h"
#include "gossip/roster.h"

enum { MEMORY_DEFAULT = 256 << 20, MEMORY_MIN = 8 << 20, SYNC_MS_DEFAULT = 100 };
enum { SYNC_MS_MAX = 60000, LOG_DEFAULT = 1000000 };
enum { SCRUB_S_DEFAULT = 86400, SCRUB_DEFAULT = 80000, SCRUB_MAX = 1000000 };

void neap_options_init(struct neap_options *options)
{
    if (!options)
        return;
    *options = (struct neap_options){.size = sizeof *options,
                                     .memory_max = MEMORY_DEFAULT,
                                     .flags = NEAP_CREATE,
                                     .sync_ms = SYNC_MS_DEFAULT,
                                     .log_max = LOG_DEFAULT,
                                     .scrub_s = SCRUB_S_DEFAULT,
                                     .scrub_max = SCRUB_DEFAULT};
}

static int options_check(const struct neap_options *options, struct neap_error *error)
{
    unsigned known = NEAP_CREATE | NEAP_NOSYNC | NEAP_READONLY;

    if (options->flags & ~known)
        return error_set(error, NEAP_INVALID, "options.flags: 0x%x is not known",
                         options->flags & ~known);
    if (options->path && !options->path[0])
        return error_set(error, NEAP_INVALID, "options.path is empty: NULL is for in memory");
    if (options->memory_max < MEMORY_MIN)
        return error_set(error, NEAP_INVALID, "options.memory_max: %zu bytes; at least %d",
                         options->memory_max, MEMORY_MIN);
    if (options->sync_ms < 1 || options->sync_ms > SYNC_MS_MAX)
        return error_set(error, NEAP_INVALID, "options.sync_ms: %u; from 1 to %d", options->sync_ms,
                         SYNC_MS_MAX);
    if (!options->log_max)
        return error_set(error, NEAP_INVALID, "options.log_max is 0; at least 1");
    if (options->scrub_max < 1 || options->scrub_max > SCRUB_MAX)
        return error_set(error, NEAP_INVALID, "options.scrub_max: %u; from 1 to %d",
                         options->scrub_max, SCRUB_MAX);
    if (options->weight > ROSTER_WEIGHT_MAX)
        return error_set(error, NEAP_INVALID, "options.weight: %u; from 1 to %d", options->weight,
                         ROSTER_WEIGHT_MAX);
    if (options->retire_after_s > UINT32_MAX)
        return error_set(error, NEAP_INVALID, "options.retire_after_s: %llu; %u at most",
                         (unsigned long long)options->retire_after_s, UINT32_MAX);
    if ((options->listen || options->peers) && !options->cluster)
        return error_set(error, NEAP_INVALID,
                         "options.%s needs options.cluster: the file that `neap init` makes",
                         options->listen ? "listen" : "peers");
    return 0;
}

int api_new(struct backend *backend, unsigned flags, struct neap **ret_neap)
{
    struct neap *neap = mem_new(sizeof *neap);

    if (!neap)
        return NEAP_NOMEM;
    neap->backend = backend;
    neap->flags = flags;
    *ret_neap = neap;
    return 0;
}

static int handle_new(struct backend *backend, unsigned flags, struct neap **ret_neap,
                      struct neap_error *ret_error)
{
    int error;

    error = session_open(backend, &backend);
    if (!error)
        error = api_new(backend, flags, ret_neap);
    if (!error)
        return 0;
    backend->ops->close(backend);
    return error_set(ret_error, error, "%s", error_text(error));
}

/* A code never comes without words. */
static int open_failed(int code, struct neap_error *ret_error)
{
    if (ret_error && (ret_error->code != code || !ret_error->text[0]))
        error_set(ret_error, code, "%s", error_text(code));
    return code;
}

int neap_open(const struct neap_options *options, struct neap **ret_neap,
              struct neap_error *ret_error)
{
    struct neap_options ours;
    struct backend *backend;
    int error = 0;

    neap_options_init(&ours);
    if (!ret_neap)
        return error_set(ret_error, NEAP_INVALID, "ret_neap is NULL");
    if (!options)
        return error_set(ret_error, NEAP_INVALID, "options is NULL: use neap_options_init()");
    error = api_struct(&ours, sizeof ours, options, "options", ret_error);
    if (!error)
        error = options_check(&ours, ret_error);
    if (error)
        return error;
    ours.size = sizeof ours;
    if (ret_error)
        ret_error->code = 0;
    error = node_open(&ours, &backend, ret_error);
    if (error)
        return open_failed(error, ret_error);
    return handle_new(backend, ours.flags, ret_neap, ret_error);
}

int api_connect(const char *address, struct credentials *credentials, struct neap **ret_neap,
                struct neap_error *ret_error)
{
    struct backend *backend;
    int error;

    if (ret_error)
        ret_error->code = 0;
    error = remote_open(address, credentials, &backend, ret_error);
    if (error)
        return open_failed(error, ret_error);
    return handle_new(backend, 0, ret_neap, ret_error);
}

int neap_connect(const char *address, struct neap **ret_neap, struct neap_error *ret_error)
{
    if (!ret_neap)
        return error_set(ret_error, NEAP_INVALID, "ret_neap is NULL");
    if (!address || !address[0])
        return error_set(ret_error, NEAP_INVALID,
                         "the address is empty: give the path of neapd's socket");
    return api_connect(address, NULL, ret_neap, ret_error);
}

void neap_close(struct neap *neap)
{
    if (!neap)
        return;
    neap->backend->ops->close(neap->backend);
    mem_free(neap);
}

int neap_sync(struct neap *neap)
{
    return neap ? neap->backend->ops->sync(neap->backend) : NEAP_INVALID;
}

int neap_wait(struct neap *neap, struct neap_bytes token, const struct neap_call *call)
{
    struct neap_error error = {0};
    struct token decoded;
    struct api api;
    int code;

    token_init(&decoded);
    code = api_begin(&api, neap, call, API_WAIT);
    if (!code)
        code = api_bytes(&api, "the token", token, TOKEN_SIZE_MAX);
    if (!code) {
        code = token_decode(api_slice(token), &decoded);
        if (code == NEAP_NOMEM)
            api_failed(&api, code, NULL);
        else if (code == NEAP_FORMAT)
            code = error_set(api.error, NEAP_INVALID,
                             "the token is of another version of the program than this (%s): use "
                             "the newer one here as well",
                             PACKAGE_VERSION);
        else if (code)
            code =
                error_set(api.error, NEAP_INVALID, "these %zu bytes are not a token", token.size);
    }
    if (!code) {
        code = neap->backend->ops->wait(neap->backend, &decoded, api.call.level,
                                        api.call.timeout_ms, &error);
        if (code)
            api_failed(&api, code, &error);
    }
    token_done(&decoded);
    api_end(&api);
    return code;
}

static int words_check(struct api *api, int argc, const char *const argv[])
{
    int i;

    if (argc < 1 || !argv)
        return error_set(api->error, NEAP_INVALID, "no words: the first is a verb, such as status");
    if (argc > ADMIN_WORDS_MAX)
        return error_set(api->error, NEAP_LIMIT, "%d words, the limit is %d", argc,
                         ADMIN_WORDS_MAX);
    for (i = 0; i < argc; i++) {
        if (!argv[i])
            return error_set(api->error, NEAP_INVALID, "word %d is NULL", i);
        if (strnlen(argv[i], ADMIN_WORD_MAX + 1) > ADMIN_WORD_MAX)
            return error_set(api->error, NEAP_LIMIT, "word %d has more than %d bytes", i,
                             ADMIN_WORD_MAX);
    }
    return 0;
}

int neap_admin(struct neap *neap, int argc, const char *const argv[], struct neap_buffer *ret_json,
               const struct neap_call *call)
{
    struct neap_error error = {0};
    struct buffer json;
    struct api api;
    int code;

    buffer_init(&json, ADMIN_JSON_MAX);
    code = api_begin(&api, neap, call, 0);
    if (!code && !ret_json)
        code = error_set(api.error, NEAP_INVALID, "ret_json is NULL");
    if (!code)
        code = words_check(&api, argc, argv);
    if (!code) {
        code = neap->backend->ops->admin(neap->backend, argc, argv, &json, &error);
        if (code)
            api_failed(&api, code, &error);
        else
            code = api_give(&api, ret_json, buffer_slice(&json));
    }
    buffer_done(&json);
    api_end(&api);
    return code;
}

const char *neap_strerror(int code)
{
    return error_text(code);
}

const char *neap_version(void)
{
    return PACKAGE_VERSION;
}

void neap_buffer_free(struct neap_buffer *buffer)
{
    if (!buffer)
        return;
    mem_free(buffer->data);
    *buffer = (struct neap_buffer){0};
}

/* What operators ask by words, with an answer that nobody reads. */
static int api_order(struct neap *neap, const char *verb, const char *name,
                     const struct neap_call *call)
{
    const char *const words[] = {verb, name ? name : ""};
    struct neap_buffer json = {0};
    int code = neap_admin(neap, 2, words, &json, call);

    neap_buffer_free(&json);
    return code;
}

int neap_subscribe(struct neap *neap, const char *name, const struct neap_call *call)
{
    return api_order(neap, "subscribe", name, call);
}

int neap_unsubscribe(struct neap *neap, const char *name, const struct neap_call *call)
{
    return api_order(neap, "unsubscribe", name, call);
}
