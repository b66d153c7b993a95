/* Calls that nodes hand on to each other (docs/decisions/0096): whoever does not hold what a caller
 * wants to read or write sends the request as it stands to a node that does, and gets its reply. It
 * is an ask of kind ASK_CALL, to one node: gossip chooses who. Here is that choice, and the calls
 * of others that wait for this node; what a request says is the engine's business (engine/serve.h).
 */
#ifndef NEAP_GOSSIP_CALL_H
#define NEAP_GOSSIP_CALL_H
#include "gossip/ask.h"

enum {
    CALLS_MAX = 64,                          /* of others, that this node has at a time... */
    CALLS_BYTES_MAX = 32 << 20,              /* ... and bytes of them... */
    CALLS_PEER_MAX = 32,                     /* ... and of one peer */
    CALL_SIZE_MAX = MESSAGE_SIZE_MAX - 4096, /* of a request, or a reply */
    CALL_SMALL = 64 << 10,                   /* larger ones go by the bulk link */
    CALL_WAIT_MS_MAX = 600000
};

/* A call of another node's caller. */
struct called {
    uint64_t link, session;     /* gossip's: who asked */
    uint64_t peer;              /* gossip's */
    uint64_t until_ms;          /* mono_ms: nobody waits for longer */
    struct principal principal; /* of the node or device that handed it on; owned */
    struct buffer request;      /* NOT checked */
};

/* What an ask of kind ASK_CALL says: how long the answer is waited for, and the request. Replaces.
 * LIMIT, NOMEM. */
int call_question(uint64_t wait_ms, struct slice request, struct buffer *ret_question);

/* The next one that came, with which gossip is done until it is ended; NULL: none. */
struct called *gossip_called(struct gossip *gossip);
/* The end of one, which is freed. Code 0: `reply` is the answer. STALE: this
 * node does not hold what it is about; BUSY: not now; nothing was done. */
int gossip_call_end(struct gossip *gossip, struct now now, struct called *called, int code,
                    struct slice reply, struct outbox *outbox);
/* The same, and nobody is told. */
void gossip_call_drop(struct gossip *gossip, struct called *called);
#endif
