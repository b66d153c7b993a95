/* Faults of the net. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/faults.h"

static void strike_cut(struct faults *faults, struct rng *rng)
{
    struct world *world = faults->world;
    uint64_t sides = rng_u64(rng);
    world_note(world, "cut in two");
    for (size_t a = 0; a < world->nodes_count; a++) {
        for (size_t b = 0; b < world->nodes_count; b++)
            world->cut[a][b] = (sides >> a & 1) != (sides >> b & 1);
    }
}

static void strike_oneway(struct faults *faults, struct rng *rng)
{
    struct sim_node *a = node_draw(faults, rng), *b = node_draw(faults, rng);
    world_note(faults->world, "cut %s > %s", a->name, b->name);
    faults->world->cut[a->index][b->index] = a != b;
}

static void strike_mend(struct faults *faults, struct rng *rng)
{
    (void)rng;
    world_note(faults->world, "no more cuts");
    memset(faults->world->cut, 0, sizeof faults->world->cut);
    memset(faults->world->ways, 0, sizeof faults->world->ways);
}

static void strike_reset(struct faults *faults, struct rng *rng)
{
    struct sim_node *a = node_draw(faults, rng), *b = node_draw(faults, rng);
    world_note(faults->world, "reset %s %s", a->name, b->name);
    net_reset(faults->world, a->index, b->index);
}

static void strike_delay(struct faults *faults, struct rng *rng)
{
    struct sim_node *a = node_draw(faults, rng), *b = node_draw(faults, rng);
    faults->world->ways[a->index][b->index].delay_ms = (unsigned)rng_below(rng, 1500);
}

void isolate(struct faults *faults, struct sim_node *node, bool isolated)
{
    if (!node->up)
        return;
    struct event *event = mem_new(sizeof *event);
    must(event);
    event->kind = EVENT_ISOLATE;
    event->isolated = isolated;
    faults->isolated[node->index] = isolated;
    sim_post(faults->world, node->index, event);
}

static void strike_isolate(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    isolate(faults, node, !faults->isolated[node->index]);
}

static void strike_garble(struct faults *faults, struct rng *rng)
{
    (void)rng;
    faults->world->garbles = true;
}

static void heal(struct faults *faults)
{
    struct world *world = faults->world;
    world->garbles = false;
    memset(world->cut, 0, sizeof world->cut);
    memset(world->ways, 0, sizeof world->ways);
}

static const struct fault_kind kinds[] = {
    {"cut", "the net parts into two halves", FAULTS_NET, false, strike_cut},
    {"oneway", "one node does not reach another", FAULTS_NET, false, strike_oneway},
    {"mend", "all cuts and delays end", FAULTS_NET, false, strike_mend},
    {"reset", "the links between two nodes break", FAULTS_NET, false, strike_reset},
    {"delay", "messages of one node to another are late", FAULTS_NET, false, strike_delay},
    {"isolate", "an operator takes a node off the net, or back", FAULTS_NET, false, strike_isolate},
    {"garble", "messages arrive with other bytes", FAULTS_NET, true, strike_garble},
};

const struct fault_group_file faults_of_net = {
    .kinds = kinds,
    .count = sizeof kinds / sizeof *kinds,
    .heal = heal,
};
