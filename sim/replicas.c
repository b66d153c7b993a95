/* What nodes of a world have committed, as the checkers of values want to see it. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "sim/find.h"
#include "sim/load.h"

enum { FIELDS_MAX = 8 };

/* ---- names ---- */

void place_path(const char *key, unsigned type, struct buffer *ret_path)
{
    struct neap_bytes fields[FIELDS_MAX];
    struct neap_place place = {.fields = fields};
    size_t size = strcspn(key, "/");
    place.key = (struct neap_bytes){key, size};
    while (key[size] == '/') {
        key += size + 1;
        size = strcspn(key, "/");
        must(place.fields_count < FIELDS_MAX);
        fields[place.fields_count++] = (struct neap_bytes){key, size};
    }
    if (type == NEAP_SET && key[0] == PLACE_SCORES)
        type = NEAP_SCORES;
    buffer_clear(ret_path);
    must(path_place(ret_path, &place, type) == 0);
}

enum neap_type record_type(enum record_kind kind)
{
    static const enum neap_type types[RECORD_KINDS] = {
        [RECORD_COUNTER_ADD] = NEAP_COUNTER,   [RECORD_SET_ADD] = NEAP_SET,
        [RECORD_SET_REMOVE] = NEAP_SET,        [RECORD_LWW_SET] = NEAP_LWW,
        [RECORD_REGISTER_SET] = NEAP_REGISTER, [RECORD_FLAG_ON] = NEAP_FLAG,
        [RECORD_FLAG_OFF] = NEAP_FLAG};
    return types[kind];
}

enum neap_type place_type(const struct record *record)
{
    return record->kind == RECORD_OTHER ? op_type((enum op_kind)record->other)
                                        : record_type(record->kind);
}

void value_write(const struct record *record, struct buffer *ret_bytes)
{
    size_t size = strlen(record->value);
    size_t more = (size_t)record->number > size ? (size_t)record->number - size : 0;
    must(buffer_append(ret_bytes, slice_text(record->value)) == 0);
    must(buffer_reserve(ret_bytes, more) == 0);
    if (more)
        memset(ret_bytes->data + ret_bytes->size, '.', more);
    ret_bytes->size += more;
}

/* "v17:20......" has 20 bytes. */
void value_read(struct slice bytes, char ret_value[HISTORY_TEXT])
{
    const uint8_t *dots = bytes.size ? memchr(bytes.data, '.', bytes.size) : NULL;
    size_t size = dots ? (size_t)(dots - bytes.data) : bytes.size;
    unsigned long long number = 0, told = 0;
    snprintf(ret_value, HISTORY_TEXT, "?");
    if (size >= HISTORY_TEXT)
        return;
    for (size_t i = size; i < bytes.size; i++) {
        if (bytes.data[i] != '.')
            return;
    }
    char text[HISTORY_TEXT] = "";
    if (size)
        memcpy(text, bytes.data, size);
    if (sscanf(text, "v%llu:%llu", &number, &told) == 2 && told == bytes.size)
        memcpy(ret_value, text, HISTORY_TEXT);
}

/* ---- reading ---- */

/* Into replicas->cell, which borrows from replicas->bytes. */
static bool cell_load(struct sim_replicas *replicas, size_t node, const char *bucket,
                      struct slice path)
{
    struct view view = {.disk = replicas->world->nodes[node].disk};
    uint64_t shard = bucket_id(bucket);
    return cell_read(&view, shard, shard, path, &replicas->bytes, &replicas->cell) == 0;
}

static bool value_load(struct replicas *base, size_t node, const char *bucket, const char *key,
                       enum neap_type type)
{
    struct sim_replicas *replicas = (struct sim_replicas *)base;
    place_path(key, type, &replicas->path);
    return cell_load(replicas, node, bucket, buffer_slice(&replicas->path));
}

static int replicas_count(struct replicas *base, size_t node, const char *bucket, const char *key,
                          int64_t *ret_value)
{
    if (!value_load(base, node, bucket, key, NEAP_COUNTER))
        return NEAP_CORRUPT;
    return counter_value(&((struct sim_replicas *)base)->cell, ret_value);
}

static int replicas_has(struct replicas *base, size_t node, const char *bucket, const char *key,
                        const char *member)
{
    struct sim_replicas *replicas = (struct sim_replicas *)base;
    place_path(key, NEAP_SET, &replicas->path);
    must(path_element(&replicas->path, slice_text(member)) == 0);
    if (!cell_load(replicas, node, bucket, buffer_slice(&replicas->path)))
        return NEAP_CORRUPT;
    return type_is_live(NEAP_SET, &replicas->cell);
}

static int replicas_flag(struct replicas *base, size_t node, const char *bucket, const char *key)
{
    if (!value_load(base, node, bucket, key, NEAP_FLAG))
        return NEAP_CORRUPT;
    return type_is_live(NEAP_FLAG, &((struct sim_replicas *)base)->cell);
}

