#include "crdt/cell.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/support/cells.h"

TEST(a_cell_keeps_its_dots_in_order)
{
    static const uint64_t order[] = {5, 1, 9, 3, 7, 2, 8, 4, 6};
    struct cell cell;

    cell_init(&cell);
    for (size_t i = 0; i < 9; i++)
        CHECK_OK(cell_add(&cell, (struct dot){order[i] % 3, order[i]}, slice_text("old")));
    CHECK_EQUAL(cell.count, 9);
    for (size_t i = 1; i < 9; i++)
        CHECK(dot_compare(cell.entries[i - 1].dot, cell.entries[i].dot) < 0);
    CHECK_OK(cell_add(&cell, (struct dot){0, 9}, slice_text("new")));
    CHECK_EQUAL(cell.count, 9);
    CHECK_SLICE(cell_find(&cell, (struct dot){0, 9})->payload, "new");
    CHECK_SLICE(cell_find(&cell, (struct dot){1, 7})->payload, "old");
    CHECK(!cell_find(&cell, (struct dot){1, 8}));
    CHECK_ERROR(cell_add(&cell, (struct dot){1, 0}, slice_text("")), NEAP_INVALID);
    cell_clear(&cell);
    CHECK_EQUAL(cell.count, 0);
    cell_done(&cell);
    cell_done(&cell);
}

TEST(a_zeroed_cell_is_an_empty_one)
{
    struct cell cell = {0};

    CHECK(!cell_find(&cell, (struct dot){1, 1}));
    CHECK_OK(cell_add(&cell, (struct dot){1, 1}, slice_text("x")));
    CHECK_EQUAL(cell.count, 1);
    cell_done(&cell);
    cell = (struct cell){0};
    cell_done(&cell);
}

TEST(a_cell_has_a_limit_of_dots)
{
    struct cell cell;

    cell_init(&cell);
    for (uint64_t n = 1; n <= CELL_DOTS_MAX; n++)
        CHECK_OK(cell_add(&cell, (struct dot){1, n}, slice_of("", 0)));
    CHECK_ERROR(cell_add(&cell, (struct dot){2, 1}, slice_of("", 0)), NEAP_LIMIT);
    CHECK_OK(cell_add(&cell, (struct dot){1, 1}, slice_of("x", 1)));
    CHECK_EQUAL(cell.count, CELL_DOTS_MAX);
    cell_done(&cell);
}

TEST(small_cells_take_no_memory)
{
    struct context context_a = {0}, context_b = {0};
    struct knowledge know_a = {&context_a, NULL}, know_b = {&context_b, NULL};
    struct text_cell a, b;
    struct cell merged, decoded;
    struct buffer bytes;
    uint64_t calls;

    text_cell_init(&a, "a1=x b1=y c1=z");
    text_cell_init(&b, "a1=x b1=y c2=q");
    context_parse("a1 b1 c1", &context_a);
    context_parse("a1 b1 c2", &context_b);
    buffer_init(&bytes, 1000);
    CHECK_OK(cell_encode(&a.cell, &bytes));
    cell_init(&merged);
    cell_init(&decoded);
    calls = mem_calls();
    CHECK_OK(cell_merge(&a.cell, &know_a, &b.cell, &know_b, &merged, NULL));
    CHECK_OK(cell_decode(buffer_slice(&bytes), &decoded));
    CHECK_EQUAL(mem_calls(), calls);
    CHECK_CELL(&merged, "a1=x b1=y c2=q");
    CHECK_CELL(&decoded, "a1=x b1=y c1=z");
    CHECK(cell_same_dots(&decoded, &a.cell));
    CHECK(!cell_same_dots(&decoded, &merged));
    buffer_done(&bytes);
    text_cell_done(&a);
    text_cell_done(&b);
    context_done(&context_a);
    context_done(&context_b);
}

