/* The score set: a member is a cell, and in while a dot lives there. A payload is [stamp, score] of
 * one that set the score, or a number of one that added to it. The score is that of the setting
 * with the latest stamp, among those that nobody replaced who had seen them, and all that was added
 * to it. Setting replaces what it sees; adding folds what its replica has added itself, and still
 * may fold (rule 9), as a counter does. So what was set and what was added at the same time both
 * count; and an addition that misses a removal keeps the member, with what its replica added. */
#include "crdt/type_ops.h"

/* A payload: set with a stamp, or added. */
struct part {
    bool is_set;
    uint64_t stamp;
    int64_t number;
};

static int part_read(struct slice payload, struct part *ret_part)
{
    struct part part = {.is_set = payload.size > 0 && (payload.data[0] & 0xf0) == 0x90};
    struct reader reader;
    int error;

    reader_init(&reader, payload);
    if (part.is_set) {
        read_array_of(&reader, 2);
        part.stamp = read_u64(&reader);
    }
    part.number = read_i64(&reader);
    error = reader_end(&reader);
    if (!error)
        *ret_part = part;
    return error;
}

static int scores_check(struct slice payload)
{
    struct part part;

    return part_read(payload, &part);
}

static int score_sum(const struct cell *cell, struct sum *ret_sum)
{
    struct part best = {0}, part;
    struct sum sum = {0};

    /* Entries are in the order of dots, so that of equal stamps the last one wins. */
    for (size_t i = 0; i < cell->count; i++) {
        if (part_read(cell->entries[i].payload, &part))
            return NEAP_INVALID;
        if (!part.is_set)
            sum_add(&sum, part.number);
        else if (!best.is_set || part.stamp >= best.stamp || BROKEN("clock-ignored"))
            best = part;
    }
    sum_add(&sum, best.number);
    *ret_sum = sum;
    return 0;
}

int score_value(const struct cell *cell, int64_t *ret_score)
{
    struct sum sum;

    if (cell->count == 0)
        return NEAP_NOTFOUND;
    if (score_sum(cell, &sum))
        return NEAP_INVALID;
    if (sum_fits(sum))
        *ret_score = sum_number(sum);
    else
        *ret_score = sum.high < 0 ? INT64_MIN : INT64_MAX;
    return 0;
}

static int score_set(const struct cell *old, const struct op *op, struct edit *edit)
{
    struct writer writer;
    int error = edit_replace(old, op, edit);

    if (error)
        return error;
    writer_init(&writer, &edit->payload);
    write_array(&writer, 2);
    write_u64(&writer, op->stamp);
    write_i64(&writer, op->number);
    return writer.error;
}

static int score_add(const struct cell *old, const struct op *op, const struct editor *editor,
                     struct edit *edit)
{
    struct sum all;
    int error = score_sum(old, &all);

    return error ? error : edit_add_number(old, op, editor, all, edit);
}

static int scores_edit(const struct cell *old, const struct op *op, const struct editor *editor,
                       struct edit *edit)
{
    if (op->kind == OP_SCORE_SET)
        return score_set(old, op, edit);
    if (op->kind == OP_SCORE_ADD)
        return score_add(old, op, editor, edit);
    return edit_remove(old, op, edit);
}

static int scores_item(const struct cell *cell, struct neap_item *ret_item)
{
    return score_value(cell, &ret_item->number);
}

static int scores_stamped(struct slice payload, struct slice *ret_value, uint64_t *ret_stamp)
{
    struct part part;
    int error = part_read(payload, &part);

    if (error)
        return error;
    *ret_value = payload; /* what was set and what was added are told apart by it */
    *ret_stamp = part.stamp;
    return 0;
}

static int scores_put(const struct neap_item *item, struct op *ret_op)
{
    *ret_op = (struct op){.kind = OP_SCORE_SET, .number = item->number};
    return 0;
}

const struct type scores_type = {
    .type = NEAP_SCORES,
    .name = "scores",
    .holds = NEAP_HOLDS_ELEMENTS | NEAP_HOLDS_NUMBER,
    .below = BELOW_ELEMENT,
    .check = scores_check,
    .edit = scores_edit,
    .item = scores_item,
    .stamped = scores_stamped,
    .put = scores_put,
    .limit = "the score would leave the range of 64 bits",
    .why_one = "the one write that no other has replaced",
    .why_before = "of ",
    .why_after = " parts: the score that was set with the latest stamp, and all that was added",
};
