/* Faults of processes, machines and clocks. */
#include <string.h>

#include "gossip/state.h"
#include "sim/load.h"
#include "sim/workload.h"
#include "tests/sim/bench.h"

/* ---- ends ---- */

TEST(who_stops_dies_or_loses_power_comes_back)
{
    static const char *const names[] = {"stop", "kill", "crash", "reboot"};
    static const char *const words[] = {" stops", " is killed", " crashes", " stops"};
    for (size_t i = 0; i < 4; i++) {
        struct bench bench;
        bench_open(&bench, 3, NODES);
        bench_run(&bench, 1000);
        (void)told(&bench);
        strike(&bench, names[i]);
        CHECK_EQUAL(nodes_down(&bench), 1);
        CHECK(strstr(told(&bench), words[i]));
        bench_run(&bench, 20000);
        CHECK_EQUAL(nodes_down(&bench), 0);
        bench_close(&bench);
    }
}

/* Writes through A that nobody waits to be durable, of which nothing is synced. */
static uint64_t write_unsynced(struct bench *bench, unsigned count)
{
    static struct workload workload;
    workload = workload_default;
    workload.nosync_percent = 100;
    workload.session_percent = workload.weights[WORKLOAD_SESSION_READ] = 0;
    load_free(bench->load);
    bench->load = load_new(&bench->world, &workload);
    uint64_t unsynced = disk_mem_unsynced(bench->world.nodes[A].disk);
    for (unsigned i = 0; i < count; i++) {
        load_call(bench->load, &bench->rng);
        bench_run(bench, 3);
    }
    CHECK(disk_mem_unsynced(bench->world.nodes[A].disk) > unsynced);
    return disk_mem_unsynced(bench->world.nodes[A].disk);
}

/* Events of all buckets that A has made. */
static uint64_t events_of(const struct bench *bench)
{
    const struct store *store = &bench->world.nodes[A].wheel.engine.store;
    uint64_t count = 0;
    for (size_t i = 0; i < store->shards_count; i++)
        count += context_get(&store->shards[i]->context, store->shards[i]->replica);
    return count;
}

/* How many events are left of those written: all of them, some, or none? */
static uint64_t left_after(const char *name, uint64_t seed, uint64_t *ret_written)
{
    struct bench bench;
    bench_open(&bench, seed, 1);
    bench_run(&bench, 500);
    uint64_t unsynced = write_unsynced(&bench, 10);
    *ret_written = events_of(&bench);
    strike(&bench, name);
    if (!strcmp(name, "kill"))
        CHECK_EQUAL(disk_mem_unsynced(bench.world.nodes[A].disk), unsynced);
    else
        CHECK_EQUAL(disk_mem_unsynced(bench.world.nodes[A].disk), 0);
    sim_start(&bench.world, A);
    uint64_t left = events_of(&bench);
    CHECK(left <= *ret_written);
    bench_close(&bench);
    return left;
}

TEST(what_a_process_wrote_outlives_it_but_not_the_power)
{
    unsigned all = 0, none = 0, some = 0;
    uint64_t written, left;
    for (uint64_t seed = 0; seed < 3 * SEEDS; seed++) {
        left = left_after("kill", seed, &written);
        CHECK_EQUAL(left, written);
        left = left_after("stop", seed, &written);
        CHECK_EQUAL(left, written);
        left = left_after("crash", seed, &written);
        all += left == written;
        none += left == 0;
        some += left > 0 && left < written;
    }
    CHECK(all > 0 && none > 0 && some > 0);
}

/* One power failure, within an effect count that was drawn. */
TEST(power_fails_before_the_effect_that_was_drawn)
{
    struct bench bench;
    bench_open(&bench, 3, 2);
    bench_run(&bench, 2000);
    (void)told(&bench);
    strike(&bench, "effect");
    size_t node = bench.world.nodes[A].effects_left ? A : B;
    CHECK(bench.world.nodes[node].effects_left > 0);
    bench_run(&bench, LONG_MS);
    CHECK_EQUAL(bench.world.nodes[node].crashes, 1);
    CHECK_EQUAL(bench.world.nodes[!node].crashes, 0);
    CHECK_EQUAL(bench.world.nodes[node].effects_left, 0);
    CHECK(strstr(told(&bench), " crashes"));
    bench.world.nodes[node].effects_left = 1; /* before the very next */
    uint64_t turns = bench.world.nodes[node].turns;
    while (bench.world.nodes[node].crashes == 1)
        bench_run(&bench, 1);
    CHECK(bench.world.nodes[node].turns - turns < 5);
    bench_close(&bench);
}

/* ---- pace ---- */

