/* The callers of a simulated world: calls by chance, each with its records in the history. */
#include "sim/load.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/check.h"
#include "sim/oracle.h"
#include "store/keys.h"

enum { NO_SESSION = SESSIONS, LINE_MAX = 400, LINE_ENOUGH = 300, LOG_SHORT = 1000 };

struct sim_op {
    uint8_t path[128];
    struct context seen;
};

/* What the call does in one bucket. */
struct sim_part {
    bool touched;
    struct sight_entry begun;
    uint32_t sight;
};

struct sim_write {
    struct event event; /* first */
    struct write write;
    struct sim_op *ops;
    struct buffer values;
    size_t first; /* of its records */
    size_t session;
    uint32_t session_id;
    struct sim_part parts[WORKLOAD_BUCKETS];
};

static void write_done(struct world *world, size_t node, struct event *event, bool lost);

struct load *load_new(struct world *world, const struct workload *workload)
{
    struct load *load = mem_new(sizeof *load);
    must(load);
    load->world = world;
    escrow_init(&load->escrow, world);
    quorums_init(&load->quorums, world);
    load->workload = workload;
    history_init(&load->history);
    for (size_t i = 0; i < SESSIONS; i++)
        session_begin(&load->sessions[i], ++load->sessions_count);
    world->load = load;
    world->write_done = write_done;
    return load;
}

void load_free(struct load *load)
{
    if (!load)
        return;
    for (size_t i = 0; i < SESSIONS; i++)
        session_end(&load->sessions[i]);
    for (size_t i = 0; i < OLD_CONTEXTS; i++)
        context_done(&load->old[i].context);
    sights_done(&load->sights);
    quorums_free(&load->quorums);
    mem_free(load->drawn);
    history_done(&load->history);
    mem_free(load);
}

uint64_t load_calls(const struct load *load)
{
    return load->calls;
}

/* Of a crash after the last call, too. */
struct history *load_history(struct load *load)
{
    load_settle(load);
    return &load->history;
}

bool load_is_done(const struct load *load)
{
    return load->pending == 0 && load->escrow.pending == 0 && quorums_are_done(&load->quorums);
}

void load_more(struct load *load, uint64_t seed)
{
    escrow_call(&load->escrow, seed);
    quorums_call(&load->quorums, seed);
}

struct escrow *load_escrow(struct load *load)
{
    return load && load->escrow.serial + load->escrow.asked > 0 ? &load->escrow : NULL;
}

void load_settle(struct load *load)
{
    for (size_t i = 0; i < load->world->nodes_count; i++) {
        if (load->crashes[i] == load->world->nodes[i].crashes)
            continue;
        load->crashes[i] = load->world->nodes[i].crashes;
        history_crash(&load->history, i);
    }
}

void load_replaced(struct load *load, size_t node)
{
    load->sights.replaced[node] = true;
    /* What they had seen may be gone, or be named as something else is now. */
    for (size_t i = 0; i < SESSIONS; i++) {
        session_end(&load->sessions[i]);
        session_begin(&load->sessions[i], ++load->sessions_count);
    }
}

/* ---- an end ---- */

static enum outcome outcome_of(struct world *world, size_t node, const struct sim_write *write,
                               bool lost)
{
    int code = write->event.code;
    if (lost || code == NEAP_IO || code == NEAP_UNCERTAIN || world->nodes[node].wheel.stopped)
        return OUTCOME_MAYBE;
    if (code)
        return OUTCOME_NONE;
    return write->write.nosync && !write->write.want_token ? OUTCOME_DONE : OUTCOME_SURE;
}

/* Registers have a limit of siblings, which blind writes can reach. */
static bool may_hit_limit(const struct load *load, const struct sim_write *write)
{
    for (size_t i = 0; i < write->write.count; i++) {
        if (load->history.records[write->first + i].kind == RECORD_REGISTER_SET)
            return true;
    }
    return false;
}

static void check_code(struct world *world, size_t node, const struct sim_write *write, bool lost)
{
    int code = write->event.code;
    bool excused = sim_excuses(&world->nodes[node], code) ||
                   (code == NEAP_LIMIT && may_hit_limit(world->load, write));
    if (code && !lost && !excused && !world->nodes[node].wheel.stopped)
        world_fail(world, "%s: a write gives %s: %s", world->nodes[node].name, error_name(code),
                   write->write.error.text);
}

