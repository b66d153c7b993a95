#include "engine/explain.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "crdt/hlc.h"
#include "engine/status.h"

static const struct {
    const char *word, *text;
} states[] = {
#define X(name, word, text) {word, text},
    EXPLAIN_STATES(X)
#undef X
};

/* About what a cell, and a dot of it, take in a page beside path and value (store/crate.c). */
enum { CELL_HEAD = 17, DOT_HEAD = 13, STAMP_SIZE = 9 };

/* ---- comparing ---- */

enum { NEWS_HERE = 1, NEWS_THERE = 2, GONE_HERE = 4, GONE_THERE = 8, LOST = 16 };

static const struct look_dot *dot_find(const struct look_cell *cell, struct dot dot)
{
    for (size_t i = 0; cell && i < cell->dots_count; i++)
        if (!dot_compare(cell->dots[i].dot, dot))
            return &cell->dots[i];
    return NULL;
}

/* Of a cell with more dots than were told, those that may be beyond are not judged. */
static bool dot_is_told(const struct look_cell *cell, struct dot dot)
{
    return !cell || cell->dots_count == cell->dots_all || !cell->dots_count ||
           dot_compare(dot, cell->dots[cell->dots_count - 1].dot) <= 0;
}

static struct knowledge knowledge_of(const struct context *context, const struct look_cell *cell)
{
    return (struct knowledge){context, cell ? &cell->residue : NULL};
}

/* What one has and the other has not: `news` if the other has not seen it, `gone` if it has removed
 * it, which it can only if it knows anything beyond (rule 3). */
static unsigned side_only(const struct look_cell *cell, const struct knowledge *know,
                          const struct look_cell *other, const struct knowledge *other_know,
                          unsigned news, unsigned gone)
{
    unsigned found = 0;

    for (size_t i = 0; cell && i < cell->dots_count; i++) {
        struct dot dot = cell->dots[i].dot;

        if (dot_find(other, dot) || !dot_is_told(other, dot))
            continue;
        if (!knowledge_has(other_know, dot))
            found |= news;
        else
            found |= knowledge_beyond(other_know, know) ? gone : LOST;
    }
    return found;
}

enum explain_state explain_state(const struct context *here, const struct look_cell *cell_here,
                                 const struct context *there, const struct look_cell *cell_there)
{
    struct knowledge know_here = knowledge_of(here, cell_here);
    struct knowledge know_there = knowledge_of(there, cell_there);
    unsigned found =
        side_only(cell_here, &know_here, cell_there, &know_there, NEWS_HERE, GONE_THERE) |
        side_only(cell_there, &know_there, cell_here, &know_here, NEWS_THERE, GONE_HERE);

    if (found & LOST)
        return EXPLAIN_DAMAGED;
    if (!found)
        return cell_here && cell_there && cell_here->dots_all == cell_there->dots_all &&
                       cell_here->dots_count == cell_here->dots_all &&
                       cell_here->sum != cell_there->sum
                   ? EXPLAIN_DAMAGED
                   : EXPLAIN_SAME;
    if ((found & (NEWS_HERE | GONE_HERE)) && (found & (NEWS_THERE | GONE_THERE)))
        return EXPLAIN_BOTH;
    if (found & NEWS_HERE)
        return EXPLAIN_BEHIND;
    if (found & NEWS_THERE)
        return EXPLAIN_AHEAD;
    return found & GONE_THERE ? EXPLAIN_REMOVED : EXPLAIN_KEPT;
}

/* ---- JSON ---- */

/* A failure is kept, and looked at once, at the end. */
static void put(struct explain *explain, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value))
        explain->failed = true;
}

static void add(struct explain *explain, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value))
        explain->failed = true;
}

json_t *json_slice(struct slice bytes)
{
    json_t *json = json_stringn(bytes.size ? (const char *)bytes.data : "", bytes.size);
    char hex[2 * NEAP_PATH_MAX + 1];

    if (json)
        return json;
    for (size_t i = 0; i < bytes.size && i < NEAP_PATH_MAX; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes.data[i]);
    return json_pack("{ss}", "hex", bytes.size ? hex : "");
}

/* What an item of a type says. */
static json_t *item_json(enum neap_type type, const struct neap_item *item)
{
    const struct type *found = type_find(type);
    unsigned holds = found ? found->holds : 0;

    if (holds & (NEAP_HOLDS_VALUE | NEAP_HOLDS_VALUES))
        return json_slice(slice_of(item->value.data, item->value.size));
    if (holds & NEAP_HOLDS_NUMBER)
        return json_integer(item->number);
    return json_boolean(!(holds & NEAP_HOLDS_SWITCH) || item->number);
}

