#include "tests/support/cells.h"

static const struct op on = {.kind = OP_FLAG_DW_ON}, off = {.kind = OP_FLAG_DW_OFF};
static const struct op add = {.kind = OP_SET_RW_ADD}, take = {.kind = OP_SET_RW_REMOVE};
static const struct op reset = {.kind = OP_REMOVE};

TEST(yes_and_no_replace_what_they_saw)
{
    CHECK_EDIT("", on, NULL, "x9");
    CHECK_EDIT("", off, NULL, "x9!");
    CHECK_EDIT("a1 b1! c1", on, NULL, "x9");
    CHECK_EDIT("a1 b1! c1", off, NULL, "x9!");
    CHECK_EDIT("a1 b1!", add, "b1", "a1 x9");
    CHECK_EDIT("a1 b1!", take, "a1", "b1! x9!");
}

TEST(a_removal_of_all_leaves_nothing)
{
    const struct editor editor = {.type = NEAP_SET_RW};

    CHECK_EDIT_BY(editor, "a1 b1!", reset, NULL, "");
    CHECK_EDIT_BY(editor, "a1 b1!", reset, "a1", "b1!");
    CHECK_EDIT_BY(editor, "", reset, NULL, NULL);
}

TEST(one_no_is_enough)
{
    static const struct {
        const char *cell;
        bool live;
    } table[] = {{"", false},     {"a1", true},         {"a1!", false},
                 {"a1 b1", true}, {"a1 b1! c1", false}, {"a1! b1!", false}};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct neap_item item = {0};
        struct text_cell cell;

        text_cell_init(&cell, table[i].cell);
        CHECK_EQUAL(type_is_live(NEAP_FLAG_DW, &cell.cell), table[i].live);
        CHECK_EQUAL(type_is_live(NEAP_SET_RW, &cell.cell), table[i].live);
        CHECK_ERROR(type_item(NEAP_FLAG_DW, &cell.cell, &item), table[i].live ? 0 : NEAP_NOTFOUND);
        CHECK_EQUAL(item.number, table[i].live);
        text_cell_done(&cell);
    }
}

TEST(a_payload_is_a_yes_or_a_no)
{
    uint8_t bytes[8];

    for (unsigned type = NEAP_FLAG_DW; type <= NEAP_SET_RW; type += NEAP_SET_RW - NEAP_FLAG_DW) {
        const struct type *found = type_find(type);

        CHECK_OK(found->check(slice_of(NULL, 0)));
        CHECK_OK(found->check(test_unhex("c2", bytes, sizeof bytes)));
        CHECK_ERROR(found->check(test_unhex("c3", bytes, sizeof bytes)), NEAP_INVALID);
        CHECK_ERROR(found->check(test_unhex("c2 c2", bytes, sizeof bytes)), NEAP_INVALID);
    }
}
