#include "base/checksum.h"

#include <assert.h>
#include <sodium/crypto_generichash_blake2b.h>
#include <stdalign.h>

#include "base/error.h"
#include "base/text.h"

/* The functions of libsodium that are called here need no sodium_init. */

static_assert(sizeof(crypto_generichash_blake2b_state) <= sizeof(struct checksum_run), "room");
static_assert(alignof(crypto_generichash_blake2b_state) <= alignof(struct checksum_run), "place");

static crypto_generichash_blake2b_state *state_of(struct checksum_run *run)
{
    return (crypto_generichash_blake2b_state *)(void *)run->state;
}

void checksum_begin(struct checksum_run *run)
{
    must(!crypto_generichash_blake2b_init(state_of(run), NULL, 0, CHECKSUM_SIZE));
}

void checksum_add(struct checksum_run *run, struct slice bytes)
{
    must(!crypto_generichash_blake2b_update(state_of(run), bytes.data, bytes.size));
}

struct checksum checksum_end(struct checksum_run *run)
{
    struct checksum sum;

    must(!crypto_generichash_blake2b_final(state_of(run), sum.bytes, sizeof sum.bytes));
    return sum;
}

struct checksum checksum_of(struct slice bytes)
{
    struct checksum_run run;

    checksum_begin(&run);
    checksum_add(&run, bytes);
    return checksum_end(&run);
}

bool checksum_equal(const struct checksum *a, const struct checksum *b)
{
    return !memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

void checksum_text(const struct checksum *sum, char ret_text[CHECKSUM_DIGITS + 1])
{
    hex_write(slice_of(sum->bytes, sizeof sum->bytes), ret_text);
}

bool checksum_parse(struct slice text, struct checksum *ret_sum)
{
    return text.size == CHECKSUM_DIGITS &&
           hex_read((const char *)text.data, ret_sum->bytes, sizeof ret_sum->bytes);
}
