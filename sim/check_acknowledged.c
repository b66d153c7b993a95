/* Acknowledged writes are not lost: increments add up, what was added and not removed is there. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/check.h"
#include "sim/load.h"

static bool same_object(const struct record *a, const struct record *b)
{
    return !strcmp(a->bucket, b->bucket) && !strcmp(a->key, b->key);
}

static bool first_of_object(const struct history *history, size_t number)
{
    const struct record *record = &history->records[number];
    for (size_t i = 0; i < number; i++) {
        const struct record *other = &history->records[i];
        if (other->kind == record->kind && same_object(other, record))
            return false;
    }
    return true;
}

static bool counter_kept(const struct history *history, struct replicas *replicas, size_t node,
                         const struct record *record, char *ret_why, size_t size)
{
    int64_t least = 0, most = 0, value = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct record *other = &history->records[i];
        if (other->kind != RECORD_COUNTER_ADD || !same_object(record, other))
            continue;
        least += other->outcome == OUTCOME_SURE ? other->number : 0;
        most += other->outcome != OUTCOME_NONE ? other->number : 0;
    }
    if (replicas->count(replicas, node, record->bucket, record->key, &value))
        value = 0;
    if (value >= least && value <= most)
        return true;
    snprintf(ret_why, size, "counter %s/%s is %" PRId64 ", not %" PRId64 "..%" PRId64,
             record->bucket, record->key, value, least, most);
    return false;
}

static bool member_kept(const struct history *history, struct replicas *replicas, size_t node,
                        const struct record *added, char *ret_why, size_t size)
{
    if (replicas->has(replicas, node, added->bucket, added->key, added->member) != 0)
        return true;
    for (size_t i = 0; i < history->count; i++) {
        const struct record *other = &history->records[i];
        if (other->kind == RECORD_SET_REMOVE && other->outcome != OUTCOME_NONE &&
            same_object(other, added) && !strcmp(other->member, added->member))
            return true;
    }
    snprintf(ret_why, size, "%s of %s/%s was added, and is gone", added->member, added->bucket,
             added->key);
    return false;
}

bool history_kept(const struct history *history, struct replicas *replicas, size_t node,
                  char *ret_why, size_t size)
{
    for (size_t i = 0; i < history->count; i++) {
        const struct record *record = &history->records[i];
        if (record->kind == RECORD_COUNTER_ADD && first_of_object(history, i) &&
            !counter_kept(history, replicas, node, record, ret_why, size))
            return false;
        if (record->kind == RECORD_SET_ADD && record->outcome == OUTCOME_SURE &&
            !member_kept(history, replicas, node, record, ret_why, size))
            return false;
    }
    return true;
}

static bool holds(struct world *world, void *state, char *ret_why, size_t size)
{
    struct sim_replicas replicas;
    (void)state;
    sim_replicas_init(&replicas, world);
    return history_kept(load_history(world->load), &replicas.replicas, 0, ret_why, size);
}

const struct checker check_acknowledged = {
    .name = "acknowledged", .promise = "what was acknowledged is not lost", .holds = holds};
