/* The callers of a simulated world: calls by chance, each with its record in the history. */
#include "sim/load.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/check.h"
#include "sim/workload.h"

enum { OPS_MAX = 16 };

struct load {
    struct world *world;
    const struct workload *workload;
    struct history history;
    uint64_t serial, calls, pending;
};

struct sim_write {
    struct event event; /* first */
    struct write write;
    struct write_op ops[OPS_MAX];
    struct buffer paths[OPS_MAX];
    struct record records[OPS_MAX];
    size_t numbers[OPS_MAX]; /* in the history */
    struct context seen;
};

static void write_done(struct world *world, size_t node, struct event *event, bool lost);

struct load *load_new(struct world *world, const struct workload *workload)
{
    struct load *load = mem_new(sizeof *load);
    must(load);
    load->world = world;
    load->workload = workload;
    history_init(&load->history);
    world->load = load;
    world->write_done = write_done;
    return load;
}

void load_free(struct load *load)
{
    if (!load)
        return;
    history_done(&load->history);
    mem_free(load);
}

uint64_t load_calls(const struct load *load)
{
    return load->calls;
}

struct history *load_history(struct load *load)
{
    return &load->history;
}

bool load_is_done(const struct load *load)
{
    return load->pending == 0;
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
    return write->write.nosync ? OUTCOME_MAYBE : OUTCOME_SURE;
}

static void write_done(struct world *world, size_t node, struct event *event, bool lost)
{
    struct load *load = world->load;
    struct sim_write *write = (struct sim_write *)event;
    enum outcome outcome = outcome_of(world, node, write, lost);
    bool excused = sim_excuses(&world->nodes[node], event->code);
    if (event->code && !lost && !excused && !world->nodes[node].wheel.stopped)
        world_fail(world, "%s: a write gives %s: %s", world->nodes[node].name,
                   error_name(event->code), write->write.error.text);
    for (size_t i = 0; i < write->write.count; i++) {
        history_end(&load->history, write->numbers[i], outcome);
        checks_answered(world, &load->history.records[write->numbers[i]]);
        buffer_done(&write->paths[i]);
    }
    token_done(&write->write.token);
    context_done(&write->seen);
    load->pending--;
    mem_free(write);
}

/* ---- what is there ---- */

static bool cell_at(struct world *world, size_t node, const char *bucket, struct slice path,
                    struct buffer *bytes, struct cell *ret_cell)
{
    struct view view = {.disk = world->nodes[node].disk};
    uint64_t shard = bucket_id(bucket);
    return cell_read(&view, shard, shard, path, bytes, ret_cell) == 0;
}

static int replicas_count(struct replicas *replicas, size_t node, const char *bucket,
                          const char *key, int64_t *ret_value)
{
    struct world *world = ((struct sim_replicas *)replicas)->world;
    struct buffer path, bytes;
    struct cell cell;
    int code = NEAP_NOTFOUND;
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&bytes, 1 << 20);
    must(path_level(&path, slice_text(key), NEAP_COUNTER) == 0);
    cell_init(&cell);
    if (cell_at(world, node, bucket, buffer_slice(&path), &bytes, &cell))
        code = counter_value(&cell, ret_value);
    cell_done(&cell);
    buffer_done(&path);
    buffer_done(&bytes);
    return code;
}

static int replicas_has(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                        const char *member)
{
    struct world *world = ((struct sim_replicas *)replicas)->world;
    struct buffer path, bytes;
    struct cell cell;
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&bytes, 1 << 20);
    must(path_level(&path, slice_text(key), NEAP_SET) == 0);
    must(path_element(&path, slice_text(member)) == 0);
    cell_init(&cell);
    bool live =
        cell_at(world, node, bucket, buffer_slice(&path), &bytes, &cell) && cell_is_live(&cell);
    cell_done(&cell);
    buffer_done(&path);
    buffer_done(&bytes);
    return live;
}

void sim_replicas_init(struct sim_replicas *replicas, struct world *world)
{
    *replicas = (struct sim_replicas){.replicas = {.count = replicas_count, .has = replicas_has},
                                      .world = world};
}

/* ---- a beginning ---- */

static enum record_kind kind_draw(const struct workload *workload, struct rng *rng)
{
    uint64_t total = 0, at;
    for (size_t i = 0; i < RECORD_KINDS; i++)
        total += workload->weights[i];
    at = rng_below(rng, total);
    for (size_t i = 0; i < RECORD_KINDS; i++) {
        if (at < workload->weights[i])
            return (enum record_kind)i;
        at -= workload->weights[i];
    }
    return RECORD_COUNTER_ADD;
}

static unsigned key_draw(const struct workload *workload, struct rng *rng)
{
    return rng_chance(rng, workload->hot_percent) ? 0 : (unsigned)rng_below(rng, workload->keys);
}