/* What it made, and what it can't have seen. */
static void parts_end(struct load *load, size_t node, struct sim_write *write)
{
    struct history *history = &load->history;
    for (size_t i = 0; i < WORKLOAD_BUCKETS; i++) {
        struct sim_part *part = &write->parts[i];
        char bucket[16];
        if (!part->touched)
            continue;
        snprintf(bucket, sizeof bucket, "b%u", (unsigned)i);
        sights_end(&load->sights, load->world, node, bucket, &part->begun,
                   history->records[write->first].begun, history->ended);
        const struct shard *shard = sim_shard(load->world, node, bucket);
        if (part->sight && shard)
            sights_from(&load->sights, load->world, bucket, &shard->context, shard,
                        &history->sights[part->sight - 1]);
    }
}

static void write_free(struct sim_write *write)
{
    for (size_t i = 0; i < write->write.count; i++)
        context_done(&write->ops[i].seen);
    token_done(&write->write.token);
    buffer_done(&write->values);
    mem_free(write->ops);
    mem_free(write->write.ops);
    mem_free(write);
}

/* Will all that the write made keep its name? Not when its node started again and some member has
 * not confirmed that yet: then the token may name what nobody will ever have, and whoever holds it
 * has to begin again (a limit: docs/guarantees.md). */
static bool names_stay(struct world *world, size_t node, const struct token *token)
{
    for (size_t i = 0; i < token->count; i++) {
        const struct token_part *part = &token->parts[i];
        const struct shard *shard = store_find(&world->nodes[node].wheel.engine.store, part->shard);
        if (!shard || !shard_released(shard) || !context_covers(&shard->context, &part->context))
            return false;
    }
    return true;
}

/* The caller's session goes on from here. */
static void session_wrote(struct load *load, size_t node, const struct sim_write *write)
{
    struct session *session = &load->sessions[write->session];
    if (session->id != write->session_id)
        return;
    if (!names_stay(load->world, node, &write->write.token)) {
        session_end(session);
        session_begin(session, ++load->sessions_count);
        return;
    }
    for (size_t i = 0; i < write->write.token.count; i++) {
        const struct token_part *part = &write->write.token.parts[i];
        must(token_join(&session->token, part->shard, &part->context) == 0);
    }
    for (size_t i = 0; i < write->write.count; i++)
        session_touches(session, load->history.records[write->first + i].cell);
}

static void write_done(struct world *world, size_t node, struct event *event, bool lost)
{
    struct load *load = world->load;
    struct sim_write *write = (struct sim_write *)event;
    if (event->waiter == &load->quorums) {
        quorums_ended(&load->quorums, node, event, lost);
        return;
    }
    if (event->waiter) {
        escrow_done(&load->escrow, node, event, lost);
        return;
    }
    enum outcome outcome = outcome_of(world, node, write, lost);
    load_settle(load);
    check_code(world, node, write, lost);
    for (size_t i = 0; i < write->write.count; i++) {
        history_end(&load->history, write->first + i, outcome);
        checks_answered(world, &load->history.records[write->first + i]);
    }
    if (outcome == OUTCOME_SURE || outcome == OUTCOME_DONE)
        parts_end(load, node, write);
    if (outcome == OUTCOME_SURE && write->session != NO_SESSION)
        session_wrote(load, node, write);
    load->pending--;
    write_free(write);
}

/* ---- the trace ---- */

static size_t line_record(char *line, size_t size, const struct record *record)
{
    switch (record->kind) {
    case RECORD_COUNTER_ADD:
        return (size_t)snprintf(line, size, "counter %s %+lld", record->key,
                                (long long)record->number);
    case RECORD_SET_ADD:
        return (size_t)snprintf(line, size, "set %s add %s", record->key, record->member);
    case RECORD_SET_REMOVE:
        return (size_t)snprintf(line, size, "set %s remove %s", record->key, record->member);
    case RECORD_LWW_SET:
        return (size_t)snprintf(line, size, "lww %s = %s", record->key, record->value);
    case RECORD_REGISTER_SET:
        return (size_t)snprintf(line, size, "register %s %s %s", record->key,
                                record->blind ? "also" : "=", record->value);
    case RECORD_FLAG_ON:
        return (size_t)snprintf(line, size, "flag %s on", record->key);
    case RECORD_FLAG_OFF:
        return (size_t)snprintf(line, size, "flag %s off", record->key);
    case RECORD_REMOVE:
        return (size_t)snprintf(line, size, "remove %s", record->key);
    case RECORD_OTHER:
        return (size_t)snprintf(line, size, "%s %s %s%s%lld by %u",
                                type_find(op_type((enum op_kind)record->other))->name, record->key,
                                record->member, record->member[0] ? " " : "",
                                (long long)record->number, record->other);
    case RECORD_KINDS:
        break;
    }
    return 0;
}

