/* What was removed stays removed, and nothing is there that nobody wrote. */
#include <stdio.h>
#include <string.h>

#include "sim/check.h"
#include "sim/load.h"

static bool is_of(const struct record *record, const struct record *added)
{
    return !strcmp(record->bucket, added->bucket) && !strcmp(record->key, added->key) &&
           !strcmp(record->member, added->member);
}

bool history_gone(const struct history *history, struct replicas *replicas, size_t node,
                  char *ret_why, size_t size)
{
    for (size_t i = 0; i < history->count; i++) {
        const struct record *record = &history->records[i];
        const char *fault = NULL;
        if (record->kind == RECORD_SET_REMOVE && record->outcome == OUTCOME_SURE)
            fault = "was removed, and is there";
        if (record->kind == RECORD_SET_ADD && record->outcome == OUTCOME_NONE)
            fault = "was never added, and is there";
        for (size_t j = 0; fault && j < history->count; j++) {
            const struct record *other = &history->records[j];
            /* Added once more: concurrently, or since. */
            if (j != i && other->kind == RECORD_SET_ADD && other->outcome != OUTCOME_NONE &&
                is_of(other, record) && j > i)
                fault = NULL;
        }
        if (fault &&
            replicas->has(replicas, node, record->bucket, record->key, record->member) == 1) {
            snprintf(ret_why, size, "%s of %s/%s %s", record->member, record->bucket, record->key,
                     fault);
            return false;
        }
    }
    return true;
}

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    struct sim_replicas replicas;
    (void)state;
    sim_replicas_init(&replicas, world);
    return history_gone(load_history(world->load), &replicas.replicas, 0, ret_why, size);
}

const struct checker check_removed = {
    .name = "removed", .promise = "what was removed stays removed", .holds = holds};
