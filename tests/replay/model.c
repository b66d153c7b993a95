/* What a difference must be to be one of the known ones. Where the store and a reference follow
 * rules that differ, both rules are here, in a few lines over sets of events: a value that is not
 * as recorded is explained when the file has what the reference's rule gives, and the store shows
 * what ours does. */
#include <string.h>

#include "base/alloc.h"
#include "tests/replay/replay.h"

enum { EVENTS_MAX = 256, WORDS = EVENTS_MAX / 64 };
enum { REFERENCE, OURS, SIDES };

struct bits {
    uint64_t words[WORDS];
};

/* What a replica, a snap, a context or a delta has. */
struct state {
    struct bits live[SIDES], seen[SIDES];
    struct bits pending; /* of the reference: to be removed when it comes */
    size_t best;         /* LWW of the reference: number of the event + 1 */
};

/* What an actor of a counter has done: increments and decrements, and rights it has given. */
enum { KIND_INC, KIND_DEC, KIND_GIVE };
struct row {
    int64_t sides[2], given[REPLICAS_MAX];
    /* Ours: what was given to it and it has made its own when it spent, and the event of the giver
     * (its number + 1) that it knew of then. */
    int64_t taken[REPLICAS_MAX];
    size_t taken_at[REPLICAS_MAX];
    size_t at; /* the row's own */
};

struct model_event {
    unsigned actor;
    const char *cell;
    bool adds; /* a set's element, a flag */
    int64_t stamp;
    int64_t total[SIDES]; /* of the actor, by rule */
    struct row row;       /* of the actor */
    unsigned kind, to;    /* which part of the row it changed */
    const json_t *value;
    struct bits known; /* ours: what whoever knows of it knows */
};

struct model {
    const struct history *history;
    enum { MODEL_LWW, MODEL_ROWS, MODEL_CHAIN, MODEL_TOKEN } rule;
    struct model_event events[EVENTS_MAX];
    size_t events_count;
    struct state replicas[REPLICAS_MAX];
    struct bits chain[REPLICAS_MAX]; /* of a counter: what the last event of the actor knows */
    struct state *kept;              /* snaps by k, deltas by D */
    size_t kept_count, kept_room;
    struct state *contexts;
    size_t contexts_count, contexts_room;
    const struct state *at; /* whose value is asked for */
    bool lost;              /* it could not follow */
};

static const char *const rule_names[] = {"client-timestamps", "one-side-deltas", "deltas-know-more",
                                         "tokens-know-more"};

static bool bit(const struct bits *bits, size_t number)
{
    return bits->words[number / 64] >> (number % 64) & 1;
}

static void bit_set(struct bits *bits, size_t number)
{
    bits->words[number / 64] |= (uint64_t)1 << (number % 64);
}

static void bits_join(struct bits *bits, const struct bits *other)
{
    for (size_t i = 0; i < WORDS; i++)
        bits->words[i] |= other->words[i];
}

static void bits_cut(struct bits *bits, const struct bits *other)
{
    for (size_t i = 0; i < WORDS; i++)
        bits->words[i] &= ~other->words[i];
}

static int rule_of(const struct history *history)
{
    const char *type = history->kind->name;

    if (strcmp(type, "lww") == 0)
        return history->has_deltas ? -1 : MODEL_LWW;
    if (strcmp(type, "pncounter") == 0)
        return history->has_deltas ? MODEL_ROWS : -1;
    switch (history->kind->shape) {
    case SHAPE_SET:
    case SHAPE_FLAG:
        return history->has_deltas ? MODEL_CHAIN : MODEL_TOKEN;
    case SHAPE_REGISTER:
        return history->has_deltas ? MODEL_CHAIN : -1;
    case SHAPE_COUNTER:
        return history->has_deltas && strcmp(type, "ccounter") == 0 ? MODEL_CHAIN : -1;
    case SHAPE_BOUNDED:
        return history->has_deltas ? MODEL_ROWS : -1;
    case SHAPE_LWW:
    case SHAPE_MAP:
    case SHAPE_TEXT:
        break;
    }
    return -1;
}

struct model *model_new(const struct history *history)
{
    int rule = rule_of(history);
    struct model *model = rule < 0 ? NULL : mem_new(sizeof *model);

    if (model) {
        model->history = history;
        model->rule = (unsigned)rule;
    }
    return model;
}

void model_free(struct model *model)
{
    if (!model)
        return;
    mem_free(model->kept);
    mem_free(model->contexts);
    mem_free(model);
}

/* ---- joins ---- */