TEST(a_cell_has_one_encoding)
{
    struct text_cell cell;
    struct cell decoded;
    struct buffer bytes;

    buffer_init(&bytes, 1000);
    CHECK_OK(buffer_append_u8(&bytes, 0xaa));
    text_cell_init(&cell, "b300=hi a1");
    CHECK_OK(cell_encode(&cell.cell, &bytes));
    CHECK_HEX(buffer_slice(&bytes), "aa 96 61 01 c400 62 cd012c c402 6869");
    cell_init(&decoded);
    CHECK_OK(cell_decode(slice_of(bytes.data + 1, bytes.size - 1), &decoded));
    CHECK_CELL(&decoded, "a1 b300=hi");
    buffer_clear(&bytes);
    cell_clear(&decoded);
    CHECK_OK(cell_encode(&decoded, &bytes));
    CHECK_HEX(buffer_slice(&bytes), "90");
    CHECK_OK(cell_decode(buffer_slice(&bytes), &cell.cell));
    CHECK_EQUAL(cell.cell.count, 0);
    text_cell_done(&cell);
    buffer_done(&bytes);
}

TEST(the_encoded_size_is_known_before)
{
    static const uint64_t numbers[] = {1,     127,        128,         255,        256,       65535,
                                       65536, UINT32_MAX, 4294967296u, UINT64_MAX, INT64_MAX, 300};
    static const size_t sizes[] = {0, 1, 255, 256, 65535, 65536};
    static uint8_t payload[65536];
    struct cell cell, decoded;
    struct buffer bytes, again;

    cell_init(&cell);
    cell_init(&decoded);
    buffer_init(&bytes, CELL_SIZE_MAX);
    buffer_init(&again, CELL_SIZE_MAX);
    for (size_t i = 0; i < 12; i++) {
        struct slice value = slice_of(payload, sizes[i % 6]);

        buffer_clear(&bytes);
        buffer_clear(&again);
        CHECK_OK(cell_add(&cell, (struct dot){numbers[i], numbers[11 - i]}, value));
        CHECK_OK(cell_encode(&cell, &bytes));
        CHECK_EQUAL(cell_encoded_size(&cell), bytes.size);
        CHECK_OK(cell_decode(buffer_slice(&bytes), &decoded));
        CHECK_OK(cell_encode(&decoded, &again));
        CHECK_BYTES(buffer_slice(&again), buffer_slice(&bytes));
    }
    cell_done(&cell);
    cell_done(&decoded);
    buffer_done(&bytes);
    buffer_done(&again);
}

TEST(a_cell_that_is_not_canonical_is_refused)
{
    static const struct {
        const char *hex;
        int error;
    } table[] = {
        {"", NEAP_INVALID},
        {"c0", NEAP_INVALID},
        {"93 01 00 c400", NEAP_INVALID},            /* counts start at 1 */
        {"96 01 01 c400 01 01 c400", NEAP_INVALID}, /* a dot twice */
        {"96 01 02 c400 01 01 c400", NEAP_INVALID}, /* unsorted */
        {"96 02 01 c400 01 01 c400", NEAP_INVALID}, /* unsorted */
        {"92 01 01", NEAP_INVALID},                 /* no payload */
        {"93 01 01 c4", NEAP_INVALID},              /* cut */
        {"93 01 01 c402 00", NEAP_INVALID},         /* cut */
        {"93 01 01 c400 00", NEAP_INVALID},         /* more than a cell */
        {"93 01 01 a0", NEAP_INVALID},              /* text */
        {"93 01 01 c0", NEAP_INVALID},              /* nil */
        {"93 cc01 01 c400", NEAP_INVALID},          /* not the shortest form */
        {"dc0003 01 01 c400", NEAP_INVALID},        /* not the shortest form */
        {"93 01 01 c50000", NEAP_INVALID},          /* not the shortest form */
        {"dc 3003 01 01 c400", NEAP_LIMIT},         /* 4097 dots */
        {"dd ffffffff 01 01 c400", NEAP_LIMIT},     /* more than there is memory */
        {"93 01 01 c6 00100021", NEAP_LIMIT},       /* a payload over 1 MiB and 32 bytes */
        {"dc 3000 01 01 c400", NEAP_INVALID},       /* 4096 dots in 4 bytes */
    };
    struct text_cell cell;

    text_cell_init(&cell, "a1=x a2 a3 a4=y");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint8_t bytes[64];
        struct slice packed = test_unhex(table[i].hex, bytes, sizeof bytes);
        uint64_t calls = mem_calls();

        CHECK_ERROR(cell_decode(packed, &cell.cell), table[i].error);
        CHECK_EQUAL(mem_calls(), calls); /* limits come before memory */
        CHECK_CELL(&cell.cell, "a1=x a2 a3 a4=y");
    }
    CHECK_ERROR(cell_decode(slice_of("", CELL_SIZE_MAX + 1), &cell.cell), NEAP_LIMIT);
    text_cell_done(&cell);
}

