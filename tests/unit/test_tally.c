/* That what is kept of how many there are is what a pass over the cells finds. */
#include "store/tally.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "store/store.h"
#include "tests/unit/shard_cases.h"

/* ---- sets and maps by short names ---- */

/* "s" is a set, "m" a map, "m/s" a set in it; the last part is a register when there is no
 * element. */
struct short_path {
    uint8_t bytes[256];
    struct buffer path; /* takes no memory */
};

static struct slice path_of(const char *at, const char *element, struct short_path *ret_path)
{
    char text[64];
    char *rest = text;
    char *name;

    ret_path->path = (struct buffer){.data = ret_path->bytes,
                                     .room = sizeof ret_path->bytes,
                                     .size_max = sizeof ret_path->bytes};
    (void)snprintf(text, sizeof text, "%s", at);
    while ((name = rest)) {
        enum neap_type type;

        rest = strchr(rest, '/');
        if (rest)
            *rest++ = 0;
        type = *name == 's' ? NEAP_SET : *name == 'm' ? NEAP_MAP : NEAP_REGISTER;
        CHECK_OK(path_level(&ret_path->path, slice_text(name), type));
    }
    if (element)
        CHECK_OK(path_element(&ret_path->path, slice_text(element)));
    return buffer_slice(&ret_path->path);
}

static int change(struct place *place, const char *at, const char *element, enum op_kind kind)
{
    static const struct context nothing;
    const struct op op = {.kind = kind,
                          .value = slice_text(kind == OP_REGISTER_SET ? "v" : ""),
                          .seen = kind == OP_REGISTER_SET ? &nothing : NULL};
    struct short_path path;
    struct dot dot;

    return shard_write(place->shard, place->batch, place->shard->id, path_of(at, element, &path),
                       &op, &dot);
}

static int add(struct place *place, const char *at, const char *element)
{
    return change(place, at, element, element ? OP_SET_ADD : OP_REGISTER_SET);
}

static int drop(struct place *place, const char *at, const char *element)
{
    return change(place, at, element, OP_REMOVE);
}

/* s gets elements from..to-1. */
static int fill(struct place *place, const char *at, unsigned from, unsigned to)
{
    int error = 0;

    for (; from < to && !error; from++) {
        char element[8];

        (void)snprintf(element, sizeof element, "%04u", from);
        error = add(place, at, element);
    }
    return error;
}

struct named {
    struct key key;
    struct slice name;
};

static void name_of(const struct place *place, const char *at, struct named *ret_named)
{
    struct short_path path;

    key_cell(&ret_named->key, place->shard->id, place->shard->id, path_of(at, NULL, &path));
    ret_named->name = slice_of(ret_named->key.bytes + 8, ret_named->key.size - 8);
}

static int begin(struct place *place, const char *at)
{
    struct named named;

    name_of(place, at, &named);
    return tally_begin(place->shard, place->batch, named.name);
}

static int count_all(struct place *place, size_t step)
{
    int error = 0;

    while (!error)
        error = tally_step(place->shard, place->batch, step);
    return error == NEAP_END ? 0 : error;
}

static int count(struct place *place, const char *at)
{
    int error = begin(place, at);

    return error ? error : count_all(place, 3);
}

/* A set of so many, counted. */
static void open_counted(struct place *place, const char *at, unsigned elements)
{
    CHECK_OK(place_open(place, 1));
    CHECK_OK(fill(place, at, 0, elements));
    CHECK_OK(count(place, at));
}

/* What a rollback goes back to. */
struct before {
    batch_mark mark;
    struct shard_mark shard_mark;
};

static struct before before_now(const struct place *place)
{
    return (struct before){batch_set_mark(place->batch), shard_set_mark(place->shard)};
}

static void before_again(struct place *place, struct before before)
{
    batch_rollback(place->batch, before.mark);
    shard_rollback(place->shard, before.shard_mark);
}