static bool is_better(const struct model *model, size_t a, size_t b)
{
    const struct model_event *left = &model->events[a - 1], *right = &model->events[b - 1];

    if (left->stamp != right->stamp)
        return left->stamp > right->stamp;
    return strcmp(json_string_value(left->value), json_string_value(right->value)) > 0;
}

static void join(const struct model *model, struct state *into, const struct state *from)
{
    for (int side = 0; side < SIDES; side++) {
        for (size_t i = 0; i < WORDS; i++) {
            uint64_t a = into->live[side].words[i], b = from->live[side].words[i];
            uint64_t seen_a = into->seen[side].words[i], seen_b = from->seen[side].words[i];

            into->live[side].words[i] = (a & b) | (a & ~seen_b) | (b & ~seen_a);
            into->seen[side].words[i] = seen_a | seen_b;
        }
    }
    bits_join(&into->pending, &from->pending);
    bits_cut(&into->live[REFERENCE], &into->pending);
    bits_cut(&into->pending, &into->seen[REFERENCE]);
    if (into->best == 0 || (from->best != 0 && is_better(model, from->best, into->best)))
        into->best = from->best;
}

/* ---- operations: what each makes, as a delta ---- */

static struct model_event *event_new(struct model *model, unsigned actor, const char *cell)
{
    struct model_event *event = &model->events[model->events_count];

    if (model->events_count == EVENTS_MAX || !cell) {
        model->lost = true;
        return NULL;
    }
    model->events_count++;
    event->actor = actor;
    event->cell = cell;
    return event;
}

static void make_lww(struct model *model, struct state *replica, unsigned actor, const json_t *op)
{
    struct model_event *event = event_new(model, actor, "");
    size_t number = model->events_count - 1;

    if (!event)
        return;
    event->value = json_array_get(op, 1);
    event->stamp = (int64_t)json_integer_value(json_array_get(op, 2));
    if (!json_is_string(event->value)) {
        model->lost = true;
        return;
    }
    if (replica->best == 0 || event->stamp >= model->events[replica->best - 1].stamp)
        replica->best = number + 1;
    memset(&replica->live[OURS], 0, sizeof replica->live[OURS]);
    bit_set(&replica->live[OURS], number);
    bit_set(&replica->seen[OURS], number);
}

/* Who spends takes what others have given it, as far as it knows. */
static void row_take(const struct model *model, const struct state *replica, unsigned actor,
                     struct row *row)
{
    size_t last[REPLICAS_MAX] = {0};

    for (size_t i = 0; i < model->events_count; i++) {
        if (bit(&replica->seen[OURS], i))
            last[model->events[i].actor] = i + 1;
    }
    for (unsigned i = 0; i < REPLICAS_MAX; i++) {
        int64_t given = last[i] ? model->events[last[i] - 1].row.given[actor] : 0;

        if (given <= row->taken[i])
            continue;
        row->taken[i] = given;
        row->taken_at[i] = last[i];
    }
}

static void make_row(struct model *model, const struct state *replica, unsigned actor,
                     const json_t *op, struct state *ret_delta)
{
    const char *verb = json_string_value(json_array_get(op, 0));
    struct model_event *event = event_new(model, actor, "");
    size_t number = model->events_count - 1;
    int64_t by = (int64_t)json_integer_value(json_array_get(op, 1));

    if (!event)
        return;
    event->to = (unsigned)json_integer_value(json_array_get(op, 2)) % REPLICAS_MAX;
    event->kind = strcmp(verb, "inc") == 0   ? KIND_INC
                  : strcmp(verb, "dec") == 0 ? KIND_DEC
                                             : KIND_GIVE;
    for (size_t i = 0; i < number; i++) {
        if (model->events[i].actor == actor)
            event->row = model->events[i].row;
    }
    if (event->kind != KIND_GIVE)
        event->row.sides[event->kind] += by;
    else if (event->to != actor)
        event->row.given[event->to] += by;
    bit_set(&ret_delta->seen[REFERENCE], number);
    if (event->kind == KIND_GIVE && event->to == actor)
        return; /* no event of ours */
    if (event->kind != KIND_INC)
        row_take(model, replica, actor, &event->row);
    event->row.at = number + 1;
    bit_set(&ret_delta->seen[OURS], number);
}

