/* What callers do: weights and sizes, from a file in INI form (examples/workloads), or as built in.
 *
 *   [operations]           how often, against each other; what is left out is never done
 *   counter.add = 20       counter.subtract counter.remove, set.add set.again set.fill set.remove
 *   set.fill = 1           set.clear, lww.set lww.remove, register.set register.stale
 *                          register.blind register.remove, flag.on flag.off, map.add map.set
 *                          map.put map.fill map.remove, scores.put (what set.again and
 *                          set.remove find there is a member, too), session.read; other.write
 *                          other.remove: max, min, flag-dw, set-rw, counter-exact
 *   [sizes]                a number, or a range of them
 *   buckets = 3            1 to 16
 *   keys = 3               of each type and bucket, and fields of a map of each type: 1 to 1000
 *   depth = 1-2            of fields: a map in a map in...: 1 to 4
 *   batch = 1-4            operations of one call: 1 to 64
 *   big = 50-200           members or fields that one `fill` writes: 1 to 1000
 *   value = 16-48          bytes, 16 to 65536; and of the large ones:
 *   large = 1024-32768
 *   [percent]              0 to 100
 *   hot = 30               of operations go to the first key
 *   elsewhere = 10         of operations of a call go to a bucket of their own
 *   nosync = 33            of calls don't wait until they are durable
 *   large = 1              of values are large
 *   session = 10           of calls are of one of four sessions, which session.read looks after
 *
 * A comment begins with `;`. What a file leaves out of [sizes] and [percent] is as built in. */
#ifndef NEAP_SIM_WORKLOAD_H
#define NEAP_SIM_WORKLOAD_H
#include <stddef.h>

#include "base/rng.h"

/* What to do. In order of the names above. */
#define WORKLOAD_OPERATIONS(X)              \
    X(COUNTER_ADD, "counter.add")           \
    X(COUNTER_SUBTRACT, "counter.subtract") \
    X(COUNTER_REMOVE, "counter.remove")     \
    X(SET_ADD, "set.add")                   \
    X(SET_AGAIN, "set.again")               \
    X(SET_FILL, "set.fill")                 \
    X(SET_REMOVE, "set.remove")             \
    X(SET_CLEAR, "set.clear")               \
    X(LWW_SET, "lww.set")                   \
    X(LWW_REMOVE, "lww.remove")             \
    X(REGISTER_SET, "register.set")         \
    X(REGISTER_STALE, "register.stale")     \
    X(REGISTER_BLIND, "register.blind")     \
    X(REGISTER_REMOVE, "register.remove")   \
    X(FLAG_ON, "flag.on")                   \
    X(FLAG_OFF, "flag.off")                 \
    X(MAP_ADD, "map.add")                   \
    X(MAP_SET, "map.set")                   \
    X(MAP_PUT, "map.put")                   \
    X(MAP_FILL, "map.fill")                 \
    X(MAP_REMOVE, "map.remove")             \
    X(SCORES_PUT, "scores.put")             \
    X(OTHER, "other.write")                 \
    X(OTHER_REMOVE, "other.remove")         \
    X(SESSION_READ, "session.read")

enum workload_operation {
#define X(name, text) WORKLOAD_##name,
    WORKLOAD_OPERATIONS(X)
#undef X
        WORKLOAD_KINDS
};

enum { WORKLOAD_BUCKETS = 16, WORKLOAD_BATCH = 64, WORKLOAD_BIG = 1000, WORKLOAD_VALUE = 65536 };

struct span {
    uint32_t from, to; /* both included */
};

struct workload {
    uint32_t weights[WORKLOAD_KINDS];
    uint32_t buckets, keys;
    struct span depth, batch, big, value, large;
    uint32_t hot_percent, elsewhere_percent, nosync_percent, large_percent, session_percent;
};

extern const struct workload workload_default;

const char *workload_operation_name(enum workload_operation operation);

/* False: ret_why names file, line and what is wrong. Nothing but `ret_workload` is touched. */
bool workload_read(const char *path, struct workload *ret_workload, char *ret_why, size_t size);
#endif
