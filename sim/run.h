/* One history of a world: the steps of a plan, then healing, then rest. */
#ifndef NEAP_SIM_RUN_H
#define NEAP_SIM_RUN_H
#include "sim/plan.h"

struct result {
    struct digest digest; /* of the trace */
    uint32_t step;        /* the last one done; beyond the plan's: when it had healed */
    uint64_t rest_ms;     /* from healing to rest */
    uint64_t calls, acknowledged, faults, crashes;
    uint64_t things; /* that the world did: turns, messages, ticks... */
    char why[512];   /* "checker: what" */
};

/* False: it did not end well, result.why says how. */
bool run_plan(const struct plan *plan, const struct settings *settings, struct result *ret_result);
bool run_seed(const struct settings *settings, struct result *ret_result);
#endif
