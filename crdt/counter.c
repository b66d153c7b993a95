/* The counter: a payload is a signed number, the value their sum. An increment folds the dots that
 * its replica made itself, and still may fold (rule 9), into the new one: so a counter has about
 * one dot per replica. A removal takes what it saw; an increment made at the same time stays, with
 * the running total of its replica. */
#include "crdt/type_ops.h"

static int counter_sum(const struct cell *cell, struct sum *ret_sum)
{
    struct sum sum = {0};

    for (size_t i = 0; i < cell->count; i++) {
        int64_t number;
        int error = number_read(cell->entries[i].payload, &number);

        if (error)
            return error;
        sum_add(&sum, number);
    }
    *ret_sum = sum;
    return 0;
}

static int counter_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                        struct edit *edit)
{
    struct sum all;
    int error = counter_sum(old, &all);

    return error ? error : edit_add_number(old, op, editor, all, edit);
}

int counter_value(const struct cell *cell, int64_t *ret_value)
{
    struct sum sum;

    if (cell->count == 0)
        return NEAP_NOTFOUND;
    if (counter_sum(cell, &sum))
        return NEAP_INVALID;
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
