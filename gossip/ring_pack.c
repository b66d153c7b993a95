/* A layout is [format, version, parent, n, slots, zones, nodes, owners]: zones by name, nodes as
 * [id, zone, weight...] by id, owners one byte each. Whatever can be told from the rest (how many
 * owners there are, loads) is not in it. */
#include "gossip/ring_pack.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "crdt/path.h"

enum { LAYOUT_FORMAT = 1, TRACK_FORMAT = 1 };

/* ---- names ---- */

static const struct {
    const char *name;
    bool numbered;
} objects[RING_OBJECTS] = {[RING_LAYOUT] = {"layout", true},
                           [RING_TRACK] = {"track", true},
                           [RING_SKIP] = {"skip", true},
                           [RING_STAGED] = {"staged", true},
                           [RING_BUCKETS] = {"buckets", false}};

static const char prefix[] = "ring/";

int ring_path(const char *ring, enum ring_object object, uint64_t number, struct buffer *ret_path)
{
    char key[RING_NAME_MAX + 40];

    if (objects[object].numbered)
        snprintf(key, sizeof key, "%s%s/%s/%016llx", prefix, ring, objects[object].name,
                 (unsigned long long)number);
    else
        snprintf(key, sizeof key, "%s%s/%s", prefix, ring, objects[object].name);
    buffer_clear(ret_path);
    return path_level(ret_path, slice_text(key), objects[object].numbered ? NEAP_LWW : NEAP_SET);
}

int ring_path_prefix(const char *ring, struct buffer *ret_prefix)
{
    int error;

    buffer_clear(ret_prefix);
    error = buffer_append(ret_prefix, slice_text(prefix));
    if (!error && ring)
        error = buffer_append(ret_prefix, slice_text(ring));
    return error || !ring ? error : buffer_append(ret_prefix, slice_text("/"));
}

/* Up to the next '/' or the end, which it is cut off from. */
static struct slice part_cut(struct slice *rest)
{
    struct slice part = *rest;
    const uint8_t *end = part.size ? memchr(part.data, '/', part.size) : NULL;

    if (end)
        part.size = (size_t)(end - part.data);
    rest->data += part.size + (end ? 1 : 0);
    rest->size -= part.size + (end ? 1 : 0);
    return part;
}

static bool number_parse(struct slice digits, uint64_t *ret_number)
{
    char text[17] = {0};

    if (digits.size != 16)
        return false;
    memcpy(text, digits.data, 16);
    return hex_read_u64(text, ret_number);
}

int ring_key_parse(struct slice key, struct slice *ret_ring, enum ring_object *ret_object,
                   uint64_t *ret_number)
{
    struct slice ring, name;
    uint64_t number = 0;

    if (!slice_starts(key, slice_text(prefix)))
        return NEAP_INVALID;
    key = slice_of(key.data + sizeof prefix - 1, key.size - (sizeof prefix - 1));
    ring = part_cut(&key);
    name = part_cut(&key);
    if (ring_name_check(ring))
        return NEAP_INVALID;
    for (unsigned i = 0; i < RING_OBJECTS; i++) {
        if (!slice_equal(name, slice_text(objects[i].name)))
            continue;
        if (objects[i].numbered ? !number_parse(key, &number) : key.size > 0)
            return NEAP_INVALID;
        *ret_ring = ring;
        *ret_object = (enum ring_object)i;
        *ret_number = number;
        return 0;
    }
    return NEAP_INVALID;
}

/* ---- layouts ---- */

static size_t zone_index(const struct ring_layout *layout, uint64_t id)
{
    size_t i = 0;

    while (i < layout->zones_count && layout->zones[i].id != id)
        i++;
    return i;
}

int ring_layout_pack(const struct ring_layout *layout, uint64_t version, struct buffer *ret_bytes)
{
    const struct layout *table = &layout->layout;
    size_t count = (size_t)table->slots * table->n;
    struct writer writer;
    uint8_t *owners = mem_new(count);

    if (!owners)
        return NEAP_NOMEM;
    for (size_t i = 0; i < count; i++)
        owners[i] = (uint8_t)table->owners[i];
    writer_init(&writer, ret_bytes);
    write_array(&writer, 8);
    write_u64(&writer, LAYOUT_FORMAT);
    write_u64(&writer, version);
    write_u64(&writer, layout->parent);
    write_u64(&writer, table->wanted_n);
    write_u64(&writer, table->slots);
    write_array(&writer, (uint32_t)layout->zones_count);
    for (size_t i = 0; i < layout->zones_count; i++)
        write_str(&writer, layout->zones[i].name);
    write_array(&writer, (uint32_t)(3 * table->nodes_count));
    for (size_t i = 0; i < table->nodes_count; i++) {
        write_u64(&writer, table->nodes[i].id);
        write_u64(&writer, zone_index(layout, table->nodes[i].zone));
        write_u64(&writer, table->nodes[i].weight);
    }
    write_bin(&writer, slice_of(owners, count));
    mem_free(owners);
    return writer.error;
}

