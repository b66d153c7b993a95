/* Laws that every type keeps: random histories, and what concurrent pairs of operations give.
 *   HISTORIES=100000 tests/laws/laws        more of them
 *   SEED=77 HISTORIES=1 tests/laws/laws     one again */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/laws/history.h"
#include "tests/support/cells.h"

static void check_histories(enum neap_type type)
{
    uint64_t first = test_number("SEED", 1), count = test_number("HISTORIES", 2000);
    char why[HISTORY_WHY_SIZE];

    for (uint64_t seed = first; seed < first + count; seed++) {
        if (!history_run(type, seed, why))
            test_failed(__FILE__, __LINE__, "%s: SEED=%" PRIu64 ": %s", type_find(type)->name, seed,
                        why);
    }
}

TEST(histories_of_registers_hold)
{
    check_histories(NEAP_REGISTER);
}

TEST(histories_of_last_writer_wins_registers_hold)
{
    check_histories(NEAP_LWW);
}

TEST(histories_of_flags_hold)
{
    check_histories(NEAP_FLAG);
}

TEST(histories_of_counters_hold)
{
    check_histories(NEAP_COUNTER);
}

TEST(histories_of_sets_hold)
{
    check_histories(NEAP_SET);
}

TEST(histories_of_max_and_min_hold)
{
    check_histories(NEAP_MAX);
    check_histories(NEAP_MIN);
}

TEST(histories_of_flags_where_off_wins_hold)
{
    check_histories(NEAP_FLAG_DW);
}

TEST(histories_of_exact_counters_hold)
{
    check_histories(NEAP_COUNTER_EXACT);
}

TEST(histories_of_sets_where_removals_win_hold)
{
    check_histories(NEAP_SET_RW);
}

TEST(histories_of_score_sets_hold)
{
    check_histories(NEAP_SCORES);
}

TEST(histories_of_bounded_counters_hold)
{
    check_histories(NEAP_BOUNDED);
}

/* Two replicas, a and b, each with a cell and a context. */
struct pair {
    struct cell cells[2];
    struct context contexts[2];
    struct buffer payloads[16];
    size_t payloads_count;
};

static void pair_init(struct pair *pair)
{
    *pair = (struct pair){0};
    cell_init(&pair->cells[0]);
    cell_init(&pair->cells[1]);
}

static void pair_done(struct pair *pair)
{
    for (size_t i = 0; i < 2; i++) {
        cell_done(&pair->cells[i]);
        context_done(&pair->contexts[i]);
    }
    while (pair->payloads_count > 0)
        buffer_done(&pair->payloads[--pair->payloads_count]);
}

static void pair_edit(struct pair *pair, size_t who, struct op op)
{
    struct editor editor = {.id = who ? 'b' : 'a'};
    struct cell *cell = &pair->cells[who];
    struct buffer *payload = &pair->payloads[pair->payloads_count++];
    struct dot dot = {editor.id, context_get(&pair->contexts[who], editor.id) + 1};
    struct edit edit;

    must(pair->payloads_count <= sizeof pair->payloads / sizeof *pair->payloads);
    edit_init(&edit);
    CHECK_OK(type_edit(cell, &op, &editor, &edit));
    cell_clear(cell);
    for (size_t i = 0; i < edit.kept.count; i++)
        CHECK_OK(cell_add(cell, edit.kept.entries[i].dot, edit.kept.entries[i].payload));
    *payload = edit.payload; /* it moves here */
    edit.payload = (struct buffer){0};
    if (edit.adds)
        CHECK_OK(cell_add(cell, dot, buffer_slice(payload)));
    CHECK_OK(context_raise(&pair->contexts[who], dot.id, dot.n, 0));
    edit_done(&edit);
}

/* Both take what the other has, at the same time. */
static void pair_exchange(struct pair *pair)
{
    struct knowledge know_a = {&pair->contexts[0], NULL}, know_b = {&pair->contexts[1], NULL};
    struct cell merged;

    cell_init(&merged);
    CHECK_OK(cell_merge(&pair->cells[0], &know_a, &pair->cells[1], &know_b, &merged, NULL));
    for (size_t who = 0; who < 2; who++) {
        cell_clear(&pair->cells[who]);
        for (size_t i = 0; i < merged.count; i++)
            CHECK_OK(cell_add(&pair->cells[who], merged.entries[i].dot, merged.entries[i].payload));
        CHECK_OK(context_join(&pair->contexts[who], &pair->contexts[1 - who]));
    }
    cell_done(&merged);
}

/* The value of the cell as text: numbers, values in the order of dots, or "in" and "out". */
static void pair_value(const struct pair *pair, enum neap_type type, char *ret_text, size_t size)
{
    const struct cell *cell = &pair->cells[0];
    struct slice value = {0};
    int64_t number = 0;
    size_t used = 0;

    if (type == NEAP_COUNTER) {
        int error = counter_value(cell, &number);

        snprintf(ret_text, size, error ? "none" : "%" PRId64, number);
    } else if (type == NEAP_LWW) {
        int error = lww_value(cell, &value, NULL);

        snprintf(ret_text, size, "%.*s", (int)value.size, error ? "" : (const char *)value.data);
    } else if (type == NEAP_REGISTER) {
        ret_text[0] = 0;
        for (size_t i = 0; register_value(cell, i, &value) == 0; i++)
            used += (size_t)snprintf(ret_text + used, size - used, i ? " %.*s" : "%.*s",
                                     (int)value.size, (const char *)value.data);
    } else {
        snprintf(ret_text, size, "%s", type_is_live(type, cell) ? "in" : "out");
    }
}

static struct op lww(const char *value, uint64_t stamp)
{
    return (struct op){.kind = OP_LWW_SET, .value = slice_text(value), .stamp = stamp};
}

