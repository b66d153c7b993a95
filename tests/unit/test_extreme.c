#include "tests/support/cells.h"

static struct op max(int64_t number)
{
    return (struct op){.kind = OP_MAX_SET, .number = number};
}

static struct op min(int64_t number)
{
    return (struct op){.kind = OP_MIN_SET, .number = number};
}

TEST(what_leads_further_replaces_what_it_saw)
{
    CHECK_EDIT("", max(5), NULL, "x9#5");
    CHECK_EDIT("", max(INT64_MIN), NULL, "x9#-9223372036854775808");
    CHECK_EDIT("a1#4 b1#3", max(5), NULL, "x9#5");
    CHECK_EDIT("a1#4 b1#3", min(2), NULL, "x9#2");
    CHECK_EDIT("a1#4 b1#3", max(5), "a1", "b1#3 x9#5");
}

TEST(what_leads_no_further_is_no_event)
{
    CHECK_EDIT("a1#5", max(5), NULL, NULL);
    CHECK_EDIT("a1#5", max(-5), NULL, NULL);
    CHECK_EDIT("a1#1 b1#5", max(4), NULL, NULL);
    CHECK_EDIT("a1#5", min(5), NULL, NULL);
    CHECK_EDIT("a1#5", min(INT64_MAX), NULL, NULL);
}

/* A removal that its writer has not seen takes what it has not seen with it. */
TEST(what_is_not_seen_may_be_written_again)
{
    CHECK_EDIT("a1#5", max(4), "", "a1#5 x9#4");
    CHECK_EDIT("a1#5 b1#3", max(4), "b1", "a1#5 x9#4");
}

TEST(what_is_no_number_is_not_written_over)
{
    CHECK_EDIT_ERROR("a1", max(1), NEAP_INVALID);
    CHECK_EDIT_ERROR("a1=xy", min(1), NEAP_INVALID);
}

TEST(the_value_is_the_one_furthest_out)
{
    struct neap_item item = {0};
    struct text_cell cell;

    text_cell_init(&cell, "a1#-3 b1#7 c1#2");
    CHECK_OK(type_item(NEAP_MAX, &cell.cell, &item));
    CHECK_EQUAL(item.number, 7);
    CHECK_OK(type_item(NEAP_MIN, &cell.cell, &item));
    CHECK_EQUAL(item.number, -3);
    text_cell_done(&cell);
}
