/* Which nodes hold which slot of a ring: computed from the layout before, so that as little as can
 * be moves. A pure function of its arguments: every node that has both computes the same. */
#ifndef NEAP_GOSSIP_LAYOUT_H
#define NEAP_GOSSIP_LAYOUT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LAYOUT_NODES_MAX = 256, LAYOUT_SLOTS_MAX = 4096, LAYOUT_OWNERS_MAX = 7 };

struct layout_node {
    uint64_t id;     /* not 0 */
    uint64_t zone;   /* any name's hash; nodes of one zone may fail together */
    uint32_t weight; /* of what it holds, against the others; 0: it is to hold nothing */
};

/* Owners of slot s are owners[s * n .. s * n + n), indexes into nodes. `n` is what was wanted, or
 * the number of nodes that have a weight when there are fewer. */
struct layout {
    unsigned slots, n, wanted_n;
    unsigned a_zone; /* most owners of one slot in one zone: 1 when there are zones enough */
    struct layout_node *nodes; /* owned, by rising id */
    size_t nodes_count;
    uint16_t *owners; /* owned */
};

/* INVALID: no node, none with a weight, an id that is 0 or there twice. LIMIT: more nodes, slots or
 * owners than the enum above has; slots is not a power of two. NOMEM. *ret_layout is untouched
 * then. `before` may be NULL, or of another n; of other slots it is not used.
 *
 * Of all layouts with these properties it is one that moves least:
 * - a slot's owners are different nodes, in different zones as far as there are any (a_zone);
 * - a node's load is its part by weight, rounded up, where its zone's part is by weight too, but at
 * most a_zone of each slot, and a node's at most one: what does not fit goes to the others by
 * weight. */
int layout_next(const struct layout *before, const struct layout_node *nodes, size_t nodes_count,
                unsigned slots, unsigned n, struct layout *ret_layout);
void layout_done(struct layout *layout);

/* Is the node an owner of that slot? */
bool layout_owns(const struct layout *layout, unsigned slot, uint64_t id);
/* How many slots a node holds; 0 for one that is not in it. */
unsigned layout_load(const struct layout *layout, uint64_t id);
/* How many (slot, node) are in `to` and not in `from`: what has to be copied. */
unsigned layout_moves(const struct layout *from, const struct layout *to);
#endif
