/* The counter: a payload is a signed number, the value their sum. An increment folds the dots that
 * its replica made itself, and still may fold (rule 9), into the new one: so a counter has about
 * one dot per replica. A removal takes what it saw; an increment made at the same time stays, with
 * the running total of its replica. */
#include "crdt/type_ops.h"

/* Sums have 128 bits: no order of adding, and no count of dots, makes them overflow. */
struct sum {
    int64_t high;
    uint64_t low;
};

static void sum_add(struct sum *sum, int64_t number)
{
    uint64_t low = sum->low + (uint64_t)number;

    sum->high += (number < 0 ? -1 : 0) + (low < sum->low);
    sum->low = low;
}

static bool sum_fits(struct sum sum)
{
    return sum.low <= INT64_MAX ? sum.high == 0 : sum.high == -1;
}

static int64_t sum_number(struct sum sum)
{
    return sum.low <= INT64_MAX ? (int64_t)sum.low : -(int64_t)(UINT64_MAX - sum.low) - 1;
}

static int counter_read(struct slice payload, int64_t *ret_number)
{
    struct reader reader;
    int64_t number;
    int error;

    reader_init(&reader, payload);
    number = read_i64(&reader);
    error = reader_end(&reader);
    if (!error)
        *ret_number = number;
    return error;
}

static int counter_check(struct slice payload)
{
    int64_t number;

    return counter_read(payload, &number);
}

static bool is_foldable(struct dot dot, const struct op *op, const struct editor *editor)
{
    return (dot.id == editor->id || BROKEN("folds-others")) &&
           (dot.n > editor->fold_after || BROKEN("folds-any")) && op_sees(op, dot);
}

/* An addition that leaves the value where nobody can read it is refused, unless it leads back. */
static bool is_too_far(struct sum value, int64_t change)
{
    sum_add(&value, change);
    if (sum_fits(value))
        return false;
    return value.high < 0 ? change < 0 : change > 0;
}

static int counter_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                        struct edit *edit)
{
    struct sum own = {0}, all = {0};
    struct writer writer;
    int error = 0;

    for (size_t i = 0; i < old->count && !error; i++) {
        const struct cell_entry *entry = &old->entries[i];
        int64_t number;

        error = counter_read(entry->payload, &number);
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
    if (!sum_fits(own) || is_too_far(all, op->number))
        return NEAP_LIMIT;
    edit->changes = edit->adds = true;
    writer_init(&writer, &edit->payload);
    write_i64(&writer, sum_number(own));
    return writer.error;
}

int counter_value(const struct cell *cell, int64_t *ret_value)
{
    struct sum sum = {0};
    int64_t number;

    if (cell->count == 0)
        return NEAP_NOTFOUND;
    for (size_t i = 0; i < cell->count; i++) {
        if (counter_read(cell->entries[i].payload, &number))
            return NEAP_INVALID;
        sum_add(&sum, number);
    }
    if (!sum_fits(sum))
        return NEAP_LIMIT;
    *ret_value = sum_number(sum);
    return 0;
}

const struct type_ops counter_ops = {
    .type = {.type = NEAP_COUNTER, .name = "counter", .is_cell = true, .check = counter_check},
    .edit = counter_edit,
};
