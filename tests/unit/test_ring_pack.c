/* How rings lie in the system's bucket. */
#include "gossip/ring_pack.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/rng.h"
#include "crdt/path.h"
#include "tests/unit/ring_cases.h"

TEST(keys_of_objects_are_taken_apart_as_they_were_made)
{
    struct buffer path;
    struct path_cursor cursor;
    struct path_level level;

    buffer_init(&path, NEAP_PATH_MAX);
    for (unsigned i = 0; i < RING_OBJECTS; i++) {
        enum ring_object object;
        struct slice ring;
        uint64_t number;

        CHECK_OK(ring_path("a-1", (enum ring_object)i, 0xbeef, &path));
        path_cursor_init(&cursor, buffer_slice(&path));
        CHECK_OK(path_cursor_level(&cursor, &level));
        CHECK_OK(ring_key_parse(level.name, &ring, &object, &number));
        CHECK_SLICE(ring, "a-1");
        CHECK_EQUAL(object, i);
        CHECK_EQUAL(number, i == RING_BUCKETS ? 0 : 0xbeef);
        path_cursor_done(&cursor);
    }
    buffer_done(&path);
    static const char *const bad[] = {"ring/",
                                      "ring/a",
                                      "ring/a/track",
                                      "ring/a/track/1",
                                      "ring/a/track/000000000000000G",
                                      "ring/a/track/0000000000000001/",
                                      "ring/a/buckets/1",
                                      "ring/A/buckets",
                                      "ring/a/else",
                                      "rings/a/buckets"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        enum ring_object object;
        struct slice ring;
        uint64_t number;

        CHECK_ERROR(ring_key_parse(slice_text(bad[i]), &ring, &object, &number), NEAP_INVALID);
    }
}

/* ---- values ---- */

TEST(a_layout_is_read_as_it_was_written)
{
    struct made made;
    struct ring_layout layout = {0};
    struct buffer bytes, again;

    CHECK_OK(ring_make(NULL, "abcab", SLOTS, &made));
    CHECK_OK(made_pack(&made, 7, &bytes));
    CHECK_OK(ring_layout_unpack(buffer_slice(&bytes), &layout));
    CHECK_EQUAL(ring_version(layout.stamp), 7);
    CHECK_EQUAL(layout.stamp, ring_layout_stamp(7, buffer_slice(&bytes)));
    CHECK_EQUAL(layout.layout.n, 3);
    CHECK_EQUAL(layout.layout.a_zone, made.layout.layout.a_zone);
    CHECK_EQUAL(layout_moves(&layout.layout, &made.layout.layout), 0);
    CHECK_TEXT(ring_zone(&layout, 2), "b");
    CHECK(!ring_zone(&layout, 6));
    buffer_init(&again, RING_LAYOUT_SIZE_MAX);
    CHECK_OK(ring_layout_pack(&layout, 7, &again));
    CHECK_BYTES(buffer_slice(&again), buffer_slice(&bytes));
    buffer_done(&bytes);
    buffer_done(&again);
    layout_done(&made.layout.layout);
    ring_layout_done(&layout);
}

TEST(the_largest_layout_fits)
{
    struct ring_layout layout = {0}, found = {0};
    struct ring_zone *zones = mem_new_array(LAYOUT_NODES_MAX, sizeof *zones);
    struct layout_node *nodes = mem_new_array(LAYOUT_NODES_MAX, sizeof *nodes);
    struct buffer bytes;

    CHECK(zones && nodes);
    for (unsigned i = 0; i < LAYOUT_NODES_MAX; i++) {
        memset(zones[i].name, 'z', RING_ZONE_MAX);
        zones[i].name[0] = (char)('a' + i / 16);
        zones[i].name[1] = (char)('a' + i % 16);
        zones[i].id = hash_name(slice_text(zones[i].name));
        nodes[i] = (struct layout_node){UINT64_MAX - LAYOUT_NODES_MAX + i, zones[i].id, UINT32_MAX};
    }
    layout.layout = (struct layout){.slots = LAYOUT_SLOTS_MAX,
                                    .n = LAYOUT_OWNERS_MAX,
                                    .wanted_n = LAYOUT_OWNERS_MAX,
                                    .nodes = nodes,
                                    .nodes_count = LAYOUT_NODES_MAX};
    layout.zones = zones;
    layout.zones_count = LAYOUT_NODES_MAX;
    layout.layout.owners =
        mem_new_array((size_t)LAYOUT_SLOTS_MAX * LAYOUT_OWNERS_MAX, sizeof(uint16_t));
    CHECK(layout.layout.owners);
    for (unsigned i = 0; i < LAYOUT_SLOTS_MAX * LAYOUT_OWNERS_MAX; i++)
        layout.layout.owners[i] = (uint16_t)(i % LAYOUT_NODES_MAX);
    buffer_init(&bytes, RING_LAYOUT_SIZE_MAX);
    CHECK_OK(ring_layout_pack(&layout, INT32_MAX, &bytes));
    CHECK_OK(ring_layout_unpack(buffer_slice(&bytes), &found));
    CHECK_EQUAL(found.layout.nodes_count, LAYOUT_NODES_MAX);
    buffer_done(&bytes);
    ring_layout_done(&layout);
    ring_layout_done(&found);
}

