#include "sim/history.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

void history_init(struct history *history)
{
    *history = (struct history){0};
}

void history_done(struct history *history)
{
    mem_free(history->records);
    mem_free(history->cells);
    mem_free(history->table);
    mem_free(history->sights);
    *history = (struct history){0};
}

/* ---- places ---- */

static enum record_kind kind_of_cell(enum record_kind kind)
{
    switch (kind) {
    case RECORD_SET_ADD:
    case RECORD_SET_REMOVE:
        return RECORD_SET_ADD;
    case RECORD_FLAG_ON:
    case RECORD_FLAG_OFF:
        return RECORD_FLAG_ON;
    case RECORD_COUNTER_ADD:
    case RECORD_LWW_SET:
    case RECORD_REGISTER_SET:
    case RECORD_REMOVE:
    case RECORD_OTHER:
    case RECORD_KINDS:
        break;
    }
    return kind;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    do
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    while (*text++);
    return hash;
}

static uint64_t hash_of(enum record_kind kind, const char *bucket, const char *key,
                        const char *member)
{
    uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325) + (uint64_t)kind, bucket);
    hash = hash_text(hash, key);
    if (kind == RECORD_SET_ADD)
        hash = hash_text(hash, member);
    return hash ^ hash >> 29;
}

/* Where the cell is in the table, or belongs. */
static size_t table_place(const struct history *history, uint64_t hash, enum record_kind kind,
                          const char *bucket, const char *key, const char *member)
{
    size_t at = (size_t)hash & (history->table_size - 1);
    for (; history->table[at]; at = (at + 1) & (history->table_size - 1)) {
        const struct history_cell *cell = &history->cells[history->table[at] - 1];
        if (cell->hash != hash || cell->kind != kind)
            continue;
        const struct record *record = &history->records[cell->first - 1];
        if (!strcmp(record->key, key) && !strcmp(record->bucket, bucket) &&
            (kind != RECORD_SET_ADD || !strcmp(record->member, member)))
            break;
    }
    return at;
}

static void table_grow(struct history *history)
{
    if (history->cells_count * 2 < history->table_size)
        return;
    mem_free(history->table);
    history->table_size = history->table_size ? history->table_size * 4 : 256;
    history->table = mem_new_array(history->table_size, sizeof *history->table);
    must(history->table);
    for (size_t i = 0; i < history->cells_count; i++) {
        size_t at = (size_t)history->cells[i].hash & (history->table_size - 1);
        while (history->table[at])
            at = (at + 1) & (history->table_size - 1);
        history->table[at] = (uint32_t)i + 1;
    }
}

size_t history_find(const struct history *history, enum record_kind kind, const char *bucket,
                    const char *key, const char *member)
{
    kind = kind_of_cell(kind);
    if (!history->table)
        return SIZE_MAX;
    uint64_t hash = hash_of(kind, bucket, key, member);
    uint32_t found = history->table[table_place(history, hash, kind, bucket, key, member)];
    return found ? found - 1 : SIZE_MAX;
}

static void cell_add_record(struct history *history, uint32_t number)
{
    struct record *record = &history->records[number - 1];
    enum record_kind kind = kind_of_cell(record->kind);
    uint64_t hash = hash_of(kind, record->bucket, record->key, record->member);
    table_grow(history);
    uint32_t *at =
        &history
             ->table[table_place(history, hash, kind, record->bucket, record->key, record->member)];
    if (!*at) {
        struct history_cell *cells = mem_reserve(history->cells, history->cells_count,
                                                 &history->cells_room, 1, sizeof *history->cells);
        must(cells);
        history->cells = cells;
        cells[history->cells_count] = (struct history_cell){.kind = kind, .hash = hash};
        *at = (uint32_t)++history->cells_count;
    }
    struct history_cell *cell = &history->cells[*at - 1];
    record->cell = *at - 1;
    if (cell->first)
        history->records[cell->last - 1].next = number;
    else
        cell->first = number;
    cell->last = number;
}

/* ---- calls ---- */

size_t history_add(struct history *history, const struct record *record)
{
    struct record *records =
        mem_reserve(history->records, history->count, &history->room, 1, sizeof *history->records);
    must(records && record->node < HISTORY_NODES && record->sight <= history->sights_count);
    history->records = records;
    struct record *added = &records[history->count++];
    *added = *record;
    added->outcome = OUTCOME_OPEN;
    added->doubted = false;
    added->begun = ++history->ended;
    added->ended = added->durable = 0;
    added->next = 0;
    if (history->count == 1 || added[-1].serial != added->serial)
        history->calls++;
    added->call = history->calls - 1;
    cell_add_record(history, (uint32_t)history->count);
    return history->count - 1;
}

/* What was done there before is as durable as this. */
static void done_are(struct history *history, size_t node, enum outcome outcome)
{
    for (size_t i = history->done_from[node]; i < history->count; i++) {
        struct record *record = &history->records[i];
        if (record->node != node || record->outcome != OUTCOME_DONE)
            continue;
        record->outcome = outcome;
        record->durable = outcome == OUTCOME_SURE ? history->ended : 0;
    }
    history->done_from[node] = SIZE_MAX;
}

void history_end(struct history *history, size_t number, enum outcome outcome)
{
    struct record *record = &history->records[number];
    bool first = number == 0 || record[-1].serial != record->serial;
    must(record->outcome == OUTCOME_OPEN);
    record->outcome = outcome;
    record->ended = ++history->ended;
    record->durable = outcome == OUTCOME_SURE ? record->ended : 0;
    history->sure += first && outcome == OUTCOME_SURE;
    if (outcome == OUTCOME_DONE && number < history->done_from[record->node])
        history->done_from[record->node] = number;
    if (outcome == OUTCOME_SURE)
        done_are(history, record->node, OUTCOME_SURE);
}

void history_crash(struct history *history, size_t node)
{
    done_are(history, node, OUTCOME_MAYBE);
}

void history_doubt(struct history *history, size_t node)
{
    history_doubt_since(history, node, 0);
}

void history_doubt_since(struct history *history, size_t node, uint64_t mark)
{
    for (size_t i = 0; i < history->count; i++) {
        struct record *record = &history->records[i];
        if (record->node != node || (record->durable && record->durable <= mark))
            continue;
        record->doubted = true;
        if (record->outcome == OUTCOME_SURE || record->outcome == OUTCOME_DONE)
            record->outcome = OUTCOME_MAYBE;
    }
}

/* ---- sights ---- */

void sight_init(struct sight *sight)
{
    *sight = (struct sight){0};
    for (size_t i = 0; i < HISTORY_NODES; i++)
        sight->from[i] = UINT64_MAX;
}

uint32_t history_sight(struct history *history, struct sight **ret_sight)
{
    struct sight *sights = mem_reserve(history->sights, history->sights_count,
                                       &history->sights_room, 1, sizeof *history->sights);
    must(sights);
    history->sights = sights;
    sight_init(&sights[history->sights_count]);
    *ret_sight = &sights[history->sights_count];
    return (uint32_t)++history->sights_count;
}
