/* Verbs hints and log: what peers lack of what is here, and whom the log is kept for. What is known
 * is copied on the wheel's thread; how much that is in bytes is found on the caller's, in the log
 * of a snapshot. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/node.h"
#include "engine/status.h"
#include "gossip/hints.h"
#include "store/slot.h"

/* So many events of what a peer lacks are looked at; more of them count like these. */
enum { HINT_SCAN_MAX = 4096, HINT_CELL_BYTES = 32 };

struct hint_row {
    struct hint hint; /* its address is a copy */
    char address[128];
};

struct hint_bucket {
    struct hints hints;
    struct hint_row *rows;
    struct shard shard; /* a copy: id, name, context, horizon */
};

struct hints_call {
    struct node *node;
    const char *word; /* a bucket; NULL: all */
    uint64_t log_max; /* of a node that is alone */
    struct hint_bucket *buckets;
    size_t count;
    struct disk_snapshot *snapshot;
    int code;
};

/* ---- on the wheel's thread ---- */

static int bucket_copy(const struct engine *engine, const struct shard *shard,
                       struct hint_bucket *bucket)
{
    struct hints *hints = &bucket->hints;
    int error;

    bucket->shard = (struct shard){.id = shard->id, .name = mem_text(shard->name)};
    error = bucket->shard.name ? context_copy(&bucket->shard.context, &shard->context) : NEAP_NOMEM;
    if (!error)
        error = context_copy(&bucket->shard.horizon, &shard->horizon);
    *hints = (struct hints){.log = shard_log_count(shard), .log_max = engine->log_max};
    if (!error && engine->gossip)
        error = gossip_hints(engine->gossip, shard, hints);
    if (error || hints->count == 0)
        return error;
    bucket->rows = mem_new_array(hints->count, sizeof *bucket->rows);
    if (!bucket->rows)
        return NEAP_NOMEM;
    for (size_t i = 0; i < hints->count; i++) {
        bucket->rows[i].hint = hints->hints[i];
        snprintf(bucket->rows[i].address, sizeof bucket->rows[i].address, "%s",
                 hints->hints[i].address);
    }
    return 0;
}

static void hints_look(void *arg, struct engine *engine)
{
    struct hints_call *call = arg;
    const struct store *store = &engine->store;

    call->buckets = mem_new_array(store->shards_count + 1, sizeof *call->buckets);
    call->code = call->buckets ? 0 : NEAP_NOMEM;
    for (size_t i = 0; !call->code && i < store->shards_count; i++)
        if (!call->word || !strcmp(store->shards[i]->name, call->word))
            call->code = bucket_copy(engine, store->shards[i], &call->buckets[call->count++]);
    if (!call->code)
        call->code = call->node->disk->ops->snapshot(call->node->disk, &call->snapshot);
}

static void hints_call_done(struct hints_call *call)
{
    for (size_t i = 0; i < call->count; i++) {
        struct hint_bucket *bucket = &call->buckets[i];

        hints_done(&bucket->hints);
        mem_free(bucket->rows);
        mem_free(bucket->shard.name);
        context_done(&bucket->shard.context);
        context_done(&bucket->shard.horizon);
    }
    mem_free(call->buckets);
    call->node->disk->ops->release(call->node->disk, call->snapshot);
}

static int hints_begin(struct hints_call *call, const char *verb, struct neap_error *error)
{
    int code;

    if (call->word && bucket_name_check(call->word))
        return error_set(error, NEAP_INVALID, "%s: %.100s: not a name of a bucket", verb,
                         call->word);
    code = node_call(call->node, hints_look, call);
    if (!code)
        code = call->code;
    if (!code && call->word && !call->count)
        code = error_set(error, NEAP_NOTFOUND, "%s: no bucket %.100s here", verb, call->word);
    return code;
}

/* ---- how much, and how old ---- */

struct weight {
    uint64_t looked, bytes;
    uint64_t oldest; /* the earliest stamp; 0: none of them has one */
    struct buffer stored;
};

/* The cell of an event counts once: for its last event, or the one that removed it. */
static int event_weigh(const struct view *view, uint64_t shard, const struct log_entry *entry,
                       struct weight *weight)
{
    const struct cell_entry *found;
    enum neap_type type = NEAP_ANY;
    struct slice value;
    struct cell cell;
    struct key key;
    uint64_t stamp, ref;
    int error;

    weight->looked++;
    weight->bytes += HINT_CELL_BYTES + entry->path.size;
    key_cell(&key, shard, entry->bucket, entry->path);
    error = view_get(view, DISK_CELLS, key_slice(&key), &weight->stored);
    if (error)
        return error == NEAP_NOTFOUND ? 0 : error;
    cell_init(&cell);
    error = cell_stored(buffer_slice(&weight->stored), &ref, &cell);
    found = error ? NULL : cell_find(&cell, entry->dot);
    if (found) {
        weight->bytes += weight->stored.size;
        if (!path_check(entry->path, &type) && type_has_stamps(type) &&
            !type_stamped(type, found->payload, &value, &stamp) && stamp &&
            (!weight->oldest || stamp < weight->oldest))
            weight->oldest = stamp;
    }
    cell_done(&cell);
    return error;
}

