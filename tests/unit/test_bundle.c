/* What a node has of a bucket, as bytes, into another one. */
#include "engine/bundle.h"

#include <stdio.h>

#include "base/error.h"
#include "tests/unit/shard_cases.h"

static const struct hash_key key = {{1, 2, 3}};
static struct place from, to;
static struct buffer bytes;

static void begin(void)
{
    from = to = (struct place){0};
    CHECK_OK(place_open(&from, 1));
    CHECK_OK(place_open(&to, 2));
    buffer_init(&bytes, BUNDLE_SIZE_MAX);
}

static void end(void)
{
    buffer_done(&bytes);
    place_close(&from);
    place_close(&to);
}

static int give(const struct context *since, struct bundle_counts *ret_counts)
{
    struct view view = batch_view(from.batch);
    struct writer writer;
    int error;

    buffer_clear(&bytes);
    writer_init(&writer, &bytes);
    bundle_begin(&writer, 7, 1000, 1);
    error = writer.error;
    if (!error)
        error = bundle_give(from.shard, &view, since, &bytes, ret_counts);
    return error ? error : bundle_seal(&bytes, &key);
}

static int take(struct bundle_counts *ret_counts, bool *ret_behind)
{
    struct context theirs = {0};
    struct reader reader;
    uint64_t node, made_ms;
    uint32_t buckets;
    int error = bundle_open(buffer_slice(&bytes), &key, &reader, &node, &made_ms, &buckets);

    if (error)
        return error;
    CHECK_EQUAL(node, 7);
    CHECK_EQUAL(made_ms, 1000);
    CHECK_EQUAL(buckets, 1);
    (void)read_str(&reader, NEAP_BUCKET_MAX);
    error = bundle_take(to.shard, to.batch, &reader, ret_counts, &theirs, ret_behind);
    if (!error)
        CHECK(context_equal(&theirs, &from.shard->context));
    context_done(&theirs);
    return error;
}

static void passes(const struct context *since, unsigned way)
{
    struct bundle_counts given = {0}, taken = {0};
    bool behind = true;

    CHECK_OK(place_commit(&from));
    CHECK_OK(give(since, &given));
    CHECK_EQUAL(given.way, way);
    CHECK_OK(take(&taken, &behind));
    CHECK(!behind);
    CHECK_EQUAL(taken.way, way);
    CHECK_OK(place_commit(&to));
    CHECK(context_covers(&to.shard->context, &from.shard->context));
    CHECK_EQUAL(to.shard->session.id, 0);
}

TEST(what_came_since_goes_by_the_log_and_all_by_pages)
{
    char name[20];

    begin();
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "%u", i);
        CHECK_OK(place_set(&from, name, "a value that takes some room, so that there are pages"));
    }
    passes(&to.shard->context, BUNDLE_LOG);
    CHECK_EQUAL(place_dots(&to, "2999", NEAP_REGISTER), 1);
    CHECK_OK(place_remove(&from, "17"));
    CHECK_OK(place_add(&from, "n", 3));
    CHECK_OK(shard_truncate(from.shard, from.batch, &from.shard->context));
    passes(&to.shard->context, BUNDLE_ALL); /* the log tells it no more */
    CHECK_EQUAL(place_dots(&to, "17", NEAP_REGISTER), 0);
    CHECK_EQUAL(place_value(&to, "n"), 3);
    passes(NULL, BUNDLE_ALL);
    CHECK_EQUAL(place_count(&to, DISK_CELLS, 0), place_count(&from, DISK_CELLS, 0));
    end();
}

/* More between two ends of a page than is dealt with in one step. */
TEST(a_page_is_taken_in_parts_where_much_is_here)
{
    char name[1000];

    begin();
    CHECK_OK(place_add(&from, "a", 1));
    CHECK_OK(place_add(&from, "z", 1));
    for (unsigned i = 0; i < 600; i++) {
        snprintf(name, sizeof name, "m%0900u", i);
        CHECK_OK(place_add(&to, name, 1));
    }
    CHECK_OK(place_commit(&to));
    passes(NULL, BUNDLE_ALL);
    CHECK_EQUAL(place_value(&to, "z"), 1);
    CHECK_EQUAL(place_count(&to, DISK_CELLS, 0), 602);
    end();
}

