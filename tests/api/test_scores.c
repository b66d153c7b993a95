/* Score sets as programs use them, on both kinds of handle. */
#include <stdio.h>
#include <string.h>

#include "tests/api/both.h"

enum { MANY = 3000 };

static void set(struct both *both, const struct neap_place *at, const char *member, int64_t score)
{
    CHECK_OK(neap_score_set(both->neap, at, bytes_of(member), score, &both->call));
}

/* "ann 10, bob 9, " */
static void check_scores(struct both *both, const struct neap_place *at, int64_t high, int64_t low,
                         const char *expected)
{
    char text[400] = "";
    size_t used = 0;
    struct neap_iter *iter;
    struct neap_item item;
    int error;

    CHECK_OK(neap_scores(both->neap, at, high, low, &both->call, &iter));
    while (!(error = neap_next(iter, &item, 0))) {
        CHECK_EQUAL(item.type, NEAP_SCORES);
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%.*s %lld, ", (int)item.name.size,
                             (const char *)item.name.data, (long long)item.number);
    }
    CHECK_ERROR(error, NEAP_END);
    CHECK_TEXT(text, expected);
    CHECK_ERROR(neap_iter_token(iter, &both->token), NEAP_INVALID);
    neap_iter_free(iter);
}

#define CHECK_RANK(both, at, member, expected)                                                \
    do {                                                                                      \
        uint64_t rank_ = 0;                                                                   \
        CHECK_OK(neap_score_rank((both)->neap, at, bytes_of(member), &rank_, &(both)->call)); \
        CHECK_EQUAL(rank_, expected);                                                         \
    } while (0)

BOTH(members_are_listed_by_their_scores)
{
    struct neap_place at = place_of("b", "board"), other = place_of("b", "board2");

    set(both, &at, "ann", 10);
    set(both, &at, "bob", 300);
    set(both, &at, "cid", -5);
    set(both, &at, "dan", 10);
    set(both, &at, "eve", INT64_MIN);
    set(both, &at, "fay", INT64_MAX);
    set(both, &other, "zoe", 11);
    check_scores(both, &at, INT64_MAX, INT64_MIN,
                 "fay 9223372036854775807, bob 300, ann 10, dan 10, cid -5, "
                 "eve -9223372036854775808, ");
    check_scores(both, &at, 300, 10, "bob 300, ann 10, dan 10, ");
    check_scores(both, &at, 299, 11, "");
    check_scores(both, &at, 10, 10, "ann 10, dan 10, ");
    check_scores(both, &at, 10, 11, "");
    check_scores(both, &other, INT64_MAX, INT64_MIN, "zoe 11, ");
    CHECK_TEXT(items_text(both, &at, NEAP_SCORES), "ann bob cid dan eve fay ");
    CHECK_EQUAL(count_of(both, &at, NEAP_SCORES), 6);
}

BOTH(a_score_that_changes_moves_its_member)
{
    struct neap_place at = place_of("b", "board");
    int64_t score;

    set(both, &at, "ann", 10);
    set(both, &at, "bob", 20);
    CHECK_OK(neap_score_add(both->neap, &at, bytes_of("ann"), 15, &both->call));
    CHECK_OK(neap_score_add(both->neap, &at, bytes_of("cid"), 1, &both->call));
    check_scores(both, &at, INT64_MAX, INT64_MIN, "ann 25, bob 20, cid 1, ");
    CHECK_OK(neap_score_get(both->neap, &at, bytes_of("ann"), &score, &both->call));
    CHECK_EQUAL(score, 25);
    set(both, &at, "ann", 3);
    CHECK_OK(neap_score_remove(both->neap, &at, bytes_of("bob"), &both->call));
    check_scores(both, &at, INT64_MAX, INT64_MIN, "ann 3, cid 1, ");
    CHECK_ERROR(neap_score_get(both->neap, &at, bytes_of("bob"), &score, &both->call),
                NEAP_NOTFOUND);
    CHECK_OK(neap_remove(both->neap, &at, NEAP_SCORES, &both->call));
    check_scores(both, &at, INT64_MAX, INT64_MIN, "");
}

BOTH(a_rank_is_how_many_come_before)
{
    struct neap_place at = place_of("b", "board");
    struct neap_bytes fields[] = {bytes_of("f")};
    struct neap_place field = {"b", {"board", 5}, fields, 1};
    uint64_t rank = 7;

    set(both, &at, "ann", 10);
    set(both, &at, "bob", 20);
    set(both, &at, "cid", 10);
    set(both, &field, "cid", 10);
    CHECK_RANK(both, &at, "bob", 0);
    CHECK_RANK(both, &at, "ann", 1);
    CHECK_RANK(both, &at, "cid", 2);
    CHECK_RANK(both, &field, "cid", 0);
    CHECK_ERROR(neap_score_rank(both->neap, &at, bytes_of("dan"), &rank, &both->call),
                NEAP_NOTFOUND);
    CHECK_EQUAL(rank, 7);
}

