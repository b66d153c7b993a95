#include "gossip/rings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "gossip/ring_pack.h"

/* ---- names ---- */

bool bucket_ring(const char *bucket, struct slice *ret_ring)
{
    const char *at = strchr(bucket, '@');

    /* What begins with it is a slot's shard, and no bucket. */
    if (!at || at == bucket)
        return false;
    *ret_ring = slice_text(at + 1);
    return true;
}

int ring_name_check(struct slice name)
{
    if (name.size == 0 || name.size > RING_NAME_MAX)
        return NEAP_INVALID;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-')
            return NEAP_INVALID;
    }
    return 0;
}

int ring_zone_check(struct slice zone)
{
    if (zone.size == 0 || zone.size > RING_ZONE_MAX)
        return NEAP_INVALID;
    for (size_t i = 0; i < zone.size; i++)
        if (zone.data[i] <= ' ' || zone.data[i] > '~' || zone.data[i] == ',' || zone.data[i] == '/')
            return NEAP_INVALID;
    return 0;
}

bool shard_ring(const char *shard_name, struct slice *ret_ring, unsigned *ret_slot)
{
    const char *slash = strchr(shard_name, '/');
    unsigned slot = 0;
    struct slice ring;

    if (shard_name[0] != '@' || !slash)
        return false;
    ring = slice_of(shard_name + 1, (size_t)(slash - shard_name - 1));
    if (ring_name_check(ring) || !slash[1] || (slash[1] == '0' && slash[2]))
        return false;
    for (const char *digit = slash + 1; *digit; digit++) {
        if (*digit < '0' || *digit > '9')
            return false;
        slot = slot * 10 + (unsigned)(*digit - '0');
        if (slot >= LAYOUT_SLOTS_MAX)
            return false;
    }
    *ret_ring = ring;
    *ret_slot = slot;
    return true;
}

const char *ring_shard_name(const struct ring *ring, unsigned slot,
                            char ret_name[RING_SHARD_NAME_MAX])
{
    snprintf(ret_name, RING_SHARD_NAME_MAX, "@%s/%u", ring->name, slot);
    return ret_name;
}

/* ---- all rings ---- */

static int compare_names(const void *a, const void *b)
{
    const struct ring *one = a, *other = b;

    return strcmp(one->name, other->name);
}

const struct ring *rings_find(const struct rings *rings, struct slice name)
{
    struct ring wanted = {.n = 0};

    if (!rings->count || name.size > RING_NAME_MAX)
        return NULL;
    memcpy(wanted.name, name.data, name.size);
    return bsearch(&wanted, rings->rings, rings->count, sizeof wanted, compare_names);
}

const struct ring *rings_of_bucket(const struct rings *rings, const char *bucket)
{
    struct slice name;

    return bucket_ring(bucket, &name) ? rings_find(rings, name) : NULL;
}

static int compare_shards(const void *a, const void *b)
{
    const struct rings_slot *one = a, *other = b;

    return (one->shard > other->shard) - (one->shard < other->shard);
}

const struct ring *rings_shard(const struct rings *rings, uint64_t shard, unsigned *ret_slot)
{
    const struct rings_slot wanted = {.shard = shard}, *found;

    if (!rings->slots_count)
        return NULL;
    found = bsearch(&wanted, rings->slots, rings->slots_count, sizeof wanted, compare_shards);
    if (!found)
        return NULL;
    *ret_slot = found->slot;
    return &rings->rings[found->ring];
}

bool rings_holds(const struct rings *rings, uint64_t shard, uint64_t node)
{
    unsigned slot;
    const struct ring *ring = rings_shard(rings, shard, &slot);

    return ring && ring_holds(ring, slot, node);
}

bool rings_have_one(const struct rings *rings, const uint64_t *shards, size_t count)
{
    uint64_t members[RING_MEMBERS_MAX];
    const struct ring *ring = NULL;
    size_t members_count, first = 0;
    unsigned slot;

    while (first < count && !(ring = rings_shard(rings, shards[first], &slot)))
        first++;
    if (!ring)
        return true;
    members_count = ring_members(ring, slot, members);
    for (size_t i = 0; i < members_count; i++) {
        size_t k = first + 1;

        while (k < count && (!rings_shard(rings, shards[k], &slot) ||
                             rings_holds(rings, shards[k], members[i])))
            k++;
        if (k == count)
            return true;
    }
    return false;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t *one = a, *other = b;

    return (*one > *other) - (*one < *other);
}

int rings_index(struct rings *rings)
{
    size_t count = 0;

    for (size_t i = 0; i < rings->count; i++)
        count += rings->rings[i].slots;
    if (!count)
        return 0;
    rings->slots = mem_new_array(count, sizeof *rings->slots);
    if (!rings->slots)
        return NEAP_NOMEM;
    qsort(rings->rings, rings->count, sizeof *rings->rings, compare_names);
    for (size_t i = 0; i < rings->count; i++) {
        struct ring *ring = &rings->rings[i];

        if (ring->buckets_count)
            qsort(ring->buckets, ring->buckets_count, sizeof *ring->buckets, compare_numbers);
        for (unsigned slot = 0; slot < ring->slots; slot++)
            rings->slots[rings->slots_count++] =
                (struct rings_slot){ring->shards[slot], (uint32_t)i, slot};
    }
    qsort(rings->slots, rings->slots_count, sizeof *rings->slots, compare_shards);
    return 0;
}

