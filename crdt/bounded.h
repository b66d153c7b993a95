/* The bounded counter: a sum that stays at 0 or above though replicas decrement without asking.
 * Each unit of it is a right of one replica id, which may spend it or give it to another id
 * (docs/decisions/0074, which says why it is as it is).
 *
 * A dot is a row of its replica id: [birth, increments, decrements, number of gifts, gifts...,
 * takings...]. A gift is (to, amount), a taking (from, birth of that row, to, amount, its event
 * then); both are sorted, and amounts 1 or more. A row is folded by later events of its id only.
 * What a row spends it has taken into itself before, so that each row alone is never below 0. */
#ifndef NEAP_CRDT_BOUNDED_H
#define NEAP_CRDT_BOUNDED_H
#include "crdt/types.h"

enum { BOUNDED_PAIRS_MAX = 4096 }; /* that a row may have given to or taken from */

/* Who has what. */
struct rights {
    int64_t value; /* of all: the counter's value */
    int64_t here;  /* of the id that was asked for, and of those that it may take from */
    int64_t most;  /* the most that any other id has, */
    uint64_t who;  /* and which that is; 0: none has any */
};

/* Of a cell of this type; an empty one has nothing, and that is no error. `mine` are other ids
 * whose rights count as here. INVALID: it is not of the type; LIMIT: a sum that does not fit;
 * NOMEM. */
int bounded_rights(const struct cell *cell, uint64_t id, const uint64_t *mine, size_t mine_count,
                   struct rights *ret_rights);
/* The value alone. NOTFOUND for an empty cell. */
int bounded_value(const struct cell *cell, int64_t *ret_value);
#endif
