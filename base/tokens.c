#include "base/tokens.h"

enum { PART = 1000 }; /* of a token: a rate of one a second is one part a millisecond */

static uint64_t product(uint64_t a, uint64_t b)
{
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static uint64_t owed_at(const struct tokens *tokens, uint64_t now_ms)
{
    uint64_t paid;

    if (now_ms <= tokens->at_ms)
        return tokens->owed;
    paid = product(now_ms - tokens->at_ms, tokens->rate);
    return paid < tokens->owed ? tokens->owed - paid : 0;
}

void tokens_init(struct tokens *tokens, uint64_t rate, uint64_t burst)
{
    *tokens = (struct tokens){.rate = rate, .burst = burst};
}

void tokens_take(struct tokens *tokens, uint64_t now_ms, uint64_t count)
{
    uint64_t owed, more = product(count, PART);

    if (tokens->rate == 0)
        return;
    owed = owed_at(tokens, now_ms);
    tokens->owed = owed > UINT64_MAX - more ? UINT64_MAX : owed + more;
    tokens->at_ms = now_ms > tokens->at_ms ? now_ms : tokens->at_ms;
}

uint64_t tokens_at(const struct tokens *tokens, uint64_t now_ms, uint64_t keep)
{
    uint64_t room, over, wait, from;

    if (tokens->rate == 0)
        return now_ms;
    room = product(tokens->burst - (keep < tokens->burst ? keep : tokens->burst), PART);
    over = owed_at(tokens, now_ms);
    if (over <= room)
        return now_ms;
    over -= room;
    wait = over / tokens->rate + (over % tokens->rate != 0);
    from = now_ms > tokens->at_ms ? now_ms : tokens->at_ms;
    return wait > UINT64_MAX - from ? UINT64_MAX : from + wait;
}
