#include "crdt/path.h"

#include <string.h>

#include "base/rng.h"
#include "tests/support/test.h"

/* A path from "name:type/name:type/element", for names without these signs. */
static int path_parse(const char *text, struct buffer *path)
{
    static const char kinds[] = "?rlfcsm";
    int error = 0;

    buffer_clear(path);
    while (*text && !error) {
        size_t size = strcspn(text, ":/");
        struct slice name = slice_of(text, size);

        if (text[size] == ':') {
            error = path_level(path, name, (enum neap_type)(strchr(kinds, text[size + 1]) - kinds));
            size += 2;
        } else {
            error = path_element(path, name);
        }
        text += size + (text[size] == '/');
    }
    return error;
}

#define CHECK_PATH(text, expected_error) CHECK_ERROR(path_parse(text, &path), expected_error)

TEST(a_path_is_escaped_names_with_types)
{
    struct buffer path;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_of("a\0b", 3), NEAP_MAP));
    CHECK_OK(path_level(&path, slice_text(""), NEAP_MAP));
    CHECK_OK(path_level(&path, slice_of("\0", 1), NEAP_SET));
    CHECK_OK(path_element(&path, slice_of("\0\1x", 3)));
    CHECK_HEX(buffer_slice(&path), "61 00ff 62 0001 06  0001 06  00ff 0001 05  00ff 01 78 0001");
    buffer_done(&path);
}

TEST(a_step_that_does_not_fit_changes_nothing)
{
    static uint8_t name[NEAP_PATH_MAX];
    struct buffer path;

    buffer_init(&path, 2 * NEAP_PATH_MAX);
    CHECK_ERROR(path_level(&path, slice_text(""), NEAP_MAP), NEAP_INVALID);
    CHECK_ERROR(path_level(&path, slice_text("x"), 0), NEAP_INVALID);
    CHECK_ERROR(path_level(&path, slice_text("x"), 99), NEAP_INVALID);
    CHECK_ERROR(path_level(&path, slice_of(name, NEAP_KEY_MAX + 1), NEAP_LWW), NEAP_LIMIT);
    CHECK_ERROR(path_element(&path, slice_text("x")), NEAP_INVALID);
    CHECK_EQUAL(path.size, 0);
    CHECK_PATH("a:r/b:r", NEAP_INVALID);
    CHECK_PATH("a:s/b:r", NEAP_INVALID);
    CHECK_PATH("a:s/b/c", NEAP_INVALID);
    CHECK_PATH("a:m/b", NEAP_INVALID);
    CHECK_PATH("a:m", 0);
    CHECK_OK(path_level(&path, slice_of(name, NEAP_KEY_MAX), NEAP_MAP)); /* zeros count twice */
    CHECK_ERROR(path_level(&path, slice_of(name, NEAP_KEY_MAX), NEAP_MAP), NEAP_LIMIT);
    CHECK_EQUAL(path.size, 4 + 2 * NEAP_KEY_MAX + 3);
    CHECK_PATH("a:s", 0);
    memset(name, 'x', sizeof name);
    CHECK_ERROR(path_element(&path, slice_of(name, NEAP_PATH_MAX - 5)), NEAP_LIMIT);
    CHECK_EQUAL(path.size, 4);
    CHECK_OK(path_element(&path, slice_of(name, NEAP_PATH_MAX - 6)));
    CHECK_EQUAL(path.size, NEAP_PATH_MAX);
    buffer_done(&path);
    buffer_init(&path, 10); /* the buffer's own limit */
    CHECK_PATH("abc:m", 0);
    CHECK_ERROR(path_level(&path, slice_text("bc"), NEAP_LWW), NEAP_LIMIT);
    CHECK_EQUAL(path.size, 6);
    buffer_done(&path);
}

