/* Whether peers have the same as this node, bucket by bucket (gossip/verify.h): asked on the
 * caller's thread, told as JSON. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/explain.h"
#include "engine/node_ask.h"
#include "engine/status.h"
#include "store/annals.h"

enum { VERIFY_MS = 4000, VERIFY_MS_MAX = 600000 }; /* less than a client's call lasts */

struct verifying {
    struct node *node;
    const char *bucket; /* NULL: all */
    uint32_t for_ms;    /* each */
    struct neap_error *error;
    /* Of this node's buckets. */
    uint64_t *shards;
    char **names;
    size_t count;
    int code;
    uint64_t counts[3]; /* of verdicts */
    uint64_t unheld;    /* peers that do not subscribe to a bucket */
    bool failed;        /* no memory for the document */
    /* For the history: of what differs, how many cells, and the first one. */
    uint64_t began_ms, cells, node_id;
    char peer[128], key[256];
};

/* ---- words ---- */

static int verify_words(struct verifying *verifying, int argc, const char *const argv[])
{
    char *end = NULL;
    unsigned long long number;

    verifying->for_ms = VERIFY_MS;
    verifying->began_ms = node_now(verifying->node).wall_ms;
    if (argc > 0 && bucket_name_check(argv[0]))
        return error_set(verifying->error, NEAP_INVALID, "verify: %.100s: not a name of a bucket",
                         argv[0]);
    verifying->bucket = argc > 0 ? argv[0] : NULL;
    if (argc < 2)
        return 0;
    number = strtoull(argv[1], &end, 10);
    if (argv[1][0] < '0' || argv[1][0] > '9' || *end || number == 0 || number > VERIFY_MS_MAX)
        return error_set(verifying->error, NEAP_INVALID,
                         "verify: %.60s: not a number of milliseconds from 1 to %d", argv[1],
                         VERIFY_MS_MAX);
    verifying->for_ms = (uint32_t)number;
    return 0;
}

/* ---- buckets, on the wheel's thread ---- */

static int buckets_look_inside(struct verifying *verifying, const struct store *store)
{
    verifying->shards = mem_new_array(store->shards_count, sizeof *verifying->shards);
    verifying->names = mem_new_array(store->shards_count, sizeof *verifying->names);
    if (!verifying->shards || !verifying->names)
        return NEAP_NOMEM;
    for (size_t i = 0; i < store->shards_count; i++) {
        const struct shard *shard = store->shards[i];

        if (verifying->bucket && strcmp(shard->name, verifying->bucket) != 0)
            continue;
        verifying->names[verifying->count] = mem_text(shard->name);
        if (!verifying->names[verifying->count])
            return NEAP_NOMEM;
        verifying->shards[verifying->count++] = shard->id;
    }
    return 0;
}

static void buckets_look(void *arg, struct engine *engine)
{
    struct verifying *verifying = arg;

    verifying->code = buckets_look_inside(verifying, &engine->store);
}

/* ---- JSON ---- */

static void put(struct verifying *verifying, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value))
        verifying->failed = true;
}

static json_t *context_json(struct verifying *verifying, const struct context *context)
{
    json_t *all = json_array();

    for (size_t i = 0; i < context->count; i++) {
        json_t *entry = json_pack("{so, sI}", "replica", json_hex(context->entries[i].id), "n",
                                  (json_int_t)context->entries[i].n);

        if (json_array_append_new(all, entry))
            verifying->failed = true;
    }
    return all;
}

/* ---- for the history ---- */

static void differing_note(struct verifying *verifying, const struct ask_answer *answer,
                           const struct verify_result *result)
{
    const struct verify_key *key = result->keys;

    if (verifying->counts[VERIFY_DIFFERS] == 1) {
        snprintf(verifying->peer, sizeof verifying->peer, "%s", answer->address);
        verifying->node_id = answer->node;
        if (result->keys_count > 0)
            path_text(slice_of(result->paths.data + key->at + 8, key->size - 8), verifying->key,
                      sizeof verifying->key);
    }
    verifying->cells += result->keys_count;
}

/* One entry for all that was asked for. */
static int verified_note(const struct verifying *verifying)
{
    const uint64_t *counts = verifying->counts;
    struct annals_entry entry = {.kind = ANNALS_VERIFY,
                                 .began_ms = verifying->began_ms,
                                 .node = verifying->node_id,
                                 .cells = verifying->cells,
                                 .peer = slice_text(verifying->peer),
                                 .key = slice_text(verifying->key)};
    char cause[ANNALS_TEXT_MAX];

    if (verifying->bucket) {
        entry.bucket = slice_text(verifying->bucket);
        entry.shard = verifying->shards[0];
    }
    snprintf(cause, sizeof cause, "%" PRIu64 " equal, %" PRIu64 " differ, %" PRIu64 " not known",
             counts[VERIFY_EQUAL], counts[VERIFY_DIFFERS], counts[VERIFY_UNKNOWN]);
    entry.cause = slice_text(cause);
    entry.end = slice_text(counts[VERIFY_DIFFERS]   ? "differs"
                           : counts[VERIFY_UNKNOWN] ? "not all is known"
                                                    : "equal");
    return node_note(verifying->node, &entry);
}

/* ---- JSON of keys ---- */

