/* Rings of a simulated world: layouts are made and put into the system's bucket of one node. */
#ifndef NEAP_SIM_RING_H
#define NEAP_SIM_RING_H
#include "gossip/place.h"
#include "sim/world.h"

enum { SIM_RING_SLOTS = 16, SIM_RING_N = 3 };
#define SIM_RING "main"

/* The next layout, over the nodes of these bits, node i in zone i % 3; written by that node, which
 * knows the one before. False: it can't now. */
bool sim_ring_next(struct world *world, size_t node, uint32_t members);
/* The event of such a write has ended. */
void sim_put_ended(struct event *event);
/* The rings as that node, which is up, has them. */
const struct rings *sim_rings(const struct world *world, size_t node);
uint64_t sim_id(const struct world *world, size_t node); /* of a node that is up */
/* The number of a node by its id; NODES_MAX: none that is up. */
size_t sim_index(const struct world *world, uint64_t id);
#endif
