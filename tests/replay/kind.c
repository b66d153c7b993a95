/* The types of the files, and their operations as those of the store. */
#include <string.h>

#include "base/error.h"
#include "tests/replay/replay.h"

static const struct kind kinds[] = {
    {"set_aw", SHAPE_SET, NEAP_SET, true, false},
    {"gset", SHAPE_SET, NEAP_SET, false, false},
    {"set_rw", SHAPE_SET, NEAP_SET_RW, true, false},
    {"flag_ew", SHAPE_FLAG, NEAP_FLAG, true, false},
    {"flag_dw", SHAPE_FLAG, NEAP_FLAG_DW, true, false},
    {"flag_dw_initially_true", SHAPE_FLAG, NEAP_FLAG_DW, false, true},
    {"counter", SHAPE_COUNTER, NEAP_COUNTER, true, false},
    {"ccounter", SHAPE_COUNTER, NEAP_COUNTER, false, false},
    {"gcounter", SHAPE_COUNTER, NEAP_COUNTER, false, false},
    {"pncounter", SHAPE_COUNTER, NEAP_COUNTER, false, false},
    {"rcounter", SHAPE_COUNTER, NEAP_COUNTER_EXACT, true, false},
    {"bcounter", SHAPE_BOUNDED, NEAP_BOUNDED, false, false},
    {"lww", SHAPE_LWW, NEAP_LWW, true, false},
    {"mvreg", SHAPE_REGISTER, NEAP_REGISTER, true, false},
    {"dvv", SHAPE_REGISTER, NEAP_REGISTER, false, false},
    {"map", SHAPE_MAP, NEAP_MAP, true, false},
    {"amap", SHAPE_MAP, NEAP_MAP, true, false},
    {"text_fugue", SHAPE_TEXT, 0, false, false},
    {"text_fuguemax", SHAPE_TEXT, 0, false, false},
    {"text_yjs", SHAPE_TEXT, 0, false, false},
};

enum { KINDS = sizeof kinds / sizeof *kinds };

