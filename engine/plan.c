#include "engine/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "crdt/path.h"
#include "crdt/types.h"
#include "gossip/system.h"

/* More than may be staged here: others stage as well, where they do not hear of each other. */
enum { PLAN_READ_MAX = 4 * LAYOUT_NODES_MAX };

/* ---- as it is staged ---- */

int plan_change_pack(const struct plan_change *change, struct buffer *ret_bytes)
{
    struct writer writer;

    writer_init(&writer, ret_bytes);
    write_array(&writer, 6);
    write_u64(&writer, change->kind);
    write_u64(&writer, change->by);
    write_str(&writer, change->zone);
    write_u64(&writer, change->weight);
    write_u64(&writer, change->n);
    write_u64(&writer, change->slots);
    return writer.error;
}

int plan_change_unpack(uint64_t node, struct slice bytes, struct plan_change *ret_change)
{
    struct plan_change change = {.node = node};
    uint64_t kind, weight, n, slots;
    struct reader reader;
    struct slice zone;

    reader_init(&reader, bytes);
    read_array_of(&reader, 6);
    kind = read_u64(&reader);
    change.by = read_u64(&reader);
    zone = read_str(&reader, RING_ZONE_MAX);
    weight = read_u64(&reader);
    n = read_u64(&reader);
    slots = read_u64(&reader);
    if (reader_end(&reader) || kind == 0 || kind >= PLAN_KINDS || weight > PLAN_WEIGHT_MAX ||
        n > LAYOUT_OWNERS_MAX || slots > LAYOUT_SLOTS_MAX || (zone.size && ring_zone_check(zone)))
        return NEAP_CORRUPT;
    change.kind = (enum plan_kind)kind;
    change.weight = (uint32_t)weight;
    change.n = (unsigned)n;
    change.slots = (unsigned)slots;
    memcpy(change.zone, zone.data, zone.size);
    *ret_change = change;
    return 0;
}

void plan_done(struct plan *plan)
{
    mem_free(plan->changes);
    *plan = (struct plan){0};
}

struct reading {
    struct plan plan;
    const char *ring;
};

static int change_take(struct reading *reading, uint64_t node, const struct cell *cell)
{
    struct plan *plan = &reading->plan;
    struct plan_change *changes;
    struct slice value;
    int error;

    if (type_check_cell(NEAP_LWW, cell) || lww_value(cell, &value, NULL) ||
        plan->count == PLAN_READ_MAX)
        return NEAP_CORRUPT;
    changes = mem_reserve(plan->changes, plan->count, &plan->room, 1, sizeof *changes);
    if (!changes)
        return NEAP_NOMEM;
    plan->changes = changes;
    error = plan_change_unpack(node, value, &changes[plan->count]);
    plan->count += !error;
    return error;
}

static int cell_take(void *arg, struct slice path, const struct cell *cell)
{
    struct reading *reading = arg;
    struct path_cursor cursor;
    struct path_level level;
    enum ring_object object;
    struct slice ring;
    uint64_t node;
    int error;

    path_cursor_init(&cursor, path);
    error = path_cursor_level(&cursor, &level);
    if (error)
        error = error == NEAP_NOMEM ? error : NEAP_CORRUPT;
    else if (level.type == NEAP_LWW && !ring_key_parse(level.name, &ring, &object, &node) &&
             object == RING_STAGED)
        error = change_take(reading, node, cell);
    path_cursor_done(&cursor);
    return error;
}

int plan_read(const struct view *view, const char *ring, struct plan *ret_plan)
{
    struct reading reading = {.ring = ring};
    struct buffer prefix;
    int error;

    buffer_init(&prefix, NEAP_PATH_MAX);
    error = ring_path_prefix(ring, &prefix);
    if (!error)
        error = system_each(view, buffer_slice(&prefix), cell_take, &reading);
    buffer_done(&prefix);
    if (error) {
        plan_done(&reading.plan);
        return error;
    }
    plan_done(ret_plan);
    *ret_plan = reading.plan;
    return 0;
}

