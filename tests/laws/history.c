#include "tests/laws/history.h"

#include <inttypes.h>
#include <string.h>

#include "base/broken.h"
#include "base/error.h"
#include "crdt/bounded.h"
#include "tests/laws/oracle.h"

static void state_init(struct state *state)
{
    *state = (struct state){0};
    buffer_init(&state->bytes, BYTES_MAX);
    must(!buffer_append_u8(&state->bytes, 0x90)); /* a cell without dots */
}

static void state_done(struct state *state)
{
    buffer_done(&state->bytes);
    context_done(&state->base);
    context_done(&state->residue);
}

static void state_copy(struct state *state, const struct state *from, const struct replica *replica)
{
    must(!buffer_set(&state->bytes, buffer_slice(&from->bytes)));
    must(!context_copy(&state->residue, &from->residue));
    must(!context_copy(&state->base, replica ? &replica->base : &from->base));
    state->known = from->known | (replica ? replica->known : 0);
}

/* Joins all that `from` knows to `context`. */
static void context_learn(struct context *context, const struct state *from)
{
    const struct knowledge knowledge = {&from->base, &from->residue};

    must(!knowledge_join(&knowledge, context));
}

static unsigned pick(struct history *history, unsigned bound)
{
    return (unsigned)rng_below(&history->rng, bound);
}

/* Is this the cell of one who knows what `state` knows? */
static bool check_state(struct history *history, const struct state *state, unsigned index,
                        const char *where)
{
    events want = explain(history, index, state->known);
    struct buffer again;
    struct cell cell;
    bool holds = true;

    cell_init(&cell);
    buffer_init(&again, BYTES_MAX);
    if (cell_decode(buffer_slice(&state->bytes), &cell) || cell_encode(&cell, &again) ||
        !slice_equal(buffer_slice(&again), buffer_slice(&state->bytes)))
        holds = fails(history, "%s: the encoding is not canonical", where);
    else if (type_check_cell(history->type, &cell))
        holds = fails(history, "%s: a payload is not of the type", where);
    else if (dots_of(history, &cell) != want)
        holds = fails(history, "%s: events %" PRIx64 ", not %" PRIx64, where,
                      dots_of(history, &cell), want);
    else
        holds = check_value(history, &cell, index, want, state->known);
    cell_done(&cell);
    buffer_done(&again);
    return holds;
}

static bool check_replica(struct history *history, const struct replica *replica)
{
    struct state state;
    bool holds = true;

    state_init(&state);
    for (unsigned i = 0; i < CELLS && holds; i++) {
        state_copy(&state, &replica->cells[i], replica);
        holds = check_state(history, &state, i, "replica");
    }
    state_done(&state);
    return holds;
}

/* -- the laws of merge -- */

/* The merged cell with all that both know. Returns how many dots came back to `a`. */
static unsigned state_merge(const struct state *a, const struct state *b, struct state *ret_merged)
{
    const struct knowledge know_a = {&a->base, &a->residue}, know_b = {&b->base, &b->residue};
    struct cell cell_a, cell_b, merged;
    unsigned healed = 0;

    cell_init(&cell_a);
    cell_init(&cell_b);
    cell_init(&merged);
    must(!cell_decode(buffer_slice(&a->bytes), &cell_a));
    must(!cell_decode(buffer_slice(&b->bytes), &cell_b));
    must(!cell_merge(&cell_a, &know_a, &cell_b, &know_b, &merged, &healed));
    buffer_clear(&ret_merged->bytes);
    must(!cell_encode(&merged, &ret_merged->bytes));
    context_clear(&ret_merged->base);
    context_clear(&ret_merged->residue);
    context_learn(&ret_merged->base, a);
    context_learn(&ret_merged->base, b);
    ret_merged->known = a->known | b->known;
    cell_done(&cell_a);
    cell_done(&cell_b);
    cell_done(&merged);
    return healed;
}

static bool same(const struct state *a, const struct state *b)
{
    return slice_equal(buffer_slice(&a->bytes), buffer_slice(&b->bytes)) &&
           context_equal(&a->base, &b->base);
}

