/* The simulated disk does what it is ordered to, and no more: else the simulator shows nothing. */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "sim/check.h"
#include "sim/fault.h"
#include "sim/load.h"
#include "sim/workload.h"
#include "tests/support/test.h"

enum { SEEDS = 60, COMMITS = 5 };

/* A world with one node whose process never begins: only its disk is looked at. */
struct bench {
    struct world world;
    struct load *load;
    struct sim_disk *door;
    struct disk *disk;
    struct batch *batch;
};

static void bench_open(struct bench *bench, uint64_t seed)
{
    struct world_options options = {.seed = seed, .nodes = 1};
    *bench = (struct bench){0};
    world_open(&bench->world, &options);
    bench->load = load_new(&bench->world, &workload_default);
    bench->door = &bench->world.nodes[0].door;
    bench->disk = &bench->door->disk;
    CHECK_OK(batch_new(bench->disk, &bench->batch));
    CHECK_OK(disk_reopen(bench->door));
}

static void bench_done(struct bench *bench)
{
    batch_free(bench->batch);
    world_close(&bench->world);
    load_free(bench->load);
}

static struct slice key_of(unsigned number, char text[8])
{
    snprintf(text, 8, "k%u", number);
    return slice_text(text);
}

static int put_in(struct bench *bench, enum disk_family family, unsigned number, const char *value,
                  bool sync)
{
    char text[8];
    batch_clear(bench->batch);
    CHECK_OK(batch_put(bench->batch, family, key_of(number, text), slice_text(value)));
    return bench->disk->ops->commit(bench->disk, bench->batch, sync);
}

static int put(struct bench *bench, unsigned number, bool sync)
{
    return put_in(bench, DISK_CELLS, number, "value", sync);
}

static int get_in(struct bench *bench, enum disk_family family, unsigned number)
{
    struct buffer value;
    char text[8];
    buffer_init(&value, 100);
    int code = bench->disk->ops->get(bench->disk, NULL, family, key_of(number, text), &value);
    buffer_done(&value);
    return code;
}

static int get(struct bench *bench, unsigned number)
{
    return get_in(bench, DISK_CELLS, number);
}

/* How many keys a pass gives, and how it ends. */
static int scan_all(struct bench *bench, enum disk_family family, size_t *ret_count)
{
    static const struct slice whole;
    struct disk_iter *iter;
    struct slice key, value;
    int code;
    *ret_count = 0;
    CHECK_OK(bench->disk->ops->scan(bench->disk, NULL, family, whole, whole, &iter));
    while (!(code = iter->ops->next(iter, &key, &value)))
        (*ret_count)++;
    CHECK_EQUAL(iter->ops->next(iter, &key, &value), code); /* and stays there */
    iter->ops->close(iter);
    return code;
}

/* Keys 0 to the number returned are there, and none after. */
static unsigned prefix(struct bench *bench)
{
    unsigned count = 0;
    while (count < 2 * COMMITS && get(bench, count) == 0)
        count++;
    for (unsigned i = count; i < 2 * COMMITS; i++)
        CHECK_ERROR(get(bench, i), NEAP_NOTFOUND);
    return count;
}

static void put_many(struct bench *bench, unsigned from, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        CHECK_OK(put(bench, from + i, false));
}

static void crash(struct bench *bench)
{
    disk_crash(bench->door);
    CHECK_OK(disk_reopen(bench->door));
}

/* ---- rot ---- */

TEST(rot_is_an_error_and_neither_absence_nor_the_end)
{
    for (int family = 0; family < DISK_FAMILIES; family++) {
        struct bench bench;
        size_t count;
        bench_open(&bench, 1);
        for (unsigned i = 0; i < 3; i++)
            CHECK_OK(put_in(&bench, (enum disk_family)family, i, "value", true));
        CHECK_EQUAL(disk_rot_candidates(bench.door, (enum disk_family)family), 3);
        CHECK(disk_rot_at(bench.door, (enum disk_family)family, 1));
        CHECK_EQUAL(disk_rot_candidates(bench.door, (enum disk_family)family), 2);
        CHECK_OK(get_in(&bench, (enum disk_family)family, 0));
        CHECK_ERROR(get_in(&bench, (enum disk_family)family, 1), NEAP_CORRUPT);
        CHECK_OK(get_in(&bench, (enum disk_family)family, 2));
        CHECK_ERROR(scan_all(&bench, (enum disk_family)family, &count), NEAP_CORRUPT);
        CHECK_EQUAL(count, 1);
        CHECK(disk_gave(bench.door, NEAP_CORRUPT));
        CHECK(!disk_gave(bench.door, NEAP_IO));
        bench_done(&bench);
    }
}

