#include "crdt/hlc.h"

#include "base/broken.h"

enum { COUNTER_BITS = 16 };

/* A wall clock past the year 10889 stands still there: 48 bits hold no more. */
static const uint64_t WALL_MAX = (UINT64_C(1) << 48) - 1;

uint64_t hlc_next(struct hlc *hlc, uint64_t wall_ms)
{
    uint64_t wall = (wall_ms < WALL_MAX ? wall_ms : WALL_MAX) << COUNTER_BITS;

    if (wall > hlc->last)
        hlc->last = wall;
    else if (hlc->last < UINT64_MAX)
        hlc->last++;
    return hlc->last;
}

bool hlc_see(struct hlc *hlc, uint64_t stamp, uint64_t wall_ms)
{
    uint64_t stamp_ms = hlc_wall_ms(stamp);

    if (stamp_ms > wall_ms && stamp_ms - wall_ms > HLC_SKEW_MS_MAX && !BROKEN("skew-believed"))
        return false;
    if (stamp > hlc->last && !BROKEN("clock-deaf"))
        hlc->last = stamp;
    return true;
}

uint64_t hlc_wall_ms(uint64_t stamp)
{
    return stamp >> COUNTER_BITS;
}
