#include "tests/property/world.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/slot.h"

void hold_ok(int error, const char *what)
{
    hold(!error, "%s: %s", what, error_name(error));
}

unsigned world_pick(struct world *world, uint64_t below)
{
    return (unsigned)rng_below(&world->rng, below);
}

bool world_chance(struct world *world, double chance)
{
    return (double)(rng_u64(&world->rng) >> 11) * 0x1p-53 < chance;
}

/* Ids in no order, but the same in each run. */
uint64_t world_id(struct world *world)
{
    uint64_t x = ++world->ids * 0x9e3779b97f4a7c15u;

    return (x ^ x >> 29) | 1;
}

unsigned world_alive(const struct world *world, unsigned ret_nodes[NODES_MAX])
{
    unsigned count = 0;

    for (unsigned i = 0; i < world->nodes_count; i++) {
        if (!world->nodes[i].gone)
            ret_nodes[count++] = i;
    }
    return count;
}

/* ---- a world ---- */

static void path_init(struct world *world, unsigned path, const char *const *names,
                      const enum neap_type *types, unsigned count)
{
    struct buffer *buffer = &world->paths[path];

    buffer_init(buffer, NEAP_PATH_MAX);
    for (unsigned i = 0; i < count; i++) {
        if (types[i])
            hold_ok(path_level(buffer, slice_text(names[i]), types[i]), "path");
        else
            hold_ok(path_element(buffer, slice_text(names[i])), "path");
    }
}

static void paths_init(struct world *world)
{
    static const struct {
        const char *names[4];
        enum neap_type types[4];
        unsigned count;
    } paths[PATHS] = {
        {{"a"}, {NEAP_REGISTER}, 1},
        {{"b"}, {NEAP_LWW}, 1},
        {{"c"}, {NEAP_FLAG}, 1},
        {{"m", "1"}, {NEAP_MAP, NEAP_REGISTER}, 2},
        {{"m", "2"}, {NEAP_MAP, NEAP_LWW}, 2},
        {{"m", "n", "s", "1"}, {NEAP_MAP, NEAP_MAP, NEAP_SET, 0}, 4},
        {{"m", "n", "s", "2"}, {NEAP_MAP, NEAP_MAP, NEAP_SET, 0}, 4},
        {{"n1"}, {NEAP_COUNTER}, 1},
        {{"n2"}, {NEAP_COUNTER}, 1},
    };

    for (unsigned i = 0; i < PATHS; i++)
        path_init(world, i, paths[i].names, paths[i].types, paths[i].count);
    buffer_init(&world->map_prefix, NEAP_PATH_MAX);
    hold_ok(path_level(&world->map_prefix, slice_text("m"), NEAP_MAP), "path");
}

void world_init(struct world *world, enum profile profile, uint64_t seed, const char *folder)
{
    *world = (struct world){.profile = profile, .seed = seed, .folder = folder};
    rng_init(&world->rng, seed * PROFILES + profile);
    world->rollbacks = profile >= PROFILE_ROLLBACK;
    world->hello = profile == PROFILE_ROLLBACK || profile == PROFILE_FRESH;
    world->fresh = profile == PROFILE_FRESH || profile == PROFILE_BOOT;
    world->oracle.forks = world->rollbacks;
    buffer_init(&world->read_a, STORED_SIZE_MAX);
    buffer_init(&world->read_b, STORED_SIZE_MAX);
    buffer_init(&world->scratch, STORED_SIZE_MAX);
    paths_init(world);
    for (unsigned i = 0; i < 2 + seed % 4; i++)
        world_node_new(world);
}

void world_done(struct world *world)
{
    for (size_t i = 0; i < world->tasks_count; i++)
        task_done(&world->tasks[i]);
    world_wire_clear(world);
    for (unsigned i = 0; i < world->nodes_count; i++)
        node_done(&world->nodes[i]);
    for (size_t i = 0; i < world->images_count; i++)
        disk_close(world->images[i].disk);
    for (unsigned i = 0; i < PATHS; i++)
        buffer_done(&world->paths[i]);
    buffer_done(&world->map_prefix);
    buffer_done(&world->read_a);
    buffer_done(&world->read_b);
    buffer_done(&world->scratch);
    context_done(&world->armed_context);
    context_done(&world->armed_horizon);
    mem_free(world->tasks);
    mem_free(world->wire);
    mem_free(world->images);
    mem_free(world->told);
    mem_free(world->orphans);
    oracle_done(&world->oracle);
}