/* What is live of a cell (NULL: of all) goes; of `actor` alone, if it is one. */
static void supersede(const struct model *model, const struct state *replica, const char *cell,
                      int actor, struct state *delta, int64_t totals[SIDES])
{
    for (size_t i = 0; i < model->events_count; i++) {
        const struct model_event *event = &model->events[i];

        if ((cell && strcmp(event->cell, cell) != 0) ||
            (actor >= 0 && event->actor != (unsigned)actor))
            continue;
        for (int side = 0; side < SIDES; side++) {
            if (!bit(&replica->live[side], i))
                continue;
            totals[side] += event->total[side];
            bit_set(&delta->seen[side], i);
            if (side == OURS)
                bits_join(&delta->seen[OURS], &event->known);
        }
    }
}

/* Of a counter, whose events have one id for each replica. */
static void follow_chain(struct model *model, unsigned actor, struct state *delta)
{
    if (model->history->kind->shape != SHAPE_COUNTER)
        return;
    bits_join(&delta->seen[OURS], &model->chain[actor]);
    model->chain[actor] = delta->seen[OURS];
}

static void make_clear(struct model *model, const struct state *replica, unsigned actor,
                       const char *cell, struct state *ret_delta)
{
    static const struct bits nothing;
    int64_t totals[SIDES] = {0};

    supersede(model, replica, cell, -1, ret_delta, totals);
    /* To remove nothing is no event. */
    if (memcmp(&ret_delta->seen[OURS], &nothing, sizeof nothing) != 0)
        follow_chain(model, actor, ret_delta);
}

static void make_put(struct model *model, const struct state *replica, unsigned actor,
                     const char *cell, bool adds, const json_t *value, struct state *ret_delta)
{
    bool counts = model->history->kind->shape == SHAPE_COUNTER;
    int64_t totals[SIDES] = {0};
    struct state delta = {0};
    struct model_event *event;
    size_t number;

    supersede(model, replica, cell, counts ? (int)actor : -1, &delta, totals);
    event = event_new(model, actor, cell);
    if (!event)
        return;
    number = model->events_count - 1;
    event->adds = adds;
    event->value = value;
    for (int side = 0; side < SIDES; side++) {
        event->total[side] = totals[side] + (int64_t)json_integer_value(value);
        bit_set(&delta.live[side], number);
        bit_set(&delta.seen[side], number);
    }
    follow_chain(model, actor, &delta);
    event->known = delta.seen[OURS];
    join(model, ret_delta, &delta);
}

/* A removal at one cell (NULL: all) of what a context has seen. */
static void make_seen(struct model *model, struct state *replica, const struct state *context,
                      const char *cell)
{
    for (size_t i = 0; i < model->events_count; i++) {
        struct bits one = {{0}};

        if (cell && strcmp(model->events[i].cell, cell) != 0)
            continue;
        bit_set(&one, i);
        if (bit(&context->seen[REFERENCE], i)) {
            bits_cut(&replica->live[REFERENCE], &one);
            if (!bit(&replica->seen[REFERENCE], i))
                bits_join(&replica->pending, &one);
        }
        if (bit(&context->seen[OURS], i)) {
            bits_cut(&replica->live[OURS], &one);
            bits_join(&replica->seen[OURS], &one);
        }
    }
}

/* One element or flag, or all. */
static void make_one(struct model *model, struct state *replica, const struct state *context,
                     unsigned actor, const char *verb, const char *cell, struct state *delta)
{
    bool tokens = model->history->kind->type != NEAP_SET && model->history->kind->type != NEAP_FLAG;
    bool adds = strncmp(verb, "add", 3) == 0 || strcmp(verb, "enable") == 0;
    bool resets = strcmp(verb, "reset") == 0;

    if (resets)
        cell = NULL;
    if (!resets && (adds || tokens))
        make_put(model, replica, actor, cell, adds, NULL, delta);
    else if (context)
        make_seen(model, replica, context, cell);
    else
        make_clear(model, replica, actor, cell, delta);
}

static void make_causal(struct model *model, struct state *replica, const struct state *context,
                        unsigned actor, const json_t *op, struct state *ret_delta)
{
    const char *verb = json_string_value(json_array_get(op, 0));
    const json_t *what = json_array_get(op, 1), *element;
    enum shape shape = model->history->kind->shape;
    size_t i;

    if (shape == SHAPE_FLAG) {
        make_one(model, replica, context, actor, verb, "", ret_delta);
    } else if (shape == SHAPE_SET && json_is_array(what)) {
        json_array_foreach(what, i, element)
            make_one(model, replica, context, actor, verb, json_string_value(element), ret_delta);
    } else if (shape == SHAPE_SET) {
        make_one(model, replica, context, actor, verb, json_string_value(what), ret_delta);
    } else if (strcmp(verb, "reset") == 0) {
        make_clear(model, replica, actor, NULL, ret_delta);
    } else {
        make_put(model, replica, actor, "", true, what, ret_delta);
    }
}

