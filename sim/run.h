/* One history of a world: the steps of a plan, then healing, then rest. */
#ifndef NEAP_SIM_RUN_H
#define NEAP_SIM_RUN_H
#include "sim/plan.h"

struct result {
    struct digest digest;  /* of the trace */
    uint32_t step;         /* the last one done; beyond the plan's: when it had healed */
    uint32_t rounds;       /* from healing to rest */
    uint64_t rest_ms;      /* the same time */
    uint64_t simulated_ms; /* the whole history */
    uint64_t calls, acknowledged, faults, crashes, compares, compares_resumed;
    uint64_t things; /* that the world did: turns, messages, ticks... */
    char why[512];   /* "checker: what" */
};

/* A round is a heartbeat and the longest round trip. So many after healing everything is at rest.
 */
uint64_t run_round_ms(const struct plan *plan);
uint32_t run_rounds_max(const struct plan *plan);

/* False: it did not end well, result.why says how. `ret_result` is kept up to date all the while,
 * for whoever has to say where the process died. */
bool run_plan(const struct plan *plan, const struct settings *settings, struct result *ret_result);
bool run_seed(const struct settings *settings, struct result *ret_result);
#endif
