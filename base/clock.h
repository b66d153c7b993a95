/* Door: time and entropy. clock_os.c is the real one; the simulator has its own. */
#ifndef NEAP_BASE_CLOCK_H
#define NEAP_BASE_CLOCK_H
#include <stdint.h>

struct clock {
    const struct clock_ops *ops;
};

struct clock_ops {
    uint64_t (*now_ms)(struct clock *clock);  /* monotonic */
    uint64_t (*wall_ms)(struct clock *clock); /* since 1970; may jump */
    uint64_t (*entropy)(struct clock *clock); /* 64 unpredictable bits */
};

struct clock *clock_os(void); /* static, needs no release */
#endif
