/* What must, may and can't be in one place, by what callers were told. Strong where something is
 * certain, silent where it is not. Nothing of the engine is in here. */
#ifndef NEAP_SIM_JUDGE_H
#define NEAP_SIM_JUDGE_H
#include "sim/history.h"

#define JUDGE_HIDDEN (SIZE_MAX ^ SIZE_MAX >> 1)

struct judge {
    const struct history *history;
    struct replicas *replicas;
    size_t node; /* that is looked at */
    /* NULL: at rest, where all that happened is everywhere. Else only this is known to be where we
     * look: what the session wrote itself, and what it has seen. */
    const struct sight *known;
    uint32_t session;
    /* Records that the session has found gone, with JUDGE_HIDDEN when only hidden: they must not
     * come back. */
    const size_t *dead;
    size_t dead_count;
    uint8_t *calls; /* enum outcome by call: what was found out of those that may have happened */
    char *why;
    size_t size;
    /* Of the cell that is judged. */
    const struct record **writes, **removes;
    size_t writes_count, writes_room, removes_count, removes_room;
};

void judge_init(struct judge *judge, const struct history *history, struct replicas *replicas,
                size_t node, char *ret_why, size_t size);
void judge_done(struct judge *judge);
/* At rest: calls of which nobody knows whether they happened are known by what they left. False: a
 * part of one is there, and another isn't. */
bool judge_calls(struct judge *judge);
/* False: something is missing in the cell; something is there that must not be. */
bool judge_kept(struct judge *judge, size_t cell);
bool judge_gone(struct judge *judge, size_t cell);

/* ---- for the checkers of sessions ---- */
/* Both are records of one cell, or the first is a removal of all below a place that has it. */
bool record_saw(const struct history *history, const struct record *record,
                const struct record *other);
bool record_may_have_seen(const struct history *history, const struct record *record,
                          const struct record *other);
/* Writes of the cell that surely were here, and are not (any more). */
void judge_find_gone(struct judge *judge, size_t cell, void (*each)(void *arg, size_t number),
                     void *arg);
/* May some removal have hit the cell? */
bool judge_is_removed(struct judge *judge, size_t cell);
#endif
