/* One history, played in one way: its steps, and the values after them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tests/replay/replay.h"

bool play_fail(struct play *play, const char *format, ...)
{
    va_list args;

    if (play->text[0] == '\0') {
        va_start(args, format);
        vsnprintf(play->text, sizeof play->text, format, args);
        va_end(args);
    }
    play->is_over = true;
    return false;
}

bool play_ok(struct play *play, int error, const char *what)
{
    if (error)
        play_fail(play, "%s: %s", what, error_name(error));
    return !play->is_over;
}

/* ---- numbers and replicas in a step ---- */

/* 0 when it is none, and the play is over. */
static size_t number_at(struct play *play, const json_t *step, size_t index, size_t below)
{
    const json_t *number = json_array_get(step, index);
    bool fits = json_is_integer(number) && json_integer_value(number) >= 0 &&
                (size_t)json_integer_value(number) < below;

    (void)hold(play, fits, "element %zu of the step must be a number below %zu", index, below);
    return fits ? (size_t)json_integer_value(number) : 0;
}

/* Opened, unless the play is over. */
static struct replica *replica_at(struct play *play, const json_t *step, size_t index)
{
    struct replica *replica = play->replicas[number_at(play, step, index, play->history->replicas)];

    replica_open(play, replica);
    return replica;
}

static struct replica **slot_at(struct replica ***slots, size_t *count, size_t *room, size_t number)
{
    while (*count <= number) {
        *slots = room_more(*slots, *count, room, sizeof **slots);
        (*slots)[(*count)++] = NULL;
    }
    return &(*slots)[number];
}

enum { NUMBERS_MAX = 10000 };

static struct replica **kept_at(struct play *play, const json_t *step, size_t index)
{
    return slot_at(&play->kept, &play->kept_count, &play->kept_room,
                   number_at(play, step, index, NUMBERS_MAX));
}

static struct replica **context_at(struct play *play, const json_t *step, size_t index)
{
    return slot_at(&play->contexts, &play->contexts_count, &play->contexts_room,
                   number_at(play, step, index, NUMBERS_MAX));
}

static void copy_into(struct play *play, struct replica **slot, struct replica *from)
{
    struct replica *copy = play->is_over ? NULL : play_copy(play, from);

    replica_free(*slot);
    *slot = copy;
}

/* ---- values ---- */

/* What the file itself says to be right where its source was wrong. */
static const json_t *spec_value(const struct history *history, size_t step)
{
    const json_t *differs = json_object_get(history->json, "spec_differs"), *one, *last;
    size_t i;

    /* The final value is that of the last merge, if the steps end with it. */
    if (step > 0 && step == history->steps_count) {
        last = json_array_get(history->steps, --step);
        if (!json_equal(json_array_get(last, json_array_size(last) - 1),
                        json_object_get(history->json, "final")))
            return NULL;
    }
    json_array_foreach(differs, i, one)
    {
        if ((size_t)json_integer_value(json_array_get(one, 0)) == step)
            return json_array_get(one, 1);
    }
    return NULL;
}

static bool values_equal(const struct play *play, const json_t *recorded, const json_t *read)
{
    json_t *want = json_deep_copy(recorded), *have = json_deep_copy(read);
    bool equal;

    value_normal(play->history->kind, want);
    value_normal(play->history->kind, have);
    equal = json_equal(want, have);
    json_decref(want);
    json_decref(have);
    return equal;
}

static void value_fail(struct play *play, const json_t *recorded, json_t *read)
{
    json_t *theirs = model_value(play->model, false), *ours = model_value(play->model, true);
    char *want = value_text(recorded), *have = value_text(read);

    if (theirs && ours) {
        char *by_theirs = value_text(theirs), *by_ours = value_text(ours);

        play_fail(play, "it shows %s, not %s (by the reference's rule %s, by ours %s)", have, want,
                  by_theirs, by_ours);
        free(by_theirs);
        free(by_ours);
    } else {
        play_fail(play, "it shows %s, not %s", have, want);
    }
    free(want);
    free(have);
    json_decref(theirs);
    json_decref(ours);
    json_decref(read);
}

