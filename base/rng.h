/* Seeded random numbers (xoshiro256**, Blackman & Vigna 2018). Having one is the right to be
 * random. */
#ifndef NEAP_BASE_RNG_H
#define NEAP_BASE_RNG_H
#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed);
uint64_t rng_u64(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t bound); /* uniform in [0, bound); bound > 0 */
bool rng_chance(struct rng *rng, unsigned percent);
#endif
