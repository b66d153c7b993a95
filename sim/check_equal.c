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
    struct sim_node *node, *other;
    struct scan *scan;
    struct slice key, value;
    bool end;
};

/* Slots of rings are where they are to be, not everywhere. */
static bool is_shared(struct sim_node *node, uint64_t id)
{
    const struct shard *shard = store_find(&node->wheel.engine.store, id);
    return shard && !shard->unwanted;
}

static bool is_private(const struct shard *shard, const struct sim_node *node,
                       struct sim_node *other)
{
    if (shard->name[0] != '@')
        return false;
    return shard->unwanted || !is_shared(other, shard->id) ||
           !is_shared((struct sim_node *)node, shard->id);
}

static void pass_next(struct pass *pass)
{
    const struct shard *shard;
    do {
        pass->end = scan_next(pass->scan, &pass->key, &pass->value) == NEAP_END;
        shard = pass->end
                    ? NULL
                    : store_find(&pass->node->wheel.engine.store, bytes_get_u64(pass->key.data));
    } while (shard && is_private(shard, pass->node, pass->other));
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
    struct pass a = {.node = node, .other = other, .scan = scan_of(node, DISK_CELLS)};
    struct pass b = {.node = other, .other = node, .scan = scan_of(other, DISK_CELLS)};
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

static size_t shards_of_all(const struct store *store)
{
    size_t count = 0;
    for (size_t i = 0; i < store->shards_count; i++)
        count += store->shards[i]->name[0] != '@';
    return count;
}

/* Each slot that somebody has is where its owners are. */
static bool slots_are_there(struct world *world, size_t index, struct why why)
{
    const struct store *store = &world->nodes[index].wheel.engine.store;
    for (size_t i = 0; i < store->shards_count; i++) {
        const struct shard *shard = store->shards[i];
        for (size_t j = 0; j < world->nodes_count && shard->name[0] == '@'; j++) {
            const struct store *other = &world->nodes[j].wheel.engine.store;
            if (!shard->unwanted && shard->context.count && store_wants(other, shard->name) &&
                !store_find(other, shard->id))
                return differs(why, "%s does not have %s, which it owns", world->nodes[j].name,
                               shard->name);
        }
    }
    return true;
}

static bool same_contexts(struct sim_node *a, struct sim_node *b, struct why why)
{
    const struct store *store_a = &a->wheel.engine.store, *store_b = &b->wheel.engine.store;
    if (shards_of_all(store_a) != shards_of_all(store_b))
        return differs(why, "%s has %zu shards, %s %zu", a->name, shards_of_all(store_a), b->name,
                       shards_of_all(store_b));
    for (size_t i = 0; i < store_a->shards_count; i++) {
        const struct shard *shard = store_a->shards[i];
        const struct shard *other = store_find(store_b, shard->id);
        if (is_private(shard, a, b))
            continue;
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
    for (size_t i = 0; i < world->nodes_count; i++) {
        if (!slots_are_there(world, i, why))
            return false;
    }
    for (size_t i = 1; i < world->nodes_count; i++) {
        struct sim_node *node = &world->nodes[i];
        struct sim_node *next = &world->nodes[(i + 1) % world->nodes_count];
        if (!same_contexts(node, next, why) || !same_cells(node, next, why))
            return false;
        if (!same_contexts(node, first, why) || !same_contexts(first, node, why) ||
            !same_cells(first, node, why))
            return false;
    }
    return true;
}

const struct checker check_equal = {
    .name = "equal", .promise = "replicas that can talk become byte-identical", .holds = holds};
