#include "crdt/type_ops.h"
#include "tests/support/cells.h"

TEST(sums_have_more_room_than_their_terms)
{
    struct sum sum = {0};

    sum_add(&sum, INT64_MAX);
    CHECK(sum_fits(sum));
    CHECK_EQUAL(sum_number(sum), INT64_MAX);
    sum_add(&sum, INT64_MAX);
    CHECK(!sum_fits(sum));
    sum_add(&sum, INT64_MIN);
    CHECK(sum_fits(sum));
    CHECK_EQUAL(sum_number(sum), INT64_MAX - 1);
    sum_add(&sum, INT64_MIN);
    CHECK_EQUAL(sum_number(sum), -2);
    sum_add(&sum, INT64_MIN + 2);
    CHECK_EQUAL(sum_number(sum), INT64_MIN);
    sum_add(&sum, -1);
    CHECK(!sum_fits(sum));
}

TEST(what_leads_back_into_range_does_not_leave_it)
{
    struct sum sum = {0};

    CHECK(!sum_leaves(sum, INT64_MIN));
    sum_add(&sum, INT64_MAX);
    CHECK(sum_leaves(sum, 1));
    CHECK(!sum_leaves(sum, -1));
    sum_add(&sum, 5);
    CHECK(sum_leaves(sum, 1));
    CHECK(!sum_leaves(sum, -1));
    sum = (struct sum){0};
    sum_add(&sum, INT64_MIN);
    sum_add(&sum, -5);
    CHECK(sum_leaves(sum, -1));
    CHECK(!sum_leaves(sum, 1));
}

TEST(a_payload_is_one_number_and_nothing_else)
{
    uint8_t bytes[16];
    int64_t number = 7;

    CHECK_OK(number_read(test_unhex("d3 8000000000000000", bytes, sizeof bytes), &number));
    CHECK_EQUAL(number, INT64_MIN);
    CHECK_ERROR(check_number(test_unhex("05 05", bytes, sizeof bytes)), NEAP_INVALID);
    CHECK_ERROR(check_number(test_unhex("d3 0000000000000005", bytes, sizeof bytes)), NEAP_INVALID);
    CHECK_ERROR(check_number(slice_of(NULL, 0)), NEAP_INVALID);
    CHECK_EQUAL(number, INT64_MIN);
}
