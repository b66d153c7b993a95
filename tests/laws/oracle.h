/* What a history is made of, and its oracle: which keeps nothing but the list of events. */
#ifndef NEAP_TEST_ORACLE_H
#define NEAP_TEST_ORACLE_H
#include "base/rng.h"
#include "tests/laws/history.h"

/* Events fit the bits of a word. */
enum { EVENTS_MAX = 64, IDS_MAX = 8, REPLICAS_MAX = 5, CELLS = 2, WIRE_MAX = 12 };
enum { STEPS = 70, STAMPS = 4, BYTES_MAX = 1 << 20 };

typedef uint64_t events; /* a set of them */

/* What happened: the oracle's only memory. */
struct event {
    struct dot dot;
    unsigned cell;
    events gone; /* what it replaced or removed */
    bool adds;
    uint64_t stamp;
    int64_t number, total; /* of a counter: added; with all that it folded */
    enum op_kind kind;
    events past;   /* what its maker saw of the cell, and meant */
    events killed; /* additions of an exact counter that do not count any more */
};

/* A cell as it travels: with what its sender knows. */
struct state {
    struct buffer bytes;
    struct context base, residue;
    events known; /* what base and residue stand for */
};

struct replica {
    unsigned id; /* index of its replica id */
    uint64_t counter;
    struct context base;
    events known;
    struct state cells[CELLS]; /* their base is the replica's, and unused here */
};

/* One cell, or a replica's cells and context as they were at one moment. */
struct message {
    struct state cells[CELLS];
    bool has[CELLS];
    struct context base;
    events known;
};

struct history {
    struct rng rng;
    enum neap_type type;
    uint64_t ids[IDS_MAX];
    unsigned ids_count, replicas_count, events_count, wire_count;
    struct event events[EVENTS_MAX];
    struct replica replicas[REPLICAS_MAX];
    struct message wire[WIRE_MAX];
    bool removals; /* was anything ever removed? */
    char *why;
};

/* Remembers the first thing that does not hold. */
__attribute__((format(printf, 2, 3))) bool fails(struct history *history, const char *format, ...);

events event_bit(size_t index);
/* The dots that a cell must have, of one who knows these events. */
events explain(const struct history *history, unsigned cell, events known);
/* Which events the dots of a cell are; ~0 for a dot that never was. */
events dots_of(const struct history *history, const struct cell *cell);
/* Is the value of the cell that of one who knows these events, whose dots are `live`? */
bool check_value(struct history *history, const struct cell *cell, unsigned index, events live,
                 events known);
#endif