TEST(a_bucket_that_is_being_compared_takes_no_bundle)
{
    struct bundle_counts counts;
    bool behind = false;

    begin();
    CHECK_OK(place_add(&from, "a", 1));
    CHECK_OK(place_commit(&from));
    CHECK_OK(give(NULL, &counts));
    CHECK_OK(shard_compare_begin(to.shard, 5, &from.shard->context));
    CHECK_ERROR(take(&counts, &behind), NEAP_BUSY);
    CHECK_EQUAL(to.shard->context.count, 0);
    CHECK_EQUAL(to.shard->session.id, 5);
    end();
}

TEST(who_lacks_what_came_before_takes_nothing)
{
    struct bundle_counts counts;
    struct context since = {0};
    bool behind = false;

    begin();
    CHECK_OK(place_add(&from, "a", 1));
    CHECK_OK(context_copy(&since, &from.shard->context));
    CHECK_OK(place_add(&from, "b", 1));
    CHECK_OK(place_commit(&from));
    CHECK_OK(give(&since, &counts));
    CHECK_EQUAL(counts.events, 1);
    CHECK_OK(take(&counts, &behind));
    CHECK(behind);
    CHECK_EQUAL(to.shard->context.count, 0);
    context_done(&since);
    end();
}

TEST(bytes_that_are_no_bundle_are_refused)
{
    static const struct hash_key other = {{9}};
    struct bundle_counts counts;
    struct reader reader;
    uint64_t node, made_ms;
    uint32_t buckets;

    begin();
    CHECK_OK(place_add(&from, "a", 1));
    CHECK_OK(place_commit(&from));
    CHECK_OK(give(NULL, &counts));
    CHECK_ERROR(bundle_open(buffer_slice(&bytes), &other, &reader, &node, &made_ms, &buckets),
                NEAP_CORRUPT);
    for (size_t i = 0; i < bytes.size; i++) {
        bytes.data[i] ^= 4;
        CHECK_ERROR(bundle_open(buffer_slice(&bytes), &key, &reader, &node, &made_ms, &buckets),
                    NEAP_CORRUPT);
        CHECK_ERROR(bundle_open(slice_of(bytes.data, i), &key, &reader, &node, &made_ms, &buckets),
                    NEAP_CORRUPT);
        bytes.data[i] ^= 4;
    }
    end();
}

/* Sealed all the same: whatever is in it, nothing is believed. */
TEST(a_bundle_that_was_made_badly_is_refused)
{
    struct bundle_counts counts;
    bool behind;

    begin();
    CHECK_OK(place_add(&from, "a", 1));
    CHECK_OK(place_set(&from, "b", "x"));
    CHECK_OK(place_commit(&from));
    CHECK_OK(give(NULL, &counts));
    for (size_t i = 30; i + 16 < bytes.size; i++) {
        struct context theirs = {0};
        struct reader reader;

        bytes.data[i] ^= 0x55;
        reader_init(&reader, slice_of(bytes.data, bytes.size - 16));
        (void)read_str(&reader, 100);
        for (unsigned skip = 0; skip < 4; skip++)
            (void)read_u64(&reader);
        (void)read_str(&reader, NEAP_BUCKET_MAX);
        (void)bundle_take(to.shard, to.batch, &reader, &counts, &theirs, &behind);
        CHECK_EQUAL(to.shard->session.id, 0);
        bytes.data[i] ^= 0x55;
        context_done(&theirs);
        place_close(&to);
        to = (struct place){0};
        CHECK_OK(place_open(&to, 2));
    }
    end();
}

static int sweep(void *argument)
{
    struct bundle_counts counts;
    bool behind;
    int error = give(argument, &counts);

    if (!error)
        error = place_open(&to, 2);
    if (!error)
        error = take(&counts, &behind);
    if (!error)
        CHECK(context_covers(&to.shard->context, &from.shard->context));
    place_close(&to);
    to = (struct place){0};
    buffer_done(&bytes);
    buffer_init(&bytes, BUNDLE_SIZE_MAX);
    return error;
}

TEST(a_bundle_without_memory_is_none)
{
    struct context empty = {0};

    begin();
    CHECK_OK(place_add(&from, "a", 1));
    CHECK_OK(place_set(&from, "b", "x"));
    CHECK_OK(place_commit(&from));
    place_close(&to);
    to = (struct place){0};
    test_alloc_sweep(sweep, NULL);
    test_alloc_sweep(sweep, &empty);
    CHECK_OK(place_open(&to, 2));
    end();
}
