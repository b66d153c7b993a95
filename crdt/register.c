/* The multi-value register: a payload is a value, and concurrent writes live side by side. A write
 * replaces only what its writer says to have seen; a blind one adds a sibling. */
#include "crdt/type_ops.h"

static int register_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                         struct edit *edit)
{
    int error = 0;

    (void)editor;
    if (op->value.size > NEAP_VALUE_MAX)
        return NEAP_LIMIT;
    for (size_t i = 0; i < old->count && !error; i++) {
        if (!op->seen || !op_sees(op, old->entries[i].dot))
            error = cell_add(&edit->kept, old->entries[i].dot, old->entries[i].payload);
    }
    if (error)
        return error;
    if (edit->kept.count >= REGISTER_SIBLINGS_MAX)
        return NEAP_LIMIT;
    edit->changes = edit->adds = true;
    return buffer_append(&edit->payload, op->value);
}

static int register_check(struct slice payload)
{
    return payload.size <= NEAP_VALUE_MAX ? 0 : NEAP_LIMIT;
}

int register_value(const struct cell *cell, size_t index, struct slice *ret_value)
{
    if (cell->count == 0)
        return NEAP_NOTFOUND;
    if (index >= cell->count)
        return NEAP_END;
    *ret_value = cell->entries[index].payload;
    return 0;
}

const struct type_ops register_ops = {
    .type = {.type = NEAP_REGISTER, .name = "register", .is_cell = true, .check = register_check},
    .edit = register_edit,
};