static void trace_call(struct load *load, const struct sim_write *write)
{
    const struct record *records = &load->history.records[write->first];
    char line[LINE_MAX];
    size_t size = 0, i;
    for (i = 0; i < write->write.count && size < LINE_ENOUGH; i++) {
        const char *bucket =
            i && !strcmp(records[i].bucket, records[i - 1].bucket) ? "" : records[i].bucket;
        size += (size_t)snprintf(line + size, LINE_MAX - size, "%s%s%s", i ? ", " : "", bucket,
                                 *bucket ? " " : "");
        size += line_record(line + size, LINE_MAX - size, &records[i]);
    }
    if (i < write->write.count)
        size +=
            (size_t)snprintf(line + size, LINE_MAX - size, " and %zu more", write->write.count - i);
    if (write->session != NO_SESSION)
        size += (size_t)snprintf(line + size, LINE_MAX - size, " by session %zu", write->session);
    snprintf(line + size, LINE_MAX - size, write->write.nosync ? " (nosync)" : " (synced)");
    world_line(load->world, load->world->nodes[records->node].name, line);
}

/* ---- a beginning ---- */

static enum op_kind op_kind_of(const struct record *record)
{
    enum record_kind kind = record->kind;
    static const enum op_kind kinds[RECORD_KINDS] = {
        [RECORD_COUNTER_ADD] = OP_COUNTER_ADD,   [RECORD_SET_ADD] = OP_SET_ADD,
        [RECORD_SET_REMOVE] = OP_SET_REMOVE,     [RECORD_LWW_SET] = OP_LWW_SET,
        [RECORD_REGISTER_SET] = OP_REGISTER_SET, [RECORD_FLAG_ON] = OP_FLAG_ON,
        [RECORD_FLAG_OFF] = OP_FLAG_OFF,         [RECORD_REMOVE] = OP_REMOVE};
    return kind == RECORD_OTHER ? (enum op_kind)record->other : kinds[kind];
}

static bool takes_away(const struct record *record)
{
    return record->kind == RECORD_SET_REMOVE || record->kind == RECORD_FLAG_OFF ||
           record->kind == RECORD_REMOVE || record->kind == RECORD_LWW_SET;
}

/* Of the bucket that the record is in: how it begins, and what the node has there. */
static void part_begin(struct load *load, struct sim_write *write, struct record *record)
{
    struct sim_part *part = &write->parts[bucket_number(record->bucket)];
    const struct shard *shard = sim_shard(load->world, record->node, record->bucket);
    struct sight *sight;
    if (!part->touched) {
        part->touched = true;
        sights_begin(load->world, record->node, record->bucket, &part->begun);
    }
    if (!takes_away(record))
        return;
    if (!part->sight) {
        part->sight = history_sight(&load->history, &sight);
        if (shard)
            sights_until(&load->sights, record->bucket, &shard->context, NULL, sight);
    }
    record->sight = part->sight;
}

/* What an earlier look has seen; else what this node has now, which is kept for later looks. */
static void seen_find(struct load *load, const struct record *record, bool stale,
                      const struct shard *shard, struct context *ret_seen)
{
    for (size_t i = 0; stale && i < OLD_CONTEXTS; i++) {
        const struct old_context *old = &load->old[(load->serial + i) % OLD_CONTEXTS];
        if (strcmp(old->bucket, record->bucket) != 0)
            continue;
        must(context_copy(ret_seen, &old->context) == 0);
        return;
    }
    if (!shard)
        return;
    struct old_context *kept = &load->old[load->serial % OLD_CONTEXTS];
    memcpy(kept->bucket, record->bucket, sizeof kept->bucket);
    must(context_copy(&kept->context, &shard->context) == 0);
    must(context_copy(ret_seen, &shard->context) == 0);
}

