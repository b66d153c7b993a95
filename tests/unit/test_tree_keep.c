/* That a tree that comes from the disk is what a pass over the cells makes, or does not come. */
#include "store/tree_keep.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "store/keys.h"
#include "store/merkle.h"
#include "tests/unit/shard_cases.h"

static const struct hash_key hash = {{5, 6}}, other_hash = {{7}};

/* ---- a place that is closed and opened ---- */

static struct store store_of(struct place *place)
{
    struct store store = {.disk = place->disk, .shards = &place->shard, .shards_count = 1};

    rng_init(&store.rng, 1);
    return store;
}

static int place_keep(struct place *place)
{
    struct store store = store_of(place);

    return trees_save(&store);
}

/* Opened anew, without a build. */
static int place_load(struct place *place, const struct hash_key *key, unsigned bits_max)
{
    int error = place_reopen(place, 1, NONCE);

    if (!error)
        error = shard_tree_open(place->shard, key, bits_max);
    if (!error) {
        struct view view = {.disk = place->disk};

        tree_load(place->shard, &view);
    }
    return error;
}

static int place_build(struct place *place)
{
    struct view view = batch_view(place->batch);
    int error = 0;

    while (!error)
        error = shard_tree_step(place->shard, &view, SIZE_MAX);
    return error == NEAP_END ? 0 : error;
}

/* A pass over the cells makes the same. */
static void tree_check(struct place *place)
{
    struct merkle *kept = place->shard->tree, *again = NULL;

    CHECK(kept->ready);
    CHECK_OK(merkle_new(&hash, kept->bits_max, false, &again));
    place->shard->tree = again;
    CHECK_OK(place_build(place));
    place->shard->tree = kept;
    CHECK(merkle_same(&kept->now, &again->now));
    CHECK_EQUAL(kept->now.cells, again->now.cells);
    merkle_free(again);
}

static int fill(struct place *place, unsigned cells)
{
    int error = 0;

    for (unsigned i = 0; i < cells && !error; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "k%u", i);
        error = place_set(place, key, "v");
    }
    return error;
}

/* With cells, all committed, and a tree that is kept. */
static int place_start(struct place *place, unsigned cells)
{
    int error = place_open(place, 1);

    if (!error)
        error = shard_tree_open(place->shard, &hash, MERKLE_BITS_MAX);
    if (!error)
        error = fill(place, cells);
    if (!error)
        error = place_commit(place);
    if (!error)
        error = place_build(place);
    return error ? error : place_keep(place);
}

static size_t records(struct place *place)
{
    return place_count(place, DISK_META, 'T');
}

/* Number `part` of the snapshot, or its head (SIZE_MAX). */
static void record_read(struct place *place, size_t part, struct key *ret_key,
                        struct buffer *ret_bytes)
{
    struct view view = {.disk = place->disk};

    key_tree(ret_key, place->shard->id);
    if (part != SIZE_MAX)
        key_tree_part(ret_key, place->shard->id, part);
    buffer_init(ret_bytes, MERKLE_PART_SIZE);
    CHECK_OK(view_get(&view, DISK_META, key_slice(ret_key), ret_bytes));
}

static void record_write(struct place *place, const struct key *key, struct slice bytes)
{
    CHECK_OK(batch_put(place->batch, DISK_META, key_slice(key), bytes));
    CHECK_OK(place_commit(place));
}

/* As a read repair does: by rule 3 and nothing else. */
static int cell_take(struct place *place, struct place *peer, const char *key)
{
    struct view view = batch_view(peer->batch);
    struct buffer path, message;
    enum taken taken;
    int error;

    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&message, WIRE_MAX);
    CHECK_OK(path_level(&path, slice_text(key), NEAP_REGISTER));
    error = shard_cell_message(peer->shard, &view, peer->shard->id, buffer_slice(&path), &message);
    if (!error)
        error = shard_take_cell(place->shard, place->batch, buffer_slice(&message), &taken);
    buffer_done(&path);
    buffer_done(&message);
    return error;
}

