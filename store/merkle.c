#include "store/merkle.h"

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "crdt/path.h"
#include "store/merkle_sums.h"

int merkle_new(const struct hash_key *key, unsigned bits_max, bool ready, struct merkle **ret_tree)
{
    struct merkle *tree;
    int error;

    must(bits_max % 2 == 0 && bits_max >= MERKLE_BITS_MIN && bits_max <= MERKLE_BITS_MAX);
    tree = mem_new(sizeof *tree);
    if (!tree)
        return NEAP_NOMEM;
    tree->key = *key;
    tree->bits_max = bits_max;
    tree->ready = ready;
    error = sums_init(&tree->now, MERKLE_BITS_MIN);
    if (error) {
        merkle_free(tree);
        return error;
    }
    *ret_tree = tree;
    return 0;
}

void merkle_free(struct merkle *tree)
{
    if (!tree)
        return;
    merkle_build_stop(tree);
    watches_end(tree);
    sums_done(&tree->now);
    mem_free(tree);
}

void merkle_clear(struct merkle *tree)
{
    merkle_build_stop(tree);
    watches_end(tree);
    sums_clear(&tree->now);
    tree->ready = true;
    merkle_fold(tree);
}

/* ---- hashes ---- */

/* The path's hash is the key of its cell's: nothing has to be copied together, and no cell of one
 * path can stand for that of another. */
static struct hash_key path_key(const struct hash_key *key, struct slice path)
{
    struct digest hash = hash_128(key, path);
    struct hash_key path_key;

    bytes_put_u64(path_key.bytes, hash.high);
    bytes_put_u64(path_key.bytes + 8, hash.low);
    return path_key;
}

static bool cell_is_nothing(struct slice cell)
{
    static const uint8_t no_dots[] = {0x90};

    return cell.size == 0 || slice_equal(cell, slice_of(no_dots, sizeof no_dots));
}

/* A register with more than one value: somebody has to choose. Most cells have one dot, as their
 * first byte says. */
static int cell_has_siblings(struct slice path, struct slice cell)
{
    enum { ARRAY_OF_ONE_DOT = 0x93, BUCKET_SIZE = sizeof(uint64_t) };
    enum neap_type type;

    if (cell.size == 0 || cell.data[0] <= ARRAY_OF_ONE_DOT || path.size < BUCKET_SIZE)
        return 0;
    path = slice_of(path.data + BUCKET_SIZE, path.size - BUCKET_SIZE);
    return !path_check(path, &type) && type == NEAP_REGISTER;
}

static struct digest cell_digest(const struct hash_key *path_key, struct slice cell)
{
    return cell_is_nothing(cell) ? (struct digest){0} : hash_128(path_key, cell);
}

uint64_t merkle_place(const struct hash_key *key, struct slice path)
{
    return hash_128(key, path).high;
}

struct digest merkle_cell(const struct hash_key *key, struct slice path, struct slice cell)
{
    struct hash_key path_hash = path_key(key, path);

    return cell_digest(&path_hash, cell);
}

/* ---- writes ---- */

struct merkle_delta merkle_delta(const struct hash_key *key, struct slice path, struct slice old,
                                 struct slice cell, bool unsettled)
{
    struct hash_key path_hash = path_key(key, path);
    struct merkle_delta delta = {
        .place = bytes_get_u64(path_hash.bytes),
        .sum = cell_digest(&path_hash, cell),
        .cells = cell_is_nothing(old) - cell_is_nothing(cell),
        .siblings = cell_has_siblings(path, cell) - cell_has_siblings(path, old),
        .unsettled = unsettled,
    };

    digest_subtract(&delta.sum, cell_digest(&path_hash, old));
    return delta;
}

/* A disk that gives a cell it hadn't must not stop us: the next build counts again. */
static void count_change(uint64_t *count, int change)
{
    if (change > 0)
        ++*count;
    else if (change < 0 && *count > 0)
        --*count;
}

static void sums_change(struct merkle_sums *sums, const struct merkle_delta *delta)
{
    sums_add(sums, delta->place, delta->sum);
    if (delta->unsettled)
        sums_mark(sums, delta->place);
    count_change(&sums->cells, delta->cells);
    if (delta->siblings > 0 || !BROKEN("siblings-stay"))
        count_change(&sums->siblings, delta->siblings);
}

void merkle_apply(struct merkle *tree, struct slice path, struct merkle_delta *delta)
{
    watches_tell(tree, delta->place, delta->sum);
    if (tree->ready)
        sums_change(&tree->now, delta);
    if (tree->build && tree->build->loads)
        merkle_build_stop(tree); /* it would be of another state */
    delta->steps = tree->steps;
    delta->built = tree->build && slice_compare(path, merkle_build_cursor(tree)) < 0;
    if (delta->built)
        sums_change(&tree->build->sums, delta);
}

