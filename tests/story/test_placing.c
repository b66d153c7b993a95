/* Buckets on a ring of five nodes in three zones. */
#include <stdio.h>
#include <string.h>

#include "engine/merge.h"
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

/* A listing as a caller of one node makes it, of one key a page, so that there is much between. */
struct listing {
    struct backend backend; /* first: what the merge asks */
    size_t node;
    unsigned pauses_ms; /* before each page */
    struct merge *merge;
    unsigned count, last; /* of keys that came: "k000" and so on, each after the one before */
    bool ended;
};

static void about(struct caller *caller, unsigned key)
{
    char name[16];
    snprintf(name, sizeof name, "k%03u", key);
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

static int listing_page(struct backend *backend, struct page_request *request,
                        struct page *ret_page)
{
    struct listing *listing = (struct listing *)backend;
    struct page_request one = *request;
    struct caller caller = {.done = false};
    if (request->kind == PAGE_SLOTS) {
        ret_page->count = SIM_RING_SLOTS;
        return 0;
    }
    story_run(&story, listing->pauses_ms);
    one.size_max = 1;
    one.timeout_ms = 2000;
    hand_page(&story.world, listing->node, &one, ret_page, caller_ended, &caller);
    while (!caller.done)
        story_run(&story, 10);
    request->token = one.token;
    request->error = one.error;
    return caller.lost ? NEAP_UNAVAILABLE : caller.code;
}

static const struct backend_ops listing_ops = {.page = listing_page};

static void listing_begin(struct listing *listing, size_t node)
{
    *listing = (struct listing){.backend.ops = &listing_ops, .node = node};
    listing->merge = merge_new(&listing->backend);
    CHECK(listing->merge);
}

/* One more; 0: it came, or `ended`. */
static int listing_next(struct listing *listing, enum neap_level level)
{
    struct page_request request = {.bucket = "box@main", .level = level, .size_max = 1};
    struct neap_item item;
    struct reader items;
    struct page page;
    unsigned key = 0;
    page_init(&page, 1);
    token_init(&request.token);
    int code = merge_page(listing->merge, &request, &page);
    reader_init(&items, buffer_slice(&page.items));
    if (!code && items.left.size) {
        page_item_read(&items, &item);
        CHECK_OK(items.error);
        CHECK_EQUAL(item.name.size, 4);
        for (const char *digit = (const char *)item.name.data + 1, *end = digit + 3; digit < end;)
            key = key * 10 + (unsigned)(*digit++ - '0');
        CHECK(listing->count == 0 || key > listing->last);
        listing->last = key;
        listing->count++;
    }
    listing->ended = !code && !page.cursor.size;
    page_done(&page);
    token_done(&request.token);
    return code;
}

/* All that is left comes. */
static void listing_end(struct listing *listing, enum neap_level level)
{
    while (!listing->ended)
        CHECK_OK(listing_next(listing, level));
    merge_free(listing->merge);
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
    for (size_t i = 0; i < NODES; i++) {
        CHECK_EQUAL(ring_at(i)->buckets_count, 1);
        CHECK(ring_has_bucket(ring_at(i), bucket_id("box@main")));
    }
    unsigned held = 0, slots[SIM_RING_SLOTS] = {0}, used = 0;
    for (size_t i = 0; i < NODES; i++)
        held += slots_at(i);
    for (unsigned i = 0; i < KEYS; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%03u", i);
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

/* C, D and E are to have what A had; A meets C alone when it was started again. */
TEST(who_lets_go_of_a_slot_waits_for_a_quorum_of_its_new_owners)
{
    begin(7);
    for (unsigned i = 0; i < KEYS; i++)
        CHECK_OK(write_at(i % 3, i, NEAP_ALL));
    CHECK(sim_ring_next(&story.world, B, 28));
    story_run(&story, 100);
    story_cut(&story, A, D, true);
    story_cut(&story, A, E, true);
    story_run(&story, 30000);
    CHECK_EQUAL(ring_at(A)->layouts_count, 1);
    CHECK_EQUAL(ring_version(ring_newest(ring_at(A))->stamp), 2);
    CHECK_EQUAL(slots_at(B), 0);
    unsigned held = slots_at(A);
    CHECK(held > 0);
    sim_crash(&story.world, A);
    sim_start(&story.world, A);
    story_run(&story, 20000);
    CHECK_EQUAL(slots_at(A), held);
    story_cut(&story, A, D, false);
    story_run(&story, 20000);
    CHECK_EQUAL(slots_at(A), 0);
    story_cut(&story, A, E, false);
    story_run(&story, 10000);
    story_end(&story, false);
}

TEST(a_listing_goes_on_while_slots_move)
{
    static const enum neap_level levels[] = {NEAP_ONE, NEAP_QUORUM};
    for (size_t i = 0; i < 2; i++) {
        struct listing listing;
        begin(7); /* A, B and C */
        for (unsigned key = 0; key < KEYS * 4; key++)
            CHECK_OK(write_at(key % NODES, key * 2, NEAP_QUORUM));
        listing_begin(&listing, i ? A : E);
        listing.pauses_ms = 300;
        for (unsigned key = 0; key < 8; key++)
            CHECK_OK(listing_next(&listing, levels[i]));
        CHECK_EQUAL(listing.last, 14);
        CHECK(sim_ring_next(&story.world, B, 28)); /* C, D and E */
        for (unsigned key = 0; key < 8; key++)
            CHECK_OK(listing_next(&listing, levels[i]));
        CHECK_EQUAL(listing.last, 30);
        story_run(&story, 20000);
        CHECK_EQUAL(ring_at(E)->layouts_count, 1);
        CHECK_EQUAL(slots_at(A) + slots_at(B), 0); /* what A and B had has gone */
        listing_end(&listing, levels[i]);
        CHECK_EQUAL(listing.count, KEYS * 4);
        story_end(&story, false);
    }
}

/* A is to own what D owns, and can't reach anybody but E. */
TEST(who_has_not_fetched_a_slot_does_not_read_it)
{
    struct listing listing;
    begin(15);
    for (unsigned key = 0; key < KEYS * 4; key++)
        CHECK_OK(write_at(key % 4, key, NEAP_ALL));
    for (size_t i = B; i <= D; i++)
        story_cut(&story, A, i, true);
    CHECK(sim_ring_next(&story.world, E, 23)); /* A, B, C and E */
    story_run(&story, 3000);
    CHECK_EQUAL(ring_at(A)->layouts_count, 2);
    listing_begin(&listing, E);
    listing_end(&listing, NEAP_ONE);
    CHECK_EQUAL(listing.count, KEYS * 4);
    for (unsigned key = 0; key < KEYS * 4; key++) {
        bool on = false;
        CHECK_OK(read_at(E, key, NEAP_ONE, &on));
        CHECK(on);
    }
    for (size_t i = B; i <= D; i++)
        story_cut(&story, A, i, false);
    story_run(&story, 30000);
    story_end(&story, false);
}

/* C has not heard of what A and B have, and is all that D can reach later on. */
TEST(a_listing_never_goes_back_to_a_node_that_has_less)
{
    struct listing listing;
    begin(7);
    for (size_t i = A; i <= D; i++)
        if (i != C)
            story_cut(&story, i, C, true);
    story_run(&story, 8000);
    for (unsigned key = 0; key < KEYS * 4; key++)
        CHECK_OK(write_at(key % 2, key, NEAP_QUORUM));
    listing_begin(&listing, D);
    for (unsigned key = 0; key < KEYS; key++)
        CHECK_OK(listing_next(&listing, NEAP_QUORUM));
    story_cut(&story, A, D, true);
    story_cut(&story, B, D, true);
    story_cut(&story, C, D, false);
    story_run(&story, 8000);
    CHECK_ERROR(listing_next(&listing, NEAP_QUORUM), NEAP_UNAVAILABLE);
    for (size_t i = A; i <= D; i++)
        for (size_t k = A; k < i; k++)
            story_cut(&story, i, k, false);
    story_run(&story, 10000);
    listing_end(&listing, NEAP_QUORUM);
    CHECK_EQUAL(listing.count, KEYS * 4);
    story_end(&story, false);
}