/* The value of a cell with nothing but these dots; NULL: no value that can be told. */
static json_t *dots_value(struct explain *explain, enum neap_type type, const struct look_dot *dots,
                          size_t count)
{
    struct neap_item item = {0};
    struct cell cell;
    int error = 0;

    cell_init(&cell);
    for (size_t i = 0; i < count && !error; i++)
        error = cell_add(&cell, dots[i].dot, dots[i].value);
    if (!error)
        error = type_check_cell(type, &cell);
    if (!error)
        error = type_item(type, &cell, &item);
    cell_done(&cell);
    if (error == NEAP_NOMEM)
        explain->failed = true;
    if (error == NEAP_NOTFOUND)
        return json_false();
    return error ? json_null() : item_json(type, &item);
}

static json_t *dot_value(struct explain *explain, enum neap_type type, const struct look_dot *dot)
{
    const struct type *found = type_find(type);

    /* Of long values only the beginning is told, and so no payload. */
    if (found && found->holds & (NEAP_HOLDS_VALUE | NEAP_HOLDS_VALUES))
        return json_slice(dot->value);
    return dots_value(explain, type, dot, 1);
}

static const struct explain_name *name_find(const struct explain *explain, uint64_t replica)
{
    for (size_t i = 0; i < explain->names_count; i++)
        if (explain->names[i].replica == replica)
            return &explain->names[i];
    return NULL;
}

/* Whose it is, in few words. */
static json_t *name_json(const struct explain *explain, uint64_t replica)
{
    const struct explain_name *name = name_find(explain, replica);
    char text[64];

    if (!name)
        return json_null();
    if (name->here)
        return json_string("this node");
    if (name->address[0])
        return json_text(name->address);
    snprintf(text, sizeof text, "node %016" PRIx64, name->node);
    return json_string(text);
}

static json_t *dot_json(struct explain *explain, enum neap_type type, const struct look_dot *dot)
{
    json_t *json = json_object();

    put(explain, json, "replica", json_hex(dot->dot.id));
    put(explain, json, "n", json_number(dot->dot.n));
    put(explain, json, "by", name_json(explain, dot->dot.id));
    put(explain, json, "value", dot_value(explain, type, dot));
    if (dot->size > dot->value.size)
        put(explain, json, "size", json_number(dot->size));
    if (type_has_stamps(type) && dot->stamp)
        put(explain, json, "wall_ms", json_number(hlc_wall_ms(dot->stamp)));
    return json;
}

/* Those dots of a cell that another has not (NULL: all). */
static json_t *dots_json(struct explain *explain, const struct look_cell *cell,
                         const struct look_cell *without)
{
    json_t *array = json_array();

    for (size_t i = 0; cell && i < cell->dots_count; i++)
        if (!dot_find(without, cell->dots[i].dot) && dot_is_told(without, cell->dots[i].dot))
            add(explain, array, dot_json(explain, cell->type, &cell->dots[i]));
    return array;
}

/* ---- why ---- */

static const struct look_dot *latest_dot(const struct look_cell *cell)
{
    const struct look_dot *best = NULL;

    for (size_t i = 0; i < cell->dots_count; i++)
        if (!best || cell->dots[i].stamp >= best->stamp)
            best = &cell->dots[i];
    return best;
}

static json_t *counted_json(const char *before, uint64_t count, const char *after)
{
    char text[200];

    snprintf(text, sizeof text, "%s%" PRIu64 "%s", before, count, after);
    return json_string(text);
}

static json_t *why_json(const struct look_cell *cell)
{
    const struct type *type = cell ? type_find(cell->type) : NULL;
    uint64_t count = cell ? cell->dots_all : 0;

    if (!count)
        return json_string("nothing is here");
    if (!type || !type->why_before)
        return json_string("");
    if (count == 1 && type->why_one)
        return json_string(type->why_one);
    return counted_json(type->why_before, count, type->why_after);
}

static json_t *value_json(struct explain *explain, const struct look_cell *cell)
{
    const struct type *type = cell ? type_find(cell->type) : NULL;
    json_t *values;

    if (!type || !cell->dots_all)
        return json_null();
    if (type->holds & NEAP_HOLDS_VALUE)
        return dot_value(explain, cell->type, latest_dot(cell));
    if (type->holds & NEAP_HOLDS_VALUES) {
        values = json_array();
        for (size_t i = 0; i < cell->dots_count; i++)
            add(explain, values, dot_value(explain, cell->type, &cell->dots[i]));
        return values;
    }
    if (cell->dots_all != cell->dots_count)
        return json_null();
    return dots_value(explain, cell->type, cell->dots, cell->dots_count);
}

