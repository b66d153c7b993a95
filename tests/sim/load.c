/* Writes over all types, and what must be left of them: counters that add up, elements that were
 * added and not removed, and none that were removed. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tests/sim/world.h"

enum { BUCKETS_SIM_MAX = 4, COUNTERS = 3, SETS = 2, ELEMENTS_MAX = 8192, OPS_MAX = 4 };

/* Did it happen? MAYBE: it was not acknowledged, or not durably, or by a node that lost its
 * disk. */
enum certainty { NO, MAYBE, SURE };

struct element {
    size_t bucket, set;
    uint64_t serial;
    enum certainty added, removed;
    size_t added_by, removed_by;
};

struct adding { /* to one counter, through one node */
    uint64_t sure, maybe;
};

struct load {
    struct world *world;
    char buckets[BUCKETS_SIM_MAX][8];
    size_t buckets_count;
    uint64_t serial, acknowledged, pending;
    struct adding adding[BUCKETS_SIM_MAX][COUNTERS][NODES_MAX];
    struct element *elements;
    size_t elements_count;
    bool doubted[NODES_MAX];
};

enum effect_on { ON_NOTHING, ON_COUNTER, ON_ADD, ON_REMOVE };

struct op_effect {
    enum effect_on on;
    size_t bucket, index; /* counter or element */
    uint64_t amount;
};

struct sim_write {
    struct event event; /* first */
    struct write write;
    struct write_op ops[OPS_MAX];
    struct buffer paths[OPS_MAX];
    char values[OPS_MAX][24];
    struct context seen;
    struct op_effect effects[OPS_MAX];
};

struct load *load_new(struct world *world, size_t buckets)
{
    struct load *load = mem_new(sizeof *load);
    must(load && buckets <= BUCKETS_SIM_MAX);
    load->elements = mem_new_array(ELEMENTS_MAX, sizeof *load->elements);
    must(load->elements);
    load->world = world;
    load->buckets_count = buckets;
    for (size_t i = 0; i < buckets; i++)
        snprintf(load->buckets[i], sizeof load->buckets[i], "b%zu", i);
    world->load = load;
    return load;
}

void load_free(struct load *load)
{
    if (!load)
        return;
    mem_free(load->elements);
    mem_free(load);
}

uint64_t load_acknowledged(const struct load *load)
{
    return load->acknowledged;
}

/* ---- an end ---- */

static void effect_ends(struct load *load, size_t node, const struct op_effect *effect,
                        enum certainty how)
{
    struct element *element = &load->elements[effect->index];
    switch (effect->on) {
    case ON_NOTHING:
        break;
    case ON_COUNTER:
        if (how == SURE)
            load->adding[effect->bucket][effect->index][node].sure += effect->amount;
        else if (how == MAYBE)
            load->adding[effect->bucket][effect->index][node].maybe += effect->amount;
        break;
    case ON_ADD:
        element->added = how;
        element->added_by = node;
        break;
    case ON_REMOVE:
        if (how > element->removed) {
            element->removed = how;
            element->removed_by = node;
        }
        break;
    }
}

static void write_done(struct world *world, size_t node, struct event *event, bool lost)
{
    struct load *load = world->load;
    struct sim_write *write = (struct sim_write *)event;
    enum certainty how = SURE;
    if (lost || event->code == NEAP_IO || event->code == NEAP_UNCERTAIN ||
        world->nodes[node].wheel.stopped)
        how = MAYBE;
    else if (event->code)
        how = NO;
    else if (write->write.nosync || load->doubted[node])
        how = MAYBE;
    bool excused = (event->code == NEAP_NOMEM && world->options.starve) ||
                   (event->code == NEAP_IO && world->nodes[node].disk_fails);
    if (event->code && !lost && !excused && !world->nodes[node].wheel.stopped)
        world_fail(world, "%s: a write gives %s: %s", world->nodes[node].name,
                   error_name(event->code), write->write.error.text);
    load->acknowledged += how == SURE;
    for (size_t i = 0; i < write->write.count && world->options.print; i++) {
        const struct op_effect *effect = &write->effects[i];
        if (effect->on == ON_ADD || effect->on == ON_REMOVE)
            world_note(world, "%s: %s e%llu: %d", world->nodes[node].name,
                       effect->on == ON_ADD ? "add" : "remove",
                       (unsigned long long)load->elements[effect->index].serial, how);
    }
    for (size_t i = 0; i < write->write.count; i++) {
        effect_ends(load, node, &write->effects[i], how);
        buffer_done(&write->paths[i]);
    }
    token_done(&write->write.token);
    context_done(&write->seen);
    load->pending--;
    mem_free(write);
}

