/* What peers lack of what is here, and whom the log is kept for. A hint is no copy of a write but
 * an interval over the log: what this node has seen of a shard, without what a peer is known to
 * have (docs/decisions/0097). */
#ifndef NEAP_GOSSIP_HINTS_H
#define NEAP_GOSSIP_HINTS_H
#include "gossip/gossip.h"

/* How a peer comes by what it lacks. X(name, word, text for people) */
#define HINT_WAYS(X)                                                                          \
    X(NONE, "none", "it has all that is here")                                                \
    X(LOG, "log", "all that it lacks is in the log: it gets that and nothing else")           \
    X(COMPARE, "compare",                                                                     \
      "the log no longer tells all that it lacks: it compares cells with another node first") \
    X(UNKNOWN, "unknown", "it has not told what it has since this node was started")

enum hint_way {
#define X(name, word, text) HINT_##name,
    HINT_WAYS(X)
#undef X
};
const char *hint_way_word(enum hint_way way);
const char *hint_way_text(enum hint_way way);

struct hint {
    const char *address;  /* of the peer, as long as it is one; "" unknown */
    uint64_t node;        /* 0: never met */
    bool connected, open; /* open: the two have met in this shard, in this session */
    bool member;          /* the log is kept for it */
    enum hint_way way;
    struct context has; /* as it was last heard; of UNKNOWN: nothing */
    uint64_t events;    /* in the log here, that it is not known to have */
    uint64_t cut;       /* that it lacks and no log here tells; of UNKNOWN: none is known */
    uint64_t alone;     /* entries of the log that are kept for it and for nobody else */
    uint64_t since_ms;  /* wall_ms: it lacks something at least since then; 0: not known */
    uint64_t heard_ms;  /* wall_ms: last heard; 0: not since the start */
};

struct hints {
    struct hint *hints; /* of all peers that have part in the shard */
    size_t count;
    size_t members;       /* that the log is kept for */
    uint64_t log;         /* entries */
    uint64_t log_max;     /* past it the oldest go, whoever lacks them */
    uint64_t unconfirmed; /* own events that may be told to nobody yet (design 2, rule 9) */
    size_t readers;       /* of changes, that it is kept for as well (gossip/kept.h) */
    bool comparing;       /* a compare is under way here: nothing is cut as long as it lasts */
};

/* NOMEM: nothing is given. The hints borrow addresses from gossip. */
int gossip_hints(const struct gossip *gossip, const struct shard *shard, struct hints *ret_hints);
void hints_done(struct hints *hints);
#endif