TEST(a_path_has_a_limit_of_levels)
{
    struct neap_bytes fields[NEAP_DEPTH_MAX] = {{0}};
    struct neap_place at = {.key = {"k", 1}, .fields = fields};
    struct buffer path, placed;
    enum neap_type type;

    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&placed, NEAP_PATH_MAX);
    CHECK_PATH("k:m", 0);
    for (unsigned level = 1; level < NEAP_DEPTH_MAX - 1; level++)
        CHECK_OK(path_level(&path, slice_text(""), NEAP_MAP));
    CHECK_OK(path_level(&path, slice_text(""), NEAP_LWW));
    CHECK_OK(path_check(buffer_slice(&path), &type));
    at.fields_count = NEAP_DEPTH_MAX - 1;
    CHECK_OK(path_place(&placed, &at, NEAP_LWW));
    CHECK_BYTES(buffer_slice(&placed), buffer_slice(&path));
    buffer_clear(&placed);
    at.fields_count++;
    CHECK_ERROR(path_place(&placed, &at, NEAP_LWW), NEAP_LIMIT);
    at.fields_count = SIZE_MAX;
    CHECK_ERROR(path_place(&placed, &at, NEAP_LWW), NEAP_LIMIT);
    CHECK_EQUAL(placed.size, 0);
    CHECK_OK(path_level(&placed, slice_text("k"), NEAP_MAP));
    CHECK_ERROR(path_place(&placed, &at, NEAP_LWW), NEAP_LIMIT);
    CHECK_EQUAL(placed.size, 4);
    path.data[path.size - 1] = NEAP_MAP;
    CHECK_ERROR(path_level(&path, slice_text("x"), NEAP_LWW), NEAP_LIMIT);
    CHECK_OK(buffer_append(&path, slice_of("\0\1\2", 3)));
    CHECK_ERROR(path_check(buffer_slice(&path), &type), NEAP_LIMIT);
    buffer_done(&path);
    buffer_done(&placed);
}

TEST(levels_of_a_path_end_where_something_else_begins)
{
    static const struct {
        const char *hex;
        size_t size;
        enum neap_type last;
    } table[] = {
        {"61 0001 06", 4, NEAP_MAP},
        {"61 0001 06 62 0001 05", 8, NEAP_SET},
        {"61 0001 05 62 0001", 4, NEAP_SET}, /* what follows is an element, */
        {"61 0001 02 62", 4, NEAP_LWW},      /* and this is nothing */
    };
    static const char *const wrong[] = {"", "61 0001", "61 0001 63", "61 0001 06 62"};
    static uint8_t large[NEAP_KEY_MAX + 4];
    enum neap_type last = 0;
    uint8_t bytes[64];
    size_t size = 0;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_ERROR(path_levels(test_unhex(wrong[i], bytes, sizeof bytes), &size, &last),
                    NEAP_INVALID);
    CHECK_EQUAL(size + last, 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        CHECK_OK(path_levels(test_unhex(table[i].hex, bytes, sizeof bytes), &size, &last));
        CHECK_EQUAL(size, table[i].size);
        CHECK_EQUAL(last, table[i].last);
    }
    memset(large, 'x', NEAP_KEY_MAX);
    memcpy(large + NEAP_KEY_MAX, "\0\1\6", 3);
    CHECK_OK(path_levels(slice_of(large, NEAP_KEY_MAX + 3), &size, &last));
    memcpy(large + NEAP_KEY_MAX, "x\0\1\6", 4);
    CHECK_ERROR(path_levels(slice_of(large, NEAP_KEY_MAX + 4), &size, &last), NEAP_LIMIT);
}

TEST(a_place_becomes_a_path)
{
    struct neap_bytes fields[] = {{"f", 1}, {"g", 1}};
    struct neap_place at = {.bucket = "b", .key = {"k", 1}};
    struct buffer path;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_place(&path, &at, NEAP_COUNTER));
    CHECK_HEX(buffer_slice(&path), "6b 0001 04");
    buffer_clear(&path);
    CHECK_OK(path_place(&path, &at, 0));
    CHECK_HEX(buffer_slice(&path), "6b 0001");
    buffer_clear(&path);
    at.fields = fields;
    at.fields_count = 2;
    CHECK_OK(path_place(&path, &at, NEAP_SET));
    CHECK_HEX(buffer_slice(&path), "6b 0001 06 66 0001 06 67 0001 05");
    buffer_clear(&path);
    CHECK_OK(path_place(&path, &at, 0));
    CHECK_HEX(buffer_slice(&path), "6b 0001 06 66 0001 06 67 0001");
    CHECK_ERROR(path_place(&path, &at, NEAP_LWW), NEAP_INVALID); /* the name is open */
    buffer_clear(&path);
    CHECK_ERROR(path_place(&path, &at, 99), NEAP_INVALID);
    fields[1].data = NULL;
    CHECK_ERROR(path_place(&path, &at, NEAP_SET), NEAP_INVALID);
    at.fields = NULL;
    CHECK_ERROR(path_place(&path, &at, NEAP_SET), NEAP_INVALID);
    at.fields_count = 0;
    at.key.size = 0;
    CHECK_ERROR(path_place(&path, &at, NEAP_SET), NEAP_INVALID);
    CHECK_EQUAL(path.size, 0);
    buffer_done(&path);
}

