/* From the system's bucket: all that is named "ring/...", in one pass. What has a name of another
 * kind is not ours (yet); what has one of ours and is not what we would write is CORRUPT. */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "crdt/path.h"
#include "crdt/types.h"
#include "gossip/ring_pack.h"
#include "gossip/ring_track.h"
#include "gossip/roster.h"
#include "gossip/system.h"

struct reading {
    struct rings rings;
    size_t rings_room;
    size_t layouts_room, tracks_room, skips_room, buckets_room; /* of the last ring */
    uint64_t me;
};

static void ring_done(struct ring *ring)
{
    for (size_t i = 0; i < ring->layouts_count; i++)
        ring_layout_done(&ring->layouts[i]);
    mem_free(ring->layouts);
    mem_free(ring->tracks);
    mem_free(ring->skips);
    mem_free(ring->buckets);
    mem_free(ring->shards);
    *ring = (struct ring){.n = 0};
}

void rings_done(struct rings *rings)
{
    for (size_t i = 0; i < rings->count; i++)
        ring_done(&rings->rings[i]);
    mem_free(rings->rings);
    mem_free(rings->slots);
    *rings = (struct rings){0};
}

/* ---- one object ---- */

/* Objects of one ring follow each other. */
static int ring_of(struct reading *reading, struct slice name, struct ring **ret_ring)
{
    struct rings *rings = &reading->rings;
    struct ring *ring = rings->count ? &rings->rings[rings->count - 1] : NULL;

    if (!ring || !slice_equal(slice_text(ring->name), name)) {
        if (rings->count == RINGS_MAX)
            return NEAP_CORRUPT;
        ring = mem_reserve(rings->rings, rings->count, &reading->rings_room, 1, sizeof *ring);
        if (!ring)
            return NEAP_NOMEM;
        rings->rings = ring;
        ring = &rings->rings[rings->count++];
        *ring = (struct ring){.n = 0};
        memcpy(ring->name, name.data, name.size);
        reading->layouts_room = reading->tracks_room = 0;
        reading->skips_room = reading->buckets_room = 0;
    }
    *ret_ring = ring;
    return 0;
}

static int layout_take(struct reading *reading, struct ring *ring, uint64_t stamp,
                       struct slice value)
{
    struct ring_layout *layouts;
    int error;

    if (ring->layouts_count == RING_ACTIVE_MAX)
        return NEAP_CORRUPT;
    layouts =
        mem_reserve(ring->layouts, ring->layouts_count, &reading->layouts_room, 1, sizeof *layouts);
    if (!layouts)
        return NEAP_NOMEM;
    ring->layouts = layouts;
    error = ring_layout_unpack(value, &layouts[ring->layouts_count]);
    if (error)
        return error;
    return layouts[ring->layouts_count++].stamp == stamp ? 0 : NEAP_CORRUPT;
}

static int track_take(struct reading *reading, struct ring *ring, uint64_t node, struct slice value)
{
    struct ring_track *tracks;
    int error;

    if (ring->tracks_count == RING_TRACKS_MAX)
        return NEAP_CORRUPT;
    tracks =
        mem_reserve(ring->tracks, ring->tracks_count, &reading->tracks_room, 1, sizeof *tracks);
    if (!tracks)
        return NEAP_NOMEM;
    ring->tracks = tracks;
    error = ring_track_unpack(value, node, &tracks[ring->tracks_count]);
    ring->tracks_count += !error;
    return error;
}

static int skip_take(struct reading *reading, struct ring *ring, uint64_t node, struct slice value)
{
    struct ring_skip *skips;
    int error;

    if (ring->skips_count == RING_TRACKS_MAX)
        return NEAP_CORRUPT;
    skips = mem_reserve(ring->skips, ring->skips_count, &reading->skips_room, 1, sizeof *skips);
    if (!skips)
        return NEAP_NOMEM;
    ring->skips = skips;
    skips[ring->skips_count].node = node;
    error = ring_skip_unpack(value, &skips[ring->skips_count].stamp);
    ring->skips_count += !error;
    return error;
}

static int bucket_take(struct reading *reading, struct ring *ring, struct path_cursor *cursor)
{
    struct slice element;
    uint64_t *buckets;
    int error = path_cursor_element(cursor, &element);

    if (error)
        return error == NEAP_NOMEM ? error : NEAP_CORRUPT;
    if (ring->buckets_count == RING_BUCKETS_MAX)
        return 0; /* the rest is not known by name */
    buckets =
        mem_reserve(ring->buckets, ring->buckets_count, &reading->buckets_room, 1, sizeof *buckets);
    if (!buckets)
        return NEAP_NOMEM;
    ring->buckets = buckets;
    buckets[ring->buckets_count++] = hash_name(element);
    return 0;
}

