#include "store/once.h"

#include <stdio.h>

#include "store/disk.h"
#include "store/keys.h"
#include "tests/support/test.h"

/* A disk, and a batch on it that is never committed. */
struct place {
    struct disk *disk;
    struct batch *batch;
    struct buffer bytes;
};

static void place_open(struct place *place)
{
    *place = (struct place){0};
    CHECK_OK(disk_mem_open(&place->disk));
    CHECK_OK(batch_new(place->disk, &place->batch));
    buffer_init(&place->bytes, ONCE_RECORD_MAX);
}

static void place_close(struct place *place)
{
    buffer_done(&place->bytes);
    batch_free(place->batch);
    disk_close(place->disk);
}

static const struct once_limits many = {.count = 1000, .bytes = 1 << 20};

static int keep(struct place *place, const struct once_limits *limits, const char *id,
                const char *token)
{
    const struct once_record record = {
        .ops = {7, 9}, .token = slice_text(token), .awaited = slice_text("awaited")};

    return once_keep(place->batch, limits, slice_text(id), &record);
}

static int find(struct place *place, const char *id, struct once_record *ret_record)
{
    struct view view = batch_view(place->batch);

    return once_find(&view, slice_text(id), &place->bytes, ret_record);
}

/* Keys of meta that begin so. */
static unsigned keys_count(const struct place *place, const char *from, const char *to)
{
    struct view view = batch_view(place->batch);
    struct slice key, value;
    struct scan *scan;
    unsigned count = 0;

    CHECK_OK(view_scan(&view, DISK_META, slice_text(from), slice_text(to), &scan));
    while (!scan_next(scan, &key, &value))
        count++;
    scan_close(scan);
    return count;
}

TEST(what_is_kept_is_found_as_it_was)
{
    struct once_record record;
    struct place place;

    place_open(&place);
    CHECK_ERROR(find(&place, "one", &record), NEAP_NOTFOUND);
    CHECK_OK(keep(&place, &many, "one", "token"));
    CHECK_OK(keep(&place, &many, "on", ""));
    CHECK_OK(find(&place, "one", &record));
    CHECK(digest_equal(record.ops, (struct digest){7, 9}));
    CHECK_SLICE(record.token, "token");
    CHECK_SLICE(record.awaited, "awaited");
    CHECK_OK(find(&place, "on", &record));
    CHECK_EQUAL(record.token.size, 0);
    CHECK_ERROR(find(&place, "o", &record), NEAP_NOTFOUND);
    place_close(&place);
}

TEST(the_oldest_goes_when_there_are_too_many)
{
    static const struct once_limits three = {.count = 3, .bytes = 1 << 20};
    struct once_record record;
    struct place place;
    char id[16];

    place_open(&place);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(id, sizeof id, "id %u", i);
        CHECK_OK(keep(&place, &three, id, ""));
        CHECK_OK(find(&place, id, &record));
    }
    CHECK_ERROR(find(&place, "id 6", &record), NEAP_NOTFOUND);
    CHECK_OK(find(&place, "id 7", &record));
    CHECK_EQUAL(keys_count(&place, "O", "P"), 3);
    CHECK_EQUAL(keys_count(&place, "N", "O"), 4);
    place_close(&place);
}

TEST(the_oldest_goes_when_they_take_too_much)
{
    static const struct once_limits small = {.count = 1000, .bytes = 600};
    struct once_record record;
    struct place place;
    char token[401];

    place_open(&place);
    memset(token, 't', sizeof token - 1);
    token[sizeof token - 1] = 0;
    CHECK_OK(keep(&place, &small, "a", ""));
    CHECK_OK(keep(&place, &small, "b", ""));
    CHECK_OK(find(&place, "a", &record));
    CHECK_OK(keep(&place, &small, "c", token));
    CHECK_ERROR(find(&place, "a", &record), NEAP_NOTFOUND);
    CHECK_OK(find(&place, "c", &record));
    /* What is larger than all of it is kept alone. */
    CHECK_OK(keep(&place, &(struct once_limits){.count = 1000, .bytes = 1}, "d", token));
    CHECK_ERROR(find(&place, "c", &record), NEAP_NOTFOUND);
    CHECK_OK(find(&place, "d", &record));
    /* And its room is free again when it goes. */
    CHECK_OK(keep(&place, &small, "e", ""));
    CHECK_OK(keep(&place, &small, "f", token));
    CHECK_OK(keep(&place, &small, "g", ""));
    CHECK_OK(find(&place, "f", &record));
    CHECK_ERROR(find(&place, "d", &record), NEAP_NOTFOUND);
    place_close(&place);
}

