#include "crdt/types.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/support/cells.h"

TEST(types_are_found_by_number_and_name)
{
    static const char *const names[] = {"register", "lww", "flag", "counter", "set", "map"};

    for (unsigned i = 1; i <= 6; i++) {
        const struct type *type = type_find(i);

        CHECK(type);
        CHECK_EQUAL(type->type, i);
        CHECK_TEXT(type->name, names[i - 1]);
        CHECK_EQUAL(type->check != NULL, i != NEAP_MAP);
    }
    CHECK(!type_find(0));
    CHECK(!type_find(99));
    CHECK(!type_find(UINT32_MAX));
    CHECK(!type_named("any"));
    CHECK(!type_named(""));
}

/* What the table demands of each row, so that whoever adds a type is told what is missing. */
TEST(each_type_fills_in_what_it_must)
{
    char names[TYPES_TEXT_MAX];

    type_names(" ", names, sizeof names);
    CHECK(strlen(names) + 1 < sizeof names);
    for (unsigned i = 1; i <= UINT8_MAX; i++) {
        const struct type *type = type_find(i);

        if (!type)
            continue;
        CHECK_EQUAL(type->type, i);
        CHECK(type_named(type->name) == type);
        CHECK(strstr(names, type->name));
        CHECK(type->holds);
        CHECK_EQUAL(type->below == BELOW_FIELDS, !type->check);
        CHECK_EQUAL(type->below == BELOW_FIELDS, !type->edit);
        CHECK_EQUAL(type->below == BELOW_FIELDS, !type->put);
        CHECK_EQUAL(type->below == BELOW_FIELDS, !type->why_before);
        CHECK_EQUAL(type->below == BELOW_FIELDS, type->holds == NEAP_HOLDS_FIELDS);
        CHECK_EQUAL(type->below == BELOW_ELEMENT, (type->holds & NEAP_HOLDS_ELEMENTS) != 0);
        CHECK(!type->why_before == !type->why_after);
    }
}

TEST(names_that_do_not_fit_are_cut)
{
    char names[12];

    type_names(", ", names, sizeof names);
    CHECK_TEXT(names, "register, l");
}

/* A type that is listed in neap.h but not there yet must not be taken for one. */
TEST(every_operation_is_of_a_type_that_there_is)
{
    for (unsigned kind = 0; kind < OP_KIND_END + 2u; kind++) {
        const struct op_info *info = op_info(kind);

        if (info->is_known && kind != OP_REMOVE)
            CHECK(type_find(info->type));
        else
            CHECK_EQUAL(info->type, 0);
    }
    CHECK(!op_info(0)->is_known);
    CHECK(!op_info(UINT32_MAX)->is_known);
}

TEST(an_item_tells_what_a_cell_holds)
{
    static const struct {
        enum neap_type type;
        const char *cell;
        int error;
        const char *value;
        int64_t number;
    } table[] = {
        {NEAP_LWW, "", NEAP_NOTFOUND, "", 0},
        {NEAP_LWW, "a1@5:x b1@4:y", 0, "x", 0},
        {NEAP_LWW, "a1", NEAP_INVALID, "", 0},
        {NEAP_REGISTER, "a1=x b1=y", 0, "x", 2},
        {NEAP_FLAG, "a1", 0, "", 1},
        {NEAP_FLAG, "", NEAP_NOTFOUND, "", 0},
        {NEAP_SET, "a1", 0, "", 0},
        {NEAP_COUNTER, "a1#3 b1#4", 0, "", 7},
        {NEAP_COUNTER, "a1#9223372036854775807 b1#1", NEAP_LIMIT, "", INT64_MAX},
        {NEAP_COUNTER, "a1", NEAP_INVALID, "", 0},
        {(enum neap_type)99, "a1", NEAP_INVALID, "", 0},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct neap_item item = {.name = {"name", 4}};
        struct text_cell cell;

        text_cell_init(&cell, table[i].cell);
        CHECK_ERROR(type_item(table[i].type, &cell.cell, &item), table[i].error);
        CHECK_SLICE(slice_of(item.value.data, item.value.size), table[i].value);
        CHECK_EQUAL(item.number, table[i].number);
        CHECK_EQUAL(item.name.size, 4);
        text_cell_done(&cell);
    }
}

