/* Keyed hashes: SipHash-2-4 with 64 and 128 bits (Aumasson & Bernstein 2012), from libsodium. */
#ifndef NEAP_BASE_HASH_H
#define NEAP_BASE_HASH_H
#include "base/bytes.h"

struct hash_key {
    uint8_t bytes[16];
};

/* A sum of hashes: order does not matter, what was added can be subtracted (mod 2^128). */
struct digest {
    uint64_t high, low;
};

uint64_t hash_64(const struct hash_key *key, struct slice bytes);
struct digest hash_128(const struct hash_key *key, struct slice bytes);
void digest_add(struct digest *sum, struct digest other);
void digest_subtract(struct digest *sum, struct digest other);
bool digest_equal(struct digest a, struct digest b);
void digest_text(struct digest digest, char ret_text[33]); /* 32 hex digits and a zero */

/* The identity of a name that means the same on every node (buckets): fixed key, 64 bits. */
uint64_t hash_name(struct slice name);
#endif
