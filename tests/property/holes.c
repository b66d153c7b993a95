/* Random histories of replicas of which one after the other is damaged: cells of a range can't be
 * read any more, and perhaps the log. One replica, the first, never is, and has all that another
 * one knows when that is struck. Whatever order pages, pushes, pulls and restarts come in: what is
 * in a hole is an error and never "not found", and in the end all have what the first one has,
 * without any repair. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "store/batch.h"
#include "store/hole.h"
#include "store/keys.h"
#include "store/salvage.h"
#include "tests/unit/shard_cases.h"

enum { PLACES = 4, KEYS = 4, STEPS = 400, HISTORIES = 200, CHUNK = 400 };
/* Of a removal that only the cell of one page knew of. */
enum { KNOWN_SEED = 11766 };

static struct {
    struct place places[PLACES];
    struct rng rng;
    uint64_t lives, strikes, fills, refused;
} world;

static size_t below(size_t count)
{
    return (size_t)rng_below(&world.rng, count);
}

/* ---- keys ---- */

static const char *name_of(size_t number, char ret_name[8])
{
    snprintf(ret_name, 8, "k%02zu", number);
    return ret_name;
}

static enum neap_type type_of(size_t number)
{
    return number % 3 ? NEAP_REGISTER : NEAP_COUNTER;
}

static void key_of(const struct place *place, size_t number, struct key *ret_key)
{
    struct buffer path;
    char name[8];

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_text(name_of(number, name)), type_of(number)));
    key_cell(ret_key, place->shard->id, place->shard->id, buffer_slice(&path));
    buffer_done(&path);
}

static bool is_in_hole(const struct place *place, size_t number)
{
    struct key key;

    key_of(place, number, &key);
    return hole_find(place->shard, place->shard->id, key_cell_path(key_slice(&key)));
}

/* ---- steps ---- */

static void commit(struct place *place)
{
    CHECK_OK(place_commit(place));
}

static void step_write(struct place *place)
{
    size_t number = below(KEYS);
    bool removes = below(3) == 0;
    struct op op = {.kind = OP_COUNTER_ADD, .number = 1};
    struct context nothing = {0};
    struct dot dot;
    char name[8];
    int error;

    if (removes)
        op = (struct op){.kind = OP_REMOVE};
    else if (type_of(number) == NEAP_REGISTER)
        op = (struct op){.kind = OP_REGISTER_SET, .value = slice_text("x"), .seen = &nothing};
    error = place_write(place, name_of(number, name), type_of(number), &op, &dot);
    if (is_in_hole(place, number))
        CHECK_ERROR(error, NEAP_CORRUPT);
    else
        CHECK(!error || (removes && error == NEAP_NOTFOUND));
    commit(place);
}

static void step_read(const struct place *place)
{
    struct view view = {.disk = place->disk};
    struct buffer value;
    struct key key;
    size_t number = below(KEYS);
    int error;

    key_of(place, number, &key);
    buffer_init(&value, 1 << 20);
    error = view_get(&view, DISK_CELLS, key_slice(&key), &value);
    if (is_in_hole(place, number))
        CHECK_ERROR(error, NEAP_CORRUPT);
    else
        CHECK(!error || error == NEAP_NOTFOUND);
    buffer_done(&value);
}

/* A chunk: of the giver's own events, or of all that it has. */
static bool step_give(struct place *to, struct place *from, bool own)
{
    enum taken taken = TAKEN_NOTHING;
    struct buffer chunk;
    int error;

    buffer_init(&chunk, WIRE_MAX);
    error = place_chunk(from, &to->shard->context, own ? from->shard->replica : 0, CHUNK, &chunk);
    if (!error)
        error = shard_take(to->shard, to->batch, buffer_slice(&chunk),
                           own ? CHUNK_PUSH : CHUNK_PULL, &taken);
    CHECK(!error || error == NEAP_END || error == NEAP_CORRUPT || error == NEAP_STALE);
    world.refused += error == NEAP_CORRUPT;
    if (!error)
        commit(to);
    buffer_done(&chunk);
    return !error && taken == TAKEN;
}

static void holes_close(struct place *place)
{
    struct shard *shard = place->shard;
    bool closed;

    for (size_t i = shard->holes_count; i-- > 0;) {
        const struct hole *hole = &shard->holes[i];

        if (hole_is_filled(hole) && context_covers(&shard->context, &hole->got))
            CHECK_OK(hole_close(shard, place->batch, i, &closed));
    }
    commit(place);
}

static void step_fill(struct place *to, struct place *from)
{
    size_t count = to->shard->holes_count;
    const struct hole *hole = count ? &to->shard->holes[below(count)] : NULL;
    struct view view = batch_view(from->batch);
    enum taken taken = TAKEN_NOTHING;
    struct buffer page;
    int error;

    if (hole && to != from && hole_gains(hole, &from->shard->context)) {
        buffer_init(&page, WIRE_MAX);
        error = hole_page(from->shard, &view, buffer_slice(&hole->from), buffer_slice(&hole->to),
                          below(2) ? 1 : CHUNK, &page);
        if (!error)
            error = hole_take(to->shard, to->batch, buffer_slice(&page), &taken);
        CHECK_OK(error);
        CHECK_EQUAL(taken, TAKEN);
        buffer_done(&page);
        commit(to);
        world.fills++;
    }
    holes_close(to);
}

/* ---- damage ---- */