/* `stored`: the context of the view, which may lack what this turn of the wheel has made. */
static int hint_weigh(const struct view *view, const struct shard *shard, const struct hint *hint,
                      const struct context *stored, struct weight *weight)
{
    int error = 0;

    for (size_t i = 0; i < shard->context.count && !error; i++) {
        const struct context_entry *known = &shard->context.entries[i];
        uint64_t from = context_get(&hint->has, known->id);
        uint64_t to = context_get(stored, known->id);
        struct log_entry entry;
        struct scan *scan = NULL;

        if (from < context_get(&shard->horizon, known->id))
            from = context_get(&shard->horizon, known->id);
        to = to < known->n ? to : known->n;
        if (from >= to || weight->looked == HINT_SCAN_MAX)
            continue;
        error = log_scan(view, shard->id, known->id, from, to, &scan);
        for (uint64_t n = from + 1; n <= to && !error && weight->looked < HINT_SCAN_MAX; n++) {
            error = log_next(scan, n, &entry);
            if (!error)
                error = event_weigh(view, shard->id, &entry, weight);
        }
        scan_close(scan);
    }
    return error;
}

/* ---- JSON ---- */

static json_t *time_or_null(uint64_t wall_ms)
{
    return wall_ms ? json_number(wall_ms) : json_null();
}

/* The intervals: [{replica, from, to, cut}...], from < event <= to; cut: no log here tells up to
 * there. */