TEST(rot_is_healed_by_a_write_a_deletion_and_a_range)
{
    struct bench bench;
    size_t count;
    bench_open(&bench, 1);
    for (unsigned i = 0; i < 4; i++)
        CHECK_OK(put(&bench, i, true));
    for (unsigned i = 0; i < 4; i++)
        CHECK(disk_rot_at(bench.door, DISK_CELLS, 0));
    CHECK(!disk_rot_at(bench.door, DISK_CELLS, 0));
    CHECK_EQUAL(disk_rotten(bench.door), 4);
    CHECK_OK(put_in(&bench, DISK_LOG, 0, "of another family", true));
    CHECK_EQUAL(disk_rotten(bench.door), 4);
    CHECK_OK(put(&bench, 0, true));
    CHECK_OK(get(&bench, 0));
    batch_clear(bench.batch);
    CHECK_OK(batch_delete(bench.batch, DISK_CELLS, slice_text("k1")));
    CHECK_OK(bench.disk->ops->commit(bench.disk, bench.batch, true));
    CHECK_ERROR(get(&bench, 1), NEAP_NOTFOUND);
    CHECK_ERROR(get(&bench, 2), NEAP_CORRUPT);
    batch_clear(bench.batch);
    CHECK_OK(batch_delete_range(bench.batch, DISK_CELLS, slice_text("k2"), slice_text("k9")));
    CHECK_OK(bench.disk->ops->commit(bench.disk, bench.batch, true));
    CHECK_EQUAL(disk_rotten(bench.door), 0);
    CHECK_ERROR(scan_all(&bench, DISK_CELLS, &count), NEAP_END);
    CHECK_EQUAL(count, 1);
    bench_done(&bench);
}

TEST(rot_comes_back_with_a_crash_that_takes_what_healed_it)
{
    bool came_back = false, stayed_away = false;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        bench_open(&bench, seed);
        CHECK_OK(put(&bench, 0, true));
        CHECK(disk_rot_at(bench.door, DISK_CELLS, 0));
        CHECK_OK(put(&bench, 1, false));
        CHECK_OK(put_in(&bench, DISK_CELLS, 0, "new", false));
        CHECK_OK(get(&bench, 0));
        CHECK_OK(put(&bench, 2, false));
        crash(&bench);
        int code = get(&bench, 0);
        CHECK(code == 0 || code == NEAP_CORRUPT);
        CHECK(code == 0 || get(&bench, 2) == NEAP_NOTFOUND);
        CHECK(code == NEAP_CORRUPT || get(&bench, 1) == 0);
        came_back |= code != 0;
        stayed_away |= code == 0;
        bench_done(&bench);
    }
    CHECK(came_back && stayed_away);
}

TEST(rot_takes_nothing_that_was_not_synced)
{
    struct bench bench;
    bench_open(&bench, 1);
    CHECK_OK(put(&bench, 0, false));
    CHECK(!disk_rot_at(bench.door, DISK_CELLS, 0));
    CHECK_OK(bench.disk->ops->sync(bench.disk));
    CHECK_OK(put_in(&bench, DISK_CELLS, 0, "new", false));
    CHECK(!disk_rot_at(bench.door, DISK_CELLS, 0));
    CHECK_OK(bench.disk->ops->sync(bench.disk));
    CHECK(disk_rot_at(bench.door, DISK_CELLS, 0));
    bench_done(&bench);
}

/* ---- power ---- */

