#include "store/heat.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/test.h"

static struct heat heat;

/* Of shard 7: the path of an element of a set, or of a counter. */
static void change_as(const char *key, enum neap_type type, unsigned times)
{
    uint8_t bytes[2048] = {0, 0, 0, 0, 0, 0, 0, 9};
    struct buffer path = {.data = bytes + 8, .room = 2040, .size_max = 2040};

    CHECK_OK(path_level(&path, slice_text(key), type));
    if (type == NEAP_SET)
        CHECK_OK(path_element(&path, slice_text("x")));
    while (times-- > 0)
        heat_add(&heat, 7, slice_of(bytes, 8 + path.size));
}

static void change(const char *key, unsigned times)
{
    change_as(key, NEAP_SET, times);
}

/* The hot ones have so many changes, all told. */
static void check_hot(uint64_t now_ms, size_t count, uint64_t changes)
{
    const struct heat_place *place;
    uint64_t one, all = 0;
    size_t i = 0;

    for (; (place = heat_nth(&heat, now_ms, i, &one)); i++)
        all += one;
    CHECK_EQUAL(i, count);
    CHECK_EQUAL(all, changes);
}

TEST(a_collection_that_changes_much_is_hot)
{
    const struct heat_place *place;
    uint64_t changes;

    heat = (struct heat){0};
    change("s", HEAT_HOT - 1);
    check_hot(0, 0, 0);
    change("s", 1);
    check_hot(0, 1, HEAT_HOT);
    place = heat_nth(&heat, 0, 0, &changes);
    CHECK_EQUAL(place->shard, 7);
    CHECK_EQUAL(bytes_get_u64(place->name), 9);
    CHECK(memcmp(place->name + 8, "s", 1) == 0);
}

TEST(what_is_one_cell_or_has_a_long_name_is_left_out)
{
    char name[HEAT_NAME_MAX + 1];

    heat = (struct heat){0};
    change_as("n", NEAP_COUNTER, HEAT_HOT);
    memset(name, 'x', HEAT_NAME_MAX);
    name[HEAT_NAME_MAX] = 0;
    change(name, HEAT_HOT);
    heat_add(&heat, 7, slice_text("short"));
    CHECK_EQUAL(heat.count, 0);
}

TEST(whatever_else_changes_one_that_is_hot_stays)
{
    char name[16];

    heat = (struct heat){0};
    for (unsigned i = 0; i < 20 * HEAT_HOT; i++) {
        (void)snprintf(name, sizeof name, "k%u", i);
        change(name, 1);
        if (i % 8 == 0)
            change("hot", 1);
    }
    check_hot(0, HEAT_MAX, 20 * HEAT_HOT + 20 * HEAT_HOT / 8);
    heat_fade(&heat, 1);
    heat_fade(&heat, 1 + HEAT_FADE_MS); /* the others were never hot but by what they took over */
    CHECK(heat_nth(&heat, 1 + HEAT_FADE_MS, 0, &(uint64_t){0}));
    change("hot", HEAT_HOT);
    CHECK_EQUAL(heat.count, HEAT_MAX);
}

TEST(changes_fade_whether_anybody_looks_or_not)
{
    heat = (struct heat){0};
    heat_fade(&heat, 500);
    change("s", 8 * HEAT_HOT);
    check_hot(499 + HEAT_FADE_MS, 1, 8 * HEAT_HOT);
    check_hot(500 + HEAT_FADE_MS, 1, 4 * HEAT_HOT);
    heat_fade(&heat, 500 + HEAT_FADE_MS);
    check_hot(500 + HEAT_FADE_MS, 1, 4 * HEAT_HOT);
    heat_fade(&heat, 500 + 3 * (uint64_t)HEAT_FADE_MS);
    check_hot(500 + 3 * (uint64_t)HEAT_FADE_MS, 1, HEAT_HOT);
    check_hot(500 + 4 * (uint64_t)HEAT_FADE_MS, 0, 0);
    heat_fade(&heat, UINT64_MAX / 2);
    check_hot(UINT64_MAX / 2, 0, 0);
}
