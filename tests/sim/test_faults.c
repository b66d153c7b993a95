/* Each fault does what it says, ends by itself, and is lifted when the world heals. One whose
 * strike does nothing would make the simulator blind without anybody noticing. */
#include "sim/fault.h"

#include <string.h>

#include "sim/check.h"
#include "sim/load.h"
#include "tests/sim/bench.h"

enum { CALLS = 40 };

/* ---- all of them ---- */

/* Everything that can be seen of some seconds in a world in which the fault strikes, or not. */
static struct digest seconds_of(uint64_t seed, const struct fault_kind *kind)
{
    static const struct hash_key key = {"what was seen ."};
    struct bench bench;
    struct digest digest;
    struct buffer seen;
    bench_open(&bench, seed, NODES);
    buffer_init(&seen, 16 << 20);
    for (unsigned i = 0; i < CALLS; i++) {
        struct rng rng;
        rng_init(&rng, seed * 1000 + i);
        bench_run(&bench, 100);
        load_call(bench.load, &rng);
        if (kind && i % 10 == 5)
            kind->strike(bench.faults, &bench.rng);
        for (size_t j = 0; j < NODES; j++) {
            struct now now = sim_now(&bench.world.nodes[j]);
            CHECK_OK(buffer_append(&seen, slice_of(&now, sizeof now)));
        }
    }
    bench_run(&bench, 1000);
    for (const char *line = told(&bench), *next; *line; line = next) {
        size_t size = strcspn(line, "\n");
        next = line + size + (line[size] == '\n');
        if (!memmem(line, size, "] - ", 4))
            CHECK_OK(buffer_append(&seen, slice_of(line, size)));
    }
    digest = hash_128(&key, buffer_slice(&seen));
    buffer_done(&seen);
    bench_close(&bench);
    return digest;
}

TEST(every_fault_changes_what_happens)
{
    struct digest without[SEEDS];
    for (uint64_t seed = 0; seed < SEEDS; seed++)
        without[seed] = seconds_of(seed, NULL);
    for (size_t i = 0; i < faults_count(); i++) {
        unsigned changed = 0;
        if (faults_at(i)->group == FAULTS_TRUST)
            continue; /* only where there is a device: sim/plan.c */
        for (uint64_t seed = 0; seed < SEEDS && !changed; seed++) {
            struct digest with = seconds_of(seed, faults_at(i));
            changed += with.high != without[seed].high || with.low != without[seed].low;
        }
        if (!changed)
            test_failed(__FILE__, __LINE__, "%s does nothing", faults_at(i)->name);
    }
}

TEST(every_fault_says_in_one_line_what_it_does)
{
    for (size_t i = 0; i < faults_count(); i++) {
        const struct fault_kind *kind = faults_at(i);
        struct bench bench;
        unsigned lines = 0;
        if (kind->group == FAULTS_DISK || kind->group == FAULTS_LIFE)
            continue; /* tests/sim/test_disk.c */
        bench_open(&bench, 1, NODES);
        bench_run(&bench, 1000);
        (void)told(&bench);
        kind->strike(bench.faults, &bench.rng);
        for (const char *at = told(&bench); (at = strstr(at, "] - ")); at++) {
            lines++;
            if (strncmp(at + 4, kind->name, strlen(kind->name)) != 0)
                test_failed(__FILE__, __LINE__, "%s says %s", kind->name, at + 4);
        }
        CHECK_EQUAL(lines, 1);
        bench_close(&bench);
    }
}

static void is_well(struct bench *bench)
{
    struct world *world = &bench->world;
    CHECK(ways_are_good(world));
    CHECK(!world->starves && !world->garbles);
    CHECK_EQUAL(bench->faults->troubles_count, 0);
    CHECK_EQUAL(bench->faults->offline.leaps, 0);
    for (size_t i = 0; i < NODES; i++) {
        const struct sim_node *node = &world->nodes[i];
        CHECK(!node->away && node->effects_left == 0);
        CHECK(world->now_ms >= node->slow_until_ms && world->now_ms >= node->paused_until_ms);
        CHECK_EQUAL(sim_skew(node), 0);
        CHECK_EQUAL(node->gossip.log_max, 1000);
    }
}