static bool check_laws(struct history *history)
{
    struct state abc[3], ab, ba, bc, left, right;
    struct state *all[] = {&abc[0], &abc[1], &abc[2], &ab, &ba, &bc, &left, &right};
    unsigned cell = pick(history, CELLS);
    bool holds = true;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        state_init(all[i]);
    for (size_t i = 0; i < 3; i++) {
        struct replica *replica = &history->replicas[pick(history, history->replicas_count)];

        state_copy(&abc[i], &replica->cells[cell], replica);
    }
    state_merge(&abc[0], &abc[1], &ab);
    state_merge(&abc[1], &abc[0], &ba);
    if (!same(&ab, &ba))
        holds = fails(history, "merge is not commutative");
    state_merge(&abc[1], &abc[2], &bc);
    state_merge(&ab, &abc[2], &left);
    state_merge(&abc[0], &bc, &right);
    if (!same(&left, &right))
        holds = fails(history, "merge is not associative");
    if (!check_state(history, &left, cell, "merge of three"))
        holds = false;
    state_merge(&ab, &ab, &left);
    state_merge(&ab, &abc[0], &right);
    if (!same(&left, &ab) || !same(&right, &ab))
        holds = fails(history, "merge is not idempotent");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        state_done(all[i]);
    return holds;
}

/* -- editing -- */

/* What one who edits has seen: all that is here, or what some replica knew. */
static events choose_seen(struct history *history, struct op *op)
{
    const struct replica *other = &history->replicas[pick(history, history->replicas_count)];

    if (rng_chance(&history->rng, 60))
        return ~(events)0;
    op->seen = &other->base;
    return other->known;
}

/* What each type has to write with, and to take away; OP_REMOVE is for all. */
static const enum op_kind writes[][2] = {
    [NEAP_REGISTER] = {OP_REGISTER_SET, OP_REMOVE},
    [NEAP_LWW] = {OP_LWW_SET, OP_REMOVE},
    [NEAP_FLAG] = {OP_FLAG_ON, OP_FLAG_OFF},
    [NEAP_COUNTER] = {OP_COUNTER_ADD, OP_REMOVE},
    [NEAP_SET] = {OP_SET_ADD, OP_SET_REMOVE},
    [NEAP_MAX] = {OP_MAX_SET, OP_REMOVE},
    [NEAP_MIN] = {OP_MIN_SET, OP_REMOVE},
    [NEAP_FLAG_DW] = {OP_FLAG_DW_ON, OP_FLAG_DW_OFF},
    [NEAP_COUNTER_EXACT] = {OP_COUNTER_EXACT_ADD, OP_REMOVE},
    [NEAP_SET_RW] = {OP_SET_RW_ADD, OP_SET_RW_REMOVE},
    [NEAP_SCORES] = {OP_SCORE_SET, OP_SCORE_REMOVE},
    [NEAP_BOUNDED] = {OP_BOUNDED_ADD, OP_REMOVE},
};

bool history_has(unsigned type)
{
    return type < sizeof writes / sizeof *writes && writes[type][0];
}

static enum op_kind choose_kind(struct history *history)
{
    bool removes = rng_chance(&history->rng, history->removals ? 35 : 2);

    if (!removes && history->type == NEAP_SCORES && rng_chance(&history->rng, 50))
        return OP_SCORE_ADD;
    if (!removes && history->type == NEAP_BOUNDED && rng_chance(&history->rng, 25))
        return OP_BOUNDED_GIVE;
    if (!removes)
        return writes[history->type][0];
    if (type_collects(history->type) && rng_chance(&history->rng, 25))
        return OP_REMOVE;
    return writes[history->type][1];
}

/* What must go of the dots that are here. */
static events explain_gone(const struct history *history, const struct op *op,
                           const struct editor *editor, events here, events seen)
{
    events own = 0;

    if (op->kind == OP_REGISTER_SET && !op->seen)
        return 0;
    if (op->kind != OP_COUNTER_ADD && op->kind != OP_SCORE_ADD)
        return here & seen;
    for (size_t i = 0; i < history->events_count; i++) {
        struct dot dot = history->events[i].dot;

        if (history->events[i].kind == op->kind && dot.id == editor->id &&
            dot.n > editor->fold_after)
            own |= event_bit(i);
    }
    return here & seen & own;
}

