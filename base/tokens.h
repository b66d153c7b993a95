/* A token bucket: so much a second on average, and a burst of so much at once. What was taken
 * beyond that is owed, and paid as time goes by. Pure: the time is an argument. */
#ifndef NEAP_BASE_TOKENS_H
#define NEAP_BASE_TOKENS_H
#include <stdint.h>

struct tokens {
    uint64_t rate;  /* a second; 0: there is no limit */
    uint64_t burst; /* that may be owed */
    uint64_t owed;  /* in thousandths, as of at_ms */
    uint64_t at_ms;
};

/* Nothing is owed. */
void tokens_init(struct tokens *tokens, uint64_t rate, uint64_t burst);
/* Takes them, whatever is owed already. Time that goes back counts as none. */
void tokens_take(struct tokens *tokens, uint64_t now_ms, uint64_t count);
/* The time from which on `keep` more than nothing is left of the burst (0: the debt is paid down to
 * it); now_ms when that is so already. `keep` is at most the burst. */
uint64_t tokens_at(const struct tokens *tokens, uint64_t now_ms, uint64_t keep);
#endif
