#include "base/alloc.h"
#include "tests/support/cells.h"

static struct op set(const char *value, uint64_t stamp)
{
    return (struct op){.kind = OP_LWW_SET, .value = slice_text(value), .stamp = stamp};
}

TEST(a_write_replaces_what_it_saw_whatever_the_clock_says)
{
    CHECK_EDIT("", set("v", 5), NULL, "x9@5:v");
    CHECK_EDIT("a1@1000:old b1@7:older", set("v", 5), NULL, "x9@5:v");
    CHECK_EDIT("a1@1000:old b1@7:older", set("v", 5), "b1", "a1@1000:old x9@5:v");
    CHECK_EDIT("", set("", UINT64_MAX), NULL, "x9@18446744073709551615:");
}

TEST(a_value_over_the_limit_is_refused)
{
    struct op op = set("", 1);
    uint8_t *value = mem_new(NEAP_VALUE_MAX + 1);
    struct editor editor = {.id = 'x'};
    struct text_cell cell;
    struct edit edit;
    struct slice found;
    uint64_t calls;

    CHECK(value);
    text_cell_init(&cell, "a1@1:x");
    edit_init(&edit);
    op.value = slice_of(value, NEAP_VALUE_MAX + 1);
    calls = mem_calls();
    CHECK_ERROR(type_edit(&cell.cell, &op, &editor, &edit), NEAP_LIMIT);
    CHECK_EQUAL(mem_calls(), calls);
    op.value.size--;
    op.stamp = UINT64_MAX;
    CHECK_OK(type_edit(&cell.cell, &op, &editor, &edit));
    cell_clear(&cell.cell);
    CHECK_OK(cell_add(&cell.cell, (struct dot){1, 1}, buffer_slice(&edit.payload)));
    CHECK_OK(type_check_cell(NEAP_LWW, &cell.cell));
    CHECK_OK(lww_value(&cell.cell, &found, NULL));
    CHECK_EQUAL(found.size, NEAP_VALUE_MAX);
    edit_done(&edit);
    text_cell_done(&cell);
    mem_free(value);
}

TEST(the_highest_stamp_wins_then_the_highest_dot)
{
    static const struct {
        const char *cell;
        int error;
        const char *value;
        uint64_t stamp;
    } table[] = {
        {"", NEAP_NOTFOUND, "none", 77}, {"a1@5:x", 0, "x", 5},
        {"a1@5:x b1@4:y", 0, "x", 5},    {"a1@4:x b1@5:y c1@3:z", 0, "y", 5},
        {"a1@5:x b1@5:y", 0, "y", 5},    {"a1@5:x a2@5:y", 0, "y", 5},
        {"a1@0:x", 0, "x", 0},           {"a1@9:x b1=?", NEAP_INVALID, "none", 77},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct slice value = slice_text("none");
        struct text_cell cell;
        uint64_t stamp = 77;

        text_cell_init(&cell, table[i].cell);
        CHECK_ERROR(lww_value(&cell.cell, &value, &stamp), table[i].error);
        CHECK_SLICE(value, table[i].value);
        CHECK_EQUAL(stamp, table[i].stamp);
        text_cell_done(&cell);
    }
}

TEST(a_payload_is_stamp_and_value_and_nothing_else)
{
    static const char *const refused[] = {
        "",           "92 05",        "92 05 c4",      "93 05 c400 00", "92 05 a0",
        "92 ff c400", "92 cc05 c400", "92 05 c400 00", "92 05 c50000",  "92 c0 c400",
        "05"};
    uint8_t bytes[32];
    uint64_t stamp = 77;

    CHECK_OK(lww_payload_stamp(test_unhex("92 05 c401 78", bytes, sizeof bytes), &stamp));
    CHECK_EQUAL(stamp, 5);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct slice payload = test_unhex(refused[i], bytes, sizeof bytes);

        CHECK_ERROR(lww_payload_stamp(payload, &stamp), NEAP_INVALID);
        CHECK_ERROR(type_find(NEAP_LWW)->check(payload), NEAP_INVALID);
    }
    CHECK_ERROR(lww_payload_stamp(test_unhex("92 05 c600100001", bytes, sizeof bytes), &stamp),
                NEAP_LIMIT);
    CHECK_EQUAL(stamp, 5);
}
