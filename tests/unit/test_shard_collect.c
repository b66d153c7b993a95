#include <limits.h>
#include <stdio.h>

#include "tests/unit/shard_cases.h"

enum { CHUNK = 4096 };

static int bar(struct place *place, const char *key, const char *element, enum op_kind kind)
{
    const struct op op = {.kind = kind};
    struct buffer path;
    struct dot dot;
    int error;

    buffer_init(&path, NEAP_PATH_MAX);
    error = path_level(&path, slice_text(key), NEAP_SET_RW);
    if (!error)
        error = path_element(&path, slice_text(element));
    if (!error)
        error = shard_write(place->shard, place->batch, place->shard->id, buffer_slice(&path), &op,
                            &dot);
    buffer_done(&path);
    return error;
}

static uint64_t own(const struct place *place)
{
    return context_get(&place->shard->context, place->shard->replica);
}

/* As if all members had told that they have all that is here. */
static int all_have(struct place *place)
{
    return context_join(&place->shard->stable, &place->shard->context);
}

TEST(what_is_spent_goes_by_an_event_of_its_maker)
{
    struct place a, b;
    uint64_t to = 0, events = 7;

    CHECK_OK(place_open(&a, 1));
    CHECK_OK(place_open(&b, 2));
    CHECK_OK(bar(&a, "k", "e", OP_SET_RW_REMOVE));
    CHECK_OK(bar(&b, "k", "e", OP_SET_RW_ADD));
    CHECK_OK(place_pull(&a, &b, CHUNK));
    CHECK_OK(place_pull(&b, &a, CHUNK));
    /* Nobody is known to have it. */
    CHECK_OK(shard_collect(a.shard, a.batch, own(&a), &to, &events));
    CHECK_EQUAL(events, 0);
    CHECK_EQUAL(to, 1);
    CHECK_EQUAL(place_count(&a, DISK_CELLS, 0), 1);
    CHECK_OK(all_have(&a));
    CHECK_OK(shard_collect(a.shard, a.batch, own(&a), &to, &events));
    CHECK_EQUAL(events, 1);
    CHECK_EQUAL(own(&a), 2);
    CHECK_EQUAL(place_count(&a, DISK_CELLS, 0), 0);
    CHECK_OK(place_pull(&b, &a, CHUNK));
    CHECK_EQUAL(place_count(&b, DISK_CELLS, 0), 0);
    /* What was collected left nothing to collect. */
    CHECK_OK(all_have(&a));
    CHECK_OK(shard_collect(a.shard, a.batch, own(&a), &to, &events));
    CHECK_EQUAL(events, 0);
    CHECK_EQUAL(to, 2);
    place_close(&a);
    place_close(&b);
}

TEST(much_is_collected_in_parts)
{
    struct place place;
    uint64_t to = 0, events = 0;

    CHECK_OK(place_open(&place, 1));
    for (int i = 0; i < 1500; i++) {
        char element[16];

        snprintf(element, sizeof element, "%d", i);
        CHECK_OK(bar(&place, "k", element, OP_SET_RW_REMOVE));
    }
    CHECK_OK(all_have(&place));
    CHECK_OK(shard_collect(place.shard, place.batch, 1500, &to, &events));
    CHECK_EQUAL(to, 1000);
    CHECK_EQUAL(events, 1000);
    CHECK_EQUAL(place_count(&place, DISK_CELLS, 0), 500);
    place_close(&place);
}

TEST(a_shard_without_such_cells_is_not_read)
{
    struct place place;
    uint64_t to = 0, events = 7;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(place_add(&place, "k", 1));
    CHECK_OK(place_commit(&place));
    disk_mem_fault(place.disk, DISK_FAULT_SCAN, 0, UINT_MAX, NEAP_IO);
    CHECK_OK(shard_collect(place.shard, place.batch, own(&place), &to, &events)); /* it is new */
    CHECK_EQUAL(to, 1);
    CHECK_EQUAL(events, 0);
    disk_mem_fault(place.disk, DISK_FAULT_SCAN, 0, 0, 0);
    CHECK_OK(place_reopen(&place, 1, 8));
    disk_mem_fault(place.disk, DISK_FAULT_SCAN, 0, UINT_MAX, NEAP_IO);
    CHECK_EQUAL(place.shard->collect_to, UINT64_MAX); /* nothing is known of what was before */
    CHECK_ERROR(shard_collect(place.shard, place.batch, own(&place), &to, &events), NEAP_IO);
    disk_mem_fault(place.disk, DISK_FAULT_SCAN, 0, 0, 0);
    CHECK_OK(shard_collect(place.shard, place.batch, own(&place), &to, &events));
    CHECK_OK(place_add(&place, "k", 1));
    CHECK_EQUAL(place.shard->collect_to, 1);
    CHECK_OK(shard_collect(place.shard, place.batch, own(&place), &to, &events));
    CHECK_EQUAL(to, 2);
    CHECK_EQUAL(events, 0);
    place_close(&place);
}

TEST(a_new_shard_is_collected_when_there_is_something)
{
    struct place place;
    uint64_t to = 0, events = 0;

    CHECK_OK(place_open(&place, 1));
    CHECK_OK(place_add(&place, "k", 1));
    CHECK_OK(bar(&place, "k", "e", OP_SET_RW_REMOVE));
    CHECK_EQUAL(place.shard->collect_to, 2);
    CHECK_OK(all_have(&place));
    CHECK_OK(shard_collect(place.shard, place.batch, own(&place), &to, &events));
    CHECK_EQUAL(events, 1);
    place_close(&place);
}

static int collect(void *argument)
{
    struct place place;
    uint64_t to = 0;
    int error = place_open(&place, 1);

    (void)argument;
    if (!error)
        error = bar(&place, "k", "e", OP_SET_RW_REMOVE);
    if (!error)
        error = all_have(&place);
    if (!error) {
        error = shard_collect(place.shard, place.batch, 1, &to, NULL);
        if (error)
            CHECK_EQUAL(own(&place), 1);
    }
    place_close(&place);
    return error;
}

TEST(collecting_survives_failed_allocations)
{
    test_alloc_sweep(collect, NULL);
}
