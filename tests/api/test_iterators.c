/* Iterators over nothing, one page, many pages, and while things change. */
#include "tests/api/both.h"

#include <stdio.h>
#include <string.h>

enum { MANY = 5000 };

static void fill(struct both *both, const struct neap_place *at, int count)
{
    struct neap_batch *batch;
    char name[32];
    int i;

    CHECK_OK(neap_batch_new(both->neap, &batch));
    both->call.batch = batch;
    for (i = 0; i < count; i++) {
        snprintf(name, sizeof name, "element %06d", i);
        CHECK_OK(neap_set_add(both->neap, at, bytes_of(name), &both->call));
    }
    both->call.batch = NULL;
    CHECK_OK(neap_batch_commit(batch, NULL));
    neap_batch_free(batch);
}

static int number_of(const struct neap_item *item)
{
    char name[32];
    int number = -1;

    CHECK_EQUAL(item->name.size, 14);
    memcpy(name, item->name.data, 14);
    name[14] = 0;
    CHECK_EQUAL(sscanf(name, "element %06d", &number), 1);
    return number;
}

BOTH(a_listing_of_nothing_ends_at_once)
{
    struct neap_place at = place_of("b", "k");

    CHECK_TEXT(keys_text(both, "b"), "");
    CHECK_TEXT(items_text(both, &at, NEAP_SET), "");
    CHECK_TEXT(items_text(both, &at, NEAP_MAP), "");
    CHECK_TEXT(values_text(both, &at), "");
    CHECK_EQUAL(count_of(both, &at, NEAP_MAP), 0);
}

BOTH(many_pages_give_each_element_once_in_order)
{
    struct neap_place at = place_of("b", "k");
    struct neap_item item;
    struct neap_iter *iter;
    int i;

    fill(both, &at, MANY);
    CHECK_OK(neap_items(both->neap, &at, NEAP_SET, bytes_of(""), NULL, &iter));
    for (i = 0; i < MANY; i++) {
        CHECK_OK(neap_next(iter, &item, 0));
        CHECK_EQUAL(number_of(&item), i);
        CHECK_EQUAL(item.type, NEAP_SET);
    }
    CHECK_ERROR(neap_next(iter, &item, 0), NEAP_END);
    neap_iter_free(iter);
    CHECK_EQUAL(count_of(both, &at, NEAP_SET), MANY);
}

BOTH(a_listing_starts_at_a_name)
{
    struct neap_place at = place_of("b", "k");
    struct neap_item item;
    struct neap_iter *iter;

    fill(both, &at, 10);
    CHECK_OK(neap_items(both->neap, &at, NEAP_SET, bytes_of("element 000007"), NULL, &iter));
    CHECK_OK(neap_next(iter, &item, 0));
    CHECK_EQUAL(number_of(&item), 7);
    neap_iter_free(iter);
    CHECK_OK(neap_items(both->neap, &at, NEAP_SET, bytes_of("element 0000071"), NULL, &iter));
    CHECK_OK(neap_next(iter, &item, 0));
    CHECK_EQUAL(number_of(&item), 8);
    neap_iter_free(iter);
    CHECK_OK(neap_items(both->neap, &at, NEAP_SET, bytes_of("f"), NULL, &iter));
    CHECK_ERROR(neap_next(iter, &item, 0), NEAP_END);
    neap_iter_free(iter);
    CHECK_OK(neap_keys(both->neap, "b", bytes_of("k"), NULL, &iter));
    CHECK_OK(neap_next(iter, &item, 0));
    neap_iter_free(iter);
    CHECK_OK(neap_keys(both->neap, "b", bytes_of("ka"), NULL, &iter));
    CHECK_ERROR(neap_next(iter, &item, 0), NEAP_END);
    neap_iter_free(iter);
}

/* Every even one is there throughout; the odd ones go, and others come, while it is listed. */
BOTH(what_is_there_throughout_is_seen_once_while_the_rest_changes)
{
    struct neap_place at = place_of("b", "k");
    struct neap_item item;
    struct neap_iter *iter;
    char name[32];
    int i = 0, last = -1, even = 0, number;

    fill(both, &at, MANY);
    CHECK_OK(neap_items(both->neap, &at, NEAP_SET, bytes_of(""), NULL, &iter));
    while (!neap_next(iter, &item, 0)) {
        number = number_of(&item);
        CHECK(number > last);
        last = number;
        even += number % 2 == 0;
        if (++i % 50)
            continue;
        snprintf(name, sizeof name, "element %06d", (number * 7 % MANY) | 1);
        CHECK_OK(neap_set_remove(both->neap, &at, bytes_of(name), NULL));
        snprintf(name, sizeof name, "element %06d", MANY + i);
        if (i % 100 == 0 && i < MANY / 2)
            CHECK_OK(neap_set_add(both->neap, &at, bytes_of(name), NULL));
    }
    CHECK(even >= MANY / 2);
    neap_iter_free(iter);
}

