/* That the index of a score set is what a pass over its cells makes. */
#include "store/ranking.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "store/tally.h"
#include "tests/unit/shard_cases.h"

/* The path of a member of the set "s", without memory of its own. */
struct short_path {
    uint8_t bytes[128];
    struct buffer path;
};

static struct slice member_path(const char *member, struct short_path *ret_path)
{
    ret_path->path = (struct buffer){.data = ret_path->bytes,
                                     .room = sizeof ret_path->bytes,
                                     .size_max = sizeof ret_path->bytes};
    CHECK_OK(path_level(&ret_path->path, slice_text("s"), NEAP_SCORES));
    if (member)
        CHECK_OK(path_element(&ret_path->path, slice_text(member)));
    return buffer_slice(&ret_path->path);
}

static int score(struct place *place, const char *member, enum op_kind kind, int64_t number)
{
    const struct op op = {.kind = kind, .number = number, .stamp = 7};
    struct short_path path;
    struct dot dot;

    return shard_write(place->shard, place->batch, place->shard->id, member_path(member, &path),
                       &op, &dot);
}

/* "member score, " of all entries, in their order. */
static void entries_text(struct place *place, char *ret_text, size_t size)
{
    struct view view = batch_view(place->batch);
    struct short_path path;
    struct key prefix, end;
    struct slice key, value, member;
    struct scan *scan;
    size_t used = 0;
    int64_t number;

    ret_text[0] = 0;
    key_ranking_prefix(&prefix, place->shard->id, place->shard->id, member_path(NULL, &path));
    key_end(&prefix, &end);
    CHECK_OK(view_scan(&view, DISK_META, key_slice(&prefix), key_slice(&end), &scan));
    while (!scan_next(scan, &key, &value)) {
        CHECK_EQUAL(value.size, 0);
        CHECK_OK(ranking_split(key, &prefix, &number, &member));
        used += (size_t)snprintf(ret_text + used, size - used, "%.*s %lld, ", (int)member.size - 2,
                                 (const char *)member.data, (long long)number);
    }
    scan_close(scan);
}

#define CHECK_ENTRIES(place, expected)            \
    do {                                          \
        char text_[400];                          \
        entries_text(place, text_, sizeof text_); \
        CHECK_TEXT(text_, expected);              \
    } while (0)

TEST(entries_are_in_the_order_of_scores)
{
    static const int64_t scores[] = {INT64_MAX, 256, 255, 1, 0, -1, -256, INT64_MIN};
    struct key last = {.size = 0}, key, prefix;
    struct slice member;
    int64_t found;

    key_ranking_prefix(&prefix, 1, 2, slice_text("path"));
    for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) {
        key_ranking(&key, 1, 2, slice_text("path"), scores[i], slice_text("m"));
        CHECK(slice_compare(key_slice(&last), key_slice(&key)) < 0);
        CHECK_OK(ranking_split(key_slice(&key), &prefix, &found, &member));
        CHECK_EQUAL(found, scores[i]);
        CHECK_SLICE(member, "m");
        last = key;
    }
    CHECK_ERROR(ranking_split(key_slice(&prefix), &prefix, &found, &member), NEAP_CORRUPT);
    key.bytes[0] = 'Z';
    CHECK_ERROR(ranking_split(key_slice(&key), &prefix, &found, &member), NEAP_CORRUPT);
}

TEST(an_entry_moves_with_its_score_and_goes_with_its_member)
{
    struct place place;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(score(&place, "a", OP_SCORE_SET, 5));
    CHECK_OK(score(&place, "b", OP_SCORE_SET, 7));
    CHECK_ENTRIES(&place, "b 7, a 5, ");
    CHECK_OK(score(&place, "a", OP_SCORE_ADD, 3));
    CHECK_ENTRIES(&place, "a 8, b 7, ");
    CHECK_OK(score(&place, "a", OP_SCORE_SET, 8)); /* another event, the same score */
    CHECK_ENTRIES(&place, "a 8, b 7, ");
    CHECK_OK(score(&place, "a", OP_SCORE_REMOVE, 0));
    CHECK_ENTRIES(&place, "b 7, ");
    place_close(&place);
}

