/* Words in, JSON out. State of the engine is looked at on the wheel's thread; scans run on the
 * caller's, over a snapshot. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/node.h"
#include "engine/node_plan.h"
#include "engine/status.h"

struct status_extra node_extra(struct node *node)
{
    struct status_extra extra = {.path = node->path,
                                 .cluster = node->cluster,
                                 .suspect = node->suspect,
                                 .readonly = node->readonly};

    node_lock(node);
    extra.isolated = node->isolated;
    extra.queue = node->queue_count;
    extra.clients = node->clients_count;
    extra.net_drops = node->net_drops;
    extra.clients_refused = node->clients_refused;
    extra.renewal = node->renewal;
    node_unlock(node);
    return extra;
}

/* ---- status ---- */

struct status_call {
    struct node *node;
    struct status_extra extra;
    json_t *json;      /* out */
    struct page *page; /* numbers go here instead, or into `json` */
    int error;
};

static void status_look(void *arg, struct engine *engine)
{
    struct status_call *call = arg;

    (void)engine;
    call->json = status_json(&call->node->wheel, node_now(call->node), &call->extra);
}

static int admin_status(struct node *node, const char *word, struct buffer *ret_json,
                        struct neap_error *error)
{
    struct status_call call = {.node = node, .extra = node_extra(node)};
    int code = node_call_always(node, status_look, &call);

    (void)word;
    (void)error;
    return code ? code : json_into(call.json, ret_json);
}

/* ---- numbers ---- */

static int number_to_json(void *arg, const char *name, uint64_t number)
{
    return json_object_set_new(arg, name, json_number(number)) ? NEAP_NOMEM : 0;
}

static int number_to_page(void *arg, const char *name, uint64_t number)
{
    struct page *page = arg;
    struct neap_item item = {.name = {name, strlen(name)},
                             .number = number > INT64_MAX ? INT64_MAX : (int64_t)number};
    struct writer writer;

    writer_init(&writer, &page->items);
    page_item_write(&writer, &item);
    page->count += !writer.error;
    return writer.error;
}

static void numbers_look(void *arg, struct engine *engine)
{
    struct status_call *call = arg;

    (void)engine;
    if (call->page)
        call->error = status_numbers(&call->node->wheel, &call->extra, number_to_page, call->page);
    else
        call->error = status_numbers(&call->node->wheel, &call->extra, number_to_json, call->json);
}

static int admin_stats(struct node *node, const char *word, struct buffer *ret_json,
                       struct neap_error *error)
{
    struct status_call call = {.node = node, .extra = node_extra(node), .json = json_object()};
    int code = call.json ? node_call_always(node, numbers_look, &call) : NEAP_NOMEM;

    (void)word;
    (void)error;
    if (!code)
        code = call.error;
    if (!code)
        return json_into(call.json, ret_json);
    json_decref(call.json);
    return code;
}

int node_stats(struct node *node, struct page *ret_page)
{
    struct status_call call = {.node = node, .extra = node_extra(node), .page = ret_page};
    int code;

    buffer_clear(&ret_page->items);
    buffer_clear(&ret_page->cursor);
    ret_page->count = 0;
    code = node_call_always(node, numbers_look, &call);
    return code ? code : call.error;
}

/* ---- digest ---- */

/* Shards as they are at one moment of the engine, and the disk's snapshot of that moment. */
struct digest_call {
    struct node *node;
    const char *bucket; /* NULL: all */
    struct disk_snapshot *snapshot;
    struct shard *shards; /* copies: id, name, context, horizon, count of residues */
    size_t count;
    int error;
};

static int shard_copy(const struct shard *shard, struct shard *ret_copy)
{
    int error;

    *ret_copy = (struct shard){.id = shard->id, .residues_count = shard->residues_count};
    ret_copy->name = mem_text(shard->name);
    error = ret_copy->name ? context_copy(&ret_copy->context, &shard->context) : NEAP_NOMEM;
    return error ? error : context_copy(&ret_copy->horizon, &shard->horizon);
}