/* Does a number lead no further than one that is seen? Then it is no event. */
static bool is_idle(const struct history *history, const struct op *op, events gone)
{
    for (size_t i = 0; i < history->events_count; i++) {
        int64_t number = history->events[i].number;

        if (gone & event_bit(i) && ((op->kind == OP_MAX_SET && op->number <= number) ||
                                    (op->kind == OP_MIN_SET && op->number >= number)))
            return true;
    }
    return false;
}

/* The additions of an exact counter that an event takes: a removal those that it saw; an addition,
 * and what is collected, those of its replica that its new dot leaves out, as they were taken. */
static events explain_killed(const struct history *history, unsigned id, unsigned cell,
                             const struct op *op, events known, events seen)
{
    events taken = 0, own = 0;

    for (size_t i = 0; i < history->events_count; i++) {
        const struct event *event = &history->events[i];

        if (!(known & event_bit(i)) || event->cell != cell)
            continue;
        taken |= event->killed;
        own |= event->dot.id == history->ids[id] ? event_bit(i) : 0;
    }
    return op->kind == OP_REMOVE ? known & seen : taken & own;
}

/* Makes the event of an edit that changes something. */
static void event_make(struct history *history, struct replica *replica, unsigned cell,
                       const struct op *op, events gone, events seen, struct edit *edit)
{
    size_t index = history->events_count;
    struct event *event = &history->events[index];
    events known = replica->known | replica->cells[cell].known;
    struct buffer bytes;

    *event = (struct event){.cell = cell, .gone = gone, .adds = edit->adds, .stamp = op->stamp};
    event->dot = (struct dot){history->ids[replica->id], ++replica->counter};
    event->kind = op->kind;
    event->number = event->total = op->number;
    event->past = known & seen;
    event->killed = explain_killed(history, replica->id, cell, op, known, seen);
    history->events_count++;
    for (size_t i = 0; i < index; i++)
        event->total += gone & event_bit(i) ? history->events[i].total : 0;
    if (edit->adds)
        must(!cell_add(&edit->kept, event->dot, buffer_slice(&edit->payload)));
    else
        history->removals = true;
    must(!context_raise(&replica->base, event->dot.id, event->dot.n, 0));
    replica->known |= event_bit(index);
    /* What is kept borrows from the old bytes. */
    buffer_init(&bytes, BYTES_MAX);
    must(!cell_encode(&edit->kept, &bytes));
    must(!buffer_set(&replica->cells[cell].bytes, buffer_slice(&bytes)));
    buffer_done(&bytes);
}

/* What all replicas have, when all that they have is here; else nothing. */
static void stable_learn(const struct history *history, const struct replica *replica,
                         struct context *stable)
{
    context_clear(stable);
    for (unsigned i = 0; i < history->replicas_count && !BROKEN("collects-blind"); i++)
        if (!context_covers(&replica->base, &history->replicas[i].base) &&
            !BROKEN("collects-early"))
            return;
    must(!context_copy(stable, &replica->base));
    for (unsigned i = 0; i < history->replicas_count && !BROKEN("collects-early"); i++) {
        const struct context *base = &history->replicas[i].base;

        for (size_t k = stable->count; k-- > 0;) {
            struct context_entry entry = stable->entries[k];
            uint64_t n = context_get(base, entry.id);

            if (n < entry.n)
                context_clip(stable, entry.id, n, 0);
        }
    }
}

static bool is_predicted(const struct history *history, const struct op *op)
{
    if (history->type == NEAP_BOUNDED)
        return op->kind == OP_REMOVE; /* which rows are folded is its own affair */
    return history->type != NEAP_COUNTER_EXACT && op->kind != OP_COLLECT;
}

/* Is the edit what the oracle says? */
static bool check_edit(struct history *history, const struct op *op, const struct edit *edit,
                       events here, events gone)
{
    bool adds = op->kind != OP_REMOVE && op->kind != OP_FLAG_OFF && op->kind != OP_SET_REMOVE &&
                op->kind != OP_SCORE_REMOVE;

    if (!is_predicted(history, op))
        return true;
    if (is_idle(history, op, gone))
        return !edit->changes || fails(history, "an edit that leads no further changes something");
    if (dots_of(history, &edit->kept) != (here & ~gone))
        return fails(history, "an edit keeps the wrong dots");
    if (edit->adds != adds || edit->changes != (adds || gone))
        return fails(history, "an edit changes or adds wrongly");
    return true;
}

