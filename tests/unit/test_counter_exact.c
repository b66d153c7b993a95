#include "tests/support/cells.h"

#define MAX "9223372036854775807"

static struct op add(int64_t number)
{
    return (struct op){.kind = OP_COUNTER_EXACT_ADD, .number = number};
}

static const struct op reset = {.kind = OP_REMOVE};
static const struct editor nine = {.type = NEAP_COUNTER_EXACT, .next = 9, .fold_write = 8};

/* [0, back, span, amount...]: additions; [1, id, n...]: what a removal has seen. x is 120. */
TEST(an_addition_joins_those_of_its_replica)
{
    CHECK_EDIT("", add(5), NULL, "x9[0,0,0,5]");
    CHECK_EDIT("x7[0,0,0,5]", add(-2), NULL, "x9[0,0,0,-2,2,0,5]");
    CHECK_EDIT("x7[0,0,0,5,3,1,4]", add(1), NULL, "x9[0,0,0,1,2,0,5,5,1,4]");
    CHECK_EDIT("a1[0,0,0,7] x7[0,0,0,5]", add(1), NULL, "a1[0,0,0,7] x9[0,0,0,1,2,0,5]");
    CHECK_EDIT("x3[0,0,0,2] x7[0,0,0,5]", add(1), NULL, "x9[0,0,0,1,2,0,5,6,0,2]");
}

TEST(additions_that_may_have_another_future_stay_alone)
{
    struct editor editor = nine;

    editor.fold_after = 3;
    CHECK_EDIT_BY(editor, "x3[0,0,0,2] x7[0,0,0,5]", add(1), NULL, "x3[0,0,0,2] x9[0,0,0,1,2,0,5]");
}

TEST(additions_of_one_write_are_one)
{
    struct editor editor = nine;

    editor.fold_write = 6;
    CHECK_EDIT_BY(editor, "x7[0,0,0,5,1,0,3]", add(1), NULL, "x9[0,0,2,6,3,0,3]");
}

TEST(additions_that_all_have_seen_are_one)
{
    struct context stable = {0};
    struct editor editor = nine;

    context_parse("a9 x6", &stable);
    editor.stable = &stable;
    CHECK_EDIT_BY(editor, "x8[0,0,0,5,2,0,3,5,0,2,6,0,1]", add(7), NULL, "x9[0,0,0,7,1,0,5,3,4,6]");
    context_done(&stable);
}

TEST(a_removal_says_up_to_where_it_saw)
{
    CHECK_EDIT_BY(nine, "a3[0,0,0,7] x7[0,0,0,5]", reset, NULL, "x9[1,97,3]");
    CHECK_EDIT_BY(nine, "a3[0,0,0,7] b2[0,0,0,1]", reset, NULL, "x9[1,97,3,98,2]");
    CHECK_EDIT_BY(nine, "a3[0,0,0,7,1,0,2] b2[0,0,0,1]", reset, "a2",
                  "a3[0,0,0,7,1,0,2] b2[0,0,0,1] x9[1,97,2]");
    /* Of its own additions it has to tell nobody, and of none neither. */
    CHECK_EDIT_BY(nine, "x7[0,0,0,5]", reset, NULL, "");
    CHECK_EDIT_BY(nine, "", reset, NULL, NULL);
    CHECK_EDIT_BY(nine, "a3[0,0,0,7]", reset, "b7", NULL);
}

TEST(a_removal_takes_over_what_those_before_it_saw)
{
    CHECK_EDIT_BY(nine, "a3[0,0,0,7] b2[1,97,2,99,4]", reset, NULL, "x9[1,97,3,99,4]");
    CHECK_EDIT_BY(nine, "a3[0,0,0,7] b2[1,97,2,99,4]", reset, "a3", "b2[1,97,2,99,4] x9[1,97,3]");
    CHECK_EDIT_BY(nine, "b2[1,97,2,99,4]", reset, NULL, NULL);
}

TEST(what_was_removed_is_left_out_of_the_next_dot)
{
    CHECK_EDIT("b2[1,120,5] x7[0,0,0,5,2,0,3,3,0,2]", add(1), NULL,
               "b2[1,120,5] x9[0,0,0,1,2,0,5]");
    CHECK_EDIT("b2[1,120,7] x7[0,0,0,5,2,0,3]", add(1), NULL, "b2[1,120,7] x9[0,0,0,1]");
}

