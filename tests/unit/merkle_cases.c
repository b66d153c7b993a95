#include "tests/unit/merkle_cases.h"

#include <stdlib.h>

#include "base/rng.h"

const struct hash_key table_key = {{1, 2, 3}};

struct slice path_of(unsigned number, struct name *ret_name)
{
    bytes_put_u64(ret_name->bytes, 77); /* the bucket */
    bytes_put_u64(ret_name->bytes + 8, number);
    return slice_of(ret_name->bytes, sizeof ret_name->bytes);
}

struct slice cell_of(uint32_t version, struct name *ret_name)
{
    bytes_put_u64(ret_name->bytes, version);
    return slice_of(ret_name->bytes, version > 0 ? 8 : 0);
}

int table_open(struct table *table, unsigned count, bool ready)
{
    *table = (struct table){.count = count};
    table->versions = calloc(count, sizeof *table->versions);
    return merkle_new(&table_key, MERKLE_BITS_MAX, ready, &table->tree);
}

void table_close(struct table *table)
{
    merkle_free(table->tree);
    free(table->versions);
}

struct merkle_delta table_set(struct table *table, unsigned number, uint32_t version)
{
    struct name path_name, old_name, new_name;
    struct slice path = path_of(number, &path_name);
    struct merkle_delta delta =
        merkle_delta(&table_key, path, cell_of(table->versions[number], &old_name),
                     cell_of(version, &new_name), false);

    merkle_apply(table->tree, path, &delta);
    table->versions[number] = version;
    return delta;
}

void table_undo(struct table *table, unsigned number, uint32_t version,
                const struct merkle_delta *delta)
{
    merkle_undo(table->tree, delta);
    table->versions[number] = version;
}

void table_fill(struct table *table, uint64_t seed)
{
    struct rng rng;

    rng_init(&rng, seed);
    for (unsigned i = 0; i < 3 * table->count; i++) {
        unsigned number = (unsigned)rng_below(&rng, table->count);
        uint32_t version = (uint32_t)rng_below(&rng, 4);

        (void)table_set(table, number, version);
    }
}

bool build_step(struct table *table, unsigned cells)
{
    struct name path_name, cell_name;

    for (unsigned i = 0; i < table->count; i++) {
        struct slice path = path_of(i, &path_name);

        if (table->versions[i] == 0 || slice_compare(path, merkle_build_cursor(table->tree)) < 0)
            continue;
        if (cells-- == 0)
            return true;
        if (!merkle_build_add(table->tree, path, cell_of(table->versions[i], &cell_name), false))
            return true;
    }
    merkle_build_end(table->tree);
    return false;
}

int build_all(struct table *table, uint64_t cells)
{
    int error = merkle_build_begin(table->tree, cells);

    while (!error && build_step(table, UINT32_MAX))
        ;
    return error;
}

void check_rebuilt(const struct table *table)
{
    struct table again = {.versions = table->versions, .count = table->count};

    CHECK_OK(merkle_new(&table_key, MERKLE_BITS_MAX, false, &again.tree));
    CHECK_OK(build_all(&again, 0));
    CHECK(merkle_same(&table->tree->now, &again.tree->now));
    CHECK(digest_equal(merkle_root(table->tree), merkle_root(again.tree)));
    merkle_free(again.tree);
}
