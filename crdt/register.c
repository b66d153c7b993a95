/* The multi-value register: a payload is a value, and concurrent writes live side by side. A write
 * replaces only what its writer says to have seen; a blind one adds a sibling. */
#include <assert.h>

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

/* The first value, and how many there are. */
static int register_item(const struct cell *cell, struct neap_item *ret_item)
{
    struct slice value;
    int error = register_value(cell, 0, &value);

    if (error)
        return error;
    ret_item->value = (struct neap_bytes){value.data, value.size};
    ret_item->number = (int64_t)cell->count;
    return 0;
}

static int register_put(const struct neap_item *item, struct op *ret_op)
{
    *ret_op =
        (struct op){.kind = OP_REGISTER_SET, .value = slice_of(item->value.data, item->value.size)};
    return 0;
}

const struct type register_type = {
    .type = NEAP_REGISTER,
    .name = "register",
    .holds = NEAP_HOLDS_VALUES,
    .check = register_check,
    .edit = register_edit,
    .item = register_item,
    .put = register_put,
    .limit = "the register would have more than 64 siblings, or 15 MiB of them",
    .why_one = "the one value that no other has replaced",
    .why_before = "",
    .why_after = " values that were written concurrently: none of their writers had seen another",
};

static_assert(REGISTER_SIBLINGS_MAX == 64 && CELL_SIZE_MAX == 15 << 20, "as the text says");