/* Of additions that are one by now, nobody can tell any more which ones the token saw. */
TEST(a_token_that_is_too_old_is_refused)
{
    CHECK_ERROR(test_edit_by(nine, "a9[0,0,0,7,1,4,2]", reset, "a6", NULL, __FILE__, __LINE__),
                NEAP_STALE);
    CHECK_EDIT_BY(nine, "a9[0,0,0,7,1,4,2]", reset, "a8", "a9[0,0,0,7,1,4,2] x9[1,97,8]");
    CHECK_EDIT_BY(nine, "a9[0,0,0,7,1,4,2]", reset, "a3", NULL);
}

TEST(a_sum_that_nobody_could_read_is_refused)
{
    CHECK_EDIT_ERROR("a1[0,0,0," MAX "]", add(1), NEAP_LIMIT);
    CHECK_EDIT("a1[0,0,0," MAX "]", add(-1), NULL, "a1[0,0,0," MAX "] x9[0,0,0,-1]");
    CHECK_EDIT("a1[0,0,0," MAX "] b1[1,97,1]", add(1), NULL,
               "a1[0,0,0," MAX "] b1[1,97,1] x9[0,0,0,1]");
}

TEST(so_many_additions_wait_for_the_others_and_no_more)
{
    struct editor editor = {.id = 'x'};
    struct context stable = {0};
    struct edit edit[2];
    unsigned turn = 0;
    int error = 0;
    struct cell cell;

    cell_init(&cell);
    edit_init(&edit[0]);
    edit_init(&edit[1]);
    for (editor.next = 1; editor.next <= 4096 && !error; editor.next++, turn = !turn) {
        const struct op op = add(1);

        editor.fold_write = editor.next - 1;
        CHECK_OK(type_edit(&cell, &op, &editor, &edit[turn]));
        cell_clear(&cell);
        CHECK_OK(
            cell_add(&cell, (struct dot){'x', editor.next}, buffer_slice(&edit[turn].payload)));
        CHECK_OK(type_check_cell(NEAP_COUNTER_EXACT, &cell));
    }
    editor.fold_write = editor.next - 1;
    CHECK_ERROR(type_edit(&cell, &(struct op){.kind = OP_COUNTER_EXACT_ADD, .number = 1}, &editor,
                          &edit[turn]),
                NEAP_LIMIT);
    context_parse("x2", &stable);
    editor.stable = &stable;
    CHECK_OK(type_edit(&cell, &(struct op){.kind = OP_COUNTER_EXACT_ADD, .number = 1}, &editor,
                       &edit[turn]));
    context_done(&stable);
    edit_done(&edit[0]);
    edit_done(&edit[1]);
    cell_done(&cell);
}

TEST(the_value_is_the_sum_of_what_is_not_cut)
{
    static const struct {
        const char *cell;
        int error;
        int64_t value;
    } table[] = {
        {"", NEAP_NOTFOUND, 0},
        {"a3[0,0,0,7,1,0,2]", 0, 9},
        {"a3[0,0,0,7,1,0,2] b1[1,97,2]", 0, 7},
        {"a3[0,0,0,7,1,0,2] b1[1,97,2] c4[0,0,0,-7]", 0, 0},
        {"a3[0,0,0,7,1,0,2] b1[1,97,2] c1[1,97,3]", NEAP_NOTFOUND, 0},
        {"b1[1,97,2]", NEAP_NOTFOUND, 0},
        {"a3[0,0,0," MAX ",1,0,2]", NEAP_LIMIT, INT64_MAX},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct neap_item item = {0};
        struct text_cell cell;

        text_cell_init(&cell, table[i].cell);
        CHECK_OK(type_check_cell(NEAP_COUNTER_EXACT, &cell.cell));
        CHECK_ERROR(type_item(NEAP_COUNTER_EXACT, &cell.cell, &item), table[i].error);
        CHECK_EQUAL(item.number, table[i].value);
        text_cell_done(&cell);
    }
}

TEST(payloads_have_one_form)
{
    static const char *const wrong[] = {
        "a1",
        "a1#5",
        "a1=\x90",
        "a1[0]",
        "a1[0,1,2]",
        "a1[0,0,0,1,0,0,1]",
        "a1[0,0,2,1,2,0,1]",
        "a1[0,1,0,1,0,0,1]",
        "a1[1]",
        "a1[1,97]",
        "a1[1,97,0]",
        "a1[1,98,1,97,1]",
        "a1[1,97,1,97,1]",
        "a1[2,0,0,1]",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct text_cell cell;

        text_cell_init(&cell, wrong[i]);
        CHECK_ERROR(type_check_cell(NEAP_COUNTER_EXACT, &cell.cell), NEAP_INVALID);
        text_cell_done(&cell);
        CHECK_EDIT_ERROR(wrong[i], add(1), NEAP_INVALID);
    }
}
