#include "gossip/roster.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pack.h"
#include "base/text.h"
#include "crdt/path.h"
#include "crdt/types.h"
#include "gossip/system.h"

/* What a record has now; later ones may have more. */
enum { ROW_FIELDS = 4, ROW_FIELDS_MAX = 16 };

/* ---- places ---- */

int roster_place(enum roster_place place, struct buffer *ret_path)
{
    static const char *const names[] = {
#define X(name, text) text,
        ROSTER_PLACES(X)
#undef X
    };

    buffer_clear(ret_path);
    return path_level(ret_path, slice_text(names[place]), NEAP_MAP);
}

int roster_path(enum roster_place place, uint64_t node, struct buffer *ret_path)
{
    char text[17];
    int error = roster_place(place, ret_path);

    snprintf(text, sizeof text, "%016" PRIx64, node);
    if (!error)
        error = path_level(ret_path, slice_text(text), NEAP_LWW);
    return error;
}

/* ---- records ---- */

bool roster_name_is(const char *name)
{
    static const char signs[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    return strlen(name) < ROSTER_NAME_MAX && strspn(name, signs) == strlen(name);
}

bool roster_address_is(const char *address)
{
    size_t size = strlen(address);

    for (size_t i = 0; i < size; i++)
        if (address[i] <= ' ' || address[i] > '~')
            return false;
    return size > 0 && size < ROSTER_ADDRESS_MAX && strstr(address, "://");
}

int roster_encode(const struct roster_row *row, struct buffer *ret_value)
{
    struct writer writer;

    buffer_clear(ret_value);
    writer_init(&writer, ret_value);
    write_array(&writer, ROW_FIELDS);
    write_array(&writer, row->addresses_count);
    for (unsigned i = 0; i < row->addresses_count; i++)
        write_str(&writer, row->addresses[i]);
    write_str(&writer, row->zone);
    write_str(&writer, row->name);
    write_u64(&writer, row->weight);
    return writer.error;
}

static void text_read(struct reader *reader, char *ret_text, size_t size,
                      bool (*is)(const char *text))
{
    struct slice text = read_str(reader, size - 1);

    if (text.size && memchr(text.data, 0, text.size))
        reader_fail(reader, NEAP_INVALID);
    if (reader->error)
        return;
    if (text.size)
        memcpy(ret_text, text.data, text.size);
    ret_text[text.size] = '\0';
    reader_fail(reader, is(ret_text) ? 0 : NEAP_INVALID);
}

int roster_decode(uint64_t node, struct slice value, struct roster_row *ret_row)
{
    struct roster_row row = {.node = node};
    struct reader reader;
    uint32_t fields;
    uint64_t weight;

    reader_init(&reader, value);
    fields = read_array(&reader, ROW_FIELDS_MAX);
    reader_fail(&reader, fields < ROW_FIELDS ? NEAP_INVALID : 0);
    row.addresses_count = read_array(&reader, ROSTER_ADDRESSES_MAX);
    for (unsigned i = 0; i < row.addresses_count; i++)
        text_read(&reader, row.addresses[i], ROSTER_ADDRESS_MAX, roster_address_is);
    text_read(&reader, row.zone, sizeof row.zone, roster_name_is);
    text_read(&reader, row.name, sizeof row.name, roster_name_is);
    weight = read_u64(&reader);
    for (uint32_t i = ROW_FIELDS; i < fields && !reader.error; i++)
        (void)read_any(&reader);
    if (weight > ROSTER_WEIGHT_MAX || reader_end(&reader))
        return NEAP_INVALID;
    row.weight = (uint32_t)weight;
    *ret_row = row;
    return 0;
}

bool roster_rows_equal(const struct roster_row *a, const struct roster_row *b)
{
    if (a->node != b->node || a->addresses_count != b->addresses_count || a->weight != b->weight ||
        strcmp(a->zone, b->zone) != 0 || strcmp(a->name, b->name) != 0)
        return false;
    for (unsigned i = 0; i < a->addresses_count; i++)
        if (strcmp(a->addresses[i], b->addresses[i]) != 0)
            return false;
    return true;
}

/* ---- reading ---- */

/* The node that a path below a map names; 0: it is none. */
static int path_node(struct slice path, uint64_t *ret_node)
{
    struct path_cursor cursor;
    struct path_level level;
    char text[17] = "";
    int error;

    path_cursor_init(&cursor, path);
    error = path_cursor_level(&cursor, &level);
    if (!error)
        error = path_cursor_level(&cursor, &level);
    if (!error && level.type == NEAP_LWW && level.name.size == sizeof text - 1)
        memcpy(text, level.name.data, level.name.size);
    path_cursor_done(&cursor);
    *ret_node = 0;
    if (error)
        return error == NEAP_NOMEM ? error : 0;
    if (!hex_read_u64(text, ret_node))
        *ret_node = 0;
    return 0;
}

struct row_adding {
    struct roster_list *list;
    size_t count_max;
};

static int row_add(void *arg, struct slice path, const struct cell *cell)
{
    struct row_adding *adding = arg;
    struct roster_list *list = adding->list;
    struct roster_row *rows, row;
    struct slice value;
    uint64_t node;
    int error = path_node(path, &node);

    if (!error && node)
        error = lww_value(cell, &value, NULL);
    if (!error)
        error = node ? roster_decode(node, value, &row) : NEAP_INVALID;
    if (error == NEAP_NOMEM)
        return error;
    if (error || list->count == adding->count_max) {
        list->left_out++;
        return 0;
    }
    rows = mem_reserve(list->rows, list->count, &list->room, 1, sizeof *rows);
    if (!rows)
        return NEAP_NOMEM;
    list->rows = rows;
    list->rows[list->count++] = row; /* paths come in the order of ids */
    return 0;
}

static int list_read(const struct view *view, enum roster_place place, struct roster_list *list)
{
    struct row_adding adding = {list,
                                place == ROSTER_FORGOTTEN ? ROSTER_FORGOTTEN_MAX : ROSTER_MAX};
    struct buffer path;
    int error;

    buffer_init(&path, NEAP_PATH_MAX);
    error = roster_place(place, &path);
    if (!error)
        error = system_each(view, buffer_slice(&path), row_add, &adding);
    buffer_done(&path);
    return error;
}

static void members_without_forgotten(struct roster *roster)
{
    struct roster_list *list = &roster->lists[ROSTER_MEMBERS];
    size_t kept = 0;

    for (size_t i = 0; i < list->count; i++)
        if (!roster_find(roster, ROSTER_FORGOTTEN, list->rows[i].node))
            list->rows[kept++] = list->rows[i];
    list->count = kept;
}

int roster_read(const struct view *view, struct roster *ret_roster)
{
    struct roster roster = {0};
    int error = 0;

    for (unsigned place = 0; !error && place < ROSTER_PLACES; place++)
        error = list_read(view, (enum roster_place)place, &roster.lists[place]);
    if (error) {
        roster_done(&roster);
        return error;
    }
    members_without_forgotten(&roster);
    roster_done(ret_roster);
    *ret_roster = roster;
    return 0;
}

/* ---- questions ---- */

const struct roster_row *roster_find(const struct roster *roster, enum roster_place place,
                                     uint64_t node)
{
    const struct roster_list *list = &roster->lists[place];
    size_t low = 0, high = list->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (list->rows[middle].node == node)
            return &list->rows[middle];
        if (list->rows[middle].node < node)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

int roster_named(const struct roster *roster, const char *text, struct roster_row *ret_row)
{
    const struct roster_list *list = &roster->lists[ROSTER_MEMBERS];
    const struct roster_row *found = NULL;
    uint64_t node = 0;

    if (strlen(text) == 16 && hex_read_u64(text, &node))
        found = roster_find(roster, ROSTER_MEMBERS, node);
    for (size_t i = 0; !found && *text && i < list->count; i++) {
        if (strcmp(list->rows[i].name, text) != 0)
            continue;
        found = &list->rows[i];
        for (size_t j = i + 1; j < list->count; j++)
            if (!strcmp(list->rows[j].name, text))
                return NEAP_INVALID;
    }
    if (!found)
        return NEAP_NOTFOUND;
    *ret_row = *found;
    return 0;
}

void roster_done(struct roster *roster)
{
    for (unsigned place = 0; place < ROSTER_PLACES; place++)
        mem_free(roster->lists[place].rows);
    *roster = (struct roster){0};
}
