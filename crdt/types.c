#include "crdt/types.h"

#include <stdio.h>
#include <string.h>

#include "crdt/type_ops.h"

static const struct type map_type = {
    .type = NEAP_MAP,
    .name = "map",
    .holds = NEAP_HOLDS_FIELDS,
    .below = BELOW_FIELDS,
};

/* All the types that there are. */
static const struct type *const types[] = {
    [NEAP_REGISTER] = &register_type, [NEAP_LWW] = &lww_type,
    [NEAP_FLAG] = &flag_type,         [NEAP_COUNTER] = &counter_type,
    [NEAP_SET] = &set_type,           [NEAP_MAP] = &map_type,
    [NEAP_MAX] = &max_type,           [NEAP_MIN] = &min_type,
    [NEAP_FLAG_DW] = &flag_dw_type,   [NEAP_COUNTER_EXACT] = &counter_exact_type,
    [NEAP_SET_RW] = &set_rw_type,     [NEAP_SCORES] = &scores_type,
    [NEAP_BOUNDED] = &bounded_type,
};

enum { TYPES_COUNT = sizeof types / sizeof *types };

/* All the operations that there are. */
#define OP(kind, op_type, ...) [kind] = {.is_known = true, .type = (op_type), __VA_ARGS__}
static const struct op_info ops[OP_KIND_END] = {
    OP(OP_LWW_SET, NEAP_LWW, .takes_seen = true, .stamped = true, .takes_ttl = true),
    OP(OP_REGISTER_SET, NEAP_REGISTER, .takes_seen = true, .takes_ttl = true),
    OP(OP_FLAG_ON, NEAP_FLAG, .takes_seen = true, .takes_ttl = true),
    OP(OP_FLAG_OFF, NEAP_FLAG, .takes_seen = true, .may_be_idle = true),
    OP(OP_COUNTER_ADD, NEAP_COUNTER, .takes_seen = false),
    OP(OP_SET_ADD, NEAP_SET, .takes_seen = true, .takes_ttl = true),
    OP(OP_SET_REMOVE, NEAP_SET, .takes_seen = true, .may_be_idle = true),
    OP(OP_BOUNDED_ADD, NEAP_BOUNDED, .spends = true),
    OP(OP_BOUNDED_GIVE, NEAP_BOUNDED, .spends = true),
    OP(OP_BOUNDED_CLAIM, NEAP_BOUNDED, .spends = true),
    OP(OP_REMOVE, 0, .takes_seen = true, .may_be_idle = true),
    OP(OP_MAX_SET, NEAP_MAX, .takes_seen = true, .may_be_idle = true),
    OP(OP_MIN_SET, NEAP_MIN, .takes_seen = true, .may_be_idle = true),
    OP(OP_FLAG_DW_ON, NEAP_FLAG_DW, .takes_seen = true),
    OP(OP_FLAG_DW_OFF, NEAP_FLAG_DW, .takes_seen = true),
    OP(OP_COUNTER_EXACT_ADD, NEAP_COUNTER_EXACT, .takes_seen = false),
    OP(OP_SET_RW_ADD, NEAP_SET_RW, .takes_seen = true),
    OP(OP_SET_RW_REMOVE, NEAP_SET_RW, .takes_seen = true),
    OP(OP_SCORE_SET, NEAP_SCORES, .takes_seen = true, .stamped = true),
    OP(OP_SCORE_ADD, NEAP_SCORES, .takes_seen = false),
    OP(OP_SCORE_REMOVE, NEAP_SCORES, .takes_seen = true, .may_be_idle = true),
};
#undef OP

const struct op_info *op_info(unsigned kind)
{
    return &ops[kind < OP_KIND_END ? kind : 0];
}

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

void edit_clear(struct edit *edit)
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

int edit_keep_all(const struct cell *old, struct edit *edit)
{
    int error = 0;

    for (size_t i = 0; i < old->count && !error; i++)
        error = cell_add(&edit->kept, old->entries[i].dot, old->entries[i].payload);
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
    return (enum neap_type)op_info((unsigned)kind)->type;
}

