/* What a replica shows of the history's object, as JSON in the shape of the files. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "store/keys.h"
#include "store/slot.h"
#include "tests/replay/replay.h"

enum { NAME_MAX_SHOWN = 300 };

/* Where a cell is: the value that it is part of. */
struct place {
    json_t *map;              /* NULL: the object itself */
    char key[NAME_MAX_SHOWN]; /* in the map */
    const struct kind *kind;
};

static json_t *empty_value(const struct kind *kind)
{
    switch (kind->shape) {
    case SHAPE_SET:
    case SHAPE_REGISTER:
        return json_array();
    case SHAPE_FLAG:
        return json_boolean(kind->starts_on);
    case SHAPE_COUNTER:
        return json_integer(0);
    case SHAPE_LWW:
        return json_string("");
    case SHAPE_MAP:
        return json_object();
    case SHAPE_BOUNDED:
    case SHAPE_TEXT:
        break;
    }
    return json_null();
}

static json_t *text_value(struct slice text)
{
    return json_stringn((const char *)text.data, text.size);
}

/* The cell's part of a value: replaces it, or adds an element. NULL: out of memory or no value. */
static json_t *cell_value(struct play *play, const struct kind *kind, const struct cell *cell,
                          struct slice element, json_t *value)
{
    struct slice text;
    struct neap_item item = {0};
    int error = 0;

    switch (kind->shape) {
    case SHAPE_SET:
        if (type_is_live((enum neap_type)kind->type, cell))
            json_array_append_new(value, text_value(element));
        return value;
    case SHAPE_REGISTER:
        for (size_t i = 0; !(error = register_value(cell, i, &text)); i++)
            json_array_append_new(value, text_value(text));
        (void)hold(play, error == NEAP_END, "a register could not be read: %s", error_name(error));
        return value;
    case SHAPE_FLAG:
        json_decref(value);
        return json_boolean(type_is_live((enum neap_type)kind->type, cell));
    case SHAPE_COUNTER:
        play_ok(play, type_item((enum neap_type)kind->type, cell, &item),
                "a counter could not be read");
        json_decref(value);
        return json_integer(item.number);
    case SHAPE_LWW:
        if (!play_ok(play, lww_value(cell, &text, NULL), "a register could not be read"))
            return value;
        json_decref(value);
        return text_value(text);
    case SHAPE_BOUNDED:
    case SHAPE_MAP:
    case SHAPE_TEXT:
        break;
    }
    play_fail(play, "a cell where there is none of such a type");
    return value;
}

/* One level down: the place of the field, and its value so far. */
static json_t *field_value(struct play *play, const struct kind *map, json_t *fields,
                           const struct path_level *level, struct place *ret_place)
{
    const struct kind *kind = kind_of_field(map, level->type);
    json_t *value;

    if (!hold(play, kind, "a field of type %u in a %s", (unsigned)level->type, map->name))
        return NULL;
    snprintf(ret_place->key, sizeof ret_place->key, "%.*s:%s", (int)level->name.size,
             (const char *)level->name.data, kind->name);
    ret_place->map = fields;
    ret_place->kind = kind;
    value = json_object_get(fields, ret_place->key);
    if (!value) {
        value = empty_value(kind);
        json_object_set_new(fields, ret_place->key, value);
    }
    return value;
}

static void cell_show(struct play *play, struct slice path, const struct cell *cell, json_t **value)
{
    struct place place = {.kind = play->history->kind};
    struct slice element = {0};
    struct path_cursor cursor;
    struct path_level level;
    json_t *at = *value, *shown;
    int error;

    path_cursor_init(&cursor, path);
    error = path_cursor_level(&cursor, &level);
    while (!error && at && !(error = path_cursor_level(&cursor, &level)))
        at = field_value(play, place.kind, at, &level, &place);
    if (error == NEAP_END && place.kind->shape == SHAPE_SET)
        error = path_cursor_element(&cursor, &element);
    if (!at ||
        !hold(play, !error || error == NEAP_END, "a path that is none: %s", error_name(error))) {
        path_cursor_done(&cursor);
        return;
    }
    shown = cell_value(play, place.kind, cell, element, json_incref(at));
    if (place.map)
        json_object_set_new(place.map, place.key, shown);
    else {
        json_decref(*value);
        *value = shown;
    }
    path_cursor_done(&cursor);
}

/* Of a counter that was reset, what says so may be left. */
static bool is_shown(struct slice path, const struct cell *cell)
{
    enum neap_type type;

    return cell->count > 0 &&
           (path_check(path, &type) || type != NEAP_COUNTER_EXACT || type_is_live(type, cell));
}

static void cells_show(struct play *play, struct replica *replica, json_t **value)
{
    struct view view = replica_view(replica);
    struct scan *scan;
    struct slice key, stored, none = {0};
    struct cell cell;
    uint64_t ref;
    int error;

    cell_init(&cell);
    if (!play_ok(play, cells_scan(&view, play->shard, none, none, &scan), "scan"))
        return;
    while (!(error = scan_next(scan, &key, &stored)) &&
           !(error = cell_stored(stored, &ref, &cell))) {
        if (is_shown(key_cell_path(key), &cell))
            cell_show(play, key_cell_path(key), &cell, value);
    }
    scan_close(scan);
    cell_done(&cell);
    (void)hold(play, error == NEAP_END, "cells could not be read: %s", error_name(error));
}

json_t *value_read(struct play *play, struct replica *replica)
{
    json_t *value;

    if (!replica_open(play, replica))
        return NULL;
    if (play->history->kind->shape == SHAPE_BOUNDED) {
        value = bounded_read(play, replica);
    } else {
        value = empty_value(play->history->kind);
        cells_show(play, replica, &value);
    }
    if (play->is_over) {
        json_decref(value);
        return NULL;
    }
    return value;
}

/* ---- comparing ---- */

static int text_order(const void *a, const void *b)
{
    json_t *const *left = a, *const *right = b;
    struct slice one = slice_of(json_string_value(*left), json_string_length(*left));
    struct slice other = slice_of(json_string_value(*right), json_string_length(*right));

    return slice_compare(one, other);
}

static void list_sort(json_t *list)
{
    size_t count = json_array_size(list);
    json_t **items = mem_new_array(count + 1, sizeof *items);

    for (size_t i = 0; items && i < count; i++) {
        items[i] = json_incref(json_array_get(list, i));
        if (!json_is_string(items[i]))
            count = 0;
    }
    if (items && count > 1) {
        qsort(items, count, sizeof *items, text_order);
        json_array_clear(list);
        for (size_t i = 0; i < count; i++)
            json_array_append(list, items[i]);
    }
    for (size_t i = 0; items && items[i]; i++)
        json_decref(items[i]);
    mem_free(items);
}

static bool is_bottom(const json_t *value)
{
    return json_is_false(value) || (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

static void normal(json_t *value)
{
    const char *key;
    json_t *field;
    void *next;

    if (json_is_array(value))
        list_sort(value);
    if (!json_is_object(value))
        return;
    json_object_foreach_safe(value, next, key, field)
    {
        normal(field);
        if (is_bottom(field))
            json_object_del(value, key);
    }
}

void value_normal(const struct kind *kind, json_t *value)
{
    if (kind->shape != SHAPE_BOUNDED)
        normal(value);
}

char *value_text(const json_t *value)
{
    return json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}
