/* Holes: what a damaged file took with it comes back from others, and is never read as absent. */
#include "store/hole.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "store/batch.h"
#include "store/keys.h"
#include "store/salvage.h"
#include "tests/unit/shard_cases.h"

/* ---- records ---- */

static void cell_key(const struct place *place, const char *name, enum neap_type type,
                     struct key *ret_key)
{
    struct buffer path;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text(name), type));
    key_cell(ret_key, place->shard->id, place->shard->id, buffer_slice(&path));
    buffer_done(&path);
}

/* A replica of which the registers between those two are lost. */
static void gap_make(const struct place *place, const char *after, const char *before,
                     struct gaps *gaps)
{
    struct key from, to;

    cell_key(place, after, NEAP_REGISTER, &from);
    cell_key(place, before, NEAP_REGISTER, &to);
    CHECK_OK(gaps_add(gaps, DISK_CELLS, key_slice(&from), key_slice(&to)));
}

static void cell_drop(struct place *place, const char *name)
{
    struct batch *batch;
    struct key key;

    cell_key(place, name, NEAP_REGISTER, &key);
    CHECK_OK(batch_new(place->disk, &batch));
    CHECK_OK(batch_delete(batch, DISK_CELLS, key_slice(&key)));
    CHECK_OK(place->disk->ops->commit(place->disk, batch, true));
    batch_free(batch);
}

TEST(each_shard_gets_the_holes_that_are_in_it)
{
    struct gaps gaps = {0};
    struct place place;
    bool suspect = false;
    struct key key;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(place_set(&place, "a", "1"));
    CHECK_OK(place_set(&place, "b", "2"));
    CHECK_OK(place_commit(&place));
    gap_make(&place, "a", "c", &gaps);
    key_shard_prefix(&key, place.shard->id + 1);
    CHECK_OK(gaps_add(&gaps, DISK_CELLS, key_slice(&key), slice_of(NULL, 0))); /* of another */
    CHECK_OK(salvage_record(place.disk, &gaps, "it rots", &suspect));
    CHECK(!suspect);
    CHECK_OK(place_reopen(&place, 1, NONCE));
    CHECK_EQUAL(place.shard->holes_count, 1);
    CHECK_TEXT(place.shard->holes[0].cause, "it rots");
    CHECK(context_equal(&place.shard->holes[0].need, &place.shard->context));
    CHECK_EQUAL(place.shard->holes[0].got.count, 0);
    cell_key(&place, "b", NEAP_REGISTER, &key);
    CHECK(hole_has(&place.shard->holes[0], slice_of(key.bytes + 8, key.size - 8)));
    cell_key(&place, "a", NEAP_REGISTER, &key);
    CHECK(!hole_has(&place.shard->holes[0], slice_of(key.bytes + 8, key.size - 8)));
    cell_key(&place, "c", NEAP_REGISTER, &key);
    CHECK(!hole_has(&place.shard->holes[0], slice_of(key.bytes + 8, key.size - 8)));
    gaps_done(&gaps);
    place_close(&place);
}

TEST(a_log_with_gaps_is_cut_and_the_start_is_suspect)
{
    struct gaps gaps = {0};
    struct place place;
    struct batch *batch;
    bool suspect = false;
    struct key key;

    CHECK_OK(place_open(&place, 1));
    for (int i = 0; i < 5; i++)
        CHECK_OK(place_set(&place, "a", "1"));
    CHECK_OK(place_commit(&place));
    /* The record knows nothing of them, and of the log the end is lost: only the cell shows it. */
    CHECK_OK(batch_new(place.disk, &batch));
    for (uint64_t n = 2; n <= 5; n++) {
        key_log(&key, place.shard->id, (struct dot){1, n});
        CHECK_OK(batch_delete(batch, DISK_LOG, key_slice(&key)));
    }
    CHECK_OK(place.disk->ops->commit(place.disk, batch, true));
    batch_free(batch);
    CHECK_OK(gaps_add(&gaps, DISK_LOG, slice_of(NULL, 0), slice_of(NULL, 0)));
    CHECK_OK(salvage_record(place.disk, &gaps, "it rots", &suspect));
    CHECK(suspect);
    CHECK_OK(place_reopen(&place, 2, NONCE));
    CHECK_EQUAL(context_get(&place.shard->context, 1), 5);
    CHECK_EQUAL(shard_log_count(place.shard), 0);
    CHECK_EQUAL(place_count(&place, DISK_LOG, 0), 0);
    CHECK_EQUAL(place.shard->replica, 2);
    CHECK_EQUAL(place.shard->holes_count, 0);
    gaps_done(&gaps);
    place_close(&place);
}