/* ---- a clean close, and a crash ---- */

TEST(after_a_clean_close_the_tree_is_ready_at_once)
{
    struct place place;

    CHECK_OK(place_start(&place, 3000));
    CHECK_EQUAL(place.shard->tree->now.bits, 8);
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    CHECK(place.shard->tree->ready && !place.shard->tree->build);
    CHECK_EQUAL(place.shard->tree->now.bits, 8);
    tree_check(&place);
    place_close(&place);
}

TEST(after_a_crash_there_is_no_snapshot)
{
    struct place place;

    CHECK_OK(place_start(&place, 20));
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    CHECK(place.shard->tree->ready);
    CHECK_OK(place_set(&place, "k3", "other"));
    CHECK_OK(place_commit(&place)); /* and no close */
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    CHECK(!place.shard->tree->ready && merkle_wants_build(place.shard->tree));
    CHECK_OK(place_build(&place));
    tree_check(&place);
    place_close(&place);
}

TEST(a_crash_before_anything_changed_leaves_the_snapshot)
{
    struct place place;

    CHECK_OK(place_start(&place, 20));
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    CHECK_OK(place_set(&place, "k3", "lost")); /* never committed */
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    tree_check(&place);
    place_close(&place);
}

TEST(writes_after_a_save_drop_it_again)
{
    struct place place;

    CHECK_OK(place_start(&place, 20));
    CHECK_OK(place_set(&place, "k1", "other"));
    CHECK_OK(place_commit(&place));
    CHECK_EQUAL(records(&place), 0);
    CHECK_OK(place_keep(&place));
    CHECK_EQUAL(records(&place), 2);
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    tree_check(&place);
    place_close(&place);
}

/* Marks are kept, as they may hide cells with residues, until the shard has none. */
TEST(marks_come_with_it_and_go_with_the_last_residue)
{
    struct place place, peer;
    struct merkle_delta delta;

    CHECK_OK(place_start(&place, 20));
    CHECK_OK(place_open(&peer, 2));
    CHECK_OK(place_set(&peer, "mine", "theirs"));
    CHECK_OK(place_set(&peer, "mine", "again"));
    CHECK_OK(cell_take(&place, &peer, "mine"));
    CHECK_OK(place_commit(&place));
    CHECK_EQUAL(place.shard->residues_count, 1);
    CHECK_OK(place_keep(&place));
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    CHECK_EQUAL(place.shard->residues_count, 1);
    CHECK(merkle_is_marked(&place.shard->tree->now, 0, 0));
    place_close(&place);
    CHECK_OK(place_start(&place, 20));
    delta = merkle_delta(&hash, slice_text("nothing"), slice_of(NULL, 0), slice_of(NULL, 0), true);
    merkle_apply(place.shard->tree, slice_text("nothing"), &delta);
    CHECK_OK(place_keep(&place));
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    CHECK(place.shard->tree->ready && !merkle_is_marked(&place.shard->tree->now, 0, 0));
    place_close(&peer);
    place_close(&place);
}

/* ---- large ones ---- */

/* 2^14 leaves are 8 parts, and 2 commits. */
static void place_start_large(struct place *place)
{
    CHECK_OK(place_start(place, 40000));
    CHECK_OK(merkle_build_begin(place->shard->tree, 24 << 14));
    CHECK_OK(place_build(place));
    CHECK_EQUAL(place->shard->tree->now.bits, 14);
}

TEST(a_large_tree_comes_in_parts)
{
    struct place place;

    place_start_large(&place);
    CHECK_EQUAL(records(&place), 3); /* of 2^12 leaves: the new one takes their place */
    CHECK_OK(place_keep(&place));
    CHECK_EQUAL(records(&place), 9);
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    tree_check(&place);
    CHECK_OK(place_set(&place, "more", "v"));
    CHECK_OK(place_commit(&place));
    CHECK_EQUAL(records(&place), 0);
    place_close(&place);
}

