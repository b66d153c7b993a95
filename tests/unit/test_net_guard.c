#include "gossip/net_guard.h"

#include <string.h>

#include "tests/support/test.h"

static struct guard_source from(unsigned number)
{
    struct guard_source source = {{0}};

    memcpy(source.bytes, &number, sizeof number);
    return source;
}

static enum guard_answer begin(struct guard *guard, unsigned number, uint64_t now_ms)
{
    struct guard_source source = from(number);

    return guard_begin(guard, &source, now_ms);
}

static void end(struct guard *guard, unsigned number, bool failed, uint64_t now_ms)
{
    struct guard_source source = from(number);

    guard_end(guard, &source, failed, now_ms);
}

TEST(an_address_has_few_handshakes_at_a_time)
{
    static struct guard guard;

    guard = (struct guard){0};
    for (int i = 0; i < GUARD_SOURCE_HANDSHAKES_MAX; i++)
        CHECK_EQUAL(begin(&guard, 1, 1000), GUARD_ADMITS);
    CHECK_EQUAL(begin(&guard, 1, 1000), GUARD_SOURCE_IS_FULL);
    CHECK_EQUAL(begin(&guard, 2, 1000), GUARD_ADMITS);
    end(&guard, 1, false, 1000);
    CHECK_EQUAL(begin(&guard, 1, 1000), GUARD_ADMITS);
}

TEST(all_addresses_together_have_a_limit)
{
    static struct guard guard;

    guard = (struct guard){0};
    for (unsigned i = 0; i < GUARD_HANDSHAKES_MAX; i++)
        CHECK_EQUAL(begin(&guard, i, 1000), GUARD_ADMITS);
    CHECK_EQUAL(begin(&guard, 1000, 1000), GUARD_IS_FULL);
    end(&guard, 3, true, 1000);
    CHECK_EQUAL(begin(&guard, 1000, 1000), GUARD_ADMITS);
}

TEST(whoever_fails_often_has_to_wait_and_others_do_not)
{
    static struct guard guard;

    guard = (struct guard){0};
    for (int i = 0; i < GUARD_FAILURES_A_SECOND; i++) {
        CHECK_EQUAL(begin(&guard, 1, 1000), GUARD_ADMITS);
        end(&guard, 1, true, 1000);
    }
    CHECK_EQUAL(begin(&guard, 1, 1000), GUARD_RATE);
    CHECK_EQUAL(begin(&guard, 2, 1000), GUARD_ADMITS);
    CHECK_EQUAL(begin(&guard, 1, 1000 + 1000 / GUARD_FAILURES_A_SECOND), GUARD_ADMITS);
    end(&guard, 1, true, 1050);
    CHECK_EQUAL(begin(&guard, 1, 1060), GUARD_RATE);
}

TEST(whoever_gets_in_may_come_as_often_as_he_likes)
{
    static struct guard guard;

    guard = (struct guard){0};
    for (int i = 0; i < 1000; i++) {
        CHECK_EQUAL(begin(&guard, 1, 1000), GUARD_ADMITS);
        end(&guard, 1, false, 1000);
    }
}

TEST(of_more_addresses_than_are_remembered_those_in_flight_stay)
{
    static struct guard guard;

    guard = (struct guard){0};
    CHECK_EQUAL(begin(&guard, 1, 1), GUARD_ADMITS);
    for (unsigned i = 2; i < 3 * GUARD_SOURCES; i++) {
        CHECK_EQUAL(begin(&guard, i, i), GUARD_ADMITS);
        end(&guard, i, true, i);
    }
    CHECK_EQUAL(guard.count, GUARD_SOURCES);
    CHECK_EQUAL(guard.in_flight, 1);
    end(&guard, 1, false, 5000);
    CHECK_EQUAL(guard.in_flight, 0);
}