/* Key and type of what a path names, and all of it as a text. */
static json_t *key_json(struct verifying *verifying, const struct verify_result *result,
                        const struct verify_key *key)
{
    static const char *const fates[VERIFY_FATES] = {"not here", "not there", "not the same"};
    struct slice path = slice_of(result->paths.data + key->at + 8, key->size - 8);
    struct path_cursor cursor;
    struct path_level level;
    json_t *json = json_object();
    char text[256];

    path_cursor_init(&cursor, path);
    if (!path_cursor_level(&cursor, &level)) {
        const struct type *type = type_find(level.type);

        put(verifying, json, "key", json_slice(level.name));
        if (type)
            put(verifying, json, "type", json_text(type->name));
    }
    path_cursor_done(&cursor);
    path_text(path, text, sizeof text);
    put(verifying, json, "cell", json_text(text));
    put(verifying, json, "fate", json_text(fates[key->fate]));
    return json;
}

static const char *why_not(const struct ask_answer *answer, const struct verify_result *result)
{
    if (result && result->why && (answer->end == ASK_TOLD || answer->end == ASK_SILENT))
        return verify_reason_text(result->why);
    return ask_end_text(answer->end);
}

static void put_verdict(struct verifying *verifying, json_t *json,
                        const struct verify_result *result)
{
    json_t *keys;

    put(verifying, json, "asked_ms", json_number(result->asked_ms));
    put(verifying, json, "context", context_json(verifying, &result->context));
    put(verifying, json, "under_way", json_number(result->under_way));
    put(verifying, json, "differed", json_boolean(result->differed));
    if (result->verdict != VERIFY_DIFFERS)
        return;
    keys = json_array();
    for (size_t i = 0; i < result->keys_count; i++) {
        if (json_array_append_new(keys, key_json(verifying, result, &result->keys[i])))
            verifying->failed = true;
    }
    put(verifying, json, "cells", keys);
    put(verifying, json, "more", json_boolean(result->keys_more));
}

static json_t *peer_json(struct verifying *verifying, const struct ask_answer *answer)
{
    static const char *const verdicts[] = {"unknown", "equal", "differs"};
    const struct verify_result *result = answer->verified;
    enum verify_verdict verdict = result ? result->verdict : VERIFY_UNKNOWN;
    json_t *json = json_object();
    bool unheld = answer->end == ASK_UNHELD;

    verifying->counts[verdict] += !unheld;
    verifying->unheld += unheld;
    if (verdict == VERIFY_DIFFERS)
        differing_note(verifying, answer, result);
    put(verifying, json, "address", json_text(answer->address));
    put(verifying, json, "node", answer->node ? json_hex(answer->node) : json_null());
    put(verifying, json, "verdict", json_text(unheld ? "not held" : verdicts[verdict]));
    put(verifying, json, "equal_ms",
        answer->equal_ms ? json_number(answer->equal_ms) : json_null());
    put(verifying, json, "differs_ms",
        answer->differs_ms ? json_number(answer->differs_ms) : json_null());
    if (verdict != VERIFY_UNKNOWN) {
        put_verdict(verifying, json, result);
        return json;
    }
    put(verifying, json, "why", json_text(why_not(answer, result)));
    put(verifying, json, "whose", json_text(result && result->there ? "peer" : "node"));
    return json;
}

/* ---- all ---- */

static int bucket_verify(struct verifying *verifying, size_t index, json_t *buckets)
{
    struct ask ask = {.kind = ASK_VERIFY, .shard = verifying->shards[index]};
    int code = node_ask(verifying->node, &ask, verifying->for_ms, verifying->error);
    json_t *peers = code ? NULL : json_array();

    for (size_t i = 0; !code && i < ask.count; i++) {
        if (json_array_append_new(peers, peer_json(verifying, &ask.answers[i])))
            verifying->failed = true;
    }
    if (!code && json_array_append_new(buckets, json_pack("{so, so}", "bucket",
                                                          json_text(verifying->names[index]),
                                                          "peers", peers)))
        verifying->failed = true;
    ask_done(&ask);
    return code;
}

static int verify_run(struct verifying *verifying, struct buffer *ret_json)
{
    json_t *buckets;
    int code = node_call(verifying->node, buckets_look, verifying);

    if (!code)
        code = verifying->code;
    if (!code && verifying->bucket && verifying->count == 0)
        code = error_set(verifying->error, NEAP_NOTFOUND, "verify: no bucket %.100s here",
                         verifying->bucket);
    if (code)
        return code;
    buckets = json_array();
    for (size_t i = 0; i < verifying->count && !code; i++)
        code = bucket_verify(verifying, i, buckets);
    if (!code && verifying->failed)
        code = NEAP_NOMEM;
    if (!code)
        code = verified_note(verifying);
    if (!code)
        return json_into(json_pack("{so, sI, sI, sI, sI}", "buckets", buckets, "equal",
                                   (json_int_t)verifying->counts[VERIFY_EQUAL], "differing",
                                   (json_int_t)verifying->counts[VERIFY_DIFFERS], "unknown",
                                   (json_int_t)verifying->counts[VERIFY_UNKNOWN], "not_held",
                                   (json_int_t)verifying->unheld),
                         ret_json);
    json_decref(buckets);
    return code;
}

int node_verify(struct node *node, const char *verb, int argc, const char *const argv[],
                struct buffer *ret_json, struct neap_error *error)
{
    struct verifying verifying = {.node = node, .error = error};
    int code = verify_words(&verifying, argc, argv);

    (void)verb;
    if (!code)
        code = verify_run(&verifying, ret_json);
    for (size_t i = 0; i < verifying.count; i++)
        mem_free(verifying.names[i]);
    mem_free(verifying.names);
    mem_free(verifying.shards);
    return code;
}