TEST(a_crash_takes_some_end_of_what_is_not_synced)
{
    bool seen[2 * COMMITS + 1] = {false};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        bench_open(&bench, seed);
        put_many(&bench, 0, COMMITS);
        CHECK_OK(bench.disk->ops->sync(bench.disk));
        put_many(&bench, COMMITS, COMMITS);
        crash(&bench);
        seen[prefix(&bench)] = true;
        CHECK(!bench.door->suspect);
        bench_done(&bench);
    }
    for (unsigned i = 0; i <= 2 * COMMITS; i++)
        CHECK_EQUAL(seen[i], i >= COMMITS);
}

/* With two synced commits and so many that are not: how many are left? */
static unsigned tear(struct bench *bench, uint64_t seed, enum disk_damage damage, unsigned unsynced)
{
    bench_open(bench, seed);
    put_many(bench, 0, 1);
    CHECK_OK(bench->disk->ops->sync(bench->disk));
    disk_tear(bench->door, damage, 2, 7);
    CHECK_OK(put(bench, 1, true));
    put_many(bench, 2, unsynced);
    for (int i = 0; i < 2; i++)
        CHECK(!disk_loses_power(bench->door));
    CHECK(disk_loses_power(bench->door));
    crash(bench);
    return prefix(bench);
}

TEST(a_torn_write_is_gone_and_nobody_minds)
{
    bool seen[2 * COMMITS + 1] = {false};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        seen[tear(&bench, seed, DISK_TAIL, 4)] = true;
        CHECK(!bench.door->suspect);
        CHECK_EQUAL(bench.door->done, 1);
        CHECK(!disk_loses_power(bench.door));
        bench_done(&bench);
    }
    for (unsigned i = 0; i <= 2 * COMMITS; i++)
        CHECK_EQUAL(seen[i], i >= 2 && i < 6);
}

TEST(damage_in_a_log_makes_a_start_suspect_until_it_is_trusted)
{
    bool seen[2 * COMMITS + 1] = {false};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        seen[tear(&bench, seed, DISK_MIDDLE, 4)] = true;
        CHECK(bench.door->suspect);
        CHECK(!bench.world.amnesia);
        crash(&bench);
        CHECK(bench.door->suspect);
        disk_trust(bench.disk);
        CHECK(!bench.door->suspect);
        bench_done(&bench);
    }
    for (unsigned i = 0; i <= 2 * COMMITS; i++)
        CHECK_EQUAL(seen[i], i >= 2 && i < 5);
}

TEST(power_waits_for_something_to_tear)
{
    struct bench bench;
    bench_open(&bench, 1);
    disk_tear(bench.door, DISK_MIDDLE, 0, 0);
    CHECK(!disk_loses_power(bench.door));
    CHECK_OK(put(&bench, 0, false));
    CHECK(!disk_loses_power(bench.door));
    CHECK_OK(put(&bench, 1, false));
    CHECK(disk_loses_power(bench.door));
    disk_mend(bench.door);
    CHECK(!disk_loses_power(bench.door));
    bench_done(&bench);
}

static size_t record_in(struct bench *bench, const char *member, enum outcome outcome)
{
    struct history *history = load_history(bench->load);
    struct record record = {.kind = RECORD_SET_ADD, .bucket = "b", .key = "s"};
    snprintf(record.member, sizeof record.member, "%s", member);
    record.serial = history->count;
    size_t number = history_add(history, &record);
    if (outcome != OUTCOME_OPEN)
        history_end(history, number, outcome);
    return number;
}

TEST(damage_to_what_was_synced_goes_back_to_the_mark_and_puts_the_rest_in_doubt)
{
    struct bench bench;
    bench_open(&bench, 1);
    struct history *history = load_history(bench.load);
    size_t before = record_in(&bench, "before", OUTCOME_SURE);
    size_t meanwhile = record_in(&bench, "meanwhile", OUTCOME_OPEN);
    CHECK_OK(put(&bench, 0, true));
    disk_tear(bench.door, DISK_SYNCED, 0, history->ended);
    history_end(history, meanwhile, OUTCOME_SURE);
    size_t after = record_in(&bench, "after", OUTCOME_SURE);
    CHECK_OK(put(&bench, 1, true));
    CHECK_OK(put(&bench, 2, true));
    CHECK(disk_loses_power(bench.door));
    crash(&bench);
    CHECK_EQUAL(prefix(&bench), 1);
    CHECK(bench.door->suspect && bench.world.amnesia);
    CHECK_EQUAL(history->records[before].outcome, OUTCOME_SURE);
    CHECK_EQUAL(history->records[meanwhile].outcome, OUTCOME_MAYBE);
    CHECK_EQUAL(history->records[after].outcome, OUTCOME_MAYBE);
    bench_done(&bench);
}