static void value_check(struct play *play, struct replica *replica, const json_t *recorded)
{
    const json_t *spec = spec_value(play->history, play->step);
    const char *rule = NULL;
    json_t *read;

    if (play->is_over || !hold(play, recorded, "no value is recorded"))
        return;
    if (play->history->kind->shape == SHAPE_BOUNDED)
        play->rights = json_array_size(recorded) - 1;
    read = value_read(play, replica);
    if (!read)
        return;
    play->values++;
    if (values_equal(play, recorded, read)) {
        json_decref(read);
        return;
    }
    if (!model_explains(play->model, recorded, read, &rule) && spec &&
        values_equal(play, spec, read))
        rule = "reference-anomaly";
    if (rule) {
        play->rule = rule;
        play->differing++;
        json_decref(read);
        return;
    }
    value_fail(play, recorded, read);
}

/* ---- steps ---- */

static void step_op(struct play *play, const json_t *step, struct replica *context)
{
    const struct history *history = play->history;
    struct replica *replica = replica_at(play, step, 1);
    bool delta = history->has_deltas;
    uint64_t counter;

    if (delta) {
        if (!hold(play, number_at(play, step, 3, NUMBERS_MAX) == play->deltas_count,
                  "delta %zu comes next", play->deltas_count))
            return;
        delta_new(play);
    }
    if (!replica_ready(play, replica, play_has_ids(play)))
        return;
    play->making = delta ? &play->deltas[play->deltas_count - 1] : NULL;
    counter = context_get(&replica->shard->context, replica->shard->replica);
    op_apply(play, replica, json_array_get(step, 2), context);
    if (play->way == WAY_PUSH && !play->is_over) {
        play_push(play, replica, counter);
        if (play_has_ids(play))
            delta_make_push(play, play->making);
    }
    play->making = NULL;
    value_check(play, replica, json_array_get(step, delta || context ? 4 : 3));
}

static void step_cop(struct play *play, const json_t *step)
{
    struct replica **context = context_at(play, step, 3);

    if (hold(play, *context, "a context that nobody read") &&
        hold(play, !play->history->has_deltas, "a context in a history of deltas"))
        step_op(play, step, *context);
}

static void step_merge(struct play *play, const json_t *step)
{
    struct replica *from = replica_at(play, step, 1), *to = replica_at(play, step, 2);

    play_merge(play, from, to);
    value_check(play, to, json_array_get(step, 3));
}

static void step_load(struct play *play, const json_t *step)
{
    struct replica *from = *kept_at(play, step, 1), *to = replica_at(play, step, 2);

    if (!hold(play, from, "a snap that nobody took"))
        return;
    play_merge(play, from, to);
    value_check(play, to, json_array_get(step, 3));
}

static void step_delta(struct play *play, const json_t *step)
{
    size_t number = number_at(play, step, 1, play->deltas_count);
    struct replica *to = replica_at(play, step, 2);

    if (!play->is_over)
        delta_take(play, to, number);
    value_check(play, to, json_array_get(step, 3));
}

static void step_group(struct play *play, const json_t *step)
{
    const json_t *list = json_array_get(step, 2);
    size_t count = json_array_size(list);
    struct delta *group;

    (void)hold(play, number_at(play, step, 1, NUMBERS_MAX) == play->deltas_count,
               "delta %zu comes next", play->deltas_count);
    (void)hold(play, json_is_array(list), "a group without a list");
    for (size_t i = 0; i < count; i++)
        number_at(play, list, i, play->deltas_count);
    if (play->is_over)
        return;
    group = delta_new(play);
    for (size_t i = 0; i < count; i++) {
        group->parts =
            room_more(group->parts, group->parts_count, &group->parts_room, sizeof *group->parts);
        group->parts[group->parts_count++] = (size_t)json_integer_value(json_array_get(list, i));
    }
}

static void step_get(struct play *play, const json_t *step)
{
    struct replica *replica = replica_at(play, step, 1);

    copy_into(play, context_at(play, step, 2), replica);
    value_check(play, replica, json_array_get(step, 3));
}

static void step_put(struct play *play, const json_t *step)
{
    struct replica *replica = replica_at(play, step, 1), *context = NULL;
    uint64_t counter;

    if (!json_is_null(json_array_get(step, 2))) {
        context = *context_at(play, step, 2);
        if (!hold(play, context, "a context that nobody read"))
            return;
    }
    if (!replica_ready(play, replica, false))
        return;
    counter = context_get(&replica->shard->context, replica->shard->replica);
    op_put(play, replica, json_array_get(step, 3), context);
    if (play->way == WAY_PUSH && !play->is_over)
        play_push(play, replica, counter);
    value_check(play, replica, json_array_get(step, 4));
}

/* Refused for what is specific to the reference, mostly. */
static void step_err(struct play *play, const json_t *step)
{
    struct replica *replica = replica_at(play, step, 1);

    if (!play->is_over && play->history->kind->shape == SHAPE_BOUNDED)
        bounded_refuse(play, replica, json_array_get(step, 2));
}

