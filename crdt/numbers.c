/* Payloads that are numbers, and their sums. */
#include "crdt/type_ops.h"

int number_read(struct slice payload, int64_t *ret_number)
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

int check_number(struct slice payload)
{
    int64_t number;

    return number_read(payload, &number);
}

int edit_number(struct edit *edit, int64_t number)
{
    struct writer writer;

    writer_init(&writer, &edit->payload);
    write_i64(&writer, number);
    return writer.error;
}

void sum_add(struct sum *sum, int64_t number)
{
    uint64_t low = sum->low + (uint64_t)number;

    sum->high += (number < 0 ? -1 : 0) + (low < sum->low);
    sum->low = low;
}

bool sum_fits(struct sum sum)
{
    return sum.low <= INT64_MAX ? sum.high == 0 : sum.high == -1;
}

int64_t sum_number(struct sum sum)
{
    return sum.low <= INT64_MAX ? (int64_t)sum.low : -(int64_t)(UINT64_MAX - sum.low) - 1;
}

bool sum_leaves(struct sum value, int64_t change)
{
    sum_add(&value, change);
    if (sum_fits(value))
        return false;
    return value.high < 0 ? change < 0 : change > 0;
}

static bool is_foldable(struct dot dot, const struct op *op, const struct editor *editor)
{
    return (dot.id == editor->id || BROKEN("folds-others")) &&
           (dot.n > editor->fold_after || BROKEN("folds-any")) && op_sees(op, dot);
}

int edit_add_number(const struct cell *old, const struct op *op, const struct editor *editor,
                    struct sum all, struct edit *edit)
{
    struct sum own = {0};
    int error = 0;

    for (size_t i = 0; i < old->count && !error; i++) {
        const struct cell_entry *entry = &old->entries[i];
        int64_t number;

        if (is_foldable(entry->dot, op, editor) && !number_read(entry->payload, &number))
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
