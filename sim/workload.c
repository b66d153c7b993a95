#include "sim/workload.h"

const struct workload workload_default = {
    .weights = {[WORKLOAD_COUNTER_ADD] = 16,    [WORKLOAD_COUNTER_SUBTRACT] = 4,
                [WORKLOAD_COUNTER_REMOVE] = 1,  [WORKLOAD_SET_ADD] = 18,
                [WORKLOAD_SET_AGAIN] = 4,       [WORKLOAD_SET_REMOVE] = 8,
                [WORKLOAD_SET_CLEAR] = 1,       [WORKLOAD_LWW_SET] = 12,
                [WORKLOAD_LWW_REMOVE] = 1,      [WORKLOAD_REGISTER_SET] = 8,
                [WORKLOAD_REGISTER_STALE] = 4,  [WORKLOAD_REGISTER_BLIND] = 1,
                [WORKLOAD_REGISTER_REMOVE] = 1, [WORKLOAD_FLAG_ON] = 6,
                [WORKLOAD_FLAG_OFF] = 6,        [WORKLOAD_MAP_ADD] = 4,
                [WORKLOAD_MAP_SET] = 4,         [WORKLOAD_MAP_PUT] = 4,
                [WORKLOAD_MAP_REMOVE] = 3,      [WORKLOAD_OTHER] = 8,
                [WORKLOAD_OTHER_REMOVE] = 1,    [WORKLOAD_SESSION_READ] = 10},
    .buckets = 3,
    .keys = 3,
    .depth = {1, 2},
    .batch = {1, 4},
    .big = {20, 100},
    .value = {16, 48},
    .large = {1024, 32768},
    .hot_percent = 30,
    .elsewhere_percent = 10,
    .nosync_percent = 33,
    .large_percent = 0,
    .session_percent = 10,
};

const char *workload_operation_name(enum workload_operation operation)
{
    static const char *const names[] = {
#define X(name, text) text,
        WORKLOAD_OPERATIONS(X)
#undef X
    };
    return names[operation];
}
