#include "engine/token.h"

#include "base/alloc.h"
#include "neap.h"
#include "tests/support/test.h"

static void dot_in(struct token *token, uint64_t shard, uint64_t id, uint64_t n)
{
    CHECK_OK(token_dot(token, shard, (struct dot){id, n}, 9));
}

TEST(an_empty_token_is_a_few_bytes)
{
    struct token token;
    struct buffer bytes;

    token_init(&token);
    buffer_init(&bytes, 100);
    CHECK_OK(token_encode(&token, &bytes));
    CHECK_HEX(buffer_slice(&bytes), "93 01 00 90");
    CHECK_OK(token_decode(buffer_slice(&bytes), &token));
    CHECK_EQUAL(token.count, 0);
    token_done(&token);
    buffer_done(&bytes);
}

TEST(a_token_holds_a_context_for_each_shard_in_order)
{
    struct token token;
    struct buffer bytes;

    token_init(&token);
    buffer_init(&bytes, 1000);
    dot_in(&token, 5, 3, 1);
    dot_in(&token, 2, 3, 4);
    dot_in(&token, 5, 3, 7);
    dot_in(&token, 9, 1, 1);
    token.ticket = 6;
    CHECK_EQUAL(token.count, 3);
    CHECK_EQUAL(context_get(token_find(&token, 5), 3), 7);
    CHECK(!token_find(&token, 4));
    CHECK_OK(token_encode(&token, &bytes));
    CHECK_HEX(buffer_slice(&bytes),
              "93 01 06 93 92 02 93 03 04 09 92 05 93 03 07 09 92 09 93 01 01 09");
    token_clear(&token);
    CHECK_OK(token_decode(buffer_slice(&bytes), &token));
    CHECK_EQUAL(token.ticket, 6);
    CHECK_EQUAL(context_get(token_find(&token, 9), 1), 1);
    token_done(&token);
    buffer_done(&bytes);
}

TEST(tokens_join_shard_by_shard)
{
    struct context a = {0}, b = {0};
    struct token token;

    token_init(&token);
    CHECK_OK(context_raise(&a, 1, 5, 0));
    CHECK_OK(context_raise(&b, 2, 6, 0));
    CHECK_OK(token_join(&token, 8, &a));
    CHECK_OK(token_join(&token, 8, &b));
    CHECK_EQUAL(token.count, 1);
    CHECK_EQUAL(token_find(&token, 8)->count, 2);
    token_done(&token);
    context_done(&a);
    context_done(&b);
}

TEST(a_token_has_no_more_parts_than_the_limit)
{
    struct token token;
    uint64_t i;

    token_init(&token);
    for (i = 0; i < TOKEN_PARTS_MAX; i++)
        dot_in(&token, i * 7, 1, 1);
    CHECK_ERROR(token_dot(&token, 1, (struct dot){1, 1}, 0), NEAP_LIMIT);
    CHECK_EQUAL(token.count, TOKEN_PARTS_MAX);
    dot_in(&token, 7, 1, 2);
    token_done(&token);
}

static const struct {
    const char *hex;
    int code;
} wrong[] = {
    {"", NEAP_INVALID},
    {"c0", NEAP_INVALID},
    {"92 01 00", NEAP_INVALID},
    {"93 02 00 90", NEAP_FORMAT},       /* a version to come */
    {"95 02 c0 c0 c0 c0", NEAP_FORMAT}, /* which may look otherwise */
    {"93 00 00 90", NEAP_INVALID},
    {"93 01 00 90 00", NEAP_INVALID},                         /* something after it */
    {"93 01 00 91 92 05 93 03 00 09", NEAP_INVALID},          /* n is 0 */
    {"93 01 00 92 92 05 90 92 05 90", NEAP_INVALID},          /* a shard twice */
    {"93 01 00 92 92 06 90 92 05 90", NEAP_INVALID},          /* out of order */
    {"93 01 00 91 92 05 96 03 01 09 03 02 09", NEAP_INVALID}, /* an id twice */
    {"93 01 00 dc 01 01 90", NEAP_LIMIT},                     /* more parts than allowed */
};

TEST(bytes_that_are_no_token_are_refused_and_change_nothing)
{
    struct token token;
    uint8_t bytes[64];
    size_t i;

    token_init(&token);
    dot_in(&token, 5, 3, 1);
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_ERROR(token_decode(test_unhex(wrong[i].hex, bytes, sizeof bytes), &token),
                    wrong[i].code);
        CHECK_EQUAL(token.count, 1);
    }
    token_done(&token);
}

TEST(a_token_over_its_size_is_refused_unread)
{
    static uint8_t bytes[TOKEN_SIZE_MAX + 1];
    struct token token;

    token_init(&token);
    CHECK_ERROR(token_decode(slice_of(bytes, sizeof bytes), &token), NEAP_LIMIT);
}

static int round_trip(void *argument)
{
    struct context context = {0};
    struct token token, copy;
    struct buffer bytes;
    uint64_t i;
    int error;

    (void)argument;
    token_init(&token);
    token_init(&copy);
    buffer_init(&bytes, 1000);
    error = context_raise(&context, 4, 4, 4);
    if (!error)
        error = token_join(&token, 100, &context);
    for (i = 0; i < 6 && !error; i++)
        error = token_dot(&token, i, (struct dot){i + 1, 1}, 0);
    if (error)
        CHECK(token.count <= 7);
    if (!error)
        error = token_encode(&token, &bytes);
    if (error)
        CHECK_EQUAL(bytes.size, 0);
    if (!error)
        error = token_decode(buffer_slice(&bytes), &copy);
    if (!error)
        CHECK_EQUAL(copy.count, 7);
    token_done(&copy);
    token_done(&token);
    context_done(&context);
    buffer_done(&bytes);
    return error;
}

TEST(tokens_survive_failed_allocations)
{
    test_alloc_sweep(round_trip, NULL);
}
