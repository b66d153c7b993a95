/* At rest there is nothing but live cells: logs and residues are empty, everything is synced, no
 * session is open, and two nodes have the links they need and no more. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "gossip/state.h"
#include "sim/find.h"

static bool family_is_empty(struct sim_node *node, enum disk_family family, const char *kinds,
                            struct why why)
{
    struct scan *scan = scan_of(node, family);
    struct slice key, value;
    bool empty = true;
    while (empty && scan_next(scan, &key, &value) == 0) {
        const struct shard *shard =
            kinds ? NULL : store_find(&node->wheel.engine.store, bytes_get_u64(key.data));
        if (shard && is_alone(node, shard))
            continue;
        if (!kinds)
            empty = differs(why, "%s: the log is not empty", node->name);
        else if (key.size > 0 && strchr(kinds, key.data[0]))
            empty = differs(why, "%s: residues are left ('%c')", node->name, key.data[0]);
    }
    scan_close(scan);
    return empty;
}

/* What is known of lost events nobody can settle (limit d of rule 9, tests/model/shard_model.py):
 * no context comes to cover it. As all contexts are equal at rest, what a residue has beyond one of
 * them is beyond all. */
static bool residues_rest(struct sim_node *node, struct why why)
{
    const struct store *store = &node->wheel.engine.store;
    size_t count = 0;
    for (size_t i = 0; i < store->shards_count; i++) {
        const struct shard *shard = store->shards[i];
        count += shard->residues_count;
        if (shard->settling)
            return differs(why, "%s: %zu residues of %s are settled, and still there", node->name,
                           shard->settling, shard->name);
    }
    if (count && !node->world->amnesia)
        return differs(why, "%s: %zu residues", node->name, count);
    return count || family_is_empty(node, DISK_META, "RU", why);
}

static bool shards_rest(struct sim_node *node, struct why why)
{
    const struct store *store = &node->wheel.engine.store;
    for (size_t i = 0; i < store->shards_count; i++) {
        const struct shard *shard = store->shards[i];
        if (shard->session.id)
            return differs(why, "%s still compares %s", node->name, shard->name);
        /* Alone it keeps a log for whoever may come. */
        if (shard_log_count(shard) && node->world->nodes_count > 1 && !is_alone(node, shard))
            return differs(why, "%s: %" PRIu64 " log entries in %s", node->name,
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

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    struct why why = {ret_why, size};
    (void)state;
    for (size_t i = 0; i < world->nodes_count; i++) {
        struct sim_node *node = &world->nodes[i];
        bool alone = world->nodes_count == 1;
        if (disk_find_lost(&node->door, slice_of(NULL, 0)))
            return differs(why, "%s lost a cell, and it is not back", node->name);
        if (atomic_load(&node->wheel.unsynced))
            return differs(why, "%s is not synced", node->name);
        if (!shards_rest(node, why) || (!alone && !family_is_empty(node, DISK_LOG, NULL, why)) ||
            !residues_rest(node, why))
            return false;
    }
    return links_are_two(world, why);
}

const struct checker check_rest = {
    .name = "rest", .promise = "at rest there are live cells and nothing else", .holds = holds};