static void digest_look(void *arg, struct engine *engine)
{
    struct digest_call *call = arg;
    const struct store *store = &engine->store;

    call->shards = mem_new_array(store->shards_count, sizeof *call->shards);
    call->error = call->shards ? 0 : NEAP_NOMEM;
    for (size_t i = 0; !call->error && i < store->shards_count; i++)
        if (!call->bucket || !strcmp(store->shards[i]->name, call->bucket))
            call->error = shard_copy(store->shards[i], &call->shards[call->count++]);
    if (!call->error)
        call->error = call->node->disk->ops->snapshot(call->node->disk, &call->snapshot);
}

static json_t *summary_json(const char *name, const struct shard_summary *summary)
{
    char digest[33];

    digest_text(summary->digest, digest);
    return json_pack("{so*, sI, sI, sI, sI, sI, ss}", "name", name ? json_text(name) : NULL, "keys",
                     (json_int_t)summary->keys, "cells", (json_int_t)summary->cells, "bytes",
                     (json_int_t)summary->bytes, "log", (json_int_t)summary->log, "residues",
                     (json_int_t)summary->residues, "digest", digest);
}

static void summary_add(struct shard_summary *total, const struct shard_summary *summary)
{
    total->keys += summary->keys;
    total->cells += summary->cells;
    total->bytes += summary->bytes;
    total->log += summary->log;
    total->residues += summary->residues;
    digest_add(&total->digest, summary->digest);
}

static int digest_run(const struct digest_call *call, struct buffer *ret_json)
{
    const struct view view = {.disk = call->node->disk, .snapshot = call->snapshot};
    struct shard_summary total = {0}, summary;
    json_t *buckets = json_array();
    int error = buckets ? 0 : NEAP_NOMEM;

    for (size_t i = 0; !error && i < call->count; i++) {
        error = shard_summary(&view, &call->shards[i], &call->node->key, &summary);
        if (error)
            break;
        summary_add(&total, &summary);
        if (json_array_append_new(buckets, summary_json(call->shards[i].name, &summary)))
            error = NEAP_NOMEM;
    }
    if (!error)
        return json_into(
            json_pack("{so, so}", "buckets", buckets, "total", summary_json(NULL, &total)),
            ret_json);
    json_decref(buckets);
    return error;
}

static int admin_digest(struct node *node, const char *word, struct buffer *ret_json,
                        struct neap_error *error)
{
    struct digest_call call = {.node = node, .bucket = word};
    struct neap_error text = {0};
    int code = node_call(node, digest_look, &call);

    if (!code)
        code = call.error;
    if (!code && word && !call.count)
        code = error_set(error, NEAP_NOTFOUND, "digest: no bucket %.100s here", word);
    else if (!code)
        code = digest_run(&call, ret_json);
    if (code == NEAP_IO || code == NEAP_CORRUPT) {
        node->disk->ops->error(node->disk, &text);
        error_set(error, code, "digest: %.200s", text.text);
    }
    node->disk->ops->release(node->disk, call.snapshot);
    for (size_t i = 0; i < call.count; i++) {
        mem_free(call.shards[i].name);
        context_done(&call.shards[i].context);
        context_done(&call.shards[i].horizon);
    }
    mem_free(call.shards);
    return code;
}

/* ---- isolate ---- */

static int admin_isolate(struct node *node, const char *word, struct buffer *ret_json,
                         struct neap_error *error)
{
    struct event event = {.kind = EVENT_ISOLATE};
    int code;

    if (!word || (strcmp(word, "on") && strcmp(word, "off")))
        return error_set(error, NEAP_INVALID, "isolate: on or off");
    if (!node->has_gossip)
        return error_set(error, NEAP_REFUSED, "isolate: this node is alone");
    event.isolated = !strcmp(word, "on");
    code = node_run(node, &event);
    if (code)
        return code;
    node_lock(node);
    node->isolated = event.isolated;
    node_unlock(node);
    return json_into(json_pack("{sb}", "isolated", event.isolated), ret_json);
}

/* ---- reload ---- */

/* The certificates, as they are in the cluster directory now. */
static int admin_reload(struct node *node, const char *word, struct buffer *ret_json,
                        struct neap_error *error)
{
    bool has = node->net && node->net->ops->reload && node->directory;
    int code = has ? node->net->ops->reload(node->net, error) : 0;

    (void)word;
    if (code)
        return code;
    return json_into(json_pack("{sb}", "reloaded", has), ret_json);
}

/* ---- words ---- */

