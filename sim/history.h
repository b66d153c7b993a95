/* What callers asked for and were told: the only thing that the checkers of values believe. Of
 * simulated nodes and of real ones alike, so nothing of the engine is in here. */
#ifndef NEAP_SIM_HISTORY_H
#define NEAP_SIM_HISTORY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Did it happen? MAYBE: no answer, an answer that says so, or the only node that had it lost it. */
enum outcome { OUTCOME_OPEN, OUTCOME_NONE, OUTCOME_MAYBE, OUTCOME_SURE };

enum record_kind {
    RECORD_COUNTER_ADD, /* number */
    RECORD_SET_ADD,     /* member */
    RECORD_SET_REMOVE,  /* member: of all its additions that this node had */
    RECORD_LWW_SET,     /* member: the value */
    RECORD_REGISTER_SET,
    RECORD_FLAG_ON,
    RECORD_FLAG_OFF,
    RECORD_MAP_ADD, /* number, to the counter `member` of the map */
    RECORD_MAP_SET, /* of field `member` */
    RECORD_REMOVE,  /* everything below the key: its members or fields that this node had */
    RECORD_KINDS
};

struct record {
    enum record_kind kind;
    enum outcome outcome;
    size_t node;
    char bucket[16], key[16], member[32];
    int64_t number;
    uint64_t serial; /* of one call: its records stand and fall together on that node */
};

struct history {
    struct record *records;
    size_t count, room;
    uint64_t sure; /* calls acknowledged as durable */
};

void history_init(struct history *history);
void history_done(struct history *history);
size_t history_add(struct history *history, const struct record *record); /* its number */
void history_end(struct history *history, size_t number, enum outcome outcome);
/* A node's directory went back in time: what it alone acknowledged may be gone. */
void history_doubt(struct history *history, size_t node);

/* Whoever can read what is left, when all is healed and at rest. Negative: it cannot be read. */
struct replicas {
    int (*count)(struct replicas *replicas, size_t node, const char *bucket, const char *key,
                 int64_t *ret_value);
    /* Is the member in the set? 0 or 1. */
    int (*has)(struct replicas *replicas, size_t node, const char *bucket, const char *key,
               const char *member);
};

/* Checkers of values (check_acknowledged.c, check_removed.c): pure functions of a history and what
 * a node holds. True: it holds; else the first finding is in ret_why. */
bool history_kept(const struct history *history, struct replicas *replicas, size_t node,
                  char *ret_why, size_t size);
bool history_gone(const struct history *history, struct replicas *replicas, size_t node,
                  char *ret_why, size_t size);
#endif
