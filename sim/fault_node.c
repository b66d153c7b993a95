/* Faults of processes. */
#include "sim/faults.h"

static void strike_stop(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    if (!node->up)
        return;
    sim_stop(faults->world, node->index);
    restart_later(faults->world, node->index, rng);
}

static void strike_crash(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    if (!node->up)
        return;
    sim_crash(faults->world, node->index);
    restart_later(faults->world, node->index, rng);
}

static void strike_effect(struct faults *faults, struct rng *rng)
{
    node_draw(faults, rng)->effects_left = 1 + rng_below(rng, 200);
}

static void strike_slow(struct faults *faults, struct rng *rng)
{
    struct sim_node *node = node_draw(faults, rng);
    node->slow_ms = rng_below(rng, 300);
    node->slow_until_ms = faults->world->now_ms + rng_below(rng, 3000);
}

static void heal(struct faults *faults)
{
    for (size_t i = 0; i < faults->world->nodes_count; i++) {
        struct sim_node *node = &faults->world->nodes[i];
        node->effects_left = 0;
        node->slow_until_ms = 0;
    }
}

static const struct fault_kind kinds[] = {
    {"stop", "a process stops in good order", FAULTS_NODE, false, strike_stop},
    {"crash", "power fails", FAULTS_NODE, false, strike_crash},
    {"effect", "power fails before some effect of a turn", FAULTS_NODE, false, strike_effect},
    {"slow", "a node is slow", FAULTS_NODE, false, strike_slow},
};

const struct fault_group_file faults_of_node = {
    .kinds = kinds,
    .count = sizeof kinds / sizeof *kinds,
    .heal = heal,
};