static int get(const struct place *place, const char *at, uint64_t *ret_count)
{
    struct named named;

    name_of(place, at, &named);
    return tally_get(place->shard, named.name, ret_count);
}

#define CHECK_COUNT(place, at, expected)    \
    do {                                    \
        uint64_t number_ = 0;               \
        CHECK_OK(get(place, at, &number_)); \
        CHECK_EQUAL(number_, expected);     \
    } while (0)

static int save(struct place *place)
{
    struct store store = {.disk = place->disk, .shards = &place->shard, .shards_count = 1};

    return tallies_save(&store);
}

/* ---- moving ---- */

TEST(nothing_is_kept_of_what_nobody_counts)
{
    struct place place;
    uint64_t found;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(fill(&place, "s", 0, 10));
    CHECK_ERROR(get(&place, "s", &found), NEAP_NOTFOUND);
    CHECK(!tally_is_due(place.shard));
    CHECK_ERROR(tally_step(place.shard, place.batch, 10), NEAP_END);
    CHECK_OK(save(&place));
    CHECK_EQUAL(place_count(&place, DISK_META, 'Y'), 0);
    place_close(&place);
}

TEST(the_number_of_a_set_moves_with_its_elements)
{
    struct place place;

    open_counted(&place, "s", 10);
    CHECK_COUNT(&place, "s", 10);
    CHECK_OK(fill(&place, "s", 5, 15)); /* five are in already */
    CHECK_COUNT(&place, "s", 15);
    CHECK_OK(drop(&place, "s", "0003"));
    CHECK_OK(drop(&place, "s", "0003"));
    CHECK_COUNT(&place, "s", 14);
    CHECK_OK(fill(&place, "s2", 0, 5));
    CHECK_OK(add(&place, "r", NULL));
    CHECK_COUNT(&place, "s", 14);
    CHECK_OK(place_commit(&place));
    CHECK_COUNT(&place, "s", 14);
    place_close(&place);
}

TEST(a_set_that_is_removed_has_no_elements)
{
    struct place place;
    struct short_path path;
    uint64_t events;

    open_counted(&place, "s", 10);
    CHECK_OK(shard_remove(place.shard, place.batch, place.shard->id, path_of("s", NULL, &path),
                          NULL, &events));
    CHECK_COUNT(&place, "s", 0);
    CHECK_OK(save(&place)); /* and then nothing is kept of it */
    CHECK_EQUAL(place_count(&place, DISK_META, 'Y'), 0);
    place_close(&place);
}

TEST(a_map_counts_fields_whatever_is_in_them)
{
    struct place place;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(add(&place, "m/a", NULL));
    CHECK_OK(fill(&place, "m/s", 0, 40));
    CHECK_OK(fill(&place, "m/m/s", 0, 3));
    CHECK_OK(count(&place, "m"));
    CHECK_COUNT(&place, "m", 3);
    CHECK_OK(fill(&place, "m/s", 40, 50));
    CHECK_OK(drop(&place, "m/s", "0007"));
    CHECK_OK(add(&place, "m/m/b", NULL));
    CHECK_COUNT(&place, "m", 3);
    CHECK_OK(add(&place, "m/b", NULL));
    CHECK_OK(add(&place, "m/s2", "first"));
    CHECK_COUNT(&place, "m", 5);
    CHECK_OK(drop(&place, "m/s2", "first"));
    CHECK_OK(drop(&place, "m/a", NULL));
    CHECK_COUNT(&place, "m", 3);
    place_close(&place);
}

TEST(what_is_in_a_map_is_counted_by_itself)
{
    struct place place;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(fill(&place, "m/s", 0, 4));
    CHECK_OK(count(&place, "m"));
    CHECK_OK(count(&place, "m/s"));
    CHECK_OK(fill(&place, "m/s", 4, 6));
    CHECK_OK(add(&place, "m/a", NULL));
    CHECK_COUNT(&place, "m", 2);
    CHECK_COUNT(&place, "m/s", 6);
    place_close(&place);
}

