/* That a shard's tree is at every moment what a pass over its cells makes. */
#include <stdio.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "store/merkle.h"
#include "store/slot.h"
#include "tests/unit/shard_cases.h"

static const struct hash_key hash = {{5, 6}};

/* Each cell that has a residue is under a mark. */
static int marks_check(const struct place *place)
{
    const struct merkle_sums *sums = &place->shard->tree->now;
    struct view view = batch_view(place->batch);
    struct slice key, value, cell;
    struct scan *scan;
    uint64_t ref, leaf;
    int error;

    error = view_scan(&view, DISK_CELLS, slice_of(NULL, 0), slice_of(NULL, 0), &scan);
    if (error)
        return error;
    while (!(error = scan_next(scan, &key, &value))) {
        CHECK_OK(stored_split(value, &ref, &cell));
        leaf = merkle_place(&hash, slice_of(key.data + 8, key.size - 8)) >> (64 - sums->bits);
        CHECK(!residue_find(place->shard, ref) ||
              (merkle_is_marked(sums, 0, 0) && merkle_is_marked(sums, sums->bits, (uint32_t)leaf)));
    }
    scan_close(scan);
    return error;
}

/* The tree is the same as one from the cells alone. */
static int tree_check(const struct place *place)
{
    struct merkle *kept = place->shard->tree, *again = NULL;
    struct view view = batch_view(place->batch);
    int error = merkle_new(&hash, kept->bits_max, false, &again);

    place->shard->tree = again;
    while (!error)
        error = shard_tree_step(place->shard, &view, SIZE_MAX);
    place->shard->tree = kept;
    if (error == NEAP_END && kept->ready) {
        CHECK(merkle_same(&kept->now, &again->now));
        error = marks_check(place);
    }
    merkle_free(again);
    return error == NEAP_END ? 0 : error;
}

static int place_open_tree(struct place *place, uint64_t replica)
{
    int error = place_open(place, replica);

    return error ? error : shard_tree_open(place->shard, &hash, MERKLE_BITS_MAX);
}

/* A step of a build, or nothing. */
static int place_step(struct place *place, size_t cells)
{
    struct view view = batch_view(place->batch);
    int error = shard_tree_step(place->shard, &view, cells);

    return error == NEAP_END ? 0 : error;
}

TEST(a_new_shard_has_a_tree_at_once_and_a_loaded_one_builds_it)
{
    struct place place;
    struct digest root;

    CHECK_OK(place_open_tree(&place, 1));
    CHECK(place.shard->tree->ready);
    for (int i = 0; i < 50; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "k%d", i);
        CHECK_OK(place_set(&place, key, "v"));
    }
    CHECK_OK(tree_check(&place));
    root = merkle_root(place.shard->tree);
    CHECK_OK(place_commit(&place));
    CHECK_OK(place_reopen(&place, 1, NONCE + 1));
    CHECK_ERROR(place_step(&place, 9), 0); /* it has none */
    CHECK_OK(shard_tree_open(place.shard, &hash, MERKLE_BITS_MAX));
    CHECK(!place.shard->tree->ready);
    CHECK_OK(place_step(&place, 20));
    CHECK_OK(place_set(&place, "k1", "other"));
    CHECK_OK(place_set(&place, "zz", "other"));
    CHECK_OK(place_remove(&place, "zz"));
    while (!place.shard->tree->ready)
        CHECK_OK(place_step(&place, 20));
    CHECK(!digest_equal(root, merkle_root(place.shard->tree)));
    CHECK_OK(tree_check(&place));
    place_close(&place);
}

TEST(what_is_rolled_back_leaves_the_tree_as_it_was)
{
    struct place place;
    struct digest root;
    struct shard_mark shard_mark;
    batch_mark mark;

    CHECK_OK(place_open_tree(&place, 1));
    CHECK_OK(place_set(&place, "a", "1"));
    root = merkle_root(place.shard->tree);
    mark = batch_set_mark(place.batch);
    shard_mark = shard_set_mark(place.shard);
    CHECK_OK(place_set(&place, "a", "2"));
    CHECK_OK(place_set(&place, "b", "1"));
    CHECK_OK(place_remove(&place, "a"));
    batch_rollback(place.batch, mark);
    shard_rollback(place.shard, shard_mark);
    CHECK(digest_equal(root, merkle_root(place.shard->tree)));
    CHECK_OK(tree_check(&place));
    place_close(&place);
}

