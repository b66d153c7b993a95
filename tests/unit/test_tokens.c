#include "base/tokens.h"
#include "tests/support/test.h"

static struct tokens tokens;

TEST(a_bucket_without_a_rate_has_no_limit)
{
    tokens_init(&tokens, 0, 0);
    tokens_take(&tokens, 5, UINT64_MAX);
    CHECK_EQUAL(tokens_at(&tokens, 6, 0), 6);
}

TEST(a_burst_is_free_and_what_is_beyond_is_paid_by_time)
{
    tokens_init(&tokens, 100, 50);
    tokens_take(&tokens, 1000, 50);
    CHECK_EQUAL(tokens_at(&tokens, 1000, 0), 1000);
    tokens_take(&tokens, 1000, 1);
    CHECK_EQUAL(tokens_at(&tokens, 1000, 0), 1010);
    CHECK_EQUAL(tokens_at(&tokens, 1009, 0), 1010);
    CHECK_EQUAL(tokens_at(&tokens, 1010, 0), 1010);
    CHECK_EQUAL(tokens_at(&tokens, 2000, 0), 2000);
}

TEST(to_keep_some_of_the_burst_takes_longer)
{
    tokens_init(&tokens, 100, 50);
    tokens_take(&tokens, 0, 50);
    CHECK_EQUAL(tokens_at(&tokens, 0, 0), 0);
    CHECK_EQUAL(tokens_at(&tokens, 0, 25), 250);
    CHECK_EQUAL(tokens_at(&tokens, 0, 50), 500);
    CHECK_EQUAL(tokens_at(&tokens, 0, 99), 500); /* all of it, at most */
}

/* Whatever is taken whenever it may be, the average is the rate. */
TEST(the_average_is_the_rate)
{
    uint64_t now = 0, taken = 0;

    tokens_init(&tokens, 1000, 200);
    for (unsigned i = 0; i < 500; i++) {
        now = tokens_at(&tokens, now, 0);
        tokens_take(&tokens, now, 7 + i % 300);
        taken += 7 + i % 300;
    }
    CHECK(taken <= now + 200 + 307);
    CHECK(taken + 307 >= now);
}

TEST(time_that_goes_back_pays_nothing)
{
    tokens_init(&tokens, 10, 0);
    tokens_take(&tokens, 1000, 1);
    CHECK_EQUAL(tokens_at(&tokens, 500, 0), 1100);
    tokens_take(&tokens, 500, 1);
    CHECK_EQUAL(tokens_at(&tokens, 1000, 0), 1200);
}

TEST(what_is_too_much_to_count_is_owed_for_long)
{
    tokens_init(&tokens, 1, UINT64_MAX);
    tokens_take(&tokens, 1, UINT64_MAX);
    tokens_take(&tokens, 1, UINT64_MAX);
    CHECK_EQUAL(tokens_at(&tokens, 1, 0), 1);
    CHECK(tokens_at(&tokens, 1, UINT64_MAX) > UINT64_MAX / 2);
    tokens_init(&tokens, UINT64_MAX, 1);
    tokens_take(&tokens, 1, UINT64_MAX);
    CHECK_EQUAL(tokens_at(&tokens, 3, 1), 3);
}
