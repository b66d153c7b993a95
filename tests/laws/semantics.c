/* What comes of two operations at the same time, for every type: the table that neap.h promises, on
 * the real store. Each pair is done by two of two and two of three replicas, whoever does which,
 * exchanged in either order, on an object and in a map as deep as maps go; all replicas must show
 * the same, and it must be what the table says.
 *
 * An operation is a few words: "add 5", "set x", "put x" (what is here is replaced), "on", "off",
 * "in e", "out e", of scores "set e 10 STAMP", "add e 3", "reset" (the object goes; in a map, the
 * outermost map). More than one are separated by commas. A field of the map of a row is named
 * before it: "f:set in e", "f:reset". */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "store/slot.h"
#include "tests/unit/shard_cases.h"

enum { PLACES = 3, WORDS_MAX = 80, TEXT_MAX = 400, PULL_SIZE = 4096 };

struct row {
    const char *type, *before; /* made by one of those that then go on; all have it */
    const char *one, *other, *then;
};

static const struct row rows[] = {
    {"register", "", "put a", "put b", "a|b"},
    {"register", "put p", "put a", "put b", "a|b"},
    {"register", "put p", "set a", "put b", "a|b"},
    {"register", "put p", "set a", "set b", "a|b|p"},
    {"register", "put p", "put a", "reset", "a"},
    {"register", "put p", "reset", "reset", ""},
    {"lww", "", "set a 5", "set b 6", "b"},
    {"lww", "set p 9", "set a 5", "set b 6", "b"},
    {"lww", "set p 9", "set a 5", "reset", "a"},
    {"lww", "set p 9", "reset", "reset", ""},
    {"flag", "", "on", "on", "on"},
    {"flag", "on", "on", "off", "on"},
    {"flag", "", "on", "off", "on"},
    {"flag", "on", "off", "off", ""},
    {"flag", "on", "on", "reset", "on"},
    {"flag", "on", "off", "reset", ""},
    {"flag-dw", "", "on", "on", "on"},
    {"flag-dw", "on", "on", "off", ""},
    {"flag-dw", "off", "on", "off", ""},
    {"flag-dw", "", "on", "off", ""},
    {"flag-dw", "off", "on", "on", "on"},
    {"flag-dw", "on", "on", "reset", "on"},
    {"flag-dw", "off", "on", "reset", "on"},
    {"flag-dw", "on", "off", "reset", ""},
    {"flag-dw", "off", "reset", "reset", ""},
    {"counter", "", "add 3", "add 4", "7"},
    {"counter", "add 10", "add 3", "add -4", "9"},
    {"counter", "", "add 3", "reset", "3"},
    {"counter", "add 10", "reset", "reset", ""},
    {"counter-exact", "", "add 3", "add 4", "7"},
    {"counter-exact", "add 10", "add 3", "add -4", "9"},
    {"counter-exact", "add 10", "add 3", "reset", "3"},
    {"counter-exact", "add 10,add 1", "add 3,add 4", "reset", "7"},
    {"counter-exact", "add 10", "add 3,add -1", "add 5,reset", "2"},
    {"counter-exact", "add 10", "add 3,reset,add 4", "add 5,reset,add 6", "10"},
    {"counter-exact", "add 10", "reset", "reset", ""},
    {"bounded", "", "add 3", "add 4", "7"},
    {"bounded", "add 10", "add 3", "add 4", "17"},
    {"bounded", "", "add 5,add -3", "add 4,add -4", "2"},
    {"bounded", "add 10", "add 3,add -3", "add 4,add -1", "13"},
    {"max", "", "set 5", "set 7", "7"},
    {"max", "set 4", "set 5", "set 7", "7"},
    {"max", "set 4", "set 5", "reset", "5"},
    {"max", "set 4", "reset", "reset", ""},
    {"min", "", "set 5", "set 7", "5"},
    {"min", "set 9", "set 5", "set 7", "5"},
    {"min", "set 9", "set 7", "reset", "7"},
    {"set", "", "in e", "in e", "e"},
    {"set", "", "in e", "in f", "e f"},
    {"set", "in e", "in e", "out e", "e"},
    {"set", "", "in e", "out e", "e"},
    {"set", "in e", "out e", "out e", ""},
    {"set", "in e,in f", "in e", "reset", "e"},
    {"set", "in e,in f", "out e", "out f", ""},
    {"set", "in e", "out e,in e", "out e", "e"},
    {"set-rw", "", "in e", "in e", "e"},
    {"set-rw", "", "in e", "in f", "e f"},
    {"set-rw", "in e", "in e", "out e", ""},
    {"set-rw", "", "in e", "out e", ""},
    {"set-rw", "out e", "in e", "in e", "e"},
    {"set-rw", "in e", "out e", "out e", ""},
    {"set-rw", "in e,in f", "in e", "out f", "e"},
    {"set-rw", "in e,in f", "in e", "reset", "e"},
    {"set-rw", "out e", "in e", "reset", "e"},
    {"set-rw", "in e", "out e", "reset", ""},
    {"set-rw", "in e", "out e,in e", "out e", ""},
    {"scores", "", "set e 10 5", "set e 20 6", "e=20"},
    {"scores", "set e 1 9", "set e 10 6", "set e 20 5", "e=10"},
    {"scores", "", "set e 10 5", "add e 3", "e=13"},
    {"scores", "set e 1 9", "set e 10 5", "add e 3", "e=13"},
    {"scores", "set e 1 9", "add e 4", "add e 3", "e=8"},
    {"scores", "set e 1 9", "add e 4", "out e", "e=4"},
    {"scores", "set e 1 9", "set e 10 5", "out e", "e=10"},
    {"scores", "set e 1 9", "out e", "out e", ""},
    {"scores", "set e 1 9,set f 2 9", "add e 4", "reset", "e=4"},
    {"scores", "", "set e 10 5", "set f 20 6", "e=10 f=20"},
    {"map", "x:lww set p 1", "x:lww set a 5", "y:lww set b 6", "x=a y=b"},
    {"map", "y:lww set p 1,x:lww set p 2", "x:lww set a 5", "reset", "x=a"},
    {"map", "x:lww set p 1", "reset", "reset", ""},
    {"map", "", "f:set in e", "f:counter add 3", "f=3 f/e"},
    {"map", "f:set in e,f:counter add 3", "f:set reset", "f:counter add 4", "f=7"},
    {"map", "f:set in e", "f:set in g", "reset", "f/g"},
    {"map", "f:set-rw in e", "f:set-rw out e", "f:set-rw in e", ""},
    {"map", "f:counter-exact add 5", "f:counter-exact add 2", "reset", "f=2"},
    {"map", "f:flag-dw off", "f:flag-dw on", "reset", "f=on"},
    {"map", "f:max set 5", "f:max set 7", "reset", "f=7"},
    {"map", "f:register put a", "f:register put b", "reset", "f=b"},
};

