#include "tests/laws/oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "crdt/bounded.h"

bool fails(struct history *history, const char *format, ...)
{
    va_list arguments;

    if (!history->why[0]) {
        va_start(arguments, format);
        vsnprintf(history->why, HISTORY_WHY_SIZE, format, arguments);
        va_end(arguments);
    }
    return false;
}

events event_bit(size_t index)
{
    return (events)1 << index;
}

events explain(const struct history *history, unsigned cell, events known)
{
    events live = 0, gone = 0;

    for (size_t i = 0; i < history->events_count; i++) {
        const struct event *event = &history->events[i];

        if (event->cell != cell || !(known & event_bit(i)))
            continue;
        gone |= event->gone;
        live |= event->adds ? event_bit(i) : 0;
    }
    return live & ~gone;
}

events dots_of(const struct history *history, const struct cell *cell)
{
    events found = 0;

    for (size_t k = 0; k < cell->count; k++) {
        size_t i = 0;

        while (i < history->events_count &&
               dot_compare(history->events[i].dot, cell->entries[k].dot) != 0)
            i++;
        if (i == history->events_count)
            return ~(events)0;
        found |= event_bit(i);
    }
    return found;
}

/* The event that wins a last-writer-wins register. */
static size_t explain_winner(const struct history *history, events live)
{
    size_t best = EVENTS_MAX;

    for (size_t i = 0; i < history->events_count; i++) {
        const struct event *event = &history->events[i];

        if (!(live & event_bit(i)))
            continue;
        if (best == EVENTS_MAX || event->stamp > history->events[best].stamp ||
            (event->stamp == history->events[best].stamp &&
             dot_compare(event->dot, history->events[best].dot) > 0))
            best = i;
    }
    return best;
}

static bool check_counter(struct history *history, const struct cell *cell, unsigned index,
                          events live, events known)
{
    int64_t sum = 0, all = 0, value = 0;

    for (size_t i = 0; i < history->events_count; i++) {
        if (live & event_bit(i))
            sum += history->events[i].total;
        if (known & event_bit(i) && history->events[i].cell == index)
            all += history->events[i].number;
    }
    if (counter_value(cell, &value) != (live ? 0 : NEAP_NOTFOUND) || value != sum)
        return fails(history, "counter is %" PRId64 ", not %" PRId64, value, sum);
    if (!history->removals && value != all)
        return fails(history, "counter is %" PRId64 " after %" PRId64 " added", value, all);
    return true;
}

/* Has whoever knows these events all that their makers knew? */
static bool is_closed(const struct history *history, events known)
{
    for (size_t i = 0; i < history->events_count; i++)
        if (known & event_bit(i) && history->events[i].past & ~known)
            return false;
    return true;
}

/* Never below 0; and what was added less what was taken, where nothing is missing. */
static bool check_bounded(struct history *history, const struct cell *cell, unsigned index,
                          events live, events known)
{
    int64_t sum = 0, value = 0;

    for (size_t i = 0; i < history->events_count; i++) {
        const struct event *event = &history->events[i];

        if (known & event_bit(i) && event->cell == index && event->kind == OP_BOUNDED_ADD)
            sum += event->number;
    }
    if (bounded_value(cell, &value) != (live ? 0 : NEAP_NOTFOUND) || value < 0)
        return fails(history, "the bounded counter is %" PRId64, value);
    if (!history->removals && is_closed(history, known) && value != sum)
        return fails(history, "the bounded counter is %" PRId64 ", not %" PRId64, value, sum);
    return true;
}

/* What was set last, and all that was added. */
static bool check_score(struct history *history, const struct cell *cell, events live)
{
    events added = 0;
    int64_t sum = 0, score = 0;
    size_t winner;

    for (size_t i = 0; i < history->events_count; i++)
        added |= history->events[i].kind == OP_SCORE_ADD ? event_bit(i) : 0;
    for (size_t i = 0; i < history->events_count; i++)
        sum += live & added & event_bit(i) ? history->events[i].total : 0;
    winner = explain_winner(history, live & ~added);
    sum += winner == EVENTS_MAX ? 0 : history->events[winner].number;
    if (score_value(cell, &score) != (live ? 0 : NEAP_NOTFOUND) || score != sum)
        return fails(history, "the score is %" PRId64 ", not %" PRId64, score, sum);
    return true;
}