/* An element that was added here before, and that this node has. */
static bool member_draw(struct load *load, struct rng *rng, struct record *record)
{
    struct sim_replicas replicas;
    sim_replicas_init(&replicas, load->world);
    for (unsigned tries = 0; tries < 8 && load->history.count > 0; tries++) {
        const struct record *old = &load->history.records[rng_below(rng, load->history.count)];
        if (old->kind != RECORD_SET_ADD || strcmp(old->bucket, record->bucket) != 0 ||
            replicas_has(&replicas.replicas, record->node, old->bucket, old->key, old->member) != 1)
            continue;
        snprintf(record->key, sizeof record->key, "%s", old->key);
        snprintf(record->member, sizeof record->member, "%s", old->member);
        return true;
    }
    return false;
}

static void record_draw(struct load *load, struct rng *rng, struct record *record)
{
    static const char letters[RECORD_KINDS] = {'c', 's', 's', 'l', 'r', 'x', 'x', 'm', 'm', 'm'};
    unsigned key = key_draw(load->workload, rng);
    record->kind = kind_draw(load->workload, rng);
    if (record->kind == RECORD_SET_REMOVE && !member_draw(load, rng, record))
        record->kind = RECORD_SET_ADD;
    if (record->kind == RECORD_SET_REMOVE)
        return;
    snprintf(record->key, sizeof record->key, "%c%u", letters[record->kind], key);
    record->number = 1 + (int64_t)rng_below(rng, 9);
    if (record->kind == RECORD_MAP_ADD || record->kind == RECORD_MAP_SET)
        snprintf(record->member, sizeof record->member, "f%u", (unsigned)rng_below(rng, 4));
    else
        snprintf(record->member, sizeof record->member, "e%llu",
                 (unsigned long long)load->history.count);
}

static void op_fill(struct write_op *op, struct buffer *path, const struct record *record,
                    const struct context *seen)
{
    static const enum op_kind ops[RECORD_KINDS] = {
        OP_COUNTER_ADD, OP_SET_ADD,  OP_SET_REMOVE,  OP_LWW_SET, OP_REGISTER_SET,
        OP_FLAG_ON,     OP_FLAG_OFF, OP_COUNTER_ADD, OP_LWW_SET, OP_REMOVE};
    static const enum neap_type types[RECORD_KINDS] = {
        NEAP_COUNTER, NEAP_SET,  NEAP_SET, NEAP_LWW, NEAP_REGISTER,
        NEAP_FLAG,    NEAP_FLAG, NEAP_MAP, NEAP_MAP, NEAP_MAP};
    buffer_init(path, NEAP_PATH_MAX);
    must(path_level(path, slice_text(record->key), types[record->kind]) == 0);
    if (record->kind == RECORD_SET_ADD || record->kind == RECORD_SET_REMOVE)
        must(path_element(path, slice_text(record->member)) == 0);
    if (record->kind == RECORD_MAP_ADD)
        must(path_level(path, slice_text(record->member), NEAP_COUNTER) == 0);
    if (record->kind == RECORD_MAP_SET)
        must(path_level(path, slice_text(record->member), NEAP_LWW) == 0);
    *op = (struct write_op){.bucket = record->bucket,
                            .path = buffer_slice(path),
                            .prefix = record->kind == RECORD_REMOVE,
                            .op = {.kind = ops[record->kind], .number = record->number}};
    if (op->op.kind == OP_LWW_SET || op->op.kind == OP_REGISTER_SET)
        op->op.value = slice_text(record->member);
    if (op->op.kind == OP_REGISTER_SET)
        op->op.seen = seen;
}

void load_call(struct load *load, struct rng *rng)
{
    struct world *world = load->world;
    const struct workload *workload = load->workload;
    size_t node = (size_t)rng_below(rng, world->nodes_count);
    struct record record = {.node = node, .serial = load->serial};
    if (!world->nodes[node].up)
        return;
    load->serial++;
    load->calls++;
    load->pending++;
    snprintf(record.bucket, sizeof record.bucket, "b%u",
             (unsigned)rng_below(rng, workload->buckets));
    struct shard *shard = sim_shard(world, node, record.bucket);
    struct sim_write *write = mem_new(sizeof *write);
    must(write);
    if (shard)
        must(context_copy(&write->seen, &shard->context) == 0);
    write->write.ops = write->ops;
    write->write.count = workload->batch.from +
                         (size_t)rng_below(rng, workload->batch.to - workload->batch.from + 1);
    write->write.nosync = rng_chance(rng, workload->nosync_percent);
    token_init(&write->write.token);
    for (size_t i = 0; i < write->write.count; i++) {
        record_draw(load, rng, &record);
        write->records[i] = record;
        write->numbers[i] = history_add(&load->history, &record);
        op_fill(&write->ops[i], &write->paths[i], &write->records[i], &write->seen);
    }
    write->event.kind = EVENT_WRITE;
    write->event.write = &write->write;
    sim_post(world, node, &write->event);
}
