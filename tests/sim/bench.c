#include "tests/sim/bench.h"

#include <string.h>

#include "sim/load.h"
#include "sim/workload.h"

void bench_open(struct bench *bench, uint64_t seed, size_t nodes)
{
    struct world_options options = {
        .seed = seed, .nodes = nodes, .log_max = 1000, .heartbeat_ms = 200, .delay_ms_max = 5};
    *bench = (struct bench){0};
    world_open(&bench->world, &options);
    bench->load = load_new(&bench->world, &workload_default);
    bench->faults = faults_new(&bench->world);
    bench->world.keep_text = true;
    rng_init(&bench->rng, seed);
    for (size_t i = 0; i < nodes; i++)
        sim_start(&bench->world, i);
}

void bench_close(struct bench *bench)
{
    CHECK_TEXT(bench->world.failed, "");
    world_close(&bench->world);
    faults_free(bench->faults);
    load_free(bench->load);
}

void bench_run(struct bench *bench, uint64_t ms)
{
    CHECK(world_run(&bench->world, bench->world.now_ms + ms));
}

void bench_run_on(struct bench *bench)
{
    for (unsigned i = 0; i < 2 * LONG_MS / 100; i++) /* longer than any fault lasts */
        bench_run(bench, 100);
}

const struct fault_kind *kind_of(const char *name)
{
    for (size_t i = 0; i < faults_count(); i++) {
        if (!strcmp(faults_at(i)->name, name))
            return faults_at(i);
    }
    test_failed(__FILE__, __LINE__, "there is no fault %s", name);
}

void strike(struct bench *bench, const char *name)
{
    kind_of(name)->strike(bench->faults, &bench->rng);
}

/* Its trace since the last look; borrowed. */
const char *told(struct bench *bench)
{
    CHECK_OK(buffer_append(&bench->world.text, slice_of("", 1)));
    bench->world.text.size = 0;
    return (const char *)bench->world.text.data;
}

bool ways_are_good(const struct world *world)
{
    static const struct sim_way good[NODES_MAX][NODES_MAX];
    return !memcmp(world->ways, good, sizeof good);
}

size_t nodes_down(const struct bench *bench)
{
    size_t count = 0;
    for (size_t i = 0; i < bench->world.nodes_count; i++)
        count += !bench->world.nodes[i].up;
    return count;
}

struct sim_node *who_is_down(struct bench *bench)
{
    for (size_t i = 0; i < bench->world.nodes_count; i++) {
        if (!bench->world.nodes[i].up)
            return &bench->world.nodes[i];
    }
    test_failed(__FILE__, __LINE__, "nobody is down");
}