const struct plan_change *plan_of(const struct plan *plan, uint64_t node)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->changes[i].node == node)
            return &plan->changes[i];
    return NULL;
}

/* ---- may it be staged? ---- */

static bool is_in(const struct ring *ring, uint64_t node)
{
    const struct layout *table = ring ? &ring_newest(ring)->layout : NULL;

    for (size_t i = 0; table && i < table->nodes_count; i++)
        if (table->nodes[i].id == node)
            return true;
    return false;
}

/* Does a staged change bring the node in, but for the one that is staged for `but`? */
static bool comes_in(const struct plan *plan, uint64_t node, uint64_t but)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct plan_change *change = &plan->changes[i];

        if (change->node != but && ((change->kind == PLAN_JOIN && change->node == node) ||
                                    (change->kind == PLAN_REPLACE && change->by == node)))
            return true;
    }
    return false;
}

static int check_create(const struct ring *ring, const struct plan_change *change,
                        struct neap_error *error)
{
    if (ring)
        return error_set(
            error, NEAP_REFUSED,
            "the ring %s is there, with %u owners of each of its %u slots, which can't "
            "be changed",
            ring->name, ring->n, ring->slots);
    if (change->n == 0 || change->n > LAYOUT_OWNERS_MAX)
        return error_set(error, NEAP_INVALID, "owners of a slot: 1 to %d, not %u",
                         LAYOUT_OWNERS_MAX, change->n);
    if (change->slots == 0 || change->slots > LAYOUT_SLOTS_MAX ||
        (change->slots & (change->slots - 1)))
        return error_set(error, NEAP_INVALID, "slots: a power of two up to %d, not %u",
                         LAYOUT_SLOTS_MAX, change->slots);
    return 0;
}

static int check_newcomer(const struct ring *ring, const struct plan *plan,
                          const struct plan_change *change, uint64_t node, struct neap_error *error)
{
    if (node == 0)
        return error_set(error, NEAP_INVALID, "no node has the id 0");
    if (is_in(ring, node))
        return error_set(error, NEAP_REFUSED, "node %016llx is in the ring already",
                         (unsigned long long)node);
    if (comes_in(plan, node, change->node))
        return error_set(error, NEAP_REFUSED, "node %016llx is to join by another staged change",
                         (unsigned long long)node);
    if (change->zone[0] ? ring_zone_check(slice_text(change->zone)) : change->kind == PLAN_JOIN)
        return error_set(error, NEAP_INVALID,
                         "a zone's name: up to %d printable characters without blanks, commas and "
                         "slashes",
                         RING_ZONE_MAX);
    return 0;
}

int plan_check(const struct ring *ring, const struct plan *plan, const struct plan_change *change,
               struct neap_error *error)
{
    if (change->kind == PLAN_CREATE)
        return check_create(ring, change, error);
    if (plan->count >= LAYOUT_NODES_MAX && !plan_of(plan, change->node))
        return error_set(error, NEAP_LIMIT, "%d changes are staged: commit them first",
                         LAYOUT_NODES_MAX);
    if (!ring && !plan_of(plan, 0))
        return error_set(error, NEAP_NOTFOUND,
                         "no ring of that name is known here: `neap plan create`, or wait until it "
                         "is told of");
    if (change->weight > PLAN_WEIGHT_MAX)
        return error_set(error, NEAP_LIMIT, "a weight is at most %d", PLAN_WEIGHT_MAX);
    if (change->kind == PLAN_JOIN)
        return check_newcomer(ring, plan, change, change->node, error);
    if (!is_in(ring, change->node))
        return error_set(error, NEAP_NOTFOUND, "node %016llx is not in the ring%s",
                         (unsigned long long)change->node,
                         plan_of(plan, change->node) ? " yet: stage its join anew" : "");
    return change->kind == PLAN_REPLACE ? check_newcomer(ring, plan, change, change->by, error) : 0;
}

/* ---- what comes of it ---- */

struct future {
    struct layout_node nodes[LAYOUT_NODES_MAX];
    size_t count;
    struct ring_zone zones[LAYOUT_NODES_MAX + 1];
    size_t zones_count;
};

