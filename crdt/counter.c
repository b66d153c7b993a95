/* The counter: a payload is a signed number, the value their sum. An increment folds the dots that
 * its replica made itself, and still may fold (rule 9), into the new one: so a counter has about
 * one dot per replica. A removal takes what it saw; an increment made at the same time stays, with
 * the running total of its replica. */
#include "crdt/type_ops.h"

static bool is_foldable(struct dot dot, const struct op *op, const struct editor *editor)
{
    return (dot.id == editor->id || BROKEN("folds-others")) &&
           (dot.n > editor->fold_after || BROKEN("folds-any")) && op_sees(op, dot);
}

static int counter_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                        struct edit *edit)
{
    struct sum own = {0}, all = {0};
    int error = 0;

    for (size_t i = 0; i < old->count && !error; i++) {
        const struct cell_entry *entry = &old->entries[i];
        int64_t number;

        error = number_read(entry->payload, &number);
        if (error)
            break;
        sum_add(&all, number);
        if (is_foldable(entry->dot, op, editor))
            sum_add(&own, number);
        else
            error = cell_add(&edit->kept, entry->dot, entry->payload);
    }
    if (error)
        return error;
    sum_add(&own, op->number);
    /* What nobody could read is refused, unless it leads back. */
    if (!sum_fits(own) || sum_leaves(all, op->number))
        return NEAP_LIMIT;
    edit->changes = edit->adds = true;
    return edit_number(edit, sum_number(own));
}

int counter_value(const struct cell *cell, int64_t *ret_value)
{
    struct sum sum = {0};
    int64_t number;

    if (cell->count == 0)
        return NEAP_NOTFOUND;
    for (size_t i = 0; i < cell->count; i++) {
        if (number_read(cell->entries[i].payload, &number))
            return NEAP_INVALID;
        sum_add(&sum, number);
    }
    if (!sum_fits(sum))
        return NEAP_LIMIT;
    *ret_value = sum_number(sum);
    return 0;
}

static int counter_item(const struct cell *cell, struct neap_item *ret_item)
{
    return counter_value(cell, &ret_item->number);
}

static int counter_put(const struct neap_item *item, struct op *ret_op)
{
    *ret_op = (struct op){.kind = OP_COUNTER_ADD, .number = item->number};
    return 0;
}

const struct type counter_type = {
    .type = NEAP_COUNTER,
    .name = "counter",
    .holds = NEAP_HOLDS_NUMBER,
    .check = check_number,
    .edit = counter_edit,
    .item = counter_item,
    .put = counter_put,
    .limit = "the counter would leave the range of 64 bits",
    .why_one = "what one replica id has added",
    .why_before = "the sum of ",
    .why_after = " parts: one or more for each replica id that has added",
};
