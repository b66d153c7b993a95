/* The set, add-wins: an element is a cell, and in the set while a dot lives there. Adding replaces
 * the dots that it sees by one of its own, so that a removal made at the same time misses it. */
#include "crdt/type_ops.h"

static int set_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                    struct edit *edit)
{
    int error;

    (void)editor;
    if (op->kind != OP_SET_ADD)
        return edit_remove(old, op, edit);
    error = edit_replace(old, op, edit);
    return error ? error : edit_expires(edit, op);
}

static int set_put(const struct neap_item *item, struct op *ret_op)
{
    (void)item;
    *ret_op = (struct op){.kind = OP_SET_ADD};
    return 0;
}

const struct type set_type = {
    .type = NEAP_SET,
    .name = "set",
    .holds = NEAP_HOLDS_ELEMENTS,
    .below = BELOW_ELEMENT,
    .check = check_expires_alone,
    .edit = set_edit,
    .put = set_put,
    .expires = expires_alone,
    .why_before = "additions that nobody who had seen them has removed: ",
    .why_after = "",
};