TEST(each_operation_belongs_to_a_type)
{
    static const unsigned expected[OP_KIND_END] = {
        [OP_LWW_SET] = NEAP_LWW,
        [OP_REGISTER_SET] = NEAP_REGISTER,
        [OP_FLAG_ON] = NEAP_FLAG,
        [OP_FLAG_OFF] = NEAP_FLAG,
        [OP_SET_ADD] = NEAP_SET,
        [OP_COUNTER_ADD] = NEAP_COUNTER,
        [OP_SET_REMOVE] = NEAP_SET,
        [OP_REMOVE] = 0,
        [OP_MAX_SET] = NEAP_MAX,
        [OP_MIN_SET] = NEAP_MIN,
        [OP_FLAG_DW_ON] = NEAP_FLAG_DW,
        [OP_FLAG_DW_OFF] = NEAP_FLAG_DW,
        [OP_COUNTER_EXACT_ADD] = NEAP_COUNTER_EXACT,
        [OP_SET_RW_ADD] = NEAP_SET_RW,
        [OP_SET_RW_REMOVE] = NEAP_SET_RW,
        [OP_SCORE_SET] = NEAP_SCORES,
        [OP_SCORE_ADD] = NEAP_SCORES,
        [OP_SCORE_REMOVE] = NEAP_SCORES,
        [OP_BOUNDED_ADD] = NEAP_BOUNDED,
        [OP_BOUNDED_GIVE] = NEAP_BOUNDED,
        [OP_BOUNDED_CLAIM] = NEAP_BOUNDED,
    };

    for (unsigned kind = 0; kind < OP_KIND_END; kind++)
        CHECK_EQUAL(op_type((enum op_kind)kind), expected[kind]);
    CHECK_EQUAL(op_type((enum op_kind)99), 0);
}

TEST(payloads_from_outside_must_fit_the_type)
{
    static const struct {
        enum neap_type type;
        const char *cell;
        int error;
    } table[] = {
        {NEAP_LWW, "", 0},
        {NEAP_LWW, "a1@5:x b1@0:", 0},
        {NEAP_LWW, "a1@5:x b1", NEAP_INVALID},
        {NEAP_LWW, "a1#5", NEAP_INVALID},
        {NEAP_REGISTER, "a1 b1=x", 0},
        {NEAP_FLAG, "a1 b1", 0},
        {NEAP_FLAG, "a1 b1#5", 0}, /* it expires */
        {NEAP_FLAG, "a1 b1#0", NEAP_INVALID},
        {NEAP_FLAG, "a1 b1=xy", NEAP_INVALID},
        {NEAP_SET, "a1", 0},
        {NEAP_SET, "a1=xy", NEAP_INVALID},
        {NEAP_COUNTER, "a1#0 b1#-9223372036854775808 c1#9223372036854775807", 0},
        {NEAP_COUNTER, "a1", NEAP_INVALID},
        {NEAP_COUNTER, "a1=12", NEAP_INVALID}, /* two numbers */
        {NEAP_MAP, "", NEAP_INVALID},          /* has no cells of its own */
        {(enum neap_type)0, "", NEAP_INVALID},
        {(enum neap_type)99, "", NEAP_INVALID},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct text_cell cell;

        text_cell_init(&cell, table[i].cell);
        CHECK_ERROR(type_check_cell(table[i].type, &cell.cell), table[i].error);
        text_cell_done(&cell);
    }
}

TEST(any_cell_can_be_removed)
{
    struct op remove = {.kind = OP_REMOVE};

    CHECK_EDIT("a1#5 b1=x c1", remove, NULL, "");
    CHECK_EDIT("a1#5 b1=x b2", remove, "a1 b1", "b2");
    CHECK_EDIT("a1", remove, "b9", NULL);
    CHECK_EDIT("a1", remove, "", NULL);
    CHECK_EDIT("", remove, NULL, NULL);
}

TEST(an_unknown_operation_is_refused)
{
    CHECK_EDIT_ERROR("a1", (struct op){0}, NEAP_INVALID);
    CHECK_EDIT_ERROR("a1", (struct op){.kind = OP_KIND_END}, NEAP_INVALID);
    CHECK_EDIT_ERROR("a1", (struct op){.kind = (enum op_kind)99}, NEAP_INVALID);
}

TEST(an_edit_can_be_used_again)
{
    struct op on = {.kind = OP_FLAG_ON}, set = {.kind = OP_LWW_SET, .value = slice_text("v")};
    struct editor editor = {.id = 'x'};
    struct context none = {0};
    struct text_cell cell;
    struct edit edit;
    uint64_t calls;

    text_cell_init(&cell, "a1 a2 a3 a4 a5");
    edit_init(&edit);
    set.seen = &none;
    CHECK_OK(type_edit(&cell.cell, &set, &editor, &edit));
    CHECK_EQUAL(edit.kept.count, 5);
    CHECK(edit.adds && edit.payload.size > 0);
    calls = mem_calls();
    CHECK_OK(type_edit(&cell.cell, &set, &editor, &edit));
    CHECK_EQUAL(edit.kept.count, 5);
    CHECK_OK(type_edit(&cell.cell, &on, &editor, &edit));
    CHECK_EQUAL(edit.kept.count, 0);
    CHECK_EQUAL(edit.payload.size, 0);
    CHECK(edit.adds && edit.changes);
    on.kind = OP_FLAG_OFF;
    CHECK_OK(type_edit(&cell.cell, &on, &editor, &edit));
    CHECK(!edit.adds && edit.changes);
    CHECK_EQUAL(mem_calls(), calls);
    on.kind = 0;
    CHECK_ERROR(type_edit(&cell.cell, &on, &editor, &edit), NEAP_INVALID);
    CHECK(!edit.adds && !edit.changes);
    edit_done(&edit);
    text_cell_done(&cell);
}

