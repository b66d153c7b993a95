#include "store/merkle.h"

#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "crdt/path.h"
#include "tests/unit/merkle_cases.h"

static const struct merkle_salt salt = {{{9}}, 4};

/* ---- sums ---- */

TEST(nothing_and_an_empty_cell_count_nothing)
{
    struct table table;
    struct name name;
    struct slice path = path_of(1, &name), empty = slice_text("\x90");
    struct merkle_delta delta = merkle_delta(&table_key, path, slice_of(NULL, 0), empty, true);

    CHECK(digest_equal(delta.sum, (struct digest){0}));
    CHECK_EQUAL(delta.cells, 0);
    CHECK(digest_equal(merkle_cell(&table_key, path, empty), (struct digest){0}));
    CHECK(!digest_equal(merkle_cell(&table_key, path, slice_text("x")), (struct digest){0}));
    CHECK_OK(table_open(&table, 10, true));
    (void)table_set(&table, 3, 1);
    CHECK_EQUAL(table.tree->now.cells, 1);
    CHECK(!digest_equal(merkle_root(table.tree), (struct digest){0}));
    (void)table_set(&table, 3, 0);
    CHECK_EQUAL(table.tree->now.cells, 0);
    CHECK(digest_equal(merkle_root(table.tree), (struct digest){0}));
    table_close(&table);
}

TEST(registers_with_siblings_are_counted)
{
    static const struct {
        const char *cell;
        int siblings;
    } cases[] = {{"", 0}, {"\x90", 0}, {"\x93...", 0}, {"\x96...", 1}, {"\xdc...", 1}};
    uint8_t bytes[2][64] = {{0}};
    struct slice paths[2];
    struct merkle *tree;

    CHECK_OK(merkle_new(&table_key, MERKLE_BITS_MAX, true, &tree));
    for (size_t i = 0; i < 2; i++) {
        struct buffer path = {.data = bytes[i] + 8, .room = 56, .size_max = 56};

        CHECK_OK(path_level(&path, slice_text("key"), i ? NEAP_FLAG : NEAP_REGISTER));
        paths[i] = slice_of(bytes[i], 8 + path.size);
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t j = 0; j < sizeof cases / sizeof *cases; j++) {
            struct slice old = slice_text(cases[i].cell), cell = slice_text(cases[j].cell);
            struct merkle_delta delta = merkle_delta(&table_key, paths[0], old, cell, false);

            CHECK_EQUAL(delta.siblings, cases[j].siblings - cases[i].siblings);
            tree->now.siblings = 1;
            merkle_apply(tree, paths[0], &delta);
            CHECK_EQUAL(tree->now.siblings, (uint64_t)(1 + delta.siblings));
            merkle_undo(tree, &delta);
            CHECK_EQUAL(tree->now.siblings, 1);
            delta = merkle_delta(&table_key, paths[1], old, cell, false);
            CHECK_EQUAL(delta.siblings, 0);
        }
    merkle_free(tree);
}

TEST(a_cell_counts_differently_under_another_path_or_key)
{
    static const struct hash_key other = {{4}};
    struct name a, b;
    struct slice cell = slice_text("cell");
    struct digest sum = merkle_cell(&table_key, path_of(1, &a), cell);

    CHECK(digest_equal(sum, merkle_cell(&table_key, path_of(1, &b), cell)));
    CHECK(!digest_equal(sum, merkle_cell(&table_key, path_of(2, &b), cell)));
    CHECK(!digest_equal(sum, merkle_cell(&other, path_of(1, &b), cell)));
    CHECK(!digest_equal(sum, merkle_cell(&table_key, path_of(1, &b), slice_text("cell2"))));
}

TEST(the_order_of_writes_does_not_matter)
{
    struct table up, down;

    CHECK_OK(table_open(&up, 1000, true));
    CHECK_OK(table_open(&down, 1000, true));
    for (unsigned i = 0; i < 1000; i++) {
        (void)table_set(&up, i, i % 3);
        (void)table_set(&down, 999 - i, 7);
    }
    CHECK(!merkle_same(&up.tree->now, &down.tree->now));
    for (unsigned i = 0; i < 1000; i++)
        (void)table_set(&down, 999 - i, (999 - i) % 3);
    CHECK(merkle_same(&up.tree->now, &down.tree->now));
    check_rebuilt(&up);
    table_close(&up);
    table_close(&down);
}

