#include "engine/census.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "engine/explain.h"
#include "engine/status.h"
#include "store/slot.h"

enum { CENSUS_STEP = 4096, PATH_TEXT_MAX = 512 };

/* A key with a type, and what its cells take. */
struct object {
    char *name; /* the first level of the path; NULL: none yet */
    size_t name_size;
    enum neap_type type;
    uint64_t cells, dots, bytes;
};

struct counting_cells {
    const struct census *census;
    struct object *objects; /* [limit], the largest first */
    size_t count;
    struct object now; /* the one that is being passed over */
    json_t *found;     /* of siblings */
    uint64_t cells, bytes, most;
    bool more, failed;
};

/* ---- the pass ---- */

typedef int (*cell_visit)(struct counting_cells *counting, struct slice path, size_t bytes,
                          const struct cell *cell);

static int cell_pass(struct counting_cells *counting, struct slice key, struct slice value,
                     cell_visit visit)
{
    struct cell cell;
    uint64_t ref;
    int error;

    if (!key_cell_is(key))
        return NEAP_CORRUPT;
    cell_init(&cell);
    error = cell_stored(value, &ref, &cell);
    if (!error && cell.count > 0)
        error = visit(counting, key_cell_path(key), key.size + value.size, &cell);
    cell_done(&cell);
    return error;
}

static int cells_pass(struct counting_cells *counting, const struct view *view, cell_visit visit)
{
    const struct census *census = counting->census;
    struct key prefix, end;
    struct slice key, value;
    struct scan *scan;
    int error;

    key_cell(&prefix, census->shard, census->bucket, slice_of(NULL, 0));
    key_end(&prefix, &end);
    error = view_scan(view, DISK_CELLS, key_slice(&prefix), key_slice(&end), &scan);
    if (error)
        return error;
    for (uint64_t i = 1; !(error = scan_next(scan, &key, &value)); i++) {
        error = cell_pass(counting, key, value, visit);
        if (!error && census->go_on && i % CENSUS_STEP == 0)
            error = census->go_on(census->arg);
        if (error)
            break;
    }
    scan_close(scan);
    return error == NEAP_END ? 0 : error;
}

/* Its first level: the bytes of it, and the type. */
static int object_of(struct slice path, size_t *ret_size, struct slice *ret_key,
                       enum neap_type *ret_type, struct path_cursor *cursor)
{
    struct path_level level;

    path_cursor_init(cursor, path);
    if (path_cursor_level(cursor, &level))
        return NEAP_CORRUPT;
    *ret_size = path.size - cursor->left.size;
    *ret_key = level.name;
    *ret_type = level.type;
    return 0;
}

/* ---- the largest ---- */

/* The object that was passed over takes its place among the largest, and there is none. */
static void object_end(struct counting_cells *counting)
{
    struct object *objects = counting->objects, now = counting->now;
    size_t at = counting->count;

    counting->now = (struct object){0};
    if (!now.name)
        return;
    if (counting->count == counting->census->limit) {
        counting->more = true;
        at--;
        if (objects[at].bytes >= now.bytes) {
            mem_free(now.name);
            return;
        }
        mem_free(objects[at].name);
        counting->count--;
    }
    for (; at > 0 && objects[at - 1].bytes < now.bytes; at--)
        objects[at] = objects[at - 1];
    objects[at] = now;
    counting->count++;
}

static int big_visit(struct counting_cells *counting, struct slice path, size_t bytes,
                     const struct cell *cell)
{
    struct object *now = &counting->now;
    struct path_cursor cursor = {0};
    enum neap_type type = NEAP_ANY;
    struct slice key;
    size_t size;
    int error = object_of(path, &size, &key, &type, &cursor);

    path_cursor_done(&cursor);
    if (error)
        return error;
    if (!now->name || now->name_size != size || memcmp(now->name, path.data, size) != 0) {
        object_end(counting);
        now->name = mem_new(size);
        if (!now->name)
            return NEAP_NOMEM;
        memcpy(now->name, path.data, size);
        now->name_size = size;
        now->type = type;
    }
    now->cells++;
    now->dots += cell->count;
    now->bytes += bytes;
    counting->cells++;
    counting->bytes += bytes;
    return 0;
}

