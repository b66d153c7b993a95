#include "sim/ring.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "gossip/ring_pack.h"

static const char *const zones[] = {"east", "north", "west"};

uint64_t sim_id(const struct world *world, size_t node)
{
    return world->nodes[node].wheel.engine.store.identity.node;
}

size_t sim_index(const struct world *world, uint64_t id)
{
    for (size_t i = 0; i < world->nodes_count; i++) {
        if (world->nodes[i].up && sim_id(world, i) == id)
            return i;
    }
    return NODES_MAX;
}

const struct rings *sim_rings(const struct world *world, size_t node)
{
    return gossip_rings(world->nodes[node].wheel.engine.gossip, NULL);
}

/* A write to the system's bucket, which nobody waits for: its waiter is the world. */
struct sim_put {
    struct event event; /* first */
    struct write write;
    struct write_op op;
    struct buffer path, value;
};

void sim_put_ended(struct event *event)
{
    struct sim_put *put = (struct sim_put *)event;
    token_done(&put->write.token);
    token_done(&put->write.awaited);
    buffer_done(&put->path);
    buffer_done(&put->value);
    mem_free(put);
}

static size_t layout_nodes(const struct world *world, uint32_t members, struct layout_node *nodes)
{
    size_t count = 0;
    for (size_t i = 0; i < world->nodes_count; i++) {
        if (!(members >> i & 1) || !world->nodes[i].up)
            continue;
        nodes[count++] = (struct layout_node){
            .id = sim_id(world, i), .zone = hash_name(slice_text(zones[i % 3])), .weight = 1};
    }
    return count;
}

static void layout_put(struct world *world, size_t node, const struct ring_layout *layout,
                       uint64_t version)
{
    struct sim_put *put = mem_new(sizeof *put);
    must(put);
    buffer_init(&put->path, NEAP_PATH_MAX);
    buffer_init(&put->value, NEAP_VALUE_MAX);
    must(!ring_layout_pack(layout, version, &put->value));
    uint64_t stamp = ring_layout_stamp(version, buffer_slice(&put->value));
    must(!ring_path(SIM_RING, RING_LAYOUT, stamp, &put->path));
    put->op = (struct write_op){.bucket = SYSTEM_BUCKET,
                                .path = buffer_slice(&put->path),
                                .op = {.kind = OP_LWW_SET, .value = buffer_slice(&put->value)}};
    put->write = (struct write){.ops = &put->op, .count = 1, .system = true};
    token_init(&put->write.token);
    put->event = (struct event){.kind = EVENT_WRITE, .write = &put->write, .waiter = world};
    sim_post(world, node, &put->event);
}

bool sim_ring_next(struct world *world, size_t node, uint32_t members)
{
    const struct ring *ring = rings_find(sim_rings(world, node), slice_text(SIM_RING));
    const struct ring_layout *before = ring ? ring_newest(ring) : NULL;
    struct ring_zone names[3 + 1];
    struct ring_layout next = {.zones = names, .parent = before ? before->stamp : 0};
    struct layout_node nodes[NODES_MAX];
    size_t count = layout_nodes(world, members, nodes);
    for (size_t i = 0; i < 3; i++) {
        struct ring_zone *zone = &names[next.zones_count];
        bool used = false;
        memset(zone, 0, sizeof *zone);
        memcpy(zone->name, zones[i], strlen(zones[i]));
        zone->id = hash_name(slice_text(zones[i]));
        for (size_t j = 0; j < count; j++)
            used = used || nodes[j].zone == zone->id;
        next.zones_count += used;
    }
    if (count < SIM_RING_N || (ring && ring->layouts_count >= RING_ACTIVE_MAX / 2) ||
        layout_next(before ? &before->layout : NULL, nodes, count, SIM_RING_SLOTS, SIM_RING_N,
                    &next.layout))
        return false;
    layout_put(world, node, &next, before ? (uint64_t)ring_version(before->stamp) + 1 : 1);
    layout_done(&next.layout);
    return true;
}
