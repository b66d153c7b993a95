/* One history of a world: writes under faults, then healing, then rest. */
#ifndef NEAP_SIM_RUN_H
#define NEAP_SIM_RUN_H
#include "tests/sim/world.h"

struct run {
    uint64_t seed, steps;
    size_t nodes; /* 0: the seed decides */
    int amnesia;  /* -1: the seed decides */
    bool garble;  /* only that nobody crashes */
    int starve;   /* -1: the seed decides */
    bool print;
};

struct result {
    struct digest digest; /* of the trace */
    uint64_t rest_ms, acknowledged, crashes, events;
    char why[512];
};

/* False: it did not end well, result.why says how. */
bool run_seed(const struct run *run, struct result *ret_result);
#endif
