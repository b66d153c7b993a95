/* Tokens: reading one's own writes, acting on what was seen, submitted writes. */
#include "tests/api/both.h"

#include <string.h>

BOTH(what_was_written_can_be_read_after_its_token)
{
    struct neap_place at = place_of("b", "k");
    int64_t value = 0;

    both->call.ret_token = &both->token;
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    both->call.ret_token = NULL;
    both->call.after = token_of(&both->token);
    CHECK_OK(neap_counter_get(both->neap, &at, &value, &both->call));
    CHECK_EQUAL(value, 5);
    CHECK_OK(neap_counter_add(both->neap, &at, 1, &both->call));
    CHECK_OK(neap_wait(both->neap, token_of(&both->token), NULL));
}

BOTH(a_session_reads_what_it_wrote_and_takes_what_it_is_given)
{
    struct neap_place at = place_of("b", "k");
    int64_t value = 0;
    uint64_t count = 0;

    both->call.level = NEAP_SESSION;
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    CHECK_EQUAL(both->token.size, 0);
    both->call.ret_token = &both->token;
    CHECK_OK(neap_counter_get(both->neap, &at, &value, &both->call));
    CHECK_EQUAL(value, 5);
    CHECK(both->token.size > 0);
    both->call.ret_token = NULL;
    both->call.after = token_of(&both->token);
    CHECK_OK(neap_count(both->neap, &at, NEAP_COUNTER, &count, &both->call));
    CHECK_EQUAL(count, 1);
    both->call.after = bytes_of("");
    both->call.submit = 1;
    CHECK_ERROR(neap_counter_add(both->neap, &at, 5, &both->call), NEAP_INVALID);
    both->call.submit = 0;
    CHECK_ERROR(neap_wait(both->neap, token_of(&both->token), &both->call), NEAP_INVALID);
}

BOTH(what_is_not_here_yet_is_waited_for_and_given_up)
{
    /* Replica id 3 has written once, in the bucket "b", which is no bucket here. */
    struct neap_place at = place_of("b", "k");
    char token[64];
    int64_t value = 9;

    both->call.ret_token = &both->token;
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    CHECK(both->token.size < sizeof token);
    memcpy(token, both->token.data, both->token.size);
    /* The replica id is 8 bytes after the shard's; another one has not been heard of. */
    CHECK_EQUAL((uint8_t)token[14], 0x93);
    token[17] ^= 1;
    both->call.ret_token = NULL;
    both->call.after = (struct neap_bytes){token, both->token.size};
    both->call.timeout_ms = 1;
    CHECK_ERROR(neap_counter_get(both->neap, &at, &value, &both->call), NEAP_UNAVAILABLE);
    CHECK_EQUAL(value, 9);
    CHECK_ERROR(neap_counter_add(both->neap, &at, 1, &both->call), NEAP_UNAVAILABLE);
    CHECK_EQUAL(counter_of(both, &at), 5);
    both->call.after = bytes_of("");
    CHECK_ERROR(neap_wait(both->neap, (struct neap_bytes){token, both->token.size}, &both->call),
                NEAP_UNCERTAIN);
}

BOTH(a_token_of_another_bucket_is_not_what_was_seen_here)
{
    struct neap_place at = place_of("b", "k"), other = place_of("c", "k");

    both->call.ret_token = &both->token;
    CHECK_OK(neap_register_set(both->neap, &at, bytes_of("x"), &both->call));
    both->call.ret_token = NULL;
    both->call.seen = token_of(&both->token);
    CHECK_ERROR(neap_register_set(both->neap, &other, bytes_of("y"), &both->call), NEAP_STALE);
    CHECK_TEXT(values_text(both, &other), "");
}

BOTH(removing_what_was_seen_leaves_what_came_later)
{
    struct neap_place at = place_of("b", "k");
    uint64_t count;

    CHECK_OK(neap_set_add(both->neap, &at, bytes_of("seen"), NULL));
    both->call.ret_token = &both->token;
    CHECK_OK(neap_count(both->neap, &at, NEAP_SET, &count, &both->call));
    both->call.ret_token = NULL;
    CHECK_OK(neap_set_add(both->neap, &at, bytes_of("later"), NULL));
    both->call.seen = token_of(&both->token);
    CHECK_OK(neap_remove(both->neap, &at, NEAP_SET, &both->call));
    CHECK_TEXT(items_text(both, &at, NEAP_SET), "later ");
}