/* ---- writes ---- */

static void check_refuses(struct bench *bench, const char *why)
{
    struct neap_error text = {0};
    CHECK_ERROR(put(bench, 9, true), NEAP_IO);
    CHECK_ERROR(put(bench, 9, false), NEAP_IO);
    CHECK_ERROR(bench->disk->ops->sync(bench->disk), NEAP_IO);
    bench->disk->ops->error(bench->disk, &text);
    CHECK(strstr(text.text, why));
    CHECK(disk_gave(bench->door, NEAP_IO));
}

/* The commit after a good one fails; is it there after a crash? */
static bool fails_but_is_there(uint64_t seed, enum disk_failure failure, bool sync)
{
    struct bench bench;
    bench_open(&bench, seed);
    disk_fail_write(bench.door, 1, failure);
    CHECK_OK(put(&bench, 0, true));
    CHECK_ERROR(put(&bench, 1, sync), NEAP_IO);
    check_refuses(&bench, "fails");
    crash(&bench);
    CHECK_OK(put(&bench, 8, true));
    CHECK_OK(get(&bench, 0));
    bool there = get(&bench, 1) == 0;
    CHECK_ERROR(get(&bench, 9), NEAP_NOTFOUND);
    bench_done(&bench);
    return there;
}

TEST(a_write_that_failed_is_there_or_not)
{
    unsigned there[3] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        for (int failure = DISK_NOTHING; failure <= DISK_EVERYTHING; failure++)
            there[failure] += fails_but_is_there(seed, (enum disk_failure)failure, seed % 2);
    }
    CHECK_EQUAL(there[DISK_NOTHING], 0);
    CHECK(there[DISK_LATER] > 0 && there[DISK_LATER] < SEEDS);
    CHECK_EQUAL(there[DISK_EVERYTHING], SEEDS);
}

TEST(after_a_sync_that_failed_what_it_was_for_may_go_and_nothing_is_written)
{
    bool seen[2 * COMMITS + 1] = {false};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        bench_open(&bench, seed);
        disk_fail_sync(bench.door, 1);
        put_many(&bench, 0, 2);
        CHECK_OK(bench.disk->ops->sync(bench.disk));
        put_many(&bench, 2, 2);
        if (seed % 2)
            CHECK_ERROR(bench.disk->ops->sync(bench.disk), NEAP_IO);
        else
            CHECK_ERROR(put(&bench, 4, true), NEAP_IO);
        check_refuses(&bench, "fails");
        crash(&bench);
        seen[prefix(&bench)] = true;
        CHECK_OK(put(&bench, 8, true));
        bench_done(&bench);
    }
    for (unsigned i = 0; i <= 2 * COMMITS; i++)
        CHECK_EQUAL(seen[i], i >= 2 && i <= 5);
}

TEST(a_full_disk_takes_few_commits_and_has_room_again)
{
    struct bench bench;
    unsigned refused = 0, taken = 0;
    bench_open(&bench, 1);
    disk_fill(bench.door, 2, 1000);
    CHECK_OK(put(&bench, 0, true));
    CHECK_OK(put(&bench, 1, false));
    CHECK_ERROR(put(&bench, 2, true), NEAP_IO);
    check_refuses(&bench, "no space left");
    for (int i = 0; i < SEEDS; i++) {
        disk_crash(bench.door);
        int code = disk_reopen(bench.door);
        CHECK(code == 0 || code == NEAP_IO);
        refused += code != 0;
        for (unsigned put_count = 0; !code; put_count++) {
            CHECK(put_count < 4);
            code = put(&bench, 3, true);
            taken += !code;
        }
        CHECK(disk_gave(bench.door, NEAP_IO));
    }
    CHECK(refused > 0 && taken > 0);
    CHECK_OK(get(&bench, 0));
    bench.world.now_ms = 1000;
    crash(&bench);
    for (unsigned i = 0; i < 2 * COMMITS; i++)
        CHECK_OK(put(&bench, i, true));
    bench_done(&bench);
}

