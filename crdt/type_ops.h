/* What each type's file gives to the table in types.c, and what types share; nobody else includes
 * this. */
#ifndef NEAP_CRDT_TYPE_OPS_H
#define NEAP_CRDT_TYPE_OPS_H
#include "base/broken.h"
#include "base/error.h"
#include "base/pack.h"
#include "crdt/types.h"

extern const struct type register_type, lww_type, flag_type, counter_type, set_type;
extern const struct type scores_type, bounded_type;
extern const struct type max_type, min_type, flag_dw_type, counter_exact_type, set_rw_type;

void edit_clear(struct edit *edit);
/* Does the operation replace a dot that is here? */
bool op_sees(const struct op *op, struct dot dot);
/* Keeps the dots that the operation does not see. */
int edit_keep(const struct cell *old, const struct op *op, struct edit *edit);
/* Keeps all: there is no event. */
int edit_keep_all(const struct cell *old, struct edit *edit);
/* What it sees goes; no event when that is nothing. */
int edit_remove(const struct cell *old, const struct op *op, struct edit *edit);
/* What it sees is replaced by one live dot without payload. */
int edit_replace(const struct cell *old, const struct op *op, struct edit *edit);
/* For types whose dots carry nothing. */
int check_empty(struct slice payload);
/* For types whose dots carry nothing but when they expire, if they do (crdt/expiry.c). */
int edit_expires(struct edit *edit, const struct op *op);
int expires_alone(struct slice payload, uint64_t *ret_expires);
int check_expires_alone(struct slice payload);
/* A payload that is one number. */
int number_read(struct slice payload, int64_t *ret_number);
int check_number(struct slice payload);
int edit_number(struct edit *edit, int64_t number);

/* Sums have 128 bits: no order of adding, and no count of dots, makes them overflow. */
struct sum {
    int64_t high;
    uint64_t low;
};

void sum_add(struct sum *sum, int64_t number);
bool sum_fits(struct sum sum);
int64_t sum_number(struct sum sum);
/* Would adding `change` leave the value where nobody can read it, and not lead back? */
bool sum_leaves(struct sum value, int64_t change);
/* Adds op->number to a value that is `all`: what the replica has added itself, and still may fold
 * (rule 9), goes into it. Payloads that are not one number stay. LIMIT: sum_leaves(). */
int edit_add_number(const struct cell *old, const struct op *op, const struct editor *editor,
                    struct sum all, struct edit *edit);
#endif