static int zone_add(struct future *future, const char *name, uint64_t *ret_id)
{
    uint64_t id = hash_name(slice_text(name));
    size_t i = 0;

    while (i < future->zones_count && future->zones[i].id != id)
        i++;
    if (i == future->zones_count) {
        if (i > LAYOUT_NODES_MAX)
            return NEAP_LIMIT;
        snprintf(future->zones[i].name, sizeof future->zones[i].name, "%s", name);
        future->zones[i].id = id;
        future->zones_count++;
    }
    *ret_id = id;
    return 0;
}

static int node_add(struct future *future, uint64_t node, const char *zone, uint32_t weight)
{
    uint64_t id;

    /* What was staged may have come true by somebody else's commit. */
    for (size_t i = 0; i < future->count; i++)
        if (future->nodes[i].id == node)
            return 0;
    if (future->count == LAYOUT_NODES_MAX || zone_add(future, zone, &id))
        return NEAP_LIMIT;
    future->nodes[future->count++] = (struct layout_node){node, id, weight};
    return 0;
}

/* A node of the newest layout, as the change (or NULL) has it. */
static int node_keep(struct future *future, const struct ring_layout *newest,
                     const struct layout_node *node, const struct plan_change *change)
{
    const char *zone = ring_zone(newest, node->id);

    if (!change)
        return node_add(future, node->id, zone, node->weight);
    if (change->kind == PLAN_LEAVE)
        return 0;
    if (change->kind == PLAN_REPLACE)
        return node_add(future, change->by, change->zone[0] ? change->zone : zone,
                        change->weight ? change->weight : node->weight);
    return node_add(future, node->id, zone,
                    change->kind == PLAN_WEIGHT ? change->weight : node->weight);
}

static int future_make(const struct ring *ring, const struct plan *plan, struct future *future)
{
    const struct ring_layout *newest = ring ? ring_newest(ring) : NULL;
    int error = 0;

    for (size_t i = 0; newest && i < newest->layout.nodes_count && !error; i++)
        error = node_keep(future, newest, &newest->layout.nodes[i],
                          plan_of(plan, newest->layout.nodes[i].id));
    for (size_t i = 0; i < plan->count && !error; i++)
        if (plan->changes[i].kind == PLAN_JOIN && !is_in(ring, plan->changes[i].node))
            error = node_add(future, plan->changes[i].node, plan->changes[i].zone,
                             plan->changes[i].weight);
    return error;
}

static int compare_zones(const void *a, const void *b)
{
    const struct ring_zone *one = a, *other = b;

    return strcmp(one->name, other->name);
}

/* Those that a node is in. */
static int zones_keep(struct future *future, struct ring_layout *layout)
{
    size_t used = 0;

    layout->zones = mem_new_array(future->zones_count, sizeof *layout->zones);
    if (!layout->zones)
        return NEAP_NOMEM;
    for (size_t i = 0; i < future->zones_count; i++) {
        bool is_used = false;

        for (size_t k = 0; k < future->count; k++)
            is_used = is_used || future->nodes[k].zone == future->zones[i].id;
        if (is_used)
            layout->zones[used++] = future->zones[i];
    }
    layout->zones_count = used;
    qsort(layout->zones, used, sizeof *layout->zones, compare_zones);
    return 0;
}

static int layout_make(const struct ring *ring, const struct plan *plan, struct future *future,
                       struct ring_layout *layout)
{
    const struct ring_layout *newest = ring ? ring_newest(ring) : NULL;
    const struct plan_change *create = plan_of(plan, 0);
    uint64_t version = newest ? ring_version(newest->stamp) + 1 : 1;
    struct buffer bytes;
    int error = future_make(ring, plan, future);

    if (!error)
        error = layout_next(newest ? &newest->layout : NULL, future->nodes, future->count,
                            newest ? ring->slots : create->slots, newest ? ring->n : create->n,
                            &layout->layout);
    if (!error)
        error = zones_keep(future, layout);
    if (error)
        return error;
    layout->parent = newest ? newest->stamp : 0;
    buffer_init(&bytes, RING_LAYOUT_SIZE_MAX);
    error = ring_layout_pack(layout, version, &bytes);
    layout->stamp = ring_layout_stamp(version, buffer_slice(&bytes));
    buffer_done(&bytes);
    return error;
}

