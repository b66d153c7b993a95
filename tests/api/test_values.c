/* What each type does, as its users see it. */
#include "tests/api/both.h"

#include <string.h>

BOTH(lww_holds_the_last_value)
{
    struct neap_place at = place_of("b", "k");

    CHECK_ERROR(neap_lww_get(both->neap, &at, &both->value, &both->call), NEAP_NOTFOUND);
    CHECK_OK(neap_lww_set(both->neap, &at, bytes_of("one"), &both->call));
    CHECK_OK(neap_lww_set(both->neap, &at, bytes_of("two"), &both->call));
    CHECK_OK(neap_lww_get(both->neap, &at, &both->value, &both->call));
    CHECK_TEXT(both->value.data, "two");
    CHECK_OK(neap_lww_set(both->neap, &at, bytes_of(""), &both->call));
    CHECK_OK(neap_lww_get(both->neap, &at, &both->value, &both->call));
    CHECK_EQUAL(both->value.size, 0);
    CHECK_OK(neap_remove(both->neap, &at, NEAP_LWW, &both->call));
    CHECK_ERROR(neap_lww_get(both->neap, &at, &both->value, &both->call), NEAP_NOTFOUND);
}

BOTH(a_value_may_be_any_bytes_up_to_the_limit)
{
    static uint8_t large[NEAP_VALUE_MAX + 1];
    struct neap_place at = {.bucket = "b", .key = {"\0\xff\0", 3}};
    size_t i;

    for (i = 0; i < sizeof large; i++)
        large[i] = (uint8_t)(i * 7);
    CHECK_OK(neap_lww_set(both->neap, &at, (struct neap_bytes){large, NEAP_VALUE_MAX}, NULL));
    CHECK_OK(neap_lww_get(both->neap, &at, &both->value, NULL));
    CHECK_BYTES(slice_of(both->value.data, both->value.size), slice_of(large, NEAP_VALUE_MAX));
    CHECK_ERROR(neap_lww_set(both->neap, &at, (struct neap_bytes){large, NEAP_VALUE_MAX + 1}, NULL),
                NEAP_LIMIT);
    CHECK_OK(neap_lww_get(both->neap, &at, &both->value, NULL));
    CHECK_EQUAL(both->value.size, NEAP_VALUE_MAX);
}

BOTH(a_flag_is_off_or_on)
{
    struct neap_place at = place_of("b", "k");
    int on = 7;

    CHECK_OK(neap_flag_get(both->neap, &at, &on, NULL));
    CHECK_EQUAL(on, 0);
    CHECK_OK(neap_flag_set(both->neap, &at, 1, NULL));
    CHECK_OK(neap_flag_get(both->neap, &at, &on, NULL));
    CHECK_EQUAL(on, 1);
    CHECK_OK(neap_flag_set(both->neap, &at, 0, NULL));
    CHECK_OK(neap_flag_get(both->neap, &at, &on, NULL));
    CHECK_EQUAL(on, 0);
}

BOTH(a_counter_adds_up_and_stays_within_64_bits)
{
    struct neap_place at = place_of("b", "k");

    CHECK_EQUAL(counter_of(both, &at), 0);
    CHECK_OK(neap_counter_add(both->neap, &at, 5, NULL));
    CHECK_OK(neap_counter_add(both->neap, &at, -8, NULL));
    CHECK_EQUAL(counter_of(both, &at), -3);
    CHECK_OK(neap_counter_add(both->neap, &at, INT64_MAX, NULL));
    CHECK_OK(neap_counter_add(both->neap, &at, 3, NULL));
    CHECK_EQUAL(counter_of(both, &at), INT64_MAX);
    CHECK_ERROR(neap_counter_add(both->neap, &at, 1, &both->call), NEAP_LIMIT);
    CHECK(strstr(both->error.text, "64 bits"));
    CHECK_EQUAL(counter_of(both, &at), INT64_MAX);
    CHECK_OK(neap_counter_add(both->neap, &at, 0, NULL));
    CHECK_OK(neap_remove(both->neap, &at, NEAP_COUNTER, NULL));
    CHECK_EQUAL(counter_of(both, &at), 0);
    CHECK_OK(neap_counter_add(both->neap, &at, INT64_MIN, NULL));
    CHECK_EQUAL(counter_of(both, &at), INT64_MIN);
}

