#include "engine/expiring.h"

#include <stdio.h>

#include "crdt/expiry.h"
#include "engine/read.h"
#include "tests/support/rig.h"

static void set_element(struct rig *rig, const char *element, uint64_t ttl_ms)
{
    struct write_op op = rig_set_add("box", "tags", element);
    struct write write = {.ops = &op, .count = 1};

    op.op.ttl_ms = ttl_ms;
    CHECK_OK(rig_write(rig, &write));
}

/* How many elements a caller is shown, and how many there are. */
static void check_count(struct rig *rig, uint64_t shown, uint64_t stored)
{
    struct page_request request = {
        .bucket = "box", .path = rig_path("tags", NEAP_SET), .size_max = 65536, .count_only = true};
    struct page page;

    token_init(&request.token);
    page_init(&page, request.size_max);
    request.hide_ms = atomic_load(&rig->wheel.engine.store.expiry.mark);
    CHECK_OK(page_read(rig->disk, &request, &page));
    CHECK_EQUAL(page.count, shown);
    request.hide_ms = 0;
    CHECK_OK(page_read(rig->disk, &request, &page));
    CHECK_EQUAL(page.count, stored);
    page_done(&page);
}

static void go_on(struct rig *rig, uint64_t ms)
{
    rig->clock.now_ms += ms;
    rig->clock.wall_ms += ms;
    CHECK_OK(rig_tick(rig));
}

TEST(what_has_expired_is_hidden_and_removed_when_it_is_time)
{
    struct rig rig;
    struct engine *engine = &rig.wheel.engine;

    rig_open(&rig);
    set_element(&rig, "stays", 0);
    CHECK(engine_deadline(engine, rig_now(&rig)) == UINT64_MAX);
    set_element(&rig, "later", 60000);
    set_element(&rig, "soon", 2000);
    CHECK_EQUAL(engine_deadline(engine, rig_now(&rig)), rig.clock.now_ms + 2000);
    go_on(&rig, 1999);
    check_count(&rig, 3, 3);
    go_on(&rig, 1);
    check_count(&rig, 2, 2);
    CHECK_EQUAL(engine->expiring.removed, 1);
    CHECK_EQUAL(disk_mem_unsynced(rig.disk), 0); /* the mark is durable before anybody sees it */
    CHECK_EQUAL(engine_deadline(engine, rig_now(&rig)), rig.clock.now_ms + 58000);
    go_on(&rig, 58000);
    check_count(&rig, 1, 1);
    CHECK(engine_deadline(engine, rig_now(&rig)) == UINT64_MAX);
    rig_close(&rig);
}

TEST(written_again_it_lives_anew)
{
    struct rig rig;

    rig_open(&rig);
    set_element(&rig, "ripe", 2000);
    go_on(&rig, 1500);
    set_element(&rig, "ripe", 2000);
    go_on(&rig, 1500);
    check_count(&rig, 1, 1);
    set_element(&rig, "ripe", 0);
    go_on(&rig, 100000);
    check_count(&rig, 1, 1);
    CHECK_EQUAL(rig.wheel.engine.expiring.removed, 0);
    rig_close(&rig);
}

TEST(many_go_a_few_at_a_time)
{
    struct rig rig;
    char name[16];

    rig_open(&rig);
    for (int i = 0; i < 2 * EXPIRING_CELLS + 6; i++) {
        snprintf(name, sizeof name, "e%d", i);
        set_element(&rig, name, 1000 + (uint64_t)i);
    }
    go_on(&rig, 5000);
    check_count(&rig, 0, EXPIRING_CELLS + 6);
    CHECK_EQUAL(engine_deadline(&rig.wheel.engine, rig_now(&rig)),
                rig.clock.now_ms + EXPIRING_REST_MS);
    go_on(&rig, EXPIRING_REST_MS);
    check_count(&rig, 0, 6);
    go_on(&rig, EXPIRING_REST_MS);
    check_count(&rig, 0, 0);
    CHECK(engine_deadline(&rig.wheel.engine, rig_now(&rig)) == UINT64_MAX);
    rig_close(&rig);
}

TEST(a_clock_that_steps_back_shows_nothing_again_and_time_goes_on)
{
    struct rig rig;

    rig_open(&rig);
    set_element(&rig, "early", 2000);
    set_element(&rig, "late", 10000);
    go_on(&rig, 2000);
    check_count(&rig, 1, 1);
    rig.clock.wall_ms = 1000; /* it is 1970 */
    go_on(&rig, 1000);
    check_count(&rig, 1, 1);
    set_element(&rig, "new", 2000);
    go_on(&rig, 1999);
    check_count(&rig, 2, 2);
    go_on(&rig, 1);
    check_count(&rig, 1, 1);
    go_on(&rig, 6000);
    check_count(&rig, 0, 0);
    rig_close(&rig);
}

TEST(the_mark_outlives_a_loss_of_power)
{
    struct rig rig;
    uint64_t mark;

    rig_open(&rig);
    set_element(&rig, "ripe", 2000);
    go_on(&rig, 2000);
    mark = atomic_load(&rig.wheel.engine.store.expiry.mark);
    rig.clock.wall_ms = 1000;
    rig_crash(&rig);
    CHECK_EQUAL(atomic_load(&rig.wheel.engine.store.expiry.mark), mark);
    CHECK_EQUAL(rig.wheel.engine.store.expiry.clock, mark);
    set_element(&rig, "sweet", 500);
    check_count(&rig, 1, 1);
    go_on(&rig, 500);
    check_count(&rig, 0, 0);
    rig_close(&rig);
}

TEST(what_cannot_expire_or_would_for_too_long_is_refused)
{
    struct rig rig;
    struct write_op add = rig_add("box", "n", 1), set = rig_lww("box", "name", "tide");
    struct write write = {.ops = &add, .count = 1};

    rig_open(&rig);
    add.op.ttl_ms = 5;
    CHECK_ERROR(rig_write(&rig, &write), NEAP_INVALID);
    write.ops = &set;
    set.op.ttl_ms = NEAP_TTL_MS_MAX + 1;
    CHECK_ERROR(rig_write(&rig, &write), NEAP_LIMIT);
    set.op.ttl_ms = NEAP_TTL_MS_MAX;
    CHECK_OK(rig_write(&rig, &write));
    CHECK_OK(rig_lww_is(rig.disk, "box", "name", "tide"));
    rig_close(&rig);
}

static int use_expiry(void *argument)
{
    struct rig rig = {0};
    struct write_op op = rig_set_add("box", "tags", "ripe");
    struct write write = {.ops = &op, .count = 1};
    struct disk *disk = NULL;
    int error = disk_mem_open(&disk);

    (void)argument;
    if (error)
        return error;
    error = rig_try(&rig, disk);
    if (error) {
        disk_close(disk);
        return error;
    }
    op.op.ttl_ms = 1000;
    error = rig_write(&rig, &write);
    rig.clock.now_ms += 1000;
    rig.clock.wall_ms += 1000;
    if (!error)
        error = rig_tick(&rig);
    rig_close(&rig);
    return error;
}

TEST(an_end_survives_failed_allocations)
{
    test_alloc_sweep(use_expiry, NULL);
}
