/* The largest and the smallest number: a payload is a number, and of those that were written at the
 * same time the one further out is the value. A write replaces what it saw; one that does not lead
 * further than what is here is no event, so that repeating it, or many writers of much the same,
 * cost nothing. */
#include "crdt/type_ops.h"

/* Is `a` further out than `b`? */
static bool is_beyond(enum op_kind kind, int64_t a, int64_t b)
{
    return kind == OP_MAX_SET ? a > b : a < b;
}

static int extreme_value(const struct cell *cell, enum op_kind kind, int64_t *ret_value)
{
    int64_t best = 0, number;

    if (cell->count == 0)
        return NEAP_NOTFOUND;
    for (size_t i = 0; i < cell->count; i++) {
        if (number_read(cell->entries[i].payload, &number))
            return NEAP_INVALID;
        if (i == 0 || is_beyond(kind, number, best) || BROKEN("extreme-last"))
            best = number;
    }
    *ret_value = best;
    return 0;
}

/* Only what the writer sees counts: what it does not see it may well repeat. */
static int extreme_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                        struct edit *edit)
{
    int error;

    (void)editor;
    for (size_t i = 0; i < old->count; i++) {
        int64_t number;

        if (number_read(old->entries[i].payload, &number))
            return NEAP_INVALID;
        if (op_sees(op, old->entries[i].dot) && !is_beyond(op->kind, op->number, number))
            return edit_keep_all(old, edit);
    }
    error = edit_replace(old, op, edit);
    return error ? error : edit_number(edit, op->number);
}

static int max_item(const struct cell *cell, struct neap_item *ret_item)
{
    return extreme_value(cell, OP_MAX_SET, &ret_item->number);
}

static int min_item(const struct cell *cell, struct neap_item *ret_item)
{
    return extreme_value(cell, OP_MIN_SET, &ret_item->number);
}

static int max_put(const struct neap_item *item, struct op *ret_op)
{
    *ret_op = (struct op){.kind = OP_MAX_SET, .number = item->number};
    return 0;
}

static int min_put(const struct neap_item *item, struct op *ret_op)
{
    *ret_op = (struct op){.kind = OP_MIN_SET, .number = item->number};
    return 0;
}

const struct type max_type = {
    .type = NEAP_MAX,
    .name = "max",
    .holds = NEAP_HOLDS_NUMBER,
    .check = check_number,
    .edit = extreme_edit,
    .item = max_item,
    .put = max_put,
    .why_one = "the largest number of those that were written",
    .why_before = "the largest of ",
    .why_after = " numbers that were written concurrently",
};

const struct type min_type = {
    .type = NEAP_MIN,
    .name = "min",
    .holds = NEAP_HOLDS_NUMBER,
    .check = check_number,
    .edit = extreme_edit,
    .item = min_item,
    .put = min_put,
    .why_one = "the smallest number of those that were written",
    .why_before = "the smallest of ",
    .why_after = " numbers that were written concurrently",
};
