/* The flag, enable-wins: on while a dot lives. Switching on replaces the dots that it sees by one
 * of its own; switching off removes those that it sees, and so not one made at the same time. */
#include "crdt/type_ops.h"

static int flag_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                     struct edit *edit)
{
    (void)editor;
    return op->kind == OP_FLAG_ON ? edit_replace(old, op, edit) : edit_remove(old, op, edit);
}

const struct type_ops flag_ops = {
    .type = {.type = NEAP_FLAG, .name = "flag", .is_cell = true, .check = check_empty},
    .edit = flag_edit,
};
