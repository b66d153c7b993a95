/* The callers of a simulated world. */
#ifndef NEAP_SIM_LOAD_H
#define NEAP_SIM_LOAD_H
#include "sim/history.h"
#include "sim/world.h"

/* Reads what nodes have committed. */
struct sim_replicas {
    struct replicas replicas;
    struct world *world;
};

void sim_replicas_init(struct sim_replicas *replicas, struct world *world);
#endif
