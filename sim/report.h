/* What the tool says: a line for each failure, and a summary. */
#ifndef NEAP_SIM_REPORT_H
#define NEAP_SIM_REPORT_H
#include "sim/run.h"

/* Of all seeds that were run. */
struct totals {
    uint64_t seeds, failed, steps, calls, acknowledged, faults, crashes, things, simulated_ms;
    uint64_t compares, compares_resumed;
    uint32_t rounds_max;
    uint64_t rounds_seed; /* that needed so many */
};

/* What a command that runs a plan once more has to say, beyond its settings. */
struct replay {
    const struct settings *settings;
    const struct plan *plan; /* the steps to keep are those it has */
    const char *workload;    /* the file; NULL: as built in */
    const char *rule;        /* that is broken; NULL: none */
};

const char *report_commit(void); /* that this program was built from; the version, when unknown */

/* "neap-sim --seed 7 --nodes 3 ...". */
void report_command(const struct replay *replay, struct buffer *ret_text);
/* The line of a failure. `shrunk_runs`: 0 when it was not tried to make it shorter. */
void report_failure(const struct replay *replay, const struct result *result, unsigned shrunk_runs);
void report_add(struct totals *totals, const struct settings *settings, size_t steps,
                const struct result *result, bool fine);
void report_summary(const struct totals *totals, double cpu_seconds);
void report_faults(void); /* the tables */
void report_rules(void);
#endif
