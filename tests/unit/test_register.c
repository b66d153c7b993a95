#include "base/alloc.h"
#include "tests/support/cells.h"

static struct op set(const char *value)
{
    return (struct op){.kind = OP_REGISTER_SET, .value = slice_text(value)};
}

TEST(a_blind_write_adds_a_sibling)
{
    CHECK_EDIT("", set("v"), NULL, "x9=v");
    CHECK_EDIT("a1=p x1=q", set("v"), NULL, "a1=p x1=q x9=v");
    CHECK_EDIT("a1=p", set(""), NULL, "a1=p x9");
}

TEST(a_write_replaces_what_it_saw)
{
    CHECK_EDIT("a1=p b1=q", set("v"), "a1 b1", "x9=v");
    CHECK_EDIT("a1=p b2=q", set("v"), "a1 b1", "b2=q x9=v");
    CHECK_EDIT("a1=p", set("v"), "", "a1=p x9=v");
}

TEST(siblings_have_a_limit)
{
    struct editor editor = {.id = 'x'};
    struct context seen = {0};
    struct op op = set("v");
    struct cell cell;
    struct edit edit;

    cell_init(&cell);
    edit_init(&edit);
    for (uint64_t n = 1; n < REGISTER_SIBLINGS_MAX; n++)
        CHECK_OK(cell_add(&cell, (struct dot){1, n}, slice_text("v")));
    CHECK_OK(type_edit(&cell, &op, &editor, &edit));
    CHECK_EQUAL(edit.kept.count, REGISTER_SIBLINGS_MAX - 1);
    CHECK_OK(cell_add(&cell, (struct dot){2, 1}, slice_text("v")));
    CHECK_ERROR(type_edit(&cell, &op, &editor, &edit), NEAP_LIMIT);
    CHECK_EQUAL(edit.kept.count, 0);
    /* One who has read them can write. */
    CHECK_OK(context_raise(&seen, 1, 1, 0));
    op.seen = &seen;
    CHECK_OK(type_edit(&cell, &op, &editor, &edit));
    CHECK_EQUAL(edit.kept.count, REGISTER_SIBLINGS_MAX - 1);
    context_done(&seen);
    cell_done(&cell);
    edit_done(&edit);
}

TEST(a_register_value_over_the_limit_is_refused)
{
    uint8_t *value = mem_new(NEAP_VALUE_MAX + 1);
    struct op op = {.kind = OP_REGISTER_SET, .value = slice_of(value, NEAP_VALUE_MAX + 1)};

    CHECK(value);
    CHECK_EDIT_ERROR("a1=x", op, NEAP_LIMIT);
    CHECK_ERROR(type_find(NEAP_REGISTER)->check(op.value), NEAP_LIMIT);
    op.value.size--;
    CHECK_OK(type_find(NEAP_REGISTER)->check(op.value));
    mem_free(value);
}

TEST(siblings_are_read_one_by_one)
{
    struct slice value = slice_text("none");
    struct text_cell cell;

    text_cell_init(&cell, "");
    CHECK_ERROR(register_value(&cell.cell, 0, &value), NEAP_NOTFOUND);
    text_cell_done(&cell);
    text_cell_init(&cell, "b1=q a1=p");
    CHECK_OK(register_value(&cell.cell, 0, &value));
    CHECK_SLICE(value, "p");
    CHECK_OK(register_value(&cell.cell, 1, &value));
    CHECK_SLICE(value, "q");
    CHECK_ERROR(register_value(&cell.cell, 2, &value), NEAP_END);
    CHECK_SLICE(value, "q");
    text_cell_done(&cell);
}
