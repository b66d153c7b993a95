/* A cell: the live dots of the smallest stored unit, each with its payload; and the one merge of
 * the whole program (design 2, rule 3). */
#ifndef NEAP_CRDT_CELL_H
#define NEAP_CRDT_CELL_H
#include "crdt/context.h"

struct cell_entry {
    struct dot dot;
    struct slice payload; /* borrowed from what the cell was decoded from */
};

/* Sorted by dot, each dot once. Not to be copied by assignment (`few` holds small cells). */
struct cell {
    struct cell_entry *entries;
    size_t count, room;
    struct cell_entry few[3];
};

enum { CELL_DOTS_MAX = 4096, CELL_SIZE_MAX = 15 << 20 };
enum { CELL_PAYLOAD_MAX = (1 << 20) + 32 }; /* NEAP_VALUE_MAX and what a type adds to it */

void cell_init(struct cell *cell); /* empty */
void cell_done(struct cell *cell); /* initialised or zeroed */
void cell_clear(struct cell *cell);
/* Keeps order; replaces the payload of a dot that is there. INVALID for n 0, LIMIT, NOMEM. */
int cell_add(struct cell *cell, struct dot dot, struct slice payload);
const struct cell_entry *cell_find(const struct cell *cell, struct dot dot);
bool cell_same_dots(const struct cell *a, const struct cell *b);

/* Canonical: one state, one byte string; [id, n, payload, id, n, payload...]. */
int cell_encode(const struct cell *cell, struct buffer *ret_bytes); /* appended */
size_t cell_encoded_size(const struct cell *cell);                  /* exactly */
/* Into an initialised cell, which is replaced. INVALID when not canonical, LIMIT, NOMEM: then the
 * cell is as it was. */
int cell_decode(struct slice bytes, struct cell *ret_cell);

/* Rule 3. A dot that both have stays. A dot that one has and the other has not stays, unless the
 * other knows it, so removed it: and it can have removed it only if it knows anything at all that
 * the one does not; else it lost it, and takes it back. ret_merged is initialised, neither a nor b,
 * borrows payloads from both, and is as it was on an error (NOMEM, LIMIT).
 * ret_healed counts dots that came back to `a` because `a` had lost them (may be NULL). */
int cell_merge(const struct cell *a, const struct knowledge *know_a, const struct cell *b,
               const struct knowledge *know_b, struct cell *ret_merged, unsigned *ret_healed);
#endif