TEST(what_is_no_map_or_set_is_not_counted)
{
    struct place place;

    CHECK_OK(place_open(&place, 1));
    CHECK_ERROR(begin(&place, "r"), NEAP_INVALID);
    CHECK_ERROR(begin(&place, "m/r"), NEAP_INVALID);
    CHECK_ERROR(tally_begin(place.shard, place.batch, slice_text("12345678")), NEAP_INVALID);
    CHECK_ERROR(tally_begin(place.shard, place.batch, slice_of(NULL, 0)), NEAP_INVALID);
    place_close(&place);
}

/* ---- while it is counted ---- */

TEST(what_is_written_while_it_is_counted_counts_once)
{
    struct place place;
    uint64_t found;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(fill(&place, "s", 10, 20));
    CHECK_OK(begin(&place, "s"));
    CHECK_OK(tally_step(place.shard, place.batch, 5));
    CHECK_ERROR(get(&place, "s", &found), NEAP_BUSY);
    CHECK_OK(fill(&place, "s", 0, 3));   /* behind the cursor */
    CHECK_OK(fill(&place, "s", 20, 24)); /* before it */
    CHECK_OK(drop(&place, "s", "0010"));
    CHECK_OK(drop(&place, "s", "0019"));
    CHECK_OK(count_all(&place, 5));
    CHECK_COUNT(&place, "s", 15);
    place_close(&place);
}

TEST(a_field_that_a_step_ends_in_counts_once)
{
    struct place place;

    for (unsigned step = 1; step < 8; step++) {
        CHECK_OK(place_open(&place, 1));
        CHECK_OK(fill(&place, "m/s1", 0, 30));
        CHECK_OK(fill(&place, "m/s2", 0, 3));
        CHECK_OK(fill(&place, "m/s3", 0, 2));
        CHECK_OK(begin(&place, "m"));
        CHECK_OK(tally_step(place.shard, place.batch, step));
        CHECK_OK(fill(&place, "m/s2", 3, 5));
        CHECK_OK(drop(&place, "m/s3", "0000"));
        CHECK_OK(count_all(&place, step));
        CHECK_COUNT(&place, "m", 3);
        place_close(&place);
    }
}

/* ---- rollbacks ---- */

TEST(what_is_rolled_back_was_never_counted)
{
    struct place place;
    struct before before;

    open_counted(&place, "s", 10);
    before = before_now(&place);
    CHECK_OK(fill(&place, "s", 10, 15));
    CHECK_OK(drop(&place, "s", "0001"));
    CHECK_COUNT(&place, "s", 14);
    before_again(&place, before);
    CHECK_COUNT(&place, "s", 10);
    place_close(&place);
}

TEST(what_a_pass_has_seen_and_is_rolled_back_is_counted_again)
{
    struct place place;
    struct before before;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(fill(&place, "s", 0, 10));
    CHECK_OK(begin(&place, "s"));
    CHECK_OK(tally_step(place.shard, place.batch, 5));
    before = before_now(&place);
    CHECK_OK(fill(&place, "s", 10, 15));
    CHECK_OK(count_all(&place, 5));
    CHECK_COUNT(&place, "s", 15);
    before_again(&place, before);
    CHECK(tally_is_due(place.shard));
    CHECK_OK(count_all(&place, 5));
    CHECK_COUNT(&place, "s", 10);
    place_close(&place);
}

/* ---- the disk ---- */

TEST(after_a_clean_close_the_number_is_there)
{
    struct place place;

    open_counted(&place, "s", 10);
    CHECK_OK(place_commit(&place));
    CHECK_OK(save(&place));
    CHECK_OK(place_reopen(&place, 1, NONCE));
    CHECK_COUNT(&place, "s", 10);
    CHECK_OK(fill(&place, "s", 10, 12));
    CHECK_COUNT(&place, "s", 12);
    place_close(&place);
}

