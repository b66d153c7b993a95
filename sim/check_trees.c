/* The tree of a shard is what a pass over its cells makes: when a process has begun, which may have
 * read its trees from the disk, then after every 64th commit (the sum of all), and at rest (each
 * leaf, and the marks). What a disk has lost without a word the tree goes on telling of, until a
 * scrub: that is what it is for. */
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/find.h"
#include "sim/losses.h"
#include "store/merkle.h"

/* ---- by the sum of all ---- */

struct sums {
    const struct sim_node *node;
    const struct shard *shard; /* whose cells these are */
    struct digest sum;
    uint64_t cells, siblings;
};

static bool sums_end(const struct sums *sums, struct why why)
{
    const struct merkle *tree = sums->shard ? sums->shard->tree : NULL;
    if (!tree || !tree->ready)
        return true;
    if (tree->now.cells != sums->cells)
        return differs(why, "%s: the tree of %s counts %" PRIu64 " cells of %" PRIu64,
                       sums->node->name, sums->shard->name, tree->now.cells, sums->cells);
    if (tree->now.siblings != sums->siblings)
        return differs(why, "%s: the tree of %s counts %" PRIu64 " siblings, not %" PRIu64,
                       sums->node->name, sums->shard->name, tree->now.siblings, sums->siblings);
    return digest_equal(merkle_root(tree), sums->sum) ||
           differs(why, "%s: the tree of %s is not of its cells", sums->node->name,
                   sums->shard->name);
}

static void sums_add(struct sums *sums, struct slice key, struct slice value)
{
    struct slice path = slice_of(key.data + 8, key.size - 8), cell;
    uint64_t ref;
    must(stored_split(value, &ref, &cell) == 0);
    const struct merkle_delta delta =
        merkle_delta(&sums->shard->tree->key, path, slice_of(NULL, 0), cell, false);
    digest_add(&sums->sum, delta.sum);
    sums->cells += delta.cells > 0;
    sums->siblings += delta.siblings > 0;
}

/* One pass over all cells, which are sorted by shard as the shards are. */
static bool sums_match(struct sim_node *node, struct why why)
{
    const struct store *store = &node->wheel.engine.store;
    struct scan *scan = scan_of(node, DISK_CELLS);
    struct slice key, value;
    bool more = scan_next(scan, &key, &value) == 0, fine = true;
    for (size_t i = 0; fine && i < store->shards_count; i++) {
        struct sums sums = {.node = node, .shard = store->shards[i]};
        while (more && bytes_get_u64(key.data) < sums.shard->id)
            more = scan_next(scan, &key, &value) == 0;
        while (more && bytes_get_u64(key.data) == sums.shard->id) {
            if (sums.shard->tree && sums.shard->tree->ready)
                sums_add(&sums, key, value);
            more = scan_next(scan, &key, &value) == 0;
        }
        fine = sums_end(&sums, why);
    }
    scan_close(scan);
    return fine;
}

/* ---- by leaves ---- */

static struct merkle *rebuilt(struct sim_node *node, const struct shard *shard)
{
    struct scan *scan = scan_of(node, DISK_CELLS);
    struct slice key, value, cell;
    struct merkle *tree;
    uint64_t ref;
    must(merkle_new(&shard->tree->key, shard->tree->bits_max, false, &tree) == 0);
    must(merkle_build_begin(tree, UINT32_MAX) == 0);
    while (scan_next(scan, &key, &value) == 0) {
        must(stored_split(value, &ref, &cell) == 0);
        if (bytes_get_u64(key.data) == shard->id)
            must(merkle_build_add(tree, slice_of(key.data + 8, key.size - 8), cell,
                                  residue_find(shard, ref) != NULL));
    }
    scan_close(scan);
    merkle_build_end(tree);
    return tree;
}

/* A mark may be there for nothing, but not be missing. */
static bool marks_match(const struct merkle_sums *kept, const struct merkle_sums *made)
{
    unsigned bits = kept->bits < made->bits ? kept->bits : made->bits;
    for (uint32_t i = 0; i < (uint32_t)1 << bits; i++) {
        if (merkle_is_marked(made, bits, i) && !merkle_is_marked(kept, bits, i))
            return false;
    }
    return true;
}

static bool leaves_match(struct sim_node *node, const struct shard *shard, struct why why)
{
    if (!shard->tree->ready && shard->holes_count && is_alone(node, shard))
        return true; /* it waits for others, as what it has lost they may have */
    if (!shard->tree->ready)
        return differs(why, "%s: the tree of %s is not ready", node->name, shard->name);
    struct merkle *tree = rebuilt(node, shard);
    bool fine = true;
    if (!merkle_same(&shard->tree->now, &tree->now))
        fine = differs(why, "%s: the tree of %s is not of its cells", node->name, shard->name);
    else if (!marks_match(&shard->tree->now, &tree->now))
        fine = differs(why, "%s: the tree of %s lacks a mark", node->name, shard->name);
    merkle_free(tree);
    return fine;
}

/* ---- the checker ---- */

/* What this takes of memory is not what the world is short of: the same allocation fails. */
static void look(struct world *world, struct losses *state, size_t index)
{
    struct sim_node *node = &world->nodes[index];
    uint64_t calls = mem_calls();
    char text[200];
    losses_note(state, node);
    bool right = sums_match(node, (struct why){text, sizeof text});
    losses_judge(state, node, right, "trees", text);
    if (world->starve_at > calls)
        world->starve_at += mem_calls() - calls;
}

/* What was lost may be written again by this, and then counts twice. */
static void commit(struct world *world, void *arg, size_t index, const struct batch *batch,
                   bool sync)
{
    struct losses *state = arg;
    (void)batch;
    (void)sync;
    losses_note(state, &world->nodes[index]);
}

static void committed(struct world *world, void *arg, size_t index, bool sync, int error)
{
    struct losses *state = arg;
    (void)sync;
    if (losses_is_due(state, &world->nodes[index], error))
        look(world, state, index);
}

static void started(struct world *world, void *arg, size_t index)
{
    look(world, arg, index);
}

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    struct why why = {ret_why, size};
    (void)state;
    for (size_t i = 0; i < world->nodes_count; i++) {
        struct sim_node *node = &world->nodes[i];
        const struct store *store = &node->wheel.engine.store;
        for (size_t k = 0; k < store->shards_count; k++) {
            if (store->shards[k]->tree && !leaves_match(node, store->shards[k], why))
                return false;
        }
    }
    return true;
}

const struct checker check_trees = {.name = "trees",
                                    .promise = "the tree of a shard is of the cells that it has",
                                    .begin = losses_begin,
                                    .end = mem_free,
                                    .commit = commit,
                                    .committed = committed,
                                    .started = started,
                                    .replaced = losses_replaced,
                                    .holds = holds};
