/* Verb history: what happened to this node (store/annals.h), read on the caller's thread. */
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "engine/node.h"
#include "engine/status.h"
#include "store/annals.h"

enum { HISTORY_SHOWN = 50 };

struct history_call {
    json_t *entries;
    bool failed;
};

static json_t *text_json(struct slice text)
{
    char plain[ANNALS_TEXT_MAX + 1];

    snprintf(plain, sizeof plain, "%.*s", (int)text.size, (const char *)text.data);
    return text.size > 0 ? json_text(plain) : json_null();
}

static json_t *id_json(uint64_t id)
{
    return id ? json_hex(id) : json_null();
}

/* The newest comes first. */
static int entry_show(void *arg, const struct annals_entry *entry)
{
    struct history_call *call = arg;
    json_t *json = json_pack(
        "{sI, ss, sb, sI, so, so, so, so, so, so, sI, sI, so, so}", "number",
        (json_int_t)entry->number, "kind", annals_word(entry->kind), "incident",
        annals_is_incident(entry->kind), "began_ms", (json_int_t)entry->began_ms, "ended_ms",
        entry->ended_ms ? json_number(entry->ended_ms) : json_null(), "bucket",
        text_json(entry->bucket), "replica", id_json(entry->replica), "peer",
        text_json(entry->peer), "node", id_json(entry->node), "key", text_json(entry->key),
        "cells", (json_int_t)entry->cells, "times", (json_int_t)entry->times, "cause",
        text_json(entry->cause), "end", text_json(entry->end));

    if (json_array_insert_new(call->entries, 0, json))
        call->failed = true;
    return 0;
}

static int count_read(const char *word, uint64_t *ret_count, struct neap_error *error)
{
    char *end = NULL;
    unsigned long number = word ? strtoul(word, &end, 10) : HISTORY_SHOWN;

    if (word && (word[0] < '0' || word[0] > '9' || *end || number < 1 || number > ANNALS_MAX))
        return error_set(error, NEAP_INVALID, "history: %.60s: not a number from 1 to %d", word,
                         ANNALS_MAX);
    *ret_count = number;
    return 0;
}

int node_history(struct node *node, const char *word, struct buffer *ret_json,
                 struct neap_error *error)
{
    struct history_call call = {.entries = json_array()};
    const struct view view = {.disk = node->disk};
    uint64_t count = 0, kept = 0, dropped = 0;
    int code = count_read(word, &count, error);

    if (!code)
        code = annals_read(&view, count, entry_show, &call, &kept, &dropped);
    if (!code && call.failed)
        code = NEAP_NOMEM;
    if (!code)
        return json_into(json_pack("{so, sI, sI, sI}", "entries", call.entries, "kept",
                                   (json_int_t)kept, "kept_max", (json_int_t)ANNALS_MAX, "dropped",
                                   (json_int_t)dropped),
                         ret_json);
    json_decref(call.entries);
    return code;
}

/* ---- of who asks ---- */

struct note_call {
    const struct annals_entry *entry;
};

/* That it is not written is no failure of what it is about. */
static int note_work(void *arg, struct engine *engine, struct now now, struct batch *batch)
{
    struct annals_entry entry = *((struct note_call *)arg)->entry;
    int error;

    entry.ended_ms = now.wall_ms;
    error = annals_add(&engine->store.annals, batch, &entry);
    if (error)
        engine_note(engine, error, "the history");
    return error == NEAP_IO ? error : 0;
}

int node_note(struct node *node, const struct annals_entry *entry)
{
    struct note_call call = {entry};
    struct event event = {.kind = EVENT_WORK, .work = note_work, .arg = &call};

    return node_run(node, &event);
}
