#include "crdt/types.h"

#include "crdt/type_ops.h"

static const struct type_ops map_ops = {
    .type = {.type = NEAP_MAP, .name = "map"},
};

static const struct type_ops *const types[] = {
    [NEAP_REGISTER] = &register_ops, [NEAP_LWW] = &lww_ops, [NEAP_FLAG] = &flag_ops,
    [NEAP_COUNTER] = &counter_ops,   [NEAP_SET] = &set_ops, [NEAP_MAP] = &map_ops,
};

enum { TYPES_COUNT = sizeof types / sizeof *types };

void edit_init(struct edit *edit)
{
    cell_init(&edit->kept);
    edit->changes = edit->adds = false;
    buffer_init(&edit->payload, CELL_PAYLOAD_MAX);
}

void edit_done(struct edit *edit)
{
    cell_done(&edit->kept);
    buffer_done(&edit->payload);
}

static void edit_clear(struct edit *edit)
{
    cell_clear(&edit->kept);
    edit->changes = edit->adds = false;
    buffer_clear(&edit->payload);
}

bool op_sees(const struct op *op, struct dot dot)
{
    return !op->seen || BROKEN("unseen-goes") || context_knows(op->seen, dot);
}

int edit_keep(const struct cell *old, const struct op *op, struct edit *edit)
{
    int error = 0;

    for (size_t i = 0; i < old->count && !error; i++) {
        if (!op_sees(op, old->entries[i].dot))
            error = cell_add(&edit->kept, old->entries[i].dot, old->entries[i].payload);
    }
    return error;
}

int edit_remove(const struct cell *old, const struct op *op, struct edit *edit)
{
    int error = edit_keep(old, op, edit);

    edit->changes = edit->kept.count < old->count;
    return error;
}

int edit_replace(const struct cell *old, const struct op *op, struct edit *edit)
{
    int error = edit_keep(old, op, edit);

    edit->changes = edit->adds = true;
    return error;
}

int check_empty(struct slice payload)
{
    return payload.size == 0 ? 0 : NEAP_INVALID;
}

enum neap_type op_type(enum op_kind kind)
{
    switch (kind) {
    case OP_LWW_SET:
        return NEAP_LWW;
    case OP_REGISTER_SET:
        return NEAP_REGISTER;
    case OP_FLAG_ON:
    case OP_FLAG_OFF:
        return NEAP_FLAG;
    case OP_COUNTER_ADD:
        return NEAP_COUNTER;
    case OP_SET_ADD:
    case OP_SET_REMOVE:
        return NEAP_SET;
    case OP_REMOVE:
    case OP_KIND_END:
        break;
    }
    return 0;
}

/* Will the cell with its new dot keep within its limits? */
static bool edit_fits(const struct edit *edit)
{
    enum { DOT_SIZE_MAX = 9 + 9 + 5 };

    return edit->kept.count < CELL_DOTS_MAX &&
           cell_encoded_size(&edit->kept) + DOT_SIZE_MAX + edit->payload.size <= CELL_SIZE_MAX;
}

int type_edit(const struct cell *old, const struct op *op, const struct editor *editor,
              struct edit *ret_edit)
{
    enum neap_type type = op_type(op->kind);
    int error = NEAP_INVALID;

    edit_clear(ret_edit);
    if (op->kind == OP_REMOVE)
        error = edit_remove(old, op, ret_edit);
    else if (type)
        error = types[type]->edit(old, op, editor, ret_edit);
    if (!error && ret_edit->adds && !edit_fits(ret_edit))
        error = NEAP_LIMIT;
    if (error)
        edit_clear(ret_edit);
    return error;
}

const struct type *type_find(unsigned type)
{
    return type < TYPES_COUNT && types[type] ? &types[type]->type : NULL;
}

int type_check_cell(enum neap_type type, const struct cell *cell)
{
    const struct type *found = type_find(type);
    int error = 0;

    if (!found || !found->is_cell)
        return NEAP_INVALID;
    for (size_t i = 0; i < cell->count && !error; i++)
        error = found->check(cell->entries[i].payload);
    return error;
}

bool cell_is_live(const struct cell *cell)
{
    return cell->count > 0;
}
