/* Rings in the system's bucket of a node, for unit tests. */
#ifndef NEAP_UNIT_RING_CASES_H
#define NEAP_UNIT_RING_CASES_H
#include "crdt/types.h"
#include "gossip/ring_pack.h"
#include "tests/unit/gossip_nodes.h"

enum { SLOTS = 16 };
enum { A = 1, B, C, D, E };

/* Nodes 1, 2... in zones of one letter each: their layout after `before`. */
struct made {
    struct ring_zone zones[26];
    struct ring_layout layout;
};

int ring_make(const struct made *before, const char *zones, unsigned slots, struct made *ret_made);
int made_pack(const struct made *made, uint64_t version, struct buffer *bytes); /* initialises */

/* Into the system's bucket of side 0. */
int ring_place(struct pair_of_nodes *nodes, struct slice path, enum op_kind kind,
               struct slice value);
int ring_put(struct pair_of_nodes *nodes, const char *ring, enum ring_object object,
             uint64_t number, struct slice value);
int made_put(struct pair_of_nodes *nodes, const char *ring, struct made *made, uint64_t version);
int ring_track_put(struct pair_of_nodes *nodes, const char *ring, const struct ring_track *track);
int rings_read_as(struct pair_of_nodes *nodes, uint64_t me, struct rings *ret_rings);
#endif