TEST(every_level_is_the_sum_of_the_one_below)
{
    struct table table;

    CHECK_OK(table_open(&table, 3000, true));
    table_fill(&table, 1);
    CHECK_OK(build_all(&table, table.tree->now.cells));
    CHECK_EQUAL(table.tree->now.bits, 8);
    for (unsigned bits = 0; bits < 8; bits++) {
        for (uint32_t i = 0; i < (uint32_t)1 << bits; i++) {
            struct digest sum = merkle_sum(&table.tree->now, bits + 1, 2 * i);

            digest_add(&sum, merkle_sum(&table.tree->now, bits + 1, 2 * i + 1));
            CHECK(digest_equal(sum, merkle_sum(&table.tree->now, bits, i)));
        }
    }
    table_close(&table);
}

TEST(what_is_undone_leaves_no_trace)
{
    struct table table;
    struct merkle_delta first, second;
    struct digest root;
    uint32_t was;

    CHECK_OK(table_open(&table, 100, true));
    table_fill(&table, 2);
    was = table.versions[5];
    root = merkle_root(table.tree);
    first = table_set(&table, 5, 9);
    second = table_set(&table, 5, 8);
    CHECK(!digest_equal(root, merkle_root(table.tree)));
    table_undo(&table, 5, 9, &second);
    table_undo(&table, 5, was, &first);
    CHECK(digest_equal(root, merkle_root(table.tree)));
    table_close(&table);
}

/* ---- builds ---- */

TEST(a_tree_is_what_a_build_makes_after_any_history)
{
    uint64_t seeds = test_number("SEEDS", 10);

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct table table;
        struct rng rng;

        rng_init(&rng, seed);
        CHECK_OK(table_open(&table, 2000, seed % 2 == 0));
        for (unsigned i = 0; i < 6000; i++) {
            unsigned number = (unsigned)rng_below(&rng, table.count);
            uint32_t was = table.versions[number];
            struct merkle_delta delta =
                table_set(&table, number, (uint32_t)rng_below(&rng, i < 3000 ? 5 : 2));

            if (table.tree->build && rng_chance(&rng, 30))
                (void)build_step(&table, (unsigned)rng_below(&rng, 20));
            if (rng_chance(&rng, 5))
                table_undo(&table, number, was, &delta);
            if (merkle_wants_build(table.tree) && rng_chance(&rng, 1))
                CHECK_OK(merkle_build_begin(table.tree, table.tree->now.cells));
        }
        while (table.tree->build && build_step(&table, 100))
            ;
        if (!table.tree->ready)
            CHECK_OK(build_all(&table, 0));
        check_rebuilt(&table);
        table_close(&table);
    }
}

TEST(a_tree_that_is_full_grows_while_it_serves)
{
    struct table table;
    struct digest root;

    CHECK_OK(table_open(&table, 1000, true));
    for (unsigned i = 0; i < 513; i++) {
        CHECK(!merkle_wants_build(table.tree));
        (void)table_set(&table, i, 1);
    }
    CHECK(merkle_wants_build(table.tree));
    CHECK_OK(merkle_build_begin(table.tree, table.tree->now.cells));
    CHECK(!merkle_wants_build(table.tree));
    CHECK(build_step(&table, 100));
    (void)table_set(&table, 50, 2); /* behind the cursor */
    (void)table_set(&table, 51, 0);
    (void)table_set(&table, 400, 2); /* before it */
    (void)table_set(&table, 401, 0);
    root = merkle_root(table.tree);
    CHECK_EQUAL(table.tree->now.bits, 4);
    CHECK(!build_step(&table, 1000));
    CHECK_EQUAL(table.tree->now.bits, 6);
    CHECK_EQUAL(table.tree->now.cells, 511);
    CHECK(digest_equal(root, merkle_root(table.tree)));
    check_rebuilt(&table);
    table_close(&table);
}