/* ---- steps ---- */

static struct state *state_at(struct state **states, size_t *count, size_t *room, size_t number)
{
    while (*count <= number) {
        *states = room_more(*states, *count, room, sizeof **states);
        (*states)[(*count)++] = (struct state){0};
    }
    return &(*states)[number];
}

static struct state *kept_at(struct model *model, size_t number)
{
    return state_at(&model->kept, &model->kept_count, &model->kept_room, number);
}

static size_t index_of(const json_t *step, size_t at)
{
    return (size_t)json_integer_value(json_array_get(step, at)) % 10000;
}

static void follow_op(struct model *model, const json_t *step, const struct state *context)
{
    unsigned actor = (unsigned)(index_of(step, 1) % REPLICAS_MAX);
    struct state *replica = &model->replicas[actor], delta = {0};
    const json_t *op = json_array_get(step, 2);

    model->at = replica;
    if (!json_is_string(json_array_get(op, 0))) {
        model->lost = true;
        return;
    }
    if (model->rule == MODEL_LWW)
        make_lww(model, replica, actor, op);
    else if (model->rule == MODEL_ROWS)
        make_row(model, replica, actor, op, &delta);
    else
        make_causal(model, replica, context, actor, op, &delta);
    join(model, replica, &delta);
    if (model->history->has_deltas)
        *kept_at(model, index_of(step, 3)) = delta;
}

static void follow_group(struct model *model, const json_t *step)
{
    struct state group = {0};
    const json_t *part;
    size_t i;

    json_array_foreach(json_array_get(step, 2), i, part)
        join(model, &group, kept_at(model, (size_t)json_integer_value(part) % 10000));
    *kept_at(model, index_of(step, 1)) = group;
}

void model_step(struct model *model, const json_t *step)
{
    const char *verb = json_string_value(json_array_get(step, 0));
    size_t first = index_of(step, 1), second = index_of(step, 2) % REPLICAS_MAX;
    struct state *to = &model->replicas[second];

    model->at = to;
    if (strcmp(verb, "op") == 0)
        follow_op(model, step, NULL);
    else if (strcmp(verb, "cop") == 0)
        follow_op(model, step,
                  state_at(&model->contexts, &model->contexts_count, &model->contexts_room,
                           index_of(step, 3)));
    else if (strcmp(verb, "merge") == 0)
        join(model, to, &model->replicas[first % REPLICAS_MAX]);
    else if (strcmp(verb, "snap") == 0)
        *kept_at(model, first) = *to;
    else if (strcmp(verb, "ctx") == 0)
        *state_at(&model->contexts, &model->contexts_count, &model->contexts_room, first) = *to;
    else if (strcmp(verb, "load") == 0 || strcmp(verb, "delta") == 0)
        join(model, to, kept_at(model, first));
    else if (strcmp(verb, "group") == 0)
        follow_group(model, step);
    else
        model->lost = true;
}

void model_final(struct model *model)
{
    for (unsigned i = 1; i < model->history->replicas; i++)
        join(model, &model->replicas[0], &model->replicas[i]);
    model->at = &model->replicas[0];
}

/* ---- values ---- */

static json_t *value_lww(const struct model *model, int side)
{
    const struct state *state = model->at;
    const struct model_event *best = NULL;

    if (side == REFERENCE)
        best = state->best ? &model->events[state->best - 1] : NULL;
    for (size_t i = 0; i < model->events_count && side == OURS; i++) {
        const struct model_event *event = &model->events[i];

        if (bit(&state->live[OURS], i) &&
            (!best || event->stamp > best->stamp ||
             (event->stamp == best->stamp && event->actor >= best->actor)))
            best = event;
    }
    return best ? json_deep_copy(best->value) : json_string("");
}

/* The reference's state is the largest of each part of a row; ours the last row. */
static void rows_seen(const struct model *model, int side, struct row rows[REPLICAS_MAX])
{
    for (size_t i = 0; i < model->events_count; i++) {
        const struct model_event *event = &model->events[i];
        struct row *row = &rows[event->actor];

        if (!bit(&model->at->seen[side], i))
            continue;
        if (side == OURS)
            *row = event->row;
        else if (event->kind == KIND_GIVE)
            row->given[event->to] = event->row.given[event->to];
        else
            row->sides[event->kind] = event->row.sides[event->kind];
    }
}