/* ---- holes ---- */

/* Two replicas that are equal, of which one has lost what is between the two registers. */
struct pair {
    struct place whole, hurt;
};

static void pair_lose(struct pair *pair, const char *after, const char *lost, const char *before)
{
    struct gaps gaps = {0};
    bool suspect;

    gap_make(&pair->hurt, after, before, &gaps);
    if (lost)
        cell_drop(&pair->hurt, lost);
    CHECK_OK(salvage_record(pair->hurt.disk, &gaps, "it rots", &suspect));
    CHECK_OK(place_reopen(&pair->hurt, 2, NONCE));
    CHECK_OK(shard_confirm(pair->hurt.shard, pair->hurt.batch));
    CHECK_OK(place_commit(&pair->hurt));
    gaps_done(&gaps);
}

static void pair_open(struct pair *pair)
{
    CHECK_OK(place_open(&pair->whole, 1));
    CHECK_OK(place_open(&pair->hurt, 2));
    CHECK_OK(place_set(&pair->whole, "a", "1"));
    CHECK_OK(place_set(&pair->whole, "b", "2"));
    CHECK_OK(place_set(&pair->whole, "c", "3"));
    CHECK_OK(place_commit(&pair->whole));
    CHECK_OK(place_pull(&pair->hurt, &pair->whole, CHUNK_SIZE));
    CHECK_OK(place_commit(&pair->hurt));
}

static void pair_close(struct pair *pair)
{
    place_close(&pair->whole);
    place_close(&pair->hurt);
}

static int pair_fill(struct pair *pair, size_t hole, enum taken *ret_taken)
{
    const struct hole *of = &pair->hurt.shard->holes[hole];
    struct view view = batch_view(pair->whole.batch);
    struct buffer page;
    int error;

    buffer_init(&page, WIRE_MAX);
    error = hole_page(pair->whole.shard, &view, buffer_slice(&of->from), buffer_slice(&of->to),
                      CHUNK_SIZE, &page);
    if (!error)
        error = hole_take(pair->hurt.shard, pair->hurt.batch, buffer_slice(&page), ret_taken);
    buffer_done(&page);
    return error;
}

/* As many steps as it takes. */
static unsigned hole_end(struct place *place)
{
    unsigned steps = 0;
    bool closed = false;

    for (; !closed; steps++)
        CHECK_OK(hole_close(place->shard, place->batch, 0, &closed));
    return steps;
}