TEST(an_edit_keeps_within_the_limits_of_a_cell)
{
    struct op add = {.kind = OP_SET_ADD}, set = {.kind = OP_REGISTER_SET};
    struct editor editor = {.id = 'x'};
    struct context none = {0};
    uint8_t *value = mem_new(NEAP_VALUE_MAX);
    struct edit edit;
    struct cell cell;

    CHECK(value);
    cell_init(&cell);
    edit_init(&edit);
    add.seen = set.seen = &none;
    for (uint64_t n = 1; n < CELL_DOTS_MAX; n++)
        CHECK_OK(cell_add(&cell, (struct dot){1, n}, slice_of("", 0)));
    CHECK_OK(type_edit(&cell, &add, &editor, &edit));
    CHECK_EQUAL(edit.kept.count, CELL_DOTS_MAX - 1);
    CHECK_OK(cell_add(&cell, (struct dot){1, CELL_DOTS_MAX}, slice_of("", 0)));
    CHECK_ERROR(type_edit(&cell, &add, &editor, &edit), NEAP_LIMIT);
    CHECK_EQUAL(edit.kept.count, 0);
    add.seen = NULL;
    CHECK_OK(type_edit(&cell, &add, &editor, &edit));
    cell_clear(&cell);
    for (uint64_t n = 1; n < 15; n++)
        CHECK_OK(cell_add(&cell, (struct dot){1, n}, slice_of(value, NEAP_VALUE_MAX)));
    CHECK_OK(type_edit(&cell, &set, &editor, &edit));
    set.value = slice_of(value, NEAP_VALUE_MAX);
    CHECK_ERROR(type_edit(&cell, &set, &editor, &edit), NEAP_LIMIT);
    cell_done(&cell);
    edit_done(&edit);
    mem_free(value);
}

/* One edit of each kind; what fails for want of memory leaves nothing in the edit. */
static int use_types(void *argument)
{
    struct context seen = {0};
    const struct cell *cells = argument;
    struct edit edit;
    int error = context_raise(&seen, 'a', 1, 0);

    for (unsigned kind = 1; kind < OP_KIND_END && !error; kind++) {
        struct op op = {.kind = (enum op_kind)kind, .value = slice_text("v"), .seen = &seen};
        bool exact = kind == OP_COUNTER_EXACT_ADD || kind == OP_REMOVE;
        struct editor editor = {.id = 'x', .next = 9, .fold_write = 8};
        struct neap_item item = {0};

        if (op_type(op.kind) == NEAP_BOUNDED)
            continue; /* test_bounded.c */
        editor.type = kind == OP_REMOVE ? NEAP_COUNTER_EXACT : 0;
        edit_init(&edit);
        error = type_edit(&cells[exact], &op, &editor, &edit);
        if (error)
            CHECK(!edit.adds && !edit.changes && !edit.kept.count && !edit.payload.size);
        edit_done(&edit);
        if (!error && exact)
            error = type_item(NEAP_COUNTER_EXACT, &cells[exact], &item);
    }
    context_done(&seen);
    return error;
}

TEST(types_survive_failed_allocations)
{
    static struct text_cell texts[2];
    struct cell cells[2];

    text_cell_init(&texts[0], "a1#1 b1#2 c1#3 d1#4");
    text_cell_init(&texts[1], "a2[0,0,0,1,1,0,2] b1[1,97,1] c3[0,0,0,3] d1[0,0,0,4] x7[0,0,0,5]");
    for (size_t i = 0; i < 2; i++) {
        cell_init(&cells[i]);
        for (size_t k = 0; k < texts[i].cell.count; k++)
            CHECK_OK(cell_add(&cells[i], texts[i].cell.entries[k].dot,
                              texts[i].cell.entries[k].payload));
    }
    test_alloc_sweep(use_types, cells);
    for (size_t i = 0; i < 2; i++) {
        cell_done(&cells[i]);
        text_cell_done(&texts[i]);
    }
}
