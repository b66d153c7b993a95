/* Bounded counters, and values that expire, as callers meet them. */
#include "tests/api/both.h"

#include <string.h>
#include <time.h>

BOTH(a_bounded_counter_is_taken_from_as_far_as_there_is)
{
    struct neap_place at = place_of("shop", "apples");
    struct neap_rights rights = {.size = sizeof rights};
    int64_t value = -1;

    CHECK_OK(neap_bounded_get(both->neap, &at, &value, &both->call));
    CHECK_EQUAL(value, 0);
    CHECK_ERROR(neap_bounded_add(both->neap, &at, -1, &both->call), NEAP_NORIGHTS);
    CHECK_OK(neap_bounded_add(both->neap, &at, 5, &both->call));
    CHECK_OK(neap_bounded_add(both->neap, &at, -3, &both->call));
    CHECK_ERROR(neap_bounded_add(both->neap, &at, -3, &both->call), NEAP_NORIGHTS);
    CHECK(strstr(both->error.text, "shop/apples:bounded: 3 are needed, this node may use 2 of 2"));
    CHECK_OK(neap_bounded_rights(both->neap, &at, &rights, &both->call));
    CHECK_EQUAL(rights.value, 2);
    CHECK_EQUAL(rights.here, 2);
    CHECK(!rights.waits && rights.mine && !rights.who && !rights.most);
    CHECK_OK(neap_bounded_get(both->neap, &at, &value, &both->call));
    CHECK_EQUAL(value, 2);
}

BOTH(rights_can_be_given_away_and_claimed_back)
{
    struct neap_place at = place_of("shop", "apples");
    struct neap_rights rights = {.size = sizeof rights};

    CHECK_OK(neap_bounded_rights(both->neap, &at, &rights, &both->call));
    CHECK_EQUAL(rights.mine, 0);
    CHECK_OK(neap_bounded_add(both->neap, &at, 5, &both->call));
    CHECK_OK(neap_bounded_give(both->neap, &at, 4, 77, &both->call));
    CHECK_ERROR(neap_bounded_add(both->neap, &at, -2, &both->call), NEAP_NORIGHTS);
    CHECK_OK(neap_bounded_rights(both->neap, &at, &rights, &both->call));
    CHECK_EQUAL(rights.value, 5);
    CHECK_EQUAL(rights.here, 1);
    CHECK_EQUAL(rights.most, 4);
    CHECK_EQUAL(rights.who, 77);
    CHECK_ERROR(neap_bounded_give(both->neap, &at, 1, rights.mine, &both->call), NEAP_INVALID);
    CHECK_ERROR(neap_bounded_give(both->neap, &at, 0, 77, &both->call), NEAP_INVALID);
    CHECK_ERROR(neap_bounded_give(both->neap, &at, 2, 77, &both->call), NEAP_NORIGHTS);
    CHECK_OK(neap_bounded_claim(both->neap, &at, 77, &both->call));
    CHECK_OK(neap_bounded_add(both->neap, &at, -5, &both->call));
    rights.size = 1;
    CHECK_ERROR(neap_bounded_rights(both->neap, &at, &rights, &both->call), NEAP_INVALID);
}

BOTH(a_bounded_counter_may_be_a_field_and_is_removed_with_its_map)
{
    struct neap_bytes field = bytes_of("stock");
    struct neap_place at = place_of("shop", "apples"), top = at;
    int64_t value;

    at.fields = &field;
    at.fields_count = 1;
    CHECK_OK(neap_bounded_add(both->neap, &at, 5, &both->call));
    CHECK_OK(neap_remove(both->neap, &top, NEAP_MAP, &both->call));
    CHECK_OK(neap_bounded_get(both->neap, &at, &value, &both->call));
    CHECK_EQUAL(value, 0);
    CHECK_ERROR(neap_bounded_add(both->neap, &at, -1, &both->call), NEAP_NORIGHTS);
    CHECK_OK(neap_bounded_add(both->neap, &at, 2, &both->call));
    CHECK_OK(neap_bounded_add(both->neap, &at, -2, &both->call));
}

/* Until the clock of the machine has gone on by a millisecond, at least. */
static void let_time_pass(void)
{
    struct timespec first, now;

    CHECK_EQUAL(timespec_get(&first, TIME_UTC), TIME_UTC);
    do {
        CHECK_EQUAL(timespec_get(&now, TIME_UTC), TIME_UTC);
    } while (now.tv_sec == first.tv_sec && now.tv_nsec - first.tv_nsec < 3000000);
}

