#include "trust/ticket.h"

#include <string.h>

#include "tests/support/test.h"

enum { UNTIL = 1000 };

static const uint8_t mine[FINGERPRINT_SIZE] = {1}, theirs[FINGERPRINT_SIZE] = {2};

static struct ticket ticket_new(void)
{
    struct ticket ticket = {.until_s = UNTIL, .seconds = 86400};

    CHECK_OK(principal_add(&ticket.grants,
                           slice_text("neap://00000000000000c1/device/00000000000000d1")));
    CHECK_OK(principal_add(&ticket.grants, slice_text("neap://00000000000000c1/read/a%20b")));
    return ticket;
}

TEST(a_ticket_is_read_as_it_was_written)
{
    struct ticket ticket = ticket_new(), again;
    struct buffer text;

    for (int used = 0; used < 2; used++) {
        CHECK_OK(ticket_write(&ticket, &text));
        CHECK_OK(ticket_read(buffer_slice(&text), &again, NULL));
        CHECK_EQUAL(again.until_s, UNTIL);
        CHECK_EQUAL(again.seconds, 86400);
        CHECK_EQUAL(again.used, used);
        CHECK_EQUAL(again.failures, used);
        CHECK(!memcmp(again.key, ticket.key, FINGERPRINT_SIZE));
        CHECK(principal_equal(&again.grants, &ticket.grants));
        CHECK_EQUAL(principal_may(&again.grants, "a b"), RIGHT_READ);
        ticket_done(&again);
        buffer_done(&text);
        ticket_fail(&ticket);
        CHECK_OK(ticket_use(&ticket, mine, UNTIL, NULL));
    }
    ticket_done(&ticket);
}

TEST(a_ticket_works_once_and_again_for_the_same_key)
{
    struct ticket ticket = ticket_new();
    struct neap_error error = {0};

    CHECK_OK(ticket_use(&ticket, mine, UNTIL - 1, NULL));
    CHECK(ticket.used);
    CHECK_OK(ticket_use(&ticket, mine, UNTIL, NULL));
    CHECK_ERROR(ticket_use(&ticket, theirs, UNTIL, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "works once"));
    CHECK(strstr(error.text, "device/00000000000000d1"));
    CHECK_OK(ticket_use(&ticket, mine, UNTIL, NULL));
    ticket_done(&ticket);
}

TEST(a_ticket_is_over_when_its_time_is)
{
    struct ticket ticket = ticket_new();
    struct neap_error error = {0};

    CHECK_ERROR(ticket_use(&ticket, mine, UNTIL + 1, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "time is over"));
    CHECK(!ticket.used);
    ticket_done(&ticket);
}

TEST(three_failures_burn_it)
{
    struct ticket ticket = ticket_new();
    struct neap_error error = {0};

    ticket_fail(&ticket);
    ticket_fail(&ticket);
    CHECK_OK(ticket_use(&ticket, mine, UNTIL, NULL));
    ticket_fail(&ticket);
    ticket_fail(&ticket);
    CHECK_EQUAL(ticket.failures, TICKET_FAILURES_MAX);
    CHECK_ERROR(ticket_use(&ticket, mine, UNTIL, &error), NEAP_REFUSED);
    CHECK(strstr(error.text, "burnt"));
    ticket_done(&ticket);
}

TEST(a_damaged_ticket_admits_nobody)
{
    static const char *const bad[] = {
        "",
        "gives = neap://00000000000000c1/join/00000000000000d1\n",
        "until = 5\n",
        "gives = neap://00000000000000c1/node/00000000000000d1\nuntil = -5\n",
        "gives = neap://00000000000000c1/node/00000000000000d1\nuntil = 99999999999999999999\n",
        "gives = neap://00000000000000c1/node/00000000000000d1\nused-by = 12\n",
        "gives = neap://00000000000000c1/node/00000000000000d1\nused-by\n",
        "gives = neap://00000000000000c1/node/00000000000000d1\nwhat = 5\n",
        "gives = neap://00000000000000c1/node/00000000000000d1\nfailures = 99999999999\n"};
    struct ticket ticket;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERROR(ticket_read(slice_text(bad[i]), &ticket, NULL), NEAP_INVALID);
    /* Without `until` it is long over. */
    CHECK_OK(ticket_read(slice_text("gives = neap://00000000000000c1/node/00000000000000d1"),
                         &ticket, NULL));
    CHECK_ERROR(ticket_use(&ticket, mine, 1, NULL), NEAP_REFUSED);
    ticket_done(&ticket);
}

static int write_and_read(void *argument)
{
    struct ticket again;
    struct buffer text;
    int code = ticket_write(argument, &text);

    if (code)
        return code;
    code = ticket_read(buffer_slice(&text), &again, NULL);
    buffer_done(&text);
    if (!code)
        ticket_done(&again);
    return code;
}

TEST(a_ticket_without_memory_is_an_error)
{
    struct ticket ticket = ticket_new();

    test_alloc_sweep(write_and_read, &ticket);
    ticket_done(&ticket);
}
