/* A small world for faults to strike: nodes, calls, and no checkers. */
#ifndef NEAP_SIM_BENCH_H
#define NEAP_SIM_BENCH_H
#include "sim/faults.h"
#include "tests/support/test.h"

enum { A, B, C, NODES, SEEDS = 20, LONG_MS = 60000 };

struct bench {
    struct world world;
    struct load *load;
    struct faults *faults;
    struct rng rng;
};

/* So many nodes, which have just started; their trace is kept. */
void bench_open(struct bench *bench, uint64_t seed, size_t nodes);
void bench_close(struct bench *bench); /* nothing failed */
void bench_run(struct bench *bench, uint64_t ms);
void bench_run_on(struct bench *bench); /* for two minutes, not counting leaps of time */
const struct fault_kind *kind_of(const char *name);
void strike(struct bench *bench, const char *name);
const char *told(struct bench *bench); /* its trace since the last look; borrowed */
bool ways_are_good(const struct world *world);
size_t nodes_down(const struct bench *bench);
struct sim_node *who_is_down(struct bench *bench); /* the first */
#endif
