#include "tests/support/cells.h"

#define MAX "9223372036854775807"
#define MIN "-9223372036854775808"

static struct op add(int64_t number)
{
    return (struct op){.kind = OP_COUNTER_ADD, .number = number};
}

#define CHECK_FOLD(old, number, fold_after, expected) \
    CHECK_OK(test_edit(old, add(number), NULL, fold_after, expected, __FILE__, __LINE__))

TEST(an_increment_folds_the_dots_of_its_replica)
{
    CHECK_EDIT("", add(5), NULL, "x9#5");
    CHECK_EDIT("", add(0), NULL, "x9#0");
    CHECK_EDIT("x1#5", add(-7), NULL, "x9#-2");
    CHECK_EDIT("x1#5 x4#6", add(1), NULL, "x9#12");
    CHECK_EDIT("a1#5 x1#1 y1#2", add(1), NULL, "a1#5 x9#2 y1#2");
}

TEST(an_increment_leaves_own_dots_that_may_have_another_future)
{
    CHECK_FOLD("x1#5 x4#6 x5#7", 1, 4, "x1#5 x4#6 x9#8");
    CHECK_FOLD("x1#5", 1, 1, "x1#5 x9#1");
    CHECK_FOLD("x1#5", 1, UINT64_MAX, "x1#5 x9#1");
}

TEST(an_increment_folds_only_what_it_saw)
{
    CHECK_EDIT("a1#1 x1#5 x4#6", add(1), "x3", "a1#1 x4#6 x9#6");
    CHECK_EDIT("x1#5", add(1), "", "x1#5 x9#1");
}

TEST(a_counter_that_would_overflow_is_refused)
{
    CHECK_EDIT_ERROR("x1#" MAX, add(1), NEAP_LIMIT);
    CHECK_EDIT_ERROR("x1#" MIN, add(-1), NEAP_LIMIT);
    CHECK_EDIT("x1#" MAX, add(INT64_MIN), NULL, "x9#-1");
    CHECK_EDIT("x1#" MAX, add(0), NULL, "x9#" MAX);
    CHECK_EDIT_ERROR("a1#-5 x1#" MAX, add(1), NEAP_LIMIT); /* its own total does not fit */
    CHECK_EDIT_ERROR("a1#" MAX, add(1), NEAP_LIMIT);       /* nobody could read it */
    CHECK_EDIT_ERROR("a1#" MIN, add(-1), NEAP_LIMIT);
    CHECK_EDIT("a1#" MIN, add(INT64_MAX), NULL, "a1#" MIN " x9#" MAX);
}

TEST(a_counter_out_of_range_can_be_led_back)
{
    CHECK_EDIT("a1#" MAX " b1#10", add(-3), NULL, "a1#" MAX " b1#10 x9#-3");
    CHECK_EDIT("a1#" MIN " b1#-10", add(3), NULL, "a1#" MIN " b1#-10 x9#3");
    CHECK_EDIT_ERROR("a1#" MAX " b1#10", add(1), NEAP_LIMIT);
    CHECK_EDIT_ERROR("a1#" MIN " b1#-10", add(-1), NEAP_LIMIT);
}

TEST(a_damaged_counter_is_not_added_to)
{
    CHECK_EDIT_ERROR("a1#5 b1=ab", add(1), NEAP_INVALID);
}

TEST(the_value_of_a_counter_is_the_sum)
{
    static const struct {
        const char *cell;
        int error;
        int64_t value;
    } table[] = {
        {"", NEAP_NOTFOUND, 77},
        {"a1#0", 0, 0},
        {"a1#-5 b1#-6 c1#1", 0, -10},
        {"a1#" MAX " b1#" MIN, 0, -1},
        {"a1#" MAX " b1#" MAX " c1#" MIN " d1#" MIN, 0, -2},
        {"a1#" MIN " b1#" MIN " c1#" MAX, NEAP_LIMIT, 77},
        {"a1#" MAX " b1#1", NEAP_LIMIT, 77},
        {"a1#" MAX " b1#1 c1#-1", 0, INT64_MAX},
        {"a1#" MIN " b1#-1", NEAP_LIMIT, 77},
        {"a1#" MIN, 0, INT64_MIN},
        {"a1#1 b1=", NEAP_INVALID, 77},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text_cell cell;
        int64_t value = 77;

        text_cell_init(&cell, table[i].cell);
        CHECK_ERROR(counter_value(&cell.cell, &value), table[i].error);
        CHECK_EQUAL(value, table[i].value);
        text_cell_done(&cell);
    }
}
