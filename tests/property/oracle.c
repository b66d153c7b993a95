#include "tests/property/world.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

void room_grow(void *array, size_t count, size_t *room, size_t size)
{
    size_t wanted = *room ? *room * 2 : 16;
    void *memory;

    if (count < *room)
        return;
    memcpy(&memory, array, sizeof memory);
    memory = mem_resize(memory, wanted * size);
    must(memory);
    memcpy(array, &memory, sizeof memory);
    *room = wanted;
}

void oracle_done(struct oracle *oracle)
{
    mem_free(oracle->events);
    mem_free(oracle->gone);
    for (unsigned i = 0; i < PATHS; i++)
        mem_free(oracle->paths[i]);
    mem_free(oracle->births);
    mem_free(oracle->marks);
    *oracle = (struct oracle){0};
}

void oracle_birth(struct oracle *oracle, uint64_t id, uint32_t nonce, uint64_t since,
                  uint32_t before)
{
    room_grow(&oracle->births, oracle->births_count, &oracle->births_room, sizeof *oracle->births);
    oracle->births[oracle->births_count++] =
        (struct birth){.id = id, .nonce = nonce, .since = since, .before = before};
}

static const struct birth *birth_find(const struct oracle *oracle, uint64_t id, uint32_t nonce)
{
    for (size_t i = oracle->births_count; i-- > 0;) {
        if (oracle->births[i].id == id && oracle->births[i].nonce == nonce)
            return &oracle->births[i];
    }
    return NULL;
}

/* The entry of the id with the higher n, of the two parts of a knowledge. */
static struct context_entry entry_of(const struct knowledge *know, uint64_t id)
{
    const struct context_entry *a = know->context ? context_find(know->context, id) : NULL;
    const struct context_entry *b = know->residue ? context_find(know->residue, id) : NULL;

    if (a && b)
        return a->n >= b->n ? *a : *b;
    if (a || b)
        return a ? *a : *b;
    return (struct context_entry){.id = id};
}

bool oracle_covers(const struct oracle *oracle, const struct knowledge *know,
                   const struct event *event)
{
    struct context_entry entry = entry_of(know, event->dot.id);
    uint32_t nonce = entry.nonce;

    if (event->dot.n > entry.n)
        return false;
    while (oracle->forks && nonce != event->nonce) {
        const struct birth *birth = birth_find(oracle, event->dot.id, nonce);

        if (!birth || event->dot.n > birth->since)
            return false;
        nonce = birth->before;
    }
    return true;
}

/* The event of that dot in the history that is known; SIZE_MAX: none. */
static size_t event_find(const struct oracle *oracle, unsigned path, struct dot dot,
                         const struct knowledge *know)
{
    for (size_t i = oracle->paths_count[path]; i-- > 0;) {
        const struct event *event = &oracle->events[oracle->paths[path][i]];

        if (event->dot.id == dot.id && event->dot.n == dot.n && !event->forgotten &&
            oracle_covers(oracle, know, event))
            return oracle->paths[path][i];
    }
    return SIZE_MAX;
}

void oracle_event(struct oracle *oracle, unsigned path, struct dot dot, uint32_t nonce,
                  const struct cell *old, const struct cell *now, const struct knowledge *know,
                  int64_t number)
{
    struct event event = {
        .dot = dot,
        .nonce = nonce,
        .path = path,
        .live = cell_find(now, dot) != NULL,
        .number = number,
        .gone_at = oracle->gone_count,
    };

    for (size_t i = 0; i < old->count; i++) {
        if (cell_find(now, old->entries[i].dot))
            continue;
        room_grow(&oracle->gone, oracle->gone_count, &oracle->gone_room, sizeof *oracle->gone);
        oracle->gone[oracle->gone_count] = event_find(oracle, path, old->entries[i].dot, know);
        hold(oracle->gone[oracle->gone_count] != SIZE_MAX, "a cell has a dot that no event made");
        oracle->gone_count++;
        event.gone_count++;
    }
    room_grow(&oracle->events, oracle->events_count, &oracle->events_room, sizeof *oracle->events);
    room_grow(&oracle->paths[path], oracle->paths_count[path], &oracle->paths_room[path],
              sizeof **oracle->paths);
    oracle->paths[path][oracle->paths_count[path]++] = oracle->events_count;
    oracle->events[oracle->events_count++] = event;
}

enum { MARK_COVERED = 1, MARK_REMOVED = 2 };

bool oracle_explains(struct oracle *oracle, unsigned path, const struct knowledge *know,
                     const struct cell *cell)
{
    const size_t *numbers = oracle->paths[path];
    size_t count = oracle->paths_count[path], live = 0;

    while (oracle->marks_room < oracle->events_count)
        room_grow(&oracle->marks, oracle->marks_room, &oracle->marks_room, 1);
    for (size_t i = 0; i < count; i++)
        oracle->marks[numbers[i]] = 0;
    for (size_t i = 0; i < count; i++) {
        const struct event *event = &oracle->events[numbers[i]];

        if (event->forgotten || !oracle_covers(oracle, know, event))
            continue;
        oracle->marks[numbers[i]] |= MARK_COVERED;
        for (size_t k = 0; k < event->gone_count; k++)
            oracle->marks[oracle->gone[event->gone_at + k]] |= MARK_REMOVED;
    }
    for (size_t i = 0; i < count; i++) {
        const struct event *event = &oracle->events[numbers[i]];

        if (oracle->marks[numbers[i]] != MARK_COVERED || !event->live)
            continue;
        live++;
        if (!cell_find(cell, event->dot))
            return false;
    }
    return live == cell->count;
}

void oracle_forget(struct oracle *oracle, uint64_t id, uint64_t above)
{
    for (size_t i = 0; i < oracle->events_count; i++) {
        if (oracle->events[i].dot.id == id && oracle->events[i].dot.n > above)
            oracle->events[i].forgotten = true;
    }
}

void oracle_rename(struct oracle *oracle, const struct knowledge *know, struct opening opening,
                   uint64_t until, uint64_t old, uint64_t id)
{
    for (size_t i = 0; i < oracle->events_count; i++) {
        struct event *event = &oracle->events[i];

        if (event->dot.id != old || event->dot.n <= opening.since || event->dot.n > until ||
            event->forgotten || !oracle_covers(oracle, know, event))
            continue;
        must(event->nonce == opening.nonce);
        event->dot = (struct dot){id, event->dot.n - opening.since};
    }
}

int64_t oracle_sum(const struct oracle *oracle, unsigned path, const struct knowledge *know)
{
    int64_t sum = 0;

    for (size_t i = 0; i < oracle->paths_count[path]; i++) {
        const struct event *event = &oracle->events[oracle->paths[path][i]];

        if (!event->forgotten && oracle_covers(oracle, know, event))
            sum += event->number;
    }
    return sum;
}