TEST(what_a_killed_process_left_is_durable_when_the_next_has_begun)
{
    struct bench bench;
    bench_open(&bench, 1);
    put_many(&bench, 0, COMMITS);
    CHECK_OK(disk_reopen(bench.door));
    crash(&bench);
    CHECK_EQUAL(prefix(&bench), COMMITS);
    bench_done(&bench);
}

TEST(a_slow_disk_is_busy_for_each_sync)
{
    struct bench bench;
    bench_open(&bench, 1);
    bench.world.now_ms = 10;
    disk_slow(bench.door, 30, 100);
    CHECK_OK(put(&bench, 0, false));
    CHECK_EQUAL(bench.door->free_at_ms, 0);
    CHECK_OK(put(&bench, 0, true));
    CHECK_EQUAL(bench.door->free_at_ms, 40);
    CHECK_OK(bench.disk->ops->sync(bench.disk));
    CHECK_EQUAL(bench.door->free_at_ms, 70);
    bench.world.now_ms = 100;
    CHECK_OK(put(&bench, 0, true));
    CHECK_EQUAL(bench.door->free_at_ms, 70);
    bench_done(&bench);
}

/* ---- reads ---- */

TEST(reads_that_fail_go_well_again)
{
    struct bench bench;
    size_t count;
    bench_open(&bench, 1);
    put_many(&bench, 0, 3);
    disk_fail_read(bench.door, 1, 2, 0, NEAP_CORRUPT);
    CHECK_OK(get(&bench, 0));
    CHECK_ERROR(get(&bench, 0), NEAP_CORRUPT);
    CHECK_ERROR(get(&bench, 1), NEAP_CORRUPT);
    CHECK_OK(get(&bench, 0));
    disk_fail_read(bench.door, 2, 1, 0, NEAP_IO);
    CHECK_ERROR(scan_all(&bench, DISK_CELLS, &count), NEAP_IO);
    CHECK_EQUAL(count, 2);
    CHECK_ERROR(scan_all(&bench, DISK_CELLS, &count), NEAP_END);
    CHECK_EQUAL(count, 3);
    disk_fail_read(bench.door, 0, 0, 50, NEAP_IO);
    for (int i = 0; i < 10; i++)
        CHECK_ERROR(get(&bench, 0), NEAP_IO);
    bench.world.now_ms = 50;
    CHECK_OK(get(&bench, 0));
    CHECK_OK(put(&bench, 4, true));
    bench_done(&bench);
}

TEST(whoever_looks_on_is_not_lied_to)
{
    struct bench bench;
    struct buffer value;
    bench_open(&bench, 1);
    CHECK_OK(put(&bench, 0, true));
    CHECK(disk_rot_at(bench.door, DISK_CELLS, 0));
    disk_fail_read(bench.door, 0, 1, 0, NEAP_IO);
    buffer_init(&value, 100);
    struct disk *disk = bench.world.nodes[0].disk;
    CHECK_OK(disk->ops->get(disk, NULL, DISK_CELLS, slice_text("k0"), &value));
    buffer_done(&value);
    CHECK_ERROR(get(&bench, 0), NEAP_IO);
    CHECK_ERROR(get(&bench, 0), NEAP_CORRUPT);
    bench_done(&bench);
}

/* ---- whole nodes ---- */

struct nodes {
    struct world world;
    struct load *load;
    struct faults *faults;
};

static void nodes_open(struct nodes *nodes, uint64_t seed)
{
    struct world *world = &nodes->world;
    struct world_options options = {.seed = seed, .nodes = 3, .log_max = 1000};
    world_open(world, &options);
    nodes->load = load_new(world, &workload_default);
    nodes->faults = faults_new(world);
    world->checks = checks_new(world);
    for (size_t i = 0; i < world->nodes_count; i++)
        sim_start(world, i);
}

