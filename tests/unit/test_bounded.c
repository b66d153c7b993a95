/* Rows are [birth, added, spent, gifts, (to, amount)..., (from, birth, to, amount, event)...]; the
 * ids a, b and x are 97, 98 and 120. */
#include "crdt/bounded.h"

#include "tests/support/cells.h"

#define MAX "9223372036854775807"

static struct op add(int64_t number)
{
    return (struct op){.kind = OP_BOUNDED_ADD, .number = number};
}

static struct op give(int64_t number, char to)
{
    return (struct op){.kind = OP_BOUNDED_GIVE, .number = number, .also = to};
}

static struct op claim(char from)
{
    return (struct op){.kind = OP_BOUNDED_CLAIM, .also = from};
}

static const struct editor spender = {.next = 9, .fold_write = 8, .birth = 9, .spends = true};
static const struct editor waiting = {.next = 9, .fold_write = 8, .birth = 9};

#define CHECK_SPEND(old, op, expected) CHECK_EDIT_BY(spender, old, op, NULL, expected)
#define CHECK_SPEND_ERROR(editor, old, op, error) \
    CHECK_ERROR(test_edit_by(editor, old, op, NULL, NULL, __FILE__, __LINE__), error)

static void check_rights(const char *text, char id, int64_t value, int64_t here, int64_t most,
                         char who)
{
    struct text_cell cell;
    struct rights rights;

    text_cell_init(&cell, text);
    CHECK_OK(bounded_rights(&cell.cell, (uint64_t)id, NULL, 0, &rights));
    CHECK_EQUAL(rights.value, value);
    CHECK_EQUAL(rights.here, here);
    CHECK_EQUAL(rights.most, most);
    CHECK_EQUAL(rights.who, (uint64_t)who);
    text_cell_done(&cell);
}

TEST(what_is_added_is_the_adders_to_take)
{
    CHECK_SPEND("", add(5), "x9[9,5,0,0]");
    CHECK_SPEND("", add(0), "x9[9,0,0,0]");
    CHECK_SPEND("x3[3,5,0,0]", add(2), "x9[3,7,0,0]");
    CHECK_SPEND("x3[3,5,0,0]", add(-5), "x9[3,5,5,0]");
    CHECK_SPEND("a1[1,9,0,0] x3[3,5,1,0]", add(-4), "a1[1,9,0,0] x9[3,5,5,0]");
    check_rights("a1[1,9,0,0] x3[3,5,1,0]", 'x', 13, 4, 9, 'a');
    check_rights("a1[1,9,0,0] x3[3,5,1,0]", 'b', 13, 0, 9, 'a');
    check_rights("", 'b', 0, 0, 0, 0);
}

TEST(who_has_too_few_rights_takes_nothing)
{
    CHECK_SPEND_ERROR(spender, "", add(-1), NEAP_NORIGHTS);
    CHECK_SPEND_ERROR(spender, "x3[3,5,0,0]", add(-6), NEAP_NORIGHTS);
    CHECK_SPEND_ERROR(spender, "a3[3,50,0,0]", add(-1), NEAP_NORIGHTS);
    CHECK_SPEND_ERROR(spender, "x3[3,5,0,0]", add(INT64_MIN), NEAP_NORIGHTS);
    CHECK_SPEND_ERROR(spender, "x3[3,5,0,0]", give(6, 'a'), NEAP_NORIGHTS);
}

TEST(who_may_have_another_future_takes_nothing_and_adds)
{
    CHECK_SPEND_ERROR(waiting, "x3[3,5,0,0]", add(-1), NEAP_NORIGHTS);
    CHECK_SPEND_ERROR(waiting, "x3[3,5,0,0]", give(1, 'a'), NEAP_NORIGHTS);
    CHECK_SPEND_ERROR(waiting, "a3[3,5,0,0]", claim('a'), NEAP_NORIGHTS);
    CHECK_EDIT_BY(waiting, "x3[3,5,0,0]", add(1), NULL, "x9[3,6,0,0]");
}

TEST(rights_that_were_given_are_on_their_way_until_they_are_spent)
{
    CHECK_SPEND("x3[3,5,0,0]", give(3, 'a'), "x9[3,5,0,1,97,3]");
    CHECK_SPEND("x3[3,5,0,1,97,3]", give(1, 'a'), "x9[3,5,0,1,97,4]");
    CHECK_SPEND("x3[3,5,0,1,97,3]", give(1, 'b'), "x9[3,5,0,2,97,3,98,1]");
    check_rights("a3[3,5,0,1,120,3]", 'x', 5, 3, 2, 'a');
    /* Who spends them takes them into its own row, with the event that the giver's was of. */
    CHECK_SPEND("a3[3,5,0,1,120,3]", add(-2), "a3[3,5,0,1,120,3] x9[9,0,2,0,97,3,120,3,3]");
    check_rights("a3[3,5,0,1,120,3] x9[9,0,2,0,97,3,120,3,3]", 'x', 3, 1, 2, 'a');
    CHECK_SPEND_ERROR(spender, "a3[3,5,0,1,120,3]", add(-4), NEAP_NORIGHTS);
}