BOTH(names_are_any_bytes)
{
    struct neap_place at = place_of("b", "board");
    struct neap_bytes zero = {"a\0b", 3}, none = {NULL, 0};
    struct neap_iter *iter;
    struct neap_item item;
    uint64_t rank;

    CHECK_OK(neap_score_set(both->neap, &at, zero, 4, &both->call));
    CHECK_OK(neap_score_set(both->neap, &at, none, 5, &both->call));
    CHECK_OK(neap_scores(both->neap, &at, INT64_MAX, INT64_MIN, &both->call, &iter));
    CHECK_OK(neap_next(iter, &item, 0));
    CHECK_EQUAL(item.name.size, 0);
    CHECK_OK(neap_next(iter, &item, 0));
    CHECK_EQUAL(item.name.size, 3);
    CHECK(!memcmp(item.name.data, "a\0b", 3));
    neap_iter_free(iter);
    CHECK_OK(neap_score_rank(both->neap, &at, zero, &rank, &both->call));
    CHECK_EQUAL(rank, 1);
}

BOTH(a_listing_of_many_comes_in_pages)
{
    struct neap_place at = place_of("b", "board");
    struct neap_call call = both->call;
    struct neap_batch *batch;
    struct neap_iter *iter;
    struct neap_item item;
    char name[64];

    CHECK_OK(neap_batch_new(both->neap, &batch));
    call.batch = batch;
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "a member with a name that is not short: %06d", i * 7 % MANY);
        CHECK_OK(neap_score_set(both->neap, &at, bytes_of(name), i * 7 % MANY / 2, &call));
    }
    CHECK_OK(neap_batch_commit(batch, &both->call));
    neap_batch_free(batch);
    CHECK_OK(neap_scores(both->neap, &at, INT64_MAX, INT64_MIN, &both->call, &iter));
    for (int i = 0; i < MANY; i++) {
        CHECK_OK(neap_next(iter, &item, 0));
        CHECK_EQUAL(item.number, (MANY - 1 - i) / 2);
    }
    CHECK_ERROR(neap_next(iter, &item, 0), NEAP_END);
    neap_iter_free(iter);
    CHECK_RANK(both, &at, name, MANY - 1 - ((MANY - 1) * 7 % MANY ^ 1));
    CHECK_EQUAL(count_of(both, &at, NEAP_SCORES), MANY);
}

BOTH(tokens_of_scores_cover_what_was_seen)
{
    struct neap_place at = place_of("b", "board");
    struct neap_iter *iter;
    uint64_t rank;

    set(both, &at, "ann", 10);
    both->call.ret_token = &both->token;
    CHECK_OK(neap_scores(both->neap, &at, INT64_MAX, INT64_MIN, &both->call, &iter));
    neap_iter_free(iter);
    both->call.ret_token = NULL;
    set(both, &at, "bob", 5);
    both->call.seen = token_of(&both->token);
    CHECK_OK(neap_remove(both->neap, &at, NEAP_SCORES, &both->call));
    both->call.seen = (struct neap_bytes){NULL, 0};
    check_scores(both, &at, INT64_MAX, INT64_MIN, "bob 5, ");
    both->call.ret_token = &both->token;
    CHECK_OK(neap_score_rank(both->neap, &at, bytes_of("bob"), &rank, &both->call));
    CHECK(both->token.size > 0);
}

BOTH(what_scores_do_not_take_is_refused)
{
    struct neap_place at = place_of("b", "board"), nowhere = place_of("_b", "board");
    static char name[NEAP_PATH_MAX + 1];
    struct neap_bytes large = {name, sizeof name};
    struct neap_iter *iter;
    uint64_t rank;
    int64_t score;

    memset(name, 'x', sizeof name);
    CHECK_ERROR(neap_score_set(both->neap, &at, large, 1, &both->call), NEAP_LIMIT);
    CHECK_ERROR(neap_score_rank(both->neap, &at, large, &rank, &both->call), NEAP_LIMIT);
    large.size = NEAP_PATH_MAX - 4;
    CHECK_ERROR(neap_score_rank(both->neap, &at, large, &rank, &both->call), NEAP_LIMIT);
    CHECK_ERROR(neap_score_set(both->neap, &nowhere, bytes_of("m"), 1, &both->call), NEAP_REFUSED);
    CHECK_ERROR(neap_scores(both->neap, &at, 1, 0, &both->call, NULL), NEAP_INVALID);
    CHECK_ERROR(neap_score_rank(both->neap, &at, bytes_of("m"), NULL, &both->call), NEAP_INVALID);
    CHECK_ERROR(neap_score_get(both->neap, &at, bytes_of("m"), NULL, &both->call), NEAP_INVALID);
    set(both, &at, "top", INT64_MAX);
    CHECK_ERROR(neap_score_add(both->neap, &at, bytes_of("top"), 1, &both->call), NEAP_LIMIT);
    CHECK_OK(neap_score_get(both->neap, &at, bytes_of("top"), &score, &both->call));
    CHECK_EQUAL(score, INT64_MAX);
    both->call.resume = bytes_of("x");
    CHECK_ERROR(neap_scores(both->neap, &at, 1, 0, &both->call, &iter), NEAP_INVALID);
}
