/* The bounded counter: who may spend what. */
#include "crdt/bounded.h"

#include <string.h>

#include "base/error.h"
#include "tests/replay/replay.h"

/* The replica that gets rights; its number is in the operation. */
static const struct replica *receiver(struct play *play, const json_t *op)
{
    const json_t *to = json_array_get(op, 2);
    bool fits = json_is_integer(to) && json_integer_value(to) >= 0 &&
                json_integer_value(to) < (json_int_t)play->history->replicas;

    if (!hold(play, fits, "a transfer to none of the replicas"))
        return NULL;
    return play->replicas[json_integer_value(to)];
}

bool bounded_apply(struct play *play, struct replica *replica, struct slice path, const char *verb,
                   const json_t *op)
{
    const json_t *amount = json_array_get(op, 1);
    struct op change = {.kind = OP_BOUNDED_ADD, .number = json_integer_value(amount)};
    const struct replica *to;

    (void)hold(play, json_is_integer(amount), "an amount that is not an integer");
    if (strcmp(verb, "transfer") == 0) {
        to = receiver(play, op);
        if (!to || to == replica)
            return true; /* to oneself it is nothing */
        change.kind = OP_BOUNDED_GIVE;
        change.also = (int64_t)to->life;
    } else if (strcmp(verb, "dec") == 0) {
        change.number = -change.number;
    } else if (strcmp(verb, "inc") != 0) {
        return false;
    }
    replica_write(play, replica, path, &change);
    return true;
}

/* [the sum, rights of each replica], or of this one alone when no more are told. */
json_t *bounded_read(struct play *play, struct replica *replica)
{
    struct rights rights = {0};
    json_t *value = json_array();
    struct buffer path;
    struct cell cell;

    cell_init(&cell);
    buffer_init(&path, NEAP_PATH_MAX);
    if (play_ok(play, path_level(&path, slice_text("o"), NEAP_BOUNDED), "path"))
        replica_cell(play, replica, buffer_slice(&path), &play->bytes, &cell);
    for (size_t i = 0; i < play->rights && !play->is_over; i++) {
        uint64_t id = play->rights == 1             ? replica->life
                      : i < play->history->replicas ? play->replicas[i]->life
                                                    : UINT64_MAX;

        play_ok(play, bounded_rights(&cell, id, NULL, 0, &rights), "rights could not be read");
        if (i == 0)
            json_array_append_new(value, json_integer(rights.value));
        json_array_append_new(value, json_integer(rights.here));
    }
    cell_done(&cell);
    buffer_done(&path);
    return value;
}

/* What it has, or -1: that could not be read. */
static int64_t rights_here(struct play *play, struct replica *replica, struct slice path)
{
    struct rights rights = {.here = -1};
    struct cell cell;

    cell_init(&cell);
    replica_cell(play, replica, path, &play->bytes, &cell);
    play_ok(play, bounded_rights(&cell, replica->life, NULL, 0, &rights), "rights");
    cell_done(&cell);
    return rights.here;
}

void bounded_refuse(struct play *play, struct replica *replica, const json_t *op)
{
    const char *verb = json_string_value(json_array_get(op, 0));
    struct op change = {.kind = OP_BOUNDED_ADD,
                        .number = -json_integer_value(json_array_get(op, 1))};
    struct dot dot = {0};
    struct buffer path;

    buffer_init(&path, NEAP_PATH_MAX);
    if (verb && strcmp(verb, "dec") == 0 && replica_ready(play, replica, false) &&
        play_ok(play, path_level(&path, slice_text("o"), NEAP_BOUNDED), "path") &&
        rights_here(play, replica, buffer_slice(&path)) < -change.number)
        (void)hold(play,
                   shard_write(replica->shard, replica->batch, play->shard, buffer_slice(&path),
                               &change, &dot) == NEAP_NORIGHTS,
                   "more was spent than there are rights for");
    buffer_done(&path);
}
