#include "base/clock.h"
#include "tests/support/test.h"

TEST(the_monotonic_clock_never_goes_back)
{
    struct clock *clock = clock_os();
    uint64_t before = clock->ops->now_ms(clock);
    int i;

    for (i = 0; i < 1000; i++) {
        uint64_t now = clock->ops->now_ms(clock);

        CHECK(now >= before);
        before = now;
    }
}

TEST(the_wall_clock_is_in_milliseconds_since_1970)
{
    struct clock *clock = clock_os();
    uint64_t wall = clock->ops->wall_ms(clock);

    /* Between 2020 and 2200. */
    CHECK(wall > 1577836800000 && wall < 7258118400000);
}

TEST(entropy_differs_each_time_in_all_bits)
{
    struct clock *clock = clock_os();
    uint64_t ones = 0, zeros = 0, last = 0;
    int i;

    for (i = 0; i < 128; i++) {
        uint64_t bits = clock->ops->entropy(clock);

        CHECK(bits != last);
        ones |= bits;
        zeros |= ~bits;
        last = bits;
    }
    CHECK(ones == UINT64_MAX && zeros == UINT64_MAX);
    CHECK(clock_os() == clock);
}