/* One word at most after its name, or `words` of them. */
struct verb {
    const char *name;
    int words_max;
    int (*run)(struct node *node, const char *word, struct buffer *ret_json,
               struct neap_error *error);
    int (*run_words)(struct node *node, const char *verb, int argc, const char *const argv[],
                     struct buffer *ret_json, struct neap_error *error);
};

static const struct verb verbs[] = {
    {"status", 1, admin_status, NULL},
    {"digest", 2, admin_digest, NULL},
    {"isolate", 2, admin_isolate, NULL},
    {"stats", 1, admin_stats, NULL},
    {"explain", 64, NULL, node_explain},
    {"diff", 64, NULL, node_explain},
    {"differing", 5, NULL, node_differing},
    {"verify", 3, NULL, node_verify},
    {"tasks", 1, node_tasks, NULL},
    {"task", 3, NULL, node_task},
    {"scrub", 2, node_scrub, NULL},
    {"repair", 7, NULL, node_repair},
    {"settings", 2, node_settings, NULL},
    {"set", 3, NULL, node_set},
    {"revoke", 2, node_revoke, NULL},
    {"revoked", 2, node_revoked, NULL},
    {"reload", 1, admin_reload, NULL},
    {"subscribe", 2, NULL, node_subscribe},
    {"unsubscribe", 3, NULL, node_subscribe},
    {"subscriptions", 1, NULL, node_subscribe},
    {"doctor", 1, node_doctor, NULL},
    {"history", 2, node_history, NULL},
    {"big", 3, NULL, node_census},
    {"siblings", 3, NULL, node_census},
    {"hints", 2, node_hints, NULL},
    {"bundle", 64, NULL, node_bundle},
    {"log", 3, NULL, node_log},
    {"ring", 5, NULL, node_ring},
    {"plan", 7, NULL, node_plan},
    {"peers", 1, node_members, NULL},
    {"forget", 2, node_forget, NULL},
    {"retire", 2, node_retire, NULL},
};

static int node_admin_inside(struct node *node, int argc, const char *const argv[],
                             struct buffer *ret_json, struct neap_error *error)
{
    const char *name = argc > 0 && argv[0] ? argv[0] : "";

    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        int code;

        if (strcmp(verbs[i].name, name))
            continue;
        if (argc > verbs[i].words_max)
            return error_set(error, NEAP_INVALID, "%s: more than %d words", name,
                             verbs[i].words_max);
        if (verbs[i].run_words)
            code = verbs[i].run_words(node, name, argc - 1, argv + 1, ret_json, error);
        else
            code = verbs[i].run(node, argc > 1 ? argv[1] : NULL, ret_json, error);
        if (code && error && !error->code)
            error_set(error, code, "%s: %s", name, error_text(code));
        return code;
    }
    return error_set(
        error, NEAP_INVALID,
        "%.60s: not a verb; there are: status, digest [BUCKET], isolate on|off, stats, "
        "explain BUCKET KEY [TYPE|any [FIELD...]], diff BUCKET KEY [TYPE|any [FIELD...]], "
        "differing BUCKET PEER [LIMIT [FROM]], verify [BUCKET [MS]], tasks, task "
        "pause|resume|cancel ID, scrub [BUCKET], "
        "repair [BUCKET|- [from PEER] [budget N] [resume]], "
        "settings [NAME], set NAME N, revoke KIND/ID, revoked [list], reload, peers, "
        "forget NODE, retire NODE, subscribe "
        "NAME, unsubscribe NAME [force], "
        "subscriptions, hints [BUCKET], log why [BUCKET], "
        "bundle export FILE TOKEN|- BUCKET..., bundle apply FILE, doctor, "
        "history [N], big BUCKET [N], "
        "siblings BUCKET "
        "[N], ring [RING [slots|buckets|key BUCKET "
        "KEY]], plan WHAT RING ...",
        name);
}

int node_admin(struct backend *backend, int argc, const char *const argv[], struct buffer *ret_json,
               struct neap_error *error)
{
    struct node *node = (struct node *)backend;
    int code = node_enter(node);

    if (code)
        return error_set(error, code, "the node is being closed");
    if (error)
        error->code = 0;
    code = node_admin_inside(node, argc, argv, ret_json, error);
    node_leave(node);
    return code;
}