static json_t *ranges_json(const struct shard *shard, const struct hint *hint)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < shard->context.count; i++) {
        const struct context_entry *entry = &shard->context.entries[i];
        uint64_t has = context_get(&hint->has, entry->id);
        uint64_t horizon = context_get(&shard->horizon, entry->id);
        json_t *range;

        if (has >= entry->n)
            continue;
        range = json_pack("{so, so, so, so}", "replica", json_hex(entry->id), "after",
                          json_number(has), "to", json_number(entry->n), "cut_to",
                          horizon > has ? json_number(horizon) : json_null());
        if (json_array_append_new(array, range)) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static int hint_json(const struct hint_bucket *bucket, const struct hint_row *row,
                     const struct view *view, json_t **ret_json)
{
    const struct hint *hint = &row->hint;
    struct context stored = {0};
    struct weight weight = {0};
    int error = shard_context_read(view, bucket->shard.id, &stored);

    buffer_init(&weight.stored, STORED_SIZE_MAX);
    if (!error)
        error = hint_weigh(view, &bucket->shard, hint, &stored, &weight);
    context_done(&stored);
    buffer_done(&weight.stored);
    if (error == NEAP_NOTFOUND) /* made in this turn */
        error = 0;
    if (error)
        return error;
    if (weight.looked && weight.looked < hint->events)
        weight.bytes =
            (uint64_t)((double)weight.bytes / (double)weight.looked * (double)hint->events);
    *ret_json = json_pack("{so, so, so, sb, sb, ss, ss, so, so, so, sb, so, so, so, so}", "bucket",
                          json_text(bucket->shard.name), "peer",
                          row->address[0] ? json_text(row->address) : json_null(), "node",
                          hint->node ? json_hex(hint->node) : json_null(), "connected",
                          hint->connected, "member", hint->member, "way", hint_way_word(hint->way),
                          "text", hint_way_text(hint->way), "events", json_number(hint->events),
                          "cut", json_number(hint->cut), "bytes", json_number(weight.bytes),
                          "exact", weight.looked >= hint->events, "since_ms",
                          time_or_null(hint->since_ms), "oldest_write_ms",
                          time_or_null(weight.oldest ? hlc_wall_ms(weight.oldest) : 0), "heard_ms",
                          time_or_null(hint->heard_ms), "lacks", ranges_json(&bucket->shard, hint));
    return *ret_json ? 0 : NEAP_NOMEM;
}

static int hints_json(const struct hints_call *call, json_t *array)
{
    const struct view view = {.disk = call->node->disk, .snapshot = call->snapshot};
    int error = 0;

    for (size_t i = 0; i < call->count; i++) {
        const struct hint_bucket *bucket = &call->buckets[i];

        for (size_t at = 0; at < bucket->hints.count; at++) {
            json_t *json = NULL;

            if (bucket->rows[at].hint.way == HINT_NONE)
                continue;
            error = hint_json(bucket, &bucket->rows[at], &view, &json);
            if (error || json_array_append_new(array, json))
                return error ? error : NEAP_NOMEM;
        }
    }
    return 0;
}

int node_hints(struct node *node, const char *word, struct buffer *ret_json,
               struct neap_error *error)
{
    struct hints_call call = {.node = node, .word = word};
    int code = hints_begin(&call, "hints", error);
    json_t *array = NULL;

    if (!code) {
        array = json_array();
        code = array ? hints_json(&call, array) : NEAP_NOMEM;
    }
    if (code)
        json_decref(array);
    else
        code = json_into(json_pack("{so}", "hints", array), ret_json);
    hints_call_done(&call);
    return code;
}

/* ---- log why ---- */

/* Why a member has not all of it, and what is to be done. */
static void holder_why(const struct hint *hint, const struct hints *hints, const char **ret_why,
                       const char **ret_todo)
{
    *ret_todo = "nothing: it is on its way";
    if (!hint->connected && hint->way == HINT_UNKNOWN)
        *ret_why = "it is away, and has not been heard of since this node was started";
    else if (!hint->connected)
        *ret_why = "it is away";
    else if (hint->way == HINT_UNKNOWN || !hint->open)
        *ret_why = "it is connected, and has not told yet what it has of this bucket";
    else if (hint->way == HINT_COMPARE)
        *ret_why = "it is connected, and has to compare: the log was cut while it was away";
    else if (hints->unconfirmed)
        *ret_why = "what was written here since the start waits until all members have confirmed "
                   "that this directory did not go back in time";
    else
        *ret_why = "it is connected, and has not confirmed the latest events yet";
    if (!hint->connected)
        *ret_todo =
            "bring it back; `neap retire NODE` when it stays away for long, `neap forget NODE` "
            "when it never comes back: the log is then kept for it no more";
    else if (hint->way == HINT_UNKNOWN || !hint->open)
        *ret_todo = "nothing at first; if it stays, `neap status` and the log of that node";
    else if (hint->way == HINT_COMPARE)
        *ret_todo = "nothing: see `neap tasks` on that node";
    else if (hints->unconfirmed)
        *ret_todo = "nothing; if it stays, see which member is away";
}

static json_t *holder_json(const struct hint_row *row, const struct hints *hints)
{
    const struct hint *hint = &row->hint;
    const char *why, *todo;

    holder_why(hint, hints, &why, &todo);
    return json_pack("{so, so, sb, ss, so, so, so, so, ss, ss}", "peer",
                     row->address[0] ? json_text(row->address) : json_null(), "node",
                     hint->node ? json_hex(hint->node) : json_null(), "connected", hint->connected,
                     "way", hint_way_word(hint->way), "events", json_number(hint->events), "alone",
                     json_number(hint->alone), "since_ms", time_or_null(hint->since_ms), "heard_ms",
                     time_or_null(hint->heard_ms), "why", why, "todo", todo);
}

/* Why the log is not empty although no member lacks anything of it. */
static const char *log_why(const struct hint_bucket *bucket, size_t holders)
{
    if (bucket->hints.comparing)
        return "this node catches up by comparing: nothing is cut before it is done";
    if (holders)
        return "members have not got all of it";
    if (bucket->hints.readers)
        return "somebody reads changes (neap watch), and asks again within a minute";
    if (!bucket->hints.members)
        return "there is no other member who could take it";
    return "all members have it: it goes with the next turn";
}

static json_t *log_json(const struct hint_bucket *bucket)
{
    const struct hints *hints = &bucket->hints;
    json_t *array = json_array();
    uint64_t left = hints->log_max > hints->log ? hints->log_max - hints->log : 0;

    for (size_t i = 0; array && i < hints->count; i++) {
        const struct hint *hint = &bucket->rows[i].hint;

        if (!hint->member || !hint->events)
            continue;
        if (json_array_append_new(array, holder_json(&bucket->rows[i], hints))) {
            json_decref(array);
            return NULL;
        }
    }
    return json_pack("{so, so, so, so, so, so, sb, ss, so}", "bucket",
                     json_text(bucket->shard.name), "log", json_number(hints->log), "log_max",
                     json_number(hints->log_max), "cut_after", json_number(left), "unconfirmed",
                     json_number(hints->unconfirmed), "readers", json_number(hints->readers),
                     "comparing", hints->comparing, "why", log_why(bucket, json_array_size(array)),
                     "held_by", array);
}

int node_log(struct node *node, const char *verb, int argc, const char *const argv[],
             struct buffer *ret_json, struct neap_error *error)
{
    struct hints_call call = {.node = node, .word = argc > 1 ? argv[1] : NULL};
    json_t *array = NULL;
    int code;

    if (argc < 1 || strcmp(argv[0], "why"))
        return error_set(error, NEAP_INVALID, "%s: why, and a bucket or none", verb);
    code = hints_begin(&call, "log why", error);
    if (!code)
        array = json_array();
    for (size_t i = 0; !code && i < call.count; i++) {
        if (!call.buckets[i].hints.log && !call.word)
            continue;
        if (json_array_append_new(array, log_json(&call.buckets[i])))
            code = NEAP_NOMEM;
    }
    if (code)
        json_decref(array);
    else
        code = json_into(json_pack("{so}", "buckets", array), ret_json);
    hints_call_done(&call);
    return code;
}