/* Power may fail between the commits of a save; the snapshot before it is of other cells. */
TEST(a_save_that_was_cut_short_counts_as_none)
{
    size_t commits = 2;
    struct place place;

    place_start_large(&place);
    CHECK_OK(place_set(&place, "k3", "other"));
    CHECK_OK(place_commit(&place));
    for (size_t reached = 0; reached <= commits; reached++) {
        struct place copy = place;
        struct store store;

        CHECK_OK(disk_mem_copy(place.disk, &copy.disk));
        store = store_of(&copy);
        disk_mem_fault(copy.disk, DISK_FAULT_COMMIT, (unsigned)reached, 1, NEAP_IO);
        CHECK_ERROR(trees_save(&store), reached < commits ? NEAP_IO : 0);
        disk_mem_crash_keep(copy.disk, reached < commits ? reached : 0);
        CHECK_OK(batch_new(copy.disk, &copy.batch));
        CHECK_OK(
            shard_load(&(struct view){.disk = copy.disk}, place.shard->id, 1, NONCE, &copy.shard));
        CHECK_OK(shard_tree_open(copy.shard, &hash, MERKLE_BITS_MAX));
        tree_load(copy.shard, &(struct view){.disk = copy.disk});
        CHECK_EQUAL(copy.shard->tree->ready, reached == commits);
        CHECK(!copy.shard->tree->build);
        if (reached == commits)
            tree_check(&copy);
        place_close(&copy);
    }
    place_close(&place);
}

/* ---- what drops it ---- */

/* Has the change of a loaded place, committed, left a snapshot that is loaded again? */
static void dropped_by(int (*change)(struct place *place, struct place *peer), bool expected)
{
    struct place place, peer;

    CHECK_OK(place_start(&place, 20));
    CHECK_OK(place_open(&peer, 2));
    CHECK_OK(place_set(&peer, "k1", "theirs"));
    CHECK_OK(place_set(&peer, "mine", "theirs"));
    CHECK_OK(place_commit(&peer));
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    CHECK_OK(change(&place, &peer));
    CHECK_OK(place_commit(&place));
    CHECK_EQUAL(records(&place) == 0, expected);
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    CHECK(!place.shard->tree->ready || !expected);
    if (!place.shard->tree->ready)
        CHECK_OK(place_build(&place));
    tree_check(&place);
    place_close(&peer);
    place_close(&place);
}

static int by_event(struct place *place, struct place *peer)
{
    (void)peer;
    return place_set(place, "new", "v");
}

static int by_removal(struct place *place, struct place *peer)
{
    (void)peer;
    return place_remove(place, "k1");
}

static int by_pull(struct place *place, struct place *peer)
{
    return place_pull(place, peer, 100);
}

static int by_compare(struct place *place, struct place *peer)
{
    return place_compare(place, peer, 300);
}

/* The context stays: nothing but the deletion of the head tells. */
static int by_cell(struct place *place, struct place *peer)
{
    return cell_take(place, peer, "mine");
}

static int by_redot(struct place *place, struct place *peer)
{
    int error = place_set(place, "new", "v"); /* of an opening that nobody has confirmed */

    (void)peer;
    if (!error)
        error = place_commit(place);
    if (!error)
        error = place_build(place);
    if (!error)
        error = place_keep(place);
    if (!error)
        error = place_load(place, &hash, MERKLE_BITS_MAX);
    CHECK(error || place->shard->tree->ready);
    return error ? error : shard_redot(place->shard, place->batch);
}

static int by_reset(struct place *place, struct place *peer)
{
    (void)peer;
    return shard_reset(place->shard, place->batch, 9);
}

static int by_opening(struct place *place, struct place *peer)
{
    (void)peer;
    return shard_save(place->shard, place->batch);
}

