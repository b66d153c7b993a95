/* What holds for all types alike: names, values and items of any of them, one object a type. */
#include "tests/api/both.h"

#include <string.h>

/* An item of every type that can be written to a place as such. */
static struct neap_item item_of(enum neap_type type)
{
    struct neap_item item = {.type = type};
    unsigned holds = neap_type_holds(type);

    if (holds & NEAP_HOLDS_ELEMENTS)
        item.name = bytes_of("element");
    if (holds & (NEAP_HOLDS_VALUE | NEAP_HOLDS_VALUES))
        item.value = bytes_of("value");
    if (holds & (NEAP_HOLDS_NUMBER | NEAP_HOLDS_SWITCH))
        item.number = holds & NEAP_HOLDS_SWITCH ? 1 : type == NEAP_BOUNDED ? 5 : -5;
    return item;
}

static int bytes_same(struct neap_bytes a, struct neap_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static void check_one(struct both *both, const struct neap_place *at, enum neap_type type)
{
    struct neap_item expected = item_of(type), item;
    struct neap_iter *iter;

    CHECK_OK(neap_values(both->neap, at, type, &both->call, &iter));
    CHECK_OK(neap_next(iter, &item, 0));
    CHECK_EQUAL(item.type, type);
    CHECK(bytes_same(item.name, expected.name));
    CHECK(bytes_same(item.value, expected.value));
    CHECK_EQUAL(item.number, expected.number);
    CHECK_ERROR(neap_next(iter, &item, 0), NEAP_END);
    neap_iter_free(iter);
}

static void check_none(struct both *both, const struct neap_place *at, enum neap_type type)
{
    struct neap_iter *iter;
    struct neap_item item;

    CHECK_OK(neap_values(both->neap, at, type, &both->call, &iter));
    CHECK_ERROR(neap_next(iter, &item, 0), NEAP_END);
    neap_iter_free(iter);
    CHECK_EQUAL(count_of(both, at, type), 0);
}

BOTH(what_is_put_as_an_item_is_there_as_an_item)
{
    struct neap_place at = place_of("b", "k");
    uint64_t types = 0;

    for (unsigned i = 1; i <= UINT8_MAX; i++) {
        enum neap_type type = (enum neap_type)i;
        struct neap_item item = item_of(type);

        if (!neap_type_holds(type) || neap_type_holds(type) & NEAP_HOLDS_FIELDS)
            continue;
        check_none(both, &at, type);
        CHECK_OK(neap_put(both->neap, &at, type, &item, &both->call));
        check_one(both, &at, type);
        CHECK_EQUAL(count_of(both, &at, type), 1);
        types++;
    }
    /* Each is an object of its own, and all are below the key. */
    for (unsigned i = 1; i <= UINT8_MAX; i++)
        if (neap_type_holds((enum neap_type)i) &&
            !(neap_type_holds((enum neap_type)i) & NEAP_HOLDS_FIELDS))
            check_one(both, &at, (enum neap_type)i);
    CHECK_OK(neap_remove(both->neap, &at, NEAP_ANY, &both->call));
    for (unsigned i = 1; i <= UINT8_MAX; i++)
        if (neap_type_holds((enum neap_type)i))
            check_none(both, &at, (enum neap_type)i);
    CHECK(types >= 5);
}

/* All types as fields of maps, as deep as it goes; the removal of the outermost takes all. */
BOTH(maps_hold_every_type_at_every_depth)
{
    struct neap_bytes fields[NEAP_DEPTH_MAX];
    struct neap_place at = place_of("b", "k"), top = at;

    at.fields = fields;
    for (size_t i = 0; i < NEAP_DEPTH_MAX; i++)
        fields[i] = bytes_of("f");
    for (at.fields_count = 1; at.fields_count < NEAP_DEPTH_MAX; at.fields_count++)
        for (unsigned i = 1; i <= UINT8_MAX; i++) {
            enum neap_type type = (enum neap_type)i;
            struct neap_item item = item_of(type);

            if (!neap_type_holds(type) || neap_type_holds(type) & NEAP_HOLDS_FIELDS)
                continue;
            CHECK_OK(neap_put(both->neap, &at, type, &item, &both->call));
            check_one(both, &at, type);
        }
    CHECK_ERROR(neap_put(both->neap, &at, NEAP_LWW, &(struct neap_item){0}, &both->call),
                NEAP_LIMIT);
    CHECK(strstr(both->error.text, "NEAP_DEPTH_MAX"));
    CHECK_OK(neap_remove(both->neap, &top, NEAP_MAP, &both->call));
    check_none(both, &top, NEAP_MAP);
    CHECK_TEXT(keys_text(both, "b"), "");
}

BOTH(types_that_are_none_are_refused)
{
    struct neap_place at = place_of("b", "k");
    struct neap_item item = {0};
    struct neap_iter *iter = NULL;
    uint64_t count = 7;

    CHECK_ERROR(neap_put(both->neap, &at, (enum neap_type)99, &item, &both->call), NEAP_INVALID);
    CHECK_ERROR(neap_put(both->neap, &at, NEAP_MAP, &item, &both->call), NEAP_INVALID);
    CHECK(strstr(both->error.text, "map"));
    CHECK_ERROR(neap_put(both->neap, &at, NEAP_LWW, NULL, &both->call), NEAP_INVALID);
    CHECK_ERROR(neap_values(both->neap, &at, (enum neap_type)99, &both->call, &iter), NEAP_INVALID);
    CHECK(strstr(both->error.text, "register, lww"));
    CHECK_ERROR(neap_values(both->neap, &at, NEAP_ANY, &both->call, &iter), NEAP_INVALID);
    CHECK_ERROR(neap_items(both->neap, &at, NEAP_LWW, item.name, &both->call, &iter), NEAP_INVALID);
    CHECK(strstr(both->error.text, "lww"));
    CHECK_ERROR(neap_count(both->neap, &at, (enum neap_type)99, &count, &both->call), NEAP_INVALID);
    CHECK_ERROR(neap_remove(both->neap, &at, (enum neap_type)99, &both->call), NEAP_INVALID);
    CHECK(!iter);
    CHECK_EQUAL(count, 7);
}

TEST(types_have_names)
{
    CHECK_TEXT(neap_type_name(NEAP_LWW), "lww");
    CHECK(!neap_type_name(NEAP_ANY));
    CHECK(!neap_type_name((enum neap_type)99));
    CHECK_EQUAL(neap_type_named("set"), NEAP_SET);
    CHECK_EQUAL(neap_type_named("any"), NEAP_ANY);
    CHECK_EQUAL(neap_type_named(NULL), NEAP_ANY);
    CHECK_EQUAL(neap_type_holds(NEAP_MAP), NEAP_HOLDS_FIELDS);
    CHECK_EQUAL(neap_type_holds(NEAP_ANY), 0);
}
