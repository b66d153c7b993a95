/* Whose rights of bounded counters a replica may spend (docs/decisions/0074). */
#include "tests/unit/shard_cases.h"

static struct place a;

static int stock_add(struct place *place, int64_t number)
{
    const struct op op = {.kind = OP_BOUNDED_ADD, .number = number};
    struct dot dot;

    return place_write(place, "stock", NEAP_BOUNDED, &op, &dot);
}

/* Opened again, under its own life; and so that it has another id, as a member was away. */
static void open_later(uint32_t nonce, bool disowned)
{
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, 1, nonce));
    CHECK_OK(stock_add(&a, 1));
    if (disowned)
        shard_disown(a.shard);
    CHECK_OK(shard_redot(a.shard, a.batch));
}

TEST(a_directory_spends_what_it_had_when_nobody_can_know_better)
{
    CHECK_OK(place_open(&a, 1));
    CHECK_OK(stock_add(&a, 10));
    CHECK_OK(stock_add(&a, -2));
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, 1, 77));
    CHECK_ERROR(stock_add(&a, -1), NEAP_NORIGHTS); /* before anybody was met */
    a.shard->proof = PROOF_MET;
    CHECK_ERROR(stock_add(&a, -1), NEAP_NORIGHTS); /* not all have confirmed it */
    CHECK_OK(shard_confirm(a.shard, a.batch));
    CHECK_OK(stock_add(&a, -1));
    shard_disown(a.shard);
    CHECK_ERROR(stock_add(&a, -1), NEAP_NORIGHTS); /* it has another future */
    place_close(&a);
}

TEST(the_rights_of_an_id_that_was_left_come_back_when_all_were_met)
{
    CHECK_OK(place_open(&a, 1));
    CHECK_OK(stock_add(&a, 10));
    open_later(77, false);
    CHECK_EQUAL(a.shard->formers_count, 1);
    CHECK_ERROR(stock_add(&a, -2), NEAP_NORIGHTS); /* 1 is of the new id */
    CHECK_OK(stock_add(&a, -1));
    a.shard->proof = PROOF_MET;
    CHECK_ERROR(stock_add(&a, -11), NEAP_NORIGHTS);
    CHECK_OK(stock_add(&a, -10));
    place_close(&a);
}

TEST(the_rights_of_a_directory_that_went_back_or_was_copied_are_not_its_own)
{
    CHECK_OK(place_open(&a, 1));
    CHECK_OK(stock_add(&a, 10));
    open_later(77, true);
    CHECK_EQUAL(a.shard->formers_count, 0);
    a.shard->proof = PROOF_MET;
    CHECK_ERROR(stock_add(&a, -2), NEAP_NORIGHTS);
    open_later(78, false);
    CHECK_EQUAL(a.shard->formers_count, 1);
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, 9, 79)); /* a copy */
    CHECK_EQUAL(a.shard->formers_count, 0);
    a.shard->proof = PROOF_MET;
    CHECK_ERROR(stock_add(&a, -1), NEAP_NORIGHTS);
    place_close(&a);
}