TEST(a_hole_reads_as_damage_and_all_else_is_there)
{
    struct pair pair;
    struct disk *disk;
    struct buffer value;
    struct view view;
    struct scan *scan;
    struct slice key, cell, none = {NULL, 0};
    struct neap_error error = {0};
    struct batch *turn;
    struct key at;

    pair_open(&pair);
    pair_lose(&pair, "a", "b", "c");
    CHECK_OK(disk_holes_open(pair.hurt.disk, &disk));
    CHECK(disk != pair.hurt.disk);
    CHECK(disk_holes_under(disk) == pair.hurt.disk);
    buffer_init(&value, WIRE_MAX);
    view = (struct view){.disk = disk};
    cell_key(&pair.hurt, "b", NEAP_REGISTER, &at);
    CHECK_ERROR(view_get(&view, DISK_CELLS, key_slice(&at), &value), NEAP_CORRUPT);
    disk->ops->error(disk, &error);
    CHECK(strstr(error.text, "waits for a peer that has it"));
    cell_key(&pair.hurt, "bb", NEAP_REGISTER, &at); /* nobody knows whether it was there */
    CHECK_ERROR(view_get(&view, DISK_CELLS, key_slice(&at), &value), NEAP_CORRUPT);
    CHECK_OK(
        batch_new(disk, &turn)); /* a page that fills it is in the batch of this turn already */
    CHECK_OK(batch_put(turn, DISK_CELLS, key_slice(&at), slice_of("x", 1)));
    view.batch = turn;
    CHECK_ERROR(view_get(&view, DISK_CELLS, key_slice(&at), &value), NEAP_CORRUPT);
    CHECK_OK(batch_delete(turn, DISK_CELLS, key_slice(&at)));
    CHECK_ERROR(view_get(&view, DISK_CELLS, key_slice(&at), &value), NEAP_CORRUPT);
    view.batch = NULL;
    batch_free(turn);
    cell_key(&pair.hurt, "c", NEAP_REGISTER, &at);
    CHECK_OK(view_get(&view, DISK_CELLS, key_slice(&at), &value));
    cell_key(&pair.hurt, "d", NEAP_REGISTER, &at);
    CHECK_ERROR(view_get(&view, DISK_CELLS, key_slice(&at), &value), NEAP_NOTFOUND);
    CHECK_OK(view_scan(&view, DISK_CELLS, none, none, &scan));
    CHECK_OK(scan_next(scan, &key, &cell));
    CHECK_ERROR(scan_next(scan, &key, &cell), NEAP_CORRUPT);
    CHECK_ERROR(scan_next(scan, &key, &cell), NEAP_CORRUPT);
    scan_close(scan);
    cell_key(&pair.hurt, "c", NEAP_REGISTER, &at);
    CHECK_OK(view_scan(&view, DISK_CELLS, key_slice(&at), none, &scan));
    CHECK_OK(scan_next(scan, &key, &cell));
    CHECK_ERROR(scan_next(scan, &key, &cell), NEAP_END);
    scan_close(scan);
    buffer_done(&value);
    CHECK(disk_holes_leave(disk) == pair.hurt.disk);
    pair_close(&pair);
}

TEST(a_disk_without_holes_is_left_as_it_is)
{
    struct pair pair;
    struct disk *disk;

    pair_open(&pair);
    CHECK_OK(disk_holes_open(pair.hurt.disk, &disk));
    CHECK(disk == pair.hurt.disk);
    CHECK(disk_holes_leave(disk) == pair.hurt.disk);
    pair_close(&pair);
}

TEST(a_hole_is_filled_from_who_has_it_and_closed)
{
    struct pair pair;
    enum taken taken;

    pair_open(&pair);
    pair_lose(&pair, "a", "b", "c");
    CHECK(!hole_is_filled(&pair.hurt.shard->holes[0]));
    CHECK(hole_gains(&pair.hurt.shard->holes[0], &pair.whole.shard->context));
    CHECK_EQUAL(place_dots(&pair.hurt, "b", NEAP_REGISTER), 0);
    CHECK_OK(pair_fill(&pair, 0, &taken));
    CHECK_EQUAL(taken, TAKEN);
    CHECK_EQUAL(place_dots(&pair.hurt, "b", NEAP_REGISTER), 1);
    CHECK_EQUAL(pair.hurt.shard->counts.healed, 1);
    CHECK(hole_is_filled(&pair.hurt.shard->holes[0]));
    CHECK(context_covers(&pair.hurt.shard->context, &pair.hurt.shard->holes[0].got));
    CHECK(!hole_gains(&pair.hurt.shard->holes[0], &pair.whole.shard->context));
    CHECK_OK(place_commit(&pair.hurt));
    CHECK_OK(place_reopen(&pair.hurt, 2, NONCE));
    CHECK_EQUAL(pair.hurt.shard->holes_count, 1);
    hole_end(&pair.hurt);
    CHECK_OK(place_commit(&pair.hurt));
    CHECK_OK(place_reopen(&pair.hurt, 2, NONCE));
    CHECK_EQUAL(pair.hurt.shard->holes_count, 0);
    CHECK_EQUAL(pair.hurt.shard->residues_count, 0);
    pair_close(&pair);
}