TEST(a_tree_that_is_sparse_is_folded)
{
    struct table table;
    struct digest root;

    CHECK_OK(table_open(&table, 5000, true));
    for (unsigned i = 0; i < 5000; i++)
        (void)table_set(&table, i, 1);
    CHECK_OK(build_all(&table, 5000));
    CHECK_EQUAL(table.tree->now.bits, 8);
    for (unsigned i = 0; i < 4600; i++)
        (void)table_set(&table, i, 0);
    root = merkle_root(table.tree);
    merkle_fold(table.tree);
    CHECK_EQUAL(table.tree->now.bits, 6);
    CHECK(digest_equal(root, merkle_root(table.tree)));
    check_rebuilt(&table);
    merkle_clear(table.tree);
    CHECK_EQUAL(table.tree->now.bits, 4);
    CHECK(digest_equal(merkle_root(table.tree), (struct digest){0}));
    table_close(&table);
}

/* 4096 leaves are full at 131,072 cells: then it begins again with as many as are allowed. */
TEST(a_build_of_more_than_was_thought_begins_again)
{
    struct table table;
    unsigned passes = 0;

    CHECK_OK(table_open(&table, 4000, false));
    for (unsigned i = 0; i < 4000; i++)
        table.versions[i] = i + 1;
    CHECK_OK(merkle_build_begin(table.tree, 100)); /* 16 leaves for 512 */
    while (build_step(&table, UINT32_MAX))
        passes++;
    CHECK_EQUAL(passes, 1);
    CHECK_EQUAL(table.tree->now.cells, 4000);
    CHECK_EQUAL(table.tree->now.bits, 8);
    check_rebuilt(&table);
    table_close(&table);
}

TEST(a_build_goes_on_when_what_it_has_seen_is_undone)
{
    struct table table;
    struct merkle_delta delta;

    CHECK_OK(table_open(&table, 100, false));
    for (unsigned i = 0; i < 50; i++)
        table.versions[i] = 1;
    CHECK_OK(merkle_build_begin(table.tree, 50));
    CHECK(build_step(&table, 10));
    delta = table_set(&table, 30, 2); /* before the cursor: the pass sees it */
    CHECK(build_step(&table, 30));
    table_undo(&table, 30, 1, &delta);
    CHECK(!build_step(&table, 100));
    check_rebuilt(&table);
    table_close(&table);
}

/* ---- comparing ---- */

/* Descends by 4 bits at a time to where one of the trees ends; the leaves that differ. */
static size_t descend(const struct merkle *mine, const struct merkle *theirs, uint32_t *ret_index,
                      unsigned *ret_bits, size_t *ret_digests)
{
    static uint64_t listed[MERKLE_LIST_MAX];
    static uint32_t found[MERKLE_LIST_MAX];
    unsigned bits_max = mine->now.bits < theirs->now.bits ? mine->now.bits : theirs->now.bits;
    struct merkle_nodes nodes = {.bits = 0, .index = ret_index, .count = 1};

    ret_index[0] = 0;
    *ret_digests = 0;
    while (nodes.bits < bits_max && nodes.count > 0) {
        unsigned below = bits_max - nodes.bits < 4 ? bits_max - nodes.bits : 4;

        CHECK_OK(merkle_list(theirs, &salt, &nodes, below, listed));
        *ret_digests += nodes.count << below;
        CHECK_OK(merkle_differing(mine, &salt, &nodes, below, listed, found, &nodes.count));
        memcpy(ret_index, found, nodes.count * sizeof *found);
        nodes.bits += below;
    }
    *ret_bits = nodes.bits;
    return nodes.count;
}