TEST(a_line_that_is_gone_or_damaged_is_passed_over)
{
    static const struct once_limits two = {.count = 2, .bytes = 1 << 20};
    struct once_record record;
    struct place place;
    struct key key;

    place_open(&place);
    CHECK_OK(keep(&place, &two, "a", ""));
    CHECK_OK(keep(&place, &two, "b", ""));
    key_once_number(&key, 0);
    CHECK_OK(batch_delete(place.batch, DISK_META, key_slice(&key)));
    key_once_number(&key, 1);
    CHECK_OK(batch_put(place.batch, DISK_META, key_slice(&key), slice_text("rot")));
    CHECK_OK(keep(&place, &two, "c", ""));
    CHECK_OK(keep(&place, &two, "d", ""));
    CHECK_OK(find(&place, "d", &record));
    CHECK_EQUAL(keys_count(&place, "N", "O"), 3);
    place_close(&place);
}

TEST(a_damaged_record_is_an_error)
{
    struct once_record record;
    struct place place;
    struct key key;

    place_open(&place);
    key_once(&key, slice_text("a"));
    CHECK_OK(batch_put(place.batch, DISK_META, key_slice(&key), slice_text("rot")));
    CHECK_ERROR(find(&place, "a", &record), NEAP_CORRUPT);
    key_meta(&key, 'N');
    CHECK_OK(batch_put(place.batch, DISK_META, key_slice(&key), slice_text("rot")));
    CHECK_ERROR(keep(&place, &many, "b", ""), NEAP_CORRUPT);
    place_close(&place);
}

TEST(the_numbers_that_are_there_are_told)
{
    static const struct once_limits two = {.count = 2, .bytes = 1 << 20};
    uint64_t first = 7, next = 7;
    struct place place;
    struct view view;

    place_open(&place);
    view = batch_view(place.batch);
    CHECK_OK(once_numbers(&view, &first, &next));
    CHECK_EQUAL(first + next, 0);
    for (const char *id = "abc"; *id; id++)
        CHECK_OK(keep(&place, &two, id, ""));
    CHECK_OK(once_numbers(&view, &first, &next));
    CHECK_EQUAL(first, 1);
    CHECK_EQUAL(next, 3);
    place_close(&place);
}

TEST(an_id_of_a_node_is_text_that_tells_its_life_and_number)
{
    static const struct once_name made = {.life = 0xfedcba9876543210, .number = 17};
    struct once_name name = {0};
    char text[ONCE_NAME_SIZE + 1];

    once_name_text(made, 5, text);
    CHECK_TEXT(text, "neap1-fedcba9876543210-0000000000000011-0000000000000005");
    CHECK_EQUAL(strlen(text), ONCE_NAME_SIZE - 1);
    CHECK(once_name_read(slice_text(text), &name));
    CHECK(name.life == made.life && name.number == made.number);
    /* Anything else is an id of a caller. */
    CHECK(!once_name_read(slice_of(text, ONCE_NAME_SIZE - 2), &name));
    CHECK(!once_name_read(slice_of(text, ONCE_NAME_SIZE), &name));
    CHECK(!once_name_read(slice_text(""), &name));
    for (size_t i = 0; i < ONCE_NAME_SIZE - 1; i++) {
        char was = text[i];

        text[i] = 'G';
        CHECK(!once_name_read(slice_text(text), &name));
        text[i] = 0;
        CHECK(!once_name_read(slice_of(text, ONCE_NAME_SIZE - 1), &name));
        text[i] = was;
    }
}

/* Whoever has no memory for it has nothing of it, once the batch is rolled back. */
static int keep_or_nothing(void *argument)
{
    static const struct once_limits one = {.count = 1, .bytes = 1 << 20};
    struct once_record record;
    struct place place = {0};
    batch_mark mark;
    int error;

    (void)argument;
    buffer_init(&place.bytes, ONCE_RECORD_MAX);
    error = disk_mem_open(&place.disk);
    if (!error)
        error = batch_new(place.disk, &place.batch);
    if (!error)
        error = keep(&place, &one, "first", "");
    if (!error) {
        mark = batch_set_mark(place.batch);
        error = keep(&place, &one, "second", "");
        if (error) {
            batch_rollback(place.batch, mark);
            CHECK_EQUAL(keys_count(&place, "O", "P"), 1);
        }
        batch_forget(place.batch);
    }
    if (!error)
        error = find(&place, "second", &record);
    buffer_done(&place.bytes);
    batch_free(place.batch);
    if (place.disk)
        disk_close(place.disk);
    return error;
}

TEST(keeping_survives_failed_allocations)
{
    test_alloc_sweep(keep_or_nothing, NULL);
}