TEST(who_is_paused_makes_no_turn_and_goes_on_later)
{
    struct bench bench;
    bench_open(&bench, 3, 1);
    bench_run(&bench, 2000);
    struct sim_node *node = &bench.world.nodes[A];
    strike(&bench, "pause");
    uint64_t until = node->paused_until_ms, turns = node->turns, from = bench.world.now_ms;
    uint64_t mono = sim_now(node).mono_ms, wall = sim_now(node).wall_ms;
    CHECK(until > bench.world.now_ms);
    load_call(bench.load, &bench.rng);
    CHECK(world_run(&bench.world, until - 1));
    CHECK_EQUAL(node->turns, turns);
    CHECK(node->inbox_count > 0);
    CHECK_EQUAL(sim_now(node).mono_ms, mono + until - 1 - from);
    CHECK_EQUAL(sim_now(node).wall_ms, wall + until - 1 - from);
    CHECK(world_run(&bench.world, until + 1));
    CHECK(node->turns > turns);
    CHECK_EQUAL(node->inbox_count, 0);
    CHECK(load_is_done(bench.load));
    bench_close(&bench);
}

TEST(who_goes_on_early_goes_on_at_once)
{
    struct bench bench;
    bench_open(&bench, 3, 1);
    load_call(bench.load, &bench.rng);
    sim_pause(&bench.world, A, LONG_MS);
    bench_run(&bench, 100);
    CHECK_EQUAL(bench.world.nodes[A].turns, 0);
    sim_pause(&bench.world, A, 0);
    bench_run(&bench, 3);
    CHECK_EQUAL(bench.world.nodes[A].turns, 1);
    bench_run(&bench, LONG_MS);
    CHECK(load_is_done(bench.load));
    bench_close(&bench);
}

/* When the turn has come that a call waits for. */
static uint64_t call_takes(struct bench *bench)
{
    uint64_t from = bench->world.now_ms;
    load_call(bench->load, &bench->rng);
    while (!load_is_done(bench->load))
        bench_run(bench, 1);
    return bench->world.now_ms - from;
}

TEST(who_is_slow_answers_later_for_a_while)
{
    struct bench bench;
    bench_open(&bench, 3, 1);
    bench_run(&bench, 500);
    CHECK(call_takes(&bench) <= 2);
    strike(&bench, "slow");
    struct sim_node *node = &bench.world.nodes[A];
    CHECK(node->slow_ms > 0);
    CHECK(call_takes(&bench) >= node->slow_ms);
    CHECK(world_run(&bench.world, node->slow_until_ms + 1000));
    CHECK(call_takes(&bench) <= 2);
    bench_close(&bench);
}

/* ---- away ---- */

TEST(who_is_offline_misses_days_and_comes_back)
{
    enum { HOUR_MS = 3600000 };
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        bench_open(&bench, seed, NODES);
        bench_run(&bench, 2000);
        strike(&bench, "offline");
        struct sim_node *node = who_is_down(&bench);
        uint64_t calls = load_calls(bench.load), mono = sim_now(&bench.world.nodes[A]).mono_ms;
        CHECK(node->away);
        world_after(&bench.world, 1, (struct thing){.kind = THING_RESTART, .node = node->index});
        while (node->away)
            bench_run(&bench, 10);
        CHECK(node->up);
        CHECK(bench.world.now_ms > 3 * 6 * HOUR_MS);
        CHECK(load_calls(bench.load) > calls); /* of others */
        CHECK(sim_now(&bench.world.nodes[A]).mono_ms > mono || node->index == A);
        CHECK_EQUAL(node->starts, 2);
        CHECK_EQUAL(node->gossip.log_max, 1000);
        CHECK_EQUAL(node->wheel.engine.gossip->options.log_max, 1000);
        bench_close(&bench);
    }
}

TEST(somebody_stays)
{
    struct bench bench;
    bench_open(&bench, 3, 2);
    bench_run(&bench, 1000);
    strike(&bench, "offline");
    strike(&bench, "offline");
    strike(&bench, "offline");
    CHECK_EQUAL(nodes_down(&bench), 1);
    bench_run_on(&bench);
    CHECK_EQUAL(nodes_down(&bench), 0);
    bench_close(&bench);
}

/* Whoever was away for so long that the others' logs are short compares. */
TEST(some_fall_behind_the_horizon)
{
    unsigned compared = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        bench_open(&bench, seed, NODES);
        for (unsigned i = 0; i < 20; i++) {
            bench_run(&bench, 100);
            load_call(bench.load, &bench.rng);
        }
        strike(&bench, "offline");
        bench_run_on(&bench);
        compared += strstr(told(&bench), ": compared ") != NULL;
        bench_close(&bench);
    }
    CHECK(compared > SEEDS / 4);
}