/* What is removed there meanwhile, by an event that is not known here, is neither taken for lost
 * nor brought back. */
TEST(events_are_taken_into_a_hole_only_when_it_is_filled)
{
    struct pair pair;
    enum taken taken;

    pair_open(&pair);
    pair_lose(&pair, "a", "b", "c");
    CHECK_OK(place_remove(&pair.whole, "b"));
    CHECK_OK(place_set(&pair.whole, "bb", "4"));
    CHECK_OK(place_commit(&pair.whole));
    CHECK_ERROR(place_pull(&pair.hurt, &pair.whole, CHUNK_SIZE), NEAP_CORRUPT);
    CHECK_OK(pair_fill(&pair, 0, &taken));
    CHECK(hole_is_filled(&pair.hurt.shard->holes[0]));
    CHECK(!context_covers(&pair.hurt.shard->context, &pair.hurt.shard->holes[0].got));
    CHECK_EQUAL(place_dots(&pair.hurt, "b", NEAP_REGISTER), 0);
    CHECK_OK(place_pull(&pair.hurt, &pair.whole, CHUNK_SIZE));
    CHECK(context_covers(&pair.hurt.shard->context, &pair.hurt.shard->holes[0].got));
    CHECK_EQUAL(place_dots(&pair.hurt, "b", NEAP_REGISTER), 0);
    CHECK_EQUAL(place_dots(&pair.hurt, "bb", NEAP_REGISTER), 1);
    pair_close(&pair);
}

TEST(what_only_the_damaged_replica_had_is_given_up)
{
    struct pair pair;
    enum taken taken;

    pair_open(&pair);
    CHECK_OK(place_set(&pair.hurt, "b", "mine"));
    CHECK_OK(place_commit(&pair.hurt));
    pair_lose(&pair, "a", "b", "c");
    CHECK_OK(pair_fill(&pair, 0, &taken));
    CHECK(!hole_is_filled(&pair.hurt.shard->holes[0]));
    CHECK(!hole_gains(&pair.hurt.shard->holes[0], &pair.whole.shard->context));
    CHECK_OK(hole_give_up(pair.hurt.shard, pair.hurt.batch, 0));
    CHECK(hole_is_filled(&pair.hurt.shard->holes[0]));
    CHECK_EQUAL(place_dots(&pair.hurt, "b", NEAP_REGISTER), 1); /* as the other has it */
    pair_close(&pair);
}

/* The one who filled it is gone, with events that nobody else has heard of. */
TEST(what_only_a_hole_knew_stays_with_its_cells)
{
    struct pair pair;
    enum taken taken;

    pair_open(&pair);
    pair_lose(&pair, "a", "b", "c");
    CHECK_OK(place_set(&pair.whole, "z", "not there"));
    CHECK_OK(place_set(&pair.whole, "bb", "4"));
    CHECK_OK(place_commit(&pair.whole));
    CHECK_OK(pair_fill(&pair, 0, &taken));
    CHECK(!context_covers(&pair.hurt.shard->context, &pair.hurt.shard->holes[0].got));
    CHECK_EQUAL(hole_end(&pair.hurt), 1);
    CHECK_OK(place_commit(&pair.hurt));
    CHECK_OK(place_reopen(&pair.hurt, 2, NONCE));
    CHECK_EQUAL(pair.hurt.shard->holes_count, 0);
    CHECK_EQUAL(context_get(&pair.hurt.shard->context, 1), 3);
    CHECK_EQUAL(pair.hurt.shard->residues_count, 1);
    CHECK_EQUAL(context_get(&pair.hurt.shard->residues[0].context, 1), 5);
    CHECK_EQUAL(place_dots(&pair.hurt, "bb", NEAP_REGISTER), 1);
    CHECK_OK(place_remove(&pair.whole, "bb"));
    CHECK_OK(place_commit(&pair.whole));
    CHECK_OK(place_pull(&pair.hurt, &pair.whole, CHUNK_SIZE)); /* it is back */
    while (pair.hurt.shard->settling > 0)
        CHECK_OK(shard_settle(pair.hurt.shard, pair.hurt.batch));
    CHECK_EQUAL(pair.hurt.shard->residues_count, 0);
    CHECK_EQUAL(place_dots(&pair.hurt, "bb", NEAP_REGISTER), 0);
    CHECK_EQUAL(place_dots(&pair.hurt, "z", NEAP_REGISTER), 1);
    pair_close(&pair);
}

