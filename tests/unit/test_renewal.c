#include "trust/renewal.h"

#include <string.h>

#include "tests/support/test.h"
#include "tests/unit/desk.h"
#include "trust/credentials.h"
#include "trust/keep.h"
#include "trust/secret.h"

enum { DAY_S = 86400 };

static bool is_due(struct renewal *renewal, const struct home *home, uint64_t now_s)
{
    bool due;

    CHECK_OK(renewal_look(renewal, home->path, now_s, &due, NULL));
    return due;
}

TEST(a_certificate_is_due_when_two_thirds_of_its_life_are_over)
{
    struct renewal renewal = {0};
    char text[RENEWAL_TEXT_MAX];
    struct home home;
    uint64_t due_s;

    home_open(&home);
    CHECK(!is_due(&renewal, &home, home.now_s));
    due_s = renewal.span.from_s + (renewal.span.until_s - renewal.span.from_s) / 3 * 2;
    CHECK(!is_due(&renewal, &home, due_s - 1));
    CHECK(is_due(&renewal, &home, due_s));
    CHECK(!renewal_problem(&renewal, due_s, text)); /* nobody has tried yet */
    CHECK(is_due(&renewal, &home, renewal.span.until_s + 5));
    home_close(&home);
}

TEST(what_failed_is_tried_again_later_and_told_with_the_days_that_are_left)
{
    struct renewal renewal = {0};
    char text[RENEWAL_TEXT_MAX];
    struct home home;
    uint64_t now_s;

    home_open(&home);
    CHECK(!is_due(&renewal, &home, home.now_s));
    now_s = renewal.span.until_s - 90 * DAY_S;
    CHECK(is_due(&renewal, &home, now_s));
    renewal_failed(&renewal, now_s, "nobody is there");
    CHECK(renewal_problem(&renewal, now_s, text));
    CHECK_TEXT(text,
               "this node's certificate has 90 days left, and is not renewed: nobody is there");
    CHECK(!is_due(&renewal, &home, now_s + RENEWAL_RETRY_MAX_S - 1));
    CHECK(is_due(&renewal, &home, now_s + RENEWAL_RETRY_MAX_S));
    /* When it is over, too. */
    now_s = renewal.span.until_s + 2 * DAY_S;
    CHECK(renewal_problem(&renewal, now_s, text));
    CHECK(strstr(text, "is over for 2 days") && strstr(text, "nobody is there"));
    /* Not for ever when the clock goes back. */
    renewal.again_s = now_s + 10 * DAY_S;
    CHECK(is_due(&renewal, &home, now_s));
    /* Somebody did it by hand. */
    home_certificate(&home, issue_span(PRINCIPAL_NODE, now_s, 0));
    CHECK(!is_due(&renewal, &home, now_s));
    CHECK(!renewal_problem(&renewal, now_s, text));
    home_close(&home);
}

/* A certificate of a clock that is behind is no reason to ask all the time. */
TEST(what_was_renewed_is_left_alone_for_a_while)
{
    struct renewal renewal = {0};
    struct home home;
    uint64_t now_s;

    home_open(&home);
    CHECK(!is_due(&renewal, &home, home.now_s));
    now_s = renewal.span.until_s;
    CHECK(is_due(&renewal, &home, now_s));
    renewal_succeeded(&renewal, now_s);
    CHECK_EQUAL(renewal.renewed, 1);
    CHECK(!is_due(&renewal, &home, now_s + 60));
    home_close(&home);
}

/* Who was let in for two hours is not let in for a month by that. */
TEST(what_was_made_for_less_than_usual_ends)
{
    struct renewal renewal = {0};
    char text[RENEWAL_TEXT_MAX];
    struct home home;

    home_open(&home);
    home_certificate(&home, issue_span(PRINCIPAL_NODE, home.now_s, 10 * DAY_S));
    CHECK(!is_due(&renewal, &home, home.now_s + DAY_S));
    CHECK(!renewal_problem(&renewal, home.now_s + DAY_S, text));
    CHECK(!is_due(&renewal, &home, home.now_s + 9 * DAY_S));
    CHECK(renewal_problem(&renewal, home.now_s + 9 * DAY_S, text));
    CHECK(strstr(text, "has 1 days left") && strstr(text, "not done by itself"));
    home_close(&home);
}

static int look_one(void *arg)
{
    struct renewal renewal = {0};
    bool due;

    return renewal_look(&renewal, ((struct home *)arg)->path, 0, &due, NULL);
}

TEST(a_certificate_that_cannot_be_read_says_so)
{
    struct neap_error error = {0};
    struct renewal renewal = {0};
    struct home home;
    bool due;

    home_open(&home);
    test_alloc_sweep(look_one, &home);
    file_put(home.path, "node.pem", "nothing");
    CHECK_ERROR(renewal_look(&renewal, home.path, 0, &due, &error), NEAP_INVALID);
    CHECK(strstr(error.text, "not a certificate"));
    CHECK_OK(keep_remove(home.path, "node.pem", NULL));
    CHECK_ERROR(renewal_look(&renewal, home.path, 0, &due, &error), NEAP_NOTFOUND);
    home_close(&home);
}
