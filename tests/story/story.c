#include "tests/story/story.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/cover.h"
#include "sim/rules.h"
#include "store/annals.h"
#include "store/slot.h"

enum { NAME_SIZE = 64 };

static void write_done(struct world *world, size_t node, struct event *event, bool lost)
{
    struct story *story = world->story;
    if (lost)
        world_line(world, world->nodes[node].name, "the caller gets no answer");
    else if (event->code)
        world_line(world, world->nodes[node].name, event->write->error.text);
    story->wrote = true;
}

void story_begin(struct story *story, const struct world_options *options)
{
    const char *name = getenv("NEAP_BREAK");
    const struct rule *rule = name && *name ? rules_find(name) : NULL;
    if (name && *name && !rule)
        test_failed(__FILE__, __LINE__, "NEAP_BREAK: there is no rule '%s'", name);
    rules_break(rule);
    *story = (struct story){0};
    world_open(&story->world, options);
    story->world.options.steady = true;
    story->world.keep_text = true;
    story->world.write_done = write_done;
    story->world.story = story;
}

void story_meet(struct story *story, size_t nodes)
{
    story_begin(story, &(struct world_options){.seed = 7, .nodes = nodes, .log_max = 1000});
    for (size_t i = 0; i < nodes; i++)
        sim_start(&story->world, i);
    story_run(story, 3000);
    story_forget(story);
}

void story_end(struct story *story, bool agree)
{
    char why[200];
    CHECK_TEXT(story->world.failed, "");
    if (agree && !world_agrees(&story->world, why, sizeof why))
        test_failed(__FILE__, __LINE__, "they do not agree: %s", why);
    world_close(&story->world);
}

void story_run(struct story *story, uint64_t ms)
{
    world_run(&story->world, story->world.now_ms + ms);
    CHECK_TEXT(story->world.failed, "");
}

/* ---- what callers say ---- */

static const struct verb {
    const char *name;
    enum op_kind kind;
    enum neap_type type;
} verbs[] = {
    {"incr", OP_COUNTER_ADD, NEAP_COUNTER},
    {"set", OP_LWW_SET, NEAP_LWW},
    {"put", OP_REGISTER_SET, NEAP_REGISTER},
    {"on", OP_FLAG_ON, NEAP_FLAG},
    {"off", OP_FLAG_OFF, NEAP_FLAG},
    {"add", OP_SET_ADD, NEAP_SET},
    {"remove", OP_SET_REMOVE, NEAP_SET},
    {"delete", OP_REMOVE, NEAP_ANY},
    {"allow", OP_SET_RW_ADD, NEAP_SET_RW},
    {"bar", OP_SET_RW_REMOVE, NEAP_SET_RW},
    {"tally", OP_COUNTER_EXACT_ADD, NEAP_COUNTER_EXACT},
    {"stock", OP_BOUNDED_ADD, NEAP_BOUNDED},
};

static void line_add(struct story *story, size_t node, const char *words)
{
    enum { SHOWN = 40 };
    char line[SHOWN + 8];
    snprintf(line, sizeof line, "%.*s%s", SHOWN, words, strlen(words) > SHOWN ? "..." : "");
    world_line(&story->world, story->world.nodes[node].name, line);
}

static const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (!strcmp(verbs[i].name, name))
            return &verbs[i];
    }
    test_failed(__FILE__, __LINE__, "no such word: %s", name);
}

/* [BUCKET:]KEY[/FIELD]; type 0: all that has this name. */
static void place_parse(const char *place, enum neap_type type, char ret_bucket[NAME_SIZE],
                        struct buffer *ret_path)
{
    const char *colon = strchr(place, ':'), *key = colon ? colon + 1 : place;
    const char *slash = strchr(key, '/');
    struct neap_bytes field = {slash ? slash + 1 : "", slash ? strlen(slash + 1) : 0};
    struct neap_place at = {.key = {key, slash ? (size_t)(slash - key) : strlen(key)},
                            .fields = &field,
                            .fields_count = slash ? 1 : 0};
    snprintf(ret_bucket, NAME_SIZE, "%.*s", colon ? (int)(colon - place) : 3,
             colon ? place : "box");
    buffer_init(ret_path, NEAP_PATH_MAX);
    CHECK_OK(path_place(ret_path, &at, type));
}

static const char at_quorum[] = "quorum ";

static bool is_covered(struct story *story, size_t node, const struct token *awaited)
{
    const struct engine *engine = &story->world.nodes[node].wheel.engine;
    struct cover_look look;
    CHECK_OK(cover_look_begin(engine, NEAP_QUORUM, &look));
    cover_look_at(engine, NEAP_QUORUM, awaited->parts, awaited->count, &look);
    return cover_is_there(&look);
}