/* As after a restart; the disk shows holes as what they are. */
static void place_restart(struct place *place, uint64_t life)
{
    struct disk *under = disk_holes_leave(place->disk);

    batch_free(place->batch);
    place->batch = NULL;
    CHECK_OK(disk_holes_open(under, &place->disk));
    CHECK_OK(batch_new(place->disk, &place->batch));
    CHECK_OK(place_reopen(place, life, NONCE));
    CHECK_OK(shard_confirm(place->shard, place->batch));
    commit(place);
}

static void step_restart(struct place *place)
{
    place_restart(place, place->shard->life);
}

static void range_delete(struct disk *disk, enum disk_family family, struct slice from,
                         struct slice to)
{
    struct batch *batch;

    CHECK_OK(batch_new(disk, &batch));
    CHECK_OK(batch_delete_range(batch, family, from, to));
    CHECK_OK(disk->ops->commit(disk, batch, true));
    batch_free(batch);
}

static void strike(struct place *place)
{
    size_t first = below(KEYS - 2), last = first + 2 + below(KEYS - first - 2);
    struct disk *under = disk_holes_under(place->disk);
    struct gaps gaps = {0};
    struct key from, to;
    bool suspect = false;

    /* What is between the two, but neither of them. */
    key_of(place, first, &from);
    key_of(place, last, &to);
    from.bytes[from.size] = 0;
    range_delete(under, DISK_CELLS, slice_of(from.bytes, from.size + 1), key_slice(&to));
    CHECK_OK(gaps_add(&gaps, DISK_CELLS, key_slice(&from), key_slice(&to)));
    if (below(3) == 0) {
        key_shard_prefix(&from, place->shard->id);
        key_end(&from, &to);
        range_delete(under, DISK_LOG, key_slice(&from), key_slice(&to));
        CHECK_OK(gaps_add(&gaps, DISK_LOG, slice_of(NULL, 0), slice_of(NULL, 0)));
    }
    CHECK_OK(salvage_record(under, &gaps, "it rots", &suspect));
    gaps_done(&gaps);
    place_restart(place, suspect ? ++world.lives : place->shard->life);
    CHECK(place->shard->holes_count > 0 || place->shard->context.count == 0);
    world.strikes++;
}

static void step_strike(struct place *place)
{
    for (size_t i = 0; i < PLACES; i++) {
        if (world.places[i].shard->holes_count > 0)
            return; /* two may wait for each other */
    }
    while (step_give(&world.places[0], place, false))
        continue;
    if (place->shard->context.count > 0 &&
        context_covers(&world.places[0].shard->context, &place->shard->context))
        strike(place);
}

/* ---- histories ---- */

static void step(void)
{
    size_t number = below(PLACES), other = below(PLACES), what = below(100);
    struct place *place = &world.places[number], *peer = &world.places[other];

    if (what < 8)
        step_write(place);
    else if (what < 60 && place != peer)
        step_give(place, peer, true);
    else if (what < 68)
        step_read(place);
    else if (what < 71)
        step_restart(place);
    else if (what < 78 && number > 0)
        step_strike(place);
    else if (other > 0 || below(5) == 0) /* mostly from those who have less */
        step_fill(place, peer);
}

static void all_equal(void)
{
    static const struct hash_key key;
    struct shard_summary first, summary;
    struct view view;

    for (size_t i = 0; i < PLACES; i++) {
        struct place *place = &world.places[i];

        while (place->shard->settling > 0) {
            CHECK_OK(shard_settle(place->shard, place->batch));
            commit(place);
        }
        CHECK_EQUAL(place->shard->holes_count, 0);
        CHECK_EQUAL(place->shard->residues_count, 0);
        CHECK(context_equal(&place->shard->context, &world.places[0].shard->context));
        view = (struct view){.disk = place->disk};
        CHECK_OK(shard_summary(&view, place->shard, &key, i ? &summary : &first));
        if (i)
            CHECK(digest_equal(summary.digest, first.digest));
    }
}

static void finish(void)
{
    for (unsigned round = 0; round < 20; round++) {
        for (size_t i = 0; i < PLACES; i++) {
            for (size_t j = 0; j < PLACES; j++) {
                if (i == j)
                    continue;
                while (step_give(&world.places[i], &world.places[j], false))
                    continue;
                step_fill(&world.places[i], &world.places[j]);
            }
        }
    }
    all_equal();
}

static void history(uint64_t seed)
{
    rng_init(&world.rng, seed);
    world.lives = PLACES;
    for (size_t i = 0; i < PLACES; i++) {
        CHECK_OK(place_open(&world.places[i], i + 1));
        commit(&world.places[i]);
    }
    for (unsigned i = 0; i < STEPS; i++)
        step();
    finish();
    for (size_t i = 0; i < PLACES; i++) {
        world.places[i].disk = disk_holes_leave(world.places[i].disk);
        place_close(&world.places[i]);
    }
}

TEST(damaged_replicas_get_back_what_they_had_and_nothing_that_was_removed)
{
    uint64_t first = test_number("NEAP_SEED", 1), count = test_number("NEAP_HISTORIES", HISTORIES);

    for (uint64_t seed = first; seed < first + count; seed++) {
        printf("# NEAP_SEED=%llu\n", (unsigned long long)seed);
        history(seed);
    }
    history(KNOWN_SEED);
    CHECK(world.strikes >= count);
    CHECK(world.fills >= count);
    CHECK(world.refused >= count / 2);
}