/* Every addition counts that no removal has seen. */
static bool check_exact(struct history *history, const struct cell *cell, unsigned index,
                        events known)
{
    struct neap_item item = {0};
    events counts = 0, killed = 0;
    int64_t sum = 0;
    int error;

    for (size_t i = 0; i < history->events_count; i++) {
        const struct event *event = &history->events[i];

        if (!(known & event_bit(i)) || event->cell != index)
            continue;
        killed |= event->killed;
        counts |= event->kind == OP_COUNTER_EXACT_ADD ? event_bit(i) : 0;
    }
    counts &= ~killed;
    for (size_t i = 0; i < history->events_count; i++)
        sum += counts & event_bit(i) ? history->events[i].number : 0;
    error = type_item(NEAP_COUNTER_EXACT, cell, &item);
    if (error != (counts ? 0 : NEAP_NOTFOUND) || item.number != sum)
        return fails(history, "exact counter is %" PRId64 ", not %" PRId64, item.number, sum);
    return true;
}

/* Of those that nobody followed with another: is there a yes and no no? */
static bool explain_vote(const struct history *history, unsigned cell, events known)
{
    events last = 0, past = 0;
    bool yes = false, no = false;

    for (size_t i = 0; i < history->events_count; i++) {
        const struct event *event = &history->events[i];

        if (!(known & event_bit(i)) || event->cell != cell || event->kind == OP_COLLECT)
            continue;
        last |= event_bit(i);
        past |= event->past;
    }
    for (size_t i = 0; i < history->events_count; i++) {
        enum op_kind kind = history->events[i].kind;

        if (!(last & ~past & event_bit(i)))
            continue;
        yes |= kind == OP_FLAG_DW_ON || kind == OP_SET_RW_ADD;
        no |= kind == OP_FLAG_DW_OFF || kind == OP_SET_RW_REMOVE;
    }
    return yes && !no;
}

static bool check_extreme(struct history *history, const struct cell *cell, events live)
{
    struct neap_item item = {0};
    int64_t best = 0;
    bool first = true;

    for (size_t i = 0; i < history->events_count; i++) {
        int64_t number = history->events[i].number;

        if (!(live & event_bit(i)))
            continue;
        if (first || (history->type == NEAP_MAX ? number > best : number < best))
            best = number;
        first = false;
    }
    if (type_item(history->type, cell, &item) != (live ? 0 : NEAP_NOTFOUND) || item.number != best)
        return fails(history, "the number furthest out is %" PRId64 ", not %" PRId64, item.number,
                     best);
    return true;
}

bool check_value(struct history *history, const struct cell *cell, unsigned index, events live,
                 events known)
{
    struct slice value = {0};
    size_t winner;

    if (history->type == NEAP_COUNTER)
        return check_counter(history, cell, index, live, known);
    if (history->type == NEAP_BOUNDED)
        return check_bounded(history, cell, index, live, known);
    if (history->type == NEAP_SCORES)
        return check_score(history, cell, live);
    if (history->type == NEAP_COUNTER_EXACT)
        return check_exact(history, cell, index, known);
    if (history->type == NEAP_MAX || history->type == NEAP_MIN)
        return check_extreme(history, cell, live);
    if (history->type == NEAP_FLAG_DW || history->type == NEAP_SET_RW)
        return type_is_live(history->type, cell) == explain_vote(history, index, known) ||
               fails(history, "the vote is %d", type_is_live(history->type, cell));
    if (type_is_live(history->type, cell) != (live != 0))
        return fails(history, "live is %d", !live);
    if (history->type == NEAP_LWW) {
        winner = explain_winner(history, live);
        if (winner == EVENTS_MAX)
            return lww_value(cell, &value, NULL) == NEAP_NOTFOUND;
        if (lww_value(cell, &value, NULL) || value.size != 1 || value.data[0] != winner)
            return fails(history, "not event %zu wins", winner);
    }
    for (size_t i = 0; history->type == NEAP_REGISTER && i < cell->count; i++) {
        if (register_value(cell, i, &value) || value.size != 1 ||
            dot_compare(history->events[value.data[0]].dot, cell->entries[i].dot) != 0)
            return fails(history, "sibling %zu has another value", i);
    }
    return true;
}