TEST(after_a_crash_what_had_changed_is_counted_again)
{
    struct place place;
    uint64_t found;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(fill(&place, "s", 0, 10));
    CHECK_OK(fill(&place, "s2", 0, 3));
    CHECK_OK(count(&place, "s"));
    CHECK_OK(count(&place, "s2"));
    CHECK_OK(place_commit(&place));
    CHECK_OK(save(&place));
    CHECK_OK(fill(&place, "s", 10, 12));
    CHECK_OK(place_commit(&place));
    CHECK_OK(fill(&place, "s", 12, 20)); /* is lost */
    CHECK_OK(place_reopen(&place, 1, NONCE));
    CHECK_ERROR(get(&place, "s", &found), NEAP_BUSY);
    CHECK_COUNT(&place, "s2", 3);
    CHECK_OK(count_all(&place, 100));
    CHECK_COUNT(&place, "s", 12);
    place_close(&place);
}

TEST(a_change_that_is_rolled_back_leaves_the_number_on_disk)
{
    struct place place;
    struct before before;

    open_counted(&place, "s", 10);
    CHECK_OK(place_commit(&place));
    CHECK_OK(save(&place));
    before = before_now(&place);
    CHECK_OK(fill(&place, "s", 10, 12));
    before_again(&place, before);
    CHECK_OK(place_commit(&place));
    CHECK_OK(place_reopen(&place, 1, NONCE));
    CHECK_COUNT(&place, "s", 10);
    CHECK_OK(fill(&place, "s", 10, 12)); /* and then it goes as it would have */
    CHECK_OK(place_commit(&place));
    CHECK_OK(place_reopen(&place, 1, NONCE));
    CHECK_OK(count_all(&place, 100));
    CHECK_COUNT(&place, "s", 12);
    place_close(&place);
}

TEST(a_number_costs_a_write_once_and_then_nothing)
{
    struct place place;

    open_counted(&place, "s", 10);
    CHECK_OK(place_commit(&place));
    CHECK_OK(save(&place));
    for (unsigned i = 0; i < 3; i++) {
        struct batch_cursor cursor;
        size_t writes = 0;

        CHECK_OK(fill(&place, "s", 20 + i, 21 + i));
        for (bool more = batch_seek(place.batch, DISK_META, slice_text("Y"), &cursor); more;
             more = batch_step(&cursor))
            writes++;
        CHECK_EQUAL(writes, i == 0);
        CHECK_OK(place_commit(&place));
    }
    place_close(&place);
}

TEST(a_shard_that_is_reset_has_none)
{
    struct place place;
    uint64_t found;

    open_counted(&place, "s", 10);
    CHECK_OK(place_commit(&place));
    CHECK_OK(save(&place));
    CHECK_OK(shard_reset(place.shard, place.batch, 2));
    CHECK_ERROR(get(&place, "s", &found), NEAP_NOTFOUND);
    CHECK_OK(place_commit(&place));
    CHECK_EQUAL(place_count(&place, DISK_META, 'Y'), 0);
    place_close(&place);
}

TEST(records_that_are_none_are_corrupt)
{
    struct place place;
    struct named named;
    struct key key;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(add(&place, "s", "x"));
    name_of(&place, "s", &named);
    key_tally(&key, place.shard->id, named.name);
    CHECK_OK(batch_put(place.batch, DISK_META, key_slice(&key), slice_text("\x92\x02\x05")));
    CHECK_OK(place_commit(&place));
    CHECK_ERROR(place_reopen(&place, 1, NONCE), NEAP_CORRUPT);
    place_close(&place);
}

/* ---- peers ---- */

