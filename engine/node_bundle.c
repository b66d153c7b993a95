/* The verb bundle: buckets into a file, and out of one. Files are read and written on the caller's
 * thread, whole; each bucket is given, or taken, in one turn of the wheel. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/bundle.h"
#include "engine/node.h"
#include "engine/status.h"
#include "gossip/rings.h"
#include "store/files.h"

struct bundling {
    struct node *node;
    const char *name; /* of the bucket */
    struct token since, token, theirs;
    bool has_since, behind;
    struct buffer bytes;
    struct reader reader;
    struct bundle_counts counts;
    uint64_t maker;
    json_t *buckets;
    struct neap_error *error;
};

/* ---- the file ---- */

static int file_open(const char *path, struct files **ret_files, const char **ret_name,
                     struct neap_error *error)
{
    const char *slash = strrchr(path, '/');
    char *parent;
    int code;

    if (path[0] != '/' || !slash[1])
        return error_set(error, NEAP_INVALID,
                         "bundle: the file must be named from / on, as it is the node that has it");
    parent = text_parent(path);
    if (!parent)
        return NEAP_NOMEM;
    code = files_open(parent, ret_files, error);
    mem_free(parent);
    *ret_name = slash + 1;
    return code;
}

/* ---- on the wheel's thread ---- */

static int token_here(struct bundling *bundling, const struct shard *shard)
{
    return token_join(&bundling->token, shard->id, &shard->context);
}

static int export_work(void *arg, struct engine *engine, struct now now, struct batch *batch)
{
    struct bundling *bundling = arg;
    uint64_t id = bucket_id(bundling->name);
    const struct context empty = {0}, *since = NULL;
    int code;

    bundling->maker = engine->store.identity.node;
    if (bundling->has_since) {
        since = token_find(&bundling->since, id);
        since = since ? since : &empty;
    }
    code = bundle_from(engine, now, batch, id, since, &bundling->bytes, &bundling->counts);
    return code ? code : token_here(bundling, store_find(&engine->store, id));
}

static int apply_work(void *arg, struct engine *engine, struct now now, struct batch *batch)
{
    struct bundling *bundling = arg;
    struct context theirs = {0};
    struct shard *shard = NULL;
    int code = bundle_into(engine, batch, bundling->name, &bundling->reader, &bundling->counts,
                           &theirs, &bundling->behind, &shard);

    (void)now;
    if (!code)
        code = token_join(&bundling->theirs, shard->id, &theirs);
    if (!code)
        code = token_here(bundling, shard);
    context_done(&theirs);
    return code;
}

static int bundling_run(struct bundling *bundling, int (*work)(void *arg, struct engine *engine,
                                                               struct now now, struct batch *batch))
{
    struct event event = {.kind = EVENT_WORK, .work = work, .arg = bundling};

    return node_run(bundling->node, &event);
}

/* ---- words ---- */

static int bundle_error(const struct bundling *bundling, const char *what, int code)
{
    const char *why = error_text(code);

    if (code == NEAP_NOTFOUND)
        why = "there is no such bucket here";
    else if (code == NEAP_REFUSED)
        why = "this node does not subscribe to the bucket";
    else if (code == NEAP_BUSY)
        why = "it is being compared with a peer, or was opened a moment ago: again later";
    else if (code == NEAP_STALE)
        why = "it is of another history of a directory that went back in time";
    else if (code == NEAP_LIMIT)
        why = "more than 128 MiB, or too many replica ids: fewer buckets, or what came since a "
              "token (--since)";
    else if (code == NEAP_INVALID || code == NEAP_CORRUPT)
        why = "its pieces can't be read";
    return error_set(bundling->error, code, "bundle %s: %.100s: %s", what, bundling->name, why);
}

static json_t *token_json(const struct token *token)
{
    struct buffer bytes;
    json_t *json = NULL;
    char *text;

    buffer_init(&bytes, TOKEN_SIZE_MAX);
    text = token_encode(token, &bytes) ? NULL : mem_new(2 * bytes.size + 1);
    if (text) {
        hex_write(buffer_slice(&bytes), text);
        json = json_string(text);
    }
    mem_free(text);
    buffer_done(&bytes);
    return json;
}

static int bucket_told(struct bundling *bundling)
{
    const struct bundle_counts *counts = &bundling->counts;
    json_t *json = json_pack("{so, ss, so, so, so, sb}", "bucket", json_text(bundling->name), "way",
                             counts->way == BUNDLE_ALL ? "all" : "log", "events",
                             json_number(counts->events), "cells", json_number(counts->cells),
                             "pieces", json_number(counts->pieces), "behind", bundling->behind);

    return json_array_append_new(bundling->buckets, json) ? NEAP_NOMEM : 0;
}

static int since_read(struct bundling *bundling, const char *word)
{
    uint8_t bytes[2048];
    size_t size = strlen(word) / 2;

    if (!strcmp(word, "-"))
        return 0;
    bundling->has_since = true;
    if (!size || strlen(word) % 2 || size > sizeof bytes || !hex_read(word, bytes, size) ||
        token_decode(slice_of(bytes, size), &bundling->since))
        return error_set(bundling->error, NEAP_INVALID,
                         "bundle export: --since wants a token that bundle has printed");
    return 0;
}

