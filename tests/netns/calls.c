/* Calls by chance on whichever node answers, with what became of each as neap.h says it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "tests/netns/drive.h"

enum { BATCH_MAX = 5, SHORT_MS = 200, LONG_MS = 1500, FILL = 20000 };

/* ---- what became of it ---- */

/* The words of NEAP_ERRORS. What may have happened may also yet: it stays open. */
enum { BECAME_DONE = OUTCOME_SURE, BECAME_NONE = OUTCOME_NONE, BECAME_MAYBE = OUTCOME_OPEN };

static enum outcome outcome_of(int code)
{
    switch (code) {
#define X(name, number, effect, text) \
    case NEAP_##name:                 \
        return (enum outcome)BECAME_##effect;
        NEAP_ERRORS(X)
#undef X
    default:
        return OUTCOME_OPEN;
    }
}

/* Nodes are killed, and others cannot be reached: that is no excuse for anything else. */
static bool code_is_excused(int code)
{
    return code == 0 || code == NEAP_UNAVAILABLE || code == NEAP_UNCERTAIN || code == NEAP_BUSY;
}

static void answer_take(struct caller *caller, size_t node, const char *what, int code,
                        const struct neap_error *error)
{
    if (!code_is_excused(code))
        cluster_fail(caller->cluster, "node %s: %s: %s: %s", node_name(node), what,
                     neap_strerror(code), error->code == code ? error->text : "");
    /* Perhaps the connection broke, and so it stays. */
    if (code)
        node_hang_up(caller->cluster, node);
}

/* ---- one write ---- */

/* Replaces the values that this node has. */
static int register_set(struct neap *neap, const struct neap_place *place, struct neap_bytes value,
                        const struct neap_call *call)
{
    struct neap_buffer token = {0};
    struct neap_call look = {.size = sizeof look, .ret_token = &token}, write = *call;
    struct neap_iter *iter;
    int code = neap_register_values(neap, place, &look, &iter);
    if (code)
        return NEAP_UNAVAILABLE; /* of a read: nothing happened */
    neap_iter_free(iter);
    write.seen = (struct neap_bytes){token.data, token.size};
    code = neap_register_set(neap, place, value, &write);
    neap_buffer_free(&token);
    return code;
}

static int record_write(struct neap *neap, const struct record *record,
                        const struct neap_call *call)
{
    struct at at;
    const struct neap_place *place = at_key(&at, record->bucket, record->key);
    struct neap_bytes member = bytes_of(record->member), value = bytes_of(record->value);
    switch (record->kind) {
    case RECORD_COUNTER_ADD:
        return neap_counter_add(neap, place, record->number, call);
    case RECORD_SET_ADD:
        return neap_set_add(neap, place, member, call);
    case RECORD_SET_REMOVE:
        return neap_set_remove(neap, place, member, call);
    case RECORD_LWW_SET:
        return neap_lww_set(neap, place, value, call);
    case RECORD_REGISTER_SET:
        return register_set(neap, place, value, call);
    case RECORD_FLAG_ON:
    case RECORD_FLAG_OFF:
        return neap_flag_set(neap, place, record->kind == RECORD_FLAG_ON, call);
    case RECORD_REMOVE:
        return neap_remove(neap, place, NEAP_ANY, call);
    case RECORD_OTHER: /* of the simulator's load */
    case RECORD_KINDS:
        break;
    }
    return NEAP_INVALID;
}

/* Several at once. A write that cannot be queued is not done, and so are not the others. */
static int batch_write(struct neap *neap, const struct record *records, size_t count,
                       const struct neap_call *call)
{
    struct neap_batch *batch;
    struct neap_call queue = {.size = sizeof queue, .ret_error = call->ret_error};
    int code = neap_batch_new(neap, &batch);
    if (code)
        return code;
    queue.batch = batch;
    for (size_t i = 0; i < count && !code; i++)
        code = record_write(neap, &records[i], &queue);
    if (!code)
        code = neap_batch_commit(batch, call);
    neap_batch_free(batch);
    return code;
}

/* Queued only: how it ended is asked for later, and if there is no answer nobody knows. */
static int submitted_wait(struct neap *neap, const struct neap_buffer *token)
{
    struct neap_bytes bytes = {token->data, token->size};
    return neap_wait(neap, bytes, NULL) ? NEAP_UNCERTAIN : 0;
}

/* ---- what to write ---- */

