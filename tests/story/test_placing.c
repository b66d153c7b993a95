/* Buckets on a ring of five nodes in three zones. */
#include <stdio.h>
#include <string.h>

#include "gossip/ring_pack.h"
#include "gossip/ring_track.h"
#include "gossip/state.h"
#include "sim/check.h"
#include "sim/find.h"
#include "sim/hand.h"
#include "sim/ring.h"
#include "tests/story/caller.h"
#include "tests/story/story.h"

enum { A, B, C, D, E, NODES };
enum { KEYS = 12 };

static struct story story;

static void about(struct caller *caller, unsigned key)
{
    char name[16];
    snprintf(name, sizeof name, "k%u", key);
    caller_begin(caller, name, NEAP_FLAG);
}

static int write_at(size_t node, unsigned key, enum neap_level level)
{
    struct caller caller;
    about(&caller, key);
    caller.op = (struct write_op){
        .bucket = "box@main", .path = buffer_slice(&caller.path), .op = {.kind = OP_FLAG_ON}};
    caller.write =
        (struct write){.ops = &caller.op, .count = 1, .level = level, .timeout_ms = 3000};
    token_init(&caller.write.token);
    hand_write(&story.world, node, &caller.write, caller_ended, &caller);
    while (!caller.done)
        story_run(&story, 10);
    if (caller.code)
        world_note(&story.world, "write: %s", caller.write.error.text);
    int code = caller.lost ? NEAP_UNCERTAIN : caller.code;
    caller_end(&caller);
    return code;
}

static int read_at(size_t node, unsigned key, enum neap_level level, bool *ret_on)
{
    struct caller caller;
    struct cell cell;
    about(&caller, key);
    caller.read = (struct read){.bucket = "box@main",
                                .path = buffer_slice(&caller.path),
                                .level = level,
                                .timeout_ms = 3000};
    token_init(&caller.read.token);
    hand_read(&story.world, node, &caller.read, &caller.cell, caller_ended, &caller);
    while (!caller.done)
        story_run(&story, 10);
    int code = caller.lost ? NEAP_UNAVAILABLE : caller.code;
    cell_init(&cell);
    if (!code)
        CHECK_OK(cell_decode(buffer_slice(&caller.cell), &cell));
    *ret_on = cell.count > 0;
    cell_done(&cell);
    caller_end(&caller);
    return code;
}

static void begin(uint32_t members)
{
    story_meet(&story, NODES);
    CHECK(sim_ring_next(&story.world, A, members));
    story_run(&story, 8000);
    for (size_t i = 0; i < NODES; i++)
        CHECK_EQUAL(sim_rings(&story.world, i)->count, 1);
}

static const struct ring *ring_at(size_t node)
{
    return rings_find(sim_rings(&story.world, node), slice_text(SIM_RING));
}

static unsigned slots_at(size_t node)
{
    const struct store *store = &story.world.nodes[node].wheel.engine.store;
    unsigned count = 0;
    for (size_t i = 0; i < store->shards_count; i++)
        count += store->shards[i]->name[0] == '@';
    return count;
}

TEST(a_bucket_of_a_ring_is_held_by_the_owners_of_its_slots_alone)
{
    static const enum neap_level levels[] = {NEAP_ONE, NEAP_QUORUM, NEAP_ALL, NEAP_LOCAL_QUORUM,
                                             NEAP_EACH_QUORUM};
    begin(31);
    for (unsigned i = 0; i < KEYS; i++)
        CHECK_OK(write_at(i % NODES, i, levels[i % 5]));
    for (unsigned i = 0; i < KEYS * 2; i++) {
        bool on = false;
        CHECK_OK(read_at((i + 1) % NODES, i % KEYS, levels[1 + i % 2], &on));
        CHECK(on || i % 5 == 3 || i % 5 == 0); /* one zone's quorum, or one, need not be met */
    }
    story_run(&story, 5000);
    unsigned held = 0, slots[SIM_RING_SLOTS] = {0}, used = 0;
    for (size_t i = 0; i < NODES; i++)
        held += slots_at(i);
    for (unsigned i = 0; i < KEYS; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%u", i);
        unsigned slot = ring_slot(ring_at(A), bucket_id("box@main"), slice_text(name));
        used += slots[slot]++ == 0;
    }
    CHECK_EQUAL(held, used * SIM_RING_N);
    story_end(&story, false);
}

TEST(a_layout_is_left_when_what_it_held_has_been_fetched)
{
    begin(7); /* A, B and C */
    for (unsigned i = 0; i < KEYS; i++)
        CHECK_OK(write_at(i % NODES, i, NEAP_QUORUM));
    CHECK(sim_ring_next(&story.world, B, 28)); /* C, D and E */
    for (unsigned i = 0; i < KEYS; i++) {
        bool on = false;
        CHECK_OK(write_at(i % NODES, KEYS + i, NEAP_QUORUM)); /* calls go on */
        CHECK_OK(read_at((i + 2) % NODES, i, NEAP_QUORUM, &on));
        CHECK(on);
    }
    story_run(&story, 30000);
    for (size_t i = 0; i < NODES; i++) {
        CHECK_EQUAL(ring_at(i)->layouts_count, 1);
        CHECK_EQUAL(ring_version(ring_newest(ring_at(i))->stamp), 2);
    }
    for (unsigned i = 0; i < 2 * KEYS; i++) {
        bool on = false;
        CHECK_OK(read_at(i % NODES, i, NEAP_QUORUM, &on));
        CHECK(on);
    }
    CHECK(slots_at(D) > 0 && slots_at(E) > 0);
    story_end(&story, false);
}

