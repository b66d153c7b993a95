/* What callers do: weights and sizes, from a file in INI form (docs/simulator.md), or as built in.
 */
#ifndef NEAP_SIM_WORKLOAD_H
#define NEAP_SIM_WORKLOAD_H
#include "base/rng.h"
#include "sim/history.h"

enum workload_read { READ_SESSION = RECORD_KINDS, WORKLOAD_KINDS };

struct span {
    uint32_t from, to; /* both included */
};

struct workload {
    uint32_t weights[WORKLOAD_KINDS]; /* of each record_kind, and of reads in a session */
    uint32_t buckets;                 /* 1 to 16 */
    uint32_t keys;                    /* of each type and bucket */
    uint32_t hot_percent;             /* of operations that go to the first key */
    uint32_t nosync_percent;
    uint32_t big_percent; /* of calls that fill a set or map at once with `big` members */
    struct span batch;    /* operations of one call */
    struct span big;
    struct span value; /* bytes */
};

extern const struct workload workload_default;

/* False: ret_why names file, line and what is wrong. Nothing but `ret_workload` is touched. */
bool workload_read(const char *path, struct workload *ret_workload, char *ret_why, size_t size);
#endif
