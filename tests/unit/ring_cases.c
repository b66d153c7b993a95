#include "tests/unit/ring_cases.h"

#include <string.h>

#include "base/hash.h"
#include "crdt/path.h"
#include "crdt/types.h"

int ring_place(struct pair_of_nodes *nodes, struct slice path, enum op_kind kind,
               struct slice value)
{
    struct side *at = &nodes->sides[0];
    static uint64_t stamp;
    struct op op = {.kind = kind, .value = value, .stamp = ++stamp};
    struct shard *shard;
    struct dot dot;
    int error = store_shard(&at->store, at->batch, SYSTEM_BUCKET, &shard);

    if (!error)
        error = shard_write(shard, at->batch, shard->id, path, &op, &dot);
    return error ? error : side_commit(at);
}

int ring_put(struct pair_of_nodes *nodes, const char *ring, enum ring_object object,
             uint64_t number, struct slice value)
{
    struct buffer path;
    int error;

    buffer_init(&path, NEAP_PATH_MAX);
    error = ring_path(ring, object, number, &path);
    if (!error && object == RING_BUCKETS)
        error = path_element(&path, value);
    if (!error)
        error = ring_place(nodes, buffer_slice(&path),
                           object == RING_BUCKETS ? OP_SET_ADD : OP_LWW_SET, value);
    buffer_done(&path);
    return error;
}

int ring_make(const struct made *before, const char *zones, unsigned slots, struct made *ret_made)
{
    struct layout_node nodes[26];
    size_t used = 0, count = strlen(zones);

    memset(ret_made, 0, sizeof *ret_made);
    for (char z = 'a'; z <= 'z'; z++) {
        if (!strchr(zones, z))
            continue;
        ret_made->zones[used].name[0] = z;
        ret_made->zones[used++].id = hash_name(slice_of(&z, 1));
    }
    for (unsigned i = 0; i < count; i++)
        nodes[i] = (struct layout_node){i + 1, hash_name(slice_of(zones + i, 1)), 1};
    ret_made->layout.zones = ret_made->zones;
    ret_made->layout.zones_count = used;
    ret_made->layout.parent = before ? before->layout.stamp : 0;
    return layout_next(before ? &before->layout.layout : NULL, nodes, count, slots, 3,
                       &ret_made->layout.layout);
}

int made_pack(const struct made *made, uint64_t version, struct buffer *bytes)
{
    buffer_init(bytes, RING_LAYOUT_SIZE_MAX);
    return ring_layout_pack(&made->layout, version, bytes);
}

int made_put(struct pair_of_nodes *nodes, const char *ring, struct made *made, uint64_t version)
{
    struct buffer bytes;
    int error = made_pack(made, version, &bytes);

    if (!error) {
        made->layout.stamp = ring_layout_stamp(version, buffer_slice(&bytes));
        error = ring_put(nodes, ring, RING_LAYOUT, made->layout.stamp, buffer_slice(&bytes));
    }
    buffer_done(&bytes);
    return error;
}

int ring_track_put(struct pair_of_nodes *nodes, const char *ring, const struct ring_track *track)
{
    struct buffer bytes;
    int error;

    buffer_init(&bytes, 1024);
    error = ring_track_pack(track, &bytes);
    if (!error)
        error = ring_put(nodes, ring, RING_TRACK, track->node, buffer_slice(&bytes));
    buffer_done(&bytes);
    return error;
}

int rings_read_as(struct pair_of_nodes *nodes, uint64_t me, struct rings *ret_rings)
{
    struct view view = {.disk = nodes->sides[0].disk};

    return rings_read(&view, me, ret_rings);
}