TEST(what_is_rolled_back_leaves_the_entries)
{
    struct shard_mark shard_mark;
    struct place place;
    batch_mark mark;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(score(&place, "a", OP_SCORE_SET, 5));
    mark = batch_set_mark(place.batch);
    shard_mark = shard_set_mark(place.shard);
    CHECK_OK(score(&place, "a", OP_SCORE_SET, 6));
    CHECK_OK(score(&place, "b", OP_SCORE_SET, 7));
    batch_rollback(place.batch, mark);
    shard_rollback(place.shard, shard_mark);
    CHECK_ENTRIES(&place, "a 5, ");
    place_close(&place);
}

TEST(what_comes_from_peers_has_entries)
{
    struct place here, there;

    CHECK_OK(place_open(&here, 1));
    CHECK_OK(place_open(&there, 2));
    CHECK_OK(score(&there, "a", OP_SCORE_SET, 5));
    CHECK_OK(score(&there, "b", OP_SCORE_SET, 6));
    CHECK_OK(place_commit(&there));
    CHECK_OK(score(&here, "a", OP_SCORE_ADD, 10));
    CHECK_OK(place_pull(&here, &there, CHUNK_SIZE));
    CHECK_ENTRIES(&here, "a 15, b 6, ");
    CHECK_OK(score(&there, "b", OP_SCORE_REMOVE, 0));
    CHECK_OK(place_commit(&there));
    CHECK_OK(place_compare(&here, &there, 64));
    CHECK_ENTRIES(&here, "a 15, ");
    place_close(&here);
    place_close(&there);
}

TEST(a_shard_that_is_reset_has_no_entries)
{
    struct place place;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(score(&place, "a", OP_SCORE_SET, 5));
    CHECK_OK(shard_reset(place.shard, place.batch, 2));
    CHECK_ENTRIES(&place, "");
    place_close(&place);
}

/* As a salvage does. */
static int make_again(void *argument)
{
    struct place place;
    int error = place_open(&place, 1);

    (void)argument;
    if (!error)
        error = score(&place, "a", OP_SCORE_SET, 5);
    if (!error)
        error = place_commit(&place);
    if (!error)
        error = rankings_make(place.disk);
    place_close(&place);
    return error;
}

TEST(an_index_is_made_again_from_the_cells)
{
    struct place place;
    struct key key;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(score(&place, "a", OP_SCORE_SET, 5));
    CHECK_OK(score(&place, "b", OP_SCORE_ADD, 7));
    CHECK_OK(place_set(&place, "other", "value"));
    key_ranking(&key, place.shard->id, place.shard->id, slice_text("stale"), 1, slice_text("x"));
    CHECK_OK(batch_put(place.batch, DISK_META, key_slice(&key), slice_of(NULL, 0)));
    CHECK_OK(place_commit(&place));
    CHECK_EQUAL(place_count(&place, DISK_META, 'X'), 3);
    CHECK_OK(rankings_make(place.disk));
    CHECK_EQUAL(place_count(&place, DISK_META, 'X'), 2);
    CHECK_ENTRIES(&place, "b 7, a 5, ");
    place_close(&place);
    test_alloc_sweep(make_again, NULL);
}

static int live(void *argument)
{
    struct place place;
    int error = place_open(&place, 1);

    (void)argument;
    if (!error)
        error = score(&place, "a", OP_SCORE_SET, 5);
    if (!error)
        error = score(&place, "a", OP_SCORE_ADD, 5);
    if (!error)
        error = score(&place, "a", OP_SCORE_REMOVE, 0);
    place_close(&place);
    return error;
}

TEST(without_memory_no_entry_is_half_moved)
{
    test_alloc_sweep(live, NULL);
}

/* ---- whatever happens ---- */

enum { PLACES = 3, MEMBERS = 6, STEPS = 400 };

static struct slice collection_of(const struct place *place, struct key *ret_key)
{
    struct short_path path;