void load_doubt(struct load *load, size_t node)
{
    load->doubted[node] = true;
    for (size_t b = 0; b < load->buckets_count; b++) {
        for (size_t c = 0; c < COUNTERS; c++) {
            struct adding *adding = &load->adding[b][c][node];
            adding->maybe += adding->sure;
            adding->sure = 0;
        }
    }
    for (size_t i = 0; i < load->elements_count; i++) {
        struct element *element = &load->elements[i];
        if (element->added == SURE && element->added_by == node)
            element->added = MAYBE;
        if (element->removed == SURE && element->removed_by == node)
            element->removed = MAYBE;
    }
}

/* ---- a beginning ---- */

static void place(struct sim_write *write, size_t index, const char *key, enum neap_type type)
{
    buffer_init(&write->paths[index], NEAP_PATH_MAX);
    must(path_level(&write->paths[index], slice_text(key), type) == 0);
}

static void key_of(char ret_key[8], char letter, uint64_t number)
{
    snprintf(ret_key, 8, "%c%u", letter, (unsigned)number);
}

/* Is the element in its set, as this node sees it? */
static bool element_is_here(const struct load *load, size_t node, const struct element *element)
{
    struct sim_node *at = &load->world->nodes[node];
    uint64_t shard = bucket_id(load->buckets[element->bucket]);
    struct view view = {.disk = at->disk};
    struct buffer path, bytes;
    struct cell cell;
    char key[8], name[24];
    key_of(key, 's', element->set);
    snprintf(name, sizeof name, "e%llu", (unsigned long long)element->serial);
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&bytes, 1 << 20);
    must(path_level(&path, slice_text(key), NEAP_SET) == 0);
    must(path_element(&path, slice_text(name)) == 0);
    cell_init(&cell);
    bool live = cell_read(&view, shard, shard, buffer_slice(&path), &bytes, &cell) == 0 &&
                cell_is_live(&cell);
    cell_done(&cell);
    buffer_done(&path);
    buffer_done(&bytes);
    return live;
}

static void op_element(struct load *load, struct sim_write *write, size_t i, size_t bucket,
                       bool removes, size_t node)
{
    struct world *world = load->world;
    size_t index = load->elements_count;
    char key[8];
    removes = removes && index > 0;
    if (removes) {
        index = (size_t)world_below(world, index);
        removes = load->elements[index].bucket == bucket && !load->elements[index].removed &&
                  element_is_here(load, node, &load->elements[index]);
    }
    if (!removes) {
        index = load->elements_count;
        must(index < ELEMENTS_MAX);
        load->elements_count++;
        load->elements[index] = (struct element){
            .bucket = bucket, .set = (size_t)world_below(world, SETS), .serial = load->serial++};
    } else {
        load->elements[index].removed = MAYBE;
    }
    key_of(key, 's', load->elements[index].set);
    snprintf(write->values[i], sizeof write->values[i], "e%llu",
             (unsigned long long)load->elements[index].serial);
    place(write, i, key, NEAP_SET);
    must(path_element(&write->paths[i], slice_text(write->values[i])) == 0);
    write->ops[i].op.kind = removes ? OP_SET_REMOVE : OP_SET_ADD;
    write->effects[i] =
        (struct op_effect){.on = removes ? ON_REMOVE : ON_ADD, .bucket = bucket, .index = index};
}

static void op_map(struct load *load, struct sim_write *write, size_t i)
{
    struct world *world = load->world;
    char key[8], field[8];
    uint64_t what = world_below(world, 8);
    key_of(key, 'm', world_below(world, 2));
    key_of(field, 'f', world_below(world, 4));
    place(write, i, key, NEAP_MAP);
    if (what == 0) {
        write->ops[i].op.kind = OP_REMOVE;
        write->ops[i].prefix = true;
    } else if (what < 4) {
        must(path_level(&write->paths[i], slice_text(field), NEAP_COUNTER) == 0);
        write->ops[i].op.kind = OP_COUNTER_ADD;
        write->ops[i].op.number = (int64_t)what;
    } else {
        must(path_level(&write->paths[i], slice_text(field), NEAP_LWW) == 0);
        write->ops[i].op.kind = OP_LWW_SET;
        write->ops[i].op.value = slice_text(write->values[i]);
    }
}

