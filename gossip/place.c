#include "gossip/place.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/broken.h"
#include "base/error.h"
#include "gossip/state.h"

/* ---- places ---- */

int place_key(struct slice path, uint8_t ret_key[NEAP_KEY_MAX], size_t *ret_size)
{
    size_t size = 0;
    for (size_t i = 0; i < path.size; i++) {
        uint8_t byte = path.data[i];
        if (byte == 0 && i + 1 < path.size && path.data[i + 1] == 1) {
            *ret_size = size;
            return size ? 0 : NEAP_INVALID;
        }
        if (byte == 0 && (i + 1 == path.size || path.data[++i] != 0xff))
            return NEAP_INVALID;
        if (size == NEAP_KEY_MAX)
            return NEAP_LIMIT;
        ret_key[size++] = byte;
    }
    return NEAP_INVALID;
}

int place_find(const struct rings *rings, const char *bucket, struct slice path,
               struct placed *ret_place)
{
    uint8_t key[NEAP_KEY_MAX];
    struct slice name;
    size_t size;
    ret_place->ring = NULL;
    snprintf(ret_place->shard, sizeof ret_place->shard, "%s", bucket);
    if (!bucket_ring(bucket, &name))
        return 0;
    int error = place_key(path, key, &size);
    if (error)
        return error;
    ret_place->ring = rings ? rings_find(rings, name) : NULL;
    if (!ret_place->ring)
        return NEAP_UNAVAILABLE;
    ret_place->slot = ring_slot(ret_place->ring, bucket_id(bucket), slice_of(key, size));
    ring_shard_name(ret_place->ring, ret_place->slot, ret_place->shard);
    return 0;
}

int place_slot(const struct rings *rings, const char *bucket, unsigned slot, unsigned slots,
               struct placed *ret_place)
{
    struct slice name;
    ret_place->ring = NULL;
    snprintf(ret_place->shard, sizeof ret_place->shard, "%s", bucket);
    if (!bucket_ring(bucket, &name) || slot >= slots)
        return NEAP_INVALID;
    ret_place->ring = rings_find(rings, name);
    if (!ret_place->ring)
        return NEAP_UNAVAILABLE;
    if (ret_place->ring->slots != slots)
        return NEAP_STALE;
    ret_place->slot = slot;
    ring_shard_name(ret_place->ring, slot, ret_place->shard);
    return 0;
}

bool place_is_mine(const struct placed *place, enum group_use use, uint64_t me)
{
    const struct ring *ring = place->ring;
    if (!ring)
        return true;
    if (!ring_coordinates(ring, me))
        return false;
    if (use == GROUPS_WRITE || BROKEN("reads-new-owners"))
        return ring_holds(ring, place->slot, me);
    return ring_answers(ring, me) && layout_owns(&ring_reading(ring)->layout, place->slot, me);
}

/* ---- who counts ---- */

bool group_has(const struct group *group, uint64_t node)
{
    for (unsigned i = 0; i < group->count; i++) {
        if (group->nodes[i] == node)
            return true;
    }
    return false;
}

static struct group group_whole(const struct ring_layout *layout, unsigned slot)
{
    struct group group;
    group.count = (unsigned)ring_owners(layout, slot, group.nodes);
    return group;
}

static struct group group_in(const struct ring_layout *layout, const struct group *whole,
                             uint64_t zone)
{
    struct group group = {.count = 0};
    for (unsigned i = 0; i < whole->count; i++) {
        if (ring_zone_id(layout, whole->nodes[i]) == zone)
            group.nodes[group.count++] = whole->nodes[i];
    }
    return group;
}

static size_t groups_each(const struct ring_layout *layout, const struct group *whole,
                          struct group *ret_groups)
{
    size_t count = 0;
    for (unsigned i = 0; i < whole->count; i++) {
        uint64_t zone = ring_zone_id(layout, whole->nodes[i]);
        bool is_first = true;
        for (unsigned j = 0; j < i; j++)
            is_first = is_first && ring_zone_id(layout, whole->nodes[j]) != zone;
        if (is_first)
            ret_groups[count++] = group_in(layout, whole, zone);
    }
    return count;
}

/* Who was skipped before it had caught up is a member still, and has no answer. */
static void group_mute(const struct ring *ring, struct group *group)
{
    for (unsigned i = 0; i < group->count; i++) {
        if (!ring_answers(ring, group->nodes[i]))
            group->nodes[i] = 0;
    }
}

bool shard_is_coordinated(const struct rings *rings, const char *shard, uint64_t me)
{
    struct slice name;
    unsigned slot;
    const struct ring *ring = shard_ring(shard, &name, &slot) ? rings_find(rings, name) : NULL;
    return !ring || ring_coordinates(ring, me);
}