BOTH(a_listing_goes_on_where_it_was_even_when_that_is_gone)
{
    struct neap_place at = place_of("b", "k");
    struct neap_item item;
    struct neap_iter *iter;
    int i;

    fill(both, &at, MANY);
    CHECK_OK(neap_items(both->neap, &at, NEAP_SET, bytes_of(""), NULL, &iter));
    for (i = 0; i <= 4000; i++)
        CHECK_OK(neap_next(iter, &item, 0));
    CHECK_OK(neap_iter_token(iter, &both->token));
    neap_iter_free(iter);
    CHECK_OK(neap_set_remove(both->neap, &at, bytes_of("element 004000"), NULL));
    both->call.resume = token_of(&both->token);
    CHECK_OK(neap_items(both->neap, &at, NEAP_SET, bytes_of(""), &both->call, &iter));
    CHECK_OK(neap_next(iter, &item, 0));
    CHECK_EQUAL(number_of(&item), 4001);
    neap_iter_free(iter);
    both->call.resume = (struct neap_bytes){0};
    CHECK_OK(neap_set_add(both->neap, &at, bytes_of("element 004000"), NULL));
    both->call.resume = token_of(&both->token);
    CHECK_OK(neap_items(both->neap, &at, NEAP_SET, bytes_of(""), &both->call, &iter));
    CHECK_OK(neap_next(iter, &item, 0));
    CHECK_EQUAL(number_of(&item), 4001);
    neap_iter_free(iter);
}

BOTH(keys_go_on_between_the_types_of_one_key)
{
    struct neap_place at = place_of("b", "k"), next = place_of("b", "l");
    struct neap_item item;
    struct neap_iter *iter;

    CHECK_OK(neap_lww_set(both->neap, &at, bytes_of("v"), NULL));
    CHECK_OK(neap_counter_add(both->neap, &at, 7, NULL));
    CHECK_OK(neap_set_add(both->neap, &at, bytes_of("e"), NULL));
    CHECK_OK(neap_flag_set(both->neap, &next, 1, NULL));
    CHECK_OK(neap_keys(both->neap, "b", bytes_of(""), NULL, &iter));
    CHECK_OK(neap_next(iter, &item, 0));
    CHECK_EQUAL(item.type, NEAP_LWW);
    CHECK_SLICE(slice_of(item.value.data, item.value.size), "v");
    CHECK_OK(neap_next(iter, &item, 0));
    CHECK_EQUAL(item.type, NEAP_COUNTER);
    CHECK_EQUAL(item.number, 7);
    CHECK_OK(neap_iter_token(iter, &both->token));
    neap_iter_free(iter);
    both->call.resume = token_of(&both->token);
    CHECK_OK(neap_keys(both->neap, "b", bytes_of(""), &both->call, &iter));
    CHECK_OK(neap_next(iter, &item, 0));
    CHECK_EQUAL(item.type, NEAP_SET);
    CHECK_OK(neap_next(iter, &item, 0));
    CHECK_EQUAL(item.type, NEAP_FLAG);
    CHECK_EQUAL(item.number, 1);
    CHECK_ERROR(neap_next(iter, &item, 0), NEAP_END);
    neap_iter_free(iter);
}

BOTH(large_values_are_listed_too)
{
    static char large[NEAP_VALUE_MAX];
    struct neap_bytes field;
    struct neap_place at = place_of("b", "k");
    struct neap_item item;
    struct neap_iter *iter;
    const char *names[] = {"a", "b", "c"};
    size_t i;

    at.fields = &field;
    at.fields_count = 1;
    for (i = 0; i < 3; i++) {
        field = bytes_of(names[i]);
        CHECK_OK(neap_lww_set(both->neap, &at, (struct neap_bytes){large, sizeof large}, NULL));
    }
    at.fields_count = 0;
    CHECK_OK(neap_items(both->neap, &at, NEAP_MAP, bytes_of(""), NULL, &iter));
    for (i = 0; i < 3; i++) {
        CHECK_OK(neap_next(iter, &item, 0));
        CHECK_EQUAL(item.value.size, sizeof large);
    }
    CHECK_ERROR(neap_next(iter, &item, 0), NEAP_END);
    neap_iter_free(iter);
}

BOTH(the_node_tells_its_numbers)
{
    struct neap_place at = place_of("b", "k");
    struct neap_item item;
    struct neap_iter *iter;
    int64_t writes = -1;

    CHECK_OK(neap_counter_add(both->neap, &at, 1, NULL));
    CHECK_OK(neap_stats(both->neap, &iter));
    while (!neap_next(iter, &item, 0))
        if (item.name.size == 6 && !memcmp(item.name.data, "writes", 6))
            writes = item.number;
    CHECK_EQUAL(writes, 1);
    neap_iter_free(iter);
}

BOTH(admin_answers_in_json)
{
    static const char *const status[] = {"status"}, *const unknown[] = {"no-such-verb"};

    CHECK_OK(neap_admin(both->neap, 1, status, &both->value, &both->call));
    CHECK_EQUAL(((char *)both->value.data)[0], '{');
    CHECK(neap_admin(both->neap, 1, unknown, &both->value, &both->call) != 0);
    CHECK(both->error.text[0]);
}