/* What a row has, less what others took of it that it does not say to have given: not below 0 where
 * they knew more of it. */
static int64_t row_has(const struct row rows[REPLICAS_MAX], unsigned who)
{
    const struct row *row = &rows[who];
    int64_t has = row->sides[0] - row->sides[1], early = 0;

    for (unsigned i = 0; i < REPLICAS_MAX; i++) {
        int64_t more = rows[i].taken[who] - row->given[i];

        has += row->taken[i] - row->given[i];
        if (more > 0 && row->at > 0 && rows[i].taken_at[who] > row->at)
            early += more;
        else if (more > 0 && row->at > 0)
            has -= more;
    }
    return has - (has < 0 ? 0 : early < has ? early : has);
}

/* The sum; of a bounded counter the rights of whoever is asked, too. */
static json_t *value_rows(const struct model *model, int side)
{
    size_t who = (size_t)(model->at - model->replicas);
    struct row rows[REPLICAS_MAX];
    int64_t value = 0, rights = 0;

    memset(rows, 0, sizeof rows);
    rows_seen(model, side, rows);
    for (unsigned i = 0; i < REPLICAS_MAX; i++) {
        int64_t has = row_has(rows, i);

        value += has;
        rights += i == who ? has : 0;
        for (unsigned k = 0; k < REPLICAS_MAX; k++) {
            int64_t under_way = rows[i].given[k] - rows[k].taken[i];

            value += under_way > 0 ? under_way : 0;
            rights += k == who && under_way > 0 ? under_way : 0;
        }
    }
    if (model->history->kind->shape != SHAPE_BOUNDED)
        return json_integer(value);
    return json_pack("[I,I]", (json_int_t)value, (json_int_t)rights);
}

/* Are there live events of the cell, and do all of them add? */
static bool is_in(const struct model *model, int side, const char *cell, bool none)
{
    bool in = none;

    for (size_t i = 0; i < model->events_count; i++) {
        if (!bit(&model->at->live[side], i) || strcmp(model->events[i].cell, cell) != 0)
            continue;
        if (!model->events[i].adds)
            return false;
        in = true;
    }
    return in;
}

static json_t *value_list(const struct model *model, int side)
{
    bool set = model->history->kind->shape == SHAPE_SET;
    json_t *list = json_array(), *last = NULL;

    for (size_t i = 0; i < model->events_count; i++) {
        const struct model_event *event = &model->events[i];
        bool again = false;

        if (!bit(&model->at->live[side], i) || (set && !is_in(model, side, event->cell, false)))
            continue;
        for (size_t k = 0; set && k < json_array_size(list); k++)
            again |= strcmp(json_string_value(json_array_get(list, k)), event->cell) == 0;
        last = set ? json_string(event->cell) : json_deep_copy(event->value);
        if (again)
            json_decref(last);
        else
            json_array_append_new(list, last);
    }
    value_normal(model->history->kind, list);
    return list;
}

static json_t *value_sum(const struct model *model, int side)
{
    int64_t value = 0;

    for (size_t i = 0; i < model->events_count; i++) {
        if (bit(&model->at->live[side], i))
            value += model->events[i].total[side];
    }
    return json_integer(value);
}

static json_t *value_of(const struct model *model, int side)
{
    const struct kind *kind = model->history->kind;

    if (model->rule == MODEL_LWW)
        return value_lww(model, side);
    if (model->rule == MODEL_ROWS)
        return value_rows(model, side);
    if (kind->shape == SHAPE_COUNTER)
        return value_sum(model, side);
    if (kind->shape == SHAPE_FLAG)
        return json_boolean(is_in(model, side, "", kind->starts_on));
    return value_list(model, side);
}

json_t *model_value(const struct model *model, bool ours)
{
    if (!model || model->lost || !model->at)
        return NULL;
    return value_of(model, ours ? OURS : REFERENCE);
}

static bool model_is(const struct model *model, bool ours, const json_t *value)
{
    json_t *expected = model_value(model, ours), *given;
    bool equal;

    if (!expected)
        return false;
    given = json_deep_copy(value);
    value_normal(model->history->kind, given);
    equal = json_equal(expected, given);
    json_decref(expected);
    json_decref(given);
    return equal;
}

bool model_explains(const struct model *model, const json_t *recorded, const json_t *read,
                    const char **ret_rule)
{
    if (!model_is(model, false, recorded) || !model_is(model, true, read))
        return false;
    *ret_rule = rule_names[model->rule];
    return true;
}
