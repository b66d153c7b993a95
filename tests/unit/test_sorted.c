#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/sorted.h"
#include "tests/support/test.h"

static struct sorted *map_new(void)
{
    struct sorted *map = NULL;

    CHECK_OK(sorted_new(&map));
    return map;
}

static int map_put(struct sorted *map, const char *key, const char *value)
{
    return sorted_put(map, slice_text(key), slice_text(value), 0);
}

/* All keys and values in order, as "a=1 b=2 ". */
static void check_map(const struct sorted *map, const char *expected)
{
    const struct sorted_entry *entry;
    size_t count = 0, bytes = 0;
    struct buffer text;

    buffer_init(&text, 1 << 20);
    for (entry = sorted_seek(map, slice_of(NULL, 0)); entry; entry = sorted_next(map, entry)) {
        CHECK_OK(buffer_append(&text, entry->key));
        CHECK_OK(buffer_append_u8(&text, '='));
        CHECK_OK(buffer_append(&text, entry->value));
        CHECK_OK(buffer_append_u8(&text, ' '));
        count++;
        bytes += entry->key.size + entry->value.size;
    }
    CHECK_SLICE(buffer_slice(&text), expected);
    CHECK_EQUAL(sorted_count(map), count);
    CHECK_EQUAL(sorted_bytes(map), bytes);
    buffer_done(&text);
}

TEST(entries_come_in_the_order_of_their_keys)
{
    struct sorted *map = map_new();

    check_map(map, "");
    CHECK_OK(map_put(map, "b", "2"));
    CHECK_OK(map_put(map, "a", "1"));
    CHECK_OK(map_put(map, "ab", "12"));
    CHECK_OK(map_put(map, "", "0"));
    check_map(map, "=0 a=1 ab=12 b=2 ");
    sorted_free(map);
    sorted_free(NULL);
}

TEST(an_entry_is_found_by_its_exact_key)
{
    struct sorted *map = map_new();

    CHECK(!sorted_get(map, slice_text("a")));
    CHECK_OK(sorted_put(map, slice_text("ab"), slice_text("1"), 7));
    CHECK(!sorted_get(map, slice_text("a")) && !sorted_get(map, slice_text("abc")));
    CHECK_SLICE(sorted_get(map, slice_text("ab"))->key, "ab");
    CHECK_SLICE(sorted_get(map, slice_text("ab"))->value, "1");
    CHECK_EQUAL(sorted_get(map, slice_text("ab"))->tag, 7);
    sorted_free(map);
}

TEST(seeking_gives_the_first_entry_at_or_after)
{
    struct sorted *map = map_new();

    CHECK_OK(map_put(map, "b", "1"));
    CHECK_OK(map_put(map, "d", "2"));
    CHECK_SLICE(sorted_seek(map, slice_text("a"))->key, "b");
    CHECK_SLICE(sorted_seek(map, slice_text("b"))->key, "b");
    CHECK_SLICE(sorted_seek(map, slice_text("ba"))->key, "d");
    CHECK(!sorted_seek(map, slice_text("da")));
    CHECK(!sorted_next(map, sorted_seek(map, slice_text("d"))));
    sorted_free(map);
}

TEST(a_value_is_replaced_whether_it_shrinks_or_grows)
{
    struct sorted *map = map_new();

    CHECK_OK(sorted_put(map, slice_text("k"), slice_text("12345678"), 1));
    CHECK_OK(map_put(map, "j", "0"));
    CHECK_OK(sorted_put(map, slice_text("k"), slice_text("1234567"), 2));
    check_map(map, "j=0 k=1234567 ");
    CHECK_EQUAL(sorted_get(map, slice_text("k"))->tag, 2);
    CHECK_OK(sorted_put(map, slice_text("k"), slice_text("123456789abcdef"), 3));
    check_map(map, "j=0 k=123456789abcdef ");
    CHECK_OK(sorted_put(map, slice_text("k"), slice_text(""), 4));
    check_map(map, "j=0 k= ");
    CHECK_EQUAL(sorted_get(map, slice_text("k"))->tag, 4);
    sorted_free(map);
}

TEST(the_arguments_may_lie_in_the_map)
{
    struct sorted *map = map_new();
    struct sorted_entry entry;

    CHECK_OK(map_put(map, "key", "value"));
    entry = *sorted_get(map, slice_text("key"));
    CHECK_OK(sorted_put(map, entry.key, slice_of(entry.value.data + 1, 4), 0));
    check_map(map, "key=alue ");
    entry = *sorted_get(map, slice_text("key"));
    CHECK_OK(sorted_put(map, entry.key, slice_of(entry.key.data, 7), 0));
    check_map(map, "key=keyalue ");
    CHECK_OK(map_put(map, "kez", ""));
    entry = *sorted_get(map, slice_text("key"));
    sorted_delete_range(map, entry.key, sorted_next(map, sorted_get(map, entry.key))->key);
    check_map(map, "kez= ");
    sorted_delete(map, sorted_seek(map, slice_of(NULL, 0))->key);
    check_map(map, "");
    sorted_free(map);
}