static int object_take(struct reading *reading, struct path_cursor *cursor, struct slice key,
                       enum neap_type type, const struct cell *cell)
{
    enum ring_object object;
    struct slice name, value = {0};
    struct ring *ring;
    uint64_t number;
    int error;

    if (ring_key_parse(key, &name, &object, &number) ||
        type != (object == RING_BUCKETS ? NEAP_SET : NEAP_LWW))
        return 0;
    error = ring_of(reading, name, &ring);
    if (error || object == RING_STAGED)
        return error;
    if (object == RING_BUCKETS)
        return bucket_take(reading, ring, cursor);
    if (lww_value(cell, &value, NULL))
        return NEAP_CORRUPT;
    if (object == RING_LAYOUT)
        return layout_take(reading, ring, number, value);
    if (object == RING_TRACK)
        return track_take(reading, ring, number, value);
    return skip_take(reading, ring, number, value);
}

static int cell_take(void *arg, struct slice path, const struct cell *cell)
{
    struct path_cursor cursor;
    struct path_level level;
    int error;

    path_cursor_init(&cursor, path);
    error = path_cursor_level(&cursor, &level);
    if (error)
        error = error == NEAP_NOMEM ? error : NEAP_CORRUPT;
    else if (type_check_cell(level.type, cell))
        error = NEAP_CORRUPT;
    else if (type_is_live(level.type, cell)) {
        uint8_t bytes[NEAP_KEY_MAX];
        struct slice key = slice_of(bytes, level.name.size);

        /* The name's memory is the cursor's, which goes on. */
        if (level.name.size <= sizeof bytes) {
            memcpy(bytes, level.name.data, level.name.size);
            error = object_take(arg, &cursor, key, level.type, cell);
        }
    }
    path_cursor_done(&cursor);
    return error;
}

/* ---- all of them ---- */

static int compare_layouts(const void *a, const void *b)
{
    const struct ring_layout *one = a, *other = b;

    return (one->stamp > other->stamp) - (one->stamp < other->stamp);
}

/* Tracks and skips came in order, as their keys are in that of nodes. */
static int ring_finish(struct ring *ring, uint64_t me)
{
    const struct ring_layout *newest;
    size_t kept = 0;

    qsort(ring->layouts, ring->layouts_count, sizeof *ring->layouts, compare_layouts);
    newest = &ring->layouts[ring->layouts_count - 1];
    ring->n = newest->layout.wanted_n;
    ring->slots = newest->layout.slots;
    for (size_t i = 0; i < ring->layouts_count; i++) {
        if (ring->layouts[i].layout.slots == ring->slots) {
            ring->layouts[kept++] = ring->layouts[i];
            continue;
        }
        ring_layout_done(&ring->layouts[i]);
        ring->strange++;
    }
    ring->layouts_count = kept;
    ring_settle(ring, me);
    ring->shards = mem_new_array(ring->slots, sizeof *ring->shards);
    if (!ring->shards)
        return NEAP_NOMEM;
    for (unsigned slot = 0; slot < ring->slots; slot++) {
        char name[RING_SHARD_NAME_MAX];

        ring->shards[slot] = hash_name(slice_text(ring_shard_name(ring, slot, name)));
    }
    return 0;
}

/* Those of which there is a layout; the others are not made yet. */
static int rings_finish(struct rings *rings, uint64_t me)
{
    size_t kept = 0;
    int error = 0;

    for (size_t i = 0; i < rings->count; i++) {
        if (rings->rings[i].layouts_count)
            rings->rings[kept++] = rings->rings[i];
        else
            ring_done(&rings->rings[i]);
    }
    rings->count = kept;
    for (size_t i = 0; i < kept && !error; i++)
        error = ring_finish(&rings->rings[i], me);
    return error ? error : rings_index(rings);
}

static bool is_known(const struct ring *ring, uint64_t node)
{
    for (size_t i = 0; i < ring->layouts_count; i++)
        if (ring_zone(&ring->layouts[i], node))
            return true;
    return false;
}

