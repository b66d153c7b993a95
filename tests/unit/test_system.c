/* Cells of the system's bucket. */
#include "gossip/system.h"

#include "tests/unit/ring_cases.h"

struct count {
    unsigned cells;
    int fails;
};

static int count_cell(void *arg, struct slice path, const struct cell *cell)
{
    struct count *count = arg;

    CHECK(path.size > 0 && cell->count == 1);
    count->cells++;
    return count->fails;
}

static int some_cells(void *argument)
{
    struct count count = {0};
    struct pair_of_nodes nodes;
    struct view view;
    int error;

    (void)argument;
    error = nodes_open(&nodes);
    view = (struct view){.disk = nodes.sides[0].disk};
    for (uint64_t i = 0; !error && i < 3; i++)
        error = ring_put(&nodes, i == 2 ? "b" : "a", RING_SKIP, i, slice_text("x"));
    if (!error)
        error = system_each(&view, slice_text("ring/a"), count_cell, &count);
    if (!error)
        CHECK_EQUAL(count.cells, 2);
    nodes_close(&nodes);
    return error;
}

TEST(cells_with_a_prefix_are_gone_through)
{
    CHECK_OK(some_cells(NULL));
}

TEST(passes_survive_failing_allocations)
{
    test_alloc_sweep(some_cells, NULL);
}

TEST(an_error_ends_the_pass)
{
    struct count count = {.fails = NEAP_LIMIT};
    struct pair_of_nodes nodes;

    CHECK_OK(nodes_open(&nodes));
    CHECK_OK(ring_put(&nodes, "a", RING_SKIP, A, slice_text("x")));
    CHECK_OK(ring_put(&nodes, "a", RING_SKIP, B, slice_text("x")));
    struct view view = {.disk = nodes.sides[0].disk};
    CHECK_ERROR(system_each(&view, slice_text("ring/"), count_cell, &count), NEAP_LIMIT);
    CHECK_EQUAL(count.cells, 1);
    nodes_close(&nodes);
}
