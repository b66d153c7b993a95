/* What callers asked for and were told: the only thing that the checkers of values believe. Of
 * simulated nodes and of real ones alike, so nothing of the engine is in here. */
#ifndef NEAP_SIM_HISTORY_H
#define NEAP_SIM_HISTORY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Did it happen? OPEN: no answer, and it may still happen. NONE: no. MAYBE: nobody knows, but it
 * won't happen any more: an answer that says so, the process ended, or the only node that had it
 * lost it. SURE: yes, durably. DONE: yes, there, and durably once anything later of that node is:
 * a power failure before that makes it a MAYBE. */
enum outcome { OUTCOME_OPEN, OUTCOME_NONE, OUTCOME_MAYBE, OUTCOME_SURE, OUTCOME_DONE };

enum record_kind {
    RECORD_COUNTER_ADD, /* number */
    RECORD_SET_ADD,     /* member */
    RECORD_SET_REMOVE,  /* member: of all its additions that this node had */
    RECORD_LWW_SET,     /* value */
    RECORD_REGISTER_SET,
    RECORD_FLAG_ON,
    RECORD_FLAG_OFF, /* of all its switchings on that this node had */
    RECORD_REMOVE,   /* everything at and below the key, of any type, that this node had */
    RECORD_OTHER,    /* other, number: of types of whose values nothing is promised here */
    RECORD_KINDS
};

enum { HISTORY_NODES = 8, HISTORY_TEXT = 32 };

/* One thing that a call asks for. Before history_add() only the first part is filled in; unused
 * texts are empty. */
struct record {
    enum record_kind kind;
    size_t node;     /* < HISTORY_NODES */
    char bucket[16]; /* a field of a map has the names from the map's on, with slashes: "m0/f1" */
    char key[HISTORY_TEXT];
    char member[HISTORY_TEXT];
    char value[HISTORY_TEXT]; /* no other write of that place has the same */
    int64_t number;
    unsigned other;   /* RECORD_OTHER: which operation, as the engine names them */
    uint64_t serial;  /* of one call: its records, in the order in which they are to happen, stand
                       * and fall together on that node */
    bool blind;       /* RECORD_REGISTER_SET: adds a sibling, replaces nothing */
    uint32_t sight;   /* history_sight(): more about what it had seen; 0: nothing is known */
    uint32_t session; /* of the caller; 0: none */

    /* The history's own. */
    enum outcome outcome;
    bool doubted;          /* its node's directory went back to before it */
    uint64_t begun, ended; /* moments; ended 0: it is open */
    uint64_t durable;      /* since that moment; 0: not known to be */
    uint32_t cell, next;   /* its place, and the next record there; 0: the last */
    uint32_t call;
};

/* A place that records speak of: a cell, or one that was removed with all below it. */
struct history_cell {
    enum record_kind kind; /* of what writes there; RECORD_REMOVE: removals of all below */
    uint64_t hash;
    uint32_t first, last; /* records, by number + 1 */
};

/* What a call had seen of others, when somebody knows more than that: of the records of a node,
 * those that began after `since` and ended until `until` for certain; none that began at `from` or
 * later. A call had seen what its node had when it began, and at most what it had when it ended. */
struct sight {
    uint64_t since[HISTORY_NODES], until[HISTORY_NODES], from[HISTORY_NODES];
};

struct history {
    struct record *records;
    size_t count, room;
    uint64_t sure;  /* calls acknowledged as durable */
    uint64_t ended; /* beginnings and ends so far: the mark of a moment */
    uint32_t calls;
    struct history_cell *cells;
    size_t cells_count, cells_room;
    uint32_t *table; /* of cells by hash: number + 1 */
    size_t table_size;
    struct sight *sights;
    size_t sights_count, sights_room;
    size_t done_from[HISTORY_NODES]; /* no record of the node before it is DONE */
};

void history_init(struct history *history);
void history_done(struct history *history);
size_t history_add(struct history *history, const struct record *record); /* its number */
void history_end(struct history *history, size_t number, enum outcome outcome);
/* The process of a node ended without a last sync. */
void history_crash(struct history *history, size_t node);
/* A node's directory went back in time: what it alone acknowledged may be gone. */
void history_doubt(struct history *history, size_t node);
/* To how it was at that mark: what it acknowledged before is still there. */
void history_doubt_since(struct history *history, size_t node, uint64_t mark);
/* A new sight that says nothing yet. The pointer is valid until the next one. */
uint32_t history_sight(struct history *history, struct sight **ret_sight);
void sight_init(struct sight *sight);

/* The cell of a place; SIZE_MAX: no record speaks of it. `kind` of any of its operations. */
size_t history_find(const struct history *history, enum record_kind kind, const char *bucket,
                    const char *key, const char *member);

/* Whoever can read what is left, when all is healed and at rest. Negative: it cannot be read, or
 * is not there. Functions may be NULL: then nothing is said of such places. Keys as in records. */
struct replicas {
    int (*count)(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                 int64_t *ret_value);
    /* Is the member in the set? 0 or 1. */
    int (*has)(struct replicas *replicas, size_t node, const char *bucket, const char *key,
               const char *member);
    int (*flag)(struct replicas *replicas, size_t node, const char *bucket, const char *key);
    /* The value of an LWW register: 0 or 1 of them. */
    int (*value)(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                 char ret_value[HISTORY_TEXT]);
    /* The sibling of a register at an index from 0 on: 0 or 1 of them. */
    int (*sibling)(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                   size_t index, char ret_value[HISTORY_TEXT]);
    /* All places where anything is; `each` says false to end it. The kind is of what writes there
     * (RECORD_SET_ADD, RECORD_FLAG_ON...); the member is empty when it's not a set's. */
    void (*all)(struct replicas *replicas, size_t node,
                bool (*each)(void *arg, enum record_kind kind, const char *bucket, const char *key,
                             const char *member),
                void *arg);
};

/* Checkers of values (check_acknowledged.c, check_removed.c): pure functions of a history and what
 * a node holds. True: it holds; else the first finding is in ret_why. */
/* Nothing is missing: counters add up, what was written and not removed or replaced is there. */
bool history_kept(const struct history *history, struct replicas *replicas, size_t node,
                  char *ret_why, size_t size);
/* Nothing is there that was removed or replaced, or that nobody wrote. */
bool history_gone(const struct history *history, struct replicas *replicas, size_t node,
                  char *ret_why, size_t size);
#endif
