#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "gossip/state.h"
#include "store/slot.h"
#include "tests/sim/world.h"

struct why {
    char *text;
    size_t size;
};

static bool differs(struct why why, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool differs(struct why why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why.text, why.size, format, arguments);
    va_end(arguments);
    return false;
}

static void cell_text(struct slice key, char *ret_text, size_t size)
{
    if (key.size > KEY_CELL_HEAD)
        path_text(key_cell_path(key), ret_text, size);
    else
        snprintf(ret_text, size, "?");
}

static struct scan *scan_of(struct sim_node *node, enum disk_family family)
{
    static const struct slice whole;
    struct view view = {.disk = node->disk};
    struct scan *scan;
    must(view_scan(&view, family, whole, whole, &scan) == 0);
    return scan;
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

/* Does the node know something of this cell that no context covers? At rest that can only be of
 * lost events, when directories went back in time; then not all nodes know it. */
static bool is_unsettled(const struct pass *pass)
{
    struct slice cell;
    uint64_t ref;
    must(stored_split(pass->value, &ref, &cell) == 0);
    const struct shard *shard =
        store_find(&pass->node->wheel.engine.store, bytes_get_u64(pass->key.data));
    return pass->node->world->options.amnesia && shard && residue_find(shard, ref);
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
        if (order < 0 && !is_unsettled(&a))
            same = passes_differ(&a, &b, why);
        else if (order > 0 && !is_unsettled(&b))
            same = passes_differ(&b, &a, why);
        else if (order == 0 && !slice_equal(cell_of(&a), cell_of(&b)) && !is_unsettled(&a) &&
                 !is_unsettled(&b))
            same = passes_differ(&a, &b, why);
        if (order <= 0)
            pass_next(&a);
        if (order >= 0)
            pass_next(&b);
    }
    scan_close(a.scan);
    scan_close(b.scan);
    return same;
}

static bool family_is_empty(struct sim_node *node, enum disk_family family, const char *kinds,
                            struct why why)
{
    struct scan *scan = scan_of(node, family);
    struct slice key, value;
    bool empty = true;
    while (empty && scan_next(scan, &key, &value) == 0) {
        if (!kinds)
            empty = differs(why, "%s: the log is not empty", node->name);
        else if (key.size > 0 && strchr(kinds, key.data[0]))
            empty = differs(why, "%s: residues are left ('%c')", node->name, key.data[0]);
    }
    scan_close(scan);
    return empty;
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
        /* Of lost events nobody can settle what was known. */
        if ((shard->residues_count && !a->world->options.amnesia) || shard->session.id)
            return differs(why, "%s: %zu residues, session %" PRIx64 " in %s", a->name,
                           shard->residues_count, shard->session.id, shard->name);
        if (shard_log_count(shard))
            return differs(why, "%s: %" PRIu64 " log entries in %s", a->name,
                           shard_log_count(shard), shard->name);
    }
    return true;
}

static bool links_are_two(struct world *world, struct why why)
{
    for (size_t a = 0; a < world->nodes_count; a++) {
        for (size_t b = 0; b < a; b++) {
            size_t links = net_open_links(world, a, b);
            if (links != CHANNELS)
                return differs(why, "%zu links between %s and %s", links, world->nodes[b].name,
                               world->nodes[a].name);
        }
    }
    return true;
}

bool world_agrees(struct world *world, char *ret_why, size_t size)
{
    struct why why = {ret_why, size};
    struct sim_node *first = &world->nodes[0];
    for (size_t i = 0; i < world->nodes_count; i++) {
        if (!world->nodes[i].up)
            return differs(why, "%s is down", world->nodes[i].name);
    }
    for (size_t i = 0; i < world->nodes_count; i++) {
        struct sim_node *node = &world->nodes[i];
        if (!same_contexts(node, first, why) || !same_contexts(first, node, why))
            return false;
        if (atomic_load(&node->wheel.unsynced))
            return differs(why, "%s is not synced", node->name);
        if (!same_cells(first, node, why) || !family_is_empty(node, DISK_LOG, NULL, why) ||
            (!world->options.amnesia && !family_is_empty(node, DISK_META, "RU", why)))
            return false;
    }
    return links_are_two(world, why);
}

static void dump_context(const char *name, const struct context *context)
{
    printf("    %s", name);
    for (size_t i = 0; i < context->count; i++)
        printf(" %04x:%" PRIu64 "/%04x", (unsigned)(context->entries[i].id >> 48),
               context->entries[i].n, context->entries[i].nonce & 0xffff);
    printf("\n");
}

static void dump_peers(const struct gossip *gossip)
{
    for (size_t i = 0; i < gossip->peers_count; i++) {
        const struct peer *peer = &gossip->peers[i];
        printf("  peer %s%s%s%s alias %zu\n", peer->address, peer->listed ? " listed" : "",
               peer_is_member(gossip, i) ? " member" : "", peer_is_up(gossip, i) ? " up" : "",
               peer->alias);
        for (size_t j = 0; j < gossip->topics_count; j++) {
            const struct pair *pair = topic_pair(gossip->topics[j], i);
            if (pair)
                dump_context(pair->open ? "open" : "not open", &pair->context);
        }
    }
}

void world_dump(struct world *world)
{
    for (size_t i = 0; i < world->nodes_count; i++) {
        struct sim_node *node = &world->nodes[i];
        printf("%s: %s, %zu waiting\n", node->name, node->up ? "up" : "down", node->inbox_count);
        for (size_t j = 0; node->up && j < node->wheel.engine.store.shards_count; j++) {
            const struct shard *shard = node->wheel.engine.store.shards[j];
            printf("  %s: replica %04x opened_at %" PRIu64 "%s, log %" PRIu64 ", residues %zu%s\n",
                   shard->name, (unsigned)(shard->replica >> 48), shard->opened_at,
                   shard->confirmed ? " confirmed" : "", shard_log_count(shard),
                   shard->residues_count, shard->session.id ? ", comparing" : "");
            dump_context("context", &shard->context);
            dump_context("horizon", &shard->horizon);
        }
        const char *name;
        uint64_t count;
        if (node->up)
            dump_peers(node->wheel.engine.gossip);
        for (size_t j = 0; node->up && gossip_count(node->wheel.engine.gossip, j, &name, &count);
             j++) {
            if (count)
                printf("  %s %" PRIu64 "\n", name, count);
        }
    }
}
