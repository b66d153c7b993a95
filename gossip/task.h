/* Long work that is under way between this node and others, for operators: shown, paused, and
 * ended. There is no list of it: each task is read off the state of who does the work.
 *
 * A pause is of a kind of work in a bucket, and lasts until it is taken back, or the process ends.
 * None begins meanwhile. A compare that is under way is held before its next question: then it
 * keeps all other events of peers out of its bucket (design 2, rule 7), so end it rather. A repair
 * ends: what it has mended stays; the next one begins at the top, which costs a few questions. */
#ifndef NEAP_GOSSIP_TASK_H
#define NEAP_GOSSIP_TASK_H
#include "gossip/gossip.h"

/* X(name, word, what `done` counts) */
#define TASK_KINDS(X)              \
    X(PULL, "pull", "events")      \
    X(COMPARE, "compare", "cells") \
    X(REPAIR, "repair", "cells")   \
    X(HEAL, "heal", "")            \
    X(ASK, "ask", "peers")         \
    X(BUILD, "build", "cells")     \
    X(SCRUB, "scrub", "cells")     \
    X(ROUND, "scrub", "buckets")   \
    X(BACKUP, "backup", "files")

enum task_kind {
#define X(name, word, unit) TASK_##name,
    TASK_KINDS(X)
#undef X
        TASK_KINDS_END
};

enum task_state {
    TASK_RUNS,
    TASK_WAITS,   /* a compare that began, for its peer; a repair on order */
    TASK_PAUSING, /* an answer is awaited */
    TASK_PAUSED
};
enum task_order { TASK_PAUSE, TASK_RESUME, TASK_CANCEL };
enum { TASK_CANCEL_REST_MS = 60000 };

struct task {
    enum task_kind kind;
    enum task_state state;
    uint64_t shard;
    const char *bucket;   /* borrowed; NULL: of none */
    uint64_t number;      /* of an ask */
    char peer[128];       /* "": none, or several */
    uint64_t done, total; /* total 0: not known */
    uint64_t bytes;       /* received, of a kind that receives */
    uint64_t since_ms;    /* mono_ms; 0: it has not begun */
};

const char *task_word(enum task_kind kind);
const char *task_unit(enum task_kind kind);

typedef int (*task_each)(void *arg, const struct task *task); /* not 0 ends it with that */
int gossip_tasks(const struct gossip *gossip, task_each each, void *arg);
/* Of PULL, COMPARE, REPAIR, HEAL, ASK: those of this shard, or the ask of this number. NOTFOUND:
 * there is none, or no such bucket; REFUSED: that kind can't be paused. Work that was ended begins
 * again where it is needed, but not before TASK_CANCEL_REST_MS. NOMEM. */
int gossip_task_order(struct gossip *gossip, struct now now, enum task_kind kind, uint64_t shard,
                      uint64_t number, enum task_order order);

/* What became of an order to repair with one peer. X(name, word, text for people) */
#define REPAIR_ORDERS(X)                                                                      \
    X(ORDERED, "ordered", "begins as soon as both have seen the same and can be compared")    \
    X(PAUSED, "paused", "repairs of this bucket are paused: it begins when they are resumed") \
    X(SAME, "same", "both hold the same already")                                             \
    X(AWAY, "away", "not connected, or has not told of this bucket yet: order it again then")

enum repair_order {
#define X(name, word, text) REPAIR_ORDER_##name,
    REPAIR_ORDERS(X)
#undef X
};
const char *repair_order_word(enum repair_order order);
const char *repair_order_text(enum repair_order order);
typedef int (*repair_each)(void *arg, const char *bucket, const char *peer,
                           enum repair_order order);
/* What an operator wants repaired. */
struct repair_wish {
    uint64_t shard;       /* 0: all */
    const char *peer;     /* its address, or the hex digits of its node's id; NULL: with all */
    uint64_t bytes_per_s; /* on average, for all orders that name a number: the latest; 0: any */
    bool resume;          /* pauses of repairs end */
};
/* Without the waits that repairs make by themselves, and whichever of the two is to begin. An order
 * lasts until a repair has come to its end, or both are the same: who is interrupted begins again.
 * NOTFOUND: no such bucket; INVALID: no such peer; NOMEM, and what `each` returns. */
int gossip_repair(struct gossip *gossip, const struct repair_wish *wish, repair_each each,
                  void *arg);
#endif