static void unpack_any(struct slice bytes)
{
    struct ring_layout layout = {0};
    struct ring_track track;
    struct buffer again;
    uint64_t stamp;

    /* What is taken is what would be written. */
    buffer_init(&again, RING_LAYOUT_SIZE_MAX);
    if (!ring_layout_unpack(bytes, &layout)) {
        CHECK_OK(ring_layout_pack(&layout, ring_version(layout.stamp), &again));
        CHECK_BYTES(buffer_slice(&again), bytes);
        ring_layout_done(&layout);
    } else {
        CHECK(!layout.zones && !layout.layout.nodes);
    }
    buffer_clear(&again);
    if (!ring_track_unpack(bytes, A, &track)) {
        CHECK_OK(ring_track_pack(&track, &again));
        CHECK_BYTES(buffer_slice(&again), bytes);
    }
    buffer_clear(&again);
    if (!ring_skip_unpack(bytes, &stamp)) {
        CHECK_OK(ring_skip_pack(stamp, &again));
        CHECK_BYTES(buffer_slice(&again), bytes);
    }
    buffer_done(&again);
}

/* Each byte with another value, each length; and some of both. */
TEST(hostile_bytes_are_corrupt_and_no_more)
{
    struct ring_track track = {.node = A, .reads = 5, .counts = {5, 9}, .counts_count = 2};
    struct buffer sources[2];
    struct made made;
    struct rng rng;

    CHECK_OK(ring_make(NULL, "abcab", SLOTS, &made));
    CHECK_OK(made_pack(&made, 7, &sources[0]));
    buffer_init(&sources[1], 1024);
    CHECK_OK(ring_track_pack(&track, &sources[1]));
    rng_init(&rng, 9);
    for (size_t s = 0; s < 2; s++) {
        uint8_t *bytes = sources[s].data;

        for (size_t i = 0; i < sources[s].size; i++) {
            uint8_t old = bytes[i];

            unpack_any(slice_of(bytes, i));
            for (unsigned k = 0; k < 8; k++) {
                bytes[i] = k ? (uint8_t)rng_u64(&rng) : (uint8_t)(old + 1);
                unpack_any(buffer_slice(&sources[s]));
            }
            bytes[i] = old;
        }
        unpack_any(buffer_slice(&sources[s]));
        buffer_done(&sources[s]);
    }
    layout_done(&made.layout.layout);
}

TEST(layouts_that_nobody_makes_are_corrupt)
{
    struct ring_layout found = {0};
    struct made made;
    struct buffer bytes;

    for (unsigned wrong = 0; wrong < 6; wrong++) {
        struct layout *table = &made.layout.layout;

        CHECK_OK(ring_make(NULL, "abcab", SLOTS, &made));
        if (wrong == 0)
            table->owners[0] = 5; /* no such node */
        else if (wrong == 1)
            table->owners[0] = table->owners[1];
        else if (wrong == 2)
            table->nodes[table->owners[0]].weight = 0;
        else if (wrong == 3)
            table->nodes[1].id = table->nodes[0].id;
        else if (wrong == 4)
            made.layout.parent = (uint64_t)7 << 32; /* its own version */
        else
            memcpy(made.zones[1].name, "!", 2); /* out of order */
        CHECK_OK(made_pack(&made, 7, &bytes));
        CHECK_ERROR(ring_layout_unpack(buffer_slice(&bytes), &found), NEAP_CORRUPT);
        buffer_done(&bytes);
        layout_done(table);
    }
}