TEST(rights_go_to_others_and_are_one_or_more)
{
    CHECK_SPEND_ERROR(spender, "x3[3,5,0,0]", give(1, 'x'), NEAP_INVALID);
    CHECK_SPEND_ERROR(spender, "x3[3,5,0,0]", give(0, 'a'), NEAP_INVALID);
    CHECK_SPEND_ERROR(spender, "x3[3,5,0,0]", give(-1, 'a'), NEAP_INVALID);
    CHECK_SPEND_ERROR(spender, "x3[3,5,0,0]", give(1, 0), NEAP_INVALID);
    CHECK_SPEND_ERROR(spender, "x3[3,5,0,0]", claim('x'), NEAP_INVALID);
}

TEST(ids_that_a_directory_has_left_are_its_own)
{
    static const uint64_t left[] = {'a'};
    const struct editor editor = {
        .next = 9, .fold_write = 8, .birth = 9, .spends = true, .mine = left, .mine_count = 1};
    const char *after = "a3[3,5,1,0] b1[1,7,0,1,97,2] x9[9,0,6,0,97,3,120,4,3,98,1,97,2,1]";
    struct text_cell cell;
    struct rights rights;

    text_cell_init(&cell, "a3[3,5,1,0] b1[1,7,0,1,97,2]");
    CHECK_OK(bounded_rights(&cell.cell, 'x', left, 1, &rights));
    CHECK_EQUAL(rights.here, 6);
    CHECK_EQUAL(rights.most, 5);
    text_cell_done(&cell);
    CHECK_EDIT_BY(editor, "a3[3,5,1,0] b1[1,7,0,1,97,2]", add(-6), NULL, after);
    check_rights(after, 'x', 5, 0, 5, 'b');
    check_rights(after, 'a', 5, 0, 5, 'b');
    CHECK_SPEND("a3[3,5,1,0]", claim('a'), "a3[3,5,1,0] x9[9,0,0,0,97,3,120,4,3]");
    check_rights("a3[3,5,1,0] x9[9,0,0,0,97,3,120,4,3]", 'x', 4, 4, 0, 0);
}

TEST(a_row_that_is_older_than_what_was_taken_of_it_is_no_debt)
{
    /* The giver's row as it was before it gave, and when it had less. */
    check_rights("a2[2,5,0,0] x9[9,0,3,0,97,2,120,3,3]", 'x', 2, 0, 2, 'a');
    check_rights("a2[2,1,0,0] x9[9,0,3,0,97,2,120,3,3]", 'x', 0, 0, 0, 0);
    /* And where it is not here at all. */
    check_rights("x9[9,0,3,0,97,2,120,3,3]", 'x', 0, 0, 0, 0);
}

TEST(rights_that_were_spent_twice_are_seen)
{
    check_rights("a4[2,5,4,0] x9[9,0,5,0,97,2,120,5,3]", 'x', -4, 0, 0, 0);
    CHECK_SPEND_ERROR(spender, "x4[2,5,9,0]", add(-1), NEAP_NORIGHTS);
}

TEST(a_removal_leaves_no_row_below_its_bound)
{
    /* The increments were seen by who removed, the decrements were not: they were one row. */
    check_rights("x9[3,10,7,0]", 'x', 3, 3, 0, 0);
    /* What was taken into a row stays there without the giver's. */
    check_rights("x9[9,0,2,0,97,3,120,3,3]", 'x', 1, 1, 0, 0);
    /* A row that begins anew has another birth: what was taken of the old one is nothing to it. */
    check_rights("a8[8,4,0,1,120,1] x9[9,0,2,0,97,3,120,3,3]", 'x', 5, 2, 3, 'a');
}