void story_do(struct story *story, size_t node, const char *words)
{
    char name[NAME_SIZE] = "", place[NAME_SIZE] = "", bucket[NAME_SIZE];
    struct context seen = {0};
    struct buffer path;
    char id[NAME_SIZE] = "";
    int read = 0, skipped = 0;
    const char *all = words;
    if (sscanf(words, "once %63s %n", id, &skipped) == 1)
        words += skipped;
    bool quorum = !strncmp(words, at_quorum, strlen(at_quorum));
    if (quorum)
        words += strlen(at_quorum);
    CHECK(sscanf(words, "%63s %63s %n", name, place, &read) >= 2);
    const struct verb *verb = verb_find(name);
    const char *argument = read ? words + read : "";
    place_parse(place, verb->type, bucket, &path);
    struct shard *shard = sim_shard(&story->world, node, bucket);
    if (type_below(verb->type) == BELOW_ELEMENT)
        CHECK_OK(path_element(&path, slice_text(argument)));
    if (shard)
        CHECK_OK(context_copy(&seen, &shard->context));
    struct write_op op = {.bucket = bucket,
                          .path = buffer_slice(&path),
                          .prefix = verb->kind == OP_REMOVE,
                          .op = {.kind = verb->kind,
                                 .value = slice_text(argument),
                                 .number = strtoll(argument, NULL, 10),
                                 .seen = verb->kind == OP_REGISTER_SET ? &seen : NULL}};
    struct write write = {
        .ops = &op, .count = 1, .once = slice_text(id), .system = bucket[0] == '_'};
    write.level = quorum ? NEAP_QUORUM : NEAP_BUCKET_DEFAULT;
    struct event event = {.kind = EVENT_WRITE, .write = &write};
    token_init(&write.token);
    story->wrote = false;
    line_add(story, node, all);
    sim_post(&story->world, node, &event);
    story_run(story, 5);
    CHECK(story->wrote);
    CHECK(!quorum || is_covered(story, node, &write.awaited));
    token_done(&write.awaited);
    token_done(&write.token);
    context_done(&seen);
    buffer_done(&path);
}

/* ---- what is there ---- */

