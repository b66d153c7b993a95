/* What each type's file gives to the table in types.c; nobody else includes this. */
#ifndef NEAP_CRDT_TYPE_OPS_H
#define NEAP_CRDT_TYPE_OPS_H
#include "base/broken.h"
#include "base/error.h"
#include "base/pack.h"
#include "crdt/types.h"

struct type_ops {
    struct type type;
    /* An operation of this type, into a cleared edit; type_edit() clears it again on an error. */
    int (*edit)(const struct cell *old, const struct op *op, const struct editor *editor,
                struct edit *edit);
};

extern const struct type_ops register_ops, lww_ops, flag_ops, counter_ops, set_ops;

/* Does the operation replace a dot that is here? */
bool op_sees(const struct op *op, struct dot dot);
/* Keeps the dots that the operation does not see. */
int edit_keep(const struct cell *old, const struct op *op, struct edit *edit);
/* What it sees goes; no event when that is nothing. */
int edit_remove(const struct cell *old, const struct op *op, struct edit *edit);
/* What it sees is replaced by one live dot without payload. */
int edit_replace(const struct cell *old, const struct op *op, struct edit *edit);
/* For types whose dots carry nothing. */
int check_empty(struct slice payload);
#endif