TEST(one_flipped_value_is_found_by_descent)
{
    static uint32_t found[MERKLE_LIST_MAX];
    struct table a, b;
    struct name name;
    unsigned bits;
    size_t digests;

    CHECK_OK(table_open(&a, CELLS_MAX, true));
    CHECK_OK(table_open(&b, CELLS_MAX, true));
    for (unsigned i = 0; i < CELLS_MAX; i++) {
        (void)table_set(&a, i, 1);
        (void)table_set(&b, i, 1);
    }
    CHECK_OK(build_all(&a, CELLS_MAX));
    CHECK_OK(build_all(&b, CELLS_MAX));
    CHECK_EQUAL(a.tree->now.bits, 12);
    CHECK_EQUAL(descend(a.tree, b.tree, found, &bits, &digests), 0);
    CHECK_EQUAL(digests, 16); /* only as descend() asks before it looks at the root */
    (void)table_set(&b, 12345, 2);
    CHECK_EQUAL(descend(a.tree, b.tree, found, &bits, &digests), 1);
    CHECK_EQUAL(bits, 12);
    CHECK_EQUAL(digests, 3 * 16);
    {
        const struct merkle_nodes nodes = {.bits = bits, .index = found, .count = 1};
        unsigned candidates = 0;

        for (unsigned i = 0; i < CELLS_MAX; i++)
            candidates += merkle_has(&nodes, merkle_place(&table_key, path_of(i, &name)));
        CHECK(merkle_has(&nodes, merkle_place(&table_key, path_of(12345, &name))));
        CHECK(candidates < 40); /* 10 is the mean */
    }
    table_close(&a);
    table_close(&b);
}

TEST(trees_of_different_size_compare_at_what_both_have)
{
    static uint32_t found[MERKLE_LIST_MAX];
    struct table a, b;
    unsigned bits;
    size_t digests;
    uint64_t digest;

    CHECK_OK(table_open(&a, 3000, true));
    CHECK_OK(table_open(&b, 3000, true));
    for (unsigned i = 0; i < 3000; i++) {
        (void)table_set(&a, i, 1);
        (void)table_set(&b, i, 1);
    }
    CHECK_OK(build_all(&a, 3000));
    CHECK(a.tree->now.bits > b.tree->now.bits);
    CHECK(merkle_same(&a.tree->now, &b.tree->now));
    CHECK(digest_equal(merkle_root(a.tree), merkle_root(b.tree)));
    (void)table_set(&a, 77, 2);
    CHECK(!merkle_same(&a.tree->now, &b.tree->now));
    CHECK_EQUAL(descend(a.tree, b.tree, found, &bits, &digests), 1);
    CHECK_EQUAL(bits, 4);
    CHECK_ERROR(merkle_list(b.tree, &salt, &(struct merkle_nodes){4, found, 1}, 1, &digest),
                NEAP_STALE);
    table_close(&a);
    table_close(&b);
}

TEST(what_a_peer_asks_for_is_checked)
{
    static const uint32_t zero[] = {0}, outside[] = {16}, twice[] = {3, 3}, wrong[] = {5, 4};
    static uint32_t all[16], found[1];
    static uint64_t room[MERKLE_LIST_MAX];
    struct table table;
    size_t count = 99;

    for (uint32_t i = 0; i < 16; i++)
        all[i] = i;
    CHECK_OK(table_open(&table, 10, true));
#define LIST(...) merkle_list(table.tree, &salt, &(struct merkle_nodes){__VA_ARGS__}, 0, room)
    CHECK_OK(LIST(4, all, 16));
    CHECK_OK(LIST(0, zero, 1));
    CHECK_OK(LIST(4, NULL, 0));
    CHECK_ERROR(LIST(4, outside, 1), NEAP_INVALID);
    CHECK_ERROR(LIST(4, twice, 2), NEAP_INVALID);
    CHECK_ERROR(LIST(4, wrong, 2), NEAP_INVALID);
    CHECK_ERROR(LIST(5, zero, 1), NEAP_STALE);
    CHECK_ERROR(LIST(40, zero, 1), NEAP_INVALID);
    CHECK_ERROR(LIST(4, all, MERKLE_LIST_MAX + 1), NEAP_LIMIT);
#undef LIST
    CHECK_ERROR(merkle_list(table.tree, &salt, &(struct merkle_nodes){4, all, 16}, 10, room),
                NEAP_LIMIT);
    CHECK_ERROR(merkle_list(table.tree, &salt, &(struct merkle_nodes){4, all, 1}, UINT32_MAX, room),
                NEAP_INVALID);
    CHECK_ERROR(merkle_differing(table.tree, &salt, &(struct merkle_nodes){4, outside, 1}, 0, room,
                                 found, &count),
                NEAP_INVALID);
    CHECK_EQUAL(count, 99);
    table_close(&table);
}