TEST(a_cursor_walks_what_was_written)
{
    struct path_cursor cursor;
    struct path_level level;
    struct slice element;
    struct buffer path;

    buffer_init(&path, NEAP_PATH_MAX);
    CHECK_OK(path_level(&path, slice_of("a\0b", 3), NEAP_MAP));
    CHECK_OK(path_level(&path, slice_text("f"), NEAP_SET));
    CHECK_OK(path_element(&path, slice_of("\0", 1)));
    path_cursor_init(&cursor, buffer_slice(&path));
    CHECK_ERROR(path_cursor_element(&cursor, &element), NEAP_INVALID);
    CHECK_OK(path_cursor_level(&cursor, &level));
    CHECK_BYTES(level.name, slice_of("a\0b", 3));
    CHECK_EQUAL(level.type, NEAP_MAP);
    CHECK_OK(path_cursor_level(&cursor, &level));
    CHECK_SLICE(level.name, "f");
    CHECK_EQUAL(level.type, NEAP_SET);
    CHECK_ERROR(path_cursor_level(&cursor, &level), NEAP_END);
    CHECK_OK(path_cursor_element(&cursor, &element));
    CHECK_BYTES(element, slice_of("\0", 1));
    CHECK_ERROR(path_cursor_element(&cursor, &element), NEAP_END);
    CHECK_ERROR(path_cursor_level(&cursor, &level), NEAP_END);
    path_cursor_done(&cursor);
    path_cursor_init(&cursor, slice_of("\x61\0\1\2\x62\0\1\2", 8)); /* below an LWW */
    CHECK_OK(path_cursor_level(&cursor, &level));
    CHECK_ERROR(path_cursor_level(&cursor, &level), NEAP_INVALID);
    CHECK_ERROR(path_cursor_element(&cursor, &element), NEAP_INVALID);
    path_cursor_done(&cursor);
    buffer_done(&path);
}

TEST(only_whole_paths_of_cells_pass)
{
    static const struct {
        const char *hex;
        int error;
        enum neap_type type;
    } table[] = {
        {"61 0001 02", 0, NEAP_LWW},
        {"61 00ff 0001 04", 0, NEAP_COUNTER},
        {"61 0001 05 0001", 0, NEAP_SET},
        {"61 0001 06 0001 03", 0, NEAP_FLAG},
        {"61 0001 06 0001 05 62 0001", 0, NEAP_SET},
        {"", NEAP_INVALID, 0},
        {"61", NEAP_INVALID, 0},
        {"61 00", NEAP_INVALID, 0},
        {"61 0001", NEAP_INVALID, 0},    /* no type */
        {"61 0001 00", NEAP_INVALID, 0}, /* unknown types */
        {"61 0001 63", NEAP_INVALID, 0},
        {"61 0002 02", NEAP_INVALID, 0}, /* a zero alone */
        {"61 0000 02", NEAP_INVALID, 0},
        {"0001 02", NEAP_INVALID, 0},       /* empty key */
        {"61 0001 06", NEAP_INVALID, 0},    /* a map is no cell */
        {"61 0001 05", NEAP_INVALID, 0},    /* a set without its element */
        {"61 0001 05 62", NEAP_INVALID, 0}, /* a cut element */
        {"61 0001 05 62 0001 00", NEAP_INVALID, 0},
        {"61 0001 02 62", NEAP_INVALID, 0}, /* below a register */
    };
    static uint8_t large[NEAP_PATH_MAX + 1];
    enum neap_type type;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint8_t bytes[64];

        type = 0;
        CHECK_ERROR(path_check(test_unhex(table[i].hex, bytes, sizeof bytes), &type),
                    table[i].error);
        CHECK_EQUAL(type, table[i].type);
    }
    memset(large, 'x', sizeof large);
    CHECK_ERROR(path_check(slice_of(large, sizeof large), &type), NEAP_LIMIT);
    memcpy(large + NEAP_KEY_MAX, "\0\1\2", 3);
    CHECK_OK(path_check(slice_of(large, NEAP_KEY_MAX + 3), &type));
    memcpy(large + NEAP_KEY_MAX, "x\0\1\2", 4);
    CHECK_ERROR(path_check(slice_of(large, NEAP_KEY_MAX + 4), &type), NEAP_LIMIT);
}

/* Names in the order of their bytes, a prefix first: as numbers of digits 0, 1 and ff. */
static struct slice name_random(struct rng *rng, uint8_t *bytes)
{
    static const uint8_t digits[] = {0, 1, 2, 0xfe, 0xff};
    size_t size = 1 + rng_below(rng, 3);

    for (size_t i = 0; i < size; i++)
        bytes[i] = digits[rng_below(rng, sizeof digits)];
    return slice_of(bytes, size);
}