TEST(a_hole_with_very_much_in_it_is_closed_in_parts)
{
    enum { MANY = 400, NAME = 900 };
    char name[NAME + 1];
    struct place writer;
    struct pair pair;
    enum taken taken;

    pair_open(&pair);
    pair_lose(&pair, "a", "b", "c");
    CHECK_OK(place_set(&pair.whole, "z", "not there"));
    CHECK_OK(place_set(&pair.whole, "bzz", "4"));
    CHECK_OK(place_commit(&pair.whole));
    CHECK_OK(pair_fill(&pair, 0, &taken));
    CHECK_OK(place_open(&writer, 3));
    memset(name, 'b', NAME);
    name[NAME] = '\0';
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(name + NAME - 8, 9, "%08u", i);
        CHECK_OK(place_set(&writer, name, "5"));
    }
    CHECK_OK(place_commit(&writer));
    CHECK_OK(place_pull(&pair.hurt, &writer, CHUNK_SIZE));
    CHECK_OK(place_commit(&pair.hurt));
    CHECK(!context_covers(&pair.hurt.shard->context, &pair.hurt.shard->holes[0].got));
    CHECK(hole_end(&pair.hurt) > 1);
    CHECK_OK(place_commit(&pair.hurt));
    CHECK_OK(place_reopen(&pair.hurt, 2, NONCE));
    CHECK_EQUAL(pair.hurt.shard->holes_count, 0);
    CHECK_EQUAL(pair.hurt.shard->residues_count, 1);
    CHECK_EQUAL(place_dots(&pair.hurt, "bzz", NEAP_REGISTER), 1);
    CHECK_EQUAL(place_dots(&pair.hurt, name, NEAP_REGISTER), 1);
    place_close(&writer);
    pair_close(&pair);
}

/* In a hole that is filled, is not closed, and is damaged again. */
TEST(holes_do_not_overlap_when_there_is_more_damage)
{
    const struct hole *holes;
    struct pair pair;
    enum taken taken;

    pair_open(&pair);
    CHECK_OK(place_set(&pair.whole, "d", "4"));
    CHECK_OK(place_commit(&pair.whole));
    CHECK_OK(place_pull(&pair.hurt, &pair.whole, CHUNK_SIZE));
    CHECK_OK(place_commit(&pair.hurt));
    pair_lose(&pair, "a", "b", "d");
    CHECK_OK(place_set(&pair.whole, "z", "not there"));
    CHECK_OK(place_commit(&pair.whole));
    CHECK_OK(pair_fill(&pair, 0, &taken));
    CHECK_OK(place_commit(&pair.hurt));
    pair_lose(&pair, "b", "c", "d");
    holes = pair.hurt.shard->holes;
    CHECK_EQUAL(pair.hurt.shard->holes_count, 2);
    CHECK_BYTES(buffer_slice(&holes[0].to), buffer_slice(&holes[1].from));
    CHECK(hole_is_filled(&holes[0]));
    CHECK(!hole_is_filled(&holes[1]));
    CHECK_OK(pair_fill(&pair, 1, &taken));
    CHECK(hole_is_filled(&pair.hurt.shard->holes[1]));
    CHECK_EQUAL(place_dots(&pair.hurt, "c", NEAP_REGISTER), 1);
    pair_close(&pair);
}

