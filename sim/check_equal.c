/* After healing all replicas hold the same: byte by byte the same cells, and the same contexts. */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim/oracle.h"

static void cell_text(struct slice key, char *ret_text, size_t size)
{
    if (key.size > KEY_CELL_HEAD)
        path_text(key_cell_path(key), ret_text, size);
    else
        snprintf(ret_text, size, "?");
}

/* A pass over the cells of one node. */
struct pass {
    struct sim_node *node;
    struct scan *scan;
    struct slice key, value;
    bool end;
};

static void pass_next(struct pass *pass)
{
    pass->end = scan_next(pass->scan, &pass->key, &pass->value) == NEAP_END;
}

/* The canonical cell of what is stored: references to residues are each node's own. */
static struct slice cell_of(const struct pass *pass)
{
    struct slice cell = {0};
    uint64_t ref;
    must(stored_split(pass->value, &ref, &cell) == 0);
    return cell;
}

/* Nothing is there; a cell without dots is kept for what is known of it alone. */
static bool is_bare(const struct pass *pass)
{
    static const uint8_t bare[] = {0x90};
    return slice_equal(cell_of(pass), slice_of(bare, sizeof bare));
}

static int pass_compare(const struct pass *a, const struct pass *b)
{
    if (a->end || b->end)
        return (int)a->end - (int)b->end;
    return slice_compare(a->key, b->key);
}

static void dump_cell(struct world *world, const struct sim_node *node, struct slice key)
{
    struct view view = {.disk = node->disk};
    struct buffer bytes;
    struct cell cell;
    char text[600];
    size_t size = 0;
    buffer_init(&bytes, 1 << 20);
    cell_init(&cell);
    must(cell_read(&view, bytes_get_u64(key.data), key_cell_bucket(key), key_cell_path(key), &bytes,
                   &cell) == 0);
    for (size_t i = 0; i < cell.count && size < 500; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, " %04x:%" PRIu64,
                                 (unsigned)(cell.entries[i].dot.id >> 48), cell.entries[i].dot.n);
    text[size] = 0;
    world_note(world, "%s has%s", node->name, text);
    cell_done(&cell);
    buffer_done(&bytes);
}

static bool passes_differ(const struct pass *pass, const struct pass *other, struct why why)
{
    struct world *world = pass->node->world;
    char text[120];
    cell_text(pass->key, text, sizeof text);
    for (size_t i = 0; i < world->nodes_count && world->options.print; i++)
        dump_cell(world, &world->nodes[i], pass->key);
    return differs(why, "%s and %s differ at %s", pass->node->name, other->node->name, text);
}

/* Byte equality of all cells: that is what "converged" means. */
static bool same_cells(struct sim_node *node, struct sim_node *other, struct why why)
{
    struct pass a = {.node = node, .scan = scan_of(node, DISK_CELLS)};
    struct pass b = {.node = other, .scan = scan_of(other, DISK_CELLS)};
    bool same = true;
    pass_next(&a);
    pass_next(&b);
    while (same && !(a.end && b.end)) {
        int order = pass_compare(&a, &b);
        const struct pass *first = order > 0 ? &b : &a;
        bool differ = order != 0 ? !is_bare(first) : !slice_equal(cell_of(&a), cell_of(&b));
        if (differ)
            same = passes_differ(first, first == &a ? &b : &a, why);
        if (order <= 0)
            pass_next(&a);
        if (order >= 0)
            pass_next(&b);
    }
    scan_close(a.scan);
    scan_close(b.scan);
    return same;
}

static bool same_contexts(struct sim_node *a, struct sim_node *b, struct why why)
{
    const struct store *store_a = &a->wheel.engine.store, *store_b = &b->wheel.engine.store;
    if (store_a->shards_count != store_b->shards_count)
        return differs(why, "%s has %zu shards, %s %zu", a->name, store_a->shards_count, b->name,
                       store_b->shards_count);
    for (size_t i = 0; i < store_a->shards_count; i++) {
        const struct shard *shard = store_a->shards[i];
        const struct shard *other = store_find(store_b, shard->id);
        if (!other)
            return differs(why, "%s does not have %s", b->name, shard->name);
        if (!context_equal(&shard->context, &other->context))
            return differs(why, "%s and %s have other contexts of %s", a->name, b->name,
                           shard->name);
    }
    return true;
}

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    struct why why = {ret_why, size};
    struct sim_node *first = &world->nodes[0];
    (void)state;
    for (size_t i = 0; i < world->nodes_count; i++) {
        if (!world->nodes[i].up)
            return differs(why, "%s is down", world->nodes[i].name);
    }
    for (size_t i = 1; i < world->nodes_count; i++) {
        struct sim_node *node = &world->nodes[i];
        if (!same_contexts(node, first, why) || !same_contexts(first, node, why) ||
            !same_cells(first, node, why))
            return false;
    }
    return true;
}

const struct checker check_equal = {
    .name = "equal", .promise = "replicas that can talk become byte-identical", .holds = holds};