TEST(a_cell_too_large_to_be_sent_is_not_encoded)
{
    uint8_t *value = mem_new(1 << 20);
    struct buffer bytes;
    struct cell cell;

    CHECK(value);
    cell_init(&cell);
    buffer_init(&bytes, 64 << 20);
    for (uint64_t n = 1; n <= 15; n++)
        CHECK_OK(cell_add(&cell, (struct dot){1, n}, slice_of(value, 1 << 20)));
    CHECK_ERROR(cell_encode(&cell, &bytes), NEAP_LIMIT);
    CHECK_EQUAL(bytes.size, 0);
    CHECK_EQUAL(bytes.room, 0);
    buffer_init(&bytes, 10);
    cell.count = 1;
    CHECK_ERROR(cell_encode(&cell, &bytes), NEAP_LIMIT);
    CHECK_EQUAL(bytes.size, 0);
    cell_done(&cell);
    buffer_done(&bytes);
    mem_free(value);
}

/* Rule 3, case by case. Knowledge is "context|residue". */
static const struct merge_case {
    const char *why, *a, *know_a, *b, *know_b, *merged;
    unsigned healed; /* in a */
} merge_cases[] = {
    {"nothing", "", "", "", "", "", 0},
    {"both have it", "a1=x", "a1", "a1=x", "a1", "a1=x", 0},
    {"b has not heard of it", "a1=x", "a1", "", "", "a1=x", 0},
    {"a has not heard of it", "", "", "b1=y", "b1", "b1=y", 0},
    {"both are new to the other", "a1=x", "a1", "b1=y", "b1", "a1=x b1=y", 0},
    {"b removed it", "a1=x", "a1", "", "a1 b1", "", 0},
    {"a removed it", "", "a1 b1", "a1=x", "a1", "", 0},
    {"b replaced it", "a1=x", "a1", "b1=y", "a1 b1", "b1=y", 0},
    {"b replaced it and a wrote meanwhile", "a1=x a2=z", "a2", "b1=y", "a1 b1", "a2=z b1=y", 0},
    {"b lost it: it knows nothing more", "a1=x", "a1", "", "a1", "a1=x", 0},
    {"b lost it: it knows even less", "a1=x", "a2", "", "a1", "a1=x", 0},
    {"a lost it and takes it back", "", "a1", "a1=x", "a1", "a1=x", 1},
    {"a lost two", "a2=y", "a3", "a1=x a2=y a3=z", "a3 b1", "a1=x a2=y a3=z", 2},
    {"both lost one", "a1=x", "a2", "a2=y", "a2", "a1=x a2=y", 1},
    {"residue tells of a removal", "a1=x", "a1", "", "|a1 b1", "", 0},
    {"residue of a tells", "", "a1|b1", "a1=x", "a1", "", 0},
    {"residue that is no more than the other's", "", "a1|b1", "a1=x", "a1 b1", "a1=x", 1},
    {"residue beyond in another id only", "", "a1|c9", "a1=x", "a1 b1", "", 0},
    {"many", "a1 a2 a3 b1 c1", "a3 b1 c1", "a2 b2 c2 d1", "a2 b2 c2 d1", "a2 a3 b2 c2 d1", 0},
};

static void knowledge_parse(const char *text, struct context parts[2])
{
    char copy[64];
    char *bar;

    memcpy(copy, text, strlen(text) + 1);
    bar = strchr(copy, '|');
    if (bar)
        *bar = 0;
    context_parse(copy, &parts[0]);
    context_parse(bar ? bar + 1 : "", &parts[1]);
}

TEST(cells_merge_by_what_each_side_knows)
{
    struct context know[4] = {{0}};
    struct knowledge know_a = {&know[0], &know[1]}, know_b = {&know[2], &know[3]};
    struct cell merged;

    cell_init(&merged);
    for (size_t i = 0; i < sizeof merge_cases / sizeof *merge_cases; i++) {
        const struct merge_case *test = &merge_cases[i];
        unsigned healed = 99;
        struct text_cell a, b;

        text_cell_init(&a, test->a);
        text_cell_init(&b, test->b);
        knowledge_parse(test->know_a, &know[0]);
        knowledge_parse(test->know_b, &know[2]);
        CHECK_OK(cell_merge(&a.cell, &know_a, &b.cell, &know_b, &merged, &healed));
        test_cell_is(&merged, test->merged, test->why, __FILE__, __LINE__);
        test_equal(healed, test->healed, test->why, __FILE__, __LINE__);
        CHECK_OK(cell_merge(&b.cell, &know_b, &a.cell, &know_a, &merged, NULL));
        test_cell_is(&merged, test->merged, test->why, __FILE__, __LINE__);
        text_cell_done(&a);
        text_cell_done(&b);
    }
    cell_done(&merged);
    for (size_t i = 0; i < 4; i++)
        context_done(&know[i]);
}

