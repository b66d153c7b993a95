/* A tree from the cells, in key order, while writes go on. Cells before the cursor are in the sums
 * as the shard has them now; of the others nothing is. So a write behind the cursor counts, and one
 * before it will be seen by the pass. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/merkle_sums.h"

/* Without a number of cells a build begins with so many leaves: it is enough for most, and those
 * with more lose a little time. */
enum { BITS_UNKNOWN = 12 };

int merkle_build_begin(struct merkle *tree, uint64_t cells)
{
    unsigned bits = cells > 0 ? sums_bits_for(cells, tree->bits_max) : BITS_UNKNOWN;
    struct merkle_build *build;
    int error;

    must(!tree->build);
    build = mem_new(sizeof *build);
    if (!build)
        return NEAP_NOMEM;
    error = sums_init(&build->sums, bits < tree->bits_max ? bits : tree->bits_max);
    if (error) {
        mem_free(build);
        return error;
    }
    tree->build = build;
    tree->steps++;
    return 0;
}

void build_restart(struct merkle_build *build)
{
    sums_clear(&build->sums);
    build->late = (struct digest){0};
    build->cursor_size = 0;
}

/* Leaves are met in no order, and to wait for one out of the memory would take a third of the time.
 * So each cell is added when the next one is there. */
static void build_add_late(struct merkle_build *build, uint64_t place, struct digest sum)
{
    sums_add_leaf(&build->sums, build->place, build->late);
    build->place = place;
    build->late = sum;
}

struct slice merkle_build_cursor(const struct merkle *tree)
{
    must(tree->build);
    return slice_of(tree->build->cursor, tree->build->cursor_size);
}

/* Past what fits, with 16 times the leaves: with all that may be wanted they would leave the CPU's
 * cache, which costs more than to have begun anew. Without memory they get fuller, which is all. */
static bool build_again(struct merkle *tree)
{
    struct merkle_build *build = tree->build;
    unsigned bits = build->sums.bits + MERKLE_BITS_STEP;
    struct merkle_sums sums;

    if (build->sums.bits == tree->bits_max ||
        build->sums.cells <= (uint64_t)MERKLE_FULL << build->sums.bits ||
        sums_init(&sums, bits < tree->bits_max ? bits : tree->bits_max))
        return false;
    sums_done(&build->sums);
    build->sums = sums;
    build->late = (struct digest){0};
    build->cursor_size = 0;
    return true;
}

bool merkle_build_add(struct merkle *tree, struct slice path, struct slice cell, bool unsettled)
{
    struct merkle_build *build = tree->build;
    struct merkle_delta delta = merkle_delta(&tree->key, path, slice_of(NULL, 0), cell, unsettled);

    must(build && !build->loads && path.size < sizeof build->cursor);
    must(slice_compare(path, merkle_build_cursor(tree)) >= 0);
    tree->steps++;
    sums_fetch_leaf(&build->sums, delta.place);
    build_add_late(build, delta.place, delta.sum);
    if (unsettled)
        sums_mark(&build->sums, delta.place);
    build->sums.cells += delta.cells > 0;
    build->sums.siblings += delta.siblings > 0;
    memcpy(build->cursor, path.data, path.size);
    build->cursor[path.size] = 0;
    build->cursor_size = path.size + 1;
    return !build_again(tree);
}

const struct merkle_sums *merkle_built(const struct merkle *tree)
{
    must(tree->build);
    build_add_late(tree->build, 0, (struct digest){0});
    sums_raise(&tree->build->sums);
    return &tree->build->sums;
}

void merkle_build_end(struct merkle *tree)
{
    struct merkle_build *build = tree->build;

    must(build);
    build_add_late(build, 0, (struct digest){0});
    sums_raise(&build->sums);
    sums_done(&tree->now);
    tree->now = build->sums;
    tree->ready = true;
    tree->build = NULL;
    tree->steps++;
    mem_free(build);
    merkle_fold(tree);
}

void merkle_build_stop(struct merkle *tree)
{
    if (!tree->build)
        return;
    sums_done(&tree->build->sums);
    mem_free(tree->build);
    tree->build = NULL;
    tree->steps++;
}
