/* Events that more than one directory has, not all confirmed. */
#include "store/change.h"
#include "store/shard.h"
#include "tests/unit/shard_cases.h"

static struct place a, b;

static void close_all(void)
{
    place_close(&a);
    place_close(&b);
}

/* Opened three times more without being confirmed: events 2, 3 and 4, 5 are of them. */
static void open_unconfirmed(uint64_t life)
{
    CHECK_OK(place_open(&a, 1));
    CHECK_OK(place_open(&b, 2));
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_commit(&b));
    CHECK_OK(place_add(&a, "x", 1));
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, 1, NONCE + 1));
    CHECK_OK(place_add(&a, "x", 10));
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, 1, NONCE + 2));
    CHECK_OK(place_add(&a, "x", 100));
    CHECK_OK(place_add(&a, "x", 100));
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, life, NONCE + 3));
    CHECK_OK(place_add(&a, "x", 1000));
}

TEST(events_that_are_not_confirmed_get_names_by_their_opening)
{
    open_unconfirmed(1);
    CHECK_EQUAL(place_dots(&a, "x", NEAP_COUNTER), 4); /* a total goes no further than an opening */
    CHECK_EQUAL(shard_redot_ids(a.shard), 3);
    CHECK_OK(shard_redot(a.shard, a.batch));
    CHECK_EQUAL(a.shard->replica, renamed_id(1, 1, NONCE + 3));
    CHECK_EQUAL(context_get(&a.shard->context, 1), 1);
    for (uint32_t i = 1; i <= 3; i++) {
        const struct context_entry *entry =
            context_find(&a.shard->context, renamed_id(1, 1, NONCE + i));

        CHECK(entry);
        CHECK_EQUAL(entry->n, i == 2 ? 2 : 1);
        CHECK_EQUAL(entry->nonce, NONCE + i);
    }
    CHECK_EQUAL(place_value(&a, "x"), 1211);
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    CHECK_EQUAL(place_value(&b, "x"), 1211);
    close_all();
}

TEST(what_was_told_as_a_whole_keeps_its_names)
{
    struct context_entry seen = {.id = 1, .n = 2, .nonce = NONCE + 1};

    open_unconfirmed(1);
    seen.nonce = 99; /* of no opening of mine */
    CHECK_OK(shard_prove(a.shard, a.batch, &seen));
    CHECK_EQUAL(a.shard->opened_at, 1);
    CHECK_EQUAL(shard_check_quote(a.shard, &seen), QUOTE_ROLLBACK);
    seen = (struct context_entry){.id = 1, .n = 3, .nonce = NONCE + 2}; /* of two events, one */
    CHECK_OK(shard_prove(a.shard, a.batch, &seen));
    CHECK_EQUAL(a.shard->opened_at, 2);
    CHECK_EQUAL(a.shard->opened_nonce, NONCE + 1);
    CHECK_EQUAL(shard_check_quote(a.shard, &seen), QUOTE_CONFIRMS);
    seen.n = 5; /* that opening went on, elsewhere */
    CHECK_EQUAL(shard_check_quote(a.shard, &seen), QUOTE_ROLLBACK);
    CHECK_OK(shard_prove(a.shard, a.batch, &seen));
    CHECK_EQUAL(a.shard->opened_at, 4);
    CHECK_EQUAL(a.shard->openings_count, 1);
    CHECK_EQUAL(shard_check_quote(a.shard, &seen), QUOTE_ROLLBACK);
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, 1, NONCE + 4));
    CHECK_EQUAL(a.shard->opened_at, 4);
    CHECK_EQUAL(a.shard->opened_nonce, NONCE + 2);
    CHECK_OK(shard_redot(a.shard, a.batch));
    CHECK_EQUAL(context_get(&a.shard->context, 1), 4);
    CHECK_EQUAL(context_get(&a.shard->context, renamed_id(1, 4, NONCE + 3)), 1);
    close_all();
}

