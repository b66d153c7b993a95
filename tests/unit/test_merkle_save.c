/* Snapshots of trees, in parts. */
#include "base/alloc.h"
#include "tests/unit/merkle_cases.h"

static int table_save(const struct table *table, uint64_t stamp, size_t part,
                      struct buffer *ret_bytes)
{
    buffer_init(ret_bytes, MERKLE_PART_SIZE);
    return merkle_save(table->tree, stamp, part, ret_bytes);
}

TEST(a_snapshot_brings_back_the_same_tree)
{
    struct table table;
    struct merkle *loaded;
    struct buffer bytes;
    struct name name;
    struct merkle_delta delta;

    CHECK_OK(table_open(&table, CELLS_MAX, true));
    table_fill(&table, 3);
    CHECK_OK(build_all(&table, CELLS_MAX));
    CHECK_EQUAL(merkle_parts(table.tree), 2);
    delta = merkle_delta(&table_key, path_of(9, &name), slice_of(NULL, 0), slice_of(NULL, 0), true);
    merkle_apply(table.tree, path_of(9, &name), &delta);
    table.tree->now.siblings = 4;
    CHECK_OK(merkle_new(&table_key, MERKLE_BITS_MAX, false, &loaded));
    for (size_t part = 0; part < merkle_parts(table.tree); part++) {
        uint64_t stamp = 0;
        int last = part + 1 == merkle_parts(table.tree) ? NEAP_END : 0;

        CHECK(!loaded->ready);
        CHECK_OK(table_save(&table, 5, part, &bytes));
        CHECK_ERROR(merkle_load(loaded, buffer_slice(&bytes), &stamp), last);
        CHECK_EQUAL(stamp, 5);
        buffer_done(&bytes);
    }
    CHECK(loaded->ready);
    CHECK(merkle_same(&loaded->now, &table.tree->now));
    CHECK_EQUAL(loaded->now.bits, table.tree->now.bits);
    CHECK_EQUAL(loaded->now.siblings, 4);
    CHECK(merkle_is_marked(&loaded->now, loaded->now.bits,
                           (uint32_t)(delta.place >> (64 - loaded->now.bits))));
    merkle_free(loaded);
    table_close(&table);
}

static void load_refused(struct slice bytes, const struct hash_key *hash, unsigned bits_max,
                         int expected)
{
    struct merkle *tree;
    uint64_t stamp = 99;

    CHECK_OK(merkle_new(hash, bits_max, false, &tree));
    CHECK_ERROR(merkle_load(tree, bytes, &stamp), expected);
    CHECK(!tree->ready && !tree->build);
    CHECK_EQUAL(stamp, 99);
    merkle_free(tree);
}

TEST(a_damaged_or_foreign_part_is_refused)
{
    static const struct hash_key other = {{4}};
    struct table table;
    struct buffer bytes;

    CHECK_OK(table_open(&table, 1000, true));
    table_fill(&table, 4);
    CHECK_OK(build_all(&table, 1000));
    CHECK_OK(table_save(&table, 1, 0, &bytes));
    for (size_t i = 0; i < bytes.size; i++) {
        bytes.data[i] ^= 0x10;
        if (i != 1) /* the version */
            load_refused(buffer_slice(&bytes), &table_key, MERKLE_BITS_MAX, NEAP_CORRUPT);
        bytes.data[i] ^= 0x10;
    }
    bytes.data[1] ^= 0x10;
    load_refused(buffer_slice(&bytes), &table_key, MERKLE_BITS_MAX, NEAP_FORMAT);
    bytes.data[1] ^= 0x10;
    for (size_t size = 0; size < bytes.size; size++)
        load_refused(slice_of(bytes.data, size), &table_key, MERKLE_BITS_MAX, NEAP_CORRUPT);
    load_refused(buffer_slice(&bytes), &other, MERKLE_BITS_MAX, NEAP_CORRUPT);
    load_refused(buffer_slice(&bytes), &table_key, 4, NEAP_LIMIT);
    buffer_done(&bytes);
    table_close(&table);
}

