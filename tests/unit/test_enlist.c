#include "engine/enlist.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tests/support/rig.h"

static const struct roster_row first = {.addresses = {"test://first"},
                                        .addresses_count = 1,
                                        .zone = "north",
                                        .name = "first",
                                        .weight = 100};

/* There is no net. */
static bool dials_nobody(const char *address)
{
    (void)address;
    return false;
}

/* A node of a cluster that has met nobody. */
static int node_open_as(struct rig *rig, const struct roster_row *own)
{
    struct gossip_options gossip = {.cluster = 1,
                                    .address = "test://first",
                                    .heartbeat_ms = 1000,
                                    .silence_ms = 5000,
                                    .backoff_ms_max = 1000,
                                    .log_max = 100,
                                    .own = own,
                                    .may_dial = dials_nobody};
    struct wheel_options options = {.disk = rig->disk,
                                    .clock = &rig->clock.clock,
                                    .mark = &rig->mark,
                                    .gossip = &gossip,
                                    .sync_ms = 100,
                                    .log_max = 100};

    return wheel_open(&rig->wheel, &options, NULL);
}

static int rig_begin(struct rig *rig, const struct roster_row *own)
{
    int error;

    *rig = (struct rig){.mark = {.directory = 1}};
    rig_clock_init(&rig->clock);
    error = disk_mem_open(&rig->disk);
    return error ? error : node_open_as(rig, own);
}

static void rig_end(struct rig *rig)
{
    wheel_close(&rig->wheel);
    disk_close(rig->disk);
}

static void rig_again(struct rig *rig, const struct roster_row *own)
{
    wheel_close(&rig->wheel);
    CHECK_OK(node_open_as(rig, own));
}

static const struct roster *roster_now(struct rig *rig)
{
    uint64_t version;

    return gossip_roster(rig->wheel.engine.gossip, &version);
}

static const struct roster_row *own_now(struct rig *rig, enum roster_place place)
{
    return roster_find(roster_now(rig), place, rig->wheel.engine.store.identity.node);
}

/* Somebody writes of this node. */
static int record(struct rig *rig, enum op_kind kind, enum roster_place place, const char *name)
{
    struct write_op op = {.bucket = SYSTEM_BUCKET, .op.kind = kind};
    struct write write = {.ops = &op, .count = 1, .system = true};
    struct roster_row row = first;
    struct buffer path, value;
    int error;

    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&value, NEAP_VALUE_MAX);
    snprintf(row.name, sizeof row.name, "%s", name);
    error = roster_path(place, rig->wheel.engine.store.identity.node, &path);
    if (!error)
        error = roster_encode(&row, &value);
    op.path = buffer_slice(&path);
    if (kind == OP_LWW_SET)
        op.op.value = buffer_slice(&value);
    if (!error)
        error = rig_write(rig, &write);
    buffer_done(&path);
    buffer_done(&value);
    return error;
}

static uint64_t writes(const struct rig *rig)
{
    return rig->wheel.engine.enlist.written;
}

TEST(a_node_says_who_it_is_when_that_is_not_in_the_list)
{
    struct roster_row moved = first;
    struct rig rig;

    CHECK_OK(rig_begin(&rig, &first));
    CHECK(!own_now(&rig, ROSTER_MEMBERS));
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(writes(&rig), 1);
    CHECK_TEXT(own_now(&rig, ROSTER_MEMBERS)->name, "first");
    CHECK_EQUAL(disk_mem_unsynced(rig.disk), 0);
    rig.clock.now_ms += ENLIST_REST_MS_MAX;
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(writes(&rig), 1);
    rig_again(&rig, &first);
    CHECK_TEXT(own_now(&rig, ROSTER_MEMBERS)->name, "first");
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(writes(&rig), 0); /* it is there */
    snprintf(moved.addresses[0], sizeof moved.addresses[0], "test://second");
    rig_again(&rig, &moved);
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(writes(&rig), 1);
    CHECK_TEXT(own_now(&rig, ROSTER_MEMBERS)->addresses[0], "test://second");
    rig_end(&rig);
}

TEST(who_keeps_no_list_writes_none)
{
    struct rig rig;

    CHECK_OK(rig_begin(&rig, NULL));
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(writes(&rig), 0);
    CHECK(!rig_shard(&rig, SYSTEM_BUCKET));
    rig_end(&rig);
}

TEST(what_others_say_of_it_is_corrected_but_not_soon_again)
{
    struct rig rig;

    CHECK_OK(rig_begin(&rig, &first));
    CHECK_OK(rig_tick(&rig));
    CHECK_OK(record(&rig, OP_LWW_SET, ROSTER_MEMBERS, "other"));
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(writes(&rig), 1);
    rig.clock.now_ms += ENLIST_REST_MS_MIN;
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(writes(&rig), 2);
    CHECK_TEXT(own_now(&rig, ROSTER_MEMBERS)->name, "first");
    CHECK_OK(record(&rig, OP_REMOVE, ROSTER_MEMBERS, ""));
    rig.clock.now_ms += ENLIST_REST_MS_MIN;
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(writes(&rig), 2); /* twice as long */
    rig.clock.now_ms += ENLIST_REST_MS_MIN;
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(writes(&rig), 3);
    rig_end(&rig);
}

TEST(who_is_here_is_not_retired_and_who_is_forgotten_says_nothing)
{
    struct rig rig;

    CHECK_OK(rig_begin(&rig, &first));
    CHECK_OK(rig_tick(&rig));
    CHECK_OK(record(&rig, OP_LWW_SET, ROSTER_RETIRED, "first"));
    CHECK(own_now(&rig, ROSTER_RETIRED));
    rig.clock.now_ms += ENLIST_REST_MS_MIN;
    CHECK_OK(rig_tick(&rig));
    CHECK(!own_now(&rig, ROSTER_RETIRED));
    CHECK(own_now(&rig, ROSTER_MEMBERS));
    CHECK_OK(record(&rig, OP_LWW_SET, ROSTER_FORGOTTEN, "first"));
    rig.clock.now_ms += ENLIST_REST_MS_MAX;
    CHECK_OK(rig_tick(&rig));
    CHECK_EQUAL(writes(&rig), 2);
    CHECK(!own_now(&rig, ROSTER_MEMBERS));
    rig_end(&rig);
}

/* What failed is noted, or done by another way; in any case it is done by a later tick. */
TEST(a_record_is_written_though_allocations_fail)
{
    struct rig rig;
    unsigned noted = 0;

    for (uint64_t at = 1; at < 100; at++) {
        CHECK_OK(rig_begin(&rig, &first));
        mem_fail_at(at, 0);
        (void)rig_tick(&rig);
        mem_fail_at(0, 0);
        noted += rig.wheel.engine.counts.errors > 0;
        rig.clock.now_ms += ENLIST_REST_MS_MIN;
        if (!rig.wheel.stopped) { /* by a commit that failed */
            CHECK_OK(rig_tick(&rig));
            CHECK(own_now(&rig, ROSTER_MEMBERS));
            CHECK_EQUAL(writes(&rig), 1);
        }
        rig_end(&rig);
    }
    CHECK(noted > 10);
}