TEST(a_storm_is_several_restarts)
{
    struct bench bench;
    bench_open(&bench, 3, 2);
    bench_run(&bench, 1000);
    strike(&bench, "storm");
    size_t node = bench.faults->storms[A].left ? A : B;
    unsigned left = bench.faults->storms[node].left;
    CHECK(left >= 2);
    bench_run(&bench, LONG_MS);
    CHECK_EQUAL(bench.world.nodes[node].starts, 1 + left);
    CHECK_EQUAL(bench.world.nodes[!node].starts, 1);
    CHECK(bench.world.nodes[node].up);
    bench_close(&bench);
}

/* ---- clocks ---- */

static const struct sim_node *one_node(struct bench *bench, uint64_t seed)
{
    bench_open(bench, seed, 1);
    bench_run(bench, 1000);
    return &bench->world.nodes[A];
}

TEST(a_clock_that_jumps_is_set_right_later)
{
    unsigned back = 0, years = 0;
    for (uint64_t seed = 0; seed < 3 * SEEDS; seed++) {
        struct bench bench;
        const struct sim_node *node = one_node(&bench, seed);
        uint64_t wall = sim_now(node).wall_ms, mono = sim_now(node).mono_ms;
        strike(&bench, "jump");
        int64_t jump = (int64_t)(sim_now(node).wall_ms - wall);
        CHECK(jump <= -1000 || jump >= 1000);
        CHECK_EQUAL(sim_now(node).mono_ms, mono);
        back += jump < 0;
        years += jump > INT64_C(31536000000) || jump < INT64_C(-31536000000);
        bench_run(&bench, 1);
        CHECK(sim_skew(node) != 0);
        bench_run(&bench, 2 * LONG_MS);
        CHECK_EQUAL(sim_now(node).wall_ms, wall + 2 * LONG_MS + 1);
        bench_close(&bench);
    }
    CHECK(back > SEEDS / 2 && back < 3 * SEEDS - SEEDS / 2 && years > 0);
}

TEST(a_frozen_clock_stands)
{
    struct bench bench;
    const struct sim_node *node = one_node(&bench, 3);
    uint64_t wall = sim_now(node).wall_ms, mono = sim_now(node).mono_ms;
    strike(&bench, "frozen");
    bench_run(&bench, 100);
    CHECK_EQUAL(sim_now(node).wall_ms, wall);
    CHECK_EQUAL(sim_now(node).mono_ms, mono + 100);
    bench_run(&bench, 299);
    CHECK_EQUAL(sim_now(node).wall_ms, wall);
    bench_run(&bench, 2 * LONG_MS);
    CHECK_EQUAL(sim_now(node).wall_ms, wall + 399 + 2 * LONG_MS);
    bench_close(&bench);
}

TEST(a_clock_that_drifts_gains_or_loses_steadily)
{
    unsigned fast = 0, slow = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        const struct sim_node *node = one_node(&bench, seed);
        strike(&bench, "drift");
        CHECK(node->drift != 0 && node->drift > -1000);
        fast += node->drift > 0;
        slow += node->drift < 0;
        bench_run(&bench, 399);
        CHECK_EQUAL(sim_skew(node), 399 * node->drift / 1000);
        bench_run(&bench, 2 * LONG_MS);
        CHECK_EQUAL(sim_skew(node), 0);
        bench_close(&bench);
    }
    CHECK(fast > 0 && slow > 0);
}

TEST(a_clock_does_not_go_before_1970)
{
    struct bench bench;
    const struct sim_node *node = one_node(&bench, 3);
    sim_set_clock(&bench.world.nodes[A], INT64_MIN / 4, 0);
    CHECK_EQUAL(sim_now(node).wall_ms, 0);
    bench_close(&bench);
}

TEST(the_monotonic_clock_begins_anew_with_the_machine_only)
{
    struct bench bench;
    const struct sim_node *node = one_node(&bench, 3);
    CHECK_EQUAL(sim_now(node).mono_ms, 1000);
    sim_stop(&bench.world, A);
    sim_start(&bench.world, A);
    CHECK_EQUAL(sim_now(node).mono_ms, 1000);
    sim_kill(&bench.world, A);
    sim_start(&bench.world, A);
    CHECK_EQUAL(sim_now(node).mono_ms, 1000);
    sim_crash(&bench.world, A);
    sim_start(&bench.world, A);
    CHECK_EQUAL(sim_now(node).mono_ms, 0);
    bench_run(&bench, 1000);
    strike(&bench, "reboot");
    while (!node->up)
        bench_run(&bench, 1);
    CHECK(sim_now(node).mono_ms <= 1);
    bench_close(&bench);
}
