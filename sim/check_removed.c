/* What was removed or replaced stays so, and nothing is there that nobody wrote. */
#include <stdio.h>

#include "sim/check.h"
#include "sim/judge.h"
#include "sim/load.h"

/* Looking for what no record speaks of. */
struct search {
    const struct history *history;
    char *why;
    size_t size;
    bool fine;
};

static bool search_place(void *arg, enum record_kind kind, const char *bucket, const char *key,
                         const char *member)
{
    struct search *search = arg;
    if (history_find(search->history, kind, bucket, key, member) != SIZE_MAX)
        return true;
    snprintf(search->why, search->size, "%s/%s%s%s is there, and nobody wrote it", bucket, key,
             member[0] ? " " : "", member);
    search->fine = false;
    return false;
}

bool history_gone(const struct history *history, struct replicas *replicas, size_t node,
                  char *ret_why, size_t size)
{
    struct search search = {history, ret_why, size, true};
    struct judge judge;
    judge_init(&judge, history, replicas, node, ret_why, size);
    bool gone = judge_calls(&judge);
    for (size_t i = 0; gone && i < history->cells_count; i++)
        gone = judge_gone(&judge, i);
    judge_done(&judge);
    if (gone && replicas->all)
        replicas->all(replicas, node, search_place, &search);
    return gone && search.fine;
}

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    struct sim_replicas replicas;
    (void)state;
    sim_replicas_init(&replicas, world);
    bool gone = history_gone(load_history(world->load), &replicas.replicas, 0, ret_why, size);
    sim_replicas_done(&replicas);
    return gone;
}

const struct checker check_removed = {
    .name = "removed", .promise = "what was removed stays removed", .holds = holds};
