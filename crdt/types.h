/* The types: each a translation of operations into cell edits, and of cells into values. No type
 * knows keys, disk, network or time. One file per type; this header is the table they fill in. */
#ifndef NEAP_CRDT_TYPES_H
#define NEAP_CRDT_TYPES_H
#include "crdt/cell.h"
#include "neap.h"

enum op_kind {
    OP_LWW_SET = 1,  /* value */
    OP_REGISTER_SET, /* value; replaces what `seen` covers; without seen: adds a sibling */
    OP_FLAG_ON,
    OP_FLAG_OFF,
    OP_COUNTER_ADD, /* number */
    OP_SET_ADD,     /* on the element's cell */
    OP_SET_REMOVE,
    OP_REMOVE, /* any cell: its dots go */
    OP_KIND_END
};

struct op {
    enum op_kind kind;
    struct slice value;
    int64_t number;
    uint64_t stamp; /* HLC, for OP_LWW_SET */
    const struct context
        *seen; /* NULL: all dots that are here; else only what it covers is replaced */
};

/* Who edits: my replica id, and which of my dots a counter may fold (rule 9). */
struct editor {
    uint64_t id;
    uint64_t fold_after; /* own dots with n > this were made by this opening, or a peer confirmed */
};

/* The outcome: dots that stay, and what the new dot carries. */
struct edit {
    struct cell kept;      /* borrows from the old cell */
    bool changes;          /* false: no event at all (removal of nothing) */
    bool adds;             /* the new dot is live, with `payload`; else the event only removes */
    struct buffer payload; /* owned */
};

void edit_init(struct edit *edit);
void edit_done(struct edit *edit);

/* ret_edit is initialised and may be reused; what it held goes. It borrows payloads from `old`,
 * never from `op`. Errors: INVALID for an unknown operation or a payload of `old` that is not of
 * the type; LIMIT: value over NEAP_VALUE_MAX, counter would overflow, too many siblings
 * (REGISTER_SIBLINGS_MAX) or dots (CELL_DOTS_MAX); NOMEM. Nothing is kept of `edit` on error. */
int type_edit(const struct cell *old, const struct op *op, const struct editor *editor,
              struct edit *ret_edit);

enum { REGISTER_SIBLINGS_MAX = 64 };

struct type {
    enum neap_type type;
    const char *name; /* "lww", as in `neap` and in JSON */
    bool is_cell;     /* are there cells of this type? Not for a map; a set's are its elements */
    int (*check)(
        struct slice payload); /* from outside: canonical for this type? else INVALID, LIMIT */
};

const struct type *type_find(unsigned type);         /* NULL when unknown */
/* Every payload of the cell fits the type: for whatever a peer sends. */
int type_check_cell(enum neap_type type, const struct cell *cell);
enum neap_type op_type(enum op_kind kind); /* 0 for OP_REMOVE */

/* Values. NOTFOUND for an empty cell; INVALID for a payload that is not of the type. Slices borrow
 * from the cell. */
int lww_value(const struct cell *cell, struct slice *ret_value,
              uint64_t *ret_stamp);                               /* may be NULL */
int lww_payload_stamp(struct slice payload, uint64_t *ret_stamp); /* so that clocks can see it */
int register_value(const struct cell *cell, size_t index,
                   struct slice *ret_value);                    /* END past last */
int counter_value(const struct cell *cell, int64_t *ret_value); /* LIMIT when it doesn't fit */
bool cell_is_live(const struct cell *cell);                     /* flag on, element in the set */
#endif