TEST(a_page_of_less_fills_a_part)
{
    struct pair pair;
    struct view view;
    struct buffer page;
    enum taken taken;
    const struct hole *hole;

    pair_open(&pair);
    CHECK_OK(place_set(&pair.whole, "bb", "4"));
    CHECK_OK(place_commit(&pair.whole));
    CHECK_OK(place_pull(&pair.hurt, &pair.whole, CHUNK_SIZE));
    CHECK_OK(place_commit(&pair.hurt));
    cell_drop(&pair.hurt, "bb");
    pair_lose(&pair, "a", "b", "c");
    hole = &pair.hurt.shard->holes[0];
    view = batch_view(pair.whole.batch);
    buffer_init(&page, WIRE_MAX);
    CHECK_OK(hole_page(pair.whole.shard, &view, buffer_slice(&hole->from), buffer_slice(&hole->to),
                       1, &page));
    CHECK_OK(hole_take(pair.hurt.shard, pair.hurt.batch, buffer_slice(&page), &taken));
    CHECK_EQUAL(pair.hurt.shard->holes_count, 2);
    CHECK(hole_is_filled(&pair.hurt.shard->holes[0]));
    CHECK(!hole_is_filled(&pair.hurt.shard->holes[1]));
    CHECK_BYTES(buffer_slice(&pair.hurt.shard->holes[0].to),
                buffer_slice(&pair.hurt.shard->holes[1].from));
    CHECK_OK(place_commit(&pair.hurt));
    CHECK_OK(place_reopen(&pair.hurt, 2, NONCE));
    CHECK_EQUAL(pair.hurt.shard->holes_count, 2);
    CHECK_OK(pair_fill(&pair, 1, &taken));
    CHECK(hole_is_filled(&pair.hurt.shard->holes[1]));
    CHECK_EQUAL(place_dots(&pair.hurt, "bb", NEAP_REGISTER), 1);
    CHECK_OK(hole_take(pair.hurt.shard, pair.hurt.batch, buffer_slice(&page), &taken));
    buffer_done(&page);
    pair_close(&pair);
}

static int place_fill(struct place *to, struct place *from)
{
    const struct hole *of = &to->shard->holes[0];
    struct view view = batch_view(from->batch);
    enum taken taken = TAKEN_NOTHING;
    struct buffer page;
    int error;

    buffer_init(&page, WIRE_MAX);
    error = hole_page(from->shard, &view, buffer_slice(&of->from), buffer_slice(&of->to),
                      CHUNK_SIZE, &page);
    if (!error)
        error = hole_take(to->shard, to->batch, buffer_slice(&page), &taken);
    buffer_done(&page);
    CHECK(error || taken == TAKEN);
    return error;
}

/* One has heard of the removal alone, the other of what was removed; each adds to what is known of
 * the range. What the first one's cell knows must last until the other one's comes. */
TEST(what_a_page_knows_by_a_cell_alone_lasts_until_all_is_filled)
{
    const struct context nothing = {0};
    struct place writer, remover;
    struct pair pair; /* whole: the one who heard of the removal alone */
    struct buffer chunk;
    enum taken taken;

    CHECK_OK(place_open(&writer, 3));
    CHECK_OK(place_open(&remover, 4));
    CHECK_OK(place_open(&pair.whole, 1));
    CHECK_OK(place_open(&pair.hurt, 2));
    CHECK_OK(place_set(&writer, "b", "1"));
    CHECK_OK(place_commit(&writer));
    CHECK_OK(place_pull(&remover, &writer, CHUNK_SIZE));
    CHECK_OK(place_remove(&remover, "b"));
    CHECK_OK(place_commit(&remover));
    buffer_init(&chunk, WIRE_MAX);
    CHECK_OK(place_chunk(&remover, &nothing, 4, CHUNK_SIZE, &chunk));
    CHECK_OK(
        shard_take(pair.whole.shard, pair.whole.batch, buffer_slice(&chunk), CHUNK_PUSH, &taken));
    CHECK_EQUAL(taken, TAKEN);
    CHECK_OK(place_commit(&pair.whole));
    CHECK_EQUAL(pair.whole.shard->residues_count, 1);
    CHECK_OK(place_pull(&pair.hurt, &remover, CHUNK_SIZE));
    CHECK_OK(place_commit(&pair.hurt));
    pair_lose(&pair, "a", NULL, "c");
    CHECK_OK(place_fill(&pair.hurt, &pair.whole));
    CHECK_OK(place_commit(&pair.hurt));
    CHECK_OK(place_set(&pair.hurt, "d", "the context moves"));
    CHECK_OK(place_commit(&pair.hurt));
    CHECK_OK(place_reopen(&pair.hurt, 2, NONCE));
    CHECK(!hole_is_filled(&pair.hurt.shard->holes[0]));
    CHECK_OK(place_fill(&pair.hurt, &writer));
    CHECK_OK(place_commit(&pair.hurt));
    CHECK(hole_is_filled(&pair.hurt.shard->holes[0]));
    CHECK_EQUAL(place_dots(&pair.hurt, "b", NEAP_REGISTER), 0);
    hole_end(&pair.hurt);
    while (pair.hurt.shard->settling > 0)
        CHECK_OK(shard_settle(pair.hurt.shard, pair.hurt.batch));
    CHECK_OK(place_commit(&pair.hurt));
    CHECK_EQUAL(pair.hurt.shard->residues_count, 0);
    CHECK_EQUAL(place_dots(&pair.hurt, "b", NEAP_REGISTER), 0);
    buffer_done(&chunk);
    pair_close(&pair);
    place_close(&writer);
    place_close(&remover);
}