TEST(replicas_that_agree_have_one_root)
{
    struct place a, b;

    CHECK_OK(place_open_tree(&a, 1));
    CHECK_OK(place_open_tree(&b, 2));
    CHECK_OK(place_set(&a, "x", "1"));
    CHECK_OK(place_set(&b, "x", "2"));
    CHECK_OK(place_add(&b, "n", 3));
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_commit(&b));
    CHECK_OK(place_pull(&a, &b, 100));
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_pull(&b, &a, 100));
    CHECK(digest_equal(merkle_root(a.shard->tree), merkle_root(b.shard->tree)));
    CHECK_EQUAL(a.shard->tree->now.cells, 2);
    place_close(&a);
    place_close(&b);
}

TEST(a_reset_empties_the_tree)
{
    struct place place;

    CHECK_OK(place_open_tree(&place, 1));
    CHECK_OK(place_set(&place, "x", "1"));
    CHECK_OK(place_commit(&place));
    CHECK_OK(shard_reset(place.shard, place.batch, 2));
    CHECK(digest_equal(merkle_root(place.shard->tree), (struct digest){0}));
    CHECK_OK(place_set(&place, "y", "1"));
    CHECK_OK(tree_check(&place));
    place_close(&place);
}

/* ---- histories ---- */

enum { PLACES = 3, KEYS = 60 };

static int message_take(struct place *to, struct place *from, const char *key)
{
    struct view view = batch_view(from->batch);
    struct buffer path, message;
    enum taken taken;
    int error;

    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&message, WIRE_MAX);
    CHECK_OK(path_level(&path, slice_text(key), NEAP_REGISTER));
    error = shard_cell_message(from->shard, &view, from->shard->id, buffer_slice(&path), &message);
    if (!error)
        error = shard_take_cell(to->shard, to->batch, buffer_slice(&message), &taken);
    buffer_done(&path);
    buffer_done(&message);
    return error;
}

/* A page of a compare that is given up: cells with residues stay. */
static int page_take(struct place *to, struct place *from, size_t size)
{
    struct view view = batch_view(from->batch);
    struct buffer page;
    int error;

    buffer_init(&page, WIRE_MAX);
    error = shard_compare_begin(to->shard, 1, &from->shard->context);
    if (!error)
        error = shard_compare_page(from->shard, &view, slice_of(NULL, 0), size, &page);
    if (!error)
        error = shard_compare_take(to->shard, to->batch, buffer_slice(&page));
    shard_compare_stop(to->shard);
    buffer_done(&page);
    return error;
}

static int undone(struct place *place, const char *key, const char *value)
{
    batch_mark mark = batch_set_mark(place->batch);
    struct shard_mark shard_mark = shard_set_mark(place->shard);
    int error = place_set(place, key, value);

    if (!error)
        error = place_remove(place, key);
    batch_rollback(place->batch, mark);
    shard_rollback(place->shard, shard_mark);
    return error;
}