TEST(what_comes_from_peers_counts)
{
    struct place here, there;

    CHECK_OK(place_open(&here, 1));
    CHECK_OK(place_open(&there, 2));
    CHECK_OK(fill(&there, "s", 0, 10));
    CHECK_OK(place_commit(&there));
    CHECK_OK(count(&here, "s"));
    CHECK_OK(place_pull(&here, &there, CHUNK_SIZE));
    CHECK_COUNT(&here, "s", 10);
    CHECK_OK(drop(&there, "s", "0002"));
    CHECK_OK(fill(&there, "s", 10, 13));
    CHECK_OK(fill(&here, "s", 12, 14));
    CHECK_OK(place_commit(&there));
    CHECK_OK(place_pull(&here, &there, CHUNK_SIZE));
    CHECK_COUNT(&here, "s", 13);
    place_close(&here);
    place_close(&there);
}

TEST(what_a_compare_brings_counts)
{
    struct place here, there;

    CHECK_OK(place_open(&here, 1));
    CHECK_OK(place_open(&there, 2));
    CHECK_OK(fill(&there, "s", 0, 10));
    CHECK_OK(place_commit(&there));
    CHECK_OK(fill(&here, "s", 8, 12));
    CHECK_OK(count(&here, "s"));
    CHECK_OK(place_compare(&here, &there, 64));
    CHECK_COUNT(&here, "s", 12);
    place_close(&here);
    place_close(&there);
}

/* ---- damage ---- */

static void lose(struct place *place, const char *at, const char *element)
{
    struct short_path path;
    struct key key;

    key_cell(&key, place->shard->id, place->shard->id, path_of(at, element, &path));
    CHECK_OK(batch_delete(place->batch, DISK_CELLS, key_slice(&key)));
    CHECK_OK(place_commit(place));
}

TEST(what_was_lost_and_comes_back_is_counted_again)
{
    struct place here, there;
    struct buffer page;
    struct view view;
    enum taken taken;

    CHECK_OK(place_open(&here, 1));
    CHECK_OK(place_open(&there, 2));
    CHECK_OK(fill(&here, "s", 0, 10));
    CHECK_OK(place_commit(&here));
    CHECK_OK(place_pull(&there, &here, CHUNK_SIZE));
    CHECK_OK(place_commit(&there));
    CHECK_OK(count(&here, "s"));
    lose(&here, "s", "0004"); /* without a word */
    CHECK_COUNT(&here, "s", 10);
    buffer_init(&page, WIRE_MAX);
    view = batch_view(there.batch);
    CHECK_OK(shard_compare_page(there.shard, &view, slice_of(NULL, 0), CHUNK_SIZE, &page));
    CHECK_OK(shard_repair_take(here.shard, here.batch, buffer_slice(&page), &taken));
    CHECK_EQUAL(taken, TAKEN);
    CHECK(tally_is_due(here.shard));
    CHECK_OK(count_all(&here, 100));
    CHECK_COUNT(&here, "s", 10);
    buffer_done(&page);
    place_close(&here);
    place_close(&there);
}

TEST(in_doubt_all_are_counted_again)
{
    struct place place;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(fill(&place, "s", 0, 10));
    CHECK_OK(fill(&place, "m/s", 0, 2));
    CHECK_OK(count(&place, "s"));
    CHECK_OK(count(&place, "m"));
    CHECK_OK(place_commit(&place));
    CHECK_OK(save(&place));
    lose(&place, "s", "0004");
    CHECK_OK(tally_doubt(place.shard, place.batch, 0, slice_of(NULL, 0)));
    CHECK_OK(place_commit(&place));
    CHECK_OK(place_reopen(&place, 1, NONCE)); /* the disk says so, too */
    CHECK(tally_is_due(place.shard));
    CHECK_OK(count_all(&place, 1));
    CHECK_COUNT(&place, "s", 9);
    CHECK_COUNT(&place, "m", 1);
    place_close(&place);
}