static json_t *object_json(const struct object *object)
{
    struct path_cursor cursor = {0};
    enum neap_type type;
    struct slice key;
    size_t size;
    json_t *json = NULL;

    if (!object_of(slice_of(object->name, object->name_size), &size, &key, &type, &cursor))
        json = json_pack("{so, ss, so, so, so}", "key", json_slice(key), "type",
                         type_find(object->type) ? type_find(object->type)->name : "unknown",
                         "cells", json_number(object->cells), "dots", json_number(object->dots),
                         "bytes", json_number(object->bytes));
    path_cursor_done(&cursor);
    return json;
}

static json_t *objects_json(const struct counting_cells *counting)
{
    json_t *all = json_array();

    for (size_t i = 0; i < counting->count; i++)
        if (json_array_append_new(all, object_json(&counting->objects[i]))) {
            json_decref(all);
            return NULL;
        }
    return json_pack("{so, sb, so, so}", "objects", all, "more", counting->more, "cells",
                     json_number(counting->cells), "bytes", json_number(counting->bytes));
}

int census_big(const struct census *census, const struct view *view, json_t **ret_json)
{
    struct counting_cells counting = {.census = census};
    json_t *json = NULL;
    int error;

    counting.objects = mem_new_array(census->limit, sizeof *counting.objects);
    error = counting.objects ? cells_pass(&counting, view, big_visit) : NEAP_NOMEM;
    if (!error) {
        object_end(&counting);
        json = objects_json(&counting);
        error = json ? 0 : NEAP_NOMEM;
    }
    mem_free(counting.now.name);
    for (size_t i = 0; i < counting.count; i++)
        mem_free(counting.objects[i].name);
    mem_free(counting.objects);
    if (!error)
        *ret_json = json;
    return error;
}

/* ---- siblings ---- */

static int sibling_add(struct counting_cells *counting, struct slice path, const struct cell *cell)
{
    struct path_cursor cursor = {0};
    char text[PATH_TEXT_MAX];
    enum neap_type type;
    struct slice key;
    size_t size;
    int error = object_of(path, &size, &key, &type, &cursor);

    path_text(path, text, sizeof text);
    if (!error &&
        json_array_append_new(counting->found,
                              json_pack("{so, ss, so, so}", "key", json_slice(key), "type",
                                        type_find(type) ? type_find(type)->name : "unknown", "cell",
                                        json_text(text), "siblings", json_number(cell->count))))
        error = NEAP_NOMEM;
    path_cursor_done(&cursor);
    return error;
}

static int siblings_visit(struct counting_cells *counting, struct slice path, size_t bytes,
                          const struct cell *cell)
{
    enum neap_type type;

    (void)bytes;
    if (path_check(path, &type))
        return NEAP_CORRUPT;
    if (type != NEAP_REGISTER || cell->count < 2)
        return 0;
    counting->cells++;
    counting->most = cell->count > counting->most ? cell->count : counting->most;
    counting->more = json_array_size(counting->found) == counting->census->limit;
    return counting->more ? 0 : sibling_add(counting, path, cell);
}

int census_siblings(const struct census *census, const struct view *view, json_t **ret_json)
{
    struct counting_cells counting = {.census = census, .found = json_array()};
    json_t *json;
    int error = counting.found ? cells_pass(&counting, view, siblings_visit) : NEAP_NOMEM;

    if (error) {
        json_decref(counting.found);
        return error;
    }
    json = json_pack("{so, sb, so, so}", "objects", counting.found, "more", counting.more, "cells",
                     json_number(counting.cells), "most", json_number(counting.most));
    if (!json)
        return NEAP_NOMEM;
    *ret_json = json;
    return 0;
}