TEST(a_digest_travels_under_the_salt_of_its_session)
{
    static const struct merkle_salt other = {{{8}}, 4}, wide = {{{9}}, 8};
    const struct digest digest = {1, 2};

    CHECK_EQUAL(merkle_short(&salt, digest), merkle_short(&salt, digest));
    CHECK(merkle_short(&salt, digest) != merkle_short(&other, digest));
    CHECK(merkle_short(&salt, (struct digest){2, 1}) != merkle_short(&salt, digest));
    CHECK(merkle_short(&salt, digest) <= UINT32_MAX);
    CHECK_EQUAL(merkle_short(&wide, digest) >> 32, merkle_short(&salt, digest));
}

/* ---- cells with residues ---- */

TEST(what_is_unsettled_never_compares_equal)
{
    static uint32_t found[MERKLE_LIST_MAX];
    struct table a, b;
    struct merkle_delta delta;
    struct name name;
    struct slice path = path_of(7, &name);
    unsigned bits;
    size_t digests;

    CHECK_OK(table_open(&a, 1000, true));
    CHECK_OK(table_open(&b, 1000, true));
    delta = merkle_delta(&table_key, path, slice_of(NULL, 0), slice_of(NULL, 0), true);
    merkle_apply(b.tree, path, &delta);
    CHECK(digest_equal(merkle_root(a.tree), merkle_root(b.tree))); /* a residue is local */
    CHECK_EQUAL(descend(a.tree, b.tree, found, &bits, &digests), 1);
    CHECK_EQUAL(found[0], merkle_place(&table_key, path) >> 60);
    CHECK_EQUAL(descend(b.tree, a.tree, found, &bits, &digests), 0); /* it is b that has to tell */
    merkle_undo(b.tree, &delta);
    CHECK(merkle_is_marked(&b.tree->now, 0, 0)); /* may be unsettled: that is all it says */
    merkle_settle(b.tree);
    CHECK_EQUAL(descend(a.tree, b.tree, found, &bits, &digests), 0);
    table_close(&a);
    table_close(&b);
}

TEST(marks_go_through_builds_and_folds)
{
    struct table table;
    struct name name, cell;

    CHECK_OK(table_open(&table, 3000, false));
    CHECK_OK(merkle_build_begin(table.tree, 3000));
    for (unsigned i = 0; i < 100; i++)
        CHECK(merkle_build_add(table.tree, path_of(i, &name), cell_of(1, &cell), i == 42));
    CHECK_EQUAL(merkle_built(table.tree)->bits, 8);
    merkle_build_end(table.tree);
    CHECK_EQUAL(table.tree->now.bits, 4);
    for (uint32_t i = 0; i < 16; i++)
        CHECK_EQUAL(merkle_is_marked(&table.tree->now, 4, i),
                    i == merkle_place(&table_key, path_of(42, &name)) >> 60);
    CHECK(merkle_is_marked(&table.tree->now, 0, 0));
    CHECK_OK(merkle_build_begin(table.tree, 0));
    merkle_settle(table.tree);
    CHECK(!merkle_is_marked(&table.tree->now, 0, 0));
    table_close(&table);
}

/* ---- cost and memory ---- */

/* 40 of 40,000 cells; 4 bytes a digest. With 4,096 leaves of 10 cells, 3 questions. */
TEST(a_descent_costs_what_differs)
{
    static uint32_t found[MERKLE_LIST_MAX];
    struct table a, b;
    unsigned bits;
    size_t digests, count;

    CHECK_OK(table_open(&a, CELLS_MAX, true));
    CHECK_OK(table_open(&b, CELLS_MAX, true));
    for (unsigned i = 0; i < CELLS_MAX; i++) {
        (void)table_set(&a, i, 1);
        (void)table_set(&b, i, i % 1000 == 0 ? 2 : 1);
    }
    CHECK_OK(build_all(&a, CELLS_MAX));
    CHECK_OK(build_all(&b, CELLS_MAX));
    count = descend(a.tree, b.tree, found, &bits, &digests);
    CHECK(count >= 38 && count <= 40);
    CHECK(digests <= 16 + 16 * 16 + 40 * 16);
    table_close(&a);
    table_close(&b);
}

