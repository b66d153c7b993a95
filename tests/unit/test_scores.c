#include "tests/support/cells.h"

static struct op set(int64_t score, uint64_t stamp)
{
    return (struct op){.kind = OP_SCORE_SET, .number = score, .stamp = stamp};
}

static struct op add(int64_t change)
{
    return (struct op){.kind = OP_SCORE_ADD, .number = change};
}

static int64_t score(const char *text)
{
    struct text_cell cell;
    int64_t found = 0;

    text_cell_init(&cell, text);
    CHECK_OK(score_value(&cell.cell, &found));
    text_cell_done(&cell);
    return found;
}

TEST(setting_a_score_replaces_what_it_sees)
{
    CHECK_EDIT("", set(10, 5), NULL, "x9[5,10]");
    CHECK_EDIT("a1[7,3] b1#4", set(10, 5), NULL, "x9[5,10]");
    CHECK_EDIT("a1[7,3] b1#4", set(10, 5), "a1", "b1#4 x9[5,10]");
    CHECK_EDIT("x1#3", set(-10, 5), NULL, "x9[5,-10]");
}

TEST(adding_folds_what_its_replica_has_added)
{
    CHECK_EDIT("", add(3), NULL, "x9#3");
    CHECK_EDIT("x1#3", add(4), NULL, "x9#7");
    CHECK_EDIT("x1#3", add(-3), NULL, "x9#0");
    CHECK_EDIT("a1#3 x1#3", add(4), NULL, "a1#3 x9#7");
    CHECK_EDIT("x1[7,3]", add(4), NULL, "x1[7,3] x9#4");
    CHECK_EDIT("x1[7,3] x2#1", add(4), NULL, "x1[7,3] x9#5");
}

/* Rule 9: what was written before may be under another name by now. */
TEST(what_may_not_be_folded_stays)
{
    CHECK_OK(test_edit("x1#3 x5#1", add(4), NULL, 4, "x1#3 x9#5", __FILE__, __LINE__));
}

TEST(removing_takes_what_it_sees)
{
    const struct op remove = {.kind = OP_SCORE_REMOVE};

    CHECK_EDIT("a1[7,3] b1#4", remove, NULL, "");
    CHECK_EDIT("a1[7,3] b1#4", remove, "a1", "b1#4");
    CHECK_EDIT("", remove, NULL, NULL);
}

TEST(the_score_is_what_was_set_last_and_all_that_was_added)
{
    CHECK_EQUAL(score("a1#5"), 5);
    CHECK_EQUAL(score("a1[7,10] b1[8,20]"), 20);
    CHECK_EQUAL(score("a1[9,10] b1[8,20]"), 10);
    CHECK_EQUAL(score("a1[8,10] b1[8,20]"), 20); /* a tie: the later dot */
    CHECK_EQUAL(score("a1[7,10] b1#3"), 13);
    CHECK_EQUAL(score("a1[0,-10] b1#3 c1#-5"), -12);
}

TEST(a_member_that_is_not_in_has_no_score)
{
    struct text_cell cell;
    struct neap_item item = {0};
    int64_t found;

    text_cell_init(&cell, "");
    CHECK_ERROR(score_value(&cell.cell, &found), NEAP_NOTFOUND);
    CHECK_ERROR(type_item(NEAP_SCORES, &cell.cell, &item), NEAP_NOTFOUND);
    text_cell_done(&cell);
}

TEST(a_score_past_64_bits_is_the_nearest_that_fits)
{
    CHECK_EQUAL(score("a1#9223372036854775807 b1#1"), INT64_MAX);
    CHECK_EQUAL(score("a1#9223372036854775807 b1#1 c1#-2"), INT64_MAX - 1);
    CHECK_EQUAL(score("a1[1,-9223372036854775808] b1#-1"), INT64_MIN);
}

TEST(a_step_out_of_64_bits_is_refused_and_one_back_is_not)
{
    CHECK_EDIT_ERROR("a1[1,9223372036854775807]", add(1), NEAP_LIMIT);
    CHECK_EDIT_ERROR("x1#9223372036854775807", add(1), NEAP_LIMIT);
    CHECK_EDIT("a1#9223372036854775807 b1#5", add(-1), NULL, "a1#9223372036854775807 b1#5 x9#-1");
}

TEST(payloads_of_scores_are_checked)
{
    static const char *const wrong[] = {"a1", "a1=xy", "a1[1,2,3]", "a1[1]", "a1[-1,2]", "a1@7:x"};
    struct text_cell cell;
    int64_t found;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        text_cell_init(&cell, wrong[i]);
        CHECK_ERROR(type_check_cell(NEAP_SCORES, &cell.cell), NEAP_INVALID);
        CHECK_ERROR(score_value(&cell.cell, &found), NEAP_INVALID);
        text_cell_done(&cell);
        CHECK_EDIT_ERROR(wrong[i], add(1), NEAP_INVALID);
    }
    text_cell_init(&cell, "a1[7,-3] b1#4");
    CHECK_OK(type_check_cell(NEAP_SCORES, &cell.cell));
    text_cell_done(&cell);
}

TEST(only_what_was_set_has_a_stamp)
{
    struct text_cell cell;
    struct slice value;
    uint64_t stamp;

    CHECK(type_has_stamps(NEAP_SCORES));
    text_cell_init(&cell, "a1[7,-3] b1#4");
    CHECK_OK(type_stamped(NEAP_SCORES, cell.cell.entries[0].payload, &value, &stamp));
    CHECK_EQUAL(stamp, 7);
    CHECK_OK(type_stamped(NEAP_SCORES, cell.cell.entries[1].payload, &value, &stamp));
    CHECK_EQUAL(stamp, 0);
    text_cell_done(&cell);
}
