/* A transport problem: slots want n owners each, nodes take so many slots at most. What is kept of
 * the layout before costs nothing, what is new costs 1; owners are added along the cheapest path in
 * which nodes pass slots on (successive shortest paths: Ahuja, Magnanti, Orlin, Network
 * Flows, 9.7). That begins with a choice that costs nothing, and a cheapest path keeps it a
 * cheapest one, so the end is one as well. */
#include "gossip/layout.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"

enum { NOBODY = UINT16_MAX };

struct zone {
    uint64_t id, weight;
    unsigned nodes, room; /* that have a weight; slots that it takes */
};

struct plan {
    struct layout *layout;
    unsigned slots, n, a_zone, count;
    struct zone zones[LAYOUT_NODES_MAX];
    unsigned zones_count;
    unsigned zone_of[LAYOUT_NODES_MAX], room[LAYOUT_NODES_MAX], load[LAYOUT_NODES_MAX];
    uint8_t *has, *had; /* [node][slot]: now, before */
    uint8_t *in_zone;   /* [slot][zone]: owners */
    int cost_least;     /* nothing costs less, so nothing better is looked for */
    /* The search: the cheapest way for a slot more to reach a node, and by which slot that the node
     * `from` passes on. */
    int cost[LAYOUT_NODES_MAX];
    uint16_t from[LAYOUT_NODES_MAX], by[LAYOUT_NODES_MAX];
    bool open[LAYOUT_NODES_MAX]; /* reached at less than when it was last gone on from */
};

static size_t at(const struct plan *plan, unsigned slot, unsigned node)
{
    return (size_t)node * plan->slots + slot;
}

static size_t at_zone(const struct plan *plan, unsigned slot, unsigned zone)
{
    return (size_t)slot * plan->zones_count + zone;
}

/* ---- how much each takes ---- */