/* A node that does not answer has nothing. */
static bool has(struct neap *neap, const struct record *record)
{
    struct neap_call call = {.size = sizeof call, .timeout_ms = LONG_MS};
    struct at at;
    int in = 0;
    return !neap_set_has(neap, at_key(&at, record->bucket, record->key), bytes_of(record->member),
                         &in, &call) &&
           in;
}

/* An element that was added before, and that this node has. */
static bool member_draw(struct caller *caller, struct neap *neap, struct record *record)
{
    const struct history *history = &caller->history;
    for (unsigned tries = 0; tries < 4 && history->count > 0; tries++) {
        const struct record *old = &history->records[rng_below(&caller->rng, history->count)];
        if (old->kind != RECORD_SET_ADD || !has(neap, old))
            continue;
        memcpy(record->bucket, old->bucket, sizeof record->bucket);
        memcpy(record->key, old->key, sizeof record->key);
        memcpy(record->member, old->member, sizeof record->member);
        return true;
    }
    return false;
}

/* Names that nobody else gives: values, and most elements. */
static void name_make(const struct caller *caller, char *ret_name, size_t size)
{
    snprintf(ret_name, size, "e%zu", caller->history.count);
}

/* What it replaces was read after its record began. */
static void sight_make(struct caller *caller, struct record *record)
{
    struct sight *sight;
    record->sight = history_sight(&caller->history, &sight);
    sight->until[record->node] = caller->history.ended;
}

static void record_draw(struct caller *caller, struct neap *neap, struct record *record)
{
    static const char letters[RECORD_KINDS] = {'c', 's', 's', 'l', 'r', 'x', 'x', 'm'};
    static const enum record_kind kinds[] = {
        RECORD_COUNTER_ADD, RECORD_COUNTER_ADD,  RECORD_COUNTER_ADD,  RECORD_COUNTER_ADD,
        RECORD_SET_ADD,     RECORD_SET_ADD,      RECORD_SET_ADD,      RECORD_SET_ADD,
        RECORD_SET_REMOVE,  RECORD_SET_REMOVE,   RECORD_LWW_SET,      RECORD_LWW_SET,
        RECORD_LWW_SET,     RECORD_REGISTER_SET, RECORD_REGISTER_SET, RECORD_FLAG_ON,
        RECORD_FLAG_OFF,    RECORD_REMOVE};
    struct rng *rng = &caller->rng;
    record->kind = kinds[rng_below(rng, sizeof kinds / sizeof *kinds)];
    if (record->kind == RECORD_SET_REMOVE && member_draw(caller, neap, record))
        return;
    if (record->kind == RECORD_SET_REMOVE)
        record->kind = RECORD_SET_ADD;
    /* Added once more. */
    if (record->kind == RECORD_SET_ADD && rng_chance(rng, 20) && member_draw(caller, neap, record))
        return;
    bool in_map = (record->kind == RECORD_COUNTER_ADD || record->kind == RECORD_LWW_SET) &&
                  rng_chance(rng, 40);
    unsigned bucket = (unsigned)rng_below(rng, 2), key = (unsigned)rng_below(rng, 3);
    unsigned field = (unsigned)rng_below(rng, 4);
    snprintf(record->bucket, sizeof record->bucket, "b%u", bucket);
    if (in_map)
        snprintf(record->key, sizeof record->key, "m%u/f%u", key, field);
    else
        snprintf(record->key, sizeof record->key, "%c%u", letters[record->kind], key);
    if (record->kind == RECORD_COUNTER_ADD)
        record->number = (int64_t)rng_below(rng, 12) - 3;
    if (record->kind == RECORD_SET_ADD)
        name_make(caller, record->member, sizeof record->member);
    if (record->kind == RECORD_LWW_SET || record->kind == RECORD_REGISTER_SET)
        name_make(caller, record->value, sizeof record->value);
    if (record->kind == RECORD_REGISTER_SET)
        sight_make(caller, record);
}

/* ---- calls ---- */

/* The token of a write, taken to another node: there it is read, or not in time. */
static void token_read(struct caller *caller, const struct record *record,
                       const struct neap_buffer *token)
{
    size_t node = (record->node + 1 + (size_t)rng_below(&caller->rng, NODES - 1)) % NODES;
    struct neap *neap = node_handle(caller->cluster, node);
    struct neap_call call = {.size = sizeof call, .timeout_ms = SHORT_MS};
    struct neap_error error = {0};
    struct at at;
    int in = 0;
    if (!neap || record->kind != RECORD_SET_ADD)
        return;
    call.ret_error = &error;
    call.after = (struct neap_bytes){token->data, token->size};
    int code = neap_set_has(neap, at_key(&at, record->bucket, record->key),
                            bytes_of(record->member), &in, &call);
    answer_take(caller, node, "reading after a token", code, &error);
    if (!code && !in)
        cluster_fail(caller->cluster, "node %s: %s of %s/%s is not in, after the token of its add",
                     node_name(node), record->member, record->bucket, record->key);
    caller->tokens += !code;
}