/* Will the cell with its new dot keep within its limits? */
static bool edit_fits(const struct edit *edit)
{
    enum { DOT_SIZE_MAX = 9 + 9 + 5 };

    return edit->kept.count < CELL_DOTS_MAX &&
           cell_encoded_size(&edit->kept) + DOT_SIZE_MAX + edit->payload.size <= CELL_SIZE_MAX;
}

static int edit_by_kind(const struct cell *old, const struct op *op, const struct editor *editor,
                        struct edit *edit)
{
    bool any = op->kind == OP_REMOVE || op->kind == OP_COLLECT;
    const struct type *type = type_find(any ? editor->type : op_type(op->kind));

    if (op->kind == OP_COLLECT)
        return type && type->collect ? type->collect(old, editor, edit) : edit_keep_all(old, edit);
    if (op->kind == OP_REMOVE && !(type && type->removes))
        return edit_remove(old, op, edit);
    return type && type->edit ? type->edit(old, op, editor, edit) : NEAP_INVALID;
}

int type_edit(const struct cell *old, const struct op *op, const struct editor *editor,
              struct edit *ret_edit)
{
    int error;

    edit_clear(ret_edit);
    error = edit_by_kind(old, op, editor, ret_edit);
    if (!error && ret_edit->adds && !edit_fits(ret_edit))
        error = NEAP_LIMIT;
    if (error)
        edit_clear(ret_edit);
    return error;
}

bool type_collects(unsigned type)
{
    const struct type *found = type_find(type);

    return found && found->collect;
}

const struct type *type_find(unsigned type)
{
    return type < TYPES_COUNT ? types[type] : NULL;
}

const struct type *type_named(const char *name)
{
    for (size_t i = 0; i < TYPES_COUNT; i++) {
        if (types[i] && !strcmp(types[i]->name, name))
            return types[i];
    }
    return NULL;
}

void type_names(const char *between, char *ret_text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < TYPES_COUNT; i++) {
        int more;

        if (!types[i])
            continue;
        more = snprintf(ret_text + used, size - used, "%s%s", used ? between : "", types[i]->name);
        used = (size_t)more < size - used ? used + (size_t)more : size - 1;
    }
}

enum type_below type_below(unsigned type)
{
    const struct type *found = type_find(type);

    return found ? found->below : BELOW_NOTHING;
}

int type_check_cell(enum neap_type type, const struct cell *cell)
{
    const struct type *found = type_find(type);
    int error = 0;

    if (!found || !found->check)
        return NEAP_INVALID;
    for (size_t i = 0; i < cell->count && !error; i++)
        error = found->check(cell->entries[i].payload);
    return error;
}

bool type_is_live(enum neap_type type, const struct cell *cell)
{
    const struct type *found = type_find(type);

    return cell->count > 0 && (!found || !found->is_live || found->is_live(cell));
}

int type_item(enum neap_type type, const struct cell *cell, struct neap_item *ret_item)
{
    const struct type *found = type_find(type);
    struct neap_item item = {.type = type, .name = ret_item->name};
    int error = 0;

    if (!found)
        return NEAP_INVALID;
    if (!type_is_live(type, cell))
        return NEAP_NOTFOUND;
    if (found->item)
        error = found->item(cell, &item);
    else
        item.number = found->holds == NEAP_HOLDS_SWITCH;
    if (error == NEAP_LIMIT)
        item.number = INT64_MAX;
    if (!error || error == NEAP_LIMIT)
        *ret_item = item;
    return error;
}

int type_stamped(enum neap_type type, struct slice payload, struct slice *ret_value,
                 uint64_t *ret_stamp)
{
    const struct type *found = type_find(type);

    if (found && found->stamped)
        return found->stamped(payload, ret_value, ret_stamp);
    *ret_value = payload;
    *ret_stamp = 0;
    return 0;
}

bool type_has_stamps(enum neap_type type)
{
    const struct type *found = type_find(type);

    return found && found->stamped && !(found->holds & NEAP_HOLDS_VALUES);
}
