/* Values that expire (docs/decisions/0075): a dot of some types may carry the time after which
 * readers are not shown it any more. No clock is read here. */
#ifndef NEAP_CRDT_EXPIRY_H
#define NEAP_CRDT_EXPIRY_H
#include "crdt/types.h"

/* When the first of what a reader could be shown goes: of a type of which one dot wins, that one.
 * 0: never, or the cell is not of the type. */
uint64_t cell_expires(enum neap_type type, const struct cell *cell);
/* When nothing of what a reader could be shown is left; 0: never, or the cell is not of the type.
 */
uint64_t cell_lasts(enum neap_type type, const struct cell *cell);
/* When one of its dots goes; 0: never. */
uint64_t cell_dot_expires(enum neap_type type, const struct cell *cell, size_t index);
/* As a reader is shown it who is not to see what expires at or before `mark`: the other dots stay.
 * Nothing stays where the one that wins has expired. True: something went. */
bool cell_hide(enum neap_type type, struct cell *cell, uint64_t mark);
/* The event that removes what has expired: dots of the editor alone; with `any`, all. No event
 * (edit->changes is false) when there are none. NOMEM. */
int cell_expire(enum neap_type type, const struct cell *old, const struct editor *editor,
                uint64_t mark, bool any, struct edit *ret_edit);
#endif