static void step_do(struct play *play, const json_t *step)
{
    const char *verb = json_string_value(json_array_get(step, 0));
    bool dvv = play->history->is_dvv;

    if (!hold(play, verb, "a step that is not [name...]"))
        return;
    if (strcmp(verb, "err") == 0 && !dvv) {
        step_err(play, step);
        return;
    }
    if (play->model)
        model_step(play->model, step);
    if (strcmp(verb, dvv ? "sync" : "merge") == 0)
        step_merge(play, step);
    else if (dvv && strcmp(verb, "get") == 0)
        step_get(play, step);
    else if (dvv && strcmp(verb, "put") == 0)
        step_put(play, step);
    else if (!dvv && strcmp(verb, "op") == 0)
        step_op(play, step, NULL);
    else if (!dvv && strcmp(verb, "cop") == 0)
        step_cop(play, step);
    else if (!dvv && strcmp(verb, "snap") == 0)
        copy_into(play, kept_at(play, step, 1), replica_at(play, step, 2));
    else if (!dvv && strcmp(verb, "ctx") == 0)
        copy_into(play, context_at(play, step, 1), replica_at(play, step, 2));
    else if (!dvv && strcmp(verb, "load") == 0)
        step_load(play, step);
    else if (!dvv && strcmp(verb, "delta") == 0)
        step_delta(play, step);
    else if (!dvv && strcmp(verb, "group") == 0)
        step_group(play, step);
    else
        play_fail(play, "step %s is not known", verb);
}

static void play_final(struct play *play)
{
    if (play->model)
        model_final(play->model);
    for (unsigned i = 1; i < play->history->replicas; i++)
        play_merge(play, play->replicas[i], play->replicas[0]);
    value_check(play, play->replicas[0], json_object_get(play->history->json, "final"));
    play->is_over = true;
}

/* What a play that failed has left in a batch that it shares. */
static void play_clear(struct play *play)
{
    for (unsigned i = 0; i < play->history->replicas; i++) {
        if (play->replicas[i] && play->replicas[i]->shard)
            batch_clear(play->replicas[i]->batch);
    }
}

bool play_step(struct play *play)
{
    if (play->is_over)
        return false;
    if (play->step < play->history->steps_count) {
        step_do(play, json_array_get(play->history->steps, play->step));
        play->step += !play->is_over;
    } else {
        play_final(play);
    }
    if (play->is_over)
        play_clear(play);
    return !play->is_over;
}

/* ---- beginning and end ---- */

void play_begin(struct play *play, const struct history *history, enum way way, struct rocks *rocks,
                unsigned number, uint64_t seed)
{
    *play = (struct play){
        .history = history,
        .way = way,
        .rocks = rocks,
        .number = number,
    };
    rng_init(&play->rng, seed);
    buffer_init(&play->bytes, CELL_SIZE_MAX);
    buffer_init(&play->more, CELL_SIZE_MAX);
    play->model = model_new(history);
    for (unsigned i = 0; i < history->replicas && !play->is_over; i++) {
        struct disk *disk = rocks ? rocks_disk(rocks, i) : NULL;

        play->replicas[i] = replica_new(play, i, disk, rocks ? rocks_batch(rocks, i) : NULL);
    }
}

void play_close(struct play *play)
{
    for (unsigned i = 0; i < play->history->replicas; i++) {
        if (play->replicas[i])
            replica_close(play, play->replicas[i]);
    }
}

void play_end(struct play *play)
{
    for (unsigned i = 0; i < REPLICAS_MAX; i++)
        replica_free(play->replicas[i]);
    for (size_t i = 0; i < play->kept_count; i++)
        replica_free(play->kept[i]);
    for (size_t i = 0; i < play->contexts_count; i++)
        replica_free(play->contexts[i]);
    for (size_t i = 0; i < play->deltas_count; i++)
        delta_done(&play->deltas[i]);
    for (size_t i = 0; i < play->pushes_count; i++)
        buffer_done(&play->pushes[i].bytes);
    for (size_t i = 0; i < play->paths_count; i++)
        buffer_done(&play->paths[i]);
    mem_free(play->kept);
    mem_free(play->contexts);
    mem_free(play->deltas);
    mem_free(play->pushes);
    mem_free(play->paths);
    mem_free(play->made);
    buffer_done(&play->bytes);
    buffer_done(&play->more);
    model_free(play->model);
}
