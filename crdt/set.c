/* The set, add-wins: an element is a cell, and in the set while a dot lives there. Adding replaces
 * the dots that it sees by one of its own, so that a removal made at the same time misses it. */
#include "crdt/type_ops.h"

static int set_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                    struct edit *edit)
{
    (void)editor;
    return op->kind == OP_SET_ADD ? edit_replace(old, op, edit) : edit_remove(old, op, edit);
}

const struct type_ops set_ops = {
    .type = {.type = NEAP_SET, .name = "set", .is_cell = true, .check = check_empty},
    .edit = set_edit,
};
