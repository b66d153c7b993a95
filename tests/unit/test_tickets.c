#include "trust/tickets.h"

#include <string.h>

#include "base/alloc.h"
#include "tests/support/test.h"
#include "tests/unit/desk.h"
#include "trust/keep.h"
#include "trust/secret.h"

struct seen {
    uint64_t ids[8];
    size_t count;
};

static int see(void *arg, uint64_t id, const struct ticket *ticket, struct neap_error *error)
{
    struct seen *seen = arg;

    (void)error;
    CHECK_EQUAL(ticket->grants.id, id);
    seen->ids[seen->count++] = ticket->grants.id;
    return 0;
}

static void token_make(const struct home *home, uint64_t id, uint64_t now_s)
{
    struct principal who = {.kind = PRINCIPAL_NODE, .id = id};
    struct buffer line;

    CHECK_OK(directory_token(home->path, &who, now_s, 600, 0, &line, NULL));
    secret_done(&line);
}

TEST(tokens_are_seen_by_id_and_other_files_are_not)
{
    struct seen seen = {0};
    struct home home;
    size_t damaged = 9;
    char *tokens;

    home_open(&home);
    CHECK_OK(tickets_each(home.path, see, &seen, &damaged, NULL)); /* none was made yet */
    CHECK_EQUAL(seen.count, 0);
    token_make(&home, 30, home.now_s);
    token_make(&home, 10, home.now_s);
    token_make(&home, 20, home.now_s);
    tokens = secret_path(home.path, TICKETS_DIRECTORY);
    CHECK_OK(keep_file(tokens, "note", slice_text("x"), SECRET_KEY, KEEP_NEW, NULL));
    CHECK_OK(keep_file(tokens, "0000000000000011", slice_text("x"), SECRET_KEY, KEEP_NEW, NULL));
    CHECK_OK(tickets_each(home.path, see, &seen, &damaged, NULL));
    CHECK_EQUAL(seen.count, 3);
    CHECK(seen.ids[0] == 10 && seen.ids[1] == 20 && seen.ids[2] == 30);
    CHECK_EQUAL(damaged, 1);
    mem_free(tokens);
    home_close(&home);
}

TEST(a_token_that_was_taken_back_is_no_more)
{
    struct neap_error error = {0};
    struct seen seen = {0};
    struct home home;

    home_open(&home);
    CHECK_ERROR(tickets_remove(home.path, 7, &error), NEAP_NOTFOUND);
    CHECK(strstr(error.text, "no token 0000000000000007"));
    token_make(&home, 7, home.now_s);
    CHECK_OK(tickets_remove(home.path, 7, NULL));
    CHECK_ERROR(tickets_remove(home.path, 7, NULL), NEAP_NOTFOUND);
    CHECK_OK(tickets_each(home.path, see, &seen, NULL, NULL));
    CHECK_EQUAL(seen.count, 0);
    home_close(&home);
}

/* Not a second too early; and it is the making of one that does it. */
TEST(a_token_is_forgotten_a_week_after_its_time)
{
    struct seen seen = {0};
    struct home home;

    home_open(&home);
    token_make(&home, 1, home.now_s);
    CHECK_OK(tickets_prune(home.path, home.now_s + 600 + TICKETS_KEPT_S, NULL));
    CHECK_OK(tickets_each(home.path, see, &seen, NULL, NULL));
    CHECK_EQUAL(seen.count, 1);
    token_make(&home, 2, home.now_s + 600 + TICKETS_KEPT_S + 1);
    seen.count = 0;
    CHECK_OK(tickets_each(home.path, see, &seen, NULL, NULL));
    CHECK_EQUAL(seen.count, 1);
    CHECK_EQUAL(seen.ids[0], 2);
    home_close(&home);
}

TEST(a_token_is_open_used_burnt_or_expired)
{
    static const uint8_t key[FINGERPRINT_SIZE] = {1};
    struct ticket ticket = {.until_s = 100}, used = {.until_s = 100};

    CHECK_TEXT(ticket_state(&ticket, 100), "open");
    CHECK_TEXT(ticket_state(&ticket, 101), "expired");
    for (int i = 0; i < TICKET_FAILURES_MAX; i++)
        ticket_fail(&ticket);
    CHECK_TEXT(ticket_state(&ticket, 100), "burnt");
    CHECK_OK(ticket_use(&used, key, 50, NULL));
    CHECK_TEXT(ticket_state(&used, 101), "used");
}

static int list_one(void *arg)
{
    struct seen seen = {0};

    return tickets_each(((struct home *)arg)->path, see, &seen, NULL, NULL);
}

static int prune_one(void *arg)
{
    return tickets_prune(((struct home *)arg)->path, 0, NULL);
}

static int remove_one(void *arg)
{
    int code = tickets_remove(((struct home *)arg)->path, 77, NULL);

    return code == NEAP_NOTFOUND ? 0 : code;
}

TEST(without_memory_no_token_is_lost_or_left_out)
{
    struct home home;

    home_open(&home);
    token_make(&home, 1, home.now_s);
    token_make(&home, 2, home.now_s);
    test_alloc_sweep(list_one, &home);
    test_alloc_sweep(prune_one, &home);
    test_alloc_sweep(remove_one, &home);
    home_close(&home);
}
