/* The flag, enable-wins: on while a dot lives. Switching on replaces the dots that it sees by one
 * of its own; switching off removes those that it sees, and so not one made at the same time. */
#include "crdt/type_ops.h"

static int flag_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                     struct edit *edit)
{
    int error;

    (void)editor;
    if (op->kind != OP_FLAG_ON)
        return edit_remove(old, op, edit);
    error = edit_replace(old, op, edit);
    return error ? error : edit_expires(edit, op);
}

static int flag_put(const struct neap_item *item, struct op *ret_op)
{
    *ret_op = (struct op){.kind = item->number ? OP_FLAG_ON : OP_FLAG_OFF};
    return 0;
}

const struct type flag_type = {
    .type = NEAP_FLAG,
    .name = "flag",
    .holds = NEAP_HOLDS_SWITCH,
    .check = check_expires_alone,
    .edit = flag_edit,
    .put = flag_put,
    .expires = expires_alone,
    .why_before =
        "events that switched it on, and that nobody who had seen them has switched off: ",
    .why_after = "",
};
