/* A cell from a peer: decoded, checked against each type, merged and edited. */
#include "crdt/types.h"
#include "tests/fuzz/fuzz.h"

static void check_encoding(const struct cell *cell, struct slice input)
{
    struct buffer again;

    buffer_init(&again, CELL_SIZE_MAX);
    must(!cell_encode(cell, &again));
    must(slice_equal(buffer_slice(&again), input));
    must(cell_encoded_size(cell) == input.size);
    buffer_done(&again);
}

/* Whatever fits a type has a value, or a reason. */
static void check_value(enum neap_type type, const struct cell *cell)
{
    struct neap_item item = {0};
    int error = type_item(type, cell, &item);

    must(error != NEAP_INVALID && (error == NEAP_NOTFOUND) == !type_is_live(type, cell));
}

static void check_edits(enum neap_type type, const struct cell *cell)
{
    struct editor editor = {.id = cell->count > 0 ? cell->entries[0].dot.id : 1};
    struct edit edit;

    edit_init(&edit);
    for (unsigned kind = 1; kind < OP_KIND_END; kind++) {
        struct op op = {.kind = (enum op_kind)kind,
                        .number = INT64_MAX,
                        .also = editor.id == 2 ? 3 : 2}; /* rights for somebody else */
        int error;

        if (op_type(op.kind) != type && op.kind != OP_REMOVE)
            continue;
        error = type_edit(cell, &op, &editor, &edit);
        must(!error || error == NEAP_LIMIT || error == NEAP_NORIGHTS);
    }
    edit_done(&edit);
}

/* With itself; and with an empty cell that knows it all, and so lost it or removed it. */
static void check_merge(const struct cell *cell)
{
    struct context all = {0}, more = {0};
    struct knowledge know_all = {&all, NULL}, know_more = {&all, &more};
    struct cell merged, empty;
    unsigned healed;
    int error = 0;

    cell_init(&merged);
    cell_init(&empty);
    for (size_t i = 0; i < cell->count && !error; i++)
        error = context_raise(&all, cell->entries[i].dot.id, cell->entries[i].dot.n, 0);
    if (!error && context_raise(&more, 1, UINT64_MAX, 0) == 0) {
        must(!cell_merge(cell, &know_all, cell, &know_all, &merged, &healed));
        must(cell_same_dots(&merged, cell) && healed == 0);
        must(!cell_merge(&empty, &know_all, cell, &know_all, &merged, &healed));
        must(cell_same_dots(&merged, cell) && healed == cell->count);
        if (context_get(&all, 1) < UINT64_MAX) {
            must(!cell_merge(cell, &know_all, &empty, &know_more, &merged, &healed));
            must(merged.count == 0 && healed == 0);
        }
    }
    cell_done(&merged);
    context_done(&all);
    context_done(&more);
}

FUZZ(cell)
{
    struct cell cell;
    bool accepted;

    cell_init(&cell);
    accepted = cell_decode(input, &cell) == 0;
    if (accepted) {
        check_encoding(&cell, input);
        check_merge(&cell);
    }
    for (unsigned type = 0; accepted && type <= UINT8_MAX; type++) {
        if (type_check_cell((enum neap_type)type, &cell))
            continue;
        check_value((enum neap_type)type, &cell);
        check_edits((enum neap_type)type, &cell);
    }
    cell_done(&cell);
    return accepted;
}