BOTH(a_set_holds_each_element_once)
{
    struct neap_place at = place_of("b", "k");
    int in = 7;

    CHECK_OK(neap_set_add(both->neap, &at, bytes_of("b"), NULL));
    CHECK_OK(neap_set_add(both->neap, &at, bytes_of("a"), NULL));
    CHECK_OK(neap_set_add(both->neap, &at, bytes_of("b"), NULL));
    CHECK_OK(neap_set_add(both->neap, &at, bytes_of(""), NULL));
    CHECK_TEXT(items_text(both, &at, NEAP_SET), " a b ");
    CHECK_EQUAL(count_of(both, &at, NEAP_SET), 3);
    CHECK_OK(neap_set_has(both->neap, &at, bytes_of("a"), &in, NULL));
    CHECK_EQUAL(in, 1);
    CHECK_OK(neap_set_remove(both->neap, &at, bytes_of("a"), NULL));
    CHECK_OK(neap_set_remove(both->neap, &at, bytes_of("never there"), NULL));
    CHECK_OK(neap_set_has(both->neap, &at, bytes_of("a"), &in, NULL));
    CHECK_EQUAL(in, 0);
    CHECK_EQUAL(count_of(both, &at, NEAP_SET), 2);
    CHECK_OK(neap_remove(both->neap, &at, NEAP_SET, NULL));
    CHECK_EQUAL(count_of(both, &at, NEAP_SET), 0);
    CHECK_TEXT(keys_text(both, "b"), "");
}

BOTH(siblings_are_there_until_a_write_has_seen_them)
{
    struct neap_place at = place_of("b", "k");
    struct neap_iter *iter;

    CHECK_OK(neap_register_set(both->neap, &at, bytes_of("x"), NULL));
    CHECK_OK(neap_register_set(both->neap, &at, bytes_of("y"), NULL));
    CHECK_TEXT(values_text(both, &at), "x y ");
    CHECK_EQUAL(count_of(both, &at, NEAP_REGISTER), 2);
    both->call.ret_token = &both->token;
    CHECK_OK(neap_register_values(both->neap, &at, &both->call, &iter));
    neap_iter_free(iter);
    CHECK_OK(neap_register_set(both->neap, &at, bytes_of("later"), NULL));
    both->call.seen = token_of(&both->token);
    both->call.ret_token = NULL;
    CHECK_OK(neap_register_set(both->neap, &at, bytes_of("x+y"), &both->call));
    CHECK_TEXT(values_text(both, &at), "later x+y ");
}

BOTH(a_register_has_a_limit_of_siblings)
{
    struct neap_place at = place_of("b", "k");
    int i;

    for (i = 0; i < NEAP_SIBLINGS_MAX; i++)
        CHECK_OK(neap_register_set(both->neap, &at, bytes_of("v"), NULL));
    CHECK_ERROR(neap_register_set(both->neap, &at, bytes_of("v"), &both->call), NEAP_LIMIT);
    CHECK(strstr(both->error.text, "64"));
    CHECK_EQUAL(count_of(both, &at, NEAP_REGISTER), NEAP_SIBLINGS_MAX);
}

BOTH(objects_of_one_key_and_other_types_are_others)
{
    struct neap_place at = place_of("b", "k");

    CHECK_OK(neap_lww_set(both->neap, &at, bytes_of("v"), NULL));
    CHECK_OK(neap_counter_add(both->neap, &at, 4, NULL));
    CHECK_OK(neap_set_add(both->neap, &at, bytes_of("e"), NULL));
    CHECK_TEXT(keys_text(both, "b"), "k k k ");
    CHECK_OK(neap_remove(both->neap, &at, NEAP_LWW, NULL));
    CHECK_EQUAL(counter_of(both, &at), 4);
    CHECK_EQUAL(count_of(both, &at, NEAP_LWW), 0);
    CHECK_EQUAL(count_of(both, &at, NEAP_COUNTER), 1);
    CHECK_OK(neap_remove(both->neap, &at, NEAP_ANY, NULL));
    CHECK_TEXT(keys_text(both, "b"), "");
}

