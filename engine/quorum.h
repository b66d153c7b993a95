/* Counting answers: has enough of a group of nodes said yes, and if not, can it still? Nothing here
 * knows of nodes, nets or clocks; writes, waits and reads count by this alone, those of a ring with
 * its N as those of a mesh bucket, which all nodes hold. A condition on a part of the group (those
 * of one zone, the primaries) is a quorum of that part: both have to be reached. */
#ifndef NEAP_ENGINE_QUORUM_H
#define NEAP_ENGINE_QUORUM_H
#include <stdbool.h>

#include "neap.h"

/* Within a node a level may be a number as well, of call.r, w, pr or pw: so many nodes. It is above
 * all levels, as others are asked. */
enum { LEVEL_NODES = 0x10000, LEVEL_NODES_MAX = 0xffff };
enum neap_level level_of_nodes(unsigned nodes);
/* False: it is neither a level nor a number. */
bool level_is_one(uint64_t level);

struct quorum {
    unsigned members; /* of the group, whether they can be reached or not */
    unsigned need;    /* so many of them must say yes; 0: nobody is asked */
    unsigned yes;     /* have said it: each member counts once */
    unsigned no;      /* have said, or shown, that they will not in time */
    unsigned away;    /* have said nothing, and can't be reached now: they may come back */
    bool begun;       /* something was done already that can't be taken back */
    bool late;        /* the time is over */
};

enum quorum_verdict {
    QUORUM_DONE,
    QUORUM_WAITS,
    QUORUM_UNAVAILABLE, /* it can't be reached, and nothing was done */
    QUORUM_UNCERTAIN    /* not reached in time, and something was done */
};

/* How many of so many members a level asks for. REFUSED: levels of zones, which only rings have;
 * INVALID: it is no level. The text says so; error may be NULL. */
int quorum_need(enum neap_level level, unsigned members, unsigned *ret_need,
                struct neap_error *error);
/* Is it a level for that bucket at all? Levels of zones are for buckets of rings. REFUSED, INVALID.
 */
int quorum_check(enum neap_level level, const char *bucket, struct neap_error *error);
/* The same of a group of a ring: its owners of a slot, or those in one zone. */
unsigned quorum_of_group(enum neap_level level, unsigned members);
/* What is not begun is not waited for when it can't be reached without those who are away; what is
 * begun is, up to the end of its time. More yes than that never makes a verdict worse. */
enum quorum_verdict quorum_verdict(const struct quorum *quorum);
/* Of two groups that have to be reached both. */
enum quorum_verdict quorum_both(enum quorum_verdict one, enum quorum_verdict other);
/* 0, UNAVAILABLE or UNCERTAIN with a text of numbers; it must not be QUORUM_WAITS. */
int quorum_error(const struct quorum *quorum, enum quorum_verdict verdict,
                 struct neap_error *error);
#endif
