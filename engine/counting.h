/* How many are in a map or a set that is too large to count at each call: a question to the wheel,
 * which keeps the numbers (store/tally.h); and the work on those that it does not know. */
#ifndef NEAP_ENGINE_COUNTING_H
#define NEAP_ENGINE_COUNTING_H
#include "engine/token.h"
#include "store/store.h"

enum { COUNTING_MS = 4 }; /* between steps of TALLY_CELLS */

/* A step towards the number; whoever asks comes again. */
struct count {
    uint64_t shard;
    struct slice path; /* of the map or set */
    bool want_token;
    bool known;         /* out: or there was more to count */
    uint64_t count;     /* out */
    struct token token; /* out: what the number is of */
};

/* NOTFOUND: whoever asks has to count himself. CORRUPT, IO, LIMIT, NOMEM. */
int count_step(struct store *store, struct batch *batch, struct count *count);

/* What is not known is counted while nothing else is to do: after a crash, say. A step of one
 * shard, in turns: *from is the one whose turn it is, or the next one. END: there is nothing to do.
 * IO; whatever else goes wrong costs a number, and that is counted when it is asked for. */
int counting_step(struct store *store, uint64_t *from, struct batch *batch);
#endif