/* C and D, of the new owners, can't be reached by the old ones. */
TEST(a_layout_is_left_only_when_what_it_held_has_been_fetched)
{
    begin(7);
    story_cut(&story, A, D, true);
    story_cut(&story, B, D, true);
    story_cut(&story, C, D, true);
    for (unsigned i = 0; i < KEYS; i++)
        CHECK_OK(write_at(i % 3, i, NEAP_QUORUM));
    CHECK(sim_ring_next(&story.world, B, 28));
    story_run(&story, 20000);
    CHECK(ring_at(A)->layouts_count == 2);
    CHECK_EQUAL(ring_version(ring_reading(ring_at(A))->stamp), 1);
    for (unsigned i = 0; i < KEYS; i++) {
        bool on = false;
        CHECK_OK(read_at(E, i, NEAP_QUORUM, &on));
        CHECK(on);
    }
    story_cut(&story, A, D, false);
    story_cut(&story, B, D, false);
    story_cut(&story, C, D, false);
    story_run(&story, 30000);
    CHECK_EQUAL(ring_at(A)->layouts_count, 1);
    CHECK_EQUAL(slots_at(A) + slots_at(B), 0); /* they have let go */
    story_end(&story, false);
}

/* D hears of the new layout, and has fetched nothing. */
TEST(what_is_written_counts_in_the_layout_that_is_read_from)
{
    bool on = false;
    begin(7);
    for (size_t i = A; i <= C; i++)
        story_cut(&story, i, D, true);
    CHECK(sim_ring_next(&story.world, B, 28));
    story_run(&story, 5000);
    story_cut(&story, A, B, true);
    story_cut(&story, A, C, true);
    story_run(&story, 10000);
    /* Of A, B and C in the layout that is read from A is cut off: B and C are a quorum. */
    CHECK_OK(write_at(E, 1, NEAP_QUORUM));
    CHECK_OK(read_at(E, 1, NEAP_QUORUM, &on));
    CHECK(on);
    story_cut(&story, B, C, true);
    story_cut(&story, A, E, true); /* so C is asked */
    story_cut(&story, B, E, true);
    story_run(&story, 10000);
    int code = write_at(E, 2, NEAP_QUORUM); /* C and E of the new one would be enough there */
    CHECK(code == NEAP_UNAVAILABLE || code == NEAP_UNCERTAIN);
    story_end(&story, false);
}

TEST(a_level_that_the_owners_cannot_reach_is_refused)
{
    bool on;
    begin(7);
    CHECK_OK(write_at(E, 1, NEAP_ALL));
    sim_crash(&story.world, B);
    sim_crash(&story.world, C);
    story_run(&story, 10000);
    CHECK_ERROR(write_at(E, 1, NEAP_QUORUM), NEAP_UNAVAILABLE);
    CHECK_ERROR(read_at(E, 1, NEAP_QUORUM, &on), NEAP_UNAVAILABLE);
    CHECK_OK(write_at(E, 1, NEAP_LOCAL_QUORUM)); /* A is all there is in its zone */
    CHECK_ERROR(write_at(E, 1, NEAP_EACH_QUORUM), NEAP_UNAVAILABLE);
    CHECK_OK(read_at(D, 1, NEAP_ONE, &on));
    CHECK(on);
    sim_crash(&story.world, A);
    story_run(&story, 10000);
    CHECK_ERROR(write_at(E, 1, NEAP_ONE), NEAP_UNAVAILABLE);
    story_end(&story, false);
}

/* No event is made when a repair brings it back. */
TEST(a_layout_that_a_disk_has_lost_is_known_again_when_it_is_repaired)
{
    uint64_t shard = bucket_id(SYSTEM_BUCKET);
    struct buffer path;
    struct key key;
    begin(31);
    CHECK_OK(write_at(A, 1, NEAP_ALL));
    story_run(&story, 5000);
    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(ring_path(SIM_RING, RING_LAYOUT, ring_newest(ring_at(B))->stamp, &path));
    key_cell(&key, shard, shard, buffer_slice(&path));
    buffer_done(&path);
    sim_crash(&story.world, B);
    CHECK(disk_lose(&story.world.nodes[B].door, key_slice(&key)));
    sim_start(&story.world, B);
    CHECK_EQUAL(sim_rings(&story.world, B)->count, 0);
    story_run(&story, 30000);
    CHECK_EQUAL(sim_rings(&story.world, B)->count, 1);
    story_end(&story, false);
}