/* An edit fails when there are too few rights, and only then. */
static bool check_refused(struct history *history, const struct op *op, const struct cell *old,
                          const struct editor *editor, int error)
{
    int64_t amount = op->kind == OP_BOUNDED_ADD ? -op->number : op->number;
    struct rights rights;

    if (history->type != NEAP_BOUNDED || op->kind == OP_REMOVE)
        return !error || fails(history, "an edit fails");
    must(!bounded_rights(old, editor->id, NULL, 0, &rights));
    if (error != (amount > 0 && (amount > rights.here || !editor->spends) ? NEAP_NORIGHTS : 0))
        return fails(history, "%" PRId64 " of %" PRId64 " rights give %d", amount, rights.here,
                     error);
    return true;
}

static bool edit_by(struct history *history, struct replica *replica, unsigned index, struct op *op,
                    events seen)
{
    struct state *state = &replica->cells[index];
    events here = explain(history, index, replica->known | state->known), gone;
    struct editor editor = {.id = history->ids[replica->id], .type = history->type};
    struct context stable = {0};
    struct edit edit;
    struct cell old;
    bool holds;
    int error;

    editor.fold_after = rng_chance(&history->rng, 70) ? 0 : replica->counter;
    editor.spends = !editor.fold_after; /* as of an id that is confirmed */
    editor.fold_write = replica->counter;
    editor.next = editor.birth = replica->counter + 1;
    editor.stable = &stable;
    stable_learn(history, replica, &stable);
    gone = explain_gone(history, op, &editor, here, seen);
    cell_init(&old);
    edit_init(&edit);
    must(!cell_decode(buffer_slice(&state->bytes), &old));
    error = type_edit(&old, op, &editor, &edit);
    holds = check_refused(history, op, &old, &editor, error);
    if (holds && !error)
        holds = check_edit(history, op, &edit, here, gone);
    if (holds && !error && edit.changes)
        event_make(history, replica, index, op, here & ~dots_of(history, &edit.kept), seen, &edit);
    cell_done(&old);
    edit_done(&edit);
    context_done(&stable);
    return holds;
}

static bool step_edit(struct history *history, struct replica *replica)
{
    unsigned index = pick(history, CELLS);
    uint8_t value = (uint8_t)history->events_count;
    struct op op = {.value = slice_of(&value, 1)};
    events seen;

    op.kind = choose_kind(history);
    op.number = op.kind == OP_REMOVE ? 0 : (int64_t)pick(history, 21) - 10;
    op.stamp = pick(history, STAMPS);
    if (op.kind == OP_BOUNDED_GIVE) {
        unsigned other =
            (replica->id + 1 + pick(history, history->ids_count - 1)) % history->ids_count;
        op.number = 1 + (int64_t)pick(history, 5);
        op.also = (int64_t)history->ids[other];
    }
    seen = op.kind == OP_BOUNDED_ADD || op.kind == OP_BOUNDED_GIVE ? ~(events)0
                                                                   : choose_seen(history, &op);
    return edit_by(history, replica, index, &op, seen);
}

static bool step_collect(struct history *history, struct replica *replica)
{
    struct op op = {.kind = OP_COLLECT};
    bool holds = true;

    for (unsigned i = 0; i < CELLS && holds && history->events_count < EVENTS_MAX; i++)
        holds = edit_by(history, replica, i, &op, ~(events)0);
    return holds;
}

/* -- exchanging -- */

static void message_init(struct message *message)
{
    *message = (struct message){0};
    for (size_t i = 0; i < CELLS; i++)
        state_init(&message->cells[i]);
}

static void message_done(struct message *message)
{
    for (size_t i = 0; i < CELLS; i++)
        state_done(&message->cells[i]);
    context_done(&message->base);
}

/* Replaces a message on the wire, or adds one: what is lost is lost. */
static void step_send(struct history *history, const struct replica *replica)
{
    bool whole = rng_chance(&history->rng, 25);
    unsigned cell = pick(history, CELLS), slot = history->wire_count;
    struct message *message;

    if (slot == WIRE_MAX)
        slot = pick(history, WIRE_MAX);
    else
        message_init(&history->wire[history->wire_count++]);
    message = &history->wire[slot];
    for (unsigned i = 0; i < CELLS; i++) {
        message->has[i] = whole || i == cell;
        state_copy(&message->cells[i], &replica->cells[i], replica);
    }
    context_clear(&message->base);
    message->known = 0;
    if (whole) {
        must(!context_copy(&message->base, &replica->base));
        message->known = replica->known;
    }
}