TEST(a_write_takes_no_memory)
{
    struct table table;
    uint64_t calls;

    CHECK_OK(table_open(&table, 1000, true));
    CHECK_OK(merkle_build_begin(table.tree, 1000));
    CHECK(build_step(&table, 1000) == false);
    CHECK_OK(merkle_build_begin(table.tree, 1000));
    calls = mem_calls();
    table_fill(&table, 7);
    CHECK_EQUAL(mem_calls(), calls);
    table_close(&table);
}

TEST(without_memory_leaves_are_fuller_and_that_is_all)
{
    struct table table;

    CHECK_OK(table_open(&table, 2000, false));
    for (unsigned i = 0; i < 2000; i++)
        table.versions[i] = 1;
    CHECK_OK(merkle_build_begin(table.tree, 100));
    mem_fail_at(1, 1);
    CHECK(!build_step(&table, UINT32_MAX));
    CHECK_EQUAL(table.tree->now.bits, 4);
    CHECK(merkle_wants_build(table.tree));
    mem_fail_at(0, 0);
    check_rebuilt(&table);
    CHECK_OK(build_all(&table, 2000));
    for (unsigned i = 1; i < 2000; i++)
        (void)table_set(&table, i, 0);
    mem_fail_at(1, 1);
    merkle_fold(table.tree);
    mem_fail_at(0, 0);
    CHECK_EQUAL(table.tree->now.bits, 8);
    check_rebuilt(&table);
    table_close(&table);
}

/* ---- watches ---- */

TEST(who_watches_knows_what_every_sum_was)
{
    struct digest before[16], sum;
    struct merkle_watch watch, other;
    struct table table;
    struct merkle_delta delta;
    struct name name;
    bool any;

    CHECK_OK(table_open(&table, 300, true));
    table_fill(&table, 3);
    for (uint32_t i = 0; i < 16; i++)
        before[i] = merkle_sum(&table.tree->now, 4, i);
    merkle_watch(table.tree, &watch);
    merkle_watch(table.tree, &other);
    table_fill(&table, 4);
    merkle_unwatch(&other); /* the later one ends first, and then the earlier one goes on */
    for (unsigned i = 0; i < 100; i++)
        (void)table_set(&table, i, i % 3);
    delta = table_set(&table, 7, 9);
    table_undo(&table, 7, 7 % 3, &delta);
    CHECK_OK(build_all(&table, 300)); /* no change of a cell */
    merkle_unwatch(&watch);
    merkle_unwatch(&watch); /* once more is fine */
    (void)table_set(&table, 5, 77);
    (void)table_set(&table, 5, 5 % 3);
    for (uint32_t i = 0; i < 16; i++) {
        sum = merkle_sum(&table.tree->now, 4, i);
        for (unsigned number = 0; number < 300; number++) {
            uint64_t place = merkle_place(&table_key, path_of(number, &name));

            if (place >> 60 == i)
                digest_subtract(&sum, merkle_watched(&watch, place, &any));
        }
        CHECK(digest_equal(sum, before[i]));
    }
    CHECK(!watch.lost && watch.count > other.count);
    (void)merkle_watched(&watch, 12345, &any);
    CHECK(!any);
    merkle_watch_done(&watch);
    merkle_watch_done(&other);
    table_close(&table);
}

TEST(a_watch_has_a_bound_and_ends_with_its_tree)
{
    struct merkle_watch watch, starved, cleared, freed;
    struct table table;

    CHECK_OK(table_open(&table, 10, true));
    merkle_watch(table.tree, &watch);
    for (unsigned i = 0; i < MERKLE_WATCH_MAX; i++)
        (void)table_set(&table, i % 10, i + 1);
    CHECK(!watch.lost);
    (void)table_set(&table, 1, 0);
    CHECK(watch.lost);
    merkle_watch_done(&watch);
    merkle_watch(table.tree, &starved);
    mem_fail_at(1, 1);
    (void)table_set(&table, 1, 1);
    mem_fail_at(0, 0);
    CHECK(starved.lost);
    merkle_watch_done(&starved);
    merkle_watch(table.tree, &cleared);
    merkle_clear(table.tree);
    CHECK(cleared.lost && !cleared.tree && !table.tree->watch);
    merkle_watch(table.tree, &freed);
    table_close(&table);
    CHECK(freed.lost && !freed.tree);
    merkle_watch_done(&cleared);
    merkle_watch_done(&freed);
}
