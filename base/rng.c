#include "base/rng.h"

#include "base/error.h"

static uint64_t rotate(uint64_t value, int bits)
{
    return value << bits | value >> (64 - bits);
}

/* SplitMix64 (Steele, Lea & Flood 2014) spreads a seed over the state, which must not be all zero
 * and is not: it gives each of its outputs only once. */
void rng_init(struct rng *rng, uint64_t seed)
{
    int i;

    for (i = 0; i < 4; i++) {
        uint64_t mixed = seed += 0x9e3779b97f4a7c15;

        mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
        rng->state[i] = mixed ^ mixed >> 31;
    }
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    uint64_t biased, number;

    must(bound > 0);
    /* Of 2^64 numbers the first 2^64 mod bound would make the low results too frequent. */
    biased = (0 - bound) % bound;
    do
        number = rng_u64(rng);
    while (number < biased);
    return number % bound;
}

bool rng_chance(struct rng *rng, unsigned percent)
{
    return rng_below(rng, 100) < percent;
}