/* A write that replaces what its caller has seen. */
static void register_begin(struct load *load, struct record *record, struct sim_op *op)
{
    static const struct context nothing;
    const struct shard *shard = sim_shard(load->world, record->node, record->bucket);
    bool stale = record->sight > 0;
    struct sight *sight;
    record->sight = 0;
    if (record->blind)
        return;
    seen_find(load, record, stale, shard, &op->seen);
    record->sight = history_sight(&load->history, &sight);
    sights_until(&load->sights, record->bucket, &op->seen, shard ? &shard->context : &nothing,
                 sight);
    sights_from(&load->sights, load->world, record->bucket, &op->seen, NULL, sight);
    /* Names that were never told may be others when the write comes to it. */
    if (!shard || !shard_released(shard))
        sight->until[record->node] = 0;
}

/* Members of score sets come and go as those of sets; what their scores are, records don't say. */
static void op_score(struct op *op, const struct record *record)
{
    const char *slash = strrchr(record->key, '/');
    if (*(slash ? slash + 1 : record->key) != PLACE_SCORES)
        return;
    if (op->kind == OP_SET_ADD)
        op->kind = record->serial % 3 ? OP_SCORE_ADD : OP_SCORE_SET;
    else if (op->kind == OP_SET_REMOVE)
        op->kind = OP_SCORE_REMOVE;
    op->number = (int64_t)(record->serial % 7) - 3;
}

static void op_fill(struct write_op *op, struct sim_op *more, const struct record *record,
                    struct buffer *scratch, struct buffer *values)
{
    size_t from = values->size;
    unsigned type = place_type(record);
    place_path(record->key, type, scratch);
    if (type_below(type) == BELOW_ELEMENT)
        must(path_element(scratch, slice_text(record->member)) == 0);
    must(scratch->size <= sizeof more->path);
    memcpy(more->path, scratch->data, scratch->size);
    *op = (struct write_op){.path = slice_of(more->path, scratch->size),
                            .prefix = record->kind == RECORD_REMOVE,
                            .op = {.kind = op_kind_of(record), .number = record->number}};
    op_score(&op->op, record);
    if (record->kind == RECORD_LWW_SET || record->kind == RECORD_REGISTER_SET) {
        value_write(record, values);
        op->op.value = slice_of(values->data + from, values->size - from);
    }
    if (record->kind == RECORD_REGISTER_SET && !record->blind)
        op->op.seen = &more->seen;
}

static const char *bucket_name(const char *bucket)
{
    static const char *const names[WORKLOAD_BUCKETS] = {"b0",  "b1",  "b2",  "b3", "b4",  "b5",
                                                        "b6",  "b7",  "b8",  "b9", "b10", "b11",
                                                        "b12", "b13", "b14", "b15"};
    return names[bucket_number(bucket)];
}

/* What was drawn becomes records of the history and operations of one write. */
static struct sim_write *write_make(struct load *load, size_t session)
{
    struct sim_write *write = mem_new(sizeof *write);
    must(write);
    struct buffer scratch;
    uint8_t place[NEAP_PATH_MAX];
    size_t size = 0;
    write->write.count = load->drawn_count;
    write->write.ops = mem_new_array(load->drawn_count, sizeof *write->write.ops);
    write->ops = mem_new_array(load->drawn_count, sizeof *write->ops);
    must(write->write.ops && write->ops);
    token_init(&write->write.token);
    for (size_t i = 0; i < load->drawn_count; i++)
        size += HISTORY_TEXT + (load->drawn[i].value[0] ? (size_t)load->drawn[i].number : 0);
    buffer_init(&write->values, size);
    must(buffer_reserve(&write->values, size) == 0); /* so that slices of it stay */
    scratch = (struct buffer){place, 0, sizeof place, sizeof place};
    write->first = load->history.count;
    write->session = session;
    for (size_t i = 0; i < load->drawn_count; i++) {
        struct record *record = &load->drawn[i];
        bool is_register = record->kind == RECORD_REGISTER_SET;
        if (is_register)
            register_begin(load, record, &write->ops[i]);
        part_begin(load, write, record);
        if (session != NO_SESSION)
            record->session = load->sessions[session].id;
        history_add(&load->history, record);
        op_fill(&write->write.ops[i], &write->ops[i], record, &scratch, &write->values);
        write->write.ops[i].bucket = bucket_name(record->bucket);
    }
    if (session != NO_SESSION)
        write->session_id = load->sessions[session].id;
    write->event.kind = EVENT_WRITE;
    write->event.write = &write->write;
    return write;
}