static int zones_read(struct reader *reader, struct ring_layout *layout)
{
    uint32_t count = read_array(reader, LAYOUT_NODES_MAX);

    layout->zones = mem_new_array(count, sizeof *layout->zones);
    if (!layout->zones)
        return NEAP_NOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct ring_zone *zone = &layout->zones[i];
        struct slice name = read_str(reader, RING_ZONE_MAX);

        if (reader->error || ring_zone_check(name))
            return NEAP_CORRUPT;
        memcpy(zone->name, name.data, name.size);
        zone->id = hash_name(name);
        if (i && strcmp(zone[-1].name, zone->name) >= 0)
            return NEAP_CORRUPT;
        layout->zones_count++;
    }
    return reader->error ? NEAP_CORRUPT : 0;
}

/* Each zone has a node; how many nodes have a weight. */
static int nodes_read(struct reader *reader, struct ring_layout *layout, unsigned *ret_weighty)
{
    bool used[LAYOUT_NODES_MAX] = {false};
    struct layout *table = &layout->layout;
    uint32_t count = read_array(reader, 3 * LAYOUT_NODES_MAX);
    unsigned weighty = 0;

    if (reader->error || count == 0 || count % 3)
        return NEAP_CORRUPT;
    table->nodes = mem_new_array(count / 3, sizeof *table->nodes);
    if (!table->nodes)
        return NEAP_NOMEM;
    for (uint32_t i = 0; i < count / 3; i++) {
        struct layout_node *node = &table->nodes[i];
        uint64_t zone, weight;

        node->id = read_u64(reader);
        zone = read_u64(reader);
        weight = read_u64(reader);
        if (reader->error || zone >= layout->zones_count || weight > UINT32_MAX || !node->id ||
            (i && node[-1].id >= node->id))
            return NEAP_CORRUPT;
        node->zone = layout->zones[zone].id;
        node->weight = (uint32_t)weight;
        used[zone] = true;
        weighty += weight > 0;
        table->nodes_count++;
    }
    for (size_t i = 0; i < layout->zones_count; i++)
        if (!used[i])
            return NEAP_CORRUPT;
    *ret_weighty = weighty;
    return 0;
}

/* The owners of one slot: different nodes with weights; and how many are in one zone at most. */
static int owners_check(struct layout *table, const uint16_t *owners)
{
    for (unsigned i = 0; i < table->n; i++) {
        unsigned in_zone = 0;

        if (owners[i] >= table->nodes_count || !table->nodes[owners[i]].weight)
            return NEAP_CORRUPT;
        for (unsigned k = 0; k < i; k++)
            if (owners[k] == owners[i])
                return NEAP_CORRUPT;
        for (unsigned k = 0; k <= i; k++)
            in_zone += table->nodes[owners[k]].zone == table->nodes[owners[i]].zone;
        if (in_zone > table->a_zone)
            table->a_zone = in_zone;
    }
    return 0;
}

static int owners_read(struct reader *reader, struct layout *table)
{
    struct slice bytes = read_bin(reader, (size_t)LAYOUT_SLOTS_MAX * LAYOUT_OWNERS_MAX);
    size_t count = (size_t)table->slots * table->n;
    int error = 0;

    if (reader->error || bytes.size != count)
        return NEAP_CORRUPT;
    table->owners = mem_new_array(count, sizeof *table->owners);
    if (!table->owners)
        return NEAP_NOMEM;
    for (size_t i = 0; i < count; i++)
        table->owners[i] = bytes.data[i];
    for (size_t i = 0; !error && i < count; i += table->n)
        error = owners_check(table, table->owners + i);
    return error;
}