TEST(whatever_changes_a_cell_drops_it)
{
    dropped_by(by_event, true);
    dropped_by(by_removal, true);
    dropped_by(by_pull, true);
    dropped_by(by_compare, true);
    dropped_by(by_cell, true);
    dropped_by(by_redot, true);
    dropped_by(by_opening, false);
}

TEST(a_reset_drops_it)
{
    struct place place;

    CHECK_OK(place_start(&place, 20));
    CHECK_OK(by_reset(&place, NULL));
    CHECK_OK(place_commit(&place));
    CHECK_EQUAL(records(&place), 0);
    place_close(&place);
}

/* A node that is alone keeps no trees, but it has to know of those that were kept. */
TEST(a_write_without_trees_drops_it)
{
    struct place place;

    CHECK_OK(place_start(&place, 20));
    CHECK_OK(place_reopen(&place, 1, NONCE));
    CHECK(!place.shard->tree);
    CHECK_OK(place_set(&place, "new", "v"));
    CHECK_OK(place_commit(&place));
    CHECK_EQUAL(records(&place), 0);
    place_close(&place);
}

TEST(a_change_that_is_rolled_back_leaves_it)
{
    struct place place;
    struct shard_mark shard_mark;
    batch_mark mark;

    CHECK_OK(place_start(&place, 20));
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    mark = batch_set_mark(place.batch);
    shard_mark = shard_set_mark(place.shard);
    CHECK_OK(place_set(&place, "k1", "other"));
    CHECK_OK(place_set(&place, "k2", "other"));
    batch_rollback(place.batch, mark);
    shard_rollback(place.shard, shard_mark);
    CHECK(batch_is_empty(place.batch));
    CHECK_OK(place_set(&place, "k3", "other")); /* this one has to drop it again */
    CHECK_OK(place_commit(&place));
    CHECK_EQUAL(records(&place), 0);
    place_close(&place);
}

TEST(a_suspect_start_drops_all)
{
    struct place place;

    CHECK_OK(place_start(&place, 20));
    CHECK_OK(trees_drop(place.batch));
    CHECK_OK(place_commit(&place));
    CHECK_EQUAL(records(&place), 0);
    CHECK_EQUAL(place_count(&place, DISK_META, 'S'), 1);
    place_close(&place);
}

/* ---- damage ---- */

static void refused(struct place *place, const struct hash_key *key, unsigned bits_max)
{
    CHECK_OK(place_load(place, key, bits_max));
    CHECK(!place->shard->tree->ready && merkle_wants_build(place->shard->tree));
    if (key == &hash && bits_max == MERKLE_BITS_MAX) {
        CHECK_OK(place_build(place));
        tree_check(place);
    }
}

TEST(a_damaged_record_only_means_a_build)
{
    static const size_t parts[] = {SIZE_MAX, 0, 1};
    struct place place;
    struct buffer bytes;
    struct key key;

    CHECK_OK(place_start(&place, 40000));
    CHECK_EQUAL(records(&place), 3);
    for (size_t i = 0; i < 3; i++) {
        record_read(&place, parts[i], &key, &bytes);
        bytes.data[bytes.size / 2] ^= 0x10;
        record_write(&place, &key, buffer_slice(&bytes));
        refused(&place, &hash, MERKLE_BITS_MAX);
        bytes.data[bytes.size / 2] ^= 0x10;
        record_write(&place, &key, slice_of(bytes.data, bytes.size - 1));
        refused(&place, &hash, MERKLE_BITS_MAX);
        CHECK_OK(batch_delete(place.batch, DISK_META, key_slice(&key)));
        CHECK_OK(place_commit(&place));
        refused(&place, &hash, MERKLE_BITS_MAX);
        record_write(&place, &key, buffer_slice(&bytes));
        buffer_done(&bytes);
    }
    refused(&place, &other_hash, MERKLE_BITS_MAX);
    refused(&place, &hash, 6); /* it has become too large for the memory that is given */
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    tree_check(&place);
    place_close(&place);
}

