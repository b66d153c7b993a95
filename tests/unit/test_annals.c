#include "store/annals.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "store/disk.h"
#include "store/keys.h"
#include "tests/support/test.h"

/* What is read, in short. */
struct telling {
    char text[4096];
    unsigned count;
    uint64_t kept, dropped;
};

struct place {
    struct disk *disk;
    struct batch *batch;
    struct annals annals;
};

static int load(struct place *place)
{
    const struct view view = {.disk = place->disk};

    return annals_load(&place->annals, &view);
}

static void place_open(struct place *place)
{
    *place = (struct place){0};
    CHECK_OK(disk_mem_open(&place->disk));
    CHECK_OK(batch_new(place->disk, &place->batch));
    CHECK_OK(load(place));
}

static void place_close(struct place *place)
{
    batch_free(place->batch);
    disk_close(place->disk);
}

static void commit(struct place *place)
{
    CHECK_OK(batch_flush(place->batch, place->disk, true));
}

/* What is not synced is gone, as is all that is in memory. */
static void crash(struct place *place)
{
    batch_clear(place->batch);
    disk_mem_crash(place->disk);
    CHECK_OK(load(place));
}

static struct annals_entry entry_of(enum annals_kind kind, uint64_t shard, uint64_t ended_ms,
                                    const char *end)
{
    return (struct annals_entry){.kind = kind,
                                 .began_ms = 100,
                                 .ended_ms = ended_ms,
                                 .shard = shard,
                                 .cells = 2,
                                 .bucket = slice_text("shop"),
                                 .cause = slice_text("why"),
                                 .end = slice_text(end)};
}

static int add(struct place *place, enum annals_kind kind, uint64_t shard, uint64_t ended_ms,
               const char *end)
{
    const struct annals_entry entry = entry_of(kind, shard, ended_ms, end);

    return annals_add(&place->annals, place->batch, &entry);
}

static int tell(void *arg, const struct annals_entry *entry)
{
    struct telling *telling = arg;
    size_t size = strlen(telling->text);

    telling->count++;
    snprintf(telling->text + size, sizeof telling->text - size, "%llu %s %.*s x%llu %llu %.*s\n",
             (unsigned long long)entry->number, annals_word(entry->kind), (int)entry->bucket.size,
             (const char *)entry->bucket.data, (unsigned long long)entry->times,
             (unsigned long long)entry->cells, (int)entry->end.size,
             (const char *)entry->end.data);
    return 0;
}

static void told(struct place *place, size_t count, struct telling *ret_telling)
{
    const struct view view = {.disk = place->disk};

    *ret_telling = (struct telling){.count = 0};
    CHECK_OK(annals_read(&view, count, tell, ret_telling, &ret_telling->kept,
                         &ret_telling->dropped));
}

TEST(what_was_committed_is_there_after_a_crash)
{
    struct telling telling;
    struct place place;

    place_open(&place);
    CHECK_OK(add(&place, ANNALS_REPAIR, 1, 200, "mended"));
    CHECK_OK(add(&place, ANNALS_SCRUB, 1, 300, "whole"));
    commit(&place);
    CHECK_OK(add(&place, ANNALS_VERIFY, 1, 400, "equal"));
    crash(&place);
    told(&place, 10, &telling);
    CHECK_TEXT(telling.text, "1 repair shop x1 2 mended\n2 scrub shop x1 2 whole\n");
    CHECK_OK(add(&place, ANNALS_VERIFY, 1, 400, "equal"));
    commit(&place);
    told(&place, 1, &telling);
    CHECK_TEXT(telling.text, "3 verify shop x1 2 equal\n");
    CHECK_EQUAL(telling.kept, 3);
    place_close(&place);
}

TEST(what_is_said_again_at_once_is_counted)
{
    struct telling telling;
    struct annals_entry late;
    struct place place;

    place_open(&place);
    CHECK_OK(add(&place, ANNALS_LOST, 1, 200, "back"));
    CHECK_OK(add(&place, ANNALS_LOST, 1, 300, "back"));
    CHECK_OK(add(&place, ANNALS_LOST, 2, 300, "back"));
    CHECK_OK(add(&place, ANNALS_LOST, 1, 300, "back"));
    late = entry_of(ANNALS_LOST, 1, 300 + ANNALS_BURST_MS, "back");
    late.began_ms = late.ended_ms;
    CHECK_OK(annals_add(&place.annals, place.batch, &late));
    commit(&place);
    told(&place, 10, &telling);
    CHECK_TEXT(telling.text, "1 lost shop x2 4 back\n2 lost shop x1 2 back\n"
                             "3 lost shop x1 2 back\n4 lost shop x1 2 back\n");
    place_close(&place);
}

TEST(what_lasts_is_ended_by_another_process)
{
    struct telling telling;
    struct place place;

    place_open(&place);
    CHECK_OK(add(&place, ANNALS_DIFFERS, 7, 0, ""));
    CHECK_EQUAL(annals_find(&place.annals, ANNALS_DIFFERS, 7, 0), 1);
    CHECK_EQUAL(annals_find(&place.annals, ANNALS_DIFFERS, 8, 0), 0);
    commit(&place);
    crash(&place);
    CHECK_EQUAL(annals_find(&place.annals, ANNALS_DIFFERS, 7, 0), 1);
    CHECK_EQUAL(place.annals.opened, 2);
    CHECK_OK(annals_end(&place.annals, place.batch, 1, 500, "equal again"));
    CHECK_EQUAL(annals_find(&place.annals, ANNALS_DIFFERS, 7, 0), 0);
    commit(&place);
    told(&place, 10, &telling);
    CHECK_TEXT(telling.text, "1 differs shop x1 2 equal again\n");
    /* The same again, soon: it goes on. */
    CHECK_OK(add(&place, ANNALS_DIFFERS, 7, 0, ""));
    commit(&place);
    crash(&place);
    CHECK_EQUAL(annals_find(&place.annals, ANNALS_DIFFERS, 7, 0), 1);
    told(&place, 10, &telling);
    CHECK_TEXT(telling.text, "1 differs shop x2 4 \n");
    place_close(&place);
}

