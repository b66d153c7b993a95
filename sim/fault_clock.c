/* Faults of clocks. */
#include "sim/faults.h"

static void strike_skew(struct faults *faults, struct rng *rng)
{
    node_draw(faults, rng)->skew_ms = (int64_t)rng_below(rng, 100000) - 50000;
}

static void heal(struct faults *faults)
{
    for (size_t i = 0; i < faults->world->nodes_count; i++)
        faults->world->nodes[i].skew_ms = 0;
}

static const struct fault_kind kinds[] = {
    {"skew", "a clock is off", FAULTS_CLOCK, false, strike_skew},
};

const struct fault_group_file faults_of_clock = {
    .kinds = kinds,
    .count = sizeof kinds / sizeof *kinds,
    .heal = heal,
};