/* Drops of the residues what the context covers. */
static void replica_settle(struct replica *replica)
{
    for (size_t i = 0; i < CELLS; i++) {
        struct state *state = &replica->cells[i];

        must(!context_beyond(&state->residue, &replica->base, &state->residue));
    }
}

static unsigned take_cell(struct replica *replica, unsigned cell, const struct state *theirs)
{
    struct state mine, merged;
    unsigned healed;

    state_init(&mine);
    state_init(&merged);
    state_copy(&mine, &replica->cells[cell], replica);
    healed = state_merge(&mine, theirs, &merged);
    must(!buffer_set(&replica->cells[cell].bytes, buffer_slice(&merged.bytes)));
    context_learn(&replica->cells[cell].residue, theirs);
    replica->cells[cell].known |= theirs->known;
    state_done(&mine);
    state_done(&merged);
    return healed;
}

static void take_message(struct replica *replica, const struct message *message)
{
    for (unsigned i = 0; i < CELLS; i++) {
        if (message->has[i])
            take_cell(replica, i, &message->cells[i]);
    }
    must(!context_join(&replica->base, &message->base));
    replica->known |= message->known;
    replica_settle(replica);
}

static void step_take(struct history *history, struct replica *replica)
{
    unsigned slot;
    struct message last;

    if (history->wire_count == 0)
        return;
    slot = pick(history, history->wire_count);
    take_message(replica, &history->wire[slot]);
    if (rng_chance(&history->rng, 50))
        return; /* it will come again */
    last = history->wire[--history->wire_count];
    history->wire[history->wire_count] = history->wire[slot];
    history->wire[slot] = last;
    message_done(&history->wire[history->wire_count]);
}

/* -- a whole history -- */

static bool step(struct history *history)
{
    struct replica *replica = &history->replicas[pick(history, history->replicas_count)];
    unsigned x = pick(history, 100);

    if (x < 40 && history->events_count < EVENTS_MAX) {
        if (!step_edit(history, replica))
            return false;
    } else if (x < 60) {
        step_send(history, replica);
    } else if (x < 85) {
        step_take(history, replica);
    } else if (x < 89) {
        return check_laws(history);
    } else if (x < 97) {
        if (type_collects(history->type) && !step_collect(history, replica))
            return false;
    } else if (history->ids_count < IDS_MAX) {
        replica->id = history->ids_count++; /* a new life of the directory */
        replica->counter = 0;
    }
    return check_replica(history, replica);
}

static void take_all(struct replica *replica, const struct replica *from)
{
    struct message message;

    message_init(&message);
    for (size_t i = 0; i < CELLS; i++) {
        message.has[i] = true;
        state_copy(&message.cells[i], &from->cells[i], from);
    }
    must(!context_copy(&message.base, &from->base));
    message.known = from->known;
    take_message(replica, &message);
    message_done(&message);
}

static bool check_converged(struct history *history)
{
    const struct replica *first = &history->replicas[0];

    for (unsigned i = 0; i < history->replicas_count; i++) {
        const struct replica *replica = &history->replicas[i];

        if (!check_replica(history, replica))
            return false;
        if (!context_equal(&replica->base, &first->base))
            return fails(history, "contexts differ at the end");
        for (size_t cell = 0; cell < CELLS; cell++) {
            if (replica->cells[cell].residue.count > 0)
                return fails(history, "residue at the end");
            if (!slice_equal(buffer_slice(&replica->cells[cell].bytes),
                             buffer_slice(&first->cells[cell].bytes)))
                return fails(history, "cells differ at the end");
        }
    }
    return true;
}