size_t groups_of(const struct rings *rings, const char *shard, enum group_use use,
                 enum neap_level level, uint64_t me, struct group ret_groups[GROUPS_MAX])
{
    struct slice name;
    unsigned slot;
    size_t count = 0;
    const struct ring *ring = shard_ring(shard, &name, &slot) ? rings_find(rings, name) : NULL;
    if (!ring || slot >= ring->slots)
        return 0;
    uint64_t zone = ring_zone_id(ring_reading(ring), me);
    for (size_t i = 0; i < ring->layouts_count; i++) {
        const struct ring_layout *layout = &ring->layouts[i];
        bool newest = layout == ring_newest(ring);
        if (use == GROUPS_READ ? layout != ring_reading(ring)
                               : !newest && BROKEN("writes-count-in-newest"))
            continue;
        struct group whole = group_whole(layout, slot);
        size_t first = count;
        if (level == NEAP_EACH_QUORUM)
            count += groups_each(layout, &whole, ret_groups + count);
        else if (level == NEAP_LOCAL_QUORUM)
            ret_groups[count++] = group_in(layout, &whole, zone);
        else
            ret_groups[count++] = whole;
        for (size_t j = first; j < count && use == GROUPS_READ; j++)
            group_mute(ring, &ret_groups[j]);
    }
    return count;
}

/* ---- the rings of a node ---- */

const struct rings *gossip_rings(const struct gossip *gossip, uint64_t *ret_version)
{
    if (ret_version)
        *ret_version = gossip->rings_version;
    return &gossip->rings;
}

/* All slots that this node is to hold. *ret_others: they are not those that it did. */
static int place_slots(struct gossip *gossip, const struct rings *rings, bool *ret_others)
{
    uint64_t me = gossip->store->identity.node, *ids;
    size_t count = 0, before = 0;
    *ret_others = false;
    for (size_t i = 0; i < gossip->rings.slots_count; i++)
        before += rings_holds(&gossip->rings, gossip->rings.slots[i].shard, me);
    ids = mem_new_array(rings->slots_count + 1, sizeof *ids);
    if (!ids)
        return NEAP_NOMEM;
    for (size_t i = 0; i < rings->slots_count; i++) {
        const struct rings_slot *slot = &rings->slots[i];
        if (!ring_holds(&rings->rings[slot->ring], slot->slot, me))
            continue;
        ids[count++] = slot->shard;
        *ret_others |= !rings_holds(&gossip->rings, slot->shard, me);
    }
    *ret_others |= count != before;
    store_place(gossip->store, ids, count);
    return 0;
}

/* What is known of a slot at who did not hold it is void: it may have let go of that since. So it
 * is asked anew: who is told by somebody who quotes nothing tells all (gossip/digest.c). */
static void rings_forget(struct gossip *gossip, const struct rings *now)
{
    for (size_t i = 0; i < gossip->topics_count; i++) {
        struct topic *topic = gossip->topics[i];
        const struct shard *shard = store_find(gossip->store, topic->shard);
        for (size_t j = 0; shard && shard->name[0] == '@' && j < gossip->peers_count; j++) {
            struct peer *peer = &gossip->peers[j];
            if (!peer->met || rings_holds(&gossip->rings, topic->shard, peer->node) ||
                !rings_holds(now, topic->shard, peer->node))
                continue;
            pair_forget(gossip, topic, j);
            peer->digest_all = peer->digest_soon = true;
        }
    }
}

int rings_open(struct gossip *gossip)
{
    bool others;
    int error = rings_read(&(struct view){.disk = gossip->store->disk},
                           gossip->store->identity.node, &gossip->rings);
    if (error == NEAP_CORRUPT)
        error = 0;
    gossip->rings_version = 1;
    return error ? error : place_slots(gossip, &gossip->rings, &others);
}

/* Whatever passes in the system's bucket makes them stale; its events tell whether they are, and
 * what a repair has brought back. */
static bool rings_are_as_read(struct gossip *gossip)
{
    const struct shard *shard = store_find(gossip->store, gossip->system);
    uint64_t events = shard && !BROKEN("rings-unrepaired") ? shard->counts.healed + 1 : 1;
    gossip->rings_stale = false;
    for (size_t i = 0; shard && i < shard->context.count; i++)
        events += shard->context.entries[i].n;
    if (events == gossip->rings_events)
        return true;
    gossip->rings_stale = true;
    gossip->rings_events_next = events;
    return false;
}

int rings_look(struct step *step)
{
    struct gossip *gossip = step->gossip;
    struct view view = {.disk = gossip->store->disk};
    struct rings rings = {0};
    bool others;
    if (!gossip->rings_stale || rings_are_as_read(gossip))
        return 0;
    if (step->batch)
        view = batch_view(step->batch);
    int error = rings_read(&view, gossip->store->identity.node, &rings);
    if (error == NEAP_CORRUPT)
        return 0; /* what was known of them holds */
    if (!error)
        error = place_slots(gossip, &rings, &others);
    if (error) {
        rings_done(&rings);
        return error;
    }
    rings_forget(gossip, &rings);
    rings_done(&gossip->rings);
    gossip->rings = rings;
    gossip->rings_stale = false;
    gossip->rings_events = gossip->rings_events_next;
    gossip->rings_version++;
    gossip->news++;
    /* As with subscriptions: whoever told of a slot that was not wanted here then tells again, and
     * what is on its way out begins anew. */
    if (others)
        gossip_subscribed(gossip);
    gossip->leave_at = 0;
    return topics_queue(gossip);
}