TEST(deleting_takes_one_entry_and_nothing_when_absent)
{
    struct sorted *map = map_new();

    CHECK_OK(map_put(map, "a", "1"));
    CHECK_OK(map_put(map, "b", "2"));
    sorted_delete(map, slice_text("aa"));
    sorted_delete(map, slice_text("c"));
    check_map(map, "a=1 b=2 ");
    sorted_delete(map, slice_text("a"));
    check_map(map, "b=2 ");
    sorted_delete(map, slice_text("b"));
    sorted_delete(map, slice_text("b"));
    check_map(map, "");
    sorted_free(map);
}

TEST(deleting_a_range_leaves_its_end)
{
    struct sorted *map = map_new();

    CHECK_OK(map_put(map, "a", "1"));
    CHECK_OK(map_put(map, "b", "2"));
    CHECK_OK(map_put(map, "c", "3"));
    CHECK_OK(map_put(map, "d", "4"));
    sorted_delete_range(map, slice_text("b"), slice_text("b"));
    sorted_delete_range(map, slice_text("c"), slice_text("b"));
    sorted_delete_range(map, slice_text("a"), slice_of(NULL, 0));
    sorted_delete_range(map, slice_text("e"), slice_text("f"));
    check_map(map, "a=1 b=2 c=3 d=4 ");
    sorted_delete_range(map, slice_text("b"), slice_text("d"));
    check_map(map, "a=1 d=4 ");
    sorted_delete_range(map, slice_of(NULL, 0), slice_text("z"));
    check_map(map, "");
    sorted_free(map);
}

TEST(a_cleared_map_is_empty_and_works_again)
{
    struct sorted *map = map_new();

    CHECK_OK(map_put(map, "a", "1"));
    sorted_clear(map);
    check_map(map, "");
    CHECK(!sorted_get(map, slice_text("a")));
    CHECK_OK(map_put(map, "b", "2"));
    check_map(map, "b=2 ");
    sorted_free(map);
}

enum { KEYS = 300 };

/* The same in an array: the value of each key, or -1. */
static void check_against(const struct sorted *map, const int *values)
{
    const struct sorted_entry *entry = sorted_seek(map, slice_of(NULL, 0));
    size_t count = 0;
    int i;

    for (i = 0; i < KEYS; i++) {
        char key[8];

        if (values[i] < 0)
            continue;
        snprintf(key, sizeof key, "%04d", i);
        CHECK(entry);
        CHECK_SLICE(entry->key, key);
        CHECK_EQUAL(entry->value.size, values[i]);
        CHECK(entry == sorted_get(map, slice_text(key)));
        entry = sorted_next(map, entry);
        count++;
    }
    CHECK(!entry);
    CHECK_EQUAL(sorted_count(map), count);
}

static void change(struct sorted *map, int *values, struct rng *rng)
{
    static const uint8_t bytes[40];
    char key[8], end[8];
    int i = (int)rng_below(rng, KEYS), size = (int)rng_below(rng, 40), to;

    snprintf(key, sizeof key, "%04d", i);
    if (rng_chance(rng, 70)) {
        CHECK_OK(sorted_put(map, slice_text(key), slice_of(bytes, (size_t)size), 0));
        values[i] = size;
    } else if (rng_chance(rng, 85)) {
        sorted_delete(map, slice_text(key));
        values[i] = -1;
    } else {
        to = i + size;
        snprintf(end, sizeof end, "%04d", to);
        sorted_delete_range(map, slice_text(key), slice_text(end));
        for (; i < to && i < KEYS; i++)
            values[i] = -1;
    }
}

TEST(random_changes_match_an_array)
{
    struct sorted *map = map_new();
    int values[KEYS], i;
    struct rng rng;

    rng_init(&rng, test_number("SEED", 1));
    for (i = 0; i < KEYS; i++)
        values[i] = -1;
    for (i = 0; i < 5000; i++) {
        change(map, values, &rng);
        if (i % 10 == 0)
            check_against(map, values);
    }
    check_against(map, values);
    sorted_free(map);
}

static int fill(void *argument)
{
    struct sorted *map = NULL;
    size_t count = 0, bytes = 0;
    int error, i;

    (void)argument;
    error = sorted_new(&map);
    if (error) {
        CHECK(!map);
        return error;
    }
    for (i = 0; i < 30 && !error; i++) {
        static const char text[] = "0123456789012345678901234567890123456789";
        char key[8];

        snprintf(key, sizeof key, "%d", i % 20);
        count = sorted_count(map);
        bytes = sorted_bytes(map);
        error = sorted_put(map, slice_text(key), slice_of(text, (size_t)i), 0);
    }
    if (error) {
        CHECK_EQUAL(sorted_count(map), count);
        CHECK_EQUAL(sorted_bytes(map), bytes);
    }
    sorted_free(map);
    return error;
}

TEST(a_map_without_memory_stays_as_it_was)
{
    test_alloc_sweep(fill, NULL);
}