TEST(paths_sort_as_their_names_do_and_subtrees_are_ranges)
{
    struct buffer paths[2], below, end;
    struct rng rng;

    rng_init(&rng, test_number("SEED", 1));
    for (size_t i = 0; i < 2; i++)
        buffer_init(&paths[i], NEAP_PATH_MAX);
    buffer_init(&below, NEAP_PATH_MAX);
    buffer_init(&end, NEAP_PATH_MAX);
    for (unsigned round = 0; round < 5000; round++) {
        uint8_t bytes[3][4];
        struct slice names[2], field = name_random(&rng, bytes[2]);
        bool inside;

        for (size_t i = 0; i < 2; i++) {
            names[i] = name_random(&rng, bytes[i]);
            buffer_clear(&paths[i]);
            CHECK_OK(path_level(&paths[i], names[i], NEAP_MAP));
        }
        CHECK_EQUAL(slice_compare(buffer_slice(&paths[0]), buffer_slice(&paths[1])),
                    slice_compare(names[0], names[1]));
        CHECK_OK(buffer_set(&below, buffer_slice(&paths[0])));
        CHECK_OK(path_level(&below, field, NEAP_LWW));
        CHECK_OK(path_prefix_end(buffer_slice(&paths[1]), &end));
        inside = slice_compare(buffer_slice(&below), buffer_slice(&paths[1])) >= 0 &&
                 slice_compare(buffer_slice(&below), buffer_slice(&end)) < 0;
        CHECK_EQUAL(inside, slice_equal(names[0], names[1]));
    }
    for (size_t i = 0; i < 2; i++)
        buffer_done(&paths[i]);
    buffer_done(&below);
    buffer_done(&end);
}

TEST(the_end_of_a_prefix)
{
    struct buffer end;

    buffer_init(&end, 10);
    CHECK_OK(path_prefix_end(slice_of("a\xff\xff", 3), &end));
    CHECK_SLICE(buffer_slice(&end), "b");
    CHECK_OK(path_prefix_end(slice_of("ab\xfe", 3), &end));
    CHECK_HEX(buffer_slice(&end), "61 62 ff");
    CHECK_OK(path_prefix_end(slice_of("\xff\xff", 2), &end));
    CHECK_EQUAL(end.size, 0);
    buffer_done(&end);
}

static void check_text(const char *bytes, size_t bytes_size, size_t size, const char *expected)
{
    char text[64];

    memset(text, '!', sizeof text);
    path_text(slice_of(bytes, bytes_size), text, size);
    if (size == 0)
        CHECK_EQUAL(text[0], '!');
    else
        CHECK_TEXT(text, expected);
    CHECK_EQUAL(text[size], '!');
}

TEST(paths_are_shown_to_people)
{
    check_text("k\0\1\2", 4, 60, "k:lww");
    check_text("k\0\1\6f\0\1\5e\0\xff\0\1", 13, 60, "k/f:set/e\\x00");
    check_text("k\0\1\6", 4, 60, "k:map");
    check_text("k\0\1\6f\0\1", 7, 60, "k/f");
    check_text("a\\\xc3\n\0\1\1", 7, 60, "a\\x5c\\xc3\\x0a:register");
    check_text("k\0\1\2z", 5, 60, "k:lww?z");
    check_text("k\0\1\x63", 4, 60, "k?c");
    check_text("\0", 1, 60, "?\\x00");
    check_text("", 0, 60, "");
    check_text("key\0\1\2", 6, 0, NULL);
    check_text("key\0\1\2", 6, 1, "");
    check_text("key\0\1\2", 6, 3, "ke");
    check_text("key\0\1\2", 6, 7, "key:");
    check_text("ke\xffy\0\1\2", 7, 6, "ke"); /* not half an escape, nothing after a gap */
}

static int use_paths(void *argument)
{
    struct path_cursor cursor;
    struct path_level level;
    struct buffer path, end;
    int error;

    (void)argument;
    buffer_init(&path, NEAP_PATH_MAX);
    buffer_init(&end, NEAP_PATH_MAX);
    error = path_level(&path, slice_of("a\0", 2), NEAP_MAP);
    path_cursor_init(&cursor, buffer_slice(&path));
    if (!error)
        error = path_cursor_level(&cursor, &level);
    path_cursor_done(&cursor);
    for (unsigned i = 0; i < 14 && !error; i++) {
        size_t size = path.size;

        error = path_level(&path, slice_text("a name of some bytes"), NEAP_MAP);
        CHECK_EQUAL(path.size == size, error != 0);
    }
    if (!error)
        error = path_prefix_end(buffer_slice(&path), &end);
    buffer_done(&path);
    buffer_done(&end);
    return error;
}

TEST(paths_survive_failed_allocations)
{
    test_alloc_sweep(use_paths, NULL);
}