TEST(a_new_life_keeps_an_id_that_has_unconfirmed_events_and_leaves_it)
{
    open_unconfirmed(77);
    CHECK_EQUAL(a.shard->replica, 1);
    CHECK(a.shard->leaving);
    CHECK(!a.shard->confirmed);
    CHECK_EQUAL(shard_quote(a.shard, 1).n, 1); /* nobody was told of the others */
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, 77, NONCE + 4));
    CHECK(a.shard->leaving);
    CHECK_OK(shard_redot(a.shard, a.batch));
    CHECK(!a.shard->leaving);
    CHECK(a.shard->confirmed);
    CHECK_OK(place_commit(&a));
    CHECK_OK(place_reopen(&a, 77, NONCE + 5));
    CHECK(!a.shard->leaving);
    close_all();
}

TEST(whoever_hears_of_names_that_its_events_would_get_renames_them)
{
    struct buffer chunk;
    enum taken taken;

    open_unconfirmed(77);
    buffer_init(&chunk, WIRE_MAX);
    CHECK_OK(context_raise(&b.shard->context, renamed_id(1, 1, NONCE + 2), 1, NONCE + 2));
    CHECK(shard_is_renamed(a.shard, &b.shard->context));
    CHECK_OK(place_set(&b, "y", "1"));
    CHECK_OK(place_chunk(&b, &a.shard->horizon, 2, CHUNK_SIZE, &chunk));
    CHECK_ERROR(shard_take(a.shard, a.batch, buffer_slice(&chunk), CHUNK_PULL, &taken), NEAP_STALE);
    CHECK(a.shard->went_back);
    CHECK_OK(shard_redot(a.shard, a.batch));
    CHECK(!a.shard->went_back);
    CHECK(!shard_is_renamed(a.shard, &b.shard->context));
    buffer_done(&chunk);
    close_all();
}

/* Of a's openings, b was told by a later one. */
TEST(openings_that_led_to_what_is_known_are_shown_by_the_log_and_by_promises)
{
    struct view view;
    struct shard_claim claim;
    struct context_entry proof;

    open_unconfirmed(1);
    shard_claim(a.shard, &claim);
    CHECK_OK(shard_promise(b.shard, 9, &claim)); /* made by the original */
    CHECK_OK(shard_confirm(a.shard, a.batch));
    CHECK_OK(place_pull(&b, &a, CHUNK_SIZE));
    claim.openings_count = 3;
    claim.openings[2] = (struct opening){4, 99}; /* by a copy from before the last */
    view = batch_view(b.batch);
    proof = shard_proof(b.shard, &view, &claim);
    CHECK_EQUAL(proof.n, 4);
    CHECK_EQUAL(proof.nonce, NONCE + 2);
    shard_promise_forget(b.shard, 9);
    proof = shard_proof(b.shard, &view, &claim);
    CHECK_EQUAL(proof.n, 4);
    CHECK_OK(shard_promise(b.shard, 9, &claim));
    CHECK_OK(shard_truncate(b.shard, b.batch, &b.shard->context));
    proof = shard_proof(b.shard, &view, &claim);
    CHECK_EQUAL(proof.n, 0);
    shard_claim(a.shard, &claim);
    CHECK_OK(shard_promise(b.shard, 9, &claim));
    claim.openings[2] = (struct opening){4, 99};
    proof = shard_proof(b.shard, &view, &claim);
    CHECK_EQUAL(proof.n, 4);
    claim.openings_count = 0;
    CHECK_EQUAL(shard_proof(b.shard, &view, &claim).n, 0);
    close_all();
}

/* Half of it fails when an allocation does. */
static int all_ways(void *unused)
{
    struct context_entry seen = {.id = 1, .n = 2, .nonce = NONCE + 1};
    int error = place_open(&a, 1);

    (void)unused;
    for (uint32_t i = 0; i < 3 && !error; i++) {
        error = place_add(&a, "x", 1);
        if (!error)
            error = place_commit(&a);
        if (!error)
            error = place_reopen(&a, 1, NONCE + 1 + i);
    }
    if (!error)
        error = shard_prove(a.shard, a.batch, &seen);
    if (!error)
        error = shard_redot(a.shard, a.batch);
    place_close(&a);
    return error;
}

TEST(it_runs_out_of_memory_cleanly)
{
    test_alloc_sweep(all_ways, NULL);
}