static int compare_nodes(const void *a, const void *b)
{
    const struct layout_node *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* Parts of `total` by weight, none more than its `most`: what is cut off goes to the others.
 * Rounded up, so that there is room for all. */
static void parts(uint64_t total, const uint64_t *weights, const unsigned *most, unsigned count,
                  unsigned *ret_parts)
{
    bool full[LAYOUT_NODES_MAX] = {false}, again = true;

    while (again) {
        uint64_t weight = 0, left = total;

        again = false;
        for (unsigned i = 0; i < count; i++) {
            weight += full[i] ? 0 : weights[i];
            left -= full[i] ? most[i] : 0;
        }
        for (unsigned i = 0; i < count && weight; i++) {
            if (full[i])
                continue;
            /* weights are below 2^32, totals below 2^15 */
            ret_parts[i] = (unsigned)((left * weights[i] + weight - 1) / weight);
            if (weights[i] && left * weights[i] > (uint64_t)most[i] * weight) {
                ret_parts[i] = most[i];
                full[i] = again = true;
            }
        }
    }
}

static void zones_find(struct plan *plan)
{
    const struct layout_node *nodes = plan->layout->nodes;

    for (unsigned i = 0; i < plan->count; i++) {
        unsigned z = 0;

        while (z < plan->zones_count && plan->zones[z].id != nodes[i].zone)
            z++;
        if (z == plan->zones_count)
            plan->zones[plan->zones_count++].id = nodes[i].zone;
        plan->zone_of[i] = z;
        plan->zones[z].weight += nodes[i].weight;
        plan->zones[z].nodes += nodes[i].weight > 0;
    }
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* As few owners of a slot in one zone as there is a way for all n. */
static void zones_limit(struct plan *plan)
{
    unsigned owners = 0;

    for (plan->a_zone = 0; owners < plan->n;) {
        plan->a_zone++;
        owners = 0;
        for (unsigned z = 0; z < plan->zones_count; z++)
            owners += least(plan->a_zone, plan->zones[z].nodes);
    }
}

static void rooms_share(struct plan *plan)
{
    uint64_t weights[LAYOUT_NODES_MAX] = {0};
    unsigned most[LAYOUT_NODES_MAX] = {0}, shares[LAYOUT_NODES_MAX];

    for (unsigned z = 0; z < plan->zones_count; z++) {
        weights[z] = plan->zones[z].weight;
        most[z] = plan->slots * least(plan->a_zone, plan->zones[z].nodes);
    }
    parts((uint64_t)plan->slots * plan->n, weights, most, plan->zones_count, shares);
    for (unsigned z = 0; z < plan->zones_count; z++)
        plan->zones[z].room = shares[z];
    for (unsigned z = 0; z < plan->zones_count; z++) {
        for (unsigned i = 0; i < plan->count; i++) {
            weights[i] = plan->zone_of[i] == z ? plan->layout->nodes[i].weight : 0;
            most[i] = plan->slots;
            shares[i] = 0;
        }
        parts(plan->zones[z].room, weights, most, plan->count, shares);
        for (unsigned i = 0; i < plan->count; i++)
            if (plan->zone_of[i] == z)
                plan->room[i] = shares[i];
    }
}

/* ---- who keeps what ---- */

static void give(struct plan *plan, unsigned slot, unsigned node)
{
    plan->has[at(plan, slot, node)] = 1;
    plan->in_zone[at_zone(plan, slot, plan->zone_of[node])]++;
}

static void take(struct plan *plan, unsigned slot, unsigned node)
{
    plan->has[at(plan, slot, node)] = 0;
    plan->in_zone[at_zone(plan, slot, plan->zone_of[node])]--;
}

static unsigned owners_count(const struct plan *plan, unsigned slot)
{
    unsigned count = 0;

    for (unsigned z = 0; z < plan->zones_count; z++)
        count += plan->in_zone[at_zone(plan, slot, z)];
    return count;
}

static int find(const struct layout *layout, uint64_t id)
{
    struct layout_node wanted = {.id = id};
    const struct layout_node *found =
        bsearch(&wanted, layout->nodes, layout->nodes_count, sizeof(wanted), compare_nodes);

    return found ? (int)(found - layout->nodes) : -1;
}

static void keep(struct plan *plan, const struct layout *before)
{
    for (unsigned slot = 0; slot < plan->slots; slot++) {
        for (unsigned i = 0; i < before->n; i++) {
            uint16_t old = before->owners[(size_t)slot * before->n + i];
            int node = find(plan->layout, before->nodes[old].id);
            unsigned zone;

            if (node < 0)
                continue;
            plan->had[at(plan, slot, (unsigned)node)] = 1;
            zone = plan->zone_of[node];
            if (plan->load[node] >= plan->room[node] || owners_count(plan, slot) == plan->n ||
                plan->in_zone[at_zone(plan, slot, zone)] == plan->a_zone)
                continue;
            give(plan, slot, (unsigned)node);
            plan->load[node]++;
        }
    }
}

/* ---- who takes what is left ---- */

static int price(const struct plan *plan, unsigned slot, unsigned node)
{
    return !plan->had[at(plan, slot, node)];
}

/* May the slot be with `node`, when `instead` (or NOBODY) lets it go? */
static bool fits(const struct plan *plan, unsigned slot, unsigned node, unsigned instead)
{
    unsigned zone = plan->zone_of[node], count = plan->in_zone[at_zone(plan, slot, zone)];

    if (plan->has[at(plan, slot, node)] || !plan->room[node])
        return false;
    if (instead != NOBODY && plan->zone_of[instead] == zone)
        count--;
    return count < plan->a_zone;
}

static void reach(struct plan *plan, unsigned slot, unsigned node, unsigned from, int cost)
{
    if (cost >= plan->cost[node])
        return;
    cost += price(plan, slot, node);
    if (cost >= plan->cost[node] || !fits(plan, slot, node, from))
        return;
    plan->cost[node] = cost;
    plan->from[node] = (uint16_t)from;
    plan->by[node] = (uint16_t)slot;
    plan->open[node] = true;
}

/* All that `from` could pass on. */
static void pass_on(struct plan *plan, unsigned from)
{
    plan->open[from] = false;
    for (unsigned slot = 0; slot < plan->slots; slot++) {
        if (!plan->has[at(plan, slot, from)])
            continue;
        for (unsigned node = 0; node < plan->count; node++)
            if (node != from)
                reach(plan, slot, node, from, plan->cost[from] - price(plan, slot, from));
    }
}

/* Between nodes that cost the same chance decides, the same one everywhere: so those that share
 * slots with one node are many, and share its load when it fails. */
static uint64_t lot(const struct plan *plan, unsigned slot, unsigned node)
{
    uint8_t bytes[16];

    bytes_put_u64(bytes, slot);
    bytes_put_u64(bytes + 8, plan->layout->nodes[node].id);
    return hash_name(slice_of(bytes, sizeof(bytes)));
}

/* Of the nodes with room the one that a slot more costs least at; NOBODY: there is none. */
static unsigned best_of(const struct plan *plan, unsigned slot)
{
    unsigned best = NOBODY;
    uint64_t drawn = 0;

    for (unsigned node = 0; node < plan->count; node++) {
        uint64_t own;

        if (plan->cost[node] == INT_MAX || plan->load[node] >= plan->room[node])
            continue;
        own = lot(plan, slot, node);
        if (best == NOBODY || plan->cost[node] < plan->cost[best] ||
            (plan->cost[node] == plan->cost[best] && own > drawn)) {
            best = node;
            drawn = own;
        }
    }
    return best;
}

static unsigned search(struct plan *plan, unsigned slot)
{
    bool better = true;
    unsigned best;

    for (unsigned node = 0; node < plan->count; node++) {
        plan->cost[node] = INT_MAX;
        plan->open[node] = false;
    }
    for (unsigned node = 0; node < plan->count; node++)
        reach(plan, slot, node, NOBODY, 0);
    best = best_of(plan, slot);
    if (best != NOBODY && plan->cost[best] <= plan->cost_least)
        return best;
    /* It ends, as no circle costs less than nothing. A node with room is the end of a way. */
    while (better) {
        better = false;
        for (unsigned node = 0; node < plan->count; node++) {
            if (!plan->open[node] || plan->load[node] < plan->room[node])
                continue;
            pass_on(plan, node);
            better = true;
        }
    }
    return best_of(plan, slot);
}

static bool crosses(const struct plan *plan, unsigned node)
{
    unsigned from = plan->from[node];

    return from == NOBODY || plan->zone_of[from] != plan->zone_of[node];
}

static int add(struct plan *plan, unsigned slot)
{
    unsigned node = search(plan, slot);

    if (node == NOBODY)
        return NEAP_INVALID;
    plan->load[node]++;
    while (node != NOBODY) {
        unsigned from = plan->from[node], by = plan->by[node];

        /* A slot that would go from zone to zone twice goes once: what is between is a circle. */
        for (unsigned up = from; up != NOBODY && crosses(plan, node); up = plan->from[up])
            if (plan->by[up] == by && crosses(plan, up))
                from = plan->from[up];
        if (from != NOBODY)
            take(plan, by, from);
        give(plan, by, node);
        node = from;
    }
    return 0;
}

/* Who was an owner before stays where he was in the order. */
static void write_owners(const struct plan *plan, const struct layout *before)
{
    for (unsigned slot = 0; slot < plan->slots; slot++) {
        uint16_t *owners = plan->layout->owners + (size_t)slot * plan->n;
        unsigned next = 0;

        for (unsigned i = 0; i < plan->n; i++)
            owners[i] = NOBODY;
        for (unsigned i = 0; before && i < before->n && i < plan->n; i++) {
            uint16_t old = before->owners[(size_t)slot * before->n + i];
            int node = find(plan->layout, before->nodes[old].id);

            if (node >= 0 && plan->has[at(plan, slot, (unsigned)node)])
                owners[i] = (uint16_t)node;
        }
        for (unsigned node = 0; node < plan->count; node++) {
            bool there = !plan->has[at(plan, slot, node)];

            for (unsigned i = 0; i < plan->n; i++)
                there = there || owners[i] == node;
            if (there)
                continue;
            while (owners[next] != NOBODY)
                next++;
            owners[next] = (uint16_t)node;
        }
    }
}

/* ---- outside ---- */

static int check(const struct layout_node *nodes, size_t count, unsigned slots, unsigned n)
{
    bool weight = false;

    if (count > LAYOUT_NODES_MAX || slots > LAYOUT_SLOTS_MAX || n > LAYOUT_OWNERS_MAX ||
        (slots & (slots - 1)))
        return NEAP_LIMIT;
    if (slots == 0 || n == 0)
        return NEAP_INVALID;
    for (size_t i = 0; i < count; i++) {
        weight = weight || nodes[i].weight > 0;
        if (nodes[i].id == 0)
            return NEAP_INVALID;
        for (size_t k = 0; k < i; k++)
            if (nodes[k].id == nodes[i].id)
                return NEAP_INVALID;
    }
    return weight ? 0 : NEAP_INVALID;
}

static int plan_run(struct plan *plan, const struct layout *before)
{
    int error = 0;

    zones_limit(plan);
    rooms_share(plan);
    if (before)
        keep(plan, before);
    plan->cost_least = before ? 0 : 1;
    for (unsigned slot = 0; slot < plan->slots && !error; slot++)
        while (!error && owners_count(plan, slot) < plan->n)
            error = add(plan, slot);
    must(!error); /* there is room for all: see rooms_share() */
    write_owners(plan, before);
    return 0;
}

static int plan_open(struct plan *plan, struct layout *layout, const struct layout_node *nodes)
{
    unsigned weighty = 0;

    plan->layout = layout;
    plan->slots = layout->slots;
    plan->count = (unsigned)layout->nodes_count;
    layout->nodes = mem_new_array(plan->count, sizeof(*nodes));
    plan->has = mem_new_array(plan->slots, plan->count);
    plan->had = mem_new_array(plan->slots, plan->count);
    if (!layout->nodes || !plan->has || !plan->had)
        return NEAP_NOMEM;
    memcpy(layout->nodes, nodes, plan->count * sizeof(*nodes));
    qsort(layout->nodes, plan->count, sizeof(*nodes), compare_nodes);
    zones_find(plan);
    for (unsigned i = 0; i < plan->count; i++)
        weighty += layout->nodes[i].weight > 0;
    plan->n = layout->n = least(layout->wanted_n, weighty);
    plan->in_zone = mem_new_array(plan->slots, plan->zones_count);
    layout->owners = mem_new_array((size_t)plan->slots * plan->n, sizeof(*layout->owners));
    return plan->in_zone && layout->owners ? 0 : NEAP_NOMEM;
}

int layout_next(const struct layout *before, const struct layout_node *nodes, size_t nodes_count,
                unsigned slots, unsigned n, struct layout *ret_layout)
{
    struct layout layout = {.slots = slots, .wanted_n = n, .nodes_count = nodes_count};
    int error = check(nodes, nodes_count, slots, n);
    struct plan *plan;

    if (error)
        return error;
    plan = mem_new(sizeof(*plan));
    if (!plan)
        return NEAP_NOMEM;
    error = plan_open(plan, &layout, nodes);
    if (!error)
        error = plan_run(plan, before && before->slots == slots ? before : NULL);
    layout.a_zone = plan->a_zone;
    mem_free(plan->has);
    mem_free(plan->had);
    mem_free(plan->in_zone);
    mem_free(plan);
    if (error)
        layout_done(&layout);
    else
        *ret_layout = layout;
    return error;
}

void layout_done(struct layout *layout)
{
    mem_free(layout->nodes);
    mem_free(layout->owners);
    *layout = (struct layout){0};
}

unsigned layout_load(const struct layout *layout, uint64_t id)
{
    int node = find(layout, id);
    unsigned load = 0;

    for (size_t i = 0; node >= 0 && i < (size_t)layout->slots * layout->n; i++)
        load += layout->owners[i] == node;
    return load;
}

bool layout_owns(const struct layout *layout, unsigned slot, uint64_t id)
{
    int node = find(layout, id);

    for (unsigned i = 0; node >= 0 && i < layout->n; i++)
        if (layout->owners[(size_t)slot * layout->n + i] == node)
            return true;
    return false;
}

unsigned layout_moves(const struct layout *from, const struct layout *to)
{
    unsigned moves = 0;

    for (unsigned slot = 0; slot < to->slots; slot++)
        for (unsigned i = 0; i < to->n; i++) {
            uint64_t id = to->nodes[to->owners[(size_t)slot * to->n + i]].id;

            moves += from->slots != to->slots || !layout_owns(from, slot, id);
        }
    return moves;
}
