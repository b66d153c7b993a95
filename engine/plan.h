/* A plan: changes of a ring that are staged in the system's bucket, and the layout that a commit
 * of them makes (docs/decisions/0094). Pure but for plan_read(). */
#ifndef NEAP_ENGINE_PLAN_H
#define NEAP_ENGINE_PLAN_H
#include "gossip/ring_pack.h"

enum plan_kind { PLAN_CREATE = 1, PLAN_JOIN, PLAN_LEAVE, PLAN_REPLACE, PLAN_WEIGHT, PLAN_KINDS };
enum { PLAN_WEIGHT_MAX = 1000000, PLAN_WEIGHT_USUAL = 100 };
#define PLAN_ZONE_USUAL "default"

/* One for each node at most; that of node 0 is of the ring itself. */
struct plan_change {
    uint64_t node;
    enum plan_kind kind;
    uint64_t by;                  /* REPLACE: who takes over, with zone and weight below */
    char zone[RING_ZONE_MAX + 1]; /* JOIN; REPLACE: "" is that of the replaced one */
    uint32_t weight;              /* JOIN, WEIGHT; REPLACE: 0 the same */
    unsigned n, slots;            /* CREATE */
};

struct plan {
    struct plan_change *changes; /* by rising nodes; owned */
    size_t count, room;
};

/* Appended; of which the path has the node. */
int plan_change_pack(const struct plan_change *change, struct buffer *ret_bytes);
/* CORRUPT for what plan_change_pack() would not write. */
int plan_change_unpack(uint64_t node, struct slice bytes, struct plan_change *ret_change);
/* The changes that are staged for the ring. Replaces; stays on an error (CORRUPT, IO, NOMEM). */
int plan_read(const struct view *view, const char *ring, struct plan *ret_plan);
void plan_done(struct plan *plan);
const struct plan_change *plan_of(const struct plan *plan, uint64_t node); /* NULL: none */

/* May the change be staged? `ring` is NULL when it has not been made yet. INVALID: numbers, names;
 * LIMIT; NOTFOUND: the node is not in the ring, or there is no ring and none is staged; REFUSED: it
 * is in already, or another change is staged that does not go with it; with a text. */
int plan_check(const struct ring *ring, const struct plan *plan, const struct plan_change *change,
               struct neap_error *error);

/* The layout that comes of it; its stamp is that of the version after the newest one. REFUSED:
 * nothing is staged, or so many layouts are under way that one more has to wait; LIMIT, INVALID:
 * no layout comes of it; NOMEM; with a text. ret_layout is untouched then. */
int plan_next(const struct ring *ring, const struct plan *plan, struct ring_layout *ret_layout,
              struct neap_error *error);

/* What the operator should know of a layout, one text at a time: `at` is 0 at first. False: no
 * more. */
bool plan_warning(const struct ring_layout *layout, size_t *at, char *ret_text, size_t size);

/* Of a node what it should hold by weight, in thousandths of a slot; 0: it is not in. */
uint64_t plan_fair(const struct layout *layout, uint64_t node);
#endif
