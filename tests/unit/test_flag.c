#include "tests/support/cells.h"

static const struct op on = {.kind = OP_FLAG_ON}, off = {.kind = OP_FLAG_OFF};

TEST(switching_on_replaces_what_it_saw)
{
    CHECK_EDIT("", on, NULL, "x9");
    CHECK_EDIT("a1 b1", on, NULL, "x9");
    CHECK_EDIT("a1 b1", on, "a1", "b1 x9");
    CHECK_EDIT("x1", on, "", "x1 x9");
}

TEST(switching_off_removes_what_it_saw)
{
    CHECK_EDIT("a1 b1", off, NULL, "");
    CHECK_EDIT("a1 b1", off, "b7", "a1");
    CHECK_EDIT("a1", off, "b7", NULL);
    CHECK_EDIT("", off, NULL, NULL);
}

TEST(a_flag_is_on_while_a_dot_lives)
{
    struct text_cell cell;

    text_cell_init(&cell, "");
    CHECK(!type_is_live(NEAP_FLAG, &cell.cell));
    text_cell_done(&cell);
    text_cell_init(&cell, "a1");
    CHECK(type_is_live(NEAP_FLAG, &cell.cell));
    text_cell_done(&cell);
}