/* Who is forgotten is not waited for. */
static int forgotten_skip(struct ring *ring, const struct roster_list *forgotten)
{
    size_t room = ring->skips_count;

    for (size_t i = 0; i < forgotten->count; i++) {
        struct ring_skip *skips;

        if (!is_known(ring, forgotten->rows[i].node))
            continue;
        skips = mem_reserve(ring->skips, ring->skips_count, &room, 1, sizeof *skips);
        if (!skips)
            return NEAP_NOMEM;
        ring->skips = skips;
        skips[ring->skips_count++] = (struct ring_skip){forgotten->rows[i].node, UINT64_MAX};
    }
    return 0;
}

static int rings_skip(const struct view *view, struct rings *rings)
{
    struct roster roster = {0};
    int error = rings->count ? roster_read(view, &roster) : 0;

    for (size_t i = 0; i < rings->count && !error; i++)
        error = forgotten_skip(&rings->rings[i], &roster.lists[ROSTER_FORGOTTEN]);
    roster_done(&roster);
    return error;
}

int rings_read(const struct view *view, uint64_t me, struct rings *ret_rings)
{
    struct reading reading = {.me = me};
    struct buffer prefix;
    int error;

    buffer_init(&prefix, NEAP_PATH_MAX);
    error = ring_path_prefix(NULL, &prefix);
    if (!error)
        error = system_each(view, buffer_slice(&prefix), cell_take, &reading);
    buffer_done(&prefix);
    if (!error)
        error = rings_skip(view, &reading.rings);
    if (!error)
        error = rings_finish(&reading.rings, me);
    if (error) {
        rings_done(&reading.rings);
        return error;
    }
    rings_done(ret_rings);
    *ret_rings = reading.rings;
    return 0;
}

/* ---- a copy ---- */

static int array_copy(const void *from, size_t count, size_t size, void **ret_array)
{
    *ret_array = NULL;
    if (!count)
        return 0;
    *ret_array = mem_new_array(count, size);
    if (!*ret_array)
        return NEAP_NOMEM;
    memcpy(*ret_array, from, count * size);
    return 0;
}

static int layout_copy(const struct ring_layout *from, struct ring_layout *ret_to)
{
    const struct layout *table = &from->layout;
    void *zones = NULL, *nodes = NULL, *owners = NULL;

    if (array_copy(from->zones, from->zones_count, sizeof *from->zones, &zones) ||
        array_copy(table->nodes, table->nodes_count, sizeof *table->nodes, &nodes) ||
        array_copy(table->owners, (size_t)table->slots * table->n, sizeof *table->owners,
                   &owners)) {
        mem_free(zones);
        mem_free(nodes);
        return NEAP_NOMEM;
    }
    *ret_to = *from;
    ret_to->zones = zones;
    ret_to->layout.nodes = nodes;
    ret_to->layout.owners = owners;
    return 0;
}

static int ring_copy(const struct ring *from, struct ring *to)
{
    void *tracks = NULL, *skips = NULL, *buckets = NULL, *shards = NULL;
    int error = 0;

    *to = *from;
    to->layouts_count = 0;
    to->layouts = mem_new_array(from->layouts_count, sizeof *to->layouts);
    error = to->layouts ? 0 : NEAP_NOMEM;
    for (size_t i = 0; !error && i < from->layouts_count; i++) {
        error = layout_copy(&from->layouts[i], &to->layouts[i]);
        to->layouts_count += !error;
    }
    if (!error)
        error = array_copy(from->tracks, from->tracks_count, sizeof *from->tracks, &tracks);
    if (!error)
        error = array_copy(from->skips, from->skips_count, sizeof *from->skips, &skips);
    if (!error)
        error = array_copy(from->buckets, from->buckets_count, sizeof *from->buckets, &buckets);
    if (!error)
        error = array_copy(from->shards, from->slots, sizeof *from->shards, &shards);
    to->tracks = tracks;
    to->skips = skips;
    to->buckets = buckets;
    to->shards = shards;
    return error;
}

int rings_copy(const struct rings *from, struct rings *ret_to)
{
    struct rings copy = {0};
    void *slots = NULL;
    int error = 0;

    if (from->count) {
        copy.rings = mem_new_array(from->count, sizeof *copy.rings);
        error = copy.rings ? 0 : NEAP_NOMEM;
    }
    for (size_t i = 0; !error && i < from->count; i++) {
        copy.count++;
        error = ring_copy(&from->rings[i], &copy.rings[i]);
    }
    if (!error)
        error = array_copy(from->slots, from->slots_count, sizeof *from->slots, &slots);
    if (error) {
        rings_done(&copy);
        return error;
    }
    copy.slots = slots;
    copy.slots_count = from->slots_count;
    rings_done(ret_to);
    *ret_to = copy;
    return 0;
}
