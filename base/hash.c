#include "base/hash.h"

#include <sodium/crypto_shorthash_siphash24.h>

#include "base/text.h"

/* The functions of libsodium that are called here need no sodium_init. */

uint64_t hash_64(const struct hash_key *key, struct slice bytes)
{
    uint8_t hash[crypto_shorthash_siphash24_BYTES];
    uint64_t value = 0;
    int i;

    crypto_shorthash_siphash24(hash, bytes.data, bytes.size, key->bytes);
    /* SipHash writes its number with the low byte first. */
    for (i = 7; i >= 0; i--)
        value = value << 8 | hash[i];
    return value;
}

struct digest hash_128(const struct hash_key *key, struct slice bytes)
{
    uint8_t hash[crypto_shorthash_siphashx24_BYTES];

    crypto_shorthash_siphashx24(hash, bytes.data, bytes.size, key->bytes);
    return (struct digest){bytes_get_u64(hash), bytes_get_u64(hash + 8)};
}

void digest_add(struct digest *sum, struct digest other)
{
    sum->low += other.low;
    sum->high += other.high + (sum->low < other.low);
}

void digest_subtract(struct digest *sum, struct digest other)
{
    sum->high -= other.high + (sum->low < other.low);
    sum->low -= other.low;
}

bool digest_equal(struct digest a, struct digest b)
{
    return a.high == b.high && a.low == b.low;
}

void digest_text(struct digest digest, char ret_text[33])
{
    uint8_t bytes[16];

    bytes_put_u64(bytes, digest.high);
    bytes_put_u64(bytes + 8, digest.low);
    hex_write(slice_of(bytes, sizeof bytes), ret_text);
}

uint64_t hash_name(struct slice name)
{
    /* Not a secret: nodes that never met must give one name one number. */
    static const struct hash_key key = {
        {'n', 'e', 'a', 'p', ' ', 'b', 'u', 'c', 'k', 'e', 't', ' ', 'n', 'a', 'm', 'e'}};

    return hash_64(&key, name);
}