/* ---- places ---- */

/* The place of a row: how many maps are around it. */
static void path_of(struct buffer *path, unsigned depth, const char *type, const char *field,
                    const char *field_type)
{
    buffer_clear(path);
    for (unsigned i = 0; i < depth; i++)
        CHECK_OK(path_level(path, slice_text("m"), NEAP_MAP));
    CHECK_OK(path_level(path, slice_text("k"), type_named(type)->type));
    if (field)
        CHECK_OK(path_level(path, slice_text(field), type_named(field_type)->type));
}

static enum op_kind kind_of(const char *type, const char *verb)
{
    static const struct {
        const char *type, *verb;
        enum op_kind kind;
    } kinds[] = {
        {"register", "set", OP_REGISTER_SET},
        {"register", "put", OP_REGISTER_SET},
        {"lww", "set", OP_LWW_SET},
        {"flag", "on", OP_FLAG_ON},
        {"flag", "off", OP_FLAG_OFF},
        {"flag-dw", "on", OP_FLAG_DW_ON},
        {"flag-dw", "off", OP_FLAG_DW_OFF},
        {"counter", "add", OP_COUNTER_ADD},
        {"counter-exact", "add", OP_COUNTER_EXACT_ADD},
        {"bounded", "add", OP_BOUNDED_ADD},
        {"max", "set", OP_MAX_SET},
        {"min", "set", OP_MIN_SET},
        {"set", "in", OP_SET_ADD},
        {"set", "out", OP_SET_REMOVE},
        {"set-rw", "in", OP_SET_RW_ADD},
        {"set-rw", "out", OP_SET_RW_REMOVE},
        {"scores", "set", OP_SCORE_SET},
        {"scores", "add", OP_SCORE_ADD},
        {"scores", "out", OP_SCORE_REMOVE},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].type, type) && !strcmp(kinds[i].verb, verb))
            return kinds[i].kind;
    test_failed(__FILE__, __LINE__, "no \"%s\" of a %s", verb, type);
    return OP_KIND_END;
}

static void reset(struct place *place, unsigned depth, struct slice path, bool is_field)
{
    uint64_t events;
    struct buffer outermost;

    buffer_init(&outermost, NEAP_PATH_MAX);
    if (depth > 0 && !is_field)
        CHECK_OK(path_level(&outermost, slice_text("m"), NEAP_MAP));
    else
        CHECK_OK(buffer_set(&outermost, path));
    CHECK_OK(shard_remove(place->shard, place->batch, place->shard->id, buffer_slice(&outermost),
                          NULL, &events));
    buffer_done(&outermost);
}