/* What a bundle may hold: all of it must lie here. */
static int bucket_check(struct bundling *bundling, const char *what, const char *name)
{
    struct slice ring;

    if (bucket_name_check(name) || name[0] == '_')
        return error_set(bundling->error, NEAP_INVALID, "bundle %s: %.100s: not a name of a bucket",
                         what, name);
    if (bucket_ring(name, &ring))
        return error_set(bundling->error, NEAP_REFUSED,
                         "bundle %s: %.100s is on a ring, and lies in slots of many nodes: export "
                         "and import carry its values",
                         what, name);
    return 0;
}

static int bundle_export(struct bundling *bundling, int argc, const char *const argv[])
{
    struct files *files = NULL;
    const char *name = NULL;
    struct writer writer;
    int code = since_read(bundling, argv[1]);

    for (int i = 2; !code && i < argc; i++)
        code = bucket_check(bundling, "export", argv[i]);
    if (!code)
        code = file_open(argv[0], &files, &name, bundling->error);
    writer_init(&writer, &bundling->bytes);
    for (int i = 2; !code && i < argc; i++) {
        bundling->name = argv[i];
        if (i == 2)
            bundle_begin(&writer, bundling->node->wheel.engine.store.identity.node,
                         node_now(bundling->node).wall_ms, (uint32_t)argc - 2);
        code = writer.error ? writer.error : bundling_run(bundling, export_work);
        if (code)
            code = bundle_error(bundling, "export", code);
        if (!code)
            code = bucket_told(bundling);
    }
    if (!code)
        code = bundle_seal(&bundling->bytes, &bundling->node->key);
    if (!code)
        code = files_put(files, name, buffer_slice(&bundling->bytes), bundling->error);
    files_close(files);
    return code;
}

static int bundle_read(struct bundling *bundling, const char *path, uint32_t *ret_buckets)
{
    struct files *files = NULL;
    const char *name;
    uint64_t made_ms;
    int code = file_open(path, &files, &name, bundling->error);

    if (!code)
        code = files_get(files, name, &bundling->bytes, bundling->error);
    files_close(files);
    if (code)
        return code;
    code = bundle_open(buffer_slice(&bundling->bytes), &bundling->node->key, &bundling->reader,
                       &bundling->maker, &made_ms, ret_buckets);
    if (code == NEAP_CORRUPT)
        return error_set(
            bundling->error, code,
            "bundle apply: %.200s is damaged, or of another cluster; nothing was taken", path);
    return code;
}

static int bundle_apply(struct bundling *bundling, const char *path)
{
    char name[NEAP_BUCKET_MAX + 1];
    uint32_t buckets = 0;
    int code;

    if (bundling->node->readonly)
        return error_set(bundling->error, NEAP_REFUSED,
                         "bundle apply: the directory was opened for reading only");
    code = bundle_read(bundling, path, &buckets);
    for (uint32_t i = 0; !code && i < buckets; i++) {
        struct slice text = read_str(&bundling->reader, NEAP_BUCKET_MAX);

        if (bundling->reader.error || !text.size || memchr(text.data, 0, text.size))
            return NEAP_CORRUPT;
        memcpy(name, text.data, text.size);
        name[text.size] = 0;
        bundling->name = name;
        code = bucket_check(bundling, "apply", name);
        if (code)
            return code;
        code = bundling_run(bundling, apply_work);
        if (code)
            return bundle_error(bundling, "apply", code);
        code = bucket_told(bundling);
        if (!code && bundling->behind)
            code = error_set(bundling->error, NEAP_STALE,
                             "bundle apply: %.100s: this node lacks what came before: have it made "
                             "again, --since what this node has, or without",
                             name);
    }
    return code;
}

static int bundle_json(struct bundling *bundling, const char *path, struct buffer *ret_json)
{
    json_t *json = json_pack("{so, so, so, so, so, so}", "file", json_text(path), "maker",
                             json_hex(bundling->maker), "bytes", json_number(bundling->bytes.size),
                             "buckets", json_incref(bundling->buckets), "token",
                             token_json(&bundling->token), "theirs", token_json(&bundling->theirs));

    return json_into(json, ret_json);
}

int node_bundle(struct node *node, const char *verb, int argc, const char *const argv[],
                struct buffer *ret_json, struct neap_error *error)
{
    struct bundling bundling = {.node = node, .buckets = json_array(), .error = error};
    bool gives = argc > 0 && !strcmp(argv[0], "export");
    int code;

    if (argc < 2 || (gives ? argc < 4 : argc > 2 || strcmp(argv[0], "apply"))) {
        json_decref(bundling.buckets);
        return error_set(error, NEAP_INVALID, "%s: export FILE TOKEN|- BUCKET..., or apply FILE",
                         verb);
    }
    token_init(&bundling.since);
    token_init(&bundling.token);
    token_init(&bundling.theirs);
    buffer_init(&bundling.bytes, BUNDLE_SIZE_MAX);
    code = !bundling.buckets ? NEAP_NOMEM
           : gives           ? bundle_export(&bundling, argc - 1, argv + 1)
                             : bundle_apply(&bundling, argv[1]);
    if (!code)
        code = bundle_json(&bundling, argv[1], ret_json);
    token_done(&bundling.since);
    token_done(&bundling.token);
    token_done(&bundling.theirs);
    buffer_done(&bundling.bytes);
    json_decref(bundling.buckets);
    return code;
}