/* ---- cells ---- */

/* The key, and the steps below it: fields, and the element of a set. */
static void put_path(struct explain *explain, json_t *json, struct slice path)
{
    struct path_cursor cursor;
    struct path_level level;
    struct slice element;
    json_t *fields = json_array();
    bool first = true;
    int error;

    path_cursor_init(&cursor, path);
    while (!(error = path_cursor_level(&cursor, &level))) {
        if (first)
            put(explain, json, "key", json_slice(level.name));
        else
            add(explain, fields, json_slice(level.name));
        first = false;
    }
    put(explain, json, "fields", fields);
    if (error == NEAP_END)
        error = path_cursor_element(&cursor, &element);
    if (!error)
        put(explain, json, "element", json_slice(element));
    if (error == NEAP_NOMEM)
        explain->failed = true;
    path_cursor_done(&cursor);
}

/* One that has not answered: what of the cell it is known to have seen. */
static json_t *unknown_json(struct explain *explain, const struct explain_side *side,
                            const struct look_cell *here)
{
    json_t *lacks = json_array();

    for (size_t i = 0; here && side->peer.known && i < here->dots_count; i++)
        if (!context_knows(&side->context, here->dots[i].dot))
            add(explain, lacks, dot_json(explain, here->type, &here->dots[i]));
    return lacks;
}

/* Of a cell as a page of a repair has it, about: its path, and of each dot the value, its stamp,
 * and its name. 0: it has none. */
static uint64_t cell_travels(const struct look_cell *cell)
{
    uint64_t size = CELL_HEAD;

    if (!cell || cell->dots_count == 0)
        return 0;
    for (size_t i = 0; i < cell->dots_count; i++)
        size += (cell->dots[i].stamp ? DOT_HEAD + STAMP_SIZE : DOT_HEAD) + cell->dots[i].size;
    return cell->path.size + size * cell->dots_all / cell->dots_count;
}

static json_t *side_json(struct explain *explain, const struct explain_side *side,
                         const struct look_cell *here, const struct look_cell *there,
                         enum explain_state *ret_state)
{
    enum explain_state state = EXPLAIN_UNKNOWN;
    json_t *json = json_object();

    if (side->has_look)
        state = explain_state(&explain->here.context, here, &side->context, there);
    put(explain, json, "peer", json_text(side->peer.address));
    put(explain, json, "node", side->peer.node ? json_hex(side->peer.node) : json_null());
    put(explain, json, "state", json_string(states[state].word));
    if (side->has_look) {
        put(explain, json, "text", json_string(states[state].text));
        put(explain, json, "lacks", dots_json(explain, here, there));
        put(explain, json, "has", dots_json(explain, there, here));
        if (state == EXPLAIN_DAMAGED) {
            put(explain, json, "size_here", json_number(cell_travels(here)));
            put(explain, json, "size_there", json_number(cell_travels(there)));
        }
    } else {
        put(explain, json, "text",
            json_string(!side->peer.known ? "does not answer, and nothing is known of it"
                                          : "does not answer: `lacks` is what it had not seen "
                                            "when last heard of"));
        put(explain, json, "lacks", unknown_json(explain, side, here));
        put(explain, json, "has", json_array());
    }
    *ret_state = state;
    return json;
}

/* The heads of all looks, in path order. */
struct walk {
    size_t here, *sides; /* next cells */
    size_t counts[EXPLAIN_UNKNOWN + 1];
};

static const struct look_cell *head(const struct look *look, size_t at)
{
    return at < look->count ? &look->cells[at] : NULL;
}

static void least(const struct look *look, size_t at, const struct look_cell **best)
{
    const struct look_cell *cell = head(look, at);

    if (cell && (!*best || slice_compare(cell->path, (*best)->path) < 0))
        *best = cell;
}

static const struct look_cell *take(const struct look *look, size_t *at, struct slice path)
{
    const struct look_cell *cell = head(look, *at);

    if (!cell || slice_compare(cell->path, path))
        return NULL;
    ++*at;
    return cell;
}

/* Beyond the end of any page nothing can be said. */
static bool is_told(const struct explain *explain, struct slice path)
{
    bool told = explain->here.look.whole || slice_compare(path, explain->here.look.end) < 0;

    for (size_t i = 0; i < explain->sides_count && told; i++) {
        const struct explain_side *side = &explain->sides[i];

        told = !side->has_look || side->look.whole || slice_compare(path, side->look.end) < 0;
    }
    return told;
}