static void records_end(struct caller *caller, const size_t *numbers, size_t count, int code)
{
    enum outcome outcome = outcome_of(code);
    caller->calls++;
    caller->refused += outcome == OUTCOME_NONE;
    caller->unclear += outcome == OUTCOME_OPEN;
    for (size_t i = 0; i < count && outcome != OUTCOME_OPEN; i++)
        history_end(&caller->history, numbers[i], outcome);
}

void caller_settle(struct caller *caller)
{
    for (size_t i = 0; i < caller->history.count; i++) {
        if (caller->history.records[i].outcome == OUTCOME_OPEN)
            history_end(&caller->history, i, OUTCOME_MAYBE);
    }
}

static void call_draw(struct caller *caller, struct neap_call *ret_call)
{
    uint64_t way = rng_below(&caller->rng, 20);
    ret_call->timeout_ms = LONG_MS;
    if (way < 2) {
        ret_call->level = way == 0 ? NEAP_ALL : NEAP_QUORUM;
        ret_call->timeout_ms = SHORT_MS;
    } else if (way < 5) {
        ret_call->flags = NEAP_NOSYNC; /* the process may die, but not the machine */
    } else if (way < 6) {
        ret_call->submit = 1;
    }
}

void caller_call(struct caller *caller)
{
    struct record records[BATCH_MAX] = {0};
    size_t numbers[BATCH_MAX], node = (size_t)rng_below(&caller->rng, NODES), count = 1;
    struct neap *neap = node_handle(caller->cluster, node);
    struct neap_buffer token = {0};
    struct neap_error error = {0};
    struct neap_call call = {.size = sizeof call, .ret_error = &error};
    uint64_t serial = caller->calls + 1;
    if (!neap)
        return;
    call_draw(caller, &call);
    if (rng_chance(&caller->rng, 15))
        count = 2 + (size_t)rng_below(&caller->rng, BATCH_MAX - 1);
    if (call.submit || rng_chance(&caller->rng, 30))
        call.ret_token = &token;
    for (size_t i = 0; i < count; i++) {
        records[i].node = node;
        records[i].serial = serial;
        record_draw(caller, neap, &records[i]);
        numbers[i] = history_add(&caller->history, &records[i]);
    }
    int code = count > 1 ? batch_write(neap, records, count, &call)
                         : record_write(neap, &records[0], &call);
    if (!code && call.submit)
        code = submitted_wait(neap, &token);
    records_end(caller, numbers, count, code);
    answer_take(caller, node, "a write", code, &error);
    if (!code && token.size && !call.submit && !(call.flags & NEAP_NOSYNC))
        token_read(caller, &records[count - 1], &token);
    neap_buffer_free(&token);
}

void caller_add(struct caller *caller, size_t node, struct record *ret_record)
{
    struct record record = {.kind = RECORD_SET_ADD,
                            .node = node,
                            .bucket = "b0",
                            .key = "s0",
                            .serial = caller->calls + 1};
    struct neap *neap = node_handle(caller->cluster, node);
    name_make(caller, record.member, sizeof record.member);
    size_t number = history_add(&caller->history, &record);
    int code = neap ? record_write(neap, &record, NULL) : NEAP_UNAVAILABLE;
    if (code)
        cluster_fail(caller->cluster, "node %s: a write: %s", node_name(node), neap_strerror(code));
    records_end(caller, &number, 1, code);
    *ret_record = record;
}

void caller_fill(struct caller *caller, size_t node)
{
    static const char zeroes[FILL];
    struct neap *neap = node_handle(caller->cluster, node);
    struct neap_place at = {.bucket = "bulk", .key = {"0123456789", 10}};
    struct neap_error error = {0};
    struct neap_call call = {.size = sizeof call, .ret_error = &error};
    if (!neap)
        return;
    at.key.size = 1 + (size_t)rng_below(&caller->rng, 9);
    int code = neap_lww_set(neap, &at, (struct neap_bytes){zeroes, FILL}, &call);
    answer_take(caller, node, "a large write", code, &error);
}
