/* A call on its way to a node that holds what it is about (gossip/call.h, docs/decisions/0096): who
 * is asked next, and what an answer, or none, means. No threads: those of node_forward.c, or a
 * simulated world, run the ask.
 *
 *   forward_init(&forward, ...);
 *   do
 *       code = forward_ask(&forward, request, now_ms); if that is 0: run forward.ask, its code
 *   while (!forward_look(&forward, code, &reply));
 *   forward.error.code: 0: there is a reply
 *   forward_done(&forward); */
#ifndef NEAP_ENGINE_FORWARD_H
#define NEAP_ENGINE_FORWARD_H
#include "gossip/call.h"

enum { FORWARD_TRIES_MAX = 8, FORWARD_SLACK_MS = 500 };

struct forward {
    struct ask ask; /* first: of it the forward is found */
    bool changes;   /* a write: to ask twice may be once too often */
    uint64_t until_ms;
    uint64_t tried[FORWARD_TRIES_MAX];
    size_t tried_count;
    struct buffer question;
    struct neap_error error; /* out; and before, of the last who was asked */
};

/* `names` are the buckets that the one who is asked must hold; borrowed. */
void forward_init(struct forward *forward, bool changes, const char *const *names,
                  size_t names_count, uint64_t until_ms);
void forward_done(struct forward *forward);
/* The next ask. LIMIT, NOMEM; END: no time is left, or enough were asked. */
int forward_ask(struct forward *forward, struct slice request, uint64_t now_ms);
/* After an ask that was run, or was not for this code. True: it is over; error.code is 0, and
 * ret_reply the reply, or UNAVAILABLE or whatever else: nothing was done; or of a write UNCERTAIN.
 */
bool forward_look(struct forward *forward, int code, struct buffer *ret_reply);
#endif