static void op_fill(struct load *load, struct sim_write *write, size_t i, size_t bucket,
                    size_t node)
{
    struct world *world = load->world;
    struct write_op *op = &write->ops[i];
    char key[8];
    snprintf(write->values[i], sizeof write->values[i], "v%llu",
             (unsigned long long)load->serial++);
    op->bucket = load->buckets[bucket];
    switch (world_below(world, 8)) {
    case 0:
    case 1: {
        size_t counter = (size_t)world_below(world, COUNTERS);
        key_of(key, 'c', counter);
        place(write, i, key, NEAP_COUNTER);
        op->op.kind = OP_COUNTER_ADD;
        op->op.number = 1 + (int64_t)world_below(world, 9);
        write->effects[i] = (struct op_effect){.on = ON_COUNTER,
                                               .bucket = bucket,
                                               .index = counter,
                                               .amount = (uint64_t)op->op.number};
        break;
    }
    case 2:
    case 3:
        op_element(load, write, i, bucket, world_below(world, 3) == 0, node);
        break;
    case 4:
        key_of(key, 'l', world_below(world, 3));
        place(write, i, key, NEAP_LWW);
        op->op.kind = OP_LWW_SET;
        op->op.value = slice_text(write->values[i]);
        break;
    case 5:
        key_of(key, 'r', world_below(world, 2));
        place(write, i, key, NEAP_REGISTER);
        op->op.kind = OP_REGISTER_SET;
        op->op.value = slice_text(write->values[i]);
        op->op.seen = &write->seen;
        break;
    case 6:
        key_of(key, 'x', world_below(world, 2));
        place(write, i, key, NEAP_FLAG);
        op->op.kind = world_below(world, 2) ? OP_FLAG_ON : OP_FLAG_OFF;
        break;
    default:
        op_map(load, write, i);
        break;
    }
    op->path = buffer_slice(&write->paths[i]);
}

void load_write(struct load *load, size_t node)
{
    struct world *world = load->world;
    size_t bucket = (size_t)world_below(world, load->buckets_count);
    struct shard *shard = sim_shard(world, node, load->buckets[bucket]);
    struct sim_write *write = mem_new(sizeof *write);
    must(write);
    world->write_done = write_done;
    if (shard)
        must(context_copy(&write->seen, &shard->context) == 0);
    write->write.ops = write->ops;
    write->write.count = 1 + (size_t)world_below(world, OPS_MAX);
    write->write.nosync = world_below(world, 3) == 0;
    token_init(&write->write.token);
    for (size_t i = 0; i < write->write.count; i++)
        op_fill(load, write, i, bucket, node);
    write->event.kind = EVENT_WRITE;
    write->event.write = &write->write;
    load->pending++;
    sim_post(world, node, &write->event);
}

/* ---- what is left ---- */

static int64_t counter_of(const struct load *load, size_t bucket, size_t counter)
{
    struct view view = {.disk = load->world->nodes[0].disk};
    uint64_t shard = bucket_id(load->buckets[bucket]);
    struct buffer path, bytes;
    struct cell cell;
    int64_t value = 0;
    char key[8];
    key_of(key, 'c', counter);
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&bytes, 1 << 20);
    must(path_level(&path, slice_text(key), NEAP_COUNTER) == 0);
    cell_init(&cell);
    if (cell_read(&view, shard, shard, buffer_slice(&path), &bytes, &cell) == 0 &&
        counter_value(&cell, &value) != 0)
        value = 0;
    cell_done(&cell);
    buffer_done(&path);
    buffer_done(&bytes);
    return value;
}

static bool counters_hold(const struct load *load, char *ret_why, size_t size)
{
    for (size_t b = 0; b < load->buckets_count; b++) {
        for (size_t c = 0; c < COUNTERS; c++) {
            uint64_t least = 0, most = 0, value = (uint64_t)counter_of(load, b, c);
            for (size_t n = 0; n < NODES_MAX; n++) {
                least += load->adding[b][c][n].sure;
                most += load->adding[b][c][n].sure + load->adding[b][c][n].maybe;
            }
            if (value >= least && value <= most)
                continue;
            snprintf(ret_why, size, "counter %s/c%zu is %llu, not %llu..%llu", load->buckets[b], c,
                     (unsigned long long)value, (unsigned long long)least,
                     (unsigned long long)most);
            return false;
        }
    }
    return true;
}

bool load_holds(struct load *load, char *ret_why, size_t size)
{
    if (load->pending) {
        snprintf(ret_why, size, "%llu writes never ended", (unsigned long long)load->pending);
        return false;
    }
    for (size_t i = 0; i < load->elements_count; i++) {
        const struct element *element = &load->elements[i];
        bool here = element_is_here(load, 0, element);
        const char *fault = NULL;
        if (here && element->removed == SURE)
            fault = "was removed, and is there";
        else if (here && element->added == NO)
            fault = "was never added, and is there";
        else if (!here && element->added == SURE && element->removed == NO)
            fault = "was added, and is gone";
        if (!fault)
            continue;
        snprintf(ret_why, size, "element e%llu of %s/s%zu %s", (unsigned long long)element->serial,
                 load->buckets[element->bucket], element->set, fault);
        return false;
    }
    return counters_hold(load, ret_why, size);
}