static int history_step(struct place *places, struct rng *rng)
{
    struct place *to = &places[rng_below(rng, PLACES)], *from = &places[rng_below(rng, PLACES)];
    uint64_t number = rng_below(rng, KEYS);
    uint64_t what = rng_below(rng, 40);
    char key[16];
    int error;

    (void)snprintf(key, sizeof key, "k%u", (unsigned)number);
    if (what < 14)
        error = place_set(to, key, what % 2 ? "one" : "two");
    else if (what < 22)
        error = place_remove(to, key);
    else if (what < 24)
        error = place_add(to, key, 1);
    else if (what < 26)
        error = undone(to, key, "undone");
    else if (what < 30)
        error = to == from ? 0 : message_take(to, from, key);
    else if (what < 33)
        error = to == from ? 0 : page_take(to, from, 300);
    else if (what < 36)
        error = to == from ? 0 : place_pull(to, from, 200);
    else if (what < 37)
        error = to == from ? 0 : place_compare(to, from, 300);
    else if (what < 38)
        error = shard_settle(to->shard, to->batch);
    else if (what < 39)
        error = rng_chance(rng, 10) ? shard_redot(to->shard, to->batch) : 0;
    else
        error = shard_truncate(to->shard, to->batch, &from->shard->context);
    return error == NEAP_STALE || error == NEAP_BUSY ? 0 : error;
}

TEST(a_shards_tree_is_what_its_cells_make_after_any_history)
{
    uint64_t seeds = test_number("SEEDS", 8);
    uint64_t unsettled = 0, built = 0;

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        struct place places[PLACES];
        struct rng rng;

        rng_init(&rng, seed);
        for (unsigned i = 0; i < PLACES; i++) {
            CHECK_OK(place_open_tree(&places[i], i + 1));
            CHECK_OK(place_commit(&places[i]));
        }
        for (unsigned i = 0; i < 400; i++) {
            struct place *place = &places[i % PLACES];

            CHECK_OK(history_step(places, &rng));
            if (rng_chance(&rng, 3) && !place->shard->tree->build) {
                CHECK_OK(merkle_build_begin(place->shard->tree, 5));
                built++;
            }
            if (rng_chance(&rng, 30))
                CHECK_OK(place_step(place, 3));
            for (unsigned k = 0; k < PLACES; k++) {
                CHECK_OK(tree_check(&places[k]));
                unsettled += places[k].shard->residues_count > 0;
            }
            if (rng_chance(&rng, 30)) {
                for (unsigned k = 0; k < PLACES; k++)
                    CHECK_OK(place_commit(&places[k]));
            }
        }
        for (unsigned i = 0; i < PLACES; i++)
            place_close(&places[i]);
    }
    CHECK(unsettled > seeds && built > seeds);
}

/* ---- memory ---- */

static int short_of_memory(void *arg)
{
    struct place place;
    int error = place_open_tree(&place, 1);

    (void)arg;
    if (!error)
        error = place_set(&place, "a", "1");
    for (unsigned i = 0; i < 3 && !error; i++) {
        struct digest root = merkle_root(place.shard->tree);

        error = i < 2 ? place_set(&place, "a", "2") : place_remove(&place, "a");
        CHECK(digest_equal(root, merkle_root(place.shard->tree)) == (error != 0));
    }
    if (!error)
        error = merkle_build_begin(place.shard->tree, 3);
    if (!error)
        error = place_step(&place, 100);
    if (!error)
        error = place_set(&place, "b", "2");
    place_close(&place);
    return error;
}

TEST(without_memory_a_write_changes_neither_shard_nor_tree)
{
    test_alloc_sweep(short_of_memory, NULL);
}

/* As the memory of a batch grows in leaps, any of the allocations may be the one that fails. */
TEST(a_write_that_fails_late_is_taken_back_from_the_tree)
{
    struct place place;
    unsigned failed = 0;

    CHECK_OK(place_open_tree(&place, 1));
    for (unsigned i = 0; i < 1500; i++) {
        char key[16];
        int error = NEAP_NOMEM;

        (void)snprintf(key, sizeof key, "k%u", i);
        for (uint64_t call = 1; error; call++) {
            struct digest root = merkle_root(place.shard->tree);

            mem_fail_at(call, 1);
            error = place_set(&place, key, "some value");
            mem_fail_at(0, 0);
            CHECK(!error || error == NEAP_NOMEM);
            CHECK(digest_equal(root, merkle_root(place.shard->tree)) == (error != 0));
            failed += error != 0;
        }
    }
    CHECK(failed > 1500);
    CHECK_OK(tree_check(&place));
    place_close(&place);
}