TEST(fewer_than_none_is_a_doubt)
{
    struct place place;
    struct named named;
    struct key key;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(fill(&place, "s", 0, 3));
    name_of(&place, "s", &named);
    key_tally(&key, place.shard->id, named.name);
    CHECK_OK(batch_put(place.batch, DISK_META, key_slice(&key), slice_of("\x92\x01\x00", 3)));
    CHECK_OK(place_commit(&place));
    CHECK_OK(place_reopen(&place, 1, NONCE));
    CHECK_COUNT(&place, "s", 0);
    CHECK_OK(drop(&place, "s", "0000"));
    CHECK_OK(count_all(&place, 100));
    CHECK_COUNT(&place, "s", 2);
    place_close(&place);
}

/* ---- bounds ---- */

TEST(of_too_many_the_smallest_goes)
{
    struct place place;
    uint64_t found;
    char name[16];

    CHECK_OK(place_open(&place, 1));
    for (unsigned i = 0; i < TALLIES_MAX; i++) {
        (void)snprintf(name, sizeof name, "s%u", i);
        CHECK_OK(add(&place, name, "a"));
        if (i != 77)
            CHECK_OK(add(&place, name, "b"));
        CHECK_OK(begin(&place, name));
    }
    CHECK_OK(count_all(&place, TALLY_CELLS));
    CHECK_OK(begin(&place, "m"));
    CHECK_ERROR(get(&place, "s77", &found), NEAP_NOTFOUND);
    CHECK_COUNT(&place, "s78", 2);
    CHECK_OK(count_all(&place, TALLY_CELLS));
    CHECK_COUNT(&place, "m", 0);
    place_close(&place);
}

/* ---- memory ---- */

static int live(void *argument)
{
    struct place place, peer = {0};
    uint64_t found;
    int error = place_open(&place, 1);

    (void)argument;
    if (!error)
        error = place_open(&peer, 2);
    if (!error)
        error = fill(&place, "m/s", 0, 4);
    if (!error)
        error = count(&place, "m/s");
    if (!error)
        error = count(&place, "m");
    if (!error)
        error = place_commit(&place);
    if (!error)
        error = save(&place);
    if (!error)
        error = fill(&peer, "m/s", 3, 6);
    if (!error)
        error = place_commit(&peer);
    if (!error)
        error = place_pull(&place, &peer, CHUNK_SIZE);
    if (!error)
        error = drop(&place, "m/s", "0001");
    if (!error)
        error = place_commit(&place);
    if (!error)
        error = place_reopen(&place, 1, NONCE);
    if (!error)
        error = count_all(&place, 2);
    if (!error) {
        CHECK_OK(get(&place, "m/s", &found));
        CHECK_EQUAL(found, 5);
    }
    place_close(&place);
    place_close(&peer);
    return error;
}

TEST(without_memory_nothing_is_counted_wrong)
{
    test_alloc_sweep(live, NULL);
}

/* A write that fails leaves the number as it was. */
static int add_one(void *argument)
{
    struct place *place = argument;
    batch_mark mark = batch_set_mark(place->batch);
    struct shard_mark shard_mark = shard_set_mark(place->shard);
    uint64_t before = 0, after = 0;
    int error;

    CHECK_OK(get(place, "m", &before));
    error = add(place, "m/s9", "new");
    CHECK_OK(get(place, "m", &after));
    CHECK_EQUAL(after, before + !error);
    batch_rollback(place->batch, mark);
    shard_rollback(place->shard, shard_mark);
    CHECK_OK(get(place, "m", &after));
    CHECK_EQUAL(after, before);
    return error;
}

TEST(a_write_that_lacks_memory_is_not_counted)
{
    struct place place;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(fill(&place, "m/s", 0, 4));
    CHECK_OK(count(&place, "m"));
    CHECK_OK(place_commit(&place));
    for (uint64_t call = 1; call < 40; call++) {
        int error;

        mem_fail_at(call, 0);
        error = add_one(&place);
        mem_fail_at(0, 0);
        CHECK(!error || error == NEAP_NOMEM);
    }
    place_close(&place);
}