/* One operation in words. */
static void act(struct place *place, unsigned depth, const char *type, const char *words)
{
    char field[16] = "", verb[16] = "", value[16] = "", field_type[32];
    struct op op = {0};
    struct buffer path;
    struct dot dot;
    int stamp = 0, second = 0;
    bool in_map = !strcmp(type, "map") && strchr(words, ':');

    if (in_map) {
        CHECK_EQUAL(sscanf(words, "%15[^:]:%31s", field, field_type), 2);
        words = strchr(words, ' ') + 1;
        type = field_type;
    }
    CHECK(sscanf(words, "%15s %15s %d %d", verb, value, &stamp, &second) >= 1);
    buffer_init(&path, NEAP_PATH_MAX);
    path_of(&path, depth, in_map ? "map" : type, in_map ? field : NULL, type);
    if (!strcmp(verb, "reset")) {
        reset(place, depth, buffer_slice(&path), in_map);
    } else {
        op.kind = kind_of(type, verb);
        op.number = strtoll(value, NULL, 10);
        op.value = slice_text(value);
        op.stamp = (uint64_t)stamp;
        if (!strcmp(type, "scores")) {
            op.number = stamp;
            op.stamp = (uint64_t)second;
        }
        op.seen = strcmp(verb, "put") ? NULL : &place->shard->context;
        if (type_named(type)->below == BELOW_ELEMENT)
            CHECK_OK(path_element(&path, slice_text(value)));
        CHECK_OK(shard_write(place->shard, place->batch, place->shard->id, buffer_slice(&path), &op,
                             &dot));
    }
    buffer_done(&path);
}

static void act_all(struct place *place, unsigned depth, const char *type, const char *words)
{
    while (*words) {
        char one[WORDS_MAX];
        size_t size = strcspn(words, ",");

        snprintf(one, sizeof one, "%.*s", (int)size, words);
        act(place, depth, type, one);
        words += size + (words[size] == ',');
    }
}

/* ---- what is there ---- */

static int text_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The values of a register, in the order of their bytes. */
static void show_values(const struct cell *cell, char *text, size_t size)
{
    const char *values[8];
    char texts[8][16];
    size_t count = 0, used = 0;
    struct slice value;

    for (; register_value(cell, count, &value) == 0; count++) {
        snprintf(texts[count], sizeof texts[count], "%.*s", (int)value.size,
                 (const char *)value.data);
        values[count] = texts[count];
    }
    qsort(values, count, sizeof *values, text_compare);
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "|" : "", values[i]);
}

static void show_cell(struct slice path, const struct cell *cell, char *text, size_t size)
{
    struct path_cursor cursor;
    struct path_level level;
    struct neap_item item = {0};
    struct slice element;
    enum neap_type type = NEAP_ANY;
    char value[64] = "", name[16] = "";
    unsigned holds;

    path_cursor_init(&cursor, path);
    while (path_cursor_level(&cursor, &level) == 0) {
        type = level.type;
        snprintf(name, sizeof name, "%.*s", (int)level.name.size, (const char *)level.name.data);
    }
    if (!strcmp(name, "k"))
        name[0] = 0;
    holds = type_find(type)->holds;
    CHECK_OK(type_item(type, cell, &item));
    if (holds & NEAP_HOLDS_VALUES)
        show_values(cell, value, sizeof value);
    else if (holds & NEAP_HOLDS_ELEMENTS && holds & NEAP_HOLDS_NUMBER &&
             path_cursor_element(&cursor, &element) == 0)
        snprintf(value, sizeof value, "%.*s=%" PRId64, (int)element.size,
                 (const char *)element.data, item.number);
    else if (holds & NEAP_HOLDS_NUMBER)
        snprintf(value, sizeof value, "%" PRId64, item.number);
    else if (holds & NEAP_HOLDS_SWITCH)
        snprintf(value, sizeof value, "on");
    else if (path_cursor_element(&cursor, &element) == 0)
        snprintf(value, sizeof value, "%.*s", (int)element.size, (const char *)element.data);
    else
        snprintf(value, sizeof value, "%.*s", (int)item.value.size, (const char *)item.value.data);
    snprintf(text, size, "%s%s%s", name,
             !name[0]                      ? ""
             : holds & NEAP_HOLDS_ELEMENTS ? "/"
                                           : "=",
             value);
    path_cursor_done(&cursor);
}

/* All live cells of a replica, in order. */
static void show(struct place *place, char ret_text[TEXT_MAX])
{
    struct view view = batch_view(place->batch);
    struct slice nothing = {0}, key, value;
    struct scan *scan;
    size_t used = 0;

    ret_text[0] = 0;
    CHECK_OK(cells_scan(&view, place->shard->id, nothing, nothing, &scan));
    while (scan_next(scan, &key, &value) == 0) {
        enum neap_type type;
        struct cell cell;
        uint64_t ref;

        cell_init(&cell);
        CHECK_OK(cell_stored(value, &ref, &cell));
        CHECK_OK(path_check(key_cell_path(key), &type));
        CHECK_OK(type_check_cell(type, &cell));
        if (type_is_live(type, &cell)) {
            used += (size_t)snprintf(ret_text + used, TEXT_MAX - used, used ? " " : "");
            show_cell(key_cell_path(key), &cell, ret_text + used, TEXT_MAX - used);
            used += strlen(ret_text + used);
        }
        cell_done(&cell);
    }
    scan_close(scan);
}