TEST(one_dot_with_two_payloads_merges_alike_on_both_sides)
{
    struct context context = {0};
    struct knowledge know = {&context, NULL};
    struct text_cell a, b;
    struct cell merged;

    context_parse("a1", &context);
    text_cell_init(&a, "a1=damaged");
    text_cell_init(&b, "a1=written");
    cell_init(&merged);
    CHECK_OK(cell_merge(&a.cell, &know, &b.cell, &know, &merged, NULL));
    CHECK_CELL(&merged, "a1=written");
    CHECK_OK(cell_merge(&b.cell, &know, &a.cell, &know, &merged, NULL));
    CHECK_CELL(&merged, "a1=written");
    text_cell_done(&a);
    text_cell_done(&b);
    context_done(&context);
}

TEST(a_merge_over_the_limit_changes_nothing)
{
    struct context context_a = {0}, context_b = {0};
    struct knowledge know_a = {&context_a, NULL}, know_b = {&context_b, NULL};
    struct cell a, b, merged;

    cell_init(&a);
    cell_init(&b);
    cell_init(&merged);
    for (uint64_t n = 1; n <= CELL_DOTS_MAX; n++)
        CHECK_OK(cell_add(&a, (struct dot){1, n}, slice_of("", 0)));
    CHECK_OK(context_raise(&context_a, 1, CELL_DOTS_MAX, 0));
    CHECK_OK(cell_add(&b, (struct dot){2, 1}, slice_of("", 0)));
    CHECK_OK(context_raise(&context_b, 2, 1, 0));
    CHECK_OK(cell_add(&merged, (struct dot){'a', 1}, slice_of("x", 1)));
    CHECK_ERROR(cell_merge(&a, &know_a, &b, &know_b, &merged, NULL), NEAP_LIMIT);
    CHECK_CELL(&merged, "a1=x");
    CHECK_OK(context_raise(&context_b, 1, 1, 0)); /* has removed one of them */
    CHECK_OK(cell_merge(&a, &know_a, &b, &know_b, &merged, NULL));
    CHECK_EQUAL(merged.count, CELL_DOTS_MAX);
    cell_done(&a);
    cell_done(&b);
    cell_done(&merged);
    context_done(&context_a);
    context_done(&context_b);
}

/* Whatever fails for want of memory has changed nothing. */
static int use_cells(void *argument)
{
    struct knowledge know_a = {argument, NULL}, know_b = {NULL, NULL};
    struct cell b, merged, decoded;
    struct buffer bytes;
    int error;

    cell_init(&b);
    cell_init(&merged);
    cell_init(&decoded);
    buffer_init(&bytes, 1000);
    error = cell_add(&merged, (struct dot){'m', 1}, slice_of("x", 1));
    for (uint64_t n = 1; n <= 5 && !error; n++) {
        error = cell_add(&b, (struct dot){'b', n}, slice_of("", 0));
        CHECK_EQUAL(b.count, error ? n - 1 : n);
    }
    if (!error) {
        error = cell_merge(&merged, &know_a, &b, &know_b, &decoded, NULL);
        CHECK_EQUAL(decoded.count, error ? 0 : 6);
    }
    if (!error) {
        error = cell_encode(&b, &bytes);
        CHECK_EQUAL(bytes.size > 0, !error);
    }
    if (!error) {
        error = cell_decode(buffer_slice(&bytes), &merged);
        CHECK_EQUAL(merged.count, error ? 1 : 5);
    }
    cell_done(&b);
    cell_done(&merged);
    cell_done(&decoded);
    buffer_done(&bytes);
    return error;
}

TEST(a_cell_survives_failed_allocations)
{
    struct context context = {0};

    context_parse("m1", &context);
    test_alloc_sweep(use_cells, &context);
    context_done(&context);
}