static void text_add(struct buffer *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void text_add(struct buffer *text, const char *format, ...)
{
    char words[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    CHECK_OK(buffer_append(text, slice_text(words)));
}

static void value_add(struct buffer *text, enum neap_type type, const struct cell *cell)
{
    unsigned holds = type_find(type)->holds;
    struct neap_item item = {0};
    struct slice value;
    int code = type_item(type, cell, &item);
    CHECK(!code || code == NEAP_NOTFOUND);
    if (code) {
        text_add(text, holds & NEAP_HOLDS_ELEMENTS ? "(out)" : "off");
    } else if (holds & NEAP_HOLDS_VALUES) {
        for (size_t i = 0; register_value(cell, i, &value) == 0; i++)
            text_add(text, "%s%.*s", i ? " or " : "", (int)value.size, (const char *)value.data);
    } else if (holds & NEAP_HOLDS_VALUE) {
        text_add(text, "%.*s", (int)item.value.size, (const char *)item.value.data);
    } else if (holds & NEAP_HOLDS_NUMBER) {
        text_add(text, "%" PRId64, item.number);
    } else if (holds & NEAP_HOLDS_SWITCH) {
        text_add(text, "on"); /* of an element the name says it */
    }
}

/* One cell: " ripe", " 3", " apples=3". */
static void cell_text(struct buffer *text, struct slice path, struct slice stored)
{
    struct path_cursor cursor;
    struct path_level level = {0};
    struct slice element;
    struct cell cell;
    uint64_t residue;
    cell_init(&cell);
    CHECK_OK(cell_stored(stored, &residue, &cell));
    if (cell.count) {
        path_cursor_init(&cursor, path);
        text_add(text, " ");
        for (int depth = 0; path_cursor_level(&cursor, &level) == 0; depth++) {
            if (depth > 0)
                text_add(text, "%.*s=", (int)level.name.size, (const char *)level.name.data);
        }
        if (path_cursor_element(&cursor, &element) == 0)
            text_add(text, "%.*s", (int)element.size, (const char *)element.data);
        value_add(text, cursor.last, &cell);
        path_cursor_done(&cursor);
    }
    cell_done(&cell);
}

void story_show(struct story *story, size_t node, const char *key)
{
    char bucket[NAME_SIZE];
    struct buffer path, text;
    struct key from, to;
    struct slice at, value;
    struct scan *scan;
    int code;
    buffer_init(&text, 1000);
    text_add(&text, "has %s:", key);
    size_t head = text.size;
    place_parse(key, NEAP_ANY, bucket, &path);
    uint64_t id = bucket_id(bucket);
    key_cell(&from, id, id, buffer_slice(&path));
    key_end(&from, &to);
    struct view view = {.disk = story->world.nodes[node].above};
    CHECK_OK(view_scan(&view, DISK_CELLS, key_slice(&from), key_slice(&to), &scan));
    while ((code = scan_next(scan, &at, &value)) == 0)
        cell_text(&text, key_cell_path(at), value);
    if (code != NEAP_END)
        text_add(&text, " %s", error_name(code));
    else if (text.size == head)
        text_add(&text, " nothing");
    scan_close(scan);
    CHECK_OK(buffer_append(&text, slice_of("", 1)));
    world_line(&story->world, story->world.nodes[node].name, (const char *)text.data);
    buffer_done(&text);
    buffer_done(&path);
}

void story_show_all(struct story *story, const char *key)
{
    for (size_t i = 0; i < story->world.nodes_count; i++) {
        if (story->world.nodes[i].up)
            story_show(story, i, key);
    }
}

/* ---- what happens to them ---- */

void story_cut(struct story *story, size_t a, size_t b, bool cut)
{
    struct world *world = &story->world;
    world_note(world, "%s and %s %s", world->nodes[a].name, world->nodes[b].name,
               cut ? "are cut off" : "can talk again");
    world->cut[a][b] = world->cut[b][a] = cut;
}

void story_isolate(struct story *story, size_t node, bool isolated)
{
    struct event *event = mem_new(sizeof *event);
    CHECK(event);
    event->kind = EVENT_ISOLATE;
    event->isolated = isolated;
    sim_post(&story->world, node, event);
    story_run(story, 5);
}

void story_replace(struct story *story, size_t node, struct disk *from)
{
    struct disk *disk;
    if (from)
        CHECK_OK(disk_mem_copy(from, &disk));
    else
        CHECK_OK(disk_mem_open(&disk));
    sim_set_disk(&story->world, node, disk);
}

/* ---- what was told ---- */

static bool line_counts(const struct story *story, const char *line, const char *only)
{
    static const char *const details[] = {": dial ",     ": hello, ",     ": link down",
                                          ": connected", ": drop link, ", " is open\n",
                                          ": log cut, "};
    if (strstr(line, ": digest of") || strstr(line, " member ") ||
        (only && *line != '-' && strncmp(line, only, 1) != 0))
        return false;
    for (size_t i = 0; !story->detail && i < sizeof details / sizeof *details; i++) {
        if (strstr(line, details[i]))
            return false;
    }
    return true;
}

void story_told(struct story *story, const char *only, const char *expected)
{
    struct buffer told;
    const char *text = (const char *)story->world.text.data;
    size_t left = story->world.text.size;
    buffer_init(&told, 1 << 20);
    while (left > 0) {
        const char *end = memchr(text, '\n', left), *words = strstr(text, "] ");
        char line[1200];
        size_t size = (size_t)(end - text) + 1;
        snprintf(line, sizeof line, "%.*s", (int)(end - words) - 1, words + 2);
        if (line_counts(story, line, only))
            CHECK_OK(buffer_append(&told, slice_text(line)));
        text += size;
        left -= size;
    }
    bool same = slice_equal(buffer_slice(&told), slice_text(expected));
    if (!same) {
        printf("# told:\n%.*s# instead of:\n%s", (int)told.size, (const char *)told.data, expected);
        fflush(stdout);
    }
    buffer_done(&told);
    if (!same)
        test_failed(__FILE__, __LINE__, "another story");
    story_forget(story);
}

void story_forget(struct story *story)
{
    buffer_clear(&story->world.text);
}

struct history_telling {
    struct story *story;
    size_t node;
};

static int history_line(void *arg, const struct annals_entry *entry)
{
    const struct {
        struct slice text;
        const char *before;
    } parts[] = {{entry->bucket, " "},
                 {entry->key, " "},
                 {entry->peer, " with "},
                 {entry->ended_ms ? entry->end : slice_text("it lasts"), ": "}};
    struct history_telling *telling = arg;
    char line[400];
    size_t size;
    if (entry->kind == ANNALS_SCRUB)
        return 0;
    size = (size_t)snprintf(line, sizeof line, "history: %s", annals_word(entry->kind));
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].text.size > 0)
            size += (size_t)snprintf(line + size, sizeof line - size, "%s%.*s", parts[i].before,
                                     (int)parts[i].text.size, (const char *)parts[i].text.data);
        CHECK(size < sizeof line);
    }
    world_line(&telling->story->world, telling->story->world.nodes[telling->node].name, line);
    return 0;
}

void story_history(struct story *story, size_t node)
{
    const struct view view = {.disk = story->world.nodes[node].wheel.disk};
    struct history_telling telling = {story, node};
    CHECK_OK(annals_read(&view, ANNALS_MAX, history_line, &telling, NULL, NULL));
}

uint64_t story_counted(struct story *story, size_t node, const char *reason)
{
    const char *name;
    uint64_t count;
    for (size_t i = 0; gossip_count(story->world.nodes[node].wheel.engine.gossip, i, &name, &count);
         i++) {
        if (!strcmp(name, reason))
            return count;
    }
    test_failed(__FILE__, __LINE__, "no such count: %s", reason);
}