/* ---- one ring ---- */

unsigned ring_slot(const struct ring *ring, uint64_t bucket, struct slice key)
{
    uint8_t bytes[16];
    uint64_t hash;

    bytes_put_u64(bytes, bucket);
    bytes_put_u64(bytes + 8, hash_name(key));
    hash = hash_name(slice_of(bytes, sizeof bytes));
    /* the top bits, as there are 2^k slots; 32 of them are enough for any */
    return (unsigned)((hash >> 32) * ring->slots >> 32);
}

uint64_t ring_shard(const struct ring *ring, unsigned slot)
{
    return ring->shards[slot];
}

bool ring_has_bucket(const struct ring *ring, uint64_t bucket)
{
    return ring->buckets_count &&
           bsearch(&bucket, ring->buckets, ring->buckets_count, sizeof bucket, compare_numbers);
}

const struct ring_layout *ring_newest(const struct ring *ring)
{
    return &ring->layouts[ring->layouts_count - 1];
}

const struct ring_layout *ring_reading(const struct ring *ring)
{
    return &ring->layouts[ring->reads];
}

const struct ring_layout *ring_layout_of(const struct ring *ring, uint64_t stamp)
{
    for (size_t i = 0; i < ring->layouts_count; i++)
        if (ring->layouts[i].stamp == stamp)
            return &ring->layouts[i];
    return NULL;
}

size_t ring_owners(const struct ring_layout *layout, unsigned slot,
                   uint64_t ret_nodes[LAYOUT_OWNERS_MAX])
{
    const struct layout *table = &layout->layout;

    for (unsigned i = 0; i < table->n; i++)
        ret_nodes[i] = table->nodes[table->owners[(size_t)slot * table->n + i]].id;
    return table->n;
}

size_t ring_members(const struct ring *ring, unsigned slot, uint64_t ret_nodes[RING_MEMBERS_MAX])
{
    size_t count = 0, distinct = 0;

    for (size_t i = 0; i < ring->layouts_count; i++)
        count += ring_owners(&ring->layouts[i], slot, ret_nodes + count);
    qsort(ret_nodes, count, sizeof *ret_nodes, compare_numbers);
    for (size_t i = 0; i < count; i++)
        if (!distinct || ret_nodes[distinct - 1] != ret_nodes[i])
            ret_nodes[distinct++] = ret_nodes[i];
    return distinct;
}

bool ring_holds(const struct ring *ring, unsigned slot, uint64_t node)
{
    for (size_t i = 0; i < ring->layouts_count; i++)
        if (layout_owns(&ring->layouts[i].layout, slot, node))
            return true;
    return false;
}

static const struct layout_node *node_of(const struct ring_layout *layout, uint64_t node)
{
    for (size_t i = 0; i < layout->layout.nodes_count; i++)
        if (layout->layout.nodes[i].id == node)
            return &layout->layout.nodes[i];
    return NULL;
}

bool ring_has_node(const struct ring_layout *layout, uint64_t node)
{
    const struct layout_node *found = node_of(layout, node);

    return found && found->weight > 0;
}

uint64_t ring_zone_id(const struct ring_layout *layout, uint64_t node)
{
    const struct layout_node *found = node_of(layout, node);

    return found ? found->zone : 0;
}

const char *ring_zone(const struct ring_layout *layout, uint64_t node)
{
    uint64_t zone = ring_zone_id(layout, node);

    for (size_t i = 0; i < layout->zones_count; i++)
        if (layout->zones[i].id == zone)
            return layout->zones[i].name;
    return NULL;
}

bool ring_coordinates(const struct ring *ring, uint64_t me)
{
    return ring->reads_well && ring_has_node(ring_reading(ring), me);
}

static int compare_tracks(const void *a, const void *b)
{
    const struct ring_track *one = a, *other = b;

    return (one->node > other->node) - (one->node < other->node);
}

const struct ring_track *ring_track_of(const struct ring *ring, uint64_t node)
{
    const struct ring_track wanted = {.node = node};

    return ring->tracks_count
               ? bsearch(&wanted, ring->tracks, ring->tracks_count, sizeof wanted, compare_tracks)
               : NULL;
}

bool ring_is_skipped(const struct ring *ring, uint64_t node, uint64_t stamp)
{
    for (size_t i = 0; i < ring->skips_count; i++)
        if (ring->skips[i].node == node && ring->skips[i].stamp >= stamp)
            return true;
    return false;
}

bool ring_answers(const struct ring *ring, uint64_t node)
{
    const struct ring_layout *reading = ring_reading(ring);
    const struct ring_track *track = ring_track_of(ring, node);

    if (!ring_is_skipped(ring, node, reading->stamp))
        return true;
    return track && bsearch(&reading->stamp, track->synced, track->synced_count,
                            sizeof reading->stamp, compare_numbers);
}