static int fill_run(void *arg)
{
    struct pair *pair = arg;
    struct buffer page;
    struct view view = batch_view(pair->whole.batch);
    const struct hole *hole = &pair->hurt.shard->holes[0];
    struct batch *batch = NULL;
    enum taken taken;
    size_t before = pair->hurt.shard->holes_count;
    int error;

    buffer_init(&page, WIRE_MAX);
    error = batch_new(pair->hurt.disk, &batch);
    if (!error)
        error = hole_page(pair->whole.shard, &view, buffer_slice(&hole->from),
                          buffer_slice(&hole->to), 1, &page);
    if (!error)
        error = hole_take(pair->hurt.shard, batch, buffer_slice(&page), &taken);
    if (error) {
        CHECK_EQUAL(pair->hurt.shard->holes_count, before);
        CHECK(!hole_is_filled(&pair->hurt.shard->holes[0]));
        CHECK(!batch || batch_is_empty(batch));
    }
    buffer_done(&page);
    batch_free(batch);
    return error;
}

/* Memory is left as it was by each try but the last, which succeeds; so it is not a sweep. */
TEST(filling_survives_failing_allocations)
{
    int error = NEAP_NOMEM;
    struct pair pair;

    pair_open(&pair);
    CHECK_OK(place_set(&pair.whole, "bb", "4"));
    CHECK_OK(place_commit(&pair.whole));
    pair_lose(&pair, "a", "b", "c");
    for (uint64_t call = 1; error; call++) {
        mem_fail_at(call, 0);
        error = fill_run(&pair);
        mem_fail_at(0, 0);
        CHECK(!error || error == NEAP_NOMEM);
    }
    CHECK(hole_is_filled(&pair.hurt.shard->holes[0]));
    CHECK_EQUAL(pair.hurt.shard->holes_count, 2);
    pair_close(&pair);
}

TEST(records_of_holes_go_round_and_damaged_ones_are_corrupt)
{
    struct pair pair;
    struct hole hole;
    struct view view;
    struct slice key, value, none = {NULL, 0};
    struct scan *scan;

    pair_open(&pair);
    pair_lose(&pair, "a", "b", "c");
    view = (struct view){.disk = pair.hurt.disk};
    CHECK_OK(view_scan(&view, DISK_META, slice_text("D"), slice_text("E"), &scan));
    CHECK_OK(scan_next(scan, &key, &value));
    CHECK_OK(hole_read(key, value, &hole));
    hole_done(&hole);
    for (size_t size = 0; size < value.size; size++)
        CHECK_ERROR(hole_read(key, slice_of(value.data, size), &hole), NEAP_CORRUPT);
    CHECK_ERROR(hole_read(slice_text("S1234567"), value, &hole), NEAP_CORRUPT);
    CHECK_ERROR(hole_read(none, value, &hole), NEAP_CORRUPT);
    scan_close(scan);
    pair_close(&pair);
}
