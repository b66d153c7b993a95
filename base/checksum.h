/* A checksum of bytes that come in pieces: BLAKE2b with 256 bits (RFC 7693), from libsodium. It is
 * what `b2sum -l 256` prints, so files can be checked without this program. */
#ifndef NEAP_BASE_CHECKSUM_H
#define NEAP_BASE_CHECKSUM_H
#include "base/bytes.h"

enum { CHECKSUM_SIZE = 32, CHECKSUM_DIGITS = 2 * CHECKSUM_SIZE };

struct checksum {
    uint8_t bytes[CHECKSUM_SIZE];
};

/* One on its way; opaque. */
struct checksum_run {
    _Alignas(64) uint8_t state[384];
};

void checksum_begin(struct checksum_run *run);
void checksum_add(struct checksum_run *run, struct slice bytes);
struct checksum checksum_end(struct checksum_run *run); /* then it is to be begun again */
struct checksum checksum_of(struct slice bytes);
bool checksum_equal(const struct checksum *a, const struct checksum *b);
void checksum_text(const struct checksum *sum, char ret_text[CHECKSUM_DIGITS + 1]); /* hex */
/* Of CHECKSUM_DIGITS hex digits, small ones. False: it is something else. */
bool checksum_parse(struct slice text, struct checksum *ret_sum);
#endif