TEST(parts_of_two_snapshots_do_not_mix)
{
    struct table table;
    struct merkle *loaded;
    struct buffer first, second, stranger;

    CHECK_OK(table_open(&table, CELLS_MAX, true));
    table_fill(&table, 5);
    CHECK_OK(build_all(&table, CELLS_MAX));
    CHECK_OK(table_save(&table, 1, 0, &first));
    CHECK_OK(table_save(&table, 1, 1, &second));
    CHECK_OK(table_save(&table, 2, 1, &stranger));
    CHECK_OK(merkle_new(&table_key, MERKLE_BITS_MAX, false, &loaded));
    CHECK_ERROR(merkle_load(loaded, buffer_slice(&second), NULL), NEAP_CORRUPT);
    CHECK_OK(merkle_load(loaded, buffer_slice(&first), NULL));
    CHECK_ERROR(merkle_load(loaded, buffer_slice(&first), NULL), NEAP_CORRUPT);
    CHECK_OK(merkle_load(loaded, buffer_slice(&first), NULL));
    CHECK_ERROR(merkle_load(loaded, buffer_slice(&stranger), NULL), NEAP_CORRUPT);
    CHECK_OK(merkle_load(loaded, buffer_slice(&first), NULL));
    CHECK_ERROR(merkle_load(loaded, buffer_slice(&second), NULL), NEAP_END);
    CHECK(merkle_same(&loaded->now, &table.tree->now));
    merkle_free(loaded);
    buffer_done(&first);
    buffer_done(&second);
    buffer_done(&stranger);
    table_close(&table);
}

TEST(a_write_ends_a_load_that_is_not_complete)
{
    struct table table;
    struct merkle *loaded;
    struct merkle_delta delta;
    struct buffer bytes;
    struct name name;

    CHECK_OK(table_open(&table, CELLS_MAX, true));
    table_fill(&table, 6);
    CHECK_OK(build_all(&table, CELLS_MAX));
    CHECK_OK(table_save(&table, 1, 0, &bytes));
    CHECK_OK(merkle_new(&table_key, MERKLE_BITS_MAX, false, &loaded));
    CHECK_OK(merkle_load(loaded, buffer_slice(&bytes), NULL));
    delta = merkle_delta(&table_key, path_of(1, &name), slice_of(NULL, 0), slice_text("x"), false);
    merkle_apply(loaded, path_of(1, &name), &delta);
    CHECK(!loaded->ready && merkle_wants_build(loaded));
    merkle_free(loaded);
    buffer_done(&bytes);
    table_close(&table);
}

/* ---- memory ---- */

static int short_of_memory(void *arg)
{
    const struct table *table = arg;
    struct merkle *tree = NULL;
    struct buffer bytes;
    int error;

    buffer_init(&bytes, MERKLE_PART_SIZE);
    error = merkle_new(&table_key, MERKLE_BITS_MAX, false, &tree);
    for (size_t part = 0; part < merkle_parts(table->tree) && !error; part++) {
        error = merkle_save(table->tree, 1, part, &bytes);
        if (!error)
            error = merkle_load(tree, buffer_slice(&bytes), NULL);
        CHECK(error || !tree->ready);
    }
    CHECK(!tree || tree->ready == (error == NEAP_END));
    if (error == NEAP_END)
        error = merkle_build_begin(tree, 9);
    if (tree && tree->ready)
        CHECK(merkle_same(&tree->now, &table->tree->now));
    merkle_free(tree);
    buffer_done(&bytes);
    return error;
}

TEST(without_memory_a_load_says_so_and_leaves_nothing)
{
    struct table table;

    CHECK_OK(table_open(&table, 1000, true));
    table_fill(&table, 8);
    CHECK_OK(build_all(&table, 1000));
    test_alloc_sweep(short_of_memory, &table);
    table_close(&table);
}
