/* Calls of callers of other nodes, which those hand on as they do not hold what they are about
 * (gossip/call.h, docs/decisions/0096). There is no thread for them: each waits as a few bytes here
 * and is looked at again when something has changed, or its time is over. What a local caller does
 * on his thread (engine/node_write.c, node_wait.c) it does in steps, by the same functions. */
#ifndef NEAP_ENGINE_SERVE_H
#define NEAP_ENGINE_SERVE_H
#include "engine/counting.h"
#include "engine/granted.h"
#include "engine/survey.h"
#include "gossip/call.h"

struct engine;

enum served_state {
    SERVED_NEW,     /* nothing was done yet */
    SERVED_ASKS,    /* other nodes are asked what they have seen */
    SERVED_RETRIES, /* not enough could say: again when something has changed */
    SERVED_FAILED,  /* not enough can say: the survey tells */
    SERVED_SEEN,    /* `seen` has to be here */
    SERVED_WRITTEN  /* it is done here, and others have to have it */
};

struct served {
    struct backend backend; /* first: what the request is run on */
    struct called *called;
    struct granted granted;
    enum served_state state;
    struct survey survey;
    struct context seen;
    struct token token, awaited; /* of a write that was done */
    struct placed place;         /* of a read */
    struct count count;
    bool counts, ticked;
    uint64_t changes; /* when it was looked at last */
    /* Of one look. */
    struct engine *engine;
    struct now now;
    struct batch *batch;
    struct outbox *outbox;
    bool waits;    /* it has no answer yet */
    bool again;    /* look again in the next turn */
    bool not_here; /* this node does not hold what it is about */
    int broken;    /* what the node has to know of: IO */
};

struct serving {
    struct served *calls[CALLS_MAX];
    size_t count;
    bool again;    /* some have to be looked at in the next turn */
    bool closed;   /* the node is about to be closed */
    bool unsaid;   /* some had no answer, and may have been done */
    uint64_t done; /* since opening: that had an answer */
};

/* At the end of each turn's steps, before its commit: takes what has come, and looks at who waits.
 * Answers go out with this turn, so after its commit. IO: as of a write. */
int serve_work(struct engine *engine, struct now now, struct batch *batch, struct outbox *outbox);
/* Is this one of their asks? Then it is dealt with. */
bool serve_asked(struct engine *engine, struct ask *ask);
/* From now on none is begun: whoever asks is told that it is not held here, and asks another; so
 * are those who wait for what was not begun. What was written waits for its level as before. */
void serve_close(struct engine *engine);
uint64_t serve_deadline(const struct engine *engine,
                        struct now now); /* mono_ms; UINT64_MAX: none */
/* All end without an answer: asks have ended before. */
void serve_done(struct engine *engine);
#endif