TEST(the_oldest_go_and_are_counted)
{
    struct telling telling;
    struct place place;

    place_open(&place);
    CHECK_OK(add(&place, ANNALS_DIFFERS, 7, 0, ""));
    for (unsigned i = 0; i < ANNALS_MAX + 9; i++) {
        CHECK_OK(add(&place, ANNALS_REPAIR, i + 1, 200, "mended"));
        if (i % 100 == 0)
            commit(&place);
    }
    commit(&place);
    /* With the first one it is gone that something lasts: whoever looks at it tells it again. */
    CHECK_EQUAL(annals_find(&place.annals, ANNALS_DIFFERS, 7, 0), 0);
    for (int i = 0; i < 2; i++) {
        told(&place, ANNALS_MAX + 1, &telling);
        CHECK_EQUAL(telling.count, ANNALS_MAX);
        CHECK_EQUAL(telling.kept, ANNALS_MAX);
        CHECK_EQUAL(telling.dropped, 10);
        crash(&place);
    }
    place_close(&place);
}

TEST(as_many_are_followed_as_there_is_room_for)
{
    struct place place;

    place_open(&place);
    for (unsigned i = 0; i < ANNALS_OPEN_MAX; i++)
        CHECK_OK(add(&place, ANNALS_FAULT, i + 1, 0, ""));
    CHECK_ERROR(add(&place, ANNALS_FAULT, 1000, 0, ""), NEAP_LIMIT);
    CHECK_OK(add(&place, ANNALS_REPAIR, 1000, 9, "mended"));
    CHECK_OK(annals_end(&place.annals, place.batch, 3, 200, "over"));
    CHECK_OK(add(&place, ANNALS_FAULT, 1000, 0, ""));
    place_close(&place);
}

TEST(what_is_rolled_back_was_never_there)
{
    struct telling telling;
    struct place place;
    batch_mark mark;

    place_open(&place);
    CHECK_OK(add(&place, ANNALS_FAULT, 1, 0, ""));
    mark = batch_set_mark(place.batch);
    CHECK_OK(annals_end(&place.annals, place.batch, 1, 200, "over"));
    CHECK_OK(add(&place, ANNALS_DIFFERS, 2, 0, ""));
    CHECK_OK(add(&place, ANNALS_REPAIR, 2, 200, "mended"));
    batch_rollback(place.batch, mark);
    CHECK_EQUAL(annals_find(&place.annals, ANNALS_FAULT, 1, 0), 1);
    CHECK_EQUAL(annals_find(&place.annals, ANNALS_DIFFERS, 2, 0), 0);
    commit(&place);
    told(&place, 10, &telling);
    CHECK_TEXT(telling.text, "1 fault shop x1 2 \n");
    place_close(&place);
}

TEST(texts_are_cut_and_entries_have_a_size)
{
    static char text[3 * ANNALS_TEXT_MAX];
    struct annals_entry entry = entry_of(ANNALS_CHANGED, UINT64_MAX, UINT64_MAX, "");
    struct telling telling;
    struct place place;

    memset(text, 'x', sizeof text - 1);
    entry.bucket = entry.peer = entry.key = entry.cause = entry.end = slice_text(text);
    entry.began_ms = entry.replica = entry.node = entry.cells = UINT64_MAX;
    place_open(&place);
    CHECK_OK(annals_add(&place.annals, place.batch, &entry));
    commit(&place);
    told(&place, 1, &telling);
    CHECK_EQUAL(telling.count, 1);
    place_close(&place);
}

static void put_raw(struct place *place, const char *key, const char *value)
{
    uint8_t bytes[2][64];

    CHECK_OK(batch_put(place->batch, DISK_META, test_unhex(key, bytes[0], 64),
                       test_unhex(value, bytes[1], 64)));
    commit(place);
}

TEST(what_cant_be_read_is_told_to_who_reads_and_stops_no_opening)
{
    struct telling telling;
    struct place place;
    struct view view;

    place_open(&place);
    CHECK_OK(add(&place, ANNALS_REPAIR, 1, 200, "mended"));
    put_raw(&place, "4a 0000000000000002", "92 02 00");
    CHECK_OK(load(&place));
    CHECK_EQUAL(place.annals.next, 3);
    view = (struct view){.disk = place.disk};
    telling = (struct telling){.count = 0};
    CHECK_ERROR(annals_read(&view, 9, tell, &telling, NULL, NULL), NEAP_FORMAT);
    put_raw(&place, "4a 0000000000000002", "c0");
    CHECK_ERROR(annals_read(&view, 9, tell, &telling, NULL, NULL), NEAP_CORRUPT);
    place_close(&place);
}

static int sweep(void *arg)
{
    struct place place = {0};
    int error;

    (void)arg;
    error = disk_mem_open(&place.disk);
    if (error)
        return error;
    error = batch_new(place.disk, &place.batch);
    if (!error)
        error = load(&place);
    if (!error)
        error = add(&place, ANNALS_FAULT, 1, 0, "");
    if (!error)
        error = annals_end(&place.annals, place.batch, 1, 200, "over");
    if (!error)
        error = add(&place, ANNALS_FAULT, 1, 300, "over");
    batch_free(place.batch);
    disk_close(place.disk);
    return error;
}

TEST(without_memory_nothing_is_written)
{
    test_alloc_sweep(sweep, NULL);
}
