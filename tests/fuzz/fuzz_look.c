/* What a peer asks, and tells, of the cells of an object. */
#include "engine/explain.h"
#include "tests/fuzz/fuzz.h"

/* With any other cell, and with none, there is something to say. */
static void check_states(const struct look *look)
{
    struct context here = {0}, there = {0};

    for (size_t i = 0; i < look->count; i++) {
        const struct look_cell *cell = &look->cells[i], *other = &look->cells[look->count - i - 1];

        must(explain_state(&here, cell, &there, cell) == EXPLAIN_SAME);
        must(explain_state(&here, cell, &look->horizon, other) < EXPLAIN_UNKNOWN);
        must(explain_state(&here, cell, &there, NULL) < EXPLAIN_UNKNOWN);
        must(explain_state(&here, NULL, &there, cell) < EXPLAIN_UNKNOWN);
        must(cell->dots_count <= LOOK_DOTS_MAX && cell->dots_count <= cell->dots_all);
        must(i == 0 || slice_compare(cell[-1].path, cell->path) < 0);
    }
}

/* Whatever is accepted can be told to an operator. */
static void check_json(const struct look *look)
{
    struct explain_side side = {.has_look = true, .look = *look};
    struct explain explain = {
        .bucket = "shop", .key = "k", .here = side, .sides = &side, .sides_count = 1};
    json_t *json = explain_json(&explain);

    must(json && json_integer_value(json_object_get(json, "differing")) == 0);
    json_decref(json);
}

FUZZ(look)
{
    struct look look;
    int error = look_read(slice_of(NULL, 0), input, &look);

    must(error == 0 || error == NEAP_INVALID || error == NEAP_LIMIT);
    must(!error || (!look.cells && !look.horizon.entries));
    if (!error) {
        check_states(&look);
        check_json(&look);
    }
    look_done(&look);
    return !error;
}