void merkle_undo(struct merkle *tree, const struct merkle_delta *delta)
{
    struct merkle_delta back = {
        .place = delta->place, .cells = -delta->cells, .siblings = -delta->siblings};

    digest_subtract(&back.sum, delta->sum);
    watches_tell(tree, back.place, back.sum);
    if (tree->ready)
        sums_change(&tree->now, &back);
    if (!tree->build)
        return;
    if (tree->build->loads) {
        merkle_build_stop(tree);
    } else if (delta->steps != tree->steps) {
        /* The pass may have come by, and have seen what is undone now. */
        build_restart(tree->build);
    } else if (delta->built) {
        sums_change(&tree->build->sums, &back);
    }
}

void merkle_settle(struct merkle *tree)
{
    if (merkle_is_marked(&tree->now, 0, 0))
        sums_unmark(&tree->now);
    if (tree->build && merkle_is_marked(&tree->build->sums, 0, 0))
        sums_unmark(&tree->build->sums);
}

/* ---- comparing ---- */

struct digest merkle_root(const struct merkle *tree)
{
    must(tree->ready);
    return merkle_sum(&tree->now, 0, 0);
}

uint64_t merkle_short(const struct merkle_salt *salt, struct digest digest)
{
    uint8_t bytes[16];
    uint64_t hash;

    bytes_put_u64(bytes, digest.high);
    bytes_put_u64(bytes + 8, digest.low);
    hash = hash_64(&salt->key, slice_of(bytes, sizeof bytes)) >> (64 - 8 * salt->width);
    return hash > 0 ? hash : 1;
}

static int nodes_check(const struct merkle *tree, const struct merkle_nodes *nodes, unsigned below)
{
    must(tree->ready);
    if (nodes->bits > MERKLE_BITS_MAX || below > MERKLE_BITS_MAX)
        return NEAP_INVALID;
    if (nodes->count > MERKLE_LIST_MAX || nodes->count << below > MERKLE_LIST_MAX)
        return NEAP_LIMIT;
    for (size_t i = 0; i < nodes->count; i++) {
        if (nodes->index[i] >> nodes->bits != 0 ||
            (i > 0 && nodes->index[i] <= nodes->index[i - 1]))
            return NEAP_INVALID;
    }
    return nodes->bits + below > tree->now.bits ? NEAP_STALE : 0;
}

/* Number i of the nodes below. */
static uint32_t node_below(const struct merkle_nodes *nodes, unsigned below, size_t i)
{
    return (uint32_t)((nodes->index[i >> below] << below) + (i & (((size_t)1 << below) - 1)));
}

int merkle_list(const struct merkle *tree, const struct merkle_salt *salt,
                const struct merkle_nodes *nodes, unsigned below, uint64_t *ret_digests)
{
    const struct merkle_sums *sums = &tree->now;
    unsigned bits = nodes->bits + below;
    int error = nodes_check(tree, nodes, below);

    if (error)
        return error;
    for (size_t i = 0; i < nodes->count << below; i++) {
        uint32_t index = node_below(nodes, below, i);

        ret_digests[i] = merkle_is_marked(sums, bits, index) && !BROKEN("marks-ignored")
                             ? 0
                             : merkle_short(salt, merkle_sum(sums, bits, index));
    }
    return 0;
}

int merkle_differing(const struct merkle *tree, const struct merkle_salt *salt,
                     const struct merkle_nodes *nodes, unsigned below, const uint64_t *theirs,
                     uint32_t *ret_index, size_t *ret_count)
{
    const struct merkle_sums *sums = &tree->now;
    unsigned bits = nodes->bits + below;
    size_t count = 0;
    int error = nodes_check(tree, nodes, below);

    if (error)
        return error;
    for (size_t i = 0; i < nodes->count << below; i++) {
        uint32_t index = node_below(nodes, below, i);

        /* A mark there is 0, which no digest is. */
        if (theirs[i] != merkle_short(salt, merkle_sum(sums, bits, index)))
            ret_index[count++] = index;
    }
    *ret_count = count;
    return 0;
}

bool merkle_has(const struct merkle_nodes *nodes, uint64_t place)
{
    uint32_t index = nodes->bits > 0 ? (uint32_t)(place >> (64 - nodes->bits)) : 0;
    size_t low = 0, high = nodes->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (nodes->index[middle] < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < nodes->count && nodes->index[low] == index;
}

/* ---- size ---- */

bool merkle_wants_build(const struct merkle *tree)
{
    if (tree->build)
        return false;
    return !tree->ready || (tree->now.bits < tree->bits_max &&
                            tree->now.cells > (uint64_t)MERKLE_FULL << tree->now.bits);
}

void merkle_fold(struct merkle *tree)
{
    struct merkle_sums folded;
    unsigned bits = sums_bits_for(tree->now.cells, tree->bits_max);

    if (!tree->ready || bits >= tree->now.bits ||
        tree->now.cells >= (uint64_t)MERKLE_SPARSE << tree->now.bits)
        return;
    if (sums_fold(&tree->now, bits, &folded))
        return;
    sums_done(&tree->now);
    tree->now = folded;
}