/* One replica loses a dot, or the payload of one is damaged; all know the same. */
static bool check_damage(struct history *history)
{
    struct replica *one = &history->replicas[0], *other = &history->replicas[1];
    unsigned index = pick(history, CELLS), healed;
    struct state damaged, whole, there, here;
    struct cell cell;
    bool holds = true, loses = rng_chance(&history->rng, 50);
    size_t k;

    cell_init(&cell);
    must(!cell_decode(buffer_slice(&other->cells[index].bytes), &cell));
    if (cell.count == 0)
        return true;
    state_init(&damaged);
    state_init(&whole);
    state_init(&there);
    state_init(&here);
    k = pick(history, (unsigned)cell.count);
    if (loses)
        memmove(&cell.entries[k], &cell.entries[k + 1], (--cell.count - k) * sizeof *cell.entries);
    else
        cell.entries[k].payload = slice_text("damaged");
    state_copy(&damaged, &one->cells[index], one);
    state_copy(&whole, &other->cells[index], other);
    buffer_clear(&damaged.bytes);
    must(!cell_encode(&cell, &damaged.bytes));
    healed = state_merge(&damaged, &whole, &here);
    state_merge(&whole, &damaged, &there);
    if (!same(&here, &there))
        holds = fails(history, "damage is not merged alike on both sides");
    else if (loses && (healed != 1 || !same(&here, &whole)))
        holds = fails(history, "a lost dot does not come back");
    cell_done(&cell);
    state_done(&damaged);
    state_done(&whole);
    state_done(&there);
    state_done(&here);
    return holds;
}

static void exchange_all(struct history *history)
{
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < history->replicas_count; i++) {
            for (unsigned k = 0; k < history->replicas_count; k++)
                take_all(&history->replicas[i], &history->replicas[k]);
        }
    }
}

/* When all have all, nothing is left that only waited for that; but of an exact counter what only
 * its maker could rewrite, be it that it has another id by now. */
static bool collect_all(struct history *history)
{
    bool holds = true;

    if (!type_collects(history->type))
        return true;
    for (unsigned i = 0; i < history->replicas_count && holds; i++) {
        holds = step_collect(history, &history->replicas[i]);
        exchange_all(history);
    }
    for (unsigned i = 0; i < CELLS && holds && history->events_count < EVENTS_MAX; i++) {
        const struct state *state = &history->replicas[0].cells[i];
        struct cell cell;

        cell_init(&cell);
        must(!cell_decode(buffer_slice(&state->bytes), &cell));
        if (history->type != NEAP_COUNTER_EXACT && cell.count > 0 &&
            !type_is_live(history->type, &cell))
            holds = fails(history, "a no is left");
        cell_done(&cell);
    }
    return holds;
}

static bool finish(struct history *history)
{
    unsigned count = history->replicas_count;

    exchange_all(history);
    /* What comes late changes nothing. */
    for (unsigned i = 0; i < history->wire_count; i++)
        take_message(&history->replicas[pick(history, count)], &history->wire[i]);
    if (!check_converged(history) || !collect_all(history))
        return false;
    return check_converged(history) && check_damage(history);
}

static void history_init(struct history *history, enum neap_type type, uint64_t seed)
{
    rng_init(&history->rng, seed);
    history->type = type;
    history->replicas_count = 2 + pick(history, REPLICAS_MAX - 1);
    history->ids_count = history->replicas_count;
    history->removals = rng_chance(&history->rng, 70);
    for (size_t i = 0; i < IDS_MAX; i++)
        history->ids[i] = rng_u64(&history->rng);
    for (unsigned i = 0; i < history->replicas_count; i++) {
        history->replicas[i].id = i;
        for (size_t cell = 0; cell < CELLS; cell++)
            state_init(&history->replicas[i].cells[cell]);
    }
}

static void history_done(struct history *history)
{
    for (unsigned i = 0; i < history->replicas_count; i++) {
        context_done(&history->replicas[i].base);
        for (size_t cell = 0; cell < CELLS; cell++)
            state_done(&history->replicas[i].cells[cell]);
    }
    for (unsigned i = 0; i < history->wire_count; i++)
        message_done(&history->wire[i]);
}

bool history_run(enum neap_type type, uint64_t seed, char ret_why[HISTORY_WHY_SIZE])
{
    struct history history = {.why = ret_why};
    bool holds = true;

    ret_why[0] = 0;
    history_init(&history, type, seed);
    for (unsigned i = 0; i < STEPS && holds; i++)
        holds = step(&history);
    if (holds)
        holds = finish(&history);
    history_done(&history);
    return holds;
}
