/* A token from a caller: what is taken is what would be written. */
#include "engine/token.h"
#include "tests/fuzz/fuzz.h"

FUZZ(token)
{
    struct token token;
    struct buffer again;
    int error;

    token_init(&token);
    buffer_init(&again, TOKEN_SIZE_MAX);
    error = token_decode(input, &token);
    if (error) {
        must(error == NEAP_INVALID || error == NEAP_LIMIT || error == NEAP_FORMAT);
        must(!token.count && !token.parts);
    } else {
        must(token.count <= TOKEN_PARTS_MAX);
        must(!token_encode(&token, &again));
        must(slice_equal(buffer_slice(&again), input));
    }
    token_done(&token);
    buffer_done(&again);
    return !error;
}
