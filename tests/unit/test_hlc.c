#include "crdt/hlc.h"

#include "tests/support/test.h"

TEST(stamps_follow_the_wall_clock)
{
    struct hlc hlc = {0};
    uint64_t stamp = hlc_next(&hlc, 1000);

    CHECK_EQUAL(stamp, 1000 << 16);
    CHECK_EQUAL(hlc_wall_ms(stamp), 1000);
    CHECK_EQUAL(hlc_next(&hlc, 1001), 1001 << 16);
}

TEST(stamps_rise_even_when_the_wall_clock_does_not)
{
    struct hlc hlc = {0};
    uint64_t last = hlc_next(&hlc, 5000);

    for (unsigned i = 0; i < 70000; i++) {
        uint64_t stamp = hlc_next(&hlc, i % 2 ? 5000 : 10);

        CHECK_EQUAL(stamp, last + 1);
        last = stamp;
    }
    CHECK_EQUAL(hlc_wall_ms(last), 5001); /* the counter ran over */
    CHECK(hlc_next(&hlc, UINT64_MAX) > last);
    CHECK(hlc_next(&hlc, UINT64_MAX) > hlc_next(&hlc, 0) - 2);
}

TEST(a_stamp_that_was_seen_is_passed)
{
    struct hlc hlc = {0};
    uint64_t far = (uint64_t)(1000 + HLC_SKEW_MS_MAX) << 16 | 0xffff;

    CHECK(hlc_see(&hlc, far, 1000));
    CHECK_EQUAL(hlc_next(&hlc, 1000), far + 1);
    CHECK(hlc_see(&hlc, 5, 1000));
    CHECK_EQUAL(hlc_next(&hlc, 1000), far + 2);
}

TEST(a_stamp_beyond_the_skew_moves_nothing)
{
    struct hlc hlc = {0};

    CHECK(!hlc_see(&hlc, (uint64_t)(1001 + HLC_SKEW_MS_MAX) << 16, 1000));
    CHECK(!hlc_see(&hlc, UINT64_MAX, 0));
    CHECK_EQUAL(hlc.last, 0);
    CHECK(hlc_see(&hlc, UINT64_MAX, UINT64_MAX));
    CHECK_EQUAL(hlc.last, UINT64_MAX);
    CHECK_EQUAL(hlc_next(&hlc, 7), UINT64_MAX); /* the end of time: it stands, it does not wrap */
}
