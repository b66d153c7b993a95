#include "sim/history.h"

#include "base/alloc.h"
#include "base/error.h"

void history_init(struct history *history)
{
    *history = (struct history){0};
}

void history_done(struct history *history)
{
    mem_free(history->records);
    *history = (struct history){0};
}

size_t history_add(struct history *history, const struct record *record)
{
    struct record *records =
        mem_reserve(history->records, history->count, &history->room, 1, sizeof *history->records);
    must(records);
    history->records = records;
    records[history->count] = *record;
    return history->count++;
}

void history_end(struct history *history, size_t number, enum outcome outcome)
{
    struct record *record = &history->records[number];
    bool first = number == 0 || record[-1].serial != record->serial;
    must(record->outcome == OUTCOME_OPEN);
    record->outcome = outcome;
    history->sure += first && outcome == OUTCOME_SURE;
}

void history_doubt(struct history *history, size_t node)
{
    for (size_t i = 0; i < history->count; i++) {
        if (history->records[i].node == node && history->records[i].outcome == OUTCOME_SURE)
            history->records[i].outcome = OUTCOME_MAYBE;
    }
}