bool place_is_lost(struct world *world, const char *bucket, const char *key, const char *member,
                   enum record_kind kind)
{
    uint8_t place[NEAP_PATH_MAX];
    struct buffer path = {place, 0, sizeof place, sizeof place};
    struct key prefix;
    bool lost = false;
    if (!sim_lost(world))
        return false;
    place_path(key, record_type(kind), &path); /* RECORD_OTHER: of any type */
    if (member[0] && kind != RECORD_OTHER)
        must(path_element(&path, slice_text(member)) == 0);
    key_cell(&prefix, bucket_id(bucket), bucket_id(bucket), buffer_slice(&path));
    for (size_t i = 0; i < world->nodes_count; i++)
        lost |= disk_find_lost(&world->nodes[i].door, key_slice(&prefix)) != NULL;
    return lost;
}

/* Where logs are short nodes catch up by comparing, and whoever compares with one that has lost a
 * cell loses it, too: then the bucket is left alone. */
static bool bucket_is_lost(struct world *world, const char *bucket)
{
    struct key prefix;
    key_cell(&prefix, bucket_id(bucket), bucket_id(bucket), slice_of(NULL, 0));
    for (size_t i = 0; i < world->nodes_count; i++) {
        const struct sim_node *node = &world->nodes[i];
        if (node->gossip.log_max < LOG_SHORT && disk_find_lost(&node->door, key_slice(&prefix)))
            return true;
    }
    return false;
}

/* It let go of the bucket, and has not got back all that it knew then: callers who would take it
 * for the node that they know go elsewhere. */
bool node_lags(const struct world *world, size_t node, const char *bucket)
{
    uint64_t id = bucket_id(bucket);
    const struct shard *shard = store_find(&world->nodes[node].wheel.engine.store, id);
    for (size_t i = 0; world->oracle && i < world->oracle->shards_count; i++) {
        const struct oracle_shard *of = &world->oracle->shards[i];
        if (of->id == id && of->replicas[node].dropped.count)
            return !shard || !context_covers(&shard->context, &of->replicas[node].dropped);
    }
    return false;
}

static bool drawn_lags(const struct load *load, size_t node)
{
    for (size_t i = 0; i < load->drawn_count; i++) {
        if (node_lags(load->world, node, load->drawn[i].bucket))
            return true;
    }
    return false;
}

static bool drawn_is_lost(struct load *load)
{
    struct world *world = load->world;
    if (!sim_lost(world))
        return false;
    for (size_t i = 0; i < load->drawn_count; i++) {
        const struct record *record = &load->drawn[i];
        if (bucket_is_lost(world, record->bucket) ||
            place_is_lost(world, record->bucket, record->key, record->member, record->kind))
            return true;
    }
    return false;
}

void load_call(struct load *load, struct rng *rng)
{
    struct world *world = load->world;
    const struct workload *workload = load->workload;
    size_t session = NO_SESSION;
    load_settle(load);
    enum workload_operation first = operation_draw(workload, rng, true);
    if (first == WORKLOAD_SESSION_READ) {
        session_read(load, rng);
        return;
    }
    size_t node = (size_t)rng_below(rng, world->nodes_count);
    /* Callers go where somebody answers. */
    for (size_t i = 0; i < world->nodes_count && !world->nodes[node].up; i++)
        node = (node + 1) % world->nodes_count;
    if (!world->nodes[node].up)
        return;
    bool nosync = rng_chance(rng, workload->nosync_percent);
    bool of_session = rng_chance(rng, workload->session_percent);
    size_t drawn = of_session ? (size_t)rng_below(rng, SESSIONS) : NO_SESSION;
    if (!sim_is_unsure(&world->nodes[node]))
        session = drawn;
    load_draw(load, node, rng, first);
    if (drawn_is_lost(load) || drawn_lags(load, node))
        return;
    load->serial++;
    load->calls++;
    load->pending++;
    struct sim_write *write = write_make(load, session);
    write->write.nosync = nosync && !of_session;
    write->write.want_token = of_session;
    trace_call(load, write);
    sim_post(world, node, &write->event);
}
