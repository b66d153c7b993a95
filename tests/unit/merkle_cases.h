/* A shard as a table, for the tests of its tree. */
#ifndef NEAP_UNIT_MERKLE_CASES_H
#define NEAP_UNIT_MERKLE_CASES_H
#include "store/merkle.h"
#include "tests/support/test.h"

/* Number i has a path, and its cell a version, 0 being absent. */
enum { CELLS_MAX = 40000 };

extern const struct hash_key table_key;

struct table {
    struct merkle *tree;
    uint32_t *versions;
    unsigned count;
};

struct name {
    uint8_t bytes[16];
};

struct slice path_of(unsigned number, struct name *ret_name);
struct slice cell_of(uint32_t version, struct name *ret_name);
int table_open(struct table *table, unsigned count, bool ready);
void table_close(struct table *table);
struct merkle_delta table_set(struct table *table, unsigned number, uint32_t version);
/* `version`: what it was before. */
void table_undo(struct table *table, unsigned number, uint32_t version,
                const struct merkle_delta *delta);
void table_fill(struct table *table, uint64_t seed);
/* Cells of the build in progress; false: it is done. */
bool build_step(struct table *table, unsigned cells);
int build_all(struct table *table, uint64_t cells);
/* That the tree is what a new one of the same cells is. */
void check_rebuilt(const struct table *table);
#endif
