#include "tests/support/cells.h"

static const struct op add = {.kind = OP_SET_ADD}, take = {.kind = OP_SET_REMOVE};

TEST(adding_an_element_leaves_one_dot)
{
    CHECK_EDIT("", add, NULL, "x9");
    CHECK_EDIT("a1 b1 x3", add, NULL, "x9");
}

TEST(adding_leaves_what_it_did_not_see)
{
    CHECK_EDIT("a1 b1 x3", add, "a1 x3", "b1 x9");
    CHECK_EDIT("a1", add, "", "a1 x9");
}

TEST(removing_an_element_takes_what_it_saw)
{
    CHECK_EDIT("a1 b1", take, NULL, "");
    CHECK_EDIT("a1 b1", take, "a1", "b1");
}

TEST(removing_what_is_not_there_is_no_event)
{
    CHECK_EDIT("", take, NULL, NULL);
    CHECK_EDIT("a2", take, "a1", NULL);
}
