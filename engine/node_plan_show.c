/* What a plan comes to: moves, loads, and what an operator should know before he commits it. */
#include <string.h>

#include "base/error.h"
#include "engine/node_plan.h"
#include "engine/status.h"
#include "store/keys.h"

/* Slots are counted here up to so many cells, for an estimate of all. */
enum { SAMPLE_CELLS = 100000 };

struct sample {
    unsigned slots; /* that were counted */
    uint64_t cells, bytes;
};

static int slot_count(const struct view *view, uint64_t shard, struct sample *sample)
{
    struct slice key, value;
    struct scan *scan;
    struct key from, end;
    int code;

    key_shard_prefix(&from, shard);
    key_end(&from, &end);
    code = view_scan(view, DISK_CELLS, key_slice(&from), key_slice(&end), &scan);
    if (code)
        return code;
    while (!(code = scan_next(scan, &key, &value))) {
        sample->cells++;
        sample->bytes += key.size + value.size;
    }
    scan_close(scan);
    sample->slots++;
    return code == NEAP_END ? 0 : code;
}

/* How many owners a slot gets that it has not got. */
static unsigned slot_moves(const struct layout *from, const struct layout *to, unsigned slot)
{
    unsigned moves = 0;

    for (unsigned i = 0; i < to->n; i++)
        moves +=
            !from || !layout_owns(from, slot, to->nodes[to->owners[(size_t)slot * to->n + i]].id);
    return moves;
}

/* Of slots that move and are here. */
static int sample_take(const struct ring_case *at, const struct ring_layout *next,
                       struct sample *ret_sample)
{
    struct view view = {.disk = at->node->disk};
    uint64_t me = at->node->wheel.engine.store.identity.node;
    int code = 0;

    for (unsigned slot = 0; at->ring && !code && slot < at->ring->slots; slot++)
        if (ret_sample->cells < SAMPLE_CELLS && ring_holds(at->ring, slot, me) &&
            slot_moves(&ring_newest(at->ring)->layout, &next->layout, slot))
            code = slot_count(&view, ring_shard(at->ring, slot), ret_sample);
    return code;
}

static json_t *change_json(const struct plan_change *change)
{
    json_t *json = json_pack("{ss}", "change", plan_kind_name(change->kind));
    bool fine = json != NULL;

    if (fine && change->node)
        fine = !json_object_set_new(json, "node", json_hex(change->node));
    if (fine && change->kind == PLAN_CREATE)
        fine = !json_object_set_new(json, "n", json_integer(change->n)) &&
               !json_object_set_new(json, "slots", json_integer(change->slots));
    if (fine && change->by)
        fine = !json_object_set_new(json, "by", json_hex(change->by));
    if (fine && change->zone[0])
        fine = !json_object_set_new(json, "zone", json_text(change->zone));
    if (fine && (change->kind == PLAN_JOIN || change->kind == PLAN_WEIGHT || change->weight))
        fine = !json_object_set_new(json, "weight", json_integer(change->weight));
    if (fine)
        return json;
    json_decref(json);
    return NULL;
}

static json_t *changes_json(const struct plan *plan)
{
    json_t *array = json_array();
    bool fine = array != NULL;

    for (size_t i = 0; fine && i < plan->count; i++)
        fine = json_add(array, change_json(&plan->changes[i]));
    if (fine)
        return array;
    json_decref(array);
    return NULL;
}

/* What one node gives and takes; the slots that move are counted where they go to. */
static json_t *node_json(const struct layout *from, const struct ring_layout *next, uint64_t node,
                         uint32_t weight)
{
    const struct layout *to = &next->layout;
    unsigned before = from ? layout_load(from, node) : 0, after = layout_load(to, node), stay = 0;

    for (unsigned slot = 0; from && slot < to->slots; slot++)
        stay += layout_owns(from, slot, node) && layout_owns(to, slot, node);
    return json_pack("{so, ss*, sI, sI, sI, sI, sI, sf}", "node", json_hex(node), "zone",
                     ring_zone(next, node), "weight", (json_int_t)weight, "before",
                     (json_int_t)before, "after", (json_int_t)after, "takes",
                     (json_int_t)(after - stay), "gives", (json_int_t)(before - stay), "fair",
                     (double)plan_fair(to, node) / 1000.0);
}

static json_t *nodes_json(const struct layout *from, const struct ring_layout *next)
{
    const struct layout *to = &next->layout;
    json_t *array = json_array();
    bool fine = array != NULL;

    for (size_t i = 0; fine && i < to->nodes_count; i++)
        fine = json_add(array, node_json(from, next, to->nodes[i].id, to->nodes[i].weight));
    for (size_t i = 0; fine && from && i < from->nodes_count; i++)
        if (!ring_zone(next, from->nodes[i].id))
            fine = json_add(array, node_json(from, next, from->nodes[i].id, 0));
    if (fine)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *warnings_json(const struct ring *ring, const struct ring_layout *next)
{
    json_t *array = json_array();
    bool fine = array != NULL;
    char text[256];
    size_t at = 0;

    while (fine && plan_warning(next, &at, text, sizeof text))
        fine = json_add(array, json_text(text));
    if (fine && ring && ring->layouts_count > 1)
        fine = json_add(array, json_text("an earlier move is under way: until it has ended writes "
                                         "count in all layouts that are"));
    if (fine)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *show_json(const struct ring_case *at, const struct ring_layout *next,
                         const struct sample *sample)
{
    const struct layout *from = at->ring ? &ring_newest(at->ring)->layout : NULL;
    const struct layout *to = &next->layout;
    uint64_t moves = 0;

    for (unsigned slot = 0; slot < to->slots; slot++)
        moves += slot_moves(from, to, slot);
    return json_pack(
        "{ss, sI, sI, sI, sI, so, so, so, sI, sI, sI, sI, so}", "ring", at->name, "n",
        (json_int_t)to->wanted_n, "slots", (json_int_t)to->slots, "from",
        (json_int_t)(at->ring ? ring_version(next->parent) : 0), "version",
        (json_int_t)ring_version(next->stamp), "id", ring_id_json(next->stamp), "changes",
        changes_json(&at->plan), "nodes", nodes_json(from, next), "moves", (json_int_t)moves,
        "cells", (json_int_t)(sample->slots ? sample->cells * moves / sample->slots : 0), "bytes",
        (json_int_t)(sample->slots ? sample->bytes * moves / sample->slots : 0), "counted",
        (json_int_t)sample->slots, "warnings", warnings_json(at->ring, next));
}

int plan_show(const struct ring_case *at, struct buffer *ret_json, struct neap_error *error)
{
    struct ring_layout next = {0};
    struct sample sample = {0};
    int code = plan_next(at->ring, &at->plan, &next, error);

    if (code)
        return code;
    code = sample_take(at, &next, &sample);
    if (!code)
        code = json_into(show_json(at, &next, &sample), ret_json);
    ring_layout_done(&next);
    return code;
}
