/* That the index of a score set is what a pass over its cells makes. */
#include "store/ranking.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
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