int plan_next(const struct ring *ring, const struct plan *plan, struct ring_layout *ret_layout,
              struct neap_error *error)
{
    struct ring_layout layout = {0};
    struct future *future;
    int code;

    if (!plan->count)
        return error_set(error, NEAP_REFUSED, "nothing is staged");
    if (!ring && !plan_of(plan, 0))
        return error_set(error, NEAP_NOTFOUND, "no ring of that name is known here");
    if (ring && ring->layouts_count >= RING_COMMIT_MAX)
        return error_set(error, NEAP_REFUSED,
                         "%zu layouts are under way: see `neap ring %s` for who holds them back",
                         ring->layouts_count, ring->name);
    future = mem_new(sizeof *future);
    if (!future)
        return NEAP_NOMEM;
    code = layout_make(ring, plan, future, &layout);
    mem_free(future);
    if (!code) {
        *ret_layout = layout;
        return 0;
    }
    ring_layout_done(&layout);
    if (code == NEAP_INVALID)
        return error_set(error, code, "there would be no node that holds anything");
    if (code == NEAP_LIMIT)
        return error_set(error, code, "a ring has at most %d nodes", LAYOUT_NODES_MAX);
    return code;
}

/* ---- what should be known of it ---- */

uint64_t plan_fair(const struct layout *layout, uint64_t node)
{
    uint64_t weight = 0, own = 0;

    for (size_t i = 0; i < layout->nodes_count; i++) {
        weight += layout->nodes[i].weight;
        if (layout->nodes[i].id == node)
            own = layout->nodes[i].weight;
    }
    return weight ? (uint64_t)layout->slots * layout->n * 1000 * own / weight : 0;
}

static bool warn_of_zones(const struct ring_layout *layout, char *ret_text, size_t size)
{
    const struct layout *table = &layout->layout;

    if (table->a_zone <= 1)
        return false;
    snprintf(ret_text, size,
             "%zu zone%s for %u owners of a slot: up to %u of them are in one zone and may fail "
             "together",
             layout->zones_count, layout->zones_count == 1 ? "" : "s", table->n, table->a_zone);
    return true;
}

static bool warn_of_count(const struct ring_layout *layout, char *ret_text, size_t size)
{
    const struct layout *table = &layout->layout;

    if (table->n >= table->wanted_n)
        return false;
    snprintf(ret_text, size, "%u owners of a slot are wanted, and there %s %u node%s",
             table->wanted_n, table->n == 1 ? "is" : "are", table->n, table->n == 1 ? "" : "s");
    return true;
}

/* It holds a twentieth more or less than its weight says: its zone is too small or too large, or
 * it would hold a slot twice. */
static bool warn_of_node(const struct ring_layout *layout, size_t node, char *ret_text, size_t size)
{
    const struct layout *table = &layout->layout;
    uint64_t id = table->nodes[node].id, fair = plan_fair(table, id),
             load = (uint64_t)layout_load(table, id) * 1000;

    if (load * 20 <= fair * 21 + 20000 && load * 20 + 20000 >= fair * 19)
        return false;
    snprintf(ret_text, size,
             "node %016llx holds %llu slots, by its weight it would be %llu: zone %s is too %s",
             (unsigned long long)id, (unsigned long long)load / 1000,
             (unsigned long long)(fair + 500) / 1000, ring_zone(layout, id),
             load < fair ? "large for the others" : "small");
    return true;
}

bool plan_warning(const struct ring_layout *layout, size_t *at, char *ret_text, size_t size)
{
    while (*at < layout->layout.nodes_count + 2) {
        size_t now = (*at)++;

        if (now == 0   ? warn_of_count(layout, ret_text, size)
            : now == 1 ? warn_of_zones(layout, ret_text, size)
                       : warn_of_node(layout, now - 2, ret_text, size))
            return true;
    }
    return false;
}