static struct op set(const char *value)
{
    return (struct op){.kind = OP_REGISTER_SET, .value = slice_text(value)};
}

static struct op add(int64_t number)
{
    return (struct op){.kind = OP_COUNTER_ADD, .number = number};
}

static struct op plain(enum op_kind kind)
{
    return (struct op){.kind = kind};
}

/* After `before` by a, which both have, a does one thing and b another at the same time. */
#define CHECK_PAIR(type, before, by_a, by_b, expected) \
    check_pair(type, before, by_a, by_b, expected, __LINE__)
static void check_pair(enum neap_type type, struct op before, struct op by_a, struct op by_b,
                       const char *expected, int line)
{
    /* Who does which, and so whose dot is higher, makes no difference but for ties. */
    for (size_t a = 0; a < 2; a++) {
        struct pair pair;
        char text[64];

        pair_init(&pair);
        if (before.kind)
            pair_edit(&pair, 0, before);
        pair_exchange(&pair);
        pair_edit(&pair, a, by_a);
        pair_edit(&pair, 1 - a, by_b);
        pair_exchange(&pair);
        pair_value(&pair, type, text, sizeof text);
        if (strcmp(text, expected) != 0)
            test_failed(__FILE__, line, "the pair gives \"%s\", not \"%s\"", text, expected);
        pair_done(&pair);
    }
}

static const struct op nothing = {0};

TEST(an_add_wins_over_a_removal_made_at_the_same_time)
{
    CHECK_PAIR(NEAP_SET, plain(OP_SET_ADD), plain(OP_SET_ADD), plain(OP_SET_REMOVE), "in");
    CHECK_PAIR(NEAP_SET, plain(OP_SET_ADD), plain(OP_SET_ADD), plain(OP_REMOVE), "in");
    CHECK_PAIR(NEAP_SET, nothing, plain(OP_SET_ADD), plain(OP_SET_REMOVE), "in");
    CHECK_PAIR(NEAP_SET, plain(OP_SET_ADD), plain(OP_SET_REMOVE), plain(OP_SET_REMOVE), "out");
    CHECK_PAIR(NEAP_SET, nothing, plain(OP_SET_ADD), plain(OP_SET_ADD), "in");
}

TEST(enabling_wins_over_disabling_at_the_same_time)
{
    CHECK_PAIR(NEAP_FLAG, plain(OP_FLAG_ON), plain(OP_FLAG_ON), plain(OP_FLAG_OFF), "in");
    CHECK_PAIR(NEAP_FLAG, plain(OP_FLAG_ON), plain(OP_FLAG_ON), plain(OP_REMOVE), "in");
    CHECK_PAIR(NEAP_FLAG, plain(OP_FLAG_ON), plain(OP_FLAG_OFF), plain(OP_FLAG_OFF), "out");
}

TEST(increments_made_at_the_same_time_sum)
{
    CHECK_PAIR(NEAP_COUNTER, nothing, add(3), add(4), "7");
    CHECK_PAIR(NEAP_COUNTER, add(10), add(3), add(-4), "9");
}

TEST(an_increment_survives_a_removal_made_at_the_same_time)
{
    CHECK_PAIR(NEAP_COUNTER, nothing, add(3), plain(OP_REMOVE), "3");
    CHECK_PAIR(NEAP_COUNTER, add(10), plain(OP_REMOVE), plain(OP_REMOVE), "none");
}

TEST(an_increment_survives_with_the_running_total_of_its_replica)
{
    struct pair pair;
    int64_t value;

    pair_init(&pair);
    pair_edit(&pair, 0, add(10));
    pair_edit(&pair, 1, add(100));
    pair_exchange(&pair);
    pair_edit(&pair, 0, add(1));
    pair_edit(&pair, 1, plain(OP_REMOVE));
    pair_exchange(&pair);
    CHECK_OK(counter_value(&pair.cells[1], &value));
    CHECK_EQUAL(value, 11);
    pair_done(&pair);
}

TEST(the_stamp_decides_between_writes_made_at_the_same_time)
{
    CHECK_PAIR(NEAP_LWW, nothing, lww("x", 5), lww("y", 6), "y");
    CHECK_PAIR(NEAP_LWW, lww("old", 100), lww("x", 6), lww("y", 5), "x");
    CHECK_PAIR(NEAP_LWW, lww("old", 1), lww("x", 6), plain(OP_REMOVE), "x");
}

TEST(a_write_supersedes_what_it_saw_whatever_the_clock_says)
{
    struct slice value;
    struct pair pair;

    pair_init(&pair);
    pair_edit(&pair, 0, lww("future", UINT64_MAX));
    pair_exchange(&pair);
    pair_edit(&pair, 1, lww("later", 1));
    pair_exchange(&pair);
    CHECK_OK(lww_value(&pair.cells[0], &value, NULL));
    CHECK_SLICE(value, "later");
    pair_done(&pair);
}

TEST(register_writes_made_at_the_same_time_are_siblings)
{
    struct op seen = set("y");
    struct context all = {0};
    struct pair pair;
    char text[64];

    pair_init(&pair);
    pair_edit(&pair, 0, set("p"));
    pair_edit(&pair, 1, set("q"));
    pair_exchange(&pair);
    pair_value(&pair, NEAP_REGISTER, text, sizeof text);
    CHECK_TEXT(text, "p q");
    /* One who has read both resolves them; another writes blindly meanwhile. */
    context_parse("a1 b1", &all);
    seen.seen = &all;
    pair_edit(&pair, 0, seen);
    pair_edit(&pair, 1, set("z"));
    pair_exchange(&pair);
    pair_value(&pair, NEAP_REGISTER, text, sizeof text);
    CHECK_TEXT(text, "y z");
    context_done(&all);
    pair_done(&pair);
}