TEST(each_byte_of_a_head_is_checked)
{
    struct place place;
    struct buffer bytes;
    struct key key;

    CHECK_OK(place_start(&place, 20));
    record_read(&place, SIZE_MAX, &key, &bytes);
    for (size_t i = 0; i < bytes.size; i++) {
        bytes.data[i] ^= 1;
        record_write(&place, &key, buffer_slice(&bytes));
        refused(&place, &hash, MERKLE_BITS_MAX);
        bytes.data[i] ^= 1;
    }
    buffer_done(&bytes);
    place_close(&place);
}

TEST(parts_of_another_snapshot_are_refused)
{
    struct place place;
    struct buffer part;
    struct key key;

    CHECK_OK(place_start(&place, 20));
    CHECK_OK(place_reopen(&place, 1, NONCE));
    CHECK_OK(shard_tree_open(place.shard, &hash, MERKLE_BITS_MAX));
    record_read(&place, 0, &key, &part);
    CHECK_OK(place_build(&place));
    {
        struct store store = store_of(&place);

        (void)store_new_id(&store); /* another stamp */
        CHECK_OK(trees_save(&store));
    }
    CHECK_OK(place_load(&place, &hash, MERKLE_BITS_MAX));
    CHECK(place.shard->tree->ready);
    record_write(&place, &key, buffer_slice(&part));
    refused(&place, &hash, MERKLE_BITS_MAX);
    buffer_done(&part);
    place_close(&place);
}

TEST(a_snapshot_of_another_context_is_refused)
{
    struct place place;

    CHECK_OK(place_start(&place, 20));
    place.shard->tree_kept = false; /* as one that knows nothing of it */
    CHECK_OK(place_set(&place, "k1", "other"));
    CHECK_OK(place_commit(&place));
    refused(&place, &hash, MERKLE_BITS_MAX);
    place_close(&place);
}

/* Reading fails in each of its steps: it is never more than a build. */
TEST(a_disk_that_fails_in_a_load_only_means_a_build)
{
    static const int codes[] = {NEAP_IO, NEAP_CORRUPT, NEAP_NOMEM};
    struct place place;

    CHECK_OK(place_start(&place, 40000));
    for (unsigned after = 0; after < 9; after++) {
        struct view view = {.disk = place.disk};

        CHECK_OK(place_reopen(&place, 1, NONCE));
        CHECK_OK(shard_tree_open(place.shard, &hash, MERKLE_BITS_MAX));
        disk_mem_fault(place.disk, DISK_FAULT_GET, after % 3, 1, codes[after / 3]);
        tree_load(place.shard, &view);
        disk_mem_fault(place.disk, DISK_FAULT_GET, 0, 0, 0);
        CHECK(!place.shard->tree->ready && !place.shard->tree->build);
        tree_load(place.shard, &view);
        CHECK(place.shard->tree->ready);
    }
    place_close(&place);
}

/* ---- memory ---- */

/* A load that fails leaves what was there, but for `ready`. */
static int short_of_memory(void *arg)
{
    struct place *place = arg;
    struct store store = store_of(place);
    struct merkle *tree = place->shard->tree;
    struct view view = {.disk = place->disk};
    struct digest root;
    int error;

    tree->ready = true;
    root = merkle_root(tree);
    error = trees_save(&store);
    if (error)
        return error;
    tree->ready = false;
    tree_load(place->shard, &view);
    CHECK(!tree->build);
    CHECK(!tree->ready || digest_equal(root, merkle_root(tree)));
    return tree->ready ? 0 : NEAP_NOMEM;
}

TEST(without_memory_there_is_a_build)
{
    struct place place;

    CHECK_OK(place_start(&place, 20));
    test_alloc_sweep(short_of_memory, &place);
    tree_check(&place);
    place_close(&place);
}
