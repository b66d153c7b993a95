#include "engine/task.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "engine/status.h"

/* ---- names ---- */

void task_id_write(const struct task *task, char ret_text[TASK_ID_MAX])
{
    const char *word = task_word(task->kind);

    if (task->kind == TASK_ASK)
        snprintf(ret_text, TASK_ID_MAX, "%s:%" PRIu64, word, task->number);
    else if (task->bucket)
        snprintf(ret_text, TASK_ID_MAX, "%s:%.*s", word, BUCKET_NAME_MAX, task->bucket);
    else
        snprintf(ret_text, TASK_ID_MAX, "%s", word);
}

/* ROUND and BACKUP have no second part; the others have. */
static bool kind_has_rest(enum task_kind kind)
{
    return kind != TASK_ROUND && kind != TASK_BACKUP;
}

static int number_read(const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;

    for (const char *at = text; *at; at++) {
        if (*at < '0' || *at > '9' || at - text > 18)
            return NEAP_INVALID;
        number = number * 10 + (uint64_t)(*at - '0');
    }
    *ret_number = number;
    return *text ? 0 : NEAP_INVALID;
}

int task_id_read(const char *text, struct task_id *ret_id)
{
    const char *rest = strchr(text, ':');
    size_t size = rest ? (size_t)(rest - text) : strlen(text);

    for (unsigned i = 0; i < TASK_KINDS_END; i++) {
        struct task_id id = {.kind = (enum task_kind)i};
        const char *word = task_word(id.kind);

        if (strlen(word) != size || memcmp(word, text, size) || kind_has_rest(id.kind) != !!rest)
            continue;
        if (id.kind == TASK_ASK && number_read(rest + 1, &id.number))
            return NEAP_INVALID;
        if (rest && id.kind != TASK_ASK) {
            if (bucket_name_check(rest + 1))
                return NEAP_INVALID;
            id.shard = bucket_id(rest + 1);
        }
        *ret_id = id;
        return 0;
    }
    return NEAP_INVALID;
}

/* ---- JSON ---- */

struct listing {
    struct now now;
    json_t *array;
};

static const char *state_word(enum task_state state)
{
    switch (state) {
    case TASK_RUNS:
        return "runs";
    case TASK_WAITS:
        return "waits";
    case TASK_PAUSING:
        return "pausing";
    case TASK_PAUSED:
        break;
    }
    return "paused";
}

static json_t *number_or_null(uint64_t number)
{
    return number ? json_number(number) : json_null();
}

static json_t *text_or_null(const char *text)
{
    return text && text[0] ? json_text(text) : json_null();
}

static int task_json(void *arg, const struct task *task)
{
    struct listing *listing = arg;
    char id[TASK_ID_MAX];
    const char *unit = task_unit(task->kind);
    uint64_t since = task->since_ms && task->since_ms <= listing->now.mono_ms
                         ? listing->now.mono_ms - task->since_ms
                         : 0;
    json_t *json;

    task_id_write(task, id);
    json = json_pack("{so, ss, ss, so, so, so, so, so, sI, so}", "id", json_text(id), "kind",
                     task_word(task->kind), "state", state_word(task->state), "bucket",
                     text_or_null(task->bucket), "peer", text_or_null(task->peer), "done",
                     unit[0] ? json_number(task->done) : json_null(), "total",
                     number_or_null(task->total), "unit", text_or_null(unit), "bytes",
                     (json_int_t)task->bytes, "since_ms_ago",
                     task->since_ms ? json_number(since) : json_null());
    return json_array_append_new(listing->array, json) ? NEAP_NOMEM : 0;
}

json_t *tasks_json(const struct engine *engine, struct now now, const struct task *more)
{
    struct listing listing = {now, json_array()};
    int error = listing.array ? 0 : NEAP_NOMEM;

    if (!error)
        error = trees_tasks(&engine->trees, &engine->store, task_json, &listing);
    if (!error && engine->gossip)
        error = gossip_tasks(engine->gossip, task_json, &listing);
    if (!error && more)
        error = task_json(&listing, more);
    if (!error)
        return json_pack("{so}", "tasks", listing.array);
    json_decref(listing.array);
    return NULL;
}

/* ---- orders ---- */

int task_order(struct engine *engine, struct now now, const struct task_id *id,
               enum task_order order)
{
    switch (id->kind) {
    case TASK_PULL:
    case TASK_COMPARE:
    case TASK_REPAIR:
    case TASK_HEAL:
    case TASK_ASK:
        return engine->gossip
                   ? gossip_task_order(engine->gossip, now, id->kind, id->shard, id->number, order)
                   : NEAP_NOTFOUND;
    case TASK_BUILD:
    case TASK_SCRUB:
    case TASK_ROUND:
        return trees_task_order(&engine->trees, &engine->store, id->kind, id->shard, order);
    case TASK_BACKUP:
    case TASK_KINDS_END:
        break;
    }
    return NEAP_NOTFOUND;
}

int task_scrub(struct engine *engine, uint64_t shard)
{
    struct shard *found;

    if (!engine->trees.kept)
        return NEAP_REFUSED;
    if (!shard) {
        trees_scrub(&engine->trees);
        return 0;
    }
    found = store_find(&engine->store, shard);
    return found ? trees_scrub_one(&engine->trees, found) : NEAP_NOTFOUND;
}

static int order_json(void *arg, const char *bucket, const char *peer, enum repair_order order)
{
    const struct task task = {.kind = TASK_REPAIR, .bucket = bucket};
    char id[TASK_ID_MAX];
    json_t *json;

    task_id_write(&task, id);
    json = json_pack("{so, so, ss, ss, so}", "bucket", json_text(bucket), "peer", json_text(peer),
                     "order", repair_order_word(order), "text", repair_order_text(order), "task",
                     json_text(id));
    return json_array_append_new(arg, json) ? NEAP_NOMEM : 0;
}

int task_repair(struct engine *engine, const struct repair_wish *wish, json_t **ret_json)
{
    json_t *array;
    int error;

    if (!engine->gossip || !engine->trees.kept)
        return NEAP_REFUSED;
    array = json_array();
    error = array ? gossip_repair(engine->gossip, wish, order_json, array) : NEAP_NOMEM;
    if (error) {
        json_decref(array);
        return error;
    }
    *ret_json = json_pack("{so}", "orders", array);
    return *ret_json ? 0 : NEAP_NOMEM;
}