TEST(own_rows_that_may_get_other_names_are_left)
{
    const struct editor editor = {
        .fold_after = 5, .fold_write = 8, .next = 9, .birth = 9, .spends = true};

    CHECK_EDIT_BY(editor, "x4[4,5,0,0]", add(1), NULL, "x4[4,5,0,0] x9[9,1,0,0]");
    CHECK_EDIT_BY(editor, "x4[4,5,0,0] x7[7,1,0,0]", add(-6), NULL,
                  "x4[4,5,0,0] x9[7,1,6,0,120,4,120,5,4]");
    check_rights("x4[4,5,0,0] x9[7,1,6,0,120,4,120,5,4]", 'x', 0, 0, 0, 0);
    /* Later they become one again, but for those that others know by their birth. */
    CHECK_SPEND("x4[4,5,0,0] x7[7,1,0,0]", add(-6), "x9[4,6,6,0]");
    CHECK_SPEND("x4[4,5,0,1,97,1] x7[7,1,0,0]", add(1), "x9[4,7,0,1,97,1]");
    CHECK_SPEND("x4[4,5,0,1,97,1] x7[7,3,0,1,97,1]", add(1), "x7[7,3,0,1,97,1] x9[4,6,0,1,97,1]");
}

TEST(what_would_leave_64_bits_is_refused)
{
    CHECK_SPEND_ERROR(spender, "x3[3," MAX ",0,0]", add(1), NEAP_LIMIT);
    CHECK_SPEND_ERROR(spender, "a3[3," MAX ",0,0]", add(1), NEAP_LIMIT);
    CHECK_SPEND_ERROR(spender, "a3[3," MAX ",0,0] b3[3,1,0,0]", add(1), NEAP_LIMIT);
    CHECK_SPEND("x3[3," MAX ",0,0]", add(-INT64_MAX), "x9[3," MAX "," MAX ",0]");
}

TEST(a_row_from_outside_must_be_one)
{
    static const char *const bad[] = {"a1",
                                      "a1#5",
                                      "a1[1]",
                                      "a1[1,2,0]",
                                      "a1[1,2,0,1]",
                                      "a1[1,2,0,1,98]",
                                      "a1[1,2,0,0,98,1]",
                                      "a1[1,2,0,1,98,0]",
                                      "a1[1,-2,0,0]",
                                      "a1[1,2,-1,0]",
                                      "a1[1,2,0,2,98,1,98,1]",
                                      "a1[1,2,0,2,98,1,97,1]",
                                      "a1[1,2,0,0,98,1,97,0,5]",
                                      "a1[1,2,0,0,98,1,97,1]",
                                      "a1[1,2,0,0,98,1,97,1,5,98,1,97,1,5]"};
    struct text_cell cell;
    struct rights rights;
    int64_t value;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        text_cell_init(&cell, bad[i]);
        CHECK_ERROR(type_check_cell(NEAP_BOUNDED, &cell.cell), NEAP_INVALID);
        CHECK_ERROR(bounded_rights(&cell.cell, 'a', NULL, 0, &rights), NEAP_INVALID);
        CHECK_ERROR(bounded_value(&cell.cell, &value), NEAP_INVALID);
        text_cell_done(&cell);
        CHECK_SPEND_ERROR(spender, bad[i], add(1), NEAP_INVALID);
    }
    text_cell_init(&cell, "a1[1,2,0,1,98,2,98,1,97,1,5,98,2,97,1,5]");
    CHECK_OK(type_check_cell(NEAP_BOUNDED, &cell.cell));
    text_cell_done(&cell);
    text_cell_init(&cell, "");
    CHECK_ERROR(bounded_value(&cell.cell, &value), NEAP_NOTFOUND);
    text_cell_done(&cell);
}

static int use_bounded(void *argument)
{
    static const uint64_t left[] = {'a'};
    const struct editor editor = {
        .id = 'x', .birth = 9, .spends = true, .mine = left, .mine_count = 1};
    const struct op op = add(-6);
    struct rights rights;
    struct edit edit;
    int error = bounded_rights(argument, 'x', left, 1, &rights);

    edit_init(&edit);
    if (!error)
        error = type_edit(argument, &op, &editor, &edit);
    if (error)
        CHECK(!edit.adds && !edit.changes && !edit.kept.count && !edit.payload.size);
    edit_done(&edit);
    return error;
}

TEST(a_bounded_counter_survives_failed_allocations)
{
    static struct text_cell text;
    struct cell cell;

    text_cell_init(&text, "a3[3,5,1,0] b1[1,7,0,1,97,2] c1[1,1,0,0] d1[1,1,0,0] x4[4,1,0,0]");
    cell_init(&cell);
    for (size_t k = 0; k < text.cell.count; k++)
        CHECK_OK(cell_add(&cell, text.cell.entries[k].dot, text.cell.entries[k].payload));
    test_alloc_sweep(use_bounded, &cell);
    cell_done(&cell);
    text_cell_done(&text);
}
