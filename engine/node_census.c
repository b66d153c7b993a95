/* Verbs big and siblings: a pass over a bucket, on the caller's thread, over a snapshot. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "engine/census.h"
#include "engine/node.h"
#include "engine/status.h"

struct census_call {
    struct node *node;
    struct census census;
    const char *bucket;
    struct disk_snapshot *snapshot;
    int code;
};

static void census_look(void *arg, struct engine *engine)
{
    struct census_call *call = arg;

    call->code = store_find(&engine->store, call->census.shard)
                     ? call->node->disk->ops->snapshot(call->node->disk, &call->snapshot)
                     : NEAP_NOTFOUND;
}

static int census_go_on(void *arg)
{
    const struct census_call *call = arg;

    return atomic_load(&call->node->inside) >= NODE_CLOSED ? NEAP_UNAVAILABLE : 0;
}

static int limit_read(const char *verb, const char *word, size_t *ret_limit,
                      struct neap_error *error)
{
    char *end;
    unsigned long long number;

    *ret_limit = CENSUS_LIMIT;
    if (!word)
        return 0;
    number = strtoull(word, &end, 10);
    if (*word < '0' || *word > '9' || *end || number < 1 || number > CENSUS_LIMIT_MAX)
        return error_set(error, NEAP_INVALID, "%s: %.60s: not a number from 1 to %d", verb, word,
                         CENSUS_LIMIT_MAX);
    *ret_limit = (size_t)number;
    return 0;
}

static int census_words(struct census_call *call, const char *verb, int argc,
                        const char *const argv[], struct neap_error *error)
{
    if (argc < 1)
        return error_set(error, NEAP_INVALID, "%s: of which bucket?", verb);
    if (bucket_name_check(argv[0]))
        return error_set(error, NEAP_INVALID, "%s: %.100s: not a name of a bucket", verb, argv[0]);
    call->bucket = argv[0];
    call->census = (struct census){.shard = bucket_id(argv[0]),
                                   .bucket = bucket_id(argv[0]),
                                   .go_on = census_go_on,
                                   .arg = call};
    return limit_read(verb, argc > 1 ? argv[1] : NULL, &call->census.limit, error);
}

int node_census(struct node *node, const char *verb, int argc, const char *const argv[],
                struct buffer *ret_json, struct neap_error *error)
{
    struct census_call call = {.node = node};
    struct view view = {.disk = node->disk};
    struct neap_error text = {0};
    json_t *json = NULL;
    int code = census_words(&call, verb, argc, argv, error);

    if (!code)
        code = node_call(node, census_look, &call);
    if (!code)
        code = call.code;
    if (code == NEAP_NOTFOUND)
        return error_set(error, code, "%s: no bucket %.100s here", verb, call.bucket);
    if (code)
        return code;
    view.snapshot = call.snapshot;
    code = strcmp(verb, "big") == 0 ? census_big(&call.census, &view, &json)
                                    : census_siblings(&call.census, &view, &json);
    node->disk->ops->release(node->disk, call.snapshot);
    if (code == NEAP_IO || code == NEAP_CORRUPT) {
        node->disk->ops->error(node->disk, &text);
        return error_set(error, code, "%s: %.200s", verb, text.text);
    }
    return code ? code : json_into(json, ret_json);
}