BOTH(removing_all_types_of_a_key_spares_its_neighbours)
{
    struct neap_place at = place_of("b", "k"), longer = place_of("b", "kk");
    struct neap_place zero = {.bucket = "b", .key = {"k\0", 2}};
    struct neap_place elsewhere = place_of("c", "k");

    CHECK_OK(neap_counter_add(both->neap, &at, 1, NULL));
    CHECK_OK(neap_counter_add(both->neap, &longer, 2, NULL));
    CHECK_OK(neap_counter_add(both->neap, &zero, 3, NULL));
    CHECK_OK(neap_counter_add(both->neap, &elsewhere, 4, NULL));
    CHECK_OK(neap_remove(both->neap, &at, NEAP_ANY, NULL));
    CHECK_EQUAL(counter_of(both, &at), 0);
    CHECK_EQUAL(counter_of(both, &longer), 2);
    CHECK_EQUAL(counter_of(both, &zero), 3);
    CHECK_EQUAL(counter_of(both, &elsewhere), 4);
}

BOTH(maps_nest_and_go_with_all_that_is_in_them)
{
    struct neap_bytes fields[] = {bytes_of("inner"), bytes_of("f")};
    struct neap_place map = place_of("b", "m"), inner = map, leaf = map;
    int64_t number;

    inner.fields = leaf.fields = fields;
    inner.fields_count = 1;
    leaf.fields_count = 2;
    CHECK_OK(neap_counter_add(both->neap, &leaf, 3, NULL));
    CHECK_OK(neap_set_add(both->neap, &leaf, bytes_of("e"), NULL));
    CHECK_OK(neap_flag_set(both->neap, &inner, 1, NULL));
    CHECK_TEXT(items_text(both, &map, NEAP_MAP), "inner inner ");
    CHECK_TEXT(items_text(both, &inner, NEAP_MAP), "f f ");
    CHECK_EQUAL(count_of(both, &map, NEAP_MAP), 2);
    CHECK_TEXT(keys_text(both, "b"), "m ");
    CHECK_OK(neap_remove(both->neap, &inner, NEAP_MAP, NULL));
    CHECK_OK(neap_counter_get(both->neap, &leaf, &number, NULL));
    CHECK_EQUAL(number, 0);
    CHECK_TEXT(items_text(both, &map, NEAP_MAP), "inner ");
    CHECK_OK(neap_remove(both->neap, &map, NEAP_MAP, NULL));
    CHECK_TEXT(keys_text(both, "b"), "");
}

BOTH(the_deepest_place_is_as_good_as_any)
{
    struct neap_bytes fields[NEAP_DEPTH_MAX - 1];
    struct neap_place at = place_of("b", "k");
    size_t i;

    for (i = 0; i < NEAP_DEPTH_MAX - 1; i++)
        fields[i] = bytes_of(i % 2 ? "" : "f");
    at.fields = fields;
    at.fields_count = NEAP_DEPTH_MAX - 1;
    CHECK_OK(neap_counter_add(both->neap, &at, 1, &both->call));
    CHECK_EQUAL(counter_of(both, &at), 1);
}

BOTH(the_longest_key_and_element_work)
{
    static char name[NEAP_PATH_MAX];
    struct neap_place at = {.bucket = "b", .key = {name, NEAP_KEY_MAX}};
    struct neap_bytes element = {name, NEAP_PATH_MAX - NEAP_KEY_MAX - 3 - 2};
    int in = 0;

    memset(name, 'n', sizeof name);
    CHECK_OK(neap_set_add(both->neap, &at, element, &both->call));
    CHECK_OK(neap_set_has(both->neap, &at, element, &in, NULL));
    CHECK_EQUAL(in, 1);
    CHECK_EQUAL(count_of(both, &at, NEAP_SET), 1);
    element.size++;
    CHECK_ERROR(neap_set_add(both->neap, &at, element, &both->call), NEAP_LIMIT);
    at.key.size++;
    CHECK_ERROR(neap_flag_set(both->neap, &at, 1, &both->call), NEAP_LIMIT);
}