const struct kind *kind_find(const char *name)
{
    for (size_t i = 0; name && i < KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

const struct kind *kind_of_field(const struct kind *map, unsigned type)
{
    if (type == map->type)
        return map;
    for (size_t i = 0; i < KINDS; i++) {
        if (kinds[i].type == type && kinds[i].is_field)
            return &kinds[i];
    }
    return NULL;
}

/* ---- operations ---- */

struct target {
    struct replica *replica, *context;
    const struct kind *kind;
    struct buffer path;
};

static struct slice text_of(struct play *play, const json_t *text)
{
    if (!hold(play, json_is_string(text), "an element or value that is not a string"))
        return slice_of(NULL, 0);
    return slice_of(json_string_value(text), json_string_length(text));
}

static int64_t number_of(struct play *play, const json_t *number)
{
    (void)hold(play, json_is_integer(number), "a number that is not an integer");
    return (int64_t)json_integer_value(number);
}

/* What the token of a read at the context names of a cell: all that it had, and dots of the cell
 * beyond that (docs/decisions/0023). A DVV's clock has what the tokens of writes named, too. */
static void token_read(struct play *play, struct replica *context, const struct cell *cell,
                       struct context *seen)
{
    if (play->history->is_dvv)
        return;
    play_ok(play, context_copy(seen, &context->shard->context), "context");
    for (size_t i = 0; i < cell->count; i++) {
        struct dot dot = cell->entries[i].dot;

        play_ok(play, context_raise(seen, dot.id, dot.n, play_nonce(play, dot)), "context");
    }
}

/* What the context has seen of a cell comes here as a read repair would bring it; then what it saw
 * is removed. So it goes now, or when it arrives later. */
static void remove_seen(struct play *play, struct target *at, struct slice path,
                        const struct op *op)
{
    struct delta_cell brought = {.known = {0}};
    struct context seen = {0};
    struct op seen_op = *op;
    struct cell cell;

    if (!replica_open(play, at->context))
        return;
    cell_init(&cell);
    buffer_init(&brought.path, NEAP_PATH_MAX);
    buffer_init(&brought.bytes, CELL_SIZE_MAX);
    replica_cell(play, at->context, path, &play->more, &cell);
    replica_seen(play, at->context, path, &seen);
    play_ok(play, cell_encode(&cell, &brought.bytes), "cell");
    play_ok(play, buffer_append(&brought.path, path), "path");
    play_ok(play, context_copy(&brought.known, &seen), "context");
    token_read(play, at->context, &cell, &seen);
    play_take_cells(play, at->replica, &brought, 1);
    seen_op.seen = &seen;
    replica_write(play, at->replica, path, &seen_op);
    cell_done(&cell);
    buffer_done(&brought.path);
    buffer_done(&brought.bytes);
    context_done(&brought.known);
    context_done(&seen);
}

/* All below the path: with a context, what that has seen of each cell that ever was there. */
static void remove_below(struct play *play, struct target *at)
{
    const struct op op = {.kind = OP_REMOVE};

    if (!at->context) {
        replica_remove(play, at->replica, buffer_slice(&at->path));
        return;
    }
    for (size_t i = 0; i < play->paths_count; i++) {
        if (slice_starts(buffer_slice(&play->paths[i]), buffer_slice(&at->path)))
            remove_seen(play, at, buffer_slice(&play->paths[i]), &op);
    }
}

static void element_apply(struct play *play, struct target *at, const json_t *element, bool adds)
{
    bool votes = at->kind->type == NEAP_SET_RW;
    struct op op = {.kind = votes ? (adds ? OP_SET_RW_ADD : OP_SET_RW_REMOVE)
                                  : (adds ? OP_SET_ADD : OP_SET_REMOVE)};
    size_t size = at->path.size;

    play_ok(play, path_element(&at->path, text_of(play, element)), "an element");
    if (adds || !at->context)
        replica_write(play, at->replica, buffer_slice(&at->path), &op);
    else
        remove_seen(play, at, buffer_slice(&at->path), &op);
    at->path.size = size;
}

static bool set_apply(struct play *play, struct target *at, const char *verb, const json_t *op)
{
    const json_t *what = json_array_get(op, 1);
    bool adds = strncmp(verb, "add", 3) == 0;
    const json_t *element;
    size_t i;

    if (strcmp(verb, "add") == 0 || strcmp(verb, "del") == 0) {
        element_apply(play, at, what, adds);
        return true;
    }
    if (strcmp(verb, "add_all") != 0 && strcmp(verb, "del_all") != 0)
        return false;
    (void)hold(play, json_is_array(what), "%s without a list", verb);
    json_array_foreach(what, i, element) element_apply(play, at, element, adds);
    return true;
}

static bool flag_apply(struct play *play, struct target *at, const char *verb)
{
    bool votes = at->kind->type == NEAP_FLAG_DW;
    struct op op = {.kind = votes ? OP_FLAG_DW_ON : OP_FLAG_ON};

    if (strcmp(verb, "enable") == 0) {
        replica_write(play, at->replica, buffer_slice(&at->path), &op);
        return true;
    }
    op.kind = votes ? OP_FLAG_DW_OFF : OP_FLAG_OFF;
    if (strcmp(verb, "disable") != 0)
        return false;
    if (at->context)
        remove_seen(play, at, buffer_slice(&at->path), &op);
    else
        replica_write(play, at->replica, buffer_slice(&at->path), &op);
    return true;
}

static bool counter_apply(struct play *play, struct target *at, const char *verb, const json_t *op)
{
    struct op add = {.kind = at->kind->type == NEAP_COUNTER_EXACT ? OP_COUNTER_EXACT_ADD
                                                                  : OP_COUNTER_ADD};

    if (strcmp(verb, "inc") != 0 && strcmp(verb, "dec") != 0)
        return false;
    add.number = number_of(play, json_array_get(op, 1));
    if (verb[0] == 'd')
        add.number = -add.number;
    replica_write(play, at->replica, buffer_slice(&at->path), &add);
    return true;
}

static bool assign_apply(struct play *play, struct target *at, const char *verb, const json_t *op)
{
    struct op set = {.kind = OP_LWW_SET};
    struct context seen = {0};

    if (strcmp(verb, "assign") != 0)
        return false;
    set.value = text_of(play, json_array_get(op, 1));
    if (at->kind->shape == SHAPE_LWW) {
        set.stamp = (uint64_t)number_of(play, json_array_get(op, 2));
    } else {
        set.kind = OP_REGISTER_SET;
        if (!play->is_over)
            replica_seen(play, at->replica, buffer_slice(&at->path), &seen);
        set.seen = &seen;
    }
    replica_write(play, at->replica, buffer_slice(&at->path), &set);
    context_done(&seen);
    return true;
}

static void op_at(struct play *play, struct target *at, const json_t *op);

static void field_apply(struct play *play, struct target *at, const json_t *part)
{
    const char *verb = json_string_value(json_array_get(part, 0));
    const char *type = json_string_value(json_array_get(part, 2));
    const struct kind *map = at->kind, *kind = kind_find(type);
    size_t size = at->path.size;

    if (!hold(play, verb && type,
              "a part of a batch that is not [\"upd\" or \"rmv\", name, type...]") ||
        !hold(play, kind && kind->is_field && kind_of_field(map, kind->type) == kind,
              "a field of type %s in a %s is not known", type, map->name) ||
        !play_ok(play,
                 path_level(&at->path, text_of(play, json_array_get(part, 1)),
                            (enum neap_type)kind->type),
                 "a field"))
        return;
    at->kind = kind;
    if (strcmp(verb, "upd") == 0)
        op_at(play, at, json_array_get(part, 3));
    else if (strcmp(verb, "rmv") == 0)
        remove_below(play, at);
    else
        play_fail(play, "%s in a batch is not known", verb);
    at->kind = map;
    at->path.size = size;
}

static bool batch_apply(struct play *play, struct target *at, const char *verb, const json_t *op)
{
    const json_t *parts = json_array_get(op, 1), *part;
    size_t i;

    if (strcmp(verb, "batch") != 0)
        return false;
    (void)hold(play, json_is_array(parts), "a batch without a list");
    json_array_foreach(parts, i, part) field_apply(play, at, part);
    return true;
}

static void op_at(struct play *play, struct target *at, const json_t *op)
{
    const char *verb = json_string_value(json_array_get(op, 0));
    bool known = false;

    if (!hold(play, verb, "an operation that is not [name...]") || play->is_over)
        return;
    switch (at->kind->shape) {
    case SHAPE_SET:
        known = set_apply(play, at, verb, op);
        break;
    case SHAPE_FLAG:
        known = flag_apply(play, at, verb);
        break;
    case SHAPE_COUNTER:
        known = counter_apply(play, at, verb, op);
        break;
    case SHAPE_BOUNDED:
        known = bounded_apply(play, at->replica, buffer_slice(&at->path), verb, op);
        break;
    case SHAPE_REGISTER:
    case SHAPE_LWW:
        known = assign_apply(play, at, verb, op);
        break;
    case SHAPE_MAP:
        known = batch_apply(play, at, verb, op);
        break;
    case SHAPE_TEXT:
        break;
    }
    if (!known && strcmp(verb, "reset") == 0 && at->kind->shape != SHAPE_BOUNDED)
        remove_below(play, at);
    else
        (void)hold(play, known, "operation %s of type %s is not known", verb, at->kind->name);
}

static void target_init(struct play *play, struct target *at, struct replica *replica,
                        struct replica *context)
{
    *at = (struct target){replica, context, play->history->kind, {0}};
    buffer_init(&at->path, NEAP_PATH_MAX);
    play_ok(play, path_level(&at->path, slice_text("o"), (enum neap_type)play->history->kind->type),
            "path");
}

void op_apply(struct play *play, struct replica *replica, const json_t *op, struct replica *context)
{
    struct target at;

    target_init(play, &at, replica, context);
    op_at(play, &at, op);
    buffer_done(&at.path);
    if (!play->is_over)
        replica_commit(play, replica);
}

void op_put(struct play *play, struct replica *replica, const json_t *value,
            struct replica *context)
{
    struct op set = {.kind = OP_REGISTER_SET, .value = text_of(play, value)};
    struct target at;

    if (play->is_over)
        return;
    target_init(play, &at, replica, context);
    if (context)
        remove_seen(play, &at, buffer_slice(&at.path), &set);
    else
        replica_write(play, replica, buffer_slice(&at.path), &set);
    buffer_done(&at.path);
    if (!play->is_over)
        replica_commit(play, replica);
}
