/* Histories told call by call, what a node is made to hold at their end, and what the checkers of
 * values say of that. */
#ifndef NEAP_TALE_H
#define NEAP_TALE_H
#include "sim/history.h"
#include "tests/support/test.h"

enum { A, B, C, THINGS_MAX = 32 };

/* What a node is made to hold. */
struct thing {
    enum record_kind kind;
    char key[HISTORY_TEXT], text[HISTORY_TEXT]; /* of a set, a register, an LWW register */
    int64_t number;
};

struct fake {
    struct replicas replicas; /* first */
    struct history history;
    struct thing things[THINGS_MAX];
    size_t count;
    uint64_t serial;
    char why[300];
};

extern struct fake fake;

/* ---- telling a history ---- */

void begin(void);
void end(void);
struct record record_of(enum record_kind kind, size_t node, const char *key, const char *text,
                        int64_t number);
/* A call begins; it is open. */
size_t call(enum record_kind kind, size_t node, const char *key, const char *text, int64_t number);
/* The call before goes on with one record more. */
size_t more(enum record_kind kind, size_t node, const char *key, const char *text, int64_t number);
void ends(size_t number, enum outcome outcome);
void did(enum outcome outcome, enum record_kind kind, size_t node, const char *key,
         const char *text, int64_t number);
void sure(enum record_kind kind, size_t node, const char *key, const char *text);
void adds(enum outcome outcome, size_t node, const char *key, int64_t number);
/* A register write by somebody who had seen so much of that node: all up to now, when `until`. */
void replaces(size_t node, const char *key, const char *value, size_t of, bool until);
/* Whatever is made from now on by that node has not been seen by this record. */
void blinds(size_t number, size_t of);

/* ---- what is there, and what they say ---- */

void there(enum record_kind kind, const char *key, const char *text);
void counts(const char *key, int64_t number);
void nothing(void);
bool says(const char *word);
bool kept(void);
bool gone(void);
bool fine(void);
#endif
