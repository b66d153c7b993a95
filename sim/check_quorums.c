/* What was acknowledged at a level is there as long as fewer directories are lost than nodes had
 * it, and is seen by whoever reads at a level that meets it; what was refused never happened. */
#include <stdio.h>

#include "sim/check.h"
#include "sim/find.h"
#include "sim/load.h"

static void replaced(struct world *world, void *state, size_t node)
{
    (void)state;
    if (world->load)
        quorums_replaced(&world->load->quorums, node);
}

static void started(struct world *world, void *state, size_t node)
{
    (void)state;
    if (world->load)
        quorums_started(&world->load->quorums, node);
}

static unsigned ones(uint32_t bits)
{
    unsigned count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    struct why why = {ret_why, size};
    const struct quorums *quorums = &world->load->quorums;
    (void)state;
    if (quorums->asked == 0 || quorums_spoilt(world))
        return true;
    for (size_t i = 0; i < PLEDGES; i++) {
        const struct pledge *pledge = &quorums->pledges[i];
        unsigned long long serial = pledge->serial;
        if (pledge->state == PLEDGE_ACKED && ones(pledge->destroyed) < pledge->need &&
            pledge_is_kept(quorums, pledge) == 0)
            return differs(why, "q%llu is gone: %u nodes had it, and %u lost their directory",
                           serial, pledge->need, ones(pledge->destroyed));
        if (pledge->state == PLEDGE_REFUSED && pledge_is_kept(quorums, pledge) > 0)
            return differs(why, "q%llu was refused, and is there", serial);
    }
    return true;
}

const struct checker check_quorums = {.name = "quorums",
                                      .promise = "levels hold what they say",
                                      .started = started,
                                      .replaced = replaced,
                                      .holds = holds};
