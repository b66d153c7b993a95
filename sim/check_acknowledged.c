/* Acknowledged writes are not lost, and a call is there whole or not at all. */
#include "sim/check.h"
#include "sim/judge.h"
#include "sim/load.h"

bool history_kept(const struct history *history, struct replicas *replicas, size_t node,
                  char *ret_why, size_t size)
{
    struct judge judge;
    judge_init(&judge, history, replicas, node, ret_why, size);
    bool kept = judge_calls(&judge);
    for (size_t i = 0; kept && i < history->cells_count; i++)
        kept = judge_kept(&judge, i);
    judge_done(&judge);
    return kept;
}

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    struct sim_replicas replicas;
    (void)state;
    sim_replicas_init(&replicas, world);
    bool kept = history_kept(load_history(world->load), &replicas.replicas, 0, ret_why, size);
    sim_replicas_done(&replicas);
    return kept;
}

const struct checker check_acknowledged = {
    .name = "acknowledged", .promise = "what was acknowledged is not lost", .holds = holds};