static json_t *cell_json(struct explain *explain, const struct look_cell *any,
                         const struct look_cell *here)
{
    const struct type *type = type_find(any->type);
    json_t *json = json_object();
    char text[256];

    path_text(any->path, text, sizeof text);
    put(explain, json, "cell", json_text(text));
    put(explain, json, "type", json_string(type ? type->name : "unknown"));
    put_path(explain, json, any->path);
    put(explain, json, "value", value_json(explain, here));
    put(explain, json, "why", why_json(here));
    put(explain, json, "dots", dots_json(explain, here, NULL));
    put(explain, json, "dots_left_out", json_number(here ? here->dots_all - here->dots_count : 0));
    put(explain, json, "residue", json_boolean(here && here->residue.count));
    return json;
}

/* False: the last one was. */
static bool walk_cell(struct explain *explain, struct walk *walk, json_t *cells, bool *ret_more)
{
    const struct look_cell *any = NULL, *here;
    json_t *json, *sides = json_array();
    bool differs = false;

    least(&explain->here.look, walk->here, &any);
    for (size_t i = 0; i < explain->sides_count; i++)
        least(&explain->sides[i].look, walk->sides[i], &any);
    *ret_more = any && !is_told(explain, any->path);
    if (!any || *ret_more) {
        json_decref(sides);
        return false;
    }
    here = take(&explain->here.look, &walk->here, any->path);
    json = cell_json(explain, any, here);
    for (size_t i = 0; i < explain->sides_count; i++) {
        enum explain_state state;
        const struct look_cell *there = take(&explain->sides[i].look, &walk->sides[i], any->path);

        add(explain, sides, side_json(explain, &explain->sides[i], here, there, &state));
        walk->counts[state]++;
        differs |= state != EXPLAIN_SAME && state != EXPLAIN_UNKNOWN;
    }
    put(explain, json, "peers", sides);
    if (differs || !explain->differing_only)
        add(explain, cells, json);
    else
        json_decref(json);
    return true;
}

/* ---- sides ---- */

/* Events of `of` that are not in the other. */
static uint64_t events_beyond(const struct context *of, const struct context *other)
{
    uint64_t count = 0;

    for (size_t i = 0; i < of->count; i++) {
        uint64_t have = context_get(other, of->entries[i].id);

        count += of->entries[i].n > have ? of->entries[i].n - have : 0;
    }
    return count;
}

static json_t *peer_json(struct explain *explain, const struct explain_side *side)
{
    json_t *json = json_object();
    bool known = side->has_look || side->peer.known;

    put(explain, json, "address", json_text(side->peer.address));
    put(explain, json, "node", side->peer.node ? json_hex(side->peer.node) : json_null());
    put(explain, json, "answered", json_boolean(side->has_look));
    put(explain, json, "why", side->why ? json_text(side->why) : json_null());
    put(explain, json, "heard_ms_ago",
        side->peer.heard_ms ? json_number(explain->now_ms - side->peer.heard_ms) : json_null());
    put(explain, json, "behind",
        known ? json_number(events_beyond(&explain->here.context, &side->context)) : json_null());
    put(explain, json, "ahead",
        known ? json_number(events_beyond(&side->context, &explain->here.context)) : json_null());
    return json;
}

static size_t differing(const struct walk *walk)
{
    size_t count = 0;

    for (size_t i = EXPLAIN_SAME + 1; i < EXPLAIN_UNKNOWN; i++)
        count += walk->counts[i];
    return count;
}

json_t *explain_json(struct explain *explain)
{
    size_t next[PEERS_MAX] = {0};
    struct walk walk = {.sides = next};
    json_t *json = json_object(), *cells = json_array(), *peers = json_array();
    size_t silent = 0;
    bool more = false;

    must(explain->sides_count <= PEERS_MAX);
    while (walk_cell(explain, &walk, cells, &more))
        continue;
    for (size_t i = 0; i < explain->sides_count; i++) {
        add(explain, peers, peer_json(explain, &explain->sides[i]));
        silent += !explain->sides[i].has_look && !explain->sides[i].unheld;
    }
    put(explain, json, "bucket", json_text(explain->bucket));
    if (explain->key)
        put(explain, json, "key", json_slice(slice_text(explain->key)));
    put(explain, json, "cells", cells);
    put(explain, json, "peers", peers);
    put(explain, json, "silent", json_number(silent));
    put(explain, json, "differing", json_number(differing(&walk)));
    put(explain, json, "damaged", json_number(walk.counts[EXPLAIN_DAMAGED]));
    put(explain, json, "more", json_boolean(more || !explain->here.look.whole));
    if (!explain->failed)
        return json;
    json_decref(json);
    return NULL;
}