static int layout_read(struct reader *reader, struct ring_layout *layout)
{
    struct layout *table = &layout->layout;
    uint64_t format, version, n, slots;
    unsigned weighty;
    int error;

    read_array_of(reader, 8);
    format = read_u64(reader);
    version = read_u64(reader);
    layout->parent = read_u64(reader);
    n = read_u64(reader);
    slots = read_u64(reader);
    if (reader->error || format != LAYOUT_FORMAT || version == 0 || version > INT32_MAX ||
        layout->parent >> 32 >= version || n == 0 || n > LAYOUT_OWNERS_MAX || slots == 0 ||
        slots > LAYOUT_SLOTS_MAX || (slots & (slots - 1)))
        return NEAP_CORRUPT;
    error = zones_read(reader, layout);
    if (!error)
        error = nodes_read(reader, layout, &weighty);
    if (error)
        return error;
    table->slots = (unsigned)slots;
    table->wanted_n = (unsigned)n;
    table->n = weighty < n ? weighty : (unsigned)n;
    layout->stamp = version << 32;
    return table->n ? owners_read(reader, table) : NEAP_CORRUPT;
}

int ring_layout_unpack(struct slice bytes, struct ring_layout *ret_layout)
{
    struct ring_layout layout = {0};
    struct reader reader;
    int error;

    if (bytes.size > RING_LAYOUT_SIZE_MAX)
        return NEAP_CORRUPT;
    reader_init(&reader, bytes);
    error = layout_read(&reader, &layout);
    if (!error && reader_end(&reader))
        error = NEAP_CORRUPT;
    if (error) {
        ring_layout_done(&layout);
        return error;
    }
    layout.stamp = ring_layout_stamp(ring_version(layout.stamp), bytes);
    *ret_layout = layout;
    return 0;
}

uint64_t ring_layout_stamp(uint64_t version, struct slice bytes)
{
    return version << 32 | hash_name(bytes) >> 32;
}

void ring_layout_done(struct ring_layout *layout)
{
    layout_done(&layout->layout);
    mem_free(layout->zones);
    *layout = (struct ring_layout){0};
}

/* ---- what nodes say ---- */

static void stamps_write(struct writer *writer, const uint64_t *stamps, size_t count)
{
    write_array(writer, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        write_u64(writer, stamps[i]);
}

static size_t stamps_read(struct reader *reader, uint64_t ret_stamps[RING_ACTIVE_MAX])
{
    uint32_t count = read_array(reader, RING_ACTIVE_MAX);

    for (uint32_t i = 0; i < count; i++) {
        ret_stamps[i] = read_u64(reader);
        if (!reader->error && ret_stamps[i] <= (i ? ret_stamps[i - 1] : 0))
            reader_fail(reader, NEAP_INVALID);
    }
    return count;
}

int ring_track_pack(const struct ring_track *track, struct buffer *ret_bytes)
{
    struct writer writer;

    writer_init(&writer, ret_bytes);
    write_array(&writer, 4);
    write_u64(&writer, TRACK_FORMAT);
    write_u64(&writer, track->reads);
    stamps_write(&writer, track->counts, track->counts_count);
    stamps_write(&writer, track->synced, track->synced_count);
    return writer.error;
}

int ring_track_unpack(struct slice bytes, uint64_t node, struct ring_track *ret_track)
{
    struct ring_track track = {.node = node};
    struct reader reader;

    reader_init(&reader, bytes);
    read_array_of(&reader, 4);
    if (read_u64(&reader) != TRACK_FORMAT)
        reader_fail(&reader, NEAP_INVALID);
    track.reads = read_u64(&reader);
    track.counts_count = stamps_read(&reader, track.counts);
    track.synced_count = stamps_read(&reader, track.synced);
    if (reader_end(&reader))
        return NEAP_CORRUPT;
    *ret_track = track;
    return 0;
}

int ring_skip_pack(uint64_t stamp, struct buffer *ret_bytes)
{
    struct writer writer;

    writer_init(&writer, ret_bytes);
    write_u64(&writer, stamp);
    return writer.error;
}

int ring_skip_unpack(struct slice bytes, uint64_t *ret_stamp)
{
    struct reader reader;
    uint64_t stamp;

    reader_init(&reader, bytes);
    stamp = read_u64(&reader);
    if (reader_end(&reader))
        return NEAP_CORRUPT;
    *ret_stamp = stamp;
    return 0;
}