static void strike_all(struct bench *bench, const char *names)
{
    char why[80];
    uint64_t set;
    CHECK(faults_parse(names, &set, why, sizeof why));
    for (unsigned i = 0; i < CALLS; i++) {
        bench_run(bench, 20);
        for (size_t j = 0; j < faults_count(); j++) {
            if ((set >> j & 1) && rng_chance(&bench->rng, 5))
                faults_at(j)->strike(bench->faults, &bench->rng);
        }
        load_call(bench->load, &bench->rng);
    }
}

TEST(faults_end_by_themselves)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        bench_open(&bench, seed, NODES);
        strike_all(&bench, "net,node,clock,memory,-effect");
        bench_run_on(&bench);
        is_well(&bench);
        CHECK_EQUAL(nodes_down(&bench), 0);
        bench_close(&bench);
    }
}

TEST(a_world_that_heals_is_well_at_once_and_stays_so)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct bench bench;
        char why[200];
        bench_open(&bench, seed, NODES);
        strike_all(&bench, "net,node,clock,memory");
        faults_heal(bench.faults);
        is_well(&bench);
        CHECK_EQUAL(nodes_down(&bench), 0);
        (void)told(&bench);
        bench_run_on(&bench);
        is_well(&bench);
        CHECK_EQUAL(nodes_down(&bench), 0);
        CHECK(!strstr(told(&bench), "go by"));
        CHECK(world_agrees(&bench.world, why, sizeof why));
        bench_close(&bench);
    }
}

/* ---- names ---- */

static bool parses(const char *list, uint64_t *ret_set)
{
    char why[80] = "";
    bool fine = faults_parse(list, ret_set, why, sizeof why);
    CHECK_EQUAL(fine, why[0] == 0);
    return fine;
}

static uint64_t bit_of(const char *name)
{
    for (size_t i = 0; i < faults_count(); i++) {
        if (kind_of(name) == faults_at(i))
            return UINT64_C(1) << i;
    }
    return 0;
}

TEST(faults_are_named_alone_and_in_groups)
{
    uint64_t set, other;
    CHECK(parses("", &set) && set == 0);
    CHECK(parses("none", &set) && set == 0);
    CHECK(parses("cut", &set) && set == bit_of("cut"));
    CHECK(parses("cut,kill", &set) && set == (bit_of("cut") | bit_of("kill")));
    CHECK(parses("clock", &set) && (set & bit_of("jump")) && !(set & bit_of("cut")));
    CHECK(parses("clock,-jump", &other) && other == (set & ~bit_of("jump")));
    CHECK(parses("-cut,cut", &set) && set == bit_of("cut"));
    CHECK(parses("none,cut,", &set) && set == bit_of("cut"));
}

TEST(what_is_apart_must_be_asked_for)
{
    uint64_t set;
    CHECK(parses("all", &set) && !(set & bit_of("garble")) && (set & bit_of("cut")));
    CHECK(parses("net", &set) && !(set & bit_of("garble")));
    CHECK(parses("all,garble", &set) && (set & bit_of("garble")));
}

TEST(names_that_are_no_faults_are_refused_by_name)
{
    char why[80];
    uint64_t set = 7;
    CHECK(!faults_parse("cut,cuts", &set, why, sizeof why));
    CHECK_TEXT(why, "there is no fault 'cuts'");
    CHECK(!faults_parse("cu", &set, why, sizeof why));
    CHECK(!faults_parse("al", &set, why, sizeof why));
    CHECK(!faults_parse("cut,,kill", &set, why, sizeof why));
    CHECK(!faults_parse(" cut", &set, why, sizeof why));
    CHECK(!faults_parse("-", &set, why, sizeof why));
    CHECK_EQUAL(set, 7);
}

TEST(faults_have_names_of_their_own)
{
    CHECK(faults_count() <= 64);
    for (size_t i = 0; i < faults_count(); i++) {
        CHECK(faults_at(i)->name[0] && faults_at(i)->about[0]);
        CHECK(kind_of(faults_at(i)->name) == faults_at(i));
        for (int group = FAULTS_NET; group <= FAULTS_MEMORY; group++)
            CHECK(strcmp(faults_at(i)->name, fault_group_name((enum fault_group)group)) != 0);
    }
}