static void nodes_run(struct nodes *nodes, struct rng *rng, unsigned calls)
{
    for (unsigned i = 0; i < calls && !nodes->world.failed[0]; i++) {
        load_call(nodes->load, rng);
        world_run(&nodes->world, nodes->world.now_ms + 10);
    }
    CHECK_TEXT(nodes->world.failed, "");
}

static void nodes_rest(struct nodes *nodes)
{
    char why[300] = "";
    bool rests = false;
    faults_heal(nodes->faults);
    for (int i = 0; i < 200 && !rests; i++) {
        world_run(&nodes->world, nodes->world.now_ms + 500);
        rests = !nodes->world.failed[0] && checks_hold(&nodes->world, why, sizeof why);
    }
    CHECK_TEXT(nodes->world.failed, "");
    CHECK_TEXT(why, "");
}

static void nodes_done(struct nodes *nodes)
{
    world_close(&nodes->world);
    checks_free(nodes->world.checks);
    faults_free(nodes->faults);
    load_free(nodes->load);
}

static uint64_t done_of_all(const struct world *world)
{
    uint64_t done = 0;
    for (size_t i = 0; i < world->nodes_count; i++)
        done += world->nodes[i].door.done;
    return done;
}

/* What struck has done something; and all becomes well. */
static void check_fault(const struct fault_kind *kind, uint64_t seed)
{
    struct nodes nodes;
    struct rng rng;
    rng_init(&rng, seed);
    nodes_open(&nodes, seed);
    nodes_run(&nodes, &rng, 100);
    for (int i = 0; i < 20; i++) {
        kind->strike(nodes.faults, &rng);
        nodes_run(&nodes, &rng, 50);
    }
    uint64_t done = done_of_all(&nodes.world);
    if (!done)
        test_failed(__FILE__, __LINE__, "%s does nothing", kind->name);
    nodes_rest(&nodes);
    nodes_done(&nodes);
}

TEST(every_fault_of_disks_does_something_and_is_survived)
{
    unsigned kinds = 0;
    for (size_t i = 0; i < faults_count(); i++) {
        const struct fault_kind *kind = faults_at(i);
        if (kind->group != FAULTS_DISK)
            continue;
        kinds++;
        for (uint64_t seed = 2; seed <= 4; seed++)
            check_fault(kind, seed);
    }
    CHECK(kinds >= 7);
}

TEST(every_fault_of_lives_is_survived)
{
    for (size_t i = 0; i < faults_count(); i++) {
        const struct fault_kind *kind = faults_at(i);
        struct nodes nodes;
        struct rng rng;
        if (kind->group != FAULTS_LIFE)
            continue;
        rng_init(&rng, 1);
        nodes_open(&nodes, 1);
        nodes_run(&nodes, &rng, 100);
        for (int strike = 0; strike < 10; strike++) {
            kind->strike(nodes.faults, &rng);
            nodes_run(&nodes, &rng, 50);
        }
        uint64_t starts = 0;
        for (size_t node = 0; node < nodes.world.nodes_count; node++)
            starts += nodes.world.nodes[node].starts;
        if (starts <= nodes.world.nodes_count)
            test_failed(__FILE__, __LINE__, "%s does nothing", kind->name);
        nodes_rest(&nodes);
        nodes_done(&nodes);
    }
}

TEST(a_directory_that_is_rotten_at_opening_is_thrown_away)
{
    struct nodes nodes;
    struct rng rng;
    rng_init(&rng, 1);
    nodes_open(&nodes, 1);
    nodes_run(&nodes, &rng, 200);
    struct sim_node *node = &nodes.world.nodes[0];
    uint64_t life = node->wheel.engine.store.identity.life;
    sim_stop(&nodes.world, 0);
    CHECK(disk_rot_at(&node->door, DISK_META,
                      1)); /* the first is of an incarnation: others know it */
    sim_start(&nodes.world, 0);
    CHECK(!node->up);
    CHECK_EQUAL(disk_rotten(&node->door), 0);
    world_run(&nodes.world, nodes.world.now_ms + 5000);
    CHECK(node->up);
    CHECK(node->wheel.engine.store.identity.life != life);
    nodes_rest(&nodes);
    nodes_done(&nodes);
}
