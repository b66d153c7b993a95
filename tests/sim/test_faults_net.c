/* Faults of the net: what they do to the ways of a world. */
#include <string.h>

#include "tests/sim/bench.h"

/* What is wrong on the ways of a world while a fault lasts. */
static struct sim_way wrong_of(const char *name)
{
    struct bench bench;
    struct sim_way wrong = {0};
    bench_open(&bench, 4, NODES);
    bench_run(&bench, 1000);
    strike(&bench, name);
    CHECK(!ways_are_good(&bench.world));
    for (size_t a = 0; a < NODES; a++) {
        CHECK(!bench.world.ways[a][a].cut);
        for (size_t b = 0; b < NODES; b++) {
            const struct sim_way *way = &bench.world.ways[a][b];
            if (memcmp(way, &(struct sim_way){0}, sizeof *way) != 0)
                wrong = *way;
        }
    }
    bench_run(&bench, LONG_MS);
    CHECK(ways_are_good(&bench.world));
    bench_close(&bench);
    return wrong;
}

TEST(faults_of_the_net_spoil_what_they_say_for_a_while)
{
    CHECK(wrong_of("delay").delay_ms > 0);
    CHECK(wrong_of("loss").loses > 0);
    CHECK(wrong_of("duplicate").duplicates > 0);
    CHECK(wrong_of("reorder").reorders > 0);
    CHECK(wrong_of("throttle").bytes_per_s > 0);
    CHECK(wrong_of("garble").garbles > 0);
    CHECK(wrong_of("cut").cut);
    CHECK(wrong_of("oneway").cut);
    CHECK(wrong_of("partial").cut);
    CHECK(wrong_of("flap").cut);
}

static unsigned cuts(const struct world *world)
{
    unsigned count = 0;
    for (size_t a = 0; a < world->nodes_count; a++) {
        for (size_t b = 0; b < world->nodes_count; b++)
            count += world->ways[a][b].cut;
    }
    return count;
}

TEST(a_cut_parts_the_net_in_two)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        bench_open(&bench, seed, 5);
        strike(&bench, "cut");
        unsigned count = cuts(&bench.world);
        CHECK(count == 2 * 1 * 4 || count == 2 * 2 * 3); /* one and four, or two and three */
        for (size_t a = 0; a < 5; a++) {
            for (size_t b = 0; b < 5; b++) {
                bool same = bench.world.ways[a][0].cut == bench.world.ways[b][0].cut;
                CHECK_EQUAL(bench.world.ways[a][b].cut, a != b && !same);
            }
        }
        bench_close(&bench);
    }
}

TEST(a_oneway_cut_has_one_direction_and_a_partial_one_both)
{
    unsigned reached = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        bench_open(&bench, seed, 3);
        strike(&bench, "oneway");
        CHECK_EQUAL(cuts(&bench.world), 1);
        bench_close(&bench);
        bench_open(&bench, seed, 3);
        strike(&bench, "partial");
        for (size_t a = 0; a < 3; a++) {
            for (size_t b = 0; b < 3; b++)
                CHECK_EQUAL(bench.world.ways[a][b].cut, bench.world.ways[b][a].cut);
        }
        CHECK(cuts(&bench.world) >= 2);
        reached += cuts(&bench.world) == 2; /* A reaches B, B reaches C, A doesn't reach C */
        bench_close(&bench);
    }
    CHECK(reached > 0);
}

/* The end of one trouble is not that of another on the same way. */
TEST(troubles_that_overlap_end_one_by_one)
{
    struct bench bench;
    bench_open(&bench, 2, 2);
    strike(&bench, "cut");
    strike(&bench, "cut");
    strike(&bench, "throttle");
    struct trouble *troubles = bench.faults->troubles;
    CHECK_EQUAL(bench.faults->troubles_count, 3);
    uint64_t last =
        troubles[0].until_ms > troubles[1].until_ms ? troubles[0].until_ms : troubles[1].until_ms;
    CHECK(troubles[0].until_ms != troubles[1].until_ms);
    CHECK(world_run(&bench.world, last - 1));
    CHECK(bench.world.ways[A][B].cut && bench.world.ways[B][A].cut);
    CHECK(world_run(&bench.world, last));
    CHECK(!bench.world.ways[A][B].cut && !bench.world.ways[B][A].cut);
    bench_close(&bench);
}

TEST(a_link_that_flaps_goes_down_and_up)
{
    struct bench bench;
    unsigned changes = 0;
    bench_open(&bench, 3, 2);
    bench_run(&bench, 1000);
    strike(&bench, "flap");
    CHECK_EQUAL(net_open_links(&bench.world, A, B), 0);
    for (bool was = true; bench.faults->troubles_count > 0; bench_run(&bench, 1)) {
        bool is = bench.world.ways[A][B].cut;
        CHECK_EQUAL(is, bench.world.ways[B][A].cut);
        changes += is != was;
        was = is;
    }
    CHECK(changes >= 2);
    bench_close(&bench);
}

TEST(a_reset_breaks_the_links_of_two)
{
    struct bench bench;
    bench_open(&bench, 3, 2);
    bench_run(&bench, 2000);
    CHECK_EQUAL(net_open_links(&bench.world, A, B), 2);
    strike(&bench, "reset");
    CHECK_EQUAL(net_open_links(&bench.world, A, B), 0);
    bench_close(&bench);
}

TEST(who_is_isolated_has_no_links_until_it_is_no_longer)
{
    struct bench bench;
    bench_open(&bench, 3, 2);
    bench_run(&bench, 2000);
    strike(&bench, "isolate");
    bench_run(&bench, 50);
    CHECK_EQUAL(net_open_links(&bench.world, A, B), 0);
    CHECK(strstr(told(&bench), " isolated"));
    bench_run(&bench, LONG_MS);
    CHECK_EQUAL(net_open_links(&bench.world, A, B), 2);
    bench_close(&bench);
}

/* A stream never loses anything, so nobody would ask for what it lost. */
TEST(who_heals_makes_spoilt_links_anew)
{
    struct bench bench;
    bench_open(&bench, 3, 2);
    bench_run(&bench, 2000);
    bench.world.ways[A][B].loses = 100;
    bench_run(&bench, 300);
    CHECK(bench.world.spoilt > 0);
    (void)told(&bench);
    faults_heal(bench.faults);
    bench_run(&bench, 5);
    CHECK(strstr(told(&bench), "link down, reset"));
    bench_close(&bench);
}

TEST(one_node_has_no_net)
{
    struct bench bench;
    bench_open(&bench, 3, 1);
    for (size_t i = 0; i < faults_count(); i++) {
        if (faults_at(i)->group == FAULTS_NET)
            faults_at(i)->strike(bench.faults, &bench.rng);
    }
    bench_run(&bench, 1000);
    CHECK(ways_are_good(&bench.world));
    bench_close(&bench);
}
