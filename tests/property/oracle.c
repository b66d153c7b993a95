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
    for (size_t i = 0; i < oracle->promises_count; i++) {
        context_done(&oracle->promises[i].context);
        context_done(&oracle->promises[i].known);
    }
    mem_free(oracle->promises);
    mem_free(oracle->kept);
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

void oracle_promise(struct oracle *oracle, unsigned path, const struct context *context,
                    const struct knowledge *know, const struct cell *cell)
{
    struct promise_kept promise = {.path = path, .kept_at = oracle->kept_count};

    hold_ok(context_copy(&promise.context, context), "context");
    hold_ok(context_copy(&promise.known, know->context), "context");
    if (know->residue)
        hold_ok(context_join(&promise.known, know->residue), "context");
    for (size_t i = 0; i < cell->count; i++) {
        room_grow(&oracle->kept, oracle->kept_count, &oracle->kept_room, sizeof *oracle->kept);
        oracle->kept[oracle->kept_count++] = cell->entries[i].dot;
        promise.kept_count++;
    }
    room_grow(&oracle->promises, oracle->promises_count, &oracle->promises_room,
              sizeof *oracle->promises);
    oracle->promises[oracle->promises_count++] = promise;
}

/* Is the opening that made the last of these events in the history that is known? */
static bool entry_is_known(const struct oracle *oracle, const struct context *context,
                           const struct context_entry *entry)
{
    const struct knowledge know = {.context = context};
    const struct event event = {.dot = {entry->id, entry->n}, .nonce = entry->nonce};

    return oracle_covers(oracle, &know, &event);
}

static bool promise_breaks(const struct oracle *oracle, const struct promise_kept *promise,
                           const struct knowledge *know, struct dot dot)
{
    const struct knowledge then = {.context = &promise->known};
    size_t number = event_find(oracle, promise->path, dot, know);

    for (size_t i = 0; i < promise->kept_count; i++) {
        const struct dot *kept = &oracle->kept[promise->kept_at + i];

        if (kept->id == dot.id && kept->n == dot.n)
            return false;
    }
    return number != SIZE_MAX && oracle_covers(oracle, &then, &oracle->events[number]);
}

bool oracle_keeps(const struct oracle *oracle, unsigned path, const struct knowledge *know,
                  const struct cell *cell)
{
    for (size_t i = 0; i < oracle->promises_count; i++) {
        const struct promise_kept *promise = &oracle->promises[i];
        bool breaks = false, has = true;

        for (size_t k = 0; k < cell->count && promise->path == path; k++)
            breaks |= promise_breaks(oracle, promise, know, cell->entries[k].dot);
        for (size_t k = 0; k < promise->context.count && breaks && has; k++)
            has = entry_is_known(oracle, know->context, &promise->context.entries[k]);
        if (breaks && has)
            return false;
    }
    return true;
}

void oracle_forget(struct oracle *oracle, uint64_t id, uint64_t above)
{
    for (size_t i = 0; i < oracle->events_count; i++) {
        if (oracle->events[i].dot.id == id && oracle->events[i].dot.n > above)
            oracle->events[i].forgotten = true;
    }
    for (size_t i = 0; i < oracle->promises_count; i++) {
        if (context_get(&oracle->promises[i].context, id) > above)
            oracle->promises[i].path = PATHS; /* of none */
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
