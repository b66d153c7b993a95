/* Are two replicas of a bucket equal? Asked while both go on writing, and answered exactly, as of a
 * context (docs/decisions/0018). Nothing is changed by it, here or there. Or, with ask.all: which
 * cells have they otherwise, also those that are under way? Then the keys are those that seemed to
 * differ, a page of them: ASK_CELLS tells what each of the two has of them.
 *
 * It is an ask (gossip/ask.h) of kind ASK_VERIFY, of messages of its own: for each peer a question
 * that is asked again, for as long as the ask lasts, until the two can be compared; and if they
 * differ, until the keys are found. What came out of it is answer.verified, whatever the end. */
#ifndef NEAP_GOSSIP_VERIFY_H
#define NEAP_GOSSIP_VERIFY_H
#include "crdt/context.h"

enum {
    VERIFY_KEYS_MAX = 256,       /* of those that differ, that are named... */
    VERIFY_KEYS_BYTES = 64 << 10 /* ... and of their paths */
};

/* Why two can't be compared now. */
#define VERIFY_REASONS(X)                                                                   \
    X(NOTHING, "")                                                                          \
    X(ISOLATED, "this node is isolated")                                                    \
    X(NOT_CONNECTED, "the peer is not connected")                                           \
    X(NOT_MET, "the two have not met in this bucket yet")                                   \
    X(BUILDS, "the tree of the cells is still being built")                                 \
    X(COMPARES, "a node that was away for long is catching up")                             \
    X(UNCONFIRMED, "writes since the start wait until all members have confirmed it")       \
    X(AHEAD, "some cells are ahead of what either of the two has seen as a whole")          \
    X(BEHIND, "the log no longer tells what one of them lacks; it catches up by comparing") \
    X(FAR, "too many cells are under way")                                                  \
    X(CHANGING, "too much was written meanwhile")                                           \
    X(UNREADABLE, "cells or log can't be read")                                             \
    X(NO_ANSWER, "no answer came in time")

enum verify_reason {
#define X(name, text) VERIFY_WHY_##name,
    VERIFY_REASONS(X)
#undef X
        VERIFY_WHY_END
};

enum verify_verdict {
    VERIFY_UNKNOWN, /* not in time: `why` of the latest attempt */
    VERIFY_EQUAL,
    VERIFY_DIFFERS /* beyond what is under way: damage */
};

enum verify_fate { VERIFY_NOT_HERE, VERIFY_NOT_THERE, VERIFY_NOT_THE_SAME, VERIFY_FATES };

/* A cell that differs. Its path is that of store/shard_verify.h. */
struct verify_key {
    enum verify_fate fate;
    uint32_t at, size; /* in `paths` */
};

struct verify_result {
    enum verify_verdict verdict;
    enum verify_reason why;  /* of the latest attempt */
    bool there;              /* the reason is the peer's */
    uint64_t asked_ms;       /* wall clock: when the question was asked that gave the verdict... */
    struct context context;  /* ... and what both had seen: equal or not as of this */
    size_t under_way;        /* cells that were left out: only one of the two had seen a change */
    bool differed;           /* EQUAL: a moment before it was not */
    struct verify_key *keys; /* DIFFERS, in order: those that were found in time */
    size_t keys_count, keys_room;
    struct buffer paths;
    bool keys_more;    /* there are others, or they were not looked for to the end */
    struct buffer end; /* with ask.all: others are from this path on; empty: there are none */
};

void verify_result_free(struct verify_result *result); /* NULL is fine */
const char *verify_reason_text(enum verify_reason reason);
#endif
