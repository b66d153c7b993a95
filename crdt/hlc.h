/* Hybrid logical clock (Kulkarni et al. 2014): 48 bits of wall milliseconds, 16 bits of counter.
 * It only breaks ties between concurrent writes; causality decides first. */
#ifndef NEAP_CRDT_HLC_H
#define NEAP_CRDT_HLC_H
#include <stdbool.h>
#include <stdint.h>

enum { HLC_SKEW_MS_MAX = 60000 };

struct hlc {
    uint64_t last;
};

uint64_t hlc_next(struct hlc *hlc, uint64_t wall_ms); /* greater than every earlier one */
/* A stamp arrived. False when it is more than the skew ahead of wall_ms: then it moves nothing. */
bool hlc_see(struct hlc *hlc, uint64_t stamp, uint64_t wall_ms);
uint64_t hlc_wall_ms(uint64_t stamp);
#endif
