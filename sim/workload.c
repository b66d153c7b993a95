#include "sim/workload.h"

#include <stdio.h>

const struct workload workload_default = {
    .weights = {[RECORD_COUNTER_ADD] = 20,
                [RECORD_SET_ADD] = 20,
                [RECORD_SET_REMOVE] = 8,
                [RECORD_LWW_SET] = 12,
                [RECORD_REGISTER_SET] = 12,
                [RECORD_FLAG_ON] = 6,
                [RECORD_FLAG_OFF] = 6,
                [RECORD_MAP_ADD] = 5,
                [RECORD_MAP_SET] = 6,
                [RECORD_REMOVE] = 2},
    .buckets = 3,
    .keys = 3,
    .hot_percent = 30,
    .nosync_percent = 33,
    .batch = {1, 4},
    .value = {4, 24},
};

bool workload_read(const char *path, struct workload *ret_workload, char *ret_why, size_t size)
{
    (void)ret_workload;
    snprintf(ret_why, size, "%s: workload files cannot be read yet", path);
    return false;
}
