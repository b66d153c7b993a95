#include "base/clock.h"

#include <sodium/core.h>
#include <sodium/randombytes.h>
#include <time.h>

#include "base/error.h"

static uint64_t clock_read(clockid_t which)
{
    struct timespec now;

    /* It fails only for a clock that does not exist. */
    must(!clock_gettime(which, &now));
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t os_now_ms(struct clock *clock)
{
    (void)clock;
    return clock_read(CLOCK_MONOTONIC);
}

static uint64_t os_wall_ms(struct clock *clock)
{
    (void)clock;
    return clock_read(CLOCK_REALTIME);
}

static uint64_t os_entropy(struct clock *clock)
{
    uint64_t bits;

    (void)clock;
    /* May be called often, and from any thread. Replica ids hang on it: better no process than one
     * with a number that another has. */
    must(sodium_init() >= 0);
    randombytes_buf(&bits, sizeof bits);
    return bits;
}

static const struct clock_ops os_ops = {os_now_ms, os_wall_ms, os_entropy};
static const struct clock os_clock = {&os_ops};

struct clock *clock_os(void)
{
    /* It has no state: nobody writes to it. */
    return (struct clock *)&os_clock;
}