static int replicas_value(struct replicas *base, size_t node, const char *bucket, const char *key,
                          char ret_value[HISTORY_TEXT])
{
    struct slice value;
    if (!value_load(base, node, bucket, key, NEAP_LWW))
        return NEAP_CORRUPT;
    int code = lww_value(&((struct sim_replicas *)base)->cell, &value, NULL);
    if (!code)
        value_read(value, ret_value);
    return code == NEAP_NOTFOUND ? 0 : code ? code : 1;
}

static int replicas_sibling(struct replicas *base, size_t node, const char *bucket, const char *key,
                            size_t index, char ret_value[HISTORY_TEXT])
{
    struct slice value;
    if (!value_load(base, node, bucket, key, NEAP_REGISTER))
        return NEAP_CORRUPT;
    int code = register_value(&((struct sim_replicas *)base)->cell, index, &value);
    if (!code)
        value_read(value, ret_value);
    return code == NEAP_NOTFOUND || code == NEAP_END ? 0 : code ? code : 1;
}

/* ---- all there is ---- */

/* The texts of a path; names are short ones of ours. */
struct place {
    char key[HISTORY_TEXT], member[HISTORY_TEXT];
    enum neap_type type;
};

static void text_add(char text[HISTORY_TEXT], const char *between, struct slice name)
{
    size_t size = strlen(text);
    snprintf(text + size, HISTORY_TEXT - size, "%s%.*s", size ? between : "", (int)name.size,
             (const char *)name.data);
}

static bool place_read(struct slice path, struct place *ret_place)
{
    struct path_cursor cursor;
    struct path_level level;
    struct slice element;
    int code;
    *ret_place = (struct place){0};
    path_cursor_init(&cursor, path);
    while ((code = path_cursor_level(&cursor, &level)) == 0) {
        text_add(ret_place->key, "/", level.name);
        ret_place->type = level.type;
    }
    if (code == NEAP_END && type_below(ret_place->type) == BELOW_ELEMENT) {
        code = path_cursor_element(&cursor, &element);
        if (!code)
            text_add(ret_place->member, "", element);
    }
    path_cursor_done(&cursor);
    return code == 0 || code == NEAP_END;
}

static enum record_kind kind_of_type(enum neap_type type)
{
    if (type == NEAP_SCORES)
        return RECORD_SET_ADD;
    for (size_t i = 0; i < RECORD_KINDS; i++) {
        if (record_type((enum record_kind)i) == type && i != RECORD_REMOVE && i != RECORD_OTHER)
            return (enum record_kind)i;
    }
    return RECORD_OTHER;
}

static bool is_live(struct sim_replicas *replicas, enum neap_type type, struct slice value)
{
    uint64_t ref;
    must(cell_stored(value, &ref, &replicas->cell) == 0);
    return type_is_live(type, &replicas->cell);
}

static void replicas_all(struct replicas *base, size_t node,
                         bool (*each)(void *arg, enum record_kind kind, const char *bucket,
                                      const char *key, const char *member),
                         void *arg)
{
    struct sim_replicas *replicas = (struct sim_replicas *)base;
    struct sim_node *at = &replicas->world->nodes[node];
    struct scan *scan = scan_of(at, DISK_CELLS);
    struct slice key, value;
    bool goes_on = true;
    while (goes_on && scan_next(scan, &key, &value) == 0) {
        const struct shard *shard =
            at->up ? store_find(&at->wheel.engine.store, bytes_get_u64(key.data)) : NULL;
        struct place place;
        if (!key_cell_is(key) || (shard && shard->name[0] != 'b'))
            continue; /* of others than the load (escrow.h) */
        goes_on = place_read(key_cell_path(key), &place);
        if (!goes_on || !is_live(replicas, place.type, value))
            continue;
        goes_on =
            each(arg, kind_of_type(place.type), shard ? shard->name : "?", place.key, place.member);
    }
    scan_close(scan);
}

void sim_replicas_init(struct sim_replicas *replicas, struct world *world)
{
    *replicas = (struct sim_replicas){.replicas = {.count = replicas_count,
                                                   .has = replicas_has,
                                                   .flag = replicas_flag,
                                                   .value = replicas_value,
                                                   .sibling = replicas_sibling,
                                                   .all = replicas_all},
                                      .world = world};
    buffer_init(&replicas->path, NEAP_PATH_MAX);
    buffer_init(&replicas->bytes, STORED_SIZE_MAX);
    cell_init(&replicas->cell);
}

void sim_replicas_done(struct sim_replicas *replicas)
{
    buffer_done(&replicas->path);
    buffer_done(&replicas->bytes);
    cell_done(&replicas->cell);
}