BOTH(what_has_expired_is_gone_for_every_read)
{
    struct neap_place name = place_of("box", "name"), tags = place_of("box", "tags"),
                      open = place_of("box", "open"), both_at = place_of("box", "both");
    struct neap_call call = both->call;
    int found = 1;

    call.ttl_ms = 1;
    CHECK_OK(neap_lww_set(both->neap, &name, bytes_of("tide"), &call));
    CHECK_OK(neap_set_add(both->neap, &tags, bytes_of("ripe"), &call));
    CHECK_OK(neap_flag_set(both->neap, &open, 1, &call));
    CHECK_OK(neap_register_set(both->neap, &both_at, bytes_of("one"), &call));
    CHECK_OK(neap_set_add(both->neap, &tags, bytes_of("sweet"), &both->call));
    /* Nothing is hidden before a tenth of a second has passed since something was. */
    for (int i = 0; i < 2000 && count_of(both, &tags, NEAP_SET) > 1; i++)
        let_time_pass();
    for (int i = 0; i < 2000 && (found || *values_text(both, &both_at)); i++) {
        let_time_pass();
        CHECK_OK(neap_flag_get(both->neap, &open, &found, &both->call));
    }
    CHECK_ERROR(neap_lww_get(both->neap, &name, &both->value, &both->call), NEAP_NOTFOUND);
    CHECK_TEXT(items_text(both, &tags, NEAP_SET), "sweet ");
    CHECK_TEXT(values_text(both, &both_at), "");
    CHECK_TEXT(keys_text(both, "box"), "tags ");
    CHECK_OK(neap_lww_set(both->neap, &name, bytes_of("ebb"), &both->call));
    CHECK_OK(neap_lww_get(both->neap, &name, &both->value, &both->call));
}

static uint64_t wall_ms(void)
{
    struct timespec now;
    CHECK_EQUAL(timespec_get(&now, TIME_UTC), TIME_UTC);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* How many of the items have a time, which is that from now. */
static size_t timed(struct neap_iter *iter, uint64_t ttl_ms, size_t *ret_items)
{
    uint64_t now = wall_ms();
    struct neap_item item;
    size_t count = 0;
    int error;
    for (*ret_items = 0; !(error = neap_next(iter, &item, 0)); ++*ret_items) {
        if (!item.expires_ms)
            continue;
        count++;
        CHECK(item.expires_ms > now && item.expires_ms <= now + ttl_ms);
    }
    CHECK_ERROR(error, NEAP_END);
    neap_iter_free(iter);
    return count;
}

BOTH(what_has_a_time_to_live_says_when_it_is_over)
{
    enum { TTL = 3600 * 1000 };
    struct neap_place name = place_of("box", "name"), tags = place_of("box", "tags"),
                      both_at = place_of("box", "both");
    struct neap_call call = both->call;
    struct neap_iter *iter;
    size_t items;

    call.ttl_ms = TTL;
    CHECK_OK(neap_lww_set(both->neap, &name, bytes_of("tide"), &call));
    CHECK_OK(neap_set_add(both->neap, &tags, bytes_of("ripe"), &call));
    CHECK_OK(neap_register_set(both->neap, &both_at, bytes_of("one"), &call));
    CHECK_OK(neap_set_add(both->neap, &tags, bytes_of("sweet"), &both->call));
    CHECK_OK(neap_register_set(both->neap, &both_at, bytes_of("two"), &both->call));
    CHECK_OK(neap_keys(both->neap, "box", (struct neap_bytes){0}, NULL, &iter));
    CHECK_EQUAL(timed(iter, TTL, &items), 1);
    CHECK_EQUAL(items, 3);
    CHECK_OK(neap_values(both->neap, &name, NEAP_LWW, NULL, &iter));
    CHECK_EQUAL(timed(iter, TTL, &items), 1);
    CHECK_OK(neap_values(both->neap, &tags, NEAP_SET, NULL, &iter));
    CHECK_EQUAL(timed(iter, TTL, &items), 1);
    CHECK_EQUAL(items, 2);
    CHECK_OK(neap_values(both->neap, &both_at, NEAP_REGISTER, NULL, &iter));
    CHECK_EQUAL(timed(iter, TTL, &items), 1);
    CHECK_EQUAL(items, 2);
}

BOTH(only_what_can_expire_takes_a_time_to_live)
{
    struct neap_place at = place_of("box", "n");
    struct neap_call call = both->call;
    int64_t value;

    call.ttl_ms = 1000;
    CHECK_ERROR(neap_counter_add(both->neap, &at, 1, &call), NEAP_INVALID);
    CHECK(strstr(both->error.text, "ttl_ms"));
    CHECK_ERROR(neap_bounded_add(both->neap, &at, 1, &call), NEAP_INVALID);
    CHECK_ERROR(neap_flag_set(both->neap, &at, 0, &call), NEAP_INVALID);
    CHECK_ERROR(neap_counter_get(both->neap, &at, &value, &call), NEAP_INVALID);
    call.ttl_ms = NEAP_TTL_MS_MAX + 1;
    CHECK_ERROR(neap_lww_set(both->neap, &at, bytes_of("x"), &call), NEAP_LIMIT);
    call.ttl_ms = NEAP_TTL_MS_MAX;
    CHECK_OK(neap_lww_set(both->neap, &at, bytes_of("x"), &call));
    CHECK_OK(neap_lww_get(both->neap, &at, &both->value, &both->call));
}