BOTH(a_token_of_nothing_means_that_nothing_was_seen)
{
    struct neap_place at = place_of("b", "k");
    uint64_t count;

    both->call.ret_token = &both->token;
    CHECK_OK(neap_count(both->neap, &at, NEAP_REGISTER, &count, &both->call));
    both->call.ret_token = NULL;
    CHECK_OK(neap_register_set(both->neap, &at, bytes_of("x"), NULL));
    both->call.seen = token_of(&both->token);
    CHECK_OK(neap_register_set(both->neap, &at, bytes_of("y"), &both->call));
    CHECK_TEXT(values_text(both, &at), "x y ");
}

BOTH(a_submitted_write_tells_its_end_to_who_waits)
{
    struct neap_place at = place_of("b", "k"), full = place_of("b", "full");

    both->call.submit = 1;
    both->call.ret_token = &both->token;
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    CHECK_OK(neap_wait(both->neap, token_of(&both->token), NULL));
    CHECK_EQUAL(counter_of(both, &at), 5);
    CHECK_OK(neap_counter_add(both->neap, &full, INT64_MAX, NULL));
    CHECK_OK(neap_counter_add(both->neap, &full, 1, &both->call));
    both->call = (struct neap_call){.size = sizeof both->call, .ret_error = &both->error};
    CHECK_ERROR(neap_wait(both->neap, token_of(&both->token), &both->call), NEAP_LIMIT);
    CHECK(both->error.text[0]);
    CHECK_EQUAL(counter_of(both, &full), INT64_MAX);
}

BOTH(a_submitted_write_of_another_opening_is_not_known)
{
    static const struct neap_bytes token = {"\x93\x01\x05\x90", 4};
    struct neap_place at = place_of("b", "k");
    int64_t value = 9;

    CHECK_ERROR(neap_wait(both->neap, token, &both->call), NEAP_STALE);
    CHECK(both->error.text[0]);
    both->call.after = token;
    CHECK_ERROR(neap_counter_get(both->neap, &at, &value, &both->call), NEAP_STALE);
    CHECK_ERROR(neap_counter_add(both->neap, &at, 1, &both->call), NEAP_STALE);
    CHECK_EQUAL(counter_of(both, &at), 0);
    CHECK_EQUAL(value, 9);
}

BOTH(levels_that_are_not_there_yet_are_refused)
{
    struct neap_place at = place_of("b", "k");
    int64_t value = 9;

    both->call.level = NEAP_LOCAL_QUORUM;
    CHECK_ERROR(neap_counter_get(both->neap, &at, &value, &both->call), NEAP_REFUSED);
    CHECK_EQUAL(value, 9);
    CHECK_ERROR(neap_counter_add(both->neap, &at, 1, &both->call), NEAP_REFUSED);
    both->call.level = NEAP_EACH_QUORUM;
    CHECK_ERROR(neap_counter_add(both->neap, &at, 1, &both->call), NEAP_REFUSED);
    CHECK_EQUAL(counter_of(both, &at), 0);
}

BOTH(a_node_alone_is_a_quorum)
{
    struct neap_place at = place_of("b", "k");

    int64_t value = 0;
    uint64_t count = 0;

    both->call.level = NEAP_QUORUM;
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    CHECK_OK(neap_counter_get(both->neap, &at, &value, &both->call));
    CHECK_EQUAL(value, 5);
    CHECK_OK(neap_count(both->neap, &at, NEAP_COUNTER, &count, &both->call));
    CHECK_EQUAL(count, 1);
    both->call.level = NEAP_ALL;
    both->call.ret_token = &both->token;
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    both->call.ret_token = NULL;
    CHECK_OK(neap_wait(both->neap, token_of(&both->token), &both->call));
}

BOTH(an_unsynced_write_is_durable_after_sync)
{
    struct neap_place at = place_of("b", "k");

    both->call.flags = NEAP_NOSYNC;
    CHECK_OK(neap_counter_add(both->neap, &at, 5, &both->call));
    CHECK_OK(neap_sync(both->neap));
    CHECK_EQUAL(counter_of(both, &at), 5);
}