/* ---- one step ---- */

static unsigned pick_path(struct world *world, unsigned from, unsigned to)
{
    unsigned path = from + world_pick(world, to - from);

    for (unsigned i = 0; i < to - from && world->damaged[path]; i++)
        path = path + 1 < to ? path + 1 : from;
    return path;
}

static void step_write(struct world *world, struct node *node)
{
    bool counter = world_chance(world, 0.3);

    node_write(world, node,
               counter ? pick_path(world, COUNTERS_FROM, PATHS)
                       : pick_path(world, 0, COUNTERS_FROM));
    if (world_chance(world, 0.6))
        node_sync(world, node);
}

static void step_truncate(struct world *world, struct node *node)
{
    struct context stable = {0};
    unsigned alive[NODES_MAX], count = world_alive(world, alive);
    bool early = (world->profile == PROFILE_HORIZON || world->profile == PROFILE_LIVES ||
                  world->rollbacks) &&
                 world_chance(world, world->profile == PROFILE_HORIZON ? 0.8 : 0.5);
    int error;

    hold_ok(context_copy(&stable, &node->shard->context), "context");
    for (size_t i = 0; i < stable.count && !early; i++) {
        for (unsigned k = 0; k < count; k++) {
            uint64_t n = context_get(&world->nodes[alive[k]].shard->context, stable.entries[i].id);

            if (n < stable.entries[i].n)
                stable.entries[i].n = n;
        }
    }
    attempt(world, node, error, shard_truncate(node->shard, node->batch, &stable));
    hold_ok(error, "truncate");
    node_commit(node);
    context_done(&stable);
}

static void step_task(struct world *world)
{
    size_t index = world_pick(world, world->tasks_count);

    if (!task_step(world, &world->tasks[index]) || world_chance(world, 0.05))
        world_task_remove(world, index);
}

static void step_read(struct world *world, const unsigned *alive, unsigned count)
{
    unsigned chosen[NODES_MAX], wanted = 1 + world_pick(world, count);

    memcpy(chosen, alive, count * sizeof *chosen);
    for (unsigned i = 0; i < wanted; i++) {
        unsigned other = i + world_pick(world, count - i), swap = chosen[i];

        chosen[i] = chosen[other];
        chosen[other] = swap;
    }
    world_read(world, chosen, wanted, world_pick(world, PATHS));
}

void world_step(struct world *world)
{
    static const size_t sizes[] = {1, 200, 500, 1 << 20};
    unsigned alive[NODES_MAX], count = world_alive(world, alive);
    struct node *node = &world->nodes[alive[world_pick(world, count)]];
    struct node *peer = &world->nodes[alive[world_pick(world, count)]];
    unsigned x = world_pick(world, 1000);

    /* Where logs are cut early, what matters are compares, and writes while they run. */
    if (world->profile == PROFILE_HORIZON && x < 140 && world->tasks_count > 0)
        x = 900;
    if (world->rollbacks && world_chance(world, 0.08)) {
        world_rollback(world, node, peer);
    } else if (x < 400) {
        step_write(world, node);
    } else if (x < 720 && world->wire_count > 0) {
        size_t index = world_chance(world, 0.3) ? world_pick(world, world->wire_count) : 0;

        node = &world->nodes[world->wire[index].to];
        world_deliver(world, index);
    } else if (x < 820 && peer != node) {
        world_task_new(world, node->number, peer->number, sizes[world_pick(world, 4)]);
    } else if (x < 930 && world->tasks_count > 0) {
        step_task(world);
    } else if (x < 960) {
        step_read(world, alive, count);
    } else if (x < 967 && world->profile == PROFILE_DAMAGE) {
        world_repair(world, node, peer);
    } else if (x < 980 || (x < 985 && world->profile == PROFILE_HORIZON)) {
        step_truncate(world, node);
    } else if (x < (world->folder ? 1000u : 985u) && !world->rollbacks) {
        node_restart(world, node);
    } else if (!world->rollbacks) {
        world_fault(world, node);
    }
    if (!node->gone)
        world_check(world, node);
    if (!peer->gone)
        world_check(world, peer);
}
