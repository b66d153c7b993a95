#include "base/rng.h"
#include "tests/support/test.h"

/* The first outputs of the reference code of xoshiro256** from the state 1, 2, 3, 4. */
TEST(numbers_are_those_of_the_reference_code)
{
    static const uint64_t expected[] = {
        11520,
        0,
        1509978240,
        1215971899390074240,
        1216172134540287360,
        607988272756665600,
        16172922978634559625u,
        8476171486693032832,
        10595114339597558777u,
        2904607092377533576,
    };
    struct rng rng = {{1, 2, 3, 4}};
    size_t i;

    for (i = 0; i < sizeof expected / sizeof expected[0]; i++)
        CHECK_EQUAL(rng_u64(&rng), expected[i]);
}

/* The reference code of SplitMix64 with the seed 1234567. */
TEST(a_seed_is_spread_as_in_the_reference_code)
{
    struct rng rng;

    rng_init(&rng, 1234567);
    CHECK_EQUAL(rng.state[0], 6457827717110365317);
    CHECK_EQUAL(rng.state[1], 3203168211198807973);
    CHECK_EQUAL(rng.state[2], 9817491932198370423u);
    CHECK_EQUAL(rng.state[3], 4593380528125082431);
}

TEST(one_seed_gives_one_sequence)
{
    struct rng a, b, c;
    int i, equal = 0;

    rng_init(&a, 7);
    rng_init(&b, 7);
    rng_init(&c, 8);
    for (i = 0; i < 100; i++) {
        uint64_t number = rng_u64(&a);

        CHECK_EQUAL(number, rng_u64(&b));
        equal += number == rng_u64(&c);
    }
    CHECK_EQUAL(equal, 0);
}

TEST(numbers_below_a_bound_are_uniform)
{
    int counts[7] = {0}, i, high = 0;
    struct rng rng;

    rng_init(&rng, 1);
    for (i = 0; i < 70000; i++) {
        uint64_t number = rng_below(&rng, 7);

        CHECK(number < 7);
        counts[number]++;
    }
    for (i = 0; i < 7; i++)
        CHECK(counts[i] > 9600 && counts[i] < 10400);
    /* With this bound a plain remainder would be in the lower half in two of three cases. */
    for (i = 0; i < 30000; i++)
        high += rng_below(&rng, (uint64_t)3 << 62) >= (uint64_t)3 << 61;
    CHECK(high > 14500 && high < 15500);
    for (i = 0; i < 10; i++)
        CHECK_EQUAL(rng_below(&rng, 1), 0);
}

static void below_zero(void *argument)
{
    (void)!rng_below(argument, 0);
}

TEST(a_bound_of_zero_is_a_mistake)
{
    struct rng rng;

    rng_init(&rng, 1);
    CHECK_DIES(below_zero, &rng);
}

TEST(chances_come_true_as_often_as_they_say)
{
    struct rng rng;
    int i, yes = 0;

    rng_init(&rng, 1);
    for (i = 0; i < 10000; i++) {
        CHECK(!rng_chance(&rng, 0));
        CHECK(rng_chance(&rng, 100));
        yes += rng_chance(&rng, 30);
    }
    CHECK(yes > 2800 && yes < 3200);
}