/* ---- the pairs ---- */

struct meeting {
    unsigned count;              /* of replicas */
    unsigned one, other, before; /* who does what */
    unsigned depth;
    bool back; /* exchanged the other way round */
};

static void pull(struct place *places, unsigned to, unsigned from)
{
    CHECK_OK(place_pull(&places[to], &places[from], PULL_SIZE));
}

/* Everybody takes from everybody, in one order or the other. */
static void meet(struct place *places, const struct meeting *meeting)
{
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < meeting->count * meeting->count; i++) {
            unsigned at = meeting->back ? meeting->count * meeting->count - 1 - i : i;

            if (at / meeting->count != at % meeting->count)
                pull(places, at / meeting->count, at % meeting->count);
        }
}

static void check_meeting(const struct row *row, const struct meeting *meeting)
{
    struct place places[PLACES];
    char text[TEXT_MAX];

    for (unsigned i = 0; i < meeting->count; i++)
        CHECK_OK(place_open(&places[i], 0x10 + i));
    act_all(&places[meeting->before], meeting->depth, row->type, row->before);
    meet(places, meeting);
    act_all(&places[meeting->one], meeting->depth, row->type, row->one);
    act_all(&places[meeting->other], meeting->depth, row->type, row->other);
    meet(places, meeting);
    for (unsigned i = 0; i < meeting->count; i++) {
        show(&places[i], text);
        if (strcmp(text, row->then))
            test_failed(__FILE__, __LINE__,
                        "%s: after \"%s\", \"%s\" by %u against \"%s\" by %u, before by %u, in %u "
                        "maps%s: replica %u of %u has \"%s\", not \"%s\"",
                        row->type, row->before, row->one, meeting->one, row->other, meeting->other,
                        meeting->before, meeting->depth, meeting->back ? ", back" : "", i,
                        meeting->count, text, row->then);
    }
    for (unsigned i = 0; i < meeting->count; i++)
        place_close(&places[i]);
}

static void check_row(const struct row *row, unsigned count, unsigned depth)
{
    struct meeting meeting = {.count = count, .depth = depth};

    for (unsigned i = 0; i < count * count * count * 2; i++) {
        meeting.one = i / 2 % count;
        meeting.other = i / 2 / count % count;
        meeting.before = i / 2 / count / count;
        meeting.back = i % 2;
        /* What goes on with its own sum takes that along: below. */
        if (meeting.one != meeting.other &&
            (strcmp(row->type, "counter") || !row->before[0] || meeting.before != meeting.one))
            check_meeting(row, &meeting);
    }
}

static void check_rows(unsigned count, unsigned depth)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bool is_map = !strcmp(rows[i].type, "map");

        if (depth + is_map < NEAP_DEPTH_MAX)
            check_row(&rows[i], count, depth);
    }
}

TEST(pairs_on_two_replicas_give_what_the_table_says)
{
    check_rows(2, 0);
}

TEST(pairs_on_three_replicas_give_what_the_table_says)
{
    check_rows(3, 0);
}

TEST(pairs_in_maps_give_what_the_table_says)
{
    check_rows(2, 1);
    check_rows(2, NEAP_DEPTH_MAX - 2);
    check_rows(2, NEAP_DEPTH_MAX - 1);
    check_rows(3, 1);
}

/* A counter's addition stays with all that its replica has added before; what it had not does not.
 */
TEST(an_addition_stays_with_the_total_of_its_replica)
{
    static const struct row with = {"counter", "add 10", "add 3", "reset", "13"};
    static const struct row without = {"counter", "add 10", "add 3", "reset", "3"};

    for (unsigned count = 2; count <= 3; count++)
        for (unsigned before = 0; before < count; before++)
            for (unsigned depth = 0; depth < 2; depth++)
                check_meeting(
                    before == 0 ? &with : &without,
                    &(struct meeting){
                        .count = count, .one = 0, .other = 1, .before = before, .depth = depth});
}

TEST(every_type_is_in_the_table)
{
    for (unsigned i = 1; i <= UINT8_MAX; i++) {
        const struct type *type = type_find(i);
        bool found = !type;

        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
            found = found || !strcmp(rows[k].type, type->name);
        if (!found)
            test_failed(__FILE__, __LINE__, "no pair of a %s", type->name);
    }
}