    key_cell(ret_key, place->shard->id, place->shard->id, member_path(NULL, &path));
    return slice_of(ret_key->bytes + 8, ret_key->size - 8);
}

/* Each live member has the entry of its score; there are no others; and all are counted. */
static void check_derived(struct place *place)
{
    struct view view = batch_view(place->batch);
    size_t entries = 0, live = 0;
    struct slice key, value;
    struct short_path path;
    struct buffer bytes;
    struct scan *scan;
    struct key from, end;
    uint64_t count = 0;

    buffer_init(&bytes, STORED_SIZE_MAX);
    key_meta(&from, 'X');
    key_end(&from, &end);
    CHECK_OK(view_scan(&view, DISK_META, key_slice(&from), key_slice(&end), &scan));
    while (!scan_next(scan, &key, &value))
        entries++;
    scan_close(scan);
    for (unsigned i = 0; i < MEMBERS; i++) {
        const char member[] = {(char)('a' + i), 0};
        const struct slice whole = member_path(member, &path);
        struct cell cell;
        int64_t number;

        cell_init(&cell);
        CHECK_OK(cell_read(&view, place->shard->id, place->shard->id, whole, &bytes, &cell));
        if (!score_value(&cell, &number)) {
            key_ranking(&from, place->shard->id, place->shard->id,
                        slice_of(whole.data, whole.size - 3), number,
                        slice_of(whole.data + whole.size - 3, 3));
            CHECK_OK(view_get(&view, DISK_META, key_slice(&from), &bytes));
            live++;
        }
        cell_done(&cell);
    }
    CHECK_EQUAL(entries, live);
    CHECK_OK(tally_get(place->shard, collection_of(place, &from), &count));
    CHECK_EQUAL(count, live);
    buffer_done(&bytes);
}

static void count_members(struct place *place)
{
    struct key key;

    CHECK_OK(tally_begin(place->shard, place->batch, collection_of(place, &key)));
    while (tally_is_due(place->shard))
        CHECK_OK(tally_step(place->shard, place->batch, 2));
}

static void step(struct place *places, struct rng *rng)
{
    static const enum op_kind kinds[] = {OP_SCORE_SET, OP_SCORE_SET, OP_SCORE_ADD, OP_SCORE_REMOVE};
    struct place *place = &places[rng_below(rng, PLACES)];
    struct place *other = &places[rng_below(rng, PLACES)];
    struct shard_mark shard_mark = shard_set_mark(place->shard);
    batch_mark mark = batch_set_mark(place->batch);
    const char member[] = {(char)('a' + rng_below(rng, MEMBERS)), 0};
    enum op_kind kind = kinds[rng_below(rng, 4)];
    int64_t number = (int64_t)rng_below(rng, 5) - 2;
    uint64_t what = rng_below(rng, 20);

    if (what < 12) {
        CHECK_OK(score(place, member, kind, number));
        if (what == 0) {
            batch_rollback(place->batch, mark);
            shard_rollback(place->shard, shard_mark);
        }
    } else if (what < 17 && place != other) {
        CHECK_OK(place_commit(other));
        /* Who has compared has no log of what it got so. */
        if (what == 16 || place_pull(place, other, what == 12 ? 64 : CHUNK_SIZE))
            CHECK_OK(place_compare(place, other, 64));
    } else if (what > 17) {
        batch_forget(place->batch);
        CHECK_OK(place_commit(place));
    }
    batch_forget(place->batch);
}

TEST(whatever_happens_the_index_and_the_count_are_those_of_the_cells)
{
    for (uint64_t seed = 1; seed <= test_number("SEEDS", 20); seed++) {
        struct place places[PLACES];
        struct rng rng;

        rng_init(&rng, seed);
        for (uint64_t i = 0; i < PLACES; i++) {
            CHECK_OK(place_open(&places[i], i + 1));
            count_members(&places[i]);
        }
        for (unsigned i = 0; i < STEPS; i++) {
            step(places, &rng);
            for (unsigned k = 0; k < PLACES; k++)
                check_derived(&places[k]);
        }
        for (unsigned i = 0; i < PLACES; i++)
            place_close(&places[i]);
    }
}
