#include "crdt/expiry.h"

#include <string.h>

#include "tests/support/cells.h"

/* What a reader is shown, by this mark. */
static void check_shown(enum neap_type type, const char *text, uint64_t mark, const char *expected)
{
    struct text_cell cell;
    bool hides;

    text_cell_init(&cell, text);
    hides = cell_hide(type, &cell.cell, mark);
    CHECK_CELL(&cell.cell, expected);
    CHECK_EQUAL(hides, strcmp(text, expected) != 0);
    text_cell_done(&cell);
}

static void check_expires(enum neap_type type, const char *text, uint64_t expected)
{
    struct text_cell cell;

    text_cell_init(&cell, text);
    CHECK_EQUAL(cell_expires(type, &cell.cell), expected);
    text_cell_done(&cell);
}

/* What x removes; NULL: no event. */
static void check_removed(enum neap_type type, const char *text, uint64_t mark, bool any,
                          const char *expected)
{
    const struct editor editor = {.id = 'x'};
    struct text_cell cell;
    struct edit edit;

    text_cell_init(&cell, text);
    edit_init(&edit);
    CHECK_OK(cell_expire(type, &cell.cell, &editor, mark, any, &edit));
    CHECK_EQUAL(edit.changes, expected != NULL);
    CHECK(!edit.adds);
    if (expected)
        CHECK_CELL(&edit.kept, expected);
    edit_done(&edit);
    text_cell_done(&cell);
}

TEST(a_write_with_a_time_to_live_says_when_it_is_over)
{
    struct op on = {.kind = OP_FLAG_ON, .expires = 70};
    struct op set = {.kind = OP_SET_ADD, .expires = 70};
    struct op off = {.kind = OP_FLAG_OFF, .expires = 70};

    CHECK_EDIT("", on, NULL, "x9#70");
    CHECK_EDIT("a1#5 b1", set, NULL, "x9#70");
    CHECK_EDIT("a1#5 b1", off, NULL, "");
    on.expires = 0;
    CHECK_EDIT("a1#5", on, NULL, "x9"); /* written again without: it stays */
}

static void check_lasts(enum neap_type type, const char *text, uint64_t expected)
{
    struct text_cell cell;

    text_cell_init(&cell, text);
    CHECK_EQUAL(cell_lasts(type, &cell.cell), expected);
    text_cell_done(&cell);
}

TEST(it_lasts_until_the_last_of_it_goes)
{
    check_lasts(NEAP_SET, "a1#50 b1#70", 70);
    check_lasts(NEAP_SET, "a1#50 b1", 0);
    check_lasts(NEAP_FLAG, "a1#50", 50);
    check_lasts(NEAP_FLAG, "", 0);
    check_lasts(NEAP_FLAG_DW, "a1", 0); /* such flags have none */
}

TEST(elements_and_flags_go_one_by_one)
{
    check_expires(NEAP_SET, "a1#50 b1#70 c1", 50);
    check_expires(NEAP_SET, "c1", 0);
    check_shown(NEAP_SET, "a1#50 b1#70 c1", 49, "a1#50 b1#70 c1");
    check_shown(NEAP_SET, "a1#50 b1#70 c1", 50, "b1#70 c1");
    check_shown(NEAP_FLAG, "a1#50 b1#70", 100, "");
    check_removed(NEAP_SET, "a1#50 x1#60 x2#70 y1", 60, false, "a1#50 x2#70 y1");
    check_removed(NEAP_SET, "a1#50 x1#60 x2#70 y1", 60, true, "x2#70 y1");
    check_removed(NEAP_SET, "a1#50 x2#70", 60, false, NULL);
    check_removed(NEAP_SET, "a1#50", 49, true, NULL);
}

static void lww_pack(struct cell *cell, char id, uint64_t stamp, uint64_t expires,
                     struct buffer *payload)
{
    static const struct cell nothing;
    struct op op = {
        .kind = OP_LWW_SET, .value = slice_text("v"), .stamp = stamp, .expires = expires};
    const struct editor editor = {.id = (uint64_t)id};
    struct edit edit;

    edit_init(&edit);
    buffer_init(payload, 64);
    CHECK_OK(type_edit(&nothing, &op, &editor, &edit));
    CHECK_OK(buffer_set(payload, buffer_slice(&edit.payload)));
    CHECK_OK(cell_add(cell, (struct dot){(uint64_t)id, 1}, buffer_slice(payload)));
    edit_done(&edit);
}

TEST(of_an_lww_the_winner_decides)
{
    const struct editor x = {.id = 'x'}, y = {.id = 'y'};
    struct buffer loser, winner;
    struct cell cell;
    struct edit edit;

    cell_init(&cell);
    edit_init(&edit);
    lww_pack(&cell, 'y', 5, 40, &loser);
    lww_pack(&cell, 'x', 6, 50, &winner);
    CHECK_OK(type_check_cell(NEAP_LWW, &cell));
    CHECK_EQUAL(cell_expires(NEAP_LWW, &cell), 50);
    CHECK_EQUAL(cell_lasts(NEAP_LWW, &cell), 50);
    CHECK_OK(cell_expire(NEAP_LWW, &cell, &y, 60, false, &edit));
    CHECK(!edit.changes);
    CHECK_OK(cell_expire(NEAP_LWW, &cell, &x, 60, false, &edit));
    CHECK(edit.changes && !edit.adds);
    CHECK_EQUAL(edit.kept.count, 0); /* the loser would come to light */
    CHECK(!cell_hide(NEAP_LWW, &cell, 49));
    CHECK_EQUAL(cell.count, 2);
    CHECK(cell_hide(NEAP_LWW, &cell, 50));
    CHECK_EQUAL(cell.count, 0);
    edit_done(&edit);
    buffer_done(&loser);
    buffer_done(&winner);
    cell_done(&cell);
}

static void check_register(const char *value, uint64_t expires, size_t size)
{
    static const struct cell nothing;
    struct op op = {.kind = OP_REGISTER_SET, .value = slice_text(value), .expires = expires};
    const struct editor editor = {.id = 'x'};
    struct slice found;
    struct cell cell;
    struct edit edit;

    cell_init(&cell);
    edit_init(&edit);
    CHECK_OK(type_edit(&nothing, &op, &editor, &edit));
    CHECK_EQUAL(edit.payload.size, size);
    CHECK_OK(cell_add(&cell, (struct dot){'x', 1}, buffer_slice(&edit.payload)));
    CHECK_OK(type_check_cell(NEAP_REGISTER, &cell));
    CHECK_OK(register_value(&cell, 0, &found));
    CHECK_SLICE(found, value);
    CHECK_EQUAL(cell_expires(NEAP_REGISTER, &cell), expires);
    edit_done(&edit);
    cell_done(&cell);
}

TEST(a_register_keeps_its_value_whatever_it_begins_with)
{
    check_register("value", 0, 5);
    check_register("value", 70, 14);
    check_register("\xc1value", 0, 15);
    check_register("\xc1", 70, 10);
    check_register("", 70, 9);
    check_register("", 0, 0);
}

TEST(counters_do_not_expire)
{
    check_expires(NEAP_COUNTER, "a1#50", 0);
    check_shown(NEAP_COUNTER, "a1#50", 100, "a1#50");
    check_removed(NEAP_COUNTER, "x1#50", 100, true, NULL);
    check_expires(NEAP_MAP, "", 0);
    check_expires((enum neap_type)99, "a1", 0);
}
